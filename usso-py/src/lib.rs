//! The native module of the Python package `usso`: `usso._native`.
//!
//! A thin layer over [`usso_verify::call`]. It performs no I/O and starts no thread, so it is safe
//! across `fork`: Python sends the requests. What Python sees is described in `_native.pyi`.

mod claims;
mod keys;
mod outcome;
mod request;
mod scopes;
mod testing;
mod value;
mod verifier;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _native {
    #[pymodule_export]
    use crate::claims::Claims;
    #[pymodule_export]
    use crate::keys::{check_jwk, decode_unverified, public_jwk, sign, spki_kid, verify_signature};
    #[pymodule_export]
    use crate::outcome::{Fetch, LookUp, Refusal, Wait};
    #[pymodule_export]
    use crate::request::{Request, Rule};
    #[pymodule_export]
    use crate::scopes::{
        action_level, check_access, common_scopes, explain_access, has_subset_scope,
        is_subset_scope, owner_allows, parse_scope, path_matches, scope_filters,
    };
    #[pymodule_export]
    use crate::testing::{RequestCase, TestIssuer, request_table};
    #[pymodule_export]
    use crate::verifier::Verifier;
}

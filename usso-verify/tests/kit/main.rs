//! What the verifier does beyond one token and one key, tried with the test kit.
#![cfg(test)]
#![cfg(feature = "testing")]

mod access;
mod binding;
mod cache;
mod kit;
mod profile;
mod revocation;
mod tenants;

use usso_verify::testing::TestIssuer;

pub(crate) const AUDIENCE: &str = "https://api.example";

pub(crate) fn issuer() -> TestIssuer {
    TestIssuer::new("https://sso.example")
}

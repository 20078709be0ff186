//! A client that holds a key and proves it.

use std::fmt;
use std::sync::Arc;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::signer::Signer;
use crate::algorithm::Algorithm;
use crate::base64url;

/// A client with a key of its own, to which tokens can be bound. Clones are one client.
#[derive(Clone)]
pub struct Prover(Arc<Signer>);

impl Prover {
    /// Makes a client with a fresh ES256 key.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Signer::new(Algorithm::Es256)))
    }

    /// Gives the thumbprint of the key, the `cnf.jkt` of tokens bound to it.
    #[must_use]
    pub fn thumbprint(&self) -> String {
        self.0.key().thumbprint()
    }

    /// Makes a `DPoP` proof for a request with this token, at `now` in seconds since the epoch.
    #[must_use]
    pub fn proof(&self, method: &str, uri: &str, token: &str, now: u64) -> String {
        let ath = base64url::encode(&Sha256::digest(token));
        let jti = base64url::encode(&Sha256::digest(format!("{method}{uri}{now}{}", next())));
        self.sign(&json!({"jti": jti, "htm": method, "htu": uri, "iat": now, "ath": ath}))
    }

    /// Signs any claims as a proof.
    #[must_use]
    pub fn sign(&self, claims: &Value) -> String {
        let mut jwk = json!(self.0.key().to_jwk());
        if let Value::Object(members) = &mut jwk {
            members.retain(|name, _| matches!(name.as_str(), "kty" | "crv" | "x" | "y"));
        }
        let header = json!({"typ": "dpop+jwt", "alg": self.0.algorithm(), "jwk": jwk});
        let header = base64url::encode(header.to_string().as_bytes());
        let message = format!("{header}.{}", base64url::encode(claims.to_string().as_bytes()));
        let signature = base64url::encode(&self.0.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }
}

impl Default for Prover {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Prover").field(&self.thumbprint()).finish()
    }
}

fn next() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

//! Tokens to order.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::issuer::TestIssuer;
use super::prover::Prover;
use crate::base64url;
use crate::clock::Clock;

/// A token that is being made. Everything about it can be changed before it is signed.
#[derive(Clone, Debug)]
#[must_use = "call `sign` to get the token"]
pub struct Mint {
    issuer: TestIssuer,
    kid: Option<String>,
    header: Map<String, Value>,
    claims: Map<String, Value>,
}

impl Mint {
    pub(super) fn new(issuer: &TestIssuer) -> Self {
        let now = issuer.clock().now();
        let claims = json!({
            "iss": issuer.name, "sub": "user:1", "iat": now, "nbf": now, "exp": now + 900,
            "jti": format!("tok_{}", next()), "token_type": "access", "client_id": "test",
        });
        let mint = Self {
            issuer: issuer.clone(),
            kid: None,
            header: Map::new(),
            claims: claims.as_object().cloned().unwrap_or_default(),
        };
        mint.typ("at+jwt")
    }

    /// Sets the subject.
    pub fn subject(self, subject: &str) -> Self {
        self.claim("sub", subject)
    }

    /// Sets the audience.
    pub fn audience(self, audience: &str) -> Self {
        self.claim("aud", audience)
    }

    /// Sets the claim `tenant_id`.
    pub fn tenant(self, tenant: &str) -> Self {
        self.claim("tenant_id", tenant)
    }

    /// Sets the claim `workspace_id`.
    pub fn workspace(self, workspace: &str) -> Self {
        self.claim("workspace_id", workspace)
    }

    /// Adds a role.
    pub fn role(self, role: &str) -> Self {
        self.listed("roles", role)
    }

    /// Adds a scope.
    pub fn scope(self, scope: &str) -> Self {
        self.listed("scopes", scope)
    }

    /// Sets a claim of any name.
    pub fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// Leaves a claim out.
    pub fn without(mut self, name: &str) -> Self {
        self.claims.remove(name);
        self
    }

    /// Sets how long the token lives from now on.
    pub fn expires_in(self, life: Duration) -> Self {
        let now = self.issuer.clock().now();
        self.claim("exp", now.saturating_add(life.as_secs()))
    }

    /// Makes a token that expired an hour ago.
    pub fn expired(self) -> Self {
        let now = self.issuer.clock().now();
        self.claim("iat", now - 7200).claim("nbf", now - 7200).claim("exp", now - 3600)
    }

    /// Binds the token to a prover's key: it is good only with that prover's `DPoP` proofs.
    pub fn bound_to(self, prover: &Prover) -> Self {
        self.claim("cnf", json!({"jkt": prover.thumbprint()}))
    }

    /// Sets the header's `typ`.
    pub fn typ(self, typ: &str) -> Self {
        self.header("typ", typ)
    }

    /// Sets a member of the header, also one that is set by itself.
    pub fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.header.insert(name.to_owned(), value.into());
        self
    }

    /// Signs with this key of the issuer, also with one that was withdrawn.
    pub fn signed_by(mut self, kid: &str) -> Self {
        self.kid = Some(kid.to_owned());
        self
    }

    /// Signs the token.
    ///
    /// # Panics
    ///
    /// If the issuer never had the key that was asked for.
    #[must_use]
    pub fn sign(self) -> String {
        let signer = self.issuer.signer(self.kid.as_deref());
        let mut header = Map::new();
        header.insert("alg".to_owned(), signer.algorithm().as_str().into());
        header.insert("kid".to_owned(), signer.key().kid().into());
        header.extend(self.header);
        let header = base64url::encode(Value::Object(header).to_string().as_bytes());
        let claims = base64url::encode(Value::Object(self.claims).to_string().as_bytes());
        let message = format!("{header}.{claims}");
        let signature = base64url::encode(&signer.sign(message.as_bytes()));
        format!("{message}.{signature}")
    }

    /// Signs the token and gives the value of the header `Authorization`.
    ///
    /// # Panics
    ///
    /// As [`sign`](Self::sign).
    #[must_use]
    pub fn authorization(self) -> String {
        format!("Bearer {}", self.sign())
    }

    fn listed(mut self, claim: &str, item: &str) -> Self {
        if let Value::Array(items) = self.claims.entry(claim).or_insert_with(|| json!([])) {
            items.push(item.into());
        }
        self
    }
}

/// Numbers tokens, so that no two are the same.
fn next() -> usize {
    use std::sync::atomic::{AtomicUsize, Ordering};
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

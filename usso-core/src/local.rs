//! Callers of an app that embeds the engine.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::Value;
use usso_verify::{
    BoxFuture, Presented, Principal, VerifyError,
    guard::{Authenticator, Refusal},
};

use crate::{
    directory::tenant::Tenant,
    engine::Usso,
    kernel::{
        event::Origin,
        id::TenantId,
        refusal::{Fault, Stop},
    },
    session::{
        Refused,
        token::{Caller, authenticate},
    },
};

/// Says who calls an app that embeds the engine, as things stand now: without HTTP, and a session
/// that ended, a user who was suspended, and a role, scope or custom claim that was taken away a moment
/// ago is seen at once. What another instance did to the tenant itself, such as suspending it, is seen
/// within five seconds.
///
/// Each request costs one read of the store.
///
/// ```no_run
/// # fn guards(usso: &usso_core::Usso) {
/// use usso_core::Local;
/// use usso_verify::guard::Guard;
///
/// // `usso_axum::Auth` and `usso_actix::Auth` take it as well.
/// let guard = Guard::new(Local::new(usso));
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Local {
    usso: Usso,
    tenants: Tenants,
}

/// Whose tokens are good.
#[derive(Clone, Copy, Debug)]
enum Tenants {
    Every,
    One(TenantId),
}

impl Local {
    /// Takes the tokens of the default tenant.
    #[must_use]
    pub fn new(usso: &Usso) -> Self {
        Self { usso: usso.clone(), tenants: Tenants::One(TenantId::DEFAULT) }
    }

    /// Takes the tokens of this tenant instead.
    #[must_use]
    pub fn tenant(self, tenant: TenantId) -> Self {
        Self { tenants: Tenants::One(tenant), ..self }
    }

    /// Takes the tokens of every tenant of the engine.
    ///
    /// # Security
    ///
    /// Which tenant a caller is of, the claim `tenant_id` says: compare it with the tenant whose data
    /// is asked for, for example by [`Rule::tenant`](usso_verify::guard::Rule::tenant).
    #[must_use]
    pub fn every_tenant(self) -> Self {
        Self { tenants: Tenants::Every, ..self }
    }

    async fn caller(&self, presented: Presented<'_>) -> Result<Principal, Refusal> {
        let id = match self.tenants {
            Tenants::One(id) => id,
            Tenants::Every => claimed_tenant(presented.token())
                .ok_or(Refusal::Token(VerifyError::UnknownIssuer))?,
        };
        let tenant = self.usso.tenant(id).await.map_err(|fault| unavailable(&fault))?;
        let tenant = tenant.ok_or(Refusal::Token(VerifyError::UnknownIssuer))?;
        let caller = self.authenticate_in(tenant, presented).await?;
        let now = &caller.user;
        let custom = caller.claims.claims.get("claims").and_then(Value::as_object);
        let mut custom = custom.into_iter().flatten();
        let unchanged = custom.all(|(name, value)| now.custom_claims.get(name) == Some(value));
        let still =
            |claimed: &[String], held: &[String]| claimed.iter().all(|one| held.contains(one));
        let claims = caller.claims;
        if unchanged && still(&claims.roles, &now.roles) && still(&claims.scopes, &now.scopes) {
            Ok(claims)
        } else {
            // The next token, which a refresh gives, has what is left.
            Err(Refusal::Token(VerifyError::Revoked))
        }
    }

    async fn authenticate_in(
        &self,
        tenant: Arc<Tenant>,
        presented: Presented<'_>,
    ) -> Result<Caller, Refusal> {
        let deps = self.usso.deps(tenant, Origin::default());
        authenticate(&deps, presented).await.map_err(|stop| match stop {
            Stop::Refused(Refused::Token(error)) => Refusal::Token(error),
            Stop::Refused(_) => Refusal::Token(VerifyError::Revoked),
            Stop::Fault(fault) => unavailable(&fault),
        })
    }
}

impl Authenticator for Local {
    fn authenticate<'a>(
        &'a self,
        presented: Presented<'a>,
    ) -> BoxFuture<'a, Result<Principal, Refusal>> {
        Box::pin(self.caller(presented))
    }

    fn now(&self) -> u64 {
        self.usso.now().seconds()
    }
}

fn unavailable(fault: &Fault) -> Refusal {
    tracing::error!(%fault, "a port failed");
    Refusal::Unavailable
}

/// Reads which tenant a token says it is of. It only chooses among the keys of this engine: the token
/// is verified with them afterwards, this claim included.
fn claimed_tenant(token: &str) -> Option<TenantId> {
    #[derive(Deserialize)]
    struct Claimed {
        tenant_id: String,
    }
    if token.len() > TOKEN_MAX {
        return None;
    }
    let claims = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    TenantId::parse(&serde_json::from_slice::<Claimed>(&claims).ok()?.tenant_id).ok()
}

/// As the verifier's limit.
const TOKEN_MAX: usize = 8192;

//! What a caller may do. The two built-in roles; policies build on them later.
//!
//! | role | may |
//! | --- | --- |
//! | `admin` | administer its own tenant: users, keys, audit |
//! | `superadmin`, in the default tenant | administer every tenant, create and change tenants |
//!
//! The decision uses the stored user, not the token: a role that was taken away is gone at once.

use std::sync::Arc;

use crate::{
    deps::Deps,
    directory::tenant::Tenant,
    kernel::{id::TenantId, refusal::Stop},
    session::{
        Refused,
        token::{Caller, authenticate},
    },
};

/// Administers its tenant.
pub const ADMIN: &str = "admin";
/// Administers the installation; counts only for users of the default tenant.
pub const SUPERADMIN: &str = "superadmin";

/// Whether the caller administers the installation.
#[must_use]
pub fn is_superadmin(caller: &Caller) -> bool {
    let default = TenantId::DEFAULT.to_string();
    caller.claims.tenant_id.as_ref() == Some(&default) && has_role(caller, SUPERADMIN)
}

fn has_role(caller: &Caller, role: &str) -> bool {
    caller.user.roles.iter().any(|held| held == role)
}

/// Lets administrators of the tenant pass, and of the installation.
///
/// `default` is the default tenant, whose superadministrators may act on `deps.tenant` with their own
/// token.
///
/// # Errors
///
/// [`Refused::Forbidden`] for other callers, and as [`authenticate`].
pub async fn require_admin(
    deps: &Deps,
    default: Arc<Tenant>,
    token: &str,
) -> Result<Caller, Stop<Refused>> {
    match authenticate(deps, token).await {
        Ok(caller) if has_role(&caller, ADMIN) || is_superadmin(&caller) => Ok(caller),
        Ok(_) => Err(Stop::Refused(Refused::Forbidden)),
        Err(Stop::Refused(refused)) if deps.tenant.id != TenantId::DEFAULT => {
            let platform = Deps { tenant: default, ..deps.clone() };
            let caller = authenticate(&platform, token).await;
            // A token that is nobody's is refused as what it is in the tenant that was asked for.
            let caller = caller.map_err(|stop| stop.map(|_| refused))?;
            if is_superadmin(&caller) { Ok(caller) } else { Err(Stop::Refused(Refused::Forbidden)) }
        }
        Err(stop) => Err(stop),
    }
}

/// Lets administrators of the installation pass.
///
/// # Errors
///
/// [`Refused::Forbidden`] for other callers, and as [`authenticate`].
pub async fn require_superadmin(deps: &Deps, token: &str) -> Result<Caller, Stop<Refused>> {
    let caller = authenticate(deps, token).await?;
    if is_superadmin(&caller) { Ok(caller) } else { Err(Stop::Refused(Refused::Forbidden)) }
}

/// Whether a role may be given by this caller: nobody gives what makes others mightier than itself.
#[must_use]
pub fn may_grant(caller: &Caller, role: &str) -> bool {
    role != SUPERADMIN || is_superadmin(caller)
}

//! Who calls: the bearer token, and what its user may do.

use axum::{
    extract::FromRequestParts,
    http::{HeaderMap, HeaderValue, header, request::Parts},
};
use usso_core::{
    Deps, access,
    kernel::{id::TenantId, refusal::Stop},
    session::{
        self, Refused,
        token::{Caller, authenticate},
    },
};
use usso_verify::guard::{self, Refusal};

use super::{error::Failure, request::Context};
use crate::api::App;

/// A signed-in user of the tenant.
pub(crate) struct SignedIn {
    pub(crate) deps: Deps,
    pub(crate) caller: Caller,
}

/// An administrator of the tenant, or of the installation.
pub(crate) struct Admin {
    pub(crate) deps: Deps,
    pub(crate) caller: Caller,
}

/// An administrator of the installation.
pub(crate) struct Superadmin {
    pub(crate) deps: Deps,
    pub(crate) caller: Caller,
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Context(deps) = Context::from_request_parts(parts, app).await?;
        let caller = authenticate(&deps, bearer(&parts.headers)?).await.map_err(of_token)?;
        Ok(Self { deps, caller })
    }
}

impl FromRequestParts<App> for Admin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Context(deps) = Context::from_request_parts(parts, app).await?;
        let token = bearer(&parts.headers)?;
        let default = app.usso.tenant(TenantId::DEFAULT).await?.ok_or_else(Failure::internal)?;
        let caller = access::require_admin(&deps, default, token).await.map_err(of_token)?;
        Ok(Self { deps, caller })
    }
}

impl FromRequestParts<App> for Superadmin {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        let Context(deps) = Context::from_request_parts(parts, app).await?;
        let caller =
            access::require_superadmin(&deps, bearer(&parts.headers)?).await.map_err(of_token)?;
        Ok(Self { deps, caller })
    }
}

/// Ends the session of the bearer token, if it is not over already.
pub(crate) async fn sign_out(deps: &Deps, headers: &HeaderMap) -> Result<(), Failure> {
    let caller = match authenticate(deps, bearer(headers)?).await {
        Err(Stop::Refused(Refused::Ended)) => return Ok(()),
        verified => verified.map_err(of_token)?,
    };
    let user = caller.user.id;
    match session::end(deps, user, caller.session.id, user).await {
        Ok(()) | Err(Stop::Refused(Refused::Unknown)) => Ok(()),
        Err(stop) => Err(of_token(stop)),
    }
}

fn of_token(stop: Stop<Refused>) -> Failure {
    match stop {
        Stop::Refused(refused) => Failure::of_token(&refused),
        Stop::Fault(fault) => fault.into(),
    }
}

/// The token of the one `Authorization: Bearer` header.
fn bearer(headers: &HeaderMap) -> Result<&str, Failure> {
    let lines = headers.get_all(header::AUTHORIZATION).iter().map(HeaderValue::as_bytes);
    guard::bearer(lines).map_err(|refusal| match refusal {
        Refusal::Missing => Failure::missing_token(),
        _ => Failure::bad_authorization(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(values: &[&'static str]) -> Result<String, &'static str> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(value));
        }
        bearer(&headers).map(str::to_owned).map_err(|failure| failure.code())
    }

    #[test]
    fn only_one_bearer_token_is_read() {
        assert_eq!(read(&["Bearer a.b.c"]).as_deref(), Ok("a.b.c"));
        assert_eq!(read(&["bEARER a.b.c"]).as_deref(), Ok("a.b.c"));
        assert_eq!(read(&[]), Err("access.token_missing"));
        for bad in
            ["", "Bearer", "Bearer ", "Bearer a b", "Basic a", "Bearer a,b", "a", "Bearer\ta"]
        {
            assert_eq!(read(&[bad]), Err("access.authorization_malformed"), "{bad:?}");
        }
        assert_eq!(read(&["Bearer a", "Bearer a"]), Err("access.authorization_malformed"));
    }
}

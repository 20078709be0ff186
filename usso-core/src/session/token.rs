//! Access tokens: minted for a session, and the engine's own check of who is behind one.

use serde::Serialize;
use serde_json::{Map, Value as Json};
use usso_verify::{Presented, Principal, VerifyError};

use super::{
    Refused, Session,
    keys::{self, LoadedKeys},
};
use crate::{
    deps::Deps,
    directory::user::User,
    kernel::{
        id::{SessionId, TokenId},
        refusal::{Fault, FaultKind, Stop},
    },
};

/// The claims of an access token (RFC 9068 section 2.2, and USSO's).
#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    sub: String,
    aud: Audience<'a>,
    exp: u64,
    iat: u64,
    nbf: u64,
    jti: String,
    token_type: &'static str,
    session_id: String,
    tenant_id: String,
    roles: &'a [String],
    scopes: &'a [String],
    acr: &'static str,
    amr: Vec<&'static str>,
    auth_time: u64,
    #[serde(rename = "claims", skip_serializing_if = "Map::is_empty")]
    custom: &'a Map<String, Json>,
}

/// A string when single, as verifiers of USSO's tokens expect; else an array.
#[derive(Serialize)]
#[serde(untagged)]
enum Audience<'a> {
    One(&'a str),
    Many(&'a [String]),
}

/// Mints the access token of a session.
pub(super) fn mint(
    deps: &Deps,
    keys: &LoadedKeys,
    session: &Session,
    user: &User,
) -> Result<String, Fault> {
    let now = deps.clock.now();
    let (issuer, audience) = (deps.issuer(), deps.audience());
    // A token does not outlive its session.
    let end = now
        .plus(Deps::seconds(deps.tenant.settings.access_token_seconds))
        .min(session.lifetime.end());
    let claims = Claims {
        iss: &issuer,
        sub: user.id.to_string(),
        aud: match audience.as_slice() {
            [one] => Audience::One(one),
            many => Audience::Many(many),
        },
        exp: end.seconds(),
        iat: now.seconds(),
        nbf: now.seconds(),
        jti: TokenId::new(now, &*deps.entropy)?.to_string(),
        token_type: "access",
        session_id: session.id.to_string(),
        tenant_id: deps.tenant.id.to_string(),
        roles: &user.roles,
        scopes: &user.scopes,
        acr: session.acr(),
        amr: session.methods.iter().map(|method| method.as_str()).collect(),
        auth_time: session.authenticated_at.seconds(),
        custom: &user.custom_claims,
    };
    let claims = serde_json::to_vec(&claims)
        .map_err(|error| Fault::new(FaultKind::Corrupt, error.to_string()))?;
    keys.sign(&claims)
}

/// Who is behind an access token, as things stand now.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The user, as stored.
    pub user: User,
    /// The session, as stored.
    pub session: Session,
    /// The claims of the token.
    pub claims: Principal,
}

/// Says who is behind an access token of this tenant.
///
/// Unlike a verifier elsewhere, it also sees that a session ended or a user was suspended a moment
/// ago.
///
/// # Errors
///
/// [`Refused::TenantSuspended`], [`Refused::Token`] if the token is not valid here, [`Refused::Ended`] if its session is over,
/// [`Stop::Fault`] if the store failed.
pub async fn authenticate<'t>(
    deps: &Deps,
    presented: impl Into<Presented<'t>>,
) -> Result<Caller, Stop<Refused>> {
    let tenant = deps.tenant.id.to_string();
    let presented = presented.into().tenant(&tenant);
    let now = deps.clock.now();
    let mut keys = keys::load(deps).await?;
    let mut verified = keys.verifier().verify_at(presented, now.seconds());
    if matches!(verified, Err(VerifyError::UnknownKey)) && keys.may_be_stale(now) {
        // Another instance may have rotated the keys since they were read.
        keys = keys::reload(deps).await?;
        verified = keys.verifier().verify_at(presented, now.seconds());
    }
    let claims = verified.map_err(|error| Stop::Refused(Refused::Token(error)))?;
    // Only its own callers learn that a tenant is suspended.
    if !deps.tenant.is_active() {
        return Err(Stop::Refused(Refused::TenantSuspended));
    }
    let ended = || Stop::Refused(Refused::Ended);
    let id =
        claims.session_id.as_deref().and_then(|id| SessionId::parse(id).ok()).ok_or_else(ended)?;
    let (session, user) =
        deps.store.get_both::<Session, User>(&deps.scope(), id, &claims.sub).await?;
    let (Some(session), Some(user)) = (session, user) else {
        return Err(ended());
    };
    let (session, user) = (session.record, user.record);
    if session.user != user.id || !session.is_alive(&user, now) {
        return Err(ended());
    }
    Ok(Caller { user, session, claims })
}

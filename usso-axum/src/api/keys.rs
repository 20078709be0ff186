//! `keys` for administrators; the JWKS and discovery documents for everybody.

use axum::{
    Json as Answer,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use usso_core::{
    Deps,
    session::keys::{self, JWKS_MAX_AGE, LoadedKeys},
};
use utoipa::ToSchema;

use super::{
    BASE,
    view::{KeyView, Page},
};
use crate::http::{
    caller::Admin,
    error::{ErrorBody, Failure},
    request::Published,
};

/// Lists the tenant's signing keys with their states.
#[utoipa::path(get, path = "/keys", tag = "keys", security(("bearer" = [])), responses(
    (status = 200, body = Page<KeyView>),
    (status = 403, body = ErrorBody, description = "`access.forbidden`"),
))]
pub(crate) async fn list(Admin { deps, .. }: Admin) -> Result<Answer<Page<KeyView>>, Failure> {
    Ok(Answer(view(&*keys::load(&deps).await?)))
}

/// Rotates the signing keys: the next key signs from now on. Tokens signed before stay valid.
#[utoipa::path(post, path = "/keys/rotate", tag = "keys", security(("bearer" = [])), responses(
    (status = 200, body = Page<KeyView>, description = "The keys after the rotation."),
    (status = 403, body = ErrorBody, description = "`access.forbidden`"),
    (status = 409, body = ErrorBody, description = "`keys.changed`, `keys.too_many`"),
))]
pub(crate) async fn rotate(
    Admin { deps, caller }: Admin,
) -> Result<Answer<Page<KeyView>>, Failure> {
    Ok(Answer(view(&*keys::rotate(&deps, caller.user.id).await?)))
}

fn view(keys: &LoadedKeys) -> Page<KeyView> {
    let ring = keys.ring();
    let retired = ring.retired.iter().map(|key| KeyView::new(key, "retired"));
    let working = [KeyView::new(&ring.current, "current"), KeyView::new(&ring.next, "next")];
    let items = working.into_iter().chain(retired).collect();
    usso_core::store::Page { items, next: None }.into()
}

/// The public keys that verify the tenant's tokens (RFC 7517 section 5).
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "well-known", responses(
    (status = 200, description = "A JWK set; cacheable.", content_type = "application/jwk-set+json"),
    (status = 304, description = "The set with this `ETag` is still right."),
))]
pub(crate) async fn jwks(
    Published(deps): Published,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let keys = keys::load(&deps).await?;
    let jwks = keys.jwks();
    let known =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known =
        known.flat_map(|value| value.split(',')).map(|tag| tag.trim().trim_start_matches("W/"));
    let fresh = known.any(|tag| tag == &*jwks.etag || tag == "*");
    let mut answer = if fresh {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let kind = [(header::CONTENT_TYPE, "application/jwk-set+json")];
        (kind, jwks.json.to_string()).into_response()
    };
    public(&mut answer);
    if let Ok(etag) = HeaderValue::from_str(&jwks.etag) {
        answer.headers_mut().insert(header::ETAG, etag);
    }
    Ok(answer)
}

/// What a client needs to know of the tenant (OpenID Connect Discovery 1.0 section 3, RFC 8414
/// section 2).
#[derive(Serialize, ToSchema)]
pub(crate) struct Discovery {
    issuer: String,
    jwks_uri: String,
    token_endpoint_auth_methods_supported: Vec<&'static str>,
    id_token_signing_alg_values_supported: Vec<&'static str>,
    response_types_supported: Vec<&'static str>,
    subject_types_supported: Vec<&'static str>,
    claims_supported: Vec<&'static str>,
    /// Where USSO's REST API of the tenant begins.
    usso_api: String,
}

/// The discovery document of OpenID Connect.
#[utoipa::path(get, path = "/.well-known/openid-configuration", tag = "well-known", responses(
    (status = 200, body = Discovery),
))]
pub(crate) async fn openid_configuration(Published(deps): Published) -> Response {
    discovery(&deps)
}

/// The discovery document of OAuth 2.0.
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "well-known", responses(
    (status = 200, body = Discovery),
))]
pub(crate) async fn oauth_authorization_server(Published(deps): Published) -> Response {
    discovery(&deps)
}

fn discovery(deps: &Deps) -> Response {
    let issuer = deps.issuer();
    let document = Discovery {
        jwks_uri: format!("{issuer}/.well-known/jwks.json"),
        token_endpoint_auth_methods_supported: Vec::new(),
        id_token_signing_alg_values_supported: vec![
            deps.tenant.settings.signing_algorithm.as_str(),
        ],
        response_types_supported: Vec::new(),
        subject_types_supported: vec!["public"],
        claims_supported: vec![
            "iss",
            "sub",
            "aud",
            "exp",
            "iat",
            "nbf",
            "jti",
            "token_type",
            "session_id",
            "tenant_id",
            "roles",
            "scopes",
            "acr",
            "amr",
            "auth_time",
        ],
        usso_api: format!("{issuer}{BASE}"),
        issuer,
    };
    let mut answer = Answer(document).into_response();
    public(&mut answer);
    answer
}

/// Lets everybody read and cache an answer.
fn public(answer: &mut Response) {
    let age = format!("public, max-age={}", JWKS_MAX_AGE.as_secs());
    let headers = answer.headers_mut();
    if let Ok(age) = HeaderValue::from_str(&age) {
        headers.insert(header::CACHE_CONTROL, age);
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
}

//! `auth/refresh`, `auth/logout`, `me`, `sessions`.

use axum::{
    Json as Answer,
    extract::OriginalUri,
    http::{HeaderMap, HeaderValue, StatusCode, Uri, header},
    response::{AppendHeaders, IntoResponse},
};
use serde::Deserialize;
use usso_core::{
    Deps,
    kernel::id::SessionId,
    session::{self, RefreshToken, Tokens, refresh},
};
use utoipa::ToSchema;

use super::view::{Page, Paging, SessionView, TokenView, UserView};
use crate::http::{
    caller::{self, SignedIn},
    cookie::{self, Site},
    error::{ErrorBody, Failure},
    input::{Id, OptionalJson, Parameters, PathId},
    request::Context,
};

/// How a refresh token is handed over.
#[derive(Clone, Copy, Default, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Transport {
    /// In a cookie that scripts cannot read.
    Cookie,
    /// In the body.
    #[default]
    Json,
}

/// A refresh token; absent when it is in the cookie.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refresh {
    /// The refresh token.
    refresh_token: Option<String>,
}

/// The answer of a sign-in or refresh.
pub(crate) fn deliver(
    deps: &Deps,
    uri: &Uri,
    tokens: &Tokens,
    user: Option<UserView>,
    transport: Transport,
) -> impl IntoResponse + use<> {
    let as_cookie = transport == Transport::Cookie;
    let cookie = if as_cookie {
        cookie::keep(deps, uri, &tokens.refresh_token, tokens.refresh_expires_in)
    } else {
        None
    };
    (set_cookie(cookie), Answer(TokenView::new(tokens, user, !as_cookie)))
}

fn set_cookie(
    value: Option<HeaderValue>,
) -> AppendHeaders<Option<(header::HeaderName, HeaderValue)>> {
    AppendHeaders(value.map(|value| (header::SET_COOKIE, value)))
}

/// The refresh token of a request: of its body, else of its cookie.
fn presented(headers: &HeaderMap, body: Option<Refresh>) -> Option<(RefreshToken, Transport)> {
    match body.and_then(|body| body.refresh_token) {
        Some(text) => Some((RefreshToken::new(text), Transport::Json)),
        None => cookie::read(headers).map(|token| (token, Transport::Cookie)),
    }
}

/// Exchanges a refresh token for new tokens. It works once.
#[utoipa::path(post, path = "/auth/refresh", tag = "auth", request_body = Option<Refresh>, responses(
    (status = 200, body = TokenView, description = "The next tokens, handed over as the refresh token was."),
    (status = 401, body = ErrorBody, description = "`session.refresh_missing`, `session.refresh_not_valid`, `session.refresh_reused`"),
    (status = 403, body = ErrorBody, description = "`request.cross_site`, `tenant.suspended`"),
    (status = 409, body = ErrorBody, description = "`session.refresh_raced`: another request exchanged the token within the last second"),
))]
pub(crate) async fn refresh(
    Context(deps): Context,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    site: Site,
    OptionalJson(body): OptionalJson<Refresh>,
) -> Result<impl IntoResponse, Failure> {
    let Some((token, transport)) = presented(&headers, body) else {
        let message = "Send the refresh token in the body or its cookie.";
        return Err(Failure::new(StatusCode::UNAUTHORIZED, "session.refresh_missing", message));
    };
    if transport == Transport::Cookie {
        site.check(&deps)?;
    }
    let (_, tokens) = refresh::refresh(&deps, &token).await?;
    Ok(deliver(&deps, &uri, &tokens, None, transport))
}

/// Ends the session of a refresh token, else that of the bearer token. Also answers 204 if it was over
/// before, or there is neither.
#[utoipa::path(post, path = "/auth/logout", tag = "auth", request_body = Option<Refresh>, responses(
    (status = 204, description = "The session is over; the cookie is removed."),
    (status = 401, body = ErrorBody, description = "a `token.…` code: a bearer token alone, and not good"),
    (status = 403, body = ErrorBody, description = "`request.cross_site`"),
))]
pub(crate) async fn logout(
    Context(deps): Context,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
    site: Site,
    OptionalJson(body): OptionalJson<Refresh>,
) -> Result<impl IntoResponse, Failure> {
    site.check(&deps)?;
    if let Some((token, _)) = presented(&headers, body) {
        session::end_by_refresh_token(&deps, &token).await?;
    } else if headers.contains_key(header::AUTHORIZATION) {
        caller::sign_out(&deps, &headers).await?;
    }
    Ok((StatusCode::NO_CONTENT, set_cookie(cookie::remove(&deps, &uri))))
}

/// Shows the caller's own account.
#[utoipa::path(get, path = "/me", tag = "auth", security(("bearer" = [])), responses(
    (status = 200, body = UserView),
    (status = 401, body = ErrorBody, description = "`access.token_missing`, `session.ended` or a `token.…` code"),
))]
pub(crate) async fn me(SignedIn { deps, caller }: SignedIn) -> Result<Answer<UserView>, Failure> {
    Ok(Answer(UserView::read(&deps, caller.user).await?))
}

/// Lists the caller's live sessions, oldest first.
#[utoipa::path(get, path = "/sessions", tag = "sessions", params(Paging), security(("bearer" = [])), responses(
    (status = 200, body = Page<SessionView>),
))]
pub(crate) async fn list(
    SignedIn { deps, caller }: SignedIn,
    Parameters(paging): Parameters<Paging>,
) -> Result<Answer<Page<SessionView>>, Failure> {
    let limit = paging.limit()?;
    let page = session::list(&deps, &caller.user, paging.cursor, limit).await?;
    Ok(Answer(page.map(|session| SessionView::new(&session, &caller.session)).into()))
}

/// Ends one of the caller's sessions.
#[utoipa::path(delete, path = "/sessions/{id}", tag = "sessions", params(("id" = String, Path)),
    security(("bearer" = [])), responses(
    (status = 204, description = "The session is over."),
    (status = 404, body = ErrorBody, description = "`session.unknown`"),
))]
pub(crate) async fn end(
    SignedIn { deps, caller }: SignedIn,
    Id(id): Id<SessionId>,
) -> Result<StatusCode, Failure> {
    session::end(&deps, caller.user.id, id, caller.user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Ends all of the caller's sessions, the one that asks too.
#[utoipa::path(delete, path = "/sessions", tag = "sessions", security(("bearer" = [])), responses(
    (status = 204, description = "All sessions are over."),
))]
pub(crate) async fn end_all(SignedIn { deps, caller }: SignedIn) -> Result<StatusCode, Failure> {
    session::end_all(&deps, caller.user.id, caller.user.id).await?;
    Ok(StatusCode::NO_CONTENT)
}

impl PathId for SessionId {
    fn read(text: &str) -> Result<Self, Failure> {
        Self::parse(text).map_err(|_| Failure::refused(&session::Refused::Unknown))
    }
}

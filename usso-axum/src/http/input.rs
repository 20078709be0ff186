//! Bodies and queries, read strictly.

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Path, Query},
    http::{HeaderMap, Request, StatusCode, header, request::Parts},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use usso_verify::json::{self, Limits};

use super::error::Failure;
use crate::api::App;

/// How deep objects and arrays of a body may be nested.
const DEPTH_MAX: usize = 16;
const DETAIL_CHARS: usize = 200;

/// A JSON body: of type `application/json`, bounded in size and depth, without repeated members.
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Failure;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, Failure> {
        if !is_json(request.headers()) {
            return Err(not_json());
        }
        parse(&read(request.into_body(), app).await?).map(Self)
    }
}

/// A caller and a JSON body, read before the caller is looked at.
///
/// # Security
///
/// A body can be sent slowly. A caller that was checked before it would act on what was true half a
/// minute ago: an administrator who is suspended meanwhile could still finish.
pub(crate) struct With<C, T>(pub(crate) C, pub(crate) T);

impl<C, T> FromRequest<App> for With<C, T>
where
    C: FromRequestParts<App, Rejection = Failure> + Send,
    T: DeserializeOwned,
{
    type Rejection = Failure;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let body = read(body, app).await;
        let caller = C::from_request_parts(&mut parts, app).await?;
        if !is_json(&parts.headers) {
            return Err(not_json());
        }
        parse(&body?).map(|value| Self(caller, value))
    }
}

/// As [`Json`], or no body at all.
pub(crate) struct OptionalJson<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned> FromRequest<App> for OptionalJson<T> {
    type Rejection = Failure;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, Failure> {
        let typed = is_json(request.headers());
        let body = read(request.into_body(), app).await?;
        if body.is_empty() {
            return Ok(Self(None));
        }
        if !typed {
            return Err(not_json());
        }
        parse(&body).map(|value| Self(Some(value)))
    }
}

/// `application/json`, with parameters or not, sent once.
fn is_json(headers: &HeaderMap) -> bool {
    let text = super::request::single(headers, &header::CONTENT_TYPE).unwrap_or_default();
    text.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

fn not_json() -> Failure {
    let message = "The body must be application/json.";
    Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "request.content_type", message)
}

async fn read(body: Body, app: &App) -> Result<Vec<u8>, Failure> {
    let limited = Limited::new(body, app.config.max_body_bytes);
    match limited.collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) if error.is::<LengthLimitError>() => {
            let message = "The body is too large.";
            Err(Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "request.too_large", message))
        }
        Err(_) => Err(Failure::new(
            StatusCode::BAD_REQUEST,
            "request.truncated",
            "The body is incomplete.",
        )),
    }
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    let bad = |code, message| Failure::new(StatusCode::BAD_REQUEST, code, message);
    let value =
        json::parse(body, Limits { max_depth: DEPTH_MAX }).map_err(|error| match error {
            json::Error::DuplicateMember => {
                bad("request.duplicate_member", "The JSON has a member twice.")
            }
            json::Error::TooDeep => bad("request.too_deep", "The JSON is nested too deeply."),
            _ => bad("request.malformed", "The body is not JSON."),
        })?;
    serde_json::from_value(value).map_err(|error| invalid(&error))
}

fn invalid(error: &impl std::fmt::Display) -> Failure {
    let message = "A field is missing, unknown or of the wrong type.";
    let detail: String = error.to_string().chars().take(DETAIL_CHARS).collect();
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "request.invalid", message).detail(detail)
}

/// The query of a request. Unknown and repeated parameters are refused by the type.
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Parameters<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Failure> {
        Query::try_from_uri(&parts.uri)
            .map(|Query(value)| Self(value))
            .map_err(|error| invalid(&error.body_text()))
    }
}

/// The `{id}` of a path, parsed by its kind; what does not parse names nothing.
pub(crate) struct Id<T>(pub(crate) T);

/// A kind of id that stands in paths.
pub(crate) trait PathId: Sized {
    fn read(text: &str) -> Result<Self, Failure>;
}

impl<T: PathId> FromRequestParts<App> for Id<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Failure> {
        #[derive(serde::Deserialize)]
        struct Named {
            id: String,
        }
        let path = Path::<Named>::from_request_parts(parts, app).await;
        let Path(Named { id }) = path.map_err(|_| Failure::unknown_route())?;
        T::read(&id).map(Self)
    }
}

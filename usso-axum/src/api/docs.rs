//! `/openapi.json`, generated from the handlers, and a page that shows it.

use axum::{
    Router,
    body::Bytes,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
    routing::get,
};
use utoipa::openapi::{
    ComponentsBuilder, Content, InfoBuilder, OpenApi, OpenApiBuilder, Ref, ResponseBuilder,
    security::{HttpAuthScheme, HttpBuilder, SecurityScheme},
};

use super::App;

const PAGE: &str = include_str!("docs.html");
const SCRIPT: &str = include_str!("docs.js");
const STYLE: &str = include_str!("docs.css");
/// The page loads its own files and nothing else.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

pub(crate) fn router(openapi: &OpenApi) -> Router<App> {
    // Written once: the document does not change while the program runs.
    let openapi = Bytes::from(serde_json::to_vec(openapi).unwrap_or_default());
    let json = [(header::CONTENT_TYPE, "application/json")];
    Router::new()
        .route("/openapi.json", get(async move || (json, openapi.clone())))
        .route("/docs", get(async || file("text/html; charset=utf-8", PAGE)))
        .route("/docs.js", get(async || file("text/javascript; charset=utf-8", SCRIPT)))
        .route("/docs.css", get(async || file("text/css; charset=utf-8", STYLE)))
}

/// The document without its routes, which the handlers add.
pub(crate) fn document() -> OpenApi {
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("JWT").build();
    let components =
        ComponentsBuilder::new().security_scheme("bearer", SecurityScheme::Http(bearer)).build();
    let info = InfoBuilder::new()
        .title("usso")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Every refusal is `{\"error_code\", \"message\": {\"en\"}, \"detail\"?, \"request_id\"}`. \
             Lists are `{\"items\", \"next\"}`; pass `next` as `cursor`. The same routes exist under \
             `/t/{tenant}` for other tenants than the default one.",
        ))
        .build();
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

/// Says of every operation what its refusals look like, besides those that it names itself: any may
/// meet a limit of the request, an unknown tenant or a store that does not answer.
pub(crate) fn describe_refusals(openapi: &mut OpenApi) {
    let body = Content::new(Some(Ref::from_schema_name("ErrorBody")));
    let description = "Any other refusal: `request.…`, `tenant.…`, `token.…`, `store.…`";
    let refusal =
        ResponseBuilder::new().description(description).content("application/json", body).build();
    for item in openapi.paths.paths.values_mut() {
        let operations = [&mut item.get, &mut item.post, &mut item.patch, &mut item.delete];
        for operation in operations.into_iter().flatten() {
            let named = &mut operation.responses.responses;
            named.entry("default".to_owned()).or_insert_with(|| refusal.clone().into());
        }
    }
}

fn file(kind: &'static str, text: &'static str) -> Response {
    let policy = HeaderValue::from_static(POLICY);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::CONTENT_SECURITY_POLICY, policy),
    ];
    (headers, text).into_response()
}

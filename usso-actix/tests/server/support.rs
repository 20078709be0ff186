//! Two engines of one seed: one behind the axum router, one in an actix app.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use actix_web::{
    body::{BodySize, MessageBody},
    dev::{Service, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    test::{TestRequest, call_service, read_body},
    web::ServiceConfig,
};
use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;
use usso_actix::HttpConfig;
use usso_core::{
    Config, Ports, Usso,
    flow::password,
    kernel::{
        custody::MasterKey,
        event::Origin,
        hashing,
        id::TenantId,
        secret::Secret,
        testing::{HandClock, SeededEntropy},
        time::UnixTime,
    },
    store::{Sqlite, SqliteOptions, Store},
};

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const ADMIN: &str = "admin@localhost";

/// An engine, and what it works with.
pub(crate) struct Engine {
    pub(crate) usso: Usso,
    pub(crate) clock: HandClock,
    files: TempDir,
}

impl Engine {
    async fn open(files: TempDir, issuer: &str, seed: u64) -> Self {
        let clock = HandClock::at(UnixTime::from_seconds(1_800_000_000 + seed));
        let store = Sqlite::open(files.path().join("usso.db"), &SqliteOptions::default()).unwrap();
        let custody = MasterKey::new(&Secret::new([7; 32])).unwrap();
        let mut ports = Ports::new(Store::new(store), custody);
        ports.clock = Arc::new(clock.clone());
        ports.entropy = Arc::new(SeededEntropy::new(seed));
        let mut settings = Config::new(issuer);
        settings.hashing = hashing::Config::cheap();
        Self { usso: Usso::start(settings, ports).await.unwrap(), clock, files }
    }

    pub(crate) fn router(&self) -> Router {
        usso_axum::router(self.usso.clone(), HttpConfig::default())
    }

    pub(crate) fn mount(&self) -> impl Fn(&mut ServiceConfig) + Clone + Send + use<> {
        usso_actix::server(self.usso.clone(), HttpConfig::default())
    }

    /// Requests come one after the other.
    pub(crate) fn wait_a_moment(&self) {
        self.clock.advance(Duration::from_millis(1));
    }
}

/// Two engines that cannot be told apart, with an administrator and the tenant `acme`. As keys are
/// made at random, they have copies of one database.
pub(crate) async fn twins(issuer: &str) -> [Engine; 2] {
    let first = Engine::open(TempDir::new().unwrap(), issuer, 1).await;
    let tenant = first.usso.tenant(TenantId::DEFAULT).await.unwrap().unwrap();
    let deps = first.usso.deps(tenant, Origin::default());
    let secret = password::Wanted::Always(Secret::new(PASSWORD.to_owned()));
    password::ensure(&deps, ADMIN, secret, &["superadmin"]).await.unwrap();
    let api = first.router();
    let admin = post("/api/sso/v1/auth/login", &credentials(ADMIN));
    let admin = ask_axum(&api, admin).await.text_of("access_token");
    let acme = post("/api/sso/v1/tenants", &json!({ "slug": "acme" })).bearer(&admin);
    assert_eq!(ask_axum(&api, acme).await.status, 201);
    for path in ["/.well-known/jwks.json", "/t/acme/.well-known/jwks.json"] {
        assert_eq!(ask_axum(&api, get(path)).await.status, 200);
    }
    first.usso.checkpoint().await.unwrap();
    let copy = || {
        let files = TempDir::new().unwrap();
        std::fs::copy(first.files.path().join("usso.db"), files.path().join("usso.db")).unwrap();
        files
    };
    [Engine::open(copy(), issuer, 2).await, Engine::open(copy(), issuer, 2).await]
}

/// A request, for either side.
#[derive(Clone)]
pub(crate) struct Call {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Vec<u8>,
    pub(crate) peer: SocketAddr,
}

impl Call {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let peer = SocketAddr::from(([127, 0, 0, 1], 4711));
        let (method, path) = (method.to_owned(), path.to_owned());
        let call = Self { method, path, headers: Vec::new(), body: Vec::new(), peer };
        call.header("host", "localhost:8000").header("x-request-id", "trace-4711")
    }

    pub(crate) fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw(body.to_string()).header("content-type", "application/json")
    }

    pub(crate) fn actix(&self) -> TestRequest {
        let mut request = TestRequest::with_uri(&self.path)
            .method(self.method.parse().unwrap())
            .peer_addr(self.peer)
            .set_payload(self.body.clone());
        for (name, value) in &self.headers {
            let name: HeaderName = name.parse().unwrap();
            request = request.append_header((name, HeaderValue::from_bytes(value).unwrap()));
        }
        request
    }

    pub(crate) fn raw(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }
}

pub(crate) fn get(path: &str) -> Call {
    Call::new("GET", path)
}

pub(crate) fn post(path: &str, body: &Value) -> Call {
    Call::new("POST", path).json(body)
}

pub(crate) fn credentials(name: &str) -> Value {
    json!({ "identifier": name, "secret": PASSWORD })
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Sorted by name; lines of one name in their order.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
}

impl Answer {
    fn new(status: u16, mut headers: Vec<(String, String)>, body: &[u8]) -> Self {
        headers.sort_by(|one, other| one.0.cmp(&other.0));
        Self { status, headers, text: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    pub(crate) fn text_of(&self, field: &str) -> String {
        self.json()[field].as_str().unwrap_or_else(|| panic!("no {field}: {self:?}")).to_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let line = self.headers.iter().find(|(own, _)| own == name);
        line.map(|(_, value)| &**value)
    }
}

/// Asks the axum router, and does what hyper does: it writes the length, and answers HEAD without a
/// body.
pub(crate) async fn ask_axum(router: &Router, call: Call) -> Answer {
    let mut request = axum::http::Request::builder().method(&*call.method).uri(&*call.path);
    for (name, value) in &call.headers {
        request = request.header(name, &**value);
    }
    let mut request = request.body(Body::from(call.body)).unwrap();
    request.extensions_mut().insert(ConnectInfo(call.peer));
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let lines = parts.headers.iter();
    let lines = lines.map(|(name, value)| (name.to_string(), value.as_bytes()));
    let mut headers: Vec<_> =
        lines.map(|(name, value)| (name, value.escape_ascii().to_string())).collect();
    let mut body = to_bytes(body, usize::MAX).await.unwrap();
    if !parts.headers.contains_key("content-length") {
        headers.push(("content-length".to_owned(), body.len().to_string()));
    }
    if call.method == "HEAD" {
        body.clear();
    }
    Answer::new(parts.status.as_u16(), headers, &body)
}

/// Asks the actix app. The length is taken from the body, from which actix writes it.
pub(crate) async fn ask_actix<S, R, B, E>(app: &S, request: R) -> Answer
where
    S: Service<R, Response = ServiceResponse<B>, Error = E>,
    B: MessageBody,
    E: std::fmt::Debug,
{
    let response = call_service(app, request).await;
    let status = response.status().as_u16();
    let lines = response.headers().iter();
    let mut headers: Vec<_> = lines
        .map(|(name, value)| (name.to_string(), value.as_bytes().escape_ascii().to_string()))
        .collect();
    if let BodySize::Sized(size) = response.response().body().size() {
        headers.push(("content-length".to_owned(), size.to_string()));
    }
    Answer::new(status, headers, &read_body(response).await)
}

//! A world to make requests in.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Request, StatusCode, header},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use usso_axum::HttpConfig;
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
    store::{Memory, Store},
};

pub(crate) const PASSWORD: &str = "correct horse battery staple";
pub(crate) const ADMIN: &str = "admin@localhost";
pub(crate) const ISSUER: &str = "http://localhost:8000";

/// An engine with an administrator, behind the real router.
pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) clock: HandClock,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) json: Value,
    pub(crate) text: String,
}

impl Answer {
    /// Status and error code.
    pub(crate) fn refusal(&self) -> (u16, &str) {
        (self.status.as_u16(), self.json["error_code"].as_str().unwrap_or("none"))
    }

    pub(crate) fn text_of(&self, field: &str) -> String {
        self.json[field]
            .as_str()
            .unwrap_or_else(|| panic!("no {field} in {}", self.text))
            .to_owned()
    }

    pub(crate) fn header(&self, name: impl axum::http::header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }
}

/// A request to build.
pub(crate) struct Call {
    request: axum::http::request::Builder,
    body: Body,
    peer: SocketAddr,
}

impl Call {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        let peer = SocketAddr::from(([127, 0, 0, 1], 4711));
        Self { request: Request::builder().method(method).uri(path), body: Body::empty(), peer }
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.raw("application/json", body.to_string())
    }

    pub(crate) fn raw(mut self, kind: &str, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self.header("content-type", kind)
    }

    pub(crate) fn from(mut self, address: &str) -> Self {
        self.peer = SocketAddr::new(address.parse().unwrap(), 4711);
        self
    }

    pub(crate) async fn send(self, world: &World) -> Answer {
        let mut request = self.request.body(self.body).unwrap();
        request.extensions_mut().insert(ConnectInfo(self.peer));
        let response = world.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, json, text }
    }
}

pub(crate) fn get(path: &str) -> Call {
    Call::new("GET", path)
}

pub(crate) fn post(path: &str, body: &Value) -> Call {
    Call::new("POST", path).json(body)
}

pub(crate) fn patch(path: &str, body: &Value) -> Call {
    Call::new("PATCH", path).json(body)
}

pub(crate) fn delete(path: &str) -> Call {
    Call::new("DELETE", path)
}

/// Where the API is.
pub(crate) fn api(path: &str) -> String {
    format!("/api/sso/v1/{path}")
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| (), |_| ()).await
    }

    /// A world with other settings than the usual ones.
    pub(crate) async fn with(
        config: impl FnOnce(&mut Config),
        http: impl FnOnce(&mut HttpConfig),
    ) -> Self {
        let clock = HandClock::at(UnixTime::from_seconds(1_800_000_000));
        let custody = MasterKey::new(&Secret::new([7; 32])).unwrap();
        let mut ports = Ports::new(Store::new(Memory::new()), custody);
        ports.clock = Arc::new(clock.clone());
        ports.entropy = Arc::new(SeededEntropy::new(1));
        let mut settings = Config::new(ISSUER);
        settings.hashing = hashing::Config::cheap();
        config(&mut settings);
        let usso = Usso::start(settings, ports).await.unwrap();
        let tenant = usso.tenant(TenantId::DEFAULT).await.unwrap().unwrap();
        let deps = usso.deps(tenant, Origin::default());
        let secret = password::Wanted::Always(Secret::new(PASSWORD.to_owned()));
        password::ensure(&deps, ADMIN, secret, &["superadmin"]).await.unwrap();
        let mut http_config = HttpConfig::default();
        http(&mut http_config);
        Self { router: usso_axum::router(usso, http_config), clock }
    }

    pub(crate) fn wait(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn register(&self, identifier: &str) -> Answer {
        self.wait_a_moment();
        let body = json!({ "identifier": identifier, "secret": PASSWORD });
        post(&api("auth/register"), &body).send(self).await
    }

    pub(crate) async fn login(&self, identifier: &str) -> Answer {
        self.wait_a_moment();
        let body = json!({ "identifier": identifier, "secret": PASSWORD });
        post(&api("auth/login"), &body).send(self).await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.wait_a_moment();
        post(&api("auth/refresh"), &json!({ "refresh_token": token })).send(self).await
    }

    /// The access token of the administrator of the installation.
    pub(crate) async fn admin(&self) -> String {
        self.login(ADMIN).await.text_of("access_token")
    }

    /// Requests come one after the other.
    fn wait_a_moment(&self) {
        self.clock.advance(Duration::from_millis(1));
    }

    /// The compact header that browsers would send a cookie back with.
    pub(crate) fn cookie_of(answer: &Answer) -> String {
        let set = answer.header(header::SET_COOKIE).expect("a cookie");
        set.split(';').next().unwrap().to_owned()
    }
}

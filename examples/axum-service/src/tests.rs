use std::time::Duration;

use super::*;
use axum::{
    body::{Body, to_bytes},
    http::{HeaderMap, HeaderValue, Request},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;
use usso_verify::{
    Clock as _,
    testing::{Mint, TestIssuer},
};

/// The app and its issuer, all in memory.
struct World {
    issuer: TestIssuer,
    app: Router,
}

impl World {
    fn new() -> Self {
        let issuer = TestIssuer::new("https://sso.example");
        let app = app(Auth::new(issuer.verifier(AUDIENCE))).unwrap();
        Self { issuer, app }
    }

    fn mint(&self) -> Mint {
        self.issuer.mint().audience(AUDIENCE)
    }

    async fn get(&self, path: &str, token: &str) -> Answer {
        self.send("GET", path, token).await
    }

    async fn send(&self, method: &str, path: &str, token: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        // What no header can carry never comes this far.
        if let Ok(value) = HeaderValue::try_from(format!("Bearer {token}"))
            && !token.is_empty()
        {
            request = request.header("Authorization", value);
        }
        let answer = self.app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = to_bytes(answer.into_body(), 10_000).await.unwrap();
        Answer { status, headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    /// Status and code.
    fn refusal(&self) -> (u16, String) {
        (self.status, self.json()["error_code"].as_str().unwrap().to_owned())
    }

    fn challenge(&self) -> &str {
        self.headers["www-authenticate"].to_str().unwrap()
    }
}

fn refused(status: u16, code: &str) -> (u16, String) {
    (status, code.to_owned())
}

const GUARDED: [(&str, &str); 6] = [
    ("GET", "/me"),
    ("GET", "/claims"),
    ("GET", "/files"),
    ("GET", "/users/7"),
    ("POST", "/payments"),
    ("GET", "/machine"),
];

#[tokio::test]
async fn strangers_see_the_home_page_and_nothing_else() {
    let world = World::new();
    assert_eq!(world.get("/", "").await.body, "Payments so far: 0.");
    for (method, path) in GUARDED {
        let answer = world.send(method, path, "").await;
        assert_eq!(answer.refusal(), refused(401, "access.token_missing"), "{path}");
        assert_eq!(answer.challenge(), "Bearer realm=\"api\"", "{path}");
    }
}

#[tokio::test]
async fn no_route_takes_a_token_that_is_not_good() {
    let world = World::new();
    for bad in world.issuer.malformed(AUDIENCE) {
        for (method, path) in GUARDED {
            let status = world.send(method, path, &bad.token).await.status;
            assert!(matches!(status, 400 | 401), "{path}: {status} for one {}", bad.why);
        }
    }
}

#[tokio::test]
async fn a_caller_is_told_who_it_is() {
    let world = World::new();
    let answer = world.get("/me", &world.mint().subject("user:7").role("member").sign()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        (&answer.json()["sub"], &answer.json()["roles"]),
        (&json!("user:7"), &json!(["member"]))
    );
}

#[tokio::test]
async fn own_claims_are_read_and_a_token_without_them_is_refused() {
    let world = World::new();
    let lab = world.mint().claim("claims", json!({"department": "lab"})).sign();
    let answer = world.get("/claims", &lab).await;
    assert_eq!(answer.json(), json!({"sub": "user:1", "claims": {"department": "lab"}}));
    let answer = world.get("/claims", &world.mint().sign()).await;
    assert_eq!(answer.refusal(), refused(403, "access.claims"));
}

#[tokio::test]
async fn files_need_their_scope_and_the_answer_names_it() {
    let world = World::new();
    assert_eq!(world.get("/files", &world.mint().scope("read:files").sign()).await.status, 200);
    let answer = world.get("/files", &world.mint().scope("read:mails").sign()).await;
    assert_eq!(answer.refusal(), refused(403, "access.scope"));
    assert!(answer.challenge().contains("scope=\"read:files\""), "{}", answer.challenge());
}

#[tokio::test]
async fn a_scope_for_one_user_opens_that_user_only() {
    let world = World::new();
    let own = world.mint().scope("read:users?user_id=7").sign();
    assert_eq!(world.get("/users/7", &own).await.body, "User 7.");
    for path in ["/users/8", "/users/77", "/users/7%2F8", "/users/*"] {
        assert_eq!(world.get(path, &own).await.refusal(), refused(403, "access.scope"), "{path}");
    }
    assert_eq!(world.get("/users/8", &world.mint().scope("read:users").sign()).await.status, 200);
}

#[tokio::test]
async fn paying_needs_a_recent_sign_in() {
    let world = World::new();
    let token = world.mint().claim("auth_time", world.issuer.clock().now()).sign();
    let answer = world.send("POST", "/payments", &token).await;
    assert_eq!((answer.status, &*answer.body), (201, "user:1 has paid."));
    assert_eq!(world.get("/", "").await.body, "Payments so far: 1.");

    // The token is good for longer than that.
    world.issuer.clock().advance(Duration::from_secs(300 + 31));
    let answer = world.send("POST", "/payments", &token).await;
    assert_eq!(answer.refusal(), refused(401, "step_up.too_old"));
    assert!(answer.challenge().contains("error=\"insufficient_user_authentication\""));
    assert!(answer.challenge().contains("max_age=\"300\""), "{}", answer.challenge());
    assert_eq!(world.get("/", "").await.body, "Payments so far: 1.");
}

#[tokio::test]
async fn machines_only() {
    let world = World::new();
    let machine = world.mint().subject("service:backup").sign();
    assert_eq!(world.get("/machine", &machine).await.status, 200);
    let answer = world.get("/machine", &world.mint().sign()).await;
    assert_eq!(answer.refusal(), refused(403, "access.service"));
}

#[tokio::test]
async fn while_the_issuer_is_down_callers_are_told_to_come_back() {
    let issuer = TestIssuer::new("https://sso.example");
    issuer.outage();
    let app = app(Auth::new(issuer.fetching_verifier(AUDIENCE))).unwrap();
    let world = World { issuer, app };
    let answer = world.get("/me", &world.mint().sign()).await;
    assert_eq!(answer.refusal(), refused(503, "token.keys_unavailable"));
    assert!(answer.headers.contains_key("retry-after"));
}

//! What layers do beyond one request and its answer.

use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::{
    Extension, Router,
    body::{Body, to_bytes},
    extract::FromRef,
    http::{Request, Response, StatusCode, request::Parts},
    routing::{any, get, post},
};
use tower::{Layer as _, Service, ServiceBuilder, ServiceExt as _, service_fn};
use usso_axum::{
    Auth, Authenticated, Guard, InvalidRule, Policy, Principal, Refused, Require, Rule, require,
};
use usso_verify::{
    Presented, VerifyError,
    guard::{Authenticator, Refusal},
    testing::{Prover, TestIssuer},
};

const AUDIENCE: &str = "https://api.example";

fn issuer() -> TestIssuer {
    TestIssuer::new("https://sso.example")
}

fn auth(issuer: &TestIssuer) -> Auth {
    Auth::new(issuer.verifier(AUDIENCE))
}

async fn subject(caller: Authenticated) -> String {
    caller.sub.clone()
}

fn request(path: &str, authorization: &str) -> Request<Body> {
    let request = Request::builder().uri(path).header("authorization", authorization);
    request.body(Body::empty()).unwrap()
}

async fn send(app: &Router, request: Request<Body>) -> (u16, String) {
    let response = app.clone().oneshot(request).await.unwrap();
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// Counts how often a verifier is asked.
struct Counting(Arc<AtomicUsize>);

impl Authenticator for Counting {
    fn authenticate<'a>(
        &'a self,
        _: Presented<'a>,
    ) -> usso_verify::BoxFuture<'a, Result<Principal, Refusal>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let issuer = issuer();
        Box::pin(async move {
            let token = issuer.mint().audience(AUDIENCE).sign();
            issuer.verifier(AUDIENCE).verify(&token).await.map_err(Refusal::Token)
        })
    }

    fn now(&self) -> u64 {
        0
    }
}

struct ReadFiles;

impl Policy for ReadFiles {
    fn rule() -> Result<Rule, InvalidRule> {
        require("read:files")
    }
}

struct Misspelt;

impl Policy for Misspelt {
    fn rule() -> Result<Rule, InvalidRule> {
        require("raed:files")
    }
}

#[tokio::test]
async fn a_handler_that_asks_for_its_caller_is_guarded_without_any_layer() {
    let issuer = issuer();
    let app = Router::new().route("/", get(subject)).with_state(auth(&issuer));
    assert_eq!(send(&app, Request::new(Body::empty())).await.0, 401);
    let good = issuer.mint().audience(AUDIENCE).authorization();
    assert_eq!(send(&app, request("/", &good)).await, (200, "user:1".into()));
}

#[tokio::test]
async fn a_layer_guards_routes_whose_handlers_ask_for_nothing_and_addresses_that_do_not_exist() {
    let issuer = issuer();
    let app = Router::new()
        .route("/", get(async || "secret"))
        .fallback(async || "not found")
        .layer(auth(&issuer).required());
    for path in ["/", "/other", "//", "/%2e%2e/"] {
        assert_eq!(send(&app, request(path, "Bearer x")).await.0, 401, "{path}");
    }
    let good = issuer.mint().audience(AUDIENCE).authorization();
    assert_eq!(send(&app, request("/", &good)).await, (200, "secret".into()));
}

#[tokio::test]
async fn a_request_is_verified_once_however_many_ask() {
    let count = Arc::new(AtomicUsize::new(0));
    let auth = Auth::new(Counting(Arc::clone(&count)));
    let handler = async |_: Authenticated, _: Authenticated<Principal>| "ok";
    let app = Router::new()
        .route("/", get(handler).layer(auth.require(Rule::new()).unwrap()))
        .layer(auth.required())
        .layer(auth.optional())
        .with_state(auth);
    assert_eq!(send(&app, request("/", "Bearer x")).await, (200, "ok".into()));
    assert_eq!(count.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_one_guard_let_pass_is_nothing_to_another() {
    let (lax, strict) = (issuer(), TestIssuer::new("https://strict.example"));
    let app = Router::new()
        .route("/", get(subject))
        .layer(auth(&lax).required())
        .with_state(auth(&strict));
    let of_lax = lax.mint().audience(AUDIENCE).authorization();
    let (status, body) = send(&app, request("/", &of_lax)).await;
    assert!(status == 401 && body.contains("token.unknown_issuer"), "{body}");
}

#[tokio::test]
async fn a_request_cannot_bring_its_caller_along() {
    let issuer = issuer();
    let app = Router::new().route("/", get(subject)).with_state(auth(&issuer));
    let token = issuer.mint().audience(AUDIENCE).sign();
    let caller = issuer.verifier(AUDIENCE).verify_local(&token).unwrap();
    let mut request = Request::new(Body::empty());
    request.extensions_mut().insert(caller);
    assert_eq!(send(&app, request).await.0, 401);
}

#[tokio::test]
async fn the_order_of_layers_does_not_matter() {
    let issuer = issuer();
    let auth = auth(&issuer);
    let scope = || auth.require("read:files").unwrap();
    let orders = [
        Router::new().route("/", get(subject)).layer(scope()).layer(auth.required()),
        Router::new().route("/", get(subject)).layer(auth.required()).layer(scope()),
        Router::new().route("/", get(subject)).layer(auth.optional()).layer(scope()),
        Router::new().route("/", get(subject)).layer(scope()),
    ];
    for app in orders.map(|app| app.with_state(auth.clone())) {
        let without = issuer.mint().audience(AUDIENCE).authorization();
        assert_eq!(send(&app, request("/", &without)).await.0, 403);
        let with = issuer.mint().audience(AUDIENCE).scope("read:files").authorization();
        assert_eq!(send(&app, request("/", &with)).await.0, 200);
    }
}

#[tokio::test]
async fn a_rule_about_the_path_outside_of_the_router_opens_nothing() {
    let issuer = issuer();
    let auth = auth(&issuer);
    let router = Router::new().route("/users/{id}", get(subject)).with_state(auth.clone());
    let outside = auth.require("read:users?user_id={id}").unwrap().layer(router);
    let all = issuer.mint().audience(AUDIENCE).scope("manage:*").authorization();
    let response = outside.oneshot(request("/users/1", &all)).await.unwrap();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn a_policy_that_is_not_one_opens_nothing() {
    let issuer = issuer();
    let handler = async |_: Require<Misspelt>| "open";
    let app = Router::new().route("/", get(handler)).with_state(auth(&issuer));
    let all = issuer.mint().audience(AUDIENCE).scope("manage:*").authorization();
    let (status, body) = send(&app, request("/", &all)).await;
    assert!(status == 500 && body.contains("guard.rule"), "{status} {body}");
}

#[tokio::test]
async fn a_proof_is_for_the_whole_address_also_in_a_nested_router() {
    let issuer = issuer();
    let guard = Guard::builder(issuer.verifier(AUDIENCE)).public_url(AUDIENCE).build().unwrap();
    let auth = Auth::from(guard);
    let inner = Router::new().route("/me", get(subject)).layer(auth.required());
    let app = Router::new().nest("/api", inner).with_state(auth);
    let prover = Prover::new();
    let token = issuer.mint().audience(AUDIENCE).bound_to(&prover).sign();
    let now = usso_verify::Clock::now(&issuer.clock());
    for (uri, status) in [("/api/me", 200), ("/me", 401)] {
        let proof = prover.proof("GET", &format!("{AUDIENCE}{uri}"), &token, now);
        let mut request = request("/api/me", &format!("DPoP {token}"));
        request.headers_mut().insert("dpop", proof.parse().unwrap());
        assert_eq!(send(&app, request).await.0, status, "{uri}");
    }
}

#[tokio::test]
async fn a_proof_is_used_up_once_however_many_ask() {
    let issuer = issuer();
    let guard = Guard::builder(issuer.verifier(AUDIENCE)).public_url(AUDIENCE).build().unwrap();
    let auth = Auth::from(guard);
    let handler = async |_: Authenticated, _: Option<Authenticated>, _: Authenticated| "ok";
    let bare = Router::new().route("/me", get(handler));
    let layered = bare.clone().layer(auth.require(Rule::new()).unwrap()).layer(auth.required());
    let prover = Prover::new();
    let token = issuer.mint().audience(AUDIENCE).bound_to(&prover).sign();
    let now = usso_verify::Clock::now(&issuer.clock());
    for app in [bare, layered].map(|app| app.with_state(auth.clone())) {
        // The first time the token is new, then it is remembered.
        for _ in 0..3 {
            let proof = prover.proof("GET", &format!("{AUDIENCE}/me"), &token, now);
            let mut request = request("/me", &format!("DPoP {token}"));
            request.headers_mut().insert("dpop", proof.parse().unwrap());
            let again = {
                let mut again = self::request("/me", &format!("DPoP {token}"));
                again.headers_mut().insert("dpop", proof.parse().unwrap());
                again
            };
            assert_eq!(send(&app, request).await, (200, "ok".into()));
            let (status, body) = send(&app, again).await;
            assert!(status == 401 && body.contains("dpop.replayed"), "{body}");
        }
    }
}

#[tokio::test]
async fn any_tower_service_finds_the_caller_in_the_extensions() {
    let issuer = issuer();
    let inner = service_fn(async |request: Request<String>| {
        let caller = request.extensions().get::<Principal>().unwrap();
        Ok::<_, Infallible>(Response::new(Body::from(caller.sub.clone())))
    });
    let mut service = ServiceBuilder::new().layer(auth(&issuer).required()).service(inner);
    let good = issuer.mint().audience(AUDIENCE).authorization();
    let good = Request::builder().header("authorization", good).body(String::new()).unwrap();
    let response = service.ready().await.unwrap().call(good).await.unwrap();
    assert_eq!(to_bytes(response.into_body(), 99).await.unwrap(), "user:1");
    let response = service.ready().await.unwrap().call(Request::new(String::new())).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn state_of_the_app_can_hold_the_guard() {
    #[derive(Clone)]
    struct App {
        auth: Auth,
    }
    impl FromRef<App> for Auth {
        fn from_ref(app: &App) -> Self {
            app.auth.clone()
        }
    }
    let issuer = issuer();
    let handler = async |caller: Require<ReadFiles>| caller.sub.clone();
    let app = Router::new().route("/", get(handler)).with_state(App { auth: auth(&issuer) });
    let good = issuer.mint().audience(AUDIENCE).scope("read:files").authorization();
    assert_eq!(send(&app, request("/", &good)).await, (200, "user:1".into()));
    let lacking = issuer.mint().audience(AUDIENCE).authorization();
    assert_eq!(send(&app, request("/", &lacking)).await.0, 403);
}

#[tokio::test]
async fn an_optional_layer_refuses_what_is_not_good_whoever_is_inside() {
    let issuer = issuer();
    let app = Router::new().route("/", get(async || "open")).layer(auth(&issuer).optional());
    assert_eq!(send(&app, Request::new(Body::empty())).await, (200, "open".into()));
    let expired = issuer.mint().audience(AUDIENCE).expired().authorization();
    assert_eq!(send(&app, request("/", &expired)).await.0, 401);
}

#[tokio::test]
async fn an_optional_extractor_is_none_only_without_a_credential() {
    let issuer = issuer();
    let handler = async |caller: Option<Authenticated>| caller.is_some().to_string();
    let app = Router::new().route("/", get(handler)).with_state(auth(&issuer));
    assert_eq!(send(&app, Request::new(Body::empty())).await, (200, "false".into()));
    let good = issuer.mint().audience(AUDIENCE).authorization();
    assert_eq!(send(&app, request("/", &good)).await, (200, "true".into()));
    let expired = issuer.mint().audience(AUDIENCE).expired().authorization();
    assert_eq!(send(&app, request("/", &expired)).await.0, 401);
}

#[tokio::test]
async fn a_handler_can_refuse_as_well() {
    let issuer = issuer();
    let guard = Guard::builder(issuer.verifier(AUDIENCE)).realm("files").build().unwrap();
    let auth = Auth::from(guard);
    let plain = async |caller: Authenticated| -> Result<&str, Refused> {
        caller.require("read", "files")?;
        Ok("files")
    };
    let own = auth.clone();
    let styled = async move |caller: Authenticated, parts: Parts| -> Result<&str, Refused> {
        caller.require("read", "files").map_err(|denied| own.refuse(denied, &parts))?;
        Ok("files")
    };
    let app = Router::new().route("/plain", get(plain)).route("/styled", get(styled));
    let app = app.with_state(auth);
    let lacking = issuer.mint().audience(AUDIENCE).authorization();
    for (path, realm) in [("/plain", "realm=\"api\""), ("/styled", "realm=\"files\"")] {
        let response = app.clone().oneshot(request(path, &lacking)).await.unwrap();
        assert_eq!(response.status(), StatusCode::FORBIDDEN);
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(challenge.contains(realm) && challenge.contains("scope=\"read:files\""));
    }
}

#[tokio::test]
async fn keys_that_cannot_be_had_are_not_the_callers_fault() {
    let issuer = issuer();
    issuer.outage();
    let auth = Auth::new(issuer.fetching_verifier(AUDIENCE));
    let app = Router::new().route("/", get(subject)).with_state(auth);
    let good = issuer.mint().audience(AUDIENCE).authorization();
    let response = app.oneshot(request("/", &good)).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "5");
    assert!(!response.headers().contains_key("www-authenticate"));
}

#[tokio::test]
async fn the_body_of_a_refused_request_is_not_read() {
    let issuer = issuer();
    let handler = async |_: Extension<Principal>, body: String| body;
    let app = Router::new().route("/", post(handler)).layer(auth(&issuer).required());
    let never = Body::from_stream(futures_util::stream::pending::<Result<Vec<u8>, VerifyError>>());
    let request = Request::builder().method("POST").uri("/").body(never).unwrap();
    assert_eq!(send(&app, request).await.0, 401);
}

#[tokio::test]
async fn a_refused_upgrade_is_an_answer_and_no_upgrade() {
    let issuer = issuer();
    let app = Router::new().route("/ws", any(subject)).with_state(auth(&issuer));
    let request = Request::builder().uri("/ws").header("connection", "upgrade");
    let request = request.header("upgrade", "websocket").header("sec-websocket-version", "13");
    let (status, body) = send(&app, request.body(Body::empty()).unwrap()).await;
    assert!(status == 401 && body.contains("access.token_missing"));
}

#[tokio::test]
async fn a_protected_router_is_closed_but_for_what_is_named() {
    let issuer = issuer();
    let auth = auth(&issuer);
    let nested = Router::new().route("/", get(async || "nested"));
    let closed = Router::new().nest("/nested", nested).route("/me", get(subject));
    let open = Router::new().route("/open", get(async || "open"));
    let app = auth.protect(closed).open(open).with_state(auth).into_router();
    for path in ["/nested/", "/me", "/nothing", "//open", "/open/"] {
        assert_eq!(send(&app, request(path, "Bearer x")).await.0, 401, "{path}");
    }
    assert_eq!(send(&app, request("/open", "Bearer x")).await, (200, "open".into()));
    let good = issuer.mint().audience(AUDIENCE).authorization();
    assert_eq!(send(&app, request("/me", &good)).await, (200, "user:1".into()));
}

#[tokio::test]
async fn a_name_that_is_twice_in_the_path_opens_nothing() {
    let issuer = issuer();
    let auth = auth(&issuer);
    let inner = || Router::new().route("/posts/{id}", get(async || "post"));
    let layer = auth.require("read:posts?post_id={id}").unwrap();
    let nested = Router::new().nest("/users/{id}", inner().route_layer(layer.clone()));
    let single = Router::new().nest("/users/{user}", inner().route_layer(layer));
    let header = issuer.mint().audience(AUDIENCE).scope("read:posts?post_id=7").authorization();
    for post in ["7", "9"] {
        let answer = send(&nested, request(&format!("/users/7/posts/{post}"), &header)).await;
        assert_eq!(answer.0, 500, "{post}");
    }
    assert_eq!(send(&single, request("/users/9/posts/7", &header)).await.0, 200);
    assert_eq!(send(&single, request("/users/7/posts/9", &header)).await.0, 403);
}

#[tokio::test]
async fn a_part_of_the_path_that_leads_elsewhere_is_refused() {
    let issuer = issuer();
    let auth = auth(&issuer);
    let files = get(async || "file").layer(auth.require("read:files?path={rest}").unwrap());
    let app = Router::new().route("/f/{*rest}", files);
    let header = issuer.mint().audience(AUDIENCE).scope("read:files?path=pub/*").authorization();
    assert_eq!(send(&app, request("/f/pub/a", &header)).await.0, 200);
    for path in
        ["pub/../priv", "pub/%2e%2e/priv", "pub%2f..%2fpriv", "pub/..%5cpriv", "pub/./a", "pub/%00"]
    {
        let (status, body) = send(&app, request(&format!("/f/{path}"), &header)).await;
        assert!(status == 400 && body.contains("request.path_malformed"), "{path} {body}");
    }
    let (status, body) = send(&app, request("/f/%FF", &header)).await;
    assert!(status == 400 && body.contains("request.path_malformed"), "{body}");
}

#[tokio::test]
async fn a_verdict_is_for_the_request_it_was_given_for() {
    let issuer = issuer();
    let guard = Guard::builder(issuer.verifier(AUDIENCE)).cookie("t").build().unwrap();
    let auth = Auth::from(guard);
    let inside = Router::new().route("/", any(subject)).with_state(auth.clone());
    let alice = issuer.mint().audience(AUDIENCE).subject("user:alice").sign();
    let bob = issuer.mint().audience(AUDIENCE).subject("user:bob").authorization();
    // What is behind the gate makes another request of this one.
    let changed = async |change: fn(&mut Parts, &str), value: &str| {
        let (inside, value) = (inside.clone(), value.to_owned());
        let handler = move |mut parts: Parts| async move {
            change(&mut parts, &value);
            inside.oneshot(Request::from_parts(parts, Body::empty())).await.unwrap()
        };
        let app = Router::new().route("/", get(handler)).layer(auth.required());
        let cookie = Request::builder().header("cookie", format!("t={alice}"));
        send(&app, cookie.body(Body::empty()).unwrap()).await
    };
    let same = changed(|_, _| (), "").await;
    assert_eq!(same, (200, "user:alice".into()));
    let other = |parts: &mut Parts, value: &str| {
        parts.headers.insert("authorization", value.parse().unwrap());
    };
    assert_eq!(changed(other, &bob).await, (200, "user:bob".into()));
    let overridden = |parts: &mut Parts, value: &str| parts.method = value.parse().unwrap();
    let (status, body) = changed(overridden, "DELETE").await;
    assert!(status == 403 && body.contains("request.cross_site"), "{body}");
}

#[tokio::test]
async fn nobody_is_left_behind_where_there_is_no_caller() {
    let issuer = issuer();
    let guard = Guard::builder(issuer.verifier(AUDIENCE)).cookie("t").build().unwrap();
    let (with_cookies, without) = (Auth::from(guard), auth(&issuer));
    let handler = async |caller: Option<Extension<Principal>>| caller.is_some().to_string();
    let app = Router::new().route("/", get(handler));
    let app = app.layer(without.optional()).layer(with_cookies.required());
    let cookie = format!("t={}", issuer.mint().audience(AUDIENCE).sign());
    let request = Request::builder().header("cookie", cookie).body(Body::empty()).unwrap();
    assert_eq!(send(&app, request).await, (200, "false".into()));
}

#[tokio::test]
async fn what_a_cookie_opened_is_not_for_shared_caches() {
    let issuer = issuer();
    let guard = Guard::builder(issuer.verifier(AUDIENCE)).cookie("t").build().unwrap();
    let auth = Auth::from(guard);
    let own = get(async || ([("cache-control", "max-age=60, private")], "own"));
    let app = Router::new().route("/", get(subject)).route("/own", own);
    let required = app.clone().layer(auth.required()).with_state(auth.clone());
    let optional = app.layer(auth.optional()).with_state(auth);
    let cookie = format!("t={}", issuer.mint().audience(AUDIENCE).sign());
    // The second time the token is remembered.
    for _ in 0..2 {
        for (app, path, cached, varies) in [
            (&required, "/", "private", false),
            (&required, "/own", "max-age=60, private", false),
            (&optional, "/", "private", true),
        ] {
            let request = Request::builder().uri(path).header("cookie", &cookie);
            let response = app.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
            let all: Vec<_> = response.headers().get_all("cache-control").iter().collect();
            assert_eq!(all, [cached]);
            assert_eq!(response.headers().contains_key("vary"), varies);
        }
    }
    let bearer = issuer.mint().audience(AUDIENCE).authorization();
    let response = required.oneshot(request("/", &bearer)).await.unwrap();
    assert!(!response.headers().contains_key("cache-control"));
}

//! The mount among the routes of an app.

use actix_web::{App, test::init_service, web};

use crate::support::*;

#[actix_web::test]
async fn the_apps_own_routes_and_unknown_addresses_stay_the_apps() {
    let [engine, _] = twins("http://localhost:8000").await;
    let own = |text: &'static str| web::get().to(move || std::future::ready(text));
    let app = App::new()
        .route("/", own("home"))
        .route("/health", own("my health"))
        .configure(engine.mount())
        .route("/t/{topic}/posts", own("posts"))
        .route("/docs/{page}", own("page"))
        .default_service(web::to(async || "mine"));
    let app = init_service(app).await;
    for (path, text) in [
        ("/", "home"),
        ("/health", "my health"),
        ("/t/rust/posts", "posts"),
        ("/docs/one", "page"),
        ("/nothing", "mine"),
        ("/api/other", "mine"),
        ("/api/sso/v10/me", "mine"),
        ("/.well-known/security.txt", "mine"),
        ("//api/sso/v1/me", "mine"),
    ] {
        assert_eq!(ask_actix(&app, get(path).actix().to_request()).await.text, text, "{path}");
    }
    let answer = ask_actix(&app, get("/api/sso/v1/nothing").actix().to_request()).await;
    assert_eq!(answer.text_of("error_code"), "request.unknown_route");
}

#[actix_web::test]
async fn in_a_scope_it_answers_as_the_router_in_a_nest() {
    let [one, other] = twins("http://localhost:8000/id").await;
    let router = axum::Router::new().nest("/id", one.router());
    let scope = web::scope("/id").configure(other.mount());
    let app = init_service(App::new().service(scope)).await;
    let mut as_cookie = credentials("a@example.com");
    as_cookie["transport"] = "cookie".into();
    for call in [
        get("/id/health"),
        get("/id/.well-known/openid-configuration"),
        get("/id/t/default/.well-known/jwks.json"),
        get("/id/t/nobody/.well-known/jwks.json"),
        get("/id/api/sso/v1/me"),
        get("/id/t/nobody/api/sso/v1/me"),
        post("/id/api/sso/v1/auth/register", &credentials("a@example.com")),
        post("/id/api/sso/v1/auth/login", &as_cookie),
        post("/id/t/default/api/sso/v1/auth/login", &as_cookie),
    ] {
        let expected = ask_axum(&router, call.clone()).await;
        assert_eq!(ask_actix(&app, call.actix().to_request()).await, expected, "{}", call.path);
    }
    assert_eq!(ask_actix(&app, get("/health").actix().to_request()).await.status, 404);
}

//! Attacks, one test each.

use actix_web::{
    App, HttpMessage as _, HttpRequest, HttpResponse,
    dev::{RequestHead, Service as _},
    http::{Method, header::AUTHORIZATION},
    test::{TestRequest, init_service},
    web,
};
use usso_actix::{Auth, Authenticated, Guard, MaybeAuthenticated, Principal, Rule};

use crate::support::*;

async fn caller(caller: Authenticated) -> String {
    caller.sub.clone()
}

#[actix_web::test]
async fn two_authorization_headers_are_refused() {
    let world = World::new();
    let app = App::new().app_data(world.auth.clone()).route("/", web::get().to(caller));
    let app = init_service(app).await;
    let good = world.token();
    for (first, second) in [(&*good, "bad"), ("bad", &*good), (&*good, &*good)] {
        let answer = send(&app, get("/").bearer(first).bearer(second).to_request()).await;
        assert_eq!(answer.refusal(), refused(400, "access.authorization_malformed"));
    }
}

#[actix_web::test]
async fn what_is_not_a_scheme_and_one_token_is_refused() {
    let world = World::new();
    let app = App::new().wrap(world.auth.optional()).route("/", web::get().to(async || "in"));
    let app = init_service(app).await;
    let good = world.token();
    for value in [
        String::new(),
        good.clone(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        format!("Bearer {good} x"),
        format!("Bearer {good},{good}"),
        format!("Bearer\t{good}"),
        format!("Bearer={good}"),
        format!("Bearer {good}\u{e9}"),
        format!("Basic {good}"),
        format!("DPoP {good}"),
    ] {
        let request = get("/").insert_header(("authorization", &*value)).to_request();
        let status = send(&app, request).await.status;
        assert!(matches!(status, 400 | 401), "{value:?} gave {status}");
    }
}

fn with_cookie() -> World {
    World::with(|guard| guard.cookie("session").allow_origin("https://app.example"))
}

fn cookie(world: &World, method: Method) -> TestRequest {
    get("/").method(method).insert_header(("cookie", format!("a=b; session={}", world.token())))
}

#[actix_web::test]
async fn a_cookie_changes_nothing_for_pages_of_others() {
    let world = with_cookie();
    let app = App::new().wrap(world.auth.required()).route("/", web::to(async || "in"));
    let app = init_service(app).await;
    assert_eq!(send(&app, cookie(&world, Method::GET).to_request()).await.status, 200);
    let origins = [
        (None, 403),
        (Some(("origin", "https://evil.example")), 403),
        (Some(("origin", "null")), 403),
        (Some(("sec-fetch-site", "cross-site")), 403),
        (Some(("sec-fetch-site", "same-site")), 403),
        (Some(("sec-fetch-site", "same-origin")), 200),
        (Some(("origin", "https://app.example")), 200),
    ];
    for (header, status) in origins {
        for method in [Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
            let mut request = cookie(&world, method.clone());
            if let Some(header) = header {
                request = request.insert_header(header);
            }
            let answer = send(&app, request.to_request()).await;
            assert_eq!(answer.status, status, "{method} {header:?}");
        }
    }
}

#[actix_web::test]
async fn a_page_of_others_opens_no_websocket_with_a_cookie() {
    let world = with_cookie();
    let app = App::new().wrap(world.auth.required()).route("/", web::to(async || "in"));
    let app = init_service(app).await;
    let upgrade = |origin: &'static str| {
        let request = cookie(&world, Method::GET).insert_header(("upgrade", "websocket"));
        request.insert_header(("connection", "upgrade")).insert_header(("origin", origin))
    };
    let evil = send(&app, upgrade("https://evil.example").to_request()).await;
    assert_eq!(evil.refusal(), refused(403, "request.cross_site"));
    assert_eq!(send(&app, upgrade("https://app.example").to_request()).await.status, 200);
}

#[actix_web::test]
async fn two_cookies_of_the_name_are_refused() {
    let world = with_cookie();
    let app = App::new().wrap(world.auth.required()).route("/", web::to(async || "in"));
    let app = init_service(app).await;
    let other = format!("session={}", world.token());
    let one_line =
        cookie(&world, Method::GET).insert_header(("cookie", format!("{other}; {other}")));
    let two_lines = cookie(&world, Method::GET).append_header(("cookie", other.clone()));
    for request in [one_line, two_lines] {
        let answer = send(&app, request.to_request()).await;
        assert_eq!(answer.refusal(), refused(400, "access.cookie_ambiguous"));
    }
}

#[actix_web::test]
async fn no_spelling_of_a_path_goes_around_a_gate() {
    let world = World::new();
    let inside = || web::resource(["", "/", "/{tail:.*}"]).to(async || "in");
    let app = App::new()
        .service(web::scope("/admin").wrap(world.auth.required()).service(inside()))
        .service(web::resource("/{any}").to(async || "outside"));
    let app = init_service(app).await;
    for path in [
        "/admin",
        "/admin/",
        "/admin/x",
        "/admin//x",
        "//admin/x",
        "/admin/x/",
        "/./admin/x",
        "/x/../admin/x",
        "/%2e%2e/admin/x",
        "/admin/%2e%2e/admin/x",
        "/admin;y/x",
        "/admin/x;y",
        "/admin%2Fx",
        "/%61dmin/x",
        "/ADMIN/x",
        "/admin%00/x",
        "/admin/x?token=1",
        "/admin%20/x",
    ] {
        let answer = send(&app, get(path).to_request()).await;
        assert_ne!(answer.text, "in", "{path}");
        let answer = send(&app, get(path).bearer(&world.token()).to_request()).await;
        assert_ne!(answer.status, 500, "{path}");
    }
}

#[actix_web::test]
async fn a_rule_sees_the_text_that_the_handler_sees() {
    let world = World::new();
    let gate = world.auth.require(Rule::new().workspace("{id}")).unwrap();
    let echo = async |id: web::Path<String>| id.into_inner();
    let app = App::new()
        .service(web::resource("/open/{id}").to(echo))
        .service(web::resource("/shut/{id}").wrap(gate).to(echo));
    let app = init_service(app).await;
    for part in [
        "a", "a%2Fb", "a%2fb", "%61", "%2561", "%252F", "a+b", "a%2Bb", "a%20b", "a;b", "a;b=c",
        "..", "%2e%2e", "%C3%A9", "%FF", "%", "%4", "%zz", "a%00b", "a%0Ab", "a%25b", "~", "a:b",
    ] {
        let seen = send(&app, get(&format!("/open/{part}")).to_request()).await;
        assert_eq!(seen.status, 200, "{part}");
        let shut = async |workspace: &str| {
            let token = world.mint().workspace(workspace).sign();
            send(&app, get(&format!("/shut/{part}")).bearer(&token).to_request()).await
        };
        let own = shut(&seen.text).await;
        if seen.text == ".." || seen.text.contains(char::is_control) {
            assert_eq!(own.status, 400, "{part} leads elsewhere");
            continue;
        }
        assert_eq!((own.status, &own.text), (200, &seen.text), "{part}");
        if part != seen.text {
            assert_eq!(shut(part).await.status, 403, "{part} as it was sent");
        }
    }
}

#[actix_web::test]
async fn a_caller_stays_with_its_request() {
    async fn who(request: HttpRequest, caller: MaybeAuthenticated) -> String {
        let known = request.extensions().get::<Principal>().map(|caller| caller.sub.clone());
        format!("{known:?} {:?}", caller.0.map(|caller| caller.sub.clone()))
    }
    let world = World::new();
    let app = App::new().wrap(world.auth.optional()).route("/", web::get().to(who));
    let app = init_service(app).await;
    for number in 0..50 {
        let name = format!("user:{number}");
        let token = world.mint().subject(&name).sign();
        let answer = send(&app, get("/").bearer(&token).to_request()).await;
        assert_eq!(answer.text, format!("Some({name:?}) Some({name:?})"));
        assert_eq!(send(&app, get("/").to_request()).await.text, "None None");
    }
}

#[actix_web::test]
async fn a_credential_in_the_address_or_the_body_is_none() {
    let world = World::new();
    let app = App::new().app_data(world.auth.clone()).route("/", web::to(caller));
    let app = init_service(app).await;
    let token = world.token();
    let query = get(&format!("/?access_token={token}"));
    let form = get("/")
        .method(Method::POST)
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(format!("access_token={token}"));
    for request in [query, form] {
        let answer = send(&app, request.to_request()).await;
        assert_eq!(answer.refusal(), refused(401, "access.token_missing"));
    }
}

#[actix_web::test]
async fn a_signed_token_is_no_api_key() {
    let world = World::new();
    let app = App::new().wrap(world.auth.optional()).route("/", web::to(async || "in"));
    let request = get("/").insert_header(("x-api-key", world.token()));
    assert_eq!(send(&init_service(app).await, request.to_request()).await.status, 401);
}

#[actix_web::test]
async fn nobody_is_left_behind_where_there_is_no_caller() {
    let with_cookies = World::with(|guard| guard.cookie("t"));
    let without = Auth::new(with_cookies.issuer.verifier(AUDIENCE));
    let who =
        async |request: HttpRequest| request.extensions().get::<Principal>().is_some().to_string();
    let resource = web::resource("/").wrap(without.optional()).wrap(with_cookies.auth.required());
    let app = init_service(App::new().service(resource.to(who))).await;
    let cookie = ("cookie", format!("t={}", with_cookies.token()));
    // The second time the token is remembered.
    for _ in 0..2 {
        for other in ["dpop", "x-other"] {
            let request = get("/").insert_header(cookie.clone()).insert_header((other, "x"));
            let answer = send(&app, request.to_request()).await;
            assert_eq!((answer.status, answer.text.as_str()), (200, "false"));
        }
    }
}

#[actix_web::test]
async fn what_a_cookie_opened_is_not_for_shared_caches() {
    let world = World::with(|guard| guard.cookie("t"));
    let own = async || HttpResponse::Ok().insert_header(("cache-control", "no-cache")).finish();
    let required = web::scope("/required").wrap(world.auth.required());
    let optional = web::scope("/optional").wrap(world.auth.optional());
    let app = App::new()
        .service(
            required.route("/", web::get().to(async || "ok")).route("/own", web::get().to(own)),
        )
        .service(optional.route("/", web::get().to(async || "ok")));
    let app = init_service(app).await;
    let cookie = ("cookie", format!("t={}", world.token()));
    for _ in 0..2 {
        for (path, cached, varies) in [
            ("/required/", "private", false),
            ("/required/own", "no-cache", false),
            ("/optional/", "private", true),
        ] {
            let answer = send(&app, get(path).insert_header(cookie.clone()).to_request()).await;
            let all: Vec<_> = answer.headers.get_all("cache-control").collect();
            assert_eq!(all, [cached], "{path}");
            assert_eq!(answer.headers.contains_key("vary"), varies, "{path}");
        }
    }
    let answer = send(&app, get("/required/").bearer(&world.token()).to_request()).await;
    assert!(!answer.headers.contains_key("cache-control"));
}

#[actix_web::test]
async fn a_verdict_is_for_the_request_it_was_given_for() {
    let world = World::with(|guard| guard.cookie("t"));
    let slow = Guard::builder(Slow::new(&world)).cookie("t").build().unwrap();
    let cookie = ("cookie", format!("t={}", world.mint().subject("user:alice").sign()));
    let bob = world.mint().subject("user:bob").authorization();
    for auth in [Auth::from(slow), world.auth.clone()] {
        // What is behind the gate makes another request of this one.
        let inside = |change: fn(&mut RequestHead, &str), value: &str| {
            let value = value.to_owned();
            web::resource("/")
                .wrap_fn(move |mut request, inner| {
                    change(request.head_mut(), &value);
                    inner.call(request)
                })
                .wrap(auth.required())
                .to(caller)
        };
        let swapped = inside(
            |head, value| drop(head.headers.insert(AUTHORIZATION, value.parse().unwrap())),
            &bob,
        );
        let overridden = inside(|head, _| head.method = Method::DELETE, "");
        let app = App::new().app_data(auth.clone());
        let app = app.service(web::scope("/swapped").service(swapped));
        let app = init_service(app.service(web::scope("/overridden").service(overridden))).await;
        // The first time the token is new, then it is remembered.
        for _ in 0..2 {
            let ask = |path| get(path).insert_header(cookie.clone()).to_request();
            assert_eq!(send(&app, ask("/swapped/")).await.text, "user:bob");
            let overridden = send(&app, ask("/overridden/")).await;
            assert_eq!(overridden.refusal(), refused(403, "request.cross_site"));
        }
    }
}

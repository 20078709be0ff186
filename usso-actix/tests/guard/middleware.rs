//! What is wrapped, and in which order.

use actix_web::{
    App, Error, HttpMessage as _, HttpRequest, HttpResponse,
    body::MessageBody,
    dev::{Service as _, ServiceRequest, ServiceResponse},
    http::{Method, header::HeaderValue},
    middleware::{DefaultHeaders, Next, from_fn},
    test::init_service,
    web,
};
use usso_actix::{Principal, Requirement, Rule};

use crate::support::*;

async fn who(request: HttpRequest) -> String {
    let caller = request.extensions().get::<Principal>().map(|caller| caller.sub.clone());
    caller.unwrap_or_else(|| "nobody".to_owned())
}

#[actix_web::test]
async fn only_callers_pass_a_required_gate() {
    let world = World::new();
    let app = App::new().wrap(world.auth.required()).route("/", web::get().to(who));
    let app = init_service(app).await;
    let stranger = send(&app, get("/").to_request()).await;
    assert_eq!(stranger.refusal(), refused(401, "access.token_missing"));
    assert_eq!(stranger.header("www-authenticate"), Some(r#"Bearer realm="api""#));
    assert_eq!(stranger.header("cache-control"), Some("no-store"));
    assert_eq!(stranger.header("content-type"), Some("application/json"));
    let caller = send(&app, get("/").bearer(&world.token()).to_request()).await;
    assert_eq!((caller.status, &*caller.text), (200, "user:1"));
}

#[actix_web::test]
async fn whatever_is_wrong_with_a_token_is_refused() {
    let world = World::new();
    let app = App::new().wrap(world.auth.optional()).route("/", web::get().to(who));
    let app = init_service(app).await;
    for bad in world.issuer.malformed(AUDIENCE) {
        if bad.token.contains('\n') {
            continue; // cannot be sent
        }
        let answer = send(&app, get("/").bearer(&bad.token).to_request()).await;
        assert!(matches!(answer.status, 400 | 401), "{}: {}", bad.why, answer.text);
    }
}

#[actix_web::test]
async fn an_optional_gate_lets_those_without_credential_pass_and_no_others() {
    let world = World::new();
    let app = App::new().wrap(world.auth.optional()).route("/", web::get().to(who));
    let app = init_service(app).await;
    assert_eq!(send(&app, get("/").to_request()).await.text, "nobody");
    let expired = world.mint().expired().sign();
    let answer = send(&app, get("/").bearer(&expired).to_request()).await;
    assert_eq!(answer.refusal(), refused(401, "token.expired"));
    let answer = send(&app, get("/").bearer(&world.token()).to_request()).await;
    assert_eq!(answer.text, "user:1");
}

#[actix_web::test]
async fn a_gate_guards_an_app_a_scope_a_resource_and_a_route() {
    let world = World::new();
    let gate = || world.auth.require("read:files").unwrap();
    let route = || web::get().to(who);
    let app = App::new()
        .service(web::scope("/scope").wrap(gate()).route("/in", route()))
        .service(web::resource("/resource").wrap(gate()).route(route()))
        .service(web::resource("/route").route(route().wrap(gate())).route(web::put().to(who)))
        .route("/open", route());
    let app = init_service(app).await;
    assert_eq!(send(&app, get("/open").to_request()).await.status, 200);
    let put = get("/route").method(Method::PUT);
    assert_eq!(send(&app, put.to_request()).await.status, 200, "only that route");
    for path in ["/scope/in", "/resource", "/route"] {
        assert_eq!(send(&app, get(path).to_request()).await.status, 401, "{path}");
        let poor = send(&app, get(path).bearer(&world.token()).to_request()).await;
        assert_eq!(poor.refusal(), refused(403, "access.scope"), "{path}");
        let answer = send(&app, get(path).bearer(&world.reader()).to_request()).await;
        assert_eq!((answer.status, &*answer.text), (200, "user:1"), "{path}");
    }
}

#[actix_web::test]
async fn what_is_added_to_a_scope_after_the_gate_is_guarded_too() {
    let world = World::new();
    let late = |app: &mut web::ServiceConfig| {
        app.route("/late", web::get().to(who)).default_service(web::to(who));
    };
    let scope = web::scope("/api").wrap(world.auth.required()).configure(late);
    let app = init_service(App::new().service(scope)).await;
    for path in ["/api/late", "/api/no-such-route", "/api"] {
        assert_eq!(send(&app, get(path).to_request()).await.status, 401, "{path}");
    }
}

#[actix_web::test]
async fn what_is_wrapped_around_a_gate_sees_its_refusals() {
    let world = World::new();
    let app = App::new()
        .route("/", web::get().to(who))
        .wrap(world.auth.required())
        .wrap(DefaultHeaders::new().add(("access-control-allow-origin", "https://app.example")))
        .wrap_fn(|request, inner| {
            let answer = inner.call(request);
            async {
                let mut answer = answer.await.expect("a response");
                let seen = HeaderValue::from(answer.status().as_u16());
                answer.headers_mut().insert("x-seen".parse().unwrap(), seen);
                Ok(answer)
            }
        });
    let answer = send(&init_service(app).await, get("/").to_request()).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example"));
    assert_eq!(answer.header("x-seen"), Some("401"));
}

/// Answers preflights, as middleware for CORS does.
async fn preflights(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, Error> {
    if request.method() == Method::OPTIONS {
        return Ok(request.into_response(HttpResponse::NoContent().finish()));
    }
    next.call(request).await.map(ServiceResponse::map_into_boxed_body)
}

#[actix_web::test]
async fn of_several_wraps_the_last_runs_first() {
    let world = World::new();
    let app = || App::new().route("/", web::to(who));
    let outside = app().wrap(world.auth.required()).wrap(from_fn(preflights));
    let inside = app().wrap(from_fn(preflights)).wrap(world.auth.required());
    let options = || get("/").method(Method::OPTIONS).to_request();
    let outside = init_service(outside).await;
    assert_eq!(send(&outside, options()).await.status, 204);
    assert_eq!(send(&outside, get("/").to_request()).await.status, 401);
    assert_eq!(send(&init_service(inside).await, options()).await.status, 401);
}

#[actix_web::test]
async fn a_rule_reads_the_path() {
    let world = World::new();
    let gate = world.auth.require("read:users?user_id={id}").unwrap();
    let users = web::resource("/users/{id}").wrap(gate).to(who);
    let app = init_service(App::new().service(web::scope("/api").service(users))).await;
    let own = world.mint().scope("read:users?user_id=7").sign();
    assert_eq!(send(&app, get("/api/users/7").bearer(&own).to_request()).await.status, 200);
    assert_eq!(send(&app, get("/api/users/%37").bearer(&own).to_request()).await.status, 200);
    for other in ["8", "7%20", "77", "%2537", "7%2F", "7;8", "07"] {
        let path = format!("/api/users/{other}");
        let answer = send(&app, get(&path).bearer(&own).to_request()).await;
        assert_eq!(answer.refusal(), refused(403, "access.scope"), "{path}");
    }
}

#[actix_web::test]
async fn a_rule_whose_part_of_the_path_is_not_there_lets_nobody_pass() {
    let world = World::new();
    let gate = || world.auth.require("read:users?user_id={id}").unwrap();
    let token = world.mint().scope("read:users").sign();
    let users = || web::resource("/users/{id}").to(who);
    let around_app = init_service(App::new().wrap(gate()).service(users())).await;
    let around_scope =
        init_service(App::new().service(web::scope("").wrap(gate()).service(users()))).await;
    let misspelt = web::resource("/users/{user}").wrap(gate()).to(who);
    let misspelt = init_service(App::new().service(misspelt)).await;
    let request = || get("/users/7").bearer(&token).to_request();
    let code = refused(500, "guard.path_parameter");
    assert_eq!(send(&around_app, request()).await.refusal(), code);
    assert_eq!(send(&around_scope, request()).await.refusal(), code);
    assert_eq!(send(&misspelt, request()).await.refusal(), code);
}

#[actix_web::test]
async fn a_part_of_the_path_that_has_its_name_twice_lets_nobody_pass() {
    let world = World::new();
    let gate = world.auth.require(Rule::new().workspace("{id}")).unwrap();
    let inner = web::resource("/x/{id}").wrap(gate).to(who);
    let app = init_service(App::new().service(web::scope("/{id}").service(inner))).await;
    let token = world.mint().workspace("a").sign();
    for path in ["/a/x/b", "/b/x/a", "/a/x/a"] {
        let answer = send(&app, get(path).bearer(&token).to_request()).await;
        assert_eq!(answer.refusal(), refused(500, "guard.path_parameter"), "{path}");
    }
}

#[actix_web::test]
async fn rules_ask_for_more_than_scopes() {
    let world = World::new();
    let rule = Rule::new()
        .tenant("{tenant}")
        .role("clerk")
        .authentication(Requirement::new().max_age(std::time::Duration::from_secs(60)));
    let resource = web::resource("/{tenant}").wrap(world.auth.require(rule).unwrap()).to(who);
    let app = init_service(App::new().service(resource)).await;
    let token = || world.mint().tenant("acme").role("clerk");
    let stale = send(&app, get("/acme").bearer(&token().sign()).to_request()).await;
    assert_eq!(stale.status, 401);
    assert!(stale.header("www-authenticate").unwrap().contains("insufficient_user_authentication"));
    let now = usso_verify::Clock::now(&world.issuer.clock());
    let fresh = token().claim("auth_time", now).sign();
    assert_eq!(send(&app, get("/acme").bearer(&fresh).to_request()).await.status, 200);
    assert_eq!(send(&app, get("/other").bearer(&fresh).to_request()).await.status, 403);
}

#[actix_web::test]
async fn a_guards_own_answers_are_given_everywhere() {
    let world = World::with(|guard| {
        guard.realm("notes").answers(|refusal, answer| {
            answer.status = 418;
            answer.body = refusal.code().to_owned();
            answer.headers.push(("x-broken", "line\nbreak".to_owned()));
        })
    });
    let app = App::new()
        .app_data(world.auth.clone())
        .service(web::resource("/gate").wrap(world.auth.required()).to(who))
        .route("/extractor", web::get().to(async |_: usso_actix::Authenticated| "in"));
    let app = init_service(app).await;
    for path in ["/gate", "/extractor"] {
        let answer = send(&app, get(path).to_request()).await;
        assert_eq!((answer.status, &*answer.text), (418, "access.token_missing"), "{path}");
        assert_eq!(answer.header("www-authenticate"), Some(r#"Bearer realm="notes""#));
        assert_eq!(answer.header("x-broken"), None);
    }
}

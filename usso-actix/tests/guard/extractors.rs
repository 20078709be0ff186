//! What handlers say about their callers.

use actix_web::{App, HttpRequest, Responder, test::init_service, web};
use serde::Deserialize;
use usso_actix::{
    Auth, Authenticated, InvalidRule, MaybeAuthenticated, Policy, Refusal, Refused, Require, Rule,
    UserData, require,
};

use crate::support::*;

async fn caller(caller: Authenticated) -> String {
    caller.sub.clone()
}

async fn maybe(MaybeAuthenticated(caller): MaybeAuthenticated) -> String {
    caller.map_or("nobody".to_owned(), |caller| caller.sub.clone())
}

struct ReadOwn;

impl Policy for ReadOwn {
    fn rule() -> Result<Rule, InvalidRule> {
        require("read:users?user_id={id}")
    }
}

struct Broken;

impl Policy for Broken {
    fn rule() -> Result<Rule, InvalidRule> {
        require("raed:users")
    }
}

async fn own(caller: Require<ReadOwn>) -> String {
    caller.sub.clone()
}

async fn broken(_: Require<Broken>) -> &'static str {
    "in"
}

#[actix_web::test]
async fn a_handler_takes_its_caller_in_the_form_it_likes() {
    #[derive(Deserialize)]
    struct Mine {
        plan: String,
    }
    let world = World::new();
    let app = App::new()
        .app_data(world.auth.clone())
        .route("/caller", web::get().to(caller))
        .route("/data", web::get().to(async |user: Authenticated<UserData>| user.0.sub))
        .route("/mine", web::get().to(async |mine: Authenticated<Mine>| mine.0.plan))
        .route("/maybe", web::get().to(maybe));
    let app = init_service(app).await;
    let token = world.mint().claim("plan", "gold").sign();
    for (path, text) in
        [("/caller", "user:1"), ("/data", "user:1"), ("/mine", "gold"), ("/maybe", "user:1")]
    {
        assert_eq!(send(&app, get(path).bearer(&token).to_request()).await.text, text, "{path}");
    }
    let without = send(&app, get("/mine").bearer(&world.token()).to_request()).await;
    assert_eq!(without.refusal(), refused(Refusal::Claims.status(), Refusal::Claims.code()));
    for path in ["/caller", "/data", "/mine"] {
        let answer = send(&app, get(path).to_request()).await;
        assert_eq!(answer.refusal(), refused(401, "access.token_missing"), "{path}");
    }
}

#[actix_web::test]
async fn a_bad_credential_is_not_made_anonymous() {
    let world = World::new();
    let app = App::new().app_data(world.auth.clone()).route("/", web::get().to(maybe));
    let app = init_service(app).await;
    assert_eq!(send(&app, get("/").to_request()).await.text, "nobody");
    let expired = world.mint().expired().sign();
    let answer = send(&app, get("/").bearer(&expired).to_request()).await;
    assert_eq!(answer.refusal(), refused(401, "token.expired"));
}

#[actix_web::test]
async fn a_policy_guards_its_handler() {
    let world = World::new();
    let app = App::new()
        .app_data(world.auth.clone())
        .route("/users/{id}", web::get().to(own))
        .route("/users", web::get().to(own))
        .route("/broken", web::get().to(broken));
    let app = init_service(app).await;
    let token = world.mint().scope("read:users?user_id=7").sign();
    let answer = async |path: &str| send(&app, get(path).bearer(&token).to_request()).await;
    assert_eq!(answer("/users/7").await.text, "user:1");
    assert_eq!(answer("/users/8").await.refusal(), refused(403, "access.scope"));
    assert_eq!(answer("/users").await.refusal(), refused(500, "guard.path_parameter"));
    assert_eq!(answer("/broken").await.refusal(), refused(500, "guard.rule"));
    assert_eq!(send(&app, get("/users/7").to_request()).await.status, 401);
}

#[actix_web::test]
async fn without_a_guard_every_handler_is_closed() {
    let world = World::new();
    let app = App::new()
        .route("/caller", web::get().to(caller))
        .route("/maybe", web::get().to(maybe))
        .route("/users/{id}", web::get().to(own));
    let app = init_service(app).await;
    for path in ["/caller", "/maybe", "/users/7"] {
        for request in [get(path), get(path).bearer(&world.token())] {
            let answer = send(&app, request.to_request()).await;
            assert_eq!(answer.refusal(), refused(500, "guard.missing"), "{path}");
        }
    }
}

#[actix_web::test]
async fn the_guard_is_found_in_app_data_and_around() {
    let world = World::new();
    let auth = || world.auth.clone();
    let route = || web::get().to(caller);
    let app = App::new()
        .service(web::scope("/plain").app_data(auth()).route("", route()))
        .service(web::scope("/data").app_data(web::Data::new(auth())).route("", route()))
        .service(
            web::scope("/both")
                .app_data(auth())
                .app_data(web::Data::new(auth()))
                .route("", route()),
        )
        .service(web::scope("/required").wrap(auth().required()).route("", route()))
        .service(web::scope("/optional").wrap(auth().optional()).route("", route()));
    let app = init_service(app).await;
    for path in ["/plain", "/data", "/both", "/required", "/optional"] {
        let answer = send(&app, get(path).bearer(&world.token()).to_request()).await;
        assert_eq!((answer.status, &*answer.text), (200, "user:1"), "{path}");
        let answer = send(&app, get(path).to_request()).await;
        assert_eq!(answer.refusal(), refused(401, "access.token_missing"), "{path}");
    }
}

#[actix_web::test]
async fn the_nearest_guard_counts() {
    let (outer, inner) = (World::new(), World::new());
    let app = App::new()
        .app_data(outer.auth.clone())
        .service(web::scope("/inner").app_data(inner.auth.clone()).route("", web::get().to(caller)))
        .service(
            web::scope("/mixed")
                .app_data(web::Data::new(inner.auth.clone()))
                .route("", web::get().to(caller)),
        );
    let app = init_service(app).await;
    let ask = async |path: &str, world: &World| {
        send(&app, get(path).bearer(&world.token()).to_request()).await.status
    };
    assert_eq!(ask("/inner", &inner).await, 200);
    assert_eq!(ask("/inner", &outer).await, 401);
    assert_eq!(ask("/mixed", &outer).await, 500, "which is nearer cannot be seen");
    assert_eq!(ask("/mixed", &inner).await, 500);
    let gates = web::scope("")
        .wrap(inner.auth.optional())
        .route("/", web::get().to(async |_: HttpRequest, _: Authenticated| "in"));
    let gates = init_service(App::new().wrap(outer.auth.optional()).service(gates)).await;
    let both = send(&gates, get("/").bearer(&outer.token()).to_request()).await;
    assert_eq!(both.status, 401, "the inner gate has its own opinion");
}

#[actix_web::test]
async fn what_one_guard_let_pass_is_nothing_to_another() {
    let (gate, extractor) = (World::new(), World::new());
    let app = App::new()
        .app_data(extractor.auth.clone())
        .wrap(gate.auth.optional())
        .route("/", web::get().to(caller));
    let app = init_service(app).await;
    let answer = send(&app, get("/").bearer(&gate.token()).to_request()).await;
    assert_eq!(answer.status, 401);
    let rights = World::new();
    let strict = Auth::new(rights.issuer.verifier("https://other.example"));
    let app =
        App::new().app_data(strict).wrap(rights.auth.required()).route("/", web::get().to(caller));
    let answer =
        send(&init_service(app).await, get("/").bearer(&rights.token()).to_request()).await;
    assert_eq!(answer.refusal(), refused(401, "token.audience"));
}

#[actix_web::test]
async fn one_guard_verifies_a_request_once_whoever_asks() {
    async fn all(
        _: Authenticated,
        _: MaybeAuthenticated,
        _: Authenticated<UserData>,
    ) -> &'static str {
        "in"
    }
    let world = World::new();
    let slow = Slow::new(&world);
    let auth = Auth::new(slow.clone());
    let open = App::new().app_data(auth.clone()).route("/", web::get().to(all));
    let open = init_service(open).await;
    let request = || get("/").bearer(&world.token()).to_request();
    assert_eq!(send(&open, request()).await.status, 200);
    assert_eq!(slow.count(), 1, "extractors run at the same time");
    let gated = App::new()
        .app_data(auth.clone())
        .wrap(auth.required())
        .service(web::resource("/").wrap(auth.optional()).to(all));
    assert_eq!(send(&init_service(gated).await, request()).await.status, 200);
    assert_eq!(slow.count(), 2);
}

#[actix_web::test]
async fn a_handler_can_refuse_by_itself() {
    async fn files(caller: Authenticated) -> Result<&'static str, Refused> {
        caller.require("read", "files")?;
        Ok("files")
    }
    async fn never(auth: web::Data<Auth>, request: HttpRequest) -> impl Responder {
        auth.refuse(Refusal::Missing, &request)
    }
    let world = World::with(|guard| guard.realm("notes"));
    let app = App::new()
        .app_data(web::Data::new(world.auth.clone()))
        .route("/files", web::get().to(files))
        .route("/never", web::get().to(never));
    let app = init_service(app).await;
    let answer = send(&app, get("/files").bearer(&world.token()).to_request()).await;
    assert_eq!(answer.refusal(), refused(403, "access.scope"));
    let answer = send(&app, get("/files").bearer(&world.reader()).to_request()).await;
    assert_eq!(answer.text, "files");
    let never = send(&app, get("/never").to_request()).await;
    assert_eq!(never.refusal(), refused(401, "access.token_missing"));
    assert_eq!(never.header("www-authenticate"), Some(r#"Bearer realm="notes""#));
}

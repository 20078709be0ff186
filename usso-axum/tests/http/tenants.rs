//! Several tenants in one installation.

use serde_json::json;

use crate::support::*;

async fn create(world: &World, slug: &str, domains: &[&str]) -> String {
    let admin = world.admin().await;
    let body = json!({ "slug": slug, "domains": domains });
    let answer = post(&api("tenants"), &body).bearer(&admin).send(world).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    answer.text_of("id")
}

async fn register_at(world: &World, slug: &str) -> Answer {
    let body = json!({ "identifier": "user@example.com", "secret": PASSWORD });
    post(&format!("/t/{slug}/api/sso/v1/auth/register"), &body).send(world).await
}

#[tokio::test]
async fn a_tenant_is_found_by_path_host_and_header() {
    let world = World::new().await;
    let acme = create(&world, "acme", &["login.acme.example"]).await;
    assert_eq!(register_at(&world, "acme").await.json["user"]["tenant_id"], acme.as_str());
    let login = json!({ "identifier": "user@example.com", "secret": PASSWORD });
    let call = || post(&api("auth/login"), &login);
    for call in [
        call().header("host", "LOGIN.acme.example:8000"),
        call().header("x-tenant-id", "acme"),
        call().header("x-tenant-id", &acme),
        post(&format!("/t/{acme}/api/sso/v1/auth/login"), &login),
    ] {
        assert_eq!(call.send(&world).await.json["user"]["tenant_id"], acme.as_str());
    }
    assert_eq!(
        call().send(&world).await.refusal(),
        (401, "password.not_valid"),
        "not in the default tenant"
    );
    for call in [
        call().header("x-tenant-id", "nobody"),
        call().header("host", "login.acme.example").header("x-tenant-id", "default"),
        post("/t/nobody/api/sso/v1/auth/login", &login),
    ] {
        assert_eq!(call.send(&world).await.refusal(), (404, "tenant.unknown"));
    }
}

#[tokio::test]
async fn tokens_of_one_tenant_are_nothing_to_another() {
    let world = World::new().await;
    create(&world, "acme", &[]).await;
    let acme = register_at(&world, "acme").await;
    let default = world.register("user@example.com").await;
    assert_ne!(acme.json["user"]["id"], default.json["user"]["id"], "one address, two users");
    let me = get(&api("me")).bearer(&acme.text_of("access_token")).send(&world).await;
    assert_eq!(me.refusal(), (401, "token.unknown_issuer"));
    let me =
        get("/t/acme/api/sso/v1/me").bearer(&default.text_of("access_token")).send(&world).await;
    assert_eq!(me.status, 401);
    assert_eq!(
        world.refresh(&acme.text_of("refresh_token")).await.refusal(),
        (401, "session.refresh_not_valid")
    );
    let there = json!({ "refresh_token": acme.text_of("refresh_token") });
    world.wait(1);
    assert_eq!(
        post("/t/acme/api/sso/v1/auth/refresh", &there).send(&world).await.status,
        200,
        "and still good at home"
    );
}

#[tokio::test]
async fn each_tenant_has_its_own_keys_and_issuer() {
    let world = World::new().await;
    let acme = create(&world, "acme", &[]).await;
    let own = get("/t/acme/.well-known/jwks.json").send(&world).await;
    let default = get("/.well-known/jwks.json").send(&world).await;
    assert_ne!(own.json["keys"][0]["kid"], default.json["keys"][0]["kid"]);
    let document = get("/t/acme/.well-known/openid-configuration").send(&world).await;
    assert_eq!(document.json["issuer"], format!("{ISSUER}/t/{acme}"));
}

#[tokio::test]
async fn the_administrator_of_the_installation_administers_every_tenant() {
    let world = World::new().await;
    create(&world, "acme", &[]).await;
    let user = register_at(&world, "acme").await;
    let admin = world.admin().await;
    let list = get("/t/acme/api/sso/v1/users").bearer(&admin).send(&world).await;
    assert_eq!(list.json["items"][0]["id"], user.json["user"]["id"]);
    let acme_user =
        get("/t/acme/api/sso/v1/users").bearer(&user.text_of("access_token")).send(&world).await;
    assert_eq!(acme_user.refusal(), (403, "access.forbidden"));
}

#[tokio::test]
async fn the_role_superadmin_means_nothing_outside_the_default_tenant() {
    let world = World::new().await;
    create(&world, "acme", &[]).await;
    let admin = world.admin().await;
    let body =
        json!({ "identifiers": ["root@example.com"], "secret": PASSWORD, "roles": ["superadmin"] });
    post("/t/acme/api/sso/v1/users", &body).bearer(&admin).send(&world).await;
    let login = json!({ "identifier": "root@example.com", "secret": PASSWORD });
    let token =
        post("/t/acme/api/sso/v1/auth/login", &login).send(&world).await.text_of("access_token");
    assert_eq!(get("/t/acme/api/sso/v1/tenants").bearer(&token).send(&world).await.status, 403);
    assert_eq!(get(&api("tenants")).bearer(&token).send(&world).await.status, 401);
    assert_eq!(get("/t/acme/api/sso/v1/users").bearer(&token).send(&world).await.status, 403);
}

#[tokio::test]
async fn a_suspended_tenant_signs_nobody_in_and_keeps_its_keys_published() {
    let world = World::new().await;
    let acme = create(&world, "acme", &[]).await;
    let user = register_at(&world, "acme").await;
    let admin = world.admin().await;
    let suspend = json!({ "status": "suspended" });
    let path = api(&format!("tenants/{acme}"));
    assert_eq!(patch(&path, &suspend).bearer(&admin).send(&world).await.status, 200);
    let refresh = json!({ "refresh_token": user.text_of("refresh_token") });
    let refused = post("/t/acme/api/sso/v1/auth/refresh", &refresh).send(&world).await;
    assert_eq!(refused.refusal(), (403, "tenant.suspended"));
    assert_eq!(get("/t/acme/.well-known/jwks.json").send(&world).await.status, 200);
}

#[tokio::test]
async fn settings_are_changed_one_by_one_and_checked() {
    let world = World::new().await;
    let acme = create(&world, "acme", &[]).await;
    let admin = world.admin().await;
    let path = api(&format!("tenants/{acme}"));
    let set = async |settings: serde_json::Value| {
        patch(&path, &json!({ "settings": settings })).bearer(&admin).send(&world).await
    };
    set(json!({ "refresh_grace_seconds": 0 })).await;
    let both = set(json!({ "access_token_seconds": 60, "registration": "closed" })).await;
    assert_eq!(both.json["settings"]["refresh_grace_seconds"], 0, "the others stay");
    assert_eq!(
        set(json!({ "access_token_seconds": null })).await.json["settings"]["access_token_seconds"],
        900
    );
    assert_eq!(
        set(json!({ "access_token_seconds": 1 })).await.refusal(),
        (422, "tenant.invalid_setting")
    );
    assert_eq!(
        set(json!({ "acess_token_seconds": 60 })).await.refusal(),
        (422, "tenant.invalid_setting")
    );
    assert_eq!(register_at(&world, "acme").await.refusal(), (403, "password.registration_closed"));
}

#[tokio::test]
async fn browsers_may_call_from_the_origins_of_the_tenant_only() {
    let world = World::new().await;
    let acme = create(&world, "acme", &[]).await;
    let admin = world.admin().await;
    let settings = json!({ "settings": { "allowed_origins": ["https://app.example.com"] } });
    patch(&api(&format!("tenants/{acme}")), &settings).bearer(&admin).send(&world).await;
    let preflight = async |path: &str, origin: &str| {
        let call = Call::new("OPTIONS", path).header("origin", origin);
        let call = call.header("access-control-request-method", "POST");
        let answer = call.send(&world).await;
        answer.header("access-control-allow-origin").map(str::to_owned)
    };
    let path = "/t/acme/api/sso/v1/auth/login";
    assert_eq!(
        preflight(path, "https://app.example.com").await.as_deref(),
        Some("https://app.example.com")
    );
    for foreign in [
        "https://evil.example",
        "https://app.example.com.evil.example",
        "http://app.example.com",
        "null",
    ] {
        assert_eq!(preflight(path, foreign).await, None, "{foreign}");
    }
    assert_eq!(
        preflight(&api("auth/login"), "https://app.example.com").await,
        None,
        "another tenant's origin"
    );
}

#[tokio::test]
async fn what_everybody_caches_does_not_depend_on_a_header() {
    let world = World::new().await;
    create(&world, "acme", &[]).await;
    for path in ["/.well-known/jwks.json", "/.well-known/openid-configuration"] {
        let plain = get(path).send(&world).await;
        let named = get(path).header("x-tenant-id", "acme").send(&world).await;
        assert_eq!(plain.text, named.text);
    }
}

#[tokio::test]
async fn what_decides_about_the_tenant_must_be_readable() {
    let world = World::new().await;
    create(&world, "acme", &["login.acme.example"]).await;
    for name in ["host", "x-tenant-id"] {
        let twice = get(&api("me")).header(name, "acme").header(name, "acme").send(&world).await;
        assert_eq!(twice.refusal(), (400, "request.header_malformed"), "{name}");
    }
    let login = json!({ "identifier": "user@example.com", "secret": PASSWORD });
    register_at(&world, "acme").await;
    let absolute = "http://login.acme.example/api/sso/v1/auth/login";
    let answer = post(absolute, &login).header("host", "localhost").send(&world).await;
    assert_eq!(answer.status, 200, "the authority of the URI counts before the header");
    let dotted = post(&api("auth/login"), &login).header("host", "login.acme.example.");
    assert_eq!(dotted.send(&world).await.status, 200);
}

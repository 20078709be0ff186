//! What administrators may do, and that nobody else may.

use serde_json::json;

use crate::support::*;

/// Every route for administrators of a tenant, with a body where one is needed.
fn admin_routes() -> Vec<Call> {
    let user = api(&format!("users/user:{}", "0".repeat(26)));
    vec![
        get(&api("users")),
        post(&api("users"), &json!({ "identifiers": ["x@example.com"] })),
        get(&user),
        patch(&user, &json!({ "name": "x" })),
        delete(&user),
        delete(&format!("{user}/sessions")),
        get(&api("keys")),
        Call::new("POST", &api("keys/rotate")),
        get(&api("audit")),
    ]
}

/// Every route for administrators of the installation.
fn superadmin_routes() -> Vec<Call> {
    let tenant = api(&format!("tenants/org_{}", "0".repeat(26)));
    vec![
        get(&api("tenants")),
        post(&api("tenants"), &json!({ "slug": "x" })),
        get(&tenant),
        patch(&tenant, &json!({ "name": "x" })),
    ]
}

#[tokio::test]
async fn no_administration_without_a_token() {
    let world = World::new().await;
    for call in admin_routes().into_iter().chain(superadmin_routes()) {
        assert_eq!(call.send(&world).await.refusal(), (401, "access.token_missing"));
    }
}

#[tokio::test]
async fn no_administration_by_ordinary_users() {
    let world = World::new().await;
    let token = world.register("user@example.com").await.text_of("access_token");
    for call in admin_routes().into_iter().chain(superadmin_routes()) {
        assert_eq!(call.bearer(&token).send(&world).await.refusal(), (403, "access.forbidden"));
    }
}

#[tokio::test]
async fn an_administrator_of_a_tenant_does_not_administer_the_installation() {
    let world = World::new().await;
    let admin = tenant_admin(&world).await;
    for call in superadmin_routes() {
        assert_eq!(call.bearer(&admin).send(&world).await.refusal(), (403, "access.forbidden"));
    }
    assert_eq!(get(&api("users")).bearer(&admin).send(&world).await.status, 200);
}

async fn tenant_admin(world: &World) -> String {
    let superadmin = world.admin().await;
    let body =
        json!({ "identifiers": ["boss@example.com"], "secret": PASSWORD, "roles": ["admin"] });
    assert_eq!(post(&api("users"), &body).bearer(&superadmin).send(world).await.status, 201);
    world.login("boss@example.com").await.text_of("access_token")
}

#[tokio::test]
async fn nobody_makes_itself_mightier() {
    let world = World::new().await;
    let superadmin = world.login(ADMIN).await.json["user"]["id"].as_str().unwrap().to_owned();
    let admin = tenant_admin(&world).await;
    let grant = json!({ "identifiers": ["x@example.com"], "roles": ["superadmin"] });
    assert_eq!(
        post(&api("users"), &grant).bearer(&admin).send(&world).await.refusal(),
        (403, "access.forbidden")
    );
    let above = api(&format!("users/{superadmin}"));
    let suspend = json!({ "status": "suspended" });
    assert_eq!(
        patch(&above, &suspend).bearer(&admin).send(&world).await.refusal(),
        (403, "access.forbidden")
    );
    assert_eq!(
        delete(&above).bearer(&admin).send(&world).await.refusal(),
        (403, "access.forbidden")
    );
}

#[tokio::test]
async fn a_role_that_was_taken_away_is_gone_at_once() {
    let world = World::new().await;
    let superadmin = world.admin().await;
    let admin = tenant_admin(&world).await;
    let me = get(&api("me")).bearer(&admin).send(&world).await.text_of("id");
    let demote = json!({ "roles": [] });
    patch(&api(&format!("users/{me}")), &demote).bearer(&superadmin).send(&world).await;
    assert_eq!(
        get(&api("users")).bearer(&admin).send(&world).await.refusal(),
        (403, "access.forbidden")
    );
}

#[tokio::test]
async fn a_suspended_user_is_out_at_once() {
    let world = World::new().await;
    let admin = world.admin().await;
    let login = world.register("user@example.com").await;
    let path = api(&format!("users/{}", login.json["user"]["id"].as_str().unwrap()));
    let set = async |status: &str| {
        patch(&path, &json!({ "status": status })).bearer(&admin).send(&world).await.status
    };
    assert_eq!(set("suspended").await, 200);
    let me = get(&api("me")).bearer(&login.text_of("access_token")).send(&world).await;
    assert_eq!(me.refusal(), (401, "session.ended"));
    assert_eq!(
        world.refresh(&login.text_of("refresh_token")).await.refusal(),
        (401, "session.refresh_not_valid")
    );
    assert_eq!(world.login("user@example.com").await.refusal(), (403, "user.not_active"));
    assert_eq!(set("active").await, 200);
    assert_eq!(
        world.refresh(&login.text_of("refresh_token")).await.status,
        401,
        "old sessions stay over"
    );
    assert_eq!(world.login("user@example.com").await.status, 200);
}

#[tokio::test]
async fn a_deleted_user_is_gone_and_its_identifier_free() {
    let world = World::new().await;
    let admin = world.admin().await;
    let login = world.register("user@example.com").await;
    let path = api(&format!("users/{}", login.json["user"]["id"].as_str().unwrap()));
    assert_eq!(delete(&path).bearer(&admin).send(&world).await.status, 204);
    assert_eq!(get(&path).bearer(&admin).send(&world).await.refusal(), (404, "user.unknown"));
    assert_eq!(world.refresh(&login.text_of("refresh_token")).await.status, 401);
    assert_eq!(world.login("user@example.com").await.refusal(), (401, "password.not_valid"));
    assert_eq!(world.register("user@example.com").await.status, 201);
}

#[tokio::test]
async fn administrators_do_not_lock_themselves_out() {
    let world = World::new().await;
    let login = world.login(ADMIN).await;
    let token = login.text_of("access_token");
    let own = api(&format!("users/{}", login.json["user"]["id"].as_str().unwrap()));
    for change in [json!({ "roles": [] }), json!({ "status": "suspended" })] {
        assert_eq!(
            patch(&own, &change).bearer(&token).send(&world).await.refusal(),
            (409, "user.own_account")
        );
    }
    assert_eq!(delete(&own).bearer(&token).send(&world).await.refusal(), (409, "user.own_account"));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let world = World::new().await;
    let admin = world.admin().await;
    for number in 0..5 {
        let body = json!({ "identifiers": [format!("u{number}@example.com")] });
        assert_eq!(post(&api("users"), &body).bearer(&admin).send(&world).await.status, 201);
        world.wait(1);
    }
    let mut seen = 0;
    let mut cursor = String::new();
    loop {
        let page =
            get(&format!("{}?limit=2{cursor}", api("users"))).bearer(&admin).send(&world).await;
        seen += page.json["items"].as_array().unwrap().len();
        let Some(next) = page.json["next"].as_str() else {
            break;
        };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, 6);
    for bad in ["limit=0", "limit=201", "limit=x", "limit=1&limit=2", "offset=1"] {
        let page = get(&format!("{}?{bad}", api("users"))).bearer(&admin).send(&world).await;
        assert_eq!(page.refusal(), (422, "request.invalid"), "{bad}");
    }
}

#[tokio::test]
async fn the_audit_log_tells_who_did_what_from_where() {
    let world = World::new().await;
    let login = world.register("user@example.com").await;
    let user = login.json["user"]["id"].as_str().unwrap();
    world.refresh(&login.text_of("refresh_token")).await;
    let admin = world.admin().await;
    let path = format!("{}?actor={user}", api("audit"));
    let log = get(&path).bearer(&admin).send(&world).await;
    let types: Vec<&str> = log.json["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, ["session.refreshed", "session.opened", "user.created"], "newest first");
    assert_eq!(log.json["items"][0]["ip"], "127.0.0.1");
    assert_eq!(log.json["items"][0]["session_id"], login.json["session_id"]);
    let one = get(&format!("{path}&type=user.created")).bearer(&admin).send(&world).await;
    assert_eq!(one.json["items"].as_array().unwrap().len(), 1);
    let none = get(&format!("{path}&from=2099-01-01T00:00:00Z")).bearer(&admin).send(&world).await;
    assert_eq!(none.json["items"].as_array().unwrap().len(), 0);
    let bad = get(&format!("{path}&type=made.up")).bearer(&admin).send(&world).await;
    assert_eq!(bad.refusal(), (422, "request.invalid"));
    assert!(!log.text.contains(PASSWORD) && !log.text.contains("usso_rt_"));
}

#[tokio::test]
async fn a_caller_is_looked_at_after_its_body_was_read() {
    let world = World::new().await;
    let superadmin = world.admin().await;
    let admin = tenant_admin(&world).await;
    let id = get(&api("me")).bearer(&admin).send(&world).await.text_of("id");
    // The last byte of the body comes once the caller was suspended.
    let (suspended, wait) = tokio::sync::oneshot::channel();
    let body = json!({ "identifiers": ["x@example.com"] }).to_string();
    let stream = slow_body(&body, wait);
    let slow = Call::new("POST", &api("users")).bearer(&admin).raw("application/json", stream);
    let suspend = async {
        let status = json!({ "status": "suspended" });
        let path = api(&format!("users/{id}"));
        assert_eq!(patch(&path, &status).bearer(&superadmin).send(&world).await.status, 200);
        suspended.send(()).unwrap();
    };
    let (answer, ()) = tokio::join!(slow.send(&world), suspend);
    assert_eq!(answer.refusal(), (401, "session.ended"));
}

/// A body whose last byte waits.
fn slow_body(body: &str, wait: tokio::sync::oneshot::Receiver<()>) -> axum::body::Body {
    let (head, tail) = body.split_at(body.len() - 1);
    let (head, tail) = (head.to_owned(), tail.to_owned());
    let parts = futures_util::stream::once(async { Ok::<_, std::io::Error>(head) });
    let last = futures_util::stream::once(async {
        wait.await.unwrap();
        Ok(tail)
    });
    axum::body::Body::from_stream(futures_util::StreamExt::chain(parts, last))
}

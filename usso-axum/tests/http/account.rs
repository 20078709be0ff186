//! Registering, signing in, refreshing, leaving: USSO's documented calls.

use axum::http::header;
use serde_json::json;

use crate::support::*;

#[tokio::test]
async fn the_documented_calls_work_unchanged() {
    let world = World::new().await;
    assert_eq!(world.register("user@example.com").await.status, 201);
    let login = world.login("user@example.com").await;
    assert_eq!(login.status, 200);
    for field in ["access_token", "refresh_token", "session_id"] {
        assert!(login.json[field].is_string(), "{field}");
    }
    assert_eq!(login.json["token_type"], "Bearer");
    assert_eq!(login.json["expires_in"], 900);
    let me = get(&api("me")).bearer(&login.text_of("access_token")).send(&world).await;
    assert_eq!(me.status, 200);
    assert_eq!(me.json["identifiers"][0]["identifier"], "user@example.com");
    assert_eq!(me.json["uid"], login.json["user"]["id"]);
    assert_eq!(me.json["credential_methods"], json!(["password"]));
    let jwks = get("/.well-known/jwks.json").send(&world).await;
    assert_eq!(jwks.json["keys"].as_array().unwrap().len(), 2, "current and next");
}

#[tokio::test]
async fn an_answer_with_tokens_is_never_cached() {
    let world = World::new().await;
    let answer = world.register("user@example.com").await;
    assert_eq!(answer.header(header::CACHE_CONTROL), Some("no-store"));
}

#[tokio::test]
async fn a_refresh_token_works_once() {
    let world = World::new().await;
    let first = world.register("user@example.com").await.text_of("refresh_token");
    let second = world.refresh(&first).await;
    assert_eq!(second.status, 200);
    world.wait(11);
    assert_eq!(world.refresh(&first).await.refusal(), (401, "session.refresh_reused"));
    let successor = second.text_of("refresh_token");
    assert_eq!(world.refresh(&successor).await.refusal(), (401, "session.refresh_not_valid"));
}

#[tokio::test]
async fn of_requests_at_one_moment_one_refreshes() {
    let world = World::new().await;
    let token = world.register("user@example.com").await.text_of("refresh_token");
    let body = json!({ "refresh_token": token });
    let calls = (0..16).map(|_| post(&api("auth/refresh"), &body).send(&world));
    let mut winners = Vec::new();
    for call in calls.collect::<Vec<_>>() {
        let answer = call.await;
        match answer.status.as_u16() {
            200 => winners.push(answer.text_of("refresh_token")),
            409 => assert_eq!(answer.refusal().1, "session.refresh_raced"),
            other => panic!("{other}: {}", answer.text),
        }
    }
    assert_eq!(winners.len(), 1);
    assert_eq!(world.refresh(&winners[0]).await.status, 200);
}

#[tokio::test]
async fn the_cookie_transport_keeps_the_token_from_scripts() {
    let world = World::new().await;
    world.register("user@example.com").await;
    let body =
        json!({ "identifier": "user@example.com", "secret": PASSWORD, "transport": "cookie" });
    let login = post(&api("auth/login"), &body).send(&world).await;
    assert!(login.json.get("refresh_token").is_none());
    let set = login.header(header::SET_COOKIE).unwrap();
    for attribute in
        ["usso-refresh-token=usso_rt_", "HttpOnly", "SameSite=Strict", "Path=/api/sso/v1/auth"]
    {
        assert!(set.contains(attribute), "{set}");
    }
    world.wait(1);
    let refresh =
        Call::new("POST", &api("auth/refresh")).header("cookie", &World::cookie_of(&login));
    let refreshed = refresh.send(&world).await;
    assert_eq!(refreshed.status, 200);
    assert!(refreshed.json.get("refresh_token").is_none());
    assert_ne!(World::cookie_of(&refreshed), World::cookie_of(&login));
}

#[tokio::test]
async fn a_cookie_sent_by_another_site_is_refused() {
    let world = World::new().await;
    world.register("user@example.com").await;
    let body =
        json!({ "identifier": "user@example.com", "secret": PASSWORD, "transport": "cookie" });
    let login = post(&api("auth/login"), &body).send(&world).await;
    let call = |name: &'static str, value: &'static str| {
        let call =
            Call::new("POST", &api("auth/refresh")).header("cookie", &World::cookie_of(&login));
        call.header("host", "localhost:8000").header(name, value)
    };
    for (name, value) in [
        ("origin", "https://evil.example"),
        ("origin", "null"),
        ("origin", "http://localhost:8000.evil.example"),
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-site", "same-site"),
    ] {
        assert_eq!(
            call(name, value).send(&world).await.refusal(),
            (403, "request.cross_site"),
            "{value}"
        );
    }
    assert_eq!(call("origin", "http://localhost:8000").send(&world).await.status, 200);
}

#[tokio::test]
async fn logging_out_ends_the_session() {
    let world = World::new().await;
    let login = world.register("user@example.com").await;
    let body = json!({ "refresh_token": login.text_of("refresh_token") });
    assert_eq!(post(&api("auth/logout"), &body).send(&world).await.status, 204);
    assert_eq!(
        world.refresh(&login.text_of("refresh_token")).await.refusal(),
        (401, "session.refresh_not_valid")
    );
    let me = get(&api("me")).bearer(&login.text_of("access_token")).send(&world).await;
    assert_eq!(me.refusal(), (401, "session.ended"));
    assert_eq!(post(&api("auth/logout"), &body).send(&world).await.status, 204, "again");
}

#[tokio::test]
async fn logging_out_with_the_access_token_alone_ends_its_session() {
    let world = World::new().await;
    let login = world.register("user@example.com").await;
    let token = login.text_of("access_token");
    let logout = || Call::new("POST", &api("auth/logout")).bearer(&token);
    assert_eq!(logout().send(&world).await.status, 204);
    assert_eq!(get(&api("me")).bearer(&token).send(&world).await.refusal(), (401, "session.ended"));
    assert_eq!(
        world.refresh(&login.text_of("refresh_token")).await.refusal(),
        (401, "session.refresh_not_valid")
    );
    assert_eq!(logout().send(&world).await.status, 204, "again");
    let forged = Call::new("POST", &api("auth/logout")).bearer("a.b.c").send(&world).await;
    assert_eq!(forged.refusal(), (401, "token.malformed"));
    assert_eq!(Call::new("POST", &api("auth/logout")).send(&world).await.status, 204, "nobody");
}

#[tokio::test]
async fn a_user_sees_and_ends_its_own_sessions() {
    let world = World::new().await;
    let first = world.register("user@example.com").await;
    let second = world.login("user@example.com").await;
    let token = second.text_of("access_token");
    let list = get(&api("sessions")).bearer(&token).send(&world).await;
    let sessions = list.json["items"].as_array().unwrap();
    assert_eq!(
        sessions.iter().map(|session| session["current"].as_bool().unwrap()).collect::<Vec<_>>(),
        [false, true]
    );
    let other = api(&format!("sessions/{}", first.text_of("session_id")));
    assert_eq!(delete(&other).bearer(&token).send(&world).await.status, 204);
    assert_eq!(
        delete(&other).bearer(&token).send(&world).await.refusal(),
        (404, "session.unknown")
    );
    assert_eq!(world.refresh(&first.text_of("refresh_token")).await.status, 401);
    assert_eq!(delete(&api("sessions")).bearer(&token).send(&world).await.status, 204);
    assert_eq!(world.refresh(&second.text_of("refresh_token")).await.status, 401);
}

#[tokio::test]
async fn another_users_session_is_unknown() {
    let world = World::new().await;
    let victim = world.register("victim@example.com").await;
    let attacker = world.register("attacker@example.com").await.text_of("access_token");
    let path = api(&format!("sessions/{}", victim.text_of("session_id")));
    assert_eq!(
        delete(&path).bearer(&attacker).send(&world).await.refusal(),
        (404, "session.unknown")
    );
    assert_eq!(world.refresh(&victim.text_of("refresh_token")).await.status, 200);
}

#[tokio::test]
async fn a_new_password_ends_all_sessions_and_opens_one() {
    let world = World::new().await;
    let login = world.register("user@example.com").await;
    let body = json!({ "current_secret": PASSWORD, "new_secret": "another staple for a horse" });
    let change = post(&api("auth/password"), &body)
        .bearer(&login.text_of("access_token"))
        .send(&world)
        .await;
    assert_eq!(change.status, 200);
    assert_eq!(world.refresh(&login.text_of("refresh_token")).await.status, 401);
    assert_eq!(world.refresh(&change.text_of("refresh_token")).await.status, 200);
    assert_eq!(world.login("user@example.com").await.refusal(), (401, "password.not_valid"));
}

#[tokio::test]
async fn unknown_and_known_accounts_get_the_same_answer() {
    let world = World::new().await;
    world.register("user@example.com").await;
    let attempt = async |identifier: &str| {
        let body = json!({ "identifier": identifier, "secret": "not the password" });
        let mut answer = post(&api("auth/login"), &body)
            .header("x-request-id", "same-request")
            .send(&world)
            .await;
        answer.headers.remove(header::DATE);
        (answer.status, answer.headers, answer.text)
    };
    let known = attempt("user@example.com").await;
    assert_eq!(known.0, 401);
    for unknown in ["nobody@example.com", "no identifier at all", ""] {
        assert_eq!(attempt(unknown).await, known, "{unknown:?}");
    }
}

#[tokio::test]
async fn attempts_over_the_limit_are_told_when_to_come_back() {
    let world = World::new().await;
    world.register("user@example.com").await;
    let body = json!({ "identifier": "user@example.com", "secret": "not the password" });
    for _ in 0..10 {
        assert_eq!(post(&api("auth/login"), &body).send(&world).await.status, 401);
    }
    let limited = world.login("user@example.com").await;
    assert_eq!(limited.refusal(), (429, "password.limited"));
    let wait: u64 = limited.header(header::RETRY_AFTER).unwrap().parse().unwrap();
    assert!((1..=300).contains(&wait));
    world.wait(wait);
    assert_eq!(world.login("user@example.com").await.status, 200, "Retry-After tells the truth");
}

#[tokio::test]
async fn weak_passwords_and_hostile_identifiers_are_refused_by_name() {
    let world = World::new().await;
    for (identifier, secret, refusal) in [
        ("a@example.com", "short", (422, "password.too_short")),
        ("a@example.com", "password123", (422, "password.common")),
        ("wonderland@example.com", "Wonderland12", (422, "password.personal")),
        ("a@b@example.com", PASSWORD, (422, "identifier.invalid")),
        ("a@example.com\r\nBcc: x", PASSWORD, (422, "identifier.invalid")),
        ("аdmin@example.com", PASSWORD, (422, "identifier.invalid")),
    ] {
        let body = json!({ "identifier": identifier, "secret": secret });
        assert_eq!(
            post(&api("auth/register"), &body).send(&world).await.refusal(),
            refusal,
            "{identifier} {secret}"
        );
    }
}

#[tokio::test]
async fn one_identifier_is_one_account() {
    let world = World::new().await;
    assert_eq!(world.register("User@Example.com").await.status, 201);
    assert_eq!(world.register("ｕser@example.COM").await.refusal(), (409, "user.identifier_taken"));
    assert_eq!(world.login(" USER@example.com ").await.status, 200);
}

#[tokio::test]
async fn no_other_site_signs_a_browser_in_or_out() {
    let world = World::new().await;
    world.register("user@example.com").await;
    let body =
        json!({ "identifier": "user@example.com", "secret": PASSWORD, "transport": "cookie" });
    let foreign = |call: Call| call.header("sec-fetch-site", "cross-site");
    let login = foreign(post(&api("auth/login"), &body)).send(&world).await;
    assert_eq!(login.refusal(), (403, "request.cross_site"));
    let logout = foreign(Call::new("POST", &api("auth/logout"))).send(&world).await;
    assert_eq!(logout.refusal(), (403, "request.cross_site"));
    assert!(logout.header(header::SET_COOKIE).is_none());
}

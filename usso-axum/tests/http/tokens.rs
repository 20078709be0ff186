//! What counts as an access token at the API, and what a standard verifier makes of ours.

use aws_lc_rs::{hmac, signature::Ed25519KeyPair};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::*;

fn decode(part: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encode(part: &Value) -> String {
    URL_SAFE_NO_PAD.encode(part.to_string())
}

async fn refusal(world: &World, token: &str) -> (u16, String) {
    let answer = get(&api("me")).bearer(token).send(world).await;
    assert!(
        answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")),
        "{}",
        answer.text
    );
    (answer.status.as_u16(), answer.text_of("error_code"))
}

#[tokio::test]
async fn the_claims_are_those_of_the_design() {
    let world = World::new().await;
    let login = world.register("user@example.com").await;
    let token = login.text_of("access_token");
    let parts: Vec<&str> = token.split('.').collect();
    assert_eq!(decode(parts[0])["typ"], "at+jwt");
    assert_eq!(decode(parts[0])["alg"], "EdDSA");
    let claims = decode(parts[1]);
    for claim in [
        "iss",
        "sub",
        "aud",
        "exp",
        "iat",
        "nbf",
        "jti",
        "token_type",
        "session_id",
        "tenant_id",
        "roles",
        "scopes",
        "acr",
        "amr",
        "auth_time",
    ] {
        assert!(claims.get(claim).is_some(), "{claim}");
    }
    assert_eq!(claims["iss"], ISSUER);
    assert_eq!(claims["aud"], ISSUER, "a single audience is a string");
    assert_eq!(claims["sub"], login.json["user"]["id"]);
    assert_eq!(claims["session_id"], login.json["session_id"]);
    assert_eq!((&claims["token_type"], &claims["acr"]), (&json!("access"), &json!("usso:acr:1")));
    assert_eq!(claims["amr"], json!(["password"]));
}

#[tokio::test]
async fn every_changed_header_or_claim_is_refused() {
    let world = World::new().await;
    let token = world.register("user@example.com").await.text_of("access_token");
    let parts: Vec<&str> = token.split('.').collect();
    let (header, claims) = (decode(parts[0]), decode(parts[1]));
    let with = |part: &Value, name: &str, value: Value| {
        let mut changed = part.clone();
        changed[name] = value;
        encode(&changed)
    };
    for name in header.as_object().unwrap().keys() {
        let forged = format!("{}.{}.{}", with(&header, name, json!("x")), parts[1], parts[2]);
        assert_eq!(refusal(&world, &forged).await.0, 401, "header {name}");
    }
    for name in claims.as_object().unwrap().keys() {
        let forged = format!("{}.{}.{}", parts[0], with(&claims, name, json!("x")), parts[2]);
        assert_eq!(refusal(&world, &forged).await.0, 401, "claim {name}");
    }
    let admin =
        format!("{}.{}.{}", parts[0], with(&claims, "roles", json!(["superadmin"])), parts[2]);
    assert_eq!(refusal(&world, &admin).await, (401, "token.signature".to_owned()));
}

#[tokio::test]
async fn forged_signatures_are_refused() {
    let world = World::new().await;
    let token = world.register("user@example.com").await.text_of("access_token");
    let parts: Vec<&str> = token.split('.').collect();
    let mut header = decode(parts[0]);
    let jwks = get("/.well-known/jwks.json").send(&world).await;
    let public = URL_SAFE_NO_PAD.decode(jwks.json["keys"][0]["x"].as_str().unwrap()).unwrap();

    let foreign = Ed25519KeyPair::generate().unwrap();
    let signed = format!("{}.{}", parts[0], parts[1]);
    let forged = format!("{signed}.{}", URL_SAFE_NO_PAD.encode(foreign.sign(signed.as_bytes())));
    assert_eq!(refusal(&world, &forged).await, (401, "token.signature".to_owned()));

    header["alg"] = json!("none");
    assert_eq!(refusal(&world, &format!("{}.{}.", encode(&header), parts[1])).await.0, 401);

    header["alg"] = json!("HS256");
    let signed = format!("{}.{}", encode(&header), parts[1]);
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &public), signed.as_bytes());
    assert_eq!(refusal(&world, &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag))).await.0, 401);
}

#[tokio::test]
async fn a_token_ends_at_its_end() {
    let world = World::new().await;
    let token = world.register("user@example.com").await.text_of("access_token");
    world.wait(898);
    assert_eq!(get(&api("me")).bearer(&token).send(&world).await.status, 200);
    world.wait(2);
    assert_eq!(refusal(&world, &token).await, (401, "token.expired".to_owned()));
}

#[tokio::test]
async fn a_refresh_token_is_no_access_token() {
    let world = World::new().await;
    let token = world.register("user@example.com").await.text_of("refresh_token");
    assert_eq!(refusal(&world, &token).await.0, 401);
}

#[tokio::test]
async fn the_authorization_header_is_read_strictly() {
    let world = World::new().await;
    let token = world.register("user@example.com").await.text_of("access_token");
    let missing = get(&api("me")).send(&world).await;
    assert_eq!(missing.refusal(), (401, "access.token_missing"));
    assert_eq!(missing.header("www-authenticate"), Some("Bearer"));
    for value in [format!("Basic {token}"), format!("Bearer {token} x"), token.clone()] {
        let answer = get(&api("me")).header("authorization", &value).send(&world).await;
        assert_eq!(answer.refusal(), (400, "access.authorization_malformed"), "{value}");
    }
    let spaced = get(&api("me")).header("authorization", &format!("Bearer  {token}"));
    assert_eq!(spaced.send(&world).await.status, 200, "RFC 6750 section 2.1: 1*SP");
    let twice = get(&api("me")).bearer(&token).bearer(&token).send(&world).await;
    assert_eq!(twice.refusal(), (400, "access.authorization_malformed"));
    let query = get(&format!("{}?access_token={token}", api("me"))).send(&world).await;
    assert_eq!(query.status, 401, "tokens in the query are not read");
}

#[tokio::test]
async fn rotating_keys_refuses_no_valid_token() {
    let world = World::new().await;
    let admin = world.admin().await;
    let mut tokens = vec![world.register("user@example.com").await.text_of("access_token")];
    for _ in 0..3 {
        assert_eq!(
            Call::new("POST", &api("keys/rotate")).bearer(&admin).send(&world).await.status,
            200
        );
        tokens.push(world.login("user@example.com").await.text_of("access_token"));
    }
    let jwks = get("/.well-known/jwks.json").send(&world).await;
    let published: Vec<&str> = jwks.json["keys"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["kid"].as_str().unwrap())
        .collect();
    let mut kids = std::collections::BTreeSet::new();
    for token in &tokens {
        assert_eq!(get(&api("me")).bearer(token).send(&world).await.status, 200);
        let kid = decode(token.split('.').next().unwrap())["kid"].as_str().unwrap().to_owned();
        assert!(published.contains(&kid.as_str()));
        kids.insert(kid);
    }
    assert_eq!(kids.len(), 4, "every rotation brought another key");
}

#[tokio::test]
async fn the_jwks_can_be_cached_and_checked() {
    let world = World::new().await;
    let first = get("/.well-known/jwks.json").send(&world).await;
    assert_eq!(first.header("cache-control"), Some("public, max-age=300"));
    let etag = first.header("etag").unwrap().to_owned();
    let again = get("/.well-known/jwks.json").header("if-none-match", &etag).send(&world).await;
    assert_eq!((again.status.as_u16(), again.text.as_str()), (304, ""));
    assert!(!first.text.contains("\"d\""), "no private member");
    let admin = world.admin().await;
    Call::new("POST", &api("keys/rotate")).bearer(&admin).send(&world).await;
    let rotated = get("/.well-known/jwks.json").header("if-none-match", &etag).send(&world).await;
    assert_eq!(rotated.status, 200);
}

#[tokio::test]
async fn discovery_names_the_issuer_of_the_tokens() {
    let world = World::new().await;
    for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
        let document = get(path).send(&world).await;
        assert_eq!(document.json["issuer"], ISSUER);
        assert_eq!(document.json["jwks_uri"], format!("{ISSUER}/.well-known/jwks.json"));
    }
}

//! Signing keys: rotation, what is published, and what never leaves custody.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_imports,
    reason = "tests stop at the first surprise"
)]

mod support;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jwt_simple::prelude as jwt;
use serde_json::{Value as Json, json};
use support::*;
use usso_core::{
    Deps, StartError, Usso,
    directory::tenant::Settings,
    kernel::{
        custody::{Custody, MasterKey},
        id::TenantId,
        refusal::{Fault, FaultKind},
        secret::Secret,
    },
    session::{Tokens, keys, keys::KeyRing, token},
    store::{Batch, Sqlite, SqliteOptions, Store},
};

const ALGORITHMS: [&str; 3] = ["EdDSA", "ES256", "RS256"];
const DAY: Duration = Duration::from_secs(86_400);

/// A request of a new tenant that signs with `algorithm`.
async fn signing_with(world: &World, algorithm: &str) -> Deps {
    let settings: Settings =
        serde_json::from_value(json!({ "signing_algorithm": algorithm })).unwrap();
    let tenant = world.tenant(&algorithm.to_lowercase(), settings).await;
    world.deps_of(tenant.id).await
}

async fn jwks(deps: &Deps) -> Json {
    let keys = keys::load(deps).await.unwrap();
    serde_json::from_str(&keys.jwks().json).unwrap()
}

fn kids(jwks: &Json) -> Vec<&str> {
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().map(|key| key["kid"].as_str().unwrap()).collect()
}

fn header(token: &str) -> Json {
    let header = token.split('.').next().unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).unwrap()).unwrap()
}

fn key_of<'a>(jwks: &'a Json, token: &str) -> &'a Json {
    let kid = header(token)["kid"].clone();
    let keys = jwks["keys"].as_array().unwrap();
    keys.iter().find(|key| key["kid"] == kid).unwrap()
}

/// What `jsonwebtoken` reads out of a token with nothing but the served key set.
fn read_with_jsonwebtoken(deps: &Deps, jwks: &Json, token: &str) -> Json {
    // With the whole workspace in one build both back ends are there, and one must be named.
    _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    let set: jsonwebtoken::jwk::JwkSet = serde_json::from_value(jwks.clone()).unwrap();
    let header = jsonwebtoken::decode_header(token).unwrap();
    let key = set.find(&header.kid.unwrap()).unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(key).unwrap();
    let mut expected = jsonwebtoken::Validation::new(header.alg);
    expected.set_issuer(&[deps.issuer()]);
    expected.set_audience(&deps.audience());
    expected.validate_exp = false; // it would look at the clock of the machine
    jsonwebtoken::decode::<Json>(token, &key, &expected).unwrap().claims
}

/// What `jwt-simple` reads out of a token with nothing but the served key set.
fn read_with_jwt_simple(deps: &Deps, jwks: &Json, token: &str) -> Json {
    use jwt::{ECDSAP256PublicKeyLike as _, EdDSAPublicKeyLike as _, RSAPublicKeyLike as _};
    let expected = jwt::VerificationOptions {
        artificial_time: Some(jwt::Duration::from_secs(deps.clock.now().seconds())),
        allowed_issuers: Some([deps.issuer()].into()),
        allowed_audiences: Some(deps.audience().into_iter().collect()),
        time_tolerance: Some(jwt::Duration::from_secs(0)),
        ..jwt::VerificationOptions::default()
    };
    let key = key_of(jwks, token);
    let part = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let expected = Some(expected);
    let claims = match key["alg"].as_str().unwrap() {
        "EdDSA" => jwt::Ed25519PublicKey::from_bytes(&part("x"))
            .and_then(|key| key.verify_token::<Json>(token, expected)),
        "ES256" => {
            let point = [vec![4], part("x"), part("y")].concat();
            jwt::ES256PublicKey::from_bytes(&point)
                .and_then(|key| key.verify_token::<Json>(token, expected))
        }
        _ => jwt::RS256PublicKey::from_components(&part("n"), &part("e"))
            .and_then(|key| key.verify_token::<Json>(token, expected)),
    };
    let claims = claims.unwrap();
    json!({"sub": claims.subject, "rest": claims.custom})
}

#[tokio::test]
async fn other_libraries_verify_tokens_with_the_served_keys_before_and_after_a_rotation() {
    let world = World::new().await;
    for algorithm in ALGORITHMS {
        let deps = signing_with(&world, algorithm).await;
        let (user, old) = register(&deps, "alice", PASSWORD).await.unwrap();
        keys::rotate(&deps, actor()).await.unwrap();
        let new = sign_in(&deps, "alice", PASSWORD).await.unwrap();
        let jwks = jwks(&deps).await;
        for token in [&old.access_token, &new.access_token] {
            let claims = read_with_jsonwebtoken(&deps, &jwks, token);
            assert_eq!(claims["sub"], user.id.to_string());
            let claims = read_with_jwt_simple(&deps, &jwks, token);
            assert_eq!(claims["sub"], user.id.to_string());
            assert_eq!(header(token)["alg"], algorithm);
        }
        assert_ne!(header(&old.access_token), header(&new.access_token));
    }
}

#[tokio::test]
async fn a_token_says_what_it_is_and_little_else() {
    let world = World::new().await;
    let (user, tokens) = world.register("alice").await;
    let deps = world.deps().await;
    let claims = read_with_jsonwebtoken(&deps, &jwks(&deps).await, &tokens.access_token);
    let now = deps.clock.now().seconds();
    let jti = claims["jti"].clone();
    assert_eq!(header(&tokens.access_token)["typ"], "at+jwt");
    assert_eq!(
        claims,
        json!({
            "iss": "https://sso.example", "aud": "https://sso.example",
            "sub": user.id.to_string(), "session_id": tokens.session.to_string(), "jti": jti,
            "tenant_id": TenantId::DEFAULT.to_string(), "token_type": "access",
            "iat": now, "nbf": now, "exp": now + 900, "auth_time": now,
            "roles": [], "scopes": [], "acr": "usso:acr:1", "amr": ["password"],
        })
    );
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
    digits.collect::<Vec<_>>().concat()
}

/// The `SubjectPublicKeyInfo` of a JWK, put together by hand (RFC 8410, RFC 5480).
fn spki(key: &Json) -> Vec<u8> {
    let part = |name: &str| URL_SAFE_NO_PAD.decode(key[name].as_str().unwrap()).unwrap();
    let ed25519 = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00".to_vec();
    let p256 = b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x42\x00\x04".to_vec();
    match key["kty"].as_str().unwrap() {
        "OKP" => [ed25519, part("x")].concat(),
        _ => [p256, part("x"), part("y")].concat(),
    }
}

#[tokio::test]
async fn a_kid_is_the_hex_sha256_of_the_public_key() {
    let world = World::new().await;
    for algorithm in ["EdDSA", "ES256"] {
        let jwks = jwks(&signing_with(&world, algorithm).await).await;
        for key in jwks["keys"].as_array().unwrap() {
            let digest = digest::digest(&digest::SHA256, &spki(key));
            let hex = hex(digest.as_ref());
            assert_eq!(key["kid"], hex);
        }
    }
}

#[tokio::test]
async fn the_key_set_holds_public_parts_only() {
    let world = World::new().await;
    for (algorithm, members) in ALGORITHMS.into_iter().zip([
        vec!["alg", "crv", "kid", "kty", "use", "x"],
        vec!["alg", "crv", "kid", "kty", "use", "x", "y"],
        vec!["alg", "e", "kid", "kty", "n", "use"],
    ]) {
        let jwks = jwks(&signing_with(&world, algorithm).await).await;
        for key in jwks["keys"].as_array().unwrap() {
            let mut names: Vec<_> = key.as_object().unwrap().keys().collect();
            names.sort_unstable();
            assert_eq!(names, members);
        }
    }
}

#[tokio::test]
async fn the_next_key_is_published_before_it_signs() {
    let world = World::new().await;
    let deps = world.deps().await;
    let before = keys::load(&deps).await.unwrap();
    let next = before.ring().next.kid.clone();
    assert!(before.jwks().json.contains(&next));
    let after = keys::rotate(&deps, actor()).await.unwrap();
    assert_eq!(after.ring().current.kid, next);
    assert_eq!(after.ring().retired[0].kid, before.ring().current.kid);
    assert_ne!(after.jwks().etag, before.jwks().etag);
}

#[tokio::test]
async fn a_retired_key_is_published_until_no_token_of_it_can_live() {
    let world = World::new().await;
    world.set(json!({"access_token_seconds": 86_400})).await;
    let (_, tokens) = world.register("alice").await;
    let deps = world.deps().await;
    let old = keys::load(&deps).await.unwrap().ring().current.kid.clone();
    keys::rotate(&deps, actor()).await.unwrap();
    world.advance(Duration::from_secs(86_399)); // the last second of the token
    let restarted = world.again(|_| {}).await;
    assert_eq!(code(&restarted.caller(&tokens).await), "ok");
    world.advance(almost(Duration::from_secs(301)));
    let restarted = world.again(|_| {}).await;
    assert!(kids(&jwks(&restarted.deps().await).await).contains(&&*old));
    world.advance(MOMENT);
    let restarted = world.again(|_| {}).await;
    assert!(!kids(&jwks(&restarted.deps().await).await).contains(&&*old));
}

#[tokio::test]
async fn a_due_rotation_happens_by_itself() {
    let world = World::new().await;
    let first = jwks(&world.deps().await).await;
    world.advance(almost(world.usso.config().key_rotation));
    let early = world.again(|_| {}).await;
    assert_eq!(jwks(&early.deps().await).await, first);
    world.advance(MOMENT);
    let due = world.again(|_| {}).await;
    let deps = due.deps().await;
    assert_eq!(keys::load(&deps).await.unwrap().ring().retired.len(), 1);
    let event = &events(&deps).await[0];
    assert_eq!((event.kind.as_str(), &*event.actor), ("keys.rotated", "usso"));
}

#[tokio::test]
async fn an_engine_learns_of_the_rotation_of_another() {
    let world = World::new().await;
    let another = world.again(|_| {}).await;
    world.register("alice").await;
    keys::rotate(&another.deps().await, actor()).await.unwrap();
    let tokens = another.sign_in("alice").await.unwrap();
    world.advance(Duration::from_secs(2));
    assert_eq!(code(&world.caller(&tokens).await), "ok");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn rotations_at_one_moment_keep_one_ring() {
    for world in World::on_each_store().await {
        let (_, old) = world.register("alice").await;
        let deps = world.deps().await;
        let results = all_at_once(RACERS, |_| {
            let deps = deps.clone();
            async move { keys::rotate(&deps, actor()).await }
        })
        .await;
        let won = results.iter().filter(|result| result.is_ok()).count();
        let lost = results.iter().filter(|result| code(result) == "keys.changed");
        assert_eq!(won + lost.count(), RACERS);
        let restarted = world.again(|_| {}).await;
        let jwks = jwks(&restarted.deps().await).await;
        let mut unique = kids(&jwks);
        unique.sort_unstable();
        unique.dedup();
        assert_eq!(unique.len(), won + 2, "every key once");
        let rotated = kinds(&deps).await;
        let rotated = rotated.iter().filter(|kind| **kind == "keys.rotated");
        assert_eq!(rotated.count(), won);
        let new = restarted.sign_in("alice").await.unwrap();
        for tokens in [&old, &new] {
            assert_eq!(code(&restarted.caller(tokens).await), "ok");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn first_uses_at_one_moment_make_one_ring() {
    for world in World::on_each_store().await {
        let deps = signing_with(&world, "ES256").await;
        let made = all_at_once(RACERS, |_| {
            let deps = deps.clone();
            async move { keys::load(&deps).await.unwrap().ring().clone() }
        });
        let rings = made.await;
        assert!(rings.iter().all(|ring| *ring == rings[0]));
    }
}

#[tokio::test]
async fn so_many_rotations_that_verifiers_would_refuse_the_set_are_refused() {
    let world = World::new().await;
    let deps = world.deps().await;
    for _ in 0..50 {
        keys::rotate(&deps, actor()).await.unwrap();
    }
    assert_eq!(code(&keys::rotate(&deps, actor()).await), "keys.too_many");
    world.advance(DAY + Duration::from_secs(300));
    assert_eq!(code(&keys::rotate(&deps, actor()).await), "ok");
}

#[tokio::test]
async fn a_changed_algorithm_signs_after_the_second_rotation() {
    let world = World::new().await;
    world.register("alice").await;
    world.set(json!({"signing_algorithm": "ES256"})).await;
    let mut algorithms = Vec::new();
    for _ in 0..3 {
        let tokens = world.sign_in("alice").await.unwrap();
        algorithms.push(header(&tokens.access_token)["alg"].clone());
        assert_eq!(code(&world.caller(&tokens).await), "ok");
        keys::rotate(&world.deps().await, actor()).await.unwrap();
    }
    assert_eq!(algorithms, ["EdDSA", "EdDSA", "ES256"]);
}

#[tokio::test]
async fn a_wrong_master_key_does_not_start() {
    let world = World::new().await;
    let mut ports = ports(&world.store, &world.clock);
    ports.custody = Arc::new(master_key(8));
    let Err(StartError::Fault(fault)) = Usso::start(config(), ports).await else {
        panic!("keys were opened with another master key");
    };
    assert_eq!(fault.kind(), FaultKind::Custody);
    assert!(fault.to_string().contains("another master key"), "{fault}");
}

#[tokio::test]
async fn a_replaced_master_key_that_opens_the_earlier_ones_starts() {
    let world = World::new().await;
    let (_, tokens) = world.register("alice").await;
    let mut ports = ports(&world.store, &world.clock);
    let replaced = master_key(8).also_opening(&Secret::new([7; 32])).unwrap();
    ports.custody = Arc::new(replaced);
    let usso = Usso::start(config(), ports).await.unwrap();
    let tenant = usso.tenant(TenantId::DEFAULT).await.unwrap().unwrap();
    let deps = usso.deps(tenant, world.deps().await.origin);
    let caller = token::authenticate(&deps, &tokens.access_token).await;
    assert_eq!(code(&caller), "ok");
}

#[tokio::test]
async fn sealed_keys_moved_to_another_tenant_do_not_open() {
    for part in ["current", "tag_key"] {
        let world = World::new().await;
        let other = world.tenant("other", Settings::default()).await;
        let deps = world.deps_of(other.id).await;
        let ring = |deps: &Deps| {
            let scope = deps.scope();
            let store = deps.store.clone();
            async move { store.get::<KeyRing>(&scope, "ring").await.unwrap().unwrap() }
        };
        let theirs = ring(&world.deps().await).await.record;
        keys::load(&deps).await.unwrap();
        let ours = ring(&deps).await;
        let mut mixed = serde_json::to_value(&ours.record).unwrap();
        mixed[part] = serde_json::to_value(&theirs).unwrap()[part].take();
        let mixed: KeyRing = serde_json::from_value(mixed).unwrap();
        let moved = Batch::new().replace(&deps.scope(), &mixed, ours.version);
        world.store.commit(moved).await.unwrap();
        let rotated = keys::rotate(&deps, actor()).await;
        assert_eq!(code(&rotated), "custody.unavailable", "{part}");
    }
}

/// Custody that remembers what it was given.
#[derive(Clone, Debug)]
struct Recorder {
    master: Arc<MasterKey>,
    seen: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Custody for Recorder {
    fn seal(&self, plain: &[u8], context: &str) -> Result<Vec<u8>, Fault> {
        self.seen.lock().unwrap().push(plain.to_vec());
        self.master.seal(plain, context)
    }

    fn open(&self, sealed: &[u8], context: &str) -> Result<Secret<Vec<u8>>, Fault> {
        self.master.open(sealed, context)
    }
}

/// A value as it could lie in a file: raw, hex, or in base64.
fn forms(value: &[u8]) -> Vec<Vec<u8>> {
    let base64 = [
        URL_SAFE_NO_PAD.encode(value),
        base64::engine::general_purpose::STANDARD_NO_PAD.encode(value),
    ];
    let texts = [hex(value)].into_iter().chain(base64).map(String::into_bytes);
    texts.chain([value.to_vec()]).collect()
}

fn secrets_of(tokens: &Tokens) -> Vec<Vec<u8>> {
    let text = tokens.refresh_token.expose();
    let bytes = URL_SAFE_NO_PAD.decode(text.strip_prefix("usso_rt_").unwrap()).unwrap();
    // The secret is the 32 bytes before the tag of 16.
    let secret = bytes[bytes.len() - 48..bytes.len() - 16].to_vec();
    let access = tokens.access_token.as_bytes();
    vec![text.as_bytes().to_vec(), secret, access.to_vec()]
}

fn raw_bytes(directory: &std::path::Path) -> Vec<u8> {
    let files = std::fs::read_dir(directory).unwrap();
    files.flat_map(|file| std::fs::read(file.unwrap().path()).unwrap()).collect()
}

fn holds(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Does what makes secrets, and gives every secret that it made.
async fn secrets_made(world: &World, recorder: &Recorder) -> Vec<Vec<u8>> {
    let (_, first) = world.register("alice").await;
    let second = world.refresh(&first).await.unwrap();
    let third = change(world, &second, PASSWORD, OTHER).await.unwrap();
    let deps = world.deps().await;
    guess(&deps, "alice", 1).await;
    keys::rotate(&deps, actor()).await.unwrap();
    let sealed = recorder.seen.lock().unwrap().clone();
    assert_eq!(sealed.len(), 4, "three signing keys and the tag key");
    // The seed of an Ed25519 key comes after the bytes that all of them begin with.
    let seed = |key: &Vec<u8>| key[key.len() - 32..].to_vec();
    let seeds = sealed.iter().map(seed).collect();
    let texts = [PASSWORD, OTHER, WRONG].map(|text| text.as_bytes().to_vec());
    let issued = [&first, &second, &third].map(secrets_of).concat();
    [texts.to_vec(), sealed, seeds, issued].concat()
}

#[tokio::test]
async fn no_secret_lies_readable_in_the_database_files() {
    let directory = tempfile::tempdir().unwrap();
    let sqlite = Sqlite::open(file_in(directory.path()), &SqliteOptions::default()).unwrap();
    let recorder = Recorder { master: Arc::new(master_key(7)), seen: Arc::default() };
    let mut world = World::new().await;
    world.store = Store::new(sqlite);
    let mut ports = ports(&world.store, &world.clock);
    ports.custody = Arc::new(recorder.clone());
    world.usso = Usso::start(config(), ports).await.unwrap();
    let secrets = secrets_made(&world, &recorder).await;
    let bytes = raw_bytes(directory.path());
    assert!(holds(&bytes, b"username:alice"), "these are the files");
    for form in secrets.iter().flat_map(|secret| forms(secret)) {
        assert!(!holds(&bytes, &form), "{}", String::from_utf8_lossy(&form));
    }
}

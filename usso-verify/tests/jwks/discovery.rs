//! Finding the keys by the name of their issuer.

use serde_json::json;
use usso_verify::jwks::{Decision, Engine, Failure, Location, Policy, Progress};
use usso_verify::{FetchError, Need, Response, SetupError};

use crate::support::{ISSUER, NOW, Reply, URL, World, jwk, only, set, status, with};

fn world() -> World {
    World::with(Location::issuer(ISSUER), Policy::default())
}

fn metadata(issuer: &str, url: &str) -> Response {
    let body =
        json!({"issuer": issuer, "jwks_uri": url, "token_endpoint": "https://sso.example/t"});
    Response::new(200, body.to_string().into_bytes())
}

/// Sends replies until the attempt is over and gives the addresses that were asked.
fn run(world: &World, need: Need<'_>, replies: Vec<Reply>) -> (Vec<String>, Result<(), Failure>) {
    let Decision::Fetch(mut attempt) = world.engine.begin(need, world.now) else {
        panic!("no attempt");
    };
    let (id, mut asked) = (attempt.id(), Vec::new());
    for reply in replies {
        asked.push(attempt.request().url.clone());
        match world.engine.conclude(attempt, reply, world.now) {
            Progress::Done(outcome) => return (asked, outcome),
            Progress::Send(next) => attempt = next,
        }
        assert_eq!(attempt.id(), id);
    }
    panic!("goes on: {attempt:?}");
}

fn first(reply: Response) -> Result<(), Failure> {
    run(&world(), Need::Keys, vec![Ok(reply)]).1
}

const OPENID: &str = "https://sso.example/t/1/.well-known/openid-configuration";
const OAUTH: &str = "https://sso.example/.well-known/oauth-authorization-server/t/1";

#[test]
fn the_keys_are_found_by_the_name_of_the_issuer_in_one_attempt() {
    let world = world();
    let replies = vec![Ok(metadata(ISSUER, URL)), Ok(only("a"))];
    let (asked, outcome) = run(&world, Need::Keys, replies);
    assert_eq!((asked, outcome), (vec![OPENID.to_owned(), URL.to_owned()], Ok(())));
    assert!(world.knows("a"));
    assert_eq!(world.engine.status(NOW).fetches, 1);
}

#[test]
fn an_issuer_without_openid_metadata_is_asked_for_oauth_metadata() {
    for code in [400, 404, 405, 410] {
        let replies = vec![Ok(status(code)), Ok(metadata(ISSUER, URL)), Ok(only("a"))];
        let (asked, outcome) = run(&world(), Need::Keys, replies);
        assert_eq!((asked, outcome), (vec![OPENID.into(), OAUTH.into(), URL.into()], Ok(())));
    }
    let (asked, outcome) = run(&world(), Need::Keys, vec![Ok(status(404)), Ok(status(404))]);
    assert_eq!((asked.len(), outcome), (2, Err(Failure::Status(404))));
}

#[test]
fn an_issuer_that_is_down_is_asked_once() {
    for (reply, failure) in [
        (Ok(status(500)), Failure::Status(500)),
        (Ok(status(302)), Failure::Status(302)),
        (Err(FetchError::TimedOut), Failure::Fetch(FetchError::TimedOut)),
    ] {
        let (asked, outcome) = run(&world(), Need::Keys, vec![reply]);
        assert_eq!((asked.len(), outcome), (1, Err(failure)));
    }
}

#[test]
fn metadata_of_another_issuer_is_refused() {
    for issuer in [
        "https://sso.example/t/2",
        "https://sso.example/t/1/",
        "https://SSO.example/t/1",
        "",
        "https://sso.example",
    ] {
        assert_eq!(first(metadata(issuer, URL)), Err(Failure::DiscoveryIssuer), "{issuer}");
    }
    let listed = json!({"issuer": [ISSUER], "jwks_uri": URL}).to_string();
    assert_eq!(first(Response::new(200, listed.into_bytes())), Err(Failure::DiscoveryIssuer));
}

#[test]
fn keys_without_tls_are_refused() {
    for url in [
        "http://sso.example/jwks",
        "http://localhost/jwks",
        "http://127.0.0.1/jwks",
        "",
        "/jwks",
        "file:///etc/passwd",
        "https://user:secret@sso.example/jwks",
    ] {
        assert_eq!(first(metadata(ISSUER, url)), Err(Failure::DiscoveryJwksUri), "{url}");
    }
    let missing = json!({"issuer": ISSUER}).to_string().into_bytes();
    assert_eq!(first(Response::new(200, missing)), Err(Failure::DiscoveryJwksUri));
}

#[test]
fn keys_at_another_origin_are_legal() {
    let url = "https://keys.other.example:8443/v3?x=y";
    let replies = vec![Ok(metadata(ISSUER, url)), Ok(only("a"))];
    assert_eq!(run(&world(), Need::Keys, replies).0[1], url);
}

#[test]
fn metadata_with_a_member_twice_is_refused() {
    let text = format!(r#"{{"issuer":"{ISSUER}","jwks_uri":"{URL}","jwks_uri":"{URL}"}}"#);
    let outcome = first(Response::new(200, text.into_bytes()));
    assert!(matches!(outcome, Err(Failure::Document(_))));
}

fn discovered() -> World {
    let world = world();
    let keys = with(only("a"), "etag", "\"1\"");
    run(&world, Need::Keys, vec![Ok(metadata(ISSUER, URL)), Ok(keys)]).1.unwrap();
    world
}

#[test]
fn metadata_is_read_once_a_day() {
    let mut world = discovered();
    for _ in 0..3 {
        world.now += 86_399 / 3;
        assert_eq!(run(&world, Need::Stale, vec![Ok(only("a"))]).0, [URL]);
    }
    world.now += 3600;
    let replies = vec![Ok(metadata(ISSUER, URL)), Ok(only("a"))];
    assert_eq!(run(&world, Need::Stale, replies).0, [OPENID, URL]);
}

#[test]
fn metadata_is_read_again_when_the_keys_cannot_be_fetched() {
    let mut world = discovered();
    world.now += 7200;
    for _ in 0..3 {
        assert_eq!(run(&world, Need::Stale, vec![Ok(status(404))]).0, [URL]);
        world.now += 400;
    }
    let moved = "https://sso.example/moved.json";
    let replies = vec![Ok(metadata(ISSUER, moved)), Ok(set(&[jwk("b", 2)]))];
    assert_eq!(run(&world, Need::Stale, replies), (vec![OPENID.into(), moved.into()], Ok(())));
    assert!(world.knows("b"));
}

#[test]
fn keys_are_fetched_where_they_were_while_the_metadata_is_down() {
    let mut world = discovered();
    world.now += 90_000;
    let replies = vec![Err(FetchError::Failed), Ok(only("a"))];
    assert_eq!(run(&world, Need::Keys, replies), (vec![OPENID.into(), URL.into()], Ok(())));
}

#[test]
fn metadata_that_became_another_issuers_is_refused_and_the_keys_stay() {
    let mut world = discovered();
    world.now += 80_000;
    assert_eq!(run(&world, Need::Stale, vec![Ok(only("a"))]).1, Ok(()));
    world.now += 8000;
    let reply = metadata("https://evil.example", "https://evil.example/jwks");
    let (asked, outcome) = run(&world, Need::Stale, vec![Ok(reply)]);
    assert_eq!((asked.len(), outcome), (1, Err(Failure::DiscoveryIssuer)));
    assert!(world.knows("a"));
}

#[test]
fn an_etag_is_sent_only_to_the_address_it_came_from() {
    let mut world = discovered();
    world.now += 90_000;
    let Decision::Fetch(attempt) = world.engine.begin(Need::Keys, world.now) else {
        panic!();
    };
    let reply = Ok(metadata(ISSUER, "https://other.example/jwks"));
    let Progress::Send(attempt) = world.engine.conclude(attempt, reply, world.now) else {
        panic!();
    };
    assert!(attempt.request().headers.iter().all(|(name, _)| *name != "if-none-match"));
    assert!(matches!(
        world.engine.conclude(attempt, Ok(status(304)), world.now),
        Progress::Done(Err(Failure::Status(304)))
    ));
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let seconds = std::time::Duration::from_secs;
    let refused = |location: Location, policy| Engine::new(location, policy).unwrap_err();
    let bad = |policy: Policy| match refused(Location::jwks(URL), policy) {
        SetupError::OutOfRange { setting, .. } => setting,
        other => panic!("{other}"),
    };
    let policy = Policy::default;
    assert_eq!(refused(Location::issuer("sso"), policy()), SetupError::IssuerUrl);
    assert_eq!(refused(Location::jwks("http://sso.example/"), policy()), SetupError::JwksUrl);
    assert_eq!(bad(policy().cooldown(seconds(0))), "cooldown");
    assert_eq!(bad(policy().cooldown(seconds(301))), "cooldown");
    assert_eq!(bad(policy().max_backoff(seconds(29))), "max_backoff");
    assert_eq!(bad(policy().max_backoff(seconds(3601))), "max_backoff");
    assert_eq!(bad(policy().hard_age(seconds(2_592_001))), "hard_age");
    assert_eq!(bad(policy().fresh(seconds(9), seconds(20), seconds(30))), "fresh");
    assert_eq!(bad(policy().fresh(seconds(20), seconds(10), seconds(30))), "fresh");
    assert_eq!(bad(policy().fresh(seconds(20), seconds(40), seconds(30))), "fresh");
    assert_eq!(bad(policy().fresh(seconds(20), seconds(40), seconds(604_801))), "fresh");
    assert_eq!(bad(policy().unknown_kids(100_001, seconds(60))), "unknown_kids");
    assert_eq!(bad(policy().unknown_kids(1, seconds(3601))), "unknown_kids");
}

//! The verifier with keys and answers that are fetched.
#![cfg(test)]
#![cfg(all(feature = "remote", feature = "testing"))]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use usso_verify::opaque::{
    ApiKeys, Audiences, ClientAuth, Error, Introspection, KeyRules, Limits, Lookup, Reason,
};
use usso_verify::testing::TestIssuer;
use usso_verify::{
    BoxFuture, Clock, Fetch, FetchError, Issuer, JwksSource, Presented, Request, Response,
    RevocationList, Revoked, Verifier, VerifyError,
};

const AUDIENCE: &str = "https://api.example";
const NAME: &str = "https://sso.example";

/// An issuer and a verifier that fetches its keys.
fn remote() -> (TestIssuer, Verifier) {
    let issuer = TestIssuer::new(NAME);
    let verifier = issuer.fetching_verifier(AUDIENCE);
    (issuer, verifier)
}

fn token(issuer: &TestIssuer) -> String {
    issuer.mint().audience(AUDIENCE).sign()
}

#[tokio::test(start_paused = true)]
async fn the_first_token_fetches_the_keys_and_the_next_ones_do_not() {
    let (issuer, verifier) = remote();
    assert_eq!(verifier.verify_local(&token(&issuer)), Err(VerifyError::KeysUnavailable));
    for _ in 0..10 {
        assert!(verifier.verify(&token(&issuer)).await.is_ok());
    }
    assert!(verifier.verify_local(&token(&issuer)).is_ok());
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_issuer_is_refused_before_any_request() {
    let (issuer, verifier) = remote();
    let stranger = TestIssuer::new("https://evil.example");
    assert_eq!(verifier.verify(&token(&stranger)).await, Err(VerifyError::UnknownIssuer));
    assert_eq!(issuer.fetches() + stranger.fetches(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_first_token_of_a_new_key_is_accepted_after_one_fetch() {
    let (issuer, verifier) = remote();
    assert!(verifier.verify(&token(&issuer)).await.is_ok());
    issuer.clock().advance(Duration::from_secs(60));
    issuer.rotate();
    assert!(verifier.verify(&token(&issuer)).await.is_ok());
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_withdrawn_key_is_refused_once_the_set_was_fetched_again_also_for_remembered_tokens() {
    let (issuer, verifier) = remote();
    let (stolen, old) = (issuer.kid(), token(&issuer));
    for _ in 0..3 {
        assert!(verifier.verify(&old).await.is_ok());
    }
    issuer.rotate();
    issuer.revoke(&stolen);
    // The process slept: nothing was fetched ahead of time.
    issuer.clock().advance(Duration::from_secs(700));
    assert_eq!(verifier.verify(&old).await, Err(VerifyError::UnknownKey));
    assert!(verifier.verify(&token(&issuer)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_outage_does_not_refuse_tokens_of_known_keys() {
    let (issuer, verifier) = remote();
    assert!(verifier.verify(&token(&issuer)).await.is_ok());
    issuer.outage();
    for _ in 0..23 {
        issuer.clock().advance(Duration::from_secs(3600));
        assert!(verifier.verify(&token(&issuer)).await.is_ok());
    }
    issuer.clock().advance(Duration::from_secs(3700));
    assert_eq!(verifier.verify(&token(&issuer)).await, Err(VerifyError::KeysUnavailable));
    issuer.recover();
    issuer.clock().advance(Duration::from_secs(600));
    assert!(verifier.verify(&token(&issuer)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_key_replaced_under_its_name_is_noticed() {
    let name = "same";
    let (old, new) = (TestIssuer::new(NAME), TestIssuer::new(NAME));
    let jwks = |issuer: &TestIssuer| {
        let mut set = serde_json::to_value(issuer.keys().to_jwks()).unwrap();
        set["keys"][0]["kid"] = json!(name);
        Response::new(200, set.to_string().into_bytes())
    };
    let mint = |issuer: &TestIssuer| issuer.mint().audience(AUDIENCE).header("kid", name).sign();
    let url = format!("{NAME}/keys");
    let source = JwksSource::url(url).fetch(Arc::new(old.clone())).clock(old.clock());
    let rules = Issuer::new(NAME, source.build().unwrap()).audience(AUDIENCE);
    let verifier = Verifier::builder().issuer(rules).clock(old.clock()).build().unwrap();
    old.answer(jwks(&old));
    assert!(verifier.verify(&mint(&old)).await.is_ok());
    old.answer(jwks(&new));
    old.clock().advance(Duration::from_secs(60));
    assert!(verifier.verify(&mint(&new)).await.is_ok());
    assert_eq!(verifier.verify(&mint(&old)).await, Err(VerifyError::Signature));
}

#[tokio::test(start_paused = true)]
async fn two_hundred_tasks_with_random_kids_cause_one_fetch_and_hold_up_no_known_key() {
    let (issuer, verifier) = remote();
    let good = token(&issuer);
    assert!(verifier.verify(&good).await.is_ok());
    issuer.clock().advance(Duration::from_secs(60));
    issuer.slow(Duration::from_secs(3));
    let storm: Vec<_> = (0..200)
        .map(|at| {
            let bad = issuer.mint().audience(AUDIENCE).header("kid", format!("k{at}")).sign();
            let verifier = verifier.clone();
            tokio::spawn(async move { verifier.verify(&bad).await.map(drop) })
        })
        .collect();
    tokio::task::yield_now().await;
    let started = tokio::time::Instant::now();
    let fresh = token(&issuer);
    assert!(verifier.verify(&fresh).await.is_ok());
    assert_eq!(started.elapsed(), Duration::ZERO);
    for task in storm {
        assert_eq!(task.await.unwrap(), Err(VerifyError::UnknownKey));
    }
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test(start_paused = true)]
async fn judging_a_token_by_another_time_moves_nothing_but_the_verdict() {
    let (issuer, verifier) = remote();
    let token = token(&issuer);
    assert!(verifier.verify(&token).await.is_ok());
    let now = issuer.clock().now();
    for at in 0..500 {
        assert!(verifier.verify_at(&token, now - 11 * (at % 2)).is_ok());
        assert_eq!(verifier.verify_at(&token, now - 86_400), Err(VerifyError::NotYetValid));
        assert_eq!(verifier.verify_at(&token, now + 86_400), Err(VerifyError::Expired));
    }
    tokio::task::yield_now().await;
    assert!(verifier.verify_local(&token).is_ok());
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_form_that_never_waits_wants_keys_rather_than_trust_overdue_ones() {
    let (issuer, verifier) = remote();
    let token = issuer.mint().audience(AUDIENCE).expires_in(Duration::from_secs(9999)).sign();
    assert!(verifier.verify(&token).await.is_ok());
    issuer.revoke(&issuer.kid());
    issuer.rotate();
    issuer.clock().advance(Duration::from_secs(5000));
    assert_eq!(verifier.verify_local(&token), Err(VerifyError::KeysUnavailable));
    assert_eq!(verifier.verify(&token).await, Err(VerifyError::UnknownKey));
}

/// A verifier that fetches its keys when it is asked, and at whose source one request may wait.
fn crowded() -> (TestIssuer, Verifier) {
    let issuer = TestIssuer::new(NAME);
    let source = JwksSource::issuer(NAME).fetch(Arc::new(issuer.clone())).clock(issuer.clock());
    let source = source.without_task().max_waiters(1).build().unwrap();
    let rules = Issuer::new(NAME, source).audience(AUDIENCE);
    let verifier = Verifier::builder().issuer(rules).clock(issuer.clock()).build().unwrap();
    (issuer, verifier)
}

#[tokio::test(start_paused = true)]
async fn overdue_keys_are_not_trusted_because_too_many_wait() {
    let (issuer, verifier) = crowded();
    let stolen = issuer.kid();
    assert!(verifier.verify(&token(&issuer)).await.is_ok());
    issuer.rotate();
    issuer.revoke(&stolen);
    issuer.clock().advance(Duration::from_secs(8 * 3600));
    issuer.slow(Duration::from_secs(2));
    let first = issuer.mint().audience(AUDIENCE).signed_by(&stolen).sign();
    let forged = issuer.mint().audience(AUDIENCE).signed_by(&stolen).subject("user:2").sign();
    let (first, forged) = tokio::join!(verifier.verify(&first), verifier.verify(&forged));
    assert_eq!(first, Err(VerifyError::UnknownKey));
    assert_eq!(forged, Err(VerifyError::KeysUnavailable));
}

#[tokio::test(start_paused = true)]
async fn a_new_key_that_nobody_can_ask_for_because_too_many_wait_is_a_503() {
    let (issuer, verifier) = crowded();
    let old = issuer.kid();
    assert!(verifier.verify(&token(&issuer)).await.is_ok());
    issuer.clock().advance(Duration::from_secs(60));
    issuer.rotate();
    issuer.slow(Duration::from_secs(2));
    let stray = issuer.mint().audience(AUDIENCE).header("kid", "nobody").sign();
    let wrong = issuer.mint().audience(AUDIENCE).header("kid", old).sign();
    let good = token(&issuer);
    let (stray, good, wrong) =
        tokio::join!(verifier.verify(&stray), verifier.verify(&good), verifier.verify(&wrong));
    assert_eq!(stray, Err(VerifyError::UnknownKey));
    assert_eq!(good, Err(VerifyError::KeysUnavailable));
    // The key is there, and the token is not its.
    assert_eq!(wrong, Err(VerifyError::Signature));
}

#[tokio::test(start_paused = true)]
async fn a_new_key_during_an_outage_is_a_503_and_a_random_one_in_good_times_a_401() {
    let (issuer, verifier) = crowded();
    assert!(verifier.verify(&token(&issuer)).await.is_ok());
    let stray = |at: u32| issuer.mint().audience(AUDIENCE).header("kid", format!("k{at}")).sign();
    for at in 0..9 {
        issuer.clock().advance(Duration::from_secs(10));
        assert_eq!(verifier.verify(&stray(at)).await, Err(VerifyError::UnknownKey));
    }
    issuer.clock().advance(Duration::from_secs(60));
    issuer.rotate();
    issuer.outage();
    let fetches = issuer.fetches();
    for _ in 0..20 {
        let good = verifier.verify(&token(&issuer)).await;
        assert_eq!(good, Err(VerifyError::KeysUnavailable));
    }
    assert_eq!(issuer.fetches(), fetches + 1);
    issuer.recover();
    issuer.clock().advance(Duration::from_secs(40));
    assert!(verifier.verify(&token(&issuer)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn withdrawing_the_last_key_takes_effect() {
    let (issuer, verifier) = crowded();
    let stolen = issuer.kid();
    assert!(verifier.verify(&token(&issuer)).await.is_ok());
    issuer.revoke(&stolen);
    issuer.clock().advance(Duration::from_secs(1800));
    let mint = || issuer.mint().audience(AUDIENCE).signed_by(&stolen).sign();
    assert!(verifier.verify(&mint()).await.is_ok());
    for _ in 0..30 {
        issuer.clock().advance(Duration::from_secs(1800));
        assert_eq!(verifier.verify(&mint()).await, Err(VerifyError::KeysUnavailable));
    }
    issuer.rotate();
    issuer.clock().advance(Duration::from_secs(1800));
    assert!(verifier.verify(&token(&issuer)).await.is_ok());
}

/// Answers about opaque credentials, and counts.
#[derive(Default)]
struct Asked {
    calls: AtomicUsize,
    down: std::sync::atomic::AtomicBool,
}

impl Fetch for Asked {
    fn fetch(&self, request: Request) -> BoxFuture<'_, Result<Response, FetchError>> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let body = String::from_utf8(request.body.unwrap_or_default()).unwrap();
        let answer = if self.down.load(Ordering::SeqCst) {
            Err(FetchError::Failed)
        } else if body.contains("good") {
            let claims = json!({
                "active": true, "sub": "user:7", "aud": AUDIENCE, "scope": "read:files",
                "scopes": ["manage:media"], "tenant_id": "org_1", "exp": 1_750_009_999_u64,
            });
            Ok(Response::new(200, claims.to_string().into_bytes()))
        } else if body.contains("bound") {
            let cnf = json!({"jkt": "somebody"});
            let claims = json!({"active": true, "sub": "user:7", "aud": AUDIENCE, "cnf": cnf,
                "exp": 1_750_009_999_u64});
            Ok(Response::new(200, claims.to_string().into_bytes()))
        } else {
            Ok(Response::new(200, br#"{"active":false}"#.to_vec()))
        };
        Box::pin(async move { answer })
    }
}

fn opaque(issuer: &TestIssuer, asked: &Arc<Asked>, list: &Arc<RevocationList>) -> Verifier {
    let audiences = || Audiences::one_of([AUDIENCE]);
    let rules = KeyRules::new(NAME, audiences()).unwrap();
    let keys = ApiKeys::new(format!("{NAME}/api/sso/v1/apikeys/verify"), rules).unwrap();
    let auth = ClientAuth::basic("me", "secret").unwrap();
    let introspection =
        Introspection::new(format!("{NAME}/introspect"), NAME, audiences(), auth).unwrap();
    let fetch = || Arc::clone(asked) as Arc<dyn Fetch>;
    let limits = Limits::default();
    Verifier::builder()
        .issuer(issuer.issuer().audience(AUDIENCE))
        .clock(issuer.clock())
        .revocation(Arc::clone(list))
        .opaque(Lookup::remote(keys, fetch(), &limits).unwrap())
        .opaque(Lookup::remote(introspection, fetch(), &limits).unwrap())
        .build()
        .unwrap()
}

#[tokio::test(start_paused = true)]
async fn tokens_keys_and_opaque_tokens_give_the_same_principal() {
    let (issuer, asked) = (TestIssuer::new(NAME), Arc::new(Asked::default()));
    let verifier = opaque(&issuer, &asked, &Arc::new(RevocationList::new(10)));
    let scoped = issuer.mint().audience(AUDIENCE).scope("read:files").sign();
    assert!(verifier.verify(&scoped).await.unwrap().can("read", "files"));
    assert_eq!(asked.calls.load(Ordering::SeqCst), 0);
    for presented in [
        Presented::bearer("usso_sk_good0123456789"),
        Presented::api_key("usso_sk_good0123456789"),
        Presented::bearer("opaque-good-0123456789"),
    ] {
        let caller = verifier.verify(presented).await.unwrap();
        assert_eq!((caller.sub.as_str(), caller.kid()), ("user:7", None));
        assert!(caller.can("update", "media") && caller.has_scope("read:files"));
        assert_eq!(verifier.verify_local(presented).unwrap(), caller);
    }
    // The key is the same one wherever it is sent.
    assert_eq!(asked.calls.load(Ordering::SeqCst), 2);
}

#[tokio::test(start_paused = true)]
async fn a_signed_token_is_no_key_although_it_is_sent_as_one() {
    let (issuer, asked) = (TestIssuer::new(NAME), Arc::new(Asked::default()));
    let signed = token(&issuer);
    let plain = issuer.verifier(AUDIENCE);
    let as_key = plain.verify(Presented::api_key(&signed)).await;
    assert_eq!(as_key, Err(VerifyError::Opaque(Error::Unrecognised)));
    let verifier = opaque(&issuer, &asked, &Arc::new(RevocationList::new(10)));
    let as_key = verifier.verify(Presented::api_key(&signed)).await;
    assert_eq!(as_key, Err(VerifyError::Opaque(Error::Unrecognised)));
    assert_eq!(asked.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn what_an_issuer_vouches_for_is_judged_against_the_request_and_the_revocations() {
    let (issuer, asked) = (TestIssuer::new(NAME), Arc::new(Asked::default()));
    let list = Arc::new(RevocationList::new(10));
    let verifier = opaque(&issuer, &asked, &list);
    let good = Presented::bearer("opaque-good-0123456789");
    assert!(verifier.verify(good.tenant("org_1")).await.is_ok());
    assert_eq!(verifier.verify(good.tenant("org_2")).await, Err(VerifyError::Tenant));
    let bound = verifier.verify("opaque-bound-0123456789").await;
    assert_eq!(bound, Err(VerifyError::Binding));
    let now = issuer.clock().now();
    list.add(NAME, Revoked::Subject("user:7".into(), now + 1), now + 9999, now).unwrap();
    assert_eq!(verifier.verify(good).await, Err(VerifyError::Revoked));
}

#[tokio::test(start_paused = true)]
async fn an_opaque_credential_is_judged_by_the_time_that_was_asked_for() {
    let (issuer, asked) = (TestIssuer::new(NAME), Arc::new(Asked::default()));
    let list = Arc::new(RevocationList::new(10));
    let verifier = opaque(&issuer, &asked, &list);
    let good = "opaque-good-0123456789";
    assert!(verifier.verify(good).await.is_ok());
    let now = issuer.clock().now();
    // Its issuer gave it an end; what it vouches for has no leeway.
    assert!(verifier.verify_at(good, 1_750_009_998).is_ok());
    assert_eq!(verifier.verify_at(good, 1_750_009_999), Err(VerifyError::Expired));
    list.add(NAME, Revoked::Subject("user:7".into(), now + 1), now + 100, now).unwrap();
    assert_eq!(verifier.verify_at(good, now + 99), Err(VerifyError::Revoked));
    assert!(verifier.verify_at(good, now + 100).is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_issuer_that_is_down_is_a_503_and_a_refused_credential_a_401() {
    let (issuer, asked) = (TestIssuer::new(NAME), Arc::new(Asked::default()));
    let verifier = opaque(&issuer, &asked, &Arc::new(RevocationList::new(10)));
    let refused = verifier.verify("opaque-evil-0123456789").await.unwrap_err();
    assert_eq!((refused, refused.status()), (VerifyError::Opaque(Error::Inactive), 401));
    asked.down.store(true, Ordering::SeqCst);
    let down = verifier.verify("opaque-other-0123456789").await.unwrap_err();
    assert_eq!((down.code(), down.status()), ("opaque.unavailable", 503));
    assert!(down.challenge_error().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_a_credential_of_these_issuers_is_sent_nowhere() {
    let (issuer, asked) = (TestIssuer::new(NAME), Arc::new(Asked::default()));
    let verifier = opaque(&issuer, &asked, &Arc::new(RevocationList::new(10)));
    for text in ["", "Basic dXNlcjpwYXNzd29yZA==", "a b", "a.b.c", "..", "\u{e9}", "x\r\ny"] {
        assert!(verifier.verify(text).await.is_err(), "{text:?}");
        assert!(verifier.verify(Presented::api_key(text)).await.is_err(), "{text:?}");
    }
    assert_eq!(asked.calls.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn the_form_that_never_waits_says_that_nobody_was_asked() {
    let (issuer, asked) = (TestIssuer::new(NAME), Arc::new(Asked::default()));
    let verifier = opaque(&issuer, &asked, &Arc::new(RevocationList::new(10)));
    let verdict = verifier.verify_local("opaque-good-0123456789");
    let not_asked = VerifyError::Opaque(Error::Unavailable(Reason::NotAsked));
    assert_eq!(verdict, Err(not_asked));
    assert_eq!(asked.calls.load(Ordering::SeqCst), 0);
}

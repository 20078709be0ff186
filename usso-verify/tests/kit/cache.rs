//! The cache of verified tokens.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use usso_verify::{
    Clock, Issuer, KeySet, KeySource, Observer, Seen, TokenCache, Verifier, VerifyError,
};

use crate::*;

#[test]
fn a_token_that_expires_while_it_is_remembered_is_refused() {
    let issuer = issuer();
    let verifier = issuer.verifier(AUDIENCE);
    let token = issuer.mint().audience(AUDIENCE).expires_in(Duration::from_secs(100)).sign();
    assert!(verifier.verify_local(&token).is_ok());
    issuer.clock().advance(Duration::from_secs(129));
    assert!(verifier.verify_local(&token).is_ok());
    issuer.clock().advance(Duration::from_secs(1));
    assert_eq!(verifier.verify_local(&token), Err(VerifyError::Expired));
}

#[test]
fn a_remembered_token_is_not_good_before_its_time_when_the_clock_is_set_back() {
    let issuer = issuer();
    let verifier = issuer.verifier(AUDIENCE);
    let token = issuer.mint().audience(AUDIENCE).sign();
    assert!(verifier.verify_local(&token).is_ok());
    issuer.clock().set(issuer.clock().now() - 31);
    assert_eq!(verifier.verify_local(&token), Err(VerifyError::NotYetValid));
}

#[test]
fn a_key_that_is_withdrawn_takes_its_remembered_tokens_along() {
    let issuer = issuer();
    let verifier = issuer.verifier(AUDIENCE);
    let old = issuer.kid();
    let token = issuer.mint().audience(AUDIENCE).sign();
    for _ in 0..3 {
        assert!(verifier.verify_local(&token).is_ok());
    }
    issuer.rotate();
    assert!(verifier.verify_local(&token).is_ok());
    issuer.revoke(&old);
    assert_eq!(verifier.verify_local(&token), Err(VerifyError::UnknownKey));
}

#[test]
fn t16_no_two_tokens_share_a_verdict() {
    let issuer = issuer();
    let verifier = issuer.verifier(AUDIENCE);
    let good = issuer.mint().audience(AUDIENCE).sign();
    for _ in 0..3 {
        assert!(verifier.verify_local(&good).is_ok());
    }
    for at in 0..good.len() {
        let mut forged = good.clone().into_bytes();
        forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
        let forged = String::from_utf8(forged).unwrap();
        assert!(verifier.verify_local(&forged).is_err(), "{at}");
        assert!(verifier.verify_local(&good).is_ok(), "{at}");
    }
    assert_eq!(verifier.cached_tokens(), 1);
}

#[test]
fn refused_tokens_take_no_room() {
    let issuer = issuer();
    let verifier = issuer.verifier(AUDIENCE);
    for malformed in issuer.malformed(AUDIENCE) {
        assert!(verifier.verify_local(&malformed.token).is_err(), "{}", malformed.why);
    }
    assert_eq!(verifier.cached_tokens(), 0);
}

#[test]
fn entries_and_bytes_are_bounded() {
    let issuer = issuer();
    let build = |cache| {
        let verifier = Verifier::builder().issuer(issuer.issuer().audience(AUDIENCE));
        verifier.clock(issuer.clock()).token_cache(cache).build().unwrap()
    };
    let (few, small) =
        (build(TokenCache::new().entries(100)), build(TokenCache::new().bytes(100_000)));
    for _ in 0..1000 {
        let token = issuer.mint().audience(AUDIENCE).sign();
        assert!(few.verify_local(&token).is_ok() && small.verify_local(&token).is_ok());
    }
    // An eighth more may be there, because the parts of the cache fill unevenly.
    assert!((50..=113).contains(&few.cached_tokens()), "{}", few.cached_tokens());
    // A token and its claims take more than a kilobyte.
    assert!((10..=100).contains(&small.cached_tokens()), "{}", small.cached_tokens());
}

#[test]
fn a_token_over_the_limit_is_verified_and_not_remembered() {
    let issuer = issuer();
    let cache = TokenCache::new().max_token_bytes(1000);
    let verifier = Verifier::builder().issuer(issuer.issuer().audience(AUDIENCE));
    let verifier = verifier.clock(issuer.clock()).token_cache(cache).build().unwrap();
    let token = issuer.mint().audience(AUDIENCE).claim("padding", "x".repeat(1000)).sign();
    assert!(verifier.verify_local(&token).is_ok());
    assert_eq!(verifier.cached_tokens(), 0);
}

#[test]
fn a_cache_that_is_off_or_cleared_is_empty() {
    let issuer = issuer();
    let verifier = Verifier::builder().issuer(issuer.issuer().audience(AUDIENCE));
    let off = verifier.clock(issuer.clock()).token_cache(TokenCache::off()).build().unwrap();
    let token = issuer.mint().audience(AUDIENCE).sign();
    assert!(off.verify_local(&token).is_ok());
    assert_eq!(off.cached_tokens(), 0);
    let on = issuer.verifier(AUDIENCE);
    assert!(on.verify_local(&token).is_ok());
    assert_eq!(on.cached_tokens(), 1);
    on.clear_cache();
    assert_eq!(on.cached_tokens(), 0);
}

#[test]
fn a_signature_is_verified_again_after_five_minutes() {
    /// Keys that change without saying so.
    struct Silent(Arc<std::sync::Mutex<Arc<KeySet>>>);
    impl KeySource for Silent {
        fn keys(&self, _now: u64) -> Option<Arc<KeySet>> {
            Some(Arc::clone(&self.0.lock().unwrap()))
        }
        fn generation(&self, _now: u64) -> Option<u64> {
            Some(0)
        }
    }
    let issuer = issuer();
    let keys = Arc::new(std::sync::Mutex::new(Arc::new(issuer.keys())));
    let silent = Issuer::new("https://sso.example", Silent(Arc::clone(&keys))).audience(AUDIENCE);
    let verifier = Verifier::builder().issuer(silent).clock(issuer.clock()).build().unwrap();
    let token = issuer.mint().audience(AUDIENCE).sign();
    assert!(verifier.verify_local(&token).is_ok());
    *keys.lock().unwrap() = Arc::new(KeySet::default());
    issuer.clock().advance(Duration::from_secs(299));
    assert!(verifier.verify_local(&token).is_ok());
    issuer.clock().advance(Duration::from_secs(1));
    assert_eq!(verifier.verify_local(&token), Err(VerifyError::UnknownKey));
}

/// Counts the tokens that were remembered, and the others.
#[derive(Clone, Default)]
struct Hits(Arc<std::sync::Mutex<(usize, usize)>>);

impl Observer for Hits {
    fn verified(&self, seen: &Seen<'_>) {
        let mut counts = self.0.lock().unwrap();
        if seen.remembered { counts.0 += 1 } else { counts.1 += 1 }
    }
}

#[test]
fn a_busy_token_is_remembered_again_after_its_five_minutes_and_after_a_rotation() {
    let (issuer, hits) = (issuer(), Hits::default());
    let verifier = Verifier::builder()
        .issuer(issuer.issuer().audience(AUDIENCE))
        .clock(issuer.clock())
        .observer(hits.clone())
        .build()
        .unwrap();
    let token = issuer.mint().audience(AUDIENCE).sign();
    for step in 0..3 {
        for _ in 0..100 {
            assert!(verifier.verify_local(&token).is_ok());
        }
        assert_eq!(*hits.0.lock().unwrap(), (99 * (step + 1), step + 1), "{step}");
        match step {
            0 => issuer.clock().advance(Duration::from_secs(301)),
            _ => _ = issuer.rotate(),
        }
    }
}

#[test]
fn claims_that_take_more_room_than_their_text_count_as_much() {
    let issuer = issuer();
    let cache = TokenCache::new().bytes(1 << 20);
    let verifier = Verifier::builder().issuer(issuer.issuer().audience(AUDIENCE));
    let verifier = verifier.clock(issuer.clock()).token_cache(cache).build().unwrap();
    let bloated = json!(vec![json!({"": 0}); 500]);
    for _ in 0..50 {
        let token = issuer.mint().audience(AUDIENCE).claim("x", bloated.clone()).sign();
        assert!(verifier.verify_local(&token).is_ok());
    }
    // Each takes about 350 KiB.
    assert!(verifier.cached_tokens() <= 4, "{}", verifier.cached_tokens());
}

#[test]
fn many_threads_with_few_tokens_all_get_their_own_claims() {
    let issuer = issuer();
    let verifier = issuer.verifier(AUDIENCE);
    let token = |at: usize| issuer.mint().audience(AUDIENCE).subject(&format!("user:{at}")).sign();
    let tokens: Vec<String> = (0..200).map(token).collect();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (verifier, tokens) = (&verifier, &tokens);
            scope.spawn(move || {
                for round in 0..2000 {
                    let at = (round * 7 + thread * 13) % tokens.len();
                    let caller = verifier.verify_local(&tokens[at]).unwrap();
                    assert_eq!(caller.sub, format!("user:{at}"));
                }
            });
        }
    });
    assert!(issuer.clock().now() > 0);
}

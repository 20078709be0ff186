//! Whose tokens are accepted, and settings that make no sense (attack T11).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use usso_verify::{
    Algorithm, ConfigError, Issuer, Jwk, KeySet, KeySource, Verifier, VerifyError, VerifyingKey,
};

use crate::support::*;

fn built(issuer: Issuer) -> Option<ConfigError> {
    builder(issuer).build().err()
}

fn bare() -> Issuer {
    Issuer::new(ISSUER, Arc::new(KeySet::default()))
}

/// The key of `signer` under a name both tenants use.
fn named(signer: &Signer, kid: &str) -> VerifyingKey {
    let jwk = patched(serde_json::to_value(signer.key().to_jwk()).unwrap(), json!({"kid": kid}));
    VerifyingKey::from_jwk(&serde_json::from_value::<Jwk>(jwk).unwrap()).unwrap()
}

#[test]
fn t11_the_key_of_one_tenant_does_not_sign_for_another() {
    let (a, b) = (Signer::ed25519(1), Signer::ed25519(2));
    let tenant = |name: &str, signer: &Signer| {
        Issuer::new(name, Arc::new(KeySet::new(vec![named(signer, "1")]))).audience(AUDIENCE)
    };
    let both = Verifier::builder().issuer(tenant("https://a", &a)).issuer(tenant("https://b", &b));
    let both = both.build().unwrap();
    let header = json!({"alg": "EdDSA", "kid": "1", "typ": "at+jwt"}).to_string();
    let verdict = |signer: &Signer, iss: &str| {
        let token = signer.mint_text(&header, &claims(json!({"iss": iss})).to_string());
        both.verify_at(&token, NOW).map(|user| user.iss.clone())
    };
    assert_eq!(verdict(&a, "https://a").as_deref(), Ok("https://a"));
    assert_eq!(verdict(&b, "https://b").as_deref(), Ok("https://b"));
    assert_eq!(verdict(&a, "https://b"), Err(VerifyError::Signature));
    assert_eq!(verdict(&b, "https://a"), Err(VerifyError::Signature));
}

#[test]
fn t11_the_rules_of_one_issuer_do_not_apply_to_another() {
    let signer = Signer::ed25519(1);
    let keys = || Arc::new(KeySet::new(vec![signer.key()]));
    let lax = Issuer::new("https://lax", keys()).any_audience().token_types(&["JWT", "at+jwt"]);
    let strict = Issuer::new("https://strict", keys()).audience(AUDIENCE);
    let both = Verifier::builder().issuer(lax).issuer(strict).build().unwrap();
    let verdict = |iss: &str| {
        let token = signer.mint(&claims(json!({"iss": iss, "aud": "other"})));
        both.verify_at(&token, NOW).map(|user| user.iss.clone())
    };
    assert!(verdict("https://lax").is_ok());
    assert_eq!(verdict("https://strict"), Err(VerifyError::Audience));
}

#[test]
fn an_unknown_issuer_is_refused_before_any_key_is_asked_for() {
    struct Spy(Arc<Mutex<u32>>);
    impl KeySource for Spy {
        fn keys(&self, _now: u64) -> Option<Arc<KeySet>> {
            *self.0.lock().unwrap() += 1;
            Some(Arc::new(KeySet::default()))
        }
        fn generation(&self, _now: u64) -> Option<u64> {
            Some(0)
        }
    }
    let (signer, asked) = (Signer::ed25519(1), Arc::new(Mutex::new(0)));
    let issuer = Issuer::new(ISSUER, Spy(Arc::clone(&asked))).audience(AUDIENCE);
    let verifier = builder(issuer).build().unwrap();
    let verdict = |iss: &str| verifier.verify_at(&signer.mint(&claims(json!({"iss": iss}))), NOW);
    assert_eq!(verdict("https://evil.test"), Err(VerifyError::UnknownIssuer));
    assert_eq!(*asked.lock().unwrap(), 0);
    assert_eq!(verdict(ISSUER), Err(VerifyError::UnknownKey));
    assert_eq!(*asked.lock().unwrap(), 1);
}

#[test]
fn a_rotation_is_seen_by_every_clone_of_the_verifier() {
    struct Rotating(Arc<Mutex<Arc<KeySet>>>);
    impl KeySource for Rotating {
        fn keys(&self, _now: u64) -> Option<Arc<KeySet>> {
            Some(Arc::clone(&self.0.lock().unwrap()))
        }
        fn generation(&self, _now: u64) -> Option<u64> {
            Some(0)
        }
    }
    let (old, new) = (Signer::ed25519(1), Signer::ed25519(2));
    let keys = Arc::new(Mutex::new(Arc::new(KeySet::new(vec![old.key()]))));
    let issuer = Issuer::new(ISSUER, Rotating(Arc::clone(&keys))).audience(AUDIENCE);
    let verifier = builder(issuer).build().unwrap();
    let clone = verifier.clone();
    *keys.lock().unwrap() = Arc::new(KeySet::new(vec![new.key()]));
    let (old, new) = (old.mint(&claims(json!({}))), new.mint(&claims(json!({}))));
    for verifier in [verifier, clone] {
        assert_eq!(verifier.verify_at(&old, NOW), Err(VerifyError::UnknownKey));
        assert!(verifier.verify_at(&new, NOW).is_ok());
    }
}

#[test]
fn any_audience_accepts_a_token_for_others_and_one_for_nobody() {
    let signer = Signer::ed25519(1);
    let any = Issuer::new(ISSUER, Arc::new(KeySet::new(vec![signer.key()]))).any_audience();
    let any = builder(any).build().unwrap();
    for aud in [json!("other"), json!(["a", "b"]), json!([]), json!(null)] {
        assert!(any.verify_at(&signer.mint(&claims(json!({"aud": aud}))), NOW).is_ok(), "{aud}");
    }
    let wrong = signer.mint(&claims(json!({"aud": 1})));
    assert_eq!(any.verify_at(&wrong, NOW), Err(VerifyError::ClaimInvalid("aud")));
}

#[test]
fn an_issuer_that_does_not_say_its_audience_is_refused() {
    let missing = Some(ConfigError::AudienceMissing(ISSUER.to_owned()));
    assert_eq!(built(bare()), missing);
    assert_eq!(built(bare().audiences([""; 0])), missing);
    assert_eq!(built(bare().audience("")), missing);
    assert_eq!(built(bare().audiences(["api", ""])), missing);
    assert_eq!(built(bare().audience("api")), None);
    assert_eq!(built(bare().any_audience()), None);
}

#[test]
fn an_issuer_that_contradicts_itself_or_accepts_nothing_is_refused() {
    let name = || ISSUER.to_owned();
    for contradiction in [bare().audience("a").any_audience(), bare().any_audience().audience("a")]
    {
        assert_eq!(built(contradiction), Some(ConfigError::AudienceContradiction(name())));
    }
    let no_algorithm = bare().any_audience().algorithms(&[]);
    assert_eq!(built(no_algorithm), Some(ConfigError::AlgorithmsEmpty(name())));
    let no_type = bare().any_audience().token_types(&[]);
    assert_eq!(built(no_type), Some(ConfigError::TokenTypesEmpty(name())));
    let unnamed = Issuer::new("", Arc::new(KeySet::default())).any_audience();
    assert_eq!(built(unnamed), Some(ConfigError::IssuerEmpty));
}

#[test]
fn no_issuer_or_two_of_one_name_are_refused() {
    let none = Verifier::builder().build();
    assert_eq!(none.err(), Some(ConfigError::IssuerMissing));
    let twice = Verifier::builder().issuer(bare().audience("a")).issuer(bare().audience("b"));
    assert_eq!(twice.build().err(), Some(ConfigError::IssuerDuplicate(ISSUER.to_owned())));
}

#[test]
fn limits_beyond_their_range_are_refused() {
    let with = || builder(bare().any_audience());
    assert!(with().leeway(Duration::from_secs(120)).build().is_ok());
    let long = with().leeway(Duration::from_millis(120_001)).build();
    assert_eq!(long.err(), Some(ConfigError::LeewayTooLong));
    assert!(with().max_token_bytes(1 << 20).build().is_ok());
    let large = with().max_token_bytes((1 << 20) + 1).build();
    assert_eq!(large.err(), Some(ConfigError::TokenLimitTooLarge));
}

#[test]
fn a_configuration_error_names_the_issuer_and_the_fix() {
    let text = built(bare()).unwrap().to_string();
    assert!(text.contains(ISSUER) && text.contains("`any_audience`"), "{text}");
}

#[test]
fn a_verifier_is_shared_between_threads_and_prints_no_key() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let signer = Signer::new(Algorithm::EdDsa);
    let verifier = signer.verifier();
    shared(&verifier);
    let text = format!("{verifier:?}");
    assert!(text.contains(ISSUER) && !text.contains(signer.key().kid()));
}

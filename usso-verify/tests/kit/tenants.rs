//! Tenants: fixed, of the request, or in the issuer's name.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex};
use std::time::Duration;

use usso_verify::{ConfigError, Issuer, KeySet, Presented, Verifier, VerifyError};

use crate::*;

#[test]
fn t11_a_token_of_another_tenant_is_refused() {
    let issuer = issuer();
    let fixed = issuer.issuer().audience(AUDIENCE).tenant("org_a");
    let fixed = Verifier::builder().issuer(fixed).clock(issuer.clock()).build().unwrap();
    let open = issuer.verifier(AUDIENCE);
    for (tenant, expected) in [("org_a", Ok(())), ("org_b", Err(VerifyError::Tenant))] {
        let token = issuer.mint().audience(AUDIENCE).tenant(tenant).sign();
        assert_eq!(fixed.verify_local(&token).map(drop), expected);
        for _ in 0..2 {
            let presented = Presented::bearer(&token).tenant("org_a");
            assert_eq!(open.verify_local(presented).map(drop), expected);
            assert!(open.verify_local(&token).is_ok());
        }
    }
    let none = issuer.mint().audience(AUDIENCE).sign();
    assert_eq!(fixed.verify_local(&none), Err(VerifyError::Tenant));
}

#[test]
fn a_pattern_accepts_the_tenants_that_there_are_each_with_its_own_keys() {
    let (acme, zeta) =
        (TestIssuer::new("https://acme.sso.example"), TestIssuer::new("https://zeta.sso.example"));
    let known = [acme.clone(), zeta.clone()];
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let verifier = Verifier::builder()
        .tenants("https://{tenant}.sso.example", 10, move |tenant| {
            counter.fetch_add(1, Ordering::SeqCst);
            let name = format!("https://{tenant}.sso.example");
            let found = known.iter().find(|issuer| issuer.jwks_url().starts_with(&name))?;
            Some(found.issuer().audience(AUDIENCE).tenant(format!("org_{tenant}")))
        })
        .clock(acme.clock())
        .build()
        .unwrap();
    let token =
        |issuer: &TestIssuer, tenant: &str| issuer.mint().audience(AUDIENCE).tenant(tenant).sign();
    assert!(verifier.verify_local(&token(&acme, "org_acme")).is_ok());
    assert!(verifier.verify_local(&token(&zeta, "org_zeta")).is_ok());
    assert!(verifier.verify_local(&token(&zeta, "org_zeta")).is_ok());
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    assert_eq!(verifier.verify_local(&token(&zeta, "org_acme")), Err(VerifyError::Tenant));
    let forged = acme.mint().audience(AUDIENCE).claim("iss", "https://zeta.sso.example").sign();
    assert_eq!(verifier.verify_local(&forged), Err(VerifyError::UnknownKey));
}

/// A verifier for tenants that exist while `known` says so, and how many issuers were made.
fn tenants(
    issuer: &TestIssuer,
    capacity: usize,
    known: Arc<AtomicBool>,
) -> (Verifier, Arc<AtomicUsize>) {
    let (made, keys) = (Arc::new(AtomicUsize::new(0)), Arc::new(issuer.keys()));
    let counter = Arc::clone(&made);
    let verifier = Verifier::builder()
        .tenants("https://{tenant}.sso.example", capacity, move |tenant| {
            known.load(Ordering::SeqCst).then(|| {
                counter.fetch_add(1, Ordering::SeqCst);
                let name = format!("https://{tenant}.sso.example");
                Issuer::new(name, Arc::clone(&keys)).audience(AUDIENCE)
            })
        })
        .clock(issuer.clock())
        .build()
        .unwrap();
    (verifier, made)
}

fn of(issuer: &TestIssuer, tenant: &str) -> String {
    let name = format!("https://{tenant}.sso.example");
    issuer.mint().audience(AUDIENCE).claim("iss", name).sign()
}

#[test]
fn a_tenant_that_is_gone_is_refused_within_minutes_or_at_once_after_clearing() {
    let (issuer, known) = (issuer(), Arc::new(AtomicBool::new(true)));
    let (verifier, _) = tenants(&issuer, 10, Arc::clone(&known));
    assert!(verifier.verify_local(&of(&issuer, "a")).is_ok());
    known.store(false, Ordering::SeqCst);
    assert!(verifier.verify_local(&of(&issuer, "a")).is_ok());
    issuer.clock().advance(Duration::from_secs(60));
    assert_eq!(verifier.verify_local(&of(&issuer, "a")), Err(VerifyError::UnknownIssuer));
    known.store(true, Ordering::SeqCst);
    assert!(verifier.verify_local(&of(&issuer, "a")).is_ok());
    known.store(false, Ordering::SeqCst);
    verifier.clear_cache();
    assert_eq!(verifier.verify_local(&of(&issuer, "a")), Err(VerifyError::UnknownIssuer));
}

#[test]
fn as_many_tenants_as_there_is_room_for_come_in_at_once_and_their_tokens_are_remembered() {
    for count in [1, 2, 100, 1000] {
        let (issuer, known) = (issuer(), Arc::new(AtomicBool::new(true)));
        let (verifier, _) = tenants(&issuer, count, known);
        let tokens: Vec<_> = (0..count).map(|at| of(&issuer, &format!("t{at}"))).collect();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for token in &tokens {
                        assert!(verifier.verify_local(token).is_ok());
                    }
                });
            }
        });
        assert_eq!(verifier.cached_tokens(), count);
    }
}

#[test]
fn those_who_find_a_tenant_at_once_count_as_one() {
    let (issuer, together) = (issuer(), Arc::new(Barrier::new(8)));
    let (keys, all) = (Arc::new(issuer.keys()), Arc::clone(&together));
    let verifier = Verifier::builder()
        .tenants("https://{tenant}.sso.example", 1, move |_| {
            all.wait();
            Some(Issuer::new("https://a.sso.example", Arc::clone(&keys)).audience(AUDIENCE))
        })
        .clock(issuer.clock())
        .build()
        .unwrap();
    let token = of(&issuer, "a");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| assert!(verifier.verify_local(&token).is_ok()));
        }
    });
}

#[test]
fn the_keys_of_tenants_that_were_pushed_out_are_let_go() {
    let (issuer, held) = (issuer(), Arc::new(Mutex::new(Vec::new())));
    let (keys, list) = (issuer.keys(), Arc::clone(&held));
    let verifier = Verifier::builder()
        .tenants("https://{tenant}.sso.example", 40, move |tenant| {
            let own = Arc::new(keys.clone());
            list.lock().unwrap().push(Arc::downgrade(&own));
            let name = format!("https://{tenant}.sso.example");
            Some(Issuer::new(name, own).audience(AUDIENCE))
        })
        .clock(issuer.clock())
        .build()
        .unwrap();
    for at in 0..400 {
        assert!(verifier.verify_local(&of(&issuer, &format!("t{at}"))).is_ok());
        if at % 40 == 39 {
            issuer.clock().advance(Duration::from_secs(30));
        }
    }
    let alive = held.lock().unwrap().iter().filter(|keys| keys.strong_count() > 0).count();
    assert!(alive <= 64, "{alive}");
}

#[test]
fn more_tenants_than_there_is_room_for_come_in_slowly() {
    let (issuer, known) = (issuer(), Arc::new(AtomicBool::new(true)));
    let (verifier, _) = tenants(&issuer, 5, known);
    let stranger = TestIssuer::new("https://evil.example");
    let mut busy = 0;
    for at in 0..100 {
        match verifier.verify_local(&of(&stranger, &format!("t{at}"))) {
            Err(VerifyError::UnknownKey) => {}
            Err(VerifyError::KeysUnavailable) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(busy, 95);
    issuer.clock().advance(Duration::from_secs(30));
    assert!(verifier.verify_local(&of(&issuer, "real")).is_ok());
}

#[test]
fn a_name_that_only_resembles_the_pattern_never_reaches_the_resolver() {
    let issuer = issuer();
    let verifier = Verifier::builder()
        .tenants("https://{tenant}.sso.example", 10, |tenant| panic!("asked for {tenant}"))
        .build()
        .unwrap();
    for name in [
        "https://.sso.example",
        "https://a.b.sso.example",
        "https://a/b.sso.example",
        "https://A.sso.example",
        "https://a_b.sso.example",
        "https://-a.sso.example",
        "https://a-.sso.example",
        "https://evil.example#.sso.example",
        "https://evil.example/?.sso.example",
        "https://a.sso.example/",
        "https://a.sso.example.evil.test",
        "http://a.sso.example",
        "https://ä.sso.example",
        "https://a%2e.sso.example",
        "https://a@b.sso.example",
    ]
    .into_iter()
    .map(str::to_owned)
    .chain([format!("https://{}.sso.example", "a".repeat(64))])
    {
        let token = issuer.mint().audience(AUDIENCE).claim("iss", name.clone()).sign();
        assert_eq!(verifier.verify_local(&token), Err(VerifyError::UnknownIssuer), "{name}");
    }
}

#[test]
fn a_resolver_that_names_another_issuer_is_not_believed() {
    let issuer = issuer();
    let keys = Arc::new(issuer.keys());
    let verifier = Verifier::builder()
        .tenants("https://{tenant}.sso.example", 10, move |_| {
            Some(Issuer::new("https://sso.example", Arc::clone(&keys)).audience(AUDIENCE))
        })
        .clock(issuer.clock())
        .build()
        .unwrap();
    let token = issuer.mint().audience(AUDIENCE).claim("iss", "https://a.sso.example").sign();
    assert_eq!(verifier.verify_local(&token), Err(VerifyError::UnknownIssuer));
}

#[test]
fn a_pattern_without_one_placeholder_in_an_address_is_refused() {
    for pattern in ["", "{tenant}", "https://sso.example", "https://{tenant}.{tenant}.example"]
        .into_iter()
        .chain(["{tenant}://x", "ftp://{tenant}.example"])
    {
        let built = Verifier::builder().tenants(pattern, 10, |_| None).build();
        assert!(matches!(built, Err(ConfigError::PatternInvalid(_))), "{pattern}");
    }
    assert!(Verifier::builder().tenants("https://{tenant}.a", 0, |_| None).build().is_err());
    let keys = Arc::new(KeySet::default());
    let fixed = Issuer::new("https://sso.example", keys).audience(AUDIENCE);
    assert!(Verifier::builder().issuer(fixed).build().is_ok());
}

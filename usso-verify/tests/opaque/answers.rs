//! What is remembered, for how long, and when nothing is asked.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use usso_verify::opaque::*;
use usso_verify::{FetchError, UserData};

use crate::support::*;

const OUTAGE: Error = Error::Unavailable(Reason::Fetch(FetchError::Failed));

fn answers() -> Answers {
    Answers::new(&Limits::default()).unwrap()
}

fn ask(answers: &Answers, token: &str, now: u64) -> Ticket {
    let upstream = introspection();
    match answers.start(&upstream.credential(token, Origin::Bearer).unwrap(), now) {
        Ok(Step::Ask(ticket)) => ticket,
        other => panic!("{other:?}"),
    }
}

fn learn(answers: &Answers, token: &str, answer: Result<UserData, Error>, now: u64) {
    let _ = answers.finish(ask(answers, token, now), answer, now);
}

fn recall(answers: &Answers, token: &str, now: u64) -> Option<Result<Arc<UserData>, Error>> {
    let upstream = introspection();
    answers.recall(&upstream.credential(token, Origin::Bearer).unwrap(), now)
}

fn start(answers: &Answers, token: &str, now: u64) -> Result<Step, Error> {
    let upstream = introspection();
    answers.start(&upstream.credential(token, Origin::Bearer).unwrap(), now)
}

#[test]
fn an_accepted_token_is_known_for_a_minute() {
    let answers = answers();
    learn(&answers, "a", Ok(user(json!({}))), NOW);
    assert!(matches!(start(&answers, "a", NOW), Ok(Step::Known(_))));
    assert!(recall(&answers, "a", NOW + 59).is_some());
    assert!(recall(&answers, "a", NOW + 60).is_none());
    assert!(recall(&answers, "a", NOW - 1).is_none(), "a clock that was set back");
    assert!(recall(&answers, "b", NOW).is_none());
}

#[test]
fn nothing_is_known_beyond_its_exp() {
    let answers = answers();
    learn(&answers, "a", Ok(user(json!({"exp": NOW + 5}))), NOW);
    assert!(recall(&answers, "a", NOW + 4).is_some());
    assert!(recall(&answers, "a", NOW + 5).is_none());
}

#[test]
fn a_refusal_is_known_for_ten_seconds() {
    let answers = answers();
    learn(&answers, "a", Err(Error::Inactive), NOW);
    assert_eq!(recall(&answers, "a", NOW + 9), Some(Err(Error::Inactive)));
    assert_eq!(start(&answers, "a", NOW + 9).err(), Some(Error::Inactive));
    assert!(recall(&answers, "a", NOW + 10).is_none());
}

#[test]
fn the_newest_verdict_counts() {
    let answers = answers();
    learn(&answers, "a", Err(Error::Inactive), NOW);
    learn(&answers, "a", Ok(user(json!({}))), NOW + 10);
    assert!(recall(&answers, "a", NOW + 10).unwrap().is_ok());
    learn(&answers, "a", Err(Error::Inactive), NOW + 70);
    assert_eq!(recall(&answers, "a", NOW + 70), Some(Err(Error::Inactive)));
    let other_way = self::answers();
    let (first, second) = (ask(&other_way, "a", NOW), ask(&other_way, "a", NOW));
    let _ = other_way.finish(first, Ok(user(json!({}))), NOW);
    let _ = other_way.finish(second, Err(Error::Inactive), NOW);
    assert_eq!(recall(&other_way, "a", NOW), Some(Err(Error::Inactive)));
}

#[test]
fn trouble_is_not_remembered() {
    let answers = answers();
    for error in [OUTAGE, ODD] {
        learn(&answers, "a", Err(error), NOW);
        assert!(recall(&answers, "a", NOW).is_none());
    }
}

#[test]
fn lives_of_zero_remember_nothing() {
    let mut limits = Limits::default();
    (limits.positive_life, limits.negative_life) = (Duration::ZERO, Duration::ZERO);
    let answers = Answers::new(&limits).unwrap();
    learn(&answers, "a", Ok(user(json!({}))), NOW);
    learn(&answers, "b", Err(Error::Inactive), NOW);
    let status = answers.status(NOW);
    assert_eq!((status.positive, status.negative), (0, 0));
}

#[test]
fn guesses_push_out_guesses_only_and_memory_is_bounded() {
    let mut limits = Limits::default();
    (limits.positive_entries, limits.negative_entries) = (100, 100);
    let answers = Answers::new(&limits).unwrap();
    for name in 0..50 {
        learn(&answers, &format!("good{name}"), Ok(user(json!({}))), NOW);
    }
    for name in 0..2000 {
        learn(&answers, &format!("bad{name}"), Err(Error::Inactive), NOW);
    }
    assert!((0..50).all(|name| recall(&answers, &format!("good{name}"), NOW).is_some()));
    assert!((1..=130).contains(&answers.status(NOW).negative));
    for name in 0..2000 {
        learn(&answers, &format!("more{name}"), Ok(user(json!({}))), NOW);
    }
    assert!((1..=130).contains(&answers.status(NOW).positive));
}

#[test]
fn too_many_requests_under_way_are_refused_until_one_ends() {
    let mut limits = Limits::default();
    limits.concurrency = 2;
    let answers = Answers::new(&limits).unwrap();
    let (first, second) = (ask(&answers, "a", NOW), ask(&answers, "b", NOW));
    assert_eq!(answers.status(NOW).under_way, 2);
    let overloaded = Some(Error::Unavailable(Reason::Overloaded));
    assert_eq!(start(&answers, "c", NOW).err(), overloaded);
    drop(first);
    let third = ask(&answers, "c", NOW);
    let _ = answers.finish(second, Err(Error::Inactive), NOW);
    assert_eq!(start(&answers, "b", NOW).err(), Some(Error::Inactive));
    drop((third, ask(&answers, "d", NOW)));
    assert_eq!((answers.status(NOW).under_way, answers.status(NOW).overloaded), (0, 1));
}

fn outage(error: Error) -> Answers {
    let answers = answers();
    for _ in 0..5 {
        learn(&answers, "x", Err(error), NOW);
    }
    answers
}

#[test]
fn after_five_outages_the_issuer_rests_and_then_is_tried_once() {
    let answers = outage(OUTAGE);
    let resting = Some(Error::Unavailable(Reason::Resting));
    for now in [NOW, NOW + 4] {
        assert_eq!(start(&answers, "a", now).err(), resting);
        assert!(answers.status(now).resting);
    }
    let trial = ask(&answers, "a", NOW + 5);
    assert_eq!(start(&answers, "b", NOW + 5).err(), resting);
    let _ = answers.finish(trial, Err(OUTAGE), NOW + 7);
    assert_eq!(start(&answers, "b", NOW + 11).err(), resting);
    let _ = answers.finish(ask(&answers, "b", NOW + 12), Err(Error::Inactive), NOW + 12);
    assert!(!answers.status(NOW + 12).resting);
    for name in ["c", "d", "e"] {
        drop(ask(&answers, name, NOW + 12));
    }
    assert_eq!(answers.status(NOW).rested, 4);
}

#[test]
fn a_trial_without_result_is_repeated_and_a_clock_set_back_ends_the_rest() {
    let answers = outage(OUTAGE);
    drop(ask(&answers, "a", NOW + 5));
    drop(ask(&answers, "a", NOW + 10));
    drop(ask(&outage(OUTAGE), "a", NOW - 100));
}

#[test]
fn a_verdict_between_them_means_no_outage() {
    let answers = answers();
    for round in 0..10 {
        learn(&answers, "x", Err(OUTAGE), NOW);
        learn(&answers, &format!("y{round}"), Err(Error::Inactive), NOW);
    }
    assert!(!answers.status(NOW).resting);
}

/// Five credentials that the issuer answers with 429 or 500 used to shut out everyone.
#[test]
fn an_odd_answer_proves_that_the_issuer_is_up() {
    for reason in [
        Reason::Answer,
        Reason::Client,
        Reason::Status(400),
        Reason::Status(404),
        Reason::Status(429),
        Reason::Status(500),
        Reason::Fetch(FetchError::TooLarge),
    ] {
        let answers = outage(OUTAGE);
        learn(&answers, "x", Err(Error::Unavailable(reason)), NOW + 5);
        assert!(!answers.status(NOW + 5).resting, "{reason:?}");
        assert!(!outage(Error::Unavailable(reason)).status(NOW).resting, "{reason:?}");
    }
    // One key at which the app's own lookup fails must not shut out the others.
    assert!(!outage(Error::Unavailable(Reason::Lookup)).status(NOW).resting);
    for reason in [
        Reason::Status(502),
        Reason::Status(503),
        Reason::Status(504),
        Reason::Fetch(FetchError::TimedOut),
    ] {
        assert!(outage(Error::Unavailable(reason)).status(NOW).resting, "{reason:?}");
    }
}

#[test]
fn a_known_verdict_is_given_while_the_issuer_rests_but_not_longer() {
    let answers = answers();
    learn(&answers, "a", Ok(user(json!({}))), NOW);
    for _ in 0..5 {
        learn(&answers, "x", Err(OUTAGE), NOW + 58);
    }
    assert!(matches!(start(&answers, "a", NOW + 59), Ok(Step::Known(_))));
    drop(ask(&answers, "a", NOW + 60));
    assert_eq!(start(&answers, "a", NOW + 60).err(), Some(Error::Unavailable(Reason::Resting)));
}

#[test]
fn during_a_rest_one_credential_a_second_that_was_accepted_before_is_asked_about() {
    let answers = answers();
    learn(&answers, "good", Ok(user(json!({"exp": NOW + 1}))), NOW);
    learn(&answers, "bad", Err(Error::Inactive), NOW);
    for _ in 0..5 {
        learn(&answers, "x", Err(OUTAGE), NOW + 10);
    }
    let resting = Some(Error::Unavailable(Reason::Resting));
    for token in ["x", "bad", "new"] {
        assert_eq!(start(&answers, token, NOW + 11).err(), resting, "{token}");
    }
    for now in [NOW + 11, NOW + 12] {
        let _ = answers.finish(ask(&answers, "good", now), Err(OUTAGE), now);
        assert_eq!(start(&answers, "good", now).err(), resting);
    }
    learn(&answers, "good", Ok(user(json!({}))), NOW + 13);
    drop(ask(&answers, "new", NOW + 13));
}

#[test]
fn a_reason_not_to_ask_says_nothing_about_the_issuer() {
    for reason in [Reason::NotAsked, Reason::Overloaded, Reason::Resting] {
        let answers = answers();
        for error in [OUTAGE, OUTAGE, OUTAGE, OUTAGE, Error::Unavailable(reason)] {
            learn(&answers, "x", Err(error), NOW);
        }
        assert!(!answers.status(NOW).resting);
        learn(&answers, "x", Err(OUTAGE), NOW);
        assert!(answers.status(NOW).resting, "{reason:?}");
    }
}

/// A body of a few KiB of tiny objects takes megabytes: ten thousand of them took all memory.
#[test]
fn accepted_answers_are_bounded_by_what_they_take() {
    let mut limits = Limits::default();
    limits.positive_bytes = 1 << 20;
    let answers = Answers::new(&limits).unwrap();
    let objects = |count| Ok(user(json!({"x": vec![json!({"": 0}); count]})));
    for name in 0..1000 {
        learn(&answers, &format!("small{name}"), objects(10), NOW);
    }
    // Each takes about ten times 900 bytes.
    assert!((50..=150).contains(&answers.status(NOW).positive), "{:?}", answers.status(NOW));
    learn(&answers, "light", objects(10), NOW);
    learn(&answers, "light", objects(30), NOW + 60);
    assert!(recall(&answers, "light", NOW + 60).is_none(), "heavier than a 64th");
}

#[test]
fn a_list_an_object_and_a_text_all_have_weight() {
    let mut limits = Limits::default();
    limits.positive_bytes = 1 << 20;
    let heavy = [
        json!({"x": vec![0; 300]}),
        json!({"x": "a".repeat(1 << 14)}),
        json!({"scopes": (0..300).map(|n| n.to_string()).collect::<Vec<_>>()}),
        json!({"roles": vec!["a"; 300]}),
        json!({"aud": vec!["api"; 300]}),
        json!({"amr": vec!["a"; 300]}),
        json!({"jti": "a".repeat(1 << 14)}),
        json!({"cnf": {"jkt": "a".repeat(1 << 14)}}),
        json!({"cnf": {"x": vec![0; 300]}}),
        json!({"x": {"y".repeat(1 << 14): 0}}),
        json!({"x": (0..100).map(|n| (n.to_string(), json!(0))).collect::<serde_json::Map<_, _>>()}),
    ];
    for with in heavy {
        let answers = Answers::new(&limits).unwrap();
        let mut claims = good(json!({})).as_object().unwrap().clone();
        claims.extend(with.as_object().unwrap().clone());
        learn(&answers, "a", Ok(UserData::try_from(claims).unwrap()), NOW);
        assert!(recall(&answers, "a", NOW).is_none(), "{:.60}", with.to_string());
    }
}

#[test]
fn what_is_forgotten_while_it_is_asked_about_stays_forgotten() {
    let upstream = introspection();
    let forgets: [&dyn Fn(&Answers); 3] = [
        &|answers| answers.forget(&upstream.credential("a", Origin::Bearer).unwrap()),
        &|answers| answers.forget_where(|user| user.sub == "user:1"),
        &|answers| answers.clear(),
    ];
    for forget in forgets {
        let answers = answers();
        learn(&answers, "a", Ok(user(json!({}))), NOW);
        forget(&answers);
        assert!(recall(&answers, "a", NOW).is_none());
        let ticket = ask(&answers, "a", NOW);
        forget(&answers);
        assert!(answers.finish(ticket, Ok(user(json!({}))), NOW).is_ok());
        assert!(recall(&answers, "a", NOW).is_none());
    }
}

#[test]
fn forgetting_leaves_the_others() {
    let answers = answers();
    learn(&answers, "a", Ok(user(json!({}))), NOW);
    learn(&answers, "b", Ok(user(json!({"sub": "user:2"}))), NOW);
    learn(&answers, "c", Err(Error::Inactive), NOW);
    answers.forget_where(|user| user.sub == "user:1");
    assert!(recall(&answers, "a", NOW).is_none() && recall(&answers, "b", NOW).is_some());
    answers.forget(&introspection().credential("c", Origin::Bearer).unwrap());
    assert!(recall(&answers, "c", NOW).is_none() && recall(&answers, "b", NOW).is_some());
}

/// Finding S11: a cache named by an object's address gave one key the rights of another.
#[test]
fn two_upstreams_never_share_a_verdict() {
    let answers = answers();
    learn(&answers, KEY, Ok(user(json!({}))), NOW);
    let other = |endpoint: &str, issuer: &str, audience: &str| {
        let audiences = Audiences::one_of([audience]);
        Introspection::new(endpoint, issuer, audiences, client()).unwrap()
    };
    for upstream in [
        other("https://sso.example/other", ISSUER, "api"),
        other("https://sso.example/introspect", "https://b.example", "api"),
        other("https://sso.example/introspect", ISSUER, "other"),
    ] {
        let credential = upstream.credential(KEY, Origin::Bearer).unwrap();
        assert!(answers.recall(&credential, NOW).is_none());
    }
    let keys = api_keys();
    assert!(answers.recall(&keys.credential(KEY, Origin::Bearer).unwrap(), NOW).is_none());
    assert!(recall(&answers, KEY, NOW).is_some());
}

#[test]
fn the_end_of_time_overflows_nothing() {
    let answers = answers();
    learn(&answers, "a", Ok(user(json!({}))), u64::MAX);
    learn(&answers, "b", Err(OUTAGE), u64::MAX);
    assert!(recall(&answers, "a", u64::MAX).is_none());
    let late = introspection().judge(&answer(200, good(json!({"exp": null}))), u64::MAX);
    assert!(late.is_err());
}

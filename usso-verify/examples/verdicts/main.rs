//! Writes tokens and the verdicts on them to a file, for the tests of the other languages.
//!
//! `cargo run -p usso-verify --features testing --example verdicts -- target/verdicts.json`
//!
//! The file is an object: `now` and `later` are times in seconds; each of `cases` has a `name`, a
//! `config` as [`Setup`](usso_verify::call::Setup) reads it and `verdicts`, triples of a token and
//! what becomes of it at both times: a code, or `accepted`. No verdict changes between `later` and
//! 2090. `refused` has configurations that are refused, with their codes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "what writes vectors stops at the first surprise"
)]
#![allow(clippy::duplicate_mod, reason = "each set of keys has its own mutations")]

mod configs;
mod edges;
#[path = "../../tests/differential/keys.rs"]
mod keys;
#[allow(dead_code, reason = "the differential test needs it")]
#[path = "../../tests/differential/mutate.rs"]
mod mutate;

/// The same mutations with keys for the other algorithms.
mod more {
    pub(crate) mod keys;
    #[allow(dead_code, reason = "the differential test needs it")]
    #[path = "../../../tests/differential/mutate.rs"]
    pub(crate) mod mutate;
}

use std::collections::HashMap;

use serde_json::{Value, json};
use usso_verify::call::{Answer, Calls};
use usso_verify::testing::TestIssuer;
use usso_verify::{Algorithm, VerifyingKey};

use crate::configs::config;
use crate::mutate::{AUDIENCE, ISSUER, NOW};

/// In 2033, after every time that decides about a token but for its end.
const LATER: u64 = 2_000_000_000;

fn main() {
    let path = std::env::args().nth(1).expect("the file to write");
    let mut cases: Vec<Value> = Vec::new();
    let mut pool = Pool::new();
    for (algorithm, tokens) in TOKENS {
        let jwk = jwk(algorithm);
        let mut tokens = pool.take(algorithm, tokens);
        let modulus = jwk["n"].as_str();
        tokens.extend(edges::tokens(algorithm, modulus, &|message| sign(algorithm, message)));
        cases.push(case(&format!("mutated {}", algorithm.as_str()), &config(&jwk), &tokens));
        cases.push(malformed(algorithm));
    }
    for (name, config) in configs::good(&jwk(Algorithm::EdDsa)) {
        cases.push(case(name, &config, &pool.take(Algorithm::EdDsa, TOKENS_OF_A_CONFIG)));
    }
    let refused = configs::refused(&jwk(Algorithm::EdDsa), &jwk(Algorithm::Rs256));
    let refused: Vec<_> = refused
        .iter()
        .map(|config| {
            let refusal = Calls::new(&config.to_string()).expect_err("it is refused");
            json!({"config": config, "code": refusal.code, "message": refusal.message})
        })
        .collect();
    let file = json!({"now": NOW, "later": LATER, "cases": cases, "refused": refused});
    std::fs::write(&path, file.to_string()).expect("the file can be written");
}

/// How many mutated tokens there are for each algorithm.
const TOKENS: [(Algorithm, usize); 5] = [
    (Algorithm::EdDsa, 1200),
    (Algorithm::Es256, 900),
    (Algorithm::Es384, 500),
    (Algorithm::Rs256, 500),
    (Algorithm::Ps256, 500),
];
const TOKENS_OF_A_CONFIG: usize = 110;

/// Mutated tokens that are not yet used, by algorithm.
struct Pool {
    first: mutate::Mutator,
    second: more::mutate::Mutator,
    left: HashMap<Algorithm, Vec<String>>,
}

impl Pool {
    fn new() -> Self {
        let (first, second) = (mutate::Mutator::new(60), more::mutate::Mutator::new(61));
        Self { first, second, left: HashMap::new() }
    }

    fn take(&mut self, algorithm: Algorithm, count: usize) -> Vec<String> {
        while self.left.get(&algorithm).is_none_or(|left| left.len() < count) {
            let is_first = keys::ALGORITHMS.contains(&algorithm);
            let (token, algorithm) = if is_first {
                let mutant = self.first.next();
                (mutant.token, mutant.algorithm)
            } else {
                let mutant = self.second.next();
                (mutant.token, mutant.algorithm)
            };
            self.left.entry(algorithm).or_default().push(token);
        }
        self.left.get_mut(&algorithm).unwrap().drain(..count).collect()
    }
}

fn sign(algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
    thread_local! {
        static FIRST: keys::Signers = keys::Signers::new();
    }
    if keys::ALGORITHMS.contains(&algorithm) {
        return FIRST.with(|first| first.sign(algorithm, message));
    }
    more::keys::Signers::new().sign(algorithm, message)
}

fn jwk(algorithm: Algorithm) -> Value {
    let spki = if keys::ALGORITHMS.contains(&algorithm) {
        keys::Signers::new().spki(algorithm)
    } else {
        more::keys::Signers::new().spki(algorithm)
    };
    let mut jwk = VerifyingKey::from_spki_der(algorithm, &spki).unwrap().to_jwk();
    jwk.kid = Some(keys::KID.to_owned());
    json!(jwk)
}

/// Judges the tokens at both times, each time by a verifier that remembers those before.
fn case(name: &str, config: &Value, tokens: &[String]) -> Value {
    let at = |now: u64| {
        let calls = Calls::new(&config.to_string()).expect("a good configuration");
        tokens.iter().map(|token| verdict(&calls, token, now)).collect::<Vec<_>>()
    };
    let (now, later) = (at(NOW), at(LATER));
    let much_later = at(3_786_912_000);
    assert_eq!(later, much_later, "{name}: a verdict depends on the time of the test");
    let verdicts = tokens.iter().zip(now).zip(later);
    let verdicts: Vec<_> =
        verdicts.map(|((token, now), later)| json!([token, now, later])).collect();
    json!({"name": name, "config": config, "verdicts": verdicts})
}

fn verdict(calls: &Calls, token: &str, now: u64) -> &'static str {
    match calls.verify(&token.into(), now) {
        Answer::Caller(_) => "accepted",
        Answer::Refused(refusal) => refusal.code,
        other => panic!("{other:?} for {token}"),
    }
}

/// The list of the test kit.
fn malformed(algorithm: Algorithm) -> Value {
    let issuer = TestIssuer::with_algorithm(ISSUER, algorithm);
    let mut tokens = vec![issuer.mint().audience(AUDIENCE).sign()];
    tokens.extend(issuer.malformed(AUDIENCE).into_iter().map(|malformed| malformed.token));
    let keys = json!(issuer.keys().to_jwks());
    case(
        &format!("malformed {}", algorithm.as_str()),
        &configs::with(json!({"jwks": keys})),
        &tokens,
    )
}

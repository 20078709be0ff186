//! Any script of what happens to a key source: its clock, the tokens that want keys, what the
//! issuer answers, exported sets. Each line is one event, see [`World::happen`].

#![no_main]

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use usso_fuzz::{ISSUER, NOW};
use usso_verify::jwks::{
    Attempt, Decision, Engine, ImportError, Location, Policy, Progress, State,
};
use usso_verify::{FetchError, Jwks, KeySet, Need, Response, json};

fuzz_target!(|data: &[u8]| {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut world = World::new(lines.next().unwrap_or_default());
    for line in lines.take(EVENTS) {
        world.happen(line);
        world.is_consistent();
    }
});

/// An engine, what surrounds it, and a simple account of what it may do.
struct World {
    engine: Engine,
    location: Location,
    rules: Rules,
    now: u64,
    under_way: VecDeque<Attempt>,
    headers: Vec<(String, String)>,
    account: Account,
}

/// A policy in seconds.
#[derive(Clone, Copy)]
struct Rules {
    cooldown: i128,
    /// The longest life of a set.
    life: i128,
}

/// Times are those of the engine, which moves with a clock that is set back.
struct Account {
    seen: i128,
    deadline: Option<i128>,
    /// When the last attempt began.
    last_attempt: Option<i128>,
    /// Until when, after a good answer, no token may cause another one.
    calm_until: i128,
    generation: Option<u64>,
    keys: Option<Jwks>,
}

impl World {
    /// `discover` finds the keys by the issuer's name, `strict` keeps them no longer than fresh.
    fn new(setting: &[u8]) -> Self {
        let has = |word: &[u8]| setting.windows(word.len()).any(|part| part == word);
        let location =
            if has(b"discover") { Location::issuer(ISSUER) } else { Location::jwks(JWKS) };
        let (policy, rules) = if has(b"strict") {
            let seconds = Duration::from_secs;
            let policy = Policy::default()
                .cooldown(seconds(1))
                .fresh(seconds(10), seconds(20), seconds(30))
                .hard_age(Duration::ZERO)
                .unknown_kids(1, seconds(5));
            (policy, Rules { cooldown: 1, life: 30 })
        } else {
            (Policy::default(), Rules { cooldown: 30 - 3, life: 86_400 })
        };
        let account = Account {
            seen: 0,
            deadline: None,
            last_attempt: None,
            calm_until: 0,
            generation: None,
            keys: None,
        };
        Self {
            engine: Engine::new(location.clone(), policy).unwrap(),
            location,
            rules,
            now: NOW,
            under_way: VecDeque::new(),
            headers: Vec::new(),
            account,
        }
    }

    /// The first byte says what happens, the others are its data.
    fn happen(&mut self, line: &[u8]) {
        let Some((event, data)) = line.split_first() else {
            return;
        };
        let text = String::from_utf8_lossy(data);
        let number = || text.trim().parse::<u64>().unwrap_or(1).min(FAR);
        match event {
            b'+' => self.now = (self.now + number()).min(FAR),
            b'-' => self.now = self.now.saturating_sub(number()),
            b'k' => self.ask(Need::Kid(&text)),
            b'r' => self.ask(Need::Replacement(&text)),
            b'n' => self.ask(Need::Keys),
            b's' => self.ask(Need::Stale),
            b'a' => self.ask_unasked(Engine::begin_ahead),
            b'R' => self.ask_unasked(Engine::begin_reload),
            b'h' => {
                let (name, value) = text.split_once(": ").unwrap_or((&text, ""));
                self.headers.push((name.to_owned(), value.to_owned()));
            }
            b'2'..=b'5' => {
                let (status, body) = line.split_at(line.len().min(3));
                let status = std::str::from_utf8(status).unwrap_or_default().parse();
                self.answer(status.unwrap_or(200), body);
            }
            b'f' => self.conclude(Err(FetchError::TimedOut), None),
            b'l' => self.under_way.rotate_left(usize::from(self.under_way.len() > 1)),
            b'd' => drop(self.under_way.pop_front()),
            b'x' => self.give_up(),
            b'i' => self.import(data),
            b'e' => self.export(),
            _ => {}
        }
    }

    fn ask(&mut self, need: Need<'_>) {
        self.account.observe(self.now, true);
        let decision = self.engine.begin(need, self.now);
        if matches!(need, Need::Kid(_) | Need::Replacement(_))
            && let Decision::Fetch(_) = &decision
        {
            let account = &self.account;
            let earliest = account.last_attempt.map_or(0, |last| last + 1).max(account.calm_until);
            assert!(account.seen >= earliest);
        }
        self.decided(decision);
    }

    fn ask_unasked(&mut self, begin: impl FnOnce(&Engine, u64) -> Decision) {
        self.account.observe(self.now, true);
        let decision = begin(&self.engine, self.now);
        self.decided(decision);
    }

    fn decided(&mut self, decision: Decision) {
        if let Decision::Fetch(attempt) = decision {
            self.account.last_attempt = Some(self.account.seen);
            self.account.calm_until = 0;
            self.send(attempt);
        }
    }

    /// An address that is asked is a safe one, and nothing that the issuer said gets into headers.
    fn send(&mut self, attempt: Attempt) {
        let request = attempt.request();
        let (scheme, rest) = request.url.split_once("://").unwrap();
        assert!(scheme == "https" && request.url.bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!rest.split(['/', '?']).next().unwrap_or_default().contains(['@', '\\', '#']));
        assert!(request.max_body_bytes == 1 << 16 && request.body.is_none());
        for (name, value) in &request.headers {
            assert!(["accept", "if-none-match"].contains(name) && value.len() <= 256);
            assert!(value.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '));
        }
        self.under_way.push_back(attempt);
        self.under_way.truncate(4);
    }

    fn answer(&mut self, status: u16, body: &[u8]) {
        let mut response = Response::new(status, body.to_vec());
        response.headers = std::mem::take(&mut self.headers);
        self.conclude(Ok(response.clone()), Some(response));
    }

    fn conclude(&mut self, result: Result<Response, FetchError>, answer: Option<Response>) {
        let Some(attempt) = self.under_way.pop_front() else {
            return;
        };
        let is_conditional =
            attempt.request().headers.iter().any(|(name, _)| *name == "if-none-match");
        self.account.observe(self.now, true);
        match self.engine.conclude(attempt, result, self.now) {
            Progress::Send(next) => {
                if let Some(response) = answer.filter(|response| response.status == 200) {
                    is_metadata(&response.body, &next.request().url);
                    assert_eq!(self.location, Location::issuer(ISSUER));
                }
                self.send(next);
            }
            Progress::Done(Err(_)) => {}
            Progress::Done(Ok(())) => {
                let response = answer.unwrap();
                self.account.calm_until = self.account.last_attempt.unwrap() + self.rules.cooldown;
                self.account.deadline = Some(self.account.seen + self.rules.life);
                if response.status == 200 {
                    let jwks = json::from_slice(&response.body, json::Limits::default()).unwrap();
                    self.adopt(&jwks);
                } else {
                    assert!(
                        response.status == 304 && is_conditional && self.account.keys.is_some()
                    );
                }
            }
        }
    }

    /// The set is what another reader finds in a sound document.
    fn adopt(&mut self, document: &Jwks) {
        assert!((1..=100).contains(&document.keys.len()));
        let expected = KeySet::from_jwks(document);
        assert!(!expected.is_empty());
        let status = self.engine.status(self.now);
        assert_eq!(status.keys, expected.len());
        let expected = expected.to_jwks();
        let is_new = self.account.keys.as_ref() != Some(&expected);
        assert_eq!(is_new, status.generation != self.account.generation);
        assert!(status.generation >= self.account.generation);
        self.account.generation = status.generation;
        self.account.keys = Some(expected);
    }

    fn give_up(&mut self) {
        if let Some(attempt) = self.under_way.pop_front() {
            self.account.observe(self.now, true);
            let why = usso_verify::jwks::Failure::Abandoned;
            self.engine.abandon(attempt.id(), why, self.now);
        }
    }

    fn import(&mut self, bytes: &[u8]) {
        match self.engine.import(bytes, self.now) {
            Ok(()) => {
                self.account.observe(self.now, true);
                let parcel: Value = serde_json::from_slice(bytes).unwrap();
                assert!(parcel["version"] == 1 && parcel["source"] == self.location.as_str());
                let fetched_at = parcel["fetched_at"].as_u64().unwrap();
                assert!(fetched_at <= self.now);
                self.account.deadline = Some(i128::from(fetched_at) + self.rules.life);
                self.adopt(&json::from_slice(&keys_of(&parcel), json::Limits::default()).unwrap());
            }
            Err(ImportError::NotNewer) => self.account.observe(self.now, true),
            Err(_) => {}
        }
    }

    /// Another process takes the set in, unless its clock says that it is too old or too young.
    fn export(&self) {
        let Some(bytes) = self.engine.export() else {
            return assert!(self.account.keys.is_none());
        };
        let policy = Policy::default().hard_age(Duration::from_secs(86_400));
        let other = Engine::new(self.location.clone(), policy).unwrap();
        match other.import(&bytes, self.now) {
            Ok(()) => assert_eq!(jwks(other.keys(self.now).as_ref()), self.account.keys),
            Err(error) => assert!([ImportError::FromFuture, ImportError::TooOld].contains(&error)),
        }
    }

    /// What holds after every event.
    fn is_consistent(&mut self) {
        let (engine, now) = (&self.engine, self.now);
        let (generation, is_overdue) = (engine.generation(now), engine.is_overdue(now));
        let _ = (engine.is_due(now), engine.next_due());
        self.account.observe(now, false);
        let keys = engine.keys(now);
        assert_eq!(generation.is_some(), keys.is_some() && !is_overdue);
        let account = &self.account;
        if keys.is_some() {
            assert!(account.deadline.is_some_and(|deadline| i128::from(now) < deadline));
            assert_eq!(jwks(keys.as_ref()), account.keys);
        }
        let status = engine.status(now);
        assert_eq!(status.generation, account.generation);
        assert_eq!(status.keys, account.keys.as_ref().map_or(0, |jwks| jwks.keys.len()));
        assert_eq!(keys.is_none(), matches!(status.state, State::Empty | State::Expired));
        assert!(generation.is_none() || generation == status.generation);
    }
}

impl Account {
    /// Takes notice of the time as an engine does: ten seconds earlier are no earlier.
    fn observe(&mut self, now: u64, is_told: bool) {
        let now = i128::from(now);
        let back = self.seen - now;
        if back > 10 {
            self.seen -= back;
            self.calm_until -= back;
            self.deadline = self.deadline.map(|deadline| deadline - back);
            self.last_attempt = self.last_attempt.map(|last| last - back);
        }
        if is_told {
            self.seen = self.seen.max(now);
        }
    }
}

fn jwks(keys: Option<&Arc<KeySet>>) -> Option<Jwks> {
    keys.map(|keys| keys.to_jwks())
}

fn keys_of(parcel: &Value) -> Vec<u8> {
    serde_json::json!({"keys": parcel["keys"]}).to_string().into_bytes()
}

/// What another reader must find in metadata that is followed.
fn is_metadata(body: &[u8], next: &str) {
    let metadata: Value = serde_json::from_slice(body).unwrap();
    assert!(metadata["issuer"] == ISSUER && metadata["jwks_uri"] == next);
}

/// How many lines are read.
const EVENTS: usize = 100;
const FAR: u64 = 1 << 40;
const JWKS: &str = "https://sso.example/jwks.json";

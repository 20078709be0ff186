//! API keys, whose issuer or the app is asked about them.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Map, Value};

use super::Asking;
use super::config::known_claims;
use super::refusal::Refusal;
use crate::claims::UserData;
use crate::error::VerifyError;
use crate::fetch::{FetchError, Response};
use crate::fields::Fields;
use crate::opaque::{
    Answers, ApiKeys, Audiences, Credential, Error, Fingerprint, KeyRules, Limits, LookupFailed,
    Origin, Reason, Step, Ticket, Upstream,
};

/// Who is asked about API keys, in JSON.
#[derive(Debug)]
pub(super) struct KeysSetup {
    issuer: String,
    verify_url: Option<String>,
    local: bool,
    danger_allow_http: bool,
    audience: Option<Vec<String>>,
    prefixes: Vec<String>,
    tenant: Option<String>,
    required_claims: Vec<&'static str>,
}

/// API keys, and the questions about them that are under way.
pub(super) struct Keys {
    asked: Asked,
    tenant: Option<String>,
    required: Vec<&'static str>,
    answers: Answers,
    questions: Mutex<Questions>,
}

enum Asked {
    Issuer(ApiKeys),
    App(KeyRules),
}

#[derive(Default)]
struct Questions {
    last: u64,
    under_way: HashMap<u64, (Fingerprint, Ticket, u64)>,
}

/// An API key that the app is to look up. `Debug` prints nothing of it.
pub struct ApiKey(String);

impl ApiKey {
    /// Gives the key.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ApiKey(..)")
    }
}

impl KeysSetup {
    pub(super) fn of(mut fields: Fields) -> Self {
        let setup = Self {
            issuer: fields.needed_text("issuer"),
            verify_url: fields.text("verify_url"),
            local: fields.flag("local"),
            danger_allow_http: fields.flag("danger_allow_http"),
            audience: fields.texts_if_any("audience"),
            prefixes: fields.texts("prefixes"),
            tenant: fields.text("tenant"),
            required_claims: known_claims(&mut fields),
        };
        fields.unknown();
        setup
    }

    pub(super) fn build(self) -> Result<Keys, Refusal> {
        let audiences = self.audience.map_or(Audiences::Any, Audiences::one_of);
        let mut rules = KeyRules::new(self.issuer, audiences).map_err(Refusal::config)?;
        for prefix in &self.prefixes {
            rules = rules.prefix(prefix).map_err(Refusal::config)?;
        }
        let asked = match (self.verify_url, self.local) {
            (Some(url), false) => {
                let plain = self.danger_allow_http && url.starts_with("http://");
                let new = if plain { ApiKeys::danger_over_http } else { ApiKeys::new };
                Asked::Issuer(new(url, rules).map_err(Refusal::config)?)
            }
            (None, true) => Asked::App(rules),
            _ => return Err(Refusal::config("`api_keys` needs `verify_url`, or `local: true`")),
        };
        let answers = Answers::new(&Limits::default()).map_err(Refusal::config)?;
        let (tenant, required) = (self.tenant, self.required_claims);
        Ok(Keys { asked, tenant, required, answers, questions: Mutex::default() })
    }
}

impl Keys {
    /// Says what is known about a key, or who is to be asked; nobody is `if_asked` already.
    pub(super) fn ask(&self, text: &str, origin: Origin, if_asked: bool, now: u64) -> Asking {
        let credential = match self.credential(text, origin) {
            Ok(credential) => credential,
            Err(error) => return Asking::Done(Err(error)),
        };
        if let Some(verdict) = self.answers.recall(&credential, now) {
            return Asking::Done(verdict);
        }
        if if_asked {
            return Asking::Done(Err(Error::Unavailable(Reason::NotAsked)));
        }
        let mut questions = self.questions();
        // Whoever asked and never came back does not keep others waiting.
        questions.under_way.retain(|_, (.., since)| now.abs_diff(*since) <= GIVEN_UP);
        let mut under_way = questions.under_way.iter();
        if let Some((number, _)) = under_way.find(|(_, (of, ..))| *of == credential.fingerprint) {
            return Asking::Wait(*number);
        }
        let ticket = match self.answers.start(&credential, now) {
            Ok(Step::Ask(ticket)) => ticket,
            Ok(Step::Known(user)) => return Asking::Done(Ok(user)),
            Err(error) => return Asking::Done(Err(error)),
        };
        questions.last = (questions.last + 1) & 0xffff_ffff;
        let number = questions.last;
        questions.under_way.insert(number, (credential.fingerprint, ticket, now));
        match &self.asked {
            Asked::Issuer(keys) => Asking::Fetch(number, keys.request(&credential)),
            Asked::App(_) => Asking::LookUp(number, ApiKey(text.to_owned())),
        }
    }

    pub(super) fn fetched(&self, number: u64, result: Result<Response, FetchError>, now: u64) {
        let Asked::Issuer(keys) = &self.asked else { return };
        let answer = result.map_err(|error| Error::Unavailable(Reason::Fetch(error)));
        self.finish(number, now, || keys.judge(&answer?, now));
    }

    /// Takes in what the app knows of a key; `Err` if it failed to look.
    pub(super) fn looked_up(
        &self,
        number: u64,
        claims: Result<Option<Map<String, Value>>, LookupFailed>,
        now: u64,
    ) {
        let Asked::App(rules) = &self.asked else { return };
        let claims = claims.map_err(|_| Error::Unavailable(Reason::Lookup));
        self.finish(number, now, || rules.judge(claims?, now));
    }

    /// Judges what is said of a key as the claims of a token are judged.
    pub(super) fn judge(&self, user: &UserData) -> Result<(), VerifyError> {
        if self.tenant.is_some() && user.tenant_id != self.tenant {
            return Err(VerifyError::Tenant);
        }
        if user.token_type.as_deref().is_some_and(|own| own != "access") {
            return Err(VerifyError::TokenType);
        }
        match self.required.iter().find(|claim| !user.has_claim(claim)) {
            Some(missing) => Err(VerifyError::ClaimMissing(missing)),
            None => Ok(()),
        }
    }

    pub(super) fn is_under_way(&self, number: u64) -> bool {
        self.questions().under_way.contains_key(&number)
    }

    pub(super) fn clear(&self) {
        self.answers.clear();
    }

    fn finish(&self, number: u64, now: u64, judge: impl FnOnce() -> Result<UserData, Error>) {
        // Held until the verdict is remembered: who waits finds one or the other.
        let mut questions = self.questions();
        if let Some((_, ticket, _)) = questions.under_way.remove(&number) {
            drop(self.answers.finish(ticket, judge(), now));
        }
    }

    fn credential<'c>(&self, text: &'c str, origin: Origin) -> Result<Credential<'c>, Error> {
        match &self.asked {
            Asked::Issuer(keys) => keys.credential(text, origin),
            Asked::App(rules) => rules.credential(text, origin),
        }
    }

    fn questions(&self) -> MutexGuard<'_, Questions> {
        self.questions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// After how many seconds a question counts as given up.
const GIVEN_UP: u64 = 30;

//! What the issuer's word about a credential must say before it names a principal.

use std::time::Duration;

use serde_json::{Map, Value};

use super::credential::Realm;
use super::error::{ConfigError, Error, Reason};
use crate::claims::UserData;
use crate::fetch::Response;
use crate::json;

/// For whom a credential must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Audiences {
    /// For anyone, also if the issuer does not say.
    ///
    /// # Security
    ///
    /// Any service that is shown such a credential can use it here. Only where the issuer serves
    /// this one service, or answers for credentials of the asking client alone.
    Any,
    /// For at least one of these, compared exactly. A credential that names none is refused.
    OneOf(Vec<String>),
}

impl Audiences {
    /// Lists audiences.
    pub fn one_of<A: Into<String>>(audiences: impl IntoIterator<Item = A>) -> Self {
        Self::OneOf(audiences.into_iter().map(Into::into).collect())
    }

    fn accepts(&self, claims: &UserData) -> bool {
        match self {
            Self::Any => true,
            Self::OneOf(names) => claims.aud.iter().any(|aud| names.contains(aud)),
        }
    }
}

/// The rules that hold whoever was asked.
#[derive(Clone)]
pub(super) struct Rules {
    pub(super) issuer: String,
    audiences: Audiences,
    leeway: u64,
}

impl Rules {
    pub(super) fn new(issuer: String, audiences: Audiences) -> Result<Self, ConfigError> {
        if issuer.is_empty() {
            return Err(ConfigError::Issuer);
        }
        if let Audiences::OneOf(names) = &audiences
            && (names.is_empty() || names.iter().any(String::is_empty))
        {
            return Err(ConfigError::Audiences);
        }
        Ok(Self { issuer, audiences, leeway: 30 })
    }

    pub(super) fn leeway(mut self, leeway: Duration) -> Result<Self, ConfigError> {
        if leeway > MAX_LEEWAY {
            return Err(ConfigError::LeewayTooLong);
        }
        self.leeway = leeway.as_secs();
        Ok(self)
    }

    /// Names what a verdict under these rules depends on.
    pub(super) fn realm(&self, asked: &str) -> Realm {
        let audiences = match &self.audiences {
            Audiences::Any => &[][..],
            Audiences::OneOf(names) => names,
        };
        let rest = audiences.iter().map(String::as_str);
        Realm::new([asked, self.issuer.as_str()].into_iter().chain(rest))
    }

    /// Turns claims of an active credential into a principal.
    ///
    /// 1. `sub` is there and not empty.
    /// 2. `iss` is the configured one; absent it is filled in.
    /// 3. `cnf` is an object: what binds a credential must not be overlooked.
    /// 4. `exp`, absent, is [`LIFE_WITHOUT_EXP`] from now.
    /// 5. Every claim is of its type.
    /// 6. Times and audience.
    pub(super) fn principal(
        &self,
        mut claims: Map<String, Value>,
        now: u64,
    ) -> Result<UserData, Error> {
        if text(&claims, "sub")?.is_none_or(str::is_empty) {
            return Err(Error::Subject);
        }
        match text(&claims, "iss")? {
            Some(issuer) if issuer != self.issuer => return Err(Error::Issuer),
            Some(_) => {}
            None => drop(claims.insert("iss".to_owned(), self.issuer.as_str().into())),
        }
        if claims.get("cnf").is_some_and(|cnf| !cnf.is_object()) {
            return Err(ODD_ANSWER);
        }
        claims.entry("exp").or_insert_with(|| now.saturating_add(LIFE_WITHOUT_EXP).into());
        let claims = UserData::try_from(claims).map_err(|_| ODD_ANSWER)?;
        self.judge(&claims, now)?;
        Ok(claims)
    }

    /// The issuer was asked just now, so its clock and ours need to agree on the beginning only:
    /// the leeway never prolongs a life.
    fn judge(&self, claims: &UserData, now: u64) -> Result<(), Error> {
        let latest_start = now.saturating_add(self.leeway);
        if now >= claims.exp {
            return Err(Error::Expired);
        }
        if claims.nbf.is_some_and(|start| start > latest_start) {
            return Err(Error::NotYetValid);
        }
        if claims.iat.is_some_and(|issued| issued > latest_start) {
            return Err(Error::IssuedInFuture);
        }
        if self.audiences.accepts(claims) { Ok(()) } else { Err(Error::Audience) }
    }
}

/// Reads the JSON object of an answer.
pub(super) fn members(answer: &Response) -> Result<Map<String, Value>, Error> {
    if answer.body.len() > MAX_ANSWER {
        return Err(ODD_ANSWER);
    }
    json::parse_object(&answer.body, json::Limits::default()).map_err(|_| ODD_ANSWER)
}

/// Gives a member that must be text if it is there.
pub(super) fn text<'m>(
    members: &'m Map<String, Value>,
    name: &str,
) -> Result<Option<&'m str>, Error> {
    members.get(name).map(|value| value.as_str().ok_or(ODD_ANSWER)).transpose()
}

/// Takes out a member that must be a boolean if it is there.
pub(super) fn flag(members: &mut Map<String, Value>, name: &str) -> Result<Option<bool>, Error> {
    members.remove(name).map(|value| value.as_bool().ok_or(ODD_ANSWER)).transpose()
}

/// Reading answers strictly protects from an issuer's mistakes; it says nothing about the bearer.
pub(super) const ODD_ANSWER: Error = Error::Unavailable(Reason::Answer);
/// In seconds. A credential without an end must be asked about again soon, because that is how a
/// revocation is noticed.
pub(super) const LIFE_WITHOUT_EXP: u64 = 60;
const MAX_LEEWAY: Duration = Duration::from_secs(120);
/// In bytes. An issuer's list of scopes takes a few thousand; parsed, JSON of tiny objects takes
/// eighty times its length.
pub(super) const MAX_ANSWER: usize = 1 << 14;

//! Reading a claim set in one pass: strict JSON in, typed claims out.
//!
//! Structure (well-formed, no member twice, not too deep) is refused at once. A claim of the wrong
//! type is remembered and refused only when the claims are asked for, because nothing of a token
//! but its issuer may decide anything before the signature holds.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::HashSet;
use std::fmt;
use std::mem;

use serde::de::{DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::claims::{Confirmation, UserData};
use crate::error::VerifyError;
use crate::json::{self, Strict};

/// A claim set that was read and is not typed yet.
#[derive(Default)]
pub(crate) struct ClaimSet<'de> {
    known: [Option<Claim<'de>>; KNOWN],
    others: Map<String, Value>,
}

/// A claim's value. Texts are borrowed from the token where they have no escapes.
pub(crate) enum Claim<'de> {
    Text(Cow<'de, str>),
    /// A list of nothing but texts.
    Texts(Vec<String>),
    Other(Value),
}

impl<'de> ClaimSet<'de> {
    /// Reads the claims of a token.
    pub(crate) fn read(text: &'de str) -> Result<Self, json::Error> {
        let verdict = Cell::new(json::Error::Malformed);
        let strict = Strict::new(json::Limits::default(), &verdict);
        json::drive(text, &verdict, Members { strict })
    }

    /// Gives the issuer the claims name.
    pub(crate) fn issuer(&self) -> Result<&str, VerifyError> {
        match self.known.first() {
            Some(Some(Claim::Text(issuer))) => Ok(issuer),
            Some(Some(_)) => Err(VerifyError::ClaimInvalid("iss")),
            _ => Err(VerifyError::ClaimMissing("iss")),
        }
    }

    /// Types every known claim; the others are kept as they are. After an error the issuer is still
    /// to be had.
    pub(crate) fn typed(&mut self) -> Result<UserData, VerifyError> {
        self.issuer()?;
        let sub = self.text(SUB, "sub")?.ok_or(VerifyError::ClaimMissing("sub"))?;
        if sub.is_empty() {
            return Err(VerifyError::ClaimInvalid("sub"));
        }
        Ok(UserData {
            sub,
            aud: self.take(AUD, "aud", audience)?.unwrap_or_default(),
            exp: self.date(EXP, "exp")?.ok_or(VerifyError::ClaimMissing("exp"))?,
            iat: self.date(IAT, "iat")?,
            nbf: self.date(NBF, "nbf")?,
            jti: self.text(JTI, "jti")?,
            client_id: self.text(CLIENT_ID, "client_id")?,
            token_type: self.text(TOKEN_TYPE, "token_type")?,
            session_id: self.text(SESSION_ID, "session_id")?,
            tenant_id: self.text(TENANT_ID, "tenant_id")?,
            workspace_id: self.text(WORKSPACE_ID, "workspace_id")?,
            roles: self.list(ROLES, "roles")?,
            scopes: self.scopes()?,
            acr: self.text(ACR, "acr")?,
            amr: self.list(AMR, "amr")?,
            auth_time: self.date(AUTH_TIME, "auth_time")?,
            signing_level: self.text(SIGNING_LEVEL, "signing_level")?,
            cnf: self.take(CNF, "cnf", confirmation)?,
            iss: self.text(ISS, "iss")?.unwrap_or_default(),
            claims: mem::take(&mut self.others),
        })
    }

    fn take<T>(
        &mut self,
        at: usize,
        name: &'static str,
        read: impl FnOnce(Claim<'de>) -> Option<T>,
    ) -> Result<Option<T>, VerifyError> {
        let Some(claim) = self.known.get_mut(at).and_then(Option::take) else {
            return Ok(None);
        };
        read(claim).map(Some).ok_or(VerifyError::ClaimInvalid(name))
    }

    fn text(&mut self, at: usize, name: &'static str) -> Result<Option<String>, VerifyError> {
        self.take(at, name, text)
    }

    fn date(&mut self, at: usize, name: &'static str) -> Result<Option<u64>, VerifyError> {
        self.take(at, name, |claim| match claim {
            Claim::Other(value) => numeric_date(&value),
            Claim::Text(_) | Claim::Texts(_) => None,
        })
    }

    fn list(&mut self, at: usize, name: &'static str) -> Result<Vec<String>, VerifyError> {
        self.take(at, name, strings).map(Option::unwrap_or_default)
    }

    fn scopes(&mut self) -> Result<Vec<String>, VerifyError> {
        let mut scopes = self.list(SCOPES, "scopes")?;
        let Some(scope) = self.text(SCOPE, "scope")? else {
            return Ok(scopes);
        };
        let mut held: HashSet<&str> = scopes.iter().map(String::as_str).collect();
        let words = scope.split(' ').filter(|word| !word.is_empty() && held.insert(word));
        let more: Vec<String> = words.map(str::to_owned).collect();
        scopes.extend(more);
        Ok(scopes)
    }
}

impl From<Map<String, Value>> for ClaimSet<'static> {
    fn from(claims: Map<String, Value>) -> Self {
        let mut set = Self::default();
        for (name, value) in claims {
            match place(&name).and_then(|at| set.known.get_mut(at)) {
                Some(slot) => *slot = Some(Claim::from(value)),
                None => _ = set.others.insert(name, value),
            }
        }
        set
    }
}

impl From<Value> for Claim<'static> {
    fn from(value: Value) -> Self {
        match value {
            Value::String(text) => Self::Text(Cow::Owned(text)),
            Value::Array(items) => Self::from_items(items),
            other => Self::Other(other),
        }
    }
}

impl Claim<'_> {
    fn from_items(items: Vec<Value>) -> Self {
        let texts = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
        match texts {
            Some(texts) => Self::Texts(texts),
            None => Self::Other(Value::Array(items)),
        }
    }
}

fn text(claim: Claim<'_>) -> Option<String> {
    match claim {
        Claim::Text(text) => Some(text.into_owned()),
        Claim::Texts(_) | Claim::Other(_) => None,
    }
}

fn strings(claim: Claim<'_>) -> Option<Vec<String>> {
    match claim {
        Claim::Texts(items) => Some(items),
        Claim::Text(_) | Claim::Other(_) => None,
    }
}

/// RFC 7519 §4.1.3: a string when there is one audience, a list otherwise.
pub(crate) fn audience(claim: Claim<'_>) -> Option<Vec<String>> {
    match claim {
        Claim::Text(name) => Some(vec![name.into_owned()]),
        list => strings(list),
    }
}

fn confirmation(claim: Claim<'_>) -> Option<Confirmation> {
    match claim {
        Claim::Other(Value::Object(members)) => Confirmation::try_from(members).ok(),
        _ => None,
    }
}

/// Reads a `NumericDate` (RFC 7519 §2) of the years 1970 to 9999, without its fraction.
///
/// The upper end catches a time in milliseconds, which would otherwise be a token for ever.
fn numeric_date(value: &Value) -> Option<u64> {
    let number = value.as_number()?;
    if let Some(seconds) = number.as_u64() {
        return (seconds <= YEAR_9999).then_some(seconds);
    }
    let seconds = number.as_f64().filter(|seconds| (0.0..YEAR_10000).contains(seconds))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between zero and a value far below 2^53"
    )]
    let whole = seconds as u64;
    Some(whole)
}

/// Reads the members of the claim set.
#[derive(Clone, Copy)]
struct Members<'a> {
    strict: Strict<'a>,
}

impl<'de> DeserializeSeed<'de> for Members<'_> {
    type Value = ClaimSet<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Members<'_> {
    type Value = ClaimSet<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a claim set")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let inner = self.strict.deeper()?;
        let mut set = ClaimSet::default();
        while let Some(name) = members.next_key_seed(Text)? {
            match place(&name).and_then(|at| set.known.get_mut(at)) {
                Some(Some(_)) => return self.strict.refuse(json::Error::DuplicateMember),
                Some(slot) => *slot = Some(members.next_value_seed(AnyClaim { strict: inner })?),
                None if set.others.contains_key(&*name) => {
                    return self.strict.refuse(json::Error::DuplicateMember);
                }
                None => {
                    let value = members.next_value_seed(inner)?;
                    set.others.insert(name.into_owned(), value);
                }
            }
        }
        Ok(set)
    }
}

/// Reads a text without copying it where it has no escapes.
struct Text;

impl<'de> DeserializeSeed<'de> for Text {
    type Value = Cow<'de, str>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Text {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(text))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(text.to_owned()))
    }
}

/// Reads the value of a known claim, whatever its type.
struct AnyClaim<'a> {
    strict: Strict<'a>,
}

impl<'de> DeserializeSeed<'de> for AnyClaim<'_> {
    type Value = Claim<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, reader: D) -> Result<Self::Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyClaim<'_> {
    type Value = Claim<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Claim::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Claim::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Claim::Other(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Claim::Other(Value::Bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Claim::Other(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Claim::Other(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        self.strict.visit_f64(value).map(Claim::Other)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let inner = self.strict.deeper()?;
        let mut texts = Vec::new();
        while let Some(item) = items.next_element_seed(AnyClaim { strict: inner })? {
            match item {
                Claim::Text(text) => texts.push(text.into_owned()),
                Claim::Texts(_) | Claim::Other(_) => {
                    // No known claim takes such a list: what follows is read for its form only.
                    while items.next_element_seed(inner)?.is_some() {}
                    return Ok(Claim::Other(Value::Null));
                }
            }
        }
        Ok(Claim::Texts(texts))
    }

    fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Self::Value, A::Error> {
        self.strict.visit_map(members).map(Claim::Other)
    }
}

/// Finds the place of a known claim.
fn place(name: &str) -> Option<usize> {
    Some(match name {
        "iss" => ISS,
        "sub" => SUB,
        "aud" => AUD,
        "exp" => EXP,
        "iat" => IAT,
        "nbf" => NBF,
        "jti" => JTI,
        "client_id" => CLIENT_ID,
        "token_type" => TOKEN_TYPE,
        "session_id" => SESSION_ID,
        "tenant_id" => TENANT_ID,
        "workspace_id" => WORKSPACE_ID,
        "roles" => ROLES,
        "scopes" => SCOPES,
        "scope" => SCOPE,
        "acr" => ACR,
        "amr" => AMR,
        "auth_time" => AUTH_TIME,
        "signing_level" => SIGNING_LEVEL,
        "cnf" => CNF,
        _ => return None,
    })
}

const ISS: usize = 0;
const SUB: usize = 1;
const AUD: usize = 2;
const EXP: usize = 3;
const IAT: usize = 4;
const NBF: usize = 5;
const JTI: usize = 6;
const CLIENT_ID: usize = 7;
const TOKEN_TYPE: usize = 8;
const SESSION_ID: usize = 9;
const TENANT_ID: usize = 10;
const WORKSPACE_ID: usize = 11;
const ROLES: usize = 12;
const SCOPES: usize = 13;
const SCOPE: usize = 14;
const ACR: usize = 15;
const AMR: usize = 16;
const AUTH_TIME: usize = 17;
const SIGNING_LEVEL: usize = 18;
const CNF: usize = 19;
const KNOWN: usize = 20;

/// 9999-12-31T23:59:59Z.
const YEAR_9999: u64 = 253_402_300_799;
const YEAR_10000: f64 = 253_402_300_800.0;

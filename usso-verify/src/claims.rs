//! The claims of a verified token, typed.

use std::collections::HashSet;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use crate::error::VerifyError;

/// Who is calling and what the issuer says about them: the claims of one access token.
///
/// In JSON it is the flat claim set, without members that are absent or empty. Deserialising
/// applies the same rules as verification does to types and required claims, but of course no
/// signature is checked: only a [`Verifier`](crate::Verifier) makes one that means something.
///
/// A claim of the wrong type is refused, `null` included; it never counts as absent.
///
/// # Spec
///
/// RFC 7519 §4.1, RFC 9068 §2.2, RFC 8176.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
#[non_exhaustive]
pub struct UserData {
    /// Issuer: exactly the name of a configured one.
    pub iss: String,
    /// Subject, never empty: `user:…` or `service:…`.
    pub sub: String,
    /// Audiences the token is for. In JSON a string when there is one.
    #[serde(serialize_with = "serialize_audience", skip_serializing_if = "Vec::is_empty")]
    pub aud: Vec<String>,
    /// End of life, seconds since the epoch; a fraction is dropped.
    pub exp: u64,
    /// Time of issue, seconds since the epoch; a fraction is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub iat: Option<u64>,
    /// Start of life, seconds since the epoch; a fraction is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// Name of this token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// OAuth client the token was issued to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
    /// USSO's kind of token, `access` for an access token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token_type: Option<String>,
    /// Session the token belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_id: Option<String>,
    /// Tenant of the subject.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tenant_id: Option<String>,
    /// Workspace the token is limited to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workspace_id: Option<String>,
    /// Roles of the subject.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// Scopes: the list `scopes`, then the words of OAuth's `scope` that it lacks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// Authentication context class.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// Authentication methods used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// Time of the authentication, seconds since the epoch; a fraction is dropped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<u64>,
    /// USSO's signing level, carried only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signing_level: Option<String>,
    /// All other claims.
    #[serde(flatten)]
    pub claims: Map<String, Value>,
}

impl UserData {
    /// Says whether the subject has exactly this role.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        self.roles.iter().any(|held| held == role)
    }

    /// Says whether the token lists exactly this scope.
    ///
    /// This is plain membership: it does not know that `manage:files` implies `read:files`.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|held| held == scope)
    }

    /// Gives the claim `user_id` if there is one that is not empty, otherwise the subject.
    #[must_use]
    pub fn user_id(&self) -> &str {
        self.text("user_id").filter(|id| !id.is_empty()).unwrap_or(&self.sub)
    }

    /// Gives the claim `user_name`, if the issuer sent one.
    #[must_use]
    pub fn user_name(&self) -> Option<&str> {
        self.text("user_name")
    }

    /// Gives the claim `email`, if the issuer sent one. Whether it was verified is another claim.
    #[must_use]
    pub fn email(&self) -> Option<&str> {
        self.text("email")
    }

    /// Gives the claim `phone`, if the issuer sent one.
    #[must_use]
    pub fn phone(&self) -> Option<&str> {
        self.text("phone")
    }

    fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim).and_then(Value::as_str)
    }
}

impl TryFrom<Map<String, Value>> for UserData {
    type Error = VerifyError;

    /// Types a claim set.
    ///
    /// # Errors
    ///
    /// [`VerifyError::ClaimMissing`] without `iss`, `sub` or `exp`, [`VerifyError::ClaimInvalid`]
    /// for an empty `sub` and for any claim of the wrong type or range.
    fn try_from(claims: Map<String, Value>) -> Result<Self, VerifyError> {
        let mut set = ClaimSet(claims);
        let sub = set.text("sub")?.ok_or(VerifyError::ClaimMissing("sub"))?;
        if sub.is_empty() {
            return Err(VerifyError::ClaimInvalid("sub"));
        }
        Ok(Self {
            iss: set.text("iss")?.ok_or(VerifyError::ClaimMissing("iss"))?,
            sub,
            aud: set.audience()?,
            exp: set.date("exp")?.ok_or(VerifyError::ClaimMissing("exp"))?,
            iat: set.date("iat")?,
            nbf: set.date("nbf")?,
            jti: set.text("jti")?,
            client_id: set.text("client_id")?,
            token_type: set.text("token_type")?,
            session_id: set.text("session_id")?,
            tenant_id: set.text("tenant_id")?,
            workspace_id: set.text("workspace_id")?,
            roles: set.list("roles")?,
            scopes: set.scopes()?,
            acr: set.text("acr")?,
            amr: set.list("amr")?,
            auth_time: set.date("auth_time")?,
            signing_level: set.text("signing_level")?,
            claims: set.0,
        })
    }
}

/// The claim `aud`: a string when there is one audience, a list otherwise.
///
/// # Spec
///
/// RFC 7519 §4.1.3.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Audience(pub Vec<String>);

impl Serialize for Audience {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serialize_audience(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Audience {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        audience(value)
            .map(Self)
            .ok_or_else(|| de::Error::custom("not a string or list of strings"))
    }
}

fn serialize_audience<S: Serializer>(names: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    if let [name] = names { serializer.serialize_str(name) } else { names.serialize(serializer) }
}

fn audience(value: Value) -> Option<Vec<String>> {
    match value {
        Value::String(name) => Some(vec![name]),
        list => strings(list),
    }
}

fn strings(value: Value) -> Option<Vec<String>> {
    match value {
        Value::Array(items) => items.into_iter().map(text).collect(),
        _ => None,
    }
}

fn text(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        _ => None,
    }
}

/// A claim set out of which typed claims are taken one by one; what stays are the others.
struct ClaimSet(Map<String, Value>);

impl ClaimSet {
    fn take<T>(
        &mut self,
        claim: &'static str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, VerifyError> {
        let Some(value) = self.0.remove(claim) else {
            return Ok(None);
        };
        read(value).map(Some).ok_or(VerifyError::ClaimInvalid(claim))
    }

    fn text(&mut self, claim: &'static str) -> Result<Option<String>, VerifyError> {
        self.take(claim, text)
    }

    fn date(&mut self, claim: &'static str) -> Result<Option<u64>, VerifyError> {
        self.take(claim, |value| numeric_date(&value))
    }

    fn list(&mut self, claim: &'static str) -> Result<Vec<String>, VerifyError> {
        self.take(claim, strings).map(Option::unwrap_or_default)
    }

    fn audience(&mut self) -> Result<Vec<String>, VerifyError> {
        self.take("aud", audience).map(Option::unwrap_or_default)
    }

    fn scopes(&mut self) -> Result<Vec<String>, VerifyError> {
        let mut scopes = self.list("scopes")?;
        let Some(scope) = self.text("scope")? else {
            return Ok(scopes);
        };
        let mut held: HashSet<&str> = scopes.iter().map(String::as_str).collect();
        let words = scope.split(' ').filter(|word| !word.is_empty() && held.insert(word));
        let more: Vec<String> = words.map(str::to_owned).collect();
        scopes.extend(more);
        Ok(scopes)
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
    let seconds = number.as_f64().filter(|seconds| (0.0..=YEAR_9999_F64).contains(seconds))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between zero and a value far below 2^53"
    )]
    let whole = seconds as u64;
    Some(whole)
}

/// 9999-12-31T23:59:59Z.
const YEAR_9999: u64 = 253_402_300_799;
const YEAR_9999_F64: f64 = 253_402_300_799.0;

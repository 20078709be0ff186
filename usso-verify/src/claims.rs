//! The claims of a verified token, typed.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use crate::claim_set::{Claim, ClaimSet, audience};
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
    /// What the sender must prove to hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
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
    ///
    /// # Security
    ///
    /// `user_id` is USSO's. With other issuers use [`sub`](Self::sub): there it may be a private claim
    /// that the user can set.
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

    /// Says whether the subject is a service account: USSO names them `service:…`.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.sub.starts_with("service:")
    }

    /// Says whether the claim `groups` lists exactly this group.
    ///
    /// # Spec
    ///
    /// RFC 9068 §2.2.3.1.
    #[must_use]
    pub fn has_group(&self, group: &str) -> bool {
        self.lists("groups", group)
    }

    /// Says whether the claim `entitlements` lists exactly this entitlement.
    ///
    /// # Spec
    ///
    /// RFC 9068 §2.2.3.1.
    #[must_use]
    pub fn has_entitlement(&self, entitlement: &str) -> bool {
        self.lists("entitlements", entitlement)
    }

    /// Gives the subject that acts for this one, if the token was exchanged for delegation.
    ///
    /// # Spec
    ///
    /// RFC 8693 §4.1.
    #[must_use]
    pub fn actor(&self) -> Option<&str> {
        self.claims.get("act")?.get("sub")?.as_str()
    }

    /// Says whether the claim is there. An empty list counts as absent.
    #[must_use]
    pub fn has_claim(&self, claim: &str) -> bool {
        match claim {
            "iss" | "sub" | "exp" => true,
            "aud" => !self.aud.is_empty(),
            "iat" => self.iat.is_some(),
            "nbf" => self.nbf.is_some(),
            "jti" => self.jti.is_some(),
            "client_id" => self.client_id.is_some(),
            "token_type" => self.token_type.is_some(),
            "session_id" => self.session_id.is_some(),
            "tenant_id" => self.tenant_id.is_some(),
            "workspace_id" => self.workspace_id.is_some(),
            "roles" => !self.roles.is_empty(),
            "scope" | "scopes" => !self.scopes.is_empty(),
            "acr" => self.acr.is_some(),
            "amr" => !self.amr.is_empty(),
            "auth_time" => self.auth_time.is_some(),
            "signing_level" => self.signing_level.is_some(),
            "cnf" => self.cnf.is_some(),
            other => self.claims.contains_key(other),
        }
    }

    fn lists(&self, claim: &str, text: &str) -> bool {
        let items = self.claims.get(claim).and_then(Value::as_array);
        items.is_some_and(|items| items.iter().any(|item| item.as_str() == Some(text)))
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
        ClaimSet::from(claims).typed()
    }
}

/// What the sender of a token must prove to hold, the claim `cnf`.
///
/// # Spec
///
/// RFC 7800 §3, RFC 9449 §6.1, RFC 8705 §3.1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
#[non_exhaustive]
pub struct Confirmation {
    /// Thumbprint of the key that signs the sender's `DPoP` proofs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jkt: Option<String>,
    /// SHA-256 of the sender's TLS certificate, in base64url.
    #[serde(rename = "x5t#S256", skip_serializing_if = "Option::is_none")]
    pub x5t_s256: Option<String>,
    /// Other ways of confirmation, which nothing here can check.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

impl TryFrom<Map<String, Value>> for Confirmation {
    type Error = &'static str;

    /// A member that is there has its type; `null` is not absence.
    fn try_from(members: Map<String, Value>) -> Result<Self, &'static str> {
        let mut read = Self::default();
        for (name, value) in members {
            match (name.as_str(), value) {
                ("jkt", Value::String(jkt)) => read.jkt = Some(jkt),
                ("x5t#S256", Value::String(hash)) => read.x5t_s256 = Some(hash),
                ("jkt" | "x5t#S256", _) => return Err("a thumbprint is not text"),
                (_, value) => drop(read.others.insert(name, value)),
            }
        }
        Ok(read)
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
        audience(Claim::from(value))
            .map(Self)
            .ok_or_else(|| de::Error::custom("not a string or list of strings"))
    }
}

fn serialize_audience<S: Serializer>(names: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    if let [name] = names { serializer.serialize_str(name) } else { names.serialize(serializer) }
}

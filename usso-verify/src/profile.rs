//! Kinds of tokens: what `typ` they carry and which claims they must have.

use std::time::Duration;

use crate::claims::UserData;
use crate::error::VerifyError;

/// What kind of tokens an issuer's are.
///
/// | profile | `typ` | `token_type` | claims beside `iss`, `sub`, `exp` |
/// | --- | --- | --- | --- |
/// | [`usso`](Self::usso), the default | `at+jwt` | `access` | |
/// | [`usso_legacy`](Self::usso_legacy) | `at+jwt`, `JWT` or none | `access` or none | |
/// | [`rfc9068`](Self::rfc9068) | `at+jwt` | | `aud`, `client_id`, `iat`, `jti` |
/// | [`oidc_id_token`](Self::oidc_id_token) | `JWT` or none | must not be there | `aud`, `iat`; `azp` when there are several audiences |
/// | [`custom`](Self::custom) | to be set | | |
///
/// `at+jwt` may also be spelt `application/at+jwt`.
#[derive(Clone, Debug)]
pub struct Profile {
    typ: Typ,
    token_type: TokenType,
    required: Vec<&'static str>,
    authorized_party: bool,
    /// Whether what looks like an ID or a logout token is refused, in want of a `typ` that says so.
    access_only: bool,
    max_age: Option<u64>,
    max_lifetime: Option<u64>,
}

#[derive(Clone, Debug)]
enum Typ {
    /// One of these.
    Exactly(Vec<String>),
    /// `JWT` in any case, or no `typ`.
    JwtOrNone,
    /// One of those, or one of an access token.
    AccessOrJwt,
    /// Whatever.
    Any,
}

#[derive(Clone, Debug)]
enum TokenType {
    Any,
    Exactly(String),
    /// Where there is one at all.
    IfAny(String),
    None,
}

impl Profile {
    /// Access tokens of USSO.
    #[must_use]
    pub fn usso() -> Self {
        Self { token_type: TokenType::Exactly("access".to_owned()), ..Self::access_token() }
    }

    /// Access tokens as USSO issued them before they said so in `typ`, and as many issuers still do.
    ///
    /// # Security
    ///
    /// What such an issuer signs for the same audience for another purpose can pass for an access
    /// token. ID, refresh and logout tokens are refused by the claims that give them away: `nonce`,
    /// the hashes, `events`, `token_use` and `typ`. Prefer [`usso`](Self::usso) where the issuer's tokens allow it.
    ///
    /// # Spec
    ///
    /// RFC 8725 §3.11 and §3.12, which ask for more.
    #[must_use]
    pub fn usso_legacy() -> Self {
        Self {
            typ: Typ::AccessOrJwt,
            token_type: TokenType::IfAny("access".to_owned()),
            access_only: true,
            ..Self::custom()
        }
    }

    /// Access tokens of any issuer that keeps RFC 9068.
    ///
    /// # Spec
    ///
    /// RFC 9068 §2.2, §4.
    #[must_use]
    pub fn rfc9068() -> Self {
        Self { required: vec!["aud", "client_id", "iat", "jti"], ..Self::access_token() }
    }

    /// ID tokens of an `OpenID` provider; the audience to configure is the client's id.
    ///
    /// The nonce is that of one request: see [`Presented::nonce`](crate::Presented::nonce).
    ///
    /// # Security
    ///
    /// An ID token says who signed in, to the client that asked. It is not a credential for a
    /// service: do not accept it where access tokens are expected.
    ///
    /// # Spec
    ///
    /// `OpenID` Connect Core 1.0 §2, §3.1.3.7.
    #[must_use]
    pub fn oidc_id_token() -> Self {
        Self {
            typ: Typ::JwtOrNone,
            token_type: TokenType::None,
            required: vec!["aud", "iat"],
            authorized_party: true,
            ..Self::custom()
        }
    }

    /// Nothing but `iss`, `sub` and `exp`. What `typ` the tokens have must be set:
    /// [`token_types`](Self::token_types), or said aloud [`any_typ`](Self::any_typ).
    #[must_use]
    pub const fn custom() -> Self {
        Self {
            typ: Typ::Exactly(Vec::new()),
            token_type: TokenType::Any,
            required: Vec::new(),
            authorized_party: false,
            access_only: false,
            max_age: None,
            max_lifetime: None,
        }
    }

    fn access_token() -> Self {
        Self::custom().token_types(&ACCESS_TOKEN)
    }

    /// Accepts these values of the header's `typ` only, compared exactly.
    #[must_use]
    pub fn token_types(mut self, types: &[&str]) -> Self {
        self.typ = Typ::Exactly(types.iter().copied().map(str::to_owned).collect());
        self
    }

    /// Accepts every `typ`, also none.
    ///
    /// # Security
    ///
    /// Any other kind of token that the issuer signs for the same audience then passes for this
    /// kind. Make sure that a required claim tells them apart.
    #[must_use]
    pub fn any_typ(mut self) -> Self {
        self.typ = Typ::Any;
        self
    }

    /// Sets the value that USSO's claim `token_type` must have. It must be there, unless it is `access`
    /// and the profile [`usso_legacy`](Self::usso_legacy).
    #[must_use]
    pub fn token_type(mut self, token_type: impl Into<String>) -> Self {
        let token_type = token_type.into();
        let optional = matches!(self.token_type, TokenType::IfAny(_)) && token_type == "access";
        let wrap = if optional { TokenType::IfAny } else { TokenType::Exactly };
        self.token_type = wrap(token_type);
        self
    }

    /// Sets the value that USSO's claim `token_type` must have where there is one.
    #[must_use]
    pub fn token_type_if_any(mut self, token_type: impl Into<String>) -> Self {
        self.token_type = TokenType::IfAny(token_type.into());
        self
    }

    /// Requires that this claim is there, and those named before.
    #[must_use]
    pub fn require_claim(mut self, claim: &'static str) -> Self {
        self.required.push(claim);
        self
    }

    /// Refuses tokens issued longer ago than this, leeway added. Needs the claim `iat`.
    #[must_use]
    pub const fn max_age(mut self, age: Duration) -> Self {
        self.max_age = Some(age.as_secs());
        self
    }

    /// Refuses tokens that were made to live longer than this, from `iat` to `exp`. Needs `iat`.
    #[must_use]
    pub const fn max_lifetime(mut self, lifetime: Duration) -> Self {
        self.max_lifetime = Some(lifetime.as_secs());
        self
    }

    /// Says whether no `typ` can ever be accepted.
    pub(crate) const fn is_untyped(&self) -> bool {
        matches!(&self.typ, Typ::Exactly(types) if types.is_empty())
    }

    pub(crate) fn judge_typ(&self, typ: Option<&str>) -> Result<(), VerifyError> {
        let accepted = match &self.typ {
            Typ::Exactly(types) => types.iter().any(|accepted| Some(accepted.as_str()) == typ),
            Typ::JwtOrNone => is_jwt_or_none(typ),
            Typ::AccessOrJwt => {
                is_jwt_or_none(typ) || typ.is_some_and(|typ| ACCESS_TOKEN.contains(&typ))
            }
            Typ::Any => true,
        };
        if accepted { Ok(()) } else { Err(VerifyError::Typ) }
    }

    /// Judges claims; `is_client` says whether an audience is one the caller answers to.
    pub(crate) fn judge_claims(
        &self,
        claims: &UserData,
        is_client: impl Fn(&str) -> bool,
    ) -> Result<(), VerifyError> {
        let accepted = match &self.token_type {
            TokenType::Exactly(token_type) => claims.token_type.as_ref() == Some(token_type),
            TokenType::IfAny(token_type) => {
                claims.token_type.as_ref().is_none_or(|own| own == token_type)
            }
            TokenType::None => claims.token_type.is_none(),
            TokenType::Any => true,
        };
        if !accepted {
            return Err(VerifyError::TokenType);
        }
        if let Some(missing) = self.required.iter().find(|claim| !claims.has_claim(claim)) {
            return Err(VerifyError::ClaimMissing(missing));
        }
        if self.access_only
            && let Some(telling) = TELLING.iter().find(|claim| claims.has_claim(claim))
        {
            return Err(VerifyError::ClaimInvalid(telling));
        }
        if self.access_only {
            judge_kind(claims)?;
        }
        // A logout token has everything else that an ID token has (Back-Channel Logout 1.0 §2.4).
        if self.authorized_party && claims.has_claim("events") {
            return Err(VerifyError::ClaimInvalid("events"));
        }
        if self.authorized_party {
            judge_authorized_party(claims, is_client)?;
        }
        if self.max_age.is_some() && claims.iat.is_none() {
            return Err(VerifyError::ClaimMissing("iat"));
        }
        if let Some(longest) = self.max_lifetime {
            let issued = claims.iat.ok_or(VerifyError::ClaimMissing("iat"))?;
            if claims.exp.saturating_sub(issued) > longest {
                return Err(VerifyError::Lifetime);
            }
        }
        Ok(())
    }

    /// Gives the time from which on a token is too old, before leeway.
    pub(crate) fn oldest(&self, claims: &UserData) -> u64 {
        match (self.max_age, claims.iat) {
            (Some(age), Some(issued)) => issued.saturating_add(age),
            _ => u64::MAX,
        }
    }
}

fn is_jwt_or_none(typ: Option<&str>) -> bool {
    typ.is_none_or(|typ| typ.eq_ignore_ascii_case("JWT"))
}

/// Refuses what Cognito (`token_use`) and Keycloak (`typ`) issue for other purposes.
fn judge_kind(claims: &UserData) -> Result<(), VerifyError> {
    for (claim, good) in [("token_use", &["access"][..]), ("typ", &["Bearer", "access", "at+jwt"])]
    {
        let own = claims.claims.get(claim);
        if own.is_some_and(|own| !own.as_str().is_some_and(|own| good.contains(&own))) {
            return Err(VerifyError::ClaimInvalid(claim));
        }
    }
    Ok(())
}

/// The `typ` of access tokens (RFC 9068 §2.1).
const ACCESS_TOKEN: [&str; 2] = ["at+jwt", "application/at+jwt"];

/// Claims that ID and logout tokens have and access tokens have not (Core 1.0 §2, §3.3.2.11; Back-Channel
/// Logout 1.0 §2.4).
const TELLING: [&str; 5] = ["nonce", "at_hash", "c_hash", "s_hash", "events"];

/// `OpenID` Connect Core 1.0 §3.1.3.7 steps 4 and 5: the party that was authorized is this client.
fn judge_authorized_party(
    claims: &UserData,
    is_client: impl Fn(&str) -> bool,
) -> Result<(), VerifyError> {
    match claims.claims.get("azp") {
        None if claims.aud.len() > 1 => Err(VerifyError::ClaimMissing("azp")),
        None => Ok(()),
        Some(party) if party.as_str().is_some_and(is_client) => Ok(()),
        Some(_) => Err(VerifyError::ClaimInvalid("azp")),
    }
}

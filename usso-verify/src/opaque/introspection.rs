//! Token introspection: asking the issuer what an opaque access token is worth.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::client::{ClientAuth, form_encoded};
use super::credential::{Credential, Origin, Realm};
use super::error::{ConfigError, Error, Reason};
use super::rules::{Audiences, ODD_ANSWER, Rules, flag, members, text};
use super::{Upstream, endpoint};
use crate::claims::UserData;
use crate::fetch::{Request, Response};

/// An introspection endpoint, and the rules for what it says.
///
/// The answer counts if it has status 200 and is a JSON object whose `active` is `true` and whose
/// members are of their types. A missing `iss` is filled in with the configured issuer; a missing
/// `exp` becomes 60 seconds from now, so that the token is asked about again. `exp` is kept without
/// leeway, `nbf` and `iat` with it. `scope` ends up in [`UserData::scopes`]. All other members are
/// kept, `cnf` among them.
///
/// # Security
///
/// * A token whose `cnf` binds it to a key is not a bearer token: the caller checks the proof. One
///   whose `token_type` is `DPoP` without the key's thumbprint (`cnf.jkt`) is refused: as a bearer
///   token it would be worth something to a thief (RFC 9449 §6.2).
/// * The type of token is judged ([`token_types`](Self::token_types)): the endpoint also knows
///   refresh tokens, and the hint in the request is no more than that.
/// * A token that names a client but no subject is refused by default. An attacker who can choose a
///   client id equal to someone's `sub` would otherwise be that someone (RFC 9700 §4.15).
///
/// # Spec
///
/// RFC 7662 §2. Signed answers (RFC 9701) are not asked for.
#[derive(Clone)]
pub struct Introspection {
    endpoint: String,
    client: ClientAuth,
    rules: Rules,
    realm: Realm,
    token_types: Vec<String>,
    clients: Clients,
}

/// What a token of a client without a subject is worth.
#[derive(Clone)]
enum Clients {
    Refused,
    SubjectWithPrefix(String),
}

impl Introspection {
    /// Names the endpoint, the issuer that runs it, for whom tokens must be, and the credentials to
    /// ask with.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Endpoint`], [`ConfigError::Issuer`], [`ConfigError::Audiences`].
    pub fn new(
        endpoint: impl Into<String>,
        issuer: impl Into<String>,
        audiences: Audiences,
        client: ClientAuth,
    ) -> Result<Self, ConfigError> {
        let endpoint = endpoint.into();
        endpoint::check(&endpoint)?;
        let rules = Rules::new(issuer.into(), audiences)?;
        let realm = rules.realm(&endpoint);
        let token_types = ["access", "access_token", "bearer", "dpop"].map(str::to_owned).to_vec();
        Ok(Self { endpoint, client, rules, realm, token_types, clients: Clients::Refused })
    }

    /// Sets how far `nbf` and `iat` may lie ahead. Default 30 seconds, at most 120.
    ///
    /// # Errors
    ///
    /// [`ConfigError::LeewayTooLong`].
    pub fn leeway(self, leeway: Duration) -> Result<Self, ConfigError> {
        Ok(Self { rules: self.rules.leeway(leeway)?, ..self })
    }

    /// Accepts these values of `token_type` only, in any case of letters. Default: `access`,
    /// `access_token`, `bearer`, `dpop`. A token whose type the endpoint does not tell is accepted.
    ///
    /// # Errors
    ///
    /// [`ConfigError::TokenTypes`].
    pub fn token_types(mut self, types: &[&str]) -> Result<Self, ConfigError> {
        if types.is_empty() {
            return Err(ConfigError::TokenTypes);
        }
        self.token_types = types.iter().copied().map(str::to_owned).collect();
        Ok(self)
    }

    /// Accepts tokens that a client holds for itself: without `sub`, the subject is this prefix and
    /// the `client_id`. Choose one that no user's `sub` starts with, such as `client:`.
    ///
    /// # Errors
    ///
    /// [`ConfigError::SubjectPrefix`] if it is empty.
    pub fn client_subject_prefix(mut self, prefix: &str) -> Result<Self, ConfigError> {
        if prefix.is_empty() {
            return Err(ConfigError::SubjectPrefix);
        }
        self.clients = Clients::SubjectWithPrefix(prefix.to_owned());
        Ok(self)
    }

    /// Fills in the subject of a client's own token.
    fn name_client(&self, claims: &mut Map<String, Value>) -> Result<(), Error> {
        if let Clients::SubjectWithPrefix(prefix) = &self.clients
            && !claims.contains_key("sub")
            && let Some(client) = text(claims, "client_id")?.filter(|id| !id.is_empty())
        {
            let subject = format!("{prefix}{client}");
            claims.insert("sub".to_owned(), subject.into());
        }
        Ok(())
    }
}

impl Upstream for Introspection {
    /// Admits a bearer token of the alphabet of RFC 6750 §2.1 with at most 8192 bytes.
    fn credential<'c>(&self, token: &'c str, origin: Origin) -> Result<Credential<'c>, Error> {
        match origin {
            Origin::Bearer => Credential::read(token, [1, MAX_TOKEN], self.realm),
            Origin::KeyHeader => Err(Error::Unrecognised),
        }
    }

    fn request(&self, token: &Credential<'_>) -> Request {
        let token = form_encoded(token.text);
        let form = format!("token={token}&token_type_hint=access_token");
        self.client.sign(&self.endpoint, &form)
    }

    fn judge(&self, answer: &Response, now: u64) -> Result<UserData, Error> {
        match answer.status {
            200 => {}
            401 | 403 => return Err(Error::Unavailable(Reason::Client)),
            status => return Err(Error::Unavailable(Reason::Status(status))),
        }
        let mut claims = members(answer)?;
        if !flag(&mut claims, "active")?.ok_or(ODD_ANSWER)? {
            return Err(Error::Inactive);
        }
        self.name_client(&mut claims)?;
        let claims = self.rules.principal(claims, now)?;
        let is_accepted =
            |kind: &str| self.token_types.iter().any(|t| t.eq_ignore_ascii_case(kind));
        let kind = claims.token_type.as_deref();
        let unbound = || claims.cnf.as_ref().is_none_or(|cnf| cnf.jkt.is_none());
        let names_no_key = kind.is_some_and(|kind| kind.eq_ignore_ascii_case("dpop")) && unbound();
        if kind.is_none_or(is_accepted) && !names_no_key {
            Ok(claims)
        } else {
            Err(Error::TokenType)
        }
    }
}

impl fmt::Debug for Introspection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Introspection").field("issuer", &self.rules.issuer).finish_non_exhaustive()
    }
}

/// In bytes; the verifier's default limit for tokens of any kind.
const MAX_TOKEN: usize = 8192;

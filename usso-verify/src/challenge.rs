//! What a refused client is told: the values of `WWW-Authenticate`.
//!
//! ```
//! use usso_verify::Algorithm;
//! use usso_verify::challenge::{Challenge, ErrorCode, join};
//!
//! // Nothing was sent with the request: how to ask, and no error.
//! let metadata = "https://api.example/.well-known/oauth-protected-resource";
//! let bearer = Challenge::bearer().realm("api").resource_metadata(metadata);
//! let dpop = Challenge::dpop([Algorithm::EdDsa, Algorithm::Es256]);
//! assert_eq!(
//!     join(&[bearer.clone(), dpop])?,
//!     format!(r#"Bearer realm="api", resource_metadata="{metadata}", DPoP algs="EdDSA ES256""#),
//! );
//! // A token was sent and refused.
//! let refused = bearer.error(ErrorCode::InvalidToken).error_description("the token has expired");
//! assert!(refused.value()?.contains(r#"error="invalid_token""#));
//! # Ok::<(), usso_verify::challenge::Invalid>(())
//! ```
//!
//! # Security
//!
//! A value is made of visible ASCII and spaces only, so nothing put into it can end the header and
//! begin another one. What a program reads is refused if it has any other character; text for
//! people loses it.
//!
//! # Spec
//!
//! RFC 6750 §3, RFC 9110 §11.6.1, RFC 9449 §7.1 and §9, RFC 9470 §3, RFC 9728 §5.1.

use std::fmt::{self, Write};

use crate::algorithm::Algorithm;
use crate::step_up::StepUp;
use crate::uri::{HttpUri, is_uri_byte};

/// Why a request was refused, in the words of OAuth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorCode {
    /// The token is good, but lacks a scope. Answer 403.
    InsufficientScope,
    /// The token is good, but the authentication behind it is too weak or too old. Answer 401.
    InsufficientUserAuthentication,
    /// The DPoP proof is missing or does not hold. Answer 401; `DPoP` challenges only.
    InvalidDpopProof,
    /// The request itself is malformed, or has several tokens. Answer 400.
    InvalidRequest,
    /// The token is expired, revoked, malformed, or not for this. Answer 401.
    InvalidToken,
    /// The DPoP proof needs the nonce of this response. Answer 401; `DPoP` challenges only.
    UseDpopNonce,
}

impl ErrorCode {
    /// Gives the registered name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InsufficientScope => "insufficient_scope",
            Self::InsufficientUserAuthentication => "insufficient_user_authentication",
            Self::InvalidDpopProof => "invalid_dpop_proof",
            Self::InvalidRequest => "invalid_request",
            Self::InvalidToken => "invalid_token",
            Self::UseDpopNonce => "use_dpop_nonce",
        }
    }

    /// Gives the HTTP status to answer with.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::InsufficientScope => 403,
            _ => 401,
        }
    }
}

/// One challenge. Without [`error`](Self::error) it is for a request that had no credentials.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Challenge {
    /// Accepted algorithms of a `DPoP` challenge; `None` for `Bearer`.
    algs: Option<Vec<Algorithm>>,
    realm: Option<String>,
    error: Option<ErrorCode>,
    error_description: Option<String>,
    scope: Vec<String>,
    acr_values: Vec<String>,
    max_age: Option<u64>,
    resource_metadata: Option<String>,
}

impl Challenge {
    /// Asks for a bearer token.
    pub fn bearer() -> Self {
        Self {
            algs: None,
            realm: None,
            error: None,
            error_description: None,
            scope: Vec::new(),
            acr_values: Vec::new(),
            max_age: None,
            resource_metadata: None,
        }
    }

    /// Asks for a token with a DPoP proof, signed with one of the algorithms.
    pub fn dpop(algorithms: impl IntoIterator<Item = Algorithm>) -> Self {
        Self { algs: Some(algorithms.into_iter().collect()), ..Self::bearer() }
    }

    /// Names the protection space.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// Says what was wrong with the credentials. Leave it out if there were none.
    pub fn error(mut self, error: ErrorCode) -> Self {
        self.error = Some(error);
        self
    }

    /// Explains the error to a developer, in visible ASCII without quotes and backslashes; other
    /// characters are dropped. Sent only together with an error.
    pub fn error_description(mut self, text: impl Into<String>) -> Self {
        self.error_description = Some(text.into());
        self
    }

    /// Names the scopes that the request needs.
    pub fn scope<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scope = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Asks for a better or fresher authentication: sets the error, the context classes and the
    /// maximum age.
    ///
    /// # Spec
    ///
    /// RFC 9470 §3.
    pub fn step_up(mut self, step_up: &StepUp) -> Self {
        self.error = Some(ErrorCode::InsufficientUserAuthentication);
        self.acr_values.clone_from(&step_up.acr_values);
        self.max_age = step_up.max_age;
        self
    }

    /// Says where the metadata of the resource is, see
    /// [`ProtectedResource::well_known_url`](crate::ProtectedResource::well_known_url).
    pub fn resource_metadata(mut self, url: impl Into<String>) -> Self {
        self.resource_metadata = Some(url.into());
        self
    }

    /// Gives the value for one `WWW-Authenticate` field.
    ///
    /// # Errors
    ///
    /// [`Invalid`], every variant.
    pub fn value(&self) -> Result<String, Invalid> {
        let mut parameters = Vec::new();
        if let Some(realm) = &self.realm {
            parameters.push(("realm", quotable(realm).ok_or(Invalid::Realm)?));
        }
        if let Some(error) = self.error {
            parameters.push(("error", self.permitted(error)?.as_str().to_owned()));
            let text = self.error_description.iter().flat_map(|text| text.chars());
            let text: String = text.filter(|character| is_plain(*character)).collect();
            if !text.is_empty() {
                parameters.push(("error_description", text));
            }
        }
        if !self.scope.is_empty() {
            parameters.push(("scope", words(&self.scope).ok_or(Invalid::Scope)?));
        }
        if !self.acr_values.is_empty() {
            parameters.push(("acr_values", words(&self.acr_values).ok_or(Invalid::AcrValues)?));
        }
        if let Some(max_age) = self.max_age {
            parameters.push(("max_age", max_age.to_string()));
        }
        if let Some(algorithms) = &self.algs {
            let names: Vec<_> = algorithms.iter().map(|algorithm| algorithm.as_str()).collect();
            let names = if names.is_empty() { Err(Invalid::Algorithms) } else { Ok(names) };
            parameters.push(("algs", names?.join(" ")));
        }
        if let Some(url) = &self.resource_metadata {
            let sound = HttpUri::parse(url).is_some() && url.bytes().all(is_url_byte);
            let url = sound.then(|| url.clone()).ok_or(Invalid::ResourceMetadata)?;
            parameters.push(("resource_metadata", url));
        }
        self.written(&parameters)
    }

    fn permitted(&self, error: ErrorCode) -> Result<ErrorCode, Invalid> {
        let proof = matches!(error, ErrorCode::InvalidDpopProof | ErrorCode::UseDpopNonce);
        if proof && self.algs.is_none() { Err(Invalid::Error) } else { Ok(error) }
    }

    fn written(&self, parameters: &[(&str, String)]) -> Result<String, Invalid> {
        if parameters.is_empty() {
            return Err(Invalid::Empty);
        }
        let mut value = if self.algs.is_some() { "DPoP" } else { "Bearer" }.to_owned();
        for (index, (name, text)) in parameters.iter().enumerate() {
            let separator = if index == 0 { " " } else { ", " };
            write!(value, r#"{separator}{name}="{text}""#).map_err(|_| Invalid::Empty)?;
        }
        Ok(value)
    }
}

/// Gives several challenges as one value. Sending each in a field of its own means the same, and
/// more clients understand it.
///
/// # Errors
///
/// [`Invalid`], every variant.
///
/// # Spec
///
/// RFC 9110 §11.6.1.
pub fn join(challenges: &[Challenge]) -> Result<String, Invalid> {
    let values = challenges.iter().map(Challenge::value).collect::<Result<Vec<_>, _>>()?;
    if values.is_empty() { Err(Invalid::Empty) } else { Ok(values.join(", ")) }
}

/// Why a challenge cannot be written. A mistake of the program, not of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Invalid {
    /// A context class is empty, or has a space or a character that cannot be sent.
    AcrValues,
    /// A `DPoP` challenge names no algorithm.
    Algorithms,
    /// There is nothing to say: RFC 6750 wants at least one parameter, such as a realm.
    Empty,
    /// A `Bearer` challenge has an error about DPoP proofs.
    Error,
    /// The realm has a character that cannot be sent.
    Realm,
    /// The address of the metadata is not an absolute `http(s)` URI.
    ResourceMetadata,
    /// A scope is empty, or has a space or a character that cannot be sent.
    Scope,
}

impl Invalid {
    /// Gives the stable public code, `challenge.` and the problem.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::AcrValues => "challenge.acr_values",
            Self::Algorithms => "challenge.algorithms",
            Self::Empty => "challenge.empty",
            Self::Error => "challenge.error",
            Self::Realm => "challenge.realm",
            Self::ResourceMetadata => "challenge.resource_metadata",
            Self::Scope => "challenge.scope",
        }
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AcrValues => "a context class is empty or has a forbidden character",
            Self::Algorithms => "a `DPoP` challenge names no algorithm",
            Self::Empty => "a challenge has no parameter; give it a realm",
            Self::Error => "a `Bearer` challenge has an error about proofs",
            Self::Realm => "the realm has a forbidden character",
            Self::ResourceMetadata => "the address of the metadata is not an absolute URI",
            Self::Scope => "a scope is empty or has a forbidden character",
        })
    }
}

impl std::error::Error for Invalid {}

/// Escapes what RFC 9110 §5.6.4 wants escaped; `None` for what it could not carry safely.
fn quotable(text: &str) -> Option<String> {
    let sound = text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
    sound.then(|| text.replace('\\', r"\\").replace('"', "\\\""))
}

/// RFC 6750 §3: `scope-token`s with single spaces between them.
fn words(words: &[String]) -> Option<String> {
    let sound = |word: &String| {
        !word.is_empty() && word.chars().all(|character| character != ' ' && is_plain(character))
    };
    words.iter().all(sound).then(|| words.join(" "))
}

/// RFC 6750 §3: what an `error_description` may have.
fn is_plain(character: char) -> bool {
    matches!(character, ' '..='~') && !matches!(character, '"' | '\\')
}

fn is_url_byte(byte: u8) -> bool {
    is_uri_byte(byte) || matches!(byte, b'[' | b']' | b'#')
}

#[cfg(test)]
mod tests {
    use super::{Challenge, ErrorCode, Invalid, join};
    use crate::Algorithm;
    use crate::step_up::{Authentication, Requirement};
    use proptest::prelude::*;
    use std::time::Duration;

    const HOSTILE: [&str; 8] =
        ["a\r\nSet-Cookie: x=1", "a\n", "\r", "a\0", "a\u{7f}", "caf\u{e9}", "a\tb", "\u{2028}"];

    fn value(challenge: &Challenge) -> String {
        challenge.value().unwrap()
    }

    #[test]
    fn a_request_without_credentials_is_not_told_of_an_error() {
        let challenge = Challenge::bearer().realm("example").error_description("hunter2");
        assert_eq!(value(&challenge), r#"Bearer realm="example""#);
    }

    #[test]
    fn rfc_6750_3_an_expired_token_is_answered_as_published() {
        let challenge = Challenge::bearer()
            .realm("example")
            .error(ErrorCode::InvalidToken)
            .error_description("The access token expired");
        assert_eq!(
            value(&challenge),
            "Bearer realm=\"example\", error=\"invalid_token\", \
             error_description=\"The access token expired\"",
        );
    }

    #[test]
    fn rfc_9449_the_published_challenges_are_written() {
        let dpop = Challenge::dpop([Algorithm::Es256, Algorithm::Ps256]);
        assert_eq!(value(&dpop), r#"DPoP algs="ES256 PS256""#);
        assert_eq!(
            value(&dpop.clone().error(ErrorCode::UseDpopNonce)),
            r#"DPoP error="use_dpop_nonce", algs="ES256 PS256""#
        );
        assert_eq!(
            value(&dpop.error(ErrorCode::InvalidDpopProof)),
            r#"DPoP error="invalid_dpop_proof", algs="ES256 PS256""#
        );
    }

    #[test]
    fn rfc_9470_3_a_step_up_says_what_is_needed() {
        let needed = Requirement::new().acr("myACR").acr("other").max_age(Duration::from_secs(5));
        let step_up = needed.check(&Authentication::default(), 0, Duration::ZERO).unwrap_err();
        assert_eq!(
            value(&Challenge::bearer().step_up(&step_up)),
            "Bearer error=\"insufficient_user_authentication\", acr_values=\"myACR other\", \
             max_age=\"5\"",
        );
    }

    #[test]
    fn rfc_9728_5_1_the_metadata_is_pointed_to() {
        let url = "https://resource.example.com/.well-known/oauth-protected-resource";
        let challenge = Challenge::bearer().resource_metadata(url);
        assert_eq!(value(&challenge), format!(r#"Bearer resource_metadata="{url}""#));
    }

    #[test]
    fn a_lacking_scope_is_named() {
        let challenge =
            Challenge::bearer().error(ErrorCode::InsufficientScope).scope(["read:a", "write:b"]);
        assert_eq!(
            value(&challenge),
            r#"Bearer error="insufficient_scope", scope="read:a write:b""#
        );
    }

    #[test]
    fn several_challenges_make_one_value() {
        let both = [Challenge::bearer().realm("a"), Challenge::dpop([Algorithm::EdDsa])];
        assert_eq!(join(&both).unwrap(), r#"Bearer realm="a", DPoP algs="EdDSA""#);
        assert_eq!(
            join(&[Challenge::bearer().realm("a"), Challenge::bearer()]),
            Err(Invalid::Empty)
        );
    }

    #[test]
    fn each_error_has_its_status() {
        for (error, status) in [
            (ErrorCode::InsufficientScope, 403),
            (ErrorCode::InsufficientUserAuthentication, 401),
            (ErrorCode::InvalidDpopProof, 401),
            (ErrorCode::InvalidRequest, 400),
            (ErrorCode::InvalidToken, 401),
            (ErrorCode::UseDpopNonce, 401),
        ] {
            assert_eq!(error.status(), status, "{}", error.as_str());
            let challenge = Challenge::dpop([Algorithm::EdDsa]).error(error);
            assert!(value(&challenge).contains(&format!("error=\"{}\"", error.as_str())));
        }
    }

    #[test]
    fn a_quote_in_a_realm_cannot_end_it() {
        let challenge = Challenge::bearer().realm(r#"a", error="x\"#);
        assert_eq!(value(&challenge), r#"Bearer realm="a\", error=\"x\\""#);
    }

    #[test]
    fn what_a_program_reads_is_refused_when_it_cannot_be_sent() {
        for text in HOSTILE {
            let bearer = || Challenge::bearer().realm("a");
            assert_eq!(bearer().realm(text).value(), Err(Invalid::Realm), "{text:?}");
            assert_eq!(bearer().scope([text]).value(), Err(Invalid::Scope), "{text:?}");
            let url = format!("https://a/{text}");
            let challenge = bearer().resource_metadata(url);
            assert_eq!(challenge.value(), Err(Invalid::ResourceMetadata), "{text:?}");
            let needed = Requirement::new().acr(text);
            let step_up = needed.check(&Authentication::default(), 0, Duration::ZERO).unwrap_err();
            assert_eq!(bearer().step_up(&step_up).value(), Err(Invalid::AcrValues), "{text:?}");
        }
        for text in ["", "a b", "a\"b", "a\\b"] {
            let challenge = Challenge::bearer().scope(["good", text]);
            assert_eq!(challenge.value(), Err(Invalid::Scope), "{text:?}");
        }
        for url in ["", "a", "/a", "ftp://a/", "https://a/?\"", "https://a/?q=\\", "https://u@a/"] {
            let challenge = Challenge::bearer().resource_metadata(url);
            assert_eq!(challenge.value(), Err(Invalid::ResourceMetadata), "{url:?}");
        }
    }

    #[test]
    fn a_description_loses_what_it_must_not_have() {
        let described = |text: &str| {
            value(&Challenge::bearer().error(ErrorCode::InvalidToken).error_description(text))
        };
        assert_eq!(
            described("no \"quote\"\\\r\nSet-Cookie: x=1\u{e9}"),
            r#"Bearer error="invalid_token", error_description="no quoteSet-Cookie: x=1""#
        );
        assert_eq!(described("\r\n\u{e9}"), r#"Bearer error="invalid_token""#);
    }

    #[test]
    fn the_codes_are_these() {
        let realm = || Challenge::bearer().realm("a");
        let needed = Requirement::new().acr("");
        let step_up = needed.check(&Authentication::default(), 0, Duration::ZERO).unwrap_err();
        for (challenge, code) in [
            (realm().step_up(&step_up), "challenge.acr_values"),
            (Challenge::dpop([]), "challenge.algorithms"),
            (Challenge::bearer(), "challenge.empty"),
            (realm().error(ErrorCode::UseDpopNonce), "challenge.error"),
            (realm().error(ErrorCode::InvalidDpopProof), "challenge.error"),
            (realm().realm("\n"), "challenge.realm"),
            (realm().resource_metadata("x"), "challenge.resource_metadata"),
            (realm().scope([""]), "challenge.scope"),
        ] {
            let invalid = challenge.value().unwrap_err();
            assert_eq!(invalid.code(), code);
            let text = invalid.to_string();
            assert!(text.starts_with(char::is_lowercase) && !text.ends_with('.'), "{text}");
        }
        assert_eq!(join(&[]), Err(Invalid::Empty));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn no_text_leaves_its_quotes_or_its_line(realm in "\\PC*", text in ".*", scope in ".{0,8}") {
            let challenge = Challenge::bearer()
                .realm(realm.clone())
                .error(ErrorCode::InvalidToken)
                .error_description(text)
                .scope([scope]);
            if let Ok(value) = challenge.value() {
                prop_assert!(value.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
                let realm = realm.replace('\\', "\\\\").replace('"', "\\\"");
                let start = format!("Bearer realm=\"{realm}\", error=\"invalid_token\"");
                let rest = value.strip_prefix(&start);
                prop_assert!(rest.is_some_and(|rest| rest.matches('"').count() % 2 == 0));
            }
        }
    }
}

//! Reading a compact token strictly, up to its signature.

use std::sync::Arc;

use arc_swap::ArcSwap;
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::claim_set::ClaimSet;
use crate::claims::UserData;
use crate::error::VerifyError;
use crate::json::{self, Limits};

/// A token that was read and proves nothing yet.
///
/// Only the header and the claimed issuer may decide anything, to find the key; the claims count
/// once the signature was found good.
pub(crate) struct Unverified<'t> {
    pub(crate) header: Arc<Header>,
    /// What was signed.
    pub(crate) message: &'t str,
    pub(crate) signature: Vec<u8>,
    /// The typed claims, or the issuer they name and why they are refused once it vouches for them.
    claims: Result<UserData, (String, VerifyError)>,
    json: String,
}

impl<'t> Unverified<'t> {
    /// Reads a token of three segments (RFC 7515 §7.1). The caller bounds its length.
    pub(crate) fn read(token: &'t str, headers: &Headers) -> Result<Self, VerifyError> {
        let (message, signature) = token.rsplit_once('.').ok_or(VerifyError::Malformed)?;
        let (header, claims) = message.split_once('.').ok_or(VerifyError::Malformed)?;
        let header = headers.read(header)?;
        // A dot left in the claims (a JWE has five segments) is outside the base64url alphabet.
        let claims = base64url::decode(claims).ok_or(VerifyError::Malformed)?;
        let signature = base64url::decode(signature).ok_or(VerifyError::Malformed)?;
        let json = String::from_utf8(claims).map_err(|_| VerifyError::Malformed)?;
        let mut set = ClaimSet::read(&json)?;
        let claims = match set.typed() {
            Ok(claims) => Ok(claims),
            Err(error) => Err((set.issuer().map(str::to_owned)?, error)),
        };
        Ok(Self { header, message, signature, claims, json })
    }

    /// Gives the header's segment.
    pub(crate) fn header_segment(&self) -> &'t str {
        self.message.split_once('.').map_or("", |(header, _)| header)
    }

    /// Gives the issuer the token claims to be from.
    pub(crate) fn claimed_issuer(&self) -> &str {
        match &self.claims {
            Ok(claims) => &claims.iss,
            Err((issuer, _)) => issuer,
        }
    }

    /// Gives the claims and their JSON, once the signature was found good.
    pub(crate) fn authenticated(self) -> Result<(UserData, String), VerifyError> {
        let claims = self.claims.map_err(|(_, error)| error)?;
        Ok((claims, self.json))
    }
}

/// What a header says that matters. Depends on the header segment alone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
}

impl Header {
    /// Reads a header segment.
    ///
    /// `jwk`, `jku`, `x5u` and `x5c` are not looked at: a key never comes from the token (RFC 8725
    /// §3.10). `crit` is refused with any content, because no extension is supported, and so is
    /// `b64`, because it changes what was signed (RFC 7515 §4.1.11, RFC 7797 §6).
    fn read(segment: &str) -> Result<Self, VerifyError> {
        if segment.len() > MAX_HEADER_SEGMENT {
            return Err(VerifyError::TooLarge);
        }
        let bytes = base64url::decode(segment).ok_or(VerifyError::Malformed)?;
        let mut members = json::parse_object(&bytes, Limits::default())?;
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(VerifyError::Critical);
        }
        let algorithm = text(&mut members, "alg")?.ok_or(VerifyError::Malformed)?;
        Ok(Self {
            algorithm: Algorithm::parse(&algorithm).ok_or(VerifyError::Algorithm)?,
            kid: text(&mut members, "kid")?,
            typ: text(&mut members, "typ")?,
        })
    }
}

/// The headers seen on tokens with a good signature, so that each is read once.
///
/// Only those are kept: what anybody can send takes no room. An issuer has about one per key.
#[derive(Default)]
pub(crate) struct Headers(ArcSwap<Vec<Known>>);

#[derive(Clone)]
struct Known {
    segment: Box<str>,
    header: Arc<Header>,
}

impl Headers {
    fn read(&self, segment: &str) -> Result<Arc<Header>, VerifyError> {
        match self.0.load().iter().find(|known| *known.segment == *segment) {
            Some(known) => Ok(Arc::clone(&known.header)),
            None => Header::read(segment).map(Arc::new),
        }
    }

    /// Keeps the header of a token whose signature is good.
    pub(crate) fn remember(&self, segment: &str, header: &Arc<Header>) {
        let known = self.0.load();
        if known.iter().any(|known| *known.segment == *segment) {
            return;
        }
        let kept = if known.len() < MAX_HEADERS { known.to_vec() } else { Vec::new() };
        let new = Known { segment: segment.into(), header: Arc::clone(header) };
        self.0.store(Arc::new(kept.into_iter().chain([new]).collect()));
    }
}

fn text(members: &mut Map<String, Value>, name: &str) -> Result<Option<String>, VerifyError> {
    match json::take(members, name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(VerifyError::Malformed),
    }
}

/// 4096 bytes in base64url.
const MAX_HEADER_SEGMENT: usize = 5462;

const MAX_HEADERS: usize = 64;

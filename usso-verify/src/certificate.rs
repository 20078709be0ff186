//! Access tokens bound to a TLS client certificate.
//!
//! The token says in `cnf["x5t#S256"]` which certificate its holder uses; the server compares that
//! with the certificate of the connection. The certificate comes from the TLS library
//! ([`Thumbprint::of_der`]) or, behind a proxy that ends TLS, out of a header that the proxy sets.
//!
//! # Security
//!
//! Only the thumbprint is taken: no chain, name, validity or revocation is checked, because the
//! token's issuer vouches for the certificate and TLS proved its key. That makes the source
//! everything. A header is worth something only if nobody but the proxy can reach the server, and
//! if the proxy removes the header from what clients send.
//!
//! # Spec
//!
//! RFC 8705 §3, RFC 9440.

use std::fmt;

use base64_simd::STANDARD;
use sha2::{Digest, Sha256};

use crate::base64url;
use crate::header::Sent;
use crate::uri::hex_byte;

/// SHA-256 of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Thumbprint([u8; 32]);

impl Thumbprint {
    /// Hashes a certificate in DER, as TLS libraries give it. At most 64 KiB.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], and [`Error::Malformed`] if it is not one DER sequence that fills the
    /// bytes.
    pub fn of_der(der: &[u8]) -> Result<Self, Error> {
        bounded(der)?;
        if !is_sequence(der) {
            return Err(Error::Malformed);
        }
        Ok(Self(Sha256::digest(der).into()))
    }

    /// Hashes the one certificate of a PEM text.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::Multiple`] if there are several (which of a chain is the
    /// client's is not for the text to say), [`Error::Malformed`] for anything else around or
    /// inside it.
    ///
    /// # Spec
    ///
    /// RFC 7468 §5, with line breaks anywhere.
    pub fn of_pem(pem: &str) -> Result<Self, Error> {
        bounded(pem)?;
        let body = pem.trim_ascii().strip_prefix(BEGIN).ok_or(Error::Malformed)?;
        let (body, after) = body.split_once(END).ok_or(Error::Malformed)?;
        match after {
            "" => Self::of_base64(&body.split_ascii_whitespace().collect::<String>()),
            more if more.contains(BEGIN) => Err(Error::Multiple),
            _ => Err(Error::Malformed),
        }
    }

    /// Reads a percent-encoded PEM: nginx's `$ssl_client_escaped_cert`, often sent as
    /// `X-SSL-Client-Cert`, and `X-Amzn-Mtls-Clientcert-Leaf`.
    ///
    /// # Errors
    ///
    /// As [`of_pem`](Self::of_pem).
    pub fn of_escaped_pem(value: &str) -> Result<Self, Error> {
        bounded(value)?;
        Self::of_pem(&unescaped(value).ok_or(Error::Malformed)?)
    }

    /// Reads the standard header `Client-Cert`: base64 between colons.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::Malformed`] if it is anything else.
    ///
    /// # Spec
    ///
    /// RFC 9440 §2.2, RFC 9651 §3.3.5.
    pub fn of_client_cert(value: &str) -> Result<Self, Error> {
        bounded(value)?;
        let inner = value.trim_matches([' ', '\t']).strip_prefix(':');
        Self::of_base64(inner.and_then(|text| text.strip_suffix(':')).ok_or(Error::Malformed)?)
    }

    /// Reads Envoy's `X-Forwarded-Client-Cert`: `Hash` in hex, or `Cert` as percent-encoded PEM.
    ///
    /// # Errors
    ///
    /// [`Error::TooLarge`], [`Error::Multiple`] for several elements, [`Error::Missing`] if the
    /// element has neither member, [`Error::Malformed`] if one is not sound, is there twice, or if
    /// they are of different certificates.
    ///
    /// # Security
    ///
    /// With several elements, all but the last are hearsay. Let Envoy replace what it is sent
    /// (`forward_client_cert_details: SANITIZE_SET`).
    pub fn of_xfcc(value: &str) -> Result<Self, Error> {
        bounded(value)?;
        let (mut hash, mut cert) = (None, None);
        for (name, value) in xfcc_pairs(value)? {
            let slot = match name.trim_ascii() {
                name if name.eq_ignore_ascii_case("hash") => &mut hash,
                name if name.eq_ignore_ascii_case("cert") => &mut cert,
                _ => continue,
            };
            if slot.replace(value).is_some() {
                return Err(Error::Malformed);
            }
        }
        let hash = hash.map(|hex| of_hex(&hex).ok_or(Error::Malformed)).transpose()?;
        let cert = cert.map(|pem| Self::of_escaped_pem(&pem)).transpose()?;
        match (hash, cert) {
            (Some(hash), Some(cert)) if hash != cert => Err(Error::Malformed),
            (hash, cert) => hash.or(cert).ok_or(Error::Missing),
        }
    }

    /// Gives the thumbprint as `x5t#S256` spells it: base64url.
    #[must_use]
    pub fn to_text(&self) -> String {
        base64url::encode(&self.0)
    }

    /// Checks that a token is bound to this certificate.
    ///
    /// # Errors
    ///
    /// [`Error::Mismatch`] if `x5t_s256`, the claim `cnf["x5t#S256"]` of a verified token, is not
    /// this thumbprint.
    ///
    /// # Spec
    ///
    /// RFC 8705 §3.
    pub fn check_binding(&self, x5t_s256: &str) -> Result<(), Error> {
        // Both are public values: a comparison that takes its time tells nothing.
        if self.to_text() == x5t_s256 { Ok(()) } else { Err(Error::Mismatch) }
    }

    fn of_base64(text: &str) -> Result<Self, Error> {
        Self::of_der(&STANDARD.decode_to_vec(text).map_err(|_| Error::Malformed)?)
    }
}

/// Gives the only value of a header that holds the client's certificate.
///
/// # Errors
///
/// [`Error::Missing`] without a value, [`Error::Multiple`] with several, [`Error::Malformed`] if it
/// is not ASCII.
///
/// # Security
///
/// Several values mean that the proxy adds its own to one the client sent.
pub fn only_header<'h, V>(values: impl IntoIterator<Item = &'h V>) -> Result<&'h str, Error>
where
    V: AsRef<[u8]> + ?Sized + 'h,
{
    match Sent::of(values) {
        Sent::Never => Err(Error::Missing),
        Sent::Once(value) if value.is_ascii() => {
            str::from_utf8(value).map_err(|_| Error::Malformed)
        }
        Sent::Once(_) => Err(Error::Malformed),
        Sent::Repeatedly => Err(Error::Multiple),
    }
}

/// Why a certificate was refused. Holds nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// The text or the bytes are not a certificate in the expected form.
    Malformed,
    /// The token is bound to another certificate.
    Mismatch,
    /// There is no certificate.
    Missing,
    /// There are several certificates, and nothing says which is the client's.
    Multiple,
    /// It is over 64 KiB.
    TooLarge,
}

impl Error {
    /// Gives the stable public code, `certificate.` and the problem.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Malformed => "certificate.malformed",
            Self::Mismatch => "certificate.mismatch",
            Self::Missing => "certificate.missing",
            Self::Multiple => "certificate.multiple",
            Self::TooLarge => "certificate.too_large",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the client certificate is malformed",
            Self::Mismatch => "the access token is bound to another certificate",
            Self::Missing => "the request has no client certificate",
            Self::Multiple => "the request has several client certificates",
            Self::TooLarge => "the client certificate is too large",
        })
    }
}

impl std::error::Error for Error {}

fn bounded(input: impl AsRef<[u8]>) -> Result<(), Error> {
    if input.as_ref().len() > MAX_INPUT { Err(Error::TooLarge) } else { Ok(()) }
}

/// Says whether a DER sequence fills the bytes, so that nothing can hide behind a certificate.
fn is_sequence(der: &[u8]) -> bool {
    let (length, content) = match der {
        [0x30, 0x82, high, low, content @ ..] => (u16::from_be_bytes([*high, *low]), content),
        [0x30, 0x81, length @ 0x80..=0xff, content @ ..]
        | [0x30, length @ 0..=0x7f, content @ ..] => (u16::from(*length), content),
        _ => return false,
    };
    usize::from(length) == content.len() && length > 0
}

fn unescaped(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut plain = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (digits, tail) = piece.split_at_checked(2)?;
        plain.push(char::from(hex_byte(digits)?));
        plain.push_str(tail);
    }
    Some(plain)
}

fn of_hex(hex: &str) -> Option<Thumbprint> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| hex_byte(str::from_utf8(pair).ok()?));
    let bytes: Vec<u8> = pairs.collect::<Option<_>>()?;
    bytes.try_into().ok().map(Thumbprint)
}

/// Splits the one element of an XFCC header into names and unquoted values.
fn xfcc_pairs(text: &str) -> Result<Vec<(String, String)>, Error> {
    let mut pairs = vec![(String::new(), None::<String>)];
    let (mut quoted, mut characters) = (false, text.chars());
    while let Some(character) = characters.next() {
        let Some((name, value)) = pairs.last_mut() else {
            return Err(Error::Malformed);
        };
        match (character, value) {
            ('"', Some(_)) => quoted = !quoted,
            ('\\', Some(value)) if quoted => value.push(characters.next().ok_or(Error::Malformed)?),
            (',', _) if !quoted => return Err(Error::Multiple),
            (';', _) if !quoted => pairs.push((String::new(), None)),
            ('=', value @ None) => *value = Some(String::new()),
            (other, Some(value)) => value.push(other),
            (other, None) => name.push(other),
        }
    }
    if quoted {
        return Err(Error::Malformed);
    }
    pairs.into_iter().map(|(name, value)| Ok((name, value.ok_or(Error::Malformed)?))).collect()
}

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
const MAX_INPUT: usize = 1 << 16;

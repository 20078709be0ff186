//! The numbers of a public key and their two encodings, JWK and `SubjectPublicKeyInfo`, both read
//! strictly and written canonically.

use sha2::{Digest, Sha256};

use crate::algorithm::Algorithm;
use crate::base64url;
use crate::error::KeyError;
use crate::jwk::Jwk;

/// The numbers a public key consists of, taken from a JWK or from DER and not judged yet.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Material {
    /// The 32 bytes of the compressed point.
    Ed25519([u8; 32]),
    /// The uncompressed point: `04`, then both coordinates of 32 bytes.
    P256(Vec<u8>),
    /// The uncompressed point: `04`, then both coordinates of 48 bytes.
    P384(Vec<u8>),
    /// Modulus and exponent, big-endian without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

impl Material {
    /// Reads the numbers of a JWK.
    pub(crate) fn from_jwk(jwk: &Jwk) -> Result<Self, KeyError> {
        match (jwk.kty.as_str(), jwk.crv.as_deref()) {
            ("OKP", Some("Ed25519")) => {
                let key = member(jwk.x.as_ref())?;
                key.try_into().map(Self::Ed25519).map_err(|_| KeyError::Encoding)
            }
            ("EC", Some("P-256")) => point(jwk, 32).map(Self::P256),
            ("EC", Some("P-384")) => point(jwk, 48).map(Self::P384),
            ("RSA", _) => Ok(Self::Rsa { n: member(jwk.n.as_ref())?, e: member(jwk.e.as_ref())? }),
            ("OKP" | "EC", _) => Err(KeyError::Curve),
            _ => Err(KeyError::KeyType),
        }
    }

    /// Writes the members of a JWK that make up the key.
    pub(crate) fn to_jwk(&self) -> Jwk {
        let (kty, crv) = match self {
            Self::Ed25519(_) => ("OKP", Some("Ed25519")),
            Self::P256(_) => ("EC", Some("P-256")),
            Self::P384(_) => ("EC", Some("P-384")),
            Self::Rsa { .. } => ("RSA", None),
        };
        let mut jwk = Jwk { kty: kty.to_owned(), crv: crv.map(str::to_owned), ..Jwk::default() };
        match self {
            Self::Ed25519(key) => jwk.x = Some(base64url::encode(key)),
            Self::P256(point) | Self::P384(point) => {
                let coordinates = point.get(1..).unwrap_or_default();
                let (x, y) = coordinates.split_at(coordinates.len() / 2);
                jwk.x = Some(base64url::encode(x));
                jwk.y = Some(base64url::encode(y));
            }
            Self::Rsa { n, e } => {
                jwk.n = Some(base64url::encode(n));
                jwk.e = Some(base64url::encode(e));
            }
        }
        jwk
    }

    /// Gives the algorithm of a key that does not name one.
    pub(crate) const fn implied_algorithm(&self) -> Algorithm {
        match self {
            Self::Ed25519(_) => Algorithm::EdDsa,
            Self::P256(_) => Algorithm::Es256,
            Self::P384(_) => Algorithm::Es384,
            Self::Rsa { .. } => Algorithm::Rs256,
        }
    }

    /// Reads a `SubjectPublicKeyInfo`. Only the canonical encoding is accepted, so one key has one
    /// DER and therefore one [`spki_kid`].
    pub(crate) fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        if let Some(key) = der.strip_prefix(ED25519) {
            return key.try_into().map(Self::Ed25519).map_err(|_| KeyError::Encoding);
        }
        if let Some(point) = der.strip_prefix(P256) {
            return uncompressed(point, 32).map(Self::P256);
        }
        if let Some(point) = der.strip_prefix(P384) {
            return uncompressed(point, 48).map(Self::P384);
        }
        let (n, e) = rsa_components(der).ok_or(KeyError::Encoding)?;
        let material = Self::Rsa { n, e };
        if material.to_spki() == der { Ok(material) } else { Err(KeyError::Encoding) }
    }

    /// Writes the `SubjectPublicKeyInfo`.
    pub(crate) fn to_spki(&self) -> Vec<u8> {
        match self {
            Self::Ed25519(key) => [ED25519, key].concat(),
            Self::P256(point) => [P256, point].concat(),
            Self::P384(point) => [P384, point].concat(),
            Self::Rsa { n, e } => {
                let key = wrapped(0x30, &[positive(n), positive(e)].concat());
                // The leading zero says that no bit of the last byte is unused.
                wrapped(0x30, &[RSA.to_vec(), wrapped(0x03, &[&[0], &*key].concat())].concat())
            }
        }
    }
}

/// Names a key: the SHA-256 of its `SubjectPublicKeyInfo` DER in lower-case hex.
///
/// This is how USSO names its signing keys. It is not the thumbprint of RFC 7638.
#[must_use]
pub fn spki_kid(der: &[u8]) -> String {
    let hash = Sha256::digest(der);
    let nibbles = hash.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect()
}

fn member(value: Option<&String>) -> Result<Vec<u8>, KeyError> {
    value.and_then(|text| base64url::decode(text)).ok_or(KeyError::Encoding)
}

/// RFC 7518 §6.2.1.2: coordinates have the full length, leading zeros included.
fn point(jwk: &Jwk, coordinate: usize) -> Result<Vec<u8>, KeyError> {
    let (x, y) = (member(jwk.x.as_ref())?, member(jwk.y.as_ref())?);
    if x.len() != coordinate || y.len() != coordinate {
        return Err(KeyError::Encoding);
    }
    Ok([&[4], x.as_slice(), y.as_slice()].concat())
}

fn uncompressed(point: &[u8], coordinate: usize) -> Result<Vec<u8>, KeyError> {
    let sound = point.first() == Some(&4) && point.len() == 1 + 2 * coordinate;
    if sound { Ok(point.to_vec()) } else { Err(KeyError::Encoding) }
}

/// Reads an RSA key's `SubjectPublicKeyInfo`, in which lies the `RSAPublicKey` of RFC 8017 §A.1.1: a
/// sequence of two integers. The caller checks that the encoding is the canonical one.
fn rsa_components(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let (info, _) = element(der, 0x30)?;
    let (key, _) = element(info.strip_prefix(RSA)?, 0x03)?;
    let (sequence, rest) = element(key.strip_prefix(&[0])?, 0x30)?;
    let (n, tail) = element(sequence, 0x02)?;
    let (e, end) = element(tail, 0x02)?;
    (rest.is_empty() && end.is_empty()).then(|| (unsigned(n).to_vec(), unsigned(e).to_vec()))
}

/// Splits one DER element with the given tag off `der`: its content and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0x81 => rest.split_first().map(|(&low, rest)| (usize::from(low), rest))?,
        0x82 => {
            let (long, rest) = rest.split_first_chunk()?;
            (usize::from(u16::from_be_bytes(*long)), rest)
        }
        0x80.. => return None,
        short => (usize::from(short), rest),
    };
    if first == tag { rest.split_at_checked(length) } else { None }
}

/// Writes a DER element.
fn wrapped(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let zeros = length.iter().take_while(|&&byte| byte == 0).count();
    let length = length.get(zeros..).unwrap_or_default();
    let head = match length {
        [] => vec![tag, 0],
        [short] if *short < 0x80 => vec![tag, *short],
        long => [&[tag, 0x80 | u8::try_from(long.len()).unwrap_or_default()], long].concat(),
    };
    [head.as_slice(), content].concat()
}

/// Writes a positive DER integer: with a zero in front if it would look negative.
fn positive(number: &[u8]) -> Vec<u8> {
    let sign: &[u8] = if number.first().is_some_and(|&top| top >= 0x80) { &[0] } else { &[] };
    wrapped(0x02, &[sign, number].concat())
}

/// Drops the zero that keeps a positive DER integer from looking negative.
fn unsigned(integer: &[u8]) -> &[u8] {
    integer.strip_prefix(&[0]).unwrap_or(integer)
}

/// RFC 8017 §A.1: rsaEncryption with its NULL parameters.
const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";

/// RFC 8410 §4: id-Ed25519.
const ED25519: &[u8] = b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00";

/// RFC 5480 §2: id-ecPublicKey with secp256r1.
const P256: &[u8] =
    b"\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07\
      \x03\x42\x00";

/// RFC 5480 §2: id-ecPublicKey with secp384r1.
const P384: &[u8] =
    b"\x30\x76\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22\x03\x62\x00";

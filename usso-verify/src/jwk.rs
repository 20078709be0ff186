//! JSON Web Keys as they travel. A [`VerifyingKey`](crate::VerifyingKey) is what they become.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::error::KeyError;
use crate::json;

/// A public key in JSON.
///
/// Unknown members are ignored. Nothing is checked here beyond the types of the members:
/// [`VerifyingKey::from_jwk`](crate::VerifyingKey::from_jwk) judges the key.
///
/// # Security
///
/// A private or symmetric member (`d`, `p`, `q`, `dp`, `dq`, `qi`, `oth`, `k`) is noticed and makes
/// the key unusable, but its value is not kept. A key that was read from JSON with such a member
/// serialises without it.
///
/// # Spec
///
/// RFC 7517 §4, RFC 7518 §6, RFC 8037 §2.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>")]
#[non_exhaustive]
pub struct Jwk {
    /// Key type: `OKP`, `EC` or `RSA`.
    pub kty: String,
    /// Curve of an `OKP` or `EC` key: `Ed25519`, `P-256` or `P-384`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub crv: Option<String>,
    /// First coordinate, or the whole Ed25519 key, in base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// Second coordinate of an `EC` key in base64url.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// RSA modulus in base64url, big-endian, without leading zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// RSA public exponent in base64url, big-endian, without leading zero.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// Algorithm the key is for. Kept as text: a set may hold algorithms this crate does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alg: Option<String>,
    /// Intended use, the member `use`: `sig` for a key that verifies.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    pub use_: Option<String>,
    /// Permitted operations: contains `verify` for a key that verifies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_ops: Option<Vec<String>>,
    /// Name by which a token's header refers to the key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// A defect that the other fields cannot show.
    #[serde(skip)]
    pub(crate) defect: Option<KeyError>,
}

/// A set of keys, as an issuer publishes it.
///
/// An entry that is not a JWK at all (a member of the wrong type, no `kty`) does not spoil the
/// set: it becomes a key that [`KeySet::from_jwks`](crate::KeySet::from_jwks) skips and counts.
///
/// # Security
///
/// Read it with [`json::from_slice`](crate::json::from_slice), which refuses duplicate members.
///
/// # Spec
///
/// RFC 7517 §5.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwks {
    /// The keys, in the order of the document.
    #[serde(deserialize_with = "tolerant")]
    pub keys: Vec<Jwk>,
}

fn tolerant<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Jwk>, D::Error> {
    Vec::deserialize(deserializer).map(keys)
}

fn keys(entries: Vec<Value>) -> Vec<Jwk> {
    entries.into_iter().map(|entry| Jwk::try_from(entry).unwrap_or_else(|_| bad())).collect()
}

impl Jwks {
    /// Reads the member `keys` of a set.
    pub(crate) fn tolerant(entries: Value) -> Option<Self> {
        let Value::Array(entries) = entries else { return None };
        Some(Self { keys: keys(entries) })
    }
}

fn bad() -> Jwk {
    Jwk { defect: Some(KeyError::Encoding), ..Jwk::default() }
}

impl TryFrom<Map<String, Value>> for Jwk {
    type Error = String;

    fn try_from(mut members: Map<String, Value>) -> Result<Self, String> {
        let defect = PRIVATE.iter().any(|name| members.contains_key(*name));
        let mut text = |name: &str| match json::take(&mut members, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(format!("`{name}` of a JWK is not text")),
        };
        Ok(Self {
            kty: text("kty")?.ok_or("a JWK has no `kty`")?,
            crv: text("crv")?,
            x: text("x")?,
            y: text("y")?,
            n: text("n")?,
            e: text("e")?,
            alg: text("alg")?,
            use_: text("use")?,
            kid: text("kid")?,
            key_ops: match json::take(&mut members, "key_ops") {
                None | Some(Value::Null) => None,
                Some(names) => Some(texts(names).ok_or("`key_ops` of a JWK is no list of text")?),
            },
            defect: defect.then_some(KeyError::PrivateMember),
        })
    }
}

impl TryFrom<Value> for Jwk {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        match value {
            Value::Object(members) => Self::try_from(members),
            _ => Err("a JWK is no object".to_owned()),
        }
    }
}

fn texts(value: Value) -> Option<Vec<String>> {
    let Value::Array(items) = value else { return None };
    let texts = items.into_iter().map(|item| match item {
        Value::String(text) => Some(text),
        _ => None,
    });
    texts.collect()
}

/// The members that only private and symmetric keys have.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

#[cfg(test)]
mod tests {
    use super::{Jwk, Jwks, KeyError};
    use serde_json::{Value, json};

    #[test]
    fn unknown_members_are_ignored() {
        let jwk: Jwk =
            serde_json::from_value(json!({"kty": "OKP", "x5t": 5, "ext": true})).unwrap();
        assert_eq!((jwk.kty.as_str(), jwk.defect), ("OKP", None));
    }

    #[test]
    fn every_private_member_is_noticed_whatever_its_value_and_none_is_kept() {
        for name in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            for value in [json!("c2VjcmV0"), json!(""), Value::Null, json!([]), json!(1)] {
                let text = format!(r#"{{"kty":"OKP","{name}":{value}}}"#);
                let jwk: Jwk = serde_json::from_str(&text).unwrap();
                assert_eq!(jwk.defect, Some(KeyError::PrivateMember), "{text}");
                assert!(!format!("{jwk:?}").contains("c2VjcmV0"));
                assert_eq!(serde_json::to_string(&jwk).unwrap(), r#"{"kty":"OKP"}"#);
            }
        }
    }

    #[test]
    fn a_key_survives_the_round_trip() {
        let json = json!({
            "kty": "EC", "crv": "P-256", "x": "AA", "y": "AQ", "alg": "ES256", "use": "sig",
            "key_ops": ["verify"], "kid": "1",
        });
        let jwk: Jwk = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(&jwk).unwrap(), json);
    }

    #[test]
    fn an_entry_that_is_no_key_does_not_spoil_the_set() {
        let set: Jwks = serde_json::from_value(json!({"keys": [
            {"kty": "OKP", "kid": "good"}, {"kty": 5}, {}, null, [], "text", {"kty": "EC", "kid": 1},
        ]}))
        .unwrap();
        let defects = set.keys.iter().filter(|key| key.defect == Some(KeyError::Encoding));
        assert_eq!((set.keys.len(), defects.count()), (7, 6));
    }
}

//! The signature algorithms a token may carry.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A signature algorithm for access tokens.
///
/// Serialises as the name [`as_str`](Self::as_str) gives; deserialises what
/// [`parse`](Self::parse) accepts.
///
/// # Security
///
/// `none` and the symmetric `HS*` family cannot be written down in this type, so no setting and no
/// header can select them: an unsigned token, or one whose "secret" is a public key, has no
/// algorithm to be checked with.
///
/// # Spec
///
/// RFC 7518 §3.1, RFC 8037 §3.1, RFC 9864 §2.2, RFC 8725 §3.1–3.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Algorithm {
    /// Ed25519. The header may say `EdDSA` or `Ed25519`.
    EdDsa,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// ECDSA on P-384 with SHA-384.
    Es384,
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2048 to 8192 bits.
    Rs256,
    /// RSASSA-PSS with SHA-256 and a salt of 32 bytes, keys of 2048 to 8192 bits.
    Ps256,
}

impl Algorithm {
    /// Every algorithm, in the order of the declaration.
    pub const ALL: [Self; 5] = [Self::EdDsa, Self::Es256, Self::Es384, Self::Rs256, Self::Ps256];

    /// Gives the name of the algorithm as a header or a JWK spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::EdDsa => "EdDSA",
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::Ps256 => "PS256",
        }
    }

    /// Reads a name. Names are compared exactly, so `eddsa` and `NONE` are unknown.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "EdDSA" | "Ed25519" => Some(Self::EdDsa),
            "ES256" => Some(Self::Es256),
            "ES384" => Some(Self::Es384),
            "RS256" => Some(Self::Rs256),
            "PS256" => Some(Self::Ps256),
            _ => None,
        }
    }
}

impl Serialize for Algorithm {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Algorithm {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).ok_or_else(|| de::Error::custom("unknown signature algorithm"))
    }
}

#[cfg(test)]
mod tests {
    use super::Algorithm;

    #[test]
    fn every_algorithm_is_read_back_from_its_name() {
        for algorithm in Algorithm::ALL {
            assert_eq!(Algorithm::parse(algorithm.as_str()), Some(algorithm));
            let json = serde_json::to_string(&algorithm).unwrap();
            assert_eq!(serde_json::from_str::<Algorithm>(&json).unwrap(), algorithm);
        }
    }

    #[test]
    fn the_fully_specified_name_of_ed25519_is_the_same_algorithm() {
        assert_eq!(Algorithm::parse("Ed25519"), Some(Algorithm::EdDsa));
    }

    #[test]
    fn unsigned_symmetric_and_misspelt_names_are_unknown() {
        for name in ["none", "None", "NONE", "nOnE", "", "HS256", "HS384", "HS512", "eddsa"]
            .into_iter()
            .chain(["EDDSA", "es256", "RS256 ", " RS256", "RS256\0", "RS1", "ES512", "RSA-OAEP"])
        {
            assert_eq!(Algorithm::parse(name), None, "{name:?}");
            assert!(serde_json::from_value::<Algorithm>(name.into()).is_err(), "{name:?}");
        }
    }
}

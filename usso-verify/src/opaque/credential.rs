//! Credentials that passed the door: bounded, of a known alphabet, and named by a digest.

use std::fmt;

use sha2::{Digest, Sha256};

use super::error::Error;

/// Where in a request a credential was.
///
/// # Security
///
/// Say what is so. A value out of `Authorization` is [`Bearer`](Self::Bearer) only if its scheme
/// was; that of any other scheme is never a credential here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// After `Bearer ` in the header `Authorization`, or in the access token cookie.
    Bearer,
    /// In the header that is for API keys and nothing else, such as `x-api-key`.
    KeyHeader,
}

/// A credential that may be asked about. `Debug` prints nothing of it.
///
/// Having one proves that its form was checked; only
/// [`Upstream::credential`](super::Upstream::credential) and
/// [`KeyRules::credential`](super::KeyRules::credential) make one.
#[derive(Clone, Copy)]
pub struct Credential<'c> {
    pub(super) text: &'c str,
    pub(crate) fingerprint: Fingerprint,
}

impl<'c> Credential<'c> {
    /// Checks length (in bytes) and alphabet, then takes the fingerprint.
    pub(super) fn read(text: &'c str, limits: [usize; 2], realm: Realm) -> Result<Self, Error> {
        let [shortest, longest] = limits;
        if text.len() < shortest || text.len() > longest || !is_token68(text) {
            return Err(Error::Malformed);
        }
        Ok(Self { text, fingerprint: realm.fingerprint(text) })
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential(..)")
    }
}

/// The name of a credential in a cache: a digest of it and of whom it is shown to.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint([u8; 32]);

/// What a verdict depends on beside the credential.
#[derive(Clone, Copy)]
pub(super) struct Realm([u8; 32]);

impl Realm {
    /// Names the realm by its parts, each with its length so that no two lists look alike.
    pub(super) fn new<'p>(parts: impl IntoIterator<Item = &'p str>) -> Self {
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        Self(digest.finalize().into())
    }

    fn fingerprint(self, text: &str) -> Fingerprint {
        Fingerprint(Sha256::new().chain_update(self.0).chain_update(text).finalize().into())
    }
}

/// Says whether this is `b64token` of RFC 6750 §2.1 (`token68` of RFC 9110 §11.2).
///
/// Every byte is looked at, without branches: this is done for each request.
pub(crate) fn is_token68(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let sound = |byte: u8| {
        byte.is_ascii_alphanumeric() | matches!(byte, b'-' | b'.' | b'_' | b'~' | b'+' | b'/')
    };
    !body.is_empty() & body.bytes().fold(true, |all, byte| all & sound(byte))
}

#[cfg(test)]
mod tests {
    use super::{Realm, is_token68};

    #[test]
    fn token68_is_letters_digits_six_signs_and_equals_at_the_end() {
        for text in ["a", "usso_sk_1", "a.b.c", "-._~+/", "aGk=", "aGk==="] {
            assert!(is_token68(text), "{text}");
        }
        for text in ["", "=", "a=b", "Basic dXNlcg==", " a", "a\n", "a:b", "a,b", "é", "a\0", "\""]
        {
            assert!(!is_token68(text), "{text:?}");
        }
    }

    #[test]
    fn a_fingerprint_depends_on_the_credential_and_on_each_part_of_the_realm() {
        let realm = |parts: &[&str]| Realm::new(parts.iter().copied());
        let base = realm(&["a", "b"]).fingerprint("x");
        assert!(base == realm(&["a", "b"]).fingerprint("x"));
        for other in [
            realm(&["a", "b"]).fingerprint("y"),
            realm(&["a", "c"]).fingerprint("x"),
            realm(&["ab", ""]).fingerprint("x"),
            realm(&["ab"]).fingerprint("x"),
            realm(&["a", "b", ""]).fingerprint("x"),
        ] {
            assert!(base != other);
        }
    }
}

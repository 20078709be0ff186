//! Identifiers that carry their kind, sort by creation time and are parsed strictly.
//!
//! An id is 48 bits of milliseconds and 80 random bits, written as a prefix and 26 characters of
//! lower-case Crockford base 32. Ids are neither secrets nor proofs: knowing one grants nothing.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use super::{entropy::Entropy, refusal::Fault, time::UnixTime};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LETTERS: usize = 26;
const RANDOM_BITS: u32 = 80;

/// Why a text is not an id of the wanted kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnId;

impl fmt::Display for NotAnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a well-formed id of this kind")
    }
}

impl std::error::Error for NotAnId {}

/// Makes the 128 bits of an id: time first, so that ids sort by creation.
fn fresh(now: UnixTime, entropy: &dyn Entropy) -> Result<u128, Fault> {
    let mut random = [0; 16];
    let (_, tail) = random.split_at_mut(6);
    entropy.fill(tail)?;
    Ok(at(now) | u128::from_be_bytes(random))
}

fn at(now: UnixTime) -> u128 {
    u128::from(now.millis() & 0xffff_ffff_ffff) << RANDOM_BITS
}

fn write(f: &mut fmt::Formatter<'_>, prefix: &str, bits: u128) -> fmt::Result {
    f.write_str(prefix)?;
    for position in (0..LETTERS).rev() {
        let index = usize::try_from(bits >> (5 * position) & 31).unwrap_or(0);
        f.write_str(
            char::from(ALPHABET.get(index).copied().unwrap_or(b'0')).encode_utf8(&mut [0; 4]),
        )?;
    }
    Ok(())
}

fn read(text: &str, prefix: &str) -> Result<u128, NotAnId> {
    let letters = text.strip_prefix(prefix).ok_or(NotAnId)?.as_bytes();
    // 26 letters carry 130 bits: the first one may use only three of its five.
    if letters.len() != LETTERS || letters.first().is_none_or(|first| *first > b'7') {
        return Err(NotAnId);
    }
    letters.iter().try_fold(0u128, |bits, letter| {
        let value = ALPHABET.iter().position(|known| known == letter).ok_or(NotAnId)?;
        Ok(bits << 5 | value as u128)
    })
}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            #[doc = concat!("Makes a new id, written `", $prefix, "` and 26 characters.")]
            ///
            /// # Errors
            ///
            /// [`Fault`] if the entropy source failed.
            pub fn new(now: UnixTime, entropy: &dyn Entropy) -> Result<Self, Fault> {
                fresh(now, entropy).map(Self)
            }

            /// Parses the text form, and nothing but the text form.
            ///
            /// # Errors
            ///
            /// [`NotAnId`] for a wrong prefix, length, case or letter.
            pub fn parse(text: &str) -> Result<Self, NotAnId> {
                read(text, $prefix).map(Self)
            }

            /// Is the smallest id that could have been made at `time`: a bound for time ranges.
            #[must_use]
            pub fn earliest_at(time: UnixTime) -> Self {
                Self(at(time))
            }

            /// Rebuilds an id from [`Self::to_bytes`].
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(u128::from_be_bytes(bytes))
            }

            /// Gives the 16 bytes of the id, most significant first.
            #[must_use]
            pub fn to_bytes(self) -> [u8; 16] {
                self.0.to_be_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write(f, $prefix, self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                Self::parse(&text).map_err(D::Error::custom)
            }
        }
    };
}

id!(
    /// Names a tenant: the wall between customers.
    TenantId,
    "org_"
);
id!(
    /// Names a user inside a tenant.
    UserId,
    "user:"
);
id!(
    /// Names a session: one sign-in on one device.
    SessionId,
    "ses_"
);
id!(
    /// Names an entry of the audit log.
    EventId,
    "evt_"
);
id!(
    /// Names one access token (`jti`, RFC 7519 section 4.1.7).
    TokenId,
    "tok_"
);

impl EventId {
    /// Makes the id of the `sequence`th event of a process: events of one millisecond sort in the
    /// order in which they happened.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the entropy source failed.
    pub fn in_sequence(now: UnixTime, sequence: u16, entropy: &dyn Entropy) -> Result<Self, Fault> {
        let mut random = [0; 8];
        entropy.fill(&mut random)?;
        let tail = u128::from(sequence) << 64 | u128::from(u64::from_be_bytes(random));
        Ok(Self(at(now) | tail))
    }
}

impl TenantId {
    /// The tenant of apps that have only one. It exists from the first start and cannot be removed.
    pub const DEFAULT: Self = Self(0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::testing::SeededEntropy;
    use proptest::prelude::*;

    fn time(millis: u64) -> UnixTime {
        UnixTime::from_millis(millis)
    }

    proptest! {
        #[test]
        fn every_id_survives_its_text_form(bytes: [u8; 16]) {
            let id = UserId::from_bytes(bytes);
            prop_assert_eq!(UserId::parse(&id.to_string()), Ok(id));
        }

        #[test]
        fn arbitrary_text_is_an_id_only_if_it_is_its_canonical_form(text in "\\PC{0,40}") {
            if let Ok(id) = UserId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }

    #[test]
    fn ids_sort_by_time() {
        let entropy = SeededEntropy::new(1);
        let early = SessionId::new(time(1), &entropy).unwrap().to_string();
        let late = SessionId::new(time(1 << 40), &entropy).unwrap().to_string();
        assert!(early < late);
    }

    #[test]
    fn another_kind_wrong_case_and_overflow_are_refused() {
        let id = UserId::from_bytes([7; 16]).to_string();
        for bad in [
            id.replace("user:", "org_"),
            id.to_uppercase(),
            format!("user:8{}", "0".repeat(25)),
            format!("{id}0"),
            id.chars().take(30).collect(),
            id.replace(':', "_"),
            String::new(),
        ] {
            assert_eq!(UserId::parse(&bad), Err(NotAnId), "{bad}");
        }
    }

    #[test]
    fn two_ids_of_one_millisecond_differ() {
        let entropy = SeededEntropy::new(1);
        let [a, b] = [0, 0].map(|_| UserId::new(time(5), &entropy).unwrap());
        assert_ne!(a, b);
    }
}

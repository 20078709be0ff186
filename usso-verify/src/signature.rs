//! The cryptography behind a key: which library verifies what, chosen at compile time.
//!
//! Natively `aws-lc-rs` verifies everything. On WebAssembly it does not build: there `ed25519-dalek`
//! verifies Ed25519, and elliptic-curve and RSA signatures are left to the host's own cryptography,
//! which is several times faster than any portable code. Which key, which algorithm and what was
//! signed is decided here in both cases.

use crate::algorithm::Algorithm;
use crate::error::KeyError;
use crate::material::Material;
use crate::roca;

/// The numbers of a key, judged and prepared for one algorithm.
#[derive(Clone)]
pub(crate) struct Prepared(backend::Key);

impl Prepared {
    /// Judges the numbers and prepares them.
    pub(crate) fn new(algorithm: Algorithm, material: &Material) -> Result<Self, KeyError> {
        match (algorithm, material) {
            (Algorithm::EdDsa, Material::Ed25519(key)) => sound_ed25519(key)?,
            (Algorithm::Es256, Material::P256(_)) | (Algorithm::Es384, Material::P384(_)) => {}
            (Algorithm::Rs256 | Algorithm::Ps256, Material::Rsa { n, e }) => sound_rsa(n, e)?,
            _ => return Err(KeyError::Algorithm),
        }
        backend::Key::new(algorithm, material).map(Self)
    }

    /// Says whether this is the key's signature of the message.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(message, signature)
    }

    /// Says whether the platform must verify.
    pub(crate) const fn is_platform(&self) -> bool {
        self.0.is_platform()
    }

    /// Says whether these bytes can be a signature: not every platform looks at that. Firefox takes
    /// ECDSA signatures of any length, `WebKit` RSA signatures of any length and of numbers above the
    /// modulus. They would be second spellings of a token (RFC 7518 §3.4, RFC 8017 §5.2.2, §8.2.2).
    pub(crate) fn can_be(&self, signature: &[u8]) -> bool {
        self.0.can_be(signature)
    }
}

/// Refuses points of small order and second encodings of a point (RFC 8032 §5.1.3 has one each).
fn sound_ed25519(bytes: &[u8; 32]) -> Result<(), KeyError> {
    let key = ed25519_dalek::VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Weak)?;
    let canonical = key.to_edwards().compress().to_bytes() == *bytes;
    if canonical && !key.is_weak() { Ok(()) } else { Err(KeyError::Weak) }
}

fn sound_rsa(n: &[u8], e: &[u8]) -> Result<(), KeyError> {
    let (Some(&top), Some(&low)) = (n.first(), n.last()) else {
        return Err(KeyError::Encoding);
    };
    if top == 0 || e.first().is_none_or(|&top| top == 0) {
        return Err(KeyError::Encoding);
    }
    let bits = n.len() * 8 - usize::try_from(top.leading_zeros()).unwrap_or_default();
    if !(2048..=8192).contains(&bits) {
        return Err(KeyError::Size);
    }
    if low % 2 == 0 || !sound_exponent(e) || roca::has_fingerprint(n) {
        return Err(KeyError::Weak);
    }
    Ok(())
}

/// Says whether a public exponent is odd, at least 65537 and at most 33 bits long.
fn sound_exponent(e: &[u8]) -> bool {
    if e.len() > 5 {
        return false;
    }
    let e = e.iter().fold(0_u64, |value, &byte| value << 8 | u64::from(byte));
    e % 2 == 1 && (65_537..1 << 33).contains(&e)
}

#[cfg(not(target_family = "wasm"))]
mod backend {
    use aws_lc_rs::signature::{
        ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519, ParsedPublicKey,
        RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaParameters,
        RsaPublicKeyComponents, VerificationAlgorithm,
    };

    use crate::algorithm::Algorithm;
    use crate::error::KeyError;
    use crate::material::Material;

    #[derive(Clone)]
    pub(super) struct Key {
        public: ParsedPublicKey,
        is_ed25519: bool,
    }

    impl Key {
        pub(super) fn new(algorithm: Algorithm, material: &Material) -> Result<Self, KeyError> {
            match material {
                Material::Ed25519(key) => Ok(Self { is_ed25519: true, ..parsed(&ED25519, key)? }),
                Material::P256(point) => parsed(&ECDSA_P256_SHA256_FIXED, point),
                Material::P384(point) => parsed(&ECDSA_P384_SHA384_FIXED, point),
                Material::Rsa { n, e } => {
                    let parameters: &'static RsaParameters = match algorithm {
                        Algorithm::Ps256 => &RSA_PSS_2048_8192_SHA256,
                        _ => &RSA_PKCS1_2048_8192_SHA256,
                    };
                    let key = RsaPublicKeyComponents { n, e }.to_parsed_public_key(parameters);
                    let key = key.map_err(|_| KeyError::Weak)?;
                    Ok(Self { public: key, is_ed25519: false })
                }
            }
        }

        pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
            // The library leaves out this half of strictness: a signer who has the key can use an `R`
            // of small order, and `ed25519-dalek` would not accept it.
            let small =
                self.is_ed25519 && SMALL_ORDER.iter().any(|point| signature.starts_with(point));
            !small && self.public.verify_sig(message, signature).is_ok()
        }

        #[expect(clippy::unused_self, reason = "the same question on every platform")]
        pub(super) const fn is_platform(&self) -> bool {
            false
        }

        #[expect(clippy::unused_self, reason = "the same question on every platform")]
        pub(super) const fn can_be(&self, _: &[u8]) -> bool {
            true
        }
    }

    fn parsed(
        algorithm: &'static dyn VerificationAlgorithm,
        public: &[u8],
    ) -> Result<Key, KeyError> {
        let public = ParsedPublicKey::new(algorithm, public).map_err(|_| KeyError::Weak)?;
        Ok(Key { public, is_ed25519: false })
    }

    /// The encodings of the eight points of small order.
    pub(super) const SMALL_ORDER: [[u8; 32]; 8] = {
        let one = edge(1, 0);
        let minus_one = edge(0xec, 0xff);
        let zero = edge(0, 0);
        let (low, high) = (
            *b"\x26\xe8\x95\x8f\xc2\xb2\x27\xb0\x45\xc3\xf4\x89\xf2\xef\x98\xf0\
            \xd5\xdf\xac\x05\xd3\xc6\x33\x39\xb1\x38\x02\x88\x6d\x53\xfc\x05",
            *b"\xc7\x17\x6a\x70\x3d\x4d\xd8\x4f\xba\x3c\x0b\x76\x0d\x10\x67\x0f\
            \x2a\x20\x53\xfa\x2c\x39\xcc\xc6\x4e\xc7\xfd\x77\x92\xac\x03\x7a",
        );
        [one, minus_one, zero, negative(zero), low, negative(low), high, negative(high)]
    };

    /// The point whose encoding starts with `first` and goes on with `rest`, without a sign.
    const fn edge(first: u8, rest: u8) -> [u8; 32] {
        let mut point = [rest; 32];
        point[0] = first;
        point[31] &= 0x7f;
        point
    }

    const fn negative(mut point: [u8; 32]) -> [u8; 32] {
        point[31] |= 0x80;
        point
    }

    #[cfg(test)]
    mod tests {
        use super::SMALL_ORDER;

        #[test]
        fn the_points_of_small_order_are_those_that_the_curve_library_calls_weak() {
            for point in SMALL_ORDER {
                let key = ed25519_dalek::VerifyingKey::from_bytes(&point).unwrap();
                assert!(key.is_weak() && key.to_edwards().compress().to_bytes() == point);
            }
            let mut all = SMALL_ORDER.to_vec();
            all.sort_unstable();
            all.dedup();
            assert_eq!(all.len(), 8);
        }
    }
}

#[cfg(target_family = "wasm")]
mod backend {
    use crate::algorithm::Algorithm;
    use crate::error::KeyError;
    use crate::material::Material;

    #[derive(Clone)]
    pub(super) enum Key {
        Ed25519(Box<ed25519_dalek::VerifyingKey>),
        Platform { limit: Box<[u8]> },
    }

    impl Key {
        pub(super) fn new(_: Algorithm, material: &Material) -> Result<Self, KeyError> {
            Ok(match material {
                Material::Ed25519(key) => {
                    let key = ed25519_dalek::VerifyingKey::from_bytes(key);
                    Self::Ed25519(Box::new(key.map_err(|_| KeyError::Weak)?))
                }
                Material::P256(_) => Self::Platform { limit: [0xff; 64].into() },
                Material::P384(_) => Self::Platform { limit: [0xff; 96].into() },
                Material::Rsa { n, .. } => Self::Platform { limit: n.as_slice().into() },
            })
        }

        pub(super) fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
            let Self::Ed25519(key) = self else {
                return false;
            };
            ed25519_dalek::Signature::from_slice(signature)
                .is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
        }

        pub(super) const fn is_platform(&self) -> bool {
            matches!(self, Self::Platform { .. })
        }

        pub(super) fn can_be(&self, signature: &[u8]) -> bool {
            match self {
                Self::Ed25519(_) => true,
                // Numbers of as many bytes are in the order of their bytes.
                Self::Platform { limit } => {
                    signature.len() == limit.len() && signature < limit.as_ref()
                }
            }
        }
    }
}

//! Signing keys for the other algorithms, made anew each time.

use std::sync::LazyLock;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, KeyPair, RSA_PSS_SHA256, RsaKeyPair,
};
use usso_verify::Algorithm;

pub(crate) use crate::keys::{KID, b64, unb64};

/// In the places that the mutations know: for all but elliptic curves, it does not matter which.
pub(crate) const ALGORITHMS: [Algorithm; 3] =
    [Algorithm::Ps256, Algorithm::Es384, Algorithm::Ps256];

/// The same keys in all places.
pub(crate) struct Signers;

impl Signers {
    pub(crate) const fn new() -> Self {
        Self
    }

    #[allow(clippy::unused_self, reason = "as the other one is used")]
    pub(crate) fn sign(&self, algorithm: Algorithm, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        if algorithm == Algorithm::Es384 {
            return EC.sign(&random, message).unwrap().as_ref().to_vec();
        }
        let mut signature = vec![0; RSA.public_modulus_len()];
        RSA.sign(&RSA_PSS_SHA256, &random, message, &mut signature).unwrap();
        signature
    }

    /// The public key as `SubjectPublicKeyInfo`.
    #[allow(clippy::unused_self, reason = "as the other one is used")]
    pub(crate) fn spki(&self, algorithm: Algorithm) -> Vec<u8> {
        let der = match algorithm {
            Algorithm::Es384 => EC.public_key().as_der(),
            _ => RSA.public_key().as_der(),
        };
        der.unwrap().as_ref().to_vec()
    }
}

static EC: LazyLock<EcdsaKeyPair> =
    LazyLock::new(|| EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap());
static RSA: LazyLock<RsaKeyPair> =
    LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

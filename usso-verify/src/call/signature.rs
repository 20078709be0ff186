//! Signatures that the platform verifies.

use crate::algorithm::Algorithm;
use crate::jwk::Jwk;
use crate::key::VerifyingKey;
use crate::presented::{Presented, Signature};

/// A signature for the platform to verify.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Question {
    /// What is signed.
    pub of: Signed,
    /// The algorithm, which is the key's.
    pub algorithm: Algorithm,
    /// The key.
    pub jwk: Jwk,
    /// The key's RFC 7638 thumbprint.
    pub thumbprint: String,
    /// What was signed.
    pub message: Vec<u8>,
    /// The signature, as JWS has it.
    pub signature: Vec<u8>,
}

/// What of a request is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Signed {
    /// The `DPoP` proof.
    Proof,
    /// The token.
    Token,
}

/// What the platform said of the signatures of one request, to be given with it when it is asked
/// about again.
///
/// # Security
///
/// An answer counts only for the key it was about: if the keys have changed since, the platform is
/// asked anew. It must be given with no other token or proof than those that were asked about.
#[derive(Clone, Debug, Default)]
pub struct Signatures {
    token: Option<(String, bool)>,
    proof: Option<(String, bool)>,
}

impl Question {
    pub(super) fn new(
        of: Signed,
        key: &VerifyingKey,
        message: Vec<u8>,
        signature: Vec<u8>,
    ) -> Self {
        let (algorithm, jwk, thumbprint) = (key.algorithm(), key.to_jwk(), key.thumbprint());
        Self { of, algorithm, jwk, thumbprint, message, signature }
    }
}

impl Signatures {
    /// Takes in an answer: `good` says whether the signature of `of` is that of the key with this
    /// thumbprint.
    pub fn add(&mut self, of: Signed, thumbprint: &str, good: bool) {
        let answer = Some((thumbprint.to_owned(), good));
        match of {
            Signed::Proof => self.proof = answer,
            Signed::Token => self.token = answer,
        }
    }

    /// Puts the answers beside what they were asked about.
    pub fn beside<'p>(&'p self, presented: &Presented<'p>) -> Presented<'p> {
        let mut presented = *presented;
        presented.signatures.token = borrowed(self.token.as_ref());
        presented.signatures.proof = borrowed(self.proof.as_ref());
        presented
    }
}

fn borrowed(answer: Option<&(String, bool)>) -> Option<Signature<'_>> {
    answer.map(|(thumbprint, good)| Signature { thumbprint, good: *good })
}

//! Key custody: how private keys are protected while stored.

use std::fmt;

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};

use super::{
    refusal::{Fault, FaultKind},
    secret::{Digest, Secret},
};

const NAME_LEN: usize = 8;

/// Seals keys before they are stored and opens them after.
///
/// Implement it over a KMS or HSM to keep the sealing key out of this process.
pub trait Custody: Send + Sync + fmt::Debug {
    /// Encrypts and authenticates `plain`, bound to `context`.
    ///
    /// # Errors
    ///
    /// [`Fault`] of kind [`FaultKind::Custody`].
    fn seal(&self, plain: &[u8], context: &str) -> Result<Vec<u8>, Fault>;

    /// Whether [`Self::seal`] would use another key now than it did for `sealed`.
    fn is_outdated(&self, _sealed: &[u8]) -> bool {
        false
    }

    /// Opens what [`Self::seal`] made for the same `context`.
    ///
    /// # Errors
    ///
    /// [`Fault`] of kind [`FaultKind::Custody`] for another key, another context or altered bytes.
    fn open(&self, sealed: &[u8], context: &str) -> Result<Secret<Vec<u8>>, Fault>;
}

/// A 256-bit master key held in memory: AES-256-GCM with random nonces.
///
/// # Security
///
/// A sealed value is bound to its context, so a sealed key cannot be moved to another tenant.
/// Whoever holds the master key and the database can sign tokens: keep them apart.
pub struct MasterKey {
    keys: Vec<([u8; NAME_LEN], RandomizedNonceKey)>,
}

impl MasterKey {
    /// Seals and opens with `key`.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the key was refused by the cipher.
    pub fn new(key: &Secret<[u8; 32]>) -> Result<Self, Fault> {
        Ok(Self { keys: vec![Self::prepare(key)?] })
    }

    /// Also opens what an earlier master key sealed, so that the master key can be replaced.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the key was refused by the cipher.
    pub fn also_opening(mut self, earlier: &Secret<[u8; 32]>) -> Result<Self, Fault> {
        self.keys.push(Self::prepare(earlier)?);
        Ok(self)
    }

    fn prepare(key: &Secret<[u8; 32]>) -> Result<([u8; NAME_LEN], RandomizedNonceKey), Fault> {
        let cipher = RandomizedNonceKey::new(&AES_256_GCM, key.expose())
            .map_err(|_| fault("the master key was refused"))?;
        let mut named = b"usso master key name".to_vec();
        named.extend_from_slice(key.expose());
        let digest = Digest::of(&named).to_string();
        named.fill(0);
        let mut name = [0; NAME_LEN];
        name.copy_from_slice(digest.as_bytes().get(..NAME_LEN).unwrap_or(&[0; NAME_LEN]));
        Ok((name, cipher))
    }
}

impl Custody for MasterKey {
    fn seal(&self, plain: &[u8], context: &str) -> Result<Vec<u8>, Fault> {
        let (name, cipher) = self.keys.first().ok_or_else(|| fault("no master key"))?;
        let mut body = plain.to_vec();
        let nonce = cipher
            .seal_in_place_append_tag(Aad::from(context.as_bytes()), &mut body)
            .map_err(|_| fault("sealing failed"))?;
        Ok([name.as_slice(), nonce.as_ref().as_slice(), &body].concat())
    }

    fn is_outdated(&self, sealed: &[u8]) -> bool {
        self.keys.first().is_some_and(|(name, _)| !sealed.starts_with(name))
    }

    fn open(&self, sealed: &[u8], context: &str) -> Result<Secret<Vec<u8>>, Fault> {
        let (name, rest) = sealed.split_at_checked(NAME_LEN).ok_or_else(|| fault("truncated"))?;
        let (nonce, body) = rest.split_at_checked(NONCE_LEN).ok_or_else(|| fault("truncated"))?;
        let (_, cipher) = self
            .keys
            .iter()
            .find(|(known, _)| known == name)
            .ok_or_else(|| fault("sealed under another master key"))?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| fault("truncated"))?;
        let mut body = body.to_vec();
        let plain = cipher
            .open_in_place(nonce, Aad::from(context.as_bytes()), &mut body)
            .map_err(|_| fault("altered, or bound to another place"))?;
        Ok(Secret::new(plain.to_vec()))
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MasterKey(..)")
    }
}

fn fault(detail: &str) -> Fault {
    Fault::new(FaultKind::Custody, detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(byte: u8) -> MasterKey {
        MasterKey::new(&Secret::new([byte; 32])).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_only_in_its_place_and_unaltered() {
        let sealed = master(1).seal(b"key", "here").unwrap();
        assert_eq!(master(1).open(&sealed, "here").unwrap().expose(), b"key");
        assert!(master(1).open(&sealed, "there").is_err());
        assert!(master(2).open(&sealed, "here").is_err());
        for position in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[position] ^= 1;
            assert!(master(1).open(&altered, "here").is_err(), "byte {position}");
            assert!(master(1).open(&sealed[..position], "here").is_err(), "cut at {position}");
        }
    }

    #[test]
    fn a_replaced_master_key_still_opens_what_the_earlier_one_sealed() {
        let sealed = master(1).seal(b"key", "here").unwrap();
        let replaced = master(2).also_opening(&Secret::new([1; 32])).unwrap();
        assert_eq!(replaced.open(&sealed, "here").unwrap().expose(), b"key");
        assert!(master(1).open(&replaced.seal(b"key", "here").unwrap(), "here").is_err());
        assert!(replaced.is_outdated(&sealed) && !master(1).is_outdated(&sealed));
    }
}

//! The randomness port.

use std::fmt;

use super::{
    refusal::{Fault, FaultKind},
    secret::Secret,
};

/// A source of random bytes fit for keys and bearer secrets.
pub trait Entropy: Send + Sync + fmt::Debug {
    /// Fills `bytes` with random bytes.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the source failed; `bytes` must then not be used.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault>;
}

/// Draws a 256-bit bearer secret.
///
/// # Errors
///
/// [`Fault`] if the source failed.
pub fn bearer_secret(entropy: &dyn Entropy) -> Result<Secret<[u8; 32]>, Fault> {
    let mut bytes = [0; 32];
    entropy.fill(&mut bytes)?;
    Ok(Secret::new(bytes))
}

/// The operating system's generator.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Fault> {
        #[expect(clippy::disallowed_methods, reason = "this is the port's own implementation")]
        let filled = getrandom::fill(bytes);
        filled.map_err(|error| Fault::new(FaultKind::Entropy, error.to_string()))
    }
}

//! The two ways an operation stops: usso said no ([`Refusal`]), or a port failed ([`Fault`]).

use std::{fmt, time::Duration};

/// Why an operation did not happen.
#[derive(Debug)]
pub enum Stop<R> {
    /// usso said no. Nothing changed but attempt counters and the audit log.
    Refused(R),
    /// A port failed. Nothing changed, or the change is complete and only its answer was lost.
    Fault(Fault),
}

impl<R> Stop<R> {
    /// Carries a refusal over into another flow's vocabulary; faults pass unchanged.
    pub fn map<S>(self, refusal: impl FnOnce(R) -> S) -> Stop<S> {
        match self {
            Self::Refused(refused) => Stop::Refused(refusal(refused)),
            Self::Fault(fault) => Stop::Fault(fault),
        }
    }
}

impl<R> From<Fault> for Stop<R> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl<R: Refusal> fmt::Display for Stop<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refused) => write!(f, "{}: {}", refused.code(), refused.message()),
            Self::Fault(fault) => fault.fmt(f),
        }
    }
}

impl<R: Refusal> std::error::Error for Stop<R> {}

/// A refusal in the words of the outside.
///
/// Variants that an attacker must not tell apart share one code, status and message.
pub trait Refusal: fmt::Debug {
    /// The stable code, `flow.problem`.
    fn code(&self) -> &'static str;

    /// The HTTP status that says the same (RFC 9110 section 15).
    fn status(&self) -> u16;

    /// One English sentence for the person in front of it, without user input.
    fn message(&self) -> &'static str;

    /// How long to wait before trying again, if waiting helps.
    fn retry_after(&self) -> Option<Duration> {
        None
    }
}

/// What kind of port failed, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FaultKind {
    /// A stored value cannot be read back as what was written.
    Corrupt,
    /// The key custody cannot seal or open a key.
    Custody,
    /// The source of randomness failed.
    Entropy,
    /// The password hasher failed or its threads are gone.
    Hashing,
    /// The database was written by a newer version, or its migrations were altered.
    Schema,
    /// The store has no room left.
    StoreFull,
    /// The store cannot be written to.
    StoreReadOnly,
    /// The store did not answer.
    StoreUnavailable,
}

/// A port failed. The detail is for the operator's log and never for the caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    detail: String,
}

impl Fault {
    /// Reports a failure; `detail` must hold no secret.
    pub fn new(kind: FaultKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// What failed.
    #[must_use]
    pub fn kind(&self) -> FaultKind {
        self.kind
    }

    /// The stable public code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self.kind {
            FaultKind::Corrupt => "store.corrupt",
            FaultKind::Custody => "custody.unavailable",
            FaultKind::Entropy => "entropy.unavailable",
            FaultKind::Hashing => "hashing.unavailable",
            FaultKind::Schema => "store.schema",
            FaultKind::StoreFull => "store.full",
            FaultKind::StoreReadOnly => "store.read_only",
            FaultKind::StoreUnavailable => "store.unavailable",
        }
    }

    /// The HTTP status: 500 where a retry cannot help, else 503.
    #[must_use]
    pub fn status(&self) -> u16 {
        if self.kind == FaultKind::Corrupt { 500 } else { 503 }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code(), self.detail)
    }
}

impl std::error::Error for Fault {}

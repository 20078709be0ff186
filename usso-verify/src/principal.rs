//! The verified caller.

use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, OnceLock, Weak};

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use crate::algorithm::Algorithm;
use crate::claims::UserData;
use crate::json;
use crate::key::VerifyingKey;
use crate::revocation::Revocable;
use crate::scope::{Matching, Scopes};
use crate::source::KeySource;

/// Who is calling: the claims of a token that was found good. Reads as a [`UserData`].
///
/// Cheap to clone and never changed: every holder sees the same claims.
#[derive(Clone)]
pub struct Principal(Arc<Counter>);

/// A count of references of its own, so that threads that hold one token do not fight over one.
/// Everything that a hit in the token cache looks at lies beside it.
struct Counter {
    voucher: Voucher,
    verified: Arc<Verified>,
}

/// A verified token.
pub(crate) struct Verified {
    pub(crate) user: UserData,
    pub(crate) json: String,
    /// The key that vouched for it; none for what an issuer vouched for by an answer.
    pub(crate) key: Option<Arc<VerifyingKey>>,
    pub(crate) matching: Matching,
    /// The scopes, once somebody asked for them.
    pub(crate) scopes: OnceLock<Scopes>,
}

/// What decides whether a verified token still is good.
#[derive(Clone)]
pub(crate) struct Voucher {
    pub(crate) keys: Option<Arc<dyn KeySource>>,
    /// Which keys of the issuer vouched for it.
    pub(crate) generation: Option<u64>,
    /// Whether the sender must prove more than to have the token.
    pub(crate) bound: bool,
    /// First second of its life, leeway not included.
    pub(crate) start: u64,
    /// First second after its life, leeway included.
    pub(crate) end: u64,
}

impl Principal {
    pub(crate) fn new(verified: Verified, voucher: Voucher) -> Self {
        Self(Arc::new(Counter { voucher, verified: Arc::new(verified) }))
    }

    pub(crate) fn verified(&self) -> &Verified {
        &self.0.verified
    }

    pub(crate) fn voucher(&self) -> &Voucher {
        &self.0.voucher
    }

    /// Gives the same principal, counted apart.
    pub(crate) fn detached(&self) -> Self {
        let Counter { voucher, verified } = &*self.0;
        Self(Arc::new(Counter { voucher: voucher.clone(), verified: Arc::clone(verified) }))
    }

    /// Gives the claims, to be kept or changed apart from the token.
    #[must_use]
    pub fn to_user_data(&self) -> UserData {
        self.verified().user.clone()
    }

    /// Reads the whole claim set as a type of the caller's.
    ///
    /// # Errors
    ///
    /// [`json::Error::Mismatch`] if the claims are not a `T`.
    pub fn claims_as<T: DeserializeOwned>(&self) -> Result<T, json::Error> {
        serde_json::from_str(&self.verified().json).map_err(|_| json::Error::Mismatch)
    }

    /// Gives what tells this verification from others without keeping it.
    #[must_use]
    pub fn downgrade(&self) -> WeakPrincipal {
        WeakPrincipal(Arc::downgrade(&self.0.verified))
    }

    /// Gives the claim set as the issuer wrote it.
    #[must_use]
    pub fn json(&self) -> &str {
        &self.verified().json
    }

    /// Gives the algorithm of the key that vouched for the token; none if the issuer was asked.
    #[must_use]
    pub fn algorithm(&self) -> Option<Algorithm> {
        self.verified().key.as_ref().map(|key| key.algorithm())
    }

    /// Gives the name of the key that vouched for the token; none if the issuer was asked.
    #[must_use]
    pub fn kid(&self) -> Option<&str> {
        self.verified().key.as_ref().map(|key| key.kid())
    }
}

/// What is left of a [`Principal`] when nobody holds it any more: the knowledge that it is gone.
/// For what is kept beside callers, such as what another language sees of them.
#[derive(Clone)]
pub struct WeakPrincipal(Weak<Verified>);

impl WeakPrincipal {
    /// Says whether nobody holds the principal any more.
    #[must_use]
    pub fn is_gone(&self) -> bool {
        self.0.strong_count() == 0
    }

    /// Gives a number that no other principal has as long as this exists.
    #[must_use]
    pub fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }
}

impl fmt::Debug for WeakPrincipal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WeakPrincipal").finish_non_exhaustive()
    }
}

impl Verified {
    pub(crate) fn revocable(&self) -> Revocable<'_> {
        Revocable {
            issuer: &self.user.iss,
            subject: &self.user.sub,
            issued_at: self.user.iat,
            jti: self.user.jti.as_deref(),
            session_id: self.user.session_id.as_deref(),
            kid: self.key.as_ref().map(|key| key.kid()),
        }
    }

    /// Gives the bytes it takes, about.
    pub(crate) fn weight(&self) -> usize {
        // The claims are there twice, as text and typed; small values take more room than text.
        size_of::<Self>() + size_of::<Counter>() + 2 * self.json.len() + members(&self.user.claims)
    }
}

/// Gives what the tree of a claim that is not typed takes beside its texts, about: maps have room
/// for eleven members.
fn members(map: &Map<String, Value>) -> usize {
    if map.is_empty() { 0 } else { 640 + map.values().map(tree).sum::<usize>() }
}

/// Depth is bounded by the reader.
fn tree(value: &Value) -> usize {
    match value {
        Value::Object(map) => 64 + members(map),
        Value::Array(items) => 64 + items.iter().map(tree).sum::<usize>(),
        _ => 64,
    }
}

impl Deref for Principal {
    type Target = UserData;

    fn deref(&self) -> &UserData {
        &self.verified().user
    }
}

/// As [`UserData`] serialises.
impl Serialize for Principal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.verified().user.serialize(serializer)
    }
}

impl PartialEq for Principal {
    fn eq(&self, other: &Self) -> bool {
        self.verified().user == other.verified().user
    }
}

impl fmt::Debug for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The other claims may be about a person.
        let UserData { iss, sub, .. } = &**self;
        f.debug_struct("Principal").field("iss", iss).field("sub", sub).finish_non_exhaustive()
    }
}

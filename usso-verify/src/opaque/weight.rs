//! How much memory an accepted answer takes, about.

use std::sync::Arc;

use quick_cache::Weighter;
use serde_json::{Map, Value};

use super::credential::Fingerprint;
use crate::claims::UserData;

/// An accepted answer and what it weighs, counted once.
#[derive(Clone)]
pub(super) struct Weighed {
    pub(super) claims: Arc<UserData>,
    pub(super) bytes: u64,
}

impl Weighed {
    pub(super) fn new(claims: Arc<UserData>) -> Self {
        let bytes = u64::try_from(ENTRY + typed(&claims) + members(&claims.claims));
        Self { claims, bytes: bytes.unwrap_or(u64::MAX) }
    }
}

/// Weighs an entry: what it takes, or its share of the room if that is more, which bounds the
/// number of entries.
#[derive(Clone)]
pub(super) struct Weigh {
    pub(super) least: u64,
}

impl<E: AsRef<Weighed>> Weighter<Fingerprint, E> for Weigh {
    fn weight(&self, _: &Fingerprint, entry: &E) -> u64 {
        entry.as_ref().bytes.max(self.least)
    }
}

fn typed(user: &UserData) -> usize {
    let texts = [&user.jti, &user.client_id, &user.token_type, &user.session_id, &user.tenant_id]
        .into_iter()
        .chain([&user.workspace_id, &user.acr, &user.signing_level])
        .flatten()
        .chain([&user.iss, &user.sub])
        .chain(user.aud.iter().chain(&user.roles).chain(&user.scopes).chain(&user.amr));
    let others = user.cnf.as_ref().map_or(0, |cnf| {
        let texts = cnf.jkt.iter().chain(&cnf.x5t_s256);
        texts.map(|text| VALUE + text.len()).sum::<usize>() + members(&cnf.others)
    });
    texts.map(|text| VALUE + text.len()).sum::<usize>() + others
}

/// The reader of JSON bounds the depth.
fn value(value: &Value) -> usize {
    VALUE
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            // A list has room for four at least.
            Value::Array(items) => 2 * VALUE + items.iter().map(self::value).sum::<usize>(),
            Value::Object(object) => members(object),
        }
}

/// The tree of an object is made of blocks for eleven members, half of which may be empty.
fn members(object: &Map<String, Value>) -> usize {
    let blocks = object.len().div_ceil(5) * BLOCK;
    blocks + object.iter().map(|(name, its)| name.len() + value(its)).sum::<usize>()
}

/// The typed claims, the digest and what the cache needs for both.
const ENTRY: usize = size_of::<UserData>() + 128;
/// A value or a text with its allocation, in a list that grew to twice its length.
const VALUE: usize = 64;
const BLOCK: usize = 640;

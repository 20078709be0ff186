//! The conditions that granted scopes put on an access, for an app that queries a database.

use std::collections::BTreeMap;

use super::pattern::Pattern;

/// Which resources of a kind the holder may see.
///
/// # Security
///
/// "Nothing is granted" and "everything is granted" are different values; where both are an empty
/// list, a query for a stranger returns every row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Filters {
    /// None: no scope grants the action on the path, or the request is not valid.
    Denied,
    /// Those that meet all conditions of at least one of these, never empty, sets.
    Restricted(Vec<BTreeMap<String, Pattern>>),
    /// All.
    Unrestricted,
}

impl Filters {
    /// Keeps one set of conditions, the broadest; the first of equals. It shows no more than all
    /// sets together do.
    ///
    /// How much a key narrows is published as `tenant_id` 1, `workspace_id` 2, `user_id` 4, `uid` 8,
    /// any other 16, in sum; the value `*` narrows nothing.
    #[must_use]
    pub fn broadest(self) -> Self {
        match self {
            Self::Restricted(sets) => {
                let broadest = sets.into_iter().min_by_key(narrowness);
                broadest.map_or(Self::Denied, |set| Self::Restricted(vec![set]))
            }
            other => other,
        }
    }

    /// Says whether nothing is granted.
    #[must_use]
    pub const fn is_denied(&self) -> bool {
        matches!(self, Self::Denied)
    }
}

fn narrowness(set: &BTreeMap<String, Pattern>) -> usize {
    let narrowing = set.iter().filter(|(_, pattern)| !pattern.is_any());
    narrowing
        .map(|(key, _)| match key.as_str() {
            "tenant_id" => 1,
            "workspace_id" => 2,
            "user_id" => 4,
            "uid" => 8,
            _ => 16,
        })
        .sum()
}

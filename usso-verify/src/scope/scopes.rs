//! All scopes of one holder, and the decision about a request.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::MAX_SCOPES;
use super::action::Action;
use super::filters::Filters;
use super::glob::Budget;
use super::grant::{Scope, ScopeError};
use super::path::{Matching, Requested};

/// The scopes of one holder, read once and asked many times.
///
/// Scopes that cannot be read grant nothing; [`decide`](Self::decide) tells why.
#[derive(Clone, Debug, Default)]
pub struct Scopes {
    held: Vec<Result<Scope, Unreadable>>,
    matching: Matching,
}

/// A granted scope that grants nothing.
#[derive(Clone, Debug)]
struct Unreadable {
    text: String,
    error: ScopeError,
}

impl Scopes {
    /// Reads granted scopes, with [`Matching::Suffix`]. Those after the first [`MAX_SCOPES`] grant
    /// nothing.
    #[must_use]
    pub fn parse<S: AsRef<str>>(granted: impl IntoIterator<Item = S>) -> Self {
        let read = |(place, text): (usize, S)| {
            let text = text.as_ref();
            let scope = if place < MAX_SCOPES {
                Scope::parse(text)
            } else {
                Err(ScopeError::TooManyScopes)
            };
            scope.map_err(|error| Unreadable { text: cut(text), error })
        };
        let held = granted.into_iter().enumerate().map(read).collect();
        Self { held, matching: Matching::Suffix }
    }

    /// Sets how paths are laid on each other.
    #[must_use]
    pub fn matching(mut self, matching: Matching) -> Self {
        self.matching = matching;
        self
    }

    /// Gives the scopes that could be read, in the order in which they were granted.
    pub fn iter(&self) -> impl Iterator<Item = &Scope> {
        self.held.iter().flatten()
    }

    /// Says whether one of the scopes allows the action on the path.
    ///
    /// `filters` describes the resource: each map is an alternative, and one of them must meet all
    /// conditions of one scope. An empty list is one alternative without values, which only a
    /// scope without conditions allows.
    #[must_use]
    pub fn check_access(
        &self,
        path: &str,
        action: &str,
        filters: &[BTreeMap<String, String>],
    ) -> bool {
        Request::parse(path, action, filters).is_ok_and(|request| {
            self.iter().any(|scope| request.judge(scope, self.matching).is_ok())
        })
    }

    /// Decides as [`check_access`](Self::check_access) does, and says why.
    #[must_use]
    pub fn decide(
        &self,
        path: &str,
        action: &str,
        filters: &[BTreeMap<String, String>],
    ) -> Decision {
        let request = match Request::parse(path, action, filters) {
            Ok(request) => request,
            Err(error) => return Decision::Invalid(error),
        };
        let mut refused = Vec::new();
        for held in &self.held {
            let (text, reason) = match held {
                Err(unreadable) => (&*unreadable.text, Reason::Malformed(unreadable.error)),
                Ok(scope) => match request.judge(scope, self.matching) {
                    Ok(()) => return Decision::Allowed { scope: scope.as_str().to_owned() },
                    Err(reason) => (scope.as_str(), reason),
                },
            };
            if refused.len() < MAX_EXPLAINED {
                refused.push(Refused { scope: cut(text), reason });
            }
        }
        let omitted = self.held.len().saturating_sub(refused.len());
        Decision::Denied { refused, omitted }
    }

    /// Gives the conditions under which the action on the path is allowed.
    #[must_use]
    pub fn filters(&self, path: &str, action: &str) -> Filters {
        let Ok(request) = Request::parse(path, action, &[]) else {
            return Filters::Denied;
        };
        let mut seen = BTreeSet::new();
        let mut sets = Vec::new();
        for scope in self.iter().filter(|scope| request.concerns(scope, self.matching).is_ok()) {
            if scope.filters().is_empty() {
                return Filters::Unrestricted;
            }
            if seen.insert(scope.filters()) {
                sets.push(scope.filters().clone());
            }
        }
        if sets.is_empty() { Filters::Denied } else { Filters::Restricted(sets) }
    }

    /// Says whether all that `child` grants is granted by one of the scopes. See
    /// [`Scope::is_subset_of`]. `false` where that takes [too long](super#limits).
    #[must_use]
    pub fn covers(&self, child: &Scope) -> bool {
        let budget = Budget::new();
        self.iter().any(|parent| child.is_within(parent, self.matching, &budget))
    }

    /// Gives the scopes that both holders have, in the order in which they were granted: first
    /// own ones that `other` covers, then those of `other` that lie inside one of the rest.
    ///
    /// Both holders have everything in the list. Where two scopes overlap and neither is inside the
    /// other, it lacks what they share, as it does where comparing takes [too long](super#limits).
    /// Paths are laid on each other as for `self`.
    #[must_use]
    pub fn common(&self, other: &Self) -> Vec<String> {
        let budget = Budget::new();
        let inside = |child: &Scope, parents: &[&Scope]| {
            parents.iter().any(|parent| child.is_within(parent, self.matching, &budget))
        };
        let theirs: Vec<&Scope> = other.iter().collect();
        let (shared, rest): (Vec<_>, Vec<_>) = self.iter().partition(|own| inside(own, &theirs));
        let narrower = theirs.into_iter().filter(|its| inside(its, &rest));
        let mut seen = BTreeSet::new();
        let all = shared.into_iter().chain(narrower).map(Scope::as_str);
        all.filter(|text| seen.insert(*text)).map(str::to_owned).collect()
    }
}

impl<S: AsRef<str>> FromIterator<S> for Scopes {
    fn from_iter<I: IntoIterator<Item = S>>(granted: I) -> Self {
        Self::parse(granted)
    }
}

/// What somebody wants to do.
struct Request<'a> {
    action: Action,
    path: Requested<'a>,
    filters: &'a [BTreeMap<String, String>],
    budget: Budget,
}

impl<'a> Request<'a> {
    fn parse(
        path: &'a str,
        action: &str,
        filters: &'a [BTreeMap<String, String>],
    ) -> Result<Self, ScopeError> {
        let action = Action::parse(action).ok_or(ScopeError::ActionUnknown)?;
        Ok(Self { action, path: Requested::parse(path)?, filters, budget: Budget::new() })
    }

    fn judge(&self, scope: &Scope, matching: Matching) -> Result<(), Reason> {
        self.concerns(scope, matching)?;
        let admits = |one| scope.admits(one, &self.budget);
        let admitted = scope.filters().is_empty() || self.filters.iter().any(admits);
        if admitted { Ok(()) } else { Err(self.because(Reason::Filter)) }
    }

    /// Judges a scope without its conditions.
    fn concerns(&self, scope: &Scope, matching: Matching) -> Result<(), Reason> {
        if !scope.action().grants(self.action) {
            return Err(Reason::Action);
        }
        let reaches = scope.reaches(&self.path, matching, &self.budget);
        if reaches { Ok(()) } else { Err(self.because(Reason::Path)) }
    }

    /// Once the budget is spent, nobody looked whether a wildcard would have matched.
    fn because(&self, reason: Reason) -> Reason {
        if self.budget.is_spent() { Reason::Costly } else { reason }
    }
}

/// The answer to a request, and why.
///
/// It displays as one line of bounded length, in which scopes are quoted and escaped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Decision {
    /// A scope allows it.
    Allowed {
        /// The first one that does, as it was written.
        scope: String,
    },
    /// No scope allows it.
    Denied {
        /// The scopes and why each does not, in the order in which they were granted; 16 at most.
        refused: Vec<Refused>,
        /// How many more there are.
        omitted: usize,
    },
    /// The request is denied whatever is granted.
    Invalid(ScopeError),
}

/// A scope that does not allow a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The scope as it was written; if it is long, its first 64 characters and `…`.
    pub scope: String,
    /// Why it does not.
    pub reason: Reason,
}

/// Why a scope does not allow a request; the first that holds, in this order: malformed, action,
/// path, filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// It does not grant the action.
    Action,
    /// Too many long texts were held against wildcards before it; from there on wildcards match
    /// nothing. See the [module](super#limits).
    Costly,
    /// The request does not meet its conditions.
    Filter,
    /// It cannot be read and grants nothing.
    Malformed(ScopeError),
    /// It is for another path.
    Path,
}

impl Decision {
    /// Says whether the request is allowed.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed { .. })
    }

    /// Gives the decision and its reasons as one line of 12 KiB at most.
    ///
    /// # Security
    ///
    /// It names scopes of the holder: for logs and developers, not for the answer to a stranger.
    #[must_use]
    pub fn explain(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Allowed { scope } => write!(f, "allowed by {:?}", cut(scope)),
            Self::Invalid(error) => write!(f, "denied, the request is not valid: {error}"),
            Self::Denied { refused, .. } if refused.is_empty() => f.write_str("denied: no scopes"),
            Self::Denied { refused, omitted } => {
                for (place, Refused { scope, reason }) in refused.iter().enumerate() {
                    let lead = if place == 0 { "denied: " } else { "; " };
                    write!(f, "{lead}{scope:?}: {reason}")?;
                }
                if *omitted > 0 { write!(f, "; and {omitted} more") } else { Ok(()) }
            }
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Action => f.write_str("it does not grant the action"),
            Self::Costly => f.write_str("the wildcards before it took too long"),
            Self::Filter => f.write_str("its filters are not met"),
            Self::Malformed(error) => write!(f, "malformed, {error}"),
            Self::Path => f.write_str("its path does not match"),
        }
    }
}

/// Keeps what fits in an explanation.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}

const MAX_EXPLAINED: usize = 16;
const MAX_QUOTED: usize = 64;

//! One scope: an action on a path, under conditions.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;
use std::str::FromStr;

use super::action::Action;
use super::glob::Budget;
use super::path::{Matching, Path, Requested};
use super::pattern::{Pattern, Token};
use super::{MAX_FILTERS, MAX_LENGTH};

/// A granted scope, read once.
///
/// Two scopes are equal if they are written the same.
#[derive(Clone, Debug)]
pub struct Scope {
    text: Box<str>,
    action: Action,
    path: Path,
    filters: BTreeMap<String, Pattern>,
}

impl Scope {
    /// Reads `[action ":"] path ["?" query]`.
    ///
    /// # Errors
    ///
    /// [`ScopeError::TooLong`], [`ScopeError::Character`], [`ScopeError::ActionUnknown`], those of
    /// the path ([`ScopeError::PathEmpty`], [`ScopeError::PathSegment`],
    /// [`ScopeError::TooManySegments`]), then those of the query ([`ScopeError::FilterBlank`],
    /// [`ScopeError::FilterEncoding`], [`ScopeError::TooManyFilters`]); of both
    /// [`ScopeError::TooManyWildcards`].
    ///
    /// # Security
    ///
    /// A condition that cannot be understood spoils the scope: it never becomes no condition.
    pub fn parse(text: &str) -> Result<Self, ScopeError> {
        if text.len() > MAX_LENGTH {
            return Err(ScopeError::TooLong);
        }
        if text.chars().any(char::is_control) {
            return Err(ScopeError::Character);
        }
        let (action, path, query) = split(text);
        let action = match action {
            None => Action::Read,
            Some(name) => Action::parse(name).ok_or(ScopeError::ActionUnknown)?,
        };
        let path = Path::parse(path, true)?;
        let filters = query.map_or_else(|| Ok(BTreeMap::new()), parse_query)?;
        Ok(Self { text: text.into(), action, path, filters })
    }

    /// Gives the scope as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Gives the action: [`Action::Read`] if none is written.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// Gives the path as it was written.
    #[must_use]
    pub fn path(&self) -> &str {
        split(&self.text).1
    }

    /// Gives the conditions: what a request must have, and the text it must have there.
    #[must_use]
    pub const fn filters(&self) -> &BTreeMap<String, Pattern> {
        &self.filters
    }

    /// Says whether every request that this scope allows is allowed by `parent`.
    ///
    /// # Security
    ///
    /// Never true wrongly; it may be false for two scopes whose wildcards say the same in different
    /// ways. A scope that grants nothing is inside no other, so that a required scope with a slip
    /// of the pen is not met by everyone.
    #[must_use]
    pub fn is_subset_of(&self, parent: &Self, matching: Matching) -> bool {
        self.is_within(parent, matching, &Budget::new())
    }

    pub(super) fn is_within(&self, parent: &Self, matching: Matching, budget: &Budget) -> bool {
        parent.action.grants(self.action)
            && parent.path.covers(&self.path, matching, budget)
            && parent.filters.iter().all(|(key, pattern)| {
                self.filters.get(key).is_some_and(|narrower| pattern.covers(narrower, budget))
            })
    }

    pub(super) fn reaches(
        &self,
        path: &Requested<'_>,
        matching: Matching,
        budget: &Budget,
    ) -> bool {
        self.path.matches(path, matching, budget)
    }

    /// Says whether a request with these values meets the conditions.
    pub(super) fn admits(&self, values: &BTreeMap<String, String>, budget: &Budget) -> bool {
        self.filters.iter().all(|(key, pattern)| {
            values.get(key).is_some_and(|value| pattern.matches_within(value, budget))
        })
    }
}

impl PartialEq for Scope {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Scope {}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for Scope {
    type Err = ScopeError;

    fn from_str(text: &str) -> Result<Self, ScopeError> {
        Self::parse(text)
    }
}

/// Cuts a scope at the first `?`, and what stands before it at its first `:`.
fn split(text: &str) -> (Option<&str>, &str, Option<&str>) {
    let (head, query) = match text.split_once('?') {
        Some((head, query)) => (head, Some(query)),
        None => (text, None),
    };
    match head.split_once(':') {
        Some((action, path)) => (Some(action), path, query),
        None => (None, head, query),
    }
}

/// Reads `key=value` pairs joined by `&`; of a repeated key the first value is kept.
fn parse_query(query: &str) -> Result<BTreeMap<String, Pattern>, ScopeError> {
    let mut filters = BTreeMap::new();
    for (place, pair) in query.split('&').enumerate() {
        if place == MAX_FILTERS {
            return Err(ScopeError::TooManyFilters);
        }
        let (key, value) = pair.split_once('=').ok_or(ScopeError::FilterBlank)?;
        if key.is_empty() || value.is_empty() {
            return Err(ScopeError::FilterBlank);
        }
        let key = decode(key)?.into_iter().map(Token::as_char).collect();
        let pattern = Pattern::from_tokens(decode(value)?);
        if pattern.is_excessive() {
            return Err(ScopeError::TooManyWildcards);
        }
        if let Entry::Vacant(entry) = filters.entry(key) {
            entry.insert(pattern);
        }
    }
    Ok(filters)
}

/// Decodes `%XX` and `+`. What was encoded is literal: `%2A` is a star, `*` is a wildcard.
fn decode(text: &str) -> Result<Vec<Token>, ScopeError> {
    let mut tokens = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c == '%' {
            let (decoded, after) = decode_escapes(rest)?;
            tokens.extend(decoded.chars().map(Token::Char));
            rest = after;
        } else {
            tokens.push(if c == '+' { Token::Char(' ') } else { Token::written(c) });
            rest = rest.get(c.len_utf8()..).unwrap_or_default();
        }
    }
    Ok(tokens)
}

/// Decodes the escapes that `text` starts with, as far as they go.
fn decode_escapes(text: &str) -> Result<(String, &str), ScopeError> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some(escape) = rest.strip_prefix('%') {
        let (digits, after) = escape.split_at_checked(2).ok_or(ScopeError::FilterEncoding)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(ScopeError::FilterEncoding);
        }
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| ScopeError::FilterEncoding)?);
        rest = after;
    }
    let decoded = String::from_utf8(bytes).map_err(|_| ScopeError::FilterEncoding)?;
    if decoded.chars().any(char::is_control) {
        Err(ScopeError::Character)
    } else {
        Ok((decoded, rest))
    }
}

/// Why a scope grants nothing, or why a request is refused whatever is granted. Holds nothing of
/// the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ScopeError {
    /// The action is empty or not one of [`Action`]'s.
    ActionUnknown,
    /// There is a control character, encoded or not.
    Character,
    /// A condition is not `key=value`, or one of the two is empty, or there is nothing after `?`.
    FilterBlank,
    /// A percent-escape in the query is cut short, not hexadecimal or not UTF-8.
    FilterEncoding,
    /// The path is empty, or all of its segments are.
    PathEmpty,
    /// A segment is `.` or `..`, or has a backslash, a control character or an escaped dot, slash
    /// or backslash; in a request also: is empty.
    PathSegment,
    /// The text is longer than [`MAX_LENGTH`] bytes.
    TooLong,
    /// There are more than [`MAX_FILTERS`] conditions.
    TooManyFilters,
    /// The holder has more than [`MAX_SCOPES`](super::MAX_SCOPES) scopes; this one comes later.
    TooManyScopes,
    /// The path has more than [`MAX_SEGMENTS`](super::MAX_SEGMENTS) segments.
    TooManySegments,
    /// A segment or a value has more than [`MAX_WILDCARDS`](super::MAX_WILDCARDS) wildcards.
    TooManyWildcards,
}

impl fmt::Display for ScopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ActionUnknown => "the action is not known",
            Self::Character => "there is a control character",
            Self::FilterBlank => "a filter is not a key and a value",
            Self::FilterEncoding => "a filter is not encoded correctly",
            Self::PathEmpty => "the path is empty",
            Self::PathSegment => "a segment of the path is not a plain name",
            Self::TooLong => "the text is too long",
            Self::TooManyFilters => "there are too many filters",
            Self::TooManyScopes => "there are too many scopes before it",
            Self::TooManySegments => "the path has too many segments",
            Self::TooManyWildcards => "a text has too many wildcards",
        })
    }
}

impl std::error::Error for ScopeError {}

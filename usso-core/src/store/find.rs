//! Which rows are wanted, and the page they come in.

use super::Value;

/// The most rows that one page may ask for.
pub const PAGE_MAX: usize = 200;

/// Which rows to find: all of a scope by key, or those with a value of a declared index.
#[derive(Clone, Debug)]
pub struct Find {
    /// The name of a declared index and the value wanted; absent for all rows of the scope.
    pub by: Option<(&'static str, Value)>,
    /// Only keys from this one on.
    pub from: Option<String>,
    /// Only keys before this one.
    pub until: Option<String>,
    /// The cursor: only keys that come after this one in the order of the page.
    pub after: Option<String>,
    /// Whether the largest keys come first.
    pub descending: bool,
    /// How many rows at most, 1..=[`PAGE_MAX`]; more is cut to that.
    pub limit: usize,
}

impl Find {
    /// All rows of the scope, smallest key first, up to [`PAGE_MAX`].
    #[must_use]
    pub fn all() -> Self {
        Self { by: None, from: None, until: None, after: None, descending: false, limit: PAGE_MAX }
    }

    /// The rows with this value in the index `name`.
    #[must_use]
    pub fn by(name: &'static str, value: Value) -> Self {
        Self { by: Some((name, value)), ..Self::all() }
    }

    /// Cuts the page at `limit` rows, at least 1 and at most [`PAGE_MAX`].
    #[must_use]
    pub fn limit(mut self, limit: usize) -> Self {
        self.limit = limit.clamp(1, PAGE_MAX);
        self
    }

    /// Continues after the last key of the page before.
    #[must_use]
    pub fn after(mut self, cursor: Option<String>) -> Self {
        self.after = cursor;
        self
    }

    /// Puts the largest keys first.
    #[must_use]
    pub fn descending(mut self) -> Self {
        self.descending = true;
        self
    }
}

/// A page of records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The records, in order.
    pub items: Vec<T>,
    /// The cursor of the next page; absent on the last one.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// Turns each record into something else.
    pub fn map<U>(self, each: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(each).collect(), next: self.next }
    }
}

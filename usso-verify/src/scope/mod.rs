//! Scopes: what the holder of a token may do, to what, and under which conditions.
//!
//! Pure functions over text: no I/O, no clock. The free functions take scopes as text and lay paths
//! from the right, as the published packages do; [`Scopes`] reads them once and can lay paths from
//! the left.
//!
//! ```
//! use usso_verify::scope::{Filters, Scopes, check_access, scope_filters};
//! use std::collections::BTreeMap;
//!
//! let granted = ["manage:media/files", "read:invoices?user_id=alice"];
//! assert!(check_access(&granted, "media/files", "write", &[]));
//! assert!(!check_access(&granted, "invoices", "read", &[]));
//!
//! let of_alice = BTreeMap::from([("user_id".to_owned(), "alice".to_owned())]);
//! assert!(check_access(&granted, "invoices", "read", &[of_alice]));
//!
//! let Filters::Restricted(sets) = scope_filters("read", "invoices", &granted) else { panic!() };
//! assert_eq!(sets[0]["user_id"].exact(), Some("alice"));
//!
//! let decision = Scopes::parse(granted).decide("invoices", "delete", &[]);
//! assert_eq!(
//!     decision.explain(),
//!     r#"denied: "manage:media/files": its path does not match; "#.to_owned()
//!         + r#""read:invoices?user_id=alice": it does not grant the action"#
//! );
//! ```
//!
//! # Grammar
//!
//! ```text
//! scope   = [ action ":" ] path [ "?" query ]    the first ":" before the first "?" ends the action
//! path    = segment *( "/" segment )             an empty segment is "*"; not all may be empty
//! query   = key "=" value *( "&" key "=" value ) %XX and "+" are decoded; the first of a key counts
//! ```
//!
//! In a segment and a value `*` is any text, in a value `?` is any one character; nothing else is
//! special, case matters. An encoded wildcard (`%2A`, `%3F`) is an ordinary character. Paths are
//! never decoded: `%41` is three characters, on both sides.
//!
//! # Limits
//!
//! A scope has at most [`MAX_LENGTH`] bytes, [`MAX_SEGMENTS`] segments and [`MAX_FILTERS`] pairs,
//! each segment and value [`MAX_WILDCARDS`] wildcards, a holder [`MAX_SCOPES`] scopes. What breaks a
//! rule grants nothing and says so in [`Decision`].
//!
//! Holding a text of `n` bytes against wildcards costs `n + 64` steps, three times that with one
//! `?`, five times with two, and so on. One call has 2^24 steps: some milliseconds, and far more
//! than usual scopes need. When they are spent, wildcards match nothing for the rest of the call,
//! except a lone `*`: the same texts always get the same answer, and it errs towards less.
//!
//! # Levels
//!
//! | action | level | |
//! | --- | --- | --- |
//! | `none` | 0 | grants nothing, is never granted |
//! | `read` | 10 | also what a scope without action grants |
//! | `create` | 20 | |
//! | `update`, `write` | 30 | so `write` implies `create` |
//! | `delete` | 40 | |
//! | `manage` | 50 | |
//! | `admin` | 60 | |
//! | `owner`, `*` | 90 | |
//! | `superadmin` | 100 | not reached by `*:*` |
//!
//! Each level implies those above it in the table. Any other action is denied, granted or
//! requested.
//!
//! # Matching
//!
//! Paths: see [`Matching`]. A requested path is plain text: a `*` in it is a `*`, matched by what
//! matches that character, which in a granted path is a `*` only. A request is denied if its path is
//! empty, has an empty segment (so a slash at an end, or two in a row), a segment `.` or `..`, a
//! backslash, a control character, or an escaped dot, slash or backslash (`%2e`, `%2f`, `%5c`).
//!
//! Conditions: the request describes the resource by alternatives, each a map. A scope admits an
//! alternative that has every key of its query with a value that matches. Without values only a
//! scope without query admits.
//!
//! # Security
//!
//! What differs from the published packages (`usso` for Python and Rust), and why:
//!
//! | here | there |
//! | --- | --- |
//! | an unknown action is denied | counts as `read`: a reader may `DELETE` and `publish` |
//! | `write` is `update` | unknown, so only `read` |
//! | an empty scope or path grants nothing | grants `read` on everything |
//! | `?user_id=` spoils the scope, as do `?`, `?user_id` and bad escapes | the condition vanishes |
//! | a `*` or an empty segment in a request matches nothing special | matches any granted segment |
//! | conditions are always checked, all of them at one scope | Rust: only if the caller gives some; Python: a scope with two conditions never matches |
//! | `%2A` is a literal star | a wildcard, though the issuer escaped it |
//! | `[a-z]` is text, case matters | a class; case as the system has it |
//! | a scope is a subset only if it grants nothing more | `delete:files` counts as part of `delete:media/files` |
//! | "no grant" and "all rows" are different values | both are an empty filter |
//! | owners are compared with user ids, workspaces with workspace ids | user ids are compared with workspaces |
//! | common scopes keep their order | order of a set |
//!
//! One consequence of matching from the right: `read:media/files` also grants `files`, which
//! `read:media/*` does not; so the first is no subset of the second, except when
//! [`Matching::Anchored`].

mod action;
mod filters;
mod glob;
mod grant;
mod owner;
mod path;
mod pattern;
mod scopes;

use std::collections::BTreeMap;

pub use action::Action;
pub use filters::Filters;
pub use grant::{Scope, ScopeError};
pub use owner::OwnerRule;
pub use path::Matching;
pub use pattern::Pattern;
pub use scopes::{Decision, Reason, Refused, Scopes};

use glob::Budget;
use path::{Path, Requested};

/// How many pairs a scope's query may have.
pub const MAX_FILTERS: usize = 16;

/// How many bytes a scope, a requested path and a value that a wildcard looks at may have.
pub const MAX_LENGTH: usize = 1024;

/// How many scopes a holder may have.
pub const MAX_SCOPES: usize = 256;

/// How many segments a path may have, granted or requested.
pub const MAX_SEGMENTS: usize = 32;

/// How many wildcards a segment or a value may have; stars in a row are one.
pub const MAX_WILDCARDS: usize = 8;

/// Says whether one of the granted scopes allows the action on the path. See
/// [`Scopes::check_access`].
#[must_use]
pub fn check_access(
    granted: &[impl AsRef<str>],
    path: &str,
    action: &str,
    filters: &[BTreeMap<String, String>],
) -> bool {
    Scopes::parse(granted).check_access(path, action, filters)
}

/// Decides as [`check_access`] does, and says why.
#[must_use]
pub fn decide(
    granted: &[impl AsRef<str>],
    path: &str,
    action: &str,
    filters: &[BTreeMap<String, String>],
) -> Decision {
    Scopes::parse(granted).decide(path, action, filters)
}

/// Gives the conditions under which the action on the path is allowed.
#[must_use]
pub fn scope_filters(action: &str, path: &str, granted: &[impl AsRef<str>]) -> Filters {
    Scopes::parse(granted).filters(path, action)
}

/// Says whether a granted path, without action and query, matches a requested one. Text that is no
/// path on its side matches nothing.
///
/// Here, as published, an empty segment of the granted path is no wildcard for the third rule of
/// [`Matching::Suffix`]: `media//files` matches `images/files`, which as the path of a scope it does
/// not.
#[must_use]
pub fn path_matches(granted: &str, requested: &str, matching: Matching) -> bool {
    match (Path::parse(granted, false), Requested::parse(requested)) {
        (Ok(granted), Ok(requested)) => granted.matches(&requested, matching, &Budget::new()),
        _ => false,
    }
}

/// Says whether every request that `child` allows is allowed by `parent`. See
/// [`Scope::is_subset_of`]; text that is no scope is inside nothing and holds nothing.
#[must_use]
pub fn is_subset(child: &str, parent: &str) -> bool {
    has_subset_scope(child, &[parent])
}

/// Says whether one of the granted scopes allows all that `child` does.
#[must_use]
pub fn has_subset_scope(child: &str, granted: &[impl AsRef<str>]) -> bool {
    Scope::parse(child).is_ok_and(|child| Scopes::parse(granted).covers(&child))
}

/// Gives the scopes that both holders have. See [`Scopes::common`].
#[must_use]
pub fn common_scopes(a: &[impl AsRef<str>], b: &[impl AsRef<str>]) -> Vec<String> {
    Scopes::parse(a).common(&Scopes::parse(b))
}

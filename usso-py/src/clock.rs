//! The clock port.

use std::time::{SystemTime, UNIX_EPOCH};

/// Gives the seconds since the epoch. A clock set before 1970 reads as the end of time: every token
/// is expired, none is revived.
pub(crate) fn now() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "this is the clock port")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).map_or(u64::MAX, |since| since.as_secs())
}

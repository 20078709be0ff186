//! The clock port, points in time, and the one rule of expiry.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
///
/// Times before 1970 do not exist here; arithmetic saturates and never wraps.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct UnixTime(u64);

impl UnixTime {
    /// Makes a time from milliseconds since the epoch.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Makes a time from seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: u64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down (`NumericDate`, RFC 7519 section 2).
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0 / 1000
    }

    /// The time `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long it is from `earlier` until this time; zero if `earlier` is later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Parses an RFC 3339 time such as `2026-11-22T10:00:00Z`; `None` if it is not one.
    #[must_use]
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let time = OffsetDateTime::parse(text, &Rfc3339).ok()?;
        u64::try_from(time.unix_timestamp_nanos() / 1_000_000).ok().map(Self)
    }
}

impl fmt::Display for UnixTime {
    /// Writes RFC 3339 in UTC with milliseconds where they are not zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|time| time.format(&Rfc3339).ok());
        // Years past 9999 have no RFC 3339 form; they only come from a damaged record.
        f.write_str(text.as_deref().unwrap_or("9999-12-31T23:59:59Z"))
    }
}

/// A half-open stretch of time: valid from `start`, no longer valid at `end`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lifetime {
    start: UnixTime,
    end: UnixTime,
}

impl Lifetime {
    /// Starts at `start` and lasts `duration`.
    #[must_use]
    pub fn starting(start: UnixTime, duration: Duration) -> Self {
        Self { start, end: start.plus(duration) }
    }

    /// The first moment at which it is over.
    #[must_use]
    pub const fn end(self) -> UnixTime {
        self.end
    }

    /// Whether `start <= now < end`.
    #[must_use]
    pub fn holds(self, now: UnixTime) -> bool {
        self.start <= now && now < self.end
    }
}

/// Where the time comes from.
pub trait Clock: Send + Sync + fmt::Debug {
    /// The time now.
    fn now(&self) -> UnixTime;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        #[expect(clippy::disallowed_methods, reason = "this is the port's own implementation")]
        let now = std::time::SystemTime::now();
        let since = now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        UnixTime(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// Measures how long something takes, for metrics; never for decisions.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch(std::time::Instant);

impl Stopwatch {
    /// Starts measuring.
    #[must_use]
    pub fn start() -> Self {
        #[expect(clippy::disallowed_methods, reason = "durations for metrics come from here only")]
        Self(std::time::Instant::now())
    }

    /// The time since the start.
    #[must_use]
    pub fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lifetime_is_half_open() {
        let life = Lifetime::starting(UnixTime::from_millis(10), Duration::from_millis(5));
        let holds = |millis| life.holds(UnixTime::from_millis(millis));
        assert_eq!([9, 10, 14, 15].map(holds), [false, true, true, false]);
    }

    #[test]
    fn arithmetic_saturates() {
        let last = UnixTime::from_millis(u64::MAX);
        assert_eq!(last.plus(Duration::MAX), last);
        assert_eq!(UnixTime::default().since(last), Duration::ZERO);
    }

    #[test]
    fn text_form_is_rfc3339_both_ways() {
        let time = UnixTime::from_seconds(1_759_572_000);
        assert_eq!(time.to_string(), "2025-10-04T10:00:00Z");
        assert_eq!(UnixTime::parse_rfc3339("2025-10-04T12:00:00+02:00"), Some(time));
        assert_eq!(UnixTime::parse_rfc3339("1969-12-31T23:59:59Z"), None);
        assert_eq!(UnixTime::from_millis(u64::MAX).to_string(), "9999-12-31T23:59:59Z");
    }
}

//! How long an answer says it is fresh.
//!
//! # Spec
//!
//! RFC 9111 §4.2.1, §4.2.3, §5.2, §5.3; RFC 9110 §5.6.7.

use super::policy::Policy;
use crate::fetch::Response;

/// Gives the seconds an answer that was asked for at `now` is fresh, within the policy's bounds.
pub(super) fn window(response: &Response, now: u64, policy: &Policy) -> u64 {
    let (min, max) = (policy.min_fresh.as_secs(), policy.max_fresh.as_secs());
    let Some(said) = lifetime(response, now) else {
        return policy.default_fresh.as_secs();
    };
    let age = response.header("age").and_then(seconds).unwrap_or(0);
    said.saturating_sub(age).clamp(min, max)
}

/// What the answer says without regard to its age; what makes no sense counts as 0 (RFC 9111
/// §4.2.1).
fn lifetime(response: &Response, now: u64) -> Option<u64> {
    let values = response.headers.iter().filter(|(name, _)| name == "cache-control");
    let directives = values.flat_map(|(_, value)| value.split(',')).filter_map(directive);
    // Of several, the shortest.
    directives.min().or_else(|| expires(response, now))
}

fn directive(text: &str) -> Option<u64> {
    let (name, value) = text.split_once('=').unwrap_or((text, ""));
    match name.trim().to_ascii_lowercase().as_str() {
        "no-cache" | "no-store" => Some(0),
        "max-age" => Some(seconds(value.trim().trim_matches('"')).unwrap_or(0)),
        _ => None,
    }
}

fn expires(response: &Response, now: u64) -> Option<u64> {
    let expires = response.header("expires")?;
    let date = response.header("date").and_then(http_date).unwrap_or(now);
    Some(http_date(expires).map_or(0, |expires| expires.saturating_sub(date)))
}

/// Reads `delta-seconds`; what does not fit is very long.
fn seconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// Reads an IMF-fixdate, the only form that is still sent.
fn http_date(text: &str) -> Option<u64> {
    let (_, rest) = text.split_once(", ")?;
    let mut parts = rest.split(' ');
    let day = seconds(parts.next()?).filter(|day| (1..=31).contains(day))?;
    let name = parts.next()?;
    let month = MONTHS.iter().position(|month| *month == name)?;
    let year = seconds(parts.next()?).filter(|year| (1970..=9999).contains(year))?;
    let mut time = parts.next()?.split(':').map(seconds);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let sound = hour < 24 && minute < 60 && second <= 60 && time.next().is_none();
    let days = days_before(year, u64::try_from(month).ok()?) + day - 1;
    (sound && parts.eq(["GMT"])).then(|| ((days * 24 + hour) * 60 + minute) * 60 + second)
}

/// Counts the days from 1970 to the first of a month (0 is January).
fn days_before(year: u64, month: u64) -> u64 {
    let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let leaps_before = |year: u64| year / 4 - year / 100 + year / 400;
    let years = (year - 1970) * 365 + leaps_before(year - 1) - leaps_before(1969);
    let before = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let months = usize::try_from(month).ok().and_then(|month| before.get(month));
    years + months.copied().unwrap_or(0) + u64::from(leap && month > 1)
}

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use super::{http_date, window};
    use crate::fetch::Response;
    use crate::jwks::Policy;

    const NOW: u64 = 784_111_777;

    fn fresh(headers: &[(&str, &str)]) -> u64 {
        let mut response = Response::new(200, Vec::new());
        response.headers =
            headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        window(&response, NOW, &Policy::default())
    }

    #[test]
    fn an_answer_that_says_nothing_is_fresh_for_ten_minutes() {
        assert_eq!(fresh(&[]), 600);
        assert_eq!(fresh(&[("cache-control", "public, must-revalidate"), ("age", "400")]), 600);
    }

    #[test]
    fn max_age_is_clamped() {
        for (value, expected) in [
            ("max-age=900", 900),
            ("public, MAX-AGE=\"901\" , immutable", 901),
            ("max-age=0", 60),
            ("max-age=59", 60),
            ("max-age=604800", 3600),
            ("max-age=99999999999999999999999999", 3600),
            ("max-age=-5", 60),
            ("max-age=soon", 60),
            ("max-age", 60),
            ("max-age=", 60),
            ("max-age=1e9", 60),
            ("max-age=900, max-age=300", 300),
            ("max-age=900, no-cache", 60),
            ("no-store", 60),
            ("s-maxage=60", 600),
            (",,=,", 600),
        ] {
            assert_eq!(fresh(&[("cache-control", value)]), expected, "{value}");
        }
    }

    #[test]
    fn several_headers_count_as_one() {
        assert_eq!(fresh(&[("cache-control", "public"), ("cache-control", "max-age=700")]), 700);
    }

    #[test]
    fn age_shortens_the_window() {
        let with = |age| fresh(&[("cache-control", "max-age=900"), ("age", age)]);
        assert_eq!(
            [with("300"), with("899"), with("99999999999999999999"), with("-1"), with("x")],
            [600, 60, 60, 900, 900]
        );
    }

    #[test]
    fn expires_counts_from_the_date_or_from_now() {
        let later = "Sun, 06 Nov 1994 09:04:37 GMT";
        assert_eq!(fresh(&[("expires", later)]), 900);
        let date = ("date", "Sun, 06 Nov 1994 08:54:37 GMT");
        assert_eq!(fresh(&[("expires", later), date]), 600);
        assert_eq!(fresh(&[("expires", "0")]), 60);
        assert_eq!(fresh(&[("expires", "Sun, 06 Nov 1904 08:49:37 GMT")]), 60);
        assert_eq!(fresh(&[("expires", later), ("cache-control", "max-age=61")]), 61);
    }

    #[test]
    fn a_date_with_endless_numbers_is_refused_before_it_is_counted() {
        // Found by fuzzing: an hour of 2^64 - 1.
        for date in ["Sun, 06 Nov 1994 409000000000000000000:0:37 GMT"]
            .into_iter()
            .chain(["Sun, 06 Nov 1994 0:409000000000000000000:37 GMT"])
            .chain(["Sun, 409000000000000000000 Nov 1994 0:0:0 GMT"])
        {
            assert_eq!(http_date(date), None, "{date}");
        }
    }

    #[test]
    fn dates_are_read_exactly() {
        for (text, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(NOW)),
            ("Tue, 29 Feb 2000 00:00:00 GMT", Some(951_782_400)),
            ("Wed, 01 Mar 2000 00:00:00 GMT", Some(951_868_800)),
            ("Mon, 01 Mar 2100 00:00:00 GMT", Some(4_107_542_400)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None),
            ("Sun Nov  6 08:49:37 1994", None),
            ("Sun, 06 Nov 1994 24:49:37 GMT", None),
            ("Sun, 06 Nov 1994 08:49:37 UTC", None),
            ("Sun, 06 Nov 1994 08:49:37 GMT x", None),
            ("Sun, 00 Nov 1994 08:49:37 GMT", None),
            ("", None),
        ] {
            assert_eq!(http_date(text), expected, "{text}");
        }
    }
}

//! How the text of each setting is read. An error is a sentence that says what would be right; those
//! about secrets do not repeat them.

use std::{
    fmt::Display, net::SocketAddr, ops::RangeInclusive, path::PathBuf, str::FromStr, time::Duration,
};

use base64::{Engine as _, alphabet, engine};
use ipnet::IpNet;
use tracing_subscriber::EnvFilter;
use usso_axum::MetricsAccess;
use usso_core::{
    directory::tenant::check_issuer,
    kernel::{limit::Limit, secret::Secret, text::Identifier},
};

const DAY: Duration = Duration::from_secs(86_400);

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| {
        format!("{text:?} is not an address and port; write it as 127.0.0.1:8000 or [::1]:8000")
    })
}

/// Reads `sqlite:path`, `sqlite://path` and `sqlite:///absolute/path`.
pub(super) fn database(text: &str) -> Result<PathBuf, String> {
    let Some(path) = text.strip_prefix("sqlite:") else {
        // What follows the scheme may hold a password.
        let scheme = text.split(':').next().unwrap_or_default();
        return Err(format!(
            "{scheme:?} is not a kind of database that works here; write sqlite:usso.db"
        ));
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path == ":memory:" || path.contains('?') {
        return Err(format!(
            "{text:?} does not name a file; write sqlite:usso.db, without options"
        ));
    }
    Ok(PathBuf::from(path))
}

pub(super) fn issuer(text: &str) -> Result<String, String> {
    check_issuer(text).map_err(|why| format!("{text:?} is not an issuer: {why}"))?;
    Ok(text.to_owned())
}

pub(super) fn audience(text: &str) -> Vec<String> {
    text.split(',').map(|name| name.trim().to_owned()).collect()
}

pub(super) fn identifier(text: &str) -> Result<String, String> {
    Identifier::parse(text).map_err(|_| {
        format!(
            "{text:?} is not an e-mail address, a phone number with country code or a user name"
        )
    })?;
    Ok(text.to_owned())
}

/// Reads 32 bytes as base64 of either alphabet, with or without padding, or as 64 hex digits.
pub(crate) fn key(text: &str) -> Result<Secret<[u8; 32]>, String> {
    let text = text.trim();
    let bytes = if text.len() == 64 {
        hex(text)
    } else {
        let standard = Secret::new(text.replace('-', "+").replace('_', "/"));
        let padding = engine::DecodePaddingMode::Indifferent;
        let config = engine::GeneralPurposeConfig::new().with_decode_padding_mode(padding);
        engine::GeneralPurpose::new(&alphabet::STANDARD, config).decode(standard.expose()).ok()
    };
    let bytes = Secret::new(bytes.unwrap_or_default());
    let bytes: Result<[u8; 32], _> = bytes.expose().as_slice().try_into();
    bytes.map(Secret::new).map_err(|_| {
        "it is not 32 bytes in base64 or 64 hex digits; make one with `openssl rand -hex 32`"
            .to_owned()
    })
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let pair = |at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok();
    // `from_str_radix` would take a sign.
    let digits = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (0..text.len()).step_by(2).map(pair).collect::<Option<_>>().filter(|_| digits)
}

pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    let network = |text: &str| {
        text.trim()
            .parse()
            .map_err(|_| format!("{text:?} is not a network; write networks as 10.0.0.0/8,::1/128"))
    };
    text.split(',').map(network).collect()
}

pub(super) fn metrics(text: &str) -> Result<MetricsAccess, String> {
    match text {
        "loopback" => Ok(MetricsAccess::Loopback),
        "everyone" => Ok(MetricsAccess::Everyone),
        "nobody" => Ok(MetricsAccess::Nobody),
        _ => Err(format!("{text:?} is not loopback, everyone or nobody")),
    }
}

pub(super) fn log_filter(text: &str) -> Result<String, String> {
    EnvFilter::try_new(text).map_err(|error| {
        format!("{text:?} is not a filter ({error}); write info or warn,usso_core=debug")
    })?;
    Ok(text.to_owned())
}

pub(super) fn number<T: FromStr + PartialOrd + Display>(
    text: &str,
    range: RangeInclusive<T>,
) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        let (low, high) = range.into_inner();
        format!("{text:?} is not a whole number from {low} to {high}")
    })
}

pub(super) fn days(text: &str) -> Result<Duration, String> {
    Ok(DAY.saturating_mul(number(text, 1..=36_500)?))
}

/// Reads `10/5m`: attempts in each window of so many seconds (s), minutes (m) or hours (h).
pub(super) fn limit(text: &str) -> Result<Limit, String> {
    let read = || {
        let (attempts, window) = text.split_once('/')?;
        let unit = window.chars().last()?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            _ => return None,
        };
        let count: u32 = window.strip_suffix(unit)?.parse().ok()?;
        let window = Duration::from_secs(seconds).checked_mul(count)?;
        let attempts = attempts.parse().ok().filter(|attempts| *attempts > 0)?;
        (!window.is_zero() && window <= DAY).then(|| Limit::new(attempts, window))
    };
    read().ok_or_else(|| {
        format!(
            "{text:?} is not a limit; write 10/5m for ten attempts in five minutes \
             (s, m or h, at most a day)"
        )
    })
}

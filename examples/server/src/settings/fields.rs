//! The table of settings: names, defaults, help and how each is taken.

use std::{path::PathBuf, time::Duration};

use usso_core::kernel::secret::Secret;

use super::{Settings, values};
use Fallback::{Otherwise, Value};

/// One setting under its two names.
pub(super) struct Field {
    pub(super) variable: &'static str,
    pub(super) key: &'static str,
    pub(super) default: Fallback,
    pub(super) help: &'static str,
    pub(super) set: fn(&mut Settings, &str) -> Result<(), String>,
}

pub(super) enum Fallback {
    /// Taken as if it had been written.
    Value(&'static str),
    /// What happens without it, in words.
    Otherwise(&'static str),
}

const fn field(
    (variable, key): (&'static str, &'static str),
    default: Fallback,
    help: &'static str,
    set: fn(&mut Settings, &str) -> Result<(), String>,
) -> Field {
    Field { variable, key, default, help, set }
}

/// Every setting there is.
pub(super) const FIELDS: &[Field] = &[
    field(
        ("USSO_LISTEN", "listen"),
        Value("127.0.0.1:8000"),
        "Address and port to listen on",
        |settings, text| values::address(text).map(|address| settings.listen = address),
    ),
    field(
        ("USSO_DATABASE_URL", "database_url"),
        Value("sqlite:usso.db"),
        "Where the data is; created if it is not there",
        |settings, text| values::database(text).map(|path| settings.database = path),
    ),
    field(
        ("USSO_DATABASE_MAX_BYTES", "database_max_bytes"),
        Otherwise("as large as the disk allows"),
        "Size that the database may grow to",
        |settings, text| {
            let bytes = values::number(text, 65_536..=1 << 50)?;
            settings.database_max_bytes = Some(bytes);
            Ok(())
        },
    ),
    field(
        ("USSO_ISSUER", "issuer"),
        Otherwise("http://localhost:<port of USSO_LISTEN>"),
        "URL under which clients reach the server; the `iss` of its tokens",
        |settings, text| values::issuer(text).map(|issuer| settings.issuer = Some(issuer)),
    ),
    field(
        ("USSO_AUDIENCE", "audience"),
        Otherwise("the issuer"),
        "The services that tokens are for, the `aud` of its tokens: names divided by commas",
        |settings, text| {
            settings.engine.audience = values::audience(text);
            Ok(())
        },
    ),
    field(
        ("USSO_ADMIN", "admin"),
        Value("admin@localhost"),
        "E-mail address, phone number or user name of the first administrator",
        |settings, text| values::identifier(text).map(|admin| settings.admin = admin),
    ),
    field(
        ("SYSTEM_PASSWORD", "system_password"),
        Otherwise("a random one, printed when the administrator is created"),
        "Password of the first administrator; reset to this at every start where it differs",
        |settings, text| {
            settings.system_password = Some(Secret::new(text.to_owned()));
            Ok(())
        },
    ),
    field(
        ("USSO_MASTER_KEY", "master_key"),
        Otherwise("read from USSO_MASTER_KEY_FILE"),
        "Key that protects the signing keys in the database: 32 bytes as base64 or 64 hex digits",
        |settings, text| values::key(text).map(|key| settings.master_key = Some(key)),
    ),
    field(
        ("USSO_MASTER_KEY_FILE", "master_key_file"),
        Otherwise("the database's path followed by .key, made together with the database"),
        "File with the master key, readable by its owner only",
        |settings, text| {
            settings.master_key_file = Some(PathBuf::from(text));
            Ok(())
        },
    ),
    field(
        ("USSO_MASTER_KEY_PREVIOUS", "master_key_previous"),
        Otherwise("none"),
        "Master key that is being replaced; it still opens what it protected",
        |settings, text| values::key(text).map(|key| settings.master_key_previous = Some(key)),
    ),
    field(
        ("USSO_TRUSTED_PROXIES", "trusted_proxies"),
        Otherwise("none"),
        "Networks of the proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8,::1/128",
        |settings, text| {
            values::networks(text).map(|networks| settings.http.trusted_proxies = networks)
        },
    ),
    field(
        ("USSO_METRICS", "metrics"),
        Value("loopback"),
        "Who may read /metrics: loopback, everyone or nobody",
        |settings, text| values::metrics(text).map(|access| settings.http.metrics = access),
    ),
    field(
        ("USSO_LOG", "log"),
        Value("info"),
        "What is logged: a level, or a filter such as warn,usso_core=debug",
        |settings, text| values::log_filter(text).map(|filter| settings.log = filter),
    ),
    field(
        ("USSO_CONNECTIONS", "connections"),
        Value("10000"),
        "Connections served at once; more wait",
        |settings, text| {
            values::number(text, 1..=1_000_000).map(|most| settings.connections = most)
        },
    ),
    field(
        ("USSO_HEADER_TIMEOUT_SECONDS", "header_timeout_seconds"),
        Value("10"),
        "Time for the head of a request to arrive, and for a connection to stay unused",
        |settings, text| {
            let seconds = values::number(text, 1..=3600)?;
            settings.header_timeout = Duration::from_secs(seconds);
            Ok(())
        },
    ),
    field(
        ("USSO_WRITE_TIMEOUT_SECONDS", "write_timeout_seconds"),
        Value("30"),
        "Time after which a client that takes nothing of its answer is given up on",
        |settings, text| {
            let seconds = values::number(text, 1..=3600)?;
            settings.write_timeout = Duration::from_secs(seconds);
            Ok(())
        },
    ),
    field(
        ("USSO_HASHING_MEMORY_KIB", "hashing.memory_kib"),
        Value("19456"),
        "Memory of one password hash",
        |settings, text| {
            let kib = values::number(text, 8..=262_144)?;
            settings.engine.hashing.memory_kib = kib;
            Ok(())
        },
    ),
    field(
        ("USSO_HASHING_ITERATIONS", "hashing.iterations"),
        Value("2"),
        "Passes of one password hash over its memory",
        |settings, text| {
            let iterations = values::number(text, 1..=20)?;
            settings.engine.hashing.iterations = iterations;
            Ok(())
        },
    ),
    field(
        ("USSO_HASHING_CONCURRENT", "hashing.concurrent"),
        Otherwise("the number of processors"),
        "Password hashes computed at once",
        |settings, text| {
            let hashes = values::number(text, 1..=1024)?;
            settings.engine.hashing.concurrent = hashes;
            Ok(())
        },
    ),
    field(
        ("USSO_HASHING_WAITING", "hashing.waiting"),
        Value("32"),
        "Password hashes that wait; more sign-ins are told to come back",
        |settings, text| {
            let hashes = values::number(text, 0..=100_000)?;
            settings.engine.hashing.waiting = hashes;
            Ok(())
        },
    ),
    field(
        ("USSO_LIMIT_ACCOUNT_AND_SOURCE", "limits.account_and_source"),
        Value("10/5m"),
        "Failed attempts on one account from one address",
        |settings, text| {
            let limit = values::limit(text)?;
            settings.engine.limits.account_and_source = limit;
            Ok(())
        },
    ),
    field(
        ("USSO_LIMIT_ACCOUNT", "limits.account"),
        Value("100/1h"),
        "Failed attempts on one account from all unfamiliar addresses",
        |settings, text| values::limit(text).map(|limit| settings.engine.limits.account = limit),
    ),
    field(
        ("USSO_LIMIT_SOURCE", "limits.source"),
        Value("300/5m"),
        "Failed attempts from one address on all accounts",
        |settings, text| values::limit(text).map(|limit| settings.engine.limits.source = limit),
    ),
    field(
        ("USSO_LIMIT_REGISTRATION", "limits.registration"),
        Value("1000/1h"),
        "Registrations from one address",
        |settings, text| {
            values::limit(text).map(|limit| settings.engine.limits.registration = limit)
        },
    ),
    field(
        ("USSO_AUDIT_RETENTION_DAYS", "audit_retention_days"),
        Value("90"),
        "How long audit entries are kept",
        |settings, text| values::days(text).map(|kept| settings.engine.audit_retention = kept),
    ),
    field(
        ("USSO_KEY_ROTATION_DAYS", "key_rotation_days"),
        Value("90"),
        "How long a signing key signs",
        |settings, text| values::days(text).map(|life| settings.engine.key_rotation = life),
    ),
];

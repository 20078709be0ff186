//! Settings. One table, [`FIELDS`], drives the environment, the file and `--help`, so that they
//! cannot drift apart. The environment wins over the file, the file over the defaults.

mod values;

pub(crate) use values::key;

use std::{
    ffi::OsString,
    fmt,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use toml::Value as Toml;
use usso_axum::HttpConfig;
use usso_core::{Config, kernel::secret::Secret};

use Fallback::{Otherwise, Value};

/// The settings of the server.
pub(crate) struct Settings {
    pub(crate) listen: SocketAddr,
    pub(crate) database: PathBuf,
    pub(crate) database_max_bytes: Option<u64>,
    /// Absent: made from the port that the server listens on.
    pub(crate) issuer: Option<String>,
    pub(crate) admin: String,
    pub(crate) system_password: Option<Secret<String>>,
    pub(crate) master_key: Option<Secret<[u8; 32]>>,
    pub(crate) master_key_file: Option<PathBuf>,
    pub(crate) master_key_previous: Option<Secret<[u8; 32]>>,
    pub(crate) log: String,
    pub(crate) connections: usize,
    pub(crate) header_timeout: Duration,
    pub(crate) http: HttpConfig,
    /// The engine's own settings, without the issuer.
    pub(crate) engine: Config,
}

/// A setting that is wrong.
#[derive(Debug)]
pub(crate) struct BadSetting {
    name: String,
    problem: String,
}

impl BadSetting {
    pub(crate) fn new(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            problem: problem.into(),
        }
    }

    /// Finds the variable for a complaint of the engine, which begins with its name of the field.
    pub(crate) fn of_engine(complaint: &str) -> Self {
        let named = |field: &&Field| complaint.starts_with(field.key.trim_end_matches("_days"));
        let field = FIELDS
            .iter()
            .filter(named)
            .max_by_key(|field| field.key.len());
        Self::new(field.map_or("settings", |field| field.variable), complaint)
    }
}

impl fmt::Display for BadSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.problem)
    }
}

/// One setting under its two names.
struct Field {
    variable: &'static str,
    key: &'static str,
    default: Fallback,
    help: &'static str,
    set: fn(&mut Settings, &str) -> Result<(), String>,
}

enum Fallback {
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
    Field {
        variable,
        key,
        default,
        help,
        set,
    }
}

/// Every setting there is.
const FIELDS: &[Field] = &[
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

impl Settings {
    /// Reads the settings from a file, if one is named, and the environment.
    ///
    /// # Errors
    ///
    /// [`BadSetting`] for the first one that is unknown, empty or wrong.
    pub(crate) fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<Self, BadSetting> {
        let mut settings = Self::blank();
        settings.take_defaults()?;
        if let Some(path) = file {
            settings.take_file(path)?;
        }
        settings.take_environment(environment)?;
        if settings.master_key.is_some() && settings.master_key_file.is_some() {
            let problem = "USSO_MASTER_KEY_FILE is set too; set only one of them";
            return Err(BadSetting::new("USSO_MASTER_KEY", problem));
        }
        Ok(settings)
    }

    /// What the defaults of the table are put into.
    fn blank() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            database: PathBuf::new(),
            database_max_bytes: None,
            issuer: None,
            admin: String::new(),
            system_password: None,
            master_key: None,
            master_key_file: None,
            master_key_previous: None,
            log: String::new(),
            connections: 1,
            header_timeout: Duration::ZERO,
            http: HttpConfig::default(),
            engine: Config::new(""),
        }
    }

    fn take_defaults(&mut self) -> Result<(), BadSetting> {
        for field in FIELDS {
            if let Value(text) = field.default {
                (field.set)(self, text).map_err(|why| BadSetting::new(field.variable, why))?;
            }
        }
        Ok(())
    }

    fn take_file(&mut self, path: &Path) -> Result<(), BadSetting> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| BadSetting::new("--config", format!("{}: {error}", path.display())))?;
        let table = text.parse::<toml::Table>().map_err(|error| {
            let problem = format!("{}{}", line_of(&error, &text), error.message());
            BadSetting::new(path.display().to_string(), problem)
        })?;
        for (key, value) in flat(table) {
            let bad = |why| BadSetting::new(&key, format!("{why} (in {})", path.display()));
            let field = FIELDS.iter().find(|field| field.key == key);
            let field = field.ok_or_else(|| bad(UNKNOWN.to_owned()))?;
            let text = plain(value).map_err(bad)?;
            take(self, field, &text).map_err(bad)?;
        }
        Ok(())
    }

    fn take_environment(
        &mut self,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
    ) -> Result<(), BadSetting> {
        for (name, value) in environment {
            let name = name.to_string_lossy();
            let bad = |why: String| BadSetting::new(&*name, why);
            match FIELDS.iter().find(|field| field.variable == name) {
                Some(field) => {
                    let text = value
                        .into_string()
                        .map_err(|_| bad("it is not UTF-8".to_owned()))?;
                    take(self, field, &text).map_err(bad)?;
                }
                None if name.starts_with("USSO_") => return Err(bad(UNKNOWN.to_owned())),
                None => {}
            }
        }
        Ok(())
    }
}

const UNKNOWN: &str = "there is no such setting; `usso-server --help` lists all";

fn take(settings: &mut Settings, field: &Field, text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("it is empty; give it a value or leave it out".to_owned());
    }
    (field.set)(settings, text)
}

/// The fields of a file under their dotted names. Only sections of the table have fields inside.
fn flat(table: toml::Table) -> Vec<(String, Toml)> {
    let mut fields = Vec::new();
    for (name, value) in table {
        match value {
            Toml::Table(section) if is_section(&name) => fields.extend(
                section
                    .into_iter()
                    .map(|(key, value)| (format!("{name}.{key}"), value)),
            ),
            value => fields.push((name, value)),
        }
    }
    fields
}

fn is_section(name: &str) -> bool {
    let inside = |field: &Field| field.key.split_once('.').is_some_and(|(of, _)| of == name);
    FIELDS.iter().any(inside)
}

/// A value of the file as it would stand in the environment.
fn plain(value: Toml) -> Result<String, String> {
    match value {
        Toml::String(text) => Ok(text),
        Toml::Integer(number) => Ok(number.to_string()),
        Toml::Array(values) => {
            let texts: Result<Vec<_>, _> = values.into_iter().map(plain).collect();
            Ok(texts?.join(","))
        }
        _ => Err("it is neither a text nor a whole number".to_owned()),
    }
}

fn line_of(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    before.map_or_else(String::new, |before| {
        format!("line {}: ", before.matches('\n').count() + 1)
    })
}

/// The part of `--help` about settings.
pub(crate) fn help() -> String {
    let mut help = String::from("Settings, in the environment or in the file of --config:\n");
    for field in FIELDS {
        let Field { variable, key, .. } = field;
        let (Value(default) | Otherwise(default)) = field.default;
        let lines = format!(
            "\n  {variable} ({key})\n      {}\n      [default: {default}]\n",
            field.help
        );
        help.push_str(&lines);
    }
    help.push_str("\nIn the file, a name with a dot is a field of a section: [hashing], [limits].");
    help
}

#[cfg(test)]
mod tests;

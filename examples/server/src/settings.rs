//! Settings. One table, [`fields`], drives the environment, the file and `--help`, so that they
//! cannot drift apart. The environment wins over the file, the file over the defaults.

mod fields;
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

use fields::{
    FIELDS,
    Fallback::{Otherwise, Value},
    Field,
};

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
    pub(crate) write_timeout: Duration,
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
        Self { name: name.into(), problem: problem.into() }
    }

    /// Finds the variable for a complaint of the engine, which begins with its name of the field.
    pub(crate) fn of_engine(complaint: &str) -> Self {
        let named = |field: &&Field| complaint.starts_with(field.key.trim_end_matches("_days"));
        let field = FIELDS.iter().filter(named).max_by_key(|field| field.key.len());
        Self::new(field.map_or("settings", |field| field.variable), complaint)
    }
}

impl fmt::Display for BadSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.problem)
    }
}

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
            write_timeout: Duration::ZERO,
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
                    let text =
                        value.into_string().map_err(|_| bad("it is not UTF-8".to_owned()))?;
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
            Toml::Table(section) if is_section(&name) => fields
                .extend(section.into_iter().map(|(key, value)| (format!("{name}.{key}"), value))),
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
    before.map_or_else(String::new, |before| format!("line {}: ", before.matches('\n').count() + 1))
}

/// The part of `--help` about settings.
pub(crate) fn help() -> String {
    let mut help = String::from("Settings, in the environment or in the file of --config:\n");
    for field in FIELDS {
        let Field { variable, key, .. } = field;
        let (Value(default) | Otherwise(default)) = field.default;
        let lines =
            format!("\n  {variable} ({key})\n      {}\n      [default: {default}]\n", field.help);
        help.push_str(&lines);
    }
    help.push_str("\nIn the file, a name with a dot is a field of a section: [hashing], [limits].");
    help
}

#[cfg(test)]
mod tests;

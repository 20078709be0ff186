//! The master key: from the settings, from its file, or made together with a new database.
//!
//! # Security
//!
//! A key is only ever made while there is no database. Made beside an existing one it could open
//! nothing in it, and the server would run with new signing keys or not at all.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use usso_core::kernel::{
    custody::MasterKey,
    entropy::{SystemEntropy, bearer_secret},
    secret::Secret,
};

use crate::{
    failure::Failure,
    settings::{BadSetting, Settings, key},
};

/// Finds the master key, and the one that it replaces.
///
/// # Errors
///
/// [`Failure`] if a key file is missing, readable by others or holds no key.
pub(crate) fn load(settings: &Settings) -> Result<MasterKey, Failure> {
    let master = match &settings.master_key {
        Some(key) => MasterKey::new(key),
        None => MasterKey::new(&from_file(settings)?),
    };
    let master = master.map_err(Failure::start)?;
    match &settings.master_key_previous {
        Some(previous) => master.also_opening(previous).map_err(Failure::start),
        None => Ok(master),
    }
}

fn from_file(settings: &Settings) -> Result<Secret<[u8; 32]>, Failure> {
    if let Some(path) = &settings.master_key_file {
        let bad = |why: String| BadSetting::new("USSO_MASTER_KEY_FILE", why);
        return Ok(read(path).map_err(bad)?);
    }
    let path = with_ending(&settings.database, ".key");
    let exists = |path: &Path| {
        path.try_exists().map_err(|error| Failure::start(format!("{}: {error}", path.display())))
    };
    if !exists(&path)? {
        if exists(&settings.database)? {
            return Err(missing(&path, &settings.database));
        }
        create(&path).map_err(|error| {
            Failure::start(format!(
                "the master key file {} cannot be made: {error}",
                path.display()
            ))
        })?;
    }
    read(&path).map_err(Failure::start)
}

fn missing(key: &Path, database: &Path) -> Failure {
    let (key, database) = (key.display(), database.display());
    Failure::start(format!(
        "the master key file {key} is missing, but the database {database} exists and is protected \
         with it; put the file back, name it in USSO_MASTER_KEY_FILE, or give the key in \
         USSO_MASTER_KEY"
    ))
}

fn read(path: &Path) -> Result<Secret<[u8; 32]>, String> {
    let name = path.display();
    let text = fs::read_to_string(path).map(Secret::new);
    let text =
        text.map_err(|error| format!("the master key file {name} cannot be read: {error}"))?;
    if is_open_to_others(path).map_err(|error| format!("{name}: {error}"))? {
        return Err(format!(
            "the master key file {name} can be read by others; run: chmod 600 {name}"
        ));
    }
    key(text.expose()).map_err(|why| format!("the master key file {name}: {why}"))
}

#[cfg(unix)]
fn is_open_to_others(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt as _;
    Ok(fs::metadata(path)?.permissions().mode() & 0o077 != 0)
}

#[cfg(not(unix))]
fn is_open_to_others(_: &Path) -> io::Result<bool> {
    Ok(false)
}

/// Makes a key file that is complete or not there: written under another name, then linked. Where
/// another process links first, its key stays.
fn create(path: &Path) -> io::Result<()> {
    let draft = with_ending(path, &format!(".{}", std::process::id()));
    let key = bearer_secret(&SystemEntropy).map_err(io::Error::other)?;
    let text = Secret::new(
        key.expose()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .chain(std::iter::once("\n".to_owned()))
            .collect::<String>(),
    );
    write_private(&draft, text.expose().as_bytes())?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => sync_folder_of(path),
    }
}

fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the new name itself durable: the database that needs the key comes after it.
#[cfg(unix)]
fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder_of(_: &Path) -> io::Result<()> {
    Ok(())
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

//! usso with its two files: the database, and the master key that protects the signing keys in it.

use std::{error::Error, fs, io::Write as _, path::Path};

use usso_core::{
    Config, Ports, Usso,
    kernel::{
        custody::MasterKey,
        entropy::{SystemEntropy, bearer_secret},
        secret::Secret,
    },
    store::{Sqlite, SqliteOptions, Store},
};

/// Starts usso with its database and master key in `folder`.
pub(crate) async fn start(folder: &Path) -> Result<Usso, Box<dyn Error>> {
    let master = MasterKey::new(&master_key(&folder.join("embed.key"))?)?;
    let store = Sqlite::open(folder.join("embed.db"), &SqliteOptions::default())?;
    let config = Config::new("http://localhost:3000");
    Ok(Usso::start(config, Ports::new(Store::new(store), master)).await?)
}

/// Reads the master key; makes it at the first start.
fn master_key(path: &Path) -> Result<Secret<[u8; 32]>, Box<dyn Error>> {
    if !path.try_exists()? {
        let mut file = fs::OpenOptions::new();
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut file, 0o600);
        let mut file = file.write(true).create_new(true).open(path)?;
        file.write_all(bearer_secret(&SystemEntropy)?.expose())?;
        file.sync_all()?;
    }
    let key = <[u8; 32]>::try_from(fs::read(path)?);
    Ok(Secret::new(key.map_err(|_| "embed.key is not 32 bytes")?))
}

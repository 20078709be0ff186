//! Opens the engine and makes sure of its first administrator.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use usso_core::{
    Deps, Ports, StartError, Usso,
    access::SUPERADMIN,
    flow::password::{self, Ensured, Refused},
    kernel::{
        entropy::{SystemEntropy, bearer_secret},
        event::Origin,
        id::TenantId,
        refusal::{Fault, FaultKind, Refusal as _, Stop},
        secret::Secret,
    },
    store::{Sqlite, SqliteOptions, Store},
};

use crate::{
    failure::Failure,
    master_key,
    settings::{BadSetting, Settings},
};

/// The characters of a random password; each carries six random bits.
const PASSWORD_LENGTH: usize = 24;

/// What is known of the first administrator's password.
pub(crate) enum Password {
    /// It was made just now and is stored nowhere else.
    Random(Secret<String>),
    /// It is the one of `SYSTEM_PASSWORD`.
    Given,
    /// It was set at an earlier start.
    Unknown,
}

/// Opens the database, making it and its master key if there is none, and starts the engine.
///
/// # Errors
///
/// [`Failure`] if a setting is wrong, a file cannot be used or they do not belong together.
pub(crate) async fn engine(settings: &Settings, issuer: String) -> Result<Usso, Failure> {
    let master = master_key::load(settings)?;
    let mut options = SqliteOptions::default();
    options.max_bytes = settings.database_max_bytes;
    let store = Sqlite::open(&settings.database, &options).map_err(Failure::start)?;
    let mut config = settings.engine.clone();
    config.issuer = issuer;
    let ports = Ports::new(Store::new(store), master);
    Usso::start(config, ports).await.map_err(|error| match error {
        StartError::Config(complaint) => BadSetting::of_engine(&complaint).into(),
        StartError::Fault(fault) => explain(&fault, settings),
        other => Failure::start(other),
    })
}

fn explain(fault: &Fault, settings: &Settings) -> Failure {
    let database = settings.database.display();
    Failure::start(match fault.kind() {
        FaultKind::Custody => format!(
            "the master key does not open the keys in {database} ({fault}); start with the key that \
             the database was made with"
        ),
        _ => format!("{database}: {fault}"),
    })
}

/// Makes sure that the first administrator exists and has the password of the settings, if they
/// have one.
///
/// # Errors
///
/// [`Failure`] if the password is refused or the engine failed.
pub(crate) async fn administrator(usso: &Usso, settings: &Settings) -> Result<Password, Failure> {
    let tenant = usso.tenant(TenantId::DEFAULT).await.map_err(Failure::start)?;
    let tenant = tenant.ok_or_else(|| Failure::start("the default tenant is missing"))?;
    let length = tenant.settings.password_min_length.max(PASSWORD_LENGTH);
    let deps = usso.deps(Arc::clone(&tenant), Origin::default());
    let ensure = async |password| ensure(&deps, &settings.admin, password).await;
    if let Some(given) = &settings.system_password {
        if ensure(Some(given.expose())).await?.is_none() {
            ensure(Some(given.expose())).await?;
        }
        return Ok(Password::Given);
    }
    if ensure(None).await? != Some(Ensured::NeedsPassword) {
        return Ok(Password::Unknown);
    }
    let password = random_password(length)?;
    let ensured = ensure(Some(password.expose())).await?;
    Ok(ensured.map_or(Password::Unknown, |_| Password::Random(password)))
}

/// `None` if another process created the account at the same moment.
async fn ensure(
    deps: &Deps,
    admin: &str,
    password: Option<&str>,
) -> Result<Option<Ensured>, Failure> {
    let password = password.map(|text| Secret::new(text.to_owned()));
    let ensured = password::ensure(deps, admin, password, &[SUPERADMIN]).await;
    match ensured {
        Ok(ensured) => Ok(Some(ensured)),
        Err(Stop::Fault(fault)) => Err(Failure::start(fault)),
        Err(Stop::Refused(refused)) => match refused {
            Refused::IdentifierTaken => Ok(None),
            Refused::Identifier(_) => Err(BadSetting::new("USSO_ADMIN", refused.message()).into()),
            Refused::Common
            | Refused::Personal
            | Refused::TooLong
            | Refused::TooShort
            | Refused::Weak => {
                let problem = format!("{} Choose another one.", refused.message());
                Err(BadSetting::new("SYSTEM_PASSWORD", problem).into())
            }
            _ => {
                let problem = format!("the administrator {admin}: {}", refused.message());
                Err(Failure::start(problem))
            }
        },
    }
}

fn random_password(length: usize) -> Result<Secret<String>, Failure> {
    let mut text = String::with_capacity(128);
    while text.len() < length {
        let bytes = bearer_secret(&SystemEntropy).map_err(Failure::start)?;
        URL_SAFE_NO_PAD.encode_string(bytes.expose(), &mut text);
    }
    text.truncate(length);
    Ok(Secret::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_passwords_differ_and_have_the_length_that_was_asked_for() {
        let (one, other) = (random_password(24).unwrap(), random_password(24).unwrap());
        assert_eq!(one.expose().len(), 24);
        assert_ne!(one.expose(), other.expose());
        assert_eq!(random_password(64).unwrap().expose().len(), 64);
    }
}

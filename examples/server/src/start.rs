//! Opens the engine and makes sure of its first administrator.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use usso_core::{
    Deps, Ports, StartError, Usso,
    access::SUPERADMIN,
    flow::password::{self, Ensured, Refused, Wanted},
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
    let usso = Usso::start(config, ports).await.map_err(|error| match error {
        StartError::Config(complaint) => BadSetting::of_engine(&complaint).into(),
        StartError::Fault(fault) => explain(&fault, settings),
        other => Failure::start(other),
    })?;
    if settings.master_key_previous.is_some() {
        let tenants = usso.reseal().await.map_err(|fault| explain(&fault, settings))?;
        tracing::info!(
            tenants,
            "keys sealed anew; USSO_MASTER_KEY_PREVIOUS is not needed any more"
        );
    }
    Ok(usso)
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
    if let Some(given) = &settings.system_password {
        let wanted = || Wanted::Always(Secret::new(given.expose().clone()));
        // Where another process created the account first, it may have another password.
        if ensure(&deps, &settings.admin, wanted()).await?.is_none() {
            ensure(&deps, &settings.admin, wanted()).await?;
        }
        return Ok(Password::Given);
    }
    let password = random_password(length)?;
    let wanted = Wanted::IfNew(Secret::new(password.expose().clone()));
    Ok(match ensure(&deps, &settings.admin, wanted).await? {
        Some(Ensured::Created) => Password::Random(password),
        _ => Password::Unknown,
    })
}

/// `None` if another process created the account at the same moment.
async fn ensure(deps: &Deps, admin: &str, wanted: Wanted) -> Result<Option<Ensured>, Failure> {
    match password::ensure(deps, admin, wanted, &[SUPERADMIN]).await {
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

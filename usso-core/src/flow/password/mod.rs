//! Passwords: register, sign in, change.
//!
//! Signing in:
//! 1. be told when the window ends if the source is known to be over its limit; take a place in the
//!    hashing budget, or be told to come back;
//! 2. count the attempt against its limits, or be told when the window ends;
//! 3. read whom the identifier names, and the stored hash, or nobody's;
//! 4. hash and compare; an unknown account costs the same reads, hash and audit entry;
//! 5. open a session, give the attempt back, remember the source.
//!
//! | file | what |
//! | --- | --- |
//! | `attempts` | limits, and the sources that are familiar |
//! | `operator` | the administrator that the configuration names |
//! | `policy` | which passwords are good enough |
//! | `stored` | the hash of a user, or of nobody |
//!
//! # Security
//!
//! The budget comes before the store, so a storm of sign-ins does not cost memory without bound. Who
//! is over a limit is remembered until the window ends and costs no writes. The attempt is counted before it is made, so parallel requests cannot outrun the limits. Unknown
//! accounts and wrong passwords share one refusal.

mod attempts;
mod operator;
mod policy;
mod stored;

use std::time::Duration;

use crate::{
    deps::Deps,
    directory::{
        identifier,
        tenant::Registration,
        user::{self, NewUser, User},
    },
    kernel::{
        event::{Event, EventType},
        hashing::Busy,
        id::UserId,
        limit,
        proof::{Method, Proof},
        refusal::{Refusal, Stop},
        secret::Secret,
        text::{Identifier, NotAnIdentifier},
    },
    session::{self, Tokens, token::Caller},
    store::{Batch, CommitError, Versioned},
};

pub use attempts::Familiar;
use attempts::{check_source, count, fail, give_back, limits, remember};
pub use operator::{Ensured, Wanted, ensure};
use policy::judge;
use stored::{Candidate, Stored, rehash};

/// Why an operation on passwords was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// All places of the hashing budget are taken.
    Busy,
    /// The password is one of the first that attackers try.
    Common,
    /// The identifier has a wrong form.
    Identifier(NotAnIdentifier),
    /// The identifier belongs to another account.
    IdentifierTaken,
    /// Too many attempts were made.
    Limited(Duration),
    /// The password is right, but the user may not sign in.
    NotActive,
    /// The identifier is unknown or the password is wrong.
    NotValid,
    /// The password is built from the user's own name or identifier.
    Personal,
    /// The tenant does not let people create accounts.
    RegistrationClosed,
    /// The tenant is suspended.
    TenantSuspended,
    /// The password has too many characters.
    TooLong,
    /// The password has too few characters.
    TooShort,
    /// A field of the new user is not valid.
    User(user::Refused),
    /// The password can be guessed too soon.
    Weak,
}

impl Refusal for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Busy => "password.busy",
            Self::Common => "password.common",
            Self::Identifier(_) => "identifier.invalid",
            Self::IdentifierTaken => "user.identifier_taken",
            Self::Limited(_) => "password.limited",
            Self::NotActive => "user.not_active",
            Self::NotValid => "password.not_valid",
            Self::Personal => "password.personal",
            Self::RegistrationClosed => "password.registration_closed",
            Self::TenantSuspended => "tenant.suspended",
            Self::TooLong => "password.too_long",
            Self::TooShort => "password.too_short",
            Self::User(refused) => refused.code(),
            Self::Weak => "password.weak",
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Busy | Self::Limited(_) => 429,
            Self::IdentifierTaken => 409,
            Self::NotActive | Self::RegistrationClosed | Self::TenantSuspended => 403,
            Self::NotValid => 401,
            Self::User(refused) => refused.status(),
            Self::Common
            | Self::Identifier(_)
            | Self::Personal
            | Self::TooLong
            | Self::TooShort
            | Self::Weak => 422,
        }
    }

    fn message(&self) -> &'static str {
        match self {
            Self::Busy => "Too many sign-ins at once. Try again in a moment.",
            Self::Common => "This password is among the first that attackers try.",
            Self::Identifier(NotAnIdentifier::Character) => {
                "The identifier has a character that is not allowed."
            }
            Self::Identifier(NotAnIdentifier::Length) => "The identifier is too short or too long.",
            Self::Identifier(_) => {
                "The identifier is not an e-mail address, a phone number with country code or a user name."
            }
            Self::IdentifierTaken => "An account with this identifier exists.",
            Self::Limited(_) => "Too many attempts. Try again later.",
            Self::NotActive => "The account is not active.",
            Self::NotValid => "The identifier or the password is wrong.",
            Self::Personal => {
                "The password must not be built from the name or identifier of the account."
            }
            Self::RegistrationClosed => "Accounts are created by administrators only.",
            Self::TenantSuspended => "The tenant is suspended.",
            Self::TooLong => "The password is too long.",
            Self::TooShort => "The password is too short.",
            Self::User(refused) => refused.message(),
            Self::Weak => "The password is too easy to guess.",
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy => Some(Busy::RETRY_AFTER),
            Self::Limited(retry_after) => Some(*retry_after),
            _ => None,
        }
    }
}

impl From<Busy> for Refused {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

/// Creates an account with a password and signs it in. Two registrations of one identifier at once
/// make one account.
///
/// # Errors
///
/// [`Refused::RegistrationClosed`], [`Refused::TenantSuspended`], [`Refused::Identifier`],
/// [`Refused::IdentifierTaken`], one of the
/// password policy's ([`Refused::TooShort`], [`Refused::TooLong`], [`Refused::Common`],
/// [`Refused::Personal`], [`Refused::Weak`]), [`Refused::User`], [`Refused::Busy`],
/// [`Refused::Limited`], [`Stop::Fault`] if a port failed.
///
/// # Security
///
/// While a tenant's registration is open, whether an identifier is taken can be found out here, as
/// with every form that opens an account at once. Limits per source slow it down; a tenant for
/// which that is too much closes registration.
pub async fn register(
    deps: &Deps,
    identifier: &str,
    password: Secret<String>,
    name: String,
) -> Result<(User, Tokens), Stop<Refused>> {
    if !deps.tenant.is_active() {
        return Err(Stop::Refused(Refused::TenantSuspended));
    }
    if deps.tenant.settings.registration == Registration::Closed {
        return Err(Stop::Refused(Refused::RegistrationClosed));
    }
    let identifier = parse(identifier)?;
    let familiar = Familiar::key_of(&identifier.key(), deps);
    let limits = vec![(
        limit::key("register", &[&deps.source().to_string()]),
        deps.config.limits.registration,
    )];
    // A registration is not given back: what it makes stays.
    drop(count(deps, &limits, None).await?);
    let new = NewUser { identifiers: vec![identifier], name, ..NewUser::default() };
    let (user, batch) = prepare(deps, new, password, None).await?;
    let proof = prove(deps, &user);
    let tokens = match session::open(deps, &user, &proof, batch).await {
        Ok(tokens) => tokens,
        Err(CommitError::Conflict(_)) => return Err(Stop::Refused(Refused::IdentifierTaken)),
        Err(CommitError::Fault(fault)) => return Err(Stop::Fault(fault)),
    };
    remember(deps, familiar, Duration::ZERO).await;
    Ok((user, tokens))
}

/// Creates an account on behalf of an administrator, with or without a password.
///
/// # Errors
///
/// As [`register`], without its limits.
pub async fn create(
    deps: &Deps,
    new: NewUser,
    password: Option<Secret<String>>,
    actor: UserId,
) -> Result<User, Stop<Refused>> {
    let (user, batch) = match password {
        Some(password) => prepare(deps, new, password, Some(actor)).await?,
        None => user::prepare(deps, new, Some(actor)).map_err(|stop| stop.map(Refused::User))?,
    };
    user::commit_new(deps, batch).await.map_err(|stop| stop.map(taken))?;
    Ok(user)
}

/// Signs a user in.
///
/// # Errors
///
/// [`Refused::NotValid`] for an unknown identifier as for a wrong password, [`Refused::NotActive`]
/// to one who knows the password of a suspended account, [`Refused::TenantSuspended`],
/// [`Refused::Limited`], [`Refused::Busy`], [`Stop::Fault`] if a port failed.
pub async fn sign_in(
    deps: &Deps,
    identifier: &str,
    password: Secret<String>,
) -> Result<(User, Tokens), Stop<Refused>> {
    if !deps.tenant.is_active() {
        return Err(Stop::Refused(Refused::TenantSuspended));
    }
    check_source(deps)?;
    let place = deps.hasher.place().map_err(refused)?;
    let identifier = Identifier::parse(identifier);
    // What is no identifier names nobody; it takes the same way to the same refusal.
    let account = identifier.as_ref().map_or_else(|_| "-".to_owned(), Identifier::key);
    let familiar = Familiar::key_of(&account, deps);
    let left = Familiar::left(deps, &familiar).await?;
    let owner = match &identifier {
        Ok(identifier) => identifier::owner(deps, identifier).await?,
        Err(_) => identifier::owner_of_nothing(deps).await?,
    };
    let attempt = count(deps, &limits(deps, &account, owner, !left.is_zero()), owner).await?;
    let candidate = Candidate::read(deps, owner).await?;
    let verdict = candidate.verify(deps, place, password.expose().clone()).await?;
    let Some((user, stored)) = candidate.known.filter(|_| verdict.matches) else {
        return Err(fail(deps, owner).await?);
    };
    if !user.record.is_active() {
        give_back(deps, attempt).await;
        return Err(Stop::Refused(Refused::NotActive));
    }
    let proof = prove(deps, &user.record);
    // Both at once: they share a disk sync.
    let opening = session::open(deps, &user.record, &proof, Batch::new());
    let (tokens, ()) = tokio::join!(opening, give_back(deps, attempt));
    let tokens = tokens.map_err(CommitError::into_fault)?;
    remember(deps, familiar, left).await;
    if verdict.outdated {
        rehash(deps, stored, password).await;
    }
    Ok((user.record, tokens))
}

/// Sets a new password. All sessions of the user end, the caller's too; it gets a new one.
///
/// # Errors
///
/// [`Refused::NotValid`] if the current password is wrong, [`Refused::NotActive`] if the user was
/// suspended a moment ago, one of the password policy's, [`Refused::Limited`], [`Refused::Busy`],
/// [`Refused::User`] if the user was changed at the same moment, [`Stop::Fault`] if a port failed.
pub async fn change(
    deps: &Deps,
    caller: &Caller,
    current: Secret<String>,
    new: Secret<String>,
) -> Result<Tokens, Stop<Refused>> {
    let id = caller.user.id;
    let place = deps.hasher.place().map_err(refused)?;
    let limits =
        vec![(limit::key("change", &[&id.to_string()]), deps.config.limits.account_and_source)];
    let attempt = count(deps, &limits, Some(id)).await?;
    let candidate = Candidate::read(deps, Some(id)).await?;
    let verdict = candidate.verify(deps, place, current.expose().clone()).await?;
    let Some((mut user, mut stored)) = candidate.known.filter(|_| verdict.matches) else {
        return Err(fail(deps, Some(id)).await?);
    };
    give_back(deps, attempt).await;
    if !user.record.is_active() {
        return Err(Stop::Refused(Refused::NotActive));
    }
    let identifiers = identifier::of_user(deps, id).await?;
    let identifiers: Vec<Identifier> =
        identifiers.into_iter().map(|found| found.record.identifier).collect();
    let new = judge(deps, new, &user.record.name, &identifiers).await?;
    stored.record.data =
        deps.hasher.hash(new, &*deps.entropy).await.map_err(|stop| stop.map(Refused::from))?;
    stored.record.changed_at = deps.clock.now();
    user.record.epoch += 1;
    user.record.updated_at = deps.clock.now();
    let event = deps.event(EventType::PasswordChanged)?.by(id).on(id);
    let batch = replace_all(deps, &user, &stored, &event);
    let proof = prove(deps, &user.record);
    match session::open(deps, &user.record, &proof, batch).await {
        Ok(tokens) => Ok(tokens),
        Err(CommitError::Conflict(_)) => Err(Stop::Refused(Refused::User(user::Refused::Changed))),
        Err(CommitError::Fault(fault)) => Err(Stop::Fault(fault)),
    }
}

fn parse(identifier: &str) -> Result<Identifier, Stop<Refused>> {
    Identifier::parse(identifier).map_err(|reason| Stop::Refused(Refused::Identifier(reason)))
}

fn taken(refused: user::Refused) -> Refused {
    match refused {
        user::Refused::IdentifierTaken => Refused::IdentifierTaken,
        other => Refused::User(other),
    }
}

fn refused(busy: Busy) -> Stop<Refused> {
    Stop::Refused(busy.into())
}

fn prove(deps: &Deps, user: &User) -> Proof {
    Proof { user: user.id, method: Method::Password, at: deps.clock.now(), epoch: user.epoch }
}

/// Judges and hashes the password of a new user; the batch creates both together.
async fn prepare(
    deps: &Deps,
    new: NewUser,
    password: Secret<String>,
    actor: Option<UserId>,
) -> Result<(User, Batch), Stop<Refused>> {
    let (name, identifiers) = (new.name.clone(), new.identifiers.clone());
    // The cheapest checks come first, the hash last.
    let (user, batch) = user::prepare(deps, new, actor).map_err(|stop| stop.map(Refused::User))?;
    let password = judge(deps, password, &name, &identifiers).await?;
    let data = deps.hasher.hash(password, &*deps.entropy).await;
    let data = data.map_err(|stop| stop.map(Refused::from))?;
    let stored =
        Stored { user: user.id, method: Method::Password, data, changed_at: user.created_at };
    let batch = batch.insert(&deps.scope(), &stored);
    Ok((user, batch))
}

fn replace_all(
    deps: &Deps,
    user: &Versioned<User>,
    stored: &Versioned<Stored>,
    event: &Event,
) -> Batch {
    Batch::new()
        .replace(&deps.scope(), &stored.record, stored.version)
        .replace(&deps.scope(), &user.record, user.version)
        .insert(&deps.scope(), event)
}

//! Passwords: register, sign in, change.
//!
//! Signing in:
//! 1. take a place in the hashing budget, or be told to come back;
//! 2. count the attempt against its limits, or be told when the window ends;
//! 3. read whom the identifier names, and the stored hash, or nobody's;
//! 4. hash and compare; an unknown account costs the same reads, hash and audit entry;
//! 5. open a session, give the attempt back, remember the source.
//!
//! # Security
//!
//! The budget comes before the store, so a storm of sign-ins costs neither memory nor writes. The
//! attempt is counted before it is made, so parallel requests cannot outrun the limits. Unknown
//! accounts and wrong passwords share one refusal.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use zxcvbn::feedback::{Feedback, Warning};

use crate::{
    deps::Deps,
    directory::{
        credential::Credential,
        identifier,
        tenant::{Registration, Settings},
        user::{self, NewUser, User},
    },
    kernel::{
        event::{Event, EventType},
        hashing::{Busy, PasswordHash, Place, Verdict},
        id::UserId,
        limit::{self, Attempt, Exceeded, Limit},
        proof::{Method, Proof},
        refusal::{Fault, FaultKind, Refusal, Stop},
        secret::{Digest, Secret},
        text::{Identifier, NotAnIdentifier},
        time::UnixTime,
    },
    session::{self, Tokens, token::Caller},
    store::{Batch, CommitError, Record, Table, Versioned},
};

/// The longest password in characters; longer ones gain nothing and cost time.
const LENGTH_MAX: usize = 256;
/// What is longer in bytes is too long in characters; checked before any work is done on it.
const BYTES_MAX: usize = LENGTH_MAX * 4;
/// What `zxcvbn` looks at; its time grows with the square of it.
const ESTIMATED_CHARS: usize = 72;

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
            Self::NotActive | Self::RegistrationClosed => 403,
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
/// [`Refused::RegistrationClosed`], [`Refused::Identifier`], [`Refused::IdentifierTaken`], one of the
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
    if deps.tenant.settings.registration == Registration::Closed {
        return Err(Stop::Refused(Refused::RegistrationClosed));
    }
    let identifier = parse(identifier)?;
    let place = deps.hasher.place().map_err(refused)?;
    let limits = vec![(
        limit::key("register", &[&deps.source().to_string()]),
        deps.config.limits.registration,
    )];
    // A registration is not given back: what it makes stays.
    drop(count(deps, &limits, None).await?);
    let new = NewUser { identifiers: vec![identifier], name, ..NewUser::default() };
    let (user, batch) = prepare(deps, new, password, place, None).await?;
    let proof = prove(deps, &user);
    match session::open(deps, &user, &proof, batch).await {
        Ok(tokens) => Ok((user, tokens)),
        Err(CommitError::Conflict(_)) => Err(Stop::Refused(Refused::IdentifierTaken)),
        Err(CommitError::Fault(fault)) => Err(Stop::Fault(fault)),
    }
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
        Some(password) => {
            let place = deps.hasher.place().map_err(refused)?;
            prepare(deps, new, password, place, Some(actor)).await?
        }
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
/// to one who knows the password of a suspended account, [`Refused::Limited`], [`Refused::Busy`],
/// [`Stop::Fault`] if a port failed.
pub async fn sign_in(
    deps: &Deps,
    identifier: &str,
    password: Secret<String>,
) -> Result<(User, Tokens), Stop<Refused>> {
    let place = deps.hasher.place().map_err(refused)?;
    let identifier = Identifier::parse(identifier);
    // What is no identifier names nobody; it takes the same way to the same refusal.
    let account = identifier.as_ref().map_or_else(|_| "-".to_owned(), Identifier::key);
    let familiar = Familiar::key_of(&account, deps);
    let is_familiar = Familiar::holds(deps, &familiar).await?;
    let owner = match &identifier {
        Ok(identifier) => identifier::owner(deps, identifier).await?,
        Err(_) => identifier::owner_of_nothing(deps).await?,
    };
    let attempt = count(deps, &limits(deps, &account, owner, is_familiar), owner).await?;
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
    remember(deps, familiar, is_familiar).await;
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

/// Makes sure that an account exists, has these roles and this password, on behalf of the operator.
/// Returns whether it was created. Where nothing differs, nothing is written.
///
/// A password that differs is replaced and all sessions of the account end.
///
/// # Errors
///
/// [`Refused::Identifier`], one of the password policy's for a new account or password,
/// [`Refused::User`], [`Stop::Fault`] if a port failed.
pub async fn ensure(
    deps: &Deps,
    identifier: &str,
    password: Option<Secret<String>>,
    roles: &[&str],
) -> Result<Ensured, Stop<Refused>> {
    let identifier = parse(identifier)?;
    let Some(id) = identifier::owner(deps, &identifier).await? else {
        let Some(password) = password else {
            return Ok(Ensured::NeedsPassword);
        };
        let roles = roles.iter().map(|role| (*role).to_owned()).collect();
        let new = NewUser { identifiers: vec![identifier], roles, ..NewUser::default() };
        let place = deps.hasher.place().map_err(refused)?;
        let (_, batch) = prepare(deps, new, password, place, None).await?;
        user::commit_new(deps, batch).await.map_err(|stop| stop.map(taken))?;
        return Ok(Ensured::Created);
    };
    let Some(password) = password else {
        return Ok(Ensured::Unchanged);
    };
    let candidate = Candidate::read(deps, Some(id)).await?;
    let place = deps.hasher.place().map_err(refused)?;
    let verdict = candidate.verify(deps, place, password.expose().clone()).await?;
    let Some((mut user, mut stored)) = candidate.known.filter(|_| !verdict.matches) else {
        return Ok(Ensured::Unchanged);
    };
    let password = judge(deps, password, &user.record.name, &[identifier]).await?;
    stored.record.data =
        deps.hasher.hash(password, &*deps.entropy).await.map_err(|stop| stop.map(Refused::from))?;
    stored.record.changed_at = deps.clock.now();
    user.record.epoch += 1;
    let event = deps.event(EventType::PasswordReset)?.by("operator").on(id);
    let batch = replace_all(deps, &user, &stored, &event);
    deps.store.commit(batch).await.map_err(CommitError::into_fault)?;
    Ok(Ensured::PasswordReset)
}

/// What [`ensure`] did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ensured {
    /// Created the account.
    Created,
    /// Nothing: there is no account, and no password to create one with.
    NeedsPassword,
    /// Replaced the password.
    PasswordReset,
    /// Nothing: all is as wanted.
    Unchanged,
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

/// A user and the credential that [`Candidate::verify`] compares with.
struct Candidate {
    known: Option<(Versioned<User>, Versioned<Stored>)>,
}

impl Candidate {
    /// Reads the same two records for nobody as for somebody.
    async fn read(deps: &Deps, owner: Option<UserId>) -> Result<Self, Fault> {
        let id = owner.unwrap_or(UserId::from_bytes([0; 16]));
        let key = Stored::key_of(Method::Password, id);
        let (user, stored) = deps.store.get_both::<User, Stored>(&deps.scope(), id, key).await?;
        Ok(Self { known: user.zip(stored) })
    }

    async fn verify(
        &self,
        deps: &Deps,
        place: Place,
        password: String,
    ) -> Result<Verdict, Stop<Refused>> {
        let password = Secret::new(password);
        let fits = password.expose().len() <= BYTES_MAX;
        let stored = self.known.as_ref().map(|(_, stored)| &stored.record.data);
        // What is too long was never set; it is compared with nobody's hash, at nobody's cost.
        let (stored, password) =
            if fits { (stored, normalise(&password)) } else { (None, Secret::new(String::new())) };
        deps.hasher.verify_in(place, password, stored).await.map_err(Stop::from)
    }
}

type Stored = Credential<PasswordHash>;

/// Judges and hashes the password of a new user; the batch creates both together.
async fn prepare(
    deps: &Deps,
    new: NewUser,
    password: Secret<String>,
    place: Place,
    actor: Option<UserId>,
) -> Result<(User, Batch), Stop<Refused>> {
    let password = judge(deps, password, &new.name, &new.identifiers).await?;
    let (user, batch) = user::prepare(deps, new, actor).map_err(|stop| stop.map(Refused::User))?;
    let data = deps.hasher.hash_in(place, password, &*deps.entropy).await?;
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

/// The limits of a sign-in. A familiar source is not held to the account's own limit, which others
/// may have used up. That limit counts for all identifiers of an account together.
fn limits(
    deps: &Deps,
    account: &str,
    owner: Option<UserId>,
    is_familiar: bool,
) -> Vec<(String, Limit)> {
    let configured = &deps.config.limits;
    let source = deps.source().to_string();
    let mut limits = vec![
        (limit::key("account+source", &[account, &source]), configured.account_and_source),
        (limit::key("source", &[&source]), configured.source),
    ];
    if !is_familiar {
        let whole = owner.map_or_else(|| account.to_owned(), |owner| owner.to_string());
        limits.push((limit::key("account", &[&whole]), configured.account));
    }
    limits
}

/// Counts an attempt; the first one over a limit is written to the audit log.
async fn count(
    deps: &Deps,
    limits: &[(String, Limit)],
    subject: Option<UserId>,
) -> Result<Attempt, Stop<Refused>> {
    match Attempt::count(&deps.store, &deps.scope(), limits, deps.clock.now()).await? {
        Ok(attempt) => Ok(attempt),
        Err(Exceeded { retry_after, first }) => {
            if first {
                let event = about(deps.event(EventType::PasswordLimited)?, subject);
                let batch = Batch::new().insert(&deps.scope(), &event);
                deps.store.commit(batch).await.map_err(CommitError::into_fault)?;
            }
            Err(Stop::Refused(Refused::Limited(retry_after)))
        }
    }
}

/// Writes the failed attempt down, for known and unknown accounts alike.
async fn fail(deps: &Deps, subject: Option<UserId>) -> Result<Stop<Refused>, Fault> {
    let event = about(deps.event(EventType::PasswordFailed)?, subject);
    let batch = Batch::new().insert(&deps.scope(), &event);
    deps.store.commit(batch).await.map_err(CommitError::into_fault)?;
    Ok(Stop::Refused(Refused::NotValid))
}

fn about(event: Event, subject: Option<UserId>) -> Event {
    match subject {
        Some(user) => event.on(user),
        None => event,
    }
}

/// Gives a successful attempt back. If that fails it stays counted, which only costs attempts.
async fn give_back(deps: &Deps, attempt: Attempt) {
    if let Err(fault) = attempt.give_back(&deps.store, &deps.scope(), deps.clock.now()).await {
        tracing::warn!(%fault, "a successful attempt stays counted");
    }
}

/// Hashes the password of a successful sign-in with today's parameters. If that does not work out
/// now, the next sign-in tries again.
async fn rehash(deps: &Deps, mut stored: Versioned<Stored>, password: Secret<String>) {
    let password = normalise(&password);
    let Ok(data) = deps.hasher.hash(password, &*deps.entropy).await else {
        return;
    };
    stored.record.data = data;
    let batch = Batch::new().replace(&deps.scope(), &stored.record, stored.version);
    if let Err(CommitError::Fault(fault)) = deps.store.commit(batch).await {
        tracing::warn!(%fault, "a password hash keeps its old parameters");
    }
}

/// That the owner of an account signed in from a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Familiar {
    key: String,
    until: UnixTime,
}

impl Record for Familiar {
    const TABLE: &'static Table = &Table { name: "familiar_source", indexes: &[] };

    fn key(&self) -> String {
        self.key.clone()
    }

    fn expires_at(&self) -> Option<UnixTime> {
        Some(self.until)
    }
}

impl Familiar {
    fn key_of(account: &str, deps: &Deps) -> String {
        Digest::of(format!("{account}\0{}", deps.source()).as_bytes()).to_string()
    }

    async fn holds(deps: &Deps, key: &str) -> Result<bool, Fault> {
        let found = deps.store.get::<Self>(&deps.scope(), key).await?;
        Ok(found.is_some_and(|found| deps.clock.now() < found.record.until))
    }
}

/// Remembers the source of a successful sign-in. A failure costs only the familiarity.
async fn remember(deps: &Deps, key: String, known: bool) {
    if known {
        return;
    }
    // What is there has expired: it may go, and if another request was first that is as well.
    let result = async {
        deps.store.take::<Familiar>(&deps.scope(), &key).await?;
        let until = deps.clock.now().plus(deps.config.limits.familiar_for);
        let batch = Batch::new().insert(&deps.scope(), &Familiar { key, until });
        match deps.store.commit(batch).await {
            Err(CommitError::Fault(fault)) => Err(fault),
            Ok(()) | Err(CommitError::Conflict(_)) => Ok(()),
        }
    };
    if let Err(fault) = result.await {
        tracing::warn!(%fault, "a source does not become familiar");
    }
}

/// NFKC, so that one password typed on two keyboards is one password (NIST SP 800-63B section
/// 3.1.1.2).
fn normalise(password: &Secret<String>) -> Secret<String> {
    Secret::new(password.expose().nfkc().collect())
}

/// Judges a new password, beside the async threads since estimating takes milliseconds.
async fn judge(
    deps: &Deps,
    password: Secret<String>,
    name: &str,
    identifiers: &[Identifier],
) -> Result<Secret<String>, Stop<Refused>> {
    if password.expose().len() > BYTES_MAX {
        return Err(Stop::Refused(Refused::TooLong));
    }
    let settings = deps.tenant.settings.clone();
    let mut words: Vec<String> =
        identifiers.iter().flat_map(Identifier::words).map(str::to_owned).collect();
    words.extend(
        name.split_whitespace().filter(|word| word.chars().count() >= 4).map(str::to_owned),
    );
    let judged = tokio::task::spawn_blocking(move || {
        let password = normalise(&password);
        policy(&settings, &password, &words).map(|()| password)
    });
    let judged = judged.await.map_err(|error| Fault::new(FaultKind::Hashing, error.to_string()))?;
    judged.map_err(Stop::Refused)
}

/// The password policy (NIST SP 800-63B section 3.1.1.2): length and guessability, no rules of
/// composition.
fn policy(settings: &Settings, password: &Secret<String>, words: &[String]) -> Result<(), Refused> {
    let password = password.expose();
    let length = password.chars().count();
    if length < settings.password_min_length {
        return Err(Refused::TooShort);
    }
    if length > LENGTH_MAX {
        return Err(Refused::TooLong);
    }
    let estimated: String = password.chars().take(ESTIMATED_CHARS).collect();
    let general = zxcvbn::zxcvbn(&estimated, &[]);
    let warning = general.feedback().and_then(Feedback::warning);
    if matches!(
        warning,
        Some(
            Warning::ThisIsATop10Password
                | Warning::ThisIsATop100Password
                | Warning::ThisIsACommonPassword
        )
    ) {
        return Err(Refused::Common);
    }
    let lower = password.to_lowercase();
    if words.iter().any(|word| is_mostly(&lower, &word.to_lowercase())) {
        return Err(Refused::Personal);
    }
    if u8::from(general.score()) < settings.password_min_strength {
        return Err(Refused::Weak);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let personal = zxcvbn::zxcvbn(&estimated, &words);
    if u8::from(personal.score()) < settings.password_min_strength {
        Err(Refused::Personal)
    } else {
        Ok(())
    }
}

/// Whether `word` makes up at least half of the password.
fn is_mostly(password: &str, word: &str) -> bool {
    password.contains(word) && word.chars().count() * 2 >= password.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str, words: &[&str]) -> Result<(), Refused> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        policy(&Settings::default(), &Secret::new(password.to_owned()), &words)
    }

    #[test]
    fn the_policy_names_what_is_wrong() {
        assert_eq!(check("7 chars", &[]), Err(Refused::TooShort));
        assert_eq!(check(&"x y ".repeat(65), &[]), Err(Refused::TooLong));
        for common in ["password", "12345678", "iloveyou", "qwertyuiop"] {
            assert_eq!(check(common, &[]), Err(Refused::Common), "{common}");
        }
        assert_eq!(check("aaaaaaaaaa", &[]), Err(Refused::Weak));
        assert_eq!(check("wonderland-alice1", &["wonderland"]), Err(Refused::Personal));
        assert_eq!(check("ALICE.LIDDELL", &["alice.liddell"]), Err(Refused::Personal));
        assert_eq!(check("correct horse battery staple", &["alice"]), Ok(()));
        assert_eq!(check("日本語のとても長いパスワード", &[]), Ok(()));
    }

    #[test]
    fn two_spellings_of_one_password_are_one() {
        let of = |text: &str| normalise(&Secret::new(text.to_owned())).expose().clone();
        assert_eq!(of("caf\u{e9} \u{2163}"), of("cafe\u{301} IV"));
    }
}

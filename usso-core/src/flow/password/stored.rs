//! The stored hash of a user's password.

use super::{
    Refused,
    policy::{BYTES_MAX, normalise},
};
use crate::{
    deps::Deps,
    directory::{credential::Credential, user::User},
    kernel::{
        hashing::{PasswordHash, Place, Verdict},
        id::UserId,
        proof::Method,
        refusal::{Fault, Stop},
        secret::Secret,
    },
    store::{Batch, CommitError, Versioned},
};

/// A user and the credential that [`Candidate::verify`] compares with.
pub(super) struct Candidate {
    pub(super) known: Option<(Versioned<User>, Versioned<Stored>)>,
}

impl Candidate {
    /// Reads the same two records for nobody as for somebody.
    pub(super) async fn read(deps: &Deps, owner: Option<UserId>) -> Result<Self, Fault> {
        let id = owner.unwrap_or(UserId::from_bytes([0; 16]));
        let key = Stored::key_of(Method::Password, id);
        let (user, stored) = deps.store.get_both::<User, Stored>(&deps.scope(), id, key).await?;
        Ok(Self { known: user.zip(stored) })
    }

    pub(super) async fn verify(
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

pub(super) type Stored = Credential<PasswordHash>;

/// Hashes the password of a successful sign-in with today's parameters. If that does not work out
/// now, the next sign-in tries again.
pub(super) async fn rehash(deps: &Deps, mut stored: Versioned<Stored>, password: Secret<String>) {
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

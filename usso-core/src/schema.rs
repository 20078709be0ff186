//! The migrations: which tables a database must have, step by step.
//!
//! A migration that was released is never edited: its checksum is stored in every database. A change
//! of the schema is a new migration at the end of the list.

use crate::{
    directory::{
        credential::Credential,
        identifier::IdentifierRecord,
        tenant::{Domain, Tenant},
        user::User,
    },
    flow::password::Familiar,
    kernel::event::Event,
    session::{Session, keys::KeyRing},
    store::{Migration, Record as _},
};

/// Every migration, oldest first.
pub const MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "tenants, users, credentials, sessions, keys, audit",
    tables: &[
        Tenant::TABLE,
        Domain::TABLE,
        User::TABLE,
        IdentifierRecord::TABLE,
        <Credential>::TABLE,
        Familiar::TABLE,
        Session::TABLE,
        KeyRing::TABLE,
        Event::TABLE,
    ],
}];

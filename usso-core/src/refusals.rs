//! Every public code with its status, as one table. A refusal that is not in it does not compile
//! here; one that changes fails the test: clients depend on both.

use std::{collections::BTreeSet, time::Duration};

use usso_verify::VerifyError;

use crate::{
    directory::{tenant, user},
    flow::{password, user_admin},
    kernel::{
        refusal::{Fault, FaultKind, Refusal},
        text::NotAnIdentifier,
    },
    session,
};

/// The values of an enum, of which none can be forgotten.
macro_rules! every {
    ($enum:ident: $($variant:ident $(($value:expr))?),+ $(,)?) => {{
        let known = |value: &$enum| match value {
            $($enum::$variant { .. } => (),)+
        };
        let values = [$($enum::$variant $(($value))?),+];
        values.iter().for_each(known);
        values
    }};
}

fn rows(refusals: impl IntoIterator<Item = impl Refusal>) -> Vec<(&'static str, u16)> {
    let row = |refusal: &dyn Refusal| (refusal.code(), refusal.status());
    refusals.into_iter().map(|refusal| row(&refusal)).collect()
}

fn of_sessions() -> Vec<(&'static str, u16)> {
    use session::Refused as Session;
    // The verifier pins its own codes.
    let token = VerifyError::Expired;
    rows(
        every!(Session: Ended, Forbidden, NotValid, Raced, Reused, TenantSuspended, Token(token), Unknown),
    )
}

fn of_keys() -> Vec<(&'static str, u16)> {
    use session::keys::Refused as Keys;
    rows(every!(Keys: Changed, TooMany))
}

fn of_passwords() -> Vec<(&'static str, u16)> {
    use password::Refused as Password;
    rows(every!(
        Password: Busy,
        Common,
        Identifier(NotAnIdentifier::Shape),
        IdentifierTaken,
        Limited(Duration::ZERO),
        NotActive,
        NotValid,
        Personal,
        RegistrationClosed,
        TenantSuspended,
        TooLong,
        TooShort,
        User(user::Refused::Invalid),
        Weak,
    ))
}

fn of_users() -> Vec<(&'static str, u16)> {
    use user::Refused as User;
    rows(every!(User: Changed, IdentifierTaken, Invalid, OwnAccount, Unknown))
}

fn of_user_admin() -> Vec<(&'static str, u16)> {
    use user_admin::Refused as Admin;
    rows(every!(Admin: Mightier, User(user::Refused::Unknown)))
}

fn of_tenants() -> Vec<(&'static str, u16)> {
    use tenant::Refused as Tenant;
    rows(every!(
        Tenant: Changed,
        Default,
        DomainTaken,
        Invalid,
        InvalidSetting(""),
        InvalidSettings,
        SlugTaken,
        Unknown,
    ))
}

fn of_faults() -> Vec<(&'static str, u16)> {
    let kinds = every!(
        FaultKind: Corrupt,
        Custody,
        Entropy,
        Hashing,
        Schema,
        StoreFull,
        StoreReadOnly,
        StoreUnavailable,
    );
    let faults = kinds.into_iter().map(|kind| Fault::new(kind, ""));
    faults.map(|fault| (fault.code(), fault.status())).collect()
}

#[test]
fn every_public_code_keeps_its_status() {
    let all = [
        of_faults(),
        of_keys(),
        of_passwords(),
        of_sessions(),
        of_tenants(),
        of_user_admin(),
        of_users(),
    ];
    let all: BTreeSet<_> = all.concat().into_iter().collect();
    assert_eq!(all.into_iter().collect::<Vec<_>>(), CODES);
}

const CODES: &[(&str, u16)] = &[
    ("access.forbidden", 403),
    ("custody.unavailable", 503),
    ("entropy.unavailable", 503),
    ("hashing.unavailable", 503),
    ("identifier.invalid", 422),
    ("keys.changed", 409),
    ("keys.too_many", 409),
    ("password.busy", 429),
    ("password.common", 422),
    ("password.limited", 429),
    ("password.not_valid", 401),
    ("password.personal", 422),
    ("password.registration_closed", 403),
    ("password.too_long", 422),
    ("password.too_short", 422),
    ("password.weak", 422),
    ("session.ended", 401),
    ("session.refresh_not_valid", 401),
    ("session.refresh_raced", 409),
    ("session.refresh_reused", 401),
    ("session.unknown", 404),
    ("store.corrupt", 500),
    ("store.full", 503),
    ("store.read_only", 503),
    ("store.schema", 503),
    ("store.unavailable", 503),
    ("tenant.changed", 409),
    ("tenant.default", 409),
    ("tenant.domain_taken", 409),
    ("tenant.invalid", 422),
    ("tenant.invalid_setting", 422),
    ("tenant.slug_taken", 409),
    ("tenant.suspended", 403),
    ("tenant.unknown", 404),
    ("token.expired", 401),
    ("user.changed", 409),
    ("user.identifier_taken", 409),
    ("user.invalid", 422),
    ("user.not_active", 403),
    ("user.own_account", 409),
    ("user.unknown", 404),
];

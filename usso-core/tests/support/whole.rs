//! What must be true of stored records at any moment.

use std::collections::{BTreeMap, BTreeSet};

use usso_core::{
    directory::{
        credential::Credential,
        identifier::IdentifierRecord,
        tenant::{Domain, Tenant},
        user::{User, UserStatus},
    },
    kernel::event::{Event, EventType},
    session::{Session, keys::KeyRing},
    store::{Find, Record, Scope, Store},
};

async fn rows<T: Record>(store: &Store, scope: &Scope) -> Vec<T> {
    let found = store.find::<T>(scope, Find::all()).await.unwrap();
    assert_eq!(found.next, None, "small enough to look at whole");
    found.items.into_iter().map(|found| found.record).collect()
}

pub(crate) fn count_of(events: &[Event], kind: EventType) -> usize {
    events.iter().filter(|event| event.kind == kind).count()
}

/// Checks what must be true of the records of a tenant at any moment.
pub(crate) async fn assert_whole(store: &Store, scope: &Scope) {
    let events = rows::<Event>(store, scope).await;
    assert_users_whole(store, scope, &events).await;
    assert_sessions_have_events(&rows(store, scope).await, &events);
    for ring in rows::<KeyRing>(store, scope).await {
        assert_eq!(ring.retired.len(), count_of(&events, EventType::KeysRotated));
    }
    assert_domains_whole(store).await;
}

async fn assert_users_whole(store: &Store, scope: &Scope, events: &[Event]) {
    let users = rows::<User>(store, scope).await;
    let (gone, kept): (Vec<&User>, Vec<_>) =
        users.iter().partition(|user| user.status == UserStatus::Deleted);
    assert_eq!(users.len(), count_of(events, EventType::UserCreated));
    assert_eq!(gone.len(), count_of(events, EventType::UserDeleted));
    let kept: BTreeSet<_> = kept.iter().map(|user| user.id).collect();
    let names = rows::<IdentifierRecord>(store, scope).await;
    let found: BTreeSet<_> = names.iter().map(|name| name.user).collect();
    let credentials = rows::<Credential>(store, scope).await;
    let able: BTreeSet<_> = credentials.iter().map(|one| one.user).collect();
    assert_eq!((&found, &able), (&kept, &kept), "name and password each");
}

fn assert_sessions_have_events(sessions: &[Session], events: &[Event]) {
    let of = |wanted: &[EventType]| -> BTreeSet<_> {
        let found = events.iter().filter(|event| wanted.contains(&event.kind));
        found.filter_map(|event| event.session).collect()
    };
    let ended = of(&[EventType::SessionEnded, EventType::SessionReuseDetected]);
    let opened = of(&[EventType::SessionOpened]);
    let expected: BTreeSet<_> = opened.difference(&ended).copied().collect();
    let there: BTreeSet<_> = sessions.iter().map(|session| session.id).collect();
    assert_eq!(there, expected);
}

async fn assert_domains_whole(store: &Store) {
    let tenants = rows::<Tenant>(store, &Scope::Platform).await;
    let listed: BTreeMap<_, _> = tenants
        .iter()
        .flat_map(|tenant| tenant.domains.iter().map(|name| (name.clone(), tenant.id)))
        .collect();
    let domains = rows::<Domain>(store, &Scope::Platform).await;
    let indexed: BTreeMap<_, _> =
        domains.into_iter().map(|domain| (domain.name, domain.tenant)).collect();
    assert_eq!(indexed, listed);
}

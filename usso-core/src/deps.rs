//! What an operation works with: the tenant it serves, the ports, and who asked.

use std::{sync::Arc, time::Duration};

use crate::{
    config::Config,
    directory::tenant::Tenant,
    engine::Caches,
    kernel::{
        custody::Custody,
        entropy::Entropy,
        event::{Event, EventType, Origin},
        hashing::Hasher,
        id::{EventId, TenantId},
        limit::Source,
        refusal::Fault,
        time::{Clock, UnixTime},
    },
    store::{Scope, Store},
};

/// Everything an operation needs, for one request of one tenant. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Deps {
    /// The tenant that is served.
    pub tenant: Arc<Tenant>,
    /// Where the records are.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
    /// Where private keys are protected.
    pub custody: Arc<dyn Custody>,
    /// The password hasher with its budget.
    pub hasher: Hasher,
    /// The settings of the installation.
    pub config: Arc<Config>,
    /// From where the request came.
    pub origin: Origin,
    /// When the request came in, before any of its work.
    pub received_at: UnixTime,
    pub(crate) caches: Arc<Caches>,
}

impl Deps {
    /// The scope of the tenant's records.
    #[must_use]
    pub fn scope(&self) -> Scope {
        Scope::Tenant(self.tenant.id)
    }

    /// Where attempts of this request count.
    #[must_use]
    pub fn source(&self) -> Source {
        Source::of(self.origin.address)
    }

    /// The `iss` of the tenant's tokens.
    #[must_use]
    pub fn issuer(&self) -> String {
        let tenant = &self.tenant;
        tenant.settings.issuer.clone().unwrap_or_else(|| {
            if tenant.id == TenantId::DEFAULT {
                self.config.issuer.clone()
            } else {
                format!("{}/t/{}", self.config.issuer, tenant.id)
            }
        })
    }

    /// The `aud` of the tenant's access tokens.
    #[must_use]
    pub fn audience(&self) -> Vec<String> {
        let configured = [&self.tenant.settings.audience, &self.config.audience];
        let named = configured.into_iter().find(|audience| !audience.is_empty());
        named.cloned().unwrap_or_else(|| vec![self.issuer()])
    }

    /// Begins an audit entry; it counts once it is committed with the change it records.
    ///
    /// # Errors
    ///
    /// [`Fault`] if randomness failed.
    pub fn event(&self, kind: EventType) -> Result<Event, Fault> {
        let at = self.clock.now();
        Ok(Event {
            id: EventId::in_sequence(at, self.caches.next_event(), &*self.entropy)?,
            kind,
            at,
            actor: String::new(),
            subject: String::new(),
            session: None,
            origin: self.origin.clone(),
            detail: std::collections::BTreeMap::new(),
            keep_until: at.plus(self.config.audit_retention),
        })
    }

    pub(crate) fn seconds(setting: u64) -> Duration {
        Duration::from_secs(setting)
    }
}

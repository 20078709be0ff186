//! Credentials that are not tokens of three segments: their issuer is asked.

use std::sync::{Arc, OnceLock};

use crate::claims::UserData;
use crate::error::VerifyError;
use crate::opaque::{Error, Reason};
use crate::presented::Presented;
use crate::principal::{Principal, Verified, Voucher};
use crate::verifier::{Overdue, Verifier};

impl Verifier {
    /// Asks about a credential, in the order of the configuration; the first that knows it by its
    /// form decides.
    pub(crate) async fn look_up(
        &self,
        presented: &Presented<'_>,
        now: u64,
    ) -> Result<Principal, VerifyError> {
        let watch = self.watch();
        for lookup in &self.shared.lookups {
            let verdict = lookup.check(presented.token, presented.origin, now).await;
            if let Err(Error::Unrecognised) = verdict {
                continue;
            }
            return watch.report(self.vouched(presented, verdict), false);
        }
        let (verdict, remembered) = self.judge(presented, now, Overdue::Trust);
        watch.report(verdict, remembered)
    }

    /// Judges a credential by what was answered before.
    pub(crate) fn recall_opaque(
        &self,
        presented: &Presented<'_>,
        now: u64,
    ) -> Result<Principal, VerifyError> {
        for lookup in &self.shared.lookups {
            match lookup.recall(presented.token, presented.origin, now) {
                Some(Err(Error::Unrecognised)) => {}
                Some(verdict) => return self.vouched(presented, verdict),
                None => return Err(VerifyError::Opaque(Error::Unavailable(Reason::NotAsked))),
            }
        }
        self.judge(presented, now, Overdue::Trust).0
    }

    /// Judges what an issuer vouched for as every token is: life, revocation, request, sender.
    fn vouched(
        &self,
        presented: &Presented<'_>,
        verdict: Result<Arc<UserData>, Error>,
    ) -> Result<Principal, VerifyError> {
        let user = Arc::unwrap_or_clone(verdict.map_err(VerifyError::Opaque)?);
        let json = serde_json::to_string(&user).map_err(|_| VerifyError::Malformed)?;
        let voucher = Voucher {
            keys: None,
            generation: None,
            bound: user.cnf.is_some(),
            start: 0,
            end: user.exp,
        };
        let verified = Verified { user, json, key: None, scopes: OnceLock::new() };
        let principal = Principal::new(verified, voucher);
        // Asking took its time.
        self.admit(&principal, presented, self.shared.clock.now())?;
        Ok(principal)
    }
}

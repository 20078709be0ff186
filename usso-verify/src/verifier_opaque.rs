//! Credentials that are not tokens of three segments: their issuer is asked.

use std::sync::{Arc, OnceLock};

use crate::claims::UserData;
use crate::error::VerifyError;
use crate::opaque::Error;
#[cfg(feature = "remote")]
use crate::opaque::Reason;
use crate::presented::Presented;
use crate::principal::{Principal, Verified, Voucher};
use crate::verifier::Verifier;
#[cfg(feature = "remote")]
use crate::verifier::{Moment, Overdue};

#[cfg(feature = "remote")]
impl Verifier {
    /// Asks about a credential, in the order of the configuration; the first that knows it by its
    /// form decides.
    pub(crate) async fn look_up(
        &self,
        presented: &Presented<'_>,
        now: u64,
    ) -> Result<Principal, VerifyError> {
        let watch = self.watch();
        if presented.is_signed_key() {
            return watch.report(Err(VerifyError::Opaque(Error::Unrecognised)), false);
        }
        for lookup in &self.shared.lookups {
            let verdict = lookup.check(presented.token, presented.origin, now).await;
            if let Err(Error::Unrecognised) = verdict {
                continue;
            }
            // Asking took its time.
            let now = self.shared.clock.now();
            return watch.report(self.vouched(presented, verdict, now), false);
        }
        let (verdict, remembered) = self.judge(presented, Moment::of(now), Overdue::Ask);
        watch.report(verdict, remembered)
    }

    /// Judges a credential by what was answered before.
    pub(crate) fn recall_opaque(
        &self,
        presented: &Presented<'_>,
        at: Moment,
    ) -> Result<Principal, VerifyError> {
        if presented.is_signed_key() {
            return Err(VerifyError::Opaque(Error::Unrecognised));
        }
        for lookup in &self.shared.lookups {
            match lookup.recall(presented.token, presented.origin, at.present) {
                Some(Err(Error::Unrecognised)) => {}
                Some(verdict) => return self.vouched(presented, verdict, at.judged),
                None => return Err(VerifyError::Opaque(Error::Unavailable(Reason::NotAsked))),
            }
        }
        self.judge(presented, at, Overdue::Ask).0
    }
}

impl Verifier {
    /// Judges what an issuer vouched for as every token is: life, revocation, request, sender.
    pub(crate) fn vouched(
        &self,
        presented: &Presented<'_>,
        verdict: Result<Arc<UserData>, Error>,
        now: u64,
    ) -> Result<Principal, VerifyError> {
        let user = Arc::unwrap_or_clone(verdict.map_err(VerifyError::Opaque)?);
        let json = serde_json::to_string(&user).map_err(|_| VerifyError::Malformed)?;
        let principal = self.principal(user, json);
        self.admit(&principal, presented, now)?;
        Ok(principal)
    }

    /// Makes a principal of claims that somebody vouches for, not a key, and that are in `json` as well.
    pub(crate) fn principal(&self, user: UserData, json: String) -> Principal {
        let voucher = Voucher {
            keys: None,
            generation: None,
            bound: user.cnf.is_some(),
            start: 0,
            end: user.exp,
        };
        let (matching, scopes) = (self.shared.matching, OnceLock::new());
        let verified = Verified { user, json, key: None, matching, scopes };
        Principal::new(verified, voucher)
    }
}

//! The verifier: every check, in order.
//!
//! 1. Size, three segments, header (see [`token`](crate::token)).
//! 2. The configured issuer that `iss` names; `typ` and `alg` as it accepts them.
//! 3. Its key by `kid`; the key's algorithm.
//! 4. The signature. Nothing else of the claims is looked at before.
//! 5. Types of the claims, audience, kind of token, tenant.
//! 6. Times, revocation, and what came with the request. This step is never remembered.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::builder::VerifierBuilder;
use crate::claims::UserData;
use crate::clock::Clock;
use crate::dpop::{self, Proof, With};
use crate::error::VerifyError;
use crate::issuer::{Issuer, pick};
use crate::issuers::Issuers;
use crate::key::VerifyingKey;
use crate::observe::{Observer, Watch};
#[cfg(feature = "remote")]
use crate::opaque::Lookup;
use crate::opaque::{self, Origin};
use crate::presented::{Presented, Proven};
use crate::principal::{Principal, Verified, Voucher};
use crate::revocation::Revocation;
use crate::scope::Matching;
use crate::source::{Need, Refresh, Refreshed};
use crate::token::{Headers, Unverified};
use crate::token_cache::Tokens;

/// Verifies access tokens locally. Cheap to clone; clones share everything.
///
/// # Examples
///
/// See the crate's first page.
#[derive(Clone)]
pub struct Verifier {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) issuers: Issuers,
    pub(crate) leeway: u64,
    pub(crate) max_token_bytes: usize,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) dpop: dpop::Verifier,
    pub(crate) revocation: Option<Arc<dyn Revocation>>,
    pub(crate) observer: Option<Arc<dyn Observer>>,
    #[cfg(feature = "remote")]
    pub(crate) lookups: Vec<Lookup>,
    pub(crate) matching: Matching,
    pub(crate) headers: Headers,
    pub(crate) tokens: Tokens,
}

impl Verifier {
    /// Starts the configuration of a verifier.
    pub fn builder() -> VerifierBuilder {
        VerifierBuilder::new()
    }

    /// Verifies a token, and fetches the issuer's keys first if it needs them.
    ///
    /// A token whose key is known never waits. One of an unknown issuer is refused before any
    /// request is made, and requests are bounded by the source of the keys.
    ///
    /// A key that is not there is [`VerifyError::UnknownKey`] while the issuer's last answer stands,
    /// also for those who ask too soon after it: inventing names costs an attacker's target
    /// nothing. It is [`VerifyError::KeysUnavailable`] while the last attempt to ask failed, or too
    /// many wait for the present one: then nobody knows.
    ///
    /// # Errors
    ///
    /// [`VerifyError`], every variant; the first check that fails decides.
    ///
    /// # Security
    ///
    /// The key comes from the configuration and the algorithm from the key, never from the token.
    /// Base64url is accepted in one spelling only, but anyone can turn an ECDSA signature into a
    /// second valid one: recognise a token by its `jti`, not by its text.
    ///
    /// # Spec
    ///
    /// RFC 7515 §5.2, RFC 7519 §7.2, RFC 8725 §3, RFC 9068 §4.
    pub async fn verify<'t>(
        &self,
        presented: impl Into<Presented<'t>>,
    ) -> Result<Principal, VerifyError> {
        let presented = presented.into();
        let now = self.shared.clock.now();
        #[cfg(feature = "remote")]
        if !self.shared.lookups.is_empty() && presented.is_opaque() {
            return self.look_up(&presented, now).await;
        }
        let watch = self.watch();
        let (verdict, remembered) = self.judge(&presented, Moment::of(now), Overdue::Ask);
        let Err(error) = verdict else {
            return watch.report(verdict, remembered);
        };
        let (refreshed, waited) = match self.refresh(presented.token, error, now) {
            Some(Refresh::Wait(wait)) => (wait.await, true),
            Some(Refresh::Now(refreshed)) => (refreshed, false),
            None => (Refreshed::Settled, false),
        };
        // Asked already, without success: the keys at hand must do.
        let overdue = error == VerifyError::KeysUnavailable;
        if refreshed == Refreshed::Busy || !(waited || overdue) {
            return watch.report(Err(refusal(error, refreshed)), remembered);
        }
        let watch = self.watch();
        let at = Moment::of(self.shared.clock.now());
        let (verdict, remembered) = self.judge(&presented, at, Overdue::Trust);
        watch.report(verdict.map_err(|error| refusal(error, refreshed)), remembered)
    }

    /// Verifies a token with the keys that are at hand, at the time the clock tells.
    ///
    /// Never blocks and never performs I/O. A source that fetches its keys answers from what it
    /// holds; while it holds none, or nobody has asked for too long whether they still hold, the
    /// error is [`VerifyError::KeysUnavailable`].
    ///
    /// # Errors
    ///
    /// As [`verify`](Self::verify).
    pub fn verify_local<'t>(
        &self,
        presented: impl Into<Presented<'t>>,
    ) -> Result<Principal, VerifyError> {
        self.verify_with_keys_at_hand(&presented.into(), Moment::of(self.shared.clock.now()))
    }

    /// Verifies a token as of `now`, in seconds since the epoch, with the keys that are at hand.
    ///
    /// The life of the token, its revocation and its `DPoP` proof are judged as of `now`; the keys
    /// are those of the present.
    ///
    /// # Errors
    ///
    /// As [`verify_local`](Self::verify_local).
    pub fn verify_at<'t>(
        &self,
        presented: impl Into<Presented<'t>>,
        now: u64,
    ) -> Result<Principal, VerifyError> {
        let at = Moment { judged: now, present: self.shared.clock.now() };
        self.verify_with_keys_at_hand(&presented.into(), at)
    }

    fn verify_with_keys_at_hand(
        &self,
        presented: &Presented<'_>,
        at: Moment,
    ) -> Result<Principal, VerifyError> {
        let watch = self.watch();
        #[cfg(feature = "remote")]
        if !self.shared.lookups.is_empty() && presented.is_opaque() {
            return watch.report(self.recall_opaque(presented, at), true);
        }
        let (verdict, remembered) = self.judge(presented, at, Overdue::Ask);
        watch.report(verdict, remembered)
    }

    /// Gives the verifier of `DPoP` proofs, for the challenge and the nonce of a refusal.
    #[must_use]
    pub fn dpop(&self) -> &dpop::Verifier {
        &self.shared.dpop
    }

    /// Gives the verdict on a token that was verified before, as [`verify`](Self::verify) would;
    /// `None` if it is not remembered.
    pub(crate) fn verify_remembered(
        &self,
        presented: &Presented<'_>,
    ) -> Option<Result<Principal, VerifyError>> {
        let watch = self.watch();
        let verdict = self.recalled(presented, Moment::of(self.now()))?;
        Some(watch.report(verdict, true))
    }

    pub(crate) fn now(&self) -> u64 {
        self.shared.clock.now()
    }

    pub(crate) fn leeway(&self) -> Duration {
        Duration::from_secs(self.shared.leeway)
    }

    /// Forgets every token that was verified before, so that each is verified from its signature
    /// on, and every tenant that was found, with its keys.
    pub fn clear_cache(&self) {
        self.shared.tokens.clear();
        self.shared.issuers.clear();
    }

    /// Counts the tokens that are remembered.
    #[must_use]
    pub fn cached_tokens(&self) -> usize {
        self.shared.tokens.len()
    }

    /// Reads a token up to its signature, for a caller whose platform verifies that.
    ///
    /// Keys that nobody has asked about for too long are given, too: see
    /// [`Unsigned::is_overdue`].
    ///
    /// # Errors
    ///
    /// As [`verify_local`](Self::verify_local), as far as it goes without the signature.
    pub fn start<'v, 't>(
        &'v self,
        presented: impl Into<Presented<'t>>,
    ) -> Result<Unsigned<'v, 't>, VerifyError> {
        // Keys are those of the present, whatever time the token is judged by.
        self.start_at(presented.into(), self.shared.clock.now())
    }

    fn start_at<'v, 't>(
        &'v self,
        presented: Presented<'t>,
        present: u64,
    ) -> Result<Unsigned<'v, 't>, VerifyError> {
        if presented.origin == Origin::KeyHeader {
            return Err(VerifyError::Opaque(opaque::Error::Unrecognised));
        }
        if presented.token.len() > self.shared.max_token_bytes {
            return Err(VerifyError::TooLarge);
        }
        let unverified = Unverified::read(presented.token, &self.shared.headers)?;
        let issuer = self.shared.issuers.find(unverified.claimed_issuer(), present)?;
        issuer.judge_header(&unverified.header)?;
        // Asked for before the keys: a change in between is noticed on the next hit.
        let generation = issuer.keys.generation(present);
        let keys = issuer.keys(present)?;
        let key = Arc::clone(pick(&keys, &unverified.header)?);
        Ok(Unsigned { verifier: self, presented, unverified, issuer, key, generation })
    }

    /// Gives the verdict, and whether the token was remembered.
    pub(crate) fn judge(
        &self,
        presented: &Presented<'_>,
        at: Moment,
        overdue: Overdue,
    ) -> (Result<Principal, VerifyError>, bool) {
        if let Some(verdict) = self.recalled(presented, at) {
            return (verdict, true);
        }
        let verdict = self.start_at(*presented, at.present).and_then(|unsigned| {
            if unsigned.is_overdue() && overdue == Overdue::Ask {
                return Err(VerifyError::KeysUnavailable);
            }
            let signed = unsigned.is_signed();
            unsigned.finish(signed, at.judged)
        });
        (verdict, false)
    }

    pub(crate) fn watch(&self) -> Watch<'_> {
        Watch::start(self.shared.observer.as_deref())
    }

    /// Finds a token that was verified before, if the same keys still vouch for it.
    fn recall(&self, token: &str, present: u64) -> Option<Principal> {
        self.shared.tokens.find(token, present, |principal| {
            let voucher = principal.voucher();
            let generation = voucher.keys.as_ref().and_then(|keys| keys.generation(present));
            generation.is_some() && generation == voucher.generation
        })
    }

    /// Judges what is never remembered.
    pub(crate) fn admit(
        &self,
        principal: &Principal,
        presented: &Presented<'_>,
        now: u64,
    ) -> Result<(), VerifyError> {
        judge_times(principal, self.shared.leeway, now)?;
        if let Some(revocation) = &self.shared.revocation
            && revocation.is_revoked(&principal.verified().revocable(), now)
        {
            return Err(VerifyError::Revoked);
        }
        judge_request(principal, presented)?;
        if principal.voucher().bound || presented.dpop.is_some() {
            return self.judge_sender(principal, presented, now);
        }
        Ok(())
    }

    /// A token that is bound to a key or certificate is good only with proof that the sender has
    /// it. Sent alone it is refused: it may have been stolen.
    fn judge_sender(
        &self,
        user: &UserData,
        presented: &Presented<'_>,
        now: u64,
    ) -> Result<(), VerifyError> {
        let cnf = user.cnf.as_ref();
        if cnf.is_some_and(|cnf| cnf.jkt.is_none() && cnf.x5t_s256.is_none()) {
            return Err(VerifyError::Binding);
        }
        if let Some(bound) = cnf.and_then(|cnf| cnf.x5t_s256.as_deref()) {
            let certificate = presented.certificate.ok_or(VerifyError::Binding)?;
            certificate.check_binding(bound).map_err(|_| VerifyError::Binding)?;
        }
        match (cnf.and_then(|cnf| cnf.jkt.as_deref()), presented.dpop) {
            (None, None) => Ok(()),
            (Some(_), None) | (None, Some(_)) => Err(VerifyError::Binding),
            (Some(jkt), Some(Proven { proof, method, uri })) => {
                let with = With::AccessToken { token: presented.token, jkt };
                let proof = Proof { proof, method, uri, with };
                let checked = self.shared.dpop.check_signed(&proof, presented.signatures, now);
                checked.map(|_| ()).map_err(VerifyError::Dpop)
            }
        }
    }

    /// Gives the verdict on a token that was verified before, if it is remembered.
    pub(crate) fn recalled(
        &self,
        presented: &Presented<'_>,
        at: Moment,
    ) -> Option<Result<Principal, VerifyError>> {
        if presented.origin == Origin::KeyHeader {
            return None;
        }
        let principal = self.recall(presented.token, at.present)?;
        Some(self.admit(&principal, presented, at.judged).map(|()| principal))
    }

    /// Asks for keys that may know better; `None` if none could.
    fn refresh(&self, token: &str, error: VerifyError, now: u64) -> Option<Refresh> {
        self.with_need(token, error, now, |issuer, need| {
            Some(self.shared.issuers.find(issuer, now).ok()?.keys.refresh(need, now))
        })?
    }

    /// Works out which keys of which issuer would make an error go away, if any could.
    pub(crate) fn with_need<T>(
        &self,
        token: &str,
        error: VerifyError,
        now: u64,
        act: impl FnOnce(&str, Need<'_>) -> T,
    ) -> Option<T> {
        if !matches!(
            error,
            VerifyError::KeysUnavailable | VerifyError::UnknownKey | VerifyError::Signature
        ) {
            return None;
        }
        let unverified = Unverified::read(token, &self.shared.headers).ok()?;
        let name = unverified.claimed_issuer();
        let issuer = self.shared.issuers.find(name, now).ok()?;
        let kid = unverified.header.kid.as_deref();
        let need = match (error, kid) {
            (VerifyError::KeysUnavailable, _) if issuer.keys.is_overdue(now) => Need::Stale,
            (VerifyError::KeysUnavailable, _) => Need::Keys,
            (VerifyError::UnknownKey, Some(kid)) => Need::Kid(kid),
            (VerifyError::Signature, Some(kid)) => Need::Replacement(kid),
            _ => return None,
        };
        Some(act(name, need))
    }
}

/// The time a token is judged by, and the time it is.
#[derive(Clone, Copy)]
pub(crate) struct Moment {
    pub(crate) judged: u64,
    pub(crate) present: u64,
}

impl Moment {
    pub(crate) const fn of(now: u64) -> Self {
        Self { judged: now, present: now }
    }
}

/// Says what a refusal comes to. While the issuer's answer stands a key that is not there is
/// unknown; while it was not heard the key may exist. A wrong signature is wrong in any case: its
/// key is there.
pub(crate) const fn refusal(error: VerifyError, refreshed: Refreshed) -> VerifyError {
    match (error, refreshed) {
        (VerifyError::UnknownKey, Refreshed::Busy | Refreshed::Failed) => {
            VerifyError::KeysUnavailable
        }
        (error, _) => error,
    }
}

/// What to do with keys that nobody has asked about for too long.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overdue {
    Ask,
    Trust,
}

/// A token that was read and found acceptable but for its signature.
///
/// # Security
///
/// It proves nothing until [`finish`](Self::finish) was told about the signature of exactly this
/// [`message`](Self::message) by exactly this [`key`](Self::key).
pub struct Unsigned<'v, 't> {
    verifier: &'v Verifier,
    presented: Presented<'t>,
    unverified: Unverified<'t>,
    issuer: Arc<Issuer>,
    key: Arc<VerifyingKey>,
    generation: Option<u64>,
}

impl Unsigned<'_, '_> {
    /// Gives the key that must have signed; its algorithm is the token's.
    #[must_use]
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Gives what must have been signed.
    #[must_use]
    pub const fn message(&self) -> &[u8] {
        self.unverified.message.as_bytes()
    }

    /// Verifies the signature here; always no if the platform must.
    pub(crate) fn is_signed(&self) -> bool {
        self.key.verify(self.message(), self.signature())
    }

    /// Says whether nobody has asked for too long whether the key still holds: then have the keys
    /// fetched before you trust it.
    #[must_use]
    pub const fn is_overdue(&self) -> bool {
        self.generation.is_none()
    }

    /// Gives the signature to be verified.
    #[must_use]
    pub fn signature(&self) -> &[u8] {
        &self.unverified.signature
    }

    /// Goes on: `signed` says whether the signature is the key's, `now` is in seconds since the
    /// epoch.
    ///
    /// # Errors
    ///
    /// As [`Verifier::verify_local`].
    pub fn finish(self, signed: bool, now: u64) -> Result<Principal, VerifyError> {
        let (verifier, presented) = (self.verifier, self.presented);
        let principal = self.conclude(signed, now)?;
        verifier.admit(&principal, &presented, now)?;
        Ok(principal)
    }

    fn conclude(self, signed: bool, now: u64) -> Result<Principal, VerifyError> {
        if !signed {
            return Err(VerifyError::Signature);
        }
        let Unsigned { verifier, presented, unverified, issuer, key, generation } = self;
        let shared = &*verifier.shared;
        shared.headers.remember(unverified.header_segment(), &unverified.header);
        let (user, json) = unverified.authenticated()?;
        issuer.judge_claims(&user)?;
        let leeway = shared.leeway;
        let voucher = Voucher {
            keys: Some(Arc::clone(&issuer.keys)),
            generation,
            bound: user.cnf.is_some(),
            start: user.nbf.unwrap_or_default().max(user.iat.unwrap_or_default()),
            end: user.exp.min(issuer.oldest(&user)).saturating_add(leeway),
        };
        let (key, matching, scopes) = (Some(key), shared.matching, OnceLock::new());
        let verified = Verified { user, json, key, matching, scopes };
        let principal = Principal::new(verified, voucher);
        judge_times(&principal, leeway, now)?;
        if generation.is_some() {
            // A tenant that was pushed out must not live on in the tokens that are remembered.
            if shared.issuers.pushed_out() {
                shared.tokens.clear();
            }
            shared.tokens.remember(presented.token, &principal, shared.clock.now());
        }
        Ok(principal)
    }
}

impl fmt::Debug for Unsigned<'_, '_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsigned").field("key", &self.key).finish_non_exhaustive()
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("issuers", &self.shared.issuers)
            .field("leeway", &self.shared.leeway)
            .field("max_token_bytes", &self.shared.max_token_bytes)
            .finish_non_exhaustive()
    }
}

/// A token lives from `nbf` until just before `exp`, each moved outwards by the leeway.
fn judge_times(user: &Principal, leeway: u64, now: u64) -> Result<(), VerifyError> {
    let latest_start = now.saturating_add(leeway);
    let &Voucher { start, end, .. } = user.voucher();
    if now < end && start <= latest_start {
        return Ok(());
    }
    if now >= user.exp.saturating_add(leeway) {
        return Err(VerifyError::Expired);
    }
    if now >= end {
        // What an issuer vouched for by an answer has no leeway.
        let is_asked = user.voucher().keys.is_none();
        return Err(if is_asked { VerifyError::Expired } else { VerifyError::TooOld });
    }
    if user.nbf.is_some_and(|start| start > latest_start) {
        return Err(VerifyError::NotYetValid);
    }
    Err(VerifyError::IssuedInFuture)
}

/// Judges a token against the request it came with.
fn judge_request(user: &Principal, presented: &Presented<'_>) -> Result<(), VerifyError> {
    if presented.tenant.is_some() && user.tenant_id.as_deref() != presented.tenant {
        return Err(VerifyError::Tenant);
    }
    if let Some(nonce) = presented.nonce
        && user.claims.get("nonce").and_then(serde_json::Value::as_str) != Some(nonce)
    {
        return Err(VerifyError::Nonce);
    }
    Ok(())
}

//! The issuer.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;

use super::clock::TestClock;
use super::malformed::Malformed;
use super::mint::Mint;
use super::signer::Signer;
use crate::algorithm::Algorithm;
use crate::fetch::{BoxFuture, Fetch, FetchError, Request, Response};
use crate::issuer::Issuer;
use crate::key_set::KeySet;
use crate::source::KeySource;
use crate::verifier::Verifier;

/// An issuer in memory. Clones are one issuer.
///
/// It is also a [`Fetch`] that serves its discovery document and its keys, and counts.
#[derive(Clone)]
pub struct TestIssuer {
    pub(super) name: String,
    clock: TestClock,
    state: Arc<Mutex<State>>,
}

struct State {
    algorithm: Algorithm,
    /// Every key pair there ever was.
    signers: Vec<Arc<Signer>>,
    /// The names of the published keys, the one that signs last.
    published: Vec<String>,
    changes: u64,
    answers: Answers,
    fetches: HashMap<String, usize>,
}

/// How requests are answered.
#[derive(Clone)]
enum Answers {
    Properly,
    NotAtAll,
    Slowly(Duration),
    With(Response),
}

impl TestIssuer {
    /// Makes an issuer with one Ed25519 key, named as its tokens spell `iss`.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self::with_algorithm(name, Algorithm::EdDsa)
    }

    /// Makes an issuer whose keys are for this algorithm.
    #[must_use]
    pub fn with_algorithm(name: impl Into<String>, algorithm: Algorithm) -> Self {
        let issuer = Self {
            name: name.into(),
            clock: TestClock::default(),
            state: Arc::new(Mutex::new(State {
                algorithm,
                signers: Vec::new(),
                published: Vec::new(),
                changes: 0,
                answers: Answers::Properly,
                fetches: HashMap::new(),
            })),
        };
        issuer.rotate();
        issuer
    }

    /// Gives the issuer's clock. Tokens are minted by it, and [`verifier`](Self::verifier) uses it.
    #[must_use]
    pub fn clock(&self) -> TestClock {
        self.clock.clone()
    }

    /// Gives the configuration of this issuer, with its newest keys always at hand and no audience
    /// yet. Give the verifier the issuer's [`clock`](Self::clock), too: it stands in June 2025.
    #[must_use]
    pub fn issuer(&self) -> Issuer {
        Issuer::new(&self.name, self.clone())
    }

    /// Gives a verifier for this issuer's tokens to one audience, on the issuer's clock and with its
    /// newest keys always at hand: it never fetches.
    #[must_use]
    pub fn verifier(&self, audience: &str) -> Verifier {
        let builder = Verifier::builder().issuer(self.issuer().audience(audience));
        builder.clock(self.clock()).build().expect("the settings are sound")
    }

    /// Gives a verifier that fetches the keys from this issuer, as a service does: to try outages,
    /// slow answers and rotations. After a rotation move the clock by more than the cooldown, 34
    /// seconds, before a token of the new key makes it fetch again.
    #[cfg(feature = "remote")]
    #[must_use]
    pub fn fetching_verifier(&self, audience: &str) -> Verifier {
        let source = crate::jwks::JwksSource::issuer(&self.name).fetch(Arc::new(self.clone()));
        let source = source.clock(self.clock()).build().expect("the issuer has an https name");
        let builder =
            Verifier::builder().issuer(Issuer::new(&self.name, source).audience(audience));
        builder.clock(self.clock()).build().expect("the settings are sound")
    }

    /// Starts a token: for the subject `user:1`, signed by the newest key, good for 15 minutes.
    pub fn mint(&self) -> Mint {
        Mint::new(self)
    }

    /// Gives tokens that must all be refused, made out of good ones.
    #[must_use]
    pub fn malformed(&self, audience: &str) -> Vec<Malformed> {
        super::malformed::every(self, audience)
    }

    /// Publishes a new key and signs with it from now on; gives its name.
    #[allow(clippy::must_use_candidate, reason = "the name is often of no interest")]
    pub fn rotate(&self) -> String {
        let algorithm = self.state().algorithm;
        let signer = Arc::new(Signer::new(algorithm));
        let kid = signer.key().kid().to_owned();
        let mut state = self.state();
        state.signers.push(signer);
        state.published.push(kid.clone());
        state.changes += 1;
        kid
    }

    /// Withdraws a key. Tokens can still be minted with it: as a thief would.
    pub fn revoke(&self, kid: &str) {
        let mut state = self.state();
        state.published.retain(|published| published != kid);
        state.changes += 1;
    }

    /// Gives the name of the key that signs.
    #[must_use]
    pub fn kid(&self) -> String {
        self.state().published.last().cloned().unwrap_or_default()
    }

    /// Stops answering requests.
    pub fn outage(&self) {
        self.state().answers = Answers::NotAtAll;
    }

    /// Answers requests after this time. Needs the feature `remote`; on tokio's clock.
    pub fn slow(&self, delay: Duration) {
        self.state().answers = Answers::Slowly(delay);
    }

    /// Answers every request with this.
    pub fn answer(&self, response: Response) {
        self.state().answers = Answers::With(response);
    }

    /// Answers as it should again.
    pub fn recover(&self) {
        self.state().answers = Answers::Properly;
    }

    /// Counts the requests for keys so far.
    #[must_use]
    pub fn fetches(&self) -> usize {
        self.state().fetches.get(&self.jwks_url()).copied().unwrap_or_default()
    }

    /// Gives the address of the keys.
    #[must_use]
    pub fn jwks_url(&self) -> String {
        format!("{}/.well-known/jwks.json", self.name)
    }

    /// Gives the published keys.
    #[must_use]
    pub fn keys(&self) -> KeySet {
        let state = self.state();
        let keys = state.signers.iter().map(|signer| signer.key());
        KeySet::new(keys.filter(|key| state.published.iter().any(|kid| kid == key.kid())).collect())
    }

    pub(super) fn signer(&self, kid: Option<&str>) -> Arc<Signer> {
        let state = self.state();
        let signer = match kid {
            Some(kid) => state.signers.iter().find(|signer| signer.key().kid() == kid),
            None => state.signers.last(),
        };
        Arc::clone(signer.expect("the issuer has had this key"))
    }

    fn answer_to(&self, url: &str) -> Response {
        let body = if url == self.jwks_url() {
            json!(self.keys().to_jwks())
        } else if url == format!("{}/.well-known/openid-configuration", self.name) {
            json!({"issuer": self.name, "jwks_uri": self.jwks_url()})
        } else {
            return Response::new(404, Vec::new());
        };
        Response::new(200, body.to_string().into_bytes())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeySource for TestIssuer {
    fn keys(&self, _now: u64) -> Option<Arc<KeySet>> {
        Some(Arc::new(Self::keys(self)))
    }

    fn generation(&self, _now: u64) -> Option<u64> {
        Some(self.state().changes)
    }
}

impl Fetch for TestIssuer {
    fn fetch(&self, request: Request) -> BoxFuture<'_, Result<Response, FetchError>> {
        let answers = {
            let mut state = self.state();
            *state.fetches.entry(request.url.clone()).or_default() += 1;
            state.answers.clone()
        };
        Box::pin(async move {
            match answers {
                Answers::Properly => {}
                Answers::NotAtAll => return Err(FetchError::Failed),
                Answers::With(response) => return Ok(response),
                Answers::Slowly(delay) => wait(delay).await,
            }
            Ok(self.answer_to(&request.url))
        })
    }
}

#[cfg(feature = "remote")]
async fn wait(delay: Duration) {
    tokio::time::sleep(delay).await;
}

#[cfg(not(feature = "remote"))]
fn wait(_: Duration) -> std::future::Ready<()> {
    panic!("`slow` needs the feature `remote`");
}

impl fmt::Debug for TestIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TestIssuer").field("name", &self.name).finish_non_exhaustive()
    }
}

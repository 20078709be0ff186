//! Signing keys: one ring per tenant, moving next → current → retired.
//!
//! The next key is published before it signs anything, and a retired key stays published for as
//! long as a token that it signed can live. So no rotation makes a valid token unverifiable, for
//! verifiers that refresh their copy of the JWKS within its `max-age` or on an unknown `kid`.

use std::{fmt, sync::Arc, time::Duration};

use aws_lc_rs::{
    encoding::AsDer as _,
    hmac,
    rand::SystemRandom,
    rsa::{KeyPair as RsaKeyPair, KeySize},
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
        RSA_PKCS1_SHA256,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use usso_verify::{Algorithm, Issuer, KeySet, TokenCache, Verifier, VerifyingKey};

use crate::{
    deps::Deps,
    kernel::{
        entropy::bearer_secret,
        event::EventType,
        id::UserId,
        refusal::{Fault, FaultKind, Refusal, Stop},
        secret::{Digest, Secret},
        time::UnixTime,
    },
    store::{Batch, CommitError, Record, Table, Versioned},
};

/// For how long caches may keep the JWKS (`Cache-Control: max-age`).
pub const JWKS_MAX_AGE: Duration = Duration::from_secs(300);
/// The longest life of an access token that settings allow, and some for caches of the ring.
const RETIRED_FOR: Duration = Duration::from_secs(86_400 + 300);
/// Verifiers commonly refuse key sets of more than a hundred keys.
const RETIRED_MAX: usize = 50;
const RING: &str = "ring";

/// A key as stored: the public part in the clear, the private part sealed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredKey {
    /// Hex SHA-256 of the public key's SPKI.
    pub kid: String,
    /// What it signs with.
    pub algorithm: Algorithm,
    /// The SPKI, base64url.
    spki: String,
    /// The PKCS #8, sealed by custody, base64url.
    sealed: String,
    /// Since when it is published.
    pub created_at: UnixTime,
    /// Since when it signs, or signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub activated_at: Option<UnixTime>,
    /// When it leaves the JWKS; set when it retires.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub published_until: Option<UnixTime>,
}

/// The keys of a tenant. One record, so that a rotation is one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRing {
    /// Signs.
    pub current: StoredKey,
    /// Will sign after the next rotation.
    pub next: StoredKey,
    /// Signed, newest first.
    pub retired: Vec<StoredKey>,
    /// Recognises refresh tokens as ours; sealed, base64url.
    tag_key: String,
}

impl Record for KeyRing {
    const TABLE: &'static Table = &Table { name: "key_ring", indexes: &[] };

    fn key(&self) -> String {
        RING.to_owned()
    }
}

/// Why a rotation was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refused {
    /// Another rotation of the same keys came first.
    Changed,
    /// So many keys retired within a day that verifiers would refuse the set.
    TooMany,
}

impl Refusal for Refused {
    fn code(&self) -> &'static str {
        match self {
            Self::Changed => "keys.changed",
            Self::TooMany => "keys.too_many",
        }
    }

    fn status(&self) -> u16 {
        409
    }

    fn message(&self) -> &'static str {
        match self {
            Self::Changed => "The keys were rotated at the same time.",
            Self::TooMany => {
                "Too many keys retired within a day. Wait until some are no longer published."
            }
        }
    }
}

/// A tenant's keys, opened and ready.
pub struct LoadedKeys {
    ring: KeyRing,
    version: u64,
    signer: Signer,
    tag_key: hmac::Key,
    /// The header of access tokens, base64url.
    header: String,
    verifier: Verifier,
    jwks: Jwks,
    loaded_at: UnixTime,
}

/// The JWKS as it is served.
#[derive(Clone, Debug)]
pub struct Jwks {
    /// The JSON (RFC 7517 section 5).
    pub json: Arc<str>,
    /// Its `ETag`, with quotes.
    pub etag: Arc<str>,
}

impl LoadedKeys {
    /// The ring, with the states of its keys.
    #[must_use]
    pub fn ring(&self) -> &KeyRing {
        &self.ring
    }

    /// The public keys as they are served.
    #[must_use]
    pub fn jwks(&self) -> &Jwks {
        &self.jwks
    }

    /// Verifies the tenant's own access tokens.
    #[must_use]
    pub fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    /// Whether the ring was read long enough ago that another instance may have rotated it.
    pub(crate) fn may_be_stale(&self, now: UnixTime) -> bool {
        now.since(self.loaded_at) > Duration::from_secs(1)
    }

    /// Makes a compact JWS of `claims` with the current key (RFC 7515 section 3.1).
    pub(crate) fn sign(&self, claims: &[u8]) -> Result<String, Fault> {
        let mut token = format!("{}.{}", self.header, URL_SAFE_NO_PAD.encode(claims));
        let signature = self.signer.sign(token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// The tag by which a refresh token is recognised as ours: the first half of an HMAC-SHA-256.
    pub(crate) fn tag(&self, message: &[u8]) -> [u8; 16] {
        let mut tag = [0; 16];
        let full = hmac::sign(&self.tag_key, message);
        tag.copy_from_slice(full.as_ref().get(..16).unwrap_or(&[0; 16]));
        tag
    }
}

impl fmt::Debug for LoadedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadedKeys")
            .field("current", &self.ring.current.kid)
            .finish_non_exhaustive()
    }
}

enum Signer {
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    Rsa(RsaKeyPair),
}

impl Signer {
    fn open(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, Fault> {
        match algorithm {
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8(pkcs8).map(Self::Ed25519),
            Algorithm::Es256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).map(Self::Ecdsa)
            }
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(pkcs8).map(Self::Rsa),
            _ => {
                return Err(corrupt("a signing key has an algorithm that does not sign here"));
            }
        }
        .map_err(|_| corrupt("a signing key cannot be read"))
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Fault> {
        let failed = |_| Fault::new(FaultKind::Custody, "signing failed");
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(key) => {
                key.sign(&random, message).map(|made| made.as_ref().to_vec()).map_err(failed)
            }
            Self::Ed25519(key) => Ok(key.sign(message).as_ref().to_vec()),
            Self::Rsa(key) => {
                let mut made = vec![0; key.public_modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut made).map_err(failed)?;
                Ok(made)
            }
        }
    }
}

/// Makes a key pair: PKCS #8 and SPKI. RSA takes up to a second, so it runs beside async threads.
async fn generate(algorithm: Algorithm) -> Result<(Secret<Vec<u8>>, Vec<u8>), Fault> {
    let made = tokio::task::spawn_blocking(move || generate_now(algorithm)).await;
    made.ok().flatten().ok_or_else(|| Fault::new(FaultKind::Entropy, "no key could be generated"))
}

fn generate_now(algorithm: Algorithm) -> Option<(Secret<Vec<u8>>, Vec<u8>)> {
    let (private, public) = match algorithm {
        Algorithm::EdDsa => {
            let pair = Ed25519KeyPair::generate().ok()?;
            (
                pair.to_pkcs8v1().ok()?.as_ref().to_vec(),
                pair.public_key().as_der().ok()?.as_ref().to_vec(),
            )
        }
        Algorithm::Es256 => {
            let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).ok()?;
            (
                pair.to_pkcs8v1().ok()?.as_ref().to_vec(),
                pair.public_key().as_der().ok()?.as_ref().to_vec(),
            )
        }
        Algorithm::Rs256 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).ok()?;
            (
                pair.as_der().ok()?.as_ref().to_vec(),
                pair.public_key().as_der().ok()?.as_ref().to_vec(),
            )
        }
        _ => return None,
    };
    Some((Secret::new(private), public))
}

async fn new_key(deps: &Deps) -> Result<StoredKey, Fault> {
    let algorithm = deps.tenant.settings.signing_algorithm;
    let (private, spki) = generate(algorithm).await?;
    let kid = usso_verify::spki_kid(&spki);
    let sealed = deps.custody.seal(private.expose(), &key_context(deps, &kid))?;
    Ok(StoredKey {
        kid,
        algorithm,
        spki: URL_SAFE_NO_PAD.encode(spki),
        sealed: URL_SAFE_NO_PAD.encode(sealed),
        created_at: deps.clock.now(),
        activated_at: None,
        published_until: None,
    })
}

fn key_context(deps: &Deps, kid: &str) -> String {
    format!("signing key {kid} of {}", deps.tenant.id)
}

fn tag_context(deps: &Deps) -> String {
    format!("refresh tag key of {}", deps.tenant.id)
}

/// Gives the tenant's keys ready for use. Makes them on first use; rotates them when they are due.
///
/// # Errors
///
/// [`Fault`] if the store failed or custody cannot open the keys.
pub async fn load(deps: &Deps) -> Result<Arc<LoadedKeys>, Fault> {
    if let Some(known) = deps.caches.keys.get(&deps.tenant.id) {
        return Ok(known);
    }
    reload(deps).await
}

/// Reads the keys again, past the cache.
pub(crate) async fn reload(deps: &Deps) -> Result<Arc<LoadedKeys>, Fault> {
    let found = match deps.store.get::<KeyRing>(&deps.scope(), RING).await? {
        Some(found) => found,
        None => create(deps).await?,
    };
    let mut keys = Arc::new(open(deps, found)?);
    let signing_since = keys.ring.current.activated_at.unwrap_or_default();
    if deps.clock.now().since(signing_since) >= deps.config.key_rotation {
        keys = match advance(deps, &keys, "usso".to_owned()).await {
            Ok(rotated) => rotated,
            // Another instance rotated first, or nothing can be written: what is there still works.
            Err(stop) => {
                tracing::warn!(?stop, "the due key rotation did not happen");
                keys
            }
        };
    }
    deps.caches.keys.insert(deps.tenant.id, Arc::clone(&keys));
    Ok(keys)
}

async fn create(deps: &Deps) -> Result<Versioned<KeyRing>, Fault> {
    let mut current = new_key(deps).await?;
    current.activated_at = Some(current.created_at);
    let tag_key = deps.custody.seal(bearer_secret(&*deps.entropy)?.expose(), &tag_context(deps))?;
    let tag_key = URL_SAFE_NO_PAD.encode(tag_key);
    let ring = KeyRing { current, next: new_key(deps).await?, retired: Vec::new(), tag_key };
    match deps.store.commit(Batch::new().insert(&deps.scope(), &ring)).await {
        Ok(()) => Ok(Versioned { record: ring, version: 1 }),
        Err(CommitError::Fault(fault)) => Err(fault),
        // Another request or instance made them first.
        Err(CommitError::Conflict(_)) => {
            let found = deps.store.get::<KeyRing>(&deps.scope(), RING).await?;
            found.ok_or_else(|| corrupt("the key ring vanished"))
        }
    }
}

fn open(deps: &Deps, found: Versioned<KeyRing>) -> Result<LoadedKeys, Fault> {
    let Versioned { record: ring, version } = found;
    let current = &ring.current;
    let private = deps.custody.open(&decode(&current.sealed)?, &key_context(deps, &current.kid))?;
    let tag_key = deps.custody.open(&decode(&ring.tag_key)?, &tag_context(deps))?;
    let now = deps.clock.now();
    let published = |key: &&StoredKey| key.published_until.is_none_or(|end| now < end);
    let public = [&ring.current, &ring.next].into_iter().chain(&ring.retired).filter(published);
    let set: Vec<VerifyingKey> = public.map(public_key).collect::<Result<_, _>>()?;
    let set = Arc::new(KeySet::new(set));
    let json =
        serde_json::to_string(&set.to_jwks()).map_err(|error| corrupt(&error.to_string()))?;
    let etag = format!("\"{}\"", Digest::of(json.as_bytes()));
    let header = format!(
        r#"{{"alg":"{}","kid":"{}","typ":"at+jwt"}}"#,
        current.algorithm.as_str(),
        current.kid
    );
    // Any audience: the API that issued the token is always among those it may be shown to.
    let issuer = Issuer::new(deps.issuer(), set).any_audience();
    let verifier = Verifier::builder()
        .issuer(issuer)
        .leeway(Duration::ZERO)
        .token_cache(TokenCache::off())
        .build();
    Ok(LoadedKeys {
        signer: Signer::open(current.algorithm, private.expose())?,
        tag_key: hmac::Key::new(hmac::HMAC_SHA256, tag_key.expose()),
        header: URL_SAFE_NO_PAD.encode(header),
        verifier: verifier.map_err(|error| Fault::new(FaultKind::Corrupt, error.to_string()))?,
        jwks: Jwks { json: json.into(), etag: etag.into() },
        loaded_at: now,
        version,
        ring,
    })
}

fn public_key(key: &StoredKey) -> Result<VerifyingKey, Fault> {
    VerifyingKey::from_spki_der(key.algorithm, &decode(&key.spki)?)
        .map_err(|error| corrupt(&error.to_string()))
}

/// Moves the keys on: the next key signs from now on, the current one retires, a new one is next.
///
/// # Errors
///
/// [`Refused::Changed`] if another rotation came first, [`Refused::TooMany`], [`Stop::Fault`] if the
/// store, custody or randomness failed.
pub async fn rotate(deps: &Deps, actor: UserId) -> Result<Arc<LoadedKeys>, Stop<Refused>> {
    let found = match deps.store.get::<KeyRing>(&deps.scope(), RING).await? {
        Some(found) => found,
        None => create(deps).await?,
    };
    let keys = open(deps, found)?;
    let rotated = advance(deps, &keys, actor.to_string()).await?;
    deps.caches.keys.insert(deps.tenant.id, Arc::clone(&rotated));
    Ok(rotated)
}

/// Seals the tenant's keys under the present master key, if an earlier one sealed any of them.
/// Returns whether it did.
pub(crate) async fn reseal(deps: &Deps) -> Result<bool, Fault> {
    loop {
        let Some(found) = deps.store.get::<KeyRing>(&deps.scope(), RING).await? else {
            return Ok(false);
        };
        let Versioned { record: mut ring, version } = found;
        let KeyRing { current, next, tag_key, .. } = &mut ring;
        let mut changed = anew(deps, tag_key, &tag_context(deps))?;
        for StoredKey { kid, sealed, .. } in [current, next] {
            changed |= anew(deps, sealed, &key_context(deps, kid))?;
        }
        if !changed {
            return Ok(false);
        }
        match deps.store.commit(Batch::new().replace(&deps.scope(), &ring, version)).await {
            Ok(()) => return Ok(true),
            // The keys were rotated in between: look again.
            Err(CommitError::Conflict(_)) => {}
            Err(CommitError::Fault(fault)) => return Err(fault),
        }
    }
}

/// Seals one value anew if it is outdated; says whether it was.
fn anew(deps: &Deps, stored: &mut String, context: &str) -> Result<bool, Fault> {
    let sealed = decode(stored)?;
    if !deps.custody.is_outdated(&sealed) {
        return Ok(false);
    }
    let plain = deps.custody.open(&sealed, context)?;
    *stored = URL_SAFE_NO_PAD.encode(deps.custody.seal(plain.expose(), context)?);
    Ok(true)
}

async fn advance(
    deps: &Deps,
    keys: &LoadedKeys,
    actor: String,
) -> Result<Arc<LoadedKeys>, Stop<Refused>> {
    let now = deps.clock.now();
    let ring = turn(keys.ring.clone(), new_key(deps).await?, now).map_err(Stop::Refused)?;
    let event = deps.event(EventType::KeysRotated)?.by(actor).on(&ring.current.kid);
    let batch =
        Batch::new().replace(&deps.scope(), &ring, keys.version).insert(&deps.scope(), &event);
    match deps.store.commit(batch).await {
        Ok(()) => {}
        Err(CommitError::Conflict(_)) => return Err(Stop::Refused(Refused::Changed)),
        Err(CommitError::Fault(fault)) => return Err(Stop::Fault(fault)),
    }
    Ok(Arc::new(open(deps, Versioned { record: ring, version: keys.version + 1 })?))
}

/// The rotation itself: a pure step from ring to ring.
fn turn(ring: KeyRing, fresh: StoredKey, now: UnixTime) -> Result<KeyRing, Refused> {
    let KeyRing { mut current, mut next, mut retired, tag_key } = ring;
    retired.retain(|key| key.published_until.is_some_and(|end| now < end));
    if retired.len() >= RETIRED_MAX {
        return Err(Refused::TooMany);
    }
    current.published_until = Some(now.plus(RETIRED_FOR));
    // What no longer signs need not be kept.
    current.sealed.clear();
    retired.insert(0, current);
    next.activated_at = Some(now);
    Ok(KeyRing { current: next, next: fresh, retired, tag_key })
}

fn decode(text: &str) -> Result<Vec<u8>, Fault> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| corrupt("a stored key is not base64url"))
}

fn corrupt(detail: &str) -> Fault {
    Fault::new(FaultKind::Corrupt, detail)
}

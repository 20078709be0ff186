//! The rivals. Each makes the checks of the verifier: those it has, and the others around it.

use std::{
    cell::Cell,
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use aws_lc_rs::{
    digest::{SHA256, digest},
    signature::{
        ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
        RsaPublicKeyComponents, VerificationAlgorithm,
    },
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use jsonwebtoken::{
    DecodingKey, Validation,
    crypto::{CryptoProvider, KeyUtils, aws_lc, rust_crypto},
    get_current_timestamp,
    jwk::JwkSet,
};
use jwt_simple::prelude::{
    self as simple, ECDSAP256PublicKeyLike as _, EdDSAPublicKeyLike as _, RSAPublicKeyLike as _,
};
use serde::Deserialize;
use serde_json::Value;
use usso_verify::{Algorithm, TokenCache};

use super::tokens::Tokens;

/// Says whether a token is good.
pub(super) type Check = Arc<dyn Fn(&str) -> bool + Send + Sync>;
pub(super) type Rival = (&'static str, Check);

/// The name of the verifier of this repository.
pub(super) const USSO: &str = "usso-verify";

pub(super) fn usso(tokens: &Tokens, cache: TokenCache) -> Rival {
    let verifier = tokens.verifier(cache);
    (USSO, Arc::new(move |token| verifier.verify_local(token).is_ok()))
}

/// Gives the libraries that remember nothing.
pub(super) fn libraries(tokens: &Tokens) -> Vec<Rival> {
    let jwt = Arc::new(JsonWebToken::new(tokens));
    let other = Arc::clone(&jwt);
    vec![
        ("jsonwebtoken aws_lc_rs", Arc::new(move |token| jwt.verify(token, AWS_LC).is_some())),
        (
            "jsonwebtoken rust_crypto",
            Arc::new(move |token| other.verify(token, RUST_CRYPTO).is_some()),
        ),
        ("jwt-simple pure-rust", jwt_simple(tokens)),
    ]
}

/// Gives the usual recipes: a cache of claims in front of `jsonwebtoken`, with room for so many.
pub(super) fn recipes(tokens: &Tokens, room: usize) -> Vec<Rival> {
    let moka = moka::sync::Cache::builder()
        .max_capacity(room as u64)
        .time_to_live(Duration::from_secs(300))
        .build();
    let quick = quick_cache::sync::Cache::new(room);
    let jwt = Arc::new(JsonWebToken::new(tokens));
    let other = Arc::clone(&jwt);
    let by_digest = move |token: &str| {
        let key: [u8; 32] = digest(&SHA256, token.as_bytes()).as_ref().try_into().unwrap();
        remembered(moka.get(&key), || jwt.verify(token, AWS_LC), |claims| moka.insert(key, claims))
    };
    let by_text = move |token: &str| {
        let keep = |claims| quick.insert(token.to_owned(), claims);
        remembered(quick.get(token), || other.verify(token, AWS_LC), keep)
    };
    vec![
        ("jsonwebtoken behind moka, SHA-256", Arc::new(by_digest)),
        ("jsonwebtoken behind quick_cache, text", Arc::new(by_text)),
    ]
}

/// Uses what a cache holds while it lives, and fills it otherwise.
fn remembered(
    held: Option<Arc<Claims>>,
    verify: impl FnOnce() -> Option<Claims>,
    keep: impl FnOnce(Arc<Claims>),
) -> bool {
    if let Some(claims) = held {
        return claims.exp + LEEWAY > get_current_timestamp();
    }
    verify().map(Arc::new).map(keep).is_some()
}

/// Gives raw checks of the first token's signature; ed25519-dalek is strict, as the verifier is.
pub(super) fn raw(tokens: &Tokens) -> Vec<Rival> {
    let (message, signature) = tokens.all[0].rsplit_once('.').unwrap();
    let message: Arc<[u8]> = message.as_bytes().into();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let header = jsonwebtoken::decode_header(&tokens.all[0]).unwrap();
    let jwk = &by_kid(&tokens.jwks)[&header.kid.unwrap()];
    let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let parse = |algorithm: &'static dyn VerificationAlgorithm, public: &[u8]| {
        ParsedPublicKey::new(algorithm, public).unwrap()
    };
    let mut checks: Vec<Rival> = Vec::new();
    let key = match tokens.algorithm {
        Algorithm::EdDsa => {
            let key = VerifyingKey::from_bytes(part("x").as_slice().try_into().unwrap()).unwrap();
            let signature = Signature::from_slice(&signature).unwrap();
            let message = Arc::clone(&message);
            let strict = move |_: &str| key.verify_strict(&message, &signature).is_ok();
            checks.push(("raw ed25519-dalek, strict", Arc::new(strict)));
            parse(&ED25519, &part("x"))
        }
        Algorithm::Es256 => {
            parse(&ECDSA_P256_SHA256_FIXED, &[vec![4], part("x"), part("y")].concat())
        }
        _ => {
            let components = RsaPublicKeyComponents { n: part("n"), e: part("e") };
            components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).unwrap()
        }
    };
    let parsed = move |_: &str| key.verify_sig(&message, &signature).is_ok();
    checks.push(("raw aws-lc-rs, parsed key", Arc::new(parsed)));
    checks
}

/// Lets `jsonwebtoken` have both of its back ends in one process: what it asks for keys and
/// signatures goes to the one that the thread chose last.
pub(crate) fn install() {
    static BOTH: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| (chosen().signer_factory)(algorithm, key),
        verifier_factory: |algorithm, key| (chosen().verifier_factory)(algorithm, key),
        key_utils: KeyUtils::new_unimplemented(),
    };
    BOTH.install_default().unwrap();
}

fn chosen() -> &'static CryptoProvider {
    BACK_END.get()
}

thread_local! {
    static BACK_END: Cell<&'static CryptoProvider> = const { Cell::new(AWS_LC) };
}

const AWS_LC: &CryptoProvider = &aws_lc::DEFAULT_PROVIDER;
const RUST_CRYPTO: &CryptoProvider = &rust_crypto::DEFAULT_PROVIDER;

const LEEWAY: u64 = 30;
const MAX_TOKEN_BYTES: usize = 8192;

struct JsonWebToken {
    keys: HashMap<String, DecodingKey>,
    validation: Validation,
}

impl JsonWebToken {
    fn new(tokens: &Tokens) -> Self {
        let set: JwkSet = serde_json::from_str(&tokens.jwks).unwrap();
        let named = |jwk: &jsonwebtoken::jwk::Jwk| {
            (jwk.common.key_id.clone().unwrap(), DecodingKey::from_jwk(jwk).unwrap())
        };
        let algorithm = tokens.algorithm.as_str().parse().unwrap();
        let mut validation = Validation::new(algorithm);
        validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
        validation.set_audience(&[&tokens.issuer]);
        validation.set_issuer(&[&tokens.issuer]);
        validation.validate_nbf = true;
        validation.leeway = LEEWAY;
        Self { keys: set.keys.iter().map(named).collect(), validation }
    }

    fn verify(&self, token: &str, back_end: &'static CryptoProvider) -> Option<Claims> {
        if token.len() > MAX_TOKEN_BYTES {
            return None;
        }
        let header = jsonwebtoken::decode_header(token).ok()?;
        let plain = header.crit.is_none() && !header.extras.inner().contains_key("b64");
        let typed = matches!(header.typ.as_deref(), Some("at+jwt" | "application/at+jwt"));
        let key = self.keys.get(header.kid.as_deref()?).filter(|_| plain && typed)?;
        BACK_END.set(back_end);
        let claims = jsonwebtoken::decode::<Claims>(token, key, &self.validation).ok()?.claims;
        let issued = claims.iat.is_none_or(|iat| iat <= get_current_timestamp() + LEEWAY);
        (issued && claims.token_type.as_deref() == Some("access")).then_some(claims)
    }
}

/// It knows nothing of `b64`, and so do the checks around it.
fn jwt_simple(tokens: &Tokens) -> Check {
    type Verdict = Result<simple::JWTClaims<OwnClaims>, jwt_simple::Error>;
    type Key = Box<dyn Fn(&str, Option<simple::VerificationOptions>) -> Verdict + Send + Sync>;
    let prepared = |(kid, jwk): (String, Value)| -> (String, Key) {
        let jwk = jwk.to_string();
        let key: Key = match tokens.algorithm {
            Algorithm::EdDsa => {
                let key = simple::Ed25519PublicKey::from_jwk(&jwk).unwrap();
                Box::new(move |token, options| key.verify_token(token, options))
            }
            Algorithm::Es256 => {
                let key = simple::ES256PublicKey::from_jwk(&jwk).unwrap();
                Box::new(move |token, options| key.verify_token(token, options))
            }
            _ => {
                let key = simple::RS256PublicKey::from_jwk(&jwk).unwrap();
                Box::new(move |token, options| key.verify_token(token, options))
            }
        };
        (kid, key)
    };
    let keys: HashMap<_, _> = by_kid(&tokens.jwks).into_iter().map(prepared).collect();
    let options = simple::VerificationOptions {
        required_signature_type: Some("at+jwt".to_owned()),
        allowed_issuers: Some(HashSet::from([tokens.issuer.clone()])),
        allowed_audiences: Some(HashSet::from([tokens.issuer.clone()])),
        time_tolerance: Some(simple::Duration::from_secs(LEEWAY)),
        max_token_length: Some(MAX_TOKEN_BYTES),
        ..simple::VerificationOptions::default()
    };
    Arc::new(move |token| {
        let Ok(metadata) = simple::Token::decode_metadata(token) else { return false };
        let Some(key) = metadata.key_id().and_then(|kid| keys.get(kid)) else { return false };
        key(token, Some(options.clone())).is_ok_and(|claims| {
            claims.subject.is_some()
                && claims.expires_at.is_some()
                && claims.custom.token_type.as_deref() == Some("access")
        })
    })
}

fn by_kid(jwks: &str) -> HashMap<String, Value> {
    let set: Value = serde_json::from_str(jwks).unwrap();
    let keys = set["keys"].as_array().unwrap().iter();
    keys.map(|jwk| (jwk["kid"].as_str().unwrap().to_owned(), jwk.clone())).collect()
}

/// The claims of an access token. A derived type is what the rivals read fastest.
#[derive(Clone, Deserialize)]
#[expect(dead_code, reason = "read by whoever asks who is calling")]
pub(crate) struct Claims {
    iss: String,
    pub(crate) sub: String,
    aud: String,
    exp: u64,
    iat: Option<u64>,
    nbf: Option<u64>,
    jti: Option<String>,
    client_id: Option<String>,
    token_type: Option<String>,
    session_id: Option<String>,
    tenant_id: Option<String>,
    workspace_id: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    acr: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
    auth_time: Option<u64>,
}

/// [`Claims`] without those that `jwt-simple` has itself.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read by whoever asks who is calling")]
struct OwnClaims {
    client_id: Option<String>,
    token_type: Option<String>,
    session_id: Option<String>,
    tenant_id: Option<String>,
    workspace_id: Option<String>,
    #[serde(default)]
    roles: Vec<String>,
    #[serde(default)]
    scopes: Vec<String>,
    acr: Option<String>,
    #[serde(default)]
    amr: Vec<String>,
    auth_time: Option<u64>,
}

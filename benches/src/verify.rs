//! Verifying one of our own tokens, beside the raw signature check and `jsonwebtoken`.

use std::{collections::HashMap, hint::black_box, sync::Arc, time::Duration};

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED, ED25519, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256,
    VerificationAlgorithm,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use ed25519_dalek::{Signature, VerifyingKey};
use jsonwebtoken::{DecodingKey, Validation, get_current_timestamp, jwk::JwkSet};
use usso_core::{
    Config, Ports, Usso,
    directory::tenant::{self, NewTenant, Settings},
    flow::password,
    kernel::{
        custody::MasterKey,
        event::Origin,
        id::{TenantId, UserId},
        secret::Secret,
    },
    session::keys,
    store::{Memory, Store},
};
use usso_verify::{Algorithm, Issuer, Jwks, KeySet, TokenCache, UserData, Verifier};

use crate::{line, per_call};

struct Minted {
    token: String,
    issuer: String,
    jwks: String,
}

/// Prints the table.
pub(crate) async fn run() {
    println!(
        "verify an own token, cold               (median, best, best / fastest raw signature check)"
    );
    let usso = start().await;
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Rs256] {
        table(algorithm, &mint(&usso, algorithm).await);
    }
}

fn table(algorithm: Algorithm, minted: &Minted) {
    let raw = raw(algorithm, minted);
    let fastest = raw.iter().map(|(_, times)| times.1).min().unwrap();
    for (what, times) in raw {
        line(&format!("{} raw {what}", algorithm.as_str()), times, fastest);
    }
    let jwks: Jwks = serde_json::from_str(&minted.jwks).unwrap();
    let issuer =
        Issuer::new(&minted.issuer, Arc::new(KeySet::from_jwks(&jwks))).audience(&minted.issuer);
    let verifier =
        Verifier::builder().issuer(issuer).token_cache(TokenCache::off()).build().unwrap();
    let ours = per_call(|| {
        black_box(verifier.verify_local(black_box(&minted.token)).unwrap());
    });
    line(&format!("{} usso-verify", algorithm.as_str()), ours, fastest);
    line(&format!("{} jsonwebtoken aws_lc_rs", algorithm.as_str()), jsonwebtoken(minted), fastest);
}

/// The peer with the checks of [`Verifier`]: those it has, and the others around it.
fn jsonwebtoken(minted: &Minted) -> (Duration, Duration) {
    const LEEWAY: u64 = 30;
    let set: JwkSet = serde_json::from_str(&minted.jwks).unwrap();
    let key = |jwk| DecodingKey::from_jwk(jwk).unwrap();
    let keys: HashMap<_, _> =
        set.keys.iter().map(|jwk| (jwk.common.key_id.as_deref().unwrap(), key(jwk))).collect();
    let header = jsonwebtoken::decode_header(&minted.token).unwrap();
    let mut validation = Validation::new(header.alg);
    validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
    validation.set_audience(&[&minted.issuer]);
    validation.set_issuer(&[&minted.issuer]);
    validation.validate_nbf = true;
    validation.leeway = LEEWAY;
    per_call(|| {
        let token = black_box(&minted.token);
        assert!(token.len() <= 8192);
        let header = jsonwebtoken::decode_header(token).unwrap();
        assert!(header.crit.is_none() && !header.extras.inner().contains_key("b64"));
        assert!(matches!(header.typ.as_deref(), Some("at+jwt" | "application/at+jwt")));
        let key = &keys[header.kid.as_deref().unwrap()];
        let claims = jsonwebtoken::decode::<UserData>(token, key, &validation).unwrap().claims;
        assert_eq!(claims.token_type.as_deref(), Some("access"));
        assert!(claims.iat.is_none_or(|issued| issued <= get_current_timestamp() + LEEWAY));
        black_box(claims);
    })
}

fn raw(algorithm: Algorithm, minted: &Minted) -> Vec<(&'static str, (Duration, Duration))> {
    let (message, signature) = minted.token.rsplit_once('.').unwrap();
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let header = jsonwebtoken::decode_header(&minted.token).unwrap();
    let set: serde_json::Value = serde_json::from_str(&minted.jwks).unwrap();
    let keys = set["keys"].as_array().unwrap();
    let jwk = keys.iter().find(|key| key["kid"] == header.kid.as_deref().unwrap()).unwrap();
    let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let aws = |algorithm: &'static dyn VerificationAlgorithm, public: &[u8]| {
        let key = ParsedPublicKey::new(algorithm, public).unwrap();
        (
            "aws-lc-rs, parsed key",
            per_call(|| key.verify_sig(message.as_bytes(), &signature).unwrap()),
        )
    };
    match algorithm {
        Algorithm::EdDsa => {
            let public = part("x");
            let key = VerifyingKey::from_bytes(public.as_slice().try_into().unwrap()).unwrap();
            let signature = Signature::from_slice(&signature).unwrap();
            let strict = per_call(|| key.verify_strict(message.as_bytes(), &signature).unwrap());
            vec![aws(&ED25519, &public), ("ed25519-dalek strict", strict)]
        }
        Algorithm::Es256 => {
            vec![aws(&ECDSA_P256_SHA256_FIXED, &[vec![4], part("x"), part("y")].concat())]
        }
        _ => {
            let components =
                aws_lc_rs::signature::RsaPublicKeyComponents { n: part("n"), e: part("e") };
            let key = components.to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256).unwrap();
            let times = per_call(|| key.verify_sig(message.as_bytes(), &signature).unwrap());
            vec![("aws-lc-rs, parsed key", times)]
        }
    }
}

async fn start() -> Usso {
    let custody = MasterKey::new(&Secret::new([7; 32])).unwrap();
    let ports = Ports::new(Store::new(Memory::new()), custody);
    Usso::start(Config::new("https://sso.example.com"), ports).await.unwrap()
}

/// A token as the engine mints it, for a tenant with this algorithm.
async fn mint(usso: &Usso, algorithm: Algorithm) -> Minted {
    let default = usso.tenant(TenantId::DEFAULT).await.unwrap().unwrap();
    let platform = usso.deps(default, Origin::default());
    let mut settings = Settings::default();
    settings.signing_algorithm = algorithm;
    let slug = algorithm.as_str().to_lowercase();
    let new = NewTenant { slug, settings, ..NewTenant::default() };
    let tenant = tenant::create(&platform, new, UserId::from_bytes([0; 16])).await.unwrap();
    let deps = usso.deps(Arc::new(tenant), Origin::default());
    let secret = Secret::new("correct horse battery staple".to_owned());
    let (_, tokens) =
        password::register(&deps, "user@example.com", secret, String::new()).await.unwrap();
    let jwks = keys::load(&deps).await.unwrap().jwks().json.to_string();
    Minted { token: tokens.access_token, issuer: deps.issuer(), jwks }
}

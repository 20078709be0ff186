//! A world with one issuer, a hand-set time and tokens minted to measure.

use std::sync::{Arc, LazyLock};

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use serde_json::{Map, Value, json};
use usso_verify::{
    Algorithm, Issuer, KeySet, UserData, Verifier, VerifierBuilder, VerifyError, VerifyingKey,
};

pub(crate) const NOW: u64 = 1_750_000_000;
pub(crate) const ISSUER: &str = "https://sso.example";
pub(crate) const AUDIENCE: &str = "api";
pub(crate) const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384, Algorithm::Rs256, Algorithm::Ps256];

/// A private key that mints tokens.
pub(crate) struct Signer {
    algorithm: Algorithm,
    pair: Pair,
}

enum Pair {
    Ed(Ed25519KeyPair),
    Ec(EcdsaKeyPair),
    Rsa(&'static RsaKeyPair),
}

static RSA: LazyLock<RsaKeyPair> =
    LazyLock::new(|| RsaKeyPair::generate(KeySize::Rsa2048).unwrap());

impl Signer {
    pub(crate) fn new(algorithm: Algorithm) -> Self {
        let pair = match algorithm {
            Algorithm::EdDsa => return Self::ed25519(1),
            Algorithm::Es256 => {
                Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
            }
            Algorithm::Es384 => {
                Pair::Ec(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap())
            }
            _ => Pair::Rsa(&RSA),
        };
        Self { algorithm, pair }
    }

    pub(crate) fn ed25519(seed: u8) -> Self {
        let pair = Pair::Ed(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap());
        Self { algorithm: Algorithm::EdDsa, pair }
    }

    /// The public key as `SubjectPublicKeyInfo`.
    pub(crate) fn spki(&self) -> Vec<u8> {
        let der = match &self.pair {
            Pair::Ed(pair) => pair.public_key().as_der(),
            Pair::Ec(pair) => pair.public_key().as_der(),
            Pair::Rsa(pair) => pair.public_key().as_der(),
        };
        der.unwrap().as_ref().to_vec()
    }

    /// The private key as PKCS#8.
    pub(crate) fn pkcs8(&self) -> Vec<u8> {
        match &self.pair {
            Pair::Ed(pair) => pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
            Pair::Ec(pair) => pair.to_pkcs8v1().unwrap().as_ref().to_vec(),
            Pair::Rsa(pair) => pair.as_der().unwrap().as_ref().to_vec(),
        }
    }

    pub(crate) fn key(&self) -> VerifyingKey {
        VerifyingKey::from_spki_der(self.algorithm, &self.spki()).unwrap()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
            Pair::Ec(pair) => pair.sign(&random, message).unwrap().as_ref().to_vec(),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                let encoding = match self.algorithm {
                    Algorithm::Ps256 => &RSA_PSS_SHA256,
                    _ => &RSA_PKCS1_SHA256,
                };
                pair.sign(encoding, &random, message, &mut signature).unwrap();
                signature
            }
        }
    }

    /// The header of a good token.
    pub(crate) fn header(&self) -> Value {
        json!({"alg": self.algorithm, "kid": self.key().kid(), "typ": "at+jwt"})
    }

    /// Signs any two texts as header and claims.
    pub(crate) fn mint_text(&self, header: &str, claims: &str) -> String {
        let input = format!("{}.{}", b64(header), b64(claims));
        format!("{input}.{}", b64(self.sign(input.as_bytes())))
    }

    pub(crate) fn mint(&self, claims: &Value) -> String {
        self.mint_text(&self.header().to_string(), &claims.to_string())
    }

    /// A verifier that knows this key only.
    pub(crate) fn verifier(&self) -> Verifier {
        builder(issuer(vec![self.key()])).build().unwrap()
    }

    /// Verifies a token whose claims were changed by `with`; `null` removes one.
    pub(crate) fn judge(&self, with: Value) -> Result<UserData, VerifyError> {
        let verified = self.verifier().verify_at(&self.mint(&claims(with)), NOW);
        verified.map(|principal| principal.to_user_data())
    }

    /// Verifies a token whose header was changed by `with`; `null` removes a member.
    pub(crate) fn judge_header(&self, with: Value) -> Result<UserData, VerifyError> {
        let header = patched(self.header(), with).to_string();
        let token = self.mint_text(&header, &claims(json!({})).to_string());
        let verified = self.verifier().verify_at(&token, NOW);
        verified.map(|principal| principal.to_user_data())
    }
}

/// The claims of a good token, changed by `with`; `null` removes one.
pub(crate) fn claims(with: Value) -> Value {
    let good = json!({
        "iss": ISSUER, "sub": "user:1", "aud": AUDIENCE, "iat": NOW, "nbf": NOW, "exp": NOW + 900,
        "jti": "t1", "token_type": "access", "session_id": "ses_1", "tenant_id": "org_1",
        "workspace_id": "ws_1", "roles": ["member"], "scopes": ["read:files"],
        "acr": "usso:acr:1", "amr": ["password"], "auth_time": NOW - 60,
    });
    patched(good, with)
}

pub(crate) fn patched(base: Value, with: Value) -> Value {
    let (mut base, with): (Map<_, _>, Map<_, _>) =
        (serde_json::from_value(base).unwrap(), serde_json::from_value(with).unwrap());
    base.extend(with);
    base.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

pub(crate) fn issuer(keys: Vec<VerifyingKey>) -> Issuer {
    Issuer::new(ISSUER, Arc::new(KeySet::new(keys))).audience(AUDIENCE)
}

pub(crate) fn builder(issuer: Issuer) -> VerifierBuilder {
    Verifier::builder().issuer(issuer).clock(|| NOW)
}

pub(crate) fn b64(bytes: impl AsRef<[u8]>) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(bytes)
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    let text = base64_simd::STANDARD.encode_to_string(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// One value of every JSON type, with their hostile relatives.
pub(crate) fn every_json_type() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(false),
        json!(0),
        json!(-1),
        json!(1.5),
        json!(1e300),
        json!(u64::MAX),
        json!(""),
        json!("text"),
        json!("1750000900"),
        json!([]),
        json!(["text"]),
        json!([1]),
        json!([null]),
        json!([["text"]]),
        json!({}),
        json!({"text": 1}),
    ]
}

//! The verdicts: ours and those of two other libraries, set as strictly as they can be.

use std::collections::HashSet;
use std::sync::Arc;

use jsonwebtoken as jwt;
use jwt_simple::prelude as simple;
use jwt_simple::prelude::{ECDSAP256PublicKeyLike, EdDSAPublicKeyLike, RSAPublicKeyLike};
use serde_json::{Map, Value};
use usso_verify::{Algorithm, Issuer, KeySet, Verifier, VerifyError, VerifyingKey};

use crate::keys::{ALGORITHMS, KID, Signers};
use crate::mutate::{AUDIENCE, ISSUER, Mutant, NOW};

/// Seconds of leeway, the same for everybody.
pub(crate) const LEEWAY: u64 = 30;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Peer {
    JsonWebToken,
    JwtSimple,
}

impl Peer {
    pub(crate) const ALL: [Self; 2] = [Self::JsonWebToken, Self::JwtSimple];
}

pub(crate) struct Judges {
    ours: [Verifier; 3],
    jsonwebtoken: [(jwt::DecodingKey, jwt::Validation); 3],
    ed: simple::Ed25519PublicKey,
    ec: simple::ES256PublicKey,
    rsa: simple::RS256PublicKey,
    options: simple::VerificationOptions,
}

impl Judges {
    pub(crate) fn new() -> Self {
        // With the whole workspace in one build both back ends are there, and one must be named.
        _ = jwt::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let signers = Signers::new();
        let spki = |algorithm| signers.spki(algorithm);
        let keys = ALGORITHMS.map(|algorithm| named(algorithm, &spki(algorithm)));
        Self {
            jsonwebtoken: [&keys[0], &keys[1], &keys[2]].map(jsonwebtoken),
            ed: simple::Ed25519PublicKey::from_der(&spki(Algorithm::EdDsa)).unwrap(),
            ec: simple::ES256PublicKey::from_der(&spki(Algorithm::Es256)).unwrap(),
            rsa: simple::RS256PublicKey::from_der(&spki(Algorithm::Rs256)).unwrap(),
            options: options(),
            ours: keys.map(ours),
        }
    }

    /// Gives our verdict: the code of a refusal.
    pub(crate) fn ours(&self, mutant: &Mutant) -> Result<(), &'static str> {
        let verifier = &self.ours[place(mutant.algorithm)];
        verifier.verify_at(&mutant.token, NOW).map(|_| ()).map_err(VerifyError::code)
    }

    pub(crate) fn theirs(&self, peer: Peer, mutant: &Mutant) -> bool {
        let (token, options) = (mutant.token.as_str(), Some(self.options.clone()));
        match (peer, mutant.algorithm) {
            (Peer::JsonWebToken, algorithm) => {
                let (key, validation) = &self.jsonwebtoken[place(algorithm)];
                jwt::decode::<Value>(token, key, validation).is_ok()
            }
            (Peer::JwtSimple, Algorithm::EdDsa) => {
                self.ed.verify_token::<Map<String, Value>>(token, options).is_ok()
            }
            (Peer::JwtSimple, Algorithm::Es256) => {
                self.ec.verify_token::<Map<String, Value>>(token, options).is_ok()
            }
            (Peer::JwtSimple, _) => {
                self.rsa.verify_token::<Map<String, Value>>(token, options).is_ok()
            }
        }
    }
}

fn place(algorithm: Algorithm) -> usize {
    ALGORITHMS.iter().position(|&is| is == algorithm).unwrap()
}

fn named(algorithm: Algorithm, spki: &[u8]) -> VerifyingKey {
    let mut jwk = VerifyingKey::from_spki_der(algorithm, spki).unwrap().to_jwk();
    jwk.kid = Some(KID.to_owned());
    VerifyingKey::from_jwk(&jwk).unwrap()
}

fn ours(key: VerifyingKey) -> Verifier {
    let issuer = Issuer::new(ISSUER, Arc::new(KeySet::new(vec![key]))).audience(AUDIENCE);
    Verifier::builder().issuer(issuer).clock(|| NOW).build().unwrap()
}

fn jsonwebtoken(key: &VerifyingKey) -> (jwt::DecodingKey, jwt::Validation) {
    let jwk = serde_json::to_value(key.to_jwk()).unwrap();
    let jwk: jwt::jwk::Jwk = serde_json::from_value(jwk).unwrap();
    let mut validation = jwt::Validation::new(key.algorithm().as_str().parse().unwrap());
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["aud", "exp", "iss", "sub"]);
    validation.validate_nbf = true;
    validation.leeway = LEEWAY;
    (jwt::DecodingKey::from_jwk(&jwk).unwrap(), validation)
}

fn options() -> simple::VerificationOptions {
    simple::VerificationOptions {
        required_key_id: Some(KID.to_owned()),
        required_signature_type: Some("at+jwt".to_owned()),
        allowed_issuers: Some(HashSet::from([ISSUER.to_owned()])),
        allowed_audiences: Some(HashSet::from([AUDIENCE.to_owned()])),
        time_tolerance: Some(simple::Duration::from_secs(LEEWAY)),
        max_token_length: Some(8192),
        max_header_length: Some(5462),
        artificial_time: Some(simple::UnixTimeStamp::from_secs(NOW)),
        ..simple::VerificationOptions::default()
    }
}

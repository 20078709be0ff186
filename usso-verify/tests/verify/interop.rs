//! The same tokens, minted and verified by `jsonwebtoken`.

use jsonwebtoken as peer;
use serde_json::{Value, json};
use usso_verify::{Algorithm, VerifyError};

use crate::support::*;

fn peer_algorithm(algorithm: Algorithm) -> peer::Algorithm {
    // With the whole workspace in one build both back ends are there, and one must be named.
    _ = peer::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
    algorithm.as_str().parse().unwrap()
}

fn peer_encoding_key(signer: &Signer, algorithm: Algorithm) -> peer::EncodingKey {
    let pem = pem("PRIVATE KEY", &signer.pkcs8());
    match algorithm {
        Algorithm::EdDsa => peer::EncodingKey::from_ed_pem(pem.as_bytes()).unwrap(),
        Algorithm::Es256 | Algorithm::Es384 => {
            peer::EncodingKey::from_ec_pem(pem.as_bytes()).unwrap()
        }
        _ => peer::EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap(),
    }
}

fn peer_validation(algorithm: Algorithm) -> peer::Validation {
    let mut validation = peer::Validation::new(peer_algorithm(algorithm));
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.validate_exp = false;
    validation
}

#[test]
fn a_token_minted_by_the_peer_is_accepted_with_every_algorithm() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm);
        let mut header = peer::Header::new(peer_algorithm(algorithm));
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(signer.key().kid().to_owned());
        let key = peer_encoding_key(&signer, algorithm);
        let token = peer::encode(&header, &claims(json!({})), &key).unwrap();
        let user = signer.verifier().verify_at(&token, NOW).unwrap();
        assert_eq!(user.sub, "user:1", "{algorithm:?}");
    }
}

#[test]
fn a_token_the_peer_accepts_is_accepted_and_read_the_same() {
    for algorithm in ALGORITHMS {
        let signer = Signer::new(algorithm);
        let token = signer.mint(&claims(json!({"custom": {"deep": [1, 2]}})));
        let jwk = serde_json::to_value(signer.key().to_jwk()).unwrap();
        let jwk: peer::jwk::Jwk = serde_json::from_value(jwk).unwrap();
        let key = peer::DecodingKey::from_jwk(&jwk).unwrap();
        let theirs = peer::decode::<Value>(&token, &key, &peer_validation(algorithm)).unwrap();
        let ours = signer.verifier().verify_at(&token, NOW).unwrap();
        assert_eq!(serde_json::to_value(&ours).unwrap(), theirs.claims, "{algorithm:?}");
    }
}

#[test]
fn a_token_of_another_key_is_refused_here_and_by_the_peer() {
    for algorithm in [Algorithm::EdDsa, Algorithm::Es256, Algorithm::Es384] {
        let (ours, other) = match algorithm {
            Algorithm::EdDsa => (Signer::ed25519(1), Signer::ed25519(2)),
            _ => (Signer::new(algorithm), Signer::new(algorithm)),
        };
        let token = other.mint_text(&ours.header().to_string(), &claims(json!({})).to_string());
        let jwk = serde_json::to_value(ours.key().to_jwk()).unwrap();
        let jwk: peer::jwk::Jwk = serde_json::from_value(jwk).unwrap();
        let key = peer::DecodingKey::from_jwk(&jwk).unwrap();
        assert!(peer::decode::<Value>(&token, &key, &peer_validation(algorithm)).is_err());
        assert_eq!(ours.verifier().verify_at(&token, NOW), Err(VerifyError::Signature));
    }
}

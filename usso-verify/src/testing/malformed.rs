//! Tokens that must be refused.

use serde_json::{Value, json};

use super::issuer::TestIssuer;
use super::mint::Mint;
use crate::base64url;

/// A token that must be refused, and what is wrong with it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Malformed {
    /// What is wrong, in words.
    pub why: &'static str,
    /// The token.
    pub token: String,
}

pub(super) fn every(issuer: &TestIssuer, audience: &str) -> Vec<Malformed> {
    let good = || issuer.mint().audience(audience);
    let mut tokens = signed(&good);
    tokens.extend(text(&good().sign()));
    let stranger = TestIssuer::new(issuer.name.clone());
    let forged = good().header("kid", issuer.kid()).sign();
    let claims = forged.split('.').nth(1).unwrap_or_default().to_owned();
    let thief = stranger.signer(None);
    let header = forged.split('.').next().unwrap_or_default();
    let message = format!("{header}.{claims}");
    let signature = base64url::encode(&thief.sign(message.as_bytes()));
    tokens.push(("signed by somebody else", format!("{message}.{signature}")));
    tokens.into_iter().map(|(why, token)| Malformed { why, token }).collect()
}

/// Tokens that the issuer signed and that still are not good.
fn signed(good: &impl Fn() -> Mint) -> Vec<(&'static str, String)> {
    let null = Value::Null;
    [
        ("expired", good().expired()),
        ("for another audience", good().claim("aud", "https://other.example")),
        ("without audience", good().without("aud")),
        ("without issuer", good().without("iss")),
        ("without subject", good().without("sub")),
        ("without end", good().without("exp")),
        ("of another issuer", good().claim("iss", "https://evil.example")),
        ("with issuers in a list", good().claim("iss", json!(["https://evil.example"]))),
        ("with a text as end", good().claim("exp", "4102444800")),
        ("with a null as end", good().claim("exp", null)),
        ("with an endless end", good().claim("exp", 1e300)),
        ("with a negative end", good().claim("exp", -1)),
        ("not valid yet", good().claim("nbf", 4_102_444_800_u64)),
        ("issued in the future", good().claim("iat", 4_102_444_800_u64)),
        ("of another type", good().typ("logout+jwt")),
        ("a refresh token", good().claim("token_type", "refresh")),
        ("unsigned by name", good().header("alg", "none")),
        ("symmetric by name", good().header("alg", "HS256")),
        ("of an unknown key", good().header("kid", "no-such-key")),
        ("with a critical extension", good().header("crit", json!(["exp"]))),
        ("with an unencoded payload", good().header("b64", false)),
        ("too large", good().claim("padding", "x".repeat(9000))),
    ]
    .into_iter()
    .map(|(why, mint)| (why, mint.sign()))
    .collect()
}

/// What can be done to the text of a good token.
fn text(good: &str) -> Vec<(&'static str, String)> {
    let segments: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = segments.as_slice() else {
        return Vec::new();
    };
    let unsigned = base64url::encode(br#"{"alg":"none","typ":"at+jwt"}"#);
    vec![
        ("empty", String::new()),
        ("only dots", "..".to_owned()),
        ("no token at all", "not-a-token".to_owned()),
        ("without signature", format!("{header}.{claims}.")),
        ("of two segments", format!("{header}.{claims}")),
        ("of four segments", format!("{good}.{signature}")),
        ("of five segments", format!("{good}.{header}.{claims}")),
        ("padded", format!("{good}=")),
        ("with a space", format!("{good} ")),
        ("with a line break", format!("{good}\n")),
        ("cut off", good.get(..good.len() - 4).unwrap_or_default().to_owned()),
        ("unsigned", format!("{unsigned}.{claims}.")),
        ("with its segments in another order", format!("{claims}.{header}.{signature}")),
    ]
}

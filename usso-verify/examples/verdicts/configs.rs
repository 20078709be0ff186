//! Configurations, good and refused.

use serde_json::{Value, json};

use crate::keys::b64;
use crate::mutate::{AUDIENCE, ISSUER};

/// The configuration for tokens of one key.
pub(crate) fn config(jwk: &Value) -> Value {
    with(json!({"jwks": {"keys": [jwk]}}))
}

/// The configuration with these members of its issuer.
pub(crate) fn with(members: Value) -> Value {
    let mut issuer = json!({"issuer": ISSUER, "audience": AUDIENCE, "profile": "usso"});
    for (name, value) in object(members) {
        match value {
            Value::Null => drop(object_of(&mut issuer).remove(&name)),
            value => drop(object_of(&mut issuer).insert(name, value)),
        }
    }
    json!({"issuers": [issuer]})
}

/// Configurations for tokens of this key, each with its name.
pub(crate) fn good(jwk: &Value) -> Vec<(&'static str, Value)> {
    let keys = json!({"keys": [jwk]});
    let issuer = |members: Value| {
        let mut all = json!({"jwks": keys});
        object_of(&mut all).extend(object(members));
        with(all)
    };
    let common = |members: Value| {
        let mut config = config(jwk);
        object_of(&mut config).extend(object(members));
        config
    };
    let other = json!({"issuer": "https://other.example", "audience": "b", "jwks": keys});
    let mut two = config(jwk);
    two["issuers"].as_array_mut().expect("a list").push(other);
    vec![
        ("profile usso_legacy", issuer(json!({"profile": "usso_legacy"}))),
        ("profile rfc9068", issuer(json!({"profile": "rfc9068"}))),
        ("profile oidc_id_token", issuer(json!({"profile": "oidc_id_token", "typ": ["at+jwt"]}))),
        ("profile custom", issuer(json!({"profile": "custom", "typ": ["at+jwt"]}))),
        ("some types", issuer(json!({"profile": "custom", "typ": ["JWT", "at+jwt"]}))),
        (
            "a token type",
            issuer(json!({"profile": "custom", "typ": ["at+jwt"], "token_type": "access"})),
        ),
        (
            "a token type if any",
            issuer(json!({"profile": "custom", "typ": ["at+jwt"], "token_type_if_any": "access"})),
        ),
        ("a tenant", issuer(json!({"tenant": "a"}))),
        ("required claims", issuer(json!({"required_claims": ["jti", "scopes"]}))),
        ("a greatest age", issuer(json!({"max_age": 3600}))),
        ("a longest life", issuer(json!({"max_lifetime": 2_250_000_000_u64}))),
        ("any audience", issuer(json!({"audience": null, "any_audience": true}))),
        ("several audiences", issuer(json!({"audience": ["x", "api"]}))),
        ("one algorithm", issuer(json!({"algorithms": ["EdDSA", "RS256"]}))),
        ("one key, whatever its name", issuer(json!({"jwks": null, "jwk": jwk}))),
        ("several issuers", two),
        ("no leeway", common(json!({"leeway": 0}))),
        ("the greatest leeway", common(json!({"leeway": 120}))),
        ("short tokens", common(json!({"max_token_bytes": 420}))),
        ("long tokens", common(json!({"max_token_bytes": 16384}))),
        ("no cache", common(json!({"token_cache": {"entries": 0}}))),
        ("a small cache", common(json!({"token_cache": {"entries": 2, "max_seconds": 1}}))),
    ]
}

/// Configurations that are refused.
pub(crate) fn refused(jwk: &Value, rsa: &Value) -> Vec<Value> {
    let keyed = |jwk: Value| with(json!({"jwk": jwk}));
    let changed = |key: &Value, name: &str, value: Value| {
        let mut key = key.clone();
        key[name] = value;
        keyed(key)
    };
    let set = json!({"keys": [jwk]});
    vec![
        json!({}),
        json!([]),
        json!({"issuers": []}),
        json!({"issuers": [{"issuer": ISSUER}]}),
        json!({"issuers": [{"issuer": "", "audience": AUDIENCE, "jwks": set}]}),
        json!({"issuers": [{"audience": AUDIENCE, "jwks": set}]}),
        with(json!({"jwks": set, "audience": null})),
        with(json!({"jwks": set, "audience": ""})),
        with(json!({"jwks": set, "audience": []})),
        with(json!({"jwks": set, "any_audience": true})),
        with(json!({"jwks": set, "jwk": jwk})),
        with(json!({"jwks": set, "jwks_url": "https://sso.example/keys"})),
        with(json!({"jwks": {"keys": []}})),
        with(json!({"jwks": {}})),
        with(json!({"jwks": {"keys": [jwk, jwk]}})),
        with(json!({"jwks": set, "algorithms": []})),
        with(json!({"jwks": set, "algorithms": ["none"]})),
        with(json!({"jwks": set, "algorithms": ["HS256"]})),
        with(json!({"jwks": set, "profile": "none"})),
        with(json!({"jwks": set, "profile": "custom"})),
        with(json!({"jwks": set, "required_claims": ["x"]})),
        with(json!({"jwks": set, "no_such": 1})),
        with(json!({"jwks": set, "max_age": -1})),
        with(json!({"jwks_url": "http://sso.example/keys"})),
        with(json!({"jwks_url": "ftp://sso.example/keys"})),
        json!({"issuers": config(jwk)["issuers"], "leeway": 121}),
        json!({"issuers": config(jwk)["issuers"], "no_such": 1}),
        json!({"issuers": [config(jwk)["issuers"][0], config(jwk)["issuers"][0]]}),
        keyed(json!({"kty": "oct", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"})),
        changed(jwk, "d", json!("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")),
        changed(jwk, "alg", json!("RS256")),
        changed(jwk, "use", json!("enc")),
        changed(jwk, "key_ops", json!(["sign"])),
        changed(jwk, "crv", json!("Ed448")),
        changed(jwk, "x", json!(b64([0; 32]))),
        changed(jwk, "x", json!(b64([1; 31]))),
        changed(jwk, "x", json!("+/==")),
        changed(rsa, "n", json!(b64([0xff; 128]))),
        changed(rsa, "n", json!(b64([&[0][..], &[0xff; 256]].concat()))),
        changed(rsa, "e", json!("Aw")),
        changed(rsa, "e", json!("AQABAQAB")),
        changed(rsa, "alg", json!("HS256")),
    ]
}

fn object(value: Value) -> serde_json::Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => panic!("an object"),
    }
}

fn object_of(value: &mut Value) -> &mut serde_json::Map<String, Value> {
    value.as_object_mut().expect("an object")
}

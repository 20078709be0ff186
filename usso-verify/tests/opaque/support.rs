//! An issuer in memory that counts what it is asked.

use serde_json::{Map, Value, json};
use usso_verify::opaque::*;
use usso_verify::{Response, UserData};

pub(crate) const NOW: u64 = 1_750_000_000;
pub(crate) const ISSUER: &str = "https://sso.example";
pub(crate) const KEY: &str = "usso_sk_0123456789abcdef";
pub(crate) const TOKEN: &str = "2YotnFZFEjr1zCsicMWpAA";

pub(crate) fn client() -> ClientAuth {
    ClientAuth::basic("api", "hunter2").unwrap()
}

pub(crate) fn introspection() -> Introspection {
    let audiences = Audiences::one_of(["api"]);
    Introspection::new("https://sso.example/introspect", ISSUER, audiences, client()).unwrap()
}

pub(crate) fn key_rules() -> KeyRules {
    KeyRules::new(ISSUER, Audiences::Any).unwrap()
}

pub(crate) fn api_keys() -> ApiKeys {
    ApiKeys::new("https://sso.example/api/sso/v1/apikeys/verify", key_rules()).unwrap()
}

#[expect(clippy::needless_pass_by_value, reason = "the callers read better")]
pub(crate) fn answer(status: u16, body: impl ToString) -> Response {
    Response::new(status, body.to_string().into_bytes())
}

/// An answer about a good token, changed by `with`; `null` removes a member.
pub(crate) fn good(with: Value) -> Value {
    let mut good = json!({
        "active": true, "iss": ISSUER, "sub": "user:1", "aud": "api", "exp": NOW + 900,
        "iat": NOW, "nbf": NOW, "token_type": "Bearer", "client_id": "web",
        "scope": "read:files  write:files",
    });
    let members = good.as_object_mut().unwrap();
    members.extend(serde_json::from_value::<Map<_, _>>(with).unwrap());
    members.retain(|_, value| !value.is_null());
    good
}

pub(crate) fn judge(body: impl ToString) -> Result<UserData, Error> {
    introspection().judge(&answer(200, body), NOW)
}

pub(crate) fn judge_key(body: impl ToString) -> Result<UserData, Error> {
    api_keys().judge(&answer(200, body), NOW)
}

pub(crate) fn user(with: Value) -> UserData {
    judge(good(with)).unwrap()
}

pub(crate) const ODD: Error = Error::Unavailable(Reason::Answer);

/// Bodies that are no answer at all.
pub(crate) fn hostile_bodies() -> Vec<String> {
    let active = |rest: &str| format!(r#"{{"active":true,"sub":"user:1","aud":"api"{rest}}}"#);
    vec![
        String::new(),
        "<html><body>Sign in</body></html>".to_owned(),
        "null".to_owned(),
        "true".to_owned(),
        "[]".to_owned(),
        format!("[{}]", active("")),
        active("") + "x",
        active(r#","active":true"#),
        active(r#","sub":"user:2""#),
        active(r#","\u0073ub":"user:2""#),
        active(r#","x":{"a":1,"a":2}"#),
        active(&format!(r#","x":{}{}"#, "[".repeat(100_000), "]".repeat(100_000))),
        active(&format!(r#","x":{}{}"#, "[".repeat(40), "]".repeat(40))),
        active(&format!(r#","x":"{}""#, "a".repeat(10_000_000))),
        active(r#","exp":1e400"#),
    ]
}

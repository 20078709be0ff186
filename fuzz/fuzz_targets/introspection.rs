//! Any bytes as what an issuer answers about an opaque credential, and any text as a credential.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use usso_fuzz::{AUDIENCE, ISSUER, NOW};
use usso_verify::opaque::{
    ApiKeys, Audiences, ClientAuth, Error, Introspection, KeyRules, Origin, Upstream,
};
use usso_verify::{Response, UserData};

static TOKENS: LazyLock<Introspection> =
    LazyLock::new(|| introspection(Audiences::one_of([AUDIENCE])));
static CLIENTS: LazyLock<Introspection> =
    LazyLock::new(|| introspection(Audiences::Any).client_subject_prefix(PREFIX).unwrap());
static KEYS: LazyLock<ApiKeys> = LazyLock::new(|| {
    ApiKeys::new(ENDPOINT, KeyRules::new(ISSUER, Audiences::Any).unwrap()).unwrap()
});

fuzz_target!(|data: &[u8]| {
    for (upstream, asked) in [
        (&*TOKENS as &dyn Upstream, TOKENS_ASKED),
        (&*CLIENTS, CLIENTS_ASKED),
        (&*KEYS, KEYS_ASKED),
    ] {
        let judge = |status| upstream.judge(&Response::new(status, data.to_vec()), NOW);
        if let Ok(user) = judge(200) {
            is_founded(&user, serde_json::from_slice(data).unwrap(), asked);
        }
        assert_eq!(judge(200), judge(200));
        let status = data.first_chunk().map_or(500, |bytes| u16::from_le_bytes(*bytes));
        assert!(status == 200 || judge(status).is_err());
        assert!(judge(503).is_err_and(Error::is_unavailable));
    }
    if let Ok(text) = std::str::from_utf8(data) {
        asks_about(text);
    }
});

/// Who was asked, and by which rules.
#[derive(Clone, Copy)]
struct Asked {
    audience: bool,
    clients: bool,
    keys: bool,
}

const TOKENS_ASKED: Asked = Asked { audience: true, clients: false, keys: false };
const CLIENTS_ASKED: Asked = Asked { audience: false, clients: true, keys: false };
const KEYS_ASKED: Asked = Asked { audience: false, clients: false, keys: true };

/// What another reader must find in an answer that names somebody.
fn is_founded(user: &UserData, mut answer: Map<String, Value>, asked: Asked) {
    if asked.keys {
        answer.retain(|_, value| !value.is_null());
        assert!(["active", "valid"].iter().all(|is| answer.get(*is).is_none_or(|is| *is == true)));
    } else {
        assert_eq!(answer["active"], true);
        let kind = answer.get("token_type").map(|kind| kind.as_str().unwrap().to_lowercase());
        assert!(kind.is_none_or(|kind| TYPES.contains(&&*kind)));
    }
    match answer.get("sub") {
        Some(subject) => assert_eq!(*subject, *user.sub),
        None => {
            assert!(asked.clients);
            let client = answer["client_id"].as_str().unwrap();
            assert_eq!(user.sub, format!("{PREFIX}{client}"));
            assert!(!client.is_empty());
        }
    }
    assert!(!user.sub.is_empty());
    assert!(user.iss == ISSUER && answer.get("iss").is_none_or(|issuer| *issuer == ISSUER));
    times_are_right(user, &answer);
    let audiences =
        answer.get("aud").map(|aud| aud.as_array().cloned().unwrap_or(vec![aud.clone()]));
    assert_eq!(audiences.unwrap_or_default(), user.aud);
    assert!(!asked.audience || user.aud.iter().any(|aud| aud == AUDIENCE));
    assert_eq!(answer.contains_key("cnf"), user.cnf.is_some());
    // A number with a fraction may come back a little different; nothing that decides may.
    let again: UserData = serde_json::from_str(&serde_json::to_string(user).unwrap()).unwrap();
    assert_eq!(what_decides(&again), what_decides(user));
}

fn what_decides(user: &UserData) -> UserData {
    let mut user = user.clone();
    user.claims.clear();
    user.cnf.iter_mut().for_each(|cnf| cnf.others.clear());
    user
}

fn times_are_right(user: &UserData, answer: &Map<String, Value>) {
    let number = |name: &str| answer.get(name).map(|time| time.as_f64().unwrap().floor());
    assert_eq!(user.exp as f64, number("exp").unwrap_or((NOW + 60) as f64));
    assert!(user.exp > NOW);
    let latest = (NOW + 30) as f64;
    assert!(number("nbf").is_none_or(|start| start <= latest));
    assert!(number("iat").is_none_or(|issued| issued <= latest));
}

/// A credential is admitted only if it can be sent as it is, and then it is what is sent.
fn asks_about(text: &str) {
    if let Ok(token) = TOKENS.credential(text, Origin::Bearer) {
        assert_eq!(format!("{token:?}"), "Credential(..)");
        let request = TOKENS.request(&token);
        let form = String::from_utf8(request.body.unwrap()).unwrap();
        let fields: Vec<_> = form.split('&').map(|field| field.split_once('=').unwrap()).collect();
        let [("token", sent), ("token_type_hint", "access_token")] = fields[..] else { panic!() };
        assert_eq!(unescaped(sent), text);
        assert_eq!(request.url, ENDPOINT);
    }
    for (origin, is_known) in
        [(Origin::Bearer, text.starts_with("usso_sk_")), (Origin::KeyHeader, true)]
    {
        if let Ok(key) = KEYS.credential(text, origin) {
            assert!(is_known && (16..=512).contains(&text.len()));
            let body = KEYS.request(&key).body.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body, serde_json::json!({"api_key": text}));
        }
    }
    assert_eq!(TOKENS.credential(text, Origin::KeyHeader).err(), Some(Error::Unrecognised));
}

fn unescaped(text: &str) -> String {
    let mut pieces = text.split('%');
    let first = pieces.next().unwrap().to_owned();
    pieces.fold(first, |plain, piece| {
        let byte = u8::from_str_radix(&piece[..2], 16).unwrap();
        plain + &char::from(byte).to_string() + &piece[2..]
    })
}

fn introspection(audiences: Audiences) -> Introspection {
    let client = ClientAuth::bearer("secret").unwrap();
    Introspection::new(ENDPOINT, ISSUER, audiences, client).unwrap()
}

const ENDPOINT: &str = "https://sso.example/introspect";
const PREFIX: &str = "client:";
const TYPES: [&str; 4] = ["access", "access_token", "bearer", "dpop"];

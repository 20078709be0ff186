//! Why the verdicts may differ. The first rule that explains a difference counts.

use serde_json::Value;

use crate::mutate::NOW;
use crate::peers::LEEWAY;
use crate::peers::Peer::{self, JsonWebToken as J, JwtSimple as S};
use crate::view::View;

/// One reason for a difference.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    peer: Peer,
    /// The code we refuse the token with, or `None` if we accept it and the peer does not.
    code: Option<&'static str>,
    holds: fn(&View) -> bool,
    pub(crate) reason: &'static str,
}

impl Rule {
    pub(crate) fn explains(&self, peer: Peer, view: &View) -> bool {
        self.peer == peer && self.code == view.code && (self.holds)(view)
    }
}

const fn rule(
    name: &'static str,
    peer: Peer,
    code: Option<&'static str>,
    holds: fn(&View) -> bool,
    reason: &'static str,
) -> Rule {
    Rule { name, peer, code, holds, reason }
}

/// A typed text claim of ours with another type.
fn wrong_text(view: &View, names: &[&str]) -> bool {
    names.iter().any(|name| view.claims.value.get(name).is_some_and(|value| !value.is_string()))
}

/// A header member that should be a text and is neither that nor null.
fn wrong_header(view: &View, names: &[&str]) -> bool {
    let wrong = |value: &Value| !value.is_string() && !value.is_null();
    names.iter().any(|name| view.header.value.get(name).is_some_and(wrong))
}

/// A list claim of ours that is not a list of strings.
fn wrong_list(view: &View) -> bool {
    ["roles", "scopes", "amr"].iter().any(|name| {
        view.claims.value.get(name).is_some_and(|value| {
            !value.as_array().is_some_and(|items| items.iter().all(Value::is_string))
        })
    })
}

/// A time claim that is no number from 0 to the end of the year 9999.
fn wrong_time(view: &View, names: &[&str]) -> bool {
    names.iter().any(|name| {
        let present = view.claims.has(name);
        present && !view.claims.number(name).is_some_and(|time| (0.0..=YEAR_9999).contains(&time))
    })
}

fn between(time: Option<f64>, from: u64, to: u64) -> bool {
    time.is_some_and(|time| (float(from)..float(to)).contains(&time))
}

fn float(seconds: u64) -> f64 {
    f64::from(u32::try_from(seconds).unwrap())
}

fn typ_differs(view: &View) -> bool {
    !["at+jwt", "application/at+jwt"].contains(&view.header.text("typ").unwrap_or_default())
}

/// Before the end of a good token.
const YEAR_2090: u64 = 3_786_912_000;
const YEAR_9999: f64 = 253_402_300_799.0;
const TEXT_CLAIMS: [&str; 9] = [
    "jti",
    "client_id",
    "token_type",
    "session_id",
    "tenant_id",
    "workspace_id",
    "acr",
    "signing_level",
    "scope",
];

pub(crate) const RULES: [Rule; 37] = [
    rule(
        "jsonwebtoken: crit",
        J,
        Some("token.critical"),
        |view| view.header.has("crit"),
        "it does not read it; RFC 7515 §4.1.11 has unknown extensions refused",
    ),
    rule(
        "jsonwebtoken: b64",
        J,
        Some("token.critical"),
        |view| view.header.has("b64"),
        "it does not know RFC 7797; a reader that does sees other claims",
    ),
    rule(
        "jsonwebtoken: typ",
        J,
        Some("token.typ"),
        typ_differs,
        "it has no setting for `typ` (RFC 8725 §3.11)",
    ),
    rule(
        "jsonwebtoken: kid",
        J,
        Some("token.unknown_key"),
        |view| view.header.text("kid").is_some_and(|kid| kid != "k1"),
        "it is given a key and does not read `kid`",
    ),
    rule(
        "jsonwebtoken: null in the header",
        J,
        Some("token.malformed"),
        |view| view.header.is_null("typ") || view.header.is_null("kid"),
        "null counts as absent there",
    ),
    rule(
        "jsonwebtoken: claims in a list",
        J,
        Some("token.malformed"),
        |view| view.claims.value.is_array(),
        "a list in the order of its fields passes for the claims",
    ),
    rule(
        "jsonwebtoken: duplicates",
        J,
        Some("token.duplicate_member"),
        |view| view.header.doubled || view.claims.doubled,
        "it notices duplicates of the members it has a field for only; else the last one counts",
    ),
    rule(
        "jsonwebtoken: depth",
        J,
        Some("token.too_deep"),
        |view| view.header.depth > 32 || view.claims.depth > 32,
        "its JSON reader stops at 127",
    ),
    rule(
        "jsonwebtoken: size",
        J,
        Some("token.too_large"),
        |view| view.length > 8192 || view.header_length > 5462,
        "it has no limit",
    ),
    rule(
        "jsonwebtoken: issuer in a list",
        J,
        Some("token.claim_invalid"),
        |view| view.claims.value["iss"].is_array(),
        "it takes a list of issuers with ours among them; RFC 7519 §4.1.1 has one",
    ),
    rule(
        "jsonwebtoken: empty subject",
        J,
        Some("token.claim_invalid"),
        |view| view.claims.text("sub") == Some(""),
        "it asks for `sub` to be there only",
    ),
    rule(
        "jsonwebtoken: types of claims",
        J,
        Some("token.claim_invalid"),
        |view| {
            wrong_text(view, &TEXT_CLAIMS)
                || wrong_list(view)
                || wrong_time(view, &["iat", "auth_time"])
        },
        "it knows the registered claims it validates only",
    ),
    rule(
        "jsonwebtoken: end of time",
        J,
        Some("token.claim_invalid"),
        |view| wrong_time(view, &["exp", "nbf"]),
        "it takes any 64-bit number; ours ends with the year 9999, to catch milliseconds",
    ),
    rule(
        "jsonwebtoken: kind of token",
        J,
        Some("token.token_type"),
        |view| view.claims.text("token_type") != Some("access"),
        "the claim is USSO's",
    ),
    rule(
        "jsonwebtoken: issue in the future",
        J,
        Some("token.issued_in_future"),
        |view| view.claims.number("iat").is_some_and(|time| time > float(NOW + LEEWAY)),
        "it does not read `iat`",
    ),
    rule(
        "jsonwebtoken: nbf by its own clock",
        J,
        Some("token.not_yet_valid"),
        |view| between(view.claims.number("nbf"), NOW + LEEWAY + 1, YEAR_2090),
        "its clock cannot be set, and is later than the test's",
    ),
    rule(
        "jsonwebtoken: exp by its own clock",
        J,
        None,
        |view| between(view.claims.number("exp"), NOW - LEEWAY + 1, YEAR_2090),
        "its clock cannot be set, and is later than the test's",
    ),
    rule(
        "jsonwebtoken: Ed25519",
        J,
        None,
        |view| view.header.text("alg") == Some("Ed25519"),
        "it does not know the name of RFC 9864",
    ),
    rule(
        "jsonwebtoken: types in the header",
        J,
        None,
        |view| {
            let texts = ["jku", "x5u", "x5t", "x5t#S256", "cty", "zip", "enc", "url", "nonce"];
            wrong_header(view, &texts) || view.header.has("x5c") || view.header.has("jwk")
        },
        "it reads the header members that nobody trusts, and refuses those of another type",
    ),
    rule(
        "jwt-simple: crit",
        S,
        Some("token.critical"),
        |view| {
            let crit = &view.header.value["crit"];
            view.header.is_null("crit") || crit.as_array().is_some_and(Vec::is_empty)
        },
        "it takes an empty list, which RFC 7515 §4.1.11 forbids, and null",
    ),
    rule(
        "jwt-simple: b64",
        S,
        Some("token.critical"),
        |view| view.header.has("b64"),
        "it does not know RFC 7797; a reader that does sees other claims",
    ),
    rule(
        "jwt-simple: case of typ",
        S,
        Some("token.typ"),
        |view| view.header.text("typ").is_some_and(|typ| typ.eq_ignore_ascii_case("at+jwt")),
        "it compares without case",
    ),
    rule(
        "jwt-simple: typ with application/",
        S,
        None,
        |view| view.header.text("typ") == Some("application/at+jwt"),
        "it takes one value only; RFC 9068 §4 has two",
    ),
    rule(
        "jwt-simple: kid is required",
        S,
        None,
        |view| !view.header.has("kid"),
        "without the setting it does not read `kid`; we need none where there is one key",
    ),
    rule(
        "jwt-simple: header in a list",
        S,
        Some("token.malformed"),
        |view| view.header.value.is_array(),
        "a list in the order of its fields passes for the header",
    ),
    rule(
        "jwt-simple: header unread",
        S,
        Some("token.malformed"),
        |view| view.header.skimmed,
        "it skips unknown members without a look at their text, so a lone surrogate passes",
    ),
    rule(
        "jwt-simple: duplicates",
        S,
        Some("token.duplicate_member"),
        |view| view.header.doubled || view.claims.doubled,
        "it notices duplicates of the members it has a field for only; else the last one counts",
    ),
    rule(
        "jwt-simple: depth",
        S,
        Some("token.too_deep"),
        |view| view.header.depth > 32 || view.claims.depth > 32 || view.header.skimmed,
        "its JSON reader stops at 127, and nowhere in members it does not know",
    ),
    rule(
        "jwt-simple: no subject",
        S,
        Some("token.claim_missing"),
        |view| !view.claims.has("sub"),
        "it can ask for one subject only, not for any",
    ),
    rule(
        "jwt-simple: no end",
        S,
        Some("token.claim_missing"),
        |view| !view.claims.has("exp"),
        "a token without `exp` never expires there",
    ),
    rule(
        "jwt-simple: subject",
        S,
        Some("token.claim_invalid"),
        |view| view.claims.text("sub") == Some("") || view.claims.is_null("sub"),
        "it takes an empty subject, and null",
    ),
    rule(
        "jwt-simple: types of claims",
        S,
        Some("token.claim_invalid"),
        |view| {
            wrong_text(view, &TEXT_CLAIMS) || wrong_list(view) || wrong_time(view, &["auth_time"])
        },
        "it knows the registered claims only, and null counts as absent there",
    ),
    rule(
        "jwt-simple: range of times",
        S,
        Some("token.claim_invalid"),
        |view| {
            ["exp", "nbf", "iat"].iter().any(|name| {
                view.claims.number(name).is_some_and(|time| !(0.0..=YEAR_9999).contains(&time))
            })
        },
        "it clamps a number to what it can hold",
    ),
    rule(
        "jwt-simple: kind of token",
        S,
        Some("token.token_type"),
        |view| view.claims.text("token_type") != Some("access"),
        "the claim is USSO's",
    ),
    rule(
        "jwt-simple: last second",
        S,
        Some("token.expired"),
        |view| between(view.claims.number("exp"), NOW - LEEWAY, NOW - LEEWAY + 1),
        "it accepts in the second of `exp` itself; RFC 7519 §4.1.4 says on or after",
    ),
    rule(
        "jwt-simple: header members",
        S,
        None,
        |view| {
            wrong_header(view, &["jku", "x5u", "x5t", "x5t#S256", "cty", "jwk"])
                || view.header.has("x5c")
                || view.header.has("salt")
        },
        "it reads the header members that nobody trusts, and refuses those of another type",
    ),
    rule(
        "jwt-simple: claims of its own",
        S,
        None,
        |view| wrong_text(view, &["nonce"]),
        "it has a field for `nonce`",
    ),
];

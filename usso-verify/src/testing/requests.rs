//! What every adapter to a web framework must answer: a table of requests and answers.
//!
//! The adapter's test makes an app with these routes, each of which answers with the caller's `sub`,
//! guarded by [`guard`]:
//!
//! | route | guarded by |
//! | --- | --- |
//! | `/me`, every method | a caller |
//! | `/maybe` | a caller or none; `nobody` for none |
//! | `/claims` | a caller with the claim `color`, with which it answers |
//! | `/files` | `read:files` |
//! | `/users/{id}`; `/policy/{id}` by a policy in the signature | `read:users?user_id={id}` |
//! | `/admin` | the role `admin` |
//! | `/machine` | a service account |
//! | `/w/{workspace}/notes` | the workspace `{workspace}` |
//! | `/t/{tenant}/notes` | the tenant `{tenant}` |
//! | `/payments` | an authentication at most 300 seconds ago |
//! | `/panic` | a caller; the handler panics |

use serde::Deserialize;
use serde_json::{Map, Value};

use super::{Prover, TestIssuer};
use crate::algorithm::Algorithm;
use crate::clock::Clock as _;
use crate::guard::{Guard, InvalidGuard};

const AUDIENCE: &str = "https://api.example";

/// A request, and the answer to it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Case {
    /// What it shows.
    pub name: String,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The statuses of which the answer must have one.
    statuses: Vec<u16>,
    code: Option<String>,
    body: Option<String>,
    challenges: Option<Vec<String>>,
}

/// The file.
#[derive(Deserialize)]
struct Table {
    tokens: Map<String, Value>,
    cases: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    status: Value,
    code: Option<String>,
    body: Option<String>,
    challenges: Option<Vec<String>>,
}

/// Makes the guard that the table is for.
///
/// # Errors
///
/// [`InvalidGuard`] never: the settings are sound.
pub fn guard(issuer: &TestIssuer) -> Result<Guard, InvalidGuard> {
    Guard::builder(issuer.verifier(AUDIENCE))
        .cookie("usso-access-token")
        .allow_origin("https://app.example")
        .public_url(AUDIENCE)
        .build()
}

/// Gives the table, with tokens of this issuer. The requests are to be made in order, each once.
#[must_use]
pub fn requests(issuer: &TestIssuer) -> Vec<Case> {
    let table: Table =
        serde_json::from_str(include_str!("requests.json")).expect("the table is sound");
    let words = Words::new(issuer, table.tokens);
    table.cases.into_iter().map(|row| words.case(row)).collect()
}

/// What stands for `$name` in the table.
struct Words {
    issuer: TestIssuer,
    prover: Prover,
    tokens: Vec<(String, String)>,
}

impl Words {
    fn new(issuer: &TestIssuer, tokens: Map<String, Value>) -> Self {
        let prover = Prover::new();
        let minted = tokens.into_iter().map(|(name, claims)| {
            let token = mint(issuer, &prover, &claims);
            (name, token)
        });
        let mut tokens: Vec<_> = minted.collect();
        // The longer name first, so that none is read as another and some letters.
        tokens.sort_by_key(|(name, _)| std::cmp::Reverse(name.len()));
        Self { issuer: issuer.clone(), prover, tokens }
    }

    fn case(&self, row: Row) -> Case {
        let headers = row.headers.into_iter().map(|(name, value)| (name, self.fill(&value)));
        let statuses = match &row.status {
            Value::Array(statuses) => statuses.iter().filter_map(status).collect(),
            one => status(one).into_iter().collect(),
        };
        Case {
            path: self.fill(&row.path),
            headers: headers.collect(),
            statuses,
            challenges: row.challenges.map(|all| all.iter().map(|one| self.fill(one)).collect()),
            name: row.name,
            method: row.method,
            code: row.code,
            body: row.body,
        }
    }

    fn fill(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let bound = self.tokens.iter().find(|(name, _)| name == "bound");
        let bound = bound.map_or("", |(_, token)| token);
        let now = self.issuer.clock().now();
        for (word, method, path) in [
            ("$proof_elsewhere", "GET", "/files"),
            ("$proof_get", "GET", "/me"),
            ("$proof", "GET", "/me"),
        ] {
            if text.contains(word) {
                let uri = format!("{AUDIENCE}{path}");
                text = text.replace(word, &self.prover.proof(method, &uri, bound, now));
            }
        }
        for (name, token) in &self.tokens {
            text = text.replace(&format!("${name}"), token);
        }
        text.replace("$algs", &Algorithm::ALL.map(Algorithm::as_str).join(" "))
    }
}

fn status(value: &Value) -> Option<u16> {
    value.as_u64().and_then(|status| u16::try_from(status).ok())
}

/// Numbers of times are seconds from now.
fn mint(issuer: &TestIssuer, prover: &Prover, claims: &Value) -> String {
    let now = issuer.clock().now();
    let mut mint = issuer.mint().audience(AUDIENCE);
    for (name, value) in claims.as_object().into_iter().flatten() {
        mint = match (name.as_str(), value.as_i64()) {
            ("cnf", _) => mint.bound_to(prover),
            (_, Some(offset)) => mint.claim(name, now.saturating_add_signed(offset)),
            _ => mint.claim(name, value.clone()),
        };
    }
    mint.sign()
}

impl Case {
    /// Compares an answer with the one that the table gives.
    ///
    /// # Errors
    ///
    /// What is different, in words.
    pub fn check(&self, status: u16, challenges: &[String], body: &str) -> Result<(), String> {
        let code = serde_json::from_str::<Value>(body).ok();
        let code = code.as_ref().and_then(|body| body.get("error_code")).and_then(Value::as_str);
        let mut wrong = Vec::new();
        if !self.statuses.contains(&status) {
            wrong.push(format!("status {status}, not {:?}", self.statuses));
        }
        if self.code.is_some() && self.code.as_deref() != code {
            wrong.push(format!("code {code:?}, not {:?}", self.code));
        }
        if self.body.as_ref().is_some_and(|wanted| wanted != body) {
            wrong.push(format!("body {body:?}, not {:?}", self.body));
        }
        if self.challenges.as_ref().is_some_and(|wanted| !alike(wanted, challenges)) {
            wrong.push(format!("challenges {challenges:#?}, not {:#?}", self.challenges));
        }
        if wrong.is_empty() { Ok(()) } else { Err(format!("{}: {}", self.name, wrong.join("; "))) }
    }
}

/// `$any` in the table stands for any words without a quote.
fn alike(wanted: &[String], found: &[String]) -> bool {
    wanted.len() == found.len()
        && wanted.iter().zip(found).all(|(wanted, found)| match wanted.split_once("$any") {
            None => wanted == found,
            Some((start, end)) => {
                let middle = found.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
                middle.is_some_and(|middle| !middle.contains('"'))
            }
        })
}

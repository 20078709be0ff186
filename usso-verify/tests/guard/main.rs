//! The guard, without a framework. What it does with requests is in the table that every framework's
//! tests go through; here is what frameworks do not show.
#![cfg(test)]
#![cfg(feature = "testing")]

mod answers;
mod caller;
mod rules;
mod settings;

use usso_verify::{
    Principal,
    guard::{Guard, Head, Refusal, Rule},
    testing::{Mint, TestIssuer},
};

const AUDIENCE: &str = "https://api.example";

fn issuer() -> TestIssuer {
    TestIssuer::new("https://sso.example")
}

fn guard(issuer: &TestIssuer) -> Guard {
    Guard::new(issuer.verifier(AUDIENCE))
}

async fn admitted(issuer: &TestIssuer, mint: Mint, rule: &Rule) -> Result<Principal, Refusal> {
    let header = mint.audience(AUDIENCE).authorization();
    let head = Head::new("GET", "/", [("authorization", header.as_str())]);
    guard(issuer).admit(&head, rule, |name| (name == "id").then(|| "7".to_owned())).await
}

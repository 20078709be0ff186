//! The dependency check: licences, banned packages and sources, as written in `deny.toml`.
//!
//! It reads the same file as `cargo deny` and answers the same three questions without needing
//! that tool. What ships (normal and build dependencies, every feature and platform) must not
//! contain a banned package; licences and sources are checked for development dependencies too.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Deserialize;

use crate::{process, spdx};

/// Checks the repository's resolved dependencies.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let policy = std::fs::read_to_string(root.join("deny.toml"))
        .map_err(|error| format!("deny.toml: {error}"))?;
    let arguments = ["metadata", "--format-version", "1", "--all-features", "--locked"];
    let graph = process::cargo_output(root, &arguments)?;
    // The metadata also lists what no feature brings in (`dep?/feature`); the tree does not.
    let built = tree(root, &["--edges", "all"])?;
    // Benchmarks bring in peers; nobody is given them.
    let shipped = tree(root, &["--edges", "normal,build", "--exclude", "usso-benches"])?;
    let findings = check(&policy, &graph, &built, &shipped)?;
    if findings.is_empty() { Ok(()) } else { Err(findings.join("\n")) }
}

/// Names and versions of packages.
type Names = BTreeSet<(String, String)>;

fn tree(root: &Path, edges: &[&str]) -> Result<Names, String> {
    let arguments = ["tree", "--workspace", "--all-features", "--target", "all"];
    let format = ["--prefix", "none", "--format", "{p}", "--locked"];
    Ok(names(&process::cargo_output(root, &[&arguments[..], edges, &format].concat())?))
}

fn names(tree: &str) -> Names {
    let named = tree.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        Some((name.to_owned(), version.to_owned()))
    });
    named.collect()
}

/// Names every package that breaks the policy, and why.
fn check(policy: &str, graph: &str, built: &Names, shipped: &Names) -> Result<Vec<String>, String> {
    let policy: Policy = toml::from_str(policy).map_err(|error| format!("deny.toml: {error}"))?;
    let mut graph: Graph =
        serde_json::from_str(graph).map_err(|error| format!("cargo metadata: {error}"))?;
    let named = |package: &Package| (package.name.clone(), package.version.clone());
    graph.packages.retain(|package| built.contains(&named(package)));
    let banned = banned_names(&policy)?;
    let mut findings = Vec::new();
    for package in &graph.packages {
        let label = format!("{} {}", package.name, package.version);
        if let Some(problem) = licence_problem(package, &policy.licenses.allow) {
            findings.push(format!("{label}: {problem}"));
        }
        if let Some(source) = package.source.as_deref()
            && !known_source(source, &policy.sources.registries)
        {
            findings.push(format!("{label}: source {source} is not in [sources] allow-registry"));
        }
        if banned.contains(package.name.as_str()) && shipped.contains(&named(package)) {
            let name = &package.name;
            findings.push(format!("{label}: banned by deny.toml; see `cargo tree -i {name}`"));
        }
    }
    Ok(findings)
}

fn licence_problem(package: &Package, accepted: &BTreeSet<String>) -> Option<String> {
    let Some(expression) = package.license.as_deref() else {
        return Some("states no licence".to_owned());
    };
    match spdx::satisfied(expression, accepted) {
        Ok(true) => None,
        Ok(false) => Some(format!("licence `{expression}` is not in [licenses] allow")),
        Err(problem) => Some(format!("unreadable licence {problem}")),
    }
}

fn known_source(source: &str, registries: &[String]) -> bool {
    source.strip_prefix("registry+").is_some_and(|url| registries.iter().any(|known| known == url))
}

/// A ban that this check would read differently from `cargo deny` is refused, not guessed.
fn banned_names(policy: &Policy) -> Result<BTreeSet<&str>, String> {
    let names: BTreeSet<&str> = policy.bans.deny.iter().map(|ban| ban.name.as_str()).collect();
    match names.iter().find(|name| name.contains(['@', ':', '='])) {
        None => Ok(names),
        Some(name) => Err(format!("deny.toml: ban `{name}` whole; versions are not supported")),
    }
}

#[derive(Deserialize)]
struct Policy {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Ban>,
}

#[derive(Deserialize)]
struct Ban {
    #[serde(rename = "crate")]
    name: String,
}

#[derive(Deserialize)]
struct Sources {
    #[serde(rename = "allow-registry")]
    registries: Vec<String>,
}

#[derive(Deserialize)]
struct Graph {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const POLICY: &str = r#"
        [licenses]
        allow = ["MIT"]
        [bans]
        deny = [{ crate = "ring", wrappers = ["old"] }]
        [sources]
        allow-registry = ["https://github.com/rust-lang/crates.io-index"]
    "#;

    fn package(name: &str, license: &Value) -> Value {
        let source = "registry+https://github.com/rust-lang/crates.io-index";
        json!({"name": name, "version": "1.0.0", "license": license, "source": source})
    }

    /// An app, and `ring` under this licence.
    fn graph(license: &Value) -> String {
        json!({"packages": [package("app", &json!("MIT")), package("ring", license)]}).to_string()
    }

    /// What is found where both are built, and the app alone is given to others.
    fn found(policy: &str, graph: &str) -> Result<Vec<String>, String> {
        let built = names("app v1.0.0 (/app)\nring v1.0.0 (*)");
        check(policy, graph, &built, &names("app v1.0.0 (/app)"))
    }

    #[test]
    fn what_no_feature_brings_in_is_not_looked_at() {
        let built = names("app v1.0.0\nring v2.0.0");
        let found = check(POLICY, &graph(&json!("GPL-3.0")), &built, &built);
        assert_eq!(found.unwrap(), [""; 0]);
    }

    #[test]
    fn a_banned_package_is_found_in_what_ships() {
        let shipped = names("app v1.0.0 (/app)\nring v1.0.0 (*)");
        let found = check(POLICY, &graph(&json!("MIT")), &shipped, &shipped).unwrap();
        assert_eq!(found, ["ring 1.0.0: banned by deny.toml; see `cargo tree -i ring`"]);
    }

    #[test]
    fn a_banned_package_may_be_used_by_tests() {
        assert_eq!(found(POLICY, &graph(&json!("MIT"))).unwrap(), [""; 0]);
    }

    #[test]
    fn a_licence_outside_the_list_is_found_even_in_tests() {
        let found = found(POLICY, &graph(&json!("GPL-3.0"))).unwrap();
        assert_eq!(found, ["ring 1.0.0: licence `GPL-3.0` is not in [licenses] allow"]);
    }

    #[test]
    fn a_missing_or_unreadable_licence_is_found() {
        for bad in [Value::Null, json!("MIT and more")] {
            assert_eq!(found(POLICY, &graph(&bad)).unwrap().len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_package_from_elsewhere_is_found() {
        let elsewhere = graph(&json!("MIT")).replace("registry+", "git+");
        assert_eq!(found(POLICY, &elsewhere).unwrap().len(), 2);
    }

    #[test]
    fn a_ban_of_one_version_is_refused_rather_than_misread() {
        let policy = POLICY.replace("\"ring\"", "\"ring@0.16\"");
        assert!(found(&policy, &graph(&json!("MIT"))).is_err());
    }
}

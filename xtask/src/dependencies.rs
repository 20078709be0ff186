//! The dependency check: licences, banned packages and sources, as written in `deny.toml`.
//!
//! It reads the same file as `cargo deny` and answers the same three questions without needing
//! that tool. What ships (normal and build dependencies, every feature and platform) must not
//! contain a banned package; licences and sources are checked for development dependencies too.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
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
    let arguments = ["tree", "--workspace", "--all-features", "--target", "all", "--edges", "all"];
    let format = ["--prefix", "none", "--format", "{p}", "--locked"];
    let tree = process::cargo_output(root, &[arguments.as_slice(), &format].concat())?;
    let findings = check(&policy, &graph, &built(&tree))?;
    if findings.is_empty() { Ok(()) } else { Err(findings.join("\n")) }
}

/// Names and versions of what is really built.
type Built = BTreeSet<(String, String)>;

fn built(tree: &str) -> Built {
    let named = tree.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        Some((name.to_owned(), version.to_owned()))
    });
    named.collect()
}

/// Names every package that breaks the policy, and why.
fn check(policy: &str, graph: &str, built: &Built) -> Result<Vec<String>, String> {
    let policy: Policy = toml::from_str(policy).map_err(|error| format!("deny.toml: {error}"))?;
    let mut graph: Graph =
        serde_json::from_str(graph).map_err(|error| format!("cargo metadata: {error}"))?;
    graph
        .packages
        .retain(|package| built.contains(&(package.name.clone(), package.version.clone())));
    let banned = banned_names(&policy)?;
    let shipped = shipped(&graph);
    let mut findings = Vec::new();
    for package in graph.resolved() {
        let label = format!("{} {}", package.name, package.version);
        if let Some(problem) = licence_problem(package, &policy.licenses.allow) {
            findings.push(format!("{label}: {problem}"));
        }
        if let Some(source) = package.source.as_deref()
            && !known_source(source, &policy.sources.registries)
        {
            findings.push(format!("{label}: source {source} is not in [sources] allow-registry"));
        }
        if banned.contains(package.name.as_str())
            && let Some(parent) = shipped.get(package.id.as_str())
        {
            let parent = parent.map_or("the workspace", |id| graph.name(id));
            findings.push(format!("{label}: banned by deny.toml, brought in by {parent}"));
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

/// Finds what normal and build dependencies reach, with the package that first reached it.
fn shipped(graph: &Graph) -> BTreeMap<&str, Option<&str>> {
    let edges: BTreeMap<&str, &[Edge]> =
        graph.resolve.nodes.iter().map(|node| (node.id.as_str(), node.deps.as_slice())).collect();
    let mut reached: BTreeMap<&str, Option<&str>> = BTreeMap::new();
    let mut open = VecDeque::new();
    // Benchmarks bring in peers; nobody is given them.
    let given = |member: &&String| graph.name(member) != "usso-benches";
    for member in graph.workspace_members.iter().filter(given) {
        reached.insert(member, None);
        open.push_back(member.as_str());
    }
    while let Some(from) = open.pop_front() {
        for edge in edges.get(from).into_iter().flat_map(|deps| deps.iter()) {
            if edge.ships() && !reached.contains_key(edge.pkg.as_str()) {
                reached.insert(&edge.pkg, Some(from));
                open.push_back(&edge.pkg);
            }
        }
    }
    reached
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
    workspace_members: Vec<String>,
    resolve: Resolve,
}

impl Graph {
    /// Packages that the lock file's resolution uses.
    fn resolved(&self) -> impl Iterator<Item = &Package> {
        let used: BTreeSet<&str> = self.resolve.nodes.iter().map(|node| node.id.as_str()).collect();
        self.packages.iter().filter(move |package| used.contains(package.id.as_str()))
    }

    fn name<'a>(&'a self, id: &'a str) -> &'a str {
        self.packages.iter().find(|package| package.id == id).map_or(id, |found| &found.name)
    }
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<Kind>,
}

impl Edge {
    fn ships(&self) -> bool {
        self.dep_kinds.iter().any(|kind| kind.kind.as_deref() != Some("dev"))
    }
}

#[derive(Deserialize)]
struct Kind {
    kind: Option<String>,
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
        json!({"id": name, "name": name, "version": "1.0.0", "license": license, "source": source})
    }

    fn edge(to: &str, kind: &Value) -> Value {
        json!({"pkg": to, "dep_kinds": [{"kind": kind}]})
    }

    /// `app` depends on `a` in the given way, and `a` on `ring`.
    fn graph(kind: &Value, license: &Value) -> String {
        let mit = json!("MIT");
        json!({
            "packages": [package("app", &mit), package("a", &mit), package("ring", license)],
            "workspace_members": ["app"],
            "resolve": {"nodes": [
                {"id": "app", "deps": [edge("a", kind)]},
                {"id": "a", "deps": [edge("ring", &Value::Null)]},
                {"id": "ring", "deps": []},
            ]},
        })
        .to_string()
    }

    fn found(policy: &str, graph: &str) -> Result<Vec<String>, String> {
        check(policy, graph, &built("app v1.0.0 (/app)\na v1.0.0\nring v1.0.0 (*)"))
    }

    #[test]
    fn what_no_feature_brings_in_is_not_looked_at() {
        let graph = graph(&Value::Null, &json!("GPL-3.0"));
        let found = check(POLICY, &graph, &built("app v1.0.0\na v1.0.0\nring v2.0.0"));
        assert_eq!(found.unwrap(), [""; 0]);
    }

    #[test]
    fn a_banned_package_is_found_below_normal_and_build_dependencies() {
        for kind in [Value::Null, json!("build")] {
            let found = found(POLICY, &graph(&kind, &json!("MIT"))).unwrap();
            assert_eq!(found, ["ring 1.0.0: banned by deny.toml, brought in by a"]);
        }
    }

    #[test]
    fn a_banned_package_may_be_used_by_tests() {
        let found = found(POLICY, &graph(&json!("dev"), &json!("MIT"))).unwrap();
        assert_eq!(found, [""; 0]);
    }

    #[test]
    fn a_licence_outside_the_list_is_found_even_in_tests() {
        let found = found(POLICY, &graph(&json!("dev"), &json!("GPL-3.0"))).unwrap();
        assert_eq!(found, ["ring 1.0.0: licence `GPL-3.0` is not in [licenses] allow"]);
    }

    #[test]
    fn a_missing_or_unreadable_licence_is_found() {
        for bad in [Value::Null, json!("MIT and more")] {
            let found = found(POLICY, &graph(&json!("dev"), &bad)).unwrap();
            assert_eq!(found.len(), 1, "{bad}");
        }
    }

    #[test]
    fn a_package_from_elsewhere_is_found() {
        let elsewhere = graph(&json!("dev"), &json!("MIT")).replace("registry+", "git+");
        assert_eq!(found(POLICY, &elsewhere).unwrap().len(), 3);
    }

    #[test]
    fn a_ban_of_one_version_is_refused_rather_than_misread() {
        let policy = POLICY.replace("\"ring\"", "\"ring@0.16\"");
        assert!(found(&policy, &graph(&json!("dev"), &json!("MIT"))).is_err());
    }
}

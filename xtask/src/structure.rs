//! The structure check: which way imports may point.
//!
//! 1. A flow (`usso-core/src/flow/…`) refers to no other flow.
//! 2. Crates depend one way: usso-verify, usso-core, usso-axum ([`manifests`]).
//! 3. `kernel` and `store` use nothing from `directory`, `session`, `access` or `flow`; those
//!    three use nothing from `flow`.
//! 4. The libraries take time and randomness from their ports only.
//!
//! Comments, literals and test-only code are left out. Re-exports outside the layers above are
//! followed, so that a name in `lib.rs` does not hide where it leads.

mod gated;
mod lexer;
mod manifests;
mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use lexer::Token;
use paths::Reference;

/// A place that breaks a rule.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// The libraries, whose sources are read.
const LIBRARIES: &[&str] = &["usso-verify", "usso-core", "usso-axum"];

const CORE: &str = "usso-core/src/";

/// Layers of usso-core and what each must not use.
const LAYERS: &[(&str, &[&str])] = &[
    ("kernel", &["directory", "session", "access", "flow"]),
    ("store", &["directory", "session", "access", "flow"]),
    ("directory", &["flow"]),
    ("session", &["flow"]),
    ("access", &["flow"]),
    ("flow", &[]),
];

/// The files that may touch the clock and the random source. The verifier has a clock of its own
/// because it stands below usso-core.
const PORTS: &[&str] = &[
    "usso-core/src/kernel/entropy.rs",
    "usso-core/src/kernel/time.rs",
    "usso-verify/src/clock.rs",
];

/// Words that read the time or random bytes from the system.
const AMBIENT: &[&[&str]] =
    &[&["SystemTime", "::", "now"], &["Instant", "::", "now"], &["getrandom", "::"]];

/// Checks the repository's own sources.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let files = read(root).map_err(|error| format!("sources cannot be read: {error}"))?;
    if !files.iter().any(|(path, _)| path == "usso-core/src/lib.rs") {
        return Err("usso-core/src/lib.rs is not there".to_owned());
    }
    let findings: Vec<String> = check(&files).iter().map(Finding::to_string).collect();
    if findings.is_empty() { Ok(()) } else { Err(findings.join("\n")) }
}

fn read(root: &Path) -> std::io::Result<Vec<(String, String)>> {
    let mut paths = vec!["Cargo.toml".to_owned()];
    for library in LIBRARIES {
        paths.push(format!("{library}/Cargo.toml"));
        let mut folders = vec![format!("{library}/src")];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(root.join(&folder))? {
                let entry = entry?;
                let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
                if entry.file_type()?.is_dir() {
                    folders.push(path);
                } else if is_rust(&path) {
                    paths.push(path);
                }
            }
        }
    }
    let text = |path: String| Ok((path.clone(), std::fs::read_to_string(root.join(path))?));
    paths.into_iter().map(text).collect()
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|ending| ending == "rs")
}

/// Finds every broken rule among files given as (path from the root, text).
pub(crate) fn check(files: &[(String, String)]) -> Vec<Finding> {
    let sources = shipped_sources(files);
    let mut findings = manifests::check(files);
    findings.extend(imports(&sources));
    findings.extend(sources.iter().flat_map(|(path, tokens)| ambient(path, tokens)));
    findings.sort();
    findings.dedup();
    findings
}

/// Returns the sources that are compiled outside tests, without their test-only items.
fn shipped_sources(files: &[(String, String)]) -> BTreeMap<&str, Vec<Token>> {
    let mut sources = BTreeMap::new();
    let mut gated = BTreeSet::new();
    for (path, text) in files.iter().filter(|(path, _)| is_rust(path)) {
        let shipped = gated::without_tests(&lexer::tokens(text));
        gated.extend(shipped.gated_modules.iter().map(|name| child_module(path, name)));
        sources.insert(path.as_str(), shipped.tokens);
    }
    sources.retain(|path, _| {
        let own = path.strip_suffix("/mod.rs").or_else(|| path.strip_suffix(".rs"));
        !gated.iter().any(|module| {
            own == Some(module)
                || path.strip_prefix(module.as_str()).is_some_and(|rest| rest.starts_with('/'))
        })
    });
    sources
}

/// Returns where a child module's file is, without its ending.
fn child_module(parent: &str, name: &str) -> String {
    let (folder, file) = parent.rsplit_once('/').unwrap_or(("", parent));
    match file.strip_suffix(".rs") {
        Some(stem) if !["mod", "lib", "main"].contains(&stem) => format!("{folder}/{stem}/{name}"),
        _ => format!("{folder}/{name}"),
    }
}

fn imports(sources: &BTreeMap<&str, Vec<Token>>) -> Vec<Finding> {
    let core: Vec<_> = sources
        .iter()
        .filter_map(|(path, tokens)| {
            let module = paths::module_of(path, CORE)?;
            let references = paths::references(&module, "usso_core", tokens);
            Some((*path, module, references))
        })
        .collect();
    let aliases: BTreeMap<paths::Path, paths::Path> = core
        .iter()
        .filter(|(_, module, _)| layer(module).is_none())
        .flat_map(|(_, _, references)| references)
        .filter_map(|reference| Some((reference.binds.clone()?, reference.path.clone())))
        .filter(|(name, _)| name.last().is_some_and(|last| last != "*"))
        .collect();
    let mut findings = Vec::new();
    for (path, module, references) in &core {
        for reference in references {
            let leads_to = follow(&reference.path, &aliases);
            if let Some(what) = broken_import(module, reference, &leads_to) {
                findings.push(Finding { path: (*path).to_owned(), line: reference.line, what });
            }
        }
    }
    findings
}

/// Follows re-exports. The bound only stops two that name each other.
fn follow(path: &[String], aliases: &BTreeMap<paths::Path, paths::Path>) -> paths::Path {
    let mut path = path.to_vec();
    for _ in 0..8 {
        let hit = (1..=path.len()).rev().find_map(|length| {
            let (head, tail) = path.split_at_checked(length)?;
            let target = aliases.get(head).filter(|target| target.as_slice() != head)?;
            Some([target.as_slice(), tail].concat())
        });
        match hit {
            Some(longer) => path = longer,
            None => break,
        }
    }
    path
}

fn layer(module: &[String]) -> Option<&'static (&'static str, &'static [&'static str])> {
    LAYERS.iter().find(|(name, _)| module.first().is_some_and(|first| first == name))
}

fn broken_import(module: &[String], reference: &Reference, path: &[String]) -> Option<String> {
    let target = path.first().map_or("*", String::as_str);
    let Some((layer, forbidden)) = layer(module) else {
        let whole = target == "flow" && path.last().is_some_and(|last| last == "*");
        return whole.then(|| "re-exports of flows are listed by name".to_owned());
    };
    if target == "*" {
        let import = reference.binds.is_some();
        return import.then(|| "imports the whole crate; name what is used".to_owned());
    }
    if forbidden.contains(&target) {
        return Some(format!("{layer} must not use {}", path.join("::")));
    }
    let own = module.get(1);
    let foreign = *layer == "flow" && target == "flow" && own.is_some() && path.get(1) != own;
    foreign.then(|| format!("a flow must not use another flow: {}", path.join("::")))
}

fn ambient(path: &str, tokens: &[Token]) -> Vec<Finding> {
    let mut findings = Vec::new();
    if PORTS.contains(&path) || !LIBRARIES.iter().any(|library| path.starts_with(library)) {
        return findings;
    }
    for words in AMBIENT {
        for place in tokens.windows(words.len()) {
            if let Some(first) = place.first()
                && place.iter().zip(*words).all(|(token, word)| token.is(word))
            {
                let what = format!("{} outside its port", words.concat());
                findings.push(Finding { path: path.to_owned(), line: first.line, what });
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests;

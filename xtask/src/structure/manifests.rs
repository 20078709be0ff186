//! Which way the crates depend on each other.

use toml::{Table, Value};

use super::Finding;

/// Packages a crate must not depend on, in any section of its manifest.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("usso-verify", &["usso-core", "usso-axum", "usso-actix", "usso-py", "usso-wasm"]),
    (
        "usso-core",
        &["usso-axum", "usso-actix", "usso-py", "usso-wasm", "axum", "http", "actix-web"],
    ),
    ("usso-axum", &["usso-actix", "usso-py", "usso-wasm"]),
];

const SECTIONS: &[&str] = &["dependencies", "build-dependencies", "dev-dependencies"];

/// Checks every manifest among the files.
pub(crate) fn check(files: &[(String, String)]) -> Vec<Finding> {
    let workspace = files
        .iter()
        .find(|(path, _)| path == "Cargo.toml")
        .and_then(|(_, text)| text.parse::<Table>().ok())
        .and_then(|root| root.get("workspace")?.get("dependencies")?.as_table().cloned())
        .unwrap_or_default();
    let mut findings = Vec::new();
    for (name, forbidden) in FORBIDDEN {
        let manifest = format!("{name}/Cargo.toml");
        let Some((path, text)) = files.iter().find(|(path, _)| *path == manifest) else {
            continue;
        };
        let problems = match text.parse::<Table>() {
            Ok(manifest) => wrong_way(&manifest, &workspace, forbidden),
            Err(error) => vec![format!("cannot be read: {error}")],
        };
        findings.extend(problems.into_iter().map(|what| Finding {
            path: path.clone(),
            line: 1,
            what,
        }));
    }
    findings
}

fn wrong_way(manifest: &Table, workspace: &Table, forbidden: &[&str]) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let tables = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    std::iter::once(manifest)
        .chain(tables)
        .flat_map(|table| SECTIONS.iter().filter_map(|section| table.get(*section)?.as_table()))
        .flatten()
        .map(|(key, dependency)| package(key, dependency, workspace))
        .filter(|package| forbidden.contains(package))
        .map(|package| format!("must not depend on {package}"))
        .collect()
}

/// Returns a dependency's real name, which its key may hide.
fn package<'a>(key: &'a str, dependency: &'a Value, workspace: &'a Table) -> &'a str {
    let inherited = dependency.get("workspace").and_then(Value::as_bool) == Some(true);
    let dependency = if inherited { workspace.get(key) } else { Some(dependency) };
    dependency.and_then(|value| value.get("package")?.as_str()).unwrap_or(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(name: &str, manifest: &str) -> Vec<String> {
        let root = "[workspace.dependencies]\nweb = { package = \"axum\", version = \"0.8\" }";
        let files = [("Cargo.toml", root), (name, manifest)]
            .map(|(path, text)| (path.to_owned(), text.to_owned()));
        check(&files).into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn the_verifier_must_not_use_the_engine() {
        let found =
            problems("usso-verify/Cargo.toml", "[dependencies]\nusso-core.workspace = true");
        assert_eq!(found, ["must not depend on usso-core"]);
    }

    #[test]
    fn the_engine_must_not_use_a_web_framework() {
        for manifest in [
            "[dependencies]\naxum = \"0.8\"",
            "[dev-dependencies]\nhttp = \"1\"",
            "[target.'cfg(unix)'.dependencies]\nusso-axum = \"0.1\"",
            "[dependencies]\nserver = { package = \"actix-web\", version = \"4\" }",
            "[build-dependencies]\nweb.workspace = true",
        ] {
            assert_eq!(problems("usso-core/Cargo.toml", manifest).len(), 1, "{manifest}");
        }
    }

    #[test]
    fn the_right_way_is_accepted() {
        let manifest = "[dependencies]\nusso-verify.workspace = true\ntokio = \"1\"";
        assert_eq!(problems("usso-core/Cargo.toml", manifest), [""; 0]);
        let manifest = "[dependencies]\naxum = \"0.8\"\nusso-core.workspace = true";
        assert_eq!(problems("usso-axum/Cargo.toml", manifest), [""; 0]);
    }

    #[test]
    fn an_unreadable_manifest_is_a_finding() {
        assert_eq!(problems("usso-core/Cargo.toml", "[dependencies").len(), 1);
    }
}

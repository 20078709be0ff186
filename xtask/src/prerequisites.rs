//! The tools this repository needs: cargo, rustfmt, clippy and a C compiler.
//!
//! Under CI what is missing is installed. On a contributor's machine nothing outside the
//! repository is changed: the line that installs it is printed instead.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::process;

/// A tool that is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Missing {
    Cargo,
    Clippy,
    Compiler,
    Rustfmt,
}

/// Where this runs, as far as installing is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Ci,
    Contributor,
}

/// Looks for every tool; installs or names what is missing.
pub(crate) fn run() -> Result<(), String> {
    let missing = missing(process::answers);
    if missing.is_empty() {
        return Ok(());
    }
    let place = here();
    let line = install_line(&missing, std::env::consts::OS, place);
    if place == Place::Contributor {
        return Err(line);
    }
    process::shell(Path::new("."), &line)?;
    if self::missing(process::answers).is_empty() {
        Ok(())
    } else {
        Err(format!("still missing after `{line}`"))
    }
}

/// Tells where this runs.
pub(crate) fn here() -> Place {
    place(std::env::var_os("CI").as_deref())
}

fn place(ci: Option<&OsStr>) -> Place {
    match ci {
        Some(value) if !value.is_empty() && value != "false" => Place::Ci,
        _ => Place::Contributor,
    }
}

fn missing(answers: impl Fn(&OsString, &[&str]) -> bool) -> Vec<Missing> {
    let cargo = process::cargo_program();
    let compiler = std::env::var_os("CC").unwrap_or_else(|| OsString::from("cc"));
    // Rust's own Windows toolchain brings or finds its compiler without a `cc` to ask.
    let compiler_there = cfg!(windows) || answers(&compiler, &["--version"]);
    [
        (Missing::Cargo, answers(&cargo, &["--version"])),
        (Missing::Rustfmt, answers(&cargo, &["fmt", "--version"])),
        (Missing::Clippy, answers(&cargo, &["clippy", "--version"])),
        (Missing::Compiler, compiler_there),
    ]
    .into_iter()
    .filter_map(|(tool, there)| (!there).then_some(tool))
    .collect()
}

/// Writes the one shell line that installs what is missing.
fn install_line(missing: &[Missing], system: &str, place: Place) -> String {
    let mut lines = Vec::new();
    if missing.contains(&Missing::Cargo) {
        lines.push("rustup toolchain install stable".to_owned());
    }
    let mut components = String::new();
    for (tool, name) in [(Missing::Rustfmt, " rustfmt"), (Missing::Clippy, " clippy")] {
        if missing.contains(&tool) {
            components.push_str(name);
        }
    }
    if !components.is_empty() {
        lines.push(format!("rustup component add{components}"));
    }
    if missing.contains(&Missing::Compiler) {
        lines.push(compiler_line(system, place).to_owned());
    }
    lines.join(" && ")
}

fn compiler_line(system: &str, place: Place) -> &'static str {
    match (system, place) {
        ("macos", _) => "xcode-select --install",
        (_, Place::Ci) => "apt-get update && apt-get install -y gcc libc6-dev",
        (_, Place::Contributor) => "sudo apt-get install -y gcc libc6-dev",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_that_does_not_answer_is_missing() {
        let without_clippy = |_: &OsString, arguments: &[&str]| !arguments.contains(&"clippy");
        assert_eq!(missing(without_clippy), [Missing::Clippy]);
        assert_eq!(missing(|_, _| true), []);
    }

    #[test]
    fn what_is_missing_is_one_line() {
        let line = install_line(
            &[Missing::Rustfmt, Missing::Clippy, Missing::Compiler],
            "linux",
            Place::Contributor,
        );
        let wanted = "rustup component add rustfmt clippy && sudo apt-get install -y gcc libc6-dev";
        assert_eq!(line, wanted);
    }

    #[test]
    fn only_what_is_missing_is_installed() {
        let line = install_line(&[Missing::Clippy], "linux", Place::Ci);
        assert_eq!(line, "rustup component add clippy");
    }

    #[test]
    fn only_a_set_ci_variable_allows_installing() {
        assert_eq!(place(Some(OsStr::new("true"))), Place::Ci);
        for off in [None, Some(OsStr::new("")), Some(OsStr::new("false"))] {
            assert_eq!(place(off), Place::Contributor);
        }
    }
}

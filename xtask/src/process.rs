//! Starting other programs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Returns the cargo that started this program, so that both use one toolchain.
pub(crate) fn cargo_program() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"))
}

/// Gives the folder for everything that is built.
pub(crate) fn target(root: &Path) -> PathBuf {
    root.join(std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
}

/// Runs cargo in the repository with its output shown.
pub(crate) fn cargo(
    root: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<(), String> {
    let locked = root.join("Cargo.lock").exists();
    let arguments = with_lock(arguments, locked);
    eprintln!("+ {}", shown(&arguments, environment));
    let mut command = Command::new(cargo_program());
    command.current_dir(root).args(&arguments).envs(environment.iter().copied());
    let status = command.status().map_err(|error| format!("cargo did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("cargo ended with {status}")) }
}

/// Runs cargo in the repository and returns what it printed.
pub(crate) fn cargo_output(root: &Path, arguments: &[&str]) -> Result<String, String> {
    output(Command::new(cargo_program()).current_dir(root).args(arguments))
}

/// Runs a program and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Result<String, String> {
    let output = command.stderr(Stdio::inherit()).output();
    let name = command.get_program().display();
    let output = output.map_err(|error| format!("{name} did not start: {error}"))?;
    if !output.status.success() {
        return Err(format!("{name} ended with {}", output.status));
    }
    String::from_utf8(output.stdout).map_err(|error| format!("{name} printed no text: {error}"))
}

/// Runs a line of shell in a folder with its output shown.
pub(crate) fn shell(folder: &Path, line: &str) -> Result<(), String> {
    eprintln!("+ {line}");
    let status = Command::new("sh").args(["-c", line]).current_dir(folder).status();
    let status = status.map_err(|error| format!("sh did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` ended with {status}")) }
}

/// Tells whether a program can be started and says it is well.
pub(crate) fn answers(program: &OsString, arguments: &[&str]) -> bool {
    Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Adds `--locked` after the subcommand, except for `fmt`, which does not know it.
fn with_lock<'a>(arguments: &[&'a str], locked: bool) -> Vec<&'a str> {
    let mut all = arguments.to_vec();
    if locked && all.first().is_some_and(|first| *first != "fmt") {
        all.insert(1, "--locked");
    }
    all
}

/// Spells a command the way it can be pasted into a shell.
fn shown(arguments: &[&str], environment: &[(&str, &str)]) -> String {
    let variables = environment.iter().map(|(name, value)| format!("{name}='{value}'"));
    let words = ["cargo"].iter().chain(arguments).map(|word| {
        if word.contains(['"', '*']) { format!("'{word}'") } else { (*word).to_owned() }
    });
    variables.chain(words).collect::<Vec<String>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_is_kept_where_there_is_one() {
        assert_eq!(with_lock(&["test", "-p", "a"], true), ["test", "--locked", "-p", "a"]);
        assert_eq!(with_lock(&["test"], false), ["test"]);
        assert_eq!(with_lock(&["fmt", "--check"], true), ["fmt", "--check"]);
    }

    #[test]
    fn a_command_is_shown_with_its_environment() {
        assert_eq!(shown(&["doc"], &[("A", "b c")]), "A='b c' cargo doc");
        assert_eq!(shown(&["doc", "a.\"*\""], &[]), "cargo doc 'a.\"*\"'");
    }
}

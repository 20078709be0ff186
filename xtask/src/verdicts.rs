//! The verdicts of Rust, with which those of the other languages are compared.

use std::path::{Path, PathBuf};

use crate::process;

/// Writes them; gives the file.
pub(crate) fn write(root: &Path) -> Result<PathBuf, String> {
    let file = process::target(root).join("verdicts.json");
    let name = file.display().to_string();
    let example =
        ["run", "-q", "-p", "usso-verify", "--features", "testing", "--example", "verdicts"];
    process::cargo(root, &[&example[..], &["--", &name]].concat(), &[])?;
    Ok(file)
}

//! The check that `usso-verify` builds for WebAssembly, where nothing of C and no clock is.
//!
//! 1. The compiler in use, if it has the target.
//! 2. Under CI: the same after rustup added the target.
//! 3. Where apt is: Debian's compiler for browsers, unpacked inside the repository's own target
//!    folder and kept there, with the standard library built from its source. Remove the folder
//!    `wasm-toolchain` to fetch a newer one.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::{env, fs};

use crate::prerequisites::{self, Place};
use crate::process;

/// Builds the crate as far as the types are checked; a warning is an error.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let target = root.join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()));
    let toolchain = target.join("wasm-toolchain");
    let place = prerequisites::here();
    let may_add = place == Place::Ci && !toolchain.is_dir();
    if has_target() || (may_add && process::shell(root, ADD_TARGET).is_ok() && has_target()) {
        return process::cargo(root, &[CHECK, DENY_WARNINGS].concat(), &[]);
    }
    if !toolchain.is_dir() {
        fetch(&toolchain, place).map_err(|reason| format!("{reason}\n{ADD_TARGET}"))?;
    }
    let variables = variables(&toolchain, env::consts::ARCH);
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    process::cargo(root, &[CHECK, BUILD_STD, DENY_WARNINGS].concat(), &variables)
}

fn has_target() -> bool {
    let program = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let mut command = Command::new(program);
    command.args(["--print", "target-libdir", "--target", TARGET]);
    process::output(&mut command).is_ok_and(|folder| Path::new(folder.trim_end()).is_dir())
}

/// Unpacks Debian's compiler and the source of its standard library.
fn fetch(toolchain: &Path, place: Place) -> Result<(), String> {
    eprintln!("no standard library for {TARGET}: fetching one, 140 MB, into the target folder");
    if place == Place::Ci {
        // May fail: the lists of packages that are already there will do.
        let _ = process::shell(Path::new("."), "apt-get update");
    }
    let closure = process::output(Command::new("apt-cache").args(CLOSURE))?;
    let installed = process::output(Command::new("dpkg-query").args(INSTALLED))?;
    let names = wanted(&closure, &installed, env!("CARGO_PKG_RUST_VERSION"))?;
    let part = toolchain.with_extension("part");
    empty(&part).map_err(|error| format!("{}: {error}", part.display()))?;
    process::shell(&part, &format!("apt-get download {} && {UNPACK}", names.join(" ")))?;
    fs::rename(&part, toolchain).map_err(|error| format!("{}: {error}", toolchain.display()))
}

fn empty(folder: &Path) -> std::io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}

/// Picks what to download: the compiler's own packages, and libraries it needs that the system
/// does not have.
fn wanted<'c>(closure: &'c str, installed: &str, least: &str) -> Result<Vec<&'c str>, String> {
    // Dependencies are indented, virtual packages in brackets, other architectures after a colon.
    let is_name = |line: &&str| {
        line.starts_with(|first: char| first.is_ascii_alphanumeric()) && !line.contains(':')
    };
    let closure: BTreeSet<&str> = closure.lines().filter(is_name).collect();
    let minor = |version: &str| version.strip_prefix("1.")?.parse::<u32>().ok();
    let found = closure.iter().find_map(|name| minor(name.strip_prefix(VERSIONED)?));
    if found < minor(least) {
        return Err(format!("apt knows no rustc-web {least} or newer"));
    }
    let installed: BTreeSet<&str> = installed.lines().collect();
    let is_own = |name: &str| OWN.iter().any(|own| name.starts_with(own));
    Ok(closure.into_iter().filter(|name| is_own(name) || !installed.contains(name)).collect())
}

/// The variables that make cargo use the unpacked compiler and nothing built by another.
fn variables(toolchain: &Path, architecture: &str) -> [(&'static str, String); 4] {
    let inside = |path: &str| toolchain.join(path).display().to_string();
    let libraries =
        ["usr/lib", "lib"].map(|lib| inside(&format!("{lib}/{architecture}-linux-gnu")));
    [
        ("CARGO_TARGET_DIR", inside("target")),
        ("LD_LIBRARY_PATH", libraries.join(":")),
        ("RUSTC", inside("usr/bin/rustc")),
        // Building the standard library is still unstable.
        ("RUSTC_BOOTSTRAP", "1".to_owned()),
    ]
}

const TARGET: &str = "wasm32-unknown-unknown";
const ADD_TARGET: &str = "rustup target add wasm32-unknown-unknown";

/// As `cargo check`, which takes no arguments for the compiler.
const CHECK: &[&str] = &[
    "rustc",
    "--profile=check",
    "-p=usso-verify",
    "--lib",
    "--no-default-features",
    "--target=wasm32-unknown-unknown",
];
/// Not optimised: it is built to be checked against, not to run.
const BUILD_STD: &[&str] =
    &["-Zbuild-std=std,panic_abort", "--config=profile.dev.package.\"*\".opt-level=0"];
const DENY_WARNINGS: &[&str] = &["--", "-Dwarnings"];

const CLOSURE: &[&str] = &["depends", "--recurse", "--important", "rustc-web", "rust-web-src"];
const INSTALLED: &[&str] = &["--show", "--showformat", "${Package}\n"];
const VERSIONED: &str = "libstd-rust-web-";
const OWN: &[&str] = &["libllvm", "libstd-rust-web", "rust-web-src", "rustc-web"];

/// Leaves out the compiler's own source: nine files of ten.
const UNPACK: &str = "for package in *.deb; do \
    dpkg-deb --fsys-tarfile \"$package\" | tar -x --no-wildcards-match-slash \
    --exclude='./usr/share' --exclude='./usr/src/*/compiler' --exclude='./usr/src/*/src' \
    || exit 1; done && rm -- *.deb";

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSURE: &str = "rustc-web\n  Depends: libllvm22\nlibllvm22\nlibc6\nlibc6:i386\n\
        libz3-4\n<c-compiler>\nlibstd-rust-web-dev\nlibstd-rust-web-1.96\nrust-web-src\n";

    #[test]
    fn the_compiler_and_libraries_the_system_lacks_are_wanted() {
        let own = ["libllvm22", "libstd-rust-web-1.96", "libstd-rust-web-dev"];
        let own = own.iter().chain(&["libz3-4", "rust-web-src", "rustc-web"]);
        let wanted = wanted(CLOSURE, "libc6\nrustc-web\n", "1.89").unwrap();
        assert_eq!(wanted, own.copied().collect::<Vec<_>>());
    }

    #[test]
    fn an_older_compiler_than_the_oldest_supported_is_not_fetched() {
        assert!(wanted(CLOSURE, "", "1.96").is_ok());
        assert!(wanted(CLOSURE, "", "1.97").is_err());
        assert!(wanted("libc6\nlibstd-rust-web-dev\n", "", "1.89").is_err());
    }

    #[test]
    fn what_the_unpacked_compiler_builds_stays_with_it() {
        let variables = variables(Path::new("/r/target/wasm-toolchain"), "x86_64");
        let inside = |value: &str| value.starts_with("/r/target/wasm-toolchain/");
        let (bootstrap, paths) = variables.split_last().unwrap();
        assert_eq!(bootstrap.0, "RUSTC_BOOTSTRAP");
        assert!(paths.iter().all(|(_, value)| value.split(':').all(inside)), "{paths:?}");
    }
}

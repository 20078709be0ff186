//! The WebAssembly of the npm package, and the JavaScript beside it.
//!
//! The standard library is built along: without messages for panics, which nobody would see, the
//! package is a tenth smaller. Stable compilers do that only when told that they may.
//!
//! 1. The compiler in use, if the source of its library is there.
//! 2. Under CI: the same after rustup added the source.
//! 3. Where apt is: Debian's compiler for browsers and its source, unpacked inside the repository's own
//!    target folder and kept there. Remove the folder `wasm-toolchain` to fetch a newer one.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::javascript;
use crate::prerequisites::{self, Place};
use crate::process;

/// Builds the npm package into `target/npm`; a warning is an error.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let target = process::target(root);
    let made = target.join("npm-bindings");
    let wasm = build(root, &target)?;
    let (input, folder) = (wasm.display().to_string(), made.display().to_string());
    process::cargo(root, &["run", "-q", "-p", "usso-bindgen", "--", &input, &folder], &[])?;
    javascript::pack(root, &made)
}

/// Compiles; gives the file.
fn build(root: &Path, target: &Path) -> Result<PathBuf, String> {
    let toolchain = target.join("wasm-toolchain");
    let place = prerequisites::here();
    let may_add = place == Place::Ci && !toolchain.is_dir();
    let mut variables = vec![
        // Building the standard library is still unstable.
        ("RUSTC_BOOTSTRAP", "1".to_owned()),
        ("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\x1f")),
    ];
    let folder = if has_source() || (may_add && add_source(root) && has_source()) {
        target.join("wasm")
    } else {
        if !toolchain.is_dir() {
            fetch(&toolchain, place).map_err(|reason| format!("{reason}\n{ADD_SOURCE}"))?;
        }
        variables.extend(compiler(&toolchain, env::consts::ARCH)?);
        toolchain.join("target")
    };
    variables.push(("CARGO_TARGET_DIR", folder.display().to_string()));
    let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    process::cargo(root, BUILD, &variables)?;
    Ok(folder.join(TARGET).join("wasm/usso_wasm.wasm"))
}

fn add_source(root: &Path) -> bool {
    process::shell(root, ADD_SOURCE).is_ok()
}

fn has_source() -> bool {
    let program = env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let sysroot = process::output(Command::new(program).args(["--print", "sysroot"]));
    let library = "lib/rustlib/src/rust/library/Cargo.lock";
    sysroot.is_ok_and(|sysroot| Path::new(sysroot.trim_end()).join(library).is_file())
}

/// Unpacks Debian's compiler and the source of its standard library.
fn fetch(toolchain: &Path, place: Place) -> Result<(), String> {
    eprintln!("no source of the standard library: fetching one, 140 MB, into the target folder");
    if place == Place::Ci {
        // May fail: the lists of packages that are already there will do.
        let _ = process::shell(Path::new("."), "apt-get update");
    }
    let needed_by =
        |names: &[&str]| process::output(Command::new("apt-cache").args(CLOSURE).args(names));
    let mut closure = needed_by(&["rustc-web", "rust-web-src"])?;
    let linker = linker(&closure).ok_or("apt knows no libllvm of rustc-web")?;
    closure.push_str(&needed_by(&[&linker])?);
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

/// Names the linker of the compiler's own LLVM.
fn linker(closure: &str) -> Option<String> {
    let version = closure.lines().find_map(|name| name.strip_prefix("libllvm"))?;
    version.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("lld-{version}"))
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

/// The variables that make cargo use the unpacked compiler.
fn compiler(toolchain: &Path, architecture: &str) -> Result<[(&'static str, String); 3], String> {
    let inside = |path: &str| toolchain.join(path).display().to_string();
    let libraries =
        ["usr/lib", "lib"].map(|lib| inside(&format!("{lib}/{architecture}-linux-gnu")));
    let versions = fs::read_dir(toolchain.join("usr/lib")).into_iter().flatten().flatten();
    let mut linkers = versions.map(|version| version.path().join("bin/wasm-ld"));
    let linker = linkers.find(|linker| linker.exists()).ok_or("the compiler has no linker")?;
    Ok([
        ("LD_LIBRARY_PATH", libraries.join(":")),
        ("RUSTC", inside("usr/bin/rustc")),
        ("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker.display().to_string()),
    ])
}

const TARGET: &str = "wasm32-unknown-unknown";
const ADD_SOURCE: &str = "rustup component add rust-src";

const BUILD: &[&str] = &[
    "build",
    "-p=usso-wasm",
    "--profile=wasm",
    "--target=wasm32-unknown-unknown",
    "-Zbuild-std=std,panic_abort",
    "-Zbuild-std-features=optimize_for_size",
];
/// A panic ends the program at once: there is nobody to tell why.
const FLAGS: &[&str] = &[
    "-Dwarnings",
    "-Zunstable-options",
    "-Cpanic=immediate-abort",
    "-Zlocation-detail=none",
    "--cfg=sha2_backend_soft=\"compact\"",
];

const CLOSURE: &[&str] = &["depends", "--recurse", "--important"];
const INSTALLED: &[&str] = &["--show", "--showformat", "${Package}\n"];
const VERSIONED: &str = "libstd-rust-web-";
const OWN: &[&str] = &["libllvm", "libstd-rust-web", "lld-", "rust-web-src", "rustc-web"];

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
    fn the_unpacked_compiler_runs_with_its_own_libraries_and_linker() {
        let folder = env::temp_dir().join(format!("usso-wasm-{}", std::process::id()));
        assert!(compiler(&folder, "x86_64").is_err());
        let bin = folder.join("usr/lib/llvm-22/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::write(bin.join("wasm-ld"), "").unwrap();
        let variables = compiler(&folder, "x86_64").unwrap();
        let inside = |value: &str| Path::new(value).starts_with(&folder);
        assert!(variables.iter().all(|(_, value)| value.split(':').all(inside)), "{variables:?}");
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn the_linker_is_that_of_the_compilers_own_llvm() {
        assert_eq!(linker(CLOSURE).as_deref(), Some("lld-22"));
        assert_eq!(linker("libllvm-c\n"), None);
    }
}

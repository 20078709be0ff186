//! The npm package: packing it, and testing it as users get it.
//!
//! Everything is kept inside the repository: `usso-wasm/node_modules`, which git ignores, and the target
//! folder.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::prerequisites::{self, Place};
use crate::process::{self, target};
use crate::verdicts;

/// Makes the package of the WebAssembly and its bindings, and packs it.
pub(crate) fn pack(root: &Path, made: &Path) -> Result<(), String> {
    let target = target(root);
    install(root, &target)?;
    let mut command = Command::new("node");
    command.arg("build.mjs").arg(made).arg(target.join("npm"));
    run(root, &target, &mut command)
}

/// Installs what was packed and runs the tests, in Node, in an edge worker and in browsers.
pub(crate) fn test(root: &Path) -> Result<(), String> {
    let target = target(root);
    install(root, &target)?;
    let (chromium, firefox) = (CHROMIUM.provide()?, FIREFOX.provide()?);
    unpack(root, &target)?;
    process::cargo(root, &["build", "-p", "usso-server"], &[])?;
    let verdicts = verdicts::write(root)?;
    let run_in = |browser: &str, paths: &[&str]| {
        let mut command = Command::new("node");
        // A test that hangs is told by its name. A file counts as one, too.
        command.args(["--test", "--test-timeout=600000"]);
        command.args(test_files(&root.join(PACKAGE), paths)?);
        command.env("CHROMIUM", &chromium).env("FIREFOX", &firefox).env("USSO_BROWSER", browser);
        command.env("USSO_VERDICTS", &verdicts);
        command.env("USSO_SERVER", target.join("debug/usso-server"));
        run(root, &target, &mut command)
    };
    run_in("chromium", &["tests"])?;
    run_in("firefox", &IN_BROWSERS)
}

/// Gives the files of tests that are at these paths or in folders there. Later versions of Node take
/// no folders.
fn test_files(package: &Path, paths: &[&str]) -> Result<Vec<PathBuf>, String> {
    let mut open: Vec<PathBuf> = paths.iter().map(|path| package.join(path)).collect();
    if let Some(missing) = open.iter().find(|path| !path.exists()) {
        return Err(format!("{}: there are no tests", missing.display()));
    }
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        } else if path.is_dir() {
            let unread = |error: std::io::Error| format!("{}: {error}", path.display());
            for entry in fs::read_dir(&path).map_err(unread)? {
                open.push(entry.map_err(unread)?.path());
            }
        }
    }
    files.sort();
    Ok(files)
}

/// Runs the benchmarks of the package beside its peers.
pub(crate) fn bench(root: &Path) -> Result<(), String> {
    crate::wasm::run(root)?;
    let target = target(root);
    unpack(root, &target)?;
    run(root, &target, Command::new("node").arg("benches/verify.mjs"))
}

/// Installs the tools that the lock file names, unless that was done.
fn install(root: &Path, target: &Path) -> Result<(), String> {
    node()?;
    let package = root.join(PACKAGE);
    let stamp = package.join("node_modules/.installed");
    let lock = fs::read(package.join("package-lock.json"));
    let lock = lock.map_err(|error| format!("package-lock.json: {error}"))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    run(root, target, Command::new("npm").args(["ci", "--no-audit", "--no-fund"]))?;
    fs::write(&stamp, lock).map_err(|error| format!("{}: {error}", stamp.display()))
}

/// Puts the package that was packed where the tests find it.
fn unpack(root: &Path, target: &Path) -> Result<(), String> {
    let files = fs::read_dir(target.join("npm")).into_iter().flatten().flatten();
    let packed =
        files.map(|file| file.path()).find(|file| file.extension() == Some("tgz".as_ref()));
    let packed = packed.ok_or("there is no package; run `cargo xtask wasm`")?;
    let installed = root.join(PACKAGE).join("node_modules/usso");
    // It may be a link for development.
    if fs::remove_file(&installed).is_err() && installed.is_dir() {
        fs::remove_dir_all(&installed).map_err(|error| error.to_string())?;
    }
    fs::create_dir_all(&installed).map_err(|error| error.to_string())?;
    let mut command = Command::new("tar");
    command.arg("-xzf").arg(packed).arg("-C").arg(installed).arg("--strip-components=1");
    run(root, target, &mut command)
}

/// Looks for Node and npm.
fn node() -> Result<(), String> {
    let found = || {
        let version = process::output(Command::new("node").arg("--version")).ok()?;
        process::answers(&OsString::from("npm"), &["--version"]).then_some(version)
    };
    let mut version = found();
    if version.is_none() {
        provide("nodejs npm")?;
        version = found();
    }
    let version = version.ok_or("still no Node.js")?;
    if major(&version) >= Some(OLDEST) {
        return Ok(());
    }
    Err(format!("Node.js {OLDEST} or later is needed, and this is {version}"))
}

fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// A browser for the tests.
struct Browser {
    /// What names another than those on the path.
    variable: &'static str,
    programs: &'static [&'static str],
    package: &'static str,
}

impl Browser {
    fn provide(&self) -> Result<OsString, String> {
        if let Some(named) = env::var_os(self.variable) {
            let starts = process::answers(&named, &["--version"]);
            return starts.then_some(named).ok_or(format!("{} does not start", self.variable));
        }
        if let Some(program) = self.find() {
            return Ok(program);
        }
        provide(self.package)?;
        self.find().ok_or_else(|| format!("still no {}", self.package))
    }

    fn find(&self) -> Option<OsString> {
        let path = env::var_os("PATH").unwrap_or_default();
        let folders: Vec<PathBuf> = env::split_paths(&path).collect();
        let known =
            self.programs.iter().flat_map(|name| folders.iter().map(move |at| at.join(name)));
        let mut known = known.map(PathBuf::into_os_string);
        known.find(|program| process::answers(program, &["--version"]))
    }
}

/// Installs packages of the system under CI; elsewhere says how.
fn provide(packages: &str) -> Result<(), String> {
    match prerequisites::here() {
        Place::Contributor => Err(format!("sudo apt-get install -y {packages}")),
        Place::Ci => {
            let line = format!("apt-get update && apt-get install -y {packages}");
            process::shell(Path::new("."), &line)
        }
    }
}

/// Runs a program in the package's folder; what npm keeps it keeps in the target folder.
fn run(root: &Path, target: &Path, command: &mut Command) -> Result<(), String> {
    command.current_dir(root.join(PACKAGE)).env("npm_config_cache", target.join("npm-cache"));
    eprintln!("+ {command:?}");
    let name = command.get_program().display().to_string();
    let status = command.status().map_err(|error| format!("{name} did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} ended with {status}")) }
}

const PACKAGE: &str = "usso-wasm";
const OLDEST: u32 = 20;
const CHROMIUM: Browser = Browser {
    variable: "CHROMIUM",
    programs: &["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"],
    package: "chromium",
};
const FIREFOX: Browser =
    Browser { variable: "FIREFOX", programs: &["firefox-esr", "firefox"], package: "firefox-esr" };
/// The tests that differ by browser.
const IN_BROWSERS: [&str; 3] =
    ["tests/login", "tests/vectors/browser.test.mjs", "tests/verdicts/browser.test.mjs"];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{IN_BROWSERS, major, test_files};

    #[test]
    fn the_tests_of_browsers_are_some_of_all_and_none_is_missing() {
        let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../usso-wasm");
        let all = test_files(&package, &["tests"]).unwrap();
        let some = test_files(&package, &IN_BROWSERS).unwrap();
        assert!(some.iter().all(|file| all.contains(file)));
        assert!(some.len() > IN_BROWSERS.len() && all.len() > some.len());
        assert!(test_files(&package, &["tests", "gone"]).is_err());
    }

    #[test]
    fn versions_of_node_are_read() {
        assert_eq!(major("v20.20.2\n"), Some(20));
        assert_eq!(major("v9.0.0"), Some(9));
        assert_eq!(major("20.1"), None);
        assert!(major("") < Some(20));
    }
}

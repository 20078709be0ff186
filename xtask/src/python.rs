//! The Python package: building its wheel, and testing that as users get it.
//!
//! Everything is kept inside the target folder: one environment with the tools that build, and one
//! for each Python that is found, with the wheel and what its tests need.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use crate::prerequisites::{self, Place};
use crate::process::{self, target};
use crate::verdicts;

/// Builds the wheel for every Python from 3.10 on: one file, for Linux with glibc 2.17 or later.
pub(crate) fn wheel(root: &Path) -> Result<(), String> {
    let package = root.join(PACKAGE);
    let target = target(root);
    let tools = environment(&newest()?, &target, "tools")?;
    install(&tools, &target, &package, &["-r", "requirements-build.txt"])?;
    // An older wheel must not be what is tested.
    let wheels = target.join("wheels");
    if wheels.is_dir() {
        fs::remove_dir_all(&wheels).map_err(|error| format!("{}: {error}", wheels.display()))?;
    }
    let programs = tools.join("bin");
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([programs.clone()].into_iter().chain(env::split_paths(&path)));
    let mut command = Command::new(programs.join("maturin"));
    command.current_dir(&package).args(MATURIN).arg(&wheels);
    command.env("PATH", path.map_err(|error| error.to_string())?);
    command.env("CARGO_TARGET_DIR", target.join("wheel"));
    run(&mut command, &target)
}

/// Installs the wheel into a clean environment of each Python that is found and runs its tests;
/// checks style and types with the newest.
pub(crate) fn test(root: &Path) -> Result<(), String> {
    let (package, target) = (root.join(PACKAGE), target(root));
    let wheel = built(&target.join("wheels"))?;
    process::cargo(root, &["build", "-p", "usso-server"], &[])?;
    let verdicts = verdicts::write(root)?;
    for python in pythons()? {
        let folder = target.join("python").join(&python.version);
        if folder.is_dir() {
            fs::remove_dir_all(&folder).map_err(|error| error.to_string())?;
        }
        let environment = environment(&python, &target, &python.version)?;
        install(&environment, &target, &package, &["-r", "requirements-test.txt", &wheel])?;
        let program = environment.join("bin/python");
        let tests = |command: &mut Command| {
            command.current_dir(&package).env("USSO_SERVER", target.join("debug/usso-server"));
            run(command.env("USSO_VERDICTS", &verdicts), &target)
        };
        tests(Command::new(&program).args(["-m", "pytest", "-q"]))?;
    }
    lint(&package, &target)
}

/// Checks style and types.
fn lint(package: &Path, target: &Path) -> Result<(), String> {
    let tools = environment(&newest()?, target, "lint")?;
    install(
        &tools,
        target,
        package,
        &["-r", "requirements-lint.txt", "-r", "requirements-test.txt"],
    )?;
    let program = |name: &str, arguments: &[&str]| {
        let mut command = Command::new(tools.join("bin").join(name));
        run(command.current_dir(package).args(arguments), target)
    };
    program("ruff", &["check", "."])?;
    program("ruff", &["format", "--check", "."])?;
    let python = tools.join("bin/python").display().to_string();
    program("pyright", &["--pythonpath", &python])
}

/// Runs the benchmarks of the package beside its peers, in an environment of their own.
pub(crate) fn bench(root: &Path) -> Result<(), String> {
    wheel(root)?;
    let (package, target) = (root.join(PACKAGE), target(root));
    let environment = environment(&newest()?, &target, "bench")?;
    let wheel = built(&target.join("wheels"))?;
    install(&environment, &target, &package, &["-r", "benches/requirements.txt", &wheel])?;
    // Also where one of the same version is there already.
    install(&environment, &target, &package, &["--force-reinstall", "--no-deps", &wheel])?;
    for script in ["benches/verify.py", "benches/imports.py"] {
        let mut command = Command::new(environment.join("bin/python"));
        run(command.current_dir(&package).arg(script), &target)?;
    }
    Ok(())
}

/// A Python, and its version as `3.11`.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Python {
    program: PathBuf,
    version: String,
}

/// The Python that is newest.
fn newest() -> Result<Python, String> {
    pythons()?.pop().ok_or_else(|| install_line().to_owned())
}

/// Every Python from 3.10 on that can make environments, the oldest first: those on the path, and
/// those that pyenv keeps.
fn pythons() -> Result<Vec<Python>, String> {
    let found = search();
    if !found.is_empty() {
        return Ok(found);
    }
    if prerequisites::here() == Place::Contributor {
        return Err(format!("no Python from 3.10 on: {}", install_line()));
    }
    process::shell(Path::new("."), install_line())?;
    Some(search()).filter(|found| !found.is_empty()).ok_or_else(|| "still no Python".to_owned())
}

fn search() -> Vec<Python> {
    let kept = env::var_os("PYENV_ROOT").map(PathBuf::from).or_else(|| {
        let home = env::var_os("HOME")?;
        Some(PathBuf::from(home).join(".pyenv"))
    });
    let mut found: Vec<Python> = Vec::new();
    for version in VERSIONS {
        let mut programs = vec![PathBuf::from(format!("python{version}"))];
        programs.extend(kept.iter().flat_map(|root| kept_by_pyenv(root, version)));
        // The system's own may be any of them.
        programs.push(PathBuf::from("python3"));
        let check = format!(
            "import sys, venv, ensurepip; sys.exit('{version}' != '%d.%d' % sys.version_info[:2])"
        );
        let works = |program: &PathBuf| process::answers(&OsString::from(program), &["-c", &check]);
        if let Some(program) = programs.into_iter().find(works) {
            found.push(Python { program, version: version.to_owned() });
        }
    }
    found
}

fn kept_by_pyenv(root: &Path, version: &str) -> Vec<PathBuf> {
    let folders = fs::read_dir(root.join("versions")).into_iter().flatten().flatten();
    let is_one = |name: &str| name.strip_prefix(version).is_some_and(|rest| rest.starts_with('.'));
    folders
        .filter(|folder| folder.file_name().to_str().is_some_and(is_one))
        .map(|folder| folder.path().join("bin/python"))
        .collect()
}

/// Makes an environment of this name if there is none.
fn environment(python: &Python, target: &Path, name: &str) -> Result<PathBuf, String> {
    let folder = target.join("python").join(name);
    if !folder.join("bin/python").exists() {
        run(Command::new(&python.program).args(["-m", "venv"]).arg(&folder), target)?;
    }
    Ok(folder)
}

fn install(environment: &Path, target: &Path, folder: &Path, what: &[&str]) -> Result<(), String> {
    let mut command = Command::new(environment.join("bin/python"));
    command.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]).args(what);
    run(command.current_dir(folder), target)
}

/// Gives the one wheel.
fn built(wheels: &Path) -> Result<String, String> {
    let files = fs::read_dir(wheels).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = files.map(|file| file.path()).collect();
    match (files.pop(), files.is_empty()) {
        (Some(wheel), true) => Ok(wheel.display().to_string()),
        _ => Err("there is not one wheel; run `cargo xtask wheel`".to_owned()),
    }
}

/// Runs a program; what it keeps for the next time it keeps in the target folder as well.
fn run(command: &mut Command, target: &Path) -> Result<(), String> {
    eprintln!("+ {command:?}");
    let caches = target.join("python/caches");
    for (variable, folder) in CACHES {
        command.env(variable, caches.join(folder));
    }
    let name = command.get_program().display().to_string();
    let status = command.status().map_err(|error| format!("{name} did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("{name} ended with {status}")) }
}

fn install_line() -> &'static str {
    match prerequisites::here() {
        Place::Ci => "apt-get update && apt-get install -y python3 python3-venv",
        Place::Contributor => "sudo apt-get install -y python3 python3-venv",
    }
}

const PACKAGE: &str = "usso-py";
/// The folders that the tools would else keep in the home of who runs them.
const CACHES: [(&str, &str); 5] = [
    ("CARGO_ZIGBUILD_CACHE_DIR", "zigbuild"),
    ("PIP_CACHE_DIR", "pip"),
    ("PYRIGHT_PYTHON_CACHE_DIR", "pyright"),
    ("ZIG_GLOBAL_CACHE_DIR", "zig"),
    ("npm_config_cache", "npm"),
];
const VERSIONS: [&str; 5] = ["3.10", "3.11", "3.12", "3.13", "3.14"];

/// With `zig` as the linker the wheel runs on systems ten years old.
const MATURIN: &[&str] =
    &["build", "--release", "--locked", "--zig", "--compatibility", "manylinux2014", "--out"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_one_wheel_is_found_and_none_or_two_are_an_error() {
        let folder = env::temp_dir().join(format!("usso-wheels-{}", std::process::id()));
        assert!(built(&folder).is_err());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.whl"), "").unwrap();
        assert!(built(&folder).unwrap().ends_with("a.whl"));
        fs::write(folder.join("b.whl"), "").unwrap();
        assert!(built(&folder).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn pyenvs_versions_are_told_apart_by_whole_numbers() {
        let root = env::temp_dir().join(format!("usso-pyenv-{}", std::process::id()));
        for version in ["3.1.0", "3.10.13", "3.11.7"] {
            fs::create_dir_all(root.join("versions").join(version)).unwrap();
        }
        let found = kept_by_pyenv(&root, "3.1");
        assert_eq!(found, [root.join("versions/3.1.0/bin/python")]);
        fs::remove_dir_all(&root).unwrap();
    }
}

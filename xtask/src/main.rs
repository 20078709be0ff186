//! The task runner of this repository: `cargo xtask <command>`.
//!
//! What a change must pass is the table [`steps::STEPS`]; to add a step, add a line there.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command line program prints, reads its environment and times its steps"
)]

mod dependencies;
mod javascript;
mod prerequisites;
mod process;
mod python;
mod spdx;
mod steps;
mod structure;
mod verdicts;
mod wasm;

use std::path::PathBuf;
use std::process::ExitCode;

use steps::{Group, STEPS, Step};

/// What a command line asks for.
#[derive(Debug, PartialEq)]
enum Request {
    Bench(Vec<String>),
    Help,
    Steps(Vec<&'static Step>),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let outcome = parse(&arguments).and_then(|request| answer(request, &root()?));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(reason) => {
            eprintln!("xtask: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn answer(request: Request, root: &std::path::Path) -> Result<(), String> {
    match request {
        Request::Bench(passed_on) if passed_on == ["javascript"] => javascript::bench(root),
        Request::Bench(passed_on) if passed_on == ["python"] => python::bench(root),
        Request::Bench(passed_on) => {
            let mut arguments = vec!["run", "--release", "-p", "usso-benches", "--"];
            arguments.extend(passed_on.iter().map(String::as_str));
            process::cargo(root, &arguments, &[])
        }
        Request::Help => {
            print!("{}", help());
            Ok(())
        }
        Request::Steps(steps) => steps::run(root, &steps),
    }
}

fn parse(arguments: &[String]) -> Result<Request, String> {
    let mut words = arguments.iter().map(String::as_str);
    let command = match words.next() {
        None | Some("--help" | "-h" | "help") => return Ok(Request::Help),
        Some("bench") => return Ok(Request::Bench(words.map(str::to_owned).collect())),
        Some(command) => command,
    };
    if let Some(extra) = words.next() {
        return Err(format!("`{command}` takes no arguments, got `{extra}`"));
    }
    let steps: Vec<&Step> = match command {
        "test" => STEPS.iter().collect(),
        "lint" => STEPS.iter().filter(|step| step.group == Group::Lint).collect(),
        name => STEPS.iter().filter(|step| step.name == name).collect(),
    };
    if steps.is_empty() {
        return Err(format!("no command `{command}`; `cargo xtask --help` lists them"));
    }
    Ok(Request::Steps(steps))
}

fn help() -> String {
    let steps = STEPS.iter().map(|step| {
        let mark = if step.group == Group::Lint { '*' } else { ' ' };
        format!("{mark} {:<15} {}\n", step.name, step.about)
    });
    HELP.to_owned() + &steps.collect::<String>()
}

const HELP: &str = "usage: cargo xtask <command>

  test            everything a change must pass, in order
  lint            the steps marked * below
  bench [args]    the benchmarks, in release mode

steps of `test`, each a command of its own:
";

/// Finds the repository: the folder above this crate.
fn root() -> Result<PathBuf, String> {
    std::env::var_os("CARGO_MANIFEST_DIR")
        .map(PathBuf::from)
        .and_then(|manifest| manifest.parent().map(PathBuf::from))
        .ok_or_else(|| "start it as `cargo xtask`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(line: &[&str]) -> Vec<&'static str> {
        let words: Vec<String> = line.iter().map(|word| (*word).to_owned()).collect();
        match parse(&words).unwrap() {
            Request::Steps(steps) => steps.iter().map(|step| step.name).collect(),
            other => panic!("{other:?} is not a list of steps"),
        }
    }

    #[test]
    fn test_runs_every_step_in_the_order_of_the_table() {
        let all: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names(&["test"]), all);
    }

    #[test]
    fn a_step_can_be_run_alone() {
        for step in STEPS {
            assert_eq!(names(&[step.name]), [step.name]);
        }
    }

    #[test]
    fn lint_runs_the_structure_and_dependency_checks() {
        let lint = names(&["lint"]);
        assert!(lint.contains(&"structure") && lint.contains(&"deps") && !lint.contains(&"tests"));
    }

    #[test]
    fn bench_passes_its_arguments_through() {
        let line = ["bench".to_owned(), "--quick".to_owned()];
        assert_eq!(parse(&line), Ok(Request::Bench(vec!["--quick".to_owned()])));
    }

    #[test]
    fn unknown_commands_and_extra_arguments_are_refused() {
        assert!(parse(&["tset".to_owned()]).is_err());
        assert!(parse(&["test".to_owned(), "now".to_owned()]).is_err());
    }

    #[test]
    fn help_names_every_step_once_a_line() {
        let text = help();
        assert!(STEPS.iter().all(|step| text.contains(step.about)));
        assert_eq!(parse(&[]), Ok(Request::Help));
    }
}

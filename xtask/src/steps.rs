//! The steps a change must pass, and running them.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::{dependencies, javascript, prerequisites, process, python, structure, wasm};

/// Which short command runs a step besides `test`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    /// `cargo xtask lint` runs it too.
    Lint,
    /// Only `cargo xtask test` and its own name run it.
    Other,
}

/// How a step does its work.
#[derive(Debug, PartialEq)]
pub(crate) enum Work {
    /// A cargo command: arguments, then variables it is run with.
    Cargo(&'static [&'static str], &'static [(&'static str, &'static str)]),
    /// A check written here.
    Own(Check),
}

/// The checks written here.
#[derive(Debug, PartialEq)]
pub(crate) enum Check {
    Dependencies,
    JavaScript,
    Prerequisites,
    Python,
    Structure,
    Wasm,
    Wheel,
}

/// One line of the table.
#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) group: Group,
    work: Work,
}

const CLIPPY_ALL: &[&str] =
    &["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"];
const CLIPPY_VERIFY: &[&str] =
    &["clippy", "-p", "usso-verify", "--no-default-features", "--", "-D", "warnings"];
const CLIPPY_CORE: &[&str] =
    &["clippy", "-p", "usso-core", "--no-default-features", "--", "-D", "warnings"];
const CLIPPY_AXUM: &[&str] =
    &["clippy", "-p", "usso-axum", "--no-default-features", "--", "-D", "warnings"];
const CLIPPY_ACTIX: &[&str] =
    &["clippy", "-p", "usso-actix", "--no-default-features", "--", "-D", "warnings"];

/// Everything a change must pass, in order. A new step is a new line.
pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "prerequisites",
        about: "the tools this repository needs are there",
        group: Group::Other,
        work: Work::Own(Check::Prerequisites),
    },
    Step {
        name: "format",
        about: "the code is formatted",
        group: Group::Lint,
        work: Work::Cargo(&["fmt", "--all", "--check"], &[]),
    },
    Step {
        name: "structure",
        about: "imports between crates, layers and flows point the right way",
        group: Group::Lint,
        work: Work::Own(Check::Structure),
    },
    Step {
        name: "deps",
        about: "licences, banned packages and sources of the dependencies",
        group: Group::Lint,
        work: Work::Own(Check::Dependencies),
    },
    Step {
        name: "clippy",
        about: "clippy on the workspace with every feature",
        group: Group::Lint,
        work: Work::Cargo(CLIPPY_ALL, &[]),
    },
    Step {
        name: "clippy-verify",
        about: "clippy on usso-verify without features",
        group: Group::Lint,
        work: Work::Cargo(CLIPPY_VERIFY, &[]),
    },
    Step {
        name: "clippy-core",
        about: "clippy on usso-core without features",
        group: Group::Lint,
        work: Work::Cargo(CLIPPY_CORE, &[]),
    },
    Step {
        name: "clippy-axum",
        about: "clippy on usso-axum without features",
        group: Group::Lint,
        work: Work::Cargo(CLIPPY_AXUM, &[]),
    },
    Step {
        name: "clippy-actix",
        about: "clippy on usso-actix without features",
        group: Group::Lint,
        work: Work::Cargo(CLIPPY_ACTIX, &[]),
    },
    Step {
        name: "wasm",
        about: "the npm package with its WebAssembly, into target/npm",
        group: Group::Other,
        work: Work::Own(Check::Wasm),
    },
    Step {
        name: "tests",
        about: "every test and documentation example, with every feature",
        group: Group::Other,
        work: Work::Cargo(&["test", "--workspace", "--all-features"], &[]),
    },
    Step {
        name: "wheel",
        about: "the wheel of the Python package, into target/wheels",
        group: Group::Other,
        work: Work::Own(Check::Wheel),
    },
    Step {
        name: "python",
        about: "style, types and tests of the Python package, with the wheel and each Python found",
        group: Group::Other,
        work: Work::Own(Check::Python),
    },
    Step {
        name: "javascript",
        about: "types and tests of the npm package, in Node, an edge worker, Chromium and Firefox",
        group: Group::Other,
        work: Work::Own(Check::JavaScript),
    },
    Step {
        name: "doc",
        about: "the documentation builds without a warning",
        group: Group::Other,
        work: Work::Cargo(
            &["doc", "--workspace", "--no-deps", "--all-features"],
            &[("RUSTDOCFLAGS", "-Dwarnings")],
        ),
    },
];

/// Runs steps in order, stops at the first that fails and prints how long each took.
pub(crate) fn run(root: &Path, steps: &[&Step]) -> Result<(), String> {
    let mut rows = Vec::new();
    let mut failed = None;
    for step in steps {
        eprintln!("== {}", step.name);
        let started = Instant::now();
        let outcome = work(root, &step.work);
        rows.push((step.name, started.elapsed(), outcome.is_ok()));
        if let Err(reason) = outcome {
            eprintln!("{reason}");
            failed = Some(step.name);
            break;
        }
    }
    if steps.len() > 1 {
        print!("{}", table(&rows));
    }
    failed.map_or(Ok(()), |name| {
        Err(format!("step `{name}` failed; run it alone with `cargo xtask {name}`"))
    })
}

fn work(root: &Path, work: &Work) -> Result<(), String> {
    match work {
        Work::Cargo(arguments, environment) => process::cargo(root, arguments, environment),
        Work::Own(Check::Dependencies) => dependencies::run(root),
        Work::Own(Check::JavaScript) => javascript::test(root),
        Work::Own(Check::Prerequisites) => prerequisites::run(),
        Work::Own(Check::Structure) => structure::run(root),
        Work::Own(Check::Python) => python::test(root),
        Work::Own(Check::Wasm) => wasm::run(root),
        Work::Own(Check::Wheel) => python::wheel(root),
    }
}

fn table(rows: &[(&str, Duration, bool)]) -> String {
    let line = |name: &str, seconds: &str| format!("{name:<15} {seconds:>8}");
    let seconds = |taken: Duration| format!("{:.1}", taken.as_secs_f64());
    let mut lines = vec![String::new(), line("step", "seconds")];
    for (name, taken, passed) in rows {
        let mark = if *passed { "" } else { "  failed" };
        lines.push(line(name, &seconds(*taken)) + mark);
    }
    lines.push(line("all", &seconds(rows.iter().map(|(_, taken, _)| *taken).sum())));
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Step = Step {
        name: "good",
        about: "",
        group: Group::Other,
        work: Work::Cargo(&["--version"], &[]),
    };
    const BAD: Step = Step {
        name: "bad",
        about: "",
        group: Group::Other,
        work: Work::Cargo(&["no-such-subcommand"], &[]),
    };
    const WORSE: Step = Step {
        name: "worse",
        about: "",
        group: Group::Other,
        work: Work::Cargo(&["no-such-subcommand"], &[]),
    };

    #[test]
    fn the_first_failing_step_is_named_with_the_way_to_run_it_alone() {
        let reason = run(&std::env::temp_dir(), &[&GOOD, &BAD, &WORSE]).unwrap_err();
        assert_eq!(reason, "step `bad` failed; run it alone with `cargo xtask bad`");
    }

    #[test]
    fn passing_steps_pass() {
        assert_eq!(run(&std::env::temp_dir(), &[&GOOD, &GOOD]), Ok(()));
    }

    #[test]
    fn the_table_shows_seconds_and_the_failure() {
        let rows = [("a", Duration::from_millis(1250), true), ("b", Duration::ZERO, false)];
        let text = table(&rows);
        assert!(text.contains("a                    1.2\n"), "{text}");
        assert!(text.contains("b                    0.0  failed\n"), "{text}");
    }

    #[test]
    fn step_names_are_different() {
        let mut names: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), STEPS.len());
    }
}

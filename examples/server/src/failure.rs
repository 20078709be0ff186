//! Why the server does not start.

use std::{fmt, process::ExitCode};

use crate::settings::BadSetting;

/// Why the server does not start.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A setting is wrong: exit code 2.
    Setting(BadSetting),
    /// Anything else: exit code 1.
    Start(String),
}

impl Failure {
    pub(crate) fn start(why: impl fmt::Display) -> Self {
        Self::Start(why.to_string())
    }

    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Setting(_) => ExitCode::from(2),
            Self::Start(_) => ExitCode::FAILURE,
        }
    }
}

impl From<BadSetting> for Failure {
    fn from(bad: BadSetting) -> Self {
        Self::Setting(bad)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setting(bad) => bad.fmt(f),
            Self::Start(why) => f.write_str(why),
        }
    }
}

//! Was the user authenticated well enough, and recently enough, for this request?
//!
//! A valid token may come from a password typed last week. A [`Requirement`] says what a route
//! needs; a [`StepUp`] says what is lacking, and becomes the challenge that sends the client back
//! to the issuer ([`Challenge::step_up`](crate::challenge::Challenge::step_up)).
//!
//! # Spec
//!
//! RFC 9470, OpenID Connect Core §2 (`acr`, `amr`, `auth_time`), RFC 8176.

use std::fmt;
use std::time::Duration;

/// How the user of a verified token was authenticated, from its claims.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Authentication<'a> {
    /// Authentication context class.
    pub acr: Option<&'a str>,
    /// Authentication methods used.
    pub amr: &'a [String],
    /// Time of the authentication, seconds since the epoch.
    pub auth_time: Option<u64>,
}

/// What a request needs of the user's authentication. A new one needs nothing.
///
/// ```
/// use std::time::Duration;
/// use usso_verify::step_up::{Authentication, Problem, Requirement};
///
/// let payment = Requirement::new().acr("usso:acr:2").max_age(Duration::from_secs(300));
/// let user = Authentication { acr: Some("usso:acr:1"), amr: &[], auth_time: Some(990) };
/// let lacking = payment.check(&user, 1_000, Duration::ZERO).unwrap_err();
/// assert_eq!(lacking.problem, Problem::Acr);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[must_use]
pub struct Requirement {
    acr_values: Vec<String>,
    amr: Vec<String>,
    max_age: Option<u64>,
}

impl Requirement {
    /// Makes one that every authentication fulfils.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an acceptable context class; one of those added must be the token's. Preferred first.
    pub fn acr(mut self, acr: impl Into<String>) -> Self {
        self.acr_values.push(acr.into());
        self
    }

    /// Adds a method that must have been used; all of those added must have been.
    ///
    /// No challenge can ask for a method. Where possible, let a context class stand for it.
    pub fn amr(mut self, method: impl Into<String>) -> Self {
        self.amr.push(method.into());
        self
    }

    /// Sets how long ago the authentication may be; a fraction of a second is dropped.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age.as_secs());
        self
    }

    /// Compares an authentication with what is needed, at the time `now` in seconds since the
    /// epoch. `leeway` is by how much the clocks may differ; a fraction of a second is dropped.
    ///
    /// # Errors
    ///
    /// [`StepUp`] with the first problem, in the order `acr`, `amr`, `auth_time`.
    ///
    /// # Security
    ///
    /// What a token does not say counts as not done. A time in the future is refused even where
    /// none is needed: an issuer whose clock is that wrong proves nothing.
    ///
    /// # Spec
    ///
    /// RFC 9470 §3.
    pub fn check(
        &self,
        authentication: &Authentication<'_>,
        now: u64,
        leeway: Duration,
    ) -> Result<(), StepUp> {
        match self.judge(authentication, now, leeway.as_secs()) {
            None => Ok(()),
            Some(problem) => {
                Err(StepUp { problem, acr_values: self.acr_values.clone(), max_age: self.max_age })
            }
        }
    }

    fn judge(&self, user: &Authentication<'_>, now: u64, leeway: u64) -> Option<Problem> {
        let acr = |needed: &String| user.acr == Some(needed);
        if !self.acr_values.is_empty() && !self.acr_values.iter().any(acr) {
            return Some(Problem::Acr);
        }
        if !self.amr.iter().all(|method| user.amr.contains(method)) {
            return Some(Problem::Amr);
        }
        match (user.auth_time, self.max_age) {
            (Some(time), _) if time > now.saturating_add(leeway) => Some(Problem::AuthTimeInFuture),
            (None, Some(_)) => Some(Problem::AuthTimeMissing),
            (Some(time), Some(max_age)) => {
                let age = now.saturating_sub(time);
                (age > max_age.saturating_add(leeway)).then_some(Problem::TooOld)
            }
            (_, None) => None,
        }
    }
}

/// The user must authenticate again, or better.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepUp {
    /// What was lacking first.
    pub problem: Problem,
    /// Acceptable context classes, for the challenge; empty if any is.
    pub acr_values: Vec<String>,
    /// Longest time since the authentication in seconds, for the challenge.
    pub max_age: Option<u64>,
}

impl fmt::Display for StepUp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.problem {
            Problem::Acr => "a stronger authentication is required",
            Problem::Amr => "another authentication method is required",
            Problem::AuthTimeInFuture => "the time of the authentication is in the future",
            Problem::AuthTimeMissing => "the time of the authentication is not known",
            Problem::TooOld => "a more recent authentication is required",
        })
    }
}

impl std::error::Error for StepUp {}

/// What an authentication lacked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Problem {
    /// The context class is none of the acceptable ones, or missing.
    Acr,
    /// A needed method was not used.
    Amr,
    /// `auth_time` is in the future.
    AuthTimeInFuture,
    /// `auth_time` is needed and missing.
    AuthTimeMissing,
    /// The authentication is too long ago.
    TooOld,
}

impl Problem {
    /// Gives the stable public code, `step_up.` and the problem.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Acr => "step_up.acr",
            Self::Amr => "step_up.amr",
            Self::AuthTimeInFuture => "step_up.auth_time_in_future",
            Self::AuthTimeMissing => "step_up.auth_time_missing",
            Self::TooOld => "step_up.too_old",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Authentication, Problem, Requirement};
    use proptest::prelude::*;
    use std::time::Duration;

    const NOW: u64 = 10_000;
    const LEEWAY: Duration = Duration::from_secs(5);

    fn judge(requirement: &Requirement, user: Authentication<'_>) -> Result<(), Problem> {
        requirement.check(&user, NOW, LEEWAY).map_err(|step_up| step_up.problem)
    }

    fn at(auth_time: u64) -> Authentication<'static> {
        Authentication { auth_time: Some(auth_time), ..Authentication::default() }
    }

    fn recent(seconds: u64) -> Requirement {
        Requirement::new().max_age(Duration::from_secs(seconds))
    }

    #[test]
    fn no_requirement_is_always_fulfilled() {
        assert_eq!(judge(&Requirement::new(), Authentication::default()), Ok(()));
        assert_eq!(judge(&Requirement::new(), at(0)), Ok(()));
    }

    #[test]
    fn any_of_the_context_classes_will_do() {
        let requirement = Requirement::new().acr("gold").acr("silver");
        for (acr, verdict) in [
            (Some("gold"), Ok(())),
            (Some("silver"), Ok(())),
            (Some("bronze"), Err(Problem::Acr)),
            (Some("GOLD"), Err(Problem::Acr)),
            (Some("gold silver"), Err(Problem::Acr)),
            (Some(""), Err(Problem::Acr)),
            (None, Err(Problem::Acr)),
        ] {
            let user = Authentication { acr, ..Authentication::default() };
            assert_eq!(judge(&requirement, user), verdict, "{acr:?}");
        }
    }

    #[test]
    fn all_of_the_methods_must_have_been_used() {
        let requirement = Requirement::new().amr("pwd").amr("otp");
        for (used, verdict) in [
            (vec!["pwd", "otp"], Ok(())),
            (vec!["otp", "x", "pwd"], Ok(())),
            (vec!["pwd"], Err(Problem::Amr)),
            (vec!["otp"], Err(Problem::Amr)),
            (vec![], Err(Problem::Amr)),
        ] {
            let amr: Vec<String> = used.iter().map(ToString::to_string).collect();
            let user = Authentication { amr: &amr, ..Authentication::default() };
            assert_eq!(judge(&requirement, user), verdict, "{used:?}");
        }
    }

    #[test]
    fn an_authentication_is_recent_until_the_end_of_age_and_leeway() {
        assert_eq!(judge(&recent(60), at(NOW)), Ok(()));
        assert_eq!(judge(&recent(60), at(NOW - 65)), Ok(()));
        assert_eq!(judge(&recent(60), at(NOW - 66)), Err(Problem::TooOld));
        assert_eq!(judge(&recent(0), at(NOW - 6)), Err(Problem::TooOld));
        assert_eq!(judge(&recent(60), Authentication::default()), Err(Problem::AuthTimeMissing));
    }

    #[test]
    fn an_authentication_in_the_future_is_refused_beyond_the_leeway() {
        for requirement in [recent(60), Requirement::new()] {
            assert_eq!(judge(&requirement, at(NOW + 5)), Ok(()));
            assert_eq!(judge(&requirement, at(NOW + 6)), Err(Problem::AuthTimeInFuture));
            assert_eq!(judge(&requirement, at(u64::MAX)), Err(Problem::AuthTimeInFuture));
        }
    }

    #[test]
    fn a_refusal_carries_what_the_challenge_needs() {
        let requirement = recent(60).acr("gold").acr("silver").amr("otp");
        let step_up = requirement.check(&at(NOW), NOW, LEEWAY).unwrap_err();
        assert_eq!(step_up.acr_values, ["gold", "silver"]);
        assert_eq!((step_up.max_age, step_up.problem), (Some(60), Problem::Acr));
        assert_eq!(recent(60).check(&at(0), NOW, LEEWAY).unwrap_err().acr_values.len(), 0);
    }

    #[test]
    fn the_codes_are_these() {
        let codes = [
            (Requirement::new().acr("x"), at(NOW), "step_up.acr"),
            (Requirement::new().amr("x"), at(NOW), "step_up.amr"),
            (recent(1), at(NOW + 6), "step_up.auth_time_in_future"),
            (recent(1), Authentication::default(), "step_up.auth_time_missing"),
            (recent(1), at(0), "step_up.too_old"),
        ];
        for (requirement, user, code) in codes {
            let step_up = requirement.check(&user, NOW, LEEWAY).unwrap_err();
            assert_eq!(step_up.problem.code(), code);
            let text = step_up.to_string();
            assert!(text.starts_with(char::is_lowercase) && !text.ends_with('.'), "{text}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn any_numbers_are_judged_without_panic(time: u64, age: u64, now: u64, leeway: u64) {
            let _ = recent(age).check(&at(time), now, Duration::from_secs(leeway));
        }
    }
}

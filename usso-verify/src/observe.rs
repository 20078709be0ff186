//! Watching a verifier: for metrics and traces.

use crate::algorithm::Algorithm;
use crate::error::VerifyError;
use crate::principal::Principal;

/// Is told about every verification.
///
/// It runs inside the request: it must be quick and must not block.
pub trait Observer: Send + Sync {
    /// Is told about a verification that has ended.
    fn verified(&self, seen: &Seen<'_>);

    /// Tells a monotonic time in nanoseconds, from which [`Seen::nanoseconds`] is taken. Default:
    /// none, and nothing is measured.
    fn time(&self) -> Option<u64> {
        None
    }
}

/// A verification that has ended. Holds nothing secret.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Seen<'s> {
    /// The issuer, once it was found to be a configured one whose signature holds.
    pub issuer: Option<&'s str>,
    /// The algorithm of the key that vouched.
    pub algorithm: Option<Algorithm>,
    /// What came of it.
    pub outcome: Result<(), VerifyError>,
    /// Whether the token was remembered from before.
    pub remembered: bool,
    /// How long it took, fetching keys not included.
    pub nanoseconds: Option<u64>,
}

/// A verification that an observer will be told about, if there is one.
pub(crate) struct Watch<'o> {
    observer: Option<&'o dyn Observer>,
    started: Option<u64>,
}

impl<'o> Watch<'o> {
    pub(crate) fn start(observer: Option<&'o dyn Observer>) -> Self {
        Self { observer, started: observer.and_then(Observer::time) }
    }

    /// Tells the observer, and gives the verdict back.
    pub(crate) fn report(
        self,
        verdict: Result<Principal, VerifyError>,
        remembered: bool,
    ) -> Result<Principal, VerifyError> {
        if let Some(observer) = self.observer {
            let principal = verdict.as_ref().ok();
            let time = self.started.zip(observer.time());
            observer.verified(&Seen {
                issuer: principal.map(|principal| principal.iss.as_str()),
                algorithm: principal.and_then(Principal::algorithm),
                outcome: verdict.as_ref().map(|_| ()).map_err(|error| *error),
                remembered,
                nanoseconds: time.map(|(then, now)| now.saturating_sub(then)),
            });
        }
        verdict
    }
}

#[cfg(feature = "metrics")]
pub use facade::MetricsObserver;

#[cfg(feature = "metrics")]
mod facade {
    use super::{Observer, Seen};
    use crate::jwks::JwksEvent;

    /// Counts verifications with the `metrics` facade.
    ///
    /// | metric | kind | labels |
    /// | --- | --- | --- |
    /// | `usso_verify_total` | counter | `result` (`ok` or the code), `issuer`, `algorithm`, `remembered` |
    /// | `usso_verify_seconds` | histogram | `remembered`; only with a clock |
    #[derive(Clone, Copy, Debug, Default)]
    pub struct MetricsObserver {
        clock: Option<fn() -> u64>,
    }

    impl MetricsObserver {
        /// Counts and measures nothing.
        #[must_use]
        pub const fn new() -> Self {
            Self { clock: None }
        }

        /// Measures with this monotonic clock, in nanoseconds.
        #[must_use]
        pub const fn clock(clock: fn() -> u64) -> Self {
            Self { clock: Some(clock) }
        }
    }

    impl MetricsObserver {
        /// Counts what happens to the keys of an issuer, for
        /// [`JwksSourceBuilder::observer`](crate::JwksSourceBuilder::observer):
        /// `usso_verify_keys_total` with the labels `issuer` and `event`.
        pub fn of_keys(issuer: &str) -> impl Fn(&JwksEvent) + Send + Sync + 'static {
            let issuer = issuer.to_owned();
            move |event: &JwksEvent| {
                metrics::counter!("usso_verify_keys_total", "issuer" => issuer.clone(),
                    "event" => event.name())
                .increment(1);
            }
        }
    }

    impl Observer for MetricsObserver {
        fn verified(&self, seen: &Seen<'_>) {
            let result = seen.outcome.map_or_else(crate::VerifyError::code, |()| "ok");
            let issuer = seen.issuer.unwrap_or_default().to_owned();
            let algorithm = seen.algorithm.map_or("", crate::Algorithm::as_str);
            let remembered = if seen.remembered { "true" } else { "false" };
            metrics::counter!("usso_verify_total", "result" => result, "issuer" => issuer,
                "algorithm" => algorithm, "remembered" => remembered)
            .increment(1);
            if let Some(nanoseconds) = seen.nanoseconds {
                let seconds = std::time::Duration::from_nanos(nanoseconds).as_secs_f64();
                metrics::histogram!("usso_verify_seconds", "remembered" => remembered)
                    .record(seconds);
            }
        }

        fn time(&self) -> Option<u64> {
            self.clock.map(|clock| clock())
        }
    }
}

#[cfg(feature = "tracing")]
pub use traces::TracingObserver;

#[cfg(feature = "tracing")]
mod traces {
    use super::{Observer, Seen};
    use crate::jwks::JwksEvent;

    /// Writes refusals, and what happens to keys, as events of the `tracing` facade, target
    /// `usso_verify`.
    #[derive(Clone, Copy, Debug, Default)]
    pub struct TracingObserver;

    impl TracingObserver {
        /// Writes what happens to the keys of an issuer, for
        /// [`JwksSourceBuilder::observer`](crate::JwksSourceBuilder::observer): failures and stale
        /// keys as warnings.
        pub fn of_keys(issuer: &str) -> impl Fn(&JwksEvent) + Send + Sync + 'static {
            let issuer = issuer.to_owned();
            move |event: &JwksEvent| {
                if event.is_trouble() {
                    tracing::warn!(target: "usso_verify", issuer, ?event, "keys");
                } else {
                    tracing::debug!(target: "usso_verify", issuer, ?event, "keys");
                }
            }
        }
    }

    impl Observer for TracingObserver {
        fn verified(&self, seen: &Seen<'_>) {
            match seen.outcome {
                Err(error) if error.status() == 503 => {
                    tracing::warn!(target: "usso_verify", code = error.code(), %error, "refused");
                }
                Err(error) => {
                    tracing::debug!(target: "usso_verify", code = error.code(), %error, "refused");
                }
                Ok(()) => {}
            }
        }
    }
}

//! The verifier, driven from Python.

use std::collections::HashMap;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use usso_verify::call::{Answer, Calls};
use usso_verify::guard::Head;
use usso_verify::opaque::LookupFailed;
use usso_verify::{Clock as _, FetchError, Presented, Response, SystemClock};

use crate::claims::Claims;
use crate::outcome::{Fetch, LookUp, Refusal, Wait};
use crate::request::{Request, Rule};
use crate::value::{Text, invalid, object};

/// A verifier that performs no I/O.
#[pyclass(frozen, module = "usso._native")]
pub(crate) struct Verifier {
    calls: Calls,
}

#[pymethods]
impl Verifier {
    #[new]
    fn new(config: &str) -> PyResult<Self> {
        Ok(Self { calls: Calls::new(config).map_err(invalid)? })
    }

    #[pyo3(signature = (token, *, fetched = false, tenant = None, nonce = None, api_key = false))]
    fn verify<'py>(
        &self,
        py: Python<'py>,
        token: &Bound<'_, PyAny>,
        fetched: bool,
        tenant: Option<&str>,
        nonce: Option<&str>,
        api_key: bool,
    ) -> PyResult<Bound<'py, PyAny>> {
        // What is no UTF-8 is no token.
        let token = match token.cast::<PyBytes>() {
            Ok(bytes) => std::str::from_utf8(bytes.as_bytes()).unwrap_or_default(),
            Err(_) => token.cast::<PyString>()?.to_str().unwrap_or_default(),
        };
        let mut presented =
            if api_key { Presented::api_key(token) } else { Presented::bearer(token) };
        if let Some(tenant) = tenant {
            presented = presented.tenant(tenant);
        }
        if let Some(nonce) = nonce {
            presented = presented.nonce(nonce);
        }
        let now = SystemClock.now();
        if let Some(answer) = self.calls.recalled(&presented, now) {
            return outcome(py, answer, false);
        }
        let answer = py.detach(|| self.judge(&presented, fetched, now));
        outcome(py, answer, true)
    }

    #[pyo3(signature = (request, *, fetched = false))]
    fn authenticate<'py>(
        &self,
        py: Python<'py>,
        request: &Bound<'_, Request>,
        fetched: bool,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let now = SystemClock.now();
        let request = request.get();
        let mut fresh = false;
        let answer = self.calls.present(&request.head(), |presented| {
            if let Some(answer) = self.calls.recalled(presented, now) {
                return answer;
            }
            fresh = true;
            py.detach(|| self.judge(presented, fetched, now))
        });
        answer.map(|answer| outcome(py, answer, fresh)).transpose()
    }

    fn fetched(
        &self,
        py: Python<'_>,
        number: u64,
        status: u16,
        headers: Vec<(String, String)>,
        body: Vec<u8>,
    ) -> Option<Fetch> {
        let mut response = Response::new(status, body);
        response.headers = headers;
        let next = py.detach(|| self.calls.fetched(number, Ok(response), SystemClock.now()));
        next.map(|request| Fetch::new(number, request))
    }

    fn failed(&self, number: u64, reason: &str) -> PyResult<Option<Fetch>> {
        let error = match reason {
            "failed" => FetchError::Failed,
            "refused" => FetchError::Refused,
            "timed_out" => FetchError::TimedOut,
            "too_large" => FetchError::TooLarge,
            _ => return Err(PyValueError::new_err("no such reason")),
        };
        let next = self.calls.fetched(number, Err(error), SystemClock.now());
        Ok(next.map(|request| Fetch::new(number, request)))
    }

    #[pyo3(signature = (number, claims, *, failed = false))]
    fn looked_up(&self, number: u64, claims: Option<&str>, failed: bool) -> PyResult<()> {
        let claims = match (claims, failed) {
            (_, true) => Err(LookupFailed),
            (Some(claims), false) => Ok(Some(object(claims)?)),
            (None, false) => Ok(None),
        };
        self.calls.looked_up(number, claims, SystemClock.now());
        Ok(())
    }

    fn is_under_way(&self, number: u64) -> bool {
        self.calls.is_under_way(number)
    }

    fn due(&self) -> Vec<Fetch> {
        let due = self.calls.due(SystemClock.now()).into_iter();
        due.map(|(number, request)| Fetch::new(number, request)).collect()
    }

    fn check(
        &self,
        claims: Option<&Bound<'_, Claims>>,
        rule: &Bound<'_, Rule>,
        parameters: HashMap<String, Text>,
    ) -> Option<Refusal> {
        let caller = claims.map(|claims| &claims.get().principal);
        let parameter = |name: &str| parameters.get(name)?.0.clone();
        let checked = self.calls.check(caller, &rule.get().inner, parameter, SystemClock.now());
        checked.err().map(|inner| Refusal { inner })
    }

    fn answer(
        &self,
        refusal: &Bound<'_, Refusal>,
        request: Option<&Bound<'_, Request>>,
    ) -> (u16, Vec<(&'static str, String)>, String) {
        let refusal = &refusal.get().inner;
        let answer = match request {
            Some(request) => self.calls.answer(refusal, &request.get().head()),
            None => self.calls.answer(refusal, &Head::new("GET", "/", [])),
        };
        (answer.status, answer.headers, answer.body)
    }

    fn response_headers(
        &self,
        request: &Bound<'_, Request>,
        optional: bool,
    ) -> Vec<(&'static str, String)> {
        self.calls.response_headers(&request.get().headers(), optional)
    }

    fn clear_cache(&self) {
        self.calls.clear_cache();
    }

    fn cached_tokens(&self) -> usize {
        self.calls.cached_tokens()
    }
}

impl Verifier {
    fn judge(&self, presented: &Presented<'_>, fetched: bool, now: u64) -> Answer {
        if fetched {
            self.calls.verify_fetched(presented, now)
        } else {
            self.calls.verify(presented, now)
        }
    }
}

fn outcome(py: Python<'_>, answer: Answer, fresh: bool) -> PyResult<Bound<'_, PyAny>> {
    Ok(match answer {
        Answer::Caller(principal) => Bound::new(py, Claims::new(principal, fresh))?.into_any(),
        Answer::Fetch(number, request) => Bound::new(py, Fetch::new(number, request))?.into_any(),
        Answer::LookUp(number, key) => Bound::new(py, LookUp::new(number, key))?.into_any(),
        Answer::Wait(number) => Bound::new(py, Wait { number })?.into_any(),
        Answer::Refused(inner) => Bound::new(py, Refusal { inner })?.into_any(),
        // Signatures are verified here, never by the platform.
        _ => Bound::new(py, Refusal::unavailable())?.into_any(),
    })
}

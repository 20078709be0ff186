//! What a verification comes to, beside a caller.

use pyo3::prelude::*;
use pyo3::types::PyBytes;
use usso_verify::Denied;
use usso_verify::Request;
use usso_verify::call;
use usso_verify::guard;

/// Why a request is refused.
#[pyclass(frozen, module = "usso._native")]
pub(crate) struct Refusal {
    pub(crate) inner: call::Refusal,
}

#[pymethods]
impl Refusal {
    #[getter]
    const fn code(&self) -> &'static str {
        self.inner.code
    }

    #[getter]
    fn message(&self) -> &str {
        &self.inner.message
    }

    #[getter]
    const fn status(&self) -> u16 {
        self.inner.status
    }

    #[getter]
    fn challenge(&self) -> Option<&str> {
        self.inner.challenge.as_deref()
    }

    #[staticmethod]
    fn missing() -> Self {
        Self { inner: guard::Refusal::Missing.into() }
    }

    #[staticmethod]
    fn scope(scope: String) -> Self {
        Self { inner: guard::Refusal::Denied(Denied::Scope(scope)).into() }
    }

    #[staticmethod]
    fn claims() -> Self {
        Self { inner: guard::Refusal::Claims.into() }
    }

    #[staticmethod]
    pub(crate) fn unavailable() -> Self {
        Self { inner: guard::Refusal::Unavailable.into() }
    }

    fn __repr__(&self) -> String {
        format!("Refusal({:?})", self.inner.code)
    }
}

/// A request to send.
#[pyclass(frozen, module = "usso._native")]
pub(crate) struct Fetch {
    number: u64,
    request: Request,
}

impl Fetch {
    pub(crate) const fn new(number: u64, request: Request) -> Self {
        Self { number, request }
    }
}

#[pymethods]
impl Fetch {
    #[getter]
    const fn number(&self) -> u64 {
        self.number
    }

    #[getter]
    fn url(&self) -> &str {
        &self.request.url
    }

    #[getter]
    fn headers(&self) -> Vec<(&'static str, String)> {
        self.request.headers.clone()
    }

    #[getter]
    fn body<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBytes>> {
        self.request.body.as_deref().map(|body| PyBytes::new(py, body))
    }

    #[getter]
    const fn max_body_bytes(&self) -> usize {
        self.request.max_body_bytes
    }
}

/// Somebody else's request to wait for.
#[pyclass(frozen, module = "usso._native")]
pub(crate) struct Wait {
    pub(crate) number: u64,
}

#[pymethods]
impl Wait {
    #[getter]
    const fn number(&self) -> u64 {
        self.number
    }
}

/// An API key that the app looks up.
#[pyclass(frozen, module = "usso._native")]
pub(crate) struct LookUp {
    number: u64,
    key: call::ApiKey,
}

impl LookUp {
    pub(crate) const fn new(number: u64, key: call::ApiKey) -> Self {
        Self { number, key }
    }
}

#[pymethods]
impl LookUp {
    #[getter]
    const fn number(&self) -> u64 {
        self.number
    }

    #[getter]
    fn key(&self) -> &str {
        self.key.expose()
    }
}

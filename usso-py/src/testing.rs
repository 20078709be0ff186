//! The issuer for tests.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use usso_verify::testing::{self, requests};
use usso_verify::{Clock as _, SystemClock};

use crate::value::{invalid, object, to_python};

/// An issuer in memory.
#[pyclass(frozen, module = "usso._native")]
pub(crate) struct TestIssuer {
    name: String,
    inner: testing::TestIssuer,
}

#[pymethods]
impl TestIssuer {
    #[new]
    #[pyo3(signature = (name, algorithm = "EdDSA"))]
    fn new(name: String, algorithm: &str) -> PyResult<Self> {
        let algorithm = usso_verify::Algorithm::parse(algorithm);
        let algorithm = algorithm.ok_or_else(|| PyValueError::new_err("no such algorithm"))?;
        Ok(Self { inner: testing::TestIssuer::with_algorithm(&name, algorithm), name })
    }

    #[getter]
    fn name(&self) -> &str {
        &self.name
    }

    #[getter]
    fn kid(&self) -> String {
        self.inner.kid()
    }

    fn jwks<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        to_python(py, &serde_json::to_value(self.inner.keys().to_jwks()).map_err(invalid)?)
    }

    fn rotate(&self) -> String {
        self.inner.rotate()
    }

    fn revoke(&self, kid: &str) {
        self.inner.revoke(kid);
    }

    #[pyo3(signature = (claims, header = "{}", kid = None))]
    fn mint(&self, claims: &str, header: &str, kid: Option<&str>) -> PyResult<String> {
        self.inner.clock().set(SystemClock.now());
        let mut mint = self.inner.mint();
        for (name, value) in object(claims)? {
            mint = if value.is_null() { mint.without(&name) } else { mint.claim(&name, value) };
        }
        for (name, value) in object(header)? {
            mint = mint.header(&name, value);
        }
        if let Some(kid) = kid {
            mint = mint.signed_by(kid);
        }
        Ok(mint.sign())
    }
}

/// A request of the table, and what its answer must be.
#[pyclass(frozen, module = "usso._native")]
pub(crate) struct RequestCase {
    inner: requests::Case,
}

#[pymethods]
impl RequestCase {
    #[getter]
    fn name(&self) -> &str {
        &self.inner.name
    }

    #[getter]
    fn method(&self) -> &str {
        &self.inner.method
    }

    #[getter]
    fn path(&self) -> &str {
        &self.inner.path
    }

    #[getter]
    fn headers(&self) -> Vec<(String, String)> {
        self.inner.headers.clone()
    }

    /// Gives what is different, in words; `None` if nothing is.
    fn check(&self, status: u16, challenges: Vec<String>, body: &str) -> Option<String> {
        self.inner.check(status, &challenges, body).err()
    }
}

#[pyfunction]
pub(crate) fn request_table(issuer: &Bound<'_, TestIssuer>) -> Vec<RequestCase> {
    let issuer = &issuer.get().inner;
    issuer.clock().set(SystemClock.now());
    requests::requests(issuer).into_iter().map(|inner| RequestCase { inner }).collect()
}

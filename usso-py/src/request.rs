//! A request, and what a route needs of its caller.

use std::time::Duration;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use usso_verify::guard::{self, Head, Headers};
use usso_verify::step_up::Requirement;

use crate::value::invalid;

/// What of a request is looked at.
#[pyclass(frozen, module = "usso._native")]
pub(crate) struct Request {
    method: String,
    target: String,
    headers: Lines,
    authority: Option<String>,
}

impl Request {
    pub(crate) fn head(&self) -> Head<'_, &Lines> {
        let mut head = Head::new(&self.method, &self.target, &self.headers);
        head.authority = self.authority.as_deref();
        head
    }

    pub(crate) const fn headers(&self) -> &Lines {
        &self.headers
    }
}

/// The lines of the headers, with names in lower case.
pub(crate) struct Lines(Vec<(String, Vec<u8>)>);

impl Headers for &Lines {
    fn lines<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        self.0.iter().filter(move |(own, _)| own == name).map(|(_, value)| value.as_slice())
    }
}

#[pymethods]
impl Request {
    #[new]
    #[pyo3(signature = (method, target, headers, authority = None))]
    fn new(
        method: String,
        target: String,
        headers: &Bound<'_, PyAny>,
        authority: Option<String>,
    ) -> PyResult<Self> {
        let mut lines = Vec::new();
        for line in headers.try_iter()? {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = line?.extract()?;
            let name = bytes(&name)?.to_ascii_lowercase();
            // A name that is not UTF-8 is none that is looked at.
            if let Ok(name) = String::from_utf8(name) {
                lines.push((name, bytes(&value)?));
            }
        }
        Ok(Self { method, target, headers: Lines(lines), authority })
    }

    fn __repr__(&self) -> String {
        // Address and headers may hold credentials.
        format!("Request({:?})", self.method)
    }
}

/// The bytes that were sent. Frameworks that give text made it of Latin-1.
fn bytes(value: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    if let Ok(bytes) = value.cast::<PyBytes>() {
        return Ok(bytes.as_bytes().to_vec());
    }
    if let Ok(text) = value.cast::<PyString>() {
        let latin: Result<Vec<u8>, _> = text.to_string_lossy().chars().map(u8::try_from).collect();
        return Ok(latin.unwrap_or_else(|_| text.to_string_lossy().as_bytes().to_vec()));
    }
    Err(PyTypeError::new_err("headers are pairs of str or bytes"))
}

/// What a route needs of its caller.
#[pyclass(frozen, module = "usso._native")]
pub(crate) struct Rule {
    pub(crate) inner: guard::Rule,
}

#[pymethods]
impl Rule {
    #[new]
    #[pyo3(signature = (*, scopes = Vec::new(), roles = Vec::new(), tenant = None, workspace = None, service = false, max_age = None, acr = Vec::new()))]
    fn new(
        scopes: Vec<String>,
        roles: Vec<String>,
        tenant: Option<&str>,
        workspace: Option<&str>,
        service: bool,
        max_age: Option<u64>,
        acr: Vec<String>,
    ) -> PyResult<Self> {
        let mut rule = guard::Rule::new();
        for scope in &scopes {
            rule = rule.scope(scope).map_err(invalid)?;
        }
        rule = roles.into_iter().fold(rule, guard::Rule::role);
        if let Some(tenant) = tenant {
            rule = rule.tenant(tenant);
        }
        if let Some(workspace) = workspace {
            rule = rule.workspace(workspace);
        }
        if service {
            rule = rule.service();
        }
        if max_age.is_some() || !acr.is_empty() {
            let requirement = acr.into_iter().fold(Requirement::new(), Requirement::acr);
            let requirement = match max_age {
                Some(seconds) => requirement.max_age(Duration::from_secs(seconds)),
                None => requirement,
            };
            rule = rule.authentication(requirement);
        }
        Ok(Self { inner: rule })
    }
}

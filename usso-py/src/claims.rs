//! The verified caller.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PySet, PyString, PyType};
use usso_verify::{Principal, UserData};

use crate::scopes::{Given, read};
use crate::value::{self, Text};

/// Who is calling. Never changes.
#[pyclass(frozen, module = "usso._native")]
pub(crate) struct Claims {
    pub(crate) principal: Principal,
    /// Whether it was verified from its signature on, not remembered.
    fresh: bool,
}

impl Claims {
    pub(crate) const fn new(principal: Principal, fresh: bool) -> Self {
        Self { principal, fresh }
    }
}

#[pymethods]
impl Claims {
    #[getter]
    fn sub(&self) -> &str {
        &self.principal.sub
    }

    #[getter]
    fn iss(&self) -> &str {
        &self.principal.iss
    }

    #[getter]
    fn exp(&self) -> u64 {
        self.principal.exp
    }

    #[getter]
    const fn fresh(&self) -> bool {
        self.fresh
    }

    #[getter]
    fn algorithm(&self) -> Option<&'static str> {
        self.principal.algorithm().map(usso_verify::Algorithm::as_str)
    }

    #[getter]
    fn kid(&self) -> Option<&str> {
        self.principal.kid()
    }

    fn json(&self) -> &str {
        self.principal.json()
    }

    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        value::to_dict(py, &value::object(self.principal.json())?)
    }

    #[pyo3(signature = (action, path, filters = Vec::new()))]
    fn can(&self, action: Text, path: Text, filters: Vec<Given>) -> bool {
        match (path.0, action.0, read(filters)) {
            (Some(path), Some(action), Some(filters)) => {
                self.principal.can_with(&action, &path, &filters)
            }
            _ => false,
        }
    }

    /// Fills a pydantic model without validating again: the types were judged with the token.
    fn user_data<'py>(
        &self,
        model: &Bound<'py, PyType>,
        kinds: &Bound<'py, PyDict>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = model.py();
        let (fields, set) = fields(py, &self.principal, kinds)?;
        let made = parts(py)?.new.bind(py).call1((model,))?;
        let write = parts(py)?.write.bind(py);
        write.call1((&made, intern!(py, "__dict__"), fields))?;
        write.call1((&made, intern!(py, "__pydantic_fields_set__"), set))?;
        write.call1((&made, intern!(py, "__pydantic_extra__"), py.None()))?;
        write.call1((&made, intern!(py, "__pydantic_private__"), py.None()))?;
        Ok(made)
    }

    fn __repr__(&self) -> String {
        // The other claims may be about a person.
        format!("Claims(iss={:?}, sub={:?})", self.principal.iss, self.principal.sub)
    }
}

/// `object.__new__` and `object.__setattr__`.
struct Parts {
    new: Py<PyAny>,
    write: Py<PyAny>,
}

fn parts(py: Python<'_>) -> PyResult<&Parts> {
    static PARTS: PyOnceLock<Parts> = PyOnceLock::new();
    PARTS.get_or_try_init(py, || {
        let object = py.import("builtins")?.getattr("object")?;
        let part = |name| object.getattr(name).map(Bound::unbind);
        Ok(Parts { new: part("__new__")?, write: part("__setattr__")? })
    })
}

/// Writes the fields of `usso.UserData`, and the names of those that are not defaults.
fn fields<'py>(
    py: Python<'py>,
    user: &UserData,
    kinds: &Bound<'py, PyDict>,
) -> PyResult<(Bound<'py, PyDict>, Bound<'py, PySet>)> {
    let mut fields =
        Filling { py, model: PyDict::new(py), claims: PyDict::new(py), set: PySet::empty(py)? };
    fields.text("iss", Some(&user.iss))?;
    fields.text("sub", Some(&user.sub))?;
    match user.aud.as_slice() {
        [] => fields.absent("aud")?,
        [one] => fields.text("aud", Some(one))?,
        many => fields.list("aud", many)?,
    }
    fields.time("iat", user.iat)?;
    fields.time("nbf", user.nbf)?;
    fields.time("exp", Some(user.exp))?;
    fields.text("jti", user.jti.as_deref())?;
    match &user.token_type {
        None => fields.absent("token_type")?,
        Some(kind) => {
            let text = PyString::new(py, kind);
            let kind = kinds.get_item(&text)?.unwrap_or(text.into_any());
            fields.put("token_type", &kind)?;
        }
    }
    fields.text("session_id", user.session_id.as_deref())?;
    fields.text("tenant_id", user.tenant_id.as_deref())?;
    fields.text("workspace_id", user.workspace_id.as_deref())?;
    fields.list("roles", &user.roles)?;
    fields.list("scopes", &user.scopes)?;
    fields.text("acr", user.acr.as_deref())?;
    fields.list("amr", &user.amr)?;
    fields.text("signing_level", user.signing_level.as_deref())?;
    fields.others(user)?;
    let Filling { model, claims, set, .. } = fields;
    model.set_item(intern!(py, "claims"), claims)?;
    set.add(intern!(py, "claims"))?;
    Ok((model, set))
}

/// The content of a model that is being filled.
struct Filling<'py> {
    py: Python<'py>,
    model: Bound<'py, PyDict>,
    claims: Bound<'py, PyDict>,
    set: Bound<'py, PySet>,
}

impl<'py> Filling<'py> {
    fn text(&mut self, name: &'static str, text: Option<&str>) -> PyResult<()> {
        match text {
            Some(text) => self.put(name, PyString::new(self.py, text).as_any()),
            None => self.absent(name),
        }
    }

    fn time(&mut self, name: &'static str, time: Option<u64>) -> PyResult<()> {
        match time {
            Some(time) => self.put(name, time.into_pyobject(self.py)?.as_any()),
            None => self.absent(name),
        }
    }

    fn list(&mut self, name: &'static str, items: &[String]) -> PyResult<()> {
        let list = PyList::new(self.py, items)?;
        if items.is_empty() {
            return self.model.set_item(PyString::intern(self.py, name), list);
        }
        self.put(name, list.as_any())
    }

    fn put(&mut self, name: &'static str, value: &Bound<'py, PyAny>) -> PyResult<()> {
        let name = PyString::intern(self.py, name);
        self.model.set_item(&name, value)?;
        self.claims.set_item(&name, value)?;
        self.set.add(name)
    }

    fn absent(&mut self, name: &'static str) -> PyResult<()> {
        self.model.set_item(PyString::intern(self.py, name), self.py.None())
    }

    /// The claims that are no fields of the model.
    fn others(&mut self, user: &UserData) -> PyResult<()> {
        if let Some(client) = &user.client_id {
            self.claims.set_item(intern!(self.py, "client_id"), client)?;
        }
        if let Some(time) = user.auth_time {
            self.claims.set_item(intern!(self.py, "auth_time"), time)?;
        }
        if let Some(cnf) = &user.cnf {
            let cnf = serde_json::to_value(cnf).map_err(value::invalid)?;
            self.claims.set_item(intern!(self.py, "cnf"), value::to_python(self.py, &cnf)?)?;
        }
        for (name, claim) in &user.claims {
            self.claims.set_item(name, value::to_python(self.py, claim)?)?;
        }
        Ok(())
    }
}

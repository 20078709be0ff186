//! Scopes, for Python's own questions.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use usso_verify::scope::{self, Action, Filters, Matching, OwnerRule, Scope, Scopes};

use crate::value::{Lossy, invalid};

type Values = BTreeMap<String, String>;
pub(crate) type Given = BTreeMap<String, Lossy>;

/// The values of resources, as the scopes read them.
pub(crate) fn read(filters: Vec<Given>) -> Vec<Values> {
    let read = |set: Given| set.into_iter().map(|(key, value)| (key, value.0)).collect();
    filters.into_iter().map(read).collect()
}

const fn matching(anchored: bool) -> Matching {
    if anchored { Matching::Anchored } else { Matching::Suffix }
}

fn parsed(granted: &[Lossy], anchored: bool) -> Scopes {
    Scopes::parse(granted).matching(matching(anchored))
}

#[pyfunction]
pub(crate) fn parse_scope(text: Lossy) -> PyResult<(&'static str, String, Values)> {
    let scope = Scope::parse(text.as_ref()).map_err(invalid)?;
    Ok((scope.action().as_str(), scope.path().to_owned(), values(scope.filters())))
}

#[pyfunction]
#[pyo3(signature = (granted, requested, anchored = false))]
pub(crate) fn path_matches(granted: Lossy, requested: Lossy, anchored: bool) -> bool {
    scope::path_matches(granted.as_ref(), requested.as_ref(), matching(anchored))
}

#[pyfunction]
#[pyo3(signature = (granted, path, action, filters = Vec::new(), anchored = false))]
pub(crate) fn check_access(
    granted: Vec<Lossy>,
    path: Lossy,
    action: Lossy,
    filters: Vec<Given>,
    anchored: bool,
) -> bool {
    parsed(&granted, anchored).check_access(path.as_ref(), action.as_ref(), &read(filters))
}

#[pyfunction]
#[pyo3(signature = (granted, path, action, filters = Vec::new(), anchored = false))]
pub(crate) fn explain_access(
    granted: Vec<Lossy>,
    path: Lossy,
    action: Lossy,
    filters: Vec<Given>,
    anchored: bool,
) -> String {
    parsed(&granted, anchored).decide(path.as_ref(), action.as_ref(), &read(filters)).explain()
}

#[pyfunction]
#[pyo3(signature = (granted, path, action, anchored = false))]
pub(crate) fn scope_filters(
    granted: Vec<Lossy>,
    path: Lossy,
    action: Lossy,
    anchored: bool,
) -> Option<Vec<Values>> {
    match parsed(&granted, anchored).filters(path.as_ref(), action.as_ref()) {
        Filters::Denied => None,
        Filters::Unrestricted => Some(Vec::new()),
        Filters::Restricted(sets) => Some(sets.iter().map(values).collect()),
    }
}

#[pyfunction]
#[pyo3(signature = (child, parent, anchored = false))]
pub(crate) fn is_subset_scope(child: Lossy, parent: Lossy, anchored: bool) -> bool {
    has_subset_scope(child, vec![parent], anchored)
}

#[pyfunction]
#[pyo3(signature = (child, granted, anchored = false))]
pub(crate) fn has_subset_scope(child: Lossy, granted: Vec<Lossy>, anchored: bool) -> bool {
    Scope::parse(child.as_ref()).is_ok_and(|child| parsed(&granted, anchored).covers(&child))
}

#[pyfunction]
#[pyo3(signature = (a, b, anchored = false))]
pub(crate) fn common_scopes(a: Vec<Lossy>, b: Vec<Lossy>, anchored: bool) -> Vec<String> {
    parsed(&a, anchored).common(&parsed(&b, anchored))
}

#[pyfunction]
pub(crate) fn owner_allows(
    user_id: Lossy,
    own: Option<&str>,
    workspace_id: Option<Lossy>,
    workspace_action: Option<&str>,
    action: Lossy,
    resource: Given,
) -> PyResult<bool> {
    let named = |name: &str| {
        Action::parse(name).ok_or_else(|| invalid(format_args!("{name:?} is no known action")))
    };
    let mut rule = OwnerRule::new(user_id.as_ref());
    if let Some(own) = own {
        rule = rule.own(named(own)?);
    }
    if let (Some(id), Some(action)) = (&workspace_id, workspace_action) {
        rule = rule.workspace(id.as_ref(), named(action)?);
    }
    let resource = resource.into_iter().map(|(key, value)| (key, value.0)).collect();
    Ok(rule.allows(action.as_ref(), &resource))
}

#[pyfunction]
pub(crate) fn action_level(action: Lossy) -> Option<u8> {
    Action::parse(action.as_ref()).map(Action::level)
}

fn values<V: ToString>(set: &BTreeMap<String, V>) -> Values {
    set.iter().map(|(key, value)| (key.clone(), value.to_string())).collect()
}

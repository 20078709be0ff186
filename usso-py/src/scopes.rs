//! Scopes, for Python's own questions.
//!
//! Text that is no UTF-8 names nothing: it is granted nothing, and covers nothing.

use std::collections::BTreeMap;

use pyo3::prelude::*;
use usso_verify::scope::{self, Action, Filters, Matching, OwnerRule, Scope, Scopes};

use crate::value::{Text, invalid};

type Values = BTreeMap<String, String>;
pub(crate) type Given = BTreeMap<String, Text>;

/// Gives the values of resources; none if one is no text, and so met by nothing.
pub(crate) fn read(filters: Vec<Given>) -> Option<Vec<Values>> {
    let set = |set: Given| set.into_iter().map(|(key, value)| Some((key, value.0?))).collect();
    filters.into_iter().map(set).collect()
}

const fn matching(anchored: bool) -> Matching {
    if anchored { Matching::Anchored } else { Matching::Suffix }
}

fn parsed(granted: Vec<Text>, anchored: bool) -> Scopes {
    Scopes::parse(granted.into_iter().filter_map(|text| text.0)).matching(matching(anchored))
}

#[pyfunction]
pub(crate) fn parse_scope(text: &str) -> PyResult<(&'static str, String, Values)> {
    let scope = Scope::parse(text).map_err(invalid)?;
    Ok((scope.action().as_str(), scope.path().to_owned(), values(scope.filters())))
}

#[pyfunction]
#[pyo3(signature = (granted, requested, anchored = false))]
pub(crate) fn path_matches(granted: Text, requested: Text, anchored: bool) -> bool {
    match (granted.0, requested.0) {
        (Some(granted), Some(requested)) => {
            scope::path_matches(&granted, &requested, matching(anchored))
        }
        _ => false,
    }
}

#[pyfunction]
#[pyo3(signature = (granted, path, action, filters = Vec::new(), anchored = false))]
pub(crate) fn check_access(
    granted: Vec<Text>,
    path: Text,
    action: Text,
    filters: Vec<Given>,
    anchored: bool,
) -> bool {
    match (path.0, action.0, read(filters)) {
        (Some(path), Some(action), Some(filters)) => {
            parsed(granted, anchored).check_access(&path, &action, &filters)
        }
        _ => false,
    }
}

#[pyfunction]
#[pyo3(signature = (granted, path, action, filters = Vec::new(), anchored = false))]
pub(crate) fn explain_access(
    granted: Vec<Text>,
    path: &str,
    action: &str,
    filters: Vec<Given>,
    anchored: bool,
) -> PyResult<String> {
    let filters = read(filters).ok_or_else(|| invalid("a filter is no text"))?;
    Ok(parsed(granted, anchored).decide(path, action, &filters).explain())
}

#[pyfunction]
#[pyo3(signature = (granted, path, action, anchored = false))]
pub(crate) fn scope_filters(
    granted: Vec<Text>,
    path: Text,
    action: Text,
    anchored: bool,
) -> Option<Vec<Values>> {
    match parsed(granted, anchored).filters(&path.0?, &action.0?) {
        Filters::Denied => None,
        Filters::Unrestricted => Some(Vec::new()),
        Filters::Restricted(sets) => Some(sets.iter().map(values).collect()),
    }
}

#[pyfunction]
#[pyo3(signature = (child, parent, anchored = false))]
pub(crate) fn is_subset_scope(child: Text, parent: Text, anchored: bool) -> bool {
    has_subset_scope(child, vec![parent], anchored)
}

#[pyfunction]
#[pyo3(signature = (child, granted, anchored = false))]
pub(crate) fn has_subset_scope(child: Text, granted: Vec<Text>, anchored: bool) -> bool {
    let child = child.0.and_then(|child| Scope::parse(&child).ok());
    child.is_some_and(|child| parsed(granted, anchored).covers(&child))
}

#[pyfunction]
#[pyo3(signature = (a, b, anchored = false))]
pub(crate) fn common_scopes(a: Vec<Text>, b: Vec<Text>, anchored: bool) -> Vec<String> {
    parsed(a, anchored).common(&parsed(b, anchored))
}

#[pyfunction]
pub(crate) fn owner_allows(
    user_id: &str,
    own: Option<&str>,
    workspace_id: Option<&str>,
    workspace_action: Option<&str>,
    action: Text,
    resource: Given,
) -> PyResult<bool> {
    let named = |name: &str| {
        Action::parse(name).ok_or_else(|| invalid(format_args!("{name:?} is no known action")))
    };
    let mut rule = OwnerRule::new(user_id);
    if let Some(own) = own {
        rule = rule.own(named(own)?);
    }
    if let (Some(id), Some(action)) = (workspace_id, workspace_action) {
        rule = rule.workspace(id, named(action)?);
    }
    Ok(match (action.0, read(vec![resource]).and_then(|mut sets| sets.pop())) {
        (Some(action), Some(resource)) => rule.allows(&action, &resource),
        _ => false,
    })
}

#[pyfunction]
pub(crate) fn action_level(action: Text) -> Option<u8> {
    Action::parse(&action.0?).map(Action::level)
}

fn values<V: ToString>(set: &BTreeMap<String, V>) -> Values {
    set.iter().map(|(key, value)| (key.clone(), value.to_string())).collect()
}

//! What a route needs of its caller, in JSON.

use std::collections::BTreeMap;
use std::time::Duration;

use super::refusal::Refusal;
use crate::fields::Fields;
use crate::guard::Rule;
use crate::step_up::Requirement;

/// What a route needs of its caller, as the other languages write it: an object whose members are all
/// optional.
///
/// | member | what it needs |
/// | --- | --- |
/// | `scopes`, `roles` (lists) | all of them; see [`Rule::scope`] and [`Rule::role`] |
/// | `tenant`, `workspace` | see [`Rule::tenant`] and [`Rule::workspace`] |
/// | `service: true` | a service account |
/// | `max_age` (seconds), `acr` (list) | see [`Requirement`] |
///
/// `parameters` are the parts of the path that stand for `{name}`.
#[derive(Debug)]
#[non_exhaustive]
pub struct Needed {
    /// The rule.
    pub rule: Rule,
    /// The parts of the path, by name.
    pub parameters: BTreeMap<String, String>,
}

impl Needed {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// A [`Refusal`] with the code `call.invalid`, also if a scope is none.
    pub fn read(text: &str) -> Result<Self, Refusal> {
        let read = Fields::parse(text).and_then(|mut fields| {
            let needed = Self::of(&mut fields);
            fields.end(needed)
        });
        read.map_err(Refusal::call)
    }

    fn of(fields: &mut Fields) -> Self {
        let mut rule = Rule::new();
        for scope in fields.texts("scopes") {
            if let Err(wrong) = rule.add_scope(&scope) {
                fields.refuse(wrong);
            }
        }
        for role in fields.texts("roles") {
            rule = rule.role(role);
        }
        if let Some(tenant) = fields.text("tenant") {
            rule = rule.tenant(&tenant);
        }
        if let Some(workspace) = fields.text("workspace") {
            rule = rule.workspace(&workspace);
        }
        if fields.flag("service") {
            rule = rule.service();
        }
        let (max_age, acr) = (fields.number("max_age"), fields.texts("acr"));
        if max_age.is_some() || !acr.is_empty() {
            let requirement = acr.into_iter().fold(Requirement::new(), Requirement::acr);
            rule = rule.authentication(match max_age {
                Some(seconds) => requirement.max_age(Duration::from_secs(seconds)),
                None => requirement,
            });
        }
        let parameters = fields.object("parameters").map(Fields::into_texts);
        Self { rule, parameters: parameters.unwrap_or_default() }
    }
}

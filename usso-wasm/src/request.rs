//! A request, and what a route needs of its caller.

use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use usso_verify::guard::{Headers, InvalidRule, Rule};
use usso_verify::step_up::Requirement;

/// The header lines of a request: names and values by turns, each closed by a line feed, which is
/// part of neither (RFC 9110 §5.5). The names are in lower case.
#[derive(Clone, Copy)]
pub(crate) struct Lines<'r>(pub(crate) &'r str);

impl Headers for Lines<'_> {
    fn lines<'h>(&'h self, name: &'h str) -> impl Iterator<Item = &'h [u8]> {
        let mut parts = self.0.split_terminator('\n');
        let pairs = std::iter::from_fn(move || Some((parts.next()?, parts.next()?)));
        pairs.filter(move |(own, _)| *own == name).map(|(_, value)| value.as_bytes())
    }
}

/// What a route needs, in JSON.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Needed {
    scopes: Vec<String>,
    roles: Vec<String>,
    tenant: Option<String>,
    workspace: Option<String>,
    service: bool,
    max_age: Option<u64>,
    acr: Vec<String>,
    /// The parts of the path that stand for `{name}`.
    pub(crate) parameters: HashMap<String, String>,
}

impl Needed {
    pub(crate) fn rule(&self) -> Result<Rule, InvalidRule> {
        let mut rule = Rule::new();
        for scope in &self.scopes {
            rule = rule.scope(scope)?;
        }
        rule = self.roles.iter().fold(rule, Rule::role);
        if let Some(tenant) = &self.tenant {
            rule = rule.tenant(tenant);
        }
        if let Some(workspace) = &self.workspace {
            rule = rule.workspace(workspace);
        }
        if self.service {
            rule = rule.service();
        }
        if self.max_age.is_some() || !self.acr.is_empty() {
            let requirement = self.acr.iter().fold(Requirement::new(), Requirement::acr);
            let requirement = match self.max_age {
                Some(seconds) => requirement.max_age(Duration::from_secs(seconds)),
                None => requirement,
            };
            rule = rule.authentication(requirement);
        }
        Ok(rule)
    }
}

//! Functions without a verifier: scopes and reading, in JSON.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use crate::base64url;
use crate::json::{self, Limits};
use crate::jwk::Jwk;
use crate::key::VerifyingKey;
use crate::scope::{self, Action, Filters, Matching, OwnerRule, Pattern, Scope, Scopes};

/// Answers a call in JSON: `{"answer": …}`, or `{"refused": {code, message, status}}`.
///
/// | `call` | members | answer |
/// | --- | --- | --- |
/// | `check_access` | `granted`, `path`, `action`, `filters`?, `matching`? | whether a scope allows it |
/// | `explain` | as above | why, in words |
/// | `scope_filters` | `granted`, `path`, `action`, `matching`? | `"denied"`, `"unrestricted"`, or a list of maps |
/// | `path_matches` | `granted` (a path), `requested`, `matching`? | whether it matches |
/// | `parse_scope` | `scope` | `{action, level, path, filters}` |
/// | `is_subset` | `child`, `parent`, `matching`? | whether the child grants nothing more |
/// | `has_subset` | `child`, `granted`, `matching`? | whether one of the granted scopes covers it |
/// | `common_scopes` | `a`, `b`, `matching`? | the scopes in both |
/// | `owner_allows` | `user_id`, `own`?, `workspace_id`?, `workspace_action`?, `action`, `resource` | whether the owner's rule allows it |
/// | `decode_unverified` | `token` | `{header, claims}`, which nothing vouches for |
/// | `thumbprint` | `jwk` | the RFC 7638 thumbprint of a usable public key |
///
/// `matching` is `"suffix"` (the default) or `"anchored"`, `filters` a list of maps.
#[must_use]
pub fn call(text: &str) -> String {
    let answer = match answer(text) {
        Ok(answer) => json!({"answer": answer}),
        Err(refusal) => json!({"refused": refusal}),
    };
    answer.to_string()
}

#[derive(Deserialize)]
#[serde(tag = "call", rename_all = "snake_case", deny_unknown_fields)]
enum Call {
    CheckAccess(Access),
    Explain(Access),
    ScopeFilters {
        granted: Vec<String>,
        path: String,
        action: String,
        #[serde(default)]
        matching: Laid,
    },
    PathMatches {
        granted: String,
        requested: String,
        #[serde(default)]
        matching: Laid,
    },
    ParseScope {
        scope: String,
    },
    IsSubset {
        child: String,
        parent: String,
        #[serde(default)]
        matching: Laid,
    },
    HasSubset {
        child: String,
        granted: Vec<String>,
        #[serde(default)]
        matching: Laid,
    },
    CommonScopes {
        a: Vec<String>,
        b: Vec<String>,
        #[serde(default)]
        matching: Laid,
    },
    OwnerAllows(Owner),
    DecodeUnverified {
        token: String,
    },
    Thumbprint {
        jwk: Box<Jwk>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Access {
    granted: Vec<String>,
    path: String,
    action: String,
    #[serde(default)]
    filters: Vec<BTreeMap<String, String>>,
    #[serde(default)]
    matching: Laid,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Owner {
    user_id: String,
    own: Option<String>,
    workspace_id: Option<String>,
    workspace_action: Option<String>,
    action: String,
    resource: BTreeMap<String, String>,
}

/// How paths are laid.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Laid {
    Anchored,
    #[default]
    Suffix,
}

impl From<Laid> for Matching {
    fn from(laid: Laid) -> Self {
        match laid {
            Laid::Anchored => Self::Anchored,
            Laid::Suffix => Self::Suffix,
        }
    }
}

fn answer(text: &str) -> Result<Value, Refusal> {
    // Strictly first: a repeated member is an error.
    json::parse(text.as_bytes(), Limits::default()).map_err(Refusal::call)?;
    let parsed = |granted: &[String], laid: Laid| Scopes::parse(granted).matching(laid.into());
    Ok(match serde_json::from_str(text).map_err(Refusal::call)? {
        Call::CheckAccess(Access { granted, path, action, filters, matching }) => {
            parsed(&granted, matching).check_access(&path, &action, &filters).into()
        }
        Call::Explain(Access { granted, path, action, filters, matching }) => {
            parsed(&granted, matching).decide(&path, &action, &filters).explain().into()
        }
        Call::ScopeFilters { granted, path, action, matching } => {
            filters(parsed(&granted, matching).filters(&path, &action))
        }
        Call::PathMatches { granted, requested, matching } => {
            scope::path_matches(&granted, &requested, matching.into()).into()
        }
        Call::ParseScope { scope } => described(&Scope::parse(&scope).map_err(Refusal::call)?),
        Call::IsSubset { child, parent, matching } => {
            covers(&parsed(&[parent], matching), &child).into()
        }
        Call::HasSubset { child, granted, matching } => {
            covers(&parsed(&granted, matching), &child).into()
        }
        Call::CommonScopes { a, b, matching } => {
            parsed(&a, matching).common(&parsed(&b, matching)).into()
        }
        Call::OwnerAllows(owner) => owner.allows()?.into(),
        Call::DecodeUnverified { token } => decode(&token).ok_or_else(malformed)?,
        Call::Thumbprint { jwk } => {
            VerifyingKey::from_jwk(&jwk).map_err(Refusal::call)?.thumbprint().into()
        }
    })
}

fn covers(granted: &Scopes, child: &str) -> bool {
    Scope::parse(child).is_ok_and(|child| granted.covers(&child))
}

fn filters(filters: Filters) -> Value {
    match filters {
        Filters::Denied => "denied".into(),
        Filters::Unrestricted => "unrestricted".into(),
        Filters::Restricted(sets) => sets.iter().map(patterns).collect(),
    }
}

fn patterns(set: &BTreeMap<String, Pattern>) -> Value {
    let members = set.iter().map(|(key, value)| (key.clone(), value.to_string().into()));
    Value::Object(members.collect::<Map<_, _>>())
}

fn described(scope: &Scope) -> Value {
    #[derive(Serialize)]
    struct Described<'s> {
        action: &'s str,
        level: u8,
        path: &'s str,
        filters: Value,
    }
    let action = scope.action();
    let filters = patterns(scope.filters());
    json!(Described { action: action.as_str(), level: action.level(), path: scope.path(), filters })
}

impl Owner {
    fn allows(&self) -> Result<bool, Refusal> {
        let read = |name: &Option<String>| match name {
            Some(name) => Action::parse(name)
                .map(Some)
                .ok_or_else(|| Refusal::call(format_args!("{name:?} is no known action"))),
            None => Ok(None),
        };
        let mut rule = OwnerRule::new(&self.user_id);
        if let Some(own) = read(&self.own)? {
            rule = rule.own(own);
        }
        if let (Some(id), Some(action)) = (&self.workspace_id, read(&self.workspace_action)?) {
            rule = rule.workspace(id, action);
        }
        Ok(rule.allows(&self.action, &self.resource))
    }
}

/// Reads the first two segments of a token strictly.
fn decode(token: &str) -> Option<Value> {
    let segments: Vec<&str> = token.splitn(4, '.').collect();
    let [header, claims, _] = segments.as_slice() else {
        return None;
    };
    let object = |segment: &str| {
        let bytes = base64url::decode(segment)?;
        json::parse_object(&bytes, Limits::default()).ok()
    };
    Some(json!({"header": object(header)?, "claims": object(claims)?}))
}

fn malformed() -> Refusal {
    Refusal::from(crate::error::VerifyError::Malformed)
}

//! Functions without a verifier: scopes and reading, in JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::refusal::Refusal;
use crate::base64url;
use crate::fields::Fields;
use crate::json::{self, Limits};
use crate::scope::{Filters, Matching, Pattern, Scope, Scopes};

/// Answers a call in JSON: `{"answer": …}`, or `{"refused": {code, message, status}}`.
///
/// | `call` | members | answer |
/// | --- | --- | --- |
/// | `check_access` | `granted`, `path`, `action`, `filters`?, `matching`? | whether a scope allows it |
/// | `explain` | as above | why, in words |
/// | `scope_filters` | `granted`, `path`, `action`, `matching`? | `"denied"`, `"unrestricted"`, or a list of maps |
/// | `parse_scope` | `scope` | `{action, level, path, filters}` |
/// | `has_subset` | `child`, `granted`, `matching`? | whether one of the granted scopes covers it |
/// | `decode_unverified` | `token` | `{header, claims}`, which nothing vouches for |
///
/// `matching` is `"suffix"` (the default) or `"anchored"`, `filters` a list of maps.
#[must_use]
pub fn call(text: &str) -> String {
    let answer = match answer(text) {
        Ok(answer) => json!({"answer": answer}),
        Err(refusal) => json!({"refused": refusal}),
    };
    serde_json::to_string(&answer).unwrap_or_default()
}

fn answer(text: &str) -> Result<Value, Refusal> {
    let mut fields = Fields::parse(text).map_err(Refusal::call)?;
    let name = fields.needed_text("call");
    let answer = called(&name, &mut fields);
    fields.end(answer).map_err(Refusal::call)?
}

fn called(name: &str, fields: &mut Fields) -> Result<Value, Refusal> {
    Ok(match name {
        "check_access" | "explain" => {
            let Access { granted, path, action } = Access::read(fields);
            let filters = fields.objects("filters").into_iter().map(Fields::into_texts);
            let filters: Vec<_> = filters.collect();
            if name == "explain" {
                granted.decide(&path, &action, &filters).explain().into()
            } else {
                granted.check_access(&path, &action, &filters).into()
            }
        }
        "scope_filters" => {
            let Access { granted, path, action } = Access::read(fields);
            filters(granted.filters(&path, &action))
        }
        "parse_scope" => {
            described(&Scope::parse(&fields.needed_text("scope")).map_err(Refusal::call)?)
        }
        "has_subset" => covers(&granted(fields), &fields.needed_text("child")).into(),
        "decode_unverified" => decode(&fields.needed_text("token")).ok_or_else(malformed)?,
        _ => {
            fields.refuse(format_args!("`call`: {name:?} is no known call"));
            Value::Null
        }
    })
}

struct Access {
    granted: Scopes,
    path: String,
    action: String,
}

impl Access {
    fn read(fields: &mut Fields) -> Self {
        let granted = granted(fields);
        Self { granted, path: fields.needed_text("path"), action: fields.needed_text("action") }
    }
}

fn granted(fields: &mut Fields) -> Scopes {
    fields.need("granted");
    let granted = fields.texts("granted");
    Scopes::parse(&granted).matching(matching(fields))
}

fn matching(fields: &mut Fields) -> Matching {
    match fields.text("matching").as_deref() {
        None | Some("suffix") => Matching::Suffix,
        Some("anchored") => Matching::Anchored,
        Some(other) => {
            let known = "\"suffix\" nor \"anchored\"";
            fields.refuse(format_args!("`matching`: {other:?} is neither {known}"));
            Matching::Suffix
        }
    }
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
    let action = scope.action();
    let filters = patterns(scope.filters());
    let (level, path) = (action.level(), scope.path());
    json!({"action": action.as_str(), "level": level, "path": path, "filters": filters})
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

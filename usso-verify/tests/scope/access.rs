//! Decisions about requests.

use usso_verify::scope::{
    Action, Decision, Filters, MAX_SCOPES, Matching, OwnerRule, Reason, ScopeError, Scopes,
    check_access, decide, scope_filters,
};

use crate::values;

#[test]
fn the_documented_scopes_work() {
    let granted = ["read:users", "write:users", "read:content", "delete:content", "write:posts"];
    for (path, action) in [
        ("users", "read"),
        ("users", "write"),
        ("users", "create"),
        ("users", "update"),
        ("content", "delete"),
        ("posts", "write"),
    ] {
        assert!(check_access(&granted, path, action, &[]), "{action} {path}");
    }
    for (path, action) in [("users", "delete"), ("posts", "delete"), ("content", "manage")] {
        assert!(!check_access(&granted, path, action, &[]), "{action} {path}");
    }
    assert!(check_access(&["admin:*"], "media/files", "manage", &[]));
    assert!(check_access(&["read:analytics:revenue"], "analytics:revenue", "read", &[]));
}

#[test]
fn superadmin_is_not_reached_by_a_star() {
    assert!(check_access(&["*:*"], "files", "owner", &[]));
    assert!(!check_access(&["*:*"], "files", "superadmin", &[]));
    assert!(check_access(&["superadmin:*"], "files", "*", &[]));
}

#[test]
fn one_of_the_alternatives_is_enough() {
    let granted = ["read:files?user_id=alice"];
    let (alice, bob) = (values(&[("user_id", "alice")]), values(&[("user_id", "bob")]));
    assert!(check_access(&granted, "files", "read", &[bob.clone(), alice]));
    assert!(!check_access(&granted, "files", "read", &[bob.clone(), bob]));
    assert!(!check_access(&granted, "files", "read", &[values(&[])]));
}

#[test]
fn conditions_of_two_scopes_do_not_add_up() {
    let granted = ["read:files?user_id=alice&kind=a", "read:files?user_id=bob&kind=b"];
    let mixed = values(&[("user_id", "alice"), ("kind", "b")]);
    assert!(!check_access(&granted, "files", "read", &[mixed]));
    let halves = [values(&[("user_id", "alice")]), values(&[("kind", "a")])];
    assert!(!check_access(&granted, "files", "read", &halves));
}

#[test]
fn a_condition_may_have_wildcards_and_a_request_may_not() {
    let granted = ["read:files?name=report-*"];
    let names = |name| [values(&[("name", name)])];
    assert!(check_access(&granted, "files", "read", &names("report-7")));
    assert!(!check_access(&granted, "files", "read", &names("*")));
    assert!(!check_access(&["read:files?name=a"], "files", "read", &names("*")));
}

#[test]
fn the_decision_names_the_scope_that_allows() {
    let decision = decide(&["read:users", "manage:files"], "files", "write", &[]);
    assert_eq!(decision, Decision::Allowed { scope: "manage:files".to_owned() });
    assert!(decision.is_allowed());
    assert_eq!(decision.explain(), r#"allowed by "manage:files""#);
}

#[test]
fn the_decision_says_of_each_scope_why_it_does_not_allow() {
    let granted = ["files", "write:users", "delete:files?user_id=1", "oops:files", "none:files"];
    let decision = decide(&granted, "files", "create", &[]);
    let Decision::Denied { refused, omitted: 0 } = &decision else { panic!("{decision}") };
    let reasons: Vec<_> = refused.iter().map(|refused| refused.reason).collect();
    let malformed = Reason::Malformed(ScopeError::ActionUnknown);
    assert_eq!(reasons, [Reason::Action, Reason::Path, Reason::Filter, malformed, Reason::Action]);
    assert_eq!(
        decision.explain(),
        "denied: \"files\": it does not grant the action; \"write:users\": its path does not match; \
         \"delete:files?user_id=1\": its filters are not met; \"oops:files\": malformed, the action \
         is not known; \"none:files\": it does not grant the action"
    );
}

#[test]
fn the_decision_says_what_is_wrong_with_the_request() {
    let decide = |path, action| decide(&["*:*"], path, action, &[]);
    assert_eq!(decide("files", "fly"), Decision::Invalid(ScopeError::ActionUnknown));
    assert_eq!(decide("a/../files", "read"), Decision::Invalid(ScopeError::PathSegment));
    assert_eq!(decide("", "read"), Decision::Invalid(ScopeError::PathEmpty));
    assert_eq!(
        decide("a//b", "read").explain(),
        "denied, the request is not valid: a segment of the path is not a plain name"
    );
}

#[test]
fn an_explanation_is_one_bounded_line() {
    let hostile = format!("read:\u{202e}\r\n\"{}", "\u{10ffff}".repeat(9000));
    let text = decide(&vec![hostile; 1000], "files", "read", &[]).explain();
    assert!(text.len() <= 12 * 1024, "{}", text.len());
    assert!(!text.contains(['\n', '\r', '\u{202e}', '\u{10ffff}']));
    assert!(text.ends_with("; and 984 more"), "{text}");
    let none: [&str; 0] = [];
    assert_eq!(decide(&none, "files", "read", &[]).explain(), "denied: no scopes");
}

#[test]
fn a_decision_and_a_check_agree() {
    let granted = ["read:files?a=1", "write:users", "", "x"];
    for path in ["files", "users", "x", "", "y"] {
        for action in ["read", "write", "delete", "none", "?"] {
            for filters in [vec![], vec![values(&[("a", "1")])]] {
                let decision = decide(&granted, path, action, &filters);
                assert_eq!(decision.is_allowed(), check_access(&granted, path, action, &filters));
            }
        }
    }
}

#[test]
fn scopes_beyond_the_limit_grant_nothing() {
    let mut granted = vec!["read:a".to_owned(); MAX_SCOPES];
    granted.push("read:b".to_owned());
    assert!(!check_access(&granted, "b", "read", &[]));
    assert!(check_access(&granted[1..], "b", "read", &[]));
}

#[test]
fn a_collection_can_lay_paths_from_the_left() {
    let scopes: Scopes = ["read:files"].into_iter().collect();
    assert!(scopes.check_access("media/files", "read", &[]));
    assert!(!scopes.matching(Matching::Anchored).check_access("media/files", "read", &[]));
}

#[test]
fn filters_are_those_of_the_scopes_that_grant() {
    let granted = [
        "read:files?user_id=alice",
        "manage:media/files?workspace_id=w1&kind=*",
        "manage:files?user_id=alice",
        "read:users",
        "none:files",
        "bad:files",
    ];
    let Filters::Restricted(sets) = scope_filters("read", "media/files", &granted) else {
        panic!()
    };
    let sets: Vec<Vec<_>> = sets
        .iter()
        .map(|set| set.iter().map(|(key, value)| format!("{key}={value}")).collect())
        .collect();
    assert_eq!(sets, [vec!["user_id=alice"], vec!["kind=*", "workspace_id=w1"]]);
    assert_eq!(scope_filters("delete", "users", &granted), Filters::Denied);
    assert_eq!(scope_filters("read", "users", &granted), Filters::Unrestricted);
    assert!(scope_filters("read", "users/", &granted).is_denied());
}

#[test]
fn one_scope_without_conditions_lifts_those_of_the_others() {
    let granted = ["read:files?user_id=alice", "read:files"];
    assert_eq!(scope_filters("read", "files", &granted), Filters::Unrestricted);
}

#[test]
fn the_broadest_filter_is_the_one_that_narrows_least() {
    let broadest = |granted: &[&str]| {
        let Filters::Restricted(sets) = scope_filters("read", "f", granted).broadest() else {
            panic!()
        };
        assert_eq!(sets.len(), 1);
        sets[0].keys().cloned().collect::<Vec<_>>().join(" ")
    };
    let user_and_tenant = "f?user_id=u&tenant_id=t";
    assert_eq!(broadest(&["f?x=1", "f?uid=1", user_and_tenant]), "tenant_id user_id");
    assert_eq!(broadest(&[user_and_tenant, "f?user_id=u", "f?workspace_id=w"]), "workspace_id");
    assert_eq!(broadest(&["f?workspace_id=w", "f?tenant_id=t"]), "tenant_id");
    assert_eq!(broadest(&["f?tenant_id=t", "f?x=*"]), "x");
    assert_eq!(broadest(&["f?a=1", "f?b=1"]), "a");
}

#[test]
fn an_owner_may_do_what_the_rule_says_and_no_more() {
    let rule = OwnerRule::new("u1").own(Action::Update);
    for key in ["user_id", "owner_id"] {
        assert!(rule.allows("write", &values(&[(key, "u1")])));
        assert!(!rule.allows("delete", &values(&[(key, "u1")])));
        assert!(!rule.allows("read", &values(&[(key, "u2")])));
    }
    assert!(!rule.allows("read", &values(&[])));
    assert!(!rule.allows("fly", &values(&[("user_id", "u1")])));
    assert!(!rule.allows("none", &values(&[("user_id", "u1")])));
    assert!(!rule.allows("read", &values(&[("user_id", "u1"), ("owner_id", "u2")])));
    assert!(OwnerRule::new("u1").allows("owner", &values(&[("user_id", "u1")])));
}

#[test]
fn a_workspace_s_members_may_do_what_the_rule_says_and_no_more() {
    let rule = OwnerRule::new("u1").workspace("w1", Action::Read);
    assert!(rule.allows("read", &values(&[("workspace_id", "w1"), ("user_id", "u2")])));
    assert!(!rule.allows("create", &values(&[("workspace_id", "w1")])));
    assert!(!rule.allows("read", &values(&[("workspace_id", "w2")])));
    assert!(rule.allows("owner", &values(&[("workspace_id", "w1"), ("user_id", "u1")])));
    assert!(!rule.allows("read", &values(&[("workspace_id", "w2"), ("user_id", "u1")])));
    assert!(
        OwnerRule::new("u1").allows("read", &values(&[("workspace_id", "w2"), ("user_id", "u1")]))
    );
    assert!(!OwnerRule::new("u1").allows("read", &values(&[("workspace_id", "w1")])));
}

#[test]
fn an_empty_id_owns_nothing() {
    let rule = OwnerRule::new("").workspace("", Action::Owner);
    assert!(!rule.allows("read", &values(&[("user_id", "")])));
    assert!(!rule.allows("read", &values(&[("workspace_id", "")])));
}

//! The holes of the published engines, one test each. S and R are the numbers of the survey.

use usso_verify::scope::{
    Action, Filters, MAX_LENGTH, Matching, OwnerRule, Scopes, check_access, common_scopes,
    has_subset_scope, is_subset, path_matches, scope_filters,
};

use crate::values;

#[test]
fn s8_an_unknown_requested_action_is_not_read() {
    for action in ["DELETE", "publish", "", "Read", "reads"] {
        assert!(!check_access(&["read:users", "*:*"], "users", action, &[]), "{action}");
    }
    assert!(!check_access(&["read:users"], "users", "write", &[]));
}

#[test]
fn s8_an_unknown_granted_action_is_not_read() {
    for scope in ["publish:users", ":users", "READ:users", "x:y:users"] {
        assert!(!check_access(&[scope], "users", "read", &[]), "{scope}");
    }
}

#[test]
fn s8_write_is_more_than_read() {
    for action in ["read", "create", "update", "write"] {
        assert!(check_access(&["write:users"], "users", action, &[]), "{action}");
    }
    assert!(!check_access(&["write:users"], "users", "delete", &[]));
}

#[test]
fn s8_a_blank_filter_is_not_unrestricted() {
    let bob = [values(&[("user_id", "bob")])];
    let blank = [values(&[("user_id", "")])];
    for scope in
        ["delete:files?user_id=", "delete:files?user_id", "delete:files?", "delete:files?&"]
    {
        for filters in [&[][..], &bob, &blank] {
            assert!(!check_access(&[scope], "files", "delete", filters), "{scope}");
        }
        assert_eq!(scope_filters("delete", "files", &[scope]), Filters::Denied);
    }
}

#[test]
fn s8_an_empty_scope_or_path_grants_nothing() {
    for scope in ["", "read:", "*:", "read:/", "read://", "?", "read:?a=b", ":"] {
        assert!(!check_access(&[scope], "files", "read", &[]), "{scope}");
        assert_eq!(scope_filters("read", "files", &[scope]), Filters::Denied, "{scope}");
    }
}

#[test]
fn s8_no_grant_is_not_unrestricted() {
    let none: [&str; 0] = [];
    assert_eq!(scope_filters("read", "files", &none).broadest(), Filters::Denied);
    assert_eq!(scope_filters("read", "files", &["files"]).broadest(), Filters::Unrestricted);
}

#[test]
fn s8_none_and_unknown_actions_have_no_filters() {
    assert_eq!(scope_filters("write", "files", &["none:files"]), Filters::Denied);
    assert_eq!(scope_filters("fly", "files", &["*:files"]), Filters::Denied);
    assert_eq!(scope_filters("none", "files", &["*:files"]), Filters::Denied);
    assert!(!check_access(&["none:files"], "files", "none", &[]));
}

#[test]
fn s9_a_child_does_not_reach_what_its_parent_does_not() {
    for child in ["delete:files", "delete:*/files", "delete:/files"] {
        assert!(check_access(&[child], "finance/files", "delete", &[]));
        assert!(!check_access(&["delete:media/files"], "finance/files", "delete", &[]));
        assert!(!is_subset(child, "delete:media/files"), "{child}");
    }
}

#[test]
fn s9_another_service_s_admin_is_no_admin_here() {
    assert!(!has_subset_scope("admin:usso/lite/users", &["admin:billing/users"]));
    assert!(!has_subset_scope("admin:users", &["admin:usso/lite/users"]));
    let scopes = Scopes::parse(["admin:users"]).matching(Matching::Anchored);
    assert!(!scopes.check_access("usso/lite/users", "admin", &[]));
}

#[test]
fn s9_a_requested_star_or_gap_does_not_match_everything() {
    for requested in ["*/files", "/files", "*", "acme/*", "acme/", "a*e/files", "?/files"] {
        for matching in [Matching::Suffix, Matching::Anchored] {
            assert!(!path_matches("acme/files", requested, matching), "{requested}");
        }
    }
    assert!(path_matches("*/files", "*/files", Matching::Anchored));
}

#[test]
fn s3d_two_conditions_of_one_scope_can_be_met() {
    let granted = ["read:files?user_id=alice&workspace_id=w1"];
    let both = values(&[("user_id", "alice"), ("workspace_id", "w1"), ("kind", "a")]);
    assert!(check_access(&granted, "files", "read", &[both]));
    for one in [("user_id", "alice"), ("workspace_id", "w1")] {
        assert!(!check_access(&granted, "files", "read", &[values(&[one])]));
    }
}

#[test]
fn s3d_strict_matching_answers_for_unequal_lengths() {
    assert!(!path_matches("a/b/c", "b/c", Matching::Anchored));
    assert!(!path_matches("b/c", "a/b/c", Matching::Anchored));
}

#[test]
fn s3d_there_are_no_classes_and_case_matters() {
    assert!(!path_matches("file[0-9]", "file7", Matching::Suffix));
    assert!(!path_matches("file[!a]", "file7", Matching::Suffix));
    assert!(!path_matches("Files", "files", Matching::Suffix));
}

#[test]
fn s3d_a_user_id_is_not_a_workspace_id() {
    let rule = OwnerRule::new("x1").workspace("w1", Action::Owner);
    assert!(!rule.allows("read", &values(&[("workspace_id", "x1")])));
    assert!(!rule.allows("read", &values(&[("user_id", "w1")])));
    assert!(!rule.allows("read", &values(&[("owner_id", "w1")])));
}

#[test]
fn s3d_common_scopes_have_an_order() {
    let scopes: Vec<String> = (0..50).rev().map(|n| format!("read:r{n}")).collect();
    assert_eq!(common_scopes(&scopes, &["*:*"]), scopes);
    assert_eq!(common_scopes(&["*:*"], &scopes), scopes);
}

#[test]
fn r5_a_condition_counts_also_if_the_request_has_none() {
    let granted = ["read:files?user_id=alice"];
    assert!(!check_access(&granted, "files", "read", &[]));
    assert!(!check_access(&granted, "files", "read", &[values(&[])]));
}

#[test]
fn r5_anchored_matching_is_not_ignored() {
    let scopes = Scopes::parse(["read:files"]);
    assert!(scopes.check_access("a/files", "read", &[]));
    assert!(!scopes.matching(Matching::Anchored).check_access("a/files", "read", &[]));
}

#[test]
fn r5_the_query_is_percent_decoded() {
    let granted = ["read:files?email=a%2Bb%40example.com&name=A+B"];
    let request = values(&[("email", "a+b@example.com"), ("name", "A B")]);
    assert!(check_access(&granted, "files", "read", &[request]));
}

/// Scopes of the longest kind whose wildcards nearly match: each comparison used to cost the
/// product of two lengths.
fn nearly(lead: &str, tail: &str) -> Vec<String> {
    let filled = |n: usize| {
        let text = format!("read:f?a={lead}*{tail}{n:03}");
        text.replace('#', &"a".repeat(MAX_LENGTH + 1 - text.len()))
    };
    (0..256).map(filled).collect()
}

#[test]
fn wildcards_that_nearly_match_cost_little() {
    let (a, b) = (nearly("*#b", ""), nearly("#", ""));
    let request = [values(&[("a", &"a".repeat(MAX_LENGTH))])];
    assert!(!check_access(&a, "f", "read", &request));
    assert!(!has_subset_scope(&b[0], &a));
    assert_eq!(common_scopes(&a, &b), [""; 0]);
    assert!(common_scopes(&a, &a).len() < 256, "the steps are spent before the end");
}

#[test]
fn a_decision_that_takes_too_long_is_no() {
    let costly = "read:f?a=???????*b";
    let miss = values(&[("a", &"a".repeat(MAX_LENGTH))]);
    let hit = values(&[("a", "aaaaaaaab")]);
    let decide = |misses: usize, scope: &str| {
        let mut requests = vec![miss.clone(); misses];
        requests.push(hit.clone());
        Scopes::parse([costly, scope]).decide("f", "read", &requests)
    };
    assert!(decide(100, costly).is_allowed());
    let denied = decide(1100, "read:f?a=aaaaaaaa*").explain();
    assert_eq!(denied.matches("took too long").count(), 2, "{denied}");
    assert!(decide(1100, "read:f").is_allowed(), "without wildcards nothing is spent");
}

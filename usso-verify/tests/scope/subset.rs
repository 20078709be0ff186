//! When one scope lies inside another.

use usso_verify::scope::{Matching, Scope, Scopes, common_scopes, has_subset_scope, is_subset};

fn anchored(child: &str, parent: &str) -> bool {
    Scope::parse(child).unwrap().is_subset_of(&Scope::parse(parent).unwrap(), Matching::Anchored)
}

/// Child, parent; true whichever way paths are laid.
const INSIDE: &[(&str, &str)] = &[
    ("read:files", "read:files"),
    ("files", "read:files"),
    ("write:files", "update:files"),
    ("create:files", "write:files"),
    ("read:files", "manage:files"),
    ("read:media/files", "read:*"),
    ("read:*", "*:*"),
    ("owner:files", "*:*"),
    ("read:media/files", "read:*/files"),
    ("read:media/*", "read:*/*"),
    ("read:f1", "read:f*"),
    ("read:f1*", "read:f*"),
    ("read:files?user_id=1", "read:files"),
    ("read:files?user_id=1&kind=a", "read:files?kind=a"),
    ("read:files?user_id=ab", "read:files?user_id=a*"),
    ("read:files?user_id=a?c", "read:files?user_id=a*"),
    ("read:files?user_id=1", "read:files?user_id=*"),
];

/// Child, parent; false whichever way paths are laid.
const OUTSIDE: &[(&str, &str)] = &[
    ("write:files", "read:files"),
    ("superadmin:files", "*:*"),
    ("read:users", "read:files"),
    ("read:*", "read:files"),
    ("read:f*", "read:f1"),
    ("read:*/files", "read:media/files"),
    ("read:files", "read:files?user_id=1"),
    ("read:files?user_id=2", "read:files?user_id=1"),
    ("read:files?user_id=*", "read:files?user_id=1"),
    ("read:files?user_id=*", "read:files?user_id=a*"),
    ("read:files?kind=1", "read:files?user_id=1"),
    ("none:files", "none:files"),
    ("none:files", "*:*"),
];

#[test]
fn what_is_equal_lower_narrower_or_under_more_conditions_is_inside() {
    for (child, parent) in INSIDE {
        assert!(is_subset(child, parent), "{child} {parent}");
        assert!(anchored(child, parent), "{child} {parent}");
    }
}

#[test]
fn what_grants_anything_more_is_outside() {
    for (child, parent) in OUTSIDE {
        assert!(!is_subset(child, parent), "{child} {parent}");
        assert!(!anchored(child, parent), "{child} {parent}");
    }
}

#[test]
fn from_the_right_a_longer_path_is_inside_a_shorter_one() {
    assert!(is_subset("read:media/files", "read:files"));
    assert!(!is_subset("read:files", "read:media/files"));
    assert!(is_subset("read:files", "read:*/files"));
    assert!(!anchored("read:media/files", "read:files"));
    assert!(!anchored("read:files", "read:*/files"));
}

#[test]
fn from_the_right_a_star_does_not_hold_what_reaches_shorter_requests() {
    assert!(!is_subset("read:media/files", "read:media/*"));
    assert!(is_subset("read:media/f*", "read:media/*"));
    assert!(anchored("read:media/files", "read:media/*"));
    assert!(anchored("read:media/files/42", "read:media/*"));
    assert!(!anchored("read:media", "read:media/*"));
    assert!(!anchored("read:media/*", "read:media/files"));
    assert!(!anchored("read:*", "read:*/*"));
}

#[test]
fn an_empty_segment_holds_and_lies_inside_nothing_from_the_left() {
    assert!(is_subset("read:media//files", "read:media/*/files"));
    assert!(!anchored("read:media//files", "read:media/*/files"));
    assert!(!anchored("read:media/x/files", "read:media//files"));
}

#[test]
fn a_required_scope_with_a_slip_of_the_pen_is_met_by_nobody() {
    for required in ["", "admni:users", "admin:users?tenant=", "read:", "none:users"] {
        assert!(!has_subset_scope(required, &["*:*", "superadmin:*", required]), "{required}");
    }
}

#[test]
fn a_scope_is_held_if_one_of_several_holds_it() {
    let granted = ["read:users", "oops", "bad:x", "manage:files"];
    assert!(has_subset_scope("write:files", &granted));
    assert!(!has_subset_scope("write:users", &granted));
}

#[test]
fn common_scopes_are_the_narrower_ones_in_order_and_once() {
    let a = ["read:z", "manage:files", "read:users", "read:z", "bad:x", "write:a"];
    let b = ["*:z", "write:media/files", "read:files", "manage:users", "bad:x", "read:files"];
    assert_eq!(common_scopes(&a, &b), ["read:z", "read:users", "write:media/files", "read:files"]);
    assert_eq!(common_scopes(&b, &a), ["write:media/files", "read:files", "read:z", "read:users"]);
    assert_eq!(common_scopes(&a, &[""; 0]), [""; 0]);
}

#[test]
fn common_scopes_keep_what_membership_tests_look_for() {
    assert_eq!(common_scopes(&["manage:x", "read:x"], &["*:*"]), ["manage:x", "read:x"]);
}

#[test]
fn a_collection_compares_as_it_lays_paths() {
    let scopes = Scopes::parse(["read:files"]).matching(Matching::Anchored);
    assert!(!scopes.covers(&Scope::parse("read:media/files").unwrap()));
    assert!(scopes.common(&Scopes::parse(["read:media/files"])).is_empty());
}

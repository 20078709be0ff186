//! How a scope is read.

use usso_verify::scope::{
    Action, MAX_FILTERS, MAX_LENGTH, MAX_SEGMENTS, MAX_WILDCARDS, Scope, ScopeError,
};

fn read(text: &str) -> Result<Scope, ScopeError> {
    Scope::parse(text)
}

fn value(text: &str, key: &str) -> String {
    let scope = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    scope.filters()[key].exact().expect("no wildcard").to_owned()
}

#[test]
fn a_scope_is_action_path_and_query() {
    let scope = read("manage:media/files?user_id=alice&kind=*").unwrap();
    assert_eq!(scope.action(), Action::Manage);
    assert_eq!(scope.path(), "media/files");
    assert_eq!(scope.filters()["user_id"].exact(), Some("alice"));
    assert!(scope.filters()["kind"].is_any());
    assert_eq!(scope.to_string(), "manage:media/files?user_id=alice&kind=*");
}

#[test]
fn without_an_action_it_is_read() {
    for text in ["files", "files?at=12:30"] {
        let scope = read(text).unwrap();
        assert_eq!((scope.action(), scope.path()), (Action::Read, "files"), "{text}");
    }
}

#[test]
fn only_the_first_colon_before_the_query_ends_the_action() {
    let scope = read("read:analytics:revenue?at=12:30").unwrap();
    assert_eq!((scope.action(), scope.path()), (Action::Read, "analytics:revenue"));
    assert_eq!(scope.filters()["at"].exact(), Some("12:30"));
}

#[test]
fn the_query_is_decoded_and_the_first_value_of_a_key_kept() {
    assert_eq!(value("read:a?k=a%20b+c%2B%26%3D", "k"), "a b c+&=");
    assert_eq!(value("read:a?k=%C3%A9%e2%82%ac-é", "k"), "é€-é");
    assert_eq!(value("read:a?user%5Fid=1&user_id=2", "user_id"), "1");
    assert_eq!(value("read:a?k=a=b", "k"), "a=b");
}

#[test]
fn an_escaped_wildcard_is_an_ordinary_character() {
    assert_eq!(value("read:a?k=%2A%3F", "k"), "*?");
    let scope = read("read:a?k=%2A*").unwrap();
    let pattern = &scope.filters()["k"];
    assert!(pattern.matches("*") && pattern.matches("*x") && !pattern.matches("x"));
    assert_eq!(pattern.to_string(), "%2A*");
}

#[test]
fn what_is_no_scope_says_why() {
    let long = "a".repeat(MAX_LENGTH + 1);
    let deep = vec!["a"; MAX_SEGMENTS + 1].join("/");
    let full = format!("a?{}", vec!["k=v"; MAX_FILTERS + 1].join("&"));
    for (text, error) in [
        ("DELETE:files", ScopeError::ActionUnknown),
        ("publish:content", ScopeError::ActionUnknown),
        (":files", ScopeError::ActionUnknown),
        (" read:files", ScopeError::ActionUnknown),
        ("read:fi\nles", ScopeError::Character),
        ("read:files?k=%00", ScopeError::Character),
        ("read:files?", ScopeError::FilterBlank),
        ("read:files?k", ScopeError::FilterBlank),
        ("read:files?k=", ScopeError::FilterBlank),
        ("read:files?=v", ScopeError::FilterBlank),
        ("read:files?k=v&", ScopeError::FilterBlank),
        ("read:files?k=%", ScopeError::FilterEncoding),
        ("read:files?k=%2", ScopeError::FilterEncoding),
        ("read:files?k=%+2", ScopeError::FilterEncoding),
        ("read:files?k=%2é", ScopeError::FilterEncoding),
        ("read:files?k=%FF", ScopeError::FilterEncoding),
        ("read:files?%zz=v", ScopeError::FilterEncoding),
        ("", ScopeError::PathEmpty),
        ("read:", ScopeError::PathEmpty),
        ("read://", ScopeError::PathEmpty),
        ("read:?k=v", ScopeError::PathEmpty),
        ("read:a/../b", ScopeError::PathSegment),
        ("read:./b", ScopeError::PathSegment),
        ("read:a\\b", ScopeError::PathSegment),
        ("read:a%2Fb", ScopeError::PathSegment),
        (&long, ScopeError::TooLong),
        (&full, ScopeError::TooManyFilters),
        (&deep, ScopeError::TooManySegments),
        (&format!("read:{}", "a*".repeat(MAX_WILDCARDS + 1)), ScopeError::TooManyWildcards),
        (&format!("a?k={}", "?".repeat(MAX_WILDCARDS + 1)), ScopeError::TooManyWildcards),
        (&format!("a?k={}", "?*".repeat(MAX_WILDCARDS / 2) + "?"), ScopeError::TooManyWildcards),
    ] {
        assert_eq!(read(text).err(), Some(error), "{text}");
    }
}

#[test]
fn the_limits_themselves_are_allowed() {
    let long = "a".repeat(MAX_LENGTH);
    let deep = vec!["a"; MAX_SEGMENTS].join("/");
    let full = format!("a?{}", vec!["k=v"; MAX_FILTERS].join("&"));
    let wild = format!("{0}?k={0}", "a**".repeat(MAX_WILDCARDS));
    let ones = format!("a?k={}", "?".repeat(MAX_WILDCARDS));
    for text in [long, deep, full, wild, ones] {
        assert!(read(&text).is_ok(), "{text}");
    }
}

#[test]
fn scopes_are_equal_if_they_are_written_the_same() {
    assert_eq!(read("read:files"), "read:files".parse());
    assert_ne!(read("read:files"), read("files"));
}

//! A child never grants more than its parent, and nothing from outside panics.

use std::collections::BTreeMap;

use proptest::prelude::*;
use usso_verify::scope::{
    Filters, Matching, Pattern, Scope, Scopes, check_access, decide, path_matches,
};

const MATCHINGS: [Matching; 2] = [Matching::Anchored, Matching::Suffix];

fn action() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("read"), Just("write"), Just("create"), Just("*"), Just("none")]
}

/// Few letters, so that scopes and requests meet often.
fn glob() -> impl Strategy<Value = String> {
    prop_oneof![3 => Just("*".to_owned()), 3 => "[ab]", 2 => "[ab*?]{1,3}"]
}

fn scope() -> impl Strategy<Value = String> {
    let segment = prop_oneof![1 => Just(String::new()), 6 => glob()];
    let path = prop::collection::vec(segment.prop_map(|text| text.replace('?', "a")), 1..5);
    let filters = prop::collection::btree_map("[kl]", glob(), 0..3);
    (action(), path, filters).prop_map(|(action, path, filters)| {
        let query: Vec<_> = filters.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let mark = if query.is_empty() { "" } else { "?" };
        format!("{action}:{}{mark}{}", path.join("/"), query.join("&"))
    })
}

fn request() -> impl Strategy<Value = (String, &'static str, Vec<BTreeMap<String, String>>)> {
    let path = prop::collection::vec("[ab]{1,3}|\\*|a\\*", 1..6);
    let values = prop::collection::btree_map("[kl]", "[ab*?]{0,3}", 0..3);
    (path, action(), prop::collection::vec(values, 0..3))
        .prop_map(|(path, action, filters)| (path.join("/"), action, filters))
}

proptest! {
    #![proptest_config(ProptestConfig {
        failure_persistence: None, cases: 1000, ..ProptestConfig::default()
    })]

    #[test]
    fn a_child_never_grants_what_its_parent_does_not(
        child in scope(), parent in scope(), requests in prop::collection::vec(request(), 30),
    ) {
        let (Ok(inner), Ok(outer)) = (Scope::parse(&child), Scope::parse(&parent)) else {
            return Ok(());
        };
        for matching in MATCHINGS {
            if !inner.is_subset_of(&outer, matching) {
                continue;
            }
            let child = Scopes::parse([&child]).matching(matching);
            let parent = Scopes::parse([&parent]).matching(matching);
            for (path, action, filters) in &requests {
                let more = child.check_access(path, action, filters)
                    && !parent.check_access(path, action, filters);
                prop_assert!(!more, "{matching:?} {action} {path} {filters:?}");
            }
        }
    }

    #[test]
    fn common_scopes_grant_what_both_grant(
        a in prop::collection::vec(scope(), 0..4), b in prop::collection::vec(scope(), 0..4),
        requests in prop::collection::vec(request(), 10),
    ) {
        for matching in MATCHINGS {
            let (a, b) = (Scopes::parse(&a).matching(matching), Scopes::parse(&b).matching(matching));
            let common = Scopes::parse(a.common(&b)).matching(matching);
            for (path, action, filters) in &requests {
                if common.check_access(path, action, filters) {
                    prop_assert!(a.check_access(path, action, filters));
                    prop_assert!(b.check_access(path, action, filters));
                }
            }
        }
    }

    #[test]
    fn a_scope_that_grants_anything_lies_inside_itself(text in scope()) {
        let scope = Scope::parse(&text);
        let grants = scope.is_ok() && !text.starts_with("none:");
        let scope = scope.unwrap_or_else(|_| Scope::parse("none:x").unwrap());
        prop_assert_eq!(scope.is_subset_of(&scope, Matching::Suffix), grants);
    }

    #[test]
    fn being_inside_carries_over(a in scope(), b in scope(), c in scope()) {
        let (Ok(a), Ok(b), Ok(c)) = (Scope::parse(&a), Scope::parse(&b), Scope::parse(&c)) else {
            return Ok(());
        };
        for matching in MATCHINGS {
            if a.is_subset_of(&b, matching) && b.is_subset_of(&c, matching) {
                prop_assert!(a.is_subset_of(&c, matching));
            }
        }
    }

    #[test]
    fn filters_say_what_check_access_says(granted in prop::collection::vec(scope(), 0..4), asked in request()) {
        let scopes = Scopes::parse(&granted);
        let (path, action, alternatives) = asked;
        let bare = check_access(&granted, &path, action, &[]);
        let allowed = check_access(&granted, &path, action, &alternatives);
        match scopes.filters(&path, action) {
            Filters::Unrestricted => prop_assert!(bare && allowed),
            Filters::Denied => prop_assert!(!bare && !allowed),
            Filters::Restricted(sets) => {
                let met = alternatives.iter().any(|values| sets.iter().any(|set| {
                    set.iter().all(|(key, want)| values.get(key).is_some_and(|v| want.matches(v)))
                }));
                prop_assert!(!bare);
                prop_assert_eq!(met, allowed);
            }
        }
    }

    #[test]
    fn a_pattern_is_read_as_it_is_written(text in "[a*?%&=+ é]{1,8}", key in "[a*?%&=+ é]{1,8}") {
        let written = |text: &str| text.replace('%', "%25").replace('&', "%26");
        let plain = written(&key).replace('=', "%3D").replace('+', "%2B");
        let scope = format!("a?{plain}={}", written(&text));
        let scope = Scope::parse(&scope).unwrap();
        let pattern = &scope.filters()[&key];
        let again = Scope::parse(&format!("a?k={pattern}")).unwrap();
        prop_assert_eq!(&again.filters()["k"], pattern);
    }

    #[test]
    fn a_pattern_matches_as_a_plain_matcher_does(pattern in "[ab*?]{0,6}", text in "[ab]{0,8}") {
        fn plain(pattern: &[u8], text: &[u8]) -> bool {
            match (pattern, text) {
                ([], text) => text.is_empty(),
                ([b'*', rest @ ..], text) => (0..=text.len()).any(|n| plain(rest, &text[n..])),
                ([b'?', rest @ ..], [_, text @ ..]) => plain(rest, text),
                ([a, rest @ ..], [b, text @ ..]) => a == b && plain(rest, text),
                _ => false,
            }
        }
        let expected = plain(pattern.as_bytes(), text.as_bytes());
        prop_assert_eq!(Pattern::parse(&pattern).matches(&text), expected);
    }

    #[test]
    fn any_text_is_judged_without_panic(granted in ".*", path in ".*", action in ".*", value in ".*") {
        let values = BTreeMap::from([(value.clone(), value)]);
        let scopes = [granted.clone(), format!("*:{granted}"), format!("*:a?{granted}")];
        let _ = decide(&scopes, &path, &action, std::slice::from_ref(&values)).explain();
        let _ = decide(&scopes, &path, "read", &[values]).explain();
        for matching in MATCHINGS {
            let _ = path_matches(&granted, &path, matching);
        }
    }
}

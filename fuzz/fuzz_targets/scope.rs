//! Any text as a request and the scopes that are granted: a line each for the action, the path and
//! the resource (alternatives divided by `|`), then one for each scope.

#![no_main]

use std::collections::BTreeMap;

use libfuzzer_sys::fuzz_target;
use usso_verify::scope::{self, Action, Filters, Matching, Scope, Scopes};

type Values = BTreeMap<String, String>;

/// What somebody wants to do.
struct Request {
    action: String,
    path: String,
    resource: Vec<Values>,
}

impl Request {
    fn is_allowed_by(&self, granted: &Scopes) -> bool {
        granted.check_access(&self.path, &self.action, &self.resource)
    }
}

fuzz_target!(|data: &[u8]| {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.split('\n');
    let mut next = || lines.next().unwrap_or_default();
    let request = Request {
        action: next().to_owned(),
        path: next().to_owned(),
        resource: alternatives(next()),
    };
    let granted: Vec<&str> = lines.collect();
    for matching in [Matching::Suffix, Matching::Anchored] {
        decisions_agree(&request, &granted, matching);
        filters_say_who_is_let_in(&request, &granted, matching);
        a_part_allows_no_more_than_the_whole(&request, &granted, matching);
    }
    free_functions_agree(&request, &granted);
    granted.iter().filter_map(|text| Scope::parse(text).ok()).for_each(|scope| is_faithful(&scope));
});

fn alternatives(line: &str) -> Vec<Values> {
    let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.into(), value.into()));
    let values = |one: &str| one.split('&').filter_map(pair).collect();
    if line.is_empty() { Vec::new() } else { line.split('|').map(values).collect() }
}

fn decisions_agree(request: &Request, granted: &[&str], matching: Matching) {
    let scopes = Scopes::parse(granted).matching(matching);
    let decision = scopes.decide(&request.path, &request.action, &request.resource);
    assert_eq!(decision.is_allowed(), request.is_allowed_by(&scopes));
    if let scope::Decision::Allowed { scope } = &decision {
        assert!(request.is_allowed_by(&Scopes::parse([scope]).matching(matching)));
    }
    if let scope::Decision::Denied { refused, omitted } = &decision {
        assert_eq!(
            (refused.len(), refused.len() + omitted),
            (granted.len().min(16), granted.len())
        );
        assert!(refused.iter().all(|refused| refused.scope.chars().count() <= 65));
    }
    let explained = decision.explain();
    assert!(explained.len() <= 12 << 10);
    assert!(!explained.contains(char::is_control));
    let one_by_one = granted.iter().take(scope::MAX_SCOPES).any(|one| {
        let one = Scopes::parse([one]).matching(matching);
        request.is_allowed_by(&one)
    });
    assert_eq!(decision.is_allowed(), one_by_one);
}

fn free_functions_agree(request: &Request, granted: &[&str]) {
    let Request { action, path, resource } = request;
    let scopes = Scopes::parse(granted);
    assert_eq!(
        scope::check_access(granted, path, action, resource),
        request.is_allowed_by(&scopes)
    );
    assert_eq!(
        scope::decide(granted, path, action, resource),
        scopes.decide(path, action, resource)
    );
    assert_eq!(scope::scope_filters(action, path, granted), scopes.filters(path, action));
    for child in granted.iter().take(2) {
        let parents = granted.iter().take(scope::MAX_SCOPES);
        let is_inside = parents.clone().any(|parent| scope::is_subset(child, parent));
        assert_eq!(scope::has_subset_scope(child, granted), is_inside);
    }
}

/// Whoever queries a database with the filters sees what a check of each row would let through.
fn filters_say_who_is_let_in(request: &Request, granted: &[&str], matching: Matching) {
    let scopes = Scopes::parse(granted).matching(matching);
    let bare = scopes.check_access(&request.path, &request.action, &[]);
    let allowed = request.is_allowed_by(&scopes);
    let filters = scopes.filters(&request.path, &request.action);
    match &filters {
        Filters::Denied => assert!(!bare && !allowed),
        Filters::Unrestricted => assert!(bare && allowed),
        Filters::Restricted(sets) => {
            assert!(!bare && !sets.is_empty() && sets.iter().all(|set| !set.is_empty()));
            let met = sets.iter().any(|set| {
                request.resource.iter().any(|values| {
                    set.iter().all(|(key, pattern)| {
                        values.get(key).is_some_and(|value| pattern.matches(value))
                    })
                })
            });
            assert_eq!(met, allowed);
            let Filters::Restricted(broadest) = filters.clone().broadest() else { panic!() };
            assert!(broadest.len() == 1 && sets.contains(&broadest[0]));
        }
    }
}

/// What a scope allows, the scopes around it allow; what two holders share, both have.
fn a_part_allows_no_more_than_the_whole(request: &Request, granted: &[&str], matching: Matching) {
    let read = |text: &[&str]| Scopes::parse(text).matching(matching);
    let (one, other) = granted.split_at(granted.len() / 2);
    let (one, other) = (read(one), read(other));
    let common = one.common(&other);
    let scopes: Vec<Scope> =
        granted.iter().filter_map(|text| Scope::parse(text).ok()).take(SOME).collect();
    for (place, child) in scopes.iter().enumerate() {
        let parents = scopes.iter().enumerate().filter(|(own, _)| *own != place);
        let mut wholes: Vec<Scopes> = parents
            .filter(|(_, parent)| child.is_subset_of(parent, matching))
            .map(|(_, parent)| read(&[parent.as_str()]))
            .collect();
        assert!(wholes.is_empty() || child.action() != Action::None);
        if common.iter().any(|shared| shared == child.as_str()) {
            wholes.extend([one.clone(), other.clone()]);
        }
        if wholes.is_empty() {
            continue;
        }
        let own = read(&[child.as_str()]);
        for request in witnesses(child, request) {
            if request.is_allowed_by(&own) {
                assert!(wholes.iter().all(|whole| request.is_allowed_by(whole)));
            }
        }
    }
}

/// The request, and some that the scope is likely to allow.
fn witnesses(scope: &Scope, request: &Request) -> Vec<Request> {
    let wish = |path: &str, resource: &[Values]| Request {
        action: scope.action().as_str().to_owned(),
        path: path.to_owned(),
        resource: resource.to_vec(),
    };
    let mut wishes = vec![wish(&request.path, &request.resource)];
    for filling in ["", "xy", "*", request.path.rsplit('/').next().unwrap_or_default()] {
        let segment = |segment: &str| {
            let plain = segment.replace('*', filling);
            if plain.is_empty() { "x".to_owned() } else { plain }
        };
        let whole: Vec<String> = scope.path().split('/').map(segment).collect();
        let mut paths = vec![request.path.clone(), format!("x/{}", whole.join("/"))];
        paths.push(format!("{}/{}", whole.join("/"), request.path));
        paths.push(format!("{}/{}", request.path, whole.join("/")));
        paths.extend((0..whole.len()).map(|from| whole[from..].join("/")));
        let filled = |pattern: &scope::Pattern| match pattern.exact() {
            Some(text) => text.to_owned(),
            None => pattern.to_string().replace('*', filling).replace('?', "y"),
        };
        let filters = scope.filters().iter();
        let values = filters.map(|(key, pattern)| (key.clone(), filled(pattern))).collect();
        let resource = if scope.filters().is_empty() { &request.resource } else { &vec![values] };
        wishes.extend(paths.iter().map(|path| wish(path, resource)));
    }
    wishes
}

fn is_faithful(scope: &Scope) {
    assert_eq!(Scope::parse(scope.as_str()).as_ref(), Ok(scope));
    assert!(scope.as_str().len() <= scope::MAX_LENGTH);
    assert!(scope.filters().len() <= scope::MAX_FILTERS);
    for pattern in scope.filters().values() {
        let written = format!("path?key={pattern}");
        if written.len() <= scope::MAX_LENGTH {
            assert_eq!(Scope::parse(&written).unwrap().filters()["key"], *pattern);
        }
    }
    if !scope.path().split('/').any(str::is_empty) {
        for path in [scope.path(), "media/files", "x"] {
            for matching in [Matching::Suffix, Matching::Anchored] {
                let only = Scopes::parse([scope.as_str()]).matching(matching);
                let reaches = !only.filters(path, scope.action().as_str()).is_denied();
                let expected = scope.action() != Action::None
                    && scope::path_matches(scope.path(), path, matching);
                assert_eq!(reaches, expected);
            }
        }
    }
}

/// Of how many scopes every pair is compared.
const SOME: usize = 6;

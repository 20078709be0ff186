//! How a granted path is laid on a requested one.

use usso_verify::scope::{Matching, check_access, path_matches};

/// Granted, requested, expected when matched from the right. Derived from the rules.
const SUFFIX: &[(&str, &str, bool)] = &[
    ("files", "files", true),
    ("media/files", "files", true),
    ("media/images/files", "files", true),
    ("media//files", "files", true),
    ("media//files", "images/files", true),
    ("media//files", "media/images/files", true),
    ("files", "images/files", true),
    ("files", "a/b/files", true),
    ("*/files", "images/files", true),
    ("*//files", "images/files", true),
    ("//files", "images/files", true),
    ("//files", "media/images/files", true),
    ("media/files/*", "media/files/42", true),
    ("*/*/42", "media/files/42", true),
    ("media/*/42", "media/images/42", true),
    ("media/*", "all/media/42", true),
    ("*/*", "files", true),
    ("*", "a/b/c", true),
    ("f*", "media/files", true),
    ("media/files", "images/files", false),
    ("files", "file", false),
    ("file", "files", false),
    ("files", "Files", false),
    ("files", "files/42", false),
    ("files", "media/files/42", false),
    ("media/files", "media/files/42", false),
    ("media/files/*", "42", false),
    ("media/files/*", "files/42", false),
    ("media/files/4*", "42", false),
    ("*/media/*", "42", false),
    ("a/*/files", "images/files", false),
    ("media/*/42", "images/42", false),
    ("f*", "files/media", false),
];

#[test]
fn from_the_right_paths_match_as_published() {
    for (granted, requested, expected) in SUFFIX {
        let matches = path_matches(granted, requested, Matching::Suffix);
        assert_eq!(matches, *expected, "{granted} {requested}");
    }
}

#[test]
fn in_a_scope_an_empty_segment_is_a_star() {
    assert!(check_access(&["media//files"], "files", "read", &[]));
    assert!(check_access(&["media//files"], "media/images/files", "read", &[]));
    assert!(!check_access(&["media//files"], "images/files", "read", &[]));
    assert!(check_access(&["//files"], "images/files", "read", &[]));
    assert!(check_access(&["//x*"], "xy", "read", &[]));
    assert!(!path_matches("//x*", "xy", Matching::Suffix));
}

#[test]
fn from_the_left_paths_match_to_their_end() {
    for (granted, requested, expected) in [
        ("files", "files", true),
        ("media/files", "media/files", true),
        ("media/*", "media/files", true),
        ("media/*", "media/files/42", true),
        ("media/*/42", "media/files/42", true),
        ("media/f*", "media/files", true),
        ("*", "a", true),
        ("*", "a/b/c", true),
        ("*/*", "a/b/c", true),
        ("media", "media/files", false),
        ("media/files", "media", false),
        ("media/files", "files", false),
        ("files", "media/files", false),
        ("media/*", "media", false),
        ("media/*", "all/media/42", false),
        ("media/*/42", "media/a/b/42", false),
        ("media/f*", "media/files/42", false),
        ("*/*", "a", false),
        ("media//files", "media/a/files", false),
        ("/files", "a/files", false),
        ("media/", "media/files", false),
    ] {
        let matches = path_matches(granted, requested, Matching::Anchored);
        assert_eq!(matches, expected, "{granted} {requested}");
    }
}

#[test]
fn a_path_that_may_be_a_step_through_a_tree_is_refused() {
    for requested in [
        "",
        "/",
        "/files",
        "files/",
        "a//files",
        ".",
        "..",
        "../files",
        "a/../files",
        "a/./files",
        "a\\files",
        "a\0/files",
        "%2e%2e/files",
        "a%2Ffiles",
        "a%5Cfiles",
        "%2E/files",
    ] {
        for matching in [Matching::Suffix, Matching::Anchored] {
            assert!(!path_matches("*", requested, matching), "{requested}");
        }
    }
}

#[test]
fn dots_and_escapes_that_are_no_step_are_names() {
    for requested in ["...", ".well-known/jwks", "a.b", "100%", "a%20b", "%2", "%25"] {
        assert!(path_matches("*", requested, Matching::Suffix), "{requested}");
    }
    assert!(!path_matches("a b", "a%20b", Matching::Suffix));
}

#[test]
fn a_requested_path_has_the_limits_of_a_granted_one() {
    let deep = |segments| vec!["a"; segments].join("/");
    assert!(path_matches("*", &deep(32), Matching::Suffix));
    assert!(!path_matches("*", &deep(33), Matching::Suffix));
    assert!(path_matches("*", &"a".repeat(1024), Matching::Suffix));
    assert!(!path_matches("*", &"a".repeat(1025), Matching::Suffix));
}

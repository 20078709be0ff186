//! What a guard refuses to be built with.

use usso_verify::guard::{Guard, GuardBuilder, InvalidGuard};

use super::{AUDIENCE, issuer};

fn refused(set: impl FnOnce(GuardBuilder) -> GuardBuilder) -> InvalidGuard {
    set(Guard::builder(issuer().verifier(AUDIENCE))).build().unwrap_err()
}

#[test]
fn an_origin_must_be_as_browsers_write_it() {
    for origin in [
        "app.example",
        "https://app.example/",
        "https://App.example",
        "https://app.example:443",
        "http://app.example:80",
        "https://app.example/x",
        "https://*.app.example",
        "null",
        "",
    ] {
        let error = refused(|guard| guard.cookie("t").allow_origin(origin));
        assert_eq!(error, InvalidGuard::Origin(origin.into()));
    }
    for origin in ["https://app.example", "http://localhost:3000", "https://[::1]:8443"] {
        let guard = Guard::builder(issuer().verifier(AUDIENCE)).cookie("t").allow_origin(origin);
        assert!(guard.build().is_ok(), "{origin}");
    }
}

#[test]
fn settings_that_cannot_work_are_named() {
    assert_eq!(
        refused(|guard| guard.allow_origin("https://app.example")),
        InvalidGuard::OriginWithoutCookie
    );
    for name in ["", "a b", "a=b", "a;b", "café"] {
        assert_eq!(refused(|guard| guard.cookie(name)), InvalidGuard::Cookie(name.into()));
    }
    for url in ["", "api.example", "ftp://api.example", "https://a/?x", "https://a/#x"] {
        assert_eq!(refused(|guard| guard.public_url(url)), InvalidGuard::PublicUrl(url.into()));
    }
    assert_eq!(refused(|guard| guard.realm("a\r\nb")), InvalidGuard::Realm);
    let error = refused(|guard| guard.resource_metadata("/metadata"));
    assert_eq!(error, InvalidGuard::ResourceMetadata("/metadata".into()));
    for error in [error, InvalidGuard::Realm, InvalidGuard::OriginWithoutCookie] {
        assert!(error.to_string().starts_with('`'), "{error}");
    }
}

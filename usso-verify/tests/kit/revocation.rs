//! Tokens that were called back.

use std::sync::Arc;

use usso_verify::{Clock, RevocationList, Revoked, Verifier, VerifyError};

use crate::*;

#[test]
fn a_token_is_refused_from_the_moment_it_is_called_back_although_it_is_remembered() {
    let issuer = issuer();
    let list = Arc::new(RevocationList::new(100));
    let verifier = Verifier::builder()
        .issuer(issuer.issuer().audience(AUDIENCE))
        .clock(issuer.clock())
        .revocation(Arc::clone(&list))
        .build()
        .unwrap();
    let now = issuer.clock().now();
    let calls_back: [fn(&TestIssuer) -> Revoked; 4] = [
        |_| Revoked::Token("j".into()),
        |_| Revoked::Session("s".into()),
        |issuer| Revoked::Subject("user:1".into(), issuer.clock().now() + 1),
        |issuer| Revoked::Key(issuer.kid()),
    ];
    for (at, revoked) in calls_back.into_iter().enumerate() {
        let mint = issuer.mint().audience(AUDIENCE);
        let mint = match at {
            0 => mint.claim("jti", "j"),
            1 => mint.claim("session_id", "s"),
            _ => mint,
        };
        let token = mint.subject(if at == 2 { "user:1" } else { "user:2" }).sign();
        for _ in 0..3 {
            assert!(verifier.verify_local(&token).is_ok(), "{at}");
        }
        list.add("https://sso.example", revoked(&issuer), now + 1000, now).unwrap();
        assert_eq!(verifier.verify_local(&token), Err(VerifyError::Revoked), "{at}");
    }
}

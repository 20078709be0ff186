//! The examples of the JOSE RFCs.

use serde_json::json;
use usso_verify::{Algorithm, KeyError, VerifyingKey};

use crate::support::{b64, holds, key, read, unb64, verifier};

const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                      cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// Says whether the signature holds, and no longer once the input was changed.
fn signed(key: &VerifyingKey, input: &str, signature: &str) -> bool {
    let bytes = unb64(signature).unwrap();
    assert!(!key.verify(format!("{input}A").as_bytes(), &bytes));
    holds(key, &format!("{input}.{signature}"))
}

fn ed25519() -> VerifyingKey {
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    key(&json!({"kty": "OKP", "crv": "Ed25519", "x": x}))
}

#[test]
fn rfc_8037_a1_the_private_key_is_refused() {
    let (d, x) = (
        "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
    );
    let private = read(&json!({"kty": "OKP", "crv": "Ed25519", "d": d, "x": x}));
    assert_eq!(private.err(), Some(KeyError::PrivateMember));
}

#[test]
fn rfc_8037_a2_the_public_key_is_for_eddsa() {
    assert_eq!(ed25519().algorithm(), Algorithm::EdDsa);
    assert_eq!(ed25519().to_jwk().x.unwrap(), "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
}

#[test]
fn rfc_8037_a4_and_a5_ed25519_signature_holds() {
    let input = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt\
                     9g7sVvpAr_MuM0KAg";
    assert!(signed(&ed25519(), input, signature));
}

#[test]
fn rfc_8037_a3_ed25519_thumbprint_is_the_published_one() {
    assert_eq!(ed25519().thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
}

#[test]
fn rfc_7515_a2_rs256_signature_holds() {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1\
             Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpa\
             SHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4\
             LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let signature = "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_\
                     lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO7\
                     5vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOk\
                     HWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy\
                     wlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let key = key(&json!({"kty": "RSA", "n": n, "e": "AQAB"}));
    assert_eq!(key.algorithm(), Algorithm::Rs256);
    assert!(signed(&key, &format!("eyJhbGciOiJSUzI1NiJ9.{CLAIMS}"), signature));
}

#[test]
fn rfc_7515_a3_es256_signature_holds() {
    let key = key(&json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    }));
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3\
                     -Kg6NU1Q";
    assert!(signed(&key, &format!("eyJhbGciOiJFUzI1NiJ9.{CLAIMS}"), signature));
}

#[test]
fn rfc_7638_rsa_thumbprint_is_the_published_one() {
    let n = "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc\
             _BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQ\
             R0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bF\
             TWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
    let key = key(&json!({
        "kty": "RSA", "n": n, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
    }));
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs");
    assert_eq!(key.kid(), "2011-04-29");
}

#[test]
fn rfc_7638_ec_thumbprint_is_the_hash_of_the_ordered_members() {
    let (x, y) = (
        "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    );
    let key = key(&json!({"y": y, "x": x, "kty": "EC", "crv": "P-256", "kid": "k"}));
    let text = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    assert_eq!(key.thumbprint(), b64(hash));
}

const PLAIN: &str = "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91\
                     IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhl\
                     cmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4";

/// RFC 7520 §3.3.
fn bilbo() -> VerifyingKey {
    let n = "n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJ\
             mSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpP\
             e7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4\
             fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw";
    let kid = "bilbo.baggins@hobbiton.example";
    key(&json!({"kty": "RSA", "kid": kid, "use": "sig", "n": n, "e": "AQAB"}))
}

#[test]
fn rfc_7520_4_1_rs256_signature_holds() {
    let header = b64(r#"{"alg":"RS256","kid":"bilbo.baggins@hobbiton.example"}"#);
    let signature = "MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJd\
                     Qx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh\
                     _qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de\
                     3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcI\
                     e8u9ipH84ogoree7vjbU5y18kDquDg";
    assert!(signed(&bilbo(), &format!("{header}.{PLAIN}"), signature));
}

#[test]
fn rfc_7520_4_2_ps384_is_not_supported() {
    let header = b64(r#"{"alg":"PS384","kid":"bilbo.baggins@hobbiton.example"}"#);
    assert_eq!(code(&format!("{header}.{PLAIN}.cu22eBqkYDKgIlTpzDXGvQ")), "token.algorithm");
    let mut jwk = serde_json::to_value(bilbo().to_jwk()).unwrap();
    jwk["alg"] = json!("PS384");
    assert_eq!(read(&jwk).err(), Some(KeyError::Algorithm));
}

#[test]
fn rfc_7520_3_1_and_3_5_keys_on_p_521_and_secrets_are_refused() {
    let p521 = read(&json!({"kty": "EC", "crv": "P-521", "x": "AHKZLLOs", "y": "AdymlHvO"}));
    assert_eq!(p521.err(), Some(KeyError::Curve));
    let k = "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg";
    let secret = read(&json!({"kty": "oct", "use": "sig", "alg": "HS256", "k": k}));
    assert_eq!(secret.err(), Some(KeyError::PrivateMember));
}

/// What the verifier says of a token, whose signature it does not come to.
fn code(token: &str) -> &'static str {
    let keys = vec![ed25519(), bilbo()];
    verifier(keys).verify_at(token, 1_300_000_000).unwrap_err().code()
}

#[test]
fn tokens_with_a_shared_secret_are_refused() {
    for (name, token) in [
        (
            "RFC 7515 A.1, RFC 7519 3.1",
            format!(
                "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{CLAIMS}.\
                 dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
            ),
        ),
        (
            "RFC 7520 4.4",
            format!(
                "eyJhbGciOiJIUzI1NiIsImtpZCI6IjAxOGMwYWU1LTRkOWItNDcxYi1iZmQ2LWVlZjMxNGJjNzAzNyJ9\
                 .{PLAIN}.s0h6KThzkfBBBkLspW1h84VsJZFTsPPqMDA7g1Md7p0"
            ),
        ),
        (
            "RFC 7797 4, control",
            "eyJhbGciOiJIUzI1NiJ9.JC4wMg.5mvfOroL-g7HyqJoozehmsaqmvTYGEq5jTI1gVvoEoQ".to_owned(),
        ),
    ] {
        assert_eq!(code(&token), "token.algorithm", "{name}");
    }
}

#[test]
fn rfc_7515_a5_and_rfc_7519_6_1_an_unsigned_token_is_refused() {
    assert_eq!(code(&format!("eyJhbGciOiJub25lIn0.{CLAIMS}.")), "token.algorithm");
}

#[test]
fn rfc_7515_a4_es512_is_not_supported() {
    assert_eq!(code("eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.AdwMgeerwtHo"), "token.algorithm");
}

#[test]
fn rfc_7797_4_2_a_payload_that_is_not_encoded_is_refused() {
    let header = "eyJhbGciOiJIUzI1NiIsImI2NCI6ZmFsc2UsImNyaXQiOlsiYjY0Il19";
    let signature = "A5dxf2s96_n5FLueVuW1Z_vh161FwXZC4YLPff6dmDY";
    for payload in ["", "JC4wMg"] {
        assert_eq!(code(&format!("{header}.{payload}.{signature}")), "token.critical");
    }
    assert!(code(&format!("{header}.$.02.{signature}")).starts_with("token."));
}

#[test]
fn an_encrypted_token_is_refused() {
    // RFC 7520 §5.6, RFC 7519 A.1 (its first segments).
    for token in [
        "eyJhbGciOiJkaXIiLCJraWQiOiI3N2M3ZTJiOC02ZTEzLTQ1Y2YtODY3Mi02MTdiNWI0NTI0M2EiLCJlbmMiOiJBMTI4\
         R0NNIn0..refa467QzzKx6QAB.JW_i_f52hww_ELQPGaYyeAB6HYGcR559l9TYnSovc23X.vbb32Xvllea2OtmHAdccRQ",
        "eyJhbGciOiJSU0ExXzUiLCJlbmMiOiJBMTI4Q0JDLUhTMjU2In0.QR1Owv2ug2WyPBnbQrRARTeEk9kDO2w8.AxY8\
         DCtDaGlsbGljb3RoZQ.MKOle7UQrG6nSxTLX6Mqwt0orbHvAKeWnDYvpIAeZ72d.fiK51VwhsxJ-siBMR-YFiA",
    ] {
        let code = code(token);
        assert!(["token.algorithm", "token.malformed"].contains(&code), "{code}");
    }
}

//! Thumbprints of client certificates, out of every form they arrive in.

use proptest::prelude::*;
use usso_verify::certificate::{Error, Thumbprint, only_header};

/// RFC 8705 appendix A.
const THUMBPRINT: &str = "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0";
const BODY: [&str; 6] = [
    "MIIBBjCBrAIBAjAKBggqhkjOPQQDAjAPMQ0wCwYDVQQDDARtdGxzMB4XDTE4MTAx",
    "ODEyMzcwOVoXDTIyMDUwMjEyMzcwOVowDzENMAsGA1UEAwwEbXRsczBZMBMGByqG",
    "SM49AgEGCCqGSM49AwEHA0IABNcnyxwqV6hY8QnhxxzFQ03C7HKW9OylMbnQZjjJ",
    "/Au08/coZwxS7LfA4vOLS9WuneIXhbGGWvsDSb0tH6IxLm8wCgYIKoZIzj0EAwID",
    "SQAwRgIhAP0RC1E+vwJD/D1AGHGzuri+hlV/PpQEKTWUVeORWz83AiEA5x2eXZOV",
    "bUlJSGQgjwD5vaUaKlLR50Q2DmFfQj1L+SY=",
];

fn pem() -> String {
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", BODY.join("\n"))
}

fn der() -> Vec<u8> {
    base64_simd::STANDARD.decode_to_vec(BODY.concat()).unwrap()
}

/// Escapes everything but letters, digits and what `kept` has.
fn escaped(text: &str, kept: &str) -> String {
    let one = |c: char| {
        let plain = c.is_ascii_alphanumeric() || kept.contains(c);
        if plain { c.to_string() } else { format!("%{:02X}", u32::from(c)) }
    };
    text.chars().map(one).collect()
}

fn hex() -> String {
    let bytes = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(THUMBPRINT).unwrap();
    let nibbles = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect()
}

fn text(thumbprint: Result<Thumbprint, Error>) -> Result<String, Error> {
    thumbprint.map(|thumbprint| thumbprint.to_text())
}

#[test]
fn rfc_8705_a_every_form_gives_the_published_thumbprint() {
    let client_cert = format!(":{}:", BODY.concat());
    let quoted = format!(
        r#"By=spiffe://a;Hash={};Cert="{}";Subject="CN=a,b\";=\\";URI=x;URI=y"#,
        hex(),
        escaped(&pem(), "")
    );
    for (form, thumbprint) in [
        ("der", Thumbprint::of_der(&der())),
        ("pem", Thumbprint::of_pem(&pem())),
        ("crlf", Thumbprint::of_pem(&pem().replace('\n', "\r\n"))),
        ("nginx", Thumbprint::of_escaped_pem(&escaped(&pem(), "-"))),
        ("alb", Thumbprint::of_escaped_pem(&escaped(&pem(), "-+=/"))),
        ("rfc 9440", Thumbprint::of_client_cert(&client_cert)),
        ("spaces", Thumbprint::of_client_cert(&format!(" {client_cert}\t"))),
        ("hash", Thumbprint::of_xfcc(&format!("Hash={}", hex()))),
        ("case", Thumbprint::of_xfcc(&format!("by=x; hash=\"{}\"", hex().to_uppercase()))),
        ("cert", Thumbprint::of_xfcc(&format!("Cert=\"{}\"", escaped(&pem(), "")))),
        ("both", Thumbprint::of_xfcc(&quoted)),
    ] {
        assert_eq!(text(thumbprint).as_deref(), Ok(THUMBPRINT), "{form}");
    }
}

#[test]
fn a_token_is_bound_to_exactly_this_certificate() {
    let thumbprint = Thumbprint::of_der(&der()).unwrap();
    assert_eq!(thumbprint.check_binding(THUMBPRINT), Ok(()));
    for other in ["", &THUMBPRINT[1..], &format!("{THUMBPRINT}="), &THUMBPRINT.to_lowercase()] {
        assert_eq!(thumbprint.check_binding(other), Err(Error::Mismatch), "{other}");
    }
}

#[test]
fn bytes_before_in_and_after_a_certificate_are_refused() {
    let good = der();
    for bytes in [&good[1..], &good[..good.len() - 1], &[&good, &[0][..]].concat(), b"", b"\x30"]
        .into_iter()
        .chain([
            &b"\x30\x00"[..],
            b"\x30\x80\x00\x00",
            b"\x30\x83\x00\x00\x01\x00",
            b"\x31\x01\x00",
        ])
        .chain([&b"\x30\x81\x01\x00"[..], b"\x30\x82\x01", b"\x30\x84\x00\x00\x00\x00"])
    {
        assert_eq!(Thumbprint::of_der(bytes), Err(Error::Malformed), "{bytes:?}");
    }
    assert!(Thumbprint::of_der(b"\x30\x01\x00").is_ok());
}

#[test]
fn a_pem_of_another_kind_or_with_company_is_refused() {
    let chain = format!("{}{}", pem(), pem());
    assert_eq!(Thumbprint::of_pem(&chain), Err(Error::Multiple));
    for text in [
        String::new(),
        BODY.concat(),
        format!("x{}", pem()),
        format!("{}x", pem()),
        pem().replace("CERTIFICATE", "PUBLIC KEY"),
        pem().replace("SY=", "SY"),
        pem().replace("/Au0", "_Au0"),
        pem().replace("-----END", "----END"),
        pem().replace("MII", "-----BEGIN CERTIFICATE-----MII"),
    ] {
        assert_eq!(Thumbprint::of_pem(&text), Err(Error::Malformed), "{text}");
    }
}

#[test]
fn broken_escapes_and_colons_are_refused() {
    for value in ["%", "%4", "%zz", "%é", "+", "", &pem().replace('\n', "+")] {
        assert_eq!(Thumbprint::of_escaped_pem(value), Err(Error::Malformed), "{value}");
    }
    let body = BODY.concat();
    for value in [":", "::", ":::", "", &body, &format!(":{body}"), &format!(":{body}:;a=1")] {
        assert_eq!(Thumbprint::of_client_cert(value), Err(Error::Malformed), "{value}");
    }
    for value in [format!(":{}:", BODY.join(" ")), format!(":{}:", body.replace('/', "_"))] {
        assert_eq!(Thumbprint::of_client_cert(&value), Err(Error::Malformed), "{value}");
    }
}

#[test]
fn an_xfcc_that_leaves_the_certificate_open_is_refused() {
    let (hash, other) = (hex(), "00".repeat(32));
    let cert = escaped(&pem(), "");
    for (value, error) in [
        (format!("Hash={hash},Hash={hash}"), Error::Multiple),
        (format!("Hash={other},By=x;Hash={hash}"), Error::Multiple),
        (format!("Hash={hash};Hash={hash}"), Error::Malformed),
        (format!("Hash={other};Cert=\"{cert}\""), Error::Malformed),
        (format!("Hash={};Cert={cert}", "0".repeat(63)), Error::Malformed),
        (format!("Hash=\"{hash}"), Error::Malformed),
        (format!("Hash=\"{hash}\\"), Error::Malformed),
        (format!("Hash={}", &hash[2..]), Error::Malformed),
        (format!("Hash={hash};"), Error::Malformed),
        ("Hash=".into(), Error::Malformed),
        (String::new(), Error::Malformed),
        ("By=x;Subject=\"a,Hash=b\"".into(), Error::Missing),
        ("Chain=x".into(), Error::Missing),
    ] {
        assert_eq!(Thumbprint::of_xfcc(&value), Err(error), "{value}");
    }
}

#[test]
fn a_header_that_the_client_sent_too_is_refused() {
    assert_eq!(only_header([":AA==:"]), Ok(":AA==:"));
    assert_eq!(only_header([":AA==:", ":AA==:"]), Err(Error::Multiple));
    assert_eq!(only_header::<str>([]), Err(Error::Missing));
    assert_eq!(only_header(["é"]), Err(Error::Malformed));
    assert_eq!(only_header([&b"\xff"[..]]), Err(Error::Malformed));
}

#[test]
fn what_is_too_large_is_not_read() {
    let long = "A".repeat((1 << 16) + 1);
    for read in [
        |text: &str| Thumbprint::of_der(text.as_bytes()),
        Thumbprint::of_pem,
        Thumbprint::of_escaped_pem,
        Thumbprint::of_client_cert,
        Thumbprint::of_xfcc,
    ] {
        assert_eq!(read(&long), Err(Error::TooLarge));
        assert_eq!(read(&long[1..]), Err(Error::Malformed));
    }
}

#[test]
fn the_codes_of_certificates_are_these() {
    for (verdict, code) in [
        (Thumbprint::of_pem("x").map(drop), "certificate.malformed"),
        (Thumbprint::of_der(&der()).unwrap().check_binding("x"), "certificate.mismatch"),
        (only_header::<str>([]).map(drop), "certificate.missing"),
        (only_header(["a", "b"]).map(drop), "certificate.multiple"),
        (Thumbprint::of_pem(&" ".repeat(1 << 17)).map(drop), "certificate.too_large"),
    ] {
        let error = verdict.unwrap_err();
        assert_eq!(error.code(), code);
        let text = error.to_string();
        assert!(text.starts_with(char::is_lowercase) && !text.ends_with('.'), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_is_read_as_a_certificate_without_panic(
        text in ".*", bytes in any::<Vec<u8>>(), xfcc in "([Hh]ash|Cert|[=;,\"\\\\% a-f0-9]){0,30}",
    ) {
        let _ = Thumbprint::of_der(&bytes);
        for text in [&text, &xfcc] {
            let _ = Thumbprint::of_pem(text);
            let _ = Thumbprint::of_escaped_pem(text);
            let _ = Thumbprint::of_client_cert(text);
            let _ = Thumbprint::of_xfcc(text);
        }
    }
}

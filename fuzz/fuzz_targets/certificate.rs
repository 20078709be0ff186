//! Any bytes as a certificate and any text as the headers that carry one.

#![no_main]

use aws_lc_rs::digest::{SHA256, digest};
use libfuzzer_sys::fuzz_target;
use usso_verify::certificate::{Error, Thumbprint, only_header};

fuzz_target!(|data: &[u8]| {
    if let Ok(thumbprint) = Thumbprint::of_der(data) {
        assert_eq!(data[0], 0x30);
        assert_eq!(thumbprint.to_text(), hash_of(data));
        assert_eq!(Thumbprint::of_der(&[data, b"\0"].concat()), Err(Error::Malformed));
    }
    every_form_names_the_same(data);
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(thumbprint) = Thumbprint::of_pem(text) {
        assert_eq!(text.matches("-----BEGIN").count(), 1);
        assert_eq!(Thumbprint::of_escaped_pem(&escaped(text)), Ok(thumbprint));
    }
    if let Ok(thumbprint) = Thumbprint::of_client_cert(text) {
        let inner = text.trim_matches([' ', '\t', ':']);
        let der = base64_simd::STANDARD.decode_to_vec(inner).unwrap();
        assert_eq!(thumbprint.to_text(), hash_of(&der));
    }
    if Thumbprint::of_escaped_pem(text).is_ok() {
        assert_eq!(Thumbprint::of_escaped_pem(&format!("{text}%2D")), Err(Error::Malformed));
    }
    if let Ok(thumbprint) = Thumbprint::of_xfcc(text) {
        assert_eq!(Thumbprint::of_xfcc(&format!("{text};x=y")), Ok(thumbprint));
    }
    nothing_is_smuggled(text);
    let values: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
    match only_header(values.iter().copied()) {
        Ok(value) => assert!(values.len() == 1 && value.is_ascii() && value.as_bytes() == data),
        Err(Error::Multiple) => assert!(values.len() > 1),
        Err(error) => assert!(error == Error::Malformed && !data.is_ascii()),
    }
});

/// A certificate with this content has one thumbprint, however it is sent.
fn every_form_names_the_same(content: &[u8]) {
    let Ok(length) = u16::try_from(content.len()) else {
        return;
    };
    let head = match length.to_be_bytes() {
        [0, 0] => return,
        [0, low @ ..=0x7f] => vec![0x30, low],
        [0, low] => vec![0x30, 0x81, low],
        [high, low] => vec![0x30, 0x82, high, low],
    };
    let der = [head.as_slice(), content].concat();
    let base64 = base64_simd::STANDARD.encode_to_string(&der);
    let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
    if escaped(&pem).len() > 1 << 15 {
        return;
    }
    let thumbprint = Thumbprint::of_der(&der).unwrap();
    assert_eq!(thumbprint.to_text(), hash_of(&der));
    assert_eq!(Thumbprint::of_pem(&pem), Ok(thumbprint));
    assert_eq!(Thumbprint::of_escaped_pem(&escaped(&pem)), Ok(thumbprint));
    assert_eq!(Thumbprint::of_client_cert(&format!(" :{base64}:")), Ok(thumbprint));
    let hash = hex(digest(&SHA256, &der).as_ref());
    assert_eq!(Thumbprint::of_xfcc(&format!("Hash={hash}")), Ok(thumbprint));
    let both = format!("By=x;Cert=\"{}\";hash={hash}", escaped(&pem));
    assert_eq!(Thumbprint::of_xfcc(&both), Ok(thumbprint));
    let two = both.replace(&hash, &hex(digest(&SHA256, content).as_ref()));
    assert_eq!(Thumbprint::of_xfcc(&two), Err(Error::Malformed));
    assert_eq!(thumbprint.check_binding(&hash_of(&der)), Ok(()));
    assert_eq!(thumbprint.check_binding(&hash_of(content)), Err(Error::Mismatch));
}

/// What a client can choose, a subject for instance, changes nothing beside it; several elements
/// are refused whatever the first one is.
fn nothing_is_smuggled(text: &str) {
    let of_client = Thumbprint::of_der(b"0\x01x").unwrap();
    let hash = hex(digest(&SHA256, b"0\x01x").as_ref());
    let quoted = text.replace('\\', r"\\").replace('"', r#"\""#);
    if quoted.len() < 1 << 14 {
        let element = format!("Subject=\"{quoted}\";Hash={hash};URI=\"{quoted}\"");
        assert_eq!(Thumbprint::of_xfcc(&element), Ok(of_client));
        assert!(Thumbprint::of_xfcc(&format!("{text},Hash={hash}")).is_err());
        assert!(Thumbprint::of_xfcc(&format!("Hash={hash},{text}")).is_err());
    }
    let is_bound = of_client.check_binding(text).is_ok();
    assert_eq!(is_bound, text == of_client.to_text());
}

fn escaped(text: &str) -> String {
    let escaped = |byte: u8| match byte {
        byte if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(escaped).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hash_of(der: &[u8]) -> String {
    base64_simd::URL_SAFE_NO_PAD.encode_to_string(digest(&SHA256, der))
}

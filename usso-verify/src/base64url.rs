//! Base64url as JOSE writes it: no padding, no whitespace, one spelling per value.

use base64_simd::URL_SAFE_NO_PAD;

/// Decodes `text`; `None` for any character outside the alphabet, padding, an impossible length or
/// trailing bits that are not zero (RFC 4648 §3.5), so that no two texts mean the same bytes.
pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode_to_vec(text).ok()
}

/// Encodes `bytes`.
pub(crate) fn encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode_to_string(bytes)
}

#[cfg(test)]
mod tests {
    use super::{decode, encode};

    #[test]
    fn bytes_survive_the_round_trip_at_every_length() {
        for length in 0..200_u8 {
            let bytes: Vec<u8> = (0..length).map(|byte| byte.wrapping_mul(73)).collect();
            assert_eq!(decode(&encode(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn trailing_bits_must_be_zero() {
        assert_eq!(decode("AA"), Some(vec![0]));
        assert_eq!(decode("AAA"), Some(vec![0, 0]));
        for text in ["AB", "AP", "AAB", "AAD"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn padding_whitespace_and_other_alphabets_are_refused() {
        for text in ["AA==", "AA=", "AAA=", "AAAA=", "A", "AAAAA", " AAAA", "AA AA", "AAAA\n"]
            .into_iter()
            .chain(["+AAA", "/AAA", "AA\0A", "ÀAAA", "AAAA\r\n", "====", "AAA.", "AAA,"])
        {
            assert_eq!(decode(text), None, "{text:?}");
        }
    }
}

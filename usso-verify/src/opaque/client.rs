//! How the verifier proves to an endpoint who it is.

use std::fmt;

use super::credential::is_token68;
use super::error::ConfigError;
use super::rules::MAX_ANSWER;
use crate::fetch::Request;

/// The verifier's own credentials at an introspection endpoint. `Debug` prints none of them.
///
/// # Spec
///
/// RFC 6749 §2.3.1, RFC 6750 §2.1, RFC 7662 §2.1.
#[derive(Clone)]
pub struct ClientAuth {
    /// The value of `authorization`, if the credentials are there.
    header: Option<String>,
    /// What follows the token in the form, if they are there.
    form: String,
}

impl ClientAuth {
    /// Sends a client's id and secret in the header (`client_secret_basic`), each form-encoded
    /// first: a colon or a letter beyond ASCII is unambiguous.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Client`] if one of them is empty.
    pub fn basic(id: &str, secret: &str) -> Result<Self, ConfigError> {
        if id.is_empty() || secret.is_empty() {
            return Err(ConfigError::Client);
        }
        let pair = format!("{}:{}", form_encoded(id), form_encoded(secret));
        let header = format!("Basic {}", base64_simd::STANDARD.encode_to_string(pair));
        Ok(Self { header: Some(header), form: String::new() })
    }

    /// Sends a client's id and secret in the form (`client_secret_post`).
    ///
    /// # Errors
    ///
    /// [`ConfigError::Client`] if one of them is empty.
    pub fn post(id: &str, secret: &str) -> Result<Self, ConfigError> {
        if id.is_empty() || secret.is_empty() {
            return Err(ConfigError::Client);
        }
        let (id, secret) = (form_encoded(id), form_encoded(secret));
        Ok(Self { header: None, form: format!("&client_id={id}&client_secret={secret}") })
    }

    /// Sends a bearer token that was made for the endpoint.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Client`] if it is not of the token68 alphabet.
    pub fn bearer(token: &str) -> Result<Self, ConfigError> {
        if !is_token68(token) {
            return Err(ConfigError::Client);
        }
        Ok(Self { header: Some(format!("Bearer {token}")), form: String::new() })
    }

    /// Builds the request for a form that has this content, and the credentials.
    pub(super) fn sign(&self, url: &str, form: &str) -> Request {
        let body = format!("{form}{}", self.form).into_bytes();
        let mut request = Request::post(url, "application/x-www-form-urlencoded", body)
            .header("accept", "application/json");
        request.max_body_bytes = MAX_ANSWER;
        match &self.header {
            Some(header) => request.header("authorization", header),
            None => request,
        }
    }
}

impl fmt::Debug for ClientAuth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientAuth").finish_non_exhaustive()
    }
}

/// Encodes as `application/x-www-form-urlencoded` does (RFC 6749 appendix B).
pub(super) fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'*' | b'-' | b'.' | b'_' => {
                encoded.push(char::from(byte));
            }
            b' ' => encoded.push('+'),
            _ => encoded.extend(['%', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    encoded
}

fn hex(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests {
    use super::form_encoded;

    #[test]
    fn a_form_value_is_encoded_as_the_specification_does() {
        // The example of RFC 6749, appendix B.
        assert_eq!(form_encoded(" %&+\u{a3}\u{20ac}"), "+%25%26%2B%C2%A3%E2%82%AC");
        assert_eq!(form_encoded("aZ09*-._~:/="), "aZ09*-._%7E%3A%2F%3D");
        assert_eq!(form_encoded("\0\r\n"), "%00%0D%0A");
    }
}

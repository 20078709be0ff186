//! What is printed once the server listens: where it is, its administrator, and lines to paste.

use std::net::{IpAddr, SocketAddr};

use crate::start::Password;

/// Where the server is reached from this machine.
pub(crate) fn address(bound: SocketAddr) -> String {
    let host = match bound.ip().to_canonical() {
        ip if ip.is_loopback() || ip.is_unspecified() => "localhost".to_owned(),
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("[{v6}]"),
    };
    format!("http://{host}:{}", bound.port())
}

/// The text of the banner.
pub(crate) fn text(base: &str, admin: &str, password: &Password) -> String {
    let known = match password {
        Password::Random(password) => {
            format!("password:       {}  (shown only now; keep it)", password.expose())
        }
        Password::Given => "password:       the one in SYSTEM_PASSWORD".to_owned(),
        Password::Unknown => {
            "password:       set earlier; to replace it, start with SYSTEM_PASSWORD".to_owned()
        }
    };
    format!(
        "\
usso listens on {base}
administrator:  {admin}
{known}
documentation:  {base}/docs

Sign in, ask who you are, and see the keys that tokens are verified with:

{login}
curl -sS -H \"Authorization: Bearer $TOKEN\" {base}/api/sso/v1/me
curl -sS {base}/.well-known/jwks.json
",
        login = login_line(base, admin, password)
    )
}

/// A line for any shell that leaves an access token in `TOKEN`.
fn login_line(base: &str, admin: &str, password: &Password) -> String {
    let body = |secret: &str| quoted(&format!(r#"{{"identifier":"{admin}","secret":"{secret}"}}"#));
    let body = match password {
        Password::Random(password) => body(password.expose()),
        Password::Given => body(SECRET_HERE).replace(SECRET_HERE, SYSTEM_PASSWORD),
        Password::Unknown => body("YOUR-PASSWORD"),
    };
    format!(
        "TOKEN=$(curl -sS {base}/api/sso/v1/auth/login -H 'Content-Type: application/json' \
         -d {body} | sed -n 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/p')"
    )
}

const SECRET_HERE: &str = "<secret>";
/// The variable's value, spliced into single quotes. Quotes and backslashes in it are escaped for
/// JSON where the line runs.
const SYSTEM_PASSWORD: &str = r#"'"$(printf %s "$SYSTEM_PASSWORD" | sed 's/[\\"]/\\&/g')"'"#;

/// Quotes a text for the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use usso_core::kernel::secret::Secret;

    #[test]
    fn the_address_is_one_that_this_machine_reaches() {
        let of = |text: &str| address(text.parse().unwrap());
        assert_eq!(of("127.0.0.1:8000"), "http://localhost:8000");
        assert_eq!(of("0.0.0.0:80"), "http://localhost:80");
        assert_eq!(of("[::]:80"), "http://localhost:80");
        assert_eq!(of("192.0.2.7:8000"), "http://192.0.2.7:8000");
        assert_eq!(of("[2001:db8::7]:8000"), "http://[2001:db8::7]:8000");
    }

    #[test]
    fn a_name_with_a_quote_stays_one_word_of_the_shell() {
        let password = Password::Random(Secret::new("secret".to_owned()));
        let line = login_line("http://localhost:1", "o'brien@example.com", &password);
        let body = r#"-d '{"identifier":"o'\''brien@example.com","secret":"secret"}' |"#;
        assert!(line.contains(body), "{line}");
    }

    #[test]
    fn a_password_from_the_environment_is_not_printed() {
        let text = text("http://localhost:1", "admin@localhost", &Password::Given);
        assert!(text.contains(r#"printf %s "$SYSTEM_PASSWORD""#), "{text}");
    }
}

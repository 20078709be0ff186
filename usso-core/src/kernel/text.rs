//! Text that names people: canonical once, before validation and before uniqueness.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use unicode_normalization::UnicodeNormalization as _;

const EMAIL_MAX: usize = 254;
const LOCAL_PART_MAX: usize = 64;
const USERNAME_MIN: usize = 3;
const USERNAME_MAX: usize = 32;

/// What kind of name an identifier is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum IdentifierType {
    /// An e-mail address (RFC 5321 section 4.1.2, without quoted local parts).
    Email,
    /// A telephone number (ITU-T E.164).
    Phone,
    /// A name chosen by its owner.
    Username,
}

impl IdentifierType {
    /// The text form: `email`, `phone` or `username`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
            Self::Username => "username",
        }
    }
}

/// Why a text is not an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotAnIdentifier {
    /// It has a character that its kind does not allow: a control character, a space, a quote, a
    /// second `@`, a letter that only looks like one of the alphabet.
    Character,
    /// It is empty, or too short or long for its kind.
    Length,
    /// It has the right characters in the wrong places.
    Shape,
}

impl fmt::Display for NotAnIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Character => "a character that is not allowed in an identifier",
            Self::Length => "too short or too long for an identifier",
            Self::Shape => "not an e-mail address, E.164 phone number or user name",
        })
    }
}

impl std::error::Error for NotAnIdentifier {}

/// An e-mail address, phone number or user name in its canonical form.
///
/// Two texts name the same person if and only if their canonical forms are equal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier {
    kind: IdentifierType,
    text: String,
}

impl Identifier {
    /// Finds out the kind of a text and brings it into canonical form.
    ///
    /// NFKC first, so that a full-width `＠` is an `@` before anything is checked
    /// (GHSA-7rqj-j65f-68wh: validated before it was normalised). Surrounding spaces are dropped.
    ///
    /// # Errors
    ///
    /// [`NotAnIdentifier`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, NotAnIdentifier> {
        let text = normalise(text)?;
        let kind = if text.contains('@') {
            IdentifierType::Email
        } else if text.starts_with('+') || text.starts_with(|first: char| first.is_ascii_digit()) {
            IdentifierType::Phone
        } else {
            IdentifierType::Username
        };
        Self::canonical(kind, &text)
    }

    /// Brings a text of a known kind into canonical form.
    ///
    /// # Errors
    ///
    /// [`NotAnIdentifier`] says what is wrong with it.
    pub fn parse_as(kind: IdentifierType, text: &str) -> Result<Self, NotAnIdentifier> {
        Self::canonical(kind, &normalise(text)?)
    }

    fn canonical(kind: IdentifierType, text: &str) -> Result<Self, NotAnIdentifier> {
        let text = match kind {
            IdentifierType::Email => email(text)?,
            IdentifierType::Phone => phone(text)?,
            IdentifierType::Username => username(text)?,
        };
        Ok(Self { kind, text })
    }

    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> IdentifierType {
        self.kind
    }

    /// The canonical text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Kind and text in one: unique in a tenant.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}:{}", self.kind.as_str(), self.text)
    }

    /// The words that a password must not be built from: the text and its parts of four or more
    /// characters.
    pub(crate) fn words(&self) -> Vec<&str> {
        let parts = self.text.split(|c: char| !c.is_alphanumeric()).filter(|part| part.len() >= 4);
        std::iter::once(self.text.as_str()).chain(parts).collect()
    }
}

impl Serialize for Identifier {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{}:{}", self.kind.as_str(), self.text))
    }
}

impl<'de> Deserialize<'de> for Identifier {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let stored = String::deserialize(deserializer)?;
        let (kind, text) = stored.split_once(':').ok_or_else(|| D::Error::custom("no kind"))?;
        let kind = match kind {
            "email" => IdentifierType::Email,
            "phone" => IdentifierType::Phone,
            "username" => IdentifierType::Username,
            _ => return Err(D::Error::custom("unknown kind of identifier")),
        };
        Self::parse_as(kind, text).map_err(D::Error::custom)
    }
}

/// NFKC, without surrounding spaces, without control characters, of bounded length.
fn normalise(text: &str) -> Result<String, NotAnIdentifier> {
    // NFKC can grow a character to at most 18; the bound comes before the work.
    if text.len() > EMAIL_MAX * 4 {
        return Err(NotAnIdentifier::Length);
    }
    let text: String = text.nfkc().collect();
    if text.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Err(NotAnIdentifier::Character);
    }
    let text = text.trim();
    if text.is_empty() || text.len() > EMAIL_MAX {
        return Err(NotAnIdentifier::Length);
    }
    Ok(text.to_owned())
}

/// Zero-width and direction-changing characters, which make two names look like one.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

fn email(text: &str) -> Result<String, NotAnIdentifier> {
    let (local, domain) = text.split_once('@').ok_or(NotAnIdentifier::Shape)?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    if !local.chars().all(allowed) || domain.contains('@') {
        return Err(NotAnIdentifier::Character);
    }
    if local.is_empty() || local.len() > LOCAL_PART_MAX {
        return Err(NotAnIdentifier::Length);
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err(NotAnIdentifier::Shape);
    }
    let canonical = format!("{}@{}", local.to_ascii_lowercase(), domain_name(domain)?);
    if canonical.len() > EMAIL_MAX { Err(NotAnIdentifier::Length) } else { Ok(canonical) }
}

/// Brings a host name into its ASCII form (UTS #46, STD 3 rules), lower case.
///
/// # Errors
///
/// [`NotAnIdentifier::Shape`] if it is not a host name.
pub fn domain_name(text: &str) -> Result<String, NotAnIdentifier> {
    idna::domain_to_ascii_strict(text)
        .ok()
        .filter(|domain| !domain.is_empty() && !domain.starts_with('.') && !domain.ends_with('.'))
        .ok_or(NotAnIdentifier::Shape)
}

fn phone(text: &str) -> Result<String, NotAnIdentifier> {
    let mut digits = String::with_capacity(16);
    let international = text.strip_prefix('+').or_else(|| text.strip_prefix("00"));
    for c in international.ok_or(NotAnIdentifier::Shape)?.chars() {
        match ascii_digit(c) {
            Some(digit) => digits.push(digit),
            None if " -.()".contains(c) => {}
            None => return Err(NotAnIdentifier::Character),
        }
    }
    if digits.starts_with('0') {
        return Err(NotAnIdentifier::Shape);
    }
    if (8..=15).contains(&digits.len()) {
        Ok(format!("+{digits}"))
    } else {
        Err(NotAnIdentifier::Length)
    }
}

/// A digit of the ASCII, Arabic-Indic or Persian set as ASCII.
fn ascii_digit(c: char) -> Option<char> {
    let zero = match c {
        '0'..='9' => '0',
        '\u{660}'..='\u{669}' => '\u{660}',
        '\u{6f0}'..='\u{6f9}' => '\u{6f0}',
        _ => return None,
    };
    char::from_digit(u32::from(c) - u32::from(zero), 10)
}

fn username(text: &str) -> Result<String, NotAnIdentifier> {
    if !text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return Err(NotAnIdentifier::Character);
    }
    if !(USERNAME_MIN..=USERNAME_MAX).contains(&text.len()) {
        return Err(NotAnIdentifier::Length);
    }
    if !text.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(NotAnIdentifier::Shape);
    }
    Ok(text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn canonical(text: &str) -> Result<String, NotAnIdentifier> {
        Identifier::parse(text).map(|identifier| identifier.key())
    }

    #[test]
    fn spellings_of_one_name_are_one_name() {
        for (spelling, key) in [
            (" Alice@Example.COM ", "email:alice@example.com"),
            ("ａｌｉｃｅ＠example.com", "email:alice@example.com"),
            ("bob@BÜCHER.example", "email:bob@xn--bcher-kva.example"),
            ("admin@localhost", "email:admin@localhost"),
            ("+49 (151) 234-567.89", "phone:+4915123456789"),
            ("0049 151 23456789", "phone:+4915123456789"),
            ("+۹۸۹۱۲۱۲۳۴۵۶۷", "phone:+989121234567"),
            ("Mona.Lisa", "username:mona.lisa"),
        ] {
            assert_eq!(canonical(spelling).as_deref(), Ok(key), "{spelling}");
        }
    }

    #[test]
    fn hostile_names_are_refused() {
        use NotAnIdentifier::{Character, Length, Shape};
        for (text, reason) in [
            ("", Length),
            ("  ", Length),
            ("alice@example.com\r\nBcc: eve@example.com", Character),
            ("alice\u{0}@example.com", Character),
            ("ali\u{200b}ce@example.com", Character),
            ("аlice@example.com", Character), // Cyrillic a
            ("a@b@example.com", Character),
            ("\"a b\"@example.com", Character),
            ("@example.com", Length),
            ("alice@", Shape),
            ("alice@exa mple.com", Shape),
            (".a@example.com", Shape),
            ("a..b@example.com", Shape),
            ("0151 23456789", Shape), // no country code
            ("+0123456789", Shape),
            ("+123", Length),
            ("+1234567890123456", Length),
            ("al", Length),
            ("_alice", Shape),
            ("mаx", Character), // Cyrillic a
        ] {
            assert_eq!(canonical(text), Err(reason), "{text:?}");
        }
        assert_eq!(canonical(&format!("{}@example.com", "a".repeat(65))), Err(Length));
        assert_eq!(canonical(&"a".repeat(100_000)), Err(Length));
    }

    proptest! {
        #[test]
        fn the_canonical_form_is_its_own_canonical_form(text in "\\PC{0,40}|[a-z+0-9@.]{3,20}") {
            if let Ok(identifier) = Identifier::parse(&text) {
                prop_assert_eq!(Identifier::parse(identifier.as_str()), Ok(identifier.clone()));
                let stored = serde_json::to_string(&identifier).unwrap();
                prop_assert_eq!(serde_json::from_str::<Identifier>(&stored).unwrap(), identifier);
            }
        }
    }
}

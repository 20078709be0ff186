//! Which passwords are good enough.

use unicode_normalization::UnicodeNormalization as _;
use zxcvbn::feedback::{Feedback, Warning};

use super::Refused;
use crate::{
    deps::Deps,
    directory::tenant::Settings,
    kernel::{refusal::Stop, secret::Secret, text::Identifier},
};

/// The longest password in characters; longer ones gain nothing and cost time.
const LENGTH_MAX: usize = 256;
/// What is longer in bytes is too long in characters; checked before any work is done on it.
pub(super) const BYTES_MAX: usize = LENGTH_MAX * 4;
/// How many characters `zxcvbn` looks at; its time grows faster than their number.
const ESTIMATED_CHARS: usize = 32;
/// How many words of the user's own it looks for.
const WORDS_MAX: usize = 10;

/// NFKC, so that one password typed on two keyboards is one password (NIST SP 800-63B section
/// 3.1.1.2).
pub(super) fn normalise(password: &Secret<String>) -> Secret<String> {
    Secret::new(password.expose().nfkc().collect())
}

/// Judges a new password, beside the async threads since estimating takes milliseconds, and within a
/// bound of its own: it holds no place that a sign-in needs.
pub(super) async fn judge(
    deps: &Deps,
    password: Secret<String>,
    name: &str,
    identifiers: &[Identifier],
) -> Result<Secret<String>, Stop<Refused>> {
    if password.expose().len() > BYTES_MAX {
        return Err(Stop::Refused(Refused::TooLong));
    }
    let settings = deps.tenant.settings.clone();
    let words: Vec<String> = identifiers
        .iter()
        .flat_map(Identifier::words)
        .chain(name.split_whitespace().filter(|word| word.chars().count() >= 4))
        .map(|word| word.chars().take(ESTIMATED_CHARS).collect())
        .take(WORDS_MAX)
        .collect();
    let judged = deps.hasher.estimate(move || {
        let password = normalise(&password);
        policy(&settings, &password, &words).map(|()| password)
    });
    judged.await.map_err(|stop| stop.map(Refused::from))?.map_err(Stop::Refused)
}

/// The password policy (NIST SP 800-63B section 3.1.1.2): length and guessability, no rules of
/// composition.
fn policy(settings: &Settings, password: &Secret<String>, words: &[String]) -> Result<(), Refused> {
    let password = password.expose();
    let length = password.chars().count();
    if length < settings.password_min_length {
        return Err(Refused::TooShort);
    }
    if length > LENGTH_MAX {
        return Err(Refused::TooLong);
    }
    let lower = password.to_lowercase();
    if words.iter().any(|word| is_mostly(&lower, &word.to_lowercase())) {
        return Err(Refused::Personal);
    }
    let estimated: String = password.chars().take(ESTIMATED_CHARS).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let estimate = zxcvbn::zxcvbn(&estimated, &words);
    let warning = estimate.feedback().and_then(Feedback::warning);
    if matches!(
        warning,
        Some(
            Warning::ThisIsATop10Password
                | Warning::ThisIsATop100Password
                | Warning::ThisIsACommonPassword
        )
    ) {
        return Err(Refused::Common);
    }
    if u8::from(estimate.score()) < settings.password_min_strength {
        return Err(Refused::Weak);
    }
    Ok(())
}

/// Whether `word` makes up at least half of the password.
fn is_mostly(password: &str, word: &str) -> bool {
    password.contains(word) && word.chars().count() * 2 >= password.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(password: &str, words: &[&str]) -> Result<(), Refused> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        policy(&Settings::default(), &Secret::new(password.to_owned()), &words)
    }

    #[test]
    fn the_policy_names_what_is_wrong() {
        assert_eq!(check("7 chars", &[]), Err(Refused::TooShort));
        assert_eq!(check(&"x y ".repeat(65), &[]), Err(Refused::TooLong));
        for common in ["password", "12345678", "iloveyou", "qwertyuiop"] {
            assert_eq!(check(common, &[]), Err(Refused::Common), "{common}");
        }
        assert_eq!(check("aaaaaaaaaa", &[]), Err(Refused::Weak));
        assert_eq!(check("wonderland-alice1", &["wonderland"]), Err(Refused::Personal));
        assert_eq!(check("ALICE.LIDDELL", &["alice.liddell"]), Err(Refused::Personal));
        assert_eq!(check("correct horse battery staple", &["alice"]), Ok(()));
        assert_eq!(check("日本語のとても長いパスワード", &[]), Ok(()));
    }

    #[test]
    fn two_spellings_of_one_password_are_one() {
        let of = |text: &str| normalise(&Secret::new(text.to_owned())).expose().clone();
        assert_eq!(of("caf\u{e9} \u{2163}"), of("cafe\u{301} IV"));
    }
}

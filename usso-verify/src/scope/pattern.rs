//! Text with wildcards: one segment of a path, or the value of a filter.

use std::fmt::{self, Write as _};

use super::glob::{Budget, Glob};
use super::{MAX_LENGTH, MAX_WILDCARDS};

/// Text in which `*` stands for any text and `?` for any one character.
///
/// There are no classes: `[a-z]` is five characters. Case matters. Characters are Unicode scalar
/// values; nothing is normalised.
///
/// # Security
///
/// Nothing is tried twice: the pieces between stars are looked for one after the other, each from
/// where the one before it ended. With stars alone that takes time in proportion to the text; a
/// piece with `?` is tried at each place, and a scope may have only
/// [`MAX_WILDCARDS`](super::MAX_WILDCARDS).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Kind);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    /// Any text, the empty one too.
    Any,
    /// This text.
    Exact(Box<str>),
    /// Neither of these: at least one wildcard and one more token.
    Glob(Glob),
}

/// A unit of a pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Token {
    /// Itself.
    Char(char),
    /// Any text.
    Many,
    /// Any one character.
    One,
}

impl Token {
    /// Reads a character as it is written in a scope.
    pub(super) const fn written(c: char) -> Self {
        match c {
            '*' => Self::Many,
            '?' => Self::One,
            c => Self::Char(c),
        }
    }

    /// Gives the character that it is written with.
    pub(super) const fn as_char(self) -> char {
        match self {
            Self::Char(c) => c,
            Self::Many => '*',
            Self::One => '?',
        }
    }
}

impl Pattern {
    /// The pattern `*`.
    pub(super) const ANY: Self = Self(Kind::Any);

    /// Reads plain text with wildcards. Nothing is decoded.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        if text.contains(['*', '?']) {
            Self::from_tokens(text.chars().map(Token::written).collect())
        } else {
            Self(Kind::Exact(text.into()))
        }
    }

    pub(super) fn from_tokens(mut tokens: Vec<Token>) -> Self {
        tokens.dedup_by(|a, b| *a == Token::Many && *b == Token::Many);
        let exact: Option<String> = tokens
            .iter()
            .map(|token| if let Token::Char(c) = token { Some(*c) } else { None })
            .collect();
        Self(match exact {
            Some(text) => Kind::Exact(text.into()),
            None if tokens == [Token::Many] => Kind::Any,
            None => Kind::Glob(Glob::new(&tokens)),
        })
    }

    /// Gives the one text that matches, if the pattern has no wildcard.
    #[must_use]
    pub fn exact(&self) -> Option<&str> {
        if let Kind::Exact(text) = &self.0 { Some(text) } else { None }
    }

    /// Says whether the pattern is `*` and nothing else.
    #[must_use]
    pub fn is_any(&self) -> bool {
        self.0 == Kind::Any
    }

    /// Says whether a `*` is in it.
    pub(super) fn has_star(&self) -> bool {
        match &self.0 {
            Kind::Any => true,
            Kind::Exact(_) => false,
            Kind::Glob(glob) => glob.stars() > 0,
        }
    }

    /// Says whether there are more wildcards than a scope may have. Stars in a row are one.
    pub(super) fn is_excessive(&self) -> bool {
        matches!(&self.0, Kind::Glob(glob) if glob.stars() + glob.ones() > MAX_WILDCARDS)
    }

    /// Says whether the pattern matches this text, in which `*` and `?` are ordinary characters.
    ///
    /// Beside `*` and the same text, nothing matches a text of more than [`MAX_LENGTH`] bytes.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Kind::Any => true,
            Kind::Exact(exact) => **exact == *text,
            Kind::Glob(glob) => text.len() <= MAX_LENGTH && glob.matches(text),
        }
    }

    /// As [`matches`](Self::matches), but a wildcard matches nothing once the budget is spent.
    pub(super) fn matches_within(&self, text: &str, budget: &Budget) -> bool {
        self.is_affordable(text.len(), budget) && self.matches(text)
    }

    /// Says that every text `other` matches is matched by `self`. It may miss this where two
    /// wildcards meet (`?*` and `*?`) and once the budget is spent, it never claims it wrongly.
    pub(super) fn covers(&self, other: &Self, budget: &Budget) -> bool {
        match (&self.0, &other.0) {
            (Kind::Any, _) => true,
            (_, Kind::Exact(text)) => self.matches_within(text, budget),
            (Kind::Glob(glob), Kind::Glob(other)) => {
                self.is_affordable(other.length(), budget) && glob.covers(other)
            }
            (Kind::Exact(_) | Kind::Glob(_), _) => false,
        }
    }

    fn is_affordable(&self, length: usize, budget: &Budget) -> bool {
        !matches!(&self.0, Kind::Glob(glob) if !budget.allows(glob, length.min(MAX_LENGTH)))
    }
}

/// Writes the pattern as the query of a scope spells it: literal characters that would be read as
/// something else are percent-encoded.
impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let write = |f: &mut fmt::Formatter<'_>, c: char| match c {
            '*' | '?' | '%' | '&' | '+' => write!(f, "%{:02X}", u32::from(c)),
            c => f.write_char(c),
        };
        match &self.0 {
            Kind::Any => f.write_char('*'),
            Kind::Exact(text) => text.chars().try_for_each(|c| write(f, c)),
            Kind::Glob(glob) => glob.write(f, write),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::glob::Budget;
    use super::{MAX_LENGTH, Pattern};

    fn matches(pattern: &str, text: &str) -> bool {
        Pattern::parse(pattern).matches(text)
    }

    #[test]
    fn a_star_stands_for_any_text_and_a_question_mark_for_one_character() {
        for (pattern, text) in [
            ("", ""),
            ("*", ""),
            ("*", "a/b"),
            ("**", "a"),
            ("a", "a"),
            ("?", "é"),
            ("a*", "a"),
            ("a*", "abc"),
            ("*c", "abc"),
            ("a*c", "ac"),
            ("a*c", "abcbc"),
            ("*b*", "abc"),
            ("a?c", "abc"),
            ("a*b?d", "abbbcd"),
            ("*ab*ab", "abab"),
            ("?*", "a"),
            ("*", "*"),
            ("a?", "a*"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn other_text_does_not_match() {
        for (pattern, text) in [
            ("", "a"),
            ("a", ""),
            ("a", "A"),
            ("a", "ab"),
            ("?", ""),
            ("?", "ab"),
            ("a*", "ba"),
            ("*c", "ca"),
            ("a*c", "a"),
            ("a?c", "ac"),
            ("*ab*ab", "ab"),
            ("a*b", "a*"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn a_class_is_ordinary_text() {
        assert!(!matches("[a-z]*", "b"));
        assert!(matches("[a-z]*", "[a-z]b"));
    }

    #[test]
    fn many_stars_do_not_multiply_the_work() {
        let text = "a".repeat(MAX_LENGTH);
        assert!(!matches(&format!("{}b", "a*".repeat(500)), &text));
        assert!(!matches(&format!("{}b", "*?".repeat(500)), &text));
        assert!(matches(&"a*".repeat(500), &text));
    }

    #[test]
    fn a_wildcard_does_not_match_text_beyond_the_limit() {
        let text = "a".repeat(MAX_LENGTH + 1);
        assert!(!matches("a*", &text));
        assert!(matches("a*", &text[1..]));
        assert!(matches("*", &text));
        assert!(matches(&text, &text));
    }

    #[test]
    fn one_pattern_covers_another_only_if_it_matches_all_its_texts() {
        let covers = |a, b| Pattern::parse(a).covers(&Pattern::parse(b), &Budget::new());
        for (parent, child) in [
            ("*", "*"),
            ("*", "a?"),
            ("a*", "a*"),
            ("a*", "a?b*"),
            ("a?", "ab"),
            ("?", "?"),
            ("a", "a"),
            ("a*c", "a*b*c"),
        ] {
            assert!(covers(parent, child), "{parent} {child}");
        }
        for (parent, child) in [
            ("a", "*"),
            ("a", "?"),
            ("?", "*"),
            ("?*", "*"),
            ("a*", "*"),
            ("a*b", "a*"),
            ("a?", "a*"),
            ("a", "b"),
        ] {
            assert!(!covers(parent, child), "{parent} {child}");
        }
    }
}

//! Text with wildcards: one segment of a path, or the value of a filter.

use std::fmt::{self, Write as _};

use super::MAX_LENGTH;

/// Text in which `*` stands for any text and `?` for any one character.
///
/// There are no classes: `[a-z]` is five characters. Case matters. Characters are Unicode scalar
/// values; nothing is normalised.
///
/// # Security
///
/// Matching keeps one place to go back to, so `a*a*a*a*b` costs at most the product of two lengths,
/// each limited to [`MAX_LENGTH`]; it never grows with a power of the number of stars.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pattern(Kind);

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Kind {
    /// Any text, the empty one too.
    Any,
    /// This text.
    Exact(Box<str>),
    /// Neither of these: at least one wildcard and one more token.
    Glob(Box<[Token]>),
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

    /// Says whether all that `other` stands for is one unit that `self` stands for.
    fn stands_for(self, other: Self) -> bool {
        match self {
            Self::Many => true,
            Self::One => other != Self::Many,
            Self::Char(_) => self == other,
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
            None => Kind::Glob(tokens.into()),
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
            Kind::Glob(tokens) => tokens.contains(&Token::Many),
        }
    }

    /// Says whether the pattern matches this text, in which `*` and `?` are ordinary characters.
    ///
    /// Beside `*` and the same text, nothing matches a text of more than [`MAX_LENGTH`] bytes.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        match &self.0 {
            Kind::Any => true,
            Kind::Exact(exact) => **exact == *text,
            Kind::Glob(tokens) => {
                text.len() <= MAX_LENGTH && stand_for(tokens, text.chars().map(Token::Char))
            }
        }
    }

    /// Says that every text `other` matches is matched by `self`. It may miss this where two
    /// wildcards meet (`?*` and `*?`), it never claims it wrongly.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Any, _) => true,
            (_, Kind::Exact(text)) => self.matches(text),
            (Kind::Glob(tokens), Kind::Glob(others)) => stand_for(tokens, others.iter().copied()),
            (Kind::Exact(_) | Kind::Glob(_), _) => false,
        }
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
            Kind::Glob(tokens) => tokens.iter().try_for_each(|token| match token {
                Token::Char(c) => write(f, *c),
                Token::Many => f.write_char('*'),
                Token::One => f.write_char('?'),
            }),
        }
    }
}

/// Says whether `pattern` stands for these tokens, all of them. Tokens that are wildcards
/// themselves are met only by what stands for all their texts.
fn stand_for(pattern: &[Token], mut tokens: impl Iterator<Item = Token> + Clone) -> bool {
    let mut rest = pattern;
    let mut back = None;
    loop {
        if let [Token::Many, after @ ..] = rest {
            back = Some((after, tokens.clone()));
            rest = after;
            continue;
        }
        let mut ahead = tokens.clone();
        match (rest, ahead.next()) {
            ([], None) => return true,
            ([first, after @ ..], Some(token)) if first.stands_for(token) => {
                (rest, tokens) = (after, ahead);
            }
            // What is left over needs more than there is; a longer star leaves it even less.
            ([_, ..], None) => return false,
            // The last star takes one token more; earlier ones need not, it can take theirs.
            (_, Some(_)) => {
                let Some((after, from)) = &mut back else {
                    return false;
                };
                from.next();
                (rest, tokens) = (*after, from.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
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
        let covers = |a, b| Pattern::parse(a).covers(&Pattern::parse(b));
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

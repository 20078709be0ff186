//! Text with stars and question marks, and how far one decision may look at such texts.

use std::cell::Cell;
use std::fmt;

use super::pattern::Token;

/// What stands before, between and after the stars; one piece if there is no star.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Glob(Box<[Piece]>);

/// The text before, between and after the question marks.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Piece(Box<[Box<str>]>);

impl Glob {
    pub(super) fn new(tokens: &[Token]) -> Self {
        Self(tokens.split(|token| *token == Token::Many).map(Piece::new).collect())
    }

    pub(super) fn stars(&self) -> usize {
        self.0.len().saturating_sub(1)
    }

    pub(super) fn ones(&self) -> usize {
        self.0.iter().map(|piece| piece.0.len().saturating_sub(1)).sum()
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        self.matches_where(text, |_| true)
    }

    /// Says whether this stands for all that `other` does. A star of `other` is met by stars only.
    pub(super) fn covers(&self, other: &Self) -> bool {
        self.matches_where(&other.as_text(), |c| c != STAR)
    }

    /// Each piece between two stars is taken where it comes first: a later place leaves less to the
    /// pieces after it, never more.
    fn matches_where(&self, text: &str, one: impl Fn(char) -> bool) -> bool {
        let Some((first, rest)) = self.0.split_first() else {
            return text.is_empty();
        };
        let Some(mut text) = first.strip(text, &one) else {
            return false;
        };
        let Some((last, middle)) = rest.split_last() else {
            return text.is_empty();
        };
        for piece in middle {
            match piece.find(text, &one) {
                Some(after) => text = after,
                None => return false,
            }
        }
        last.ends(text, &one)
    }

    /// Scopes have no control characters, so wildcards written as such cannot be taken for text.
    fn as_text(&self) -> String {
        let mut text = String::new();
        for (place, piece) in self.0.iter().enumerate() {
            text.extend((place > 0).then_some(STAR));
            for (place, literal) in piece.0.iter().enumerate() {
                text.extend((place > 0).then_some(ONE));
                text.push_str(literal);
            }
        }
        text
    }

    /// Writes wildcards as they are, and everything else with `write`.
    pub(super) fn write(
        &self,
        f: &mut fmt::Formatter<'_>,
        write: impl Fn(&mut fmt::Formatter<'_>, char) -> fmt::Result,
    ) -> fmt::Result {
        for (place, piece) in self.0.iter().enumerate() {
            f.write_str(if place > 0 { "*" } else { "" })?;
            for (place, literal) in piece.0.iter().enumerate() {
                f.write_str(if place > 0 { "?" } else { "" })?;
                literal.chars().try_for_each(|c| write(f, c))?;
            }
        }
        Ok(())
    }

    /// In bytes, each wildcard counted as one.
    pub(super) fn length(&self) -> usize {
        let literals = self.0.iter().flat_map(|piece| &piece.0);
        literals.map(|literal| literal.len()).sum::<usize>() + self.stars() + self.ones()
    }

    /// In about the bytes that are looked at, for a text of this length.
    fn cost(&self, length: usize) -> usize {
        (length + 64).saturating_mul(1 + 2 * self.ones())
    }
}

impl Piece {
    fn new(tokens: &[Token]) -> Self {
        let literal = |tokens: &[Token]| {
            let text: String = tokens.iter().map(|token| token.as_char()).collect();
            text.into_boxed_str()
        };
        Self(tokens.split(|token| *token == Token::One).map(literal).collect())
    }

    /// Gives what follows the piece, if the text starts with it.
    fn strip<'t>(&self, text: &'t str, one: &impl Fn(char) -> bool) -> Option<&'t str> {
        let (first, rest) = self.0.split_first()?;
        rest.iter().try_fold(text.strip_prefix(&**first)?, |text, literal| {
            let mut chars = text.chars();
            chars.next().filter(|c| one(*c))?;
            chars.as_str().strip_prefix(&**literal)
        })
    }

    /// Gives what follows the first place where the piece is.
    fn find<'t>(&self, text: &'t str, one: &impl Fn(char) -> bool) -> Option<&'t str> {
        if let [literal] = &*self.0 {
            return text.split_once(&**literal).map(|(_, after)| after);
        }
        text.char_indices().find_map(|(at, _)| self.strip(text.get(at..)?, one))
    }

    fn ends(&self, text: &str, one: &impl Fn(char) -> bool) -> bool {
        if let [literal] = &*self.0 {
            return text.ends_with(&**literal);
        }
        let literals: usize = self.0.iter().map(|literal| literal.chars().count()).sum();
        // Of as many question marks, one less than there are literals.
        let before = literals + self.0.len() - 2;
        let end = text.char_indices().nth_back(before).and_then(|(at, _)| text.get(at..));
        end.and_then(|end| self.strip(end, one)).is_some()
    }
}

/// How much looking at wildcards is left for one decision. What is spent does not depend on the
/// machine, only on the texts.
pub(super) struct Budget(Cell<usize>);

impl Budget {
    pub(super) const fn new() -> Self {
        Self(Cell::new(STEPS))
    }

    /// Takes what it costs to hold the glob against a text of this length; `false` if that is more
    /// than is left, and from then on.
    pub(super) fn allows(&self, glob: &Glob, length: usize) -> bool {
        self.0.set(self.0.get().saturating_sub(glob.cost(length)));
        !self.is_spent()
    }

    pub(super) fn is_spent(&self) -> bool {
        self.0.get() == 0
    }
}

const STAR: char = '\u{0}';
const ONE: char = '\u{1}';

/// Each is about a nanosecond. Enough for the 256 scopes of a holder, each of the longest and
/// dearest kind, against three alternatives; or for all pairs of 256 scopes of usual length.
const STEPS: usize = 1 << 24;

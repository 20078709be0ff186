//! Rust source as words, without comments and literals.
//!
//! Only as much of the language as the import rules need. Where it is unsure it keeps words, so
//! a doubt can become a false alarm but never hides an import.

use std::iter::Peekable;
use std::str::Chars;

/// One word of source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
}

impl Token {
    pub(crate) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(crate) fn is_name(&self) -> bool {
        self.text.chars().next().is_some_and(starts_name)
    }
}

/// Splits source into names, `::` and single marks.
pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut lexer = Lexer { rest: source.chars().peekable(), line: 1, found: Vec::new() };
    while let Some(next) = lexer.bump() {
        lexer.token(next);
    }
    lexer.found
}

fn starts_name(letter: char) -> bool {
    letter == '_' || letter.is_alphabetic()
}

fn continues_name(letter: char) -> bool {
    letter == '_' || letter.is_alphanumeric()
}

struct Lexer<'a> {
    rest: Peekable<Chars<'a>>,
    line: usize,
    found: Vec<Token>,
}

impl Lexer<'_> {
    fn bump(&mut self) -> Option<char> {
        let next = self.rest.next()?;
        if next == '\n' {
            self.line += 1;
        }
        Some(next)
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.bump();
        }
        there
    }

    fn push(&mut self, text: String, line: usize) {
        self.found.push(Token { text, line });
    }

    fn token(&mut self, first: char) {
        let line = self.line;
        match first {
            '/' if self.take('/') => while self.bump().is_some_and(|letter| letter != '\n') {},
            '/' if self.take('*') => self.block_comment(),
            '"' => self.text(),
            '\'' => self.quote(),
            ':' if self.take(':') => self.push("::".to_owned(), line),
            letter if starts_name(letter) => self.name(letter),
            // Digits stay together with what follows, so that `1_u8` is not a name.
            letter if letter.is_ascii_digit() => while self.next_name_letter().is_some() {},
            letter if letter.is_whitespace() => {}
            mark => self.push(mark.to_string(), line),
        }
    }

    fn next_name_letter(&mut self) -> Option<char> {
        self.rest.next_if(|letter| continues_name(*letter))
    }

    fn block_comment(&mut self) {
        let mut depth = 1_usize;
        while depth > 0 {
            match self.bump() {
                Some('/') if self.take('*') => depth += 1,
                Some('*') if self.take('/') => depth -= 1,
                Some(_) => {}
                None => return,
            }
        }
    }

    fn text(&mut self) {
        while let Some(letter) = self.bump() {
            match letter {
                '\\' => drop(self.bump()),
                '"' => return,
                _ => {}
            }
        }
    }

    fn raw_text(&mut self, hashes: usize) {
        while let Some(letter) = self.bump() {
            if letter == '"' && (0..hashes).all(|_| self.take('#')) {
                return;
            }
        }
    }

    /// A character, or a lifetime's mark, after which the lifetime reads as a name.
    fn quote(&mut self) {
        let mut ahead = self.rest.clone();
        match (ahead.next(), ahead.next()) {
            (Some('\\'), _) => {
                self.bump();
                self.bump();
                while self.bump().is_some_and(|letter| letter != '\'') {}
            }
            (Some(_), Some('\'')) => {
                self.bump();
                self.bump();
            }
            _ => {}
        }
    }

    fn name(&mut self, first: char) {
        let line = self.line;
        let mut name = String::from(first);
        while let Some(letter) = self.next_name_letter() {
            name.push(letter);
        }
        match (name.as_str(), self.peek()) {
            ("b" | "c", Some('"')) => {
                self.bump();
                self.text();
            }
            ("b", Some('\'')) => {
                self.bump();
                self.quote();
            }
            ("r" | "br" | "cr", Some('"' | '#')) => self.raw(),
            _ => self.push(name, line),
        }
    }

    /// A raw string, or a raw name such as `r#type`.
    fn raw(&mut self) {
        let mut hashes = 0;
        while self.take('#') {
            hashes += 1;
        }
        if self.take('"') {
            self.raw_text(hashes);
        }
        // Else a raw name follows, which reads like any other.
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(source: &str) -> String {
        let words: Vec<String> = tokens(source).into_iter().map(|token| token.text).collect();
        words.join(" ")
    }

    #[test]
    fn comments_are_left_out() {
        assert_eq!(words("a // b\nc /* d /* e */ f */ g //! h"), "a c g");
    }

    #[test]
    fn literals_are_left_out() {
        assert_eq!(
            words(r##"a "b\" // c" d r#"e " f"# g b"h" 'i' '\'' b'\\' '"' j 1_u8"##),
            "a d g j"
        );
    }

    #[test]
    fn lifetimes_do_not_swallow_code() {
        assert_eq!(words("fn f<'a>(x: &'a str) { 'b: loop {} }"), {
            "fn f < a > ( x : & a str ) { b : loop { } }"
        });
    }

    #[test]
    fn paths_raw_names_and_lines_are_kept() {
        assert_eq!(words("a::b r#type"), "a :: b type");
        let lines: Vec<usize> = tokens("a\n\"x\ny\"\nb").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 4]);
    }
}

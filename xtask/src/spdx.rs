//! Whether a licence expression can be satisfied from a list of accepted licences.
//!
//! SPDX expressions with `AND`, `OR`, `WITH`, parentheses and cargo's old `/` for `OR`. What
//! cannot be read is an error, so an odd expression fails the check instead of passing it.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::vec::IntoIter;

/// Tells whether some choice of the expression's alternatives uses accepted licences only.
pub(crate) fn satisfied(expression: &str, accepted: &BTreeSet<String>) -> Result<bool, String> {
    let mut reader = Reader { words: words(expression).into_iter().peekable(), accepted };
    let verdict = reader.either();
    match (verdict, reader.words.next()) {
        (Ok(verdict), None) => Ok(verdict),
        (Err(problem), _) => Err(format!("`{expression}`: {problem}")),
        (Ok(_), Some(word)) => Err(format!("`{expression}`: `{word}` is out of place")),
    }
}

fn words(expression: &str) -> Vec<String> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    spaced.split_whitespace().map(str::to_owned).collect()
}

struct Reader<'a> {
    words: Peekable<IntoIter<String>>,
    accepted: &'a BTreeSet<String>,
}

impl Reader<'_> {
    /// `OR` binds least.
    fn either(&mut self) -> Result<bool, String> {
        let mut verdict = self.both()?;
        while self.words.next_if(|word| word == "OR").is_some() {
            verdict |= self.both()?;
        }
        Ok(verdict)
    }

    fn both(&mut self) -> Result<bool, String> {
        let mut verdict = self.one()?;
        while self.words.next_if(|word| word == "AND").is_some() {
            verdict &= self.one()?;
        }
        Ok(verdict)
    }

    fn one(&mut self) -> Result<bool, String> {
        let word = self.words.next().ok_or("ends too early")?;
        match word.as_str() {
            "(" => {
                let verdict = self.either()?;
                match self.words.next().as_deref() {
                    Some(")") => Ok(verdict),
                    _ => Err("a parenthesis is not closed".to_owned()),
                }
            }
            ")" | "AND" | "OR" | "WITH" => Err(format!("`{word}` is out of place")),
            licence => self.licence(licence),
        }
    }

    /// An exception is part of the licence's name: with and without it are accepted apart.
    fn licence(&mut self, name: &str) -> Result<bool, String> {
        if self.words.next_if(|word| word == "WITH").is_none() {
            // "or any later version" includes the version named.
            let this_version = name.strip_suffix('+').unwrap_or(name);
            return Ok(self.accepted.contains(name) || self.accepted.contains(this_version));
        }
        let exception = self.words.next().ok_or("ends after WITH")?;
        Ok(self.accepted.contains(&format!("{name} WITH {exception}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(expression: &str) -> Result<bool, String> {
        let accepted = ["MIT", "Apache-2.0", "ISC", "GPL-2.0 WITH Classpath-exception-2.0"];
        satisfied(expression, &accepted.map(str::to_owned).into())
    }

    #[test]
    fn one_accepted_alternative_is_enough() {
        for good in ["MIT", "GPL-3.0 OR MIT", "MIT/GPL-3.0", "GPL-3.0 / MIT", "Apache-2.0+"] {
            assert_eq!(verdict(good), Ok(true), "{good}");
        }
    }

    #[test]
    fn every_part_of_an_and_is_needed() {
        assert_eq!(verdict("MIT AND ISC"), Ok(true));
        assert_eq!(verdict("MIT AND GPL-3.0"), Ok(false));
        assert_eq!(verdict("MIT AND (GPL-3.0 OR LGPL-2.1)"), Ok(false));
    }

    #[test]
    fn and_binds_tighter_than_or() {
        assert_eq!(verdict("MIT OR ISC AND GPL-3.0"), Ok(true));
        assert_eq!(verdict("GPL-3.0 AND ISC OR GPL-3.0"), Ok(false));
        assert_eq!(verdict("(MIT OR ISC) AND GPL-3.0"), Ok(false));
    }

    #[test]
    fn an_exception_is_accepted_by_its_full_name_only() {
        assert_eq!(verdict("GPL-2.0 WITH Classpath-exception-2.0"), Ok(true));
        assert_eq!(verdict("GPL-2.0"), Ok(false));
        assert_eq!(verdict("Apache-2.0 WITH LLVM-exception"), Ok(false));
        assert_eq!(verdict("Apache-2.0 WITH LLVM-exception OR MIT"), Ok(true));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        for bad in
            ["", "MIT OR", "(MIT", "MIT)", "MIT Apache-2.0", "AND MIT", "MIT WITH", "MIT or ISC"]
        {
            assert!(verdict(bad).is_err(), "{bad}");
        }
    }
}

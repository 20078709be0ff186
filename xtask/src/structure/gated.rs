//! Leaving out what only tests compile: `#[cfg(test)]` items, and the files such modules are in.

use super::lexer::Token;

/// What is left of a file, and the names of modules in files of their own that were left out.
#[derive(Debug, Default)]
pub(crate) struct Shipped {
    pub(crate) tokens: Vec<Token>,
    pub(crate) gated_modules: Vec<String>,
}

/// Drops every item behind `#[cfg(test)]` or `#[cfg(all(test, …))]`.
pub(crate) fn without_tests(tokens: &[Token]) -> Shipped {
    let mut shipped = Shipped::default();
    let mut rest = tokens;
    while let Some((token, after)) = rest.split_first() {
        if let Some(item) = after_test_gate(rest) {
            let (gated, after) = item.split_at(item_length(item));
            shipped.gated_modules.extend(module_file(gated));
            rest = after;
        } else {
            shipped.tokens.push(token.clone());
            rest = after;
        }
    }
    shipped
}

/// Returns what follows a test gate, if one starts here.
fn after_test_gate(tokens: &[Token]) -> Option<&[Token]> {
    [&["#", "[", "cfg", "(", "test", ")", "]"][..], &["#", "[", "cfg", "(", "all", "(", "test"]]
        .into_iter()
        .find(|gate| starts_with(tokens, gate))
        .map(|_| skip_attribute(tokens))
}

fn starts_with(tokens: &[Token], words: &[&str]) -> bool {
    tokens.len() >= words.len() && tokens.iter().zip(words).all(|(token, word)| token.is(word))
}

/// Skips one `#[…]`.
fn skip_attribute(tokens: &[Token]) -> &[Token] {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.text.as_str() {
            "[" => depth += 1,
            "]" if depth == 1 => return tokens.get(at + 1..).unwrap_or_default(),
            "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    &[]
}

/// Counts the words of the item that starts here, its other attributes included.
///
/// It errs on the short side: words left over are looked at, words dropped are not.
fn item_length(tokens: &[Token]) -> usize {
    let mut body = tokens;
    while starts_with(body, &["#", "["]) {
        body = skip_attribute(body);
    }
    let before = tokens.len() - body.len();
    let import = IMPORTS.iter().any(|start| starts_with(body, start));
    let item = body.first().is_some_and(|token| ITEM_WORDS.contains(&token.text.as_str()));
    let mut depth = 0_usize;
    for (at, token) in body.iter().enumerate() {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" if depth == 0 => return before + at,
            "}" if depth == 1 && !import => return before + at + 1,
            ")" | "]" | "}" => depth -= 1,
            ";" if depth == 0 => return before + at + 1,
            "," if depth == 0 && !item => return before + at + 1,
            _ => {}
        }
    }
    tokens.len()
}

/// Words that start an item, in which a comma does not end what is gated.
const ITEM_WORDS: &[&str] = &[
    "async",
    "const",
    "enum",
    "extern",
    "fn",
    "impl",
    "macro_rules",
    "mod",
    "pub",
    "static",
    "struct",
    "trait",
    "type",
    "unsafe",
    "use",
];

/// Starts of an import, whose braces do not end it.
const IMPORTS: &[&[&str]] = &[
    &["use"],
    &["pub", "use"],
    &["pub", "(", "crate", ")", "use"],
    &["pub", "(", "super", ")", "use"],
];

/// Returns the name of a module written in another file.
fn module_file(item: &[Token]) -> Option<String> {
    let mut words = item.iter().rev();
    let ends = words.next().is_some_and(|token| token.is(";"));
    let name = words.next()?;
    let module = words.next().is_some_and(|token| token.is("mod"));
    (ends && module).then(|| name.text.clone())
}

#[cfg(test)]
mod tests {
    use super::super::lexer::tokens;
    use super::*;

    fn left(source: &str) -> String {
        let shipped = without_tests(&tokens(source));
        let words: Vec<String> = shipped.tokens.into_iter().map(|token| token.text).collect();
        words.join(" ")
    }

    #[test]
    fn a_test_module_is_left_out_and_what_follows_is_kept() {
        assert_eq!(left("a; #[cfg(test)] mod tests { fn x() { y } } b"), "a ; b");
        assert_eq!(left("#[cfg(test)] mod t { use x; } b; c"), "b ; c");
        assert_eq!(left("#[cfg(all(test, unix))] #[allow(x)] mod t { z } b"), "b");
    }

    #[test]
    fn one_gated_item_ends_where_it_ends() {
        assert_eq!(left("#[cfg(test)] use a::{b, c}; d"), "d");
        assert_eq!(left("#[cfg(test)] pub(crate) fn f<A, B>(a: A) -> B { c } d"), "d");
        assert_eq!(left("struct S { #[cfg(test)] a: T, b: U }"), "struct S { b : U }");
        assert_eq!(left("const fn f() { #[cfg(test)] g() } h"), "const fn f ( ) { } h");
        assert_eq!(left("#[cfg(test)] const fn f() { g() } h"), "h");
    }

    #[test]
    fn other_gates_hide_nothing() {
        let kept = left("#[cfg(any(test, feature = \"x\"))] mod a { b } #[cfg(not(test))] use c;");
        assert!(kept.contains("mod a { b }") && kept.contains("use c ;"), "{kept}");
    }

    #[test]
    fn modules_in_test_files_are_named() {
        let shipped =
            without_tests(&tokens("#[cfg(test)] mod tests; #[cfg(test)] mod a {} mod b;"));
        assert_eq!(shipped.gated_modules, ["tests"]);
    }
}

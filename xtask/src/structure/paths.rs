//! The paths a file names inside its crate, spelled from the crate's root.

use super::lexer::Token;

/// A module or item, from the crate's root: `["flow", "password", "Config"]`.
pub(crate) type Path = Vec<String>;

/// A path that a file names.
#[derive(Debug, PartialEq)]
pub(crate) struct Reference {
    pub(crate) path: Path,
    pub(crate) line: usize,
    /// The name a `use` binds, spelled from the root; `None` for a path inside code.
    pub(crate) binds: Option<Path>,
}

/// Returns the module a source file is, if it is one of the crate's.
pub(crate) fn module_of(file: &str, source_folder: &str) -> Option<Path> {
    let inside = file.strip_prefix(source_folder)?.strip_suffix(".rs")?;
    let mut module: Path = inside.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|name| ["mod", "lib", "main"].contains(&name.as_str())) {
        module.pop();
    }
    Some(module)
}

/// Finds every path in `tokens` that leads somewhere inside the crate called `own_name`.
pub(crate) fn references(module: &[String], own_name: &str, tokens: &[Token]) -> Vec<Reference> {
    let mut scan = Scan {
        rest: tokens,
        own_name,
        module: module.to_vec(),
        inline: Vec::new(),
        depth: 0,
        found: Vec::new(),
    };
    while let Some(token) = scan.next() {
        scan.token(token);
    }
    scan.found
}

struct Scan<'a> {
    rest: &'a [Token],
    own_name: &'a str,
    module: Path,
    /// Depths at which `mod name {` blocks were opened.
    inline: Vec<usize>,
    depth: usize,
    found: Vec<Reference>,
}

impl<'a> Scan<'a> {
    fn next(&mut self) -> Option<&'a Token> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(first)
    }

    fn sees(&self, text: &str) -> bool {
        self.rest.first().is_some_and(|token| token.is(text))
    }

    fn take(&mut self, text: &str) -> bool {
        let there = self.sees(text);
        if there {
            self.next();
        }
        there
    }

    fn token(&mut self, token: &Token) {
        match token.text.as_str() {
            "{" => self.depth += 1,
            "}" => self.close(),
            "mod" => self.open_module(),
            "pub" => self.visibility(),
            "use" => self.tree(&[]),
            _ if token.is_name() && self.sees("::") => self.inline_path(token),
            _ => {}
        }
    }

    fn open_module(&mut self) {
        if let [name, brace, ..] = self.rest
            && brace.is("{")
        {
            self.inline.push(self.depth);
            self.module.push(name.text.clone());
        }
    }

    fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
        if self.inline.last() == Some(&self.depth) {
            self.inline.pop();
            self.module.pop();
        }
    }

    /// `pub(in a::b)` names a place but uses nothing from it.
    fn visibility(&mut self) {
        if let [open, inside, ..] = self.rest
            && open.is("(")
            && inside.is("in")
        {
            while self.next().is_some_and(|token| !token.is(")")) {}
        }
    }

    fn inline_path(&mut self, first: &Token) {
        let mut path = vec![first.text.clone()];
        while let [colons, name, ..] = self.rest
            && colons.is("::")
            && name.is_name()
        {
            path.push(name.text.clone());
            self.next();
            self.next();
        }
        if path.len() > 1 && self.starts_inside(&path) {
            let path = self.rooted(&path);
            self.found.push(Reference { path, line: first.line, binds: None });
        }
    }

    /// Reads one `use` tree below `prefix`.
    fn tree(&mut self, prefix: &[String]) {
        let mut path = prefix.to_vec();
        let outside = prefix.is_empty() && self.take("::");
        while let Some(token) = self.rest.first() {
            if self.take("{") {
                self.group(&path);
                return;
            }
            if !token.is_name() && !token.is("*") {
                return;
            }
            self.next();
            path.push(token.text.clone());
            if !self.take("::") {
                let name = self.bound_name(&path);
                if !outside {
                    self.import(&path, name, token.line);
                }
                return;
            }
        }
    }

    fn group(&mut self, prefix: &[String]) {
        while !self.rest.is_empty() && !self.take("}") {
            let before = self.rest.len();
            self.tree(prefix);
            self.take(",");
            if self.rest.len() == before {
                self.next();
            }
        }
    }

    fn bound_name(&mut self, path: &[String]) -> Option<String> {
        if self.take("as") {
            return self.next().map(|token| token.text.clone());
        }
        path.iter().rev().find(|name| *name != "self").cloned()
    }

    fn import(&mut self, path: &[String], name: Option<String>, line: usize) {
        let mut binds = self.module.clone();
        binds.extend(name);
        let path = self.rooted(path);
        self.found.push(Reference { path, line, binds: Some(binds) });
    }

    fn starts_inside(&self, path: &[String]) -> bool {
        path.first().is_some_and(|first| {
            ["crate", "self", "super"].contains(&first.as_str()) || first == self.own_name
        })
    }

    /// Spells a path from the root; one that starts with another name is taken as relative.
    fn rooted(&self, path: &[String]) -> Path {
        let mut absolute = self.module.clone();
        for (at, name) in path.iter().enumerate() {
            match name.as_str() {
                "self" => {}
                "super" => drop(absolute.pop()),
                "crate" => absolute.clear(),
                own if at == 0 && own == self.own_name => absolute.clear(),
                other => absolute.push(other.to_owned()),
            }
        }
        absolute
    }
}

#[cfg(test)]
mod tests {
    use super::super::lexer::tokens;
    use super::*;

    fn found(source: &str) -> Vec<String> {
        let module = ["flow".to_owned(), "password".to_owned()];
        let found = references(&module, "usso_core", &tokens(source));
        found.into_iter().map(|reference| reference.path.join("::")).collect()
    }

    #[test]
    fn a_file_is_a_module() {
        let module = |file| module_of(file, "core/src/").map(|path| path.join("::"));
        assert_eq!(module("core/src/flow/mod.rs").as_deref(), Some("flow"));
        assert_eq!(
            module("core/src/flow/passkey/start.rs").as_deref(),
            Some("flow::passkey::start")
        );
        assert_eq!(module("core/src/lib.rs").as_deref(), Some(""));
        assert_eq!(module("other/src/lib.rs"), None);
    }

    #[test]
    fn every_spelling_leads_to_the_same_path() {
        for source in [
            "use crate::flow::otp;",
            "use super::otp;",
            "use super::{otp as o};",
            "use super::super::flow::otp;",
            "use usso_core::flow::otp;",
            "pub use crate::{flow::{otp::{self}}};",
            "mod inner { use super::super::otp; }",
            "type A = crate::flow::otp;",
            "fn f() { super::otp }",
        ] {
            assert_eq!(found(source), ["flow::otp"], "{source}");
        }
    }

    #[test]
    fn groups_and_globs_are_taken_apart() {
        assert_eq!(
            found("use crate::{kernel::{id, time::*}, Stop};"),
            ["kernel::id", "kernel::time::*", "Stop"]
        );
    }

    #[test]
    fn a_module_block_ends_at_its_brace() {
        assert_eq!(found("mod a { fn f() {} } use super::b;"), ["flow::b"]);
    }

    #[test]
    fn visibility_and_capture_lists_are_no_imports() {
        let source = "pub(crate) fn f() -> impl A + use<'a> {} pub(in crate::flow) fn g() {}";
        assert_eq!(found(source), [""; 0]);
    }

    #[test]
    fn a_renamed_import_is_known_by_its_new_name() {
        let found = references(&[], "usso_core", &tokens("pub use flow::otp as codes;"));
        assert_eq!(found.first().unwrap().binds.as_deref().unwrap(), ["codes"]);
        assert_eq!(found.first().unwrap().path, ["flow", "otp"]);
    }
}

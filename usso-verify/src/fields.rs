//! Reading the members of a JSON object one by one.
//!
//! A derived reader for each shape would be a third of the WebAssembly package. For its sake, too, a
//! mistake is not handed back from each member: the first one is kept and told at the [end](Fields::end).

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::rc::Rc;

use serde_json::{Map, Value};

use crate::json::{self, Limits};

/// The members of an object. Each is taken out as it is read; what is left is unknown. `null` is as
/// good as absent, and so is what is wrong.
pub(crate) struct Fields {
    members: Map<String, Value>,
    wrong: Rc<RefCell<Option<String>>>,
}

impl Fields {
    /// Reads an object strictly: a repeated member is an error.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        match json::parse(text.as_bytes(), Limits::default()) {
            Ok(Value::Object(members)) => Ok(Self { members, wrong: Rc::default() }),
            Ok(_) => Err("an object is expected".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Takes note of a mistake, unless there is one already.
    pub(crate) fn refuse(&self, message: impl Display) {
        self.wrong.borrow_mut().get_or_insert_with(|| message.to_string());
    }

    pub(crate) fn value(&mut self, name: &str) -> Option<Value> {
        json::take(&mut self.members, name).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&mut self, name: &str) -> Option<String> {
        self.value(name).and_then(|value| self.text_of(name, value))
    }

    pub(crate) fn needed_text(&mut self, name: &str) -> String {
        self.need(name);
        self.text(name).unwrap_or_default()
    }

    /// Reads a list of texts; empty if it is absent.
    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        self.texts_if_any(name).unwrap_or_default()
    }

    /// Reads a list of texts if it is there; an empty list is not absence.
    pub(crate) fn texts_if_any(&mut self, name: &str) -> Option<Vec<String>> {
        let items = self.list(name)?;
        Some(self.all_texts(name, items))
    }

    /// Requires that the items of the list `name` are texts.
    pub(crate) fn all_texts(&self, name: &str, items: Vec<Value>) -> Vec<String> {
        items.into_iter().filter_map(|item| self.text_of(name, item)).collect()
    }

    pub(crate) fn list(&mut self, name: &str) -> Option<Vec<Value>> {
        match self.value(name)? {
            Value::Array(items) => Some(items),
            _ => self.is_not(name, "a list"),
        }
    }

    pub(crate) fn flag(&mut self, name: &str) -> bool {
        match self.value(name) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(_) => self.is_not(name, "true or false").unwrap_or_default(),
        }
    }

    pub(crate) fn number(&mut self, name: &str) -> Option<u64> {
        let value = self.value(name)?;
        value.as_u64().or_else(|| self.is_not(name, "a whole number"))
    }

    pub(crate) fn size(&mut self, name: &str) -> Option<usize> {
        self.number(name).map(|number| usize::try_from(number).unwrap_or(usize::MAX))
    }

    pub(crate) fn object(&mut self, name: &str) -> Option<Self> {
        self.value(name).and_then(|value| self.object_of(name, value))
    }

    pub(crate) fn objects(&mut self, name: &str) -> Vec<Self> {
        let items = self.list(name).unwrap_or_default().into_iter();
        items.filter_map(|item| self.object_of(name, item)).collect()
    }

    /// Takes all members, each of which must be a text.
    pub(crate) fn into_texts(self) -> BTreeMap<String, String> {
        let mut texts = BTreeMap::new();
        for (name, value) in self.members {
            match value {
                Value::String(text) => drop(texts.insert(name, text)),
                _ => drop(self.wrong.borrow_mut().get_or_insert(format!("`{name}` is not text"))),
            }
        }
        texts
    }

    /// Requires that a member is there.
    pub(crate) fn need(&self, name: &str) {
        if self.members.get(name).is_none_or(Value::is_null) {
            self.refuse(format_args!("`{name}` is missing"));
        }
    }

    /// Refuses members that nobody has read.
    pub(crate) fn unknown(self) {
        let left = self.members.iter().find(|(_, value)| !value.is_null());
        if let Some((name, _)) = left {
            self.refuse(format_args!("`{name}` is unknown"));
        }
    }

    /// Gives what was read, unless there was a mistake, here or in the object that this is inside of.
    pub(crate) fn end<T>(self, read: T) -> Result<T, String> {
        let wrong = Rc::clone(&self.wrong);
        self.unknown();
        let first = wrong.borrow().clone();
        first.map_or(Ok(read), Err)
    }

    fn text_of(&self, name: &str, value: Value) -> Option<String> {
        match value {
            Value::String(text) => Some(text),
            _ => self.is_not(name, "text"),
        }
    }

    fn object_of(&self, name: &str, value: Value) -> Option<Self> {
        match value {
            Value::Object(members) => Some(Self { members, wrong: Rc::clone(&self.wrong) }),
            _ => self.is_not(name, "an object"),
        }
    }

    fn is_not<T>(&self, name: &str, kind: &str) -> Option<T> {
        self.refuse(format_args!("`{name}` is not {kind}"));
        None
    }
}

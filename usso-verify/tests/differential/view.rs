//! What a token says, read with the greatest tolerance, to explain a difference.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

/// A token taken apart. A member that occurs twice has its last value.
pub(crate) struct View {
    token: String,
    pub(crate) code: Option<&'static str>,
    pub(crate) header: Part,
    pub(crate) claims: Part,
    /// Length of the token and of its header segment.
    pub(crate) length: usize,
    pub(crate) header_length: usize,
}

/// One of the two JSON segments; everything is empty if it cannot be read.
#[derive(Default)]
pub(crate) struct Part {
    pub(crate) value: Value,
    pub(crate) doubled: bool,
    pub(crate) depth: usize,
    /// It is JSON to a reader that skips all values, but not to one that reads them.
    pub(crate) skimmed: bool,
}

impl View {
    /// Takes a token apart; `code` is what we refuse it with.
    pub(crate) fn of(token: &str, code: Option<&'static str>) -> Self {
        let mut segments = token.split('.');
        let header = segments.next().unwrap_or_default();
        Self {
            token: token.to_owned(),
            code,
            length: token.len(),
            header_length: header.len(),
            header: Part::of(header),
            claims: Part::of(segments.next().unwrap_or_default()),
        }
    }
}

impl Part {
    fn of(segment: &str) -> Self {
        let Ok(bytes) = base64_simd::URL_SAFE_NO_PAD.decode_to_vec(segment) else {
            return Self::default();
        };
        let shape = serde_json::from_slice(&bytes).unwrap_or(FLAT);
        let value = serde_json::from_slice(&bytes);
        Self {
            skimmed: value.is_err() && serde_json::from_slice::<IgnoredAny>(&bytes).is_ok(),
            value: value.unwrap_or_default(),
            doubled: shape.doubled,
            depth: shape.depth,
        }
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.value.get(name).is_some()
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.value.get(name).and_then(Value::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.value.get(name).and_then(Value::as_f64)
    }

    pub(crate) fn is_null(&self, name: &str) -> bool {
        self.value.get(name).is_some_and(Value::is_null)
    }
}

impl fmt::Display for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cut = |value: &Value| value.to_string().chars().take(600).collect::<String>();
        let (header, claims) = (cut(&self.header.value), cut(&self.claims.value));
        let token = self.token.chars().take(1500).collect::<String>();
        write!(f, "{header} {claims} ({} bytes)\n    {token}", self.length)
    }
}

/// What [`Value`] does not keep: whether a member occurs twice, and how deep the nesting is.
struct Shape {
    doubled: bool,
    depth: usize,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ShapeVisitor)
    }
}

struct ShapeVisitor;

const FLAT: Shape = Shape { doubled: false, depth: 0 };

impl<'de> Visitor<'de> for ShapeVisitor {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(FLAT)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(FLAT)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(FLAT)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(FLAT)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Shape, E> {
        Ok(FLAT)
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(FLAT)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Shape, A::Error> {
        let mut shape = Shape { doubled: false, depth: 1 };
        while let Some(item) = items.next_element::<Shape>()? {
            shape.doubled |= item.doubled;
            shape.depth = shape.depth.max(item.depth + 1);
        }
        Ok(shape)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Shape, A::Error> {
        let mut shape = Shape { doubled: false, depth: 1 };
        let mut names = std::collections::HashSet::new();
        while let Some((name, value)) = members.next_entry::<String, Shape>()? {
            shape.doubled |= value.doubled | !names.insert(name);
            shape.depth = shape.depth.max(value.depth + 1);
        }
        Ok(shape)
    }
}

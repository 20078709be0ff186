//! Strict JSON: what a parser must not be tolerant about when the bytes decide who someone is.
//!
//! 1. One value and nothing after it, in valid UTF-8.
//! 2. No member twice in one object, at any level, also when one of them is spelt with escapes.
//! 3. No nesting beyond a limit that is counted while reading.
//!
//! # Security
//!
//! Two readers that disagree about a repeated member (first wins, last wins) can be made to see
//! two different tokens or requests; [`serde_json::Value`] keeps the last one in silence. Deep
//! nesting makes a recursive reader overflow its stack.
//!
//! # Spec
//!
//! RFC 8259 §4, RFC 7493 §2.3, RFC 7515 §4, RFC 7519 §4.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeOwned, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// What [`parse`] puts up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many objects and arrays may lie inside each other: 0 takes a bare scalar only, 1 a flat
    /// object. Default 32; more than 64 counts as 64.
    pub max_depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_depth: 32 }
    }
}

/// Why some bytes were refused. Holds nothing of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Error {
    /// An object has two members of one name.
    DuplicateMember,
    /// The bytes are not one JSON value in UTF-8, or something follows it.
    Malformed,
    /// The JSON is sound but does not describe the type that [`from_slice`] was asked for.
    Mismatch,
    /// Objects and arrays are nested deeper than [`Limits::max_depth`].
    TooDeep,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DuplicateMember => "an object has two members of one name",
            Self::Malformed => "not one well-formed JSON value",
            Self::Mismatch => "the JSON is not of the expected shape",
            Self::TooDeep => "the JSON is nested too deeply",
        })
    }
}

impl std::error::Error for Error {}

/// Reads one JSON value.
///
/// Time and memory grow with the length of `bytes` only; the caller bounds that length.
///
/// # Errors
///
/// [`Error::DuplicateMember`], [`Error::TooDeep`] or [`Error::Malformed`], whichever is met first.
pub fn parse(bytes: &[u8], limits: Limits) -> Result<Value, Error> {
    let text = str::from_utf8(bytes).map_err(|_| Error::Malformed)?;
    let verdict = Cell::new(Error::Malformed);
    drive(text, &verdict, Strict::new(limits, &verdict))
}

/// Reads one JSON value as a `T`, under the rules of [`parse`].
///
/// # Errors
///
/// Those of [`parse`], and [`Error::Mismatch`] if the value is not a `T`.
pub fn from_slice<T: DeserializeOwned>(bytes: &[u8], limits: Limits) -> Result<T, Error> {
    T::deserialize(parse(bytes, limits)?).map_err(|_| Error::Mismatch)
}

/// Reads one JSON object.
pub(crate) fn parse_object(bytes: &[u8], limits: Limits) -> Result<Map<String, Value>, Error> {
    match parse(bytes, limits)? {
        Value::Object(members) => Ok(members),
        _ => Err(Error::Mismatch),
    }
}

/// Takes a member out. `null` stays in its place: taking the place away needs more code, which is
/// longer on its way to browsers.
pub(crate) fn take(members: &mut Map<String, Value>, name: &str) -> Option<Value> {
    members.get_mut(name).map(Value::take)
}

/// Reads one JSON value with a reader that keeps the rules of a [`Strict`] with this verdict.
pub(crate) fn drive<'de, S: DeserializeSeed<'de>>(
    text: &'de str,
    verdict: &Cell<Error>,
    seed: S,
) -> Result<S::Value, Error> {
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = seed.deserialize(&mut reader).map_err(|_| verdict.get())?;
    reader.end().map_err(|_| Error::Malformed)?;
    Ok(value)
}

/// Builds a [`Value`] and refuses what `Value` itself would let pass. `verdict` carries the reason
/// past the error type of the reader, which has no room for it.
#[derive(Clone, Copy)]
pub(crate) struct Strict<'a> {
    depth_left: usize,
    verdict: &'a Cell<Error>,
}

impl<'a> Strict<'a> {
    /// Starts at the top; `verdict` is [`Error::Malformed`] until something else is found.
    pub(crate) fn new(limits: Limits, verdict: &'a Cell<Error>) -> Self {
        Self { depth_left: limits.max_depth.min(MAX_DEPTH), verdict }
    }

    pub(crate) fn refuse<T, E: serde::de::Error>(self, error: Error) -> Result<T, E> {
        self.verdict.set(error);
        Err(E::custom(error))
    }

    pub(crate) fn deeper<E: serde::de::Error>(self) -> Result<Self, E> {
        match self.depth_left.checked_sub(1) {
            Some(depth_left) => Ok(Self { depth_left, ..self }),
            None => self.refuse(Error::TooDeep),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom(Error::Malformed))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let inner = self.deeper()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                return self.refuse(Error::DuplicateMember);
            }
            object.insert(name, members.next_value_seed(inner)?);
        }
        Ok(Value::Object(object))
    }
}

/// Stays well under the depth of 127 at which `serde_json` gives up by itself, so that the verdict
/// is always this module's.
const MAX_DEPTH: usize = 64;

#[cfg(test)]
mod tests {
    use super::{Error, Limits, from_slice, parse};
    use serde_json::{Value, json};

    fn read(text: &str) -> Result<Value, Error> {
        parse(text.as_bytes(), Limits::default())
    }

    #[test]
    fn every_kind_of_value_is_read() {
        for value in [json!(null), json!(true), json!(0), json!(-1), json!(1.5), json!("a\"\u{e9}")]
        {
            assert_eq!(read(&value.to_string()), Ok(value.clone()));
            let nested = json!({"a": [value, {}, []], "b": {"a": value}});
            assert_eq!(read(&format!(" {nested}\n")), Ok(nested));
        }
        assert_eq!(read(&u64::MAX.to_string()), Ok(json!(u64::MAX)));
        assert_eq!(read(&i64::MIN.to_string()), Ok(json!(i64::MIN)));
    }

    #[test]
    fn a_member_given_twice_is_refused_at_any_level_and_in_any_spelling() {
        for text in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":2,"a":3}"#,
            r#"{"a":1,"\u0061":2}"#,
            r#"{"\u00e9":1,"é":2}"#,
            r#"{"":1,"":2}"#,
            r#"[[{"x":{"a":1,"a":2}}]]"#,
            r#"{"a":{"b":1,"b":{}},"c":3}"#,
        ] {
            assert_eq!(read(text), Err(Error::DuplicateMember), "{text}");
        }
    }

    #[test]
    fn one_name_in_different_objects_is_no_duplicate() {
        assert!(read(r#"{"a":{"a":[{"a":1},{"a":2}]},"A":1}"#).is_ok());
    }

    #[test]
    fn depth_is_counted_in_objects_and_arrays() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            for depth in 1..=64 {
                let text = format!("{}0{}", open.repeat(depth), close.repeat(depth));
                let at = |max_depth| parse(text.as_bytes(), Limits { max_depth });
                assert!(at(depth).is_ok(), "{depth}");
                assert_eq!(at(depth - 1), Err(Error::TooDeep), "{depth}");
            }
        }
        assert_eq!(parse(b"0", Limits { max_depth: 0 }), Ok(json!(0)));
    }

    #[test]
    fn no_limit_allows_more_than_sixty_four() {
        for depth in [65, 126, 127, 128, 129, 1_000_000] {
            let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
            let verdict = parse(text.as_bytes(), Limits { max_depth: usize::MAX });
            assert_eq!(verdict, Err(Error::TooDeep), "{depth}");
        }
    }

    #[test]
    fn text_that_is_not_one_json_value_is_malformed() {
        for text in
            ["", " ", "{", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "'a'", "01", "1e400", "NaN"]
                .into_iter()
                .chain([
                    "[]]",
                    "{} {}",
                    "null x",
                    "nul",
                    "\"",
                    "\"\n\"",
                    "\u{feff}1",
                    "/**/1",
                    "1 //",
                ])
                .chain([r#""\ud800""#, r#""\x41""#, "[1", "tru", "-", "\0"])
        {
            assert_eq!(read(text), Err(Error::Malformed), "{text:?}");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_malformed() {
        for bytes in
            [&b"\"\xff\""[..], b"\"\xc0\x80\"", b"\"\xed\xa0\x80\"", b"{\"\x80\":1}", b"\xff"]
        {
            assert_eq!(parse(bytes, Limits::default()), Err(Error::Malformed), "{bytes:?}");
        }
    }

    #[test]
    fn a_value_of_another_shape_is_a_mismatch() {
        let read = |text: &str| from_slice::<Vec<u8>>(text.as_bytes(), Limits::default());
        assert_eq!(read("[1,2]"), Ok(vec![1, 2]));
        assert_eq!(read("[1,-2]"), Err(Error::Mismatch));
        assert_eq!(read("{}"), Err(Error::Mismatch));
        assert_eq!(read("[1"), Err(Error::Malformed));
        assert_eq!(read(r#"{"a":1,"a":1}"#), Err(Error::DuplicateMember));
    }

    #[test]
    fn an_error_repeats_nothing_of_the_input() {
        for text in [r#"{"hunter2":1,"hunter2":1}"#, "hunter2", r#""hunter2""#] {
            let error = from_slice::<u8>(text.as_bytes(), Limits::default()).unwrap_err();
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
    }
}

//! Any bytes as strict JSON, against a tolerant reader.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use usso_verify::json::{self, Error, Limits};

fuzz_target!(|data: &[u8]| {
    let tolerant = serde_json::from_slice::<Value>(data);
    match json::parse(data, Limits::default()) {
        Ok(value) => {
            assert_eq!(tolerant.unwrap(), value);
            let shallow = json::parse(data, Limits { max_depth: 3 });
            assert_eq!(shallow.is_ok(), depth(&value) <= 3);
        }
        Err(Error::Malformed) => assert!(tolerant.is_err()),
        Err(error) => assert!(matches!(error, Error::DuplicateMember | Error::TooDeep)),
    }
});

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or_default(),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}

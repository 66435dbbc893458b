//! Canonical JSON and digests.
//!
//! Keys are sorted by their bytes, numbers keep the spelling serde_json gives them, and there is no white space. The
//! encoding is our own because a feature of serde_json that a dependency switches on keeps insertion order, and because
//! the JCS crates fold large integers into floats.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::encode;

/// A blake3 digest, written as 64 hexadecimal digits.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, JsonSchema)]
#[schemars(transparent)]
pub struct Digest(#[schemars(with = "String")] [u8; 32]);

impl Digest {
    /// Digests bytes.
    pub fn of_bytes(bytes: &[u8]) -> Digest {
        Digest(*blake3::hash(bytes).as_bytes())
    }

    /// Takes the 32 bytes of a digest that was made before.
    pub const fn from_bytes(bytes: [u8; 32]) -> Digest {
        Digest(bytes)
    }

    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    pub fn from_text(text: &str) -> Option<Digest> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).ok()?;
        Some(Digest(bytes))
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first 12 digits, for people.
    pub fn short(&self) -> String {
        hex::encode(&self.0[..6])
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        // Neither can fail: the length is right, and the digits are ASCII.
        let _ = hex::encode_to_slice(self.0, &mut digits);
        f.write_str(std::str::from_utf8(&digits).unwrap_or_default())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Digest::from_text(&text).ok_or_else(|| serde::de::Error::custom("a digest is 64 hexadecimal digits"))
    }
}

/// Digests many texts one after another, each told from the next, without holding them.
#[derive(Default)]
pub struct Digester(blake3::Hasher);

impl Digester {
    /// Adds a text, or that there is none.
    pub fn add(&mut self, text: Option<&str>) {
        match text {
            None => self.add_number(0),
            Some(text) => {
                self.add_number(text.len() as u64 + 1);
                self.0.update(text.as_bytes());
            }
        }
    }

    /// Adds a number.
    pub fn add_number(&mut self, number: u64) {
        self.0.update(&number.to_le_bytes());
    }

    /// The digest of everything that was added.
    pub fn digest(&self) -> Digest {
        Digest(*self.0.finalize().as_bytes())
    }
}

/// Digests anything serialisable through its canonical JSON.
pub fn digest_of<T: Serialize>(value: &T) -> Digest {
    digest_without(value, &[])
}

/// The same without these entries, each named by the keys that lead to it.
pub fn digest_without<T: Serialize>(value: &T, left_out: &[&[&str]]) -> Digest {
    Digest::of_bytes(&encode::canonical(value, left_out))
}

/// Encodes as canonical JSON on one line.
pub fn canonical_json<T: Serialize>(value: &T) -> String {
    let Ok(text) = String::from_utf8(encode::canonical(value, &[])) else { panic!("BUG: JSON that is no UTF-8") };
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn key_order_does_not_change_the_bytes() {
        let a: serde_json::Value =
            serde_json::from_str(r#"{"b":1,"a":{"d":[1,2.5,18446744073709551615],"c":null}}"#).unwrap();
        assert_eq!(canonical_json(&a), r#"{"a":{"c":null,"d":[1,2.5,18446744073709551615]},"b":1}"#);
    }
    #[derive(Serialize)]
    enum Kind {
        Plain,
        Of(u8),
        Two(u8, bool),
        Named { z: f32, a: Option<char> },
    }

    #[test]
    fn every_kind_of_value_is_as_serde_json_says() {
        let kinds = [Kind::Plain, Kind::Of(1), Kind::Two(2, true), Kind::Named { z: 0.5, a: None }];
        let map = std::collections::BTreeMap::from([(10_i64, f64::NAN), (9, -1.5)]);
        let bytes: &[u8] = &[1, 2];
        let all = ("\u{1}\"é", kinds, map, bytes, (), f64::MAX, u64::MAX, i64::MIN);
        let value = serde_json::to_value(&all).unwrap();
        assert_eq!(canonical_json(&all), canonical_json(&value));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&canonical_json(&all)).unwrap(), value);
    }

    #[test]
    fn what_is_left_out_is_not_there_and_nothing_else_of_its_name() {
        let value = serde_json::json!({"a": {"b": 1, "c": 2}, "b": {"a": 3}, "d": [{"a": {"b": 4}}]});
        let rest = serde_json::json!({"a": {"c": 2}, "d": [{"a": {"b": 4}}]});
        assert_eq!(digest_without(&value, &[&["a", "b"], &["b"]]), digest_of(&rest));
    }
}

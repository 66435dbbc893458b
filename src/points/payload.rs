//! The payload that an author asked for.
//!
//! A payload field is one of the chunk's own (`unit_id`, `chunk_index`, `chunk_count`, `content_digest`, `point_key`,
//! `text`), a field of the unit, or one that the binding's `payload` gives a template for.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::{UnitFacts, UnitNames, fill_value, unit_value};

/// Payload fields of the chunk itself, which no binding has to know.
pub const CHUNK_FIELDS: [&str; 6] = [UNIT_ID, CHUNK_INDEX, CHUNK_COUNT, CONTENT_DIGEST, POINT_KEY, TEXT];

pub(super) const UNIT_ID: &str = "unit_id";
pub(super) const CHUNK_INDEX: &str = "chunk_index";
pub(super) const CHUNK_COUNT: &str = "chunk_count";
pub(super) const CONTENT_DIGEST: &str = "content_digest";
pub(super) const TEXT: &str = "text";
const POINT_KEY: &str = "point_key";

/// The payload of one chunk. `text` is the chunk's own text, or what stands for it in a digest.
pub fn payload(asked: &Asked<'_>, unit: &UnitFacts, chunk: &ChunkView<'_>, text: Value) -> Map<String, Value> {
    let mut out = Map::new();
    for field in asked.fields {
        let value = match (asked.templates.get(field), field.as_str()) {
            (Some(template), _) => fill_value(template, &chunk_names(unit, chunk)).ok(),
            (None, TEXT) => Some(text.clone()),
            (None, CHUNK_INDEX) => Some(Value::from(chunk.ordinal)),
            (None, CHUNK_COUNT) => Some(Value::from(chunk.count)),
            (None, CONTENT_DIGEST) => Some(Value::from(chunk.sha256)),
            (None, POINT_KEY) => Some(Value::from(chunk.key)),
            (None, UNIT_ID) => Some(Value::from(unit.id.as_str())),
            (None, other) => unit_value(unit, other),
        };
        out.insert(field.clone(), value.unwrap_or(Value::Null));
    }
    out
}

/// What an author asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The fields.
    pub fields: &'a [String],
    /// Fields of the binding that are templates.
    pub templates: &'a BTreeMap<String, Value>,
}

/// A chunk as payloads and ledgers see it.
#[derive(Debug, Clone, Copy)]
pub struct ChunkView<'a> {
    /// Its place, from 0.
    pub ordinal: u32,
    /// How many there are.
    pub count: u32,
    /// SHA-256 of its own text.
    pub sha256: &'a str,
    /// Its key, empty without a ledger.
    pub key: &'a str,
}

fn chunk_names<'a>(unit: &'a UnitFacts, chunk: &ChunkView<'_>) -> UnitNames<'a> {
    let mut names = UnitNames::of(unit);
    names.set("chunk.index", chunk.ordinal);
    names.set("chunk.key", format!("{:04}", chunk.ordinal));
    names.set("chunk.count", chunk.count);
    names.set("chunk.sha256", chunk.sha256);
    names.set("point.key", chunk.key);
    names
}

//! What the points of a set are made with, and what their payloads hold.
//!
//! A payload field is one of the chunk's own (`unit_id`, `chunk_index`, `chunk_count`, `content_digest`, `point_key`,
//! `text`), a field of the unit, or one that the binding's `payload` gives a template for.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::scope::{Names, unit_value};
use crate::model::{
    Binding, ChunkPolicy, Digest, Identities, PointIds, Template, UnitFacts, VectorParams, VectorSet, VectorSpec,
    digest_of, fill_value,
};

/// What every point of a set is made with.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Digest of the chunk policy.
    pub policy: Digest,
    /// Digest of embedders and sparse parameters.
    pub embedders: Digest,
    /// Digest of both and of the payload fields.
    pub whole: Digest,
    /// The collection's vectors.
    pub vectors: BTreeMap<String, VectorParams>,
    /// The collection's payload indexes.
    pub payload_indexes: BTreeMap<String, String>,
    /// Names of unit fields that go into text or payload.
    pub fields: BTreeSet<String>,
    /// How points get their ids.
    pub ids: PointIds,
}

/// Computes what every point of a set is made with.
///
/// # Errors
/// The name of an embedder that is not there.
pub fn recipe(
    set: &VectorSet,
    policy: &ChunkPolicy,
    identities: &Identities,
    binding: &Binding,
) -> Result<Recipe, String> {
    let mut vectors = BTreeMap::new();
    let mut makers = BTreeMap::new();
    for (name, spec) in &set.vectors {
        match &spec.value {
            VectorSpec::Dense { embedder, distance } => {
                let identity = identities.embedders.get(embedder).ok_or_else(|| embedder.clone())?;
                let dimension = u64::from(identity.dimension);
                vectors.insert(name.clone(), VectorParams::Dense { dimension, distance: distance.as_str().to_owned() });
                makers.insert(name.clone(), json!({ "dense": identity, "distance": distance.as_str() }));
            }
            VectorSpec::Bm25 { language } => {
                vectors.insert(name.clone(), VectorParams::Sparse { idf: true });
                makers.insert(name.clone(), json!({ "bm25": identities.sparse.get(language) }));
            }
        }
    }
    let mut fields: BTreeSet<String> = policy.text.template().names().map(str::to_owned).collect();
    let payload: Vec<&str> = set.payload.iter().map(|field| field.value.as_str()).collect();
    fields.extend(payload.iter().map(|field| (*field).to_owned()));
    let policy_digest = digest_of(&identities.policies.get(&set.chunk_policy.value));
    let embedders = digest_of(&makers);
    let templates: BTreeMap<&str, &Value> =
        payload.iter().filter_map(|field| Some((*field, binding.payload.get(*field)?))).collect();
    templates.values().for_each(|template| unit_fields(template, &mut fields));
    let mut parts = vec![json!(policy_digest), json!(embedders), json!(payload)];
    // Only what is there goes in, so that sets without either keep the digests they have.
    if !templates.is_empty() {
        parts.push(json!(templates));
    }
    if set.ids.keyed() {
        parts.push(json!(set.ids));
    }
    let whole = digest_of(&parts);
    let payload_indexes =
        set.payload_indexes.iter().map(|(field, kind)| (field.clone(), kind.value.as_str().to_owned())).collect();
    Ok(Recipe { policy: policy_digest, embedders, whole, vectors, payload_indexes, fields, ids: set.ids.clone() })
}

/// The fields of units that a payload template names.
fn unit_fields(template: &Value, out: &mut BTreeSet<String>) {
    match template {
        Value::String(text) => {
            let names: Vec<String> =
                Template::parse(text).map(|template| template.names().map(str::to_owned).collect()).unwrap_or_default();
            out.extend(names.iter().filter_map(|name| name.strip_prefix("unit.")).map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| unit_fields(item, out)),
        Value::Object(map) => map.values().for_each(|item| unit_fields(item, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Payload fields of the chunk itself, which no binding has to know.
pub const CHUNK_FIELDS: [&str; 6] = ["unit_id", "chunk_index", "chunk_count", "content_digest", "point_key", "text"];

/// The payload of one chunk. `text` is the chunk's own text, or what stands for it in a digest.
pub fn payload(asked: &Asked<'_>, unit: &UnitFacts, chunk: &ChunkView<'_>, text: Value) -> Map<String, Value> {
    let mut out = Map::new();
    for field in asked.fields {
        let value = match (asked.templates.get(field), field.as_str()) {
            (Some(template), _) => fill_value(template, &chunk_names(unit, chunk)).ok(),
            (None, "text") => Some(text.clone()),
            (None, "chunk_index") => Some(Value::from(chunk.ordinal)),
            (None, "chunk_count") => Some(Value::from(chunk.count)),
            (None, "content_digest") => Some(Value::from(chunk.sha256)),
            (None, "point_key") => Some(Value::from(chunk.key)),
            (None, "unit_id") => Some(Value::from(unit.id.as_str())),
            (None, other) => unit_value(unit, other),
        };
        out.insert(field.clone(), value.unwrap_or(Value::Null));
    }
    out
}

/// The payload that an author asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The fields.
    pub fields: &'a [String],
    /// Fields of the binding that are templates.
    pub templates: &'a BTreeMap<String, Value>,
}

fn chunk_names<'a>(unit: &'a UnitFacts, chunk: &ChunkView<'_>) -> Names<'a> {
    let mut names = Names { unit: Some((unit, 0)), ..Names::default() };
    names.set("chunk.index", chunk.ordinal);
    names.set("chunk.key", format!("{:04}", chunk.ordinal));
    names.set("chunk.count", chunk.count);
    names.set("chunk.sha256", chunk.sha256);
    names.set("point.key", chunk.key);
    names
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

//! What a point says of itself: Enact's own parts beside what an author asked for.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::Digest as _;

use super::fingerprint::add_buckets;
use super::identity::PointIdentity;
use super::payload::{CHUNK_COUNT, CHUNK_INDEX, CONTENT_DIGEST, TEXT, UNIT_ID};
use crate::model::{Digest, PointId, digest_of};

/// The payload field that holds Enact's own parts.
pub const PARTS_FIELD: &str = "_enact";

/// Enact's own parts of a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parts {
    /// The vector set.
    pub set: String,
    /// The unit's id.
    pub unit: String,
    /// The chunk's place in its unit, from 0.
    pub chunk: u32,
    /// How many chunks the unit has.
    #[serde(default)]
    pub chunks: u32,
    /// Digest of the chunk's text as embedded.
    pub text: Digest,
    /// SHA-256 of the chunk's own text, in hex.
    pub sha256: String,
    /// Digest of the chunk policy.
    pub policy: Digest,
    /// Digest of the embedders.
    pub embedders: Digest,
    /// Digest of what the point is made of, where its id does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

impl Parts {
    /// Puts them into the payload of the point with this id, with the point's buckets.
    pub fn add_to(&self, id: &PointId, payload: &mut Map<String, Value>) {
        payload.insert(PARTS_FIELD.to_owned(), json!(self));
        add_buckets(id, payload);
    }
}

/// What a point says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PointFacts {
    /// It has no parts of Enact; the digest of what it holds.
    Foreign(Digest),
    /// It has parts that cannot be read.
    Unreadable,
    /// What it says it is made of.
    Ours {
        /// Its parts, with the digest of the payload as it is now.
        parts: Box<PointIdentity>,
        /// SHA-256 of the chunk, as its parts say.
        sha256: String,
        /// SHA-256 of the text in the payload, where that is there.
        text_sha256: Option<String>,
        /// The digest of its parts as they were, where its id is not made of them.
        digest: Option<Digest>,
    },
}

/// Reads what a payload says of its point. The digest of the payload is taken as it is now, with the text replaced by its
/// hash as it was when the id was made.
pub fn point_facts(mut payload: Map<String, Value>) -> PointFacts {
    let Some(parts) = payload.remove(PARTS_FIELD) else { return PointFacts::Foreign(digest_of(&payload)) };
    let Ok(Parts { set, unit, chunk, chunks: _, text, sha256, policy, embedders, digest }) =
        serde_json::from_value(parts)
    else {
        return PointFacts::Unreadable;
    };
    let stored = payload.get(TEXT).and_then(Value::as_str);
    let text_sha256 = stored.map(|text| hex::encode(sha2::Sha256::digest(text.as_bytes())));
    if let Some(text) = payload.get_mut(TEXT) {
        *text = text_stand_in(&sha256);
    }
    let parts = PointIdentity { set, unit, ordinal: chunk, text, payload: digest_of(&payload), policy, embedders };
    PointFacts::Ours { parts: Box::new(parts), sha256, text_sha256, digest }
}

/// What stands for a chunk's text where its payload is digested.
pub fn text_stand_in(sha256: &str) -> Value {
    json!({ "sha256": sha256 })
}

/// What stands in a point: the digest that Enact wrote into it, else the digest of its whole payload.
pub fn standing(payload: &Map<String, Value>) -> Digest {
    let written = payload.get(PARTS_FIELD).and_then(|parts| parts.get("digest")).and_then(Value::as_str);
    written.and_then(Digest::from_text).unwrap_or_else(|| digest_of(payload))
}

/// The vector set that a point says it is of.
pub fn set_of(payload: &Map<String, Value>) -> Option<&str> {
    payload.get(PARTS_FIELD)?.get("set")?.as_str()
}

/// The unit that a point says it belongs to: Enact's own parts, or the payload field that the field's points carry.
pub fn unit_of(payload: &Map<String, Value>) -> Option<&str> {
    let owned = payload.get(PARTS_FIELD).and_then(|parts| parts.get("unit"));
    owned.or_else(|| payload.get(UNIT_ID)).and_then(Value::as_str)
}

/// What a point that Enact may not have made says of itself, for an adoption.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PointSaid {
    /// `unit_id`.
    pub unit: Option<String>,
    /// `chunk_index`.
    pub index: Option<u64>,
    /// `chunk_count`.
    pub count: Option<u64>,
    /// `content_digest`: SHA-256 of the chunk's own text.
    pub sha256: Option<String>,
}

/// Reads what a payload says of a point that Enact may not have made.
pub fn said(payload: &Map<String, Value>) -> PointSaid {
    let text = |name: &str| payload.get(name).and_then(Value::as_str).map(str::to_owned);
    let number = |name: &str| payload.get(name).and_then(Value::as_u64);
    PointSaid {
        unit: text(UNIT_ID),
        index: number(CHUNK_INDEX),
        count: number(CHUNK_COUNT),
        sha256: text(CONTENT_DIGEST),
    }
}

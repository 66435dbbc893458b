//! What is written down of a set and of the points that it owns.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::canonical::Digest;
use super::chunk_policy::EmptyBody;
use super::points::{PointId, VectorParams};
use super::selection::Selection;

/// What is remembered about an applied set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRecord {
    /// Digest of the embedders then.
    pub embedders: Digest,
    /// The run that last wrote the collection.
    pub generation: String,
    /// Whether that run adopted it and so wrote nothing into it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub adopted: bool,
    /// Whether it left the plan files: nothing is done about it, and its points are its own again when it comes back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub forgotten: bool,
    /// The selection of its units; absent where an older Enact wrote it, and after a run that went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selection: Option<Selection>,
    /// Names of unit fields that go into its texts and payloads.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub fields: BTreeSet<String>,
    /// What became of units without a body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub empty_body: Option<EmptyBody>,
    /// The vectors of its collection; none where an older Enact wrote it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub vectors: BTreeMap<String, VectorParams>,
    /// The payload indexes of its collection.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub payload_indexes: BTreeMap<String, String>,
}

/// What is remembered about one unit of a set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedUnit {
    /// Digest of everything that its points were made from.
    pub input: Digest,
    /// Its points.
    pub owned: Ownership,
}

/// What is remembered about the points of one unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ownership {
    /// The unit's address then.
    pub address: String,
    /// Its chunks.
    pub chunks: Vec<OwnedChunk>,
}

/// One chunk of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnedChunk {
    /// The point.
    pub id: PointId,
    /// Digest of the text as embedded.
    pub text: Digest,
    /// SHA-256 of the chunk's own text.
    pub sha256: String,
    /// What stands in the point, where points may change under their ids.
    pub digest: Option<Digest>,
    /// Whether somebody else made the point, with vectors of which nothing is known.
    pub adopted: bool,
}

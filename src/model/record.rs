//! What is written down of a set and of the points that it owns.

use serde::{Deserialize, Serialize};

use super::canonical::Digest;
use super::points::PointId;

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

//! Points, collections and what identifies them. Ids are ordered as Qdrant scrolls: numbers, then uuids by their bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The id of a point: a uuid in hyphenated form or a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum PointId {
    /// An unsigned number.
    Number(u64),
    /// A uuid.
    Uuid(#[schemars(with = "String")] Uuid),
}

impl PointId {
    /// Reads what [`fmt::Display`] wrote; `None` for anything else.
    pub fn from_text(text: &str) -> Option<PointId> {
        match text.parse() {
            Ok(number) => Some(PointId::Number(number)),
            Err(_) => Uuid::try_parse(text).ok().map(PointId::Uuid),
        }
    }

    /// The id of a key under a namespace; `None` when the namespace is no uuid.
    pub fn of_key(namespace: &str, key: &str) -> Option<PointId> {
        let namespace = Uuid::parse_str(namespace).ok()?;
        Some(PointId::Uuid(Uuid::new_v5(&namespace, key.as_bytes())))
    }
}

impl fmt::Display for PointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PointId::Number(number) => write!(f, "{number}"),
            PointId::Uuid(uuid) => fmt::Display::fmt(uuid.as_hyphenated(), f),
        }
    }
}

/// How the points of a set get their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "scheme", rename_all = "snake_case")]
pub enum PointIds {
    /// From the digest of everything a point is made of: a point never changes under its id.
    #[default]
    Content,
    /// From a key, as UUID version 5 (RFC 9562 section 5.5): a chunk keeps its id whatever becomes of its text, and its
    /// point is overwritten. The digest stands in the payload.
    Key {
        /// The namespace, a uuid in hyphenated form.
        namespace: String,
        /// The template of the key, filled for each chunk.
        template: String,
    },
}

impl PointIds {
    /// Whether a point may change under its id.
    pub fn keyed(&self) -> bool {
        matches!(self, PointIds::Key { .. })
    }
}

/// What a store says of one collection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CollectionFacts {
    /// The collection's own name, never an alias.
    pub name: String,
    /// Its vectors by name; the unnamed one is `""`.
    pub vectors: BTreeMap<String, VectorParams>,
    /// Those of its vectors that are multivectors, which hold several vectors for one point.
    #[serde(default)]
    pub multivectors: BTreeSet<String>,
    /// Payload indexes by field.
    pub payload_indexes: BTreeMap<String, String>,
    /// Number of points, counted exactly.
    pub points: u64,
    /// Shards; more than one makes some reads inexact while they move.
    pub shards: u32,
    /// Whether its points are sharded by keys that whoever writes has to name.
    #[serde(default)]
    pub custom_sharding: bool,
    /// Whether strict mode is on.
    pub strict: bool,
    /// What the server refuses, or delays, for this collection.
    #[serde(default)]
    pub limits: CollectionLimits,
    /// Texts of the collection's metadata that Enact reads and writes.
    pub metadata: CollectionMetadata,
}

/// The texts of a collection's metadata.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CollectionMetadata {
    /// What the server keeps.
    Kept(BTreeMap<String, String>),
    /// The server keeps none.
    NotKept {
        /// Its version.
        server: String,
    },
}

impl CollectionMetadata {
    /// The text under a key, where there is one.
    pub fn get(&self, key: &str) -> Option<&str> {
        match self {
            CollectionMetadata::Kept(texts) => texts.get(key).map(String::as_str),
            CollectionMetadata::NotKept { server: _ } => None,
        }
    }

    /// Whether all of these texts are there, as far as the server can keep any.
    pub fn holds(&self, texts: &BTreeMap<String, String>) -> bool {
        match self {
            CollectionMetadata::Kept(kept) => texts.iter().all(|(key, text)| kept.get(key) == Some(text)),
            CollectionMetadata::NotKept { server: _ } => true,
        }
    }
}

/// What a collection's own configuration refuses or delays. Strict mode's limits are absent while it is off.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CollectionLimits {
    /// The most results that one request may ask for.
    pub page: Option<u64>,
    /// The longest deadline that a request may carry, in seconds.
    pub timeout_seconds: Option<u64>,
    /// The most points in one write.
    pub upsert_batch: Option<u64>,
    /// The most points.
    pub points: Option<u64>,
    /// The most bytes of vectors.
    pub vector_bytes: Option<u64>,
    /// The most bytes of payloads.
    pub payload_bytes: Option<u64>,
    /// The most payload indexes.
    pub payload_indexes: Option<u64>,
    /// Reads in a minute.
    pub reads_per_minute: Option<u64>,
    /// Writes in a minute.
    pub writes_per_minute: Option<u64>,
    /// Whether points are kept from reads until they are indexed.
    pub prevent_unoptimized: bool,
}

/// The shape of one vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VectorParams {
    /// A dense vector.
    Dense {
        /// Number of components.
        dimension: u64,
        /// `cosine`, `dot`, `euclid` or `manhattan`.
        distance: String,
    },
    /// A sparse vector.
    Sparse {
        /// Whether the server weighs by inverse document frequency.
        idf: bool,
    },
}

/// What a splitter made of one unit's body at one place, without the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChunkFacts {
    /// Its place, from 0.
    pub ordinal: u32,
    /// Digest of the text as embedded.
    pub text: super::Digest,
    /// SHA-256 of the chunk's own text, in hex.
    pub sha256: String,
    /// Estimated tokens of the text as embedded.
    pub tokens: u64,
}

/// What an embedder is: another identity means other vectors.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EmbedderIdentity {
    /// `static` or `openai`.
    pub kind: String,
    /// The model.
    pub model: String,
    /// Components of a vector.
    pub dimension: u32,
    /// Digest of the model file, where there is one.
    pub revision: Option<String>,
}

impl std::fmt::Display for EmbedderIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let EmbedderIdentity { kind, model, dimension, revision } = self;
        write!(f, "{kind} {model}, {dimension} dimensions")?;
        revision.as_ref().map_or(Ok(()), |revision| write!(f, ", revision {revision}"))
    }
}

/// Identities of everything that makes points: they go into digests, so that a change of any of them means other points.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Identities {
    /// Chunk policies by name: splitter, its version and its parameters.
    pub policies: BTreeMap<String, serde_json::Value>,
    /// Embedders by name.
    pub embedders: BTreeMap<String, EmbedderIdentity>,
    /// BM25 parameters by language.
    pub sparse: BTreeMap<String, serde_json::Value>,
}

/// One payload index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexFacts {
    /// The payload field.
    pub field: String,
    /// `keyword`, `uuid`, `integer`, `float`, `bool`, `datetime` or `text`.
    pub kind: String,
}

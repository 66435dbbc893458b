//! The vector side.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde_json::Value;

use super::error::StoreError;
use crate::model::{CollectionFacts, PointId, VectorParams};

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerFacts {
    /// Its version, such as `1.16.3`.
    pub version: String,
    /// Where it is, without any secret.
    pub url: String,
    /// Whether it keeps metadata of collections.
    pub keeps_metadata: bool,
    /// What is known of the key that goes with each request.
    pub key: KeyFacts,
}

/// What a key says of itself, without asking the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyFacts {
    /// There is none.
    None,
    /// It says nothing.
    Opaque,
    /// A token that may read and nothing else.
    ReadOnly,
    /// A token that may do everything.
    Manage,
    /// A token for some collections: which, and whether it may write there.
    Collections(BTreeMap<String, bool>),
}

/// What waits while a store is asked, and so how long it may go on asking a server that cannot answer yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Nothing but the caller.
    Patient,
    /// Others, for row locks that the caller holds.
    Brief,
    /// Somebody who wants to stop. It stays so.
    Stopping,
}

/// The most points in one write.
pub const POINTS_PER_WRITE: u32 = 256;

/// The most points that are read by their ids in one request. A server with a limit on reads counts each id as one.
pub const POINTS_PER_READ: u32 = 256;

/// A collection to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct CollectionSpec {
    /// Its name.
    pub name: String,
    /// Vectors by name.
    pub vectors: BTreeMap<String, VectorParams>,
    /// Payload indexes: field to kind.
    pub payload_indexes: BTreeMap<String, String>,
    /// Texts for the collection's metadata.
    pub metadata: BTreeMap<String, String>,
    /// A collection as which it is made, where the shape allows: storage, indexing, quantisation, replication, limits.
    /// Without one it gets the server's defaults.
    pub like: Option<String>,
}

/// A sparse vector: indices ascending, one value each.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SparseVector {
    /// Indices.
    pub indices: Vec<u32>,
    /// Values.
    pub values: Vec<f32>,
}

/// One vector of a point.
#[derive(Debug, Clone, PartialEq)]
pub enum NamedVector {
    /// Dense.
    Dense(Vec<f32>),
    /// Sparse.
    Sparse(SparseVector),
}

/// A point.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Its id.
    pub id: PointId,
    /// Vectors by name; the unnamed one is `""`.
    pub vectors: BTreeMap<String, NamedVector>,
    /// Its payload: a JSON object.
    pub payload: serde_json::Map<String, Value>,
}

/// One page of a scroll.
#[derive(Debug, Clone, PartialEq)]
pub struct PointPage {
    /// The points, by ascending id.
    pub points: Vec<Point>,
    /// Where the next page begins, `None` after the last.
    pub next: Option<PointId>,
}

/// A search: every vector given is searched, several are fused by reciprocal rank.
#[derive(Debug, Clone, PartialEq)]
pub struct SearchQuery {
    /// Query vectors by vector name.
    pub vectors: BTreeMap<String, NamedVector>,
    /// How many results.
    pub limit: u64,
}

/// One result of a search.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// The point's id.
    pub id: PointId,
    /// Its score; larger is nearer.
    pub score: f32,
    /// Its payload.
    pub payload: serde_json::Map<String, Value>,
}

/// A vector store. Where `collection` is taken, an alias does as well, except in `ensure_collection` and
/// `ensure_collection_absent`.
#[async_trait]
pub trait VectorStore: Send + Sync {
    /// Says what waits from now on. A store that asks nothing again does not care.
    fn pace(&self, _pace: Pace) {}

    /// Asks the server for its version.
    async fn server(&self) -> Result<ServerFacts, StoreError>;

    /// The names of all collections, sorted.
    async fn collections(&self) -> Result<Vec<String>, StoreError>;

    /// Facts of one collection, `None` when there is none. Counts exactly.
    async fn collection(&self, name: &str) -> Result<Option<CollectionFacts>, StoreError>;

    /// Whether the server is building the collection's indexes: searches are slower meanwhile. `false` when there is none.
    async fn is_optimising(&self, collection: &str) -> Result<bool, StoreError>;

    /// All aliases: alias to collection.
    async fn aliases(&self) -> Result<BTreeMap<String, String>, StoreError>;

    /// One page of ids alone, by ascending id.
    async fn point_ids(
        &self,
        collection: &str,
        from: Option<&PointId>,
        limit: u32,
    ) -> Result<(Vec<PointId>, Option<PointId>), StoreError>;

    /// One page of points with payload, and with vectors if asked.
    async fn points(
        &self,
        collection: &str,
        from: Option<&PointId>,
        limit: u32,
        with: WithVectors,
    ) -> Result<PointPage, StoreError>;

    /// How many points have each value of a keyword field that has a payload index, counted exactly; `None` where the server
    /// or the collection's limits do not allow that.
    async fn facet(&self, collection: &str, field: &str) -> Result<Option<BTreeMap<String, u64>>, StoreError>;

    /// One page of points with payload, by ascending id: those of which one field or another has one of its values.
    async fn points_with(
        &self,
        collection: &str,
        any: &BTreeMap<&str, Vec<String>>,
        from: Option<&PointId>,
    ) -> Result<PointPage, StoreError>;

    /// The points with these ids that exist, in no order.
    async fn retrieve(&self, collection: &str, ids: &[PointId], with: WithVectors) -> Result<Vec<Point>, StoreError>;

    /// Searches.
    async fn search(&self, collection: &str, query: &SearchQuery) -> Result<Vec<Scored>, StoreError>;

    /// Makes a collection with its payload indexes; one of the same shape that exists already is success, however it is
    /// configured, another shape is [`Fault::Conflict`](super::Fault::Conflict). A collection to be
    /// [like](CollectionSpec::like) that is not there is refused.
    async fn ensure_collection(&self, spec: &CollectionSpec) -> Result<(), StoreError>;

    /// Makes the collection's metadata hold these texts beside what it holds. Does nothing where the server keeps none.
    async fn ensure_metadata(&self, collection: &str, metadata: &BTreeMap<String, String>) -> Result<(), StoreError>;

    /// Removes a collection; success when there is none.
    async fn ensure_collection_absent(&self, name: &str) -> Result<(), StoreError>;

    /// Writes points and waits until they are durable.
    async fn ensure_points(&self, collection: &str, points: &[Point]) -> Result<(), StoreError>;

    /// Removes points by id and waits until that is durable.
    async fn ensure_points_absent(&self, collection: &str, ids: &[PointId]) -> Result<(), StoreError>;

    /// Returns once every write that the server took for this collection before is applied, whoever sent it and whether or
    /// not that sender waits. What is read after it cannot change by such a write. Success where there is no collection.
    async fn ensure_applied(&self, collection: &str) -> Result<(), StoreError>;

    /// Makes the alias name this collection, overwriting in one action.
    async fn ensure_alias(&self, alias: &str, collection: &str) -> Result<(), StoreError>;

    /// Removes an alias; success when there is none.
    async fn ensure_alias_absent(&self, alias: &str) -> Result<(), StoreError>;

    /// Makes the payload index exist.
    async fn ensure_payload_index(&self, collection: &str, field: &str, kind: &str) -> Result<(), StoreError>;

    /// Removes the payload index; success when there is none.
    async fn ensure_payload_index_absent(&self, collection: &str, field: &str) -> Result<(), StoreError>;
}

/// Whether vectors come with points.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WithVectors {
    /// Yes.
    Yes,
    /// No.
    No,
}

//! Qdrant over gRPC.
//!
//! - Built on the generated clients of `qdrant-client` and a channel of our own, because the convenience client sends
//!   point calls a second time without saying so, takes no certificate authority, and hides whether a request left.
//! - A write waits (`wait=true`) and counts only when the server says `Completed`; any other answer, and a reply that
//!   never came, is [`Fault::InDoubt`](super::Fault::InDoubt) (`fault`).
//! - What was certainly not done is tried again for a while, what is in doubt never (`retry`).
//! - Counts are exact, ids come in ascending order, points are deleted by id alone, an alias is moved by one action.
//! - Payloads keep integers, floats and nesting as they are (`payload`); shapes and points are translated in `wire`.
//! - A collection that takes the place of another is made as that one is (`like`).
//! - What a key says of itself is read from it, never tried out by a write (`key`).
//! - A server that is too old is refused when connecting; what an older one cannot keep is not asked of it (`version`).
//! - A connection that cannot be made is looked into, so that the message says what is wrong (`probe`).
//!
//! The server normalises the vectors of a `cosine` collection: what is read back is not what was written.

mod address;
mod client;
mod fault;
mod key;
mod like;
mod payload;
mod probe;
mod reads;
mod retry;
#[cfg(test)]
mod tests;
mod vectors;
mod version;
mod wire;
mod writes;

use std::collections::BTreeMap;
use std::path::PathBuf;

use async_trait::async_trait;
use secrecy::SecretString;

use self::client::Client;
pub use self::version::OLDEST as OLDEST_SERVER;
use super::{
    CollectionSpec, Pace, Point, PointPage, Scored, SearchQuery, ServerFacts, StoreError, VectorStore, WithVectors,
};
use crate::model::{CollectionFacts, PointId};

/// How to connect.
#[derive(Debug, Clone)]
pub struct QdrantOptions {
    /// `http://host:6334` or `https://…`; without a port, 6334.
    pub url: SecretString,
    /// The API key.
    pub api_key: Option<SecretString>,
    /// The deadline of one request, here and at the server.
    pub timeout_ms: u64,
    /// How long after a write was first sent it may be under way with further tries; 0 is none. Not longer than what
    /// recovery waits for, the environment's `request_deadline`.
    pub retry_ms: u64,
    /// A PEM file with the authorities to trust, instead of the machine's own.
    pub ca: Option<PathBuf>,
}

/// A connection to Qdrant. It connects again by itself.
#[derive(Clone)]
pub struct Qdrant {
    client: Client,
    server: ServerFacts,
}

impl Qdrant {
    /// Connects, and asks for the version and, with that, whether the key is right.
    ///
    /// # Errors
    /// When the options cannot be used, nothing answers, the key is refused, or the server is older than
    /// [`OLDEST_SERVER`].
    pub async fn connect(options: &QdrantOptions) -> Result<Qdrant, StoreError> {
        let mut client = Client::connect(options).await?;
        let version = match client.greet().await {
            Ok(version) => version,
            Err(error) => return Err(client.diagnose(error).await),
        };
        version::check(&version, &client.url())?;
        client.of_version(&version);
        let keeps_metadata = client.keeps_metadata();
        Ok(Qdrant {
            server: ServerFacts { version, url: client.url(), keeps_metadata, key: key::facts(options) },
            client,
        })
    }
}

#[async_trait]
impl VectorStore for Qdrant {
    fn pace(&self, pace: Pace) {
        self.client.set_pace(pace);
    }

    async fn server(&self) -> Result<ServerFacts, StoreError> {
        Ok(self.server.clone())
    }

    async fn collections(&self) -> Result<Vec<String>, StoreError> {
        reads::collections(&self.client).await
    }

    async fn collection(&self, name: &str) -> Result<Option<CollectionFacts>, StoreError> {
        reads::collection(&self.client, name).await
    }

    async fn is_optimising(&self, collection: &str) -> Result<bool, StoreError> {
        reads::is_optimising(&self.client, collection).await
    }

    async fn aliases(&self) -> Result<BTreeMap<String, String>, StoreError> {
        reads::aliases(&self.client).await
    }

    async fn point_ids(
        &self,
        collection: &str,
        from: Option<&PointId>,
        limit: u32,
    ) -> Result<(Vec<PointId>, Option<PointId>), StoreError> {
        let page = reads::page(&self.client, collection, from, limit, reads::With::Ids).await?;
        Ok((page.points.into_iter().map(|point| point.id).collect(), page.next))
    }

    async fn points(
        &self,
        collection: &str,
        from: Option<&PointId>,
        limit: u32,
        with: WithVectors,
    ) -> Result<PointPage, StoreError> {
        reads::page(&self.client, collection, from, limit, with.into()).await
    }

    async fn facet(&self, collection: &str, field: &str) -> Result<Option<BTreeMap<String, u64>>, StoreError> {
        reads::facet(&self.client, collection, field).await
    }

    async fn points_with(
        &self,
        collection: &str,
        any: &BTreeMap<&str, Vec<String>>,
        from: Option<&PointId>,
    ) -> Result<PointPage, StoreError> {
        reads::points_with(&self.client, collection, any, from).await
    }

    async fn retrieve(&self, collection: &str, ids: &[PointId], with: WithVectors) -> Result<Vec<Point>, StoreError> {
        reads::retrieve(&self.client, collection, ids, with.into()).await
    }

    async fn search(&self, collection: &str, query: &SearchQuery) -> Result<Vec<Scored>, StoreError> {
        reads::search(&self.client, collection, query).await
    }

    async fn ensure_collection(&self, spec: &CollectionSpec) -> Result<(), StoreError> {
        writes::ensure_collection(&self.client, spec).await
    }

    async fn ensure_metadata(&self, collection: &str, metadata: &BTreeMap<String, String>) -> Result<(), StoreError> {
        writes::ensure_metadata(&self.client, collection, metadata).await
    }

    async fn ensure_collection_absent(&self, name: &str) -> Result<(), StoreError> {
        writes::ensure_collection_absent(&self.client, name).await
    }

    async fn ensure_points(&self, collection: &str, points: &[Point]) -> Result<(), StoreError> {
        writes::ensure_points(&self.client, collection, points).await
    }

    async fn ensure_points_absent(&self, collection: &str, ids: &[PointId]) -> Result<(), StoreError> {
        writes::ensure_points_absent(&self.client, collection, ids).await
    }

    async fn ensure_applied(&self, collection: &str) -> Result<(), StoreError> {
        writes::ensure_applied(&self.client, collection).await
    }

    async fn ensure_alias(&self, alias: &str, collection: &str) -> Result<(), StoreError> {
        writes::ensure_alias(&self.client, alias, collection).await
    }

    async fn ensure_alias_absent(&self, alias: &str) -> Result<(), StoreError> {
        writes::ensure_alias_absent(&self.client, alias).await
    }

    async fn ensure_payload_index(&self, collection: &str, field: &str, kind: &str) -> Result<(), StoreError> {
        writes::ensure_payload_index(&self.client, collection, field, kind).await
    }

    async fn ensure_payload_index_absent(&self, collection: &str, field: &str) -> Result<(), StoreError> {
        writes::ensure_payload_index_absent(&self.client, collection, field).await
    }
}

//! A vector store that holds nothing and takes nothing: rows have no business there.

use std::collections::BTreeMap;

use async_trait::async_trait;
use enact::model::{CollectionFacts, PointId};
use enact::store::{
    CollectionSpec, Fault, KeyFacts, Point, PointPage, Scored, SearchQuery, ServerFacts, StoreError, VectorStore,
    WithVectors,
};

/// The store.
pub struct Nothing;

fn no<T>(what: &str) -> Result<T, StoreError> {
    Err(StoreError::new(Fault::Refused, format!("rows need no vector store, and \"{what}\" was asked of it")))
}

#[async_trait]
impl VectorStore for Nothing {
    async fn server(&self) -> Result<ServerFacts, StoreError> {
        let url = "nothing".to_owned();
        Ok(ServerFacts { version: "1.18.0".to_owned(), url, keeps_metadata: true, key: KeyFacts::None })
    }

    async fn collections(&self) -> Result<Vec<String>, StoreError> {
        Ok(Vec::new())
    }

    async fn collection(&self, _name: &str) -> Result<Option<CollectionFacts>, StoreError> {
        Ok(None)
    }

    async fn is_optimising(&self, _collection: &str) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn aliases(&self) -> Result<BTreeMap<String, String>, StoreError> {
        Ok(BTreeMap::new())
    }

    async fn point_ids(
        &self,
        _collection: &str,
        _from: Option<&PointId>,
        _limit: u32,
    ) -> Result<(Vec<PointId>, Option<PointId>), StoreError> {
        no("point_ids")
    }

    async fn points(
        &self,
        _collection: &str,
        _from: Option<&PointId>,
        _limit: u32,
        _with: WithVectors,
    ) -> Result<PointPage, StoreError> {
        no("points")
    }

    async fn facet(&self, _collection: &str, _field: &str) -> Result<Option<BTreeMap<String, u64>>, StoreError> {
        no("facet")
    }

    async fn points_with(
        &self,
        _collection: &str,
        _any: &BTreeMap<&str, Vec<String>>,
        _from: Option<&PointId>,
    ) -> Result<PointPage, StoreError> {
        no("points_with")
    }

    async fn retrieve(
        &self,
        _collection: &str,
        _ids: &[PointId],
        _with: WithVectors,
    ) -> Result<Vec<Point>, StoreError> {
        no("retrieve")
    }

    async fn search(&self, _collection: &str, _query: &SearchQuery) -> Result<Vec<Scored>, StoreError> {
        no("search")
    }

    async fn ensure_collection(&self, _spec: &CollectionSpec) -> Result<(), StoreError> {
        no("ensure_collection")
    }

    async fn ensure_metadata(&self, _collection: &str, _metadata: &BTreeMap<String, String>) -> Result<(), StoreError> {
        no("ensure_metadata")
    }

    async fn ensure_collection_absent(&self, _name: &str) -> Result<(), StoreError> {
        no("ensure_collection_absent")
    }

    async fn ensure_points(&self, _collection: &str, _points: &[Point]) -> Result<(), StoreError> {
        no("ensure_points")
    }

    async fn ensure_points_absent(&self, _collection: &str, _ids: &[PointId]) -> Result<(), StoreError> {
        no("ensure_points_absent")
    }

    async fn ensure_applied(&self, _collection: &str) -> Result<(), StoreError> {
        no("ensure_applied")
    }

    async fn ensure_alias(&self, _alias: &str, _collection: &str) -> Result<(), StoreError> {
        no("ensure_alias")
    }

    async fn ensure_alias_absent(&self, _alias: &str) -> Result<(), StoreError> {
        no("ensure_alias_absent")
    }

    async fn ensure_payload_index(&self, _collection: &str, _field: &str, _kind: &str) -> Result<(), StoreError> {
        no("ensure_payload_index")
    }

    async fn ensure_payload_index_absent(&self, _collection: &str, _field: &str) -> Result<(), StoreError> {
        no("ensure_payload_index_absent")
    }
}

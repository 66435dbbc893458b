//! Qdrant with faults, and an embedder with faults.
//!
//! A write that is half done leaves what a server can leave that died in the middle: a collection without its payload
//! indexes, the first half of the points. A write that is late is answered as in doubt and arrives a little later. One that
//! is queued has arrived, and is applied with the next write of its collection; what is read meanwhile is without it.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use enact::embed::{BatchLimits, EmbedError, Embedder, EmbedderIdentity, Probe};
use enact::model::{CollectionFacts, PointId};
use enact::store::{
    CollectionSpec, Fault, Point, PointPage, Scored, SearchQuery, ServerFacts, StoreError, VectorStore, WithVectors,
};

use crate::faults::injector::{Injector, in_doubt};
use crate::faults::schedule::{Kind, Op};

pub struct FaultyVectors {
    inner: Arc<dyn VectorStore>,
    injector: Arc<Injector>,
}

/// A write, kept so that it can be done twice, by half, or later.
#[derive(Clone)]
pub enum Write {
    Collection(CollectionSpec),
    Metadata(String, BTreeMap<String, String>),
    CollectionAbsent(String),
    Points(String, Vec<Point>),
    PointsAbsent(String, Vec<PointId>),
    Applied(String),
    Alias(String, String),
    AliasAbsent(String),
    PayloadIndex(String, String, String),
    PayloadIndexAbsent(String, String),
}

impl Write {
    async fn send(&self, store: &dyn VectorStore) -> Result<(), StoreError> {
        match self {
            Write::Collection(spec) => store.ensure_collection(spec).await,
            Write::Metadata(name, texts) => store.ensure_metadata(name, texts).await,
            Write::CollectionAbsent(name) => store.ensure_collection_absent(name).await,
            Write::Points(name, points) => store.ensure_points(name, points).await,
            Write::PointsAbsent(name, ids) => store.ensure_points_absent(name, ids).await,
            Write::Applied(name) => store.ensure_applied(name).await,
            Write::Alias(alias, name) => store.ensure_alias(alias, name).await,
            Write::AliasAbsent(alias) => store.ensure_alias_absent(alias).await,
            Write::PayloadIndex(name, field, kind) => store.ensure_payload_index(name, field, kind).await,
            Write::PayloadIndexAbsent(name, field) => store.ensure_payload_index_absent(name, field).await,
        }
    }

    fn half(&self) -> Option<Write> {
        match self {
            Write::Collection(spec) if !spec.payload_indexes.is_empty() => {
                Some(Write::Collection(CollectionSpec { payload_indexes: BTreeMap::new(), ..spec.clone() }))
            }
            Write::Points(name, points) if points.len() > 1 => {
                Some(Write::Points(name.clone(), points[..points.len() / 2].to_vec()))
            }
            Write::PointsAbsent(name, ids) if ids.len() > 1 => {
                Some(Write::PointsAbsent(name.clone(), ids[..ids.len() / 2].to_vec()))
            }
            Write::Collection(_)
            | Write::Metadata(..)
            | Write::CollectionAbsent(_)
            | Write::Points(..)
            | Write::PointsAbsent(..)
            | Write::Applied(_)
            | Write::Alias(..)
            | Write::AliasAbsent(_)
            | Write::PayloadIndex(..)
            | Write::PayloadIndexAbsent(..) => None,
        }
    }

    /// The collection whose queue it goes through; an alias has none.
    fn collection(&self) -> Option<&str> {
        match self {
            Write::Collection(spec) => Some(&spec.name),
            Write::Metadata(name, _)
            | Write::CollectionAbsent(name)
            | Write::Points(name, _)
            | Write::PointsAbsent(name, _)
            | Write::Applied(name)
            | Write::PayloadIndex(name, ..)
            | Write::PayloadIndexAbsent(name, _) => Some(name),
            Write::Alias(..) | Write::AliasAbsent(_) => None,
        }
    }

    fn label(&self) -> String {
        match self {
            Write::Collection(spec) => format!("ensure_collection {}", spec.name),
            Write::Metadata(name, texts) => format!("ensure_metadata {name} {texts:?}"),
            Write::CollectionAbsent(name) => format!("ensure_collection_absent {name}"),
            Write::Points(name, points) => {
                format!("ensure_points {name} {}", list(points.iter().map(|point| &point.id)))
            }
            Write::PointsAbsent(name, ids) => format!("ensure_points_absent {name} {}", list(ids)),
            Write::Applied(name) => format!("ensure_applied {name}"),
            Write::Alias(alias, name) => format!("ensure_alias {alias} {name}"),
            Write::AliasAbsent(alias) => format!("ensure_alias_absent {alias}"),
            Write::PayloadIndex(name, field, kind) => format!("ensure_payload_index {name} {field} {kind}"),
            Write::PayloadIndexAbsent(name, field) => format!("ensure_payload_index_absent {name} {field}"),
        }
    }
}

/// The beginnings of ids.
fn list<'i>(ids: impl IntoIterator<Item = &'i PointId>) -> String {
    let short = |id: &PointId| id.to_string().chars().take(6).collect::<String>();
    ids.into_iter().map(short).collect::<Vec<_>>().join(" ")
}

impl FaultyVectors {
    pub fn new(inner: Arc<dyn VectorStore>, injector: Arc<Injector>) -> FaultyVectors {
        FaultyVectors { inner, injector }
    }

    async fn read(&self, label: &str) -> Result<(), StoreError> {
        self.injector.enter(Op::Read, label, false).await.map(|_| ())
    }

    async fn write(&self, write: Write) -> Result<(), StoreError> {
        let run = self.injector.run_or_mark();
        match self.injector.planted.written(write, &run, self.inner.as_ref()).await? {
            Some(write) => self.ask(write).await,
            None => Ok(()),
        }
    }

    async fn ask(&self, write: Write) -> Result<(), StoreError> {
        let half = write.half();
        let of_points = matches!(write, Write::Points(..) | Write::PointsAbsent(..));
        let op = Op::Write { has_half: half.is_some(), of_points };
        match self.injector.enter(op, &write.label(), true).await? {
            Some(Kind::LostRequest) => Err(in_doubt()),
            Some(Kind::LostReply) => self.send(&write).await.and_then(|()| Err(in_doubt())),
            Some(Kind::Half) => self.send(&half.unwrap_or(write)).await.and_then(|()| Err(in_doubt())),
            Some(Kind::Repeat) => {
                self.send(&write).await?;
                self.send(&write).await
            }
            Some(kind @ (Kind::Late | Kind::DeathLate | Kind::Queued | Kind::DeathQueued)) => {
                self.later(write, matches!(kind, Kind::Queued | Kind::DeathQueued));
                if matches!(kind, Kind::DeathLate | Kind::DeathQueued) {
                    self.injector.die().await;
                }
                Err(in_doubt())
            }
            Some(Kind::DeathHalf) => {
                let _nobody_is_told = self.send(&half.unwrap_or(write)).await;
                self.injector.die().await
            }
            Some(Kind::DeathAfter) => {
                let _nobody_is_told = self.send(&write).await;
                self.injector.die().await
            }
            Some(Kind::Refuse | Kind::Fail | Kind::DeathBefore) | None => self.send(&write).await,
        }
    }

    /// The server applies what it has taken for a collection in order.
    async fn send(&self, write: &Write) -> Result<(), StoreError> {
        if let Some(collection) = write.collection() {
            self.injector.apply_queued(collection).await;
        }
        write.send(self.inner.as_ref()).await
    }

    fn later(&self, write: Write, is_queued: bool) {
        let queue = write.collection().filter(|_| is_queued).map(str::to_owned);
        let store = Arc::clone(&self.inner);
        self.injector.send(queue, async move {
            let _nobody_is_told = write.send(store.as_ref()).await;
        });
    }
}

#[async_trait]
impl VectorStore for FaultyVectors {
    async fn server(&self) -> Result<ServerFacts, StoreError> {
        self.read("server").await?;
        self.inner.server().await
    }

    async fn collections(&self) -> Result<Vec<String>, StoreError> {
        self.read("collections").await?;
        self.inner.collections().await
    }

    async fn collection(&self, name: &str) -> Result<Option<CollectionFacts>, StoreError> {
        self.read(&format!("collection {name}")).await?;
        self.inner.collection(name).await
    }

    async fn is_optimising(&self, collection: &str) -> Result<bool, StoreError> {
        self.read(&format!("is_optimising {collection}")).await?;
        self.inner.is_optimising(collection).await
    }

    async fn aliases(&self) -> Result<BTreeMap<String, String>, StoreError> {
        self.read("aliases").await?;
        Ok(self.injector.planted.aliases(self.inner.aliases().await?))
    }

    async fn point_ids(
        &self,
        collection: &str,
        from: Option<&PointId>,
        limit: u32,
    ) -> Result<(Vec<PointId>, Option<PointId>), StoreError> {
        self.read(&format!("point_ids {collection}")).await?;
        if self.injector.planted.overlooks(collection, &self.injector.run_or_mark()) {
            return Ok((Vec::new(), None));
        }
        self.inner.point_ids(collection, from, limit).await
    }

    async fn points(
        &self,
        collection: &str,
        from: Option<&PointId>,
        limit: u32,
        with: WithVectors,
    ) -> Result<PointPage, StoreError> {
        self.read(&format!("points {collection}")).await?;
        self.inner.points(collection, from, limit, with).await
    }

    async fn facet(&self, collection: &str, field: &str) -> Result<Option<BTreeMap<String, u64>>, StoreError> {
        self.read(&format!("facet {collection} {field}")).await?;
        self.inner.facet(collection, field).await
    }

    async fn points_with(
        &self,
        collection: &str,
        any: &BTreeMap<&str, Vec<String>>,
        from: Option<&PointId>,
    ) -> Result<PointPage, StoreError> {
        self.read(&format!("points_with {collection}")).await?;
        self.inner.points_with(collection, any, from).await
    }

    async fn retrieve(&self, collection: &str, ids: &[PointId], with: WithVectors) -> Result<Vec<Point>, StoreError> {
        self.read(&format!("retrieve {collection} {}", list(ids))).await?;
        let found = self.inner.retrieve(collection, ids, with).await?;
        Ok(self.injector.planted.found(found, ids, with))
    }

    async fn search(&self, collection: &str, query: &SearchQuery) -> Result<Vec<Scored>, StoreError> {
        self.read(&format!("search {collection}")).await?;
        self.inner.search(collection, query).await
    }

    async fn ensure_collection(&self, spec: &CollectionSpec) -> Result<(), StoreError> {
        self.write(Write::Collection(spec.clone())).await
    }

    async fn ensure_metadata(&self, collection: &str, metadata: &BTreeMap<String, String>) -> Result<(), StoreError> {
        self.write(Write::Metadata(collection.to_owned(), metadata.clone())).await
    }

    async fn ensure_collection_absent(&self, name: &str) -> Result<(), StoreError> {
        self.write(Write::CollectionAbsent(name.to_owned())).await
    }

    async fn ensure_points(&self, collection: &str, points: &[Point]) -> Result<(), StoreError> {
        self.write(Write::Points(collection.to_owned(), points.to_vec())).await
    }

    async fn ensure_points_absent(&self, collection: &str, ids: &[PointId]) -> Result<(), StoreError> {
        self.write(Write::PointsAbsent(collection.to_owned(), ids.to_vec())).await
    }

    async fn ensure_applied(&self, collection: &str) -> Result<(), StoreError> {
        self.write(Write::Applied(collection.to_owned())).await
    }

    async fn ensure_alias(&self, alias: &str, collection: &str) -> Result<(), StoreError> {
        self.write(Write::Alias(alias.to_owned(), collection.to_owned())).await
    }

    async fn ensure_alias_absent(&self, alias: &str) -> Result<(), StoreError> {
        self.write(Write::AliasAbsent(alias.to_owned())).await
    }

    async fn ensure_payload_index(&self, collection: &str, field: &str, kind: &str) -> Result<(), StoreError> {
        self.write(Write::PayloadIndex(collection.to_owned(), field.to_owned(), kind.to_owned())).await
    }

    async fn ensure_payload_index_absent(&self, collection: &str, field: &str) -> Result<(), StoreError> {
        self.write(Write::PayloadIndexAbsent(collection.to_owned(), field.to_owned())).await
    }
}

/// An embedder with faults, which also keeps what it was asked for.
pub struct FaultyEmbedder {
    pub inner: Arc<dyn Embedder>,
    pub injector: Arc<Injector>,
}

#[async_trait]
impl Embedder for FaultyEmbedder {
    fn identity(&self) -> &EmbedderIdentity {
        self.inner.identity()
    }

    fn limits(&self) -> BatchLimits {
        self.inner.limits()
    }

    fn count_tokens(&self, text: &str) -> u64 {
        self.inner.count_tokens(text)
    }

    async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, EmbedError> {
        let endpoint = "the schedule".to_owned();
        let fault = match self.injector.enter(Op::Embed, &format!("embed {} texts", texts.len()), false).await {
            Ok(fault) => fault,
            Err(error) if error.fault == Fault::Refused => {
                return Err(EmbedError::Rejected { endpoint, status: 400, code: None, retry_after: None });
            }
            Err(_) => return Err(EmbedError::Timeout { endpoint, timeout_ms: 0 }),
        };
        let answer = self.inner.embed(texts).await;
        self.injector.note_embedded(texts.len());
        if fault == Some(Kind::DeathAfter) {
            self.injector.die().await;
        }
        answer
    }

    async fn probe(&self) -> Result<Probe, EmbedError> {
        self.inner.probe().await
    }
}

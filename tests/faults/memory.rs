//! A vector store in memory: as much of Qdrant as the apply uses, thousands of times faster to set back.
//!
//! `conformance` in `main.rs` runs one script against this and against the real server and compares every answer.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard};

use async_trait::async_trait;
use enact::model::{CollectionFacts, CollectionMetadata, PointId, VectorParams, canonical_json};
use enact::store::{
    CollectionSpec, Fault, KeyFacts, NamedVector, Point, PointPage, Scored, SearchQuery, ServerFacts, StoreError,
    VectorStore, WithVectors,
};

#[derive(Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    collections: BTreeMap<String, Collection>,
    aliases: BTreeMap<String, String>,
    /// The run whose id was taken out, and the digest, where nothing was written since.
    digest: Option<(String, u64)>,
}

struct Collection {
    spec: CollectionSpec,
    points: BTreeMap<PointId, Point>,
}

impl Inner {
    fn own_name<'n>(&'n self, name: &'n str) -> &'n str {
        self.aliases.get(name).map_or(name, String::as_str)
    }

    fn find(&self, name: &str) -> Result<&Collection, StoreError> {
        self.collections.get(self.own_name(name)).ok_or_else(|| missing(name))
    }

    fn find_mut(&mut self, name: &str) -> Result<&mut Collection, StoreError> {
        let own = self.own_name(name).to_owned();
        self.collections.get_mut(&own).ok_or_else(|| missing(name))
    }
}

/// The text at a path of keys.
fn value_at(point: &Point, path: &str) -> Option<String> {
    let (first, rest) = path.split_once('.')?;
    point.payload.get(first)?.get(rest)?.as_str().map(str::to_owned)
}

fn missing(name: &str) -> StoreError {
    StoreError::new(Fault::Refused, format!("there is no collection \"{name}\"")).code("NotFound")
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// The content, to write to it.
    fn change(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        inner.digest = None;
        inner
    }

    /// Digest of everything, with the run's id taken out.
    pub fn digest(&self, run: &str) -> u64 {
        let mut inner = self.lock();
        if let Some((known, digest)) = &inner.digest
            && known == run
        {
            return *digest;
        }
        let mut hasher = DefaultHasher::new();
        let plain = |text: &str| text.replace(run, crate::faults::injector::RUN);
        for (alias, collection) in &inner.aliases {
            (alias, plain(collection)).hash(&mut hasher);
        }
        for (name, Collection { spec, points }) in &inner.collections {
            plain(name).hash(&mut hasher);
            plain(&format!("{:?} {:?}", spec.payload_indexes, spec.metadata)).hash(&mut hasher);
            for (id, point) in points {
                id.to_string().hash(&mut hasher);
                point.vectors.keys().collect::<Vec<_>>().hash(&mut hasher);
                canonical_json(&point.payload).hash(&mut hasher);
            }
        }
        let digest = hasher.finish();
        inner.digest = Some((run.to_owned(), digest));
        digest
    }
}

/// The server normalises the vectors of a `cosine` collection, unless they are so already.
fn stored(point: &Point, vectors: &BTreeMap<String, VectorParams>) -> Point {
    let mut point = point.clone();
    for (name, vector) in &mut point.vectors {
        let Some(VectorParams::Dense { distance, .. }) = vectors.get(name) else { continue };
        let NamedVector::Dense(numbers) = vector else { continue };
        let length = numbers.iter().map(|number| number * number).sum::<f32>();
        if distance == "cosine" && length > f32::EPSILON && (length - 1.0).abs() > 1e-6 {
            let length = length.sqrt();
            numbers.iter_mut().for_each(|number| *number /= length);
        }
    }
    point
}

fn shown(point: &Point, with: WithVectors) -> Point {
    match with {
        WithVectors::Yes => point.clone(),
        WithVectors::No => Point { vectors: BTreeMap::new(), ..point.clone() },
    }
}

#[async_trait]
impl VectorStore for Memory {
    async fn server(&self) -> Result<ServerFacts, StoreError> {
        Ok(ServerFacts {
            version: "1.18.0".to_owned(),
            url: "memory".to_owned(),
            keeps_metadata: true,
            key: KeyFacts::None,
        })
    }

    async fn collections(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.lock().collections.keys().cloned().collect())
    }

    async fn collection(&self, name: &str) -> Result<Option<CollectionFacts>, StoreError> {
        let inner = self.lock();
        Ok(inner.find(name).ok().map(|Collection { spec, points }| CollectionFacts {
            name: spec.name.clone(),
            vectors: spec.vectors.clone(),
            multivectors: Default::default(),
            payload_indexes: spec.payload_indexes.clone(),
            points: points.len() as u64,
            shards: 1,
            custom_sharding: false,
            strict: false,
            limits: Default::default(),
            metadata: CollectionMetadata::Kept(spec.metadata.clone()),
        }))
    }

    async fn is_optimising(&self, _collection: &str) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn aliases(&self) -> Result<BTreeMap<String, String>, StoreError> {
        Ok(self.lock().aliases.clone())
    }

    async fn point_ids(
        &self,
        collection: &str,
        from: Option<&PointId>,
        limit: u32,
    ) -> Result<(Vec<PointId>, Option<PointId>), StoreError> {
        let page = self.points(collection, from, limit, WithVectors::No).await?;
        Ok((page.points.into_iter().map(|point| point.id).collect(), page.next))
    }

    async fn points(
        &self,
        collection: &str,
        from: Option<&PointId>,
        limit: u32,
        with: WithVectors,
    ) -> Result<PointPage, StoreError> {
        let inner = self.lock();
        let points = &inner.find(collection)?.points;
        let mut rest = points.iter().filter(|(id, _)| from.is_none_or(|from| *id >= from));
        let page = rest.by_ref().take(limit.max(1) as usize).map(|(_, point)| shown(point, with)).collect();
        Ok(PointPage { points: page, next: rest.next().map(|(id, _)| *id) })
    }

    async fn facet(&self, collection: &str, field: &str) -> Result<Option<BTreeMap<String, u64>>, StoreError> {
        let inner = self.lock();
        let found = inner.find(collection)?;
        if !found.spec.payload_indexes.contains_key(field) {
            return Ok(None);
        }
        let mut counts = BTreeMap::new();
        for value in found.points.values().filter_map(|point| value_at(point, field)) {
            *counts.entry(value).or_default() += 1;
        }
        Ok(Some(counts))
    }

    async fn points_with(
        &self,
        collection: &str,
        any: &BTreeMap<&str, Vec<String>>,
        from: Option<&PointId>,
    ) -> Result<PointPage, StoreError> {
        let inner = self.lock();
        let points = &inner.find(collection)?.points;
        let has = |point: &Point| {
            any.iter().any(|(field, values)| value_at(point, field).is_some_and(|value| values.contains(&value)))
        };
        let found = points.iter().filter(|(id, point)| from.is_none_or(|from| *id >= from) && has(point));
        let points = found.map(|(_, point)| shown(point, WithVectors::No)).collect();
        Ok(PointPage { points, next: None })
    }

    async fn retrieve(&self, collection: &str, ids: &[PointId], with: WithVectors) -> Result<Vec<Point>, StoreError> {
        let inner = self.lock();
        let points = &inner.find(collection)?.points;
        Ok(ids.iter().filter_map(|id| points.get(id)).map(|point| shown(point, with)).collect())
    }

    async fn search(&self, _collection: &str, _query: &SearchQuery) -> Result<Vec<Scored>, StoreError> {
        Err(StoreError::new(Fault::Refused, "nothing is searched here"))
    }

    async fn ensure_collection(&self, spec: &CollectionSpec) -> Result<(), StoreError> {
        let mut inner = self.change();
        if inner.aliases.contains_key(&spec.name) {
            return Err(StoreError::new(Fault::Conflict, "it is an alias"));
        }
        let new = || Collection { spec: spec.clone(), points: BTreeMap::new() };
        let found = &mut inner.collections.entry(spec.name.clone()).or_insert_with(new).spec;
        if found.vectors != spec.vectors {
            return Err(StoreError::new(Fault::Conflict, "it exists with other vectors"));
        }
        found.metadata.extend(spec.metadata.clone());
        found.payload_indexes.extend(spec.payload_indexes.clone());
        Ok(())
    }

    async fn ensure_metadata(&self, collection: &str, metadata: &BTreeMap<String, String>) -> Result<(), StoreError> {
        self.change().find_mut(collection)?.spec.metadata.extend(metadata.clone());
        Ok(())
    }

    async fn ensure_collection_absent(&self, name: &str) -> Result<(), StoreError> {
        let mut inner = self.change();
        if inner.collections.remove(name).is_some() {
            inner.aliases.retain(|_, collection| collection != name);
        }
        Ok(())
    }

    async fn ensure_points(&self, collection: &str, points: &[Point]) -> Result<(), StoreError> {
        let mut inner = self.change();
        let Collection { spec, points: there } = inner.find_mut(collection)?;
        there.extend(points.iter().map(|point| (point.id, stored(point, &spec.vectors))));
        Ok(())
    }

    async fn ensure_points_absent(&self, collection: &str, ids: &[PointId]) -> Result<(), StoreError> {
        self.change().find_mut(collection)?.points.retain(|id, _| !ids.contains(id));
        Ok(())
    }

    async fn ensure_applied(&self, _collection: &str) -> Result<(), StoreError> {
        Ok(())
    }

    async fn ensure_alias(&self, alias: &str, collection: &str) -> Result<(), StoreError> {
        let mut inner = self.change();
        if !inner.collections.contains_key(collection) {
            return Err(missing(collection));
        }
        inner.aliases.insert(alias.to_owned(), collection.to_owned());
        Ok(())
    }

    async fn ensure_alias_absent(&self, alias: &str) -> Result<(), StoreError> {
        self.change().aliases.remove(alias);
        Ok(())
    }

    async fn ensure_payload_index(&self, collection: &str, field: &str, kind: &str) -> Result<(), StoreError> {
        self.change().find_mut(collection)?.spec.payload_indexes.insert(field.to_owned(), kind.to_owned());
        Ok(())
    }

    async fn ensure_payload_index_absent(&self, collection: &str, field: &str) -> Result<(), StoreError> {
        if let Ok(found) = self.change().find_mut(collection) {
            found.spec.payload_indexes.remove(field);
        }
        Ok(())
    }
}

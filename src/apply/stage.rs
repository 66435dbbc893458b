//! Makes the points that nobody sees yet: in a new collection, or kept in PostgreSQL for a write in place.
//!
//! A new collection is configured as the live one is and takes over the points that stay, with their vectors; chunks that
//! are new are embedded. Both are idempotent by id: what is there already is left out, so a resumed run embeds nothing
//! twice.
//!
//! ```text
//! read bodies ─▶ cut ─▶ ┌ embed, BM25 ─▶ write ┐  a few parts at once
//!  one batch            └ embed, BM25 ─▶ write ┘
//! ```
//!
//! Memory holds one batch of bodies and the parts under way. The one connection to PostgreSQL is taken in turns.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::try_join_all;
use futures::{StreamExt, stream};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::error::ApplyError;
use super::event::{Event, Events};
use super::flow;
use super::in_place::InPlace;
use super::lease::Lease;
use super::spool::{Spool, SpoolOf};
use super::stop::Stop;
use super::trial::{TriedTexts, tried_texts};
use crate::chunk::Chunk;
use crate::diff::{ChunkPlan, ChunkSource, UnitPoints};
use crate::embed::Makers;
use crate::model::{Digest, PointId, UnitFacts};
use crate::observe::{UnitFilter, cut_unit, read_all_ids, read_bodies, read_units};
use crate::plan::{SavedPlan, VectorMaker, VectorWork};
use crate::points::{
    Asked, ChunkView, Parts, add_buckets, payload, point_key, set_of, stamp, with_bucket_indexes, with_state,
};
use crate::store::{CollectionSpec, NamedVector, Point, Relational, SparseVector, TxMode, VectorStore, WithVectors};

/// Points in one request.
const BATCH: u32 = crate::store::POINTS_PER_WRITE;
/// How long a new collection is waited for while its indexes are built.
const INDEXES_LIMIT: Duration = Duration::from_secs(60);
/// How often that is asked.
const INDEXES_PAUSE: Duration = Duration::from_millis(250);
/// Units whose bodies are held at once.
const UNITS: usize = 1_000;
/// Parts of at most [`BATCH`] points that are embedded or written at once.
const AT_ONCE: usize = 4;

/// The connection to PostgreSQL, which reading and writing take in turns.
type Shared<'s> = Mutex<&'s mut dyn Relational>;

/// What staging needs.
pub(super) struct Staging<'a> {
    pub plan: &'a SavedPlan,
    pub work: &'a VectorWork,
    pub run: &'a str,
    pub collection: &'a str,
    pub vectors: &'a dyn VectorStore,
    pub makers: &'a Makers,
    pub events: &'a Events<'a>,
    pub stop: &'a Stop,
}

impl Staging<'_> {
    /// Makes and fills the collection; gives how many points it holds.
    pub async fn fill(&self, store: &mut dyn Relational) -> Result<u64, ApplyError> {
        let spec = CollectionSpec {
            name: self.collection.to_owned(),
            vectors: self.work.vectors.clone(),
            payload_indexes: self.payload_indexes().await?,
            metadata: stamp(&self.work.set, self.run),
            like: self.work.live.clone(),
        };
        Lease::check(store).await?;
        self.vectors.ensure_collection(&spec).await?;
        let there = read_all_ids(self.vectors, self.collection).await?;
        let kept = self.copy_kept(store, &there).await?;
        self.make_new(store, &there).await?;
        let wanted = kept + self.new_ids().len() as u64;
        let found = self.vectors.collection(self.collection).await?.map_or(0, |facts| facts.points);
        if found != wanted {
            return Err(ApplyError::Refused {
                step: format!("fill {}", self.collection),
                why: format!("it should hold {wanted} points and holds {found}"),
            });
        }
        self.wait_for_indexes().await?;
        Ok(wanted)
    }

    /// The author's, and those that points are counted by, where the collection that it is made as allows that many.
    async fn payload_indexes(&self) -> Result<BTreeMap<String, String>, ApplyError> {
        let all = with_bucket_indexes(&self.work.payload_indexes);
        let live = match &self.work.live {
            Some(live) => self.vectors.collection(live).await?,
            None => None,
        };
        let allowed = live.and_then(|facts| facts.limits.payload_indexes);
        let fits = allowed.is_none_or(|allowed| all.len() as u64 <= allowed);
        Ok(if fits { all } else { self.work.payload_indexes.clone() })
    }

    /// Waits here, where nobody sees the collection and an interrupt still goes back, and not at the alias switch, where
    /// readers would meet a collection without indexes, or the two stores would differ for as long as the wait lasts.
    async fn wait_for_indexes(&self) -> Result<(), ApplyError> {
        let began = Instant::now();
        while self.vectors.is_optimising(self.collection).await? {
            self.stop.check()?;
            if began.elapsed() >= INDEXES_LIMIT {
                let what =
                    format!("\"{}\" still builds its indexes: searches are slower until it has", self.collection);
                (self.events)(Event::Warned { what });
                return Ok(());
            }
            tokio::time::sleep(INDEXES_PAUSE).await;
        }
        Ok(())
    }

    /// Keeps the points that go and those that come, for a write in place. Gives how many come and how many go.
    pub async fn spool(&self, store: &mut dyn Relational) -> Result<(u64, u64), ApplyError> {
        let new = self.new_ids();
        let live = read_all_ids(self.vectors, self.collection).await?;
        let gone = self.work.units.iter().flat_map(|unit| &unit.delete);
        let taken: Vec<PointId> = gone.chain(new.iter().copied().filter(|id| live.contains(*id))).cloned().collect();
        let before = self.in_place().keep_before(store, &taken).await?;
        let mut there = self.staged().ids(store).await?;
        self.bring_back(store, &mut there).await?;
        self.make_new(store, &there).await?;
        let (wanted, found) = (new.len(), self.staged().ids(store).await?.len());
        if found != wanted {
            let why = format!("{wanted} points should be kept and {found} are");
            return Err(ApplyError::Refused { step: format!("embed the points of {}", self.work.set), why });
        }
        Ok((wanted as u64, before))
    }

    /// Takes points that an earlier run kept.
    async fn bring_back(&self, store: &mut dyn Relational, there: &mut BTreeSet<PointId>) -> Result<(), ApplyError> {
        let mut runs: BTreeMap<&str, BTreeSet<&PointId>> = BTreeMap::new();
        for (_, chunk) in self.chunks().filter(|(_, chunk)| !there.contains(&chunk.id)) {
            if let ChunkSource::Image { run } = &chunk.source {
                runs.entry(run).or_default().insert(&chunk.id);
            }
        }
        for (run, wanted) in runs {
            let images = SpoolOf { spool: Spool::Before, run, collection: self.collection };
            let mut after = Some(String::new());
            while let Some(from) = after {
                let (points, next) = images.points(&store.query(&images.page(&from)).await?)?;
                let back: Vec<Point> = points.into_iter().filter(|point| wanted.contains(&point.id)).collect();
                self.staged().keep(store, &back).await?;
                there.extend(back.into_iter().map(|point| point.id));
                after = next;
            }
        }
        Ok(())
    }

    fn staged(&self) -> SpoolOf<'_> {
        SpoolOf { spool: Spool::Staged, run: self.run, collection: self.collection }
    }

    pub fn in_place(&self) -> InPlace<'_> {
        InPlace {
            run: self.run,
            set: &self.work.set,
            collection: self.collection,
            vectors: self.vectors,
            events: self.events,
        }
    }

    async fn put(&self, store: &Shared<'_>, points: &[Point]) -> Result<(), ApplyError> {
        if self.work.new_collection {
            Lease::check(*store.lock().await).await?;
            self.vectors.ensure_points(self.collection, points).await?;
        } else {
            self.staged().keep(*store.lock().await, points).await?;
        }
        Ok(())
    }

    /// Ids of the chunks that are not in the live collection.
    fn new_ids(&self) -> BTreeSet<&PointId> {
        self.chunks().filter(|(_, chunk)| chunk.source != ChunkSource::Kept).map(|(_, chunk)| &chunk.id).collect()
    }

    fn chunks(&self) -> impl Iterator<Item = (&UnitPoints, &ChunkPlan)> {
        self.work.units.iter().flat_map(|unit| unit.chunks.iter().map(move |chunk| (unit, chunk)))
    }

    /// Copies every point of the live collection that does not go, whoever owns it.
    async fn copy_kept(&self, store: &mut dyn Relational, there: &BTreeSet<PointId>) -> Result<u64, ApplyError> {
        let Some(live) = &self.work.live else { return Ok(0) };
        // Where ids are keys, a point that is made anew has the id of the one that it replaces.
        let mut gone: BTreeSet<&PointId> = self.work.units.iter().flat_map(|unit| &unit.delete).collect();
        gone.extend(self.new_ids());
        let stay: Vec<PointId> =
            read_all_ids(self.vectors, live).await?.into_iter().filter(|id| !gone.contains(id)).collect();
        let missing: Vec<PointId> = stay.iter().filter(|id| !there.contains(*id)).cloned().collect();
        let done = Cell::new(stay.len() - missing.len());
        let store: Shared<'_> = Mutex::new(store);
        let copy = async |batch: &[PointId]| {
            let mut points = self.vectors.retrieve(live, batch, WithVectors::Yes).await?;
            points.iter_mut().filter(|point| set_of(&point.payload) == Some(&self.work.set)).for_each(|point| {
                add_buckets(&point.id, &mut point.payload);
            });
            if points.len() != batch.len() {
                return Err(ApplyError::Stale(vec![format!("points of \"{}\" are gone", self.work.set)]));
            }
            self.put(&store, &points).await?;
            done.set(done.get() + batch.len());
            (self.events)(Event::Copied { set: self.work.set.clone(), done: done.get(), of: stay.len() });
            Ok(())
        };
        let parts = missing.chunks(BATCH as usize).map(|batch| self.stop.check().map(|()| copy(batch)));
        flow::all(AT_ONCE, stream::iter(parts)).await?;
        Ok(stay.len() as u64)
    }

    async fn make_new(&self, store: &mut dyn Relational, there: &BTreeSet<PointId>) -> Result<(), ApplyError> {
        let of = self.new_ids().len();
        let units: Vec<&UnitPoints> = self
            .work
            .units
            .iter()
            .filter(|unit| unit.chunks.iter().any(|c| c.source != ChunkSource::Kept && !there.contains(&c.id)))
            .collect();
        let made = &self.plan.baseline.made;
        let tried = units.iter().map(|unit| &unit.unit).filter(|id| made.contains_key(*id)).cloned().collect();
        let tried = tried_texts(store, self.plan, tried).await?;
        let done = Cell::new(self.new_ids().iter().filter(|id| there.contains(**id)).count());
        let store: Shared<'_> = Mutex::new(store);
        let make = async |part: Vec<Pending<'_>>| {
            self.put(&store, &self.points(&part).await?).await?;
            done.set(done.get() + part.len());
            (self.events)(Event::Embedded { set: self.work.set.clone(), done: done.get(), of });
            Ok(())
        };
        let cut = stream::iter(units.chunks(UNITS)).then(|batch| self.cut(&store, batch, &tried, there));
        let parts = cut.flat_map(|cut| match cut {
            Ok(parts) => stream::iter(parts.into_iter().map(Ok).collect::<Vec<_>>()),
            Err(error) => stream::iter(vec![Err(error)]),
        });
        flow::all(AT_ONCE, parts.map(|part| part.map(&make))).await
    }

    /// Reads and cuts units, and gives what has to be made of them, in parts.
    async fn cut<'u>(
        &self,
        store: &Shared<'_>,
        batch: &[&'u UnitPoints],
        tried: &TriedTexts,
        there: &BTreeSet<PointId>,
    ) -> Result<Vec<Vec<Pending<'u>>>, ApplyError> {
        self.stop.check()?;
        let ids: Vec<String> = batch.iter().map(|unit| unit.unit.clone()).collect();
        let (mut facts, mut bodies) = self.read(store, &ids).await?;
        for id in &ids {
            facts.extend(tried.units.get(id).map(|unit| (id.clone(), unit.clone())));
            bodies.extend(tried.bodies.get(id).map(|body| (id.clone(), body.clone())));
        }
        let mut parts: Vec<Vec<Pending<'_>>> = Vec::new();
        for unit in batch {
            for one in self.prepare(unit, &facts, &bodies, there)? {
                match parts.last_mut().filter(|part| part.len() < BATCH as usize) {
                    Some(part) => part.push(one),
                    None => parts.push(vec![one]),
                }
            }
        }
        Ok(parts)
    }

    async fn read(
        &self,
        store: &Shared<'_>,
        ids: &[String],
    ) -> Result<(BTreeMap<String, UnitFacts>, BTreeMap<String, String>), ApplyError> {
        let mut store = store.lock().await;
        let source = &self.plan.pins.binding.units;
        let mut tx = store.begin(TxMode::Snapshot).await?;
        let filter = UnitFilter { selections: Vec::new(), ids: ids.iter().cloned().collect(), lock: false };
        let facts = read_units(tx.as_mut(), source, &filter).await?;
        let bodies = read_bodies(tx.as_mut(), source, ids).await?;
        tx.rollback().await?;
        Ok((facts, bodies))
    }

    fn prepare<'u>(
        &self,
        unit: &'u UnitPoints,
        facts: &BTreeMap<String, UnitFacts>,
        bodies: &BTreeMap<String, String>,
        there: &BTreeSet<PointId>,
    ) -> Result<Vec<Pending<'u>>, ApplyError> {
        let stale = || ApplyError::Stale(vec![format!("unit \"{}\" changed", unit.address)]);
        let (Some(found), Some(body)) = (facts.get(&unit.unit), bodies.get(&unit.unit)) else { return Err(stale()) };
        let Some(policy) = self.plan.pins.chunk_policies.get(&self.work.chunk_policy) else {
            panic!("BUG: a plan does not hold its chunk policy \"{}\"", self.work.chunk_policy);
        };
        // A payload shows the state that the plan makes, not the one that it found.
        let found = with_state(found, &self.plan.pins.overlay);
        let cut = cut_unit(policy, &found, body)?;
        if cut.len() != unit.chunks.len() {
            return Err(stale());
        }
        let mut out = Vec::new();
        for (chunk, plan) in cut.into_iter().zip(&unit.chunks) {
            if Digest::of_bytes(chunk.text.as_bytes()) != plan.text {
                return Err(stale());
            }
            if plan.source != ChunkSource::Kept && !there.contains(&plan.id) {
                let payload = self.payload(&found, plan, unit.chunks.len(), &chunk);
                out.push(Pending { plan, text: chunk.text, payload });
            }
        }
        Ok(out)
    }

    fn payload(&self, unit: &UnitFacts, plan: &ChunkPlan, count: usize, chunk: &Chunk) -> Map<String, Value> {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let key = self.work.ledger_key.as_deref().map(|template| point_key(template, unit, plan.ordinal));
        let key = key.unwrap_or_default();
        let view = ChunkView { ordinal: plan.ordinal, count, sha256: &plan.sha256, key: &key };
        let asked = Asked { fields: &self.work.payload, templates: &self.plan.pins.binding.payload };
        let mut out = payload(&asked, unit, &view, Value::from(chunk.body.as_str()));
        let parts = Parts {
            set: self.work.set.clone(),
            unit: unit.id.clone(),
            chunk: plan.ordinal,
            chunks: count,
            text: plan.text,
            sha256: plan.sha256.clone(),
            policy: self.work.policy_digest,
            embedders: self.work.embedders_digest,
            digest: plan.digest,
        };
        parts.add_to(&plan.id, &mut out);
        out
    }

    async fn points(&self, pending: &[Pending<'_>]) -> Result<Vec<Point>, ApplyError> {
        let mut points: Vec<Point> = pending
            .iter()
            .map(|one| Point { id: one.plan.id, vectors: BTreeMap::new(), payload: one.payload.clone() })
            .collect();
        let copies = self.copies(pending, &mut points).await?;
        let embed: Vec<usize> = (0..points.len()).filter(|index| !copies.contains(index)).collect();
        let texts: Arc<[String]> = embed.iter().map(|index| pending[*index].text.clone()).collect();
        if texts.is_empty() {
            return Ok(points);
        }
        let made = self.work.makers.iter().map(|(name, maker)| {
            let texts = &texts;
            async move { Ok::<_, ApplyError>((name, self.vectors_of(maker, texts).await?)) }
        });
        for (name, made) in try_join_all(made).await? {
            for (index, vector) in embed.iter().zip(made) {
                points[*index].vectors.insert(name.clone(), vector);
            }
        }
        Ok(points)
    }

    async fn vectors_of(&self, maker: &VectorMaker, texts: &Arc<[String]>) -> Result<Vec<NamedVector>, ApplyError> {
        match maker {
            VectorMaker::Embedder(embedder) => {
                let made = self.makers.embed(embedder, texts).await;
                let made = made.map_err(|source| ApplyError::Embed { embedder: embedder.clone(), source })?;
                Ok(made.into_iter().map(NamedVector::Dense).collect())
            }
            VectorMaker::Bm25(language) => {
                let (bm25, texts) = (Makers::bm25(language)?, Arc::clone(texts));
                let made = tokio::task::spawn_blocking(move || {
                    let sparse = texts.iter().map(|text| bm25.document(text));
                    sparse.map(|s| NamedVector::Sparse(SparseVector { indices: s.indices, values: s.values })).collect()
                });
                made.await.map_err(|error| std::panic::resume_unwind(error.into_panic()))
            }
        }
    }

    /// Takes vectors from points with the same text; gives which points have them now.
    async fn copies(&self, pending: &[Pending<'_>], points: &mut [Point]) -> Result<BTreeSet<usize>, ApplyError> {
        let mut from: BTreeMap<PointId, Vec<usize>> = BTreeMap::new();
        for (index, one) in pending.iter().enumerate() {
            if let ChunkSource::Copy { from: id } = &one.plan.source {
                from.entry(*id).or_default().push(index);
            }
        }
        let (Some(live), false) = (&self.work.live, from.is_empty()) else { return Ok(BTreeSet::new()) };
        let ids: Vec<PointId> = from.keys().cloned().collect();
        let mut out = BTreeSet::new();
        for point in self.vectors.retrieve(live, &ids, WithVectors::Yes).await? {
            for index in from.get(&point.id).into_iter().flatten() {
                points[*index].vectors = point.vectors.clone();
                out.insert(*index);
            }
        }
        Ok(out)
    }
}

struct Pending<'a> {
    plan: &'a ChunkPlan,
    text: String,
    payload: Map<String, Value>,
}

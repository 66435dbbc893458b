//! Live points against what is written down of them: what is missing, what holds something else, what is there besides.
//!
//! ```text
//! counts by bucket, live and written down ── the same ──▶ nothing differs
//!                                         └─ differ ────▶ those buckets are read and compared; where points are missing or
//!                                                         exchanged in up to 100,000, all of them are read whole
//! no buckets (older, adopted), no counting, or asked for ─▶ both are read as streams by ascending id and merged
//! ```
//!
//! Numbers come before uuids and uuids by their bytes, in a scroll as in PostgreSQL.

use std::collections::{BTreeMap, BTreeSet};

use super::merge::{Recorded, Written};
use super::vectors::PAGE;
use crate::model::{CollectionFacts, Digest, LivePoints, PointId, PointsCompared};
use crate::points::{
    BUCKET_FIELDS, BUCKETS, PointFacts, bucket_text, buckets, buckets_said, has_buckets, has_shape, point_facts,
    set_of, standing,
};
use crate::store::{POINTS_PER_READ, Param, Point, Query, Record, Sql, StoreError, Tx, VectorStore, WithVectors};

/// Points with their payloads in one page.
const PAYLOADS: u32 = 1_000;
/// Where more buckets of a field differ than this, reading them would be reading nearly everything.
const MANY: usize = BUCKETS / 4;
/// Of so many others it is asked whether they say that they are of the set.
const ASKED: usize = 1_000;

/// Up to so many points are read whole where somebody else changed some of them.
const READ_WHOLE: u64 = 100_000;

/// How thoroughly points are compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Depth {
    /// By counting where that is possible, else one by one.
    #[default]
    Fingerprint,
    /// One by one.
    Each,
    /// One by one, with everything in them.
    Deep,
}

/// One set's points.
pub struct ComparePoints<'a> {
    /// Where they are.
    pub vectors: &'a dyn VectorStore,
    /// The set.
    pub set: &'a str,
    /// Its collection.
    pub facts: &'a CollectionFacts,
    /// Whether points may change under their ids.
    pub keyed: bool,
    /// How thoroughly.
    pub depth: Depth,
}

impl ComparePoints<'_> {
    /// Compares them.
    ///
    /// # Errors
    /// Those of the stores.
    pub async fn read(&self, tx: &mut dyn Tx) -> Result<LivePoints, StoreError> {
        if self.depth == Depth::Fingerprint
            && has_buckets(&self.facts.payload_indexes)
            && let Some(live) = self.by_fingerprint(tx).await?
        {
            let was_touched = !(live.missing.is_empty() && live.changed.is_empty());
            if !(was_touched && live.total <= READ_WHOLE) {
                return Ok(live);
            }
            // Whoever took points away or exchanged them may have written into others without moving them to another bucket.
            return ComparePoints { depth: Depth::Deep, ..*self }.one_by_one(tx).await;
        }
        self.one_by_one(tx).await
    }

    /// `None` where the server does not count, or nearly everything differs.
    async fn by_fingerprint(&self, tx: &mut dyn Tx) -> Result<Option<LivePoints>, StoreError> {
        let mut live =
            LivePoints { total: self.facts.points, compared: PointsCompared::Fingerprint, ..LivePoints::default() };
        let mut differing: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (field, written) in BUCKET_FIELDS.into_iter().zip(self.written_buckets(tx).await?) {
            let Some(found) = self.vectors.facet(&self.facts.name, field).await? else { return Ok(None) };
            let all: BTreeSet<&String> = found.keys().chain(written.keys()).collect();
            let differs = all.into_iter().filter(|bucket| found.get(*bucket) != written.get(*bucket));
            let differs: Vec<String> = differs.cloned().collect();
            if differs.len() > MANY {
                return Ok(None);
            }
            differing.insert(field, differs);
        }
        if differing.values().any(|buckets| !buckets.is_empty()) {
            self.compare_buckets(tx, &differing, &mut live).await?;
        }
        Ok(Some(live))
    }

    /// How many points are written down in each bucket of each field.
    async fn written_buckets(&self, tx: &mut dyn Tx) -> Result<[BTreeMap<String, u64>; 2], StoreError> {
        const COUNTS: [&str; 2] = [
            "SELECT m.bucket_a, pg_catalog.count(*) FROM enact.managed_point m WHERE m.set_name = $1 GROUP BY 1",
            "SELECT m.bucket_b, pg_catalog.count(*) FROM enact.managed_point m WHERE m.set_name = $1 GROUP BY 1",
        ];
        let mut out = [BTreeMap::new(), BTreeMap::new()];
        for (counts, sql) in out.iter_mut().zip(COUNTS) {
            let records = tx.query(&Query::new(Sql::new(sql)).bind(Param::Text(self.set.to_owned()))).await?;
            let count = |record: &Record| {
                let bucket = u16::try_from(record.int(0)?).ok()?;
                Some((bucket_text(bucket), u64::try_from(record.int(1)?).ok()?))
            };
            counts.extend(records.iter().filter_map(count));
        }
        Ok(out)
    }

    async fn compare_buckets(
        &self,
        tx: &mut dyn Tx,
        differing: &BTreeMap<&str, Vec<String>>,
        live: &mut LivePoints,
    ) -> Result<(), StoreError> {
        let written = self.written_in(tx, differing).await?;
        let mut found: BTreeMap<PointId, (Digest, Option<[String; 2]>)> = BTreeMap::new();
        let mut from: Option<PointId> = None;
        loop {
            let page = self.vectors.points_with(&self.facts.name, differing, from.as_ref()).await?;
            for point in page.points {
                if !written.contains_key(&point.id) && set_of(&point.payload) == Some(self.set) {
                    live.strays.insert(point.id);
                }
                found.insert(point.id, (standing(&point.payload), buckets_said(&point.payload)));
            }
            match page.next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        let lost: Vec<PointId> = written.keys().filter(|id| !found.contains_key(*id)).copied().collect();
        live.missing.extend(&lost);
        for batch in lost.chunks(POINTS_PER_READ as usize) {
            // A point that is there and has lost its buckets holds something else.
            for point in self.vectors.retrieve(&self.facts.name, batch, WithVectors::No).await? {
                live.missing.remove(&point.id);
                let stands = standing(&point.payload);
                if written.get(&point.id) != Some(&Some(stands)) {
                    live.changed.insert(point.id, stands);
                }
            }
        }
        let strangers: Vec<PointId> = found.keys().filter(|id| !written.contains_key(*id)).copied().collect();
        let misplaced = self.written_among(tx, &strangers).await?;
        for (id, (stands, said)) in found {
            match written.get(&id) {
                Some(digest) if (self.keyed && *digest != Some(stands)) || said != buckets(&id, digest.as_ref()) => {
                    live.changed.insert(id, stands);
                }
                Some(_) => {}
                None if misplaced.contains(&id) => {
                    live.strays.remove(&id);
                    live.changed.insert(id, stands);
                }
                None => {
                    live.others.insert(id, self.keyed.then_some(stands));
                }
            }
        }
        Ok(())
    }

    async fn written_in(
        &self,
        tx: &mut dyn Tx,
        differing: &BTreeMap<&str, Vec<String>>,
    ) -> Result<BTreeMap<PointId, Option<Digest>>, StoreError> {
        let sql = "SELECT m.id::text, pg_catalog.encode(m.digest, 'hex') FROM enact.managed_point m WHERE m.set_name = $1 \
                   AND (m.bucket_a = ANY ($2::smallint[]) OR m.bucket_b = ANY ($3::smallint[]))";
        let numbers = |field: &str| {
            let buckets = differing.get(field).into_iter().flatten();
            let numbers = buckets.filter_map(|bucket| u16::from_str_radix(bucket, 16).ok()).map(|n| n.to_string());
            Param::Texts(numbers.collect())
        };
        let query = Query::new(Sql::new(sql)).bind(Param::Text(self.set.to_owned()));
        let records =
            tx.query(&BUCKET_FIELDS.into_iter().fold(query, |query, field| query.bind(numbers(field)))).await?;
        let point =
            |record: &Record| Some((PointId::from_text(record.text(0)?)?, record.text(1).and_then(Digest::from_text)));
        Ok(records.iter().filter_map(point).collect())
    }

    /// Those of some points that are written down.
    async fn written_among(&self, tx: &mut dyn Tx, ids: &[PointId]) -> Result<BTreeSet<PointId>, StoreError> {
        let uuids: Vec<String> =
            ids.iter().filter(|id| matches!(id, PointId::Uuid(_))).map(PointId::to_string).collect();
        if uuids.is_empty() {
            return Ok(BTreeSet::new());
        }
        let sql = "SELECT m.id::text FROM enact.managed_point m WHERE m.set_name = $1 AND m.id = ANY ($2::uuid[])";
        let query = Query::new(Sql::new(sql)).bind(Param::Text(self.set.to_owned())).bind(Param::Texts(uuids));
        let records = tx.query(&query).await?;
        Ok(records.iter().filter_map(|record| PointId::from_text(record.text(0)?)).collect())
    }

    async fn one_by_one(&self, tx: &mut dyn Tx) -> Result<LivePoints, StoreError> {
        let compared = if self.depth == Depth::Deep { PointsCompared::Deep } else { PointsCompared::Id };
        let mut live = LivePoints { compared, ..LivePoints::default() };
        let mut recorded = Recorded::new(self.set);
        let mut from: Option<PointId> = None;
        loop {
            let (page, next) = self.page(from.as_ref()).await?;
            for seen in page {
                live.total += 1;
                let written = recorded.up_to(tx, &seen.id, &mut live.missing).await?;
                self.judge(seen, written, &mut live);
            }
            match next {
                Some(next) => from = Some(next),
                None => break,
            }
        }
        recorded.rest(tx, &mut live.missing).await?;
        if self.reads_ids_alone() && live.others.len() <= ASKED {
            let others: Vec<PointId> = live.others.keys().copied().collect();
            for point in self.vectors.retrieve(&self.facts.name, &others, WithVectors::No).await? {
                if set_of(&point.payload) == Some(self.set) {
                    live.strays.insert(point.id);
                }
            }
        }
        Ok(live)
    }

    fn reads_ids_alone(&self) -> bool {
        !self.keyed && self.depth != Depth::Deep
    }

    async fn page(&self, from: Option<&PointId>) -> Result<(Vec<Seen>, Option<PointId>), StoreError> {
        if self.reads_ids_alone() {
            let (ids, next) = self.vectors.point_ids(&self.facts.name, from, PAGE).await?;
            return Ok((ids.into_iter().map(|id| Seen { id, point: None }).collect(), next));
        }
        let with = if self.depth == Depth::Deep { WithVectors::Yes } else { WithVectors::No };
        let page = self.vectors.points(&self.facts.name, from, PAYLOADS, with).await?;
        Ok((page.points.into_iter().map(|point| Seen { id: point.id, point: Some(point) }).collect(), page.next))
    }

    fn judge(&self, seen: Seen, written: Option<Written>, live: &mut LivePoints) {
        let stands = seen.point.as_ref().map(|point| standing(&point.payload));
        let Some(written) = written else {
            if seen.point.as_ref().is_some_and(|point| set_of(&point.payload) == Some(self.set)) {
                live.strays.insert(seen.id);
            }
            live.others.insert(seen.id, stands.filter(|_| self.keyed));
            return;
        };
        let Some((point, stands)) = seen.point.zip(stands) else { return };
        let same = !self.keyed || written.digest == Some(stands);
        if !same || (self.depth == Depth::Deep && !self.follows(point, &written)) {
            live.changed.insert(seen.id, stands);
        }
    }

    /// Whether everything in a point is what is written down of it, and its vectors have the collection's shape.
    fn follows(&self, point: Point, written: &Written) -> bool {
        has_shape(&point.vectors, self.facts)
            && match point_facts(point.payload) {
                PointFacts::Foreign(found) => written.digest == Some(found),
                PointFacts::Unreadable => false,
                PointFacts::Ours { parts, sha256, text_sha256, digest } => {
                    let made = match written.digest {
                        Some(recorded) => digest == Some(recorded) && parts.digest() == recorded,
                        None => digest.is_none() && parts.id() == point.id,
                    };
                    made && parts.set == self.set
                        && parts.unit == written.unit
                        && parts.ordinal == written.ordinal
                        && sha256 == written.sha256
                        && text_sha256.is_none_or(|text| text == written.sha256)
                }
            }
    }
}

/// A live point.
struct Seen {
    id: PointId,
    /// What it holds, where more than its id is compared.
    point: Option<Point>,
}

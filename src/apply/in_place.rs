//! Writes points into a live collection, and puts back what was there.
//!
//! Writing happens while the deciding transaction is open, after everything that PostgreSQL could refuse: new points first,
//! then deletions, each batch read back. Before each batch the transaction answers a statement, so a runner whose session
//! is gone sends nothing more.
//!
//! Putting back looks before it acts, and before it looks, everything that the server has taken for the collection is
//! applied: a dead runner's write may wait in the server's queue longer than its request lasts. Only points that carry
//! what this run wrote are taken away or overwritten, and only points that are missing are brought back. So it does no
//! harm where nothing had been written, and can be repeated.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ApplyError;
use super::event::{Event, Events};
use super::spool::{Spool, SpoolOf};
use super::stop::Stop;
use crate::model::PointId;
use crate::store::{Point, Query, Record, Relational, Sql, StoreError, Tx, VectorStore, WithVectors};

/// Ids in one request.
const BATCH: usize = 256;

/// One set that changes in place.
pub(super) struct InPlace<'a> {
    pub run: &'a str,
    pub set: &'a str,
    pub collection: &'a str,
    pub vectors: &'a dyn VectorStore,
    pub events: &'a Events<'a>,
}

/// Whoever can be asked for kept points.
enum Reader<'r, 't> {
    Store(&'r mut dyn Relational),
    Tx(&'r mut (dyn Tx + 't)),
}

impl Reader<'_, '_> {
    async fn query(&mut self, query: &Query) -> Result<Vec<Record>, StoreError> {
        match self {
            Reader::Store(store) => store.query(query).await,
            Reader::Tx(tx) => tx.query(query).await,
        }
    }
}

impl InPlace<'_> {
    fn kept(&self, spool: Spool) -> SpoolOf<'_> {
        SpoolOf { spool, run: self.run, collection: self.collection }
    }

    /// Keeps the points with these ids as they are now. Gives how many.
    pub async fn keep_before(&self, store: &mut dyn Relational, ids: &[PointId]) -> Result<u64, ApplyError> {
        let kept = self.kept(Spool::Before).ids(store).await?;
        let missing: Vec<PointId> = ids.iter().filter(|id| !kept.contains(*id)).cloned().collect();
        for batch in missing.chunks(BATCH) {
            let points = self.vectors.retrieve(self.collection, batch, WithVectors::Yes).await?;
            if points.len() != batch.len() {
                return Err(self.moved("points that the plan takes away are gone".to_owned()));
            }
            self.kept(Spool::Before).keep(store, &points).await?;
        }
        Ok(ids.len() as u64)
    }

    /// Writes what is staged and deletes these points, while the transaction is open.
    pub async fn write(&self, tx: &mut dyn Tx, delete: &[PointId], of: usize, stop: &Stop) -> Result<(), ApplyError> {
        self.check_before(tx).await?;
        let mut after = Some(String::new());
        let mut done = 0;
        while let Some(from) = after {
            stop.check()?;
            let records = tx.query(&self.kept(Spool::Staged).page(&from)).await?;
            let (points, next) = self.kept(Spool::Staged).points(&records)?;
            self.vectors.ensure_points(self.collection, &points).await?;
            let ids: Vec<PointId> = points.iter().map(|point| point.id).collect();
            let found = self.live(&ids).await?;
            if let Some(point) = points.iter().find(|point| found.get(&point.id) != Some(&point.payload)) {
                return Err(self.not_read_back(&format!("point {} does not read back as it was written", point.id)));
            }
            done += points.len();
            (self.events)(Event::Written { set: self.set.to_owned(), done, of });
            after = next;
        }
        for batch in delete.chunks(BATCH) {
            stop.check()?;
            tx.query(&Query::new(Sql::new("SELECT 1"))).await?;
            self.vectors.ensure_points_absent(self.collection, batch).await?;
            if let Some(id) = self.live(batch).await?.into_keys().next() {
                return Err(self.not_read_back(&format!("point {id} is still there after it was deleted")));
            }
            done += batch.len();
            (self.events)(Event::Written { set: self.set.to_owned(), done, of });
        }
        Ok(())
    }

    /// What will be overwritten or deleted must still be what was kept of it.
    async fn check_before(&self, tx: &mut dyn Tx) -> Result<(), ApplyError> {
        let mut reader = Reader::Tx(tx);
        let mut after = Some(String::new());
        while let Some(from) = after {
            let (points, next) = self.page(&mut reader, Spool::Before, &from).await?;
            let ids: Vec<PointId> = points.iter().map(|point| point.id).collect();
            let found = self.live(&ids).await?;
            if let Some(point) = points.iter().find(|point| found.get(&point.id) != Some(&point.payload)) {
                return Err(self.moved(format!("point {} changed", point.id)));
            }
            after = next;
        }
        Ok(())
    }

    /// Puts back what was there.
    pub async fn restore(&self, store: &mut dyn Relational) -> Result<(), ApplyError> {
        (self.events)(Event::Restoring { set: self.set.to_owned() });
        self.vectors.ensure_applied(self.collection).await?;
        let before = self.kept(Spool::Before).ids(store).await?;
        let mut reader = Reader::Store(store);
        let (mut overwritten, mut brought) = (BTreeSet::new(), Vec::new());
        let mut after = Some(String::new());
        while let Some(from) = after {
            let (points, next) = self.page(&mut reader, Spool::Staged, &from).await?;
            for id in self.ours(&points).await? {
                if before.contains(&id) {
                    overwritten.insert(id);
                } else {
                    brought.push(id);
                }
            }
            after = next;
        }
        let mut after = Some(String::new());
        while let Some(from) = after {
            let (points, next) = self.page(&mut reader, Spool::Before, &from).await?;
            let ids: Vec<PointId> = points.iter().map(|point| point.id).collect();
            let found = self.live(&ids).await?;
            let back: Vec<Point> = points
                .into_iter()
                .filter(|point| overwritten.contains(&point.id) || !found.contains_key(&point.id))
                .collect();
            self.put_back(&back).await?;
            after = next;
        }
        for batch in brought.chunks(BATCH) {
            self.vectors.ensure_points_absent(self.collection, batch).await?;
        }
        Ok(())
    }

    async fn put_back(&self, points: &[Point]) -> Result<(), ApplyError> {
        if points.is_empty() {
            return Ok(());
        }
        self.vectors.ensure_points(self.collection, points).await?;
        let ids: Vec<PointId> = points.iter().map(|point| point.id).collect();
        let found = self.live(&ids).await?;
        match points.iter().find(|point| found.get(&point.id) != Some(&point.payload)) {
            None => Ok(()),
            Some(point) => Err(self.not_read_back(&format!("point {} could not be put back", point.id))),
        }
    }

    /// Which of these points the collection holds as this run writes them.
    async fn ours(&self, points: &[Point]) -> Result<Vec<PointId>, ApplyError> {
        let ids: Vec<PointId> = points.iter().map(|point| point.id).collect();
        let found = self.live(&ids).await?;
        Ok(points.iter().filter(|point| found.get(&point.id) == Some(&point.payload)).map(|point| point.id).collect())
    }

    async fn live(&self, ids: &[PointId]) -> Result<BTreeMap<PointId, Payload>, ApplyError> {
        if ids.is_empty() {
            return Ok(BTreeMap::new());
        }
        let points = self.vectors.retrieve(self.collection, ids, WithVectors::No).await?;
        Ok(points.into_iter().map(|point| (point.id, point.payload)).collect())
    }

    async fn page(
        &self,
        reader: &mut Reader<'_, '_>,
        spool: Spool,
        from: &str,
    ) -> Result<(Vec<Point>, Option<String>), ApplyError> {
        let records = reader.query(&self.kept(spool).page(from)).await?;
        self.kept(spool).points(&records)
    }

    fn moved(&self, what: String) -> ApplyError {
        ApplyError::Stale(vec![format!("\"{}\": {what}", self.set)])
    }

    fn not_read_back(&self, why: &str) -> ApplyError {
        ApplyError::Refused { step: format!("write points into {}", self.collection), why: why.to_owned() }
    }
}

type Payload = serde_json::Map<String, serde_json::Value>;

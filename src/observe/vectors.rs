//! Collections, aliases, ids of points; and the ledger.

use std::collections::{BTreeMap, BTreeSet};

use super::points::{ComparePoints, Depth};
use crate::model::{CollectionFacts, Ledger, LedgerRow, LivePoints, PointId};
use crate::points::{PointSaid, said};
use crate::store::{Point, Query, Sql, StoreError, Tx, VectorStore, WithVectors};

/// Ids in one page.
pub const PAGE: u32 = 10_000;
/// Points with their payloads in one page.
const PAYLOADS: u32 = 1_000;

/// What was read of the vector store for some sets.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadPoints {
    /// Collections behind the sets, by their own name.
    pub collections: BTreeMap<String, CollectionFacts>,
    /// All aliases.
    pub aliases: BTreeMap<String, String>,
    /// Live points against those that are written down, by vector set.
    pub live: BTreeMap<String, LivePoints>,
    /// Ids by vector set.
    pub ids: BTreeMap<String, BTreeSet<PointId>>,
}

impl ReadPoints {
    /// Reads the collections behind these sets, without their points.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn collections(
        store: &dyn VectorStore,
        sets: impl Iterator<Item = &str> + Send,
    ) -> Result<ReadPoints, StoreError> {
        let mut out = ReadPoints { aliases: store.aliases().await?, ..ReadPoints::default() };
        let names: Vec<String> = sets.map(|set| out.aliases.get(set).map_or(set, String::as_str).to_owned()).collect();
        for name in names {
            if let Some(facts) = store.collection(&name).await? {
                out.collections.insert(name, facts);
            }
        }
        Ok(out)
    }

    /// The collection behind a set.
    pub fn collection(&self, set: &str) -> Option<&CollectionFacts> {
        self.collections.get(self.aliases.get(set).map_or(set, String::as_str))
    }
}

/// Reads what the vector store holds for these sets, with the id of every point: each name, and whether its points may
/// change under their ids.
///
/// # Errors
/// Those of the stores.
pub async fn read_ids(
    tx: &mut dyn Tx,
    store: &dyn VectorStore,
    sets: &[(&str, bool)],
) -> Result<ReadPoints, StoreError> {
    let mut out = ReadPoints::collections(store, sets.iter().map(|(set, _)| *set)).await?;
    for (set, keyed) in sets {
        let Some(facts) = out.collection(set).cloned() else { continue };
        let compare = ComparePoints { vectors: store, set, facts: &facts, keyed: *keyed, depth: Depth::Fingerprint };
        out.live.insert((*set).to_owned(), compare.read(tx).await?);
        out.ids.insert((*set).to_owned(), read_all_ids(store, &facts.name).await?);
    }
    Ok(out)
}

/// Reads every point of a collection without its vectors, page by page.
pub(super) async fn each_point(
    store: &dyn VectorStore,
    collection: &str,
    mut read: impl FnMut(Point) + Send,
) -> Result<(), StoreError> {
    let mut from: Option<PointId> = None;
    loop {
        let page = store.points(collection, from.as_ref(), PAYLOADS, WithVectors::No).await?;
        page.points.into_iter().for_each(&mut read);
        match page.next {
            Some(next) => from = Some(next),
            None => return Ok(()),
        }
    }
}

/// Reads what the points of a collection say of themselves, page by page.
///
/// # Errors
/// Those of the store.
pub async fn read_said(store: &dyn VectorStore, collection: &str) -> Result<BTreeMap<PointId, PointSaid>, StoreError> {
    let mut out = BTreeMap::new();
    each_point(store, collection, |point| {
        out.insert(point.id, said(&point.payload));
    })
    .await?;
    Ok(out)
}

/// Reads every id of a collection, page by page.
///
/// # Errors
/// Those of the store.
pub async fn read_all_ids(store: &dyn VectorStore, collection: &str) -> Result<BTreeSet<PointId>, StoreError> {
    let mut ids = BTreeSet::new();
    let mut from: Option<PointId> = None;
    loop {
        let (page, next) = store.point_ids(collection, from.as_ref(), PAGE).await?;
        ids.extend(page);
        match next {
            Some(next) => from = Some(next),
            None => return Ok(ids),
        }
    }
}

/// Reads the ledger by point key.
///
/// # Errors
/// Those of the store.
pub async fn read_ledger(tx: &mut dyn Tx, ledger: &Ledger) -> Result<BTreeMap<String, LedgerRow>, StoreError> {
    let columns = [&ledger.key_column, &ledger.status_column, &ledger.digest_column, &ledger.unit_column];
    let sql = Sql::new("SELECT ")
        .list(columns, |sql, column| sql.ident(column).text("::text"))
        .text(" FROM ")
        .table(&ledger.table);
    let records = tx.query(&Query::new(sql)).await?;
    Ok(records
        .into_iter()
        .filter_map(|record| {
            let row = LedgerRow {
                status: record.text(1).unwrap_or_default().to_owned(),
                digest: record.text(2).map(str::to_owned),
                unit: record.text(3).map(str::to_owned),
            };
            Some((record.text(0)?.to_owned(), row))
        })
        .collect())
}

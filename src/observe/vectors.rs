//! Collections, aliases, ids of points; and the ledger.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{CollectionFacts, Digest, Ledger, LedgerRow, PointId};
use crate::points::{PointSaid, said, standing};
use crate::store::{Point, Query, Sql, StoreError, Tx, VectorStore, WithVectors};

/// Ids in one page.
pub const PAGE: u32 = 10_000;
/// Points with their payloads in one page.
const PAYLOADS: u32 = 1_000;

/// What was read of the vector store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadPoints {
    /// Collections behind the sets, by their own name.
    pub collections: BTreeMap<String, CollectionFacts>,
    /// All aliases.
    pub aliases: BTreeMap<String, String>,
    /// Ids by vector set.
    pub points: BTreeMap<String, BTreeSet<PointId>>,
    /// What stands in the points of sets whose points may change under their ids.
    pub digests: BTreeMap<String, BTreeMap<PointId, Digest>>,
}

/// Reads what the vector store holds for these sets: each name, and whether its points may change under their ids.
///
/// # Errors
/// Those of the store.
pub async fn read_vectors(
    store: &dyn VectorStore,
    sets: impl Iterator<Item = (&str, bool)> + Send,
) -> Result<ReadPoints, StoreError> {
    let mut out = ReadPoints { aliases: store.aliases().await?, ..ReadPoints::default() };
    let sets: Vec<(String, bool)> = sets.map(|(set, keyed)| (set.to_owned(), keyed)).collect();
    for (set, keyed) in sets {
        let name = out.aliases.get(&set).unwrap_or(&set).clone();
        let Some(facts) = store.collection(&name).await? else { continue };
        if keyed {
            let digests = read_digests(store, &name).await?;
            out.points.insert(set.clone(), digests.keys().cloned().collect());
            out.digests.insert(set, digests);
        } else {
            out.points.insert(set, read_all_ids(store, &name).await?);
        }
        out.collections.insert(name, facts);
    }
    Ok(out)
}

/// Reads what stands in every point of a collection, page by page.
///
/// # Errors
/// Those of the store.
pub async fn read_digests(store: &dyn VectorStore, collection: &str) -> Result<BTreeMap<PointId, Digest>, StoreError> {
    let mut out = BTreeMap::new();
    each_point(store, collection, |point| {
        out.insert(point.id, standing(&point.payload));
    })
    .await?;
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

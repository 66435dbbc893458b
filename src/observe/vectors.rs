//! Collections, aliases, ids of points; and the ledger.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{CollectionFacts, Ledger, LedgerRow, PointId};
use crate::store::{Query, Sql, StoreError, Tx, VectorStore};

/// Ids in one page.
pub const PAGE: u32 = 10_000;

/// What was read of the vector store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadPoints {
    /// Collections behind the sets, by their own name.
    pub collections: BTreeMap<String, CollectionFacts>,
    /// All aliases.
    pub aliases: BTreeMap<String, String>,
    /// Ids by vector set.
    pub points: BTreeMap<String, BTreeSet<PointId>>,
}

/// Reads what the vector store holds for these sets.
///
/// # Errors
/// Those of the store.
pub async fn read_vectors(
    store: &dyn VectorStore,
    sets: impl Iterator<Item = &str> + Send,
) -> Result<ReadPoints, StoreError> {
    let mut out = ReadPoints { aliases: store.aliases().await?, ..ReadPoints::default() };
    let sets: Vec<String> = sets.map(str::to_owned).collect();
    for set in sets {
        let name = out.aliases.get(&set).unwrap_or(&set).clone();
        if let Some(facts) = store.collection(&name).await? {
            out.points.insert(set, read_all_ids(store, &name).await?);
            out.collections.insert(name, facts);
        }
    }
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

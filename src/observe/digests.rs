//! Digests of whole tables and collections, to prove that nothing changed.
//!
//! A table's digest is the number of its rows and, over the MD5 of each row's text, two sums: the order of the rows does not
//! matter and the database holds one row at a time. It finds accidents, not forgeries.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::model::{PointId, TableName, canonical_json};
use crate::store::{NamedVector, Param, Query, Sql, StoreError, Tx, VectorStore, WithVectors};

/// Points in one page.
const PAGE: u32 = 512;

/// A count and a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContentDigest {
    /// Rows or points.
    pub count: u64,
    /// The digest, in hex.
    pub digest: String,
}

/// Tables that the open transaction has written to so far, without those of the system and of Enact itself.
///
/// # Errors
/// Those of the store.
pub async fn touched_tables(tx: &mut dyn Tx) -> Result<BTreeSet<TableName>, StoreError> {
    let sql = "SELECT schemaname::text, relname::text FROM pg_catalog.pg_stat_xact_all_tables \
               WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND schemaname <> 'enact' \
               AND schemaname NOT LIKE 'pg\\_%' AND schemaname <> 'information_schema'";
    let records = tx.query(&Query::new(Sql::new(sql))).await?;
    Ok(records.iter().filter_map(|record| Some(TableName::new(record.text(0)?, record.text(1)?))).collect())
}

/// Digests tables, one statement each; `None` for one that is not there or that the session may not read.
///
/// # Errors
/// Those of the store.
pub async fn digest_tables(
    tx: &mut dyn Tx,
    tables: &BTreeSet<TableName>,
) -> Result<BTreeMap<TableName, Option<ContentDigest>>, StoreError> {
    let (schemas, names) = tables.iter().map(|table| (table.schema().to_owned(), table.name().to_owned())).unzip();
    let sql = "SELECT w.i FROM unnest($1, $2) WITH ORDINALITY AS w(s, t, i) JOIN pg_catalog.pg_namespace n ON n.nspname = w.s \
               JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t AND c.relkind IN ('r', 'p', 'm') \
               WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')";
    let query = Query::new(Sql::new(sql)).bind(Param::Texts(schemas)).bind(Param::Texts(names));
    let readable: BTreeSet<i64> = tx.query(&query).await?.iter().filter_map(|record| record.int(0)).collect();
    let mut out = BTreeMap::new();
    for (table, position) in tables.iter().zip(1i64..) {
        let digest = if readable.contains(&position) { Some(digest_table(tx, table).await?) } else { None };
        out.insert(table.clone(), digest);
    }
    Ok(out)
}

async fn digest_table(tx: &mut dyn Tx, table: &TableName) -> Result<ContentDigest, StoreError> {
    let sql = Sql::new(
        "SELECT count(*), coalesce(sum(('x' || pg_catalog.substr(h, 1, 15))::bit(60)::bigint::numeric), 0)::text || '.' || \
         coalesce(sum(('x' || pg_catalog.substr(h, 16, 15))::bit(60)::bigint::numeric), 0)::text \
         FROM (SELECT pg_catalog.md5(t::text) AS h FROM ",
    );
    let records = tx.query(&Query::new(sql.table(table).text(" t) AS hashed"))).await?;
    let record = records.first();
    let count = record.and_then(|record| record.int(0)).unwrap_or_default();
    let sums = record.and_then(|record| record.text(1)).unwrap_or_default();
    let digest = blake3::hash(sums.as_bytes()).to_hex()[..16].to_owned();
    Ok(ContentDigest { count: u64::try_from(count).unwrap_or_default(), digest })
}

/// The last value of every sequence that the session may read.
///
/// # Errors
/// Those of the store.
pub async fn read_sequences(tx: &mut dyn Tx) -> Result<BTreeMap<TableName, Option<i64>>, StoreError> {
    let sql = "SELECT schemaname::text, sequencename::text, last_value FROM pg_catalog.pg_sequences";
    let records = tx.query(&Query::new(Sql::new(sql))).await?;
    let named = records.iter().filter_map(|r| Some((TableName::new(r.text(0)?, r.text(1)?), r.int(2))));
    Ok(named.collect())
}

/// Digests a collection: ids, payloads and vectors, a page at a time; `None` when there is none.
///
/// # Errors
/// Those of the store.
pub async fn digest_collection(vectors: &dyn VectorStore, name: &str) -> Result<Option<ContentDigest>, StoreError> {
    if vectors.collection(name).await?.is_none() {
        return Ok(None);
    }
    let mut hasher = blake3::Hasher::new();
    let mut count = 0;
    let mut from: Option<PointId> = None;
    loop {
        let page = vectors.points(name, from.as_ref(), PAGE, WithVectors::Yes).await?;
        for point in &page.points {
            hasher.update(point.id.to_string().as_bytes());
            hasher.update(canonical_json(&json!(point.payload)).as_bytes());
            for (vector, values) in &point.vectors {
                hasher.update(vector.as_bytes());
                update_with(&mut hasher, values);
            }
            count += 1;
        }
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    Ok(Some(ContentDigest { count, digest: hasher.finalize().to_hex()[..16].to_owned() }))
}

fn update_with(hasher: &mut blake3::Hasher, vector: &NamedVector) {
    let values = match vector {
        NamedVector::Dense(values) => values,
        NamedVector::Sparse(sparse) => {
            for index in &sparse.indices {
                hasher.update(&index.to_le_bytes());
            }
            &sparse.values
        }
    };
    for value in values {
        hasher.update(&value.to_le_bytes());
    }
}

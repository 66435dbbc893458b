//! What a transaction touched, to prove that a rollback gives it back: tables, which are sealed as protections are, and
//! sequences, which no rollback gives back.

use std::collections::{BTreeMap, BTreeSet};

use super::seal::seal_table;
use crate::model::{ItemsSeal, TableName};
use crate::store::{Param, Query, Sql, StoreError, Tx};

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

/// Seals whole tables; `None` for one that is not there or that the session may not read.
///
/// # Errors
/// Those of the store.
pub async fn seal_tables(
    tx: &mut dyn Tx,
    tables: &BTreeSet<TableName>,
) -> Result<BTreeMap<TableName, Option<ItemsSeal>>, StoreError> {
    let (schemas, names) = tables.iter().map(|table| (table.schema().to_owned(), table.name().to_owned())).unzip();
    let sql = "SELECT w.i FROM unnest($1, $2) WITH ORDINALITY AS w(s, t, i) JOIN pg_catalog.pg_namespace n ON n.nspname = w.s \
               JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t AND c.relkind IN ('r', 'p', 'm') \
               WHERE pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_table_privilege(c.oid, 'SELECT')";
    let query = Query::new(Sql::new(sql)).bind(Param::Texts(schemas)).bind(Param::Texts(names));
    let readable: BTreeSet<i64> = tx.query(&query).await?.iter().filter_map(|record| record.int(0)).collect();
    let mut out = BTreeMap::new();
    for (table, position) in tables.iter().zip(1i64..) {
        let seal = if readable.contains(&position) { Some(seal_table(tx, table).await?) } else { None };
        out.insert(table.clone(), seal);
    }
    Ok(out)
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

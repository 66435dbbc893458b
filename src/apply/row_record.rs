//! Writes down which rows are declared, from the live rows that the plan made: no value travels for it.

use serde_json::Value;

use crate::diff::rows::identity::matching;
use crate::diff::rows::shape::batches_of_cells;
use crate::model::{Digest, KeyPart, RowKey};
use crate::observe::rows::{self, ANY, Facts};
use crate::plan::{RowsKept, RowsRecord};
use crate::store::{Param, Query, Sql, StoreError, Tx};

pub(super) async fn write(tx: &mut dyn Tx, record: &RowsRecord, run: &str, tables: &Facts) -> Result<(), StoreError> {
    for forgotten in &record.forget {
        let sql = "DELETE FROM enact.managed_row m WHERE m.project = $1 AND m.relation = $2 \
                   AND m.key IN (SELECT e.v FROM pg_catalog.jsonb_array_elements($3) AS e(v))";
        let query = Query::new(Sql::new(sql)).bind(Param::Text(record.project.clone()));
        let rows = Param::Json(serde_json::json!(forgotten.rows));
        tx.query(&query.bind(Param::Text(forgotten.table.to_string())).bind(rows)).await?;
    }
    for kept in &record.keep {
        keep(tx, record, kept, run, tables).await?;
    }
    let table = |(table, digest): (&String, &Digest)| {
        let synced = record.synced.get(table).unwrap_or(&Value::Null);
        serde_json::json!([table, digest, synced, record.contents.get(table)])
    };
    // A table of which nothing is declared any more is not watched any more.
    let sql = "DELETE FROM enact.managed_table t WHERE t.project = $1 AND t.relation = ANY ($2) AND NOT EXISTS (\
               SELECT FROM enact.managed_row m WHERE m.project = t.project AND m.relation = t.relation)";
    let query = Query::new(Sql::new(sql)).bind(Param::Text(record.project.clone()));
    let left = record.forget.iter().map(|forgotten| forgotten.table.to_string()).collect();
    tx.query(&query.bind(Param::Texts(left))).await?;
    let declared: Vec<Value> = record.declared.iter().map(table).collect();
    let sql = "INSERT INTO enact.managed_table (project, relation, declared, synced, contents) \
               SELECT $1, e.v->>0, e.v->>1, CASE WHEN pg_catalog.jsonb_typeof(e.v->2) = 'array' THEN e.v->2 END, e.v->>3 \
               FROM pg_catalog.jsonb_array_elements($2) AS e(v) \
               ON CONFLICT (project, relation) DO UPDATE SET declared = excluded.declared, synced = excluded.synced, \
               contents = excluded.contents";
    let query = Query::new(Sql::new(sql)).bind(Param::Text(record.project.clone()));
    tx.query(&query.bind(Param::Json(Value::Array(declared)))).await.map(|_| ())
}

async fn keep(
    tx: &mut dyn Tx,
    record: &RowsRecord,
    kept: &RowsKept,
    run: &str,
    tables: &Facts,
) -> Result<(), StoreError> {
    let RowsKept { table, key, columns, times, rows: keys } = kept;
    let Some(facts) = tables.get(table) else { return Ok(()) };
    let keys: Vec<RowKey> = keys
        .iter()
        .map(|values| {
            let parts = key.iter().cloned().zip(values.iter().cloned());
            RowKey(parts.map(|(column, value)| KeyPart { column, value }).collect())
        })
        .collect();
    for batch in batches_of_cells(table, key, &[], keys.iter().map(|key| (key, Vec::new(), ()))) {
        let Some(matched) = matching(facts, &batch.key, &batch.shape.key) else { continue };
        let offset = batch.texts.len().max(1);
        let under = rows::record_key(facts, key);
        // A row that is gone can be told by the key it was declared by only where that is written down too.
        let columns: Vec<&String> = columns.iter().chain(key.iter().filter(|name| !under.contains(name))).collect();
        let names = |sql: Sql| sql.list(&columns, |sql, name| sql.literal(name)).text("]::text[], ARRAY[");
        let sql =
            Sql::new("INSERT INTO enact.managed_row AS m (project, relation, key, digests, texts, run_id) SELECT ");
        let sql = sql.param(offset + 1).text(", ").param(offset + 2).text(", ");
        let sql = rows::object(sql, under).text(", pg_catalog.to_jsonb(pg_catalog.jsonb_object(ARRAY[");
        let sql = names(sql).list(&columns, |sql, name| digest(sql, name, times.contains(*name)));
        let sql =
            sql.text("]::text[])), pg_catalog.jsonb_strip_nulls(pg_catalog.to_jsonb(pg_catalog.jsonb_object(ARRAY[");
        let sql = names(sql).list(&columns, |sql, name| short(sql, name, times.contains(*name)));
        let sql = sql.text("]::text[]))), ").param(offset + 3).text(" FROM ");
        let sql = sql.sql(&rows::declared(&batch, &matched, tables, 0)).text(" d JOIN ");
        let sql = rows::on(sql.sql(&rows::live(table, &matched, facts)).text(" t ON "), &matched, facts);
        let sql = sql.text(
            " ON CONFLICT (project, relation, key) DO UPDATE SET digests = excluded.digests, texts = excluded.texts, \
             run_id = excluded.run_id",
        );
        let query = rows::params(&batch).into_iter().fold(Query::new(sql), Query::bind);
        let query = query.bind(Param::Text(record.project.clone())).bind(Param::Text(table.to_string()));
        tx.query(&query.bind(Param::Text(run.to_owned()))).await?;
    }
    Ok(())
}

/// Bytes up to which a value is written down itself: what people compare at a glance. Longer ones would make the record as
/// large as the tables.
const SHORT: &str = "256";

/// The digest of a value of `t`. The time of an apply may be any: only whether it is NULL is known.
fn digest(sql: Sql, name: &str, time: bool) -> Sql {
    if time {
        let sql = sql.text("CASE WHEN t.").ident(name).text(" IS DISTINCT FROM NULL THEN ");
        return sql.literal(ANY).text(" END");
    }
    sql.text("pg_catalog.md5(t.").ident(name).text("::text)")
}

/// A value of `t`, where it is short.
fn short(sql: Sql, name: &str, time: bool) -> Sql {
    if time {
        return sql.text("NULL");
    }
    let sql = sql.text("CASE WHEN pg_catalog.octet_length(t.").ident(name).text("::text) <= ").text(SHORT);
    sql.text(" THEN t.").ident(name).text("::text END")
}

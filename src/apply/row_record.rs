//! Writes down which rows are declared, from the live rows that the plan made: no value travels for it.

use serde_json::Value;

use crate::diff::rows::identity::matching;
use crate::diff::rows::shape::batches_of_cells;
use crate::model::{KeyPart, RowKey};
use crate::observe::rows::{self, Facts};
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
    let declared: Vec<Value> =
        record.declared.iter().map(|(table, digest)| serde_json::json!([table, digest])).collect();
    let sql = "INSERT INTO enact.managed_table (project, relation, declared) \
               SELECT $1, e.v->>0, e.v->>1 FROM pg_catalog.jsonb_array_elements($2) AS e(v) \
               ON CONFLICT (project, relation) DO UPDATE SET declared = excluded.declared";
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
    let RowsKept { table, key, columns, rows: keys } = kept;
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
        let sql = Sql::new("INSERT INTO enact.managed_row AS m (project, relation, key, digests, run_id) SELECT ");
        let sql = sql.param(offset + 1).text(", ").param(offset + 2).text(", ");
        let sql = rows::object(sql, rows::record_key(facts, key))
            .text(", pg_catalog.to_jsonb(pg_catalog.jsonb_object(ARRAY[");
        let sql = sql.list(columns, |sql, name| sql.literal(name)).text("]::text[], ARRAY[");
        let sql = sql.list(columns, |sql, name| sql.text("pg_catalog.md5(t.").ident(name).text("::text)"));
        let sql = sql.text("]::text[])), ").param(offset + 3).text(" FROM ");
        let sql = sql.sql(&rows::declared(&batch, &matched, tables, 0)).text(" d JOIN ");
        let sql = rows::on(sql.sql(&rows::live(table, &matched, facts)).text(" t ON "), &matched, facts);
        let sql = sql.text(
            " ON CONFLICT (project, relation, key) DO UPDATE SET digests = excluded.digests, run_id = excluded.run_id",
        );
        let query = rows::params(&batch).into_iter().fold(Query::new(sql), Query::bind);
        let query = query.bind(Param::Text(record.project.clone())).bind(Param::Text(table.to_string()));
        tx.query(&query.bind(Param::Text(run.to_owned()))).await?;
    }
    Ok(())
}

//! Rows: desired ones as the database spells them, live ones by key, and whether referred ones live.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::error::ObserveError;
use crate::diff::codes;
use crate::diff::{ResolvedRow, RowValue};
use crate::model::{Diagnostic, Diagnostics, LiveRow, ReferenceTarget, RowKey, TableFacts, TableName};
use crate::store::{Param, Query, Sql, StoreError, Tx};

/// Rows in one statement.
const BATCH: usize = 2_000;

type Spelled = BTreeMap<String, Option<String>>;

/// Lets the database spell the values of desired rows, in their order.
///
/// # Errors
/// A value that does not fit its column, with its place; those of the store.
pub async fn normalise(tx: &mut dyn Tx, rows: &[ResolvedRow]) -> Result<Vec<Spelled>, ObserveError> {
    let mut groups: BTreeMap<(&TableName, Vec<&String>), Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate() {
        groups.entry((&row.table, row.values.keys().collect())).or_default().push(index);
    }
    let mut out: Vec<Spelled> = vec![Spelled::new(); rows.len()];
    let mut errors = Diagnostics::default();
    for ((table, columns), indexes) in groups {
        for batch in indexes.chunks(BATCH) {
            match spell(tx, table, &columns, batch, rows).await {
                Ok(values) => {
                    for (index, value) in batch.iter().zip(values) {
                        out[*index] = value;
                    }
                }
                Err(error) if is_value_error(&error) => {
                    errors.push(find_bad_row(tx, table, &columns, batch, rows).await?);
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    if errors.has_errors() { Err(errors.into()) } else { Ok(out) }
}

/// SQLSTATE class 22 (data exception) and 23 (a domain's constraint): the value's fault, not the store's.
fn is_value_error(error: &StoreError) -> bool {
    error.code.as_deref().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
}

async fn spell(
    tx: &mut dyn Tx,
    table: &TableName,
    columns: &[&String],
    batch: &[usize],
    rows: &[ResolvedRow],
) -> Result<Vec<Spelled>, StoreError> {
    let json = |row: &ResolvedRow| -> Value {
        let values = row.values.iter().map(|(column, value)| match value {
            RowValue::Json(value) => (column.clone(), value.clone()),
            RowValue::ApplyTime => (column.clone(), Value::Null),
        });
        Value::Object(values.collect::<Map<String, Value>>())
    };
    let sql = Sql::new("SELECT pg_catalog.to_jsonb(ARRAY[")
        .list(columns, |sql, column| sql.text("r.").ident(column).text("::text"))
        .text("]) FROM pg_catalog.jsonb_array_elements($1) WITH ORDINALITY e(v, i), LATERAL pg_catalog.jsonb_populate_record(NULL::")
        .table(table)
        .text(", e.v) r ORDER BY e.i");
    let values: Vec<Value> = batch.iter().map(|index| json(&rows[*index])).collect();
    savepoint(tx, "SAVEPOINT enact_values").await?;
    match tx.query(&Query::new(sql).bind(Param::Json(Value::Array(values)))).await {
        Ok(records) => {
            savepoint(tx, "RELEASE SAVEPOINT enact_values").await?;
            Ok(records.iter().map(|record| spelled(columns, record.json(0))).collect())
        }
        Err(error) => {
            savepoint(tx, "ROLLBACK TO SAVEPOINT enact_values").await?;
            Err(error)
        }
    }
}

async fn savepoint(tx: &mut dyn Tx, statement: &'static str) -> Result<(), StoreError> {
    tx.query(&Query::new(Sql::new(statement))).await.map(|_| ())
}

fn spelled(columns: &[&String], values: Option<&Value>) -> Spelled {
    let values = values.and_then(Value::as_array).cloned().unwrap_or_default();
    columns.iter().zip(values).map(|(column, value)| ((*column).clone(), value.as_str().map(str::to_owned))).collect()
}

/// Halves the batch until one row is left, so that the message can name it.
async fn find_bad_row(
    tx: &mut dyn Tx,
    table: &TableName,
    columns: &[&String],
    batch: &[usize],
    rows: &[ResolvedRow],
) -> Result<Diagnostic, ObserveError> {
    let mut left = batch;
    loop {
        let half = left.len() / 2;
        let first = if half == 0 { left } else { &left[..half] };
        match spell(tx, table, columns, first, rows).await {
            Err(error) if is_value_error(&error) && first.len() == 1 => {
                let row = &rows[first[0]];
                return Ok(Diagnostic::error(codes::BAD_VALUE, format!("a value for \"{table}\": {}", error.message))
                    .at(&row.place)
                    .hint("write it as PostgreSQL reads the column's type"));
            }
            Err(error) if is_value_error(&error) => left = first,
            Err(error) => return Err(error.into()),
            Ok(_) if half == 0 => panic!("BUG: a batch failed and each of its rows did not"),
            Ok(_) => left = &left[half..],
        }
    }
}

/// Reads rows whole, in the order of their values: those with one of these keys (each its values joined by commas, as in an
/// address), or all, and of each no more than `limit`.
///
/// # Errors
/// Those of the store.
pub(super) async fn whole_rows(
    tx: &mut dyn Tx,
    table: &TableName,
    facts: &TableFacts,
    keys: Option<(&[String], Vec<String>)>,
    limit: Option<usize>,
) -> Result<Vec<LiveRow>, StoreError> {
    let columns: Vec<&String> = facts.columns.keys().collect();
    let sql = texts_of(Sql::new("SELECT "), &columns).text(" FROM ").table(table).text(" t");
    let mut query = match keys {
        None => Query::new(sql),
        Some((key, texts)) => {
            let sql = sql.text(" WHERE pg_catalog.concat_ws(','");
            let sql = key.iter().fold(sql, |sql, column| sql.text(", t.").ident(column).text("::text"));
            Query::new(sql.text(") = ANY ($1)")).bind(Param::Texts(texts))
        }
    };
    if let Some(limit) = limit {
        let place = query.params.len() + 1;
        query.sql = query.sql.text(" LIMIT ").param(place);
        query = query.bind(Param::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
    }
    let records = tx.query(&query).await?;
    let mut rows: Vec<LiveRow> = records.iter().map(|record| LiveRow(spelled(&columns, record.json(0)))).collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(rows)
}

/// Columns of `t` as one array of texts, which no type can break and no number of columns makes long.
fn texts_of<C: AsRef<str>>(sql: Sql, columns: &[C]) -> Sql {
    sql.text("pg_catalog.to_jsonb(ARRAY[")
        .list(columns, |sql, column| sql.text("t.").ident(column.as_ref()).text("::text"))
        .text("])")
}

/// Reads live rows by key.
///
/// # Errors
/// Those of the store.
pub async fn live_rows(
    tx: &mut dyn Tx,
    table: &TableName,
    facts: &TableFacts,
    key: &[String],
    wanted: &BTreeSet<RowKey>,
) -> Result<BTreeMap<RowKey, LiveRow>, StoreError> {
    let columns: Vec<&String> = facts.columns.keys().collect();
    let sql = texts_of(Sql::new("SELECT "), key).text(", ");
    let sql = texts_of(sql, &columns)
        .text(" FROM ")
        .table(table)
        .text(" t JOIN pg_catalog.jsonb_array_elements($1) AS w(k) ON true");
    let sql = key.iter().enumerate().fold(sql, |sql, (position, column)| {
        let type_name = facts.columns.get(column).map_or("text", |column| column.type_name.as_str());
        sql.text(" AND t.")
            .ident(column)
            .text(" = (w.k->>")
            .trusted(&position.to_string())
            .text(")::")
            .trusted(type_name)
    });
    let mut out = BTreeMap::new();
    let wanted: Vec<&RowKey> = wanted.iter().collect();
    for batch in wanted.chunks(BATCH) {
        let keys = Value::Array(batch.iter().map(|key| Value::from(key.0.clone())).collect());
        for record in tx.query(&Query::new(sql.clone()).bind(Param::Json(keys))).await? {
            let key: Vec<String> = record
                .json(0)
                .and_then(Value::as_array)
                .map(|values| values.iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect())
                .unwrap_or_default();
            out.insert(RowKey(key), LiveRow(spelled(&columns, record.json(1))));
        }
    }
    Ok(out)
}

/// Says which referred rows live.
///
/// # Errors
/// Those of the store.
pub async fn read_references(
    tx: &mut dyn Tx,
    targets: &BTreeSet<ReferenceTarget>,
    tables: &BTreeMap<TableName, TableFacts>,
) -> Result<BTreeMap<ReferenceTarget, bool>, StoreError> {
    let mut out: BTreeMap<ReferenceTarget, bool> = targets.iter().map(|target| (target.clone(), false)).collect();
    let mut groups: BTreeMap<(&TableName, &Vec<String>), Vec<&ReferenceTarget>> = BTreeMap::new();
    for target in targets {
        groups.entry((&target.table, &target.columns)).or_default().push(target);
    }
    for ((table, columns), targets) in groups {
        let Some(facts) = tables.get(table) else { continue };
        let sql = Sql::new("SELECT w.k FROM pg_catalog.jsonb_array_elements($1) AS w(k) WHERE EXISTS (SELECT FROM ")
            .table(table)
            .text(" t WHERE true");
        let sql = columns.iter().enumerate().fold(sql, |sql, (position, column)| {
            let type_name = facts.columns.get(column).map_or("text", |column| column.type_name.as_str());
            sql.text(" AND t.")
                .ident(column)
                .text(" = (w.k->>")
                .trusted(&position.to_string())
                .text(")::")
                .trusted(type_name)
        });
        let sql = sql.text(")");
        for batch in targets.chunks(BATCH) {
            let keys = Value::Array(batch.iter().map(|target| Value::from(target.values.clone())).collect());
            for record in tx.query(&Query::new(sql.clone()).bind(Param::Json(keys))).await? {
                let values = record.json(0).and_then(Value::as_array).cloned().unwrap_or_default();
                let values = values.iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect();
                out.insert(ReferenceTarget { table: table.clone(), columns: columns.clone(), values }, true);
            }
        }
    }
    Ok(out)
}

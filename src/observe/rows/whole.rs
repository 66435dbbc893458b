//! Whole rows for export, and whether referred rows live.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::sql::{self, Facts};
use crate::model::{LiveRow, ReferenceTarget, TableFacts, TableName};
use crate::store::{Param, Query, Sql, StoreError, Tx};

/// Reads rows whole, in the order of their values, and no more than `limit`.
///
/// # Errors
/// Those of the store.
pub(crate) async fn whole_rows(
    tx: &mut dyn Tx,
    table: &TableName,
    facts: &TableFacts,
    limit: Option<usize>,
) -> Result<Vec<LiveRow>, StoreError> {
    let mut query = Query::new(whole(table, facts));
    if let Some(limit) = limit {
        query.sql = query.sql.text(" LIMIT $1");
        query = query.bind(Param::Int(i64::try_from(limit).unwrap_or(i64::MAX)));
    }
    read(tx, &query, facts).await
}

/// Reads the rows whole that have these values in these columns, as the database spells them.
///
/// # Errors
/// Those of the store.
pub(crate) async fn rows_with_keys(
    tx: &mut dyn Tx,
    table: &TableName,
    facts: &TableFacts,
    columns: &[String],
    keys: &[Vec<String>],
) -> Result<Vec<LiveRow>, StoreError> {
    let sql = whole(table, facts).text(" WHERE pg_catalog.to_jsonb(ARRAY[");
    let sql = sql.list(columns, |sql, column| sql.text("t.").ident(column).text("::text"));
    let sql = sql.text("]::text[]) IN (SELECT e.v FROM pg_catalog.jsonb_array_elements($1) AS e(v))");
    read(tx, &Query::new(sql).bind(Param::Json(serde_json::json!(keys))), facts).await
}

fn whole(table: &TableName, facts: &TableFacts) -> Sql {
    let sql = sql::texts(Sql::new("SELECT "), "t", sql::readable(facts)).text(" FROM ");
    sql::from(sql, table, facts).text(" t")
}

async fn read(tx: &mut dyn Tx, query: &Query, facts: &TableFacts) -> Result<Vec<LiveRow>, StoreError> {
    let columns: Vec<&String> = sql::readable(facts).collect();
    let records = tx.query(query).await?;
    let row = |record: &crate::store::Record| {
        let values = record.json(0).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
        LiveRow(columns.iter().map(|name| (*name).clone()).zip(texts).collect())
    };
    let mut rows: Vec<LiveRow> = records.iter().map(row).collect();
    rows.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(rows)
}

/// Says which referred rows live.
///
/// # Errors
/// Those of the store.
pub(crate) async fn read_references(
    tx: &mut dyn Tx,
    targets: &BTreeSet<ReferenceTarget>,
    tables: &Facts,
) -> Result<BTreeMap<ReferenceTarget, bool>, StoreError> {
    let mut out: BTreeMap<ReferenceTarget, bool> = targets.iter().map(|target| (target.clone(), false)).collect();
    let mut groups: BTreeMap<(&TableName, &Vec<String>), Vec<&ReferenceTarget>> = BTreeMap::new();
    for target in targets {
        groups.entry((&target.table, &target.columns)).or_default().push(target);
    }
    for ((table, columns), targets) in groups {
        let Some(facts) = tables.get(table) else { continue };
        let sql = columns.iter().enumerate().fold(Sql::new("SELECT d.i FROM unnest("), |sql, (place, _)| {
            sql.text(if place > 0 { ", " } else { "" }).param(place + 1).text("::text[]")
        });
        let sql =
            sql.text(") WITH ORDINALITY AS d(").list(0..columns.len(), |sql, place| sql.ident(&format!("c{place}")));
        let sql = sql::from(sql.text(", i) WHERE EXISTS (SELECT FROM "), table, facts).text(" t WHERE true");
        let sql = columns.iter().enumerate().fold(sql, |sql, (place, name)| {
            let Some(column) = facts.columns.get(name) else { return sql };
            let sql = sql.text(" AND t.").ident(name);
            let sql = match &column.equality {
                Some(operator) => sql.text(" ").trusted(operator).text(" "),
                None => sql.text("::text = "),
            };
            let sql = sql.text("d.").ident(&format!("c{place}"));
            if column.equality.is_some() { sql.text("::").trusted(&column.type_name) } else { sql }
        });
        let query = (0..columns.len()).fold(Query::new(sql.text(")")), |query, place| {
            query.bind(Param::Texts(targets.iter().map(|target| target.values[place].clone()).collect()))
        });
        for record in tx.query(&query).await? {
            let index = usize::try_from(record.int(0).unwrap_or(1) - 1).unwrap_or(0);
            out.insert(targets[index].clone(), true);
        }
    }
    Ok(out)
}

//! What an apply wrote down of declared rows: which ones are not written down yet, and which are declared no more.
//!
//! A row is written down under the values of its table's primary key (else of its first unique key, else of the declared
//! one), as the live row has them, so that the same row is found again whatever key names it.

use std::collections::{BTreeMap, BTreeSet};

use super::sql;
use super::{Batch, RowRef, RowsRequest, params};
use crate::diff::rows::identity::matching;
use crate::diff::rows::is_recorded;
use crate::model::{Cell, Digest, ExtraRow, KeyPart, RowFacts, RowKey, TableFacts, TableName};
use crate::observe::error::ObserveError;
use crate::observe::read_catalog;
use crate::store::{Param, Query, Sql, StoreError, Tx};

/// The columns under which rows of a table are written down.
pub(crate) fn record_key<'a>(facts: &'a TableFacts, declared: &'a [String]) -> &'a [String] {
    let readable =
        |columns: &&'a Vec<String>| columns.iter().all(|name| facts.columns.get(name).is_some_and(|c| c.readable));
    facts.keys().find(readable).map_or(declared, Vec::as_slice)
}

/// `{column: text}` of `t`.
pub(crate) fn object(sql: Sql, columns: &[String]) -> Sql {
    let names = |sql: Sql| sql.list(columns, |sql, name| sql.literal(name));
    let sql = names(sql.text("pg_catalog.to_jsonb(pg_catalog.jsonb_object(ARRAY[")).text("]::text[], ARRAY[");
    sql.list(columns, |sql, name| sql.text("t.").ident(name).text("::text")).text("]::text[]))")
}

/// Digests of the keys that each table's rows are declared by, as they are spelled.
pub(crate) fn declared_digests(batches: &[Batch<RowRef>], request: &RowsRequest<'_>) -> BTreeMap<TableName, Digest> {
    let mut rows: BTreeMap<&TableName, Vec<String>> = BTreeMap::new();
    for batch in batches {
        let present = batch.rows.first().is_some_and(|row| is_recorded(&request.resolved.rows[row.set]));
        if !present {
            continue;
        }
        let of_table = rows.entry(&batch.table).or_default();
        let places: Vec<usize> = batch.shape.key.iter().filter_map(super::place_of_form).collect();
        for index in 0..batch.rows.len() {
            let mut line = format!("{:?}", batch.key);
            for place in &places {
                line.push('\u{1}');
                line.push_str(batch.texts[*place][index].as_deref().unwrap_or("\u{2}"));
            }
            of_table.push(line);
        }
    }
    rows.into_iter()
        .map(|(table, mut lines)| {
            lines.sort_unstable();
            (table.clone(), Digest::of_bytes(lines.join("\n").as_bytes()))
        })
        .collect()
}

/// Finds declared rows that are not written down, and rows that were and are declared no more.
pub(super) async fn compare(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    batches: &[Batch<RowRef>],
    facts: &mut RowFacts,
) -> Result<(), ObserveError> {
    let there = Query::new(Sql::new("SELECT pg_catalog.to_regclass('enact.managed_row') IS NOT NULL"));
    if !tx.query(&there).await?.first().is_some_and(|record| record.is_true(0)) {
        return Ok(());
    }
    facts.declared = declared_digests(batches, request);
    if !request.partial {
        left(tx, request, batches, facts).await?;
    }
    if facts.seen.is_empty() && facts.extra.is_empty() && facts.left.is_empty() {
        return Ok(());
    }
    let changing: BTreeSet<RowRef> = facts.seen.iter().map(|seen| seen.of).collect();
    for batch in batches {
        if !batch.rows.first().is_some_and(|row| is_recorded(&request.resolved.rows[row.set])) {
            continue;
        }
        let found = &request.tables[&batch.table];
        let Some(matched) = matching(found, &batch.key, &batch.shape.key) else { continue };
        let key = record_key(found, &batch.key);
        let offset = batch.texts.len().max(1);
        let sql = sql::texts(Sql::new("SELECT d.\"enact i\", "), "t", batch.key.iter()).text(" FROM ");
        let sql = sql.sql(&sql::declared(batch, &matched, request.tables, 0)).text(" d JOIN ");
        let sql = sql::on(sql.sql(&sql::live(&batch.table, &matched, found)).text(" t ON "), &matched, found);
        let sql = sql.text(" WHERE NOT EXISTS (SELECT FROM enact.managed_row m WHERE m.project = ").param(offset + 1);
        let sql = sql.text(" AND m.relation = ").param(offset + 2).text(" AND m.key = ");
        let query = params(batch).into_iter().fold(Query::new(object(sql, key).text(")")), Query::bind);
        let query = query.bind(Param::Text(request.project.to_owned())).bind(Param::Text(batch.table.to_string()));
        for record in tx.query(&query).await? {
            let row = batch.rows[super::constraints::index_of(&record, 0)];
            if !changing.contains(&row) {
                let values = record.json(1).and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
                let part = |(column, value): (&String, serde_json::Value)| KeyPart {
                    column: column.clone(),
                    value: value.as_str().map_or(Cell::Null, |text| Cell::Text(text.to_owned())),
                };
                facts.unrecorded.push((row, RowKey(batch.key.iter().zip(values).map(part).collect())));
            }
        }
    }
    Ok(())
}

/// Rows that are written down, live, and met by no declaration. Where all keys are declared as they were at the last apply,
/// nothing can have left.
async fn left(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    batches: &[Batch<RowRef>],
    facts: &mut RowFacts,
) -> Result<(), ObserveError> {
    let sql = "SELECT t.relation, t.declared FROM enact.managed_table t WHERE t.project = $1 ORDER BY 1";
    let known = tx.query(&Query::new(Sql::new(sql)).bind(Param::Text(request.project.to_owned()))).await?;
    for record in known {
        let Some(table) = record.text(0).and_then(|text| TableName::parse(text).ok()) else { continue };
        if facts
            .declared
            .get(&table)
            .is_some_and(|digest| record.text(1).and_then(Digest::from_text).as_ref() == Some(digest))
        {
            continue;
        }
        let mut tables = request.tables.clone();
        if !tables.contains_key(&table) {
            tables.extend(read_catalog(tx, &BTreeSet::from([table.clone()]), &BTreeSet::new()).await?.0);
        }
        let Some(found) = tables.get(&table).filter(|facts| facts.keys().next().is_some()) else { continue };
        let gone = left_of(tx, request, batches, &table, found).await?;
        // A row that a synced table loses is said with its deletion.
        let columns = record_key(found, &[]);
        let extra = facts.extra.iter().filter(|extra| request.resolved.synced[extra.synced].table.value == table);
        let value =
            |extra: &ExtraRow, name: &String| extra.live.0.get(name).cloned().flatten().map_or(Cell::Null, Cell::Text);
        let goes: BTreeSet<RowKey> = extra
            .map(|extra| {
                let part = |name: &String| KeyPart { column: name.clone(), value: value(extra, name) };
                RowKey(columns.iter().map(part).collect())
            })
            .collect();
        let left: Vec<RowKey> = gone.into_iter().filter(|key| !goes.contains(key)).collect();
        facts.left.extend(left.into_iter().map(|key| (table.clone(), key)));
    }
    Ok(())
}

async fn left_of(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    batches: &[Batch<RowRef>],
    table: &TableName,
    facts: &TableFacts,
) -> Result<Vec<RowKey>, StoreError> {
    let key = record_key(facts, &[]);
    let whole = crate::diff::rows::identity::Match { parts: Vec::new(), predicates: Vec::new(), may_be_several: false };
    let mut declared: BTreeSet<String> = BTreeSet::new();
    for batch in batches.iter().filter(|batch| batch.table == *table) {
        let Some(matched) = matching(facts, &batch.key, &batch.shape.key) else { continue };
        let sql = object(Sql::new("SELECT "), key).text("::text FROM ");
        let sql = sql.sql(&sql::declared(batch, &matched, request.tables, 0)).text(" d JOIN ");
        let sql = sql::on(sql.sql(&sql::live(table, &matched, facts)).text(" t ON "), &matched, facts);
        let query = params(batch).into_iter().fold(Query::new(sql), Query::bind);
        declared.extend(tx.query(&query).await?.iter().filter_map(|record| record.text(0).map(str::to_owned)));
    }
    let sql =
        Sql::new("SELECT m.key, m.key::text FROM enact.managed_row m JOIN ").sql(&sql::live(table, &whole, facts));
    let sql = object(sql.text(" t ON m.key = "), key).text(" WHERE m.project = $1 AND m.relation = $2 ORDER BY 2");
    let query = Query::new(sql).bind(Param::Text(request.project.to_owned())).bind(Param::Text(table.to_string()));
    let mut out = Vec::new();
    for record in tx.query(&query).await? {
        if record.text(1).is_some_and(|text| declared.contains(text)) {
            continue;
        }
        let Some(object) = record.json(0).and_then(serde_json::Value::as_object) else { continue };
        let part = |name: &String| KeyPart {
            column: name.clone(),
            value: object.get(name).and_then(|v| v.as_str()).map_or(Cell::Null, |text| Cell::Text(text.to_owned())),
        };
        out.push(RowKey(key.iter().map(part).collect()));
    }
    Ok(out)
}

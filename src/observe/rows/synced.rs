//! Synced tables: live rows that nobody declares.

use std::collections::BTreeSet;

use serde_json::Value;

use super::record::record_key;
use super::recorded::{Kept, kept};
use super::sql;
use super::{Met, RowsRequest, place_of};
use crate::diff::codes;
use crate::diff::rows::identity::Match;
use crate::diff::rows::{is_present, unknown_column, unknown_table};
use crate::model::{
    Address, Cell, Column, Diagnostic, Diagnostics, ExtraRow, KeyPart, LiveRow, RowFacts, RowKey, SyncedTable,
    TableFacts, Written,
};
use crate::observe::error::ObserveError;
use crate::store::{Param, Query, Sql, StoreError, Tx};

pub(super) async fn extra_rows(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    met: &Met,
    facts: &mut RowFacts,
    errors: &mut Diagnostics,
) -> Result<(), ObserveError> {
    for (index, synced) in request.resolved.synced.iter().enumerate() {
        let table = &synced.table.value;
        let Some(found) = request.tables.get(table) else {
            errors.push(unknown_table(table, &synced.table.place, request.known));
            continue;
        };
        let Some(within) = within(synced, found, errors) else { continue };
        for name in synced.key.iter().filter(|name| !found.columns.contains_key(*name)) {
            errors.push(unknown_column(table, name, found, &synced.place));
        }
        let key = named_by(synced, found);
        check_declared(tx, request, synced, &within, met, errors).await?;
        let declared: BTreeSet<&String> = met.at.get(table).into_iter().flat_map(|rows| rows.keys()).collect();
        if met.incomplete.contains(table) {
            continue;
        }
        let places = where_they_stand(tx, synced, found, &within).await?;
        let extra: Vec<String> = places.into_iter().filter(|at| !declared.contains(at)).collect();
        if extra.len() as u64 > synced.max_delete {
            let detail = format!(
                "{} of \"{table}\" would be deleted, and max_delete is {}",
                crate::diff::counted(extra.len() as u64, "row"),
                synced.max_delete
            );
            let hint =
                format!("check that the declared rows are all there should be, then set max_delete: {}", extra.len());
            errors.push(Diagnostic::error(codes::MAX_DELETE, detail).at(&synced.place).hint(hint));
            continue;
        }
        let rows = whole(tx, synced, found, &extra).await?;
        check_owners(tx, request, synced, found, &rows, errors).await?;
        for (at, live) in rows {
            let part = |name: &String| KeyPart {
                column: name.clone(),
                value: live.0.get(name).cloned().flatten().map_or(Cell::Null, Cell::Text),
            };
            let key = RowKey(key.iter().map(part).collect());
            facts.extra.push(ExtraRow { synced: index, key, at, live });
        }
    }
    Ok(())
}

/// Rows that another project declares are not this one's to delete.
async fn check_owners(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    synced: &SyncedTable,
    facts: &TableFacts,
    rows: &[(String, LiveRow)],
    errors: &mut Diagnostics,
) -> Result<(), StoreError> {
    if rows.is_empty() || kept(tx).await? == Kept::Nothing {
        return Ok(());
    }
    let columns = record_key(facts, &synced.key);
    let object = |live: &LiveRow| -> Value {
        let part = |name: &String| (name.clone(), live.0.get(name).cloned().flatten().map_or(Value::Null, Value::from));
        columns.iter().map(part).collect::<serde_json::Map<_, _>>().into()
    };
    let keys = Value::Array(rows.iter().map(|(_, live)| object(live)).collect());
    let sql = "SELECT e.i, m.project FROM pg_catalog.jsonb_array_elements($3) WITH ORDINALITY AS e(v, i) \
               JOIN enact.managed_row m ON m.key = e.v WHERE m.relation = $1 AND m.project <> $2 ORDER BY 1";
    let query = Query::new(Sql::new(sql)).bind(Param::Text(synced.table.value.to_string()));
    let query = query.bind(Param::Text(request.project.to_owned())).bind(Param::Json(keys));
    for record in tx.query(&query).await? {
        let (_, live) = &rows[super::constraints::index_of(&record, 0)];
        let part = |name: &String| KeyPart {
            column: name.clone(),
            value: live.0.get(name).cloned().flatten().map_or(Cell::Null, Cell::Text),
        };
        let address = Address::row(&synced.table.value, &RowKey(columns.iter().map(part).collect()));
        let owner = record.text(1).unwrap_or_default();
        let detail = format!("{address} would be deleted, and project \"{owner}\" declares it");
        let hint = "limit what is synced with \"where\", or declare the table's rows in one project alone";
        errors.push(Diagnostic::error(codes::ROW_OF_ANOTHER, detail).at(&synced.place).hint(hint));
    }
    Ok(())
}

/// The columns by which rows that go are named: the declared key where it is unique among all rows, else the primary key. A
/// partial index says nothing of the rows outside of it.
fn named_by(synced: &SyncedTable, facts: &TableFacts) -> Vec<String> {
    let whole = |key: &&Vec<String>| {
        let holds = |name: &String| synced.key.contains(name) && facts.columns[name].not_null;
        key.iter().all(holds)
    };
    let known = synced.key.iter().all(|name| facts.columns.contains_key(name)) && !synced.key.is_empty();
    match facts.keys().find(whole).filter(|_| known) {
        Some(_) => synced.key.clone(),
        None => facts.keys().next().cloned().unwrap_or_else(|| synced.key.clone()),
    }
}

/// One column of the part that is synced.
struct Within<'a> {
    name: &'a String,
    column: &'a Column,
    texts: Vec<Option<String>>,
}

fn within<'a>(synced: &'a SyncedTable, facts: &'a TableFacts, errors: &mut Diagnostics) -> Option<Vec<Within<'a>>> {
    let mut out = Vec::new();
    let before = errors.0.len();
    for (name, values) in &synced.within {
        let Some(column) = facts.columns.get(name) else {
            errors.push(unknown_column(&synced.table.value, name, facts, &values.place));
            continue;
        };
        let text = |value: &Written| match value {
            Written::Null => Some(None),
            other => other.scalar().map(|text| Some(text.to_owned())),
        };
        match values.value.iter().map(text).collect::<Option<Vec<_>>>() {
            Some(texts) => out.push(Within { name, column, texts }),
            None => {
                let detail =
                    format!("\"where\" of \"{}\": {name} takes a value or a list of values", synced.table.value);
                errors.push(Diagnostic::error(codes::BAD_VALUE, detail).at(&values.place));
            }
        }
    }
    (errors.0.len() == before).then_some(out)
}

/// ` WHERE …` over `t`, its values from place 1 on.
fn condition(sql: Sql, within: &[Within<'_>]) -> Sql {
    within.iter().enumerate().fold(sql, |sql, (place, Within { name, column, texts })| {
        let sql = sql.text(if place == 0 { " WHERE (" } else { " AND (" });
        one_of(sql, name, column, texts, place + 1).text(")")
    })
}

/// A column of `t` has one of the values of a place; NULL is asked for by itself.
pub(super) fn one_of(sql: Sql, name: &str, column: &Column, texts: &[Option<String>], place: usize) -> Sql {
    let sql = sql.text("EXISTS (SELECT FROM unnest(").param(place).text("::text[]) AS w(v) WHERE t.").ident(name);
    let sql = match &column.equality {
        Some(operator) => {
            let sql = sql::comparable(sql, column).text(" ").trusted(operator).text(" w.v::");
            sql::comparable(sql.trusted(&column.type_name), column).text(")")
        }
        None => sql.text("::text = w.v)"),
    };
    if texts.contains(&None) { sql.text(" OR t.").ident(name).text(" IS NOT DISTINCT FROM NULL") } else { sql }
}

fn bound(sql: Sql, within: &[Within<'_>]) -> Query {
    within.iter().fold(Query::new(sql), |query, within| {
        query.bind(Param::OptionalTexts(within.texts.iter().filter(|text| text.is_some()).cloned().collect()))
    })
}

const WHOLE: Match = Match { parts: Vec::new(), predicates: Vec::new(), may_be_several: false };

async fn where_they_stand(
    tx: &mut dyn Tx,
    synced: &SyncedTable,
    facts: &TableFacts,
    within: &[Within<'_>],
) -> Result<Vec<String>, StoreError> {
    let sql =
        sql::at(Sql::new("SELECT "), "t", facts).text(" FROM ").sql(&sql::live(&synced.table.value, &WHOLE, facts));
    let query = bound(condition(sql.text(" t"), within), within);
    let records = tx.query(&query).await?;
    Ok(records.iter().filter_map(|record| record.text(0).map(str::to_owned)).collect())
}

async fn whole(
    tx: &mut dyn Tx,
    synced: &SyncedTable,
    facts: &TableFacts,
    places: &[String],
) -> Result<Vec<(String, LiveRow)>, StoreError> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<&String> = sql::readable(facts).collect();
    let sql = sql::at(Sql::new("SELECT "), "t", facts).text(", ");
    let sql = sql::texts(sql, "t", names.iter().copied()).text(" FROM ");
    let sql = sql.sql(&sql::live(&synced.table.value, &WHOLE, facts)).text(" t WHERE ");
    let sql = sql::at(sql, "t", facts).text(" = ANY ($1) ORDER BY 2");
    let records = tx.query(&Query::new(sql).bind(Param::Texts(places.to_vec()))).await?;
    let row = |record: &crate::store::Record| {
        let values = record.json(1).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let texts = values.iter().map(|value| value.as_str().map(str::to_owned));
        (
            record.text(0).unwrap_or_default().to_owned(),
            LiveRow(names.iter().map(|name| (*name).clone()).zip(texts).collect()),
        )
    };
    Ok(records.iter().map(row).collect())
}

/// A declared row outside the part that is synced would be made and deleted in turns.
async fn check_declared(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    synced: &SyncedTable,
    within: &[Within<'_>],
    met: &Met,
    errors: &mut Diagnostics,
) -> Result<(), ObserveError> {
    for Within { name, column, texts } in within {
        let sql = Sql::new("SELECT (w.v::").trusted(&column.type_name).text(")::text FROM unnest($1::text[]) AS w(v)");
        let query = Query::new(sql).bind(Param::OptionalTexts(texts.clone()));
        match super::matching::guarded(tx, &query).await {
            Ok(_) => {}
            Err(error) if super::matching::is_value_error(&error) => {
                let detail = format!("\"where\" of \"{}\", column \"{name}\": {}", synced.table.value, error.message);
                errors.push(Diagnostic::error(codes::BAD_VALUE, detail).at(&synced.within[*name].place));
                continue;
            }
            Err(error) => return Err(error.into()),
        }
        let of_block = |set: &crate::model::RowSet, row: usize| {
            set.table.value == synced.table.value && is_present(set) && set.rows[row].place.file == synced.place.file
        };
        let rows: Vec<(crate::model::RowRef, Option<String>)> = met
            .spelled
            .iter()
            .filter(|(row, _)| of_block(&request.resolved.rows[row.set], row.row))
            .filter_map(|(row, values)| Some((*row, values.get(*name)?.clone())))
            .collect();
        let sql = Sql::new(
            "SELECT d.i FROM unnest($1::text[]) WITH ORDINALITY AS d(v, i) WHERE NOT EXISTS (SELECT FROM unnest($2::text[]) AS w(v) WHERE ",
        );
        let sql = match &column.equality {
            Some(operator) => {
                let sql = sql::comparable(sql.text("d.v::").trusted(&column.type_name), column).text(" ");
                let sql = sql.trusted(operator).text(" w.v::").trusted(&column.type_name);
                sql::comparable(sql, column)
            }
            None => sql.text("d.v = w.v"),
        };
        let sql = sql.text(" OR (d.v IS NULL AND w.v IS NULL)) ORDER BY 1");
        let query = Query::new(sql).bind(Param::OptionalTexts(rows.iter().map(|(_, text)| text.clone()).collect()));
        for record in tx.query(&query.bind(Param::OptionalTexts(texts.clone()))).await? {
            let (row, value) = &rows[super::constraints::index_of(&record, 0)];
            let detail = format!(
                "this row of \"{}\" has {name} = {}, which is outside of \"where\"",
                synced.table.value,
                value.as_deref().unwrap_or("null")
            );
            let place = place_of(&request.resolved.rows, *row, name);
            let hint = "widen where, or move the row elsewhere";
            errors.push(Diagnostic::error(codes::OUTSIDE_WHERE, detail).at(&place).hint(hint));
        }
    }
    Ok(())
}

//! Reads back what was written down of declared rows, and compares it with the live ones.
//!
//! ```text
//! managed_row ── by table and columns of the key ──▶ one statement each ──▶ rows that differ, and how many
//! ```
//!
//! A row is found by its columns' own equality, through the unique index that it was written down by. Where the written
//! values cannot be read in the columns' types any more, it is found as it is spelled. A column has another value where its
//! digest is another one and, where the value itself is written down, the type's own equality agrees.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::sql::{self, Facts};
use super::{matching::guarded, matching::is_value_error, matching::search_path, record};
use crate::diff::rows::identity::{Match, matching};
use crate::diff::rows::shape::Form;
use crate::model::{
    Cell, Column, ColumnDiffers, ColumnKind, KeyPart, RecordedTable, RecordedValue, RowDifference, RowDiffers, RowKey,
    TableFacts, TableName, TableNow, TableRead,
};
use crate::observe::catalog::read_only_tables;
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

/// The digest of a value that may be any but NULL.
pub(crate) const ANY: &str = "*";
/// Characters of a live value that are read.
const SHOWN: &str = "400";
/// Undeclared rows that are named.
const NAMED: i64 = 100;

const THERE: &str = "SELECT pg_catalog.to_regclass('enact.managed_row') IS NOT NULL, EXISTS (SELECT FROM pg_catalog.pg_attribute a \
 WHERE a.attrelid = pg_catalog.to_regclass('enact.managed_row') AND a.attname = 'texts' AND NOT a.attisdropped)";

const SHAPE: &str = "(SELECT pg_catalog.jsonb_object_agg(e.k, pg_catalog.jsonb_typeof(e.v) = 'null') \
 FROM pg_catalog.jsonb_each(m.key) AS e(k, v))";

const COLUMNS: &str = "SELECT DISTINCT m.relation, e.k FROM enact.managed_row m, pg_catalog.jsonb_object_keys(m.digests) AS e(k) \
 WHERE m.project = $1 ORDER BY 1, 2";

/// What the schema of this database can say of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Nothing.
    Nothing,
    /// Digests of values.
    Digests,
    /// Short values too, and what is synced.
    Texts,
}

/// Asks what the schema can say.
///
/// # Errors
/// Those of the store.
pub(crate) async fn kept(tx: &mut dyn Tx) -> Result<Kept, StoreError> {
    let records = tx.query(&Query::new(Sql::new(THERE))).await?;
    Ok(match records.first() {
        Some(record) if record.is_true(1) => Kept::Texts,
        Some(record) if record.is_true(0) => Kept::Digests,
        Some(_) | None => Kept::Nothing,
    })
}

/// Compares every row that a project wrote down with the live one; of each table no more than `limit` differences are read.
///
/// # Errors
/// Those of the store.
pub async fn read_recorded_rows(
    tx: &mut dyn Tx,
    project: &str,
    limit: Option<i64>,
) -> Result<Vec<RecordedTable>, StoreError> {
    let kept = kept(tx).await?;
    if kept == Kept::Nothing {
        return Ok(Vec::new());
    }
    let tables = written_down(tx, project, kept).await?;
    let names: BTreeSet<TableName> = tables.keys().cloned().collect();
    let facts = if names.is_empty() { Facts::new() } else { read_only_tables(tx, &names).await? };
    let mut out = Vec::new();
    for (table, written) in tables {
        let rows = written.shapes.iter().map(|shape| shape.rows).sum();
        let now = match facts.get(&table) {
            None => TableNow::Gone,
            Some(found) => {
                Reading { project, table: &table, facts: found, kept, limit, written: &written }.read(tx).await?
            }
        };
        out.push(RecordedTable { table, rows, now });
    }
    Ok(out)
}

/// What is written down of a table.
#[derive(Default)]
struct Written {
    shapes: Vec<Shape>,
    /// Every column of which some row has a digest.
    columns: Vec<String>,
    /// Parts of it that are synced, by column: one of these values.
    synced: Vec<BTreeMap<String, Vec<Option<String>>>>,
}

/// Rows with the same columns in their keys.
struct Shape {
    /// Columns, and whether they are NULL.
    json: Value,
    rows: u64,
}

async fn written_down(tx: &mut dyn Tx, project: &str, kept: Kept) -> Result<BTreeMap<TableName, Written>, StoreError> {
    let mut out: BTreeMap<TableName, Written> = BTreeMap::new();
    let named = |record: &Record| record.text(0).and_then(|text| TableName::parse(text).ok());
    let project = || Param::Text(project.to_owned());
    let sql = Sql::new("SELECT m.relation, ").text(SHAPE).text(", pg_catalog.count(*) FROM enact.managed_row m ");
    let sql = sql.text("WHERE m.project = $1 GROUP BY 1, 2 ORDER BY 1, 2");
    for record in tx.query(&Query::new(sql).bind(project())).await? {
        let Some(table) = named(&record) else { continue };
        let rows = record.int(2).and_then(|rows| u64::try_from(rows).ok()).unwrap_or(0);
        let json = record.json(1).cloned().unwrap_or_default();
        out.entry(table).or_default().shapes.push(Shape { json, rows });
    }
    for record in tx.query(&Query::new(Sql::new(COLUMNS)).bind(project())).await? {
        if let (Some(table), Some(column)) = (named(&record), record.text(1)) {
            out.entry(table).or_default().columns.push(column.to_owned());
        }
    }
    if kept == Kept::Texts {
        let sql =
            "SELECT t.relation, t.synced FROM enact.managed_table t WHERE t.project = $1 AND t.synced IS NOT NULL";
        for record in tx.query(&Query::new(Sql::new(sql)).bind(project())).await? {
            if let (Some(table), Some(Ok(synced))) =
                (named(&record), record.json(1).map(|value| serde_json::from_value(value.clone())))
            {
                out.entry(table).or_default().synced = synced;
            }
        }
    }
    Ok(out)
}

struct Reading<'a> {
    project: &'a str,
    table: &'a TableName,
    facts: &'a TableFacts,
    kept: Kept,
    limit: Option<i64>,
    written: &'a Written,
}

/// How rows are found, and values compared.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Equality,
    Spelling,
}

impl Reading<'_> {
    async fn read(&self, tx: &mut dyn Tx) -> Result<TableNow, StoreError> {
        let hidden = |why: String| Ok(TableNow::Hidden { why });
        let there = |name: &&String| self.facts.columns.contains_key(*name);
        let readable = |name: &&String| self.facts.columns.get(*name).is_some_and(|column| column.readable);
        if sql::readable(self.facts).next().is_none() {
            return hidden(format!("this role may not read \"{}\"", self.table));
        }
        let mut out = TableRead { hides_rows: self.facts.row_security, ..TableRead::default() };
        let (found, gone): (Vec<&String>, Vec<&String>) = self.written.columns.iter().partition(there);
        let (compared, secret): (Vec<&String>, Vec<&String>) = found.into_iter().partition(readable);
        out.gone_columns = gone.into_iter().cloned().collect();
        out.hidden_columns = secret.into_iter().cloned().collect();
        for shape in &self.written.shapes {
            // Keys are compared with their columns in this order.
            let mut key: Vec<String> =
                shape.json.as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
            key.sort();
            let missing: Vec<&String> = key.iter().filter(|name| !there(name)).collect();
            if !missing.is_empty() {
                out.gone_columns.extend(missing.into_iter().cloned());
                continue;
            }
            if let Some(name) = key.iter().find(|name| !readable(name)) {
                return hidden(format!("this role may not read the key column \"{name}\" of \"{}\"", self.table));
            }
            match self.shape(tx, shape, &key, &compared, &mut out).await {
                Err(error) if error.code.as_deref() == Some(NOT_PERMITTED) => return hidden(error.message),
                other => other?,
            }
        }
        out.gone_columns.sort();
        out.gone_columns.dedup();
        self.undeclared(tx, &mut out).await?;
        Ok(TableNow::Read(out))
    }

    async fn shape(
        &self,
        tx: &mut dyn Tx,
        shape: &Shape,
        key: &[String],
        columns: &[&String],
        out: &mut TableRead,
    ) -> Result<(), StoreError> {
        let of_users = self.facts.runs_functions();
        if of_users {
            search_path(tx, true).await?;
        }
        let records = match guarded(tx, &self.query(shape, key, columns, By::Equality)).await {
            Err(error) if is_value_error(&error) => guarded(tx, &self.query(shape, key, columns, By::Spelling)).await,
            other => other,
        };
        if of_users {
            search_path(tx, false).await?;
        }
        let records = records?;
        let count = records.first().and_then(|record| record.int(6)).and_then(|count| u64::try_from(count).ok());
        out.different += count.unwrap_or(0);
        out.rows.extend(records.iter().map(|record| difference(record, key, columns)));
        Ok(())
    }

    /// Gives the key, whether there is a row, which columns differ, what is written down of them, their values, and how many
    /// such rows there are.
    fn query(&self, shape: &Shape, key: &[String], columns: &[&String], by: By) -> Query {
        let forms: Vec<Form> = key.iter().map(|name| form(&shape.json, name)).collect();
        let whole = Match { parts: Vec::new(), predicates: Vec::new(), may_be_several: false };
        let matched = matching(self.facts, key, &forms).filter(|matched| by == By::Equality && !matched.may_be_several);
        let found = matched.as_ref().unwrap_or(&whole);
        let sql = Sql::new(
            "SELECT x.k, x.hit, pg_catalog.to_jsonb(x.f), x.d, x.r, x.v, pg_catalog.count(*) FILTER (WHERE x.hit IS NULL OR \
             true = ANY (x.f)) OVER (), CASE WHEN x.l <> x.k THEN x.l END FROM (SELECT ",
        );
        let sql = sql.text("d.\"enact key\" AS k, t.\"enact hit\" AS hit, ARRAY[");
        let sql = sql.list(columns, |sql, name| differs(sql, "d.\"enact ", name, &self.facts.columns[*name], by));
        let sql =
            sql.text("]::boolean[] AS f, d.\"enact digests\" AS d, d.\"enact texts\" AS r, pg_catalog.to_jsonb(ARRAY[");
        let sql = sql.list(columns, |sql, name| {
            sql.text("pg_catalog.left(t.").ident(name).text("::text, ").text(SHOWN).text(")")
        });
        let sql = record::object(sql.text("]::text[]) AS v, "), key)
            .text(" AS l FROM ")
            .sql(&sql::with_expressions(self.recorded(key, found), found));
        let sql = sql.text(" d LEFT JOIN ").sql(&sql::live(self.table, found, self.facts)).text(" t ON ");
        let sql = match &matched {
            Some(matched) => sql::on(sql, matched, self.facts),
            None => record::object(sql.text("d.\"enact key\" = "), key),
        };
        let sql = sql.text(") x WHERE x.hit AND (true = ANY (x.f) OR x.l <> x.k)");
        let sql = if self.facts.row_security { sql } else { sql.text(" OR x.hit IS NULL") };
        let sql = sql.text(" ORDER BY 1");
        let query = Query::new(sql).bind(Param::Text(self.project.to_owned()));
        let mut query = query.bind(Param::Text(self.table.to_string())).bind(Param::Json(shape.json.clone()));
        if let Some(limit) = self.limit {
            query.sql = query.sql.text(" LIMIT $4");
            query = query.bind(Param::Int(limit));
        }
        query
    }

    /// A subquery of what is written down, with the values of the key in their columns' types where a match needs them.
    fn recorded(&self, key: &[String], matched: &Match) -> Sql {
        let sql = Sql::new("(SELECT m.key AS \"enact key\", m.digests AS \"enact digests\", ");
        let sql =
            sql.text(if self.kept == Kept::Texts { "m.texts" } else { "NULL::jsonb" }).text(" AS \"enact texts\"");
        let sql = match matched.parts.is_empty() {
            true => sql,
            false => key.iter().fold(sql, |sql, name| {
                let column = &self.facts.columns[name];
                let sql = sql.text(", (m.key->>").literal(name).text(")::").trusted(&column.type_name);
                let sql = match &column.collation {
                    Some(collation) => sql.text(" COLLATE ").trusted(collation),
                    None => sql,
                };
                sql.text(" AS ").ident(name)
            }),
        };
        let sql = sql.text(" FROM enact.managed_row m WHERE m.project = $1 AND m.relation = $2 AND ").text(SHAPE);
        sql.text(" = $3 OFFSET 0)")
    }

    /// Rows of the synced parts that are not written down.
    async fn undeclared(&self, tx: &mut dyn Tx, out: &mut TableRead) -> Result<(), StoreError> {
        let Some(key) = self.facts.keys().next() else { return Ok(()) };
        for within in &self.written.synced {
            if within.keys().chain(key).any(|name| !self.facts.columns.get(name).is_some_and(|column| column.readable))
            {
                continue;
            }
            let sql = record::object(Sql::new("SELECT x.k, pg_catalog.count(*) OVER () FROM (SELECT "), key);
            let sql = sql::from(sql.text(" AS k FROM "), self.table, self.facts).text(" t WHERE true");
            let sql = within.iter().enumerate().fold(sql, |sql, (place, (name, texts))| {
                super::synced::one_of(sql.text(" AND ("), name, &self.facts.columns[name], texts, place + 4).text(")")
            });
            let sql = sql.text(") x WHERE NOT EXISTS (SELECT FROM enact.managed_row m WHERE m.project = $1 ");
            let sql = sql.text("AND m.relation = $2 AND m.key = x.k) ORDER BY 1 LIMIT $3");
            let query = Query::new(sql).bind(Param::Text(self.project.to_owned()));
            let query = query.bind(Param::Text(self.table.to_string())).bind(Param::Int(NAMED));
            let texts = within.values().map(|texts| texts.iter().flatten().cloned().collect());
            let records = match guarded(tx, &texts.map(Param::Texts).fold(query, Query::bind)).await {
                Err(error) if is_value_error(&error) => continue,
                other => other?,
            };
            let count = records.first().and_then(|record| record.int(1)).and_then(|count| u64::try_from(count).ok());
            out.undeclared += count.unwrap_or(0);
            out.undeclared_rows.extend(records.iter().map(|record| key_of(record, 0, key)));
        }
        Ok(())
    }
}

/// SQLSTATE `insufficient_privilege`.
const NOT_PERMITTED: &str = "42501";

fn form(shape: &Value, name: &str) -> Form {
    if shape.get(name).and_then(Value::as_bool) == Some(true) { Form::Null } else { Form::Text(0) }
}

/// Whether a live value is another one than what is written down in `{of}digests"` and `{of}texts"`.
fn differs(sql: Sql, of: &'static str, name: &str, column: &Column, by: By) -> Sql {
    let digest = |sql: Sql| sql.text(of).text("digests\"->>").literal(name);
    let kept = |sql: Sql| sql.text("(").text(of).text("texts\"->>").literal(name).text(")");
    let live = |sql: Sql| sql.text("t.").ident(name);
    let sql = sql.text("CASE WHEN NOT (").text(of).text("digests\" ? ").literal(name).text(") THEN false WHEN ");
    let sql = live(digest(sql).text(" = '").text(ANY).text("' THEN ")).text(" IS NOT DISTINCT FROM NULL WHEN ");
    let sql = live(digest(sql).text(" IS NOT DISTINCT FROM pg_catalog.md5(")).text("::text) THEN false WHEN ");
    let sql = kept(sql).text(" IS NULL OR ");
    let sql = live(sql).text(" IS NOT DISTINCT FROM NULL THEN true ELSE ");
    if by == By::Spelling || column.spelling_matters {
        return sql.text("true END");
    }
    if column.kind == ColumnKind::Json {
        let sql = live(kept(sql.text("CASE WHEN pg_catalog.strpos(")).text(" || "))
            .text("::text, '\\u0000') > 0 THEN true ELSE ");
        return live(kept(sql).text("::jsonb OPERATOR(pg_catalog.<>) ")).text("::jsonb END END");
    }
    match &column.equality {
        Some(operator) => {
            let sql = sql::comparable(live(sql.text("coalesce(NOT (")), column).text(" ").trusted(operator).text(" ");
            let sql = kept(sql).text("::").trusted(&column.type_name);
            sql::comparable(sql, column).text("), true) END")
        }
        None => sql.text("true END"),
    }
}

fn key_of(record: &Record, index: usize, key: &[String]) -> RowKey {
    let object = record.json(index).and_then(Value::as_object);
    let value = |name: &String| object.and_then(|object| object.get(name)).and_then(Value::as_str);
    let part = |name: &String| KeyPart {
        column: name.clone(),
        value: value(name).map_or(Cell::Null, |text| Cell::Text(text.to_owned())),
    };
    RowKey(key.iter().map(part).collect())
}

fn difference(record: &Record, key: &[String], columns: &[&String]) -> RowDifference {
    let spelled = record.json(7).map(|_| key_of(record, 7, key));
    let key = key_of(record, 0, key);
    if !record.is_true(1) {
        return RowDifference { key, what: RowDiffers::Gone, spelled: None };
    }
    let list = |index: usize| record.json(index).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let differing = columns.iter().zip(list(2)).zip(list(5)).filter(|((_, flag), _)| flag.as_bool() == Some(true));
    let of = |index: usize, name: &str| record.json(index).and_then(|value| value.get(name)).and_then(Value::as_str);
    let columns = differing.map(|((name, _), live)| ColumnDiffers {
        column: (*name).clone(),
        recorded: recorded_value(of(3, name), of(4, name)),
        live: live.as_str().map(str::to_owned),
    });
    RowDifference { key, what: RowDiffers::Columns(columns.collect()), spelled }
}

/// A value from its digest and, where it is short, its text.
pub(super) fn recorded_value(digest: Option<&str>, text: Option<&str>) -> RecordedValue {
    match (digest, text) {
        (None, _) => RecordedValue::Null,
        (Some(ANY), _) => RecordedValue::Any,
        (Some(_), Some(text)) => RecordedValue::Text(text.to_owned()),
        (Some(digest), None) => RecordedValue::Digest(digest.to_owned()),
    }
}

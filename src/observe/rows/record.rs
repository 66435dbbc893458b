//! What an apply wrote down of declared rows: which ones are not written down yet, and which are declared no more.
//!
//! A row is written down under the values of its table's primary key (else of its first unique key, else of the declared
//! one), as the live row has them, so that the same row is found again whatever key names it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::recorded::{Kept, kept, read_recorded_rows, recorded_value};
use super::sql;
use super::{Batch, RowRef, RowsRequest, params};
use crate::diff::rows::identity::matching;
use crate::diff::rows::is_recorded;
use crate::diff::rows::shape::Form;
use crate::model::{
    Cell, Digest, Digester, ExtraRow, KeyPart, LiveRow, RecordedTable, RecordedValue, RowDifference, RowDiffers,
    RowFacts, RowKey, RowOrigin, RowRecord, RowSeen, RowState, Spot, SyncedPart, TableFacts, TableName, TableNow,
    TableRead, Written,
};
use crate::observe::error::ObserveError;
use crate::observe::read_catalog;
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

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

/// Digests of all that the rows of each table are declared with, in their order. None of a table where the database does not
/// compare every value with the live row.
fn contents(batches: &[Batch<RowRef>], request: &RowsRequest<'_>) -> BTreeMap<TableName, Digest> {
    let compared = |batch: &Batch<RowRef>| {
        let set = batch.rows.first().map(|row| &request.resolved.rows[row.set]);
        set.is_some_and(|set| set.origin == RowOrigin::Files && set.state == RowState::Present)
            && batch.key_forms().chain(batch.value_forms()).all(|(_, form)| match form {
                Form::Null | Form::Text(_) | Form::Tree(_) => true,
                Form::ApplyTime | Form::Reference(_) => false,
            })
    };
    let mut tables: BTreeMap<&TableName, Option<Digester>> = BTreeMap::new();
    for batch in batches {
        let of_table = tables.entry(&batch.table).or_insert_with(|| Some(Digester::default()));
        if !compared(batch) {
            *of_table = None;
        }
        let Some(digester) = of_table else { continue };
        for (name, form) in batch.key_forms().chain(batch.value_forms()) {
            let (kind, place) = match form {
                Form::Text(place) => (1, Some(*place)),
                Form::Tree(place) => (2, Some(*place)),
                Form::Null | Form::ApplyTime | Form::Reference(_) => (0, None),
            };
            digester.add(Some(name));
            digester.add_number(kind);
            digester.add_number(batch.rows.len() as u64);
            for text in place.into_iter().flat_map(|place| &batch.texts[place]) {
                digester.add(text.as_deref());
            }
        }
    }
    let digests = tables.into_iter().filter_map(|(table, digester)| Some((table.clone(), digester?.digest())));
    digests.collect()
}

/// Whether every row that is written down is declared with what it was declared with then, and was found to be so: what is
/// written down need not be compared. It has to be there still.
async fn is_as_written(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    batches: &[Batch<RowRef>],
    facts: &RowFacts,
) -> Result<bool, StoreError> {
    if !(facts.seen.is_empty() && facts.extra.is_empty()) || request.partial {
        return Ok(false);
    }
    let sql = "SELECT t.relation, pg_catalog.to_jsonb(t)->>'contents', pg_catalog.to_jsonb(t)->'synced', \
               (SELECT pg_catalog.count(*) FROM enact.managed_row m WHERE m.project = t.project AND m.relation = t.relation) \
               FROM enact.managed_table t WHERE t.project = $1";
    let records = tx.query(&Query::new(Sql::new(sql)).bind(Param::Text(request.project.to_owned()))).await?;
    let mut rows: BTreeMap<&TableName, usize> = BTreeMap::new();
    for batch in batches {
        *rows.entry(&batch.table).or_default() += batch.rows.len();
    }
    let same = |record: &Record| {
        let Some(table) = record.text(0).and_then(|text| TableName::parse(text).ok()) else { return false };
        let declared = facts.contents.get(&table).map(Digest::to_string);
        let synced = record.json(2).filter(|synced| synced.is_array());
        declared.is_some()
            && declared.as_deref() == record.text(1)
            && synced.cloned() == facts.synced.get(&table).map(|parts| serde_json::json!(parts))
            && record.int(3).and_then(|count| usize::try_from(count).ok()) == rows.get(&table).copied()
    };
    Ok(records.len() == rows.len() && records.iter().all(same))
}

/// The parts of tables that are synced.
fn synced_parts(request: &RowsRequest<'_>) -> BTreeMap<TableName, Vec<SyncedPart>> {
    let mut out: BTreeMap<TableName, Vec<_>> = BTreeMap::new();
    for synced in &request.resolved.synced {
        let texts = |values: &Spot<Vec<Written>>| values.value.iter().map(|v| v.scalar().map(str::to_owned)).collect();
        let within = synced.within.iter().map(|(name, values)| (name.clone(), texts(values))).collect();
        out.entry(synced.table.value.clone()).or_default().push(within);
    }
    out
}

/// Columns that are declared as the time of the apply.
fn times(batches: &[Batch<RowRef>]) -> BTreeMap<RowRef, Vec<String>> {
    let of_batch = |batch: &Batch<RowRef>| -> Vec<String> {
        let times = batch.value_forms().filter(|(_, form)| **form == Form::ApplyTime);
        times.map(|(name, _)| name.clone()).collect()
    };
    let with_times = batches.iter().map(|batch| (batch, of_batch(batch))).filter(|(_, times)| !times.is_empty());
    with_times.flat_map(|(batch, times)| batch.rows.iter().map(move |row| (*row, times.clone()))).collect()
}

/// Compares what is written down with what is declared and there: which rows changed since, which are declared no more, and
/// which are to be written down.
pub(super) async fn compare(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    batches: &[Batch<RowRef>],
    facts: &mut RowFacts,
) -> Result<(), ObserveError> {
    if kept(tx).await? == Kept::Nothing {
        return Ok(());
    }
    facts.declared = declared_digests(batches, request);
    facts.synced = synced_parts(request);
    facts.times = times(batches);
    facts.contents = contents(batches, request);
    if is_as_written(tx, request, batches, facts).await? {
        let nothing = TableRead::default().digest();
        facts.moved = facts.declared.keys().filter_map(|table| Some((table.clone(), nothing?))).collect();
        return Ok(());
    }
    let recorded = read_recorded_rows(tx, request.project, None).await?;
    facts.moved = recorded.iter().filter_map(|table| Some((table.table.clone(), table.digest()?))).collect();
    let spelled = spelled(&recorded);
    let mut moved = moved(recorded);
    let known = known_digests(tx, request.project).await?;
    changing(tx, request, &spelled, &mut moved, facts).await?;
    if !request.partial {
        left(tx, request, batches, &known, &moved, facts).await?;
    }
    as_declared(tx, request, batches, &known, &moved, facts).await?;
    Ok(())
}

/// Rows that are no longer as they were written down, by table.
type MovedRows = BTreeMap<TableName, BTreeMap<RowKey, RowDiffers>>;

fn moved(tables: Vec<RecordedTable>) -> MovedRows {
    let read = |table: RecordedTable| match table.now {
        TableNow::Read(read) => {
            let rows = read.rows.into_iter().filter(RowDifference::differs).map(|row| (row.key, row.what));
            Some((table.table, rows.collect()))
        }
        TableNow::Gone | TableNow::Hidden { .. } => None,
    };
    tables.into_iter().filter_map(read).collect()
}

/// Keys under which rows are written down, by table and by the key as the live row spells it, where that is another spelling.
type Spelled = BTreeMap<TableName, BTreeMap<RowKey, RowKey>>;

fn spelled(tables: &[RecordedTable]) -> Spelled {
    let of_table = |table: &RecordedTable| match &table.now {
        TableNow::Read(read) => {
            let spelled = read.rows.iter().filter_map(|row| Some((row.spelled.clone()?, row.key.clone())));
            Some((table.table.clone(), spelled.collect()))
        }
        TableNow::Gone | TableNow::Hidden { .. } => None,
    };
    tables.iter().filter_map(of_table).collect()
}

/// Digests of the keys that the rows of each table were declared by at the last apply.
async fn known_digests(tx: &mut dyn Tx, project: &str) -> Result<BTreeMap<TableName, Digest>, StoreError> {
    let sql = "SELECT t.relation, t.declared FROM enact.managed_table t WHERE t.project = $1";
    let known = tx.query(&Query::new(Sql::new(sql)).bind(Param::Text(project.to_owned()))).await?;
    let read = |record: &Record| Some((TableName::parse(record.text(0)?).ok()?, Digest::from_text(record.text(1)?)?));
    Ok(known.iter().filter_map(read).collect())
}

/// What is written down of rows that change. What is said of a row that is gone with its changes is taken out of `moved`.
async fn changing(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    spelled: &Spelled,
    moved: &mut MovedRows,
    facts: &mut RowFacts,
) -> Result<(), StoreError> {
    let mut tables: BTreeMap<&TableName, Vec<&RowSeen>> = BTreeMap::new();
    for seen in &facts.seen {
        let set = &request.resolved.rows[seen.of.set];
        if set.origin == RowOrigin::Files {
            tables.entry(&set.table.value).or_default().push(seen);
        }
    }
    for (table, rows) in tables {
        let found = &request.tables[table];
        let none = BTreeMap::new();
        let written_as = |seen: &RowSeen| {
            let key = recorded_key(found, seen);
            spelled.get(table).and_then(|keys| keys.get(&key)).cloned().unwrap_or(key)
        };
        let differing = moved.get(table).unwrap_or(&none);
        let gone: Vec<&RowKey> =
            differing.iter().filter(|(_, what)| **what == RowDiffers::Gone).map(|(key, _)| key).collect();
        let live = |seen: &&&RowSeen| seen.live.is_some();
        let mut keys: Vec<RowKey> = rows.iter().filter(live).map(|seen| written_as(seen)).collect();
        if rows.iter().any(|seen| seen.live.is_none()) {
            keys.extend(gone.iter().map(|key| (*key).clone()));
        }
        let written = written(tx, request.project, table, &keys).await?;
        let mut taken = Vec::new();
        for seen in rows {
            let key = match &seen.live {
                Some(_) => Some(written_as(seen)),
                None => gone.iter().find(|key| names(key, seen, written.get(*key))).map(|key| (*key).clone()),
            };
            let Some((key, values)) = key.and_then(|key| Some((key.clone(), written.get(&key)?.clone()))) else {
                continue;
            };
            let record = RowRecord { values, since: differing.get(&key).cloned() };
            facts.recorded.insert(seen.of, record);
            taken.push((seen.of, key == recorded_key(found, seen), key));
        }
        for (of, same_key, key) in taken {
            let what = moved.get_mut(table).and_then(|differing| differing.remove(&key));
            if what == Some(RowDiffers::Gone) || !same_key {
                facts.superseded.push((of, table.clone(), key));
            }
        }
    }
    Ok(())
}

/// The key under which a live row is written down.
fn recorded_key(facts: &TableFacts, seen: &RowSeen) -> RowKey {
    let declared: Vec<String> = seen.key.columns().cloned().collect();
    let live = seen.live.as_ref().map(|(_, live)| live);
    let value = |name: &String| live.and_then(|live| live.0.get(name).cloned().flatten());
    let part = |name: &String| KeyPart { column: name.clone(), value: value(name).map_or(Cell::Null, Cell::Text) };
    let mut columns = record_key(facts, &declared).to_vec();
    columns.sort();
    RowKey(columns.iter().map(part).collect())
}

/// Whether a row that is gone was the declared one: it has the values of the declared key.
fn names(key: &RowKey, seen: &RowSeen, written: Option<&BTreeMap<String, RecordedValue>>) -> bool {
    seen.key.0.iter().all(|part| {
        let under = key.0.iter().find(|own| own.column == part.column).map(|own| own.value == part.value);
        let value = || match (written.and_then(|values| values.get(&part.column)), &part.value) {
            (Some(RecordedValue::Text(text)), Cell::Text(declared)) => text == declared,
            (Some(RecordedValue::Null), Cell::Null) => true,
            (Some(_) | None, _) => false,
        };
        under.unwrap_or_else(value)
    })
}

/// What is written down under these keys.
async fn written(
    tx: &mut dyn Tx,
    project: &str,
    table: &TableName,
    keys: &[RowKey],
) -> Result<BTreeMap<RowKey, BTreeMap<String, RecordedValue>>, StoreError> {
    if keys.is_empty() {
        return Ok(BTreeMap::new());
    }
    let texts = if kept(tx).await? == Kept::Texts { "m.texts" } else { "NULL::jsonb" };
    let sql = Sql::new("SELECT e.i, m.digests, ").text(texts).text(
        " FROM pg_catalog.jsonb_array_elements($3) WITH ORDINALITY AS e(v, i) JOIN enact.managed_row m \
         ON m.key = e.v WHERE m.project = $1 AND m.relation = $2",
    );
    let query = Query::new(sql).bind(Param::Text(project.to_owned())).bind(Param::Text(table.to_string()));
    let query = query.bind(Param::Json(keys.iter().map(key_object).collect()));
    let mut out = BTreeMap::new();
    for record in tx.query(&query).await? {
        let key = &keys[super::constraints::index_of(&record, 0)];
        let text = |name: &String| record.json(2).and_then(|texts| texts.get(name)).and_then(Value::as_str);
        let digests = record.json(1).and_then(Value::as_object).into_iter().flatten();
        let values =
            digests.map(|(name, digest)| (name.clone(), recorded_value(digest.as_str(), text(name)))).collect();
        out.insert(key.clone(), values);
    }
    Ok(out)
}

/// Rows that are as declared, and of which nothing or something else is written down. Where all keys of a table are declared
/// as they were at the last apply, each is written down.
async fn as_declared(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    batches: &[Batch<RowRef>],
    known: &BTreeMap<TableName, Digest>,
    moved: &MovedRows,
    facts: &mut RowFacts,
) -> Result<(), StoreError> {
    let changing: BTreeSet<RowRef> = facts.seen.iter().map(|seen| seen.of).collect();
    for batch in batches.iter().filter(|batch| of_files(batch, request)) {
        let differing = moved.get(&batch.table);
        let outdated: Vec<Value> = differing
            .into_iter()
            .flatten()
            .filter(|(_, what)| **what != RowDiffers::Gone)
            .map(|(key, _)| key_object(key))
            .collect();
        let all = facts.declared.get(&batch.table) == known.get(&batch.table);
        if all && outdated.is_empty() {
            continue;
        }
        for (row, outdated, seen) in recordable(tx, request, batch, outdated).await? {
            match outdated {
                _ if changing.contains(&row) => {}
                true => facts.outdated.push(seen),
                false => facts.unrecorded.push((row, seen.key)),
            }
        }
    }
    Ok(())
}

fn of_files(batch: &Batch<RowRef>, request: &RowsRequest<'_>) -> bool {
    batch.rows.first().is_some_and(|row| is_recorded(&request.resolved.rows[row.set]))
}

/// Declared rows that are there, and not written down or among those that are outdated.
async fn recordable(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    batch: &Batch<RowRef>,
    outdated: Vec<Value>,
) -> Result<Vec<(RowRef, bool, RowSeen)>, StoreError> {
    let found = &request.tables[&batch.table];
    let Some(matched) = matching(found, &batch.key, &batch.shape.key) else { return Ok(Vec::new()) };
    let columns: Vec<&String> = sql::readable(found).collect();
    let offset = batch.texts.len().max(1);
    let sql = sql::texts(Sql::new("SELECT d.\"enact i\", "), "t", batch.key.iter()).text(", m.key IS NOT NULL, ");
    let sql = sql::at(sql.text("CASE WHEN m.key IS NOT NULL THEN "), "t", found)
        .text(" END, CASE WHEN m.key IS NOT NULL THEN ");
    let sql = sql::texts(sql, "t", columns.iter().copied()).text(" END FROM ");
    let sql = sql.sql(&sql::declared(batch, &matched, request.tables, 0)).text(" d JOIN ");
    let sql = sql::on(sql.sql(&sql::live(&batch.table, &matched, found)).text(" t ON "), &matched, found);
    let sql = sql.text(" LEFT JOIN enact.managed_row m ON m.project = ").param(offset + 1).text(" AND m.relation = ");
    let sql = object(sql.param(offset + 2).text(" AND m.key = "), record_key(found, &batch.key));
    let sql = sql.text(" WHERE m.key IS NULL OR m.key IN (SELECT e.v FROM pg_catalog.jsonb_array_elements(");
    let sql = sql.param(offset + 3).text(") AS e(v))");
    let query = params(batch).into_iter().fold(Query::new(sql), Query::bind);
    let query = query.bind(Param::Text(request.project.to_owned())).bind(Param::Text(batch.table.to_string()));
    let texts = |record: &Record, index: usize| -> Vec<Option<String>> {
        let values = record.json(index).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        values.iter().map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let mut out = Vec::new();
    for record in tx.query(&query.bind(Param::Json(Value::Array(outdated)))).await? {
        let of = batch.rows[super::constraints::index_of(&record, 0)];
        let part = |(column, text): (&String, Option<String>)| KeyPart {
            column: column.clone(),
            value: text.map_or(Cell::Null, Cell::Text),
        };
        let key = RowKey(batch.key.iter().zip(texts(&record, 1)).map(part).collect());
        let names = columns.iter().map(|name| (*name).clone());
        let live = record.text(3).map(|at| (at.to_owned(), LiveRow(names.zip(texts(&record, 4)).collect())));
        out.push((of, record.is_true(2), RowSeen { of, key, values: BTreeMap::new(), live, differs: Vec::new() }));
    }
    Ok(out)
}

/// Rows that are written down and met by no declaration, there or gone. Where all keys are declared as they were at the last
/// apply and no row differs, none that is there can have left.
async fn left(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    batches: &[Batch<RowRef>],
    known: &BTreeMap<TableName, Digest>,
    moved: &MovedRows,
    facts: &mut RowFacts,
) -> Result<(), ObserveError> {
    for (table, rows) in moved {
        let gone = rows.iter().filter(|(_, what)| **what == RowDiffers::Gone);
        facts.left.extend(gone.map(|(key, _)| (table.clone(), key.clone())));
    }
    for (table, digest) in known {
        // A row that differs may not be the declared one any more: another one has its key.
        let same = facts.declared.get(table) == Some(digest);
        if same && moved.get(table).is_none_or(BTreeMap::is_empty) {
            continue;
        }
        let mut tables = request.tables.clone();
        if !tables.contains_key(table) {
            tables.extend(read_catalog(tx, &BTreeSet::from([table.clone()]), &BTreeSet::new()).await?.0);
        }
        let Some(found) = tables.get(table).filter(|facts| facts.keys().next().is_some()) else { continue };
        let gone = left_of(tx, request, batches, table, found).await?;
        // A row that a synced table loses is said with its deletion.
        let columns = record_key(found, &[]);
        let extra = facts.extra.iter().filter(|extra| request.resolved.synced[extra.synced].table.value == *table);
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

fn key_object(key: &RowKey) -> Value {
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => Value::String(text.clone()),
        Cell::Null | Cell::ApplyTime | Cell::Reference(_) => Value::Null,
    };
    key.0.iter().map(|part| (part.column.clone(), text(&part.value))).collect::<serde_json::Map<_, _>>().into()
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

//! Rows are written, read back, and compared with what was planned.
//!
//! - All batches of a step are one statement, as data-modifying parts of a `WITH` where there are several: PostgreSQL judges
//!   foreign keys when it ends.
//! - Each part writes as many rows as it was given, or the run goes back.
//! - What was written is read back and compared in the column's type: a trigger that makes another value of it, or keeps a
//!   row that should go, ends the run before anything is decided. Rows that go are looked for at once, since another one
//!   may take their place; values at the end, since a later statement's trigger may change them.
//! - Statements run with the search path that the role has of itself, since triggers of users may rely on it. All that is
//!   named here has its schema.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ApplyError;
use crate::diff::rows::identity::{Match, Part, matching};
use crate::diff::rows::shape::{Batch, batches_of_cells};
use crate::diff::{ChangeDetail, RowChange};
use crate::model::{Address, Cell, Followers, KeyPart, LiveRow, RowKey, TableName, digest_of};
use crate::observe::rows::{self, Facts, Matched};
use crate::observe::{read_only_tables, read_references};
use crate::plan::{RowAction, RowBatch, RowWrite, RowsWork, SavedPlan, Step, Work};
use crate::store::{Param, Query, Sql, StoreError, Tx};

/// The search path of the transaction: Enact's own, or the one that the role has of itself.
#[derive(Default)]
pub(super) struct SearchPath {
    of_users: bool,
}

impl SearchPath {
    /// Sets it where it is another one.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn set(&mut self, tx: &mut dyn Tx, of_users: bool) -> Result<(), StoreError> {
        if self.of_users != of_users {
            rows::search_path(tx, of_users).await?;
            self.of_users = of_users;
        }
        Ok(())
    }
}

/// Writes the rows of a step.
///
/// # Errors
/// What the database refuses, and what did not become as planned; those of the store.
pub(super) async fn write(tx: &mut dyn Tx, step: &Step, work: &RowsWork, tables: &Facts) -> Result<(), ApplyError> {
    let mut parts: Vec<(&RowBatch, Batch<usize>)> = Vec::new();
    for batch in &work.batches {
        if !tables.contains_key(&batch.table) {
            return Err(refused(step, format!("table \"{}\" is gone", batch.table)));
        }
        parts.extend(batches(batch).into_iter().map(|typed| (batch, typed)));
    }
    let mut query = Query::new(Sql::new(""));
    for (number, (batch, typed)) in parts.iter().enumerate() {
        let statement = statement(batch.action, typed, &batch.cleared, tables, query.params.len());
        let Some(statement) = statement else {
            return Err(refused(step, format!("no unique index covers the key of \"{}\" any more", batch.table)));
        };
        query.sql = query.sql.text(if number == 0 { "WITH " } else { ", " }).ident(&part_name(number)).text(" AS (");
        query.sql = query.sql.sql(&statement).text(")");
        query = rows::params(typed).into_iter().fold(query, Query::bind);
    }
    query.sql = query.sql.text(" SELECT ").list(0..parts.len(), |sql, number| {
        sql.text("(SELECT pg_catalog.count(*) FROM ").ident(&part_name(number)).text(")")
    });
    let written = tx.query(&query).await.map_err(|error| by_store(step, &work.batches, error))?;
    for (number, (batch, typed)) in parts.iter().enumerate() {
        let count = written.first().and_then(|record| record.int(number)).unwrap_or(0);
        if usize::try_from(count) != Ok(typed.rows.len()) {
            let why = format!("{count} of {} rows of \"{}\" were written", typed.rows.len(), batch.table);
            return Err(refused(step, why));
        }
    }
    Ok(())
}

/// Looks whether what a step deleted is gone. As the session's own role: that of the step may have no more than it needs.
///
/// # Errors
/// A row that is still there; those of the store.
pub(super) async fn check_gone(
    tx: &mut dyn Tx,
    step: &Step,
    work: &RowsWork,
    tables: &Facts,
) -> Result<(), ApplyError> {
    for batch in work.batches.iter().filter(|batch| batch.action == RowAction::Delete) {
        for typed in batches(batch) {
            read_back(tx, &step.title, batch, &typed, tables).await?;
        }
    }
    Ok(())
}

/// Reads back every row that was inserted or updated, when all is written and all that triggers do of it is done.
///
/// # Errors
/// A value that is another one than planned; those of the store.
pub(super) async fn verify(tx: &mut dyn Tx, plan: &SavedPlan, tables: &Facts) -> Result<(), ApplyError> {
    for step in &plan.steps {
        let Work::WriteRows(work) = &step.work else { continue };
        for batch in work.batches.iter().filter(|batch| batch.action != RowAction::Delete) {
            for typed in batches(batch) {
                read_back(tx, &step.title, batch, &typed, tables).await?;
            }
        }
    }
    as_before(tx, plan, tables).await
}

/// Reads back the declared columns of updated rows that were right before: a trigger may have changed them by the way.
async fn as_before(tx: &mut dyn Tx, plan: &SavedPlan, tables: &Facts) -> Result<(), ApplyError> {
    type Columns<'a> = BTreeMap<&'a Vec<Cell>, &'a Vec<String>>;
    type Alike<'a> = (&'a TableName, Vec<&'a String>, Vec<&'a String>);
    let mut declared: BTreeMap<(&TableName, Vec<&String>), Columns<'_>> = BTreeMap::new();
    for step in &plan.steps {
        let Work::RecordRows(record) = &step.work else { continue };
        for kept in &record.keep {
            let rows = declared.entry((&kept.table, kept.key.iter().collect())).or_default();
            rows.extend(kept.rows.iter().map(|key| (key, &kept.columns)));
        }
    }
    let mut batches: BTreeMap<Alike<'_>, Vec<RowWrite>> = BTreeMap::new();
    for change in &plan.changes {
        let ChangeDetail::Row { table, key, change: RowChange::Update { live, fields }, .. } = &change.detail else {
            continue;
        };
        let names: Vec<&String> = key.columns().collect();
        let cells: Vec<Cell> = key.0.iter().map(|part| part.value.clone()).collect();
        let Some(columns) = declared.get(&(table, names.clone())).and_then(|rows| rows.get(&cells)) else { continue };
        let rest: Vec<&String> =
            columns.iter().filter(|name| !fields.contains_key(*name) && live.0.contains_key(*name)).collect();
        if rest.is_empty() {
            continue;
        }
        let value = |name: &&String| live.0.get(*name).cloned().flatten().map_or(Cell::Null, Cell::Text);
        let values = rest.iter().map(value).collect();
        batches.entry((table, names, rest)).or_default().push(RowWrite { key: cells, values });
    }
    let owned = |names: Vec<&String>| names.into_iter().cloned().collect::<Vec<String>>();
    for ((table, key, columns), rows) in batches {
        let (key, columns) = (owned(key), owned(columns));
        let batch =
            RowBatch { table: table.clone(), action: RowAction::Update, key, columns, cleared: Vec::new(), rows };
        for typed in self::batches(&batch) {
            let title = format!("update {}", batch.table);
            read_back(tx, &title, &batch, &typed, tables).await?;
        }
    }
    Ok(())
}

fn part_name(number: usize) -> String {
    format!("enact w{number}")
}

/// Facts of all tables whose rows a plan writes, writes down or refers to, read once.
///
/// # Errors
/// Those of the store.
pub(super) async fn facts(tx: &mut dyn Tx, plan: &SavedPlan) -> Result<Facts, StoreError> {
    let mut names = BTreeSet::new();
    for step in &plan.steps {
        match &step.work {
            Work::WriteRows(work) => {
                for batch in &work.batches {
                    names.insert(batch.table.clone());
                    let cells = batch.rows.iter().flat_map(|row| row.key.iter().chain(&row.values));
                    cells.for_each(|cell| referred(cell, &mut names));
                }
            }
            Work::RecordRows(record) => {
                for kept in &record.keep {
                    names.insert(kept.table.clone());
                    kept.rows.iter().flatten().for_each(|cell| referred(cell, &mut names));
                }
            }
            _ => {}
        }
    }
    names.extend(plan.baseline.rows.iter().map(|row| row.table.clone()));
    names.extend(plan.baseline.references.iter().map(|target| target.table.clone()));
    plan.baseline.rows.iter().flat_map(|row| &row.key.0).for_each(|part| referred(&part.value, &mut names));
    if names.is_empty() { Ok(Facts::new()) } else { read_only_tables(tx, &names).await }
}

fn referred(cell: &Cell, names: &mut BTreeSet<TableName>) {
    if let Cell::Reference(reference) = cell {
        names.insert(reference.table.clone());
        reference.key.0.iter().for_each(|part| referred(&part.value, names));
    }
}

/// The rows of a batch by shape, each with its place in it.
fn batches(batch: &RowBatch) -> Vec<Batch<usize>> {
    let keys: Vec<RowKey> = batch.rows.iter().map(|row| key_of(batch, &row.key)).collect();
    let rows = keys.iter().zip(&batch.rows).enumerate();
    let rows = rows.map(|(index, (key, row))| (key, row.values.iter().collect(), index));
    batches_of_cells(&batch.table, &batch.key, &batch.columns, rows)
}

fn key_of(batch: &RowBatch, values: &[Cell]) -> RowKey {
    let part = |(column, value): (&String, &Cell)| KeyPart { column: column.clone(), value: value.clone() };
    RowKey(batch.key.iter().zip(values).map(part).collect())
}

/// The statement of a part; `None` where no unique index covers its key any more.
fn statement(
    action: RowAction,
    typed: &Batch<usize>,
    cleared: &[String],
    tables: &Facts,
    offset: usize,
) -> Option<Sql> {
    let facts = &tables[&typed.table];
    if action == RowAction::Create {
        return Some(insert(typed, cleared, tables, offset));
    }
    let matched = matching(facts, &typed.key, &typed.shape.key)?;
    let plain = matched.predicates.is_empty() && matched.parts.iter().all(|part| !matches!(part, Part::Expression(_)));
    let sql = match action {
        RowAction::Update => {
            let sql = rows::from(Sql::new("UPDATE "), &typed.table, facts).text(" t SET ");
            sql.list(typed.columns.iter().chain(cleared), |sql, name| {
                let sql = sql.ident(name).text(" = ");
                if cleared.contains(name) { sql.text("NULL") } else { sql.text("d.").ident(name) }
            })
            .text(" FROM ")
        }
        RowAction::Create | RowAction::Delete => {
            rows::from(Sql::new("DELETE FROM "), &typed.table, facts).text(" t USING ")
        }
    };
    let declared = rows::declared(typed, &matched, tables, offset);
    if plain || !facts.located {
        let sql = sql.sql(&declared).text(" d WHERE ");
        return Some(rows::on(sql, &matched, facts).text(" RETURNING 1"));
    }
    // An expression, or the condition of a partial index, is over the columns of one row: live rows are found first.
    let found = Sql::new("(SELECT d.*, t.\"enact oid\", t.\"enact tid\" FROM ").sql(&declared).text(" d JOIN ");
    let found =
        rows::on(found.sql(&rows::live(&typed.table, &matched, facts)).text(" t ON "), &matched, facts).text(")");
    let sql = sql.sql(&found).text(" d WHERE t.ctid = d.\"enact tid\" AND t.tableoid = d.\"enact oid\" RETURNING 1");
    Some(sql)
}

/// A value for `GENERATED ALWAYS AS IDENTITY` needs a word for it.
fn insert(typed: &Batch<usize>, cleared: &[String], tables: &Facts, offset: usize) -> Sql {
    let facts = &tables[&typed.table];
    let columns: Vec<&String> = typed.key.iter().chain(&typed.columns).chain(cleared).collect();
    let sql =
        Sql::new("INSERT INTO ").table(&typed.table).text(" (").list(&columns, |sql, name| sql.ident(name)).text(")");
    let always = columns.iter().any(|name| facts.columns.get(*name).is_some_and(|column| column.identity_always));
    let sql = if always { sql.text(" OVERRIDING SYSTEM VALUE SELECT ") } else { sql.text(" SELECT ") };
    let whole = Match { parts: Vec::new(), predicates: Vec::new(), may_be_several: false };
    let sql = sql.list(&columns, |sql, name| match facts.columns.get(*name).filter(|_| cleared.contains(name)) {
        Some(column) => sql.text("NULL::").trusted(&column.type_name),
        None => sql.text("d.").ident(name),
    });
    let sql = sql.text(" FROM ");
    sql.sql(&rows::declared(typed, &whole, tables, offset)).text(" d ORDER BY d.\"enact i\" RETURNING 1")
}

async fn read_back(
    tx: &mut dyn Tx,
    title: &str,
    batch: &RowBatch,
    typed: &Batch<usize>,
    tables: &Facts,
) -> Result<(), ApplyError> {
    let ask = if batch.action == RowAction::Delete { rows::Ask::There } else { rows::Ask::Different };
    let found = rows::attempt(tx, typed, tables, ask, rows::Guard::None).await?;
    for one in &found {
        let row = &batch.rows[typed.rows[one.index]];
        let address = Address::row(&batch.table, &key_of(batch, &row.key));
        let why = match &one.live {
            Some(_) if batch.action == RowAction::Delete => {
                format!("\"{address}\" is still there after it was deleted: a trigger or a rule keeps it")
            }
            None => {
                format!("\"{address}\" is not found again after it was written: a trigger or a rule changed its key")
            }
            Some((_, live)) => match rows::differing(typed, one, live).first() {
                None => continue,
                Some((column, declared, stored)) => {
                    let text =
                        |text: &Option<String>| text.as_ref().map_or("NULL".to_owned(), |text| format!("\"{text}\""));
                    format!(
                        "column \"{column}\" of \"{address}\" should be {} and was stored as {}: a trigger or the column \
                         makes another value of it; list it under computed if that is right",
                        text(declared),
                        text(stored)
                    )
                }
            },
        };
        return Err(ApplyError::Refused { step: title.to_owned(), why });
    }
    Ok(())
}

fn refused(step: &Step, why: String) -> ApplyError {
    ApplyError::Refused { step: step.title.clone(), why }
}

fn by_store(step: &Step, batches: &[RowBatch], error: StoreError) -> ApplyError {
    let tables: BTreeSet<String> = batches.iter().map(|batch| batch.table.to_string()).collect();
    super::work::refused_by_store(step, &tables.into_iter().collect::<Vec<_>>().join(", "), error)
}

/// Locks the rows that the plan changes, and names those that are not as it found them.
pub(super) async fn compare(
    tx: &mut dyn Tx,
    plan: &SavedPlan,
    tables: &Facts,
    moved: &mut Vec<String>,
) -> Result<(), ApplyError> {
    let mut stands: BTreeMap<Address, String> = BTreeMap::new();
    let mut groups: BTreeMap<(&TableName, Vec<String>), Vec<usize>> = BTreeMap::new();
    for (index, row) in plan.baseline.rows.iter().enumerate() {
        groups.entry((&row.table, row.key.columns().cloned().collect())).or_default().push(index);
    }
    let mut path = SearchPath::default();
    for ((table, key), members) in groups {
        let Some(facts) = tables.get(table) else {
            moved.push(format!("table \"{table}\" is gone"));
            continue;
        };
        path.set(tx, facts.runs_functions()).await?;
        let rows = members.iter().map(|index| (&plan.baseline.rows[*index].key, Vec::new(), *index));
        for batch in batches_of_cells(table, &key, &[], rows) {
            if matching(facts, &batch.key, &batch.shape.key).is_none() {
                moved.push(format!("no unique index of \"{table}\" covers {} any more", key.join(", ")));
                continue;
            }
            rows::lock_rows(tx, &batch, tables).await?;
            let mut live: BTreeMap<usize, LiveRow> = BTreeMap::new();
            for Matched { index, live: found, .. } in rows::live_rows(tx, &batch, tables).await? {
                let (Some((at, row)), index) = (found, batch.rows[index]) else { continue };
                stands.insert(Address::row(table, &plan.baseline.rows[index].key), at);
                live.insert(index, row);
            }
            for index in &batch.rows {
                let row = &plan.baseline.rows[*index];
                let now = live.get(index).map(digest_of);
                let what = match (&row.digest, &now) {
                    (before, now) if before == now => continue,
                    (None, _) => "is there now",
                    (Some(_), None) => "is gone",
                    (Some(_), Some(_)) => "changed",
                };
                moved.push(format!("row \"{}\" {what}", Address::row(table, &row.key)));
            }
        }
    }
    path.set(tx, false).await?;
    compare_followers(tx, plan, &stands, tables, moved).await?;
    let targets = plan.baseline.references.iter().cloned().collect();
    for (target, lives) in read_references(tx, &targets, tables).await? {
        if !lives {
            let values = target.values.iter().map(|value| Cell::Text(value.clone()));
            let parts = target.columns.iter().cloned().zip(values);
            let key = RowKey(parts.map(|(column, value)| KeyPart { column, value }).collect());
            moved.push(format!("row \"{}\" is gone", Address::row(&target.table, &key)));
        }
    }
    Ok(())
}

/// Names foreign keys by which other rows would go or change than the plan says.
async fn compare_followers(
    tx: &mut dyn Tx,
    plan: &SavedPlan,
    stands: &BTreeMap<Address, String>,
    tables: &Facts,
    moved: &mut Vec<String>,
) -> Result<(), ApplyError> {
    let now = rows::followers_of(tx, &plan.changes, stands, tables).await?;
    let keys: BTreeSet<_> =
        plan.baseline.followers.iter().chain(&now).map(|one| (&one.table, &one.foreign_key)).collect();
    for (table, foreign_key) in keys {
        let of = |followers: &'_ [Followers]| -> Vec<Followers> {
            followers.iter().filter(|one| (&one.table, &one.foreign_key) == (table, foreign_key)).cloned().collect()
        };
        let (before, now) = (of(&plan.baseline.followers), of(&now));
        if before != now {
            let count = |of: &[Followers]| of.iter().map(|one| one.rows).sum::<u64>();
            moved.push(format!(
                "rows of \"{table}\" that go or change by the way (foreign key {foreign_key}) are others: {} when planned, {} now",
                count(&before),
                count(&now)
            ));
        }
    }
    Ok(())
}

/// Moves sequences past values that the plan chose for columns which they number, so that the next value of the database is
/// free. Sequences are outside of transactions: this is the last thing before the decision, and moves forward alone.
pub(super) async fn advance_sequences(tx: &mut dyn Tx, plan: &SavedPlan, tables: &Facts) -> Result<(), ApplyError> {
    for step in &plan.steps {
        let Work::WriteRows(work) = &step.work else { continue };
        let numbered = |batch: &RowBatch| {
            let facts = tables.get(&batch.table);
            let mut columns = batch.key.iter().chain(&batch.columns);
            columns.any(|name| facts.is_some_and(|facts| facts.columns.get(name).is_some_and(|c| c.sequence.is_some())))
        };
        if !work.batches.iter().any(numbered) {
            continue;
        }
        if let Some(role) = &step.run_as {
            tx.query(&Query::new(Sql::new("SET LOCAL ROLE ").ident(role))).await?;
        }
        for batch in work.batches.iter().filter(|batch| batch.action != RowAction::Delete) {
            let columns = batch.key.iter().chain(&batch.columns).enumerate();
            for (position, name) in columns {
                let column = tables.get(&batch.table).and_then(|facts| facts.columns.get(name));
                let Some(sequence) = column.and_then(|column| column.sequence.as_ref()) else { continue };
                let value = |row: &crate::plan::RowWrite| match row.key.iter().chain(&row.values).nth(position) {
                    Some(Cell::Text(text)) => Some(text.clone()),
                    Some(Cell::Null | Cell::ApplyTime | Cell::Reference(_)) | None => None,
                };
                let texts: Vec<String> = batch.rows.iter().filter_map(value).collect();
                let query = Query::new(Sql::new(ADVANCE)).bind(Param::Text(sequence.clone())).bind(Param::Texts(texts));
                tx.query(&query).await?;
            }
        }
        if step.run_as.is_some() {
            tx.query(&Query::new(Sql::new("SET LOCAL ROLE NONE"))).await?;
        }
    }
    Ok(())
}

/// Only in the sequence's own direction, and only where the role may; a plan says when it may not.
const ADVANCE: &str = "SELECT pg_catalog.setval(s.seqrelid, m.v) FROM pg_catalog.pg_sequence s CROSS JOIN LATERAL \
 (SELECT CASE WHEN s.seqincrement > 0 THEN pg_catalog.max(w.v::bigint) ELSE pg_catalog.min(w.v::bigint) END AS v \
  FROM unnest($2::text[]) AS w(v) WHERE w.v::bigint BETWEEN s.seqmin AND s.seqmax) m \
 WHERE s.seqrelid = $1::text::regclass AND m.v IS NOT NULL \
 AND CASE WHEN pg_catalog.has_sequence_privilege(s.seqrelid, 'USAGE') AND pg_catalog.has_sequence_privilege(s.seqrelid, 'UPDATE') \
  THEN pg_catalog.sign(m.v::numeric - coalesce(pg_catalog.pg_sequence_last_value(s.seqrelid)::numeric, s.seqstart - pg_catalog.sign(s.seqincrement)::numeric)) \
   = pg_catalog.sign(s.seqincrement) ELSE false END";

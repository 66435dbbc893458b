//! Which live row each declared one is, and whether they differ, as the database says.

use std::collections::BTreeSet;

use serde_json::Value;

use super::sql::{self, Facts};
use super::values::{Wrong, bad_values};
use crate::diff::rows::identity::{Match, matching};
use crate::diff::rows::shape::{Batch, Form};
use crate::model::{Cell, Diagnostics, LiveRow, TableFacts};
use crate::observe::error::ObserveError;
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

/// Rows in one statement.
const ROWS: usize = 20_000;

/// Which rows an answer is wanted of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Those that are not there or differ.
    Different,
    /// Those that are not there.
    Missing,
    /// Those that are there.
    There,
    /// All.
    All,
}

/// Whether the transaction goes on when a value is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// It does.
    Savepoint,
    /// It ends with it.
    None,
}

/// What the database says of one declared row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matched {
    /// Its place in the batch.
    pub index: usize,
    /// The key as the database spells it; absent where a row that it refers to is not there.
    pub key: Vec<Option<String>>,
    /// The declared values of the other columns, likewise.
    pub values: Vec<Option<String>>,
    /// The live row and where it stands.
    pub live: Option<(String, LiveRow)>,
    /// Which of the other columns differ.
    pub differs: Vec<bool>,
    /// Which columns, the key's first, would not keep the value that is declared.
    pub cut: Vec<bool>,
    /// Whether the index by which it is matched covers the declared row.
    pub covered: bool,
}

/// What is said of a batch.
#[derive(Default)]
pub(crate) struct Answer {
    /// Its rows, as far as they were asked for.
    pub matched: Vec<Matched>,
    /// Rows with a wrong value. Where they are matched, the value counts as NULL.
    pub wrong: BTreeSet<usize>,
    /// What is wrong.
    pub errors: Diagnostics,
}

/// Matches a batch.
///
/// # Errors
/// Those of the store.
pub(crate) async fn match_batch<T: Clone + Sync>(
    tx: &mut dyn Tx,
    batch: &Batch<T>,
    tables: &Facts,
    ask: Ask,
    places: &(dyn Fn(&T, &str) -> crate::model::Place + Sync),
) -> Result<Answer, ObserveError> {
    let mut out = Answer::default();
    let of_users = tables[&batch.table].runs_functions();
    if of_users {
        search_path(tx, true).await?;
    }
    let mut from = 0;
    while from < batch.rows.len() {
        let to = (from + ROWS).min(batch.rows.len());
        let whole = from == 0 && to == batch.rows.len();
        let part = if whole { None } else { Some(batch.slice(from, to)) };
        let part = part.as_ref().unwrap_or(batch);
        let answer = match attempt(tx, part, tables, ask, Guard::Savepoint).await {
            Ok(matched) => Answer { matched, ..Answer::default() },
            Err(error) if is_value_error(&error) => without_wrong(tx, part, tables, ask, error, places).await?,
            Err(error) => return Err(error.into()),
        };
        out.matched.extend(answer.matched.into_iter().map(|one| Matched { index: one.index + from, ..one }));
        out.wrong.extend(answer.wrong.into_iter().map(|row| row + from));
        out.errors.extend(answer.errors);
        from = to;
    }
    if of_users {
        search_path(tx, false).await?;
    }
    Ok(out)
}

/// So many times a batch is asked again without what was found wrong.
const ROUNDS: usize = 100;

/// Says what is wrong with a batch that was refused, and matches the rest: a wrong value counts as NULL.
async fn without_wrong<T: Clone + Sync>(
    tx: &mut dyn Tx,
    batch: &Batch<T>,
    tables: &Facts,
    ask: Ask,
    refused: StoreError,
    places: &(dyn Fn(&T, &str) -> crate::model::Place + Sync),
) -> Result<Answer, ObserveError> {
    let mut answer = Answer::default();
    let mut left: Vec<usize> = (0..batch.rows.len()).collect();
    let mut refused = refused;
    let mut rest = batch.clone();
    let mut said: BTreeSet<(usize, usize)> = BTreeSet::new();
    for _ in 0..ROUNDS {
        let mut out = BTreeSet::new();
        for Wrong { row, place, diagnostic } in bad_values(tx, &rest, tables, &refused, places).await? {
            answer.wrong.insert(left[row]);
            // NULL is refused in its turn where a check is not the same each time.
            let again = place.is_some_and(|place| !said.insert((left[row], place)));
            match place.filter(|_| !again) {
                Some(place) => rest.texts[place][row] = None,
                None => drop(out.insert(row)),
            }
            if !again {
                answer.errors.push(diagnostic);
            }
        }
        rest = rest.without(&out);
        left = left.iter().enumerate().filter(|(at, _)| !out.contains(at)).map(|(_, index)| *index).collect();
        if left.is_empty() {
            break;
        }
        match attempt(tx, &rest, tables, ask, Guard::Savepoint).await {
            Ok(matched) => {
                answer.matched = matched.into_iter().map(|one| Matched { index: left[one.index], ..one }).collect();
                break;
            }
            Err(error) if is_value_error(&error) => refused = error,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(answer)
}

/// Sets the search path that the role has of itself, or Enact's own.
///
/// # Errors
/// Those of the store.
pub(crate) async fn search_path(tx: &mut dyn Tx, of_users: bool) -> Result<(), StoreError> {
    let sql = if of_users { "SET LOCAL search_path TO DEFAULT" } else { "SET LOCAL search_path = pg_catalog" };
    tx.query(&Query::new(Sql::new(sql))).await.map(|_| ())
}

/// SQLSTATE class 22 (data exception), 23 (a domain's constraint), 21 (a reference that meets several rows), 42804 and
/// 42846 (a type that no text can be cast to): the value's fault, not the store's.
pub(super) fn is_value_error(error: &StoreError) -> bool {
    error.code.as_deref().is_some_and(|code| {
        code.starts_with("22")
            || code.starts_with("23")
            || code.starts_with("21")
            || code == "42846"
            || code == "42704"
            || code == "42P01"
            || code == "42883"
    })
}

/// Runs a statement that may fail on a value, so that the transaction goes on.
pub(super) async fn guarded(tx: &mut dyn Tx, query: &Query) -> Result<Vec<Record>, StoreError> {
    savepoint(tx, "SAVEPOINT enact_values").await?;
    let answer = tx.query(query).await;
    savepoint(tx, if answer.is_ok() { "RELEASE SAVEPOINT enact_values" } else { "ROLLBACK TO SAVEPOINT enact_values" })
        .await?;
    answer
}

async fn savepoint(tx: &mut dyn Tx, statement: &'static str) -> Result<(), StoreError> {
    tx.query(&Query::new(Sql::new(statement))).await.map(|_| ())
}

pub(crate) async fn attempt<T>(
    tx: &mut dyn Tx,
    batch: &Batch<T>,
    tables: &Facts,
    ask: Ask,
    guard: Guard,
) -> Result<Vec<Matched>, StoreError> {
    let facts = &tables[&batch.table];
    let Some(matched) = matching(facts, &batch.key, &batch.shape.key) else {
        panic!("BUG: rows of \"{}\" without a key came to the database", batch.table)
    };
    let query = sql::params(batch).into_iter().fold(Query::new(statement(batch, &matched, tables, ask)), Query::bind);
    let records = match guard {
        Guard::Savepoint => guarded(tx, &query).await?,
        Guard::None => tx.query(&query).await?,
    };
    let columns: Vec<&String> = sql::readable(facts).collect();
    Ok(records.iter().map(|record| read(record, &columns)).collect())
}

fn statement<T>(batch: &Batch<T>, matched: &Match, tables: &Facts, ask: Ask) -> Sql {
    let facts = &tables[&batch.table];
    let differs = |sql: Sql| {
        batch
            .value_forms()
            .fold(sql, |sql, (name, form)| sql::differs(sql.text(" OR "), name, form, &facts.columns[name]))
    };
    let sql = sql::at(Sql::new("SELECT d.\"enact i\", CASE WHEN t.\"enact hit\" THEN "), "t", facts).text(" END, ");
    let sql = sql::texts(sql, "d", batch.key.iter()).text(", ");
    let sql = sql::texts(sql, "d", batch.columns.iter()).text(", pg_catalog.to_jsonb(ARRAY[");
    let sql = sql.list(batch.value_forms(), |sql, (name, form)| sql::differs(sql, name, form, &facts.columns[name]));
    let sql = sql.text("]::boolean[]), pg_catalog.to_jsonb(d.\"enact cut\"), CASE WHEN t.\"enact hit\" THEN ");
    let sql = sql::texts(sql, "t", sql::readable(facts)).text(" END, ");
    let sql = covered(sql, batch, matched, facts).text(" FROM ").sql(&sql::declared(batch, matched, tables, 0));
    let sql = sql.text(" d LEFT JOIN ").sql(&sql::live(&batch.table, matched, facts)).text(" t ON ");
    let sql = sql::on(sql, matched, facts);
    let cut = |sql: Sql| sql.text(" OR true = ANY (d.\"enact cut\")");
    let uncovered = |sql: Sql| match matched.predicates.is_empty() {
        false => covered(sql.text(" OR NOT coalesce("), batch, matched, facts).text(", false)"),
        true => sql,
    };
    match ask {
        Ask::All => sql,
        Ask::There => sql.text(" WHERE t.\"enact hit\""),
        Ask::Missing => uncovered(cut(sql.text(" WHERE t.\"enact hit\" IS NULL"))),
        Ask::Different => uncovered(cut(differs(sql.text(" WHERE t.\"enact hit\" IS NULL")))),
    }
}

/// Whether a partial index by which rows are matched covers the declared row as it will be: declared columns, else what
/// lives, else the default.
fn covered<T>(sql: Sql, batch: &Batch<T>, matched: &Match, facts: &TableFacts) -> Sql {
    if matched.predicates.is_empty() {
        return sql.text("true");
    }
    let predicate = format!("({})", matched.predicates.join(") OR ("));
    let declared = |name: &String| batch.key.contains(name) || batch.columns.contains(name);
    let sql = sql.text("(SELECT ").trusted(&predicate).text(" FROM (SELECT ");
    let names: Vec<&String> = sql::readable(facts).filter(|name| predicate.contains(name.as_str())).collect();
    let sql = sql.list(&names, |sql, name| {
        if declared(name) {
            return sql.text("d.").ident(name).text(" AS ").ident(name);
        }
        let column = &facts.columns[*name];
        let sql = sql.text("CASE WHEN t.\"enact hit\" THEN t.").ident(name).text(" ELSE ");
        let sql = match &column.default {
            Some(default) if !default.contains("nextval(") => sql.text("(").trusted(default).text(")"),
            Some(_) | None => sql.text("NULL"),
        };
        sql.text("::").trusted(&column.type_name).text(" END AS ").ident(name)
    });
    let sql = if names.is_empty() { sql.text("1 AS \"enact 0\"") } else { sql };
    sql.text(") p)")
}

fn read(record: &Record, columns: &[&String]) -> Matched {
    let texts = |index: usize| -> Vec<Option<String>> {
        let values = record.json(index).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        values.iter().map(|value| value.as_str().map(str::to_owned)).collect()
    };
    let flags = |index: usize| -> Vec<bool> {
        let values = record.json(index).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        values.iter().map(|value| value.as_bool().unwrap_or(false)).collect()
    };
    let live = record.text(1).map(|at| {
        let names = columns.iter().map(|name| (*name).clone());
        (at.to_owned(), LiveRow(names.zip(texts(6)).collect()))
    });
    Matched {
        index: usize::try_from(record.int(0).unwrap_or(1) - 1).unwrap_or(0),
        key: texts(2),
        values: texts(3),
        live,
        differs: flags(4),
        cut: flags(5),
        covered: record.is_true(7),
    }
}

/// A value as a plan keeps it: a reference as what it says, anything else as the database spells it.
pub(crate) fn cell<T>(batch: &Batch<T>, index: usize, form: &Form, spelled: Option<&String>) -> Cell {
    use crate::model::{KeyPart, RowKey, RowReference};
    match form {
        Form::ApplyTime => Cell::ApplyTime,
        Form::Null | Form::Text(_) | Form::Tree(_) => spelled.map_or(Cell::Null, |text| Cell::Text(text.clone())),
        Form::Reference(reference) => {
            let part = |(name, form): &(String, Form)| {
                let text = match form {
                    Form::Text(place) | Form::Tree(place) => batch.texts[*place][index].as_ref(),
                    Form::Null | Form::ApplyTime | Form::Reference(_) => None,
                };
                KeyPart { column: name.clone(), value: cell(batch, index, form, text) }
            };
            let key = RowKey(reference.key.iter().map(part).collect());
            let (table, column) = (reference.table.clone(), reference.column.clone());
            Cell::Reference(Box::new(RowReference { table, key, column }))
        }
    }
}

/// Reads the rows with these keys whole, and where they stand. What is not there is left out.
///
/// # Errors
/// Those of the store.
pub(crate) async fn live_rows<T>(
    tx: &mut dyn Tx,
    batch: &Batch<T>,
    tables: &Facts,
) -> Result<Vec<Matched>, StoreError> {
    attempt(tx, batch, tables, Ask::There, Guard::None).await
}

/// Locks the live rows of a batch, where the role may: nobody changes them before the transaction ends.
///
/// # Errors
/// Those of the store; a role that may not lock is none.
pub(crate) async fn lock_rows<T>(tx: &mut dyn Tx, batch: &Batch<T>, tables: &Facts) -> Result<(), StoreError> {
    let facts = &tables[&batch.table];
    let Some(matched) = matching(facts, &batch.key, &batch.shape.key).filter(|_| facts.located) else { return Ok(()) };
    let sql = Sql::new("SELECT 1 FROM ").sql(&sql::declared(batch, &matched, tables, 0)).text(" d JOIN ");
    let sql = sql.sql(&sql::live(&batch.table, &matched, facts)).text(" t ON ");
    let sql = sql::on(sql, &matched, facts).text(" FOR UPDATE OF t");
    let query = sql::params(batch).into_iter().fold(Query::new(sql), |query: Query, param: Param| query.bind(param));
    match guarded(tx, &query).await {
        Err(error) if error.code.as_deref() != Some("42501") => Err(error),
        Ok(_) | Err(_) => Ok(()),
    }
}

//! Every wrong value of every row, each at its own place.

use super::matching::{Ask, Guard, attempt, guarded, is_value_error};
use super::sql::Facts;
use crate::diff::codes;
use crate::diff::rows::shape::{Batch, Form};
use crate::model::{Column, Diagnostic, Place};
use crate::observe::catalog::server_major;
use crate::observe::error::ObserveError;
use crate::store::{Param, Query, Sql, StoreError, Tx};

/// The first version that tells about a value without failing (`pg_input_error_info`).
const TELLS: i64 = 16;
/// So many wrong values of one column are looked for one by one where the server does not tell.
const SEARCHED: usize = 200;

/// A mistake.
pub(super) struct Wrong {
    /// The row of the batch.
    pub row: usize,
    /// The place of the value among the row's texts, where it is one value.
    pub place: Option<usize>,
    pub diagnostic: Diagnostic,
}

/// Finds what is wrong after a batch was refused.
///
/// # Errors
/// Those of the store that are no value's fault.
pub(super) async fn bad_values<T: Clone>(
    tx: &mut dyn Tx,
    batch: &Batch<T>,
    tables: &Facts,
    refused: &StoreError,
    places: &(dyn Fn(&T, &str) -> Place + Sync),
) -> Result<Vec<Wrong>, ObserveError> {
    let mut out = Vec::new();
    let tells = server_major(tx).await? >= TELLS;
    let facts = &tables[&batch.table];
    for (name, form) in batch.key_forms().chain(batch.value_forms()) {
        let Form::Text(place) = form else { continue };
        let column = &facts.columns[name];
        let texts = &batch.texts[*place];
        let mut found = if tells { told(tx, column, texts).await? } else { Vec::new() };
        if !tells {
            search(tx, column, texts, &mut found).await?;
        }
        let place = Some(*place).filter(|_| takes_null(column));
        let wrong = |(row, why): (usize, String)| Wrong {
            row,
            place,
            diagnostic: bad_value(batch, column, name, row, &why, places),
        };
        out.extend(found.into_iter().map(wrong));
    }
    if out.is_empty() {
        out.extend(one_bad_row(tx, batch, tables, refused, places).await?);
    }
    Ok(out)
}

/// Whether NULL can stand in the place of a wrong value: a domain may refuse it as well.
fn takes_null(column: &Column) -> bool {
    !(column.domain && column.not_null)
}

fn bad_value<T>(
    batch: &Batch<T>,
    column: &Column,
    name: &str,
    index: usize,
    why: &str,
    places: &(dyn Fn(&T, &str) -> Place + Sync),
) -> Diagnostic {
    let detail = format!("column \"{name}\" of \"{}\": {why}", batch.table);
    let hint = format!("write it as PostgreSQL reads the type {}", column.type_name);
    Diagnostic::error(codes::BAD_VALUE, detail).at(&places(&batch.rows[index], name)).hint(hint)
}

async fn told(
    tx: &mut dyn Tx,
    column: &Column,
    texts: &[Option<String>],
) -> Result<Vec<(usize, String)>, ObserveError> {
    let sql = "SELECT d.i, (SELECT e.message FROM pg_catalog.pg_input_error_info(d.c, $2) e) \
               FROM unnest($1) WITH ORDINALITY AS d(c, i) WHERE NOT pg_catalog.pg_input_is_valid(d.c, $2) ORDER BY d.i";
    let query = Query::new(Sql::new(sql)).bind(Param::OptionalTexts(texts.to_vec()));
    let answer = guarded(tx, &query.bind(Param::Text(column.type_name.clone()))).await;
    match answer {
        Ok(records) => {
            let line = |record: &crate::store::Record| {
                let index = usize::try_from(record.int(0).unwrap_or(1) - 1).unwrap_or(0);
                (index, record.text(1).unwrap_or("it does not fit the type").to_owned())
            };
            Ok(records.iter().map(line).collect())
        }
        // Types of extensions, and some of the server's own, fail instead of telling.
        Err(error) if is_value_error(&error) => {
            let mut found = Vec::new();
            search(tx, column, texts, &mut found).await?;
            Ok(found)
        }
        Err(error) => Err(error.into()),
    }
}

/// Halves until single values are left.
async fn search(
    tx: &mut dyn Tx,
    column: &Column,
    texts: &[Option<String>],
    found: &mut Vec<(usize, String)>,
) -> Result<(), ObserveError> {
    let cast =
        Sql::new("SELECT pg_catalog.count((d.c::").trusted(&column.base_type).text(")::").trusted(&column.type_name);
    let cast = cast.text(") FROM unnest($1) AS d(c)");
    let mut open = vec![(0, texts.len())];
    while let Some((from, to)) = open.pop() {
        if found.len() >= SEARCHED || from >= to {
            continue;
        }
        let query = Query::new(cast.clone()).bind(Param::OptionalTexts(texts[from..to].to_vec()));
        match guarded(tx, &query).await {
            Ok(_) => {}
            Err(error) if is_value_error(&error) && to - from == 1 => found.push((from, error.message)),
            Err(error) if is_value_error(&error) => {
                let middle = usize::midpoint(from, to);
                open.push((middle, to));
                open.push((from, middle));
            }
            Err(error) => return Err(error.into()),
        }
    }
    found.sort();
    Ok(())
}

/// No text is wrong by itself: a reference meets several rows, an array or a composite value does not fit, or a check is not
/// the same each time. The first such row.
async fn one_bad_row<T: Clone>(
    tx: &mut dyn Tx,
    batch: &Batch<T>,
    tables: &Facts,
    refused: &StoreError,
    places: &(dyn Fn(&T, &str) -> Place + Sync),
) -> Result<Vec<Wrong>, ObserveError> {
    let (mut from, mut to) = (0, batch.rows.len());
    while to - from > 1 {
        let middle = usize::midpoint(from, to);
        match attempt(tx, &batch.slice(from, middle), tables, Ask::All, Guard::Savepoint).await {
            Err(error) if is_value_error(&error) => to = middle,
            Err(error) => return Err(error.into()),
            Ok(_) => from = middle,
        }
    }
    let row = batch.slice(from, to);
    let refused = match attempt(tx, &row, tables, Ask::All, Guard::Savepoint).await {
        Err(error) if is_value_error(&error) => error,
        Err(error) => return Err(error.into()),
        Ok(_) => {
            let why = &refused.message;
            let detail = format!("\"{}\" refused values and accepted the same ones a moment later: {why}", batch.table);
            let hint = "a check of the table or of a domain does not give the same answer each time; mend it first";
            let place = places(&row.rows[0], first_of(&row));
            let diagnostic = Diagnostic::error(codes::BAD_VALUE, detail).at(&place).hint(hint);
            return Ok(vec![Wrong { row: from, place: None, diagnostic }]);
        }
    };
    let mut out = Vec::new();
    for (name, form) in row.value_forms().filter(|(_, form)| matches!(form, Form::Tree(_) | Form::Reference(_))) {
        let alone = row.only(name);
        match attempt(tx, &alone, tables, Ask::All, Guard::Savepoint).await {
            Ok(_) => {}
            Err(error) if is_value_error(&error) => {
                let column = &tables[&batch.table].columns[name];
                let diagnostic = match (form, meets_several(&error)) {
                    (Form::Reference(_), true) => several(&row, name, places),
                    _ => bad_value(&row, column, name, 0, &error.message, places),
                };
                let place = match form {
                    Form::Tree(place) if takes_null(column) => Some(*place),
                    _ => None,
                };
                out.push(Wrong { row: from, place, diagnostic });
            }
            Err(error) => return Err(error.into()),
        }
    }
    if out.is_empty() {
        let first = batch.key.first().map_or("", String::as_str);
        let diagnostic = match meets_several(&refused) {
            true => several(&row, first, places),
            false => {
                let detail = format!("a row of \"{}\": {}", batch.table, refused.message);
                let hint = "each value has to fit its column's type";
                Diagnostic::error(codes::BAD_VALUE, detail).at(&places(&row.rows[0], first_of(&row))).hint(hint)
            }
        };
        out.push(Wrong { row: from, place: None, diagnostic });
    }
    Ok(out)
}

/// The column that stands for a row.
fn first_of<T>(row: &Batch<T>) -> &str {
    row.columns.first().or(row.key.first()).map_or("", String::as_str)
}

/// SQLSTATE class 21: a subquery gave more than one row.
fn meets_several(error: &StoreError) -> bool {
    error.code.as_deref().is_some_and(|code| code.starts_with("21"))
}

fn several<T>(row: &Batch<T>, name: &str, places: &(dyn Fn(&T, &str) -> Place + Sync)) -> Diagnostic {
    let detail = format!("column \"{name}\" of \"{}\": its reference by key meets more than one row", row.table);
    Diagnostic::error(codes::BAD_VALUE, detail)
        .at(&places(&row.rows[0], name))
        .hint("name the row by a key that a unique index covers, and that only one row has")
}

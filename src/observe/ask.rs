//! Queries of an author: run read-only, and nothing that they do to the session outlives them.
//!
//! Each runs inside a savepoint in which the database itself refuses every write: `transaction_read_only` can be switched
//! on for the rest of a transaction, never off again once something was read, and going back to the savepoint restores
//! it. Nothing is parsed here. Going back also undoes what a query did to settings and roles. Dates, times and numbers
//! are spelled one way whatever the session's settings say, so that texts can be compared between sessions.

use crate::model::Answer;
use crate::store::{Fault, Query, Record, Sql, StoreError, Tx};

/// Rows of an answer that are kept to be shown.
const SAMPLE: &str = "5";

const ENTER: &str = "SELECT pg_catalog.set_config('transaction_read_only', 'on', true), pg_catalog.set_config('role', 'none', true), \
 pg_catalog.set_config('TimeZone', 'UTC', true), pg_catalog.set_config('DateStyle', 'ISO, MDY', true), \
 pg_catalog.set_config('IntervalStyle', 'postgres', true), pg_catalog.set_config('extra_float_digits', '1', true), \
 pg_catalog.set_config('bytea_output', 'hex', true)";

/// Runs statements of Enact around texts of an author, read-only.
///
/// # Errors
/// Those of the store; the transaction goes on where the database said no.
pub(super) async fn read_only(tx: &mut dyn Tx, query: &Query) -> Result<Vec<Record>, StoreError> {
    plain(tx, "SAVEPOINT enact_guard").await?;
    let entered = plain(tx, ENTER).await;
    let answer = match entered {
        Ok(()) => tx.query(query).await,
        Err(error) => Err(error),
    };
    let lost = answer.as_ref().is_err_and(|error| error.fault != Fault::Refused && error.code.is_none());
    if !lost {
        plain(tx, "ROLLBACK TO SAVEPOINT enact_guard").await?;
        plain(tx, "RELEASE SAVEPOINT enact_guard").await?;
    }
    answer
}

async fn plain(tx: &mut dyn Tx, statement: &'static str) -> Result<(), StoreError> {
    tx.query(&Query::new(Sql::new(statement))).await.map(|_| ())
}

/// The text of an author's query without the semicolon that may end it.
pub(super) fn body(query: &str) -> &str {
    query.trim_end_matches(|c: char| c == ';' || c.is_whitespace())
}

/// Asks a check's query.
///
/// # Errors
/// Those of the store.
pub async fn ask(tx: &mut dyn Tx, query: &str) -> Result<Answer, StoreError> {
    let sql = Sql::new("WITH enact_answer(enact_first) AS MATERIALIZED (\n")
        .trusted(body(query))
        .text("\n) SELECT (SELECT pg_catalog.count(*) FROM enact_answer), (SELECT enact_first::text FROM enact_answer LIMIT 1), ")
        .text("pg_catalog.to_jsonb(ARRAY(SELECT enact_row::text FROM (SELECT * FROM enact_answer LIMIT ")
        .trusted(SAMPLE)
        .text(") AS enact_row))");
    let records = read_only(tx, &Query::new(sql)).await?;
    let Some(record) = records.first() else { return Ok(Answer::default()) };
    let sample = record.json(2).and_then(|value| value.as_array()).cloned().unwrap_or_default();
    Ok(Answer {
        rows: record.int(0).and_then(|count| u64::try_from(count).ok()).unwrap_or_default(),
        first: record.text(1).map(str::to_owned),
        sample: sample.iter().filter_map(|row| row.as_str().map(str::to_owned)).collect(),
    })
}

/// Lets the database read a query without running it: unknown names, missing privileges and mistakes come out.
///
/// # Errors
/// Those of the store.
pub(super) async fn explain(tx: &mut dyn Tx, query: &str) -> Result<(), StoreError> {
    let sql = Sql::new("EXPLAIN SELECT * FROM (\n").trusted(body(query)).text("\n) AS enact_answer(enact_first)");
    read_only(tx, &Query::new(sql)).await.map(|_| ())
}

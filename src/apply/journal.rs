//! The journal: intents and effects of each run, in PostgreSQL.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::error::ApplyError;
use super::lease;
use super::machine::Outcome;
use crate::plan::{LoadError, SavedPlan};
use crate::preflight::Preflight;
use crate::store::{Param, Query, Record, Relational, Sql, StoreError, Tx};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The run began.
    Opened {
        /// The longest that a request may still be on its way after its sender died, in milliseconds.
        request_deadline_ms: u64,
    },
    /// The run is a rehearsal: it never decides, and whoever finds it undoes it.
    Rehearsing,
    /// A collection is about to be made and filled.
    Staging {
        /// The set.
        set: String,
        /// The collection.
        collection: String,
    },
    /// It is filled and read back.
    Staged {
        /// The set.
        set: String,
        /// How many points it holds.
        points: u64,
    },
    /// Points of a set that changes in place are about to be kept.
    Spooling {
        /// The set.
        set: String,
        /// The live collection.
        collection: String,
    },
    /// They are kept: those that the run brings, and those that it takes away.
    Spooled {
        /// The set.
        set: String,
        /// How many it brings.
        points: u64,
        /// How many it overwrites or deletes.
        before: u64,
    },
    /// The transaction is about to begin. Points may be written into live collections from here on.
    Transacting,
    /// Points of live collections are as they were before the transaction.
    Restored,
    /// Written in the transaction itself: the decision.
    Decided,
    /// An alias is about to be switched.
    Settling {
        /// The set.
        set: String,
    },
    /// It is switched and read back.
    Settled {
        /// The set.
        set: String,
    },
    /// An old collection is about to go.
    Sweeping {
        /// The collection.
        collection: String,
    },
    /// It is gone.
    Swept {
        /// The collection.
        collection: String,
    },
    /// It goes later.
    Deferred {
        /// The collection.
        collection: String,
        /// Seconds from this entry.
        seconds: u64,
    },
    /// The run goes back.
    Undoing {
        /// Why.
        why: String,
    },
    /// It has gone back.
    Undone,
    /// The run ended.
    Closed {
        /// How.
        outcome: Outcome,
    },
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RunRow {
    /// Its id.
    pub run: String,
    /// The digest of its plan.
    pub plan_digest: String,
    /// The environment.
    pub environment: String,
    /// Who is recorded as having made the change.
    pub actor: String,
    /// The process: user, host and pid.
    pub runner: String,
    /// When it was opened, UTC.
    pub opened_at: String,
    /// When it was closed, UTC.
    pub closed_at: Option<String>,
    /// `applied`, `undone` or `rehearsed`.
    pub outcome: Option<String>,
}

/// Opens a run with its first entries, all of them or none.
pub(super) async fn open_run(
    store: &mut dyn Relational,
    run: &RunRow,
    plan: &SavedPlan,
    first: &[Entry],
    preflight: Option<&Preflight>,
) -> Result<(), ApplyError> {
    let mut tx = store.begin(crate::store::TxMode::ReadWrite).await?;
    let sql = "INSERT INTO enact.run (run_id, plan_digest, environment, actor, runner, plan, preflight, summary) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let text = plan.to_text();
    let lines: Vec<&str> = text.lines().collect();
    let header = lines.first().copied().unwrap_or_default().to_owned();
    let texts = [&run.run, &run.plan_digest, &run.environment, &run.actor, &run.runner, &header];
    let query = texts.into_iter().fold(Query::new(Sql::new(sql)), |query, text| query.bind(Param::Text(text.clone())));
    let [preflight, summary] = [serde_json::json!(preflight), serde_json::json!(plan.summary)].map(Param::Json);
    tx.query(&query.bind(preflight).bind(summary)).await?;
    keep_lines(tx.as_mut(), &run.run, &lines).await?;
    for entry in first {
        append_in(tx.as_mut(), &run.run, entry).await?;
    }
    Ok(tx.commit().await?)
}

/// Lines of a plan in one statement.
const LINES: usize = 5_000;

async fn keep_lines(tx: &mut dyn Tx, run: &str, lines: &[&str]) -> Result<(), StoreError> {
    let sql = "INSERT INTO enact.plan_line (run_id, seq, line) \
               SELECT $1, $2 + l.place, l.line FROM pg_catalog.unnest($3::text[]) WITH ORDINALITY AS l(line, place)";
    let mut done = 0;
    for batch in lines.chunks(LINES) {
        let query = Query::new(Sql::new(sql)).bind(Param::Text(run.to_owned())).bind(Param::Int(done));
        tx.query(&query.bind(Param::Texts(batch.iter().map(|line| (*line).to_owned()).collect()))).await?;
        done += batch.len() as i64;
    }
    Ok(())
}

/// Appends durably, in a transaction of its own.
///
/// # Errors
/// [`ApplyError::LeaseLost`] when the session does not hold the lease: only its holder may write about a run.
pub(super) async fn append(store: &mut dyn Relational, run: &str, entry: &Entry) -> Result<(), ApplyError> {
    appended(&store.query(&append_query(run, entry)).await?)
}

/// Appends inside a transaction.
///
/// # Errors
/// As [`append`].
pub(super) async fn append_in(tx: &mut dyn Tx, run: &str, entry: &Entry) -> Result<(), ApplyError> {
    appended(&tx.query(&append_query(run, entry)).await?)
}

fn appended(records: &[Record]) -> Result<(), ApplyError> {
    if records.is_empty() { Err(ApplyError::LeaseLost) } else { Ok(()) }
}

fn append_query(run: &str, entry: &Entry) -> Query {
    let sql = Sql::new(
        "INSERT INTO enact.journal (run_id, seq, entry) \
         SELECT $2, coalesce(max(seq), 0) + 1, $3 FROM enact.journal WHERE run_id = $2 HAVING ",
    );
    let Ok(entry) = serde_json::to_value(entry) else { panic!("BUG: a journal entry does not serialise") };
    let sql = sql.text(lease::HELD).text(" RETURNING seq");
    Query::new(sql).bind(Param::Int(lease::LEASE_KEY)).bind(Param::Text(run.to_owned())).bind(Param::Json(entry))
}

/// Closes a run and writes its last entry.
pub(super) async fn close_run(store: &mut dyn Relational, run: &str, outcome: Outcome) -> Result<(), ApplyError> {
    let mut tx = store.begin(crate::store::TxMode::ReadWrite).await?;
    append_in(tx.as_mut(), run, &Entry::Closed { outcome }).await?;
    let sql = "UPDATE enact.run SET closed_at = pg_catalog.clock_timestamp(), outcome = $2 WHERE run_id = $1";
    let query =
        Query::new(Sql::new(sql)).bind(Param::Text(run.to_owned())).bind(Param::Text(outcome.as_str().to_owned()));
    tx.query(&query).await?;
    let sweep = Query::new(Sql::new("DELETE FROM enact.staged_point WHERE run_id = $1"));
    tx.query(&sweep.bind(Param::Text(run.to_owned()))).await?;
    if outcome != Outcome::Applied {
        // What was put back needs no image; an applied run can be reverted with it.
        let images = Query::new(Sql::new("DELETE FROM enact.before_image WHERE run_id = $1"));
        tx.query(&images.bind(Param::Text(run.to_owned()))).await?;
    }
    Ok(tx.commit().await?)
}

/// Reads a run's journal, in order.
///
/// # Errors
/// Those of the store; an entry of a newer Enact.
pub async fn read_entries(store: &mut dyn Relational, run: &str) -> Result<Vec<Entry>, ApplyError> {
    let query = Query::new(Sql::new("SELECT entry FROM enact.journal WHERE run_id = $1 ORDER BY seq"));
    let records = store.query(&query.bind(Param::Text(run.to_owned()))).await?;
    records
        .iter()
        .map(|record| {
            serde_json::from_value(record.json(0).cloned().unwrap_or_default())
                .map_err(|error| ApplyError::Journal { run: run.to_owned(), why: error.to_string() })
        })
        .collect()
}

/// A run whose columns a statement selects first: id, digest, environment, actor, runner, opened, closed, outcome.
pub(super) fn run_row(record: &Record) -> RunRow {
    let text = |index: usize| record.text(index).unwrap_or_default().to_owned();
    RunRow {
        run: text(0),
        plan_digest: text(1),
        environment: text(2),
        actor: text(3),
        runner: text(4),
        opened_at: text(5),
        closed_at: record.text(6).map(str::to_owned),
        outcome: record.text(7).map(str::to_owned),
    }
}

const RUNS: &str =
    "SELECT run_id, plan_digest, environment, actor, runner, opened_at::text, closed_at::text, outcome FROM enact.run";

/// Reads the newest run that is not closed.
///
/// # Errors
/// Those of the store.
pub async fn read_unfinished(store: &mut dyn Relational) -> Result<Option<RunRow>, StoreError> {
    let sql = Sql::new(RUNS).text(" WHERE closed_at IS NULL ORDER BY opened_at DESC, run_id DESC LIMIT 1");
    Ok(store.query(&Query::new(sql)).await?.first().map(run_row))
}

/// Reads runs, newest first.
///
/// # Errors
/// Those of the store.
pub async fn read_runs(store: &mut dyn Relational, limit: i64) -> Result<Vec<RunRow>, StoreError> {
    let sql = Sql::new(RUNS).text(" ORDER BY opened_at DESC, run_id DESC LIMIT $1");
    let records = store.query(&Query::new(sql).bind(Param::Int(limit))).await?;
    Ok(records.iter().map(run_row).collect())
}

/// When the channels of these runs were probed, by run, where that is known. Needs version 2 of the schema.
///
/// # Errors
/// Those of the store.
pub async fn read_probed(store: &mut dyn Relational, runs: &[RunRow]) -> Result<BTreeMap<String, String>, StoreError> {
    let sql = "SELECT run_id, preflight->>'probed_at' FROM enact.run WHERE run_id = ANY ($1)";
    let ids = runs.iter().map(|run| run.run.clone()).collect();
    let records = store.query(&Query::new(Sql::new(sql)).bind(Param::Texts(ids))).await?;
    Ok(records.iter().filter_map(|record| Some((record.text(0)?.to_owned(), record.text(1)?.to_owned()))).collect())
}

/// The run that applied the plan with this digest.
pub(super) async fn applied_run(store: &mut dyn Relational, digest: &str) -> Result<Option<String>, StoreError> {
    let sql = "SELECT run_id FROM enact.run WHERE plan_digest = $1 AND outcome = 'applied' LIMIT 1";
    let records = store.query(&Query::new(Sql::new(sql)).bind(Param::Text(digest.to_owned()))).await?;
    Ok(records.first().and_then(|record| record.text(0)).map(str::to_owned))
}

/// The saved plan of a run, or why it cannot be read.
pub(super) async fn read_plan(
    store: &mut dyn Relational,
    run: &str,
) -> Result<Result<SavedPlan, LoadError>, StoreError> {
    let there = Query::new(Sql::new("SELECT pg_catalog.to_regclass('enact.plan_line') IS NOT NULL"));
    let by_lines = store.query(&there).await?.first().is_some_and(|record| record.is_true(0));
    let mut text = if by_lines { read_lines(store, run).await? } else { String::new() };
    if text.is_empty() {
        // A run of an older Enact: its plan stands whole beside it.
        let query = Query::new(Sql::new("SELECT plan FROM enact.run WHERE run_id = $1"));
        let records = store.query(&query.bind(Param::Text(run.to_owned()))).await?;
        records.first().and_then(|record| record.text(0)).unwrap_or_default().clone_into(&mut text);
    }
    Ok(SavedPlan::from_text(&text))
}

async fn read_lines(store: &mut dyn Relational, run: &str) -> Result<String, StoreError> {
    let sql = "SELECT line FROM enact.plan_line WHERE run_id = $1 AND seq > $2 ORDER BY seq LIMIT $3";
    let (mut text, mut done) = (String::new(), 0);
    loop {
        let query = Query::new(Sql::new(sql)).bind(Param::Text(run.to_owned())).bind(Param::Int(done));
        let records = store.query(&query.bind(Param::Int(LINES as i64))).await?;
        for line in records.iter().filter_map(|record| record.text(0)) {
            text.push_str(line);
            text.push('\n');
        }
        done += records.len() as i64;
        if records.len() < LINES {
            return Ok(text);
        }
    }
}

/// Old collections whose grace is over and that are still there.
pub(super) async fn due_collections(store: &mut dyn Relational) -> Result<Vec<(String, String)>, StoreError> {
    let sql = "SELECT run_id, entry->'deferred'->>'collection' FROM enact.journal d \
               WHERE entry ? 'deferred' AND written_at + pg_catalog.make_interval(secs => (entry->'deferred'->>'seconds')::float8) < now() \
               AND NOT EXISTS (SELECT FROM enact.journal s WHERE s.run_id = d.run_id \
                 AND s.entry->'swept'->>'collection' = d.entry->'deferred'->>'collection')";
    let records = store.query(&Query::new(Sql::new(sql))).await?;
    Ok(records.iter().filter_map(|record| Some((record.text(0)?.to_owned(), record.text(1)?.to_owned()))).collect())
}

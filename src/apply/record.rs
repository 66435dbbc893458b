//! What runs leave behind: who, when, what, and how long each phase took. Reads only.

use std::time::Duration;

use serde::Serialize;

use super::error::ApplyError;
use super::journal::{Entry, RunRow, read_plan, run_row};
use super::schema::WITH_SUMMARY;
use crate::plan::{LoadError, SavedPlan, Summary};
use crate::store::{Param, Query, Record, Relational, Sql, StoreError};

/// A run as a list shows it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunLine {
    /// The run.
    #[serde(flatten)]
    pub run: RunRow,
    /// What its plan counted; `None` where a newer Enact made the plan, or the schema is of an older one.
    pub summary: Option<Summary>,
    /// Who approved its plan.
    pub approved_by: Vec<String>,
    /// When its channels were probed.
    pub probed_at: Option<String>,
}

/// Everything that is known of one run.
#[derive(Debug)]
pub struct RunRecord {
    /// The run.
    pub run: RunRow,
    /// Its plan, or why that cannot be read.
    pub plan: Result<SavedPlan, LoadError>,
    /// What the plan counted, also where an older Enact made it and it cannot be read.
    pub summary: Option<Summary>,
    /// Who approved the plan.
    pub approvals: Vec<ApprovalRow>,
    /// Its journal, in order.
    pub journal: Vec<TimedEntry>,
}

/// One approval.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ApprovalRow {
    /// Who.
    pub approver: String,
    /// When, as PostgreSQL writes it.
    pub approved_at: String,
    /// Until when it holds.
    pub expires_at: Option<String>,
}

/// An entry of the journal and when it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TimedEntry {
    /// When, as PostgreSQL writes it.
    pub at: String,
    /// Milliseconds since the first entry.
    pub after_ms: u64,
    /// The entry.
    pub entry: Entry,
}

/// What a run spends its time with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stretch {
    /// Before the transaction: filling what nobody sees.
    Stage,
    /// Up to the decision.
    Transaction,
    /// Making it visible.
    Settle,
    /// Removing what is no longer needed.
    Sweep,
    /// Going back.
    Undo,
}

impl Stretch {
    /// What people call it.
    pub fn word(self) -> &'static str {
        match self {
            Stretch::Stage => "stage",
            Stretch::Transaction => "transaction",
            Stretch::Settle => "settle",
            Stretch::Sweep => "sweep",
            Stretch::Undo => "undo",
        }
    }

    /// What is done after an entry, until the next one.
    fn after(entry: &Entry) -> Option<Stretch> {
        match entry {
            Entry::Opened { .. }
            | Entry::Rehearsing
            | Entry::Staging { .. }
            | Entry::Staged { .. }
            | Entry::Spooling { .. }
            | Entry::Spooled { .. } => Some(Stretch::Stage),
            Entry::Transacting => Some(Stretch::Transaction),
            Entry::Decided | Entry::Settling { .. } | Entry::Settled { .. } => Some(Stretch::Settle),
            Entry::Sweeping { .. } | Entry::Swept { .. } | Entry::Deferred { .. } => Some(Stretch::Sweep),
            Entry::Undoing { .. } | Entry::Restored | Entry::Undone => Some(Stretch::Undo),
            Entry::Closed { .. } => None,
        }
    }
}

/// How long each phase took, in the order in which they began. What a run did not do is left out.
pub fn stretches(journal: &[TimedEntry]) -> Vec<(Stretch, Duration)> {
    let mut out: Vec<(Stretch, Duration)> = Vec::new();
    for pair in journal.windows(2) {
        let [entry, next] = pair else { continue };
        let Some(stretch) = Stretch::after(&entry.entry) else { continue };
        let took = Duration::from_millis(next.after_ms.saturating_sub(entry.after_ms));
        match out.iter_mut().find(|(known, _)| *known == stretch) {
            Some((_, sum)) => *sum += took,
            None => out.push((stretch, took)),
        }
    }
    // A plan that stages nothing spends no time with it.
    let staged = journal.iter().any(|timed| matches!(timed.entry, Entry::Staging { .. } | Entry::Spooling { .. }));
    out.retain(|(stretch, _)| staged || *stretch != Stretch::Stage);
    out
}

const RUN_COLUMNS: &str =
    "SELECT r.run_id, r.plan_digest, r.environment, r.actor, r.runner, r.opened_at::text, r.closed_at::text, r.outcome";

/// Reads runs with what they counted, newest first, from a schema of this version. Plans are not read.
///
/// # Errors
/// Those of the store.
pub async fn read_history(store: &mut dyn Relational, version: i64, limit: i64) -> Result<Vec<RunLine>, StoreError> {
    let summary = if version < WITH_SUMMARY { ", NULL::jsonb" } else { ", r.summary" };
    let sql = Sql::new(RUN_COLUMNS).text(summary).text(
        ", (SELECT pg_catalog.jsonb_agg(a.approver ORDER BY a.approved_at) FROM enact.approval a \
         WHERE a.plan_digest = r.plan_digest AND pg_catalog.to_jsonb(a)->>'revoked_at' IS NULL) FROM enact.run r ORDER BY r.opened_at DESC, r.run_id DESC LIMIT $1",
    );
    let records = store.query(&Query::new(sql).bind(Param::Int(limit))).await?;
    let line = |record: &Record| RunLine {
        run: run_row(record),
        summary: record.json(8).and_then(|value| serde_json::from_value(value.clone()).ok()),
        approved_by: record.json(9).and_then(|value| serde_json::from_value(value.clone()).ok()).unwrap_or_default(),
        probed_at: None,
    };
    Ok(records.iter().map(line).collect())
}

/// Finds runs by the beginning of their id, newest first, at most ten.
///
/// # Errors
/// Those of the store.
pub async fn find_runs(store: &mut dyn Relational, prefix: &str) -> Result<Vec<RunRow>, StoreError> {
    let sql = Sql::new(RUN_COLUMNS).text(
        " FROM enact.run r WHERE pg_catalog.starts_with(r.run_id, $1) ORDER BY r.opened_at DESC, r.run_id DESC LIMIT 10",
    );
    let records = store.query(&Query::new(sql).bind(Param::Text(prefix.to_owned()))).await?;
    Ok(records.iter().map(run_row).collect())
}

/// Reads everything that is known of a run.
///
/// # Errors
/// Those of the store; a journal entry of a newer Enact.
pub async fn read_record(store: &mut dyn Relational, run: RunRow) -> Result<RunRecord, ApplyError> {
    let plan = read_plan(store, &run.run).await?;
    let summary = match &plan {
        Ok(plan) => Some(plan.summary.clone()),
        Err(_) => read_summary(store, &run.run).await?,
    };
    let journal = read_journal(store, &run.run).await?;
    let approvals = read_approvals(store, &run.plan_digest).await?;
    Ok(RunRecord { run, plan, summary, approvals, journal })
}

async fn read_summary(store: &mut dyn Relational, run: &str) -> Result<Option<Summary>, StoreError> {
    let sql = "SELECT r.plan::jsonb->'summary' FROM enact.run r WHERE r.run_id = $1";
    let records = store.query(&Query::new(Sql::new(sql)).bind(Param::Text(run.to_owned()))).await?;
    Ok(records.first().and_then(|record| serde_json::from_value(record.json(0)?.clone()).ok()))
}

async fn read_journal(store: &mut dyn Relational, run: &str) -> Result<Vec<TimedEntry>, ApplyError> {
    let sql = "SELECT entry, written_at::text, \
               (extract(epoch FROM written_at - pg_catalog.min(written_at) OVER ()) * 1000)::bigint \
               FROM enact.journal WHERE run_id = $1 ORDER BY seq";
    let records = store.query(&Query::new(Sql::new(sql)).bind(Param::Text(run.to_owned()))).await?;
    let entry = |record: &Record| {
        let entry = serde_json::from_value(record.json(0).cloned().unwrap_or_default())
            .map_err(|error| ApplyError::Journal { run: run.to_owned(), why: error.to_string() })?;
        let at = record.text(1).unwrap_or_default().to_owned();
        Ok(TimedEntry { at, after_ms: record.int(2).and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0), entry })
    };
    records.iter().map(entry).collect()
}

async fn read_approvals(store: &mut dyn Relational, digest: &str) -> Result<Vec<ApprovalRow>, StoreError> {
    let sql = "SELECT approver, approved_at::text, expires_at::text FROM enact.approval a WHERE plan_digest = $1 \
               AND pg_catalog.to_jsonb(a)->>'revoked_at' IS NULL ORDER BY approved_at, approver";
    let records = store.query(&Query::new(Sql::new(sql)).bind(Param::Text(digest.to_owned()))).await?;
    let text = |record: &Record, index: usize| record.text(index).map(str::to_owned);
    let row = |record: &Record| ApprovalRow {
        approver: text(record, 0).unwrap_or_default(),
        approved_at: text(record, 1).unwrap_or_default(),
        expires_at: text(record, 2),
    };
    Ok(records.iter().map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn journal(entries: Vec<(u64, Entry)>) -> Vec<TimedEntry> {
        entries.into_iter().map(|(after_ms, entry)| TimedEntry { at: String::new(), after_ms, entry }).collect()
    }

    #[test]
    fn a_phase_takes_from_its_first_entry_to_the_next_phase() {
        let set = || "s".to_owned();
        let entries = vec![
            (0, Entry::Opened { request_deadline_ms: 1 }),
            (5, Entry::Staging { set: set(), collection: set() }),
            (105, Entry::Staged { set: set(), points: 1 }),
            (110, Entry::Transacting),
            (150, Entry::Decided),
            (155, Entry::Settling { set: set() }),
            (160, Entry::Settled { set: set() }),
            (170, Entry::Closed { outcome: super::super::machine::Outcome::Applied }),
        ];
        let ms = |stretch, ms| (stretch, Duration::from_millis(ms));
        assert_eq!(
            stretches(&journal(entries)),
            [ms(Stretch::Stage, 110), ms(Stretch::Transaction, 40), ms(Stretch::Settle, 20)]
        );
    }

    #[test]
    fn what_a_run_did_not_do_takes_no_time() {
        let entries = vec![(0, Entry::Opened { request_deadline_ms: 1 }), (5, Entry::Transacting), (9, Entry::Decided)];
        assert_eq!(stretches(&journal(entries)), [(Stretch::Transaction, Duration::from_millis(4))]);
    }
}

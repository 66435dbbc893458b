//! Violations of the protocol, made around the stores: what a runner would have asked of them if it were wrong.
//!
//! A bug answers a call without making it, makes another call in its place, or makes it later. The wrapped stores ask
//! here before they count a call, so a call that a bug leaves out is left out of the schedule too.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

use enact::model::PointId;
use enact::store::{Cell, Param, Point, Query, Record, Sql, StoreError, VectorStore, WithVectors};

use crate::faults::vectors::Write;

/// What is wrong with the runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    // The lease.
    LeaseNotTaken,
    LeaseNotTakenAgain,
    // What is durable, and when.
    IntentNotKept,
    ImagesNotKept,
    ImagesWithoutVectors,
    RecordAfterTheDecision,
    DecisionAfterTheCommit,
    CommitBeforeTheDecision,
    // The deciding transaction.
    BaseNotCompared,
    ConstraintsNotSettled,
    GateNotShut,
    DecisionNotLookedUp,
    // Points of live collections.
    PointLeftOut,
    VectorsLeftOut,
    DeletionOfOneMore,
    // Putting back.
    DeadlineNotWaitedFor,
    TakenWritesNotWaitedFor,
    PutBackUnseen,
    NewPointsNotTakenAway,
    OldPointsNotBrought,
    // Staging, settling and sweeping.
    EmbeddedAgain,
    StagedCollectionKept,
    AliasNotSwitched,
    ServingCollectionSwept,
    StagedPointsKept,
    UnfinishedRunNotSeen,
}

/// What a statement becomes.
pub enum Asked {
    Same,
    Other(Query),
    Answered(Vec<Record>),
    /// It is answered, and made when the transaction is over.
    Later,
}

/// The bug of the schedules that run now, if there is one, and what it has to know.
#[derive(Default)]
pub struct Planted {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    bug: Option<Bug>,
    /// Answers in the transactions of an apply that had nothing to object to, by statement, and before and after its writes.
    answers: BTreeMap<(String, bool), Vec<Record>>,
    learns: bool,
    process: Process,
}

/// What one process did so far.
#[derive(Default)]
struct Process {
    late: Vec<Query>,
    has_reconnected: bool,
    restores: bool,
    has_put_back: bool,
    /// Points that were not written and are read back all the same.
    left_out: Vec<Point>,
    aliases: BTreeMap<String, String>,
}

/// The answer of a statement that writes one row and says so.
pub fn one_row() -> Vec<Record> {
    vec![Record(vec![("?column?".to_owned(), Cell::Int(1))])]
}

impl Planted {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Plants a bug, or takes it away.
    pub fn plant(&self, bug: Option<Bug>) {
        self.state().bug = bug;
    }

    /// Keeps the answers of transactions from here on, or no longer.
    pub fn learn(&self, learns: bool) {
        self.state().learns = learns;
    }

    pub fn begin_process(&self) {
        self.state().process = Process::default();
    }

    pub fn is(&self, bug: Bug) -> bool {
        self.state().bug == Some(bug)
    }

    pub fn note_reconnected(&self) {
        self.state().process.has_reconnected = true;
    }

    /// Statements that were put off.
    pub fn take_late(&self) -> Vec<Query> {
        std::mem::take(&mut self.state().process.late)
    }

    /// Whether the lease is believed to be held without asking.
    pub fn believes_in_lease(&self) -> bool {
        let state = self.state();
        match state.bug {
            Some(Bug::LeaseNotTaken) => true,
            Some(Bug::LeaseNotTakenAgain) => state.process.has_reconnected,
            _ => false,
        }
    }

    /// Keeps what a transaction read; whether it has written before.
    pub fn note_answer(&self, query: &Query, has_written: bool, answer: &[Record]) {
        let mut state = self.state();
        if state.learns && query.sql.as_str().starts_with("SELECT ") {
            state.answers.insert((format!("{query:?}"), has_written), answer.to_vec());
        }
    }

    /// What a statement becomes; whether its transaction, if it has one, has written before.
    pub fn asked(&self, query: &Query, has_written: bool) -> Asked {
        let believes = self.believes_in_lease();
        let mut state = self.state();
        let entry = journal_entry(query);
        state.process.restores &= entry != Some("restored");
        let sql = query.sql.as_str();
        match state.bug {
            Some(Bug::LeaseNotTaken | Bug::LeaseNotTakenAgain) if believes => without_lease(query),
            Some(Bug::IntentNotKept) if entry == Some("transacting") => Asked::Answered(one_row()),
            Some(Bug::ImagesNotKept) if sql.starts_with(IMAGES) => Asked::Answered(Vec::new()),
            Some(Bug::ImagesWithoutVectors) if sql.starts_with(IMAGES) => Asked::Other(without_vectors(query)),
            Some(Bug::DecisionAfterTheCommit) if entry == Some("decided") => Asked::Later,
            Some(Bug::RecordAfterTheDecision) if writes_record(sql) => Asked::Later,
            Some(Bug::BaseNotCompared) => match state.answers.get(&(format!("{query:?}"), has_written)) {
                Some(known) => Asked::Answered(known.clone()),
                None => Asked::Same,
            },
            Some(Bug::ConstraintsNotSettled) if sql == "SET CONSTRAINTS ALL IMMEDIATE" => Asked::Answered(Vec::new()),
            Some(Bug::GateNotShut) if shuts_gate(query) => Asked::Answered(one_row()),
            Some(Bug::DecisionNotLookedUp) if state.process.has_reconnected && sql.starts_with(JOURNAL) => {
                let undecided = sql.replace("ORDER BY", "AND entry <> '\"decided\"' ORDER BY");
                Asked::Other(Query { sql: Sql::new("").trusted(&undecided), ..query.clone() })
            }
            Some(Bug::DeadlineNotWaitedFor) if entry == Some("opened") => Asked::Other(without_deadline(query)),
            Some(Bug::StagedPointsKept) if sql.starts_with("DELETE FROM enact.staged_point") => {
                Asked::Answered(Vec::new())
            }
            Some(Bug::UnfinishedRunNotSeen) if sql.contains("FROM enact.run WHERE closed_at IS NULL ORDER") => {
                Asked::Answered(Vec::new())
            }
            _ => Asked::Same,
        }
    }

    pub fn put_off(&self, query: &Query) {
        self.state().process.late.push(query.clone());
    }

    /// Whether the transaction ends before this statement, and another one begins.
    pub fn commits_before(&self, query: &Query) -> bool {
        self.is(Bug::CommitBeforeTheDecision) && journal_entry(query) == Some("decided")
    }

    /// What a write of the vector store becomes, `None` for nothing.
    pub async fn written(&self, write: Write, run: &str, store: &dyn VectorStore) -> Result<Option<Write>, StoreError> {
        let Some(bug) = self.note_write(&write) else { return Ok(Some(write)) };
        let restores = self.state().process.restores;
        Ok(match (bug, write) {
            (Bug::PointLeftOut, Write::Points(name, mut points)) if !restores && !name.contains(run) => {
                self.state().process.left_out.extend(points.pop());
                Some(Write::Points(name, points))
            }
            (Bug::VectorsLeftOut, Write::Points(name, mut points)) if !restores && !name.contains(run) => {
                points.iter_mut().for_each(|point| point.vectors.clear());
                Some(Write::Points(name, points))
            }
            (Bug::DeletionOfOneMore, Write::PointsAbsent(name, mut ids)) => {
                let (there, _) = store.point_ids(&name, None, 1_000).await?;
                ids.extend(there.into_iter().find(|id| !ids.contains(id)));
                Some(Write::PointsAbsent(name, ids))
            }
            (Bug::TakenWritesNotWaitedFor, Write::Applied(_)) => None,
            (Bug::NewPointsNotTakenAway, Write::PointsAbsent(..)) if restores => None,
            (Bug::OldPointsNotBrought, Write::Points(..)) if restores => None,
            (Bug::StagedCollectionKept, Write::CollectionAbsent(name)) if name.contains(run) => None,
            (Bug::AliasNotSwitched, Write::Alias(alias, name)) => {
                self.state().process.aliases.insert(alias, name);
                None
            }
            (Bug::ServingCollectionSwept, Write::CollectionAbsent(name)) => {
                let set = name.split('@').next().unwrap_or_default();
                let serving = store.aliases().await?.remove(set);
                Some(Write::CollectionAbsent(serving.unwrap_or(name)))
            }
            (_, write) => Some(write),
        })
    }

    fn note_write(&self, write: &Write) -> Option<Bug> {
        let mut state = self.state();
        match write {
            Write::Applied(_) => (state.process.restores, state.process.has_put_back) = (true, false),
            Write::Points(..) => state.process.has_put_back = true,
            _ => {}
        }
        state.bug
    }

    /// What is read back of points.
    pub fn found(&self, found: Vec<Point>, ids: &[PointId], with: WithVectors) -> Vec<Point> {
        let state = self.state();
        let Process { restores, has_put_back, left_out, .. } = &state.process;
        match (state.bug, with) {
            (Some(Bug::PointLeftOut), WithVectors::No) => {
                let more = left_out.iter().filter(|point| ids.contains(&point.id)).cloned();
                found.into_iter().chain(more).collect()
            }
            (Some(Bug::PutBackUnseen), WithVectors::No) if *restores && !has_put_back => Vec::new(),
            _ => found,
        }
    }

    /// What is read of aliases.
    pub fn aliases(&self, mut found: BTreeMap<String, String>) -> BTreeMap<String, String> {
        found.extend(self.state().process.aliases.clone());
        found
    }

    /// Whether what a collection of the run holds is not looked at.
    pub fn overlooks(&self, collection: &str, run: &str) -> bool {
        self.is(Bug::EmbeddedAgain) && collection.contains(run)
    }
}

const IMAGES: &str = "INSERT INTO enact.before_image";
const JOURNAL: &str = "SELECT entry FROM enact.journal";

/// The kind of a journal entry that a statement appends.
fn journal_entry(query: &Query) -> Option<&str> {
    let is_append = query.sql.as_str().starts_with("INSERT INTO enact.journal");
    let entry = query.params.iter().find_map(|param| match param {
        Param::Json(entry) if is_append => Some(entry),
        _ => None,
    })?;
    entry.as_str().or_else(|| entry.as_object()?.keys().next().map(String::as_str))
}

fn writes_record(sql: &str) -> bool {
    ["INSERT INTO enact.managed", "UPDATE enact.managed", "DELETE FROM enact.managed"]
        .iter()
        .any(|start| sql.starts_with(start))
}

/// The statement that ends a gate's window.
fn shuts_gate(query: &Query) -> bool {
    let is_gate = query.sql.as_str().starts_with("UPDATE ") && query.sql.as_str().ends_with("::text = $3 RETURNING 1");
    is_gate && query.params.first() == Some(&Param::Text("false".to_owned()))
}

/// A statement whose condition on the lease is always true.
fn without_lease(query: &Query) -> Asked {
    let sql = query.sql.as_str();
    let Some(start) = sql.find("EXISTS (SELECT FROM pg_catalog.pg_locks") else { return Asked::Same };
    let end = sql[start..].find("= $1)").map_or(sql.len(), |at| start + at + "= $1)".len());
    let believed = format!("{}($1::bigint IS NOT NULL){}", &sql[..start], &sql[end..]);
    Asked::Other(Query { sql: Sql::new("").trusted(&believed), ..query.clone() })
}

fn without_vectors(query: &Query) -> Query {
    let mut query = query.clone();
    for param in &mut query.params {
        let Param::Json(rows) = param else { continue };
        for row in rows.as_array_mut().into_iter().flatten() {
            row[1]["vectors"] = serde_json::json!({});
        }
    }
    query
}

fn without_deadline(query: &Query) -> Query {
    let mut query = query.clone();
    for param in &mut query.params {
        if let Param::Json(entry) = param {
            entry["opened"]["request_deadline_ms"] = 0.into();
        }
    }
    query
}

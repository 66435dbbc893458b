//! Checks and protections inside the transaction that decides.
//!
//! Protections are compared twice: when the transaction begins, where a difference means that somebody else moved what
//! the plan was made for, and as the last thing before the decision, where it means that the plan, or a trigger behind
//! it, writes where it must not. Collections are read live; of a set that gets a new collection, the new one is read.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ApplyError;
use super::event::{Event, Events};
use super::work::set_gate;
use crate::observe::{Sealing, ask, has_come};
use crate::plan::{PairedWork, SavedPlan, Step, Work};
use crate::points::staged_collection;
use crate::store::{Fault, StoreError, Tx, VectorStore};

/// Compares what is protected with what was planned, before anything is written.
pub(super) async fn as_planned(tx: &mut dyn Tx, vectors: &dyn VectorStore, plan: &SavedPlan) -> Result<(), ApplyError> {
    let moved = moved(tx, vectors, plan, &BTreeMap::new()).await?;
    if moved.is_empty() { Ok(()) } else { Err(ApplyError::Stale(moved)) }
}

/// Judges checks and protections on what the plan has made in PostgreSQL and in new collections. Where points are then
/// written in place, [`unmoved`] compares once more after that.
pub(super) async fn hold(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    plan: &SavedPlan,
    run: &str,
    events: &Events<'_>,
) -> Result<(), ApplyError> {
    for (name, check) in &plan.guards.checks {
        let answer = ask(tx, &check.query).await.map_err(|error| unanswered(name, error))?;
        let Some(why) = check.expect.refutes(&answer) else { continue };
        if !check.warning {
            return Err(ApplyError::Check { name: name.clone(), why });
        }
        events(Event::Warned { what: format!("check \"{name}\" does not hold: {why}") });
    }
    unmoved(tx, vectors, plan, run).await
}

/// Compares what is protected with what was planned, on what the plan has made.
pub(super) async fn unmoved(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    plan: &SavedPlan,
    run: &str,
) -> Result<(), ApplyError> {
    let staged = plan.steps.iter().filter_map(|step| match &step.work {
        Work::StageVectors(work) if work.new_collection => Some((work.set.clone(), staged_collection(&work.set, run))),
        _ => None,
    });
    let moved = moved(tx, vectors, plan, &staged.collect()).await?;
    if moved.is_empty() { Ok(()) } else { Err(ApplyError::Protected(moved)) }
}

async fn moved(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    plan: &SavedPlan,
    instead: &BTreeMap<String, String>,
) -> Result<Vec<String>, ApplyError> {
    let exempt: BTreeSet<String> = plan.pins.overlay.keys().cloned().collect();
    let sealing = Sealing { binding: &plan.pins.binding, vectors, instead, exempt: &exempt };
    let mut out = Vec::new();
    for (name, pin) in &plan.guards.protect {
        let now = sealing.read(tx, &pin.of, Some(&pin.seal)).await?;
        let moved = pin.seal.moved(&now, pin.of.noun());
        if !moved.is_empty() {
            out.push(format!("protected \"{name}\": {}", moved.join(", ")));
        }
    }
    Ok(out)
}

/// Opens a gate for good: only on or after its day, and only while its pair is there.
pub(super) async fn open_paired(tx: &mut dyn Tx, step: &Step, work: &PairedWork) -> Result<(), ApplyError> {
    let refused = |why: String| ApplyError::Refused { step: step.title.clone(), why };
    if let Some(day) = &work.not_before
        && !has_come(tx, day).await?
    {
        return Err(refused(format!("it is not yet {day} by the database's clock")));
    }
    let answer = ask(tx, &work.holds.query).await.map_err(|error| unanswered(&work.check, error))?;
    if let Some(why) = work.holds.expect.refutes(&answer) {
        return Err(refused(format!("check \"{}\" does not hold: {why}", work.check)));
    }
    set_gate(tx, step, &work.gate).await
}

/// A query that the database refuses is a check that does not hold; what it could not answer stays a store's error.
fn unanswered(name: &str, error: StoreError) -> ApplyError {
    match error.fault {
        Fault::Refused => ApplyError::Check { name: name.to_owned(), why: error.message },
        Fault::Transient | Fault::InDoubt | Fault::Conflict => {
            ApplyError::Store(error.context(&format!("check \"{name}\"")))
        }
    }
}

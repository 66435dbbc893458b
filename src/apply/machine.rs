//! Decides what comes next. Pure.
//!
//! `next(plan, fold(journal))` serves the first run, the resumed run and the undo alike: there is no other scheduler.
//!
//! ```text
//! Opened ─▶ Staging ─▶ Staged ─▶ Transacting ─▶ Decided ─▶ Settled ─▶ Swept ─▶ Closed(applied)
//!              │          ▲            │
//!              │          └─ Restored ◀┤ (after a death, where points may have been written in place)
//!              └──────────┴────────────┴─▶ Undoing ─▶ Restored ─▶ Undone ─▶ Closed(undone)
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::journal::Entry;
use crate::plan::{SavedPlan, Work};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// All of it is true.
    Applied,
    /// None of it is.
    Undone,
    /// It was a rehearsal, and gone back.
    Rehearsed,
}

impl Outcome {
    /// The word in `enact.run.outcome`.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Applied => "applied",
            Outcome::Undone => "undone",
            Outcome::Rehearsed => "rehearsed",
        }
    }
}

/// What the journal says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunState {
    /// Collections that may exist, by vector set.
    pub collections: BTreeMap<String, String>,
    /// Sets that are staged.
    pub staged: BTreeSet<String>,
    /// Live collections that change in place, by vector set.
    pub in_place: BTreeMap<String, String>,
    /// Whether points may have been written into live collections and not been put back.
    pub written: bool,
    /// How long a request may still take effect after its sender died, in milliseconds.
    pub request_deadline_ms: u64,
    /// Whether the run is a rehearsal, which never decides.
    pub rehearsal: bool,
    /// Whether the decision is made.
    pub decided: bool,
    /// Whether the run goes back.
    pub undoing: bool,
    /// Why it goes back.
    pub why: Option<String>,
    /// Whether it has gone back.
    pub undone: bool,
    /// Sets whose alias may have been switched.
    pub settling: BTreeSet<String>,
    /// Sets whose alias is switched.
    pub settled: BTreeSet<String>,
    /// Old collections that are gone, or will go later.
    pub swept: BTreeSet<String>,
    /// How it ended.
    pub closed: Option<Outcome>,
}

impl RunState {
    /// Whether the run may have written to the vector store, so that a request of it may still be under way.
    pub fn reached_vectors(&self) -> bool {
        !(self.collections.is_empty() && self.in_place.is_empty() && self.settling.is_empty())
    }
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Stage the step with this id.
    Stage(u32),
    /// Run the transaction.
    Transact,
    /// Put points of live collections back as they were.
    Restore,
    /// Remove everything staged.
    Undo,
    /// Settle the step with this id.
    Settle(u32),
    /// Sweep the step with this id.
    Sweep(u32),
    /// Close the run.
    Close(Outcome),
    /// Nothing: it is closed.
    Nothing(Outcome),
}

/// Folds a journal.
pub fn fold<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> RunState {
    let mut state = RunState::default();
    for entry in entries {
        match entry {
            Entry::Opened { request_deadline_ms } => state.request_deadline_ms = *request_deadline_ms,
            Entry::Sweeping { .. } => {}
            Entry::Settling { set } => {
                state.settling.insert(set.clone());
            }
            Entry::Spooling { set, collection } => {
                state.in_place.insert(set.clone(), collection.clone());
            }
            Entry::Spooled { set, .. } => {
                state.staged.insert(set.clone());
            }
            Entry::Rehearsing => state.rehearsal = true,
            Entry::Transacting => state.written = !state.in_place.is_empty(),
            Entry::Restored => state.written = false,
            Entry::Staging { set, collection } => {
                state.collections.insert(set.clone(), collection.clone());
            }
            Entry::Staged { set, .. } => {
                state.staged.insert(set.clone());
            }
            Entry::Decided => state.decided = true,
            Entry::Settled { set } => {
                state.settled.insert(set.clone());
            }
            Entry::Swept { collection } | Entry::Deferred { collection, .. } => {
                state.swept.insert(collection.clone());
            }
            Entry::Undoing { why } => {
                state.undoing = true;
                state.why = Some(why.clone());
            }
            Entry::Undone => state.undone = true,
            Entry::Closed { outcome } => state.closed = Some(*outcome),
        }
    }
    state
}

/// Says what comes next.
pub fn next(plan: &SavedPlan, state: &RunState) -> Effect {
    if let Some(outcome) = state.closed {
        return Effect::Nothing(outcome);
    }
    if !state.decided {
        return before_decision(plan, state);
    }
    for step in &plan.steps {
        if let Work::SwitchAlias { set, .. } | Work::FinishCollection { set, .. } = &step.work
            && !state.settled.contains(set)
        {
            return Effect::Settle(step.id);
        }
    }
    for step in &plan.steps {
        if let Work::DropCollection { collection, .. } = &step.work
            && !state.swept.contains(collection)
        {
            return Effect::Sweep(step.id);
        }
    }
    Effect::Close(Outcome::Applied)
}

fn before_decision(plan: &SavedPlan, state: &RunState) -> Effect {
    if state.undone {
        return Effect::Close(if state.rehearsal { Outcome::Rehearsed } else { Outcome::Undone });
    }
    if state.written {
        return Effect::Restore;
    }
    if state.undoing || state.rehearsal {
        return Effect::Undo;
    }
    for step in &plan.steps {
        if let Work::StageVectors(work) = &step.work
            && !state.staged.contains(&work.set)
        {
            return Effect::Stage(step.id);
        }
    }
    Effect::Transact
}

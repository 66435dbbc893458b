//! Why an apply stopped.

use super::unfinished::UnfinishedRun;
use crate::embed::{Bm25Error, EmbedError};
use crate::observe::ObserveError;
use crate::store::StoreError;

/// Why an apply stopped.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// A store did not answer, or said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reading failed.
    #[error(transparent)]
    Observe(#[from] ObserveError),
    /// Reality moved since the plan was made.
    #[error("the plan is stale: {}", .0.join("; "))]
    Stale(Vec<String>),
    /// Not enough others let it be applied.
    #[error("{0}")]
    NotApproved(String),
    /// A step was refused.
    #[error("step \"{step}\" was refused: {why}")]
    Refused {
        /// The step's title.
        step: String,
        /// Which row or unit, and the answer.
        why: String,
    },
    /// Something protected would not be as it was.
    #[error("{}", .0.join("; "))]
    Protected(Vec<String>),
    /// A check does not hold on what the plan made.
    #[error("check \"{name}\" does not hold: {why}")]
    Check {
        /// Its name.
        name: String,
        /// What was found instead.
        why: String,
    },
    /// A rehearsal refused a unit.
    #[error("unit \"{unit}\" was refused, as the rehearsal asked")]
    RefusedOnPurpose {
        /// Its address.
        unit: String,
    },
    /// An embedder failed.
    #[error("the embedder \"{embedder}\" failed: {source}")]
    Embed {
        /// Its name.
        embedder: String,
        /// Why.
        source: EmbedError,
    },
    /// BM25 is not to be had.
    #[error(transparent)]
    Bm25(#[from] Bm25Error),
    /// Another run holds the lease.
    #[error("another run holds the lease: {0}")]
    Locked(String),
    /// A run of another plan is not closed: who applies this plan does nothing about that one.
    #[error("{0}")]
    AnotherUnfinished(Box<UnfinishedRun>),
    /// The run cannot be taken back.
    #[error("run {run} has decided: PostgreSQL has committed, and only forward is possible")]
    DecidedAlready {
        /// The run.
        run: String,
    },
    /// The same saved plan was applied before.
    #[error("this plan was applied before, by run {run}")]
    AppliedBefore {
        /// The run.
        run: String,
    },
    /// The commit's reply never came, and looking failed too.
    #[error("the commit of run {run} is in doubt: {why}")]
    InDoubt {
        /// The run.
        run: String,
        /// Why looking failed.
        why: String,
    },
    /// The session no longer holds the lease.
    #[error("the lease was lost: another runner may be at work")]
    LeaseLost,
    /// The user asked to stop.
    #[error("it was interrupted")]
    Interrupted,
    /// The run went back for a reason that an earlier process met.
    #[error("the run went back: {why}")]
    WentBack {
        /// The reason in its journal.
        why: String,
    },
    /// The run was interrupted, and a later run has to find out how far it came.
    #[error("run {run} could neither be finished nor undone: {why}")]
    Unfinished {
        /// The run.
        run: String,
        /// Why.
        why: String,
    },
    /// The plan was made for another environment or database.
    #[error("{0}")]
    WrongTarget(String),
    /// The journal holds what this version does not understand.
    #[error("the journal of run {run} cannot be read: {why}")]
    Journal {
        /// The run.
        run: String,
        /// Why.
        why: String,
    },
}

//! The run that is not closed, as a command meets it that did not open it.
//!
//! A run belongs to its plan. `resume` goes on with it, `resume --abort` takes it back while it has not decided, and so does
//! `apply` of the very same plan go on with it; every other command names it and leaves it alone.

use std::fmt;

use super::error::ApplyError;
use super::journal::{RunRow, read_entries, read_unfinished};
use super::machine::fold;
use super::standing::Standing;
use crate::store::Relational;

/// Digits of a plan's digest in a sentence.
const DIGEST_DIGITS: usize = 12;

/// A run that is not closed, and how far its journal says that it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnfinishedRun {
    /// The run.
    pub run: RunRow,
    /// How far it came.
    pub standing: Standing,
    /// Whether it is a rehearsal, which never decides.
    pub rehearsal: bool,
}

impl UnfinishedRun {
    /// Whether only forward is possible.
    pub fn has_decided(&self) -> bool {
        match self.standing {
            Standing::Decided | Standing::Settling { .. } | Standing::Sweeping => true,
            Standing::Staging | Standing::Staged | Standing::Deciding { .. } | Standing::GoingBack { .. } => false,
        }
    }

    /// What to type.
    pub fn hint(&self) -> &'static str {
        if self.has_decided() {
            "enact resume finishes it: it has decided, and only forward is possible"
        } else {
            "enact resume carries it on, enact resume --abort takes it back, enact status says how far it came"
        }
    }
}

impl fmt::Display for UnfinishedRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let UnfinishedRun { run: RunRow { run, plan_digest, runner, opened_at, .. }, standing, rehearsal } = self;
        let kind = if *rehearsal { "the rehearsal" } else { "the run" };
        let plan = plan_digest.get(..DIGEST_DIGITS).unwrap_or(plan_digest);
        write!(f, "{kind} {run} of plan {plan}, opened {opened_at} by {runner}, is unfinished: {standing}")
    }
}

/// Reads the run that is not closed, with how far it came.
///
/// # Errors
/// Those of the store; a journal that cannot be read.
pub async fn find_unfinished(store: &mut dyn Relational) -> Result<Option<UnfinishedRun>, ApplyError> {
    let Some(run) = read_unfinished(store).await? else { return Ok(None) };
    let entries = read_entries(store, &run.run).await?;
    let rehearsal = fold(&entries).rehearsal;
    Ok(Some(UnfinishedRun { run, standing: Standing::of(&entries), rehearsal }))
}

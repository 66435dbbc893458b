//! Tells of a run that is not closed before a plan is shown or asked about.

use super::session::Session;
use super::{Outcome, Output};
use crate::apply::{ApplyError, LEASE_KEY, UnfinishedRun, find_unfinished};
use crate::plan::SavedPlan;
use crate::report::{escape, lock_text};
use crate::store::Relational;

/// A run that is not closed, and who is at work on it.
struct Found {
    unfinished: UnfinishedRun,
    at_work: Option<String>,
}

/// Says which run is not closed, if there is one. It is no part of a plan, whose digest it would change.
pub async fn tell(session: &mut Session, output: &Output) {
    match look(session).await {
        Ok(Some(Found { unfinished, at_work: None })) => {
            output.note(&format!("warning: {}", escape::terminal(&unfinished.to_string())));
            output.note(&format!("  {}", unfinished.hint()));
        }
        Ok(Some(Found { unfinished, at_work: Some(lock) })) => {
            let text = escape::terminal(&unfinished.to_string());
            output.note(&format!("warning: {text}; it is at work, its lock is {lock}"));
        }
        // A role that only plans may not be allowed to look; whoever applies is.
        Ok(None) | Err(ApplyError::Store(_)) => {}
        Err(error) => output.note(&format!("warning: {}", escape::terminal(&error.to_string()))),
    }
}

/// Refuses before anybody is asked what the apply would refuse after the answer: an interrupted run of another plan.
///
/// # Errors
/// The outcome, which has been printed.
pub async fn refuse_another(session: &mut Session, plan: &SavedPlan, output: &Output) -> Result<(), Outcome> {
    let Ok(Some(Found { unfinished, at_work: None })) = look(session).await else { return Ok(()) };
    if unfinished.run.plan_digest == plan.digest.to_string() {
        return Ok(());
    }
    output.error(&unfinished.to_string(), Some(unfinished.hint()));
    Err(Outcome::AnotherUnfinished)
}

async fn look(session: &mut Session) -> Result<Option<Found>, ApplyError> {
    let Some(unfinished) = find_unfinished(&mut session.postgres).await? else { return Ok(None) };
    let at_work = session.postgres.lock_holder(LEASE_KEY).await?.as_ref().map(lock_text);
    Ok(Some(Found { unfinished, at_work }))
}

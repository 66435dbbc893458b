//! `enact apply`: makes a plan true in both stores, or changes nothing.

use std::path::Path;
use std::time::Duration;

use super::show::{load_for, same_binding, tell};
use crate::apply::{ApplyError, Event, RunEnd, Runner, still_holds, upgrade};
use crate::cli::args::{ApplyArgs, GlobalArgs, PartialArgs, PlanFormat};
use crate::cli::interrupt::stop_on_interrupt;
use crate::cli::session::{Session, configure, in_session, load_desired, observe_failed, store_failed, with_sources};
use crate::cli::unfinished::refuse_another;
use crate::cli::{Answer, Outcome, Output, Reader, confirm};
use crate::observe::ObserveError;
use crate::plan::SavedPlan;
use crate::preflight::{Needs, Places, diagnostics};
use crate::spec::Sources;

/// Applies a saved plan, or plans, shows and asks.
pub fn run(global: &GlobalArgs, args: &ApplyArgs, output: &Output) -> Outcome {
    let decide = async |session: &mut Session, plan: &SavedPlan| {
        // What a plan said when it was made may not be so any more.
        if args.plan.is_some()
            && plan.is_empty()
            && let Err(error) = still_holds(&mut session.postgres, &session.qdrant, plan).await
        {
            return failed(&error, output);
        }
        tell(plan, PlanFormat::Text, output);
        if args.plan.is_none() && !plan.is_empty() && !session.environment.approvals.is_none() {
            return unsaved(session, plan, output);
        }
        decide(session, plan, "Apply this plan?", global, args.auto_approve, output).await
    };
    planned(global, args.plan.as_deref(), &args.partial, output, decide).unwrap_or_else(|outcome| outcome)
}

/// What was never saved cannot have been approved.
fn unsaved(session: &Session, plan: &SavedPlan, output: &Output) -> Outcome {
    let required = session.environment.approvals.required;
    let message = format!("environment \"{}\" asks for approvals ({required})", plan.environment.name);
    let hint = "enact plan --out plan.json, enact approve plan.json, enact apply plan.json";
    output.error(&format!("{message}, and what is not saved cannot be approved"), Some(hint));
    Outcome::ApprovalMissing
}

/// Opens the environment and does something with a saved plan of it, or with the plan that the plan files make now.
///
/// # Errors
/// What is wrong has been printed.
pub fn planned(
    global: &GlobalArgs,
    saved: Option<&Path>,
    partial: &PartialArgs,
    output: &Output,
    body: impl AsyncFnOnce(&mut Session, &SavedPlan) -> Outcome,
) -> Result<Outcome, Outcome> {
    let configured = configure(global, output)?;
    let saved = saved.map(|path| load_for(path, &configured, output)).transpose()?;
    if saved.is_some() && partial.is_given() {
        let hint = "a saved plan is done as it is: give them to enact plan --out FILE";
        output.error("--target, --exclude, --replace, --full and --deep do not go with a saved plan", Some(hint));
        return Err(Outcome::Usage);
    }
    let desired = if saved.is_none() { Some(load_desired(global, output)?) } else { None };
    in_session(configured, global, output, async |session: &mut Session| {
        session.take(partial);
        let plan = match (saved, &desired) {
            (Some(plan), _) => same_binding(&plan, session, output).map(|()| plan)?,
            (None, Some((desired, sources))) => session.plan(desired, sources, output).await?.plan,
            (None, None) => panic!("BUG: neither a saved plan nor plan files"),
        };
        Ok(body(session, &plan).await)
    })
}

/// Asks, unless that is not wanted, and applies.
pub async fn decide(
    session: &mut Session,
    plan: &SavedPlan,
    question: &str,
    global: &GlobalArgs,
    auto_approve: bool,
    output: &Output,
) -> Outcome {
    if plan.is_empty() {
        return Outcome::Success;
    }
    if let Err(outcome) = refuse_another(session, plan, output).await {
        return outcome;
    }
    match ask(question, global, auto_approve, output) {
        Ok(()) => apply_in_time(session, plan, global, output).await,
        Err(outcome) => outcome,
    }
}

/// Asks, unless that is not wanted.
///
/// # Errors
/// The outcome when the answer is not yes, or nobody can answer; printed.
pub fn ask(question: &str, global: &GlobalArgs, auto_approve: bool, output: &Output) -> Result<(), Outcome> {
    if auto_approve {
        return Ok(());
    }
    if output.has_lost() {
        output.error("the plan could not be shown, and nobody can answer for what was not shown", None);
        return Err(Outcome::Error);
    }
    output.idle();
    let nobody_answers = global.no_input || output.reader() == Reader::Machine;
    match confirm(&format!("\n{question}"), nobody_answers) {
        Ok(Answer::Yes) => Ok(()),
        Ok(Answer::No) => {
            output.note("Not applied. Nothing was changed.");
            Err(Outcome::Error)
        }
        Err(error) => {
            output.error(&error.to_string(), Some(error.hint()));
            Err(Outcome::Error)
        }
    }
}

/// Applies, waiting for another run as long as the user allows.
pub async fn apply_in_time(session: &mut Session, plan: &SavedPlan, global: &GlobalArgs, output: &Output) -> Outcome {
    apply(session, plan, Duration::from_secs(global.lock_timeout), output).await
}

/// Applies and prints how it ended.
pub async fn apply(session: &mut Session, plan: &SavedPlan, patience: Duration, output: &Output) -> Outcome {
    if session.preflight.is_none()
        && let Err(outcome) = probe_again(session, plan, output).await
    {
        return outcome;
    }
    if let Err(error) = upgrade(&mut session.postgres).await {
        return store_failed(output, &error);
    }
    let events = |event: Event| output.event(&event);
    output.doing("Taking the lock");
    let mut runner = runner(session, &events);
    match runner.apply(plan, patience).await {
        Ok(end) => report(&end, output),
        Err(error) => failed(&error, output),
    }
}

/// A saved plan was probed when it was made; what has changed since is found before anything is written.
async fn probe_again(session: &mut Session, plan: &SavedPlan, output: &Output) -> Result<(), Outcome> {
    let needs = Needs::of_plan(plan, &Places::default(), &session.environment);
    let found = session.probe(&needs).await.map_err(|error| store_failed(output, &error))?;
    let found = diagnostics(&found);
    output.diagnostics(&found, &session.sources);
    if found.has_errors() {
        output.note("Preflight failed. Nothing was changed. Next: make the changes above, then apply again");
        return Err(Outcome::Error);
    }
    Ok(())
}

/// A runner over a session.
pub fn runner<'a>(session: &'a mut Session, events: &'a crate::apply::Events<'a>) -> Runner<'a> {
    let mut runner = Runner::new(
        &mut session.postgres,
        &session.qdrant,
        &session.makers,
        events,
        format!("{}, pid {}", client(), std::process::id()),
    );
    runner.stop = stop_on_interrupt(session.qdrant.clone());
    runner.preflight.clone_from(&session.preflight);
    runner.approvals = session.environment.approvals;
    runner
}

/// What this process calls itself: user and host.
pub fn client() -> String {
    let user = std::env::var("USER").unwrap_or_else(|_| "unknown user".to_owned());
    let host =
        std::fs::read_to_string("/etc/hostname").map_or_else(|_| "unknown host".to_owned(), |t| t.trim().to_owned());
    format!("{user}@{host}")
}

/// Prints how a run ended and gives the outcome.
pub fn report(end: &RunEnd, output: &Output) -> Outcome {
    match end {
        RunEnd::Applied { run } => {
            output.result(&format!("\nApplied. PostgreSQL and Qdrant match the plan. Run {run}.\n"));
            Outcome::Success
        }
        RunEnd::Undone { why, .. } => {
            output.error(&with_sources(why), hint(why));
            match why {
                ApplyError::Stale(_) => Outcome::Stale,
                ApplyError::NotApproved(_) => Outcome::ApprovalMissing,
                ApplyError::Interrupted => Outcome::Interrupted,
                _ => Outcome::Undone,
            }
        }
        RunEnd::NotSettled { why, .. } => {
            output.error(&with_sources(why), hint(why));
            Outcome::DecidedNotSettled
        }
    }
}

/// Prints why a run could not begin or go on.
pub fn failed(error: &ApplyError, output: &Output) -> Outcome {
    match error {
        ApplyError::Store(error) => store_failed(output, error),
        ApplyError::Observe(error @ ObserveError::NotInitialised) => observe_failed(output, error, &Sources::default()),
        ApplyError::Locked(_) => {
            output.error(&error.to_string(), None);
            Outcome::Locked
        }
        ApplyError::AnotherUnfinished(found) => {
            output.error(&error.to_string(), Some(found.hint()));
            Outcome::AnotherUnfinished
        }
        ApplyError::DecidedAlready { .. } => {
            output.error(&error.to_string(), Some("enact resume finishes it"));
            Outcome::DecidedNotSettled
        }
        ApplyError::AppliedBefore { .. } | ApplyError::Stale(_) => {
            output.error(&error.to_string(), hint(error));
            Outcome::Stale
        }
        ApplyError::NotApproved(_) => {
            output.error(&error.to_string(), hint(error));
            Outcome::ApprovalMissing
        }
        ApplyError::InDoubt { .. } => {
            output.error(&error.to_string(), Some("enact resume looks whether it was committed, and goes on"));
            Outcome::InDoubt
        }
        ApplyError::Unfinished { .. } | ApplyError::LeaseLost | ApplyError::Interrupted => {
            output.error(&error.to_string(), Some("enact status says where the run stands, enact resume goes on"));
            Outcome::Unfinished
        }
        ApplyError::Observe(_)
        | ApplyError::Refused { .. }
        | ApplyError::Protected(_)
        | ApplyError::Check { .. }
        | ApplyError::RefusedOnPurpose { .. }
        | ApplyError::Embed { .. }
        | ApplyError::Bm25(_)
        | ApplyError::WentBack { .. }
        | ApplyError::WrongTarget(_)
        | ApplyError::Journal { .. } => {
            output.error(&with_sources(error), hint(error));
            Outcome::Error
        }
    }
}

fn hint(error: &ApplyError) -> Option<&str> {
    match error {
        ApplyError::Store(error) => error.hint.as_deref(),
        ApplyError::Stale(_) | ApplyError::AppliedBefore { .. } => Some("enact plan compares again"),
        ApplyError::NotApproved(_) => Some("enact approve FILE, connected as a role that counts"),
        _ => None,
    }
}

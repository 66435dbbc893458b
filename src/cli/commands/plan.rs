//! `enact plan`: what would change, and optionally the saved plan.

use std::path::Path;

use super::show::tell;
use crate::cli::args::{GlobalArgs, PartialArgs, PlanArgs, PlanFormat};
use crate::cli::session::{Session, configure, in_session, load_desired};
use crate::cli::{Outcome, Output, file};
use crate::plan::SavedPlan;

/// Plans and prints.
pub fn run(global: &GlobalArgs, args: &PlanArgs, output: &Output) -> Outcome {
    match make(global, &args.partial, output) {
        Ok(plan) => finish(&plan, args, output),
        Err(outcome) => outcome,
    }
}

/// Reads files and stores and plans.
///
/// # Errors
/// What is wrong has been printed.
pub fn make(global: &GlobalArgs, partial: &PartialArgs, output: &Output) -> Result<SavedPlan, Outcome> {
    let configured = configure(global, output)?;
    let (desired, sources) = load_desired(global, output)?;
    in_session(configured, global, output, async |session: &mut Session| {
        session.take(partial);
        session.only_plans = true;
        session.plan(&desired, &sources, output).await.map(|built| built.plan)
    })
}

fn finish(plan: &SavedPlan, args: &PlanArgs, output: &Output) -> Outcome {
    match keep_and_tell(plan, args.out.as_deref(), args.format, output) {
        Err(outcome) => outcome,
        Ok(()) if args.detailed_exitcode && !plan.is_empty() => Outcome::ChangesPresent,
        Ok(()) => Outcome::Success,
    }
}

/// Saves a plan where that is asked for, and tells it.
///
/// # Errors
/// The outcome when it cannot be saved, which has been printed.
pub fn keep_and_tell(plan: &SavedPlan, out: Option<&Path>, format: PlanFormat, output: &Output) -> Result<(), Outcome> {
    if let Some(path) = out {
        file::write(path, &plan.to_text()).map_err(|error| {
            output.error(&format!("\"{}\" cannot be written: {error}", path.display()), None);
            Outcome::Error
        })?;
    }
    tell(plan, format, output);
    if let Some(path) = out {
        output.note(&format!("Saved to {0}. Next: enact apply {0}", path.display()));
    }
    Ok(())
}

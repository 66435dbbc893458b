//! `enact rehearse`: runs a plan for real up to the decision, and goes back.

use std::time::Duration;

use super::apply::{failed, planned, runner};
use crate::apply::{Event, Pass, Refusals, Rehearsal, units_moved};
use crate::cli::args::{DataFormat, GlobalArgs, RehearseArgs};
use crate::cli::commands::apply::progress;
use crate::cli::session::Session;
use crate::cli::{Outcome, Output};
use crate::plan::SavedPlan;
use crate::report::{rehearsal_json, rehearsal_text, verdict};

/// Rehearses a saved plan, or plans first.
pub fn run(global: &GlobalArgs, args: &RehearseArgs, output: &Output) -> Outcome {
    let rehearse = async |session: &mut Session, plan: &SavedPlan| {
        verdict(plan).iter().for_each(|line| output.note(line));
        let Some(refusals) = refusals(args, plan, output) else { return Outcome::InvalidInput };
        let events = |event: Event| progress(output, &event);
        let patience = Duration::from_secs(global.lock_timeout);
        match runner(session, &events).rehearse(plan, refusals, patience).await {
            Ok(rehearsal) => {
                output.result(&match args.format {
                    DataFormat::Text => rehearsal_text(&rehearsal, &output.text_options()),
                    DataFormat::Json => rehearsal_json(&rehearsal),
                });
                outcome(&rehearsal)
            }
            Err(error) => failed(&error, output),
        }
    };
    planned(global, args.plan.as_deref(), output, rehearse).unwrap_or_else(|outcome| outcome)
}

fn outcome(rehearsal: &Rehearsal) -> Outcome {
    if !rehearsal.unchanged() {
        Outcome::DifferenceFound
    } else if rehearsal.passes.iter().all(Pass::as_wanted) {
        Outcome::Success
    } else {
        Outcome::Undone
    }
}

fn refusals(args: &RehearseArgs, plan: &SavedPlan, output: &Output) -> Option<Refusals> {
    let units = units_moved(plan);
    match (args.refuse_at, args.refuse_each) {
        (None, false) => Some(Refusals::None),
        (None, true) => Some(Refusals::Each),
        (Some(unit), _) if (1..=units).contains(&unit) => Some(Refusals::At(unit)),
        (Some(unit), _) => {
            let hint = format!("name a unit from 1 to {units}");
            let hint = if units == 0 { "leave --refuse-at out" } else { hint.as_str() };
            output.error(&format!("the plan moves {units} units, and unit {unit} is none of them"), Some(hint));
            None
        }
    }
}

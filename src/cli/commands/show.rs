//! `enact show FILE`: a saved plan, checked and written as text, JSON or Markdown.

use std::path::Path;

use crate::cli::args::{PlanFormat, ShowArgs};
use crate::cli::{Outcome, Output};
use crate::plan::{LoadError, SavedPlan};
use crate::report::{plan_json, plan_markdown, plan_text};

/// Shows a saved plan.
pub fn run(args: &ShowArgs, output: &Output) -> Outcome {
    match load(&args.plan, output) {
        Ok(plan) => {
            output.result(&written(&plan, args.format, output));
            Outcome::Success
        }
        Err(outcome) => outcome,
    }
}

/// Writes a plan in the chosen format, for stdout.
pub fn written(plan: &SavedPlan, format: PlanFormat, output: &Output) -> String {
    match format {
        PlanFormat::Text => plan_text(plan, &output.plan_options()),
        PlanFormat::Json => plan_json(plan),
        PlanFormat::Markdown => plan_markdown(plan),
    }
}

/// Reads and checks a saved plan; what is wrong with it is printed.
///
/// # Errors
/// The outcome when it cannot be read or used.
pub fn load(path: &Path, output: &Output) -> Result<SavedPlan, Outcome> {
    let name = path.display();
    let text = std::fs::read_to_string(path).map_err(|error| {
        output.error(&format!("\"{name}\" cannot be read: {error}"), Some("enact plan --out FILE saves a plan"));
        Outcome::InvalidInput
    })?;
    SavedPlan::from_text(&text).map_err(|error| {
        output.error(&format!("\"{name}\": {error}"), Some(hint(&error)));
        Outcome::InvalidInput
    })
}

fn hint(error: &LoadError) -> &'static str {
    match error {
        LoadError::NotAPlan(_) => "name a file that `enact plan --out FILE` wrote",
        LoadError::NewerFormat { .. } => "use the Enact that made it, or a newer one",
        LoadError::Edited { .. } => "change the plan files instead, and plan again: enact plan --out FILE",
    }
}

//! `enact show FILE|RUN`: a saved plan, checked, or a run of the environment, as text, JSON, Markdown or HTML.

use std::path::Path;

use super::apply::failed;
use crate::apply::{RunRecord, find_runs, read_record, schema_version};
use crate::cli::args::{GlobalArgs, PlanFormat, ShowArgs};
use crate::cli::session::{Configured, Session, configure, in_session, observe_failed, store_failed};
use crate::cli::{Outcome, Output, Reader};
use crate::observe::ObserveError;
use crate::plan::{LoadError, SavedPlan};
use crate::report::{
    plan_html, plan_json, plan_markdown, plan_messages, plan_text, run_json, run_markdown, run_text, verdict,
};
use crate::spec::Sources;

/// Hexadecimal digits and hyphens of a run's id: fewer than these name too many runs.
const ID_CHARS: std::ops::RangeInclusive<usize> = 4..=36;

/// Shows a saved plan or a run.
pub fn run(global: &GlobalArgs, args: &ShowArgs, output: &Output) -> Outcome {
    let outcome = match run_id(&args.subject) {
        Some(id) => show_run(global, id, args.format, output),
        None => load(&args.subject, output).map(|plan| tell(&plan, args.format, output)),
    };
    outcome.map_or_else(|outcome| outcome, |()| Outcome::Success)
}

/// What is no file and may be a run's id.
fn run_id(subject: &Path) -> Option<&str> {
    let id = subject.to_str()?;
    let digits = id.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    (digits && ID_CHARS.contains(&id.len()) && !subject.exists()).then_some(id)
}

fn show_run(global: &GlobalArgs, id: &str, format: PlanFormat, output: &Output) -> Result<(), Outcome> {
    if format == PlanFormat::Html {
        output.error("a run has no page of its own", Some("name a saved plan, or leave out --format html"));
        return Err(Outcome::InvalidInput);
    }
    let configured = configure(global, output)?;
    in_session(configured, global, output, async |session: &mut Session| {
        let record = record(session, id, output).await?;
        output.result(&match format {
            PlanFormat::Text | PlanFormat::Html => run_text(&record, &output.text_options()),
            PlanFormat::Json => run_json(&record),
            PlanFormat::Markdown => run_markdown(&record),
        });
        Ok(())
    })
}

/// Finds a run by the beginning of its id; what is wrong is printed.
///
/// # Errors
/// The outcome when there is no such run, or more than one.
pub async fn record(session: &mut Session, id: &str, output: &Output) -> Result<RunRecord, Outcome> {
    let store = &mut session.postgres;
    let there = schema_version(store).await.map_err(|error| store_failed(output, &error))?;
    if there.is_none() {
        return Err(observe_failed(output, &ObserveError::NotInitialised, &Sources::default()));
    }
    let mut found = find_runs(store, &id.to_ascii_lowercase()).await.map_err(|error| store_failed(output, &error))?;
    match (found.pop(), found.is_empty()) {
        (Some(run), true) => read_record(store, run).await.map_err(|error| failed(&error, output)),
        (None, _) => {
            output.error(&format!("\"{id}\" is no file, and no run's id begins so"), Some("enact history lists runs"));
            Err(Outcome::InvalidInput)
        }
        (Some(last), false) => {
            let all: Vec<String> = found.into_iter().chain([last]).map(|run| run.run).collect();
            output.error(&format!("several runs begin with \"{id}\": {}", all.join(", ")), Some("give more of the id"));
            Err(Outcome::InvalidInput)
        }
    }
}

/// Tells a plan: in the chosen format, or as messages of the stream.
pub fn tell(plan: &SavedPlan, format: PlanFormat, output: &Output) {
    match output.reader() {
        Reader::People => output.result(&written(plan, format, output)),
        Reader::Machine => output.messages(plan_messages(plan), &verdict(plan).join(" ")),
    }
}

/// Writes a plan in the chosen format, for stdout.
pub fn written(plan: &SavedPlan, format: PlanFormat, output: &Output) -> String {
    match format {
        PlanFormat::Text => plan_text(plan, &output.plan_options()),
        PlanFormat::Json => plan_json(plan),
        PlanFormat::Markdown => plan_markdown(plan),
        PlanFormat::Html => plan_html(plan),
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

/// Reads and checks a saved plan of this environment; what is wrong with it is printed.
///
/// # Errors
/// The outcome when it cannot be read or used here.
pub fn load_for(path: &Path, configured: &Configured, output: &Output) -> Result<SavedPlan, Outcome> {
    let plan = load(path, output)?;
    let (made, here) = (&plan.environment.name, &configured.environment.name);
    if made == here {
        return Ok(plan);
    }
    let hint = format!("add --env {made}");
    output.error(&format!("the plan is for environment \"{made}\", not \"{here}\""), Some(&hint));
    Err(Outcome::InvalidInput)
}

/// Refuses a saved plan whose SQL is not that of the binding which this environment names: nobody reviews the texts of a binding
/// in a plan.
///
/// # Errors
/// The outcome, printed.
pub fn same_binding(plan: &SavedPlan, session: &Session, output: &Output) -> Result<(), Outcome> {
    // That of a database which has none of what it binds names nothing.
    let known = [&session.binding, &session.binding.of_rows_alone()];
    if known.contains(&&plan.pins.binding) {
        return Ok(());
    }
    let name = &session.binding.name;
    let message = format!("the plan was made with another binding than \"{name}\" is here");
    output.error(&message, Some("enact plan makes one with this binding"));
    Err(Outcome::Stale)
}

fn hint(error: &LoadError) -> &'static str {
    match error {
        LoadError::NotAPlan(_) => "name a file that `enact plan --out FILE` wrote",
        LoadError::NewerFormat { .. } => "use the Enact that made it, or a newer one",
        LoadError::OlderFormat { .. } => "plan again with this Enact: enact plan --out FILE",
        LoadError::NotWhole(_) | LoadError::Edited { .. } => {
            "change the plan files instead, and plan again: enact plan --out FILE"
        }
    }
}

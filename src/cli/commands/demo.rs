//! `enact demo`: a project from nothing, and every step with the command that a user would type for it.
//!
//! The steps run in this process over one session, so that the embedded servers start once; each calls the function
//! that its command calls. What is left is an ordinary project: nothing in it knows that it was a demo.

mod project;

use std::path::Path;
use std::time::{Duration, Instant};

use super::local::{directory, load, read_corpus};
use super::show::written;
use super::{apply, search, verify};
use crate::apply::init;
use crate::cli::args::{DataFormat, DemoArgs, GlobalArgs, PlanFormat, SearchArgs};
use crate::cli::session::{Session, configure, in_session, load_desired, store_failed, with_sources};
use crate::cli::{Outcome, Output, file};
use crate::local::corpus::UnitFile;
use crate::model::Desired;
use crate::plan::SavedPlan;
use crate::report::{Role, paint, search_text};
use crate::spec::Sources;
use project::{ProjectError, choose};

/// A saved plan's name in the project.
const SAVED: &str = "plan.json";
const QUERIES: [(&str, &str); 2] = [
    ("The charter can be asked.", "who may grant access to restricted data"),
    ("In Vietnamese as well: backups in the storm season.", "sao lưu trong mùa mưa bão"),
];

/// Makes the project and goes through it.
pub fn run(global: &GlobalArgs, args: &DemoArgs, output: &Output) -> Outcome {
    let begun = Instant::now();
    match attempt(global, args, output) {
        Ok(folder) => {
            output.result(&format!("{}Done in {:.1} s.\n", next_steps(&folder), begun.elapsed().as_secs_f64()));
            Outcome::Success
        }
        Err(outcome) => outcome,
    }
}

fn attempt(global: &GlobalArgs, args: &DemoArgs, output: &Output) -> Result<String, Outcome> {
    let dir = make(global, args, output)?;
    // The environment that a user named for other projects is not meant here.
    let global = GlobalArgs { dir: dir.clone(), env: None, file: Vec::new(), ..global.clone() };
    let configured = configure(&global, output)?;
    directory(&configured.environment, output)?;
    let (desired, sources) = load_desired(&global, output)?;
    let units = read_corpus(&dir.join("corpus"), output)?;
    let inputs = Inputs { units, desired, sources };
    in_session(configured, &global, output, async |session: &mut Session| {
        steps(session, &inputs, &global, output).await
    })?;
    Ok(dir.display().to_string())
}

/// Writes the project and says where.
fn make(global: &GlobalArgs, args: &DemoArgs, output: &Output) -> Result<std::path::PathBuf, Outcome> {
    let made = choose(&global.dir, args.target.as_deref()).and_then(|dir| Ok((project::write(&dir)?, dir)));
    let (files, dir) = made.map_err(|error| {
        let hint = match error {
            ProjectError::Taken(_) => "name another folder: enact demo FOLDER",
            ProjectError::Io { .. } => "name a folder that can be written: enact demo FOLDER",
        };
        output.error(&with_sources(&error), Some(hint));
        Outcome::InvalidInput
    })?;
    let folder = if dir == Path::new(".") { "this folder".to_owned() } else { format!("\"{}\"", dir.display()) };
    let what = match files.new {
        0 => "An earlier demo is in".to_owned(),
        new => format!("{new} files of a small project are now in"),
    };
    output.result(&format!("{what} {folder}: enact.yaml, plans/, corpus/, schemas/.\n"));
    files.kept.iter().for_each(|name| output.result(&format!("Kept as you have it: {name}\n")));
    Ok(dir)
}

/// What the files of the project say.
struct Inputs {
    units: Vec<UnitFile>,
    desired: Desired,
    sources: Sources,
}

async fn steps(session: &mut Session, inputs: &Inputs, global: &GlobalArgs, output: &Output) -> Result<(), Outcome> {
    step(output, "The texts go into PostgreSQL as drafts.", "enact local load corpus");
    load(session, &inputs.units, output).await?;

    step(output, "Enact keeps its journal in a schema of its own.", "enact init");
    let made = init(&mut session.postgres).await.map_err(|error| store_failed(output, &error))?;
    output.result(if made { "Created.\n" } else { "There already, nothing to do.\n" });

    step(output, "What would change? Nothing is written yet.", "enact plan --out plan.json");
    let planned = make_plan(session, inputs, output).await?;
    let path = global.dir.join(SAVED);
    if let Err(error) = file::write(&path, &planned.to_text()) {
        output.error(&format!("\"{}\" cannot be written: {error}", path.display()), None);
        return Err(Outcome::Error);
    }
    let had_changes = !planned.is_empty();
    if had_changes {
        step(output, "All of it, or none of it, in both stores.", "enact apply plan.json");
        let patience = Duration::from_secs(global.lock_timeout);
        match apply::apply(session, &planned, patience, output).await {
            Outcome::Success => {}
            outcome => return Err(outcome),
        }
    }
    look(session, inputs, output).await?;
    if had_changes {
        step(output, "The same files again.", "enact plan");
        make_plan(session, inputs, output).await?;
    }
    Ok(())
}

async fn make_plan(session: &mut Session, inputs: &Inputs, output: &Output) -> Result<SavedPlan, Outcome> {
    let built = session.plan(&inputs.desired, &inputs.sources, output).await?;
    output.result(&written(&built.plan, PlanFormat::Text, output));
    Ok(built.plan)
}

/// Checks what was applied, and asks it something in two languages.
async fn look(session: &mut Session, inputs: &Inputs, output: &Output) -> Result<(), Outcome> {
    step(output, "Do both stores hold what was applied? Every row and every point is compared.", "enact verify");
    match verify::verify(session, DataFormat::Text, output).await {
        Outcome::Success => {}
        outcome => return Err(outcome),
    }
    for (why, query) in QUERIES {
        step(output, why, &format!("enact search \"{query}\" --limit 3"));
        let args = SearchArgs { query: query.to_owned(), set: None, limit: 3, json: false };
        let set = search::choose(&inputs.desired, None, output)?;
        let view = search::search(session, set, &args, output).await?;
        output.result(&search_text(&view, &output.text_options()));
    }
    Ok(())
}

/// Says what comes and what a user would type for it.
fn step(output: &Output, why: &str, command: &str) {
    output.result(&format!("\n{why}\n{}\n", paint(Role::Strong, &format!("$ {command}"), true)));
}

fn next_steps(folder: &str) -> String {
    let enter = if folder == "." { String::new() } else { format!("  cd {folder}\n") };
    format!(
        "\nWhat to try next:\n{enter}  edit a file in corpus/, for example corpus/charter/45-sanctions-for-breaches.md\n  \
         enact local load     brings the edit into PostgreSQL\n  \
         enact plan           names the unit, and the one chunk to embed\n  \
         enact apply          asks, then does it\n  \
         enact local up       lets psql and any Qdrant client look in\n\n"
    )
}

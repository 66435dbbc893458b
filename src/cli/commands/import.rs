//! `enact import`: what lives already comes under Enact as it is; with `--out`, what no plan file declares is written to one
//! first.

use std::collections::BTreeSet;
use std::path::Path;

use super::apply::{apply_in_time, ask, decide};
use super::export::{check_free, keep, plan_name, recognised, text_of, wanted};
use super::preflight::{declared, holds_plans};
use super::show::written;
use crate::cli::args::{GlobalArgs, ImportArgs, PlanFormat};
use crate::cli::session::{Session, configure, in_session, load_desired};
use crate::cli::{Outcome, Output};
use crate::model::{Address, Desired, name_hint};
use crate::recognise::{RowsAsked, Wanted};
use crate::spec::{Sources, load_plans_with};

/// Plans the adoption, shows it and asks.
pub fn run(global: &GlobalArgs, args: &ImportArgs, output: &Output) -> Outcome {
    attempt(global, args, output).unwrap_or_else(|outcome| outcome)
}

fn attempt(global: &GlobalArgs, args: &ImportArgs, output: &Output) -> Result<Outcome, Outcome> {
    let configured = configure(global, output)?;
    let wanted = wanted(&args.addresses, &args.namespace, output)?;
    let (desired, sources) = match &args.out {
        // Without a file to write, everything has to be declared.
        None => load_desired(global, output)?,
        Some(path) => {
            check_free(path, output)?;
            declared(global, output)?
        }
    };
    let wanted = wanted.without(desired.addresses());
    if args.out.is_none() {
        all_declared(&wanted, output)?;
    }
    // Rows are only declared: nothing is written down of them, and nothing else is taken over in their place.
    let rows = wanted.rows.iter().map(RowsAsked::address);
    let only: BTreeSet<Address> = wanted.only.iter().cloned().chain(rows).collect();
    let whole = wanted.is_whole();
    let writes = whole || wanted.undeclared().next().is_some() || !wanted.rows.is_empty();
    in_session(configured, global, output, async |session: &mut Session| {
        let import = Import { only, global, args, output };
        let Some(path) = args.out.as_ref().filter(|_| writes) else {
            return import.adopt(session, desired, &sources).await;
        };
        let found = recognised(session, &wanted, output).await?;
        if found.desired.addresses().is_empty() && found.desired.rows.is_empty() {
            output.note("Nothing was found that no plan file declares.");
            return import.adopt(session, desired, &sources).await;
        }
        let new = New { path, text: text_of(&plan_name(Some(path), "imported"), &found, output)? };
        let only = if whole { BTreeSet::new() } else { &import.only | &found.desired.addresses() };
        Import { only, ..import }.write_and_adopt(session, &new).await
    })
}

/// A plan file to be written.
struct New<'a> {
    path: &'a Path,
    text: String,
}

/// What is to be taken over, and how the user wants to be asked.
struct Import<'a> {
    /// The resources; empty for all that the plan files declare.
    only: BTreeSet<Address>,
    global: &'a GlobalArgs,
    args: &'a ImportArgs,
    output: &'a Output,
}

impl Import<'_> {
    async fn adopt(self, session: &mut Session, desired: Desired, sources: &Sources) -> Result<Outcome, Outcome> {
        let Import { only, global, args, output } = self;
        let plan = session.plan_import(desired, &only, sources, output).await?.plan;
        output.result(&written(&plan, PlanFormat::Text, output));
        Ok(decide(session, &plan, "Write this down?", global, args.auto_approve, output).await)
    }

    /// Shows the new plan file and what would be written down, asks once, and does both: the file first, so that a plan
    /// never finds something managed that no file declares.
    async fn write_and_adopt(self, session: &mut Session, new: &New<'_>) -> Result<Outcome, Outcome> {
        let Import { only, global, args, output } = self;
        let (desired, sources) = with_new(new, global, output)?;
        let plan = session.plan_import(desired.clone(), &only, &sources, output).await?.plan;
        output.result(&format!("{}\n", new.text));
        output.result(&written(&plan, PlanFormat::Text, output));
        if !plan.is_empty() {
            ask(&format!("Write {} and write this down?", new.path.display()), global, args.auto_approve, output)?;
        }
        keep(&new.text, new.path, output)?;
        output.note(&format!("Written to {}.", new.path.display()));
        if !plan.is_empty() {
            match apply_in_time(session, &plan, global, output).await {
                Outcome::Success => {}
                other => return Ok(other),
            }
        }
        let left = session.plan(&desired, &sources, output).await?.plan;
        output.note(match left.is_empty() {
            true => "A plan of these files has nothing to do.",
            false => "A plan of these files has something to do: enact plan shows it.",
        });
        Ok(Outcome::Success)
    }
}

/// The plan files with the new one among them. One that the next plan would not read is said to be so.
fn with_new(new: &New<'_>, global: &GlobalArgs, output: &Output) -> Result<(Desired, Sources), Outcome> {
    let name = new.path.display().to_string();
    let paths = global.plan_paths();
    let read = paths.iter().any(|path| new.path == path || new.path.parent() == Some(path.as_path()));
    if !read {
        output.note(&format!("{name} is not among the plan files: move it there, or name it with --file."));
    }
    // The folder of plan files may be yet to come.
    let there: Vec<_> = paths.into_iter().filter(|path| !global.file.is_empty() || holds_plans(path)).collect();
    match load_plans_with(&global.dir, &there, (&name, &new.text)) {
        Ok((mut desired, _, sources)) => {
            desired.partial = !global.file.is_empty();
            Ok((desired, sources))
        }
        Err((found, sources)) => {
            output.diagnostics(&found, &sources);
            Err(Outcome::InvalidInput)
        }
    }
}

/// Without a file to write, a name has to be one of the plan files.
fn all_declared(wanted: &Wanted, output: &Output) -> Result<(), Outcome> {
    let known: Vec<&str> = wanted.declared.iter().map(Address::as_str).collect();
    let other = wanted.undeclared().next().map(Address::to_string);
    let row = wanted.rows.first().map(|asked| asked.address().to_string());
    let Some(other) = other.or(row) else { return Ok(()) };
    let hint = name_hint(&other, known);
    let hint = format!("{hint}; or add --out FILE, and what lives under this name is written there");
    output.error(&format!("no plan file declares \"{other}\""), Some(&hint));
    Err(Outcome::InvalidInput)
}

//! `enact export`: a plan file of what lives.

use std::collections::BTreeMap;
use std::path::Path;

use crate::cli::args::{ExportArgs, GlobalArgs};
use crate::cli::session::{Session, configure, in_session, observe_failed, store_failed};
use crate::cli::{Outcome, Output, file};
use crate::model::Diagnostics;
use crate::observe::read_live;
use crate::recognise::{Known, Recognised, Wanted, recognise};
use crate::spec::{Sources, parse_plan, plan_text};
use crate::store::{Relational, TxMode};

/// Writes a plan file, or prints it.
pub fn run(global: &GlobalArgs, args: &ExportArgs, output: &Output) -> Outcome {
    attempt(global, args, output).unwrap_or_else(|outcome| outcome)
}

fn attempt(global: &GlobalArgs, args: &ExportArgs, output: &Output) -> Result<Outcome, Outcome> {
    let wanted = wanted(&args.addresses, &args.namespace, output)?;
    if let Some(path) = &args.out {
        check_free(path, output)?;
    }
    let configured = configure(global, output)?;
    in_session(configured, global, output, async |session: &mut Session| {
        let found = recognised(session, &wanted, output).await?;
        let name = args.plan.clone().unwrap_or_else(|| plan_name(args.out.as_deref(), "exported"));
        let text = text_of(&name, &found, output)?;
        match &args.out {
            None => output.result(&text),
            Some(path) => {
                keep(&text, path, output)?;
                output.note(&format!("Written to {}. Next: enact plan shows what it would change", path.display()));
            }
        }
        Ok(Outcome::Success)
    })
}

/// Reads addresses; what is wrong with them is printed.
///
/// # Errors
/// The outcome when one is none.
pub fn wanted(addresses: &[String], namespaces: &[String], output: &Output) -> Result<Wanted, Outcome> {
    Wanted::parse(addresses, namespaces).map_err(|found| {
        output.diagnostics(&found, &Sources::default());
        Outcome::InvalidInput
    })
}

/// Reads what lives and recognises it; what is left out is printed.
///
/// # Errors
/// The outcome when the stores do not answer, or something that was named is not there; printed.
pub async fn recognised(session: &mut Session, wanted: &Wanted, output: &Output) -> Result<Recognised, Outcome> {
    output.doing("Reading what lives");
    let mut tx = session.postgres.begin(TxMode::Snapshot).await.map_err(|error| store_failed(output, &error))?;
    let live = read_live(tx.as_mut(), &session.qdrant, &session.binding, wanted, &session.environment.project).await;
    let live = live.map_err(|error| observe_failed(output, &error, &Sources::default()))?;
    tx.rollback().await.map_err(|error| store_failed(output, &error))?;
    let dimensions: BTreeMap<String, u64> = session
        .makers
        .embedders
        .iter()
        .map(|(name, embedder)| (name.clone(), u64::from(embedder.identity().dimension)))
        .collect();
    let known = Known { binding: &session.binding, environment: &session.environment, dimensions: &dimensions };
    let (shown, outcome) = match recognise(&live, &known, wanted) {
        Ok(found) => (found.left_out.values().cloned().collect(), Ok(found)),
        Err(missing) => (missing, Err(Outcome::InvalidInput)),
    };
    output.diagnostics(&Diagnostics(shown), &Sources::default());
    outcome
}

/// The text of a plan file of what was recognised.
///
/// # Errors
/// The outcome when a value cannot be written, which is printed.
pub fn text_of(plan: &str, found: &Recognised, output: &Output) -> Result<String, Outcome> {
    let mut comments = found.comments.clone();
    comments.head.extend(found.left_out.values().map(|why| why.detail.clone()));
    // Read once before anybody relies on it: the name of the plan is the user's.
    let text = plan_text(plan, &found.desired, &comments);
    let read = text.and_then(|text| parse_plan(plan, &text).map(|_| text));
    read.map_err(|diagnostics| {
        output.diagnostics(&diagnostics, &Sources::default());
        Outcome::InvalidInput
    })
}

/// The name of a plan that is kept in a file: the file's, as far as it is one.
pub fn plan_name(path: Option<&Path>, otherwise: &str) -> String {
    let stem = path.and_then(Path::file_stem).and_then(|stem| stem.to_str()).unwrap_or(otherwise);
    let usable = stem.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' });
    let name: String = usable.collect();
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) { name } else { otherwise.to_owned() }
}

/// A plan file that is there is never overwritten.
///
/// # Errors
/// The outcome when there is a file, which is printed.
pub fn check_free(path: &Path, output: &Output) -> Result<(), Outcome> {
    if !path.exists() {
        return Ok(());
    }
    output.error(&format!("\"{}\" is there already", path.display()), Some("name a file that is not there yet"));
    Err(Outcome::InvalidInput)
}

/// Writes a new plan file.
///
/// # Errors
/// The outcome when it cannot be written, which is printed.
pub fn keep(text: &str, path: &Path, output: &Output) -> Result<(), Outcome> {
    file::create(path, text).map_err(|error| {
        output.error(&format!("\"{}\" cannot be written: {error}", path.display()), None);
        Outcome::Error
    })
}

//! `enact plan`: what would change, and optionally the saved plan.

use std::io::Write;
use std::path::Path;

use super::show::tell;
use crate::cli::args::{GlobalArgs, PlanArgs};
use crate::cli::session::{Session, block_on, configure, load_desired};
use crate::cli::{Outcome, Output};
use crate::plan::{Partial, SavedPlan};

/// Plans and prints.
pub fn run(global: &GlobalArgs, args: &PlanArgs, output: &Output) -> Outcome {
    match make(global, args.partial.partial(), output) {
        Ok(plan) => finish(&plan, args, output),
        Err(outcome) => outcome,
    }
}

/// Reads files and stores and plans.
///
/// # Errors
/// What is wrong has been printed.
pub fn make(global: &GlobalArgs, partial: Partial, output: &Output) -> Result<SavedPlan, Outcome> {
    let configured = configure(global, output)?;
    let (desired, sources) = load_desired(global, output)?;
    block_on(async {
        let mut session = Session::open(configured, global, output).await?;
        session.partial = partial;
        let built = session.plan(&desired, &sources, output).await;
        session.close(output).await;
        Ok(built?.plan)
    })
}

fn finish(plan: &SavedPlan, args: &PlanArgs, output: &Output) -> Outcome {
    if let Some(path) = &args.out
        && let Err(error) = save(plan, path)
    {
        output.error(&format!("\"{}\" cannot be written: {error}", path.display()), None);
        return Outcome::Error;
    }
    tell(plan, args.format, output);
    if let Some(path) = &args.out {
        output.note(&format!("Saved to {}. Next: enact apply {}", path.display(), path.display()));
    }
    if args.detailed_exitcode && !plan.is_empty() { Outcome::ChangesPresent } else { Outcome::Success }
}

/// Writes beside the file and renames, so that no reader ever sees half of a plan.
pub fn save(plan: &SavedPlan, path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(plan.to_text().as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

//! `enact validate`: plan files and `enact.yaml`, checked without connecting to anything.

use crate::cli::args::GlobalArgs;
use crate::cli::{Outcome, Output};
use crate::model::{Desired, Diagnostics};
use crate::report::words::count;
use crate::spec::{Sources, is_data_file, load_config, load_plans_in};

/// Checks every file, and shows every mistake of all of them at once.
pub fn run(global: &GlobalArgs, output: &Output) -> Outcome {
    let (mut found, mut sources) = check_config(global);
    let desired = match load_plans_in(&global.dir, &global.plan_paths()) {
        Ok((desired, warnings, texts)) => {
            found.extend(warnings);
            sources.extend(texts);
            desired
        }
        Err((mistakes, texts)) => {
            found.extend(mistakes);
            sources.extend(texts);
            Desired::default()
        }
    };
    output.diagnostics(&found, &sources);
    if found.has_errors() {
        return Outcome::InvalidInput;
    }
    output.result(&format!("Valid: {}.\n", contents(&desired)));
    Outcome::Success
}

fn check_config(global: &GlobalArgs) -> (Diagnostics, Sources) {
    match load_config(&global.dir) {
        Ok(Some(config)) => (config.warnings().clone(), config.sources().clone()),
        Ok(None) => (Diagnostics::default(), Sources::default()),
        Err(found) => found,
    }
}

/// What the files hold: `2 plan files and 1 data file with 1 promotion, 12 rows, 1 vector set`.
fn contents(desired: &Desired) -> String {
    let Desired {
        files,
        units,
        promotions,
        rows,
        synced,
        chunk_policies,
        vector_sets,
        partial: _,
        protect,
        checks,
        gates,
        retention,
    } = desired;
    let kinds = [
        (units.len(), "selection"),
        (promotions.len(), "promotion"),
        (rows.iter().map(|set| set.rows.len()).sum(), "row"),
        (synced.len(), "synced table"),
        (vector_sets.len(), "vector set"),
        (chunk_policies.len(), "chunk policy"),
        (gates.len(), "gate"),
        (checks.len(), "check"),
        (protect.len(), "protection"),
        (retention.len(), "retention"),
    ];
    let counts = kinds.into_iter().filter(|(n, _)| *n > 0);
    let counts: Vec<String> = counts.map(|(n, noun)| count(n as u64, noun)).collect();
    let data = files.iter().filter(|file| is_data_file(&file.path)).count();
    let plans = count((files.len() - data) as u64, "plan file");
    let files = if data == 0 { plans } else { format!("{plans} and {}", count(data as u64, "data file")) };
    if counts.is_empty() { files } else { format!("{files} with {}", counts.join(", ")) }
}

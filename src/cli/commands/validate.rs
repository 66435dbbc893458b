//! `enact validate`: plan files, `enact.yaml` and bindings, checked without connecting to anything.

use crate::cli::args::GlobalArgs;
use crate::cli::{Outcome, Output};
use crate::diff::check_names;
use crate::model::{BindingRef, Desired, Diagnostics, Environment};
use crate::report::words::count;
use crate::spec::{Sources, is_data_file, load_binding, load_config, load_plans_in};

/// Checks every file, and shows every mistake of all of them at once.
pub fn run(global: &GlobalArgs, output: &Output) -> Outcome {
    let mut found = Found::default();
    let bindings = check_config(global, &mut found);
    let desired = match load_plans_in(&global.dir, &global.plan_paths()) {
        Ok((desired, warnings, texts)) => {
            found.add((warnings, texts));
            desired
        }
        Err(mistakes) => {
            found.add(mistakes);
            Desired::default()
        }
    };
    check_bindings(&bindings, &desired, &mut found);
    let Found { diagnostics, sources } = found;
    output.diagnostics(&diagnostics, &sources);
    if diagnostics.has_errors() {
        return Outcome::InvalidInput;
    }
    output.result(&format!("Valid: {}.\n", contents(&desired)));
    Outcome::Success
}

/// What was found, with the texts to show it in.
#[derive(Default)]
struct Found {
    diagnostics: Diagnostics,
    sources: Sources,
}

impl Found {
    fn add(&mut self, (diagnostics, sources): (Diagnostics, Sources)) {
        self.diagnostics.extend(diagnostics);
        self.sources.extend(sources);
    }
}

/// Bindings of all environments, and which of them the plan files are for.
struct Bindings {
    all: Vec<BindingRef>,
    chosen: Option<BindingRef>,
}

fn check_config(global: &GlobalArgs, found: &mut Found) -> Bindings {
    let config = match load_config(&global.dir) {
        Ok(Some(config)) => config,
        Ok(None) => {
            let local = Environment::local(&global.dir).binding;
            return Bindings { all: vec![local.clone()], chosen: Some(local) };
        }
        Err(mistakes) => {
            found.add(mistakes);
            return Bindings { all: Vec::new(), chosen: None };
        }
    };
    found.add((config.warnings().clone(), config.sources().clone()));
    let chosen = config.binding(global.env.as_deref()).unwrap_or_else(|unknown| {
        found.diagnostics.extend(unknown);
        None
    });
    let mut all: Vec<BindingRef> = chosen.iter().cloned().collect();
    for binding in config.names().iter().filter_map(|name| config.binding(Some(name)).ok().flatten()) {
        if !all.iter().any(|known| same_file(known, &binding)) {
            all.push(binding);
        }
    }
    Bindings { all, chosen }
}

/// Whether two environments name one binding, each at its own place.
fn same_file(one: &BindingRef, other: &BindingRef) -> bool {
    match (one, other) {
        (BindingRef::File { path, place: _ }, BindingRef::File { path: other, place: _ }) => path == other,
        (BindingRef::Shipped(name), BindingRef::Shipped(other)) => name == other,
        (BindingRef::File { .. }, BindingRef::Shipped(_)) | (BindingRef::Shipped(_), BindingRef::File { .. }) => false,
    }
}

/// Reads each binding, and checks what the plan files name of the one that they are for.
fn check_bindings(bindings: &Bindings, desired: &Desired, found: &mut Found) {
    for reference in &bindings.all {
        match load_binding(reference) {
            Ok(binding) if bindings.chosen.as_ref() == Some(reference) => {
                found.diagnostics.extend(check_names(desired, &binding));
            }
            Ok(_) => {}
            Err(mistakes) => found.add(mistakes),
        }
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

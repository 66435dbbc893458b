//! Several plan files become one desired state.
//!
//! A name, and a row's key, belongs to one file; references may cross files. The result does not depend on the order of
//! keys or files.

use std::collections::BTreeMap;

use super::codes;
use super::plan_file::{PlanFile, Section};
use super::rows::{join, report_twice};
use super::walk::suggest;
use crate::model::{Desired, Diagnostic, Diagnostics, Place, Spot};

/// Merges files, which come sorted by path, and resolves what they refer to.
pub(super) fn merge(plans: Vec<PlanFile>, out: &mut Diagnostics) -> Desired {
    let mut all = Desired::default();
    let mut claims = BTreeMap::<(Section, String), Place>::new();
    let mut references = Vec::new();
    let mut rows_of_all = Vec::new();
    for plan in plans {
        references.extend(plan.references);
        for ((section, name), place) in plan.claims {
            match claims.get(&(section, name.clone())) {
                Some(first) => out.push(taken(section, &name, first, &place)),
                None => drop(claims.insert((section, name), place)),
            }
        }
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
        } = plan.desired;
        all.files.extend(files);
        all.units.extend(units);
        all.promotions.extend(promotions);
        rows_of_all.extend(rows);
        all.synced.extend(synced);
        all.chunk_policies.extend(chunk_policies);
        all.vector_sets.extend(vector_sets);
        all.protect.extend(protect);
        all.checks.extend(checks);
        all.gates.extend(gates);
        all.retention.extend(retention);
    }
    all.files.sort_by(|a, b| (&a.path, &a.plan).cmp(&(&b.path, &b.plan)));
    all.synced.sort_by(|a, b| a.table.value.cmp(&b.table.value));
    all.rows = join(rows_of_all);
    report_twice(&all.rows, out);
    gates_of_retention(&all, out);
    for (section, name) in references.iter().filter(|(_, name)| !name.value.trim().is_empty()) {
        resolve_name(*section, name, &claims, out);
    }
    all
}

/// A gate has one owner: a retention opens it with its pair, or a value is declared for it.
fn gates_of_retention(all: &Desired, out: &mut Diagnostics) {
    for (name, retention) in &all.retention {
        if let Some(gate) = all.gates.get(&retention.gate.value) {
            let detail =
                format!("the gate \"{}\" is opened by retention \"{name}\" with its pair", retention.gate.value);
            let diagnostic = Diagnostic::error(codes::CONFLICT, detail).at(&gate.place);
            out.push(diagnostic.hint("declare it in one of the two places"));
        }
    }
}

fn taken(section: Section, name: &str, first: &Place, second: &Place) -> Diagnostic {
    let detail = format!("the {} \"{name}\" is already there at {first}", section.noun());
    Diagnostic::error(codes::NAME_TAKEN, detail).at(second).hint("rename one of the two, or remove it")
}

fn resolve_name(
    section: Section,
    name: &Spot<String>,
    claims: &BTreeMap<(Section, String), Place>,
    out: &mut Diagnostics,
) {
    if claims.contains_key(&(section, name.value.clone())) {
        return;
    }
    let known: Vec<&str> = claims.keys().filter(|(of, _)| *of == section).map(|(_, name)| name.as_str()).collect();
    let detail = format!("no {} is called \"{}\"", section.noun(), name.value);
    out.push(Diagnostic::error(codes::UNKNOWN_NAME, detail).at(&name.place).hint(suggest(&name.value, &known)));
}

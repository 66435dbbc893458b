//! Which fields of units a saved plan stands on.

use std::collections::BTreeSet;

use super::saved::SavedPlan;
use super::step::Work;
use crate::points::template_fields;

/// Fields that the selections of a plan name, and those that go into texts and payloads which it makes.
pub fn fields_used(plan: &SavedPlan) -> BTreeSet<String> {
    let mut out: BTreeSet<String> =
        plan.pins.selections.iter().flat_map(|pin| pin.selection.conditions.keys().cloned()).collect();
    for step in &plan.steps {
        let Work::StageVectors(work) = &step.work else { continue };
        let policy = plan.pins.chunk_policies.get(&work.chunk_policy);
        out.extend(policy.into_iter().flat_map(|policy| policy.text.template().names().map(str::to_owned)));
        for field in &work.payload {
            match plan.pins.binding.payload.get(field) {
                Some(template) => template_fields(template, &mut out),
                None => drop(out.insert(field.clone())),
            }
        }
    }
    out
}

//! Compares everything and collects the changes.

use std::collections::BTreeMap;

use super::change::{Change, ChangeDetail, Finding, Reason};
use super::codes;
use super::drift::{self, Drift};
use super::guards::guard_changes;
use super::limits::too_many_lost;
use super::resolve::{Resolved, some_of};
use super::risks::{counted, risks};
use super::rows::row_changes;
use super::vectors::{SetInput, compare_set};
use crate::model::{Address, Binding, Desired, Diagnostic, Diagnostics, EmptyBody, Environment, Observed};
use crate::points::Recipe;

/// The result of comparing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Comparison {
    /// What differs, by kind and address.
    pub changes: Vec<Change>,
    /// What reviewers should know.
    pub findings: Vec<Finding>,
    /// What changed outside Enact since the last apply, where this plan has something to do about it.
    pub drift: Vec<Drift>,
    /// Points that stay in sets without a change.
    pub kept: u64,
    /// Rows that are as declared.
    pub same_rows: u64,
}

/// Compares desired with observed state.
///
/// # Errors
/// Everything that makes the desired state impossible, all in one go.
pub fn compare(
    desired: &Desired,
    binding: &Binding,
    environment: &Environment,
    resolved: &Resolved,
    observed: &Observed,
    recipes: &BTreeMap<String, Recipe>,
) -> Result<Comparison, Diagnostics> {
    let mut errors = Diagnostics::default();
    let mut out = Comparison { findings: resolved.findings.clone(), ..Comparison::default() };
    row_changes(resolved, observed, &mut out, &mut errors);
    out.drift = drift::of_promotions(resolved, observed, &out.changes);
    lifecycle_changes(resolved, observed, &mut out);
    refresh_changes(binding, resolved, observed, &mut out);
    vector_changes(&VectorsInput { desired, binding, environment, resolved, observed, recipes }, &mut out, &mut errors);
    guard_changes(desired, binding, observed, &mut out, &mut errors);
    forgotten(desired, observed, &mut out);
    out.findings.extend(risks(&out.changes, environment));
    out.findings.sort();
    errors.into_result(out).map(|(out, _)| out)
}

fn lifecycle_changes(resolved: &Resolved, observed: &Observed, out: &mut Comparison) {
    for (name, promotion) in &resolved.promotions {
        let declared_at = Some(promotion.place.to_string());
        let mut moves: Vec<_> = promotion.pending.iter().filter_map(|id| observed.units.get(id)).collect();
        moves.sort_by(|a, b| a.address.cmp(&b.address));
        for unit in moves {
            out.changes.push(Change {
                address: Address::lifecycle(&unit.address),
                declared_at: declared_at.clone(),
                reasons: vec![Reason::Promotion(name.clone())],
                detail: ChangeDetail::Lifecycle {
                    unit: unit.clone(),
                    to: promotion.record.to.clone(),
                    promotion: name.clone(),
                },
            });
        }
        if !promotion.recorded && !promotion.record.units.is_empty() {
            out.changes.push(Change {
                address: Address::promotion(name),
                declared_at,
                reasons: vec![Reason::NotThere],
                detail: ChangeDetail::Promotion {
                    name: name.clone(),
                    units: promotion.record.units.len() as u64,
                    set_hash: promotion.record.set_hash.clone(),
                    record: Box::new(promotion.record.clone()),
                },
            });
        }
    }
}

fn refresh_changes(binding: &Binding, resolved: &Resolved, observed: &Observed, out: &mut Comparison) {
    if resolved.overlay.is_empty() {
        return;
    }
    for refresh in &binding.refresh {
        let open = binding.gates.as_ref().map(|gates| gates.open.clone());
        let automatic = refresh.gate.as_ref().is_some_and(|gate| observed.gates.get(gate).cloned().flatten() == open);
        if !automatic {
            out.changes.push(Change {
                address: Address::refresh(&refresh.name),
                declared_at: None,
                reasons: vec![Reason::LifecycleChanges],
                detail: ChangeDetail::Refresh { name: refresh.name.clone(), units: resolved.overlay.len() as u64 },
            });
        }
    }
}

struct VectorsInput<'a> {
    desired: &'a Desired,
    binding: &'a Binding,
    environment: &'a Environment,
    resolved: &'a Resolved,
    observed: &'a Observed,
    recipes: &'a BTreeMap<String, Recipe>,
}

fn vector_changes(input: &VectorsInput<'_>, out: &mut Comparison, errors: &mut Diagnostics) {
    for set in input.desired.vector_sets.values() {
        let (Some(recipe), Some(policy)) =
            (input.recipes.get(&set.name), input.desired.chunk_policies.get(&set.chunk_policy.value))
        else {
            continue;
        };
        let units = input.resolved.sets.get(&set.name).map_or(&[][..], Vec::as_slice);
        check_set(set, input, units, policy.value.empty_body, errors);
        out.findings.extend(strays(set, input.observed));
        let set_input = SetInput {
            set,
            policy: &policy.value,
            recipe,
            binding: input.binding,
            units,
            selection: input.desired.selection(&set.units),
            overlay: &input.resolved.overlay,
        };
        let (kept, change) = match compare_set(&set_input, input.observed) {
            Ok(compared) => compared,
            Err(refused) => {
                errors.push(refused);
                continue;
            }
        };
        out.kept += kept;
        let Some((change, reasons)) = change else { continue };
        errors.0.extend(too_many_lost(set, &change));
        let address = Address::vector_set(&set.name);
        out.drift.extend(drift::of_set(&set_input, &change, input.observed));
        let detail = ChangeDetail::VectorSet(Box::new(change));
        out.changes.push(Change { address, declared_at: Some(set.place.to_string()), reasons, detail });
    }
}

/// Points that nobody asked for are named: a search finds them.
fn strays(set: &crate::model::VectorSet, observed: &Observed) -> Option<Finding> {
    let live = observed.points.get(&set.name).filter(|live| !live.strays.is_empty())?;
    let ids: Vec<String> = live.strays.iter().map(ToString::to_string).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let count = counted(live.strays.len() as u64, "point");
    let message = format!("{count} in it that no apply wrote: {}", some_of(&ids));
    Some(Finding { code: codes::STRAY_POINTS.id.to_owned(), address: Some(Address::vector_set(&set.name)), message })
}

fn check_set(
    set: &crate::model::VectorSet,
    input: &VectorsInput<'_>,
    units: &[String],
    empty: Option<EmptyBody>,
    errors: &mut Diagnostics,
) {
    check_allowed(set, input.environment, errors);
    let empties: Vec<&str> = units
        .iter()
        .filter_map(|id| input.observed.units_after().get(id))
        .filter(|unit| unit.empty_body)
        .map(|unit| unit.address.as_str())
        .collect();
    let policy = &set.chunk_policy;
    if !empties.is_empty() && matches!(empty, None | Some(EmptyBody::Error)) {
        let what = if empty.is_none() {
            "and the chunk policy does not say what becomes of them"
        } else {
            "and the chunk policy refuses them"
        };
        errors.push(
            Diagnostic::error(
                codes::EMPTY_BODIES,
                format!("{} of the set have no body, {what}: {}", empties.len(), some_of(&empties)),
            )
            .at(&policy.place)
            .hint(format!("set empty_body of \"{}\" to skip or title", policy.value)),
        );
    }
}

/// The environment must allow writing the collection.
pub(super) fn check_allowed(set: &crate::model::VectorSet, environment: &Environment, errors: &mut Diagnostics) {
    if !environment.may_write(&set.name) {
        errors.push(
            Diagnostic::error(
                codes::DENIED_COLLECTION,
                format!("environment \"{}\" does not allow writing \"{}\"", environment.name, set.name),
            )
            .at(&set.place)
            .hint("see collections.allow and collections.deny in enact.yaml"),
        );
    }
}

/// Records of promotions and sets that no plan file declares any more. What they made stays: removing history or an index
/// that readers use is never a side effect of deleting a line. Where only some files were read nothing is forgotten: the
/// others may declare it.
fn forgotten(desired: &Desired, observed: &Observed, out: &mut Comparison) {
    if desired.partial {
        return;
    }
    let declared = desired.addresses();
    for (address, managed) in observed.managed.iter().filter(|(address, _)| !address.as_str().contains('[')) {
        if !declared.contains(address) && !managed.is_forgotten() {
            out.changes.push(Change {
                address: address.clone(),
                declared_at: None,
                reasons: vec![Reason::NoLongerDeclared],
                detail: ChangeDetail::Forget,
            });
        }
    }
}

//! A plan that would itself write into something that it protects is refused before anything is done.
//!
//! What can be told from the changes is told here: units that move or whose points change, rows, gates, ledger rows,
//! collections. What only the database can tell (functions and triggers that write elsewhere, the rows of a query) is
//! caught by the seals inside the deciding transaction.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, ChangeDetail, ChunkSource, RowChange, VectorChange};
use super::codes;
use super::compare::Comparison;
use super::resolve::some_of;
use crate::model::{
    Binding, Cell, Desired, Diagnostic, Diagnostics, FilterValue, Guarded, KeyPart, Observed, Seal, TableName,
    TransitionWork, UnitSeal,
};

pub(super) fn refuse_writes(
    desired: &Desired,
    binding: &Binding,
    observed: &Observed,
    out: &Comparison,
    errors: &mut Diagnostics,
) {
    for (name, protection) in &desired.protect {
        let Some(pin) = observed.guards.protect.get(name) else { continue };
        let mut touched: BTreeSet<String> = BTreeSet::new();
        for change in &out.changes {
            touched.extend(match (&pin.of, &pin.seal) {
                (Guarded::Units { .. }, Seal::Units(units)) => units_touched(change, binding, units),
                (Guarded::Table { table, filter, .. }, _) => table_touched(change, binding, table, filter),
                (Guarded::Collection { collection }, _) => collection_touched(change, observed, collection),
                (Guarded::Query { .. }, _) | (Guarded::Units { .. }, Seal::Items(_)) => Vec::new(),
            });
        }
        if !touched.is_empty() {
            let names: Vec<&str> = touched.iter().map(String::as_str).collect();
            let detail = format!("\"{name}\" protects {}, and the plan changes {}", pin.of.describe(), some_of(&names));
            let hint = "leave them out of what the plan changes, or narrow the protection";
            errors.push(Diagnostic::error(codes::PROTECTED, detail).at(&protection.place).hint(hint));
        }
    }
}

fn units_touched(change: &Change, binding: &Binding, units: &BTreeMap<String, UnitSeal>) -> Vec<String> {
    match &change.detail {
        ChangeDetail::Lifecycle { unit, .. } if units.contains_key(&unit.id) => vec![change.address.to_string()],
        ChangeDetail::VectorSet(set) => {
            vector_units(set).filter_map(|id| Some(units.get(id)?.address.clone())).collect()
        }
        // A unit's own row is found by its id or its address, where the key is one of them.
        ChangeDetail::Row { table, key, .. } if binding.units.tables.contains(table) => {
            let own = |part: &KeyPart| match &part.value {
                Cell::Text(value) => units.iter().any(|(id, unit)| id == value || unit.address == *value),
                Cell::Null | Cell::ApplyTime | Cell::Reference(_) => false,
            };
            if key.0.iter().any(own) { vec![change.address.to_string()] } else { Vec::new() }
        }
        ChangeDetail::Lifecycle { .. }
        | ChangeDetail::Row { .. }
        | ChangeDetail::Promotion { .. }
        | ChangeDetail::Refresh { .. }
        | ChangeDetail::Gate { .. }
        | ChangeDetail::Retention { .. }
        | ChangeDetail::Guard { .. }
        | ChangeDetail::Forget => Vec::new(),
    }
}

/// Units whose points or ledger rows change.
fn vector_units(set: &VectorChange) -> impl Iterator<Item = &String> {
    let points = set
        .units
        .iter()
        .filter(|unit| !unit.delete.is_empty() || unit.chunks.iter().any(|chunk| chunk.source != ChunkSource::Kept));
    points.map(|unit| &unit.unit).chain(set.ledger.iter().map(|write| &write.unit))
}

fn table_touched(
    change: &Change,
    binding: &Binding,
    table: &TableName,
    filter: &BTreeMap<String, FilterValue>,
) -> Vec<String> {
    let whole = filter.is_empty();
    let touched = match &change.detail {
        ChangeDetail::Row { table: written, change, .. } => written == table && row_matches(change, filter),
        ChangeDetail::Lifecycle { unit, to, .. } => {
            let work = binding.lifecycle.transitions.iter().find(|t| t.from == unit.lifecycle && t.to == *to);
            whole
                && match work.map(|transition| &transition.work) {
                    Some(TransitionWork::Update(update)) => update.table == *table,
                    Some(TransitionWork::Call(_)) => binding.units.tables.contains(table),
                    None => false,
                }
        }
        ChangeDetail::VectorSet(set) => {
            whole && !set.ledger.is_empty() && binding.ledger.as_ref().is_some_and(|ledger| ledger.table == *table)
        }
        ChangeDetail::Gate { gate, .. } | ChangeDetail::Retention { gate, .. } => {
            binding.gates.as_ref().is_some_and(|gates| {
                let named = filter.get(&gates.key).is_none_or(|wanted| wanted.value.as_ref() == Some(gate));
                gates.table == *table && named
            })
        }
        ChangeDetail::Promotion { .. }
        | ChangeDetail::Refresh { .. }
        | ChangeDetail::Guard { .. }
        | ChangeDetail::Forget => false,
    };
    if touched { vec![change.address.to_string()] } else { Vec::new() }
}

/// Whether a row is, or will be, one of those that a filter chooses.
fn row_matches(change: &RowChange, filter: &BTreeMap<String, FilterValue>) -> bool {
    let created =
        |column: &str, wanted: &Option<String>, values: &BTreeMap<String, Cell>| match (values.get(column), wanted) {
            (Some(Cell::Text(text)), Some(wanted)) => text == wanted,
            (Some(Cell::Null) | None, None) => true,
            // What the row referred to will be is not known: it may be the one.
            (Some(Cell::Reference(_)), _) => true,
            (Some(Cell::Null | Cell::ApplyTime) | None, Some(_)) | (Some(Cell::Text(_) | Cell::ApplyTime), None) => {
                false
            }
        };
    filter.iter().all(|(column, FilterValue { value, .. })| match change {
        RowChange::Create { values } => created(column, value, values),
        RowChange::TakeOver { .. } => false,
        RowChange::Delete { before } => before.0.get(column).is_some_and(|found| found == value),
        RowChange::Update { live, fields } => {
            let is = live.0.get(column).is_some_and(|found| found == value);
            let becomes = fields.get(column).map(|field| match &field.after {
                Cell::Text(text) => Some(text) == value.as_ref(),
                Cell::Null => value.is_none(),
                Cell::Reference(_) => true,
                Cell::ApplyTime => false,
            });
            is || becomes.unwrap_or(false)
        }
    })
}

fn collection_touched(change: &Change, observed: &Observed, collection: &str) -> Vec<String> {
    let ChangeDetail::VectorSet(set) = &change.detail else { return Vec::new() };
    let real = |name: &str| observed.aliases.get(name).map_or(name.to_owned(), Clone::clone);
    let same = set.set == collection || real(&set.set) == real(collection);
    if same { vec![change.address.to_string()] } else { Vec::new() }
}

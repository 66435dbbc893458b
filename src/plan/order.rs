//! The graph of a plan's changes.

use std::collections::BTreeMap;

use super::build::BuildInput;
use crate::diff::{Change, ChangeDetail, reference_targets};
use crate::graph::{EdgeKind, Graph};
use crate::model::{Address, ReferenceTarget, TableName};

/// Builds the graph: rows need the rows they refer to, moves need the rows of their promotion, caches and vector sets
/// need the moves.
pub(super) fn graph_of(input: &BuildInput<'_>) -> Graph {
    let mut graph = Graph::default();
    let changed: BTreeMap<&Address, &Change> = input.comparison.changes.iter().map(|c| (&c.address, c)).collect();
    for address in changed.keys() {
        graph.add(address);
    }
    row_edges(input, &changed, &mut graph);
    let allowing = allowing_rows(input, &changed);
    let moves: Vec<&Address> =
        input.comparison.changes.iter().filter(|c| is_move(c)).map(|change| &change.address).collect();
    for change in &input.comparison.changes {
        match &change.detail {
            ChangeDetail::Lifecycle { promotion, .. } => {
                for row in allowing.get(promotion.as_str()).into_iter().flatten() {
                    graph.need(&change.address, row, EdgeKind::Order, "is allowed by");
                }
                let record = Address::promotion(promotion);
                if changed.contains_key(&record) {
                    graph.need(&record, &change.address, EdgeKind::Order, "records");
                }
            }
            ChangeDetail::Refresh { .. } => {
                for other in &moves {
                    graph.need(&change.address, other, EdgeKind::Order, "shows its lifecycle state");
                }
            }
            ChangeDetail::VectorSet(set) => {
                for unit in &set.units {
                    let needed = Address::lifecycle(&unit.address);
                    if changed.contains_key(&needed) {
                        graph.need(&change.address, &needed, EdgeKind::Order, "indexes its text");
                    }
                }
            }
            ChangeDetail::Row { .. }
            | ChangeDetail::Promotion { .. }
            | ChangeDetail::Gate { .. }
            | ChangeDetail::Retention { .. }
            | ChangeDetail::Guard { .. }
            | ChangeDetail::Forget => {}
        }
    }
    graph
}

fn is_move(change: &Change) -> bool {
    matches!(change.detail, ChangeDetail::Lifecycle { .. })
}

/// The rows that a promotion writes once: its moves need them.
fn allowing_rows<'a>(input: &BuildInput<'a>, changed: &BTreeMap<&Address, &Change>) -> BTreeMap<&'a str, Vec<Address>> {
    let mut out: BTreeMap<&str, Vec<Address>> = BTreeMap::new();
    for (row, address) in input.resolved.rows.iter().zip(row_addresses(input)) {
        if let Some(promotion) =
            row.promotion.as_deref().filter(|_| row.key.len() == 1 && changed.contains_key(&address))
        {
            out.entry(promotion).or_default().push(address);
        }
    }
    out
}

pub(super) fn row_addresses(input: &BuildInput<'_>) -> Vec<Address> {
    input
        .resolved
        .rows
        .iter()
        .zip(&input.observed.normalised)
        .map(|(row, values)| {
            let key: Vec<String> =
                row.key.iter().map(|c| values.get(c).cloned().flatten().unwrap_or_default()).collect();
            Address::row(&row.table, &key)
        })
        .collect()
}

fn row_edges(input: &BuildInput<'_>, changed: &BTreeMap<&Address, &Change>, graph: &mut Graph) {
    let addresses = row_addresses(input);
    let mut providers: BTreeMap<ProviderKey, &Address> = BTreeMap::new();
    for ((row, values), address) in input.resolved.rows.iter().zip(&input.observed.normalised).zip(&addresses) {
        for (column, value) in values {
            if let Some(value) = value {
                providers.entry((row.table.clone(), vec![(column.clone(), value.clone())])).or_insert(address);
            }
        }
        let mut key: Vec<(String, String)> =
            row.key.iter().filter_map(|c| Some((c.clone(), values.get(c).cloned().flatten()?))).collect();
        key.sort();
        providers.insert((row.table.clone(), key), address);
    }
    let targets = reference_targets(input.resolved, &input.observed.normalised, &input.observed.tables, input.binding);
    for (index, why, target) in targets {
        let Some(to) = providers.get(&provider_key(&target)) else { continue };
        let from = &addresses[index];
        if changed.contains_key(from) && changed.contains_key(*to) {
            let kind = if why.starts_with("foreign key") { EdgeKind::Order } else { EdgeKind::Soft };
            graph.need(from, to, kind, why);
        }
    }
}

/// A table and the values of some of its columns, by column.
type ProviderKey = (TableName, Vec<(String, String)>);

fn provider_key(target: &ReferenceTarget) -> ProviderKey {
    let mut pairs: Vec<(String, String)> = target.columns.iter().cloned().zip(target.values.iter().cloned()).collect();
    pairs.sort();
    (target.table.clone(), pairs)
}

//! The graph of a plan's changes.

use std::collections::{BTreeMap, BTreeSet};

use super::build::BuildInput;
use crate::diff::{Change, ChangeDetail, Reason};
use crate::graph::{EdgeKind, Graph};
use crate::model::{Address, RowNeedKind, TemplateScope};

/// Builds the graph: rows need the rows they refer to, moves need the rows of their promotion, caches and vector sets
/// need the moves.
pub(super) fn graph_of(input: &BuildInput<'_>) -> Graph {
    let mut graph = Graph::default();
    let changed: BTreeMap<&Address, &Change> = input.comparison.changes.iter().map(|c| (&c.address, c)).collect();
    for address in changed.keys() {
        graph.add(address);
    }
    row_edges(input, &changed, &mut graph);
    let allowing = allowing_rows(input);
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

/// The rows that a promotion writes once: its moves need them. Rows for each unit would make an edge of each pair.
fn allowing_rows<'a>(input: &BuildInput<'a>) -> BTreeMap<&'a str, Vec<Address>> {
    let templates = input.binding.promotion.rows.iter();
    let once: BTreeSet<&str> =
        templates.filter(|row| row.per == TemplateScope::Promotion).map(|row| row.name.as_str()).collect();
    let mut out: BTreeMap<&str, Vec<Address>> = BTreeMap::new();
    for change in &input.comparison.changes {
        let ChangeDetail::Row { kind: Some(kind), .. } = &change.detail else { continue };
        if !once.contains(kind.as_str()) {
            continue;
        }
        let promotion = change.reasons.iter().find_map(|reason| match reason {
            Reason::Promotion(name) => Some(name.as_str()),
            _ => None,
        });
        if let Some(promotion) = promotion {
            out.entry(promotion).or_default().push(change.address.clone());
        }
    }
    out
}

fn row_edges(input: &BuildInput<'_>, changed: &BTreeMap<&Address, &Change>, graph: &mut Graph) {
    for need in &input.observed.rows.needs {
        if changed.contains_key(&need.from) && changed.contains_key(&need.to) {
            let kind = match need.kind {
                RowNeedKind::Soft => EdgeKind::Soft,
                RowNeedKind::Reference | RowNeedKind::Unique | RowNeedKind::Value { .. } => EdgeKind::Order,
            };
            graph.need(&need.from, &need.to, kind, need.why.clone());
        }
    }
}

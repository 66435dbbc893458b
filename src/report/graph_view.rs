//! What a graph shows: the changes of a plan as people see them, one by one, around one of them, or what the plan files
//! declare where nothing changes.

use std::collections::{BTreeMap, BTreeSet};

use super::action::Action;
use super::diagram::{GraphEdge, GraphNode, GraphView};
use super::words;
use crate::diff::{Change, ChangeDetail};
use crate::graph::{EdgeKind, Graph};
use crate::model::{
    Address, Cell, Condition, DeclaredRow, Desired, KeyPart, RowKey, RowReference, RowSet, TableName, UnitsRef,
    VectorSpec, Written,
};
use crate::plan::{Group, Phase, SavedPlan, Work};

/// Draws a saved plan as people see it: what changes in the same way is one node.
pub fn plan_view(plan: &SavedPlan) -> GraphView {
    let edges = plan.links.iter().map(|link| GraphEdge {
        from: link.from.to_string(),
        to: link.to.to_string(),
        why: link.why.clone(),
        soft: link.soft,
        count: link.count,
    });
    let nodes = nodes(plan);
    folded(&GraphView { nodes, edges: edges.collect() }, plan, "")
}

/// Draws the changes of a plan one by one. Nodes that only others need are drawn without an action.
pub fn changes_view(plan: &SavedPlan, graph: &Graph) -> GraphView {
    let mut nodes = nodes(plan);
    let known: BTreeSet<&str> = plan.changes.iter().map(|change| change.address.as_str()).collect();
    let others = graph.resources().filter(|address| !known.contains(address.as_str()));
    nodes.extend(others.map(|address| node(kind_of(address), address.as_str(), rest_of(address), None)));
    nodes.sort_by(|a, b| a.address.cmp(&b.address));
    let edges = graph.edges().into_iter().map(|(from, to, edge)| GraphEdge {
        from: from.to_string(),
        to: to.to_string(),
        why: edge.why.clone(),
        soft: edge.kind == EdgeKind::Soft,
        count: 1,
    });
    GraphView { nodes, edges: edges.collect() }
}

/// Leaves one node with what it needs and what needs it, directly and through others. `None` where it is not drawn.
pub fn focused(view: &GraphView, address: &str) -> Option<GraphView> {
    if !view.nodes.iter().any(|node| node.address == address) {
        return None;
    }
    let mut kept = reached(view, address, |edge| (&edge.from, &edge.to));
    kept.extend(reached(view, address, |edge| (&edge.to, &edge.from)));
    let nodes = view.nodes.iter().filter(|node| kept.contains(node.address.as_str())).cloned().collect();
    let both = |edge: &&GraphEdge| kept.contains(edge.from.as_str()) && kept.contains(edge.to.as_str());
    Some(GraphView { nodes, edges: view.edges.iter().filter(both).cloned().collect() })
}

/// What is reached from a node along edges in one direction, with the node itself.
fn reached<'v>(
    view: &'v GraphView,
    start: &str,
    ends: impl Fn(&'v GraphEdge) -> (&'v String, &'v String),
) -> BTreeSet<&'v str> {
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for edge in &view.edges {
        let (here, there) = ends(edge);
        next.entry(here).or_default().push(there);
    }
    let mut found: BTreeSet<&str> = BTreeSet::new();
    let mut open: Vec<&str> = view.nodes.iter().map(|n| n.address.as_str()).filter(|n| *n == start).collect();
    while let Some(address) = open.pop() {
        if found.insert(address) {
            open.extend(next.get(address).into_iter().flatten());
        }
    }
    found
}

/// Draws what changes in the same way as one node, apart from one that is looked at.
pub fn folded(view: &GraphView, plan: &SavedPlan, alone: &str) -> GraphView {
    let groups: BTreeMap<&str, Group<'_>> = plan
        .changes
        .iter()
        .filter(|change| change.address.as_str() != alone)
        .map(|change| (change.address.as_str(), Group::of(change)))
        .collect();
    let mut firsts: BTreeMap<Group<'_>, usize> = BTreeMap::new();
    let mut names: BTreeMap<&str, usize> = BTreeMap::new();
    let mut nodes: Vec<GraphNode> = Vec::new();
    for node in &view.nodes {
        let place = match groups.get(node.address.as_str()) {
            Some(group) => *firsts.entry(*group).or_insert(nodes.len()),
            None => nodes.len(),
        };
        match nodes.get_mut(place) {
            Some(first) => first.count += node.count,
            None => nodes.push(node.clone()),
        }
        names.insert(&node.address, place);
    }
    for (group, place) in &firsts {
        if let Some(label) = group_label(group, nodes[*place].count) {
            nodes[*place].label = label;
        }
    }
    let mut counts: BTreeMap<(usize, usize, &str, bool), u64> = BTreeMap::new();
    for edge in &view.edges {
        let (Some(from), Some(to)) = (names.get(edge.from.as_str()), names.get(edge.to.as_str())) else { continue };
        if from != to {
            *counts.entry((*from, *to, &edge.why, edge.soft)).or_default() += edge.count;
        }
    }
    let edge = |((from, to, why, soft), count): ((usize, usize, &str, bool), u64)| GraphEdge {
        from: nodes[from].address.clone(),
        to: nodes[to].address.clone(),
        why: why.to_owned(),
        soft,
        count,
    };
    let edges = counts.into_iter().map(edge).collect();
    GraphView { nodes, edges }
}

/// How the changes of a group are called together; one that has no other name keeps its own.
fn group_label(group: &Group<'_>, count: u64) -> Option<String> {
    match group {
        Group::Rows(_, None, _) | Group::Moves { .. } if count == 1 => None,
        Group::Rows(table, kind, _) => {
            let noun = kind.map_or_else(|| words::count(count, "row"), |kind| words::count(count, kind));
            Some(format!("{noun} in {}", table.name()))
        }
        Group::Moves { promotion: _, from, to } => Some(format!("{}: {from} -> {to}", words::count(count, "unit"))),
        Group::One(_) => None,
    }
}

/// A node for each change, with the phases of its steps.
fn nodes(plan: &SavedPlan) -> Vec<GraphNode> {
    let mut phases: BTreeMap<&Address, BTreeSet<Phase>> = BTreeMap::new();
    // What is written down at the end names everything.
    for step in plan.steps.iter().filter(|step| !matches!(step.work, Work::RecordManaged { .. } | Work::RecordRows(_)))
    {
        for address in &step.addresses {
            phases.entry(address).or_default().insert(step.phase);
        }
    }
    let with_phases = |change: &Change| {
        let found = phases.get(&change.address).into_iter().flatten();
        // A promotion and what is forgotten are only written down.
        let found: Vec<String> = found.map(|phase| phase.name().to_owned()).collect();
        let phases =
            if found.is_empty() && !plan.steps.is_empty() { vec![Phase::Transaction.name().to_owned()] } else { found };
        GraphNode { phases, ..changed(change) }
    };
    let mut nodes: Vec<GraphNode> = plan.changes.iter().map(with_phases).collect();
    nodes.sort_by(|a, b| a.address.cmp(&b.address));
    nodes
}

fn node(kind: &str, address: &str, label: &str, action: Option<Action>) -> GraphNode {
    GraphNode {
        address: address.to_owned(),
        label: label.to_owned(),
        kind: kind.to_owned(),
        action: action.map(|action| action.word().to_owned()),
        count: 1,
        phases: Vec::new(),
    }
}

/// The word before the first dot or bracket of an address.
fn kind_of(address: &Address) -> &str {
    let text = address.as_str();
    text.split(['.', '[']).next().unwrap_or(text)
}

/// What follows the kind.
fn rest_of(address: &Address) -> &str {
    let text = address.as_str();
    let rest = text.get(kind_of(address).len()..).unwrap_or_default();
    let rest = rest.strip_prefix('.').unwrap_or(rest);
    if rest.is_empty() { text } else { rest }
}

fn changed(change: &Change) -> GraphNode {
    let address = &change.address;
    let label = match &change.detail {
        ChangeDetail::Lifecycle { unit, to, .. } => format!("{}: {} -> {to}", unit.address, unit.lifecycle),
        ChangeDetail::Promotion { name, units, .. } => format!("{name}, {units} units"),
        ChangeDetail::Refresh { name, .. } | ChangeDetail::Guard { name, .. } => name.clone(),
        ChangeDetail::VectorSet(set) => set.set.clone(),
        ChangeDetail::Row { .. }
        | ChangeDetail::Gate { .. }
        | ChangeDetail::Retention { .. }
        | ChangeDetail::Forget => rest_of(address).to_owned(),
    };
    node(kind_of(address), address.as_str(), &label, Some(Action::of(&change.detail)))
}

/// Draws what plan files declare.
pub fn declared_view(desired: &Desired) -> GraphView {
    let mut view = GraphView::default();
    for name in desired.units.keys() {
        view.nodes.push(node("units", &units_address(name), name, None));
    }
    for name in desired.chunk_policies.keys() {
        view.nodes.push(node("chunk_policy", &policy_address(name), name, None));
    }
    for (name, promotion) in &desired.promotions {
        let address = Address::promotion(name);
        let label = format!("{name} to {}", promotion.to.value);
        view.nodes.push(node("promotion", address.as_str(), &label, None));
        selects(&mut view, &address, &promotion.units);
    }
    for set in &desired.rows {
        for row in &set.rows {
            let address = Address::row(&set.table.value, &declared_key(set, row));
            view.nodes.push(node("row", address.as_str(), rest_of(&address), None));
        }
    }
    for (name, set) in &desired.vector_sets {
        let address = Address::vector_set(name);
        view.nodes.push(node("vector_set", address.as_str(), name, None));
        selects(&mut view, &address, &set.units);
        edge(&mut view, &address, policy_address(&set.chunk_policy.value), "chunked by");
        for (vector, spec) in &set.vectors {
            if let VectorSpec::Dense { embedder, .. } = &spec.value {
                let embedder_address = format!("embedder.{embedder}");
                if !view.nodes.iter().any(|node| node.address == embedder_address) {
                    view.nodes.push(node("embedder", &embedder_address, embedder, None));
                }
                edge(&mut view, &address, embedder_address, &format!("vector {vector}"));
            }
        }
        for (promotion, declared) in &desired.promotions {
            if moved_into(desired, &set.units, &declared.to.value) {
                let to = Address::promotion(promotion).to_string();
                edge(&mut view, &address, to, &format!("units that become {}", declared.to.value));
            }
        }
    }
    view.nodes.sort_by(|a, b| a.address.cmp(&b.address));
    view
}

fn units_address(name: &str) -> String {
    format!("units.{name}")
}

fn policy_address(name: &str) -> String {
    format!("chunk_policy.{name}")
}

/// The key of a row as it is declared: what the database makes of it is not known here.
fn declared_key(set: &RowSet, row: &DeclaredRow) -> RowKey {
    let parts = set.key.iter().zip(&row.cells);
    RowKey(parts.map(|(column, cell)| KeyPart { column: column.clone(), value: declared_cell(&cell.value) }).collect())
}

fn declared_cell(value: &Written) -> Cell {
    if let Some((table, key)) = value.as_reference()
        && let Ok(table) = TableName::parse(table)
    {
        let part =
            |(column, value): &(String, Written)| KeyPart { column: column.clone(), value: declared_cell(value) };
        let key = RowKey(key.iter().map(part).collect());
        return Cell::Reference(Box::new(RowReference { table, key, column: String::new() }));
    }
    value.scalar().map_or(Cell::Null, |text| Cell::Text(text.to_owned()))
}

fn edge(view: &mut GraphView, from: &Address, to: String, why: &str) {
    view.edges.push(GraphEdge { from: from.to_string(), to, why: why.to_owned(), soft: false, count: 1 });
}

fn selects(view: &mut GraphView, from: &Address, units: &UnitsRef) {
    if let UnitsRef::Named(name) = units {
        edge(view, from, units_address(&name.value), "selects");
    }
}

/// Whether a selection asks for units in this state by name.
fn moved_into(desired: &Desired, units: &UnitsRef, state: &str) -> bool {
    let condition = desired.selection(units).conditions.get("lifecycle");
    matches!(condition, Some(Condition::In(states)) if states.iter().any(|wanted| wanted == state))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view() -> GraphView {
        let node = |name: &str| node("row", name, name, None);
        let edge = |from: &str, to: &str| GraphEdge {
            from: from.to_owned(),
            to: to.to_owned(),
            why: String::new(),
            soft: false,
            count: 1,
        };
        GraphView {
            nodes: ["a", "b", "c", "d", "e"].map(node).into(),
            edges: vec![edge("a", "b"), edge("b", "c"), edge("d", "c"), edge("e", "a")],
        }
    }

    #[test]
    fn a_focus_leaves_what_is_needed_and_what_needs_it() {
        let names = |address: &str| {
            let found = focused(&view(), address).unwrap_or_default();
            found.nodes.into_iter().map(|node| node.address).collect::<Vec<_>>().concat()
        };
        assert_eq!([names("b"), names("d"), names("c"), names("x")], ["abce", "cd", "abcde", ""]);
    }

    #[test]
    fn an_address_is_split_at_its_kind() {
        let split = |text: &str| {
            let address = Address::from_text(text);
            (kind_of(&address).to_owned(), rest_of(&address).to_owned())
        };
        assert_eq!(split("lifecycle[\"A.B\"]"), ("lifecycle".to_owned(), "[\"A.B\"]".to_owned()));
        assert_eq!(split("vector_set.x"), ("vector_set".to_owned(), "x".to_owned()));
    }
}

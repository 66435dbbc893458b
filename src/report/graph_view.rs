//! What a graph shows: the changes of a plan, or what the plan files declare where nothing changes.

use std::collections::BTreeSet;

use super::action::Action;
use super::diagram::{GraphEdge, GraphNode, GraphView};
use crate::diff::{Change, ChangeDetail, CollectionChange, RowChange};
use crate::graph::{EdgeKind, Graph};
use crate::model::{Address, Condition, Desired, RowResource, Selection, UnitsRef, VectorSpec};

/// Draws the changes of a plan. Nodes that only others need are drawn without an action.
pub fn changes_view(changes: &[Change], graph: &Graph) -> GraphView {
    let mut nodes: Vec<GraphNode> = changes.iter().map(changed).collect();
    let known: BTreeSet<&str> = changes.iter().map(|change| change.address.as_str()).collect();
    let others = graph.resources().filter(|address| !known.contains(address.as_str()));
    nodes.extend(others.map(|address| node(kind_of(address), address.as_str(), rest_of(address), None)));
    nodes.sort_by(|a, b| a.address.cmp(&b.address));
    let edges = graph.edges().into_iter().map(|(from, to, edge)| GraphEdge {
        from: from.to_string(),
        to: to.to_string(),
        why: match edge.kind {
            EdgeKind::Order => edge.why.clone(),
            EdgeKind::Soft => format!("{} (soft)", edge.why),
        },
    });
    GraphView { nodes, edges: edges.collect() }
}

fn node(kind: &str, address: &str, label: &str, action: Option<Action>) -> GraphNode {
    GraphNode {
        address: address.to_owned(),
        label: label.to_owned(),
        kind: kind.to_owned(),
        action: action.map(|action| action.word().to_owned()),
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
    let (label, action) = match &change.detail {
        ChangeDetail::Row { change, .. } => {
            let action = match change {
                RowChange::Create { .. } => Action::Create,
                RowChange::Update { .. } => Action::Update,
                RowChange::Delete { .. } => Action::Delete,
            };
            (rest_of(address).to_owned(), action)
        }
        ChangeDetail::Lifecycle { unit, to, .. } => {
            (format!("{}: {} -> {to}", unit.address, unit.lifecycle), Action::Promote)
        }
        ChangeDetail::Promotion { name, units, .. } => (format!("{name}, {units} units"), Action::Create),
        ChangeDetail::Refresh { name, .. } => (name.clone(), Action::Refresh),
        ChangeDetail::VectorSet(set) => {
            let action = match &set.collection {
                CollectionChange::New => Action::Create,
                CollectionChange::Replace { .. } => Action::Replace,
                CollectionChange::InPlace { .. } => Action::Update,
                CollectionChange::Adopt { .. } => Action::Adopt,
            };
            (set.set.clone(), action)
        }
        ChangeDetail::Gate { .. } | ChangeDetail::Retention { .. } => (rest_of(address).to_owned(), Action::Update),
        ChangeDetail::Guard { name, .. } => (name.clone(), Action::Create),
        ChangeDetail::Forget => (rest_of(address).to_owned(), Action::Forget),
    };
    node(kind_of(address), address.as_str(), &label, Some(action))
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
    for row in &desired.rows {
        view.nodes.push(row_node(row));
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

fn row_node(row: &RowResource) -> GraphNode {
    let key: Vec<String> = row.key.values().map(|value| text_of(&value.value)).collect();
    let address = Address::row(&row.table.value, &key);
    node("row", address.as_str(), rest_of(&address), None)
}

fn text_of(value: &serde_json::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn edge(view: &mut GraphView, from: &Address, to: String, why: &str) {
    view.edges.push(GraphEdge { from: from.to_string(), to, why: why.to_owned() });
}

fn selects(view: &mut GraphView, from: &Address, units: &UnitsRef) {
    if let UnitsRef::Named(name) = units {
        edge(view, from, units_address(&name.value), "selects");
    }
}

/// Whether a selection asks for units in this state by name.
fn moved_into(desired: &Desired, units: &UnitsRef, state: &str) -> bool {
    let selection: Option<&Selection> = match units {
        UnitsRef::Named(name) => desired.units.get(&name.value).map(|named| &named.selection),
        UnitsRef::Inline(selection) => Some(&selection.value),
    };
    let condition = selection.and_then(|selection| selection.conditions.get("lifecycle"));
    matches!(condition, Some(Condition::In(states)) if states.iter().any(|wanted| wanted == state))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::Reason;

    #[test]
    fn a_change_is_drawn_with_its_action_and_what_it_needs_without_one() {
        let address = Address::from_text("row.public.a[\"1\"]");
        let mut graph = Graph::default();
        graph.need(&address, &Address::from_text("row.public.b[\"2\"]"), EdgeKind::Soft, "column x");
        let change = Change {
            address: address.clone(),
            declared_at: None,
            reasons: vec![Reason::NotThere],
            detail: ChangeDetail::Forget,
        };
        let view = changes_view(&[change], &graph);
        let drawn: Vec<_> =
            view.nodes.iter().map(|n| (n.kind.as_str(), n.label.as_str(), n.action.as_deref())).collect();
        assert_eq!(drawn, [("row", "public.a[\"1\"]", Some("forget")), ("row", "public.b[\"2\"]", None)]);
        assert_eq!(view.edges[0].why, "column x (soft)");
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

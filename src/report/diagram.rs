//! Dependency graphs as Graphviz and Mermaid. Nodes are named `n1`, `n2`, …; foreign text stands only in quoted labels.

use std::collections::BTreeMap;

use super::escape;

/// What is drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GraphView {
    /// The nodes; an address names one node.
    pub nodes: Vec<GraphNode>,
    /// The edges between them.
    pub edges: Vec<GraphEdge>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphNode {
    /// The resource's address.
    pub address: String,
    /// What is written on it.
    pub label: String,
    /// What kind of resource: `row`, `lifecycle`, `vector_set`, ….
    pub kind: String,
    /// What happens to it, if anything does: `create`, ….
    pub action: Option<String>,
}

/// One edge: `from` needs `to`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GraphEdge {
    /// What needs.
    pub from: String,
    /// What is needed.
    pub to: String,
    /// Why: the foreign key, the soft reference, ….
    pub why: String,
}

/// Draws for Graphviz.
pub fn graph_dot(graph: &GraphView) -> String {
    let mut out = String::from("digraph enact {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n");
    let names = names(graph);
    for node in &graph.nodes {
        let (label, tooltip) = (escape::dot(&caption(node)), escape::dot(&node.address));
        let style = if node.action.is_some() { ", style=bold" } else { "" };
        out.push_str(&format!("  {} [label={label}, tooltip={tooltip}{style}];\n", name(&names, &node.address)));
    }
    for (from, to, why) in edges(graph, &names) {
        out.push_str(&format!("  {from} -> {to} [label={}];\n", escape::dot(why)));
    }
    out.push_str("}\n");
    out
}

/// Draws for Mermaid.
pub fn graph_mermaid(graph: &GraphView) -> String {
    let mut out = String::from("flowchart LR\n");
    let names = names(graph);
    for node in &graph.nodes {
        out.push_str(&format!("  {}[{}]\n", name(&names, &node.address), escape::mermaid(&caption(node))));
    }
    for (from, to, why) in edges(graph, &names) {
        if why.is_empty() {
            out.push_str(&format!("  {from} --> {to}\n"));
        } else {
            out.push_str(&format!("  {from} -->|{}| {to}\n", escape::mermaid(why)));
        }
    }
    out
}

fn caption(node: &GraphNode) -> String {
    match &node.action {
        Some(action) => format!("{}: {} ({action})", node.kind, node.label),
        None => format!("{}: {}", node.kind, node.label),
    }
}

fn names(graph: &GraphView) -> BTreeMap<&str, usize> {
    graph.nodes.iter().enumerate().map(|(i, node)| (node.address.as_str(), i + 1)).collect()
}

fn name(names: &BTreeMap<&str, usize>, address: &str) -> String {
    names.get(address).map_or_else(|| "n0".to_owned(), |number| format!("n{number}"))
}

/// The edges between nodes that are drawn.
fn edges<'g>(
    graph: &'g GraphView,
    names: &'g BTreeMap<&str, usize>,
) -> impl Iterator<Item = (String, String, &'g str)> {
    graph.edges.iter().filter_map(|edge| {
        let (from, to) = (names.get(edge.from.as_str())?, names.get(edge.to.as_str())?);
        Some((format!("n{from}"), format!("n{to}"), edge.why.as_str()))
    })
}

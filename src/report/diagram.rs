//! Dependency graphs as Graphviz, Mermaid and JSON; `svg` draws them. Nodes are named `n1`, `n2`, …; foreign text stands only in
//! quoted labels.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{escape, words};

/// The version of the graph as JSON.
const FORMAT_VERSION: &str = "1.0";

/// What is drawn.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct GraphView {
    /// The nodes; an address names one node.
    pub nodes: Vec<GraphNode>,
    /// The edges between them.
    pub edges: Vec<GraphEdge>,
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GraphNode {
    /// The resource's address; of several, the first one's.
    pub address: String,
    /// What is written on it.
    pub label: String,
    /// What kind of resource: `row`, `lifecycle`, `vector_set`, ….
    pub kind: String,
    /// What happens to it, if anything does: `create`, ….
    pub action: Option<String>,
    /// For how many resources it stands.
    pub count: u64,
    /// The phases in which it is worked on, in their order.
    pub phases: Vec<String>,
}

/// One edge: `from` needs `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GraphEdge {
    /// What needs.
    pub from: String,
    /// What is needed.
    pub to: String,
    /// Why: the foreign key, the soft reference, ….
    pub why: String,
    /// Whether the needed one has to be there in the end only, and may come later.
    pub soft: bool,
    /// For how many needs it stands.
    pub count: u64,
}

impl GraphEdge {
    /// Why, with what a reader should know of it.
    pub(super) fn reason(&self) -> String {
        let soft = if self.soft { " (soft)" } else { "" };
        let count = if self.count > 1 { format!(" × {}", words::number(self.count)) } else { String::new() };
        format!("{}{soft}{count}", self.why)
    }
}

/// Writes for machines.
pub fn graph_json(graph: &GraphView) -> String {
    #[derive(Serialize)]
    struct Document<'g> {
        format_version: &'static str,
        #[serde(flatten)]
        graph: &'g GraphView,
    }
    let document = Document { format_version: FORMAT_VERSION, graph };
    let Ok(text) = serde_json::to_string_pretty(&document) else { panic!("BUG: a graph does not serialise") };
    text + "\n"
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
    for (from, to, edge) in edges(graph, &names) {
        let style = if edge.soft { ", style=dashed" } else { "" };
        out.push_str(&format!("  {from} -> {to} [label={}{style}];\n", escape::dot(&edge.reason())));
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
    for (from, to, edge) in edges(graph, &names) {
        let arrow = if edge.soft { "-.->" } else { "-->" };
        let reason = edge.reason();
        if reason.is_empty() {
            out.push_str(&format!("  {from} {arrow} {to}\n"));
        } else {
            out.push_str(&format!("  {from} {arrow}|{}| {to}\n", escape::mermaid(&reason)));
        }
    }
    out
}

fn caption(node: &GraphNode) -> String {
    let mut text = format!("{}: {}", node.kind, node.label);
    if let Some(action) = &node.action {
        text.push_str(&format!(" ({action})"));
    }
    if !node.phases.is_empty() {
        text.push_str(&format!(", in {}", node.phases.join(", ")));
    }
    text
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
) -> impl Iterator<Item = (String, String, &'g GraphEdge)> {
    graph.edges.iter().filter_map(|edge| {
        let (from, to) = (names.get(edge.from.as_str())?, names.get(edge.to.as_str())?);
        Some((format!("n{from}"), format!("n{to}"), edge))
    })
}

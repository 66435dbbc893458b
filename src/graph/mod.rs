//! Typed dependency edges between resources, their order, and cycles by name.
//!
//! An edge goes from what needs to what is needed. Only [`EdgeKind::Order`] edges order the steps: a soft reference must be
//! there in the end, and both ends of it come to be in one transaction.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::Direction;
use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use petgraph::visit::EdgeRef;

use crate::model::Address;

/// What an edge means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EdgeKind {
    /// The needed one must be done first.
    Order,
    /// Both must be there in the end.
    Soft,
}

/// Why one resource needs another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Edge {
    /// What it means.
    pub kind: EdgeKind,
    /// `foreign key x`, `reviewed by`, …
    pub why: String,
}

/// A graph of resources.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    inner: DiGraph<Address, Edge>,
    nodes: BTreeMap<Address, NodeIndex>,
    /// The edges that are there: one node may need a hundred thousand, and is not asked for each of them again.
    known: BTreeSet<(NodeIndex, NodeIndex, EdgeKind)>,
}

/// A circle of resources, each needing the next.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("these need each other: {}", .0.iter().map(Address::to_string).collect::<Vec<_>>().join(" -> "))]
pub struct Cycle(pub Vec<Address>);

impl Graph {
    /// Adds a resource.
    pub fn add(&mut self, address: &Address) {
        if !self.nodes.contains_key(address) {
            let node = self.inner.add_node(address.clone());
            self.nodes.insert(address.clone(), node);
        }
    }

    /// Adds an edge; both ends are added where they are not there. An edge from a resource to itself is left out.
    pub fn need(&mut self, from: &Address, to: &Address, kind: EdgeKind, why: impl Into<String>) {
        if from == to {
            return;
        }
        self.add(from);
        self.add(to);
        let (a, b) = (self.nodes[from], self.nodes[to]);
        if self.known.insert((a, b, kind)) {
            self.inner.add_edge(a, b, Edge { kind, why: why.into() });
        }
    }

    /// Every resource, by address.
    pub fn resources(&self) -> impl Iterator<Item = &Address> {
        self.nodes.keys()
    }

    /// Every edge, by address.
    pub fn edges(&self) -> Vec<(&Address, &Address, &Edge)> {
        let mut out: Vec<_> = self
            .inner
            .edge_references()
            .map(|edge| (&self.inner[edge.source()], &self.inner[edge.target()], edge.weight()))
            .collect();
        out.sort_by(|a, b| (a.0, a.1, a.2.kind).cmp(&(b.0, b.1, b.2.kind)));
        out
    }

    /// The length of the longest chain of needs below each resource: 0 needs nothing.
    ///
    /// # Errors
    /// The resources of a circle, in order.
    pub fn levels(&self) -> Result<BTreeMap<Address, u32>, Cycle> {
        let ordered = self
            .inner
            .filter_map(|_, address| Some(address.clone()), |_, edge| (edge.kind == EdgeKind::Order).then_some(()));
        let mut levels: Vec<u32> = vec![0; ordered.node_count()];
        for component in tarjan_scc(&ordered) {
            let [node] = component.as_slice() else {
                let mut members: Vec<Address> = component.iter().rev().map(|node| ordered[*node].clone()).collect();
                let first = members.iter().enumerate().min_by_key(|(_, a)| (*a).clone()).map_or(0, |(i, _)| i);
                members.rotate_left(first);
                return Err(Cycle(members));
            };
            let below = ordered.neighbors_directed(*node, Direction::Outgoing);
            levels[node.index()] = below.map(|needed| levels[needed.index()] + 1).max().unwrap_or(0);
        }
        Ok(self.nodes.iter().map(|(address, node)| (address.clone(), levels[node.index()])).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn a(name: &str) -> Address {
        Address::from_text(name)
    }

    #[test]
    fn levels_follow_order_edges_and_ignore_soft_ones() {
        let mut graph = Graph::default();
        graph.need(&a("block"), &a("envelope"), EdgeKind::Order, "foreign key");
        graph.need(&a("decision"), &a("block"), EdgeKind::Order, "foreign key");
        graph.need(&a("envelope"), &a("decision"), EdgeKind::Soft, "column");
        let levels = graph.levels().unwrap();
        assert_eq!((levels[&a("envelope")], levels[&a("block")], levels[&a("decision")]), (0, 1, 2));
    }

    #[test]
    fn a_circle_is_named() {
        let mut graph = Graph::default();
        graph.need(&a("x"), &a("y"), EdgeKind::Order, "");
        graph.need(&a("y"), &a("x"), EdgeKind::Order, "");
        assert_eq!(graph.levels().unwrap_err().to_string(), "these need each other: x -> y");
    }
}

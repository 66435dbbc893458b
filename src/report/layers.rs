//! Places the nodes of a graph in layers, so that every edge that orders goes from a later layer to an earlier one.
//!
//! ```text
//! needs ── levels ──▶ layers ── an edge over several layers passes points of its own ──▶ order ──▶ places
//! ```
//!
//! The layer of a node is the longest chain of needs below it. Within a layer, nodes stand beside the middle of their
//! neighbours, found by a few sweeps; ties are broken by the order they came in. The same graph gives the same places.

use crate::graph::{EdgeKind, Graph};
use crate::model::Address;

/// Sweeps over the layers; more change little.
const SWEEPS: usize = 8;

/// What a layout consists of: nodes by their number, and points where long edges pass a layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layers {
    /// What stands in each layer, from top to bottom.
    pub layers: Vec<Vec<Spot>>,
    /// For each edge the points that it passes, from what needs to what is needed: layer and place in it.
    pub ways: Vec<Vec<(usize, usize)>>,
    /// For each node its layer and place.
    pub places: Vec<(usize, usize)>,
}

/// What stands at one place of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// A node.
    Node(usize),
    /// An edge passes.
    Passing(usize),
}

/// An edge between nodes by their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Edge {
    /// What needs.
    pub from: usize,
    /// What is needed.
    pub to: usize,
    /// Whether it says nothing of the order.
    pub soft: bool,
}

/// Lays out nodes `0..count`.
pub(super) fn layers(count: usize, edges: &[Edge]) -> Layers {
    let hard: Vec<(usize, usize)> = edges.iter().filter(|edge| !edge.soft).map(|edge| (edge.from, edge.to)).collect();
    let levels = levels(count, &hard);
    let depth = levels.iter().max().map_or(0, |deepest| deepest + 1);
    let mut spots: Vec<Vec<usize>> = vec![Vec::new(); depth];
    let mut items: Vec<Item> = Vec::new();
    for (node, level) in levels.iter().enumerate() {
        spots[*level].push(items.len());
        items.push(Item { spot: Spot::Node(node), near: Vec::new() });
    }
    let mut passed: Vec<Vec<usize>> = Vec::new();
    for (number, edge) in edges.iter().enumerate() {
        passed.push(passing(number, *edge, &levels, &mut items, &mut spots));
    }
    for sweep in 0..SWEEPS {
        arrange(&mut spots, &items, sweep);
    }
    let mut at = vec![(0, 0); items.len()];
    for (layer, spots) in spots.iter().enumerate() {
        for (place, item) in spots.iter().enumerate() {
            at[*item] = (layer, place);
        }
    }
    Layers {
        layers: spots.iter().map(|layer| layer.iter().map(|item| items[*item].spot).collect()).collect(),
        ways: passed.into_iter().map(|items| items.into_iter().map(|item| at[item]).collect()).collect(),
        places: at[..count].to_vec(),
    }
}

struct Item {
    spot: Spot,
    /// Items beside it in the layers next to its own.
    near: Vec<usize>,
}

/// The level of every node. Where nodes need each other, one edge of the circle is left out.
fn levels(count: usize, edges: &[(usize, usize)]) -> Vec<usize> {
    // Padded, so that the order of the texts is that of the numbers.
    let address = |node: usize| Address::from_text(format!("{node:08}"));
    let mut left_out: Vec<(usize, usize)> = Vec::new();
    loop {
        let mut graph = Graph::default();
        (0..count).for_each(|node| graph.add(&address(node)));
        for (from, to) in edges.iter().filter(|edge| !left_out.contains(edge)) {
            graph.need(&address(*from), &address(*to), EdgeKind::Order, "");
        }
        match graph.levels() {
            Ok(levels) => return levels.values().map(|level| *level as usize).collect(),
            Err(circle) => {
                let number = |address: &Address| address.as_str().parse::<usize>().unwrap_or(0);
                let members: Vec<usize> = circle.0.iter().map(number).collect();
                let within = |edge: &&(usize, usize)| {
                    members.contains(&edge.0)
                        && members.contains(&edge.1)
                        && edge.0 != edge.1
                        && !left_out.contains(edge)
                };
                let Some(last) = edges.iter().rfind(within) else { panic!("BUG: a circle without an edge") };
                left_out.push(*last);
            }
        }
    }
}

/// Adds the points where an edge passes layers, and says which they are.
fn passing(
    number: usize,
    Edge { from, to, soft: _ }: Edge,
    levels: &[usize],
    items: &mut Vec<Item>,
    spots: &mut [Vec<usize>],
) -> Vec<usize> {
    let mut way = Vec::new();
    let mut last = from;
    let (low, high) = (levels[to].min(levels[from]), levels[to].max(levels[from]));
    let between: Vec<usize> =
        if levels[to] < levels[from] { (low + 1..high).rev().collect() } else { (low + 1..high).collect() };
    for layer in between {
        let item = items.len();
        items.push(Item { spot: Spot::Passing(number), near: vec![last] });
        items[last].near.push(item);
        spots[layer].push(item);
        way.push(item);
        last = item;
    }
    items[last].near.push(to);
    items[to].near.push(last);
    way
}

/// Sorts each layer by the middle of its neighbours in the layer before, or after on the way back.
fn arrange(spots: &mut [Vec<usize>], items: &[Item], sweep: usize) {
    let mut place = vec![(usize::MAX, 0.0); items.len()];
    for (layer, spots) in spots.iter().enumerate() {
        for (at, item) in spots.iter().enumerate() {
            // The middle of a layer is its zero: layers of different sizes are centred on each other.
            place[*item] = (layer, at as f64 - (spots.len() as f64 - 1.0) / 2.0);
        }
    }
    let forth = sweep.is_multiple_of(2);
    let order: Vec<usize> =
        if forth { (1..spots.len()).collect() } else { (0..spots.len().saturating_sub(1)).rev().collect() };
    for layer in order {
        let beside = if forth { layer - 1 } else { layer + 1 };
        let mut sorted: Vec<(f64, usize)> = Vec::new();
        for item in &spots[layer] {
            let near = items[*item].near.iter().filter(|other| place[**other].0 == beside);
            let (sum, n) = near.fold((0.0, 0.0), |(sum, n), other| (sum + place[*other].1, n + 1.0));
            sorted.push((if n > 0.0 { sum / n } else { place[*item].1 }, *item));
        }
        sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
        let middle = (sorted.len() as f64 - 1.0) / 2.0;
        for (at, (_, item)) in sorted.iter().enumerate() {
            place[*item].1 = at as f64 - middle;
            spots[layer][at] = *item;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(count: usize, edges: &[(usize, usize)]) -> Layers {
        let edges: Vec<Edge> = edges.iter().map(|(from, to)| Edge { from: *from, to: *to, soft: false }).collect();
        layers(count, &edges)
    }

    #[test]
    fn an_edge_over_a_layer_passes_it() {
        let found = of(3, &[(1, 0), (2, 1), (2, 0)]);
        assert_eq!(found.places, [(0, 0), (1, 0), (2, 0)]);
        assert_eq!(found.layers[1], [Spot::Node(1), Spot::Passing(2)]);
        assert_eq!(found.ways, [vec![], vec![], vec![(1, 1)]]);
    }

    #[test]
    fn nodes_that_need_each_other_are_drawn_too() {
        assert_eq!(of(3, &[(0, 1), (1, 2), (2, 0)]).layers.len(), 3);
        let soft = [(0, 1, false), (1, 0, true)].map(|(from, to, soft)| Edge { from, to, soft });
        assert_eq!(layers(2, &soft).places, [(1, 0), (0, 0)]);
    }

    #[test]
    fn neighbours_stand_beside_each_other() {
        // Two chains that would cross in the order of their numbers.
        let found = of(4, &[(2, 1), (3, 0)]);
        let order: Vec<&Spot> = found.layers.iter().flatten().collect();
        assert_eq!(order, [&Spot::Node(0), &Spot::Node(1), &Spot::Node(3), &Spot::Node(2)]);
    }
}

//! Which groups of changes need which, and why: the graph of a plan at the size that people read.
//!
//! Changes that a reader sees as one (rows of one table, units that move the same way) form a group. The saved plan keeps
//! one link for each pair of groups and reason, named by the first change on either side, so that ten thousand changes
//! have a handful of links.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diff::{Change, ChangeDetail, RowChange};
use crate::graph::{EdgeKind, Graph};
use crate::model::{Address, TableName};

/// What a reader sees as one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group<'c> {
    /// Rows of one table and kind that come, change or go.
    Rows(&'c TableName, Option<&'c str>, RowAction),
    /// Units that one promotion moves between the same states.
    Moves {
        /// The promotion.
        promotion: &'c str,
        /// The state before.
        from: &'c str,
        /// The state after.
        to: &'c str,
    },
    /// Anything else stands alone.
    One(&'c Address),
}

/// What happens to a row, without its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowAction {
    /// It is inserted.
    Create,
    /// Columns change.
    Update,
    /// It goes.
    Delete,
}

impl<'c> Group<'c> {
    /// The group of a change.
    pub fn of(change: &'c Change) -> Group<'c> {
        match &change.detail {
            ChangeDetail::Row { table, key: _, kind, change: row } => {
                let action = match row {
                    RowChange::Create { .. } => RowAction::Create,
                    RowChange::Update { .. } => RowAction::Update,
                    RowChange::Delete { .. } => RowAction::Delete,
                    RowChange::TakeOver { .. } => return Group::One(&change.address),
                };
                Group::Rows(table, kind.as_deref(), action)
            }
            ChangeDetail::Lifecycle { unit, to, promotion } => Group::Moves { promotion, from: &unit.lifecycle, to },
            ChangeDetail::Promotion { .. }
            | ChangeDetail::Refresh { .. }
            | ChangeDetail::VectorSet(_)
            | ChangeDetail::Gate { .. }
            | ChangeDetail::Retention { .. }
            | ChangeDetail::Guard { .. }
            | ChangeDetail::Forget => Group::One(&change.address),
        }
    }
}

/// Why changes of one group need changes of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Link {
    /// The first change that needs.
    pub from: Address,
    /// The first change that is needed.
    pub to: Address,
    /// Why: `foreign key x`, `is allowed by`, ….
    pub why: String,
    /// Whether the needed one has to be there in the end only, and may come later.
    pub soft: bool,
    /// For how many pairs of changes it stands.
    pub count: u64,
}

/// Gathers the edges of a graph by the groups of their ends, in the order of their addresses.
pub fn links(changes: &[Change], graph: &Graph) -> Vec<Link> {
    let groups: BTreeMap<&Address, Group<'_>> = changes.iter().map(|c| (&c.address, Group::of(c))).collect();
    let mut firsts: BTreeMap<Group<'_>, &Address> = BTreeMap::new();
    for (address, group) in &groups {
        firsts.entry(*group).or_insert(address);
    }
    let mut counts: BTreeMap<(&Address, &Address, EdgeKind, &str), u64> = BTreeMap::new();
    for (from, to, edge) in graph.edges() {
        let (Some(a), Some(b)) = (groups.get(from), groups.get(to)) else { continue };
        if a != b {
            *counts.entry((firsts[a], firsts[b], edge.kind, &edge.why)).or_default() += 1;
        }
    }
    let link = |((from, to, kind, why), count): ((&Address, &Address, EdgeKind, &str), u64)| Link {
        from: from.clone(),
        to: to.clone(),
        why: why.to_owned(),
        soft: kind == EdgeKind::Soft,
        count,
    };
    counts.into_iter().map(link).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::Reason;
    use crate::model::{Cell, KeyPart, RowKey};

    fn row(table: &str, key: &str) -> Change {
        let table = TableName::new("public", table);
        let key = RowKey(vec![KeyPart { column: "id".to_owned(), value: Cell::Text(key.to_owned()) }]);
        Change {
            address: Address::row(&table, &key),
            declared_at: None,
            reasons: vec![Reason::NotThere],
            detail: ChangeDetail::Row { table, key, kind: None, change: RowChange::Create { values: BTreeMap::new() } },
        }
    }

    #[test]
    fn edges_between_the_same_groups_are_one_link_and_those_within_are_none() {
        let changes: Vec<Change> = [("a", "1"), ("b", "1"), ("b", "2")].map(|(table, key)| row(table, key)).into();
        let mut graph = Graph::default();
        for (from, to, kind) in [(1, 0, EdgeKind::Order), (2, 0, EdgeKind::Order), (2, 1, EdgeKind::Soft)] {
            graph.need(&changes[from].address, &changes[to].address, kind, "foreign key b_a");
        }
        let (from, to) = (changes[1].address.clone(), changes[0].address.clone());
        let link = Link { from, to, why: "foreign key b_a".to_owned(), soft: false, count: 2 };
        assert_eq!(links(&changes, &graph), [link]);
    }
}

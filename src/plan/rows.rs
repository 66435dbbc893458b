//! Rows in the order in which the database takes them.
//!
//! ```text
//! changed rows + needs ── levels ──▶ batches (level, table, action, columns) ── circles ──▶ statements
//! ```
//!
//! - A batch is one statement, and foreign keys are judged when a statement ends: rows of one batch may refer to each other
//!   in any order.
//! - Rows of several tables that refer to each other in a circle are written by one statement as well.
//! - A unique value is given up in an earlier statement than it is taken. A circle of these has no order, and is refused.
//! - A value that the database makes is there one statement later. In a circle of these, a column that can be NULL is
//!   written last.
//! - Rows go last of all, unless something else waits for it.

use std::collections::{BTreeMap, BTreeSet};

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};

use super::links::RowAction;
use super::step::{RowBatch, RowWrite};
use crate::diff::{Change, ChangeDetail, RowChange, codes};
use crate::model::{Address, Cell, Diagnostic, RowKey, RowNeed, RowNeedKind, TableName};

/// One statement.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Statement {
    pub batches: Vec<RowBatch>,
    pub addresses: Vec<Address>,
}

/// The statements of a plan's rows.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Statements {
    pub first: Vec<Statement>,
    /// Deletions that nothing waits for.
    pub last: Vec<Statement>,
}

/// One row to write, or the columns of it that are written last.
struct Node<'a> {
    address: &'a Address,
    table: &'a TableName,
    key: &'a RowKey,
    action: RowAction,
    values: BTreeMap<&'a String, &'a Cell>,
    /// Columns that are NULL until they are written last.
    cleared: BTreeSet<&'a String>,
}

/// Rows of one group that are written alike.
type Part<'a> = (RowAction, Group<'a>, Vec<usize>);

/// Parts that are one statement: whether it comes last and its level, the circles in it.
type Joined<'a> = ((bool, u32), BTreeSet<usize>, Vec<Part<'a>>);

type Group<'a> = (&'a TableName, RowAction, [Vec<&'a String>; 3]);

impl<'a> Node<'a> {
    fn group(&self) -> Group<'a> {
        let columns = self.values.keys().copied().collect();
        (self.table, self.action, [self.key.columns().collect(), columns, self.cleared.iter().copied().collect()])
    }
}

/// Orders the rows.
///
/// # Errors
/// A circle that no statement closes, with the rows in it.
pub(super) fn statements<'a>(changes: &'a [Change], needs: &'a [RowNeed]) -> Result<Statements, Diagnostic> {
    let mut nodes: Vec<Node<'_>> = changes.iter().filter_map(node).collect();
    let index: BTreeMap<&Address, usize> = nodes.iter().enumerate().map(|(at, node)| (node.address, at)).collect();
    let mut edges: Vec<(usize, usize, &RowNeed)> = needs
        .iter()
        .filter(|need| need.kind != RowNeedKind::Soft)
        .filter_map(|need| Some((*index.get(&need.from)?, *index.get(&need.to)?, need)))
        .collect();
    write_later(&mut nodes, &mut edges);
    let ordered = Ordered::of(&nodes, &edges)?;
    Ok(ordered.statements(&nodes, &edges))
}

fn node(change: &Change) -> Option<Node<'_>> {
    let ChangeDetail::Row { table, key, change: row, .. } = &change.detail else { return None };
    let in_key = |name: &String| key.columns().any(|column| column == name);
    let (action, values) = match row {
        RowChange::Create { values } => (RowAction::Create, values.iter().filter(|(name, _)| !in_key(name)).collect()),
        RowChange::Update { fields, .. } => {
            (RowAction::Update, fields.iter().map(|(name, field)| (name, &field.after)).collect())
        }
        RowChange::Delete { .. } => (RowAction::Delete, BTreeMap::new()),
        RowChange::TakeOver { .. } => return None,
    };
    Some(Node { address: &change.address, table, key, action, values, cleared: BTreeSet::new() })
}

/// Whether the needed row has to be there one statement earlier.
fn is_strict(need: &RowNeed) -> bool {
    match need.kind {
        RowNeedKind::Unique | RowNeedKind::Value { .. } => true,
        RowNeedKind::Reference | RowNeedKind::Soft => false,
    }
}

fn components(nodes: usize, edges: &[(usize, usize, &RowNeed)]) -> Vec<Vec<usize>> {
    let mut graph: DiGraph<(), ()> = DiGraph::new();
    for _ in 0..nodes {
        graph.add_node(());
    }
    for (from, to, _) in edges.iter().filter(|(from, to, _)| from != to) {
        graph.add_edge(NodeIndex::new(*from), NodeIndex::new(*to), ());
    }
    tarjan_scc(&graph).into_iter().map(|part| part.into_iter().map(NodeIndex::index).collect()).collect()
}

/// Takes columns that can be NULL for a moment out of circles: they are written by an update of their own.
fn write_later<'a>(nodes: &mut Vec<Node<'a>>, edges: &mut Vec<(usize, usize, &'a RowNeed)>) {
    let mut of = vec![0; nodes.len()];
    for (number, part) in components(nodes.len(), edges).iter().enumerate() {
        part.iter().for_each(|node| of[*node] = number);
    }
    let circular = |(from, to, need): &(usize, usize, &RowNeed)| {
        of[*from] == of[*to] && matches!(need.kind, RowNeedKind::Value { later: true, .. })
    };
    let later: Vec<(usize, usize, &'a RowNeed)> = edges.iter().copied().filter(|edge| circular(edge)).collect();
    edges.retain(|edge| !circular(edge));
    for (from, to, need) in later {
        let RowNeedKind::Value { column, .. } = &need.kind else { continue };
        let Some(cell) = nodes[from].values.remove(column) else { continue };
        nodes[from].cleared.insert(column);
        let key = nodes[from].key;
        let (address, table) = (nodes[from].address, nodes[from].table);
        let at = nodes.len();
        let (values, cleared) = (BTreeMap::from([(column, cell)]), BTreeSet::new());
        nodes.push(Node { address, table, key, action: RowAction::Update, values, cleared });
        edges.push((at, from, need));
        edges.push((at, to, need));
    }
}

/// Levels of the rows, and which must be written by one statement.
struct Ordered {
    level: Vec<u32>,
    /// The circle that a row is in, by the number of its first row.
    circle: Vec<usize>,
}

impl Ordered {
    fn of(nodes: &[Node<'_>], edges: &[(usize, usize, &RowNeed)]) -> Result<Ordered, Diagnostic> {
        let groups: BTreeMap<Group<'_>, usize> = nodes
            .iter()
            .map(Node::group)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .enumerate()
            .map(|(n, g)| (g, n))
            .collect();
        let group: Vec<usize> = nodes.iter().map(|node| groups[&node.group()]).collect();
        let mut out: Vec<Vec<(usize, bool)>> = vec![Vec::new(); nodes.len()];
        for (from, to, need) in edges.iter().filter(|(from, to, _)| from != to) {
            out[*from].push((*to, is_strict(need)));
        }
        let mut ordered = Ordered { level: vec![0; nodes.len()], circle: (0..nodes.len()).collect() };
        for part in components(nodes.len(), edges) {
            let inside: BTreeSet<usize> = part.iter().copied().collect();
            let mut level = 0;
            for from in &part {
                for (to, strict) in &out[*from] {
                    if inside.contains(to) {
                        if *strict {
                            return Err(no_order(nodes, edges, &inside));
                        }
                        continue;
                    }
                    let apart = *strict || group[*from] != group[*to];
                    level = level.max(ordered.level[*to] + u32::from(apart));
                }
            }
            let first = inside.first().copied().unwrap_or(0);
            for node in part {
                ordered.level[node] = level;
                ordered.circle[node] = first;
            }
        }
        Ok(ordered)
    }

    fn statements(&self, nodes: &[Node<'_>], edges: &[(usize, usize, &RowNeed)]) -> Statements {
        let late = late(nodes, edges);
        let mut batches: BTreeMap<(bool, u32, RowAction, Group<'_>), Vec<usize>> = BTreeMap::new();
        for (at, node) in nodes.iter().enumerate() {
            batches.entry((late.contains(&at), self.level[at], node.action, node.group())).or_default().push(at);
        }
        // Batches that hold rows of one circle are one statement.
        let mut joined: Vec<Joined<'_>> = Vec::new();
        for ((is_late, level, action, group), rows) in batches {
            let circles: BTreeSet<usize> = rows.iter().map(|at| self.circle[*at]).collect();
            let place =
                joined.iter().position(|(of, known, _)| *of == (is_late, level) && !known.is_disjoint(&circles));
            match place {
                Some(place) => {
                    joined[place].1.extend(circles);
                    joined[place].2.push((action, group, rows));
                }
                None => joined.push(((is_late, level), circles, vec![(action, group, rows)])),
            }
        }
        let mut out = Statements::default();
        for ((is_late, _), _, parts) in joined {
            let addresses =
                parts.iter().flat_map(|(_, _, rows)| rows.iter().map(|at| nodes[*at].address.clone())).collect();
            let batches = parts.into_iter().map(|(action, group, rows)| batch(action, group, &rows, nodes)).collect();
            let list = if is_late { &mut out.last } else { &mut out.first };
            list.push(Statement { batches, addresses });
        }
        out
    }
}

/// Deletions that no row to be waits for.
fn late(nodes: &[Node<'_>], edges: &[(usize, usize, &RowNeed)]) -> BTreeSet<usize> {
    let mut needs: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    edges.iter().for_each(|(from, to, _)| needs.entry(*from).or_default().push(*to));
    let mut early: BTreeSet<usize> = BTreeSet::new();
    let mut open: Vec<usize> = (0..nodes.len()).filter(|at| nodes[*at].action != RowAction::Delete).collect();
    while let Some(at) = open.pop() {
        if early.insert(at) {
            open.extend(needs.get(&at).into_iter().flatten());
        }
    }
    (0..nodes.len()).filter(|at| !early.contains(at)).collect()
}

fn batch(
    action: RowAction,
    (table, _, [key, columns, cleared]): Group<'_>,
    rows: &[usize],
    nodes: &[Node<'_>],
) -> RowBatch {
    let write = |at: &usize| {
        let node = &nodes[*at];
        RowWrite {
            key: node.key.0.iter().map(|part| part.value.clone()).collect(),
            values: node.values.values().map(|cell| (*cell).clone()).collect(),
        }
    };
    RowBatch {
        table: table.clone(),
        action,
        key: key.into_iter().cloned().collect(),
        columns: columns.into_iter().cloned().collect(),
        cleared: cleared.into_iter().cloned().collect(),
        rows: rows.iter().map(write).collect(),
    }
}

fn no_order(nodes: &[Node<'_>], edges: &[(usize, usize, &RowNeed)], inside: &BTreeSet<usize>) -> Diagnostic {
    let strict = edges.iter().find(|(from, to, need)| inside.contains(from) && inside.contains(to) && is_strict(need));
    let names: Vec<String> = inside.iter().take(5).map(|at| format!("\"{}\"", nodes[*at].address)).collect();
    let why = strict.map_or(String::new(), |(_, _, need)| need.why.clone());
    let (detail, hint) = match strict.map(|(_, _, need)| &need.kind) {
        Some(RowNeedKind::Value { .. }) => (
            format!("rows need values that the database makes for each other: {} ({why})", names.join(", ")),
            "let one of the columns be NULL, or write the values themselves",
        ),
        Some(RowNeedKind::Unique | RowNeedKind::Reference | RowNeedKind::Soft) | None => (
            format!("rows exchange unique values in a circle: {} ({why})", names.join(", ")),
            "make the constraint DEFERRABLE, or free one of the values in an earlier plan",
        ),
    };
    Diagnostic::error(codes::CYCLE, detail).hint(hint)
}

/// What a statement does, for people.
pub(super) fn title(batches: &[RowBatch]) -> String {
    let one = |batch: &RowBatch| {
        let verb = match batch.action {
            RowAction::Create => "insert",
            RowAction::Update => "update",
            RowAction::Delete => "delete",
        };
        format!("{verb} {} of {}", crate::diff::counted(batch.rows.len() as u64, "row"), batch.table)
    };
    batches.iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::{FieldChange, Reason};
    use crate::model::{KeyPart, LiveRow};

    fn key(id: &str) -> RowKey {
        RowKey(vec![KeyPart { column: "id".to_owned(), value: Cell::Text(id.to_owned()) }])
    }

    fn row(table: &str, id: &str, change: RowChange) -> Change {
        let table = TableName::new("s", table);
        let address = Address::row(&table, &key(id));
        let detail = ChangeDetail::Row { table, key: key(id), kind: None, change };
        Change { address, declared_at: None, reasons: vec![Reason::NotThere], detail }
    }

    fn create(table: &str, id: &str, columns: &[&str]) -> Change {
        let values = columns.iter().chain(&["id"]).map(|name| ((*name).to_owned(), Cell::Text("x".to_owned())));
        row(table, id, RowChange::Create { values: values.collect() })
    }

    fn update(table: &str, id: &str, column: &str) -> Change {
        let field = FieldChange { before: None, after: Cell::Text("x".to_owned()), recorded: None };
        let (live, fields) = (LiveRow(BTreeMap::new()), BTreeMap::from([(column.to_owned(), field)]));
        row(table, id, RowChange::Update { live, fields })
    }

    fn delete(table: &str, id: &str) -> Change {
        row(table, id, RowChange::Delete { before: LiveRow(BTreeMap::new()) })
    }

    fn need(from: &Change, to: &Change, kind: RowNeedKind) -> RowNeed {
        RowNeed { from: from.address.clone(), to: to.address.clone(), kind, why: "w".to_owned() }
    }

    fn titles(changes: &[Change], needs: &[RowNeed]) -> (Vec<String>, Vec<String>) {
        let found = statements(changes, needs).unwrap();
        let titles = |list: &[Statement]| list.iter().map(|one| title(&one.batches)).collect();
        (titles(&found.first), titles(&found.last))
    }

    #[test]
    fn rows_of_one_table_that_refer_to_each_other_are_one_statement_in_any_order() {
        let rows: Vec<Change> = ["1", "2", "3"].map(|id| create("tree", id, &["parent"])).into();
        let needs =
            [need(&rows[0], &rows[1], RowNeedKind::Reference), need(&rows[1], &rows[2], RowNeedKind::Reference)];
        assert_eq!(titles(&rows, &needs).0, ["insert 3 rows of s.tree"]);
    }

    #[test]
    fn parents_come_first_and_children_go_first() {
        let rows = [
            create("child", "1", &["parent"]),
            create("parent", "1", &[]),
            delete("parent", "9"),
            delete("child", "9"),
        ];
        let needs =
            [need(&rows[0], &rows[1], RowNeedKind::Reference), need(&rows[2], &rows[3], RowNeedKind::Reference)];
        let (first, last) = titles(&rows, &needs);
        assert_eq!(first, ["insert 1 row of s.parent", "insert 1 row of s.child"]);
        assert_eq!(last, ["delete 1 row of s.child", "delete 1 row of s.parent"]);
    }

    #[test]
    fn rows_of_two_tables_that_refer_to_each_other_are_one_statement() {
        let rows = [create("a", "1", &["b"]), create("b", "1", &["a"])];
        let needs =
            [need(&rows[0], &rows[1], RowNeedKind::Reference), need(&rows[1], &rows[0], RowNeedKind::Reference)];
        assert_eq!(titles(&rows, &needs).0, ["insert 1 row of s.a, insert 1 row of s.b"]);
    }

    #[test]
    fn a_unique_value_is_given_up_before_it_is_taken() {
        let rows = [create("t", "2", &["slug"]), delete("t", "1"), update("t", "3", "slug"), update("t", "4", "slug")];
        let needs = [need(&rows[0], &rows[1], RowNeedKind::Unique), need(&rows[2], &rows[3], RowNeedKind::Unique)];
        let (first, last) = titles(&rows, &needs);
        let order = ["update 1 row of s.t", "delete 1 row of s.t", "insert 1 row of s.t", "update 1 row of s.t"];
        assert_eq!((first.as_slice(), last.len()), (order.map(str::to_owned).as_slice(), 0));
    }

    #[test]
    fn a_swap_of_unique_values_has_no_order() {
        let rows = [update("t", "1", "slug"), update("t", "2", "slug")];
        let needs = [need(&rows[0], &rows[1], RowNeedKind::Unique), need(&rows[1], &rows[0], RowNeedKind::Unique)];
        let error = statements(&rows, &needs).unwrap_err();
        assert_eq!(error.detail, "rows exchange unique values in a circle: \"row.s.t[id=1]\", \"row.s.t[id=2]\" (w)");
    }

    #[test]
    fn a_circle_of_values_that_the_database_makes_is_closed_by_the_column_that_can_be_null() {
        let rows = [create("team", "1", &["lead", "name"]), create("person", "1", &["team"])];
        let value = |column: &str, later| RowNeedKind::Value { column: column.to_owned(), later };
        let needs = [need(&rows[0], &rows[1], value("lead", true)), need(&rows[1], &rows[0], value("team", false))];
        let order = ["insert 1 row of s.team", "insert 1 row of s.person", "update 1 row of s.team"];
        assert_eq!(titles(&rows, &needs).0, order);
        let needs = [need(&rows[0], &rows[1], value("lead", false)), need(&rows[1], &rows[0], value("team", false))];
        assert!(statements(&rows, &needs).unwrap_err().detail.contains("values that the database makes"));
    }
}

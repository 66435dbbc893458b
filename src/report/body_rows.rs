//! Rows of a plan, by table. Rows that change in the same way are folded; what is deleted is shown whole.

use std::collections::{BTreeMap, BTreeSet};

use super::action::Action;
use super::body::{Detail, FOLD_FROM, Item, Section, declared, shared_reasons, why};
use super::layout;
use super::line::Line;
use super::style::Role;
use super::{value, words};
use crate::diff::{Change, ChangeDetail, RowChange};
use crate::model::{TableName, canonical_json};

/// Columns are aligned up to this width.
const WIDEST_COLUMN: usize = 28;

/// One row's change with the parts that matter here.
#[derive(Clone, Copy)]
struct Row<'p> {
    change: &'p Change,
    kind: Option<&'p str>,
    row: &'p RowChange,
}

/// One section for each table.
pub(super) fn sections(changes: &[Change], detail: Detail) -> Vec<Section> {
    let mut tables: BTreeMap<&TableName, Vec<Row<'_>>> = BTreeMap::new();
    for change in changes {
        if let ChangeDetail::Row { table, key: _, kind, change: row } = &change.detail {
            tables.entry(table).or_default().push(Row { change, kind: kind.as_deref(), row });
        }
    }
    let section = |(table, rows): (&TableName, Vec<Row<'_>>)| Section {
        title: "Rows of",
        name: table.to_string(),
        items: groups(&rows).into_iter().flat_map(|(action, rows)| items(action, &rows, detail)).collect(),
    };
    tables.into_iter().map(section).collect()
}

/// Rows that may be folded together, by action and then by first appearance.
fn groups<'p>(rows: &[Row<'p>]) -> Vec<(Action, Vec<Row<'p>>)> {
    let mut places: BTreeMap<(Action, String), usize> = BTreeMap::new();
    let mut groups: Vec<(Action, Vec<Row<'p>>)> = Vec::new();
    for row in rows {
        let (action, same) = likeness(row);
        let place = *places.entry((action, same)).or_insert(groups.len());
        if place == groups.len() {
            groups.push((action, Vec::new()));
        }
        groups[place].1.push(*row);
    }
    groups.sort_by_key(|(action, _)| *action);
    groups
}

/// What two rows must have in common to be folded: for updates the same old and new values, for the rest the columns.
fn likeness(row: &Row<'_>) -> (Action, String) {
    let reasons = &row.change.reasons;
    match row.row {
        RowChange::Create { values } => {
            (Action::Create, canonical_json(&(row.kind, reasons, values.keys().collect::<Vec<_>>())))
        }
        RowChange::Update { live: _, fields } => (Action::Update, canonical_json(&(row.kind, reasons, fields))),
        RowChange::Delete { before: _ } => (Action::Delete, canonical_json(&(row.kind, reasons))),
    }
}

fn items(action: Action, rows: &[Row<'_>], detail: Detail) -> Vec<Item> {
    if action == Action::Delete {
        let shown = if detail.unfold { rows.len() } else { detail.destructive.min(rows.len()) };
        let mut items: Vec<Item> = rows[..shown].iter().map(|row| one(action, row, detail)).collect();
        if shown < rows.len() {
            items.push(more_deletions(&rows[shown..]));
        }
        return items;
    }
    if detail.unfold || rows.len() < FOLD_FROM {
        return rows.iter().map(|row| one(action, row, detail)).collect();
    }
    vec![folded(action, rows, detail)]
}

fn one(action: Action, row: &Row<'_>, detail: Detail) -> Item {
    let line = named(Line::marked(0, action).part(Role::Strong, row.change.address.as_str()), row.kind);
    let mut lines = vec![declared(line, row.change), why(&row.change.reasons, 1)];
    match row.row {
        RowChange::Create { values } => {
            let shown = values.iter().map(|(column, cell)| (column.as_str(), value::cell(cell)));
            lines.extend(assignments(shown.collect(), Role::Add, detail));
        }
        RowChange::Update { live: _, fields } => {
            lines.extend(fields.iter().flat_map(|(column, field)| value::field(column, field, 1, detail.value_chars)));
        }
        RowChange::Delete { before } => {
            let shown = before.0.iter().map(|(column, text)| (column.as_str(), value::live(text.as_deref())));
            lines.extend(assignments(shown.collect(), Role::Remove, detail));
        }
    }
    Item { action, things: 1, noun: "row", destructive: action == Action::Delete, lines }
}

fn named(line: Line, kind: Option<&str>) -> Line {
    match kind {
        Some(kind) => line.plain(format!(" ({kind})")),
        None => line,
    }
}

/// `column = value` with the signs below each other.
fn assignments(values: Vec<(&str, String)>, role: Role, detail: Detail) -> Vec<Line> {
    let widest = values.iter().map(|(column, _)| layout::width(column)).max().unwrap_or(0).min(WIDEST_COLUMN);
    let line = |(column, shown): (&str, String)| {
        let padding = " ".repeat(widest.saturating_sub(layout::width(column)));
        Line::new(1).plain(format!("{column}{padding} = ")).part(role, value::cut(&shown, detail.value_chars))
    };
    values.into_iter().map(line).collect()
}

fn folded(action: Action, rows: &[Row<'_>], detail: Detail) -> Item {
    let things = rows.len() as u64;
    let heading = Line::marked(0, action).part(Role::Strong, words::count(things, "row"));
    let changes: Vec<&Change> = rows.iter().map(|row| row.change).collect();
    let mut lines = vec![named(heading, rows[0].kind), why(&shared_reasons(&changes), 1), span(rows)];
    match rows[0].row {
        RowChange::Create { .. } => lines.extend(assignments(common(rows), Role::Add, detail)),
        RowChange::Update { live: _, fields } => {
            lines.extend(fields.iter().flat_map(|(column, field)| value::field(column, field, 1, detail.value_chars)));
        }
        RowChange::Delete { .. } => {}
    }
    Item { action, things, noun: "row", destructive: false, lines }
}

fn span(rows: &[Row<'_>]) -> Line {
    let (first, last) = (&rows[0].change.address, &rows[rows.len() - 1].change.address);
    Line::new(1).part(Role::Faint, "from ").plain(first.as_str()).part(Role::Faint, " to ").plain(last.as_str())
}

/// For each column of several rows to create: the value where all have the same, else how many there are.
fn common<'p>(rows: &[Row<'p>]) -> Vec<(&'p str, String)> {
    let mut values: BTreeMap<&'p str, BTreeSet<String>> = BTreeMap::new();
    for row in rows {
        if let RowChange::Create { values: cells } = row.row {
            for (column, cell) in cells {
                values.entry(column).or_default().insert(value::cell(cell));
            }
        }
    }
    let describe = |(column, all): (&'p str, BTreeSet<String>)| match (all.len(), all.into_iter().next()) {
        (1, Some(only)) => (column, only),
        (count, _) => (column, format!("({} values)", words::number(count as u64))),
    };
    values.into_iter().map(describe).collect()
}

fn more_deletions(rows: &[Row<'_>]) -> Item {
    let things = rows.len() as u64;
    let heading = Line::marked(0, Action::Delete).part(Role::Strong, format!("{} more", words::count(things, "row")));
    Item { action: Action::Delete, things, noun: "row", destructive: true, lines: vec![heading, span(rows)] }
}

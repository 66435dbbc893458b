//! Rows of a plan, by table. Rows that change in the same way are folded; what is deleted is shown whole.

use std::collections::BTreeMap;

use super::action::Action;
use super::body::{Detail, FOLD_FROM, Item, Section, declared, shared_reasons, why};
use super::layout;
use super::line::Line;
use super::style::Role;
use super::{value, words};
use crate::diff::{Change, ChangeDetail, RowChange};
use crate::model::{Cell, Digest, TableName, canonical_json};

/// Columns are aligned up to this width.
const WIDEST_COLUMN: usize = 28;
/// Bytes of values that are listed one by one when not all are.
const MOST_BYTES: usize = 1_000_000;
/// Reasons that are named for rows that are not listed.
const MOST_REASONS: usize = 5;
/// Columns that are named for rows that are not listed.
const MOST_COLUMNS: usize = 30;

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
        items: table_items(groups(&rows), detail),
    };
    tables.into_iter().map(section).collect()
}

/// Rows that may be folded together, by action and then by first appearance.
fn groups<'p>(rows: &[Row<'p>]) -> Vec<(Action, Vec<Row<'p>>)> {
    let mut places: BTreeMap<(Action, Digest), usize> = BTreeMap::new();
    let mut groups: Vec<(Action, Vec<Row<'p>>)> = Vec::new();
    for row in rows {
        let (action, same) = likeness(row);
        // The digest, not the text: fifty thousand long values would be held twice.
        let place = *places.entry((action, Digest::of_bytes(same.as_bytes()))).or_insert(groups.len());
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
        RowChange::TakeOver { live: _ } => (Action::Adopt, canonical_json(&(row.kind, reasons))),
    }
}

/// Items of a table: deletions one by one, likes folded, and what is too much to list as one item for each action.
fn table_items(groups: Vec<(Action, Vec<Row<'_>>)>, detail: Detail) -> Vec<Item> {
    let mut items = Vec::new();
    let mut by_action: BTreeMap<Action, Vec<Vec<Row<'_>>>> = BTreeMap::new();
    for (action, rows) in groups {
        by_action.entry(action).or_default().push(rows);
    }
    for (action, groups) in by_action {
        let most = if action == Action::Delete { detail.deletions() } else { detail.listed() };
        let mut room = Room { items: most, bytes: if detail.unfold { usize::MAX } else { MOST_BYTES } };
        let mut rest: Vec<Row<'_>> = Vec::new();
        for rows in groups {
            if action != Action::Delete && !detail.unfold && rows.len() >= FOLD_FROM {
                match room.take(&rows[0]) {
                    true => items.push(folded(action, &rows, detail)),
                    false => rest.extend(rows),
                }
                continue;
            }
            for row in rows {
                match room.take(&row) {
                    true => items.push(one(action, &row, detail)),
                    false => rest.push(row),
                }
            }
        }
        items.extend(more(action, &rest));
    }
    items
}

/// How much more is listed one by one: so many items, of values so large that comparing them takes a moment.
struct Room {
    items: usize,
    bytes: usize,
}

impl Room {
    /// Takes room for a row; once there is none for one, there is none for those that follow.
    fn take(&mut self, row: &Row<'_>) -> bool {
        let fits = self.items > 0 && self.bytes > 0;
        self.items = self.items.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(bytes(row.row));
        fits
    }
}

fn bytes(row: &RowChange) -> usize {
    let text = |cell: &Cell| match cell {
        Cell::Text(text) => text.len(),
        Cell::Null | Cell::ApplyTime | Cell::Reference(_) => 0,
    };
    match row {
        RowChange::Create { values } => values.values().map(text).sum(),
        RowChange::Update { live: _, fields } => {
            fields.values().map(|field| field.before.as_ref().map_or(0, String::len) + text(&field.after)).sum()
        }
        RowChange::Delete { before } => before.0.values().flatten().map(String::len).sum(),
        RowChange::TakeOver { live: _ } => 0,
    }
}

fn one(action: Action, row: &Row<'_>, detail: Detail) -> Item {
    let line = named(Line::marked(0, action).part(Role::Strong, row.change.address.as_str()), row.kind);
    let mut lines = vec![declared(line, row.change), why(&row.change.reasons, 1)];
    match row.row {
        RowChange::Create { values } => {
            let shown = values.iter().map(|(column, cell)| (column.as_str(), value::cell(cell)));
            lines.extend(assignments(shown.collect(), Role::Add, detail));
        }
        RowChange::Update { live, fields } => {
            lines.extend(fields.iter().flat_map(|(column, field)| value::field(column, field, 1, detail.value_chars)));
            lines.extend(as_before(live.0.keys().filter(|column| !fields.contains_key(*column)).count()));
        }
        RowChange::TakeOver { live: _ } => {}
        RowChange::Delete { before } => {
            let shown = before.0.iter().map(|(column, text)| (column.as_str(), value::live(text.as_deref())));
            lines.extend(assignments(shown.collect(), Role::Remove, detail));
        }
    }
    Item { action, things: 1, noun: "row", destructive: action == Action::Delete, lines }
}

fn as_before(columns: usize) -> Option<Line> {
    let text = format!("({} as before)", words::count(columns as u64, "column"));
    (columns > 0).then(|| Line::new(1).part(Role::Faint, text))
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
        RowChange::Delete { .. } | RowChange::TakeOver { .. } => {}
    }
    Item { action, things, noun: "row", destructive: false, lines }
}

fn span(rows: &[Row<'_>]) -> Line {
    let (first, last) = (&rows[0].change.address, &rows[rows.len() - 1].change.address);
    Line::new(1).part(Role::Faint, "from ").plain(first.as_str()).part(Role::Faint, " to ").plain(last.as_str())
}

/// For each column of several rows to create: the value where all have the same, else how many there are.
fn common<'p>(rows: &[Row<'p>]) -> Vec<(&'p str, String)> {
    let mut values: BTreeMap<&'p str, BTreeMap<(u8, &'p str), &'p Cell>> = BTreeMap::new();
    for row in rows {
        if let RowChange::Create { values: cells } = row.row {
            for (column, cell) in cells {
                values.entry(column).or_default().insert(rank(cell), cell);
            }
        }
    }
    let describe =
        |(column, all): (&'p str, BTreeMap<(u8, &'p str), &'p Cell>)| match (all.len(), all.into_values().next()) {
            (1, Some(only)) => (column, value::cell(only)),
            (count, _) => (column, format!("({} values)", words::number(count as u64))),
        };
    values.into_iter().map(describe).collect()
}

fn rank(cell: &Cell) -> (u8, &str) {
    match cell {
        Cell::Null => (0, ""),
        Cell::Text(text) => (1, text),
        Cell::ApplyTime => (2, ""),
        Cell::Reference(_) => (3, ""),
    }
}

/// What is not listed, as one item: how many rows, from which to which, and which columns they change.
fn more(action: Action, rows: &[Row<'_>]) -> Option<Item> {
    if rows.is_empty() {
        return None;
    }
    let things = rows.len() as u64;
    let heading = Line::marked(0, action).part(Role::Strong, words::count(things, "more row"));
    let mut lines = vec![heading];
    let mut reasons = Vec::new();
    let mut columns: BTreeMap<&str, u64> = BTreeMap::new();
    for row in rows {
        for reason in &row.change.reasons {
            if reasons.len() < MOST_REASONS && !reasons.contains(reason) {
                reasons.push(reason.clone());
            }
        }
        if let RowChange::Update { live: _, fields } = row.row {
            for column in fields.keys() {
                *columns.entry(column).or_default() += 1;
            }
        }
    }
    lines.push(why(&reasons, 1));
    lines.push(span(rows));
    let changed = columns.into_iter().take(MOST_COLUMNS);
    lines.extend(
        changed.map(|(column, count)| Line::new(1).plain(format!("{column}: other in {}", words::count(count, "row")))),
    );
    Some(Item { action, things, noun: "row", destructive: action == Action::Delete, lines })
}

//! The changes of a plan in groups: rows by table, lifecycle by promotion, refreshes, vector sets with their units, the
//! forgotten.

use std::collections::BTreeMap;

use super::data::{ChangeData, DetailData, LineData, Lists, PointsData, Shown, tone};
use super::{fields, mark};
use crate::diff::{Change, ChangeDetail, ChunkPlan, ChunkSource, Reason, RowChange, UnitPoints, VectorChange};
use crate::model::{Cell, TableName};
use crate::plan::SavedPlan;
use crate::report::action::Action;
use crate::report::body::{self, Item};
use crate::report::body_chunks::Chunks;
use crate::report::line::Line;
use crate::report::style::Role;
use crate::report::{body_vectors, escape, value, words};

/// Characters of all values together, about; what is longer is cut, so that the page can be opened.
const ALL_VALUES: usize = 6_000_000;
/// No value is cut below this, and none is shown beyond the other end.
const VALUE_CHARS: std::ops::RangeInclusive<usize> = 240..=20_000;

/// The longest value that is shown whole: long where there are few, short where there are many.
pub fn value_chars(plan: &SavedPlan) -> usize {
    let count = |change: &Change| match &change.detail {
        ChangeDetail::Row { change: RowChange::Create { values }, .. } => values.len(),
        ChangeDetail::Row { change: RowChange::Update { fields, .. }, .. } => 2 * fields.len(),
        ChangeDetail::Row { change: RowChange::Delete { before }, .. } => before.0.len(),
        ChangeDetail::Row { change: RowChange::TakeOver { .. }, .. } => 0,
        ChangeDetail::Lifecycle { .. }
        | ChangeDetail::Promotion { .. }
        | ChangeDetail::Refresh { .. }
        | ChangeDetail::VectorSet(_)
        | ChangeDetail::Gate { .. }
        | ChangeDetail::Retention { .. }
        | ChangeDetail::Guard { .. }
        | ChangeDetail::Forget => 0,
    };
    let values: usize = plan.changes.iter().map(count).sum();
    (ALL_VALUES / values.max(1)).clamp(*VALUE_CHARS.start(), *VALUE_CHARS.end())
}

/// Adds every change to the lists.
pub fn gather(plan: &SavedPlan, lists: &mut Lists) {
    rows(plan, lists);
    lifecycle(plan, lists);
    others(plan, lists, "Refreshes", |detail| matches!(detail, ChangeDetail::Refresh { .. }));
    for change in &plan.changes {
        if let ChangeDetail::VectorSet(set) = &change.detail {
            vector_set(plan, change, set, lists);
        }
    }
    let gates = |detail: &ChangeDetail| matches!(detail, ChangeDetail::Gate { .. } | ChangeDetail::Retention { .. });
    others(plan, lists, "Gates", gates);
    others(plan, lists, "Guards", |detail| matches!(detail, ChangeDetail::Guard { .. }));
    others(plan, lists, "No longer managed", |detail| matches!(detail, ChangeDetail::Forget));
}

fn rows(plan: &SavedPlan, lists: &mut Lists) {
    /// A change, what its row is called, and what happens to it.
    type Row<'p> = (&'p Change, Option<&'p str>, &'p RowChange);
    let mut tables: BTreeMap<&TableName, Vec<Row<'_>>> = BTreeMap::new();
    for change in &plan.changes {
        if let ChangeDetail::Row { table, key: _, kind, change: row } = &change.detail {
            tables.entry(table).or_default().push((change, kind.as_deref(), row));
        }
    }
    for (table, mut rows) in tables {
        lists.group("Rows", &table.to_string());
        rows.sort_by_key(|(_, _, row)| action_of_row(row));
        for (change, kind, row) in rows {
            let action = action_of_row(row);
            let detail = row_detail(row, lists.value_chars);
            let base = base(change, kind.unwrap_or_default(), lists);
            let data = ChangeData { x: action == Action::Delete, detail, ..base };
            lists.change(action, "row", data);
        }
    }
}

fn action_of_row(row: &RowChange) -> Action {
    match row {
        RowChange::Create { .. } => Action::Create,
        RowChange::Update { .. } => Action::Update,
        RowChange::Delete { .. } => Action::Delete,
        RowChange::TakeOver { .. } => Action::Adopt,
    }
}

fn row_detail(row: &RowChange, limit: usize) -> DetailData {
    match row {
        RowChange::Create { values } => DetailData::Values(
            values.iter().map(|(column, cell)| (escape::terminal(column), shown(cell, limit))).collect(),
        ),
        RowChange::Update { live: _, fields } => DetailData::Fields(
            fields
                .iter()
                .map(|(column, field)| (escape::terminal(column), fields::rows(column, field, limit)))
                .collect(),
        ),
        RowChange::TakeOver { live: _ } => DetailData::Values(Vec::new()),
        RowChange::Delete { before } => {
            let cell = |text: &Option<String>| text.clone().map_or(Cell::Null, Cell::Text);
            DetailData::Values(
                before.0.iter().map(|(column, text)| (escape::terminal(column), shown(&cell(text), limit))).collect(),
            )
        }
    }
}

fn shown(cell: &Cell, limit: usize) -> Shown {
    match cell {
        Cell::Text(text) => Shown::Text(mark::lines(&value::cut(text, limit))),
        Cell::Null | Cell::ApplyTime | Cell::Reference(_) => Shown::Word([value::cell(cell)]),
    }
}

/// What every change says of itself.
fn base(change: &Change, title: &str, lists: &mut Lists) -> ChangeData {
    let reasons: Vec<String> = change.reasons.iter().map(words::reason).collect();
    ChangeData {
        n: escape::terminal(change.address.as_str()),
        s: escape::terminal(title),
        w: lists.reasons(&reasons),
        at: change.declared_at.as_deref().map(escape::terminal),
        ..ChangeData::default()
    }
}

fn lifecycle(plan: &SavedPlan, lists: &mut Lists) {
    let mut promotions: BTreeMap<&str, Vec<&Change>> = BTreeMap::new();
    for change in &plan.changes {
        match &change.detail {
            ChangeDetail::Promotion { name, .. } => promotions.entry(name).or_default().insert(0, change),
            ChangeDetail::Lifecycle { promotion, .. } => promotions.entry(promotion).or_default().push(change),
            ChangeDetail::Row { .. }
            | ChangeDetail::Refresh { .. }
            | ChangeDetail::VectorSet(_)
            | ChangeDetail::Gate { .. }
            | ChangeDetail::Retention { .. }
            | ChangeDetail::Guard { .. }
            | ChangeDetail::Forget => {}
        }
    }
    for (name, changes) in promotions {
        lists.group("Lifecycle", name);
        for change in changes {
            let ChangeDetail::Lifecycle { unit, to, .. } = &change.detail else {
                headline(plan, change, lists);
                continue;
            };
            let base = base(change, &unit.title, lists);
            let detail = DetailData::Move(escape::terminal(&unit.lifecycle), escape::terminal(to));
            lists.change(Action::Promote, "unit", ChangeData { detail, ..base });
        }
    }
}

fn others(plan: &SavedPlan, lists: &mut Lists, kind: &'static str, wanted: fn(&ChangeDetail) -> bool) {
    let found: Vec<&Change> = plan.changes.iter().filter(|change| wanted(&change.detail)).collect();
    if !found.is_empty() {
        lists.group(kind, "");
    }
    for change in found {
        headline(plan, change, lists);
    }
}

/// A change that the other surfaces tell in a few lines of its own.
fn headline(plan: &SavedPlan, change: &Change, lists: &mut Lists) {
    let Some(Item { action, things: _, noun, destructive, lines }) = body::headline(plan, change) else { return };
    let title = lines.first().map(title_of).unwrap_or_default();
    let base = base(change, &title, lists);
    // The reasons stand in every change.
    let rest = lines.iter().skip(1).filter(|line| line.parts.first().is_none_or(|(_, text)| text != "why: "));
    let detail = DetailData::Lines(rest.map(line_data).collect());
    lists.change(action, noun, ChangeData { x: destructive, detail, ..base });
}

/// What follows the name in the first line.
fn title_of(line: &Line) -> String {
    let after = line.parts.iter().skip_while(|(role, _)| *role != Role::Strong).skip(1);
    let text: String = after.filter(|(role, _)| *role != Role::Faint).map(|(_, text)| text.as_str()).collect();
    text.trim_start_matches([':', ' ']).to_owned()
}

fn line_data(line: &Line) -> LineData {
    let parts = line.parts.iter().map(|(role, text)| (tone(*role), escape::terminal(text)));
    (line.depth, line.mark.map_or("", Action::symbol), parts.collect())
}

fn vector_set(plan: &SavedPlan, change: &Change, set: &VectorChange, lists: &mut Lists) {
    lists.group("Vector sets", &set.set);
    headline(plan, change, lists);
    let mut reasons: BTreeMap<&Reason, Vec<&UnitPoints>> = BTreeMap::new();
    for unit in &set.units {
        reasons.entry(&unit.reason).or_default().push(unit);
    }
    for unit in reasons.into_values().flatten() {
        let reason = [words::reason(&unit.reason)];
        let points = PointsData {
            sum: Chunks::of_all([unit]).text(),
            chunks: unit.chunks.iter().map(chunk_data).collect(),
            gone: unit.delete.iter().map(|id| escape::terminal(&id.to_string())).collect(),
        };
        let data = ChangeData {
            n: escape::terminal(&unit.address),
            s: escape::terminal(&unit.title),
            w: lists.reasons(&reason),
            // Where chunks remain, a point that goes is replaced.
            x: unit.chunks.is_empty() && !unit.delete.is_empty(),
            detail: DetailData::Points(points),
            ..ChangeData::default()
        };
        lists.change(body_vectors::action_of(unit), "index entry", data);
    }
}

fn chunk_data(chunk: &ChunkPlan) -> (&'static str, u64, String, Option<String>) {
    let id = escape::terminal(&chunk.id.to_string());
    match &chunk.source {
        ChunkSource::Kept => ("kept", 0, id, None),
        ChunkSource::Copy { from } => ("copy", 0, id, Some(escape::terminal(&from.to_string()))),
        ChunkSource::Image { run } => ("copy", 0, id, Some(escape::terminal(run))),
        ChunkSource::Embed { tokens } => ("embed", *tokens, id, None),
    }
}

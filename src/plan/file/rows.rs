//! Rows that are written, a line each where something of them does not follow from the head.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::head::{PlaceRule, RowsHead};
use super::rule::{Column, Facts, Rule};
use super::slot::{NotThat, Slot};
use crate::diff::{Change, ChangeDetail, FieldChange, Reason, RowChange};
use crate::model::{Address, Cell, KeyPart, LiveRow, RowKey, TableName};
use crate::plan::links::RowAction;

/// A row as lines see it.
struct Row<'a> {
    table: &'a TableName,
    key: &'a RowKey,
    kind: &'a Option<String>,
    action: RowAction,
    live: Option<&'a LiveRow>,
    values: Vec<(&'a String, &'a Cell)>,
}

impl<'a> Row<'a> {
    /// `None` for what only a line of its own can say.
    fn of(change: &'a Change) -> Option<Row<'a>> {
        let Change { address, declared_at: _, reasons: _, detail } = change;
        let ChangeDetail::Row { table, key, kind, change } = detail else { return None };
        if *address != Address::row(table, key) {
            return None;
        }
        let (action, live, values) = match change {
            RowChange::Create { values } => (RowAction::Create, None, values.iter().collect()),
            RowChange::Update { live, fields } => {
                let known = |(name, field): (&String, &FieldChange)| live.0.get(name) == Some(&field.before);
                if !fields.iter().all(known) || fields.values().any(|field| field.recorded.is_some()) {
                    return None;
                }
                (RowAction::Update, Some(live), fields.iter().map(|(name, field)| (name, &field.after)).collect())
            }
            RowChange::Delete { before } => (RowAction::Delete, Some(before), Vec::new()),
            RowChange::TakeOver { .. } => return None,
        };
        Some(Row { table, key, kind, action, live, values })
    }

    fn live_cell(&self, name: &str) -> Cell {
        let value = self.live.and_then(|live| live.0.get(name));
        value.cloned().flatten().map_or(Cell::Null, Cell::Text)
    }
}

/// What rows have in common that stand under one head.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape<'a> {
    table: &'a TableName,
    kind: &'a Option<String>,
    action: RowAction,
    reasons: &'a [Reason],
    columns: [Vec<&'a String>; 3],
}

/// The shape of a change; `None` for one that lines cannot say.
pub(super) fn shape(change: &Change) -> Option<Shape<'_>> {
    let row = Row::of(change)?;
    let live = row.live.into_iter().flat_map(|live| live.0.keys()).collect();
    let values = row.values.iter().map(|(name, _)| *name).collect();
    let columns = [row.key.columns().collect(), live, values];
    Some(Shape { table: row.table, kind: row.kind, action: row.action, reasons: &change.reasons, columns })
}

/// The promotion that authors a row.
pub(super) fn promotion(change: &Change) -> Option<&str> {
    let ChangeDetail::Row { kind: Some(_), .. } = &change.detail else { return None };
    change.reasons.iter().find_map(|reason| match reason {
        Reason::Promotion(name) => Some(name.as_str()),
        _ => None,
    })
}

/// The head of these changes, which are alike. `units` are the moved units that they are about, with the number of the first,
/// where there is one for each.
pub(super) fn head(at: Vec<(u32, u32)>, changes: &[&Change], units: Option<(u32, &[Facts<'_>])>) -> RowsHead {
    let rows: Vec<Row<'_>> = changes.iter().filter_map(|change| Row::of(change)).collect();
    let first = &rows[0];
    let keys: BTreeMap<&str, Vec<&Cell>> = first
        .key
        .0
        .iter()
        .enumerate()
        .map(|(place, part)| (part.column.as_str(), rows.iter().map(|row| &row.key.0[place].value).collect()))
        .collect();
    let facts = units.map(|(_, facts)| facts);
    let column = |cells: Vec<Cow<'_, Cell>>| Column { cells, facts, keys: keys.clone() }.rule();
    let key = first.key.0.iter().map(|part| {
        let cells = keys[part.column.as_str()].iter().map(|cell| Cow::Borrowed(*cell)).collect();
        (part.column.clone(), Column { cells, facts, keys: BTreeMap::new() }.rule())
    });
    let live = first
        .live
        .into_iter()
        .flat_map(|live| live.0.keys())
        .map(|name| (name.clone(), column(rows.iter().map(|row| Cow::Owned(row.live_cell(name))).collect())));
    let values = first.values.iter().enumerate().map(|(place, (name, _))| {
        ((*name).clone(), column(rows.iter().map(|row| Cow::Borrowed(row.values[place].1)).collect()))
    });
    let mut head = RowsHead {
        at,
        table: first.table.clone(),
        kind: first.kind.clone(),
        action: first.action,
        reasons: changes[0].reasons.clone(),
        declared_at: place(changes),
        key: key.collect(),
        live: live.collect(),
        values: values.collect(),
        units: None,
    };
    let rules = head.key.iter().chain(&head.live).chain(&head.values);
    if rules.into_iter().any(|(_, rule)| matches!(rule, Rule::Like(_))) {
        head.units = units.map(|(first, _)| first);
    }
    head
}

fn place(changes: &[&Change]) -> PlaceRule {
    let first = changes[0].declared_at.as_ref();
    if changes.iter().all(|change| change.declared_at.as_ref() == first) {
        return first.map_or(PlaceRule::Nowhere, |place| PlaceRule::At(place.clone()));
    }
    let split = |text: &str| {
        let (rest, column) = text.rsplit_once(':')?;
        let (file, line) = rest.rsplit_once(':')?;
        Some((file.to_owned(), line.parse::<u32>().ok()?, column.parse::<u32>().ok()?))
    };
    if let Some((file, line, column)) = first.and_then(|first| split(first)) {
        let follows =
            |(change, line): (&&Change, u32)| change.declared_at.as_deref() == Some(&spelled(&file, line, column));
        if changes.iter().zip(line..).all(follows) {
            return PlaceRule::Lines { file, line, column };
        }
    }
    PlaceRule::Own
}

fn spelled(file: &str, line: u32, column: u32) -> String {
    format!("{file}:{line}:{column}")
}

/// Whether these rows have lines.
pub(super) fn has_lines(head: &RowsHead) -> bool {
    let mut rules = head.key.iter().chain(&head.live).chain(&head.values);
    head.declared_at == PlaceRule::Own || rules.any(|(_, rule)| rule.in_lines())
}

/// Writes the line of one of them.
pub(super) fn line(head: &RowsHead, change: &Change, write: &mut dyn FnMut(&[Slot<'_>])) {
    let Some(row) = Row::of(change) else { panic!("BUG: a change is no row") };
    let live: Vec<Cell> = head.live.iter().map(|(name, _)| row.live_cell(name)).collect();
    let mut slots = Vec::new();
    if head.declared_at == PlaceRule::Own {
        slots.push(change.declared_at.as_deref().map_or(Slot::Null, Slot::text));
    }
    slots.extend(head.key.iter().zip(&row.key.0).filter_map(|((_, rule), part)| rule.slot(&part.value)));
    slots.extend(head.live.iter().zip(&live).filter_map(|((_, rule), cell)| rule.slot(cell)));
    slots.extend(head.values.iter().zip(&row.values).filter_map(|((_, rule), (_, cell))| rule.slot(cell)));
    write(&slots);
}

/// Reads one of them, the `number`th from 0.
pub(super) fn read(
    head: &RowsHead,
    number: u32,
    slots: Vec<Slot<'_>>,
    facts: Option<Facts<'_>>,
) -> Result<Change, NotThat> {
    let mut slots = slots.into_iter();
    let declared_at = match &head.declared_at {
        PlaceRule::Nowhere => None,
        PlaceRule::At(place) => Some(place.clone()),
        PlaceRule::Lines { file, line, column } => Some(spelled(file, line.saturating_add(number), *column)),
        PlaceRule::Own => match slots.next().ok_or(NotThat("the place where it is declared"))? {
            Slot::Null => None,
            place => Some(place.into_text()?),
        },
    };
    let mut key = Vec::with_capacity(head.key.len());
    for (column, rule) in &head.key {
        let value = rule.cell(&mut slots, facts, &|_| None)?;
        key.push(KeyPart { column: column.clone(), value });
    }
    let key = RowKey(key);
    let in_key = |name: &str| key.0.iter().find(|part| part.column == name).map(|part| part.value.clone());
    let mut live = BTreeMap::new();
    for (column, rule) in &head.live {
        let value = match rule.cell(&mut slots, facts, &in_key)? {
            Cell::Null => None,
            Cell::Text(text) => Some(text),
            Cell::ApplyTime | Cell::Reference(_) => return Err(NotThat("a value of a live row")),
        };
        live.insert(column.clone(), value);
    }
    let mut values = BTreeMap::new();
    for (column, rule) in &head.values {
        values.insert(column.clone(), rule.cell(&mut slots, facts, &in_key)?);
    }
    if slots.next().is_some() {
        return Err(NotThat("the end of the line"));
    }
    let live = LiveRow(live);
    let change = match head.action {
        RowAction::Create => RowChange::Create { values },
        RowAction::Update => {
            let field = |(name, after): (String, Cell)| {
                let before = live.0.get(&name).cloned().ok_or(NotThat("a column of the live row"))?;
                Ok((name, FieldChange { before, after, recorded: None }))
            };
            let fields = values.into_iter().map(field).collect::<Result<_, NotThat>>()?;
            RowChange::Update { live, fields }
        }
        RowAction::Delete => RowChange::Delete { before: live },
    };
    let (table, kind) = (head.table.clone(), head.kind.clone());
    Ok(Change {
        address: Address::row(&table, &key),
        declared_at,
        reasons: head.reasons.clone(),
        detail: ChangeDetail::Row { table, key, kind, change },
    })
}

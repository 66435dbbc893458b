//! The rows that change, before and after, as far as the plan can know them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Met, RowsRequest};
use crate::diff::rows::row_address;
use crate::model::{
    Address, Cell, LiveRow, Place, RowFacts, RowKey, RowRef, RowReference, RowSeen, RowState, TableFacts, TableName,
};

/// One row that changes.
pub(super) struct Changed {
    pub address: Address,
    pub table: TableName,
    pub key: RowKey,
    /// The declaration; absent for a row of a synced table that nobody declares.
    pub of: Option<RowRef>,
    pub place: Place,
    /// The live row and where it stands.
    pub before: Option<(String, LiveRow)>,
    /// The row to be, by column; absent where it goes.
    pub after: Option<BTreeMap<String, After>>,
    /// Columns of which a trigger may make another value than the known one.
    pub guessed: BTreeSet<String>,
    /// Columns that are declared as another row's.
    pub references: BTreeMap<String, RowReference>,
}

/// One value of a row to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum After {
    /// This value.
    Known(Option<String>),
    /// The value of a row that is not there yet.
    Pending(RowReference),
    /// Whatever the database makes.
    Made,
}

impl Changed {
    /// The known value of a column after the plan.
    pub fn known(&self, column: &str) -> Option<&Option<String>> {
        match self.after.as_ref()?.get(column)? {
            After::Known(text) => Some(text),
            After::Pending(_) | After::Made => None,
        }
    }

    /// Whether one of the columns is another after the plan, or the row comes or goes.
    pub fn changes(&self, columns: &[String]) -> bool {
        let (Some((_, before)), Some(after)) = (&self.before, &self.after) else { return true };
        columns.iter().any(|column| {
            let old = before.0.get(column).cloned().flatten();
            !matches!(after.get(column), Some(After::Known(new)) if *new == old)
        })
    }

    /// Whether what is known of one of these columns is a guess.
    pub fn guesses(&self, columns: &[String]) -> bool {
        columns.iter().any(|column| self.guessed.contains(column))
    }

    /// Where the live row stands.
    pub fn at(&self) -> Option<&String> {
        self.before.as_ref().map(|(at, _)| at)
    }
}

/// All rows that change.
pub(super) struct ChangedRows {
    pub rows: Vec<Changed>,
    /// By table and where they stand.
    pub at: BTreeMap<(TableName, String), usize>,
    /// The tables that are written.
    pub tables: BTreeSet<TableName>,
}

pub(super) fn changed_rows(request: &RowsRequest<'_>, facts: &RowFacts, met: &Met) -> ChangedRows {
    let mut rows: Vec<Changed> = facts.seen.iter().map(|seen| changed(request, seen, met)).collect();
    rows.extend(facts.extra.iter().map(|extra| {
        let synced = &request.resolved.synced[extra.synced];
        Changed {
            address: row_address(&synced.table.value, &extra.key),
            table: synced.table.value.clone(),
            key: extra.key.clone(),
            of: None,
            place: synced.place.clone(),
            before: Some((extra.at.clone(), extra.live.clone())),
            after: None,
            guessed: BTreeSet::new(),
            references: BTreeMap::new(),
        }
    }));
    let at = rows.iter().enumerate();
    let at = at.filter_map(|(index, row)| Some(((row.table.clone(), row.at()?.clone()), index))).collect();
    let tables = rows.iter().map(|row| row.table.clone()).collect();
    ChangedRows { rows, at, tables }
}

fn changed(request: &RowsRequest<'_>, seen: &RowSeen, met: &Met) -> Changed {
    let set = &request.resolved.rows[seen.of.set];
    let table = &set.table.value;
    let after = (set.state != RowState::Absent).then(|| after(&request.tables[table], seen, met));
    Changed {
        address: row_address(table, &seen.key),
        table: table.clone(),
        key: seen.key.clone(),
        of: Some(seen.of),
        place: set.rows[seen.of.row].place.clone(),
        before: seen.live.clone(),
        after,
        guessed: if set.state == RowState::Absent { BTreeSet::new() } else { guessed(&request.tables[table], seen) },
        references: seen.values.iter().filter_map(reference).collect(),
    }
}

fn reference((name, cell): (&String, &Cell)) -> Option<(String, RowReference)> {
    match cell {
        Cell::Reference(reference) => Some((name.clone(), reference.as_ref().clone())),
        Cell::Null | Cell::Text(_) | Cell::ApplyTime => None,
    }
}

/// References that meet a live row which the plan takes away or gives another key: they mean the row that will have the key.
/// Rows that were as declared before that are no longer.
pub(super) fn renew_references(changed: &ChangedRows, facts: &mut RowFacts, met: &mut Met) {
    let moved = |reference: &RowReference, text: &String| {
        let key: Vec<String> = reference.key.columns().cloned().collect();
        let rows = changed.rows.iter().filter(|row| row.table == reference.table);
        let mut gone = rows.filter(|row| row.after.is_none() || row.changes(&key));
        gone.any(|row| {
            row.before.as_ref().is_some_and(|(_, live)| live.0.get(&reference.column) == Some(&Some(text.clone())))
        })
    };
    let mut stale: Vec<(RowRef, String)> = Vec::new();
    let waiting = met.referring.values();
    for seen in facts.seen.iter().chain(waiting) {
        for (name, reference) in seen.values.iter().filter_map(reference) {
            let text = met.resolved.get(&(seen.of, name.clone())).cloned().flatten();
            if text.is_some_and(|text| moved(&reference, &text)) {
                stale.push((seen.of, name));
            }
        }
    }
    for (row, name) in stale {
        met.resolved.insert((row, name.clone()), None);
        if let Some(seen) = met.referring.remove(&row) {
            facts.same = facts.same.saturating_sub(1);
            facts.seen.push(seen);
        }
        let seen = facts.seen.iter_mut().find(|seen| seen.of == row);
        if let Some(seen) = seen.filter(|seen| seen.live.is_some() && !seen.differs.contains(&name)) {
            seen.differs.push(name);
        }
    }
}

/// The value of a default that is a literal as the database spells one: `'x'::text`, `7`, `true`, `NULL::text`.
fn literal(expression: &str) -> Option<Option<String>> {
    let number =
        |text: &str| text.parse::<f64>().is_ok() && text.chars().all(|c| c.is_ascii_digit() || "-.".contains(c));
    if let Some(rest) = expression.strip_prefix('\'') {
        let end = rest.rfind("'::")?;
        let (text, type_name) = (&rest[..end], &rest[end + 3..]);
        let moves =
            ["now", "today", "tomorrow", "yesterday"].iter().any(|word| text.to_ascii_lowercase().contains(word));
        let plain = !type_name.contains(['(', '\'']) && !text.replace("''", "").contains('\'') && !moves;
        return plain.then(|| Some(text.replace("''", "'")));
    }
    match expression {
        "true" | "false" => Some(Some(expression.to_owned())),
        _ if expression.starts_with("NULL::") => Some(None),
        _ if number(expression) => Some(Some(expression.to_owned())),
        _ => None,
    }
}

/// Columns of a new row that are not declared and that a trigger may fill: what is known of them is a guess.
fn guessed(facts: &TableFacts, seen: &RowSeen) -> BTreeSet<String> {
    if !facts.fills_rows || seen.live.is_some() {
        return BTreeSet::new();
    }
    facts.columns.keys().filter(|name| !seen.values.contains_key(*name)).cloned().collect()
}

/// Live values, overlaid with the declared ones that differ; of a new row the declared ones, and defaults that are literals.
/// Other defaults and generated columns are the database's.
fn after(facts: &TableFacts, seen: &RowSeen, met: &Met) -> BTreeMap<String, After> {
    let mut out = BTreeMap::new();
    for (name, column) in &facts.columns {
        let left = match &seen.live {
            Some((_, live)) => match live.0.get(name) {
                Some(text) if !column.generated => After::Known(text.clone()),
                Some(_) | None => After::Made,
            },
            None if column.generated => After::Made,
            None => match (&column.default, column.has_default) {
                (Some(default), _) => literal(default).map_or(After::Made, After::Known),
                (None, true) => After::Made,
                (None, false) => After::Known(None),
            },
        };
        let declared = seen.values.get(name).filter(|_| seen.live.is_none() || seen.differs.contains(name));
        let value = match declared {
            None => left,
            Some(Cell::Null) => After::Known(None),
            Some(Cell::Text(text)) => After::Known(Some(text.clone())),
            Some(Cell::ApplyTime) => After::Made,
            Some(Cell::Reference(reference)) => match met.resolved.get(&(seen.of, name.clone())) {
                Some(Some(text)) => After::Known(Some(text.clone())),
                Some(None) | None => After::Pending(reference.as_ref().clone()),
            },
        };
        out.insert(name.clone(), value);
    }
    out
}

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

/// Live values, overlaid with the declared ones that differ; of a new row the declared ones. Triggers that see a new row first,
/// defaults and generated columns are the database's.
fn after(facts: &TableFacts, seen: &RowSeen, met: &Met) -> BTreeMap<String, After> {
    let mut out = BTreeMap::new();
    for (name, column) in &facts.columns {
        let left = match &seen.live {
            Some((_, live)) => match live.0.get(name) {
                Some(text) if !column.generated => After::Known(text.clone()),
                Some(_) | None => After::Made,
            },
            None if column.has_default || column.generated || facts.fills_rows => After::Made,
            None => After::Known(None),
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

//! What is written down of declared rows.

use std::collections::BTreeMap;

use super::derive::Builder;
use super::step::{Phase, RowsForgotten, RowsKept, RowsRecord, Work};
use crate::diff::{ChangeDetail, RowChange, counted};
use crate::model::{Cell, TableName};

type Kept<'a> = BTreeMap<(&'a TableName, Vec<&'a String>, &'a Vec<String>, &'a Vec<String>), Vec<Vec<Cell>>>;
type Forgotten<'a> = BTreeMap<&'a TableName, Vec<BTreeMap<String, Option<String>>>>;

impl<'a> Builder<'a> {
    /// Rows that the plan writes, and those that are as declared and not written down yet.
    pub(super) fn row_records(&mut self) {
        let keep = self.kept_rows();
        let forgotten = self.forgotten_rows();
        if keep.is_empty() && forgotten.is_empty() {
            return;
        }
        let count: usize = keep.iter().map(|kept| kept.rows.len()).sum();
        let work = RowsRecord {
            project: self.parts.pins.project.clone(),
            keep,
            forget: forgotten.into_iter().map(|(table, rows)| RowsForgotten { table: table.clone(), rows }).collect(),
            declared: self.parts.pins.rows.declared.clone(),
            contents: self.parts.pins.rows.contents.clone(),
            synced: self.parts.pins.rows.synced.clone(),
        };
        let title = format!("write down {} as declared", counted(count as u64, "row"));
        self.step(Phase::Transaction, title, None, Vec::new(), Work::RecordRows(work));
    }

    fn kept_rows(&mut self) -> Vec<RowsKept> {
        let mut kept = Kept::new();
        let parts = self.parts;
        for pin in &parts.pins.rows.recorded {
            for at in pin.runs.iter().flat_map(|(first, more)| *first..=first.saturating_add(*more)) {
                let change = parts.changes.get(at as usize);
                let Some(ChangeDetail::Row { table, key, .. }) = change.map(|change| &change.detail) else { continue };
                let values = key.0.iter().map(|part| part.value.clone()).collect();
                kept.entry((table, key.columns().collect(), &pin.columns, &pin.times)).or_default().push(values);
            }
        }
        for RowsKept { table, key, columns, times, rows } in &parts.pins.rows.unchanged {
            kept.entry((table, key.iter().collect(), columns, times)).or_default().extend(rows.iter().cloned());
        }
        kept.into_iter()
            .map(|((table, key, columns, times), rows)| RowsKept {
                table: table.clone(),
                key: key.into_iter().cloned().collect(),
                columns: columns.clone(),
                times: times.clone(),
                rows,
            })
            .collect()
    }

    fn forgotten_rows(&self) -> Forgotten<'a> {
        let mut forgotten = Forgotten::new();
        for change in self.parts.changes {
            if let ChangeDetail::Row { table, kind: None, change: RowChange::Delete { before }, .. } = &change.detail {
                let columns = self.parts.pins.rows.keys.get(table).into_iter().flatten();
                let key = columns.map(|name| (name.clone(), before.0.get(name).cloned().flatten())).collect();
                forgotten.entry(table).or_default().push(key);
            }
        }
        for left in &self.parts.pins.rows.left {
            let value = |cell: &Cell| match cell {
                Cell::Text(text) => Some(text.clone()),
                Cell::Null | Cell::ApplyTime | Cell::Reference(_) => None,
            };
            let key = left.key.0.iter().map(|part| (part.column.clone(), value(&part.value))).collect();
            forgotten.entry(&left.table).or_default().push(key);
        }
        forgotten
    }
}

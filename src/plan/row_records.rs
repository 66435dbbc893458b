//! What is written down of declared rows.

use std::collections::{BTreeMap, BTreeSet};

use super::build::Builder;
use super::step::{Phase, RowsForgotten, RowsKept, RowsRecord, Work};
use crate::diff::{ChangeDetail, RowChange, counted};
use crate::model::{Cell, RowKey, RowRef, TableName};

type Kept = BTreeMap<(TableName, Vec<String>, Vec<String>), Vec<Vec<Cell>>>;

impl Builder<'_> {
    /// Rows that the plan writes, and those that are as declared and not written down yet.
    pub(super) fn row_records(&mut self) {
        let rows = &self.input.observed.rows;
        let changed: BTreeSet<_> = self.input.comparison.changes.iter().map(|change| &change.address).collect();
        let sets = &self.input.resolved.rows;
        let address = |row: RowRef, key: &RowKey| crate::model::Address::row(&sets[row.set].table.value, key);
        let mut kept = Kept::new();
        let seen = rows.seen.iter().filter(|seen| crate::diff::rows::is_recorded(&sets[seen.of.set]));
        for seen in seen.filter(|seen| changed.contains(&address(seen.of, &seen.key))) {
            self.keep(seen.of, &seen.key, &mut kept);
        }
        for (row, key) in &rows.unrecorded {
            self.keep(*row, key, &mut kept);
        }
        let mut forgotten: BTreeMap<&TableName, Vec<BTreeMap<String, Option<String>>>> = BTreeMap::new();
        for change in &self.input.comparison.changes {
            if let ChangeDetail::Row { table, kind: None, change: RowChange::Delete { before }, .. } = &change.detail {
                let facts = self.input.observed.tables.get(table);
                let columns = facts.and_then(|facts| facts.keys().next()).cloned().unwrap_or_default();
                let value = |name: String| (before.0.get(&name).cloned().flatten(), name);
                let key = columns.into_iter().map(value).map(|(value, name)| (name, value)).collect();
                forgotten.entry(table).or_default().push(key);
            }
        }
        for (table, key) in
            rows.left.iter().filter(|(table, key)| changed.contains(&crate::model::Address::row(table, key)))
        {
            let value = |cell: &Cell| match cell {
                Cell::Text(text) => Some(text.clone()),
                Cell::Null | Cell::ApplyTime | Cell::Reference(_) => None,
            };
            let key = key.0.iter().map(|part| (part.column.clone(), value(&part.value))).collect();
            forgotten.entry(table).or_default().push(key);
        }
        if kept.is_empty() && forgotten.is_empty() {
            return;
        }
        let count: usize = kept.values().map(Vec::len).sum();
        let work = RowsRecord {
            project: self.input.environment.project.clone(),
            keep: kept
                .into_iter()
                .map(|((table, key, columns), rows)| RowsKept { table, key, columns, rows })
                .collect(),
            forget: forgotten.into_iter().map(|(table, rows)| RowsForgotten { table: table.clone(), rows }).collect(),
            declared: match self.input.desired.partial {
                true => BTreeMap::new(),
                false => rows.declared.iter().map(|(table, digest)| (table.to_string(), *digest)).collect(),
            },
        };
        let title = format!("write down {} as declared", counted(count as u64, "row"));
        self.step(Phase::Transaction, title, None, Vec::new(), Work::RecordRows(work));
    }

    fn keep(&self, row: RowRef, key: &RowKey, kept: &mut Kept) {
        let set = &self.input.resolved.rows[row.set];
        let computed = |name: &&String| set.computed.iter().any(|computed| computed.value == **name);
        let columns: Vec<String> = set.columns.iter().filter(|name| !computed(name)).cloned().collect();
        let names = key.columns().cloned().collect();
        let values = key.0.iter().map(|part| part.value.clone()).collect();
        kept.entry((set.table.value.clone(), names, columns)).or_default().push(values);
    }
}

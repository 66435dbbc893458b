//! Rows that were asked for, as they are.

use super::{Live, LiveTable, Recognised, Wanted, nowhere, spot};
use crate::diff::codes;
use crate::model::{
    Address, Cell, ColumnKind, DeclaredRow, Diagnostic, KeyPart, LiveRow, RowKey, RowOrigin, RowSet, RowState,
    TableFacts, TableName, Written,
};

/// Rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsAsked {
    /// The table.
    pub table: TableName,
    /// One row's key as in its address; all rows where it is absent.
    pub key: Option<String>,
}

impl RowsAsked {
    /// The address under which they were asked for.
    pub fn address(&self) -> Address {
        match &self.key {
            Some(key) => Address::from_text(format!("row.{}[{key}]", self.table)),
            None => Address::from_text(format!("row.{}", self.table)),
        }
    }

    /// Whether a row is asked for: by its key as in an address, or by the value alone where the key is one column.
    fn wants(&self, key: &RowKey) -> bool {
        let Some(asked) = &self.key else { return true };
        let bare = |text: &String| {
            *text == *asked || serde_json::from_str::<String>(asked).is_ok_and(|unquoted| unquoted == *text)
        };
        let alone = match key.0.as_slice() {
            [KeyPart { value: Cell::Text(text), .. }] => bare(text),
            _ => false,
        };
        alone || key.to_string() == *asked
    }
}

/// Adds rows, and gives what was asked for and is not there.
pub(super) fn add(live: &Live, wanted: &Wanted, out: &mut Recognised) -> Vec<Diagnostic> {
    let mut missing = Vec::new();
    for asked in &wanted.rows {
        let address = asked.address();
        let Some(table) = live.tables.get(&asked.table) else { continue };
        let Some(key) = key_of(&table.facts) else {
            out.leave_out(address, "the table has no unique key, so that no row of it can be named", None);
            continue;
        };
        let wanted: Vec<&LiveRow> = table.rows.iter().filter(|row| asked.wants(&row_key(row, key))).collect();
        if !wanted.is_empty() {
            out.desired.rows.push(declared(&asked.table, table, key, &wanted));
        } else if asked.key.is_some() {
            let detail = format!("\"{}\" has no row with the key in \"{address}\"", asked.table);
            let hint = format!("its key is {}", key.join(", "));
            missing.push(Diagnostic::error(codes::NOTHING_THERE, detail).hint(hint));
        }
    }
    missing
}

/// The columns that name a row of a table.
pub fn key_of(facts: &TableFacts) -> Option<&[String]> {
    let keys = std::iter::once(&facts.primary_key).chain(&facts.unique_keys);
    keys.map(Vec::as_slice).find(|key| !key.is_empty())
}

fn row_key(row: &LiveRow, key: &[String]) -> RowKey {
    let value = |column: &String| row.0.get(column).cloned().flatten().map_or(Cell::Null, Cell::Text);
    RowKey(key.iter().map(|column| KeyPart { column: column.clone(), value: value(column) }).collect())
}

fn declared(name: &TableName, table: &LiveTable, key: &[String], rows: &[&LiveRow]) -> RowSet {
    let columns: Vec<String> = table
        .facts
        .columns
        .iter()
        .filter(|(column, facts)| !facts.generated && facts.readable && !key.contains(column))
        .map(|(column, _)| column.clone())
        .collect();
    let cell = |row: &LiveRow, column: &String| {
        let kind = table.facts.columns.get(column).map_or(ColumnKind::Scalar, |facts| facts.kind);
        spot(written(kind, row.0.get(column).and_then(Option::as_deref)))
    };
    let row = |row: &&LiveRow| DeclaredRow {
        cells: key.iter().chain(&columns).map(|column| cell(row, column)).collect(),
        place: nowhere(),
    };
    RowSet {
        table: spot(name.clone()),
        key: key.to_vec(),
        state: RowState::Present,
        origin: RowOrigin::Files,
        computed: Vec::new(),
        rows: rows.iter().map(row).collect(),
        columns,
    }
}

/// A value as an author would write it, every digit kept. What a plan file cannot say in its own type is said as the
/// database spells it, which it reads back.
fn written(kind: ColumnKind, text: Option<&str>) -> Written {
    let Some(text) = text else { return Written::Null };
    match kind {
        ColumnKind::Json | ColumnKind::Jsonb => Written::Json(text.to_owned()),
        ColumnKind::Integer => Written::Plain(text.to_owned()),
        _ => Written::Text(text.to_owned()),
    }
}

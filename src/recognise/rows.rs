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

    /// The values of the key that is asked for, in the order of its columns; `None` where all rows are, or where the text is
    /// not a key of these columns.
    pub fn values(&self, key: &[String]) -> Option<Vec<String>> {
        let asked = self.key.as_ref()?;
        let unquoted = |word: &str| serde_json::from_str::<String>(word).unwrap_or_else(|_| word.to_owned());
        let parts = words(asked, ',');
        let pairs: Vec<(String, String)> = parts
            .iter()
            .filter_map(|part| match words(part, '=').as_slice() {
                [column, value] => Some((unquoted(column), unquoted(value))),
                _ => None,
            })
            .collect();
        if let Some(values) =
            key.iter().map(|name| Some(pairs.iter().find(|(column, _)| column == name)?.1.clone())).collect()
        {
            return Some(values);
        }
        (key.len() == 1).then(|| vec![unquoted(asked)])
    }

    /// Whether a row is asked for: by its key as in an address, or by the value alone where the key is one column.
    fn wants(&self, key: &RowKey) -> bool {
        let columns: Vec<String> = key.columns().cloned().collect();
        match (&self.key, self.values(&columns)) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(_), Some(values)) => {
                key.0.iter().zip(&values).all(|(part, value)| part.value == Cell::Text(value.clone()))
            }
        }
    }
}

/// Splits where no quotes are open.
fn words(text: &str, at: char) -> Vec<String> {
    let (mut out, mut quoted, mut escaped) = (vec![String::new()], false, false);
    for c in text.chars() {
        if c == at && !quoted {
            out.push(String::new());
            continue;
        }
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        if let Some(word) = out.last_mut() {
            word.push(c);
        }
    }
    out
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

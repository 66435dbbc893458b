//! Rows that were asked for, as they are.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Live, LiveTable, Recognised, Wanted, nowhere, spot};
use crate::diff::codes;
use crate::model::{Address, Diagnostic, LiveRow, RowResource, RowState, Spot, TableFacts, TableName};

/// Rows of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowsAsked {
    /// The table.
    pub table: TableName,
    /// The values of one row's key, joined by commas as in its address; all rows where it is absent.
    pub key: Option<String>,
}

impl RowsAsked {
    /// The address under which they were asked for.
    pub fn address(&self) -> Address {
        match &self.key {
            Some(key) => Address::row(&self.table, std::slice::from_ref(key)),
            None => Address::from_text(format!("row.{}", self.table)),
        }
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
        let before = out.desired.rows.len();
        let wanted = table.rows.iter().filter(|row| asked.key.as_ref().is_none_or(|text| key_text(row, key) == *text));
        out.desired.rows.extend(wanted.map(|row| resource(&asked.table, table, key, row)));
        if out.desired.rows.len() == before && asked.key.is_some() {
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

fn key_text(row: &LiveRow, key: &[String]) -> String {
    let values = key.iter().map(|column| row.0.get(column).cloned().flatten().unwrap_or_default());
    values.collect::<Vec<_>>().join(",")
}

fn resource(name: &TableName, table: &LiveTable, key: &[String], row: &LiveRow) -> RowResource {
    let value = |column: &String| {
        let text = row.0.get(column).and_then(Option::as_deref);
        spot(written(table.facts.columns.get(column).map_or("text", |c| c.type_name.as_str()), text))
    };
    let columns = table.facts.columns.iter().filter(|(column, facts)| !facts.generated && !key.contains(column));
    let values: BTreeMap<String, Spot<Value>> = columns.map(|(column, _)| (column.clone(), value(column))).collect();
    RowResource {
        table: spot(name.clone()),
        key: key.iter().map(|column| (column.clone(), value(column))).collect(),
        state: RowState::Present(values),
        place: nowhere(),
    }
}

/// A value as an author would write it. What a plan file cannot say in its own type is said as the database spells it,
/// which it reads back.
fn written(type_name: &str, text: Option<&str>) -> Value {
    let Some(text) = text else { return Value::Null };
    let typed = match type_name {
        "boolean" => text.parse().ok().map(Value::Bool),
        "smallint" | "integer" | "bigint" => text.parse::<i64>().ok().map(Value::from),
        "json" | "jsonb" => serde_json::from_str(text).ok(),
        _ => None,
    };
    typed.unwrap_or_else(|| Value::from(text))
}

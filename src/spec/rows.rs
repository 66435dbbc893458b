//! Rows of any table, keyed.

use std::collections::BTreeMap;

use serde_json::Value;

use super::codes;
use super::tree::{Entry, Kind, Node};
use super::walk::{Fields, json, wrong_type};
use crate::model::{Diagnostic, Diagnostics, Place, RowResource, RowState, Spot, TableName};

/// Keys of a row.
pub(super) const ROW_KEYS: &[&str] = &["key", "values", "absent"];

/// Reads one table's entry of `rows`.
pub(super) fn table_rows(table: &Spot<String>, node: &Node, out: &mut Diagnostics) -> Vec<RowResource> {
    let name = match TableName::parse(&table.value) {
        Ok(value) => Some(Spot { value, place: table.place.clone() }),
        Err(error) => {
            let hint = "name the schema too, such as public.documents";
            out.push(Diagnostic::error(codes::TABLE_NAME, error.to_string()).at(&table.place).hint(hint));
            None
        }
    };
    let Kind::List(items) = &node.kind else {
        wrong_type::<()>(node, &format!("the rows of \"{}\"", table.value), "a list of rows", out);
        return Vec::new();
    };
    items.iter().filter_map(|item| row(name.as_ref(), &table.value, item, out)).collect()
}

fn row(table: Option<&Spot<TableName>>, written: &str, node: &Node, out: &mut Diagnostics) -> Option<RowResource> {
    let fields = Fields::open(node, &format!("a row of \"{written}\""), &node.place, ROW_KEYS, out)?;
    let key = fields.require("key", out).and_then(|node| key(node, out));
    let state = state(&fields, node, written, out);
    let (key, state) = (key?, state?);
    if let RowState::Present(values) = &state
        && let Some((column, value)) = values.iter().find(|(column, _)| key.contains_key(*column))
    {
        let detail = format!("\"{column}\" is in the key already");
        let hint = "leave it out of values; a key column cannot be changed";
        out.push(Diagnostic::error(codes::CONFLICT, detail).at(&value.place).hint(hint));
        return None;
    }
    Some(RowResource { table: table?.clone(), key, state, place: node.place.clone() })
}

fn key(node: &Node, out: &mut Diagnostics) -> Option<BTreeMap<String, Spot<Value>>> {
    let fields = Fields::open_any(node, "\"key\"", &node.place, out)?;
    if fields.entries().is_empty() {
        let detail = "a key needs at least one column";
        out.push(
            Diagnostic::error(codes::INVALID_VALUE, detail).at(&node.place).hint("name the columns that find the row"),
        );
        return None;
    }
    let mut complete = true;
    for entry in fields.entries() {
        if entry.value.scalar_text().is_none() {
            complete = false;
            wrong_type::<()>(
                &entry.value,
                &format!("the key column \"{}\"", entry.key.value),
                "a text or a number",
                out,
            );
        }
    }
    complete.then(|| columns(fields.entries()))
}

fn state(fields: &Fields<'_>, node: &Node, written: &str, out: &mut Diagnostics) -> Option<RowState> {
    match (fields.entry("values"), fields.entry("absent")) {
        (Some(values), None) => {
            let values = Fields::open_any(&values.value, "\"values\"", &values.key.place, out)?;
            Some(RowState::Present(columns(values.entries())))
        }
        (None, Some(absent)) if absent.value.kind == Kind::Bool(true) => Some(RowState::Absent),
        (None, Some(absent)) => {
            let diagnostic = Diagnostic::error(codes::INVALID_VALUE, "\"absent\" can only be true");
            out.push(diagnostic.at(&absent.value.place).hint("write values: { … } for a row that should be there"));
            None
        }
        (Some(_), Some(absent)) => both(&absent.key.place, out),
        (None, None) => {
            let detail = format!("a row of \"{written}\" needs \"values\" or \"absent: true\"");
            out.push(Diagnostic::error(codes::MISSING_KEY, detail).at(&node.place).hint("add values: { … }"));
            None
        }
    }
}

fn both<T>(place: &Place, out: &mut Diagnostics) -> Option<T> {
    let detail = "a row cannot have values and be absent";
    out.push(Diagnostic::error(codes::CONFLICT, detail).at(place).hint("keep one of the two"));
    None
}

fn columns(entries: &[Entry]) -> BTreeMap<String, Spot<Value>> {
    entries
        .iter()
        .map(|entry| (entry.key.value.clone(), Spot { value: json(&entry.value), place: entry.value.place.clone() }))
        .collect()
}

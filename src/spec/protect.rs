//! Protections: what must be the same before and after.

use std::collections::BTreeMap;

use serde_json::Value;

use super::codes;
use super::selection::units_ref;
use super::tree::{Entry, Kind, Node};
use super::walk::{Fields, json, text, wrong_type};
use crate::model::{Diagnostic, Diagnostics, Protected, Protection, Spot, TableName};

/// Keys of a protection.
pub(super) const PROTECT_KEYS: &[&str] = &["units", "table", "where", "query", "collection"];

/// Reads one entry of `protect`.
pub(super) fn protection(name: &Spot<String>, node: &Node, out: &mut Diagnostics) -> Option<Protection> {
    let what = format!("protection \"{}\"", name.value);
    let fields = Fields::open(node, &what, &name.place, PROTECT_KEYS, out)?;
    let kinds: Vec<&Entry> = fields
        .entries()
        .iter()
        .filter(|entry| matches!(entry.key.value.as_str(), "units" | "table" | "query" | "collection"))
        .collect();
    let [kind] = kinds.as_slice() else {
        let detail = format!("{what} needs exactly one of units, table, query and collection");
        let code = if kinds.is_empty() { codes::MISSING_KEY } else { codes::CONFLICT };
        let hint = "protect each in an entry of its own, such as protect: { kt-b: { units: { … } } }";
        out.push(Diagnostic::error(code, detail).at(&name.place).hint(hint));
        return None;
    };
    let filter = match fields.entry("where") {
        None => Some(BTreeMap::new()),
        Some(entry) if kind.key.value == "table" => filter(entry, out),
        Some(entry) => {
            let detail = format!("\"where\" belongs to a table, not to \"{}\"", kind.key.value);
            out.push(Diagnostic::error(codes::CONFLICT, detail).at(&entry.key.place).hint("remove it"));
            None
        }
    };
    let of = match kind.key.value.as_str() {
        "units" => units_ref(&kind.value, out).map(Protected::Units),
        "table" => table(&kind.value, out)
            .map(|table| (table, filter.clone()))
            .and_then(|(table, filter)| Some(Protected::Table { table, filter: filter? })),
        "query" => text(&kind.value, "query", out).map(Protected::Query),
        _ => text(&kind.value, "collection", out).map(Protected::Collection),
    };
    filter?;
    Some(Protection { of: of?, place: name.place.clone() })
}

/// Reads `schema.table`.
pub(super) fn table(node: &Node, out: &mut Diagnostics) -> Option<Spot<TableName>> {
    let written = text(node, "table", out)?;
    match TableName::parse(&written.value) {
        Ok(value) => Some(Spot { value, place: written.place }),
        Err(error) => {
            let hint = "name the schema too, such as public.documents";
            out.push(Diagnostic::error(codes::TABLE_NAME, error.to_string()).at(&written.place).hint(hint));
            None
        }
    }
}

fn filter(entry: &Entry, out: &mut Diagnostics) -> Option<BTreeMap<String, Spot<Value>>> {
    let fields = Fields::open_any(&entry.value, "\"where\"", &entry.key.place, out)?;
    let mut complete = true;
    let mut columns = BTreeMap::new();
    for entry in fields.entries() {
        if matches!(entry.value.kind, Kind::List(_) | Kind::Map(_)) {
            complete = false;
            wrong_type::<()>(&entry.value, &format!("the column \"{}\"", entry.key.value), "a value or null", out);
            continue;
        }
        match json(&entry.value, out) {
            Some(value) => {
                drop(columns.insert(entry.key.value.clone(), Spot { value, place: entry.value.place.clone() }));
            }
            None => complete = false,
        }
    }
    complete.then_some(columns)
}

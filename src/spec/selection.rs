//! Selections of units.
//!
//! A condition is a field of the binding with a value, a list of values or null. `<field>_prefix` selects by the beginning
//! of a field, `addresses` is another spelling of `address`. Scalars are compared as texts, so `1` and `"1"` are the same.

use std::collections::BTreeMap;

use super::codes;
use super::tree::{Entry, Kind, Node};
use super::walk::{Fields, optional, text, unknown_key, whole, wrong_type};
use crate::model::{Condition, Diagnostic, Diagnostics, Expectation, NamedSelection, Place, Selection, Spot, UnitsRef};

/// Keys of a named selection.
pub(super) const UNITS_KEYS: &[&str] = &["where", "expect"];
/// Keys of what is expected of it.
pub(super) const EXPECT_KEYS: &[&str] = &["count", "hash"];

/// Reads one entry of `units`.
pub(super) fn named_selection(name: &Spot<String>, node: &Node, out: &mut Diagnostics) -> Option<NamedSelection> {
    let fields = Fields::open(node, &format!("units \"{}\"", name.value), &name.place, UNITS_KEYS, out)?;
    let selection = fields.require("where", out).and_then(|node| conditions(node, out));
    let expect = match fields.entry("expect") {
        None => Some(None),
        Some(entry) => expectation(entry, out).map(Some),
    };
    Some(NamedSelection { selection: selection?, expect: expect?, place: name.place.clone() })
}

/// Reads a name of a selection, or a selection in place.
pub(super) fn units_ref(node: &Node, out: &mut Diagnostics) -> Option<UnitsRef> {
    match &node.kind {
        Kind::Plain(_) | Kind::Text(_) => text(node, "units", out).map(UnitsRef::Named),
        Kind::Map(entries) => {
            if let Some(entry) = entries.iter().find(|entry| matches!(entry.value.kind, Kind::Map(_))) {
                let hint = "write the conditions directly, such as units: { lifecycle: enacted }";
                out.push(unknown_key(&entry.key, "a selection in place", &[]).hint(hint));
                return None;
            }
            let value = conditions(node, out)?;
            Some(UnitsRef::Inline(Spot { value, place: node.place.clone() }))
        }
        Kind::Null | Kind::Json(_) | Kind::List(_) => {
            wrong_type(node, "\"units\"", "a name from units or a mapping of conditions", out)
        }
    }
}

fn conditions(node: &Node, out: &mut Diagnostics) -> Option<Selection> {
    let fields = Fields::open_any(node, "\"where\"", &node.place, out)?;
    let mut conditions = BTreeMap::new();
    let mut places = BTreeMap::<String, Place>::new();
    let mut complete = true;
    for entry in fields.entries() {
        let Some((field, condition)) = condition(entry, out) else {
            complete = false;
            continue;
        };
        if let Some(first) = places.get(&field) {
            let detail = format!("there is already a condition on \"{field}\" at {first}");
            let hint = "give one condition for each field; a list means any of its values";
            out.push(Diagnostic::error(codes::CONFLICT, detail).at(&entry.key.place).hint(hint));
            complete = false;
        }
        places.insert(field.clone(), entry.key.place.clone());
        conditions.insert(field, condition);
    }
    complete.then_some(Selection { conditions })
}

fn condition(entry: &Entry, out: &mut Diagnostics) -> Option<(String, Condition)> {
    let key = entry.key.value.as_str();
    if let Some(field) = key.strip_suffix("_prefix").filter(|field| !field.is_empty()) {
        let prefix = text(&entry.value, key, out)?;
        return Some((field.to_owned(), Condition::Prefix(prefix.value)));
    }
    let field = if key == "addresses" { "address" } else { key };
    let condition = match &entry.value.kind {
        Kind::Null => Condition::Null,
        Kind::List(items) => Condition::In(any_of(items, entry, out)?),
        Kind::Plain(_) | Kind::Text(_) => Condition::In(vec![entry.value.scalar_text().unwrap_or_default()]),
        Kind::Json(_) | Kind::Map(_) => {
            return wrong_type(&entry.value, &format!("\"{key}\""), "a value, a list of values or null", out);
        }
    };
    Some((field.to_owned(), condition))
}

/// Sorted and without repetition, so that the order in the file means nothing.
fn any_of(items: &[Node], entry: &Entry, out: &mut Diagnostics) -> Option<Vec<String>> {
    let key = &entry.key.value;
    if items.is_empty() {
        let detail = format!("\"{key}\" allows no value at all");
        let hint = "name at least one value, or leave the condition out";
        out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&entry.key.place).hint(hint));
        return None;
    }
    let mut values = Vec::with_capacity(items.len());
    let mut complete = true;
    for item in items {
        match item.scalar_text() {
            Some(value) => values.push(value),
            None => {
                complete = false;
                wrong_type::<()>(item, &format!("a value of \"{key}\""), "a text or a number", out);
            }
        }
    }
    values.sort();
    values.dedup();
    complete.then_some(values)
}

fn expectation(entry: &Entry, out: &mut Diagnostics) -> Option<Spot<Expectation>> {
    let fields = Fields::open(&entry.value, "\"expect\"", &entry.key.place, EXPECT_KEYS, out)?;
    let count = optional(fields.get("count"), |node| whole(node, "count", 0, u64::from(u32::MAX), out));
    let hash = optional(fields.get("hash"), |node| hash(node, out));
    Some(Spot { value: Expectation { count: count?, hash: hash? }, place: entry.key.place.clone() })
}

fn hash(node: &Node, out: &mut Diagnostics) -> Option<String> {
    let written = text(node, "hash", out)?.value.to_lowercase();
    if (8..=64).contains(&written.len()) && written.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Some(written);
    }
    let detail = format!("\"{written}\" is not the hash of a set of units");
    let hint = "give the 64 hexadecimal digits that enact plan prints, or at least the first 8 of them";
    out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&node.place).hint(hint));
    None
}

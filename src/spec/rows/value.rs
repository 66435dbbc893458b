//! Values of rows: the characters of the file, until a column gives them a type.

use crate::model::{Diagnostic, Diagnostics, Spot, TableName, Written, check_json};
use crate::spec::codes;
use crate::spec::tree::{Kind, Node};
use crate::spec::walk::wrong_type;

/// Reads a value.
pub(super) fn value(node: &Node, out: &mut Diagnostics) -> Option<Written> {
    match &node.kind {
        Kind::Null => Some(Written::Null),
        Kind::Plain(text) => Some(Written::Plain(text.clone())),
        Kind::Text(text) => Some(Written::Text(text.clone())),
        Kind::Json(text) => json(text, node, out),
        Kind::List(items) => {
            let read: Vec<Option<Written>> = items.iter().map(|item| value(item, out)).collect();
            read.into_iter().collect::<Option<_>>().map(Written::List)
        }
        Kind::Map(entries) => {
            let read: Vec<_> =
                entries.iter().map(|entry| Some((entry.key.value.clone(), value(&entry.value, out)?))).collect();
            read.into_iter().collect::<Option<_>>().map(Written::Map)
        }
    }
}

fn json(text: &str, node: &Node, out: &mut Diagnostics) -> Option<Written> {
    match check_json(text) {
        Ok(()) => Some(Written::Json(text.to_owned())),
        Err(error) => {
            out.push(Diagnostic::error(codes::NOT_JSON, error.to_string()).at(&node.place).hint(error.hint()));
            None
        }
    }
}

/// Reads a value that a row is found by: a scalar, null, or a row that is referred to.
pub(super) fn key_value(node: &Node, what: &str, out: &mut Diagnostics) -> Option<Written> {
    let found = value(node, out)?;
    if found.is_apply_time() {
        let detail = format!("{what} is the time of the apply, which no row has before");
        out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&node.place).hint("write the time out"));
        return None;
    }
    match &found {
        Written::Null | Written::Plain(_) | Written::Text(_) => Some(found),
        Written::Map(_) if found.is_reference() => reference(node, out).map(|()| found),
        Written::Json(_) | Written::Spelled(_) | Written::List(_) | Written::Map(_) | Written::ApplyTime => {
            wrong_type(node, what, "a text, a number, null or another row ({ row: …, key: { … } })", out)
        }
    }
}

/// Checks what a key refers to.
fn reference(node: &Node, out: &mut Diagnostics) -> Option<()> {
    let Kind::Map(entries) = &node.kind else { return None };
    let mut complete = true;
    for entry in entries {
        match &entry.value.kind {
            Kind::Map(key) => {
                for part in key {
                    let what = format!("the key column \"{}\"", part.key.value);
                    complete &= key_value(&part.value, &what, out).is_some();
                }
            }
            _ => {
                let written = entry.value.characters().unwrap_or_default().to_owned();
                complete &= table_name(&Spot { value: written, place: entry.value.place.clone() }, out).is_some();
            }
        }
    }
    complete.then_some(())
}

/// Reads a value that a condition compares: a scalar or null.
pub(super) fn condition_value(node: &Node, what: &str, out: &mut Diagnostics) -> Option<Written> {
    match &node.kind {
        Kind::Null | Kind::Plain(_) | Kind::Text(_) => value(node, out),
        Kind::Json(_) | Kind::List(_) | Kind::Map(_) => {
            wrong_type(node, what, "a value, a list of values or null", out)
        }
    }
}

/// Reads `schema.table`.
pub(super) fn table_name(written: &Spot<String>, out: &mut Diagnostics) -> Option<Spot<TableName>> {
    match TableName::parse(&written.value) {
        Ok(value) => Some(Spot { value, place: written.place.clone() }),
        Err(error) => {
            let hint = "name the schema too, such as public.documents; put a part with dots in double quotes";
            out.push(Diagnostic::error(codes::TABLE_NAME, error.to_string()).at(&written.place).hint(hint));
            None
        }
    }
}

//! Calls and updates of a binding: checked against the catalog, arguments filled.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::diff::{APPLY_TIME, LedgerWrite};
use crate::model::{Cell, FunctionCall, FunctionFacts, PlaceholderError, Scope, TableName, Template, fill_value};

/// Types of the parameters that a call names; text where the catalog does not know one.
pub(super) fn parameter_types(
    call: &FunctionCall,
    functions: &BTreeMap<TableName, FunctionFacts>,
) -> BTreeMap<String, String> {
    let facts = functions.get(&call.function);
    let type_name = |name: &String| {
        let found = facts.and_then(|facts| facts.parameters.iter().find(|p| p.name == *name));
        found.map_or("text", |p| p.type_name.as_str()).to_owned()
    };
    call.arguments.keys().map(|name| (name.clone(), type_name(name))).collect()
}

/// Whether templates name a field of a unit other than its id.
pub(super) fn unit_fields<'a>(templates: impl IntoIterator<Item = &'a Value>) -> bool {
    let named = |text: &str| {
        let parsed = Template::parse(text);
        parsed.is_ok_and(|template| template.names().any(|name| name.starts_with("unit.") && name != "unit.id"))
    };
    templates.into_iter().any(|template| match template {
        Value::String(text) => named(text),
        Value::Array(items) => unit_fields(items),
        Value::Object(map) => unit_fields(map.values()),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    })
}

/// Fills the values of one call or update, in the order of their names.
pub(super) fn fill_cells<'a>(
    values: impl Iterator<Item = &'a Value>,
    scope: &dyn Scope,
) -> Result<Vec<Cell>, PlaceholderError> {
    values.map(|value| fill_value(value, scope).map(|value| cell_of(&value))).collect()
}

/// A JSON value as text that the database casts.
fn cell_of(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::String(text) if text == APPLY_TIME => Cell::ApplyTime,
        Value::String(text) => Cell::Text(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Cell::Text(value.to_string()),
    }
}

/// Names for one row of the ledger.
pub(super) fn ledger_names(
    write: &LedgerWrite,
    status: &str,
    base: &BTreeMap<String, Value>,
) -> BTreeMap<String, Value> {
    let mut names = base.clone();
    names.insert("status".into(), status.into());
    names.insert("point.key".into(), write.key.clone().into());
    names.insert("point.id".into(), write.id.to_string().into());
    names.insert("chunk.index".into(), write.ordinal.into());
    names.insert("chunk.key".into(), format!("{:04}", write.ordinal).into());
    names.insert("chunk.count".into(), write.count.into());
    names.insert("chunk.sha256".into(), write.sha256.clone().into());
    names.insert("unit.id".into(), write.unit.clone().into());
    names
}

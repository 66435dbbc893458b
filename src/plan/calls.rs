//! Calls and updates of a binding: checked against the catalog, arguments filled.

use std::collections::BTreeMap;

use serde_json::Value;

use super::step::{CallsWork, Parameter};

use crate::diff::{APPLY_TIME, LedgerWrite};
use crate::model::{Cell, FunctionCall, Observed, PlaceholderError, Scope, fill_value};

/// The parameters of a call with their types, in the order of its arguments.
pub fn call_columns(call: &FunctionCall, observed: &Observed) -> Vec<Parameter> {
    let facts = observed.functions.get(&call.function);
    call.arguments
        .keys()
        .map(|name| {
            let found = facts.and_then(|facts| facts.parameters.iter().find(|p| p.name == *name));
            Parameter { name: name.clone(), type_name: found.map_or("text", |p| p.type_name.as_str()).to_owned() }
        })
        .collect()
}

/// A call's work before its calls are filled in.
pub(super) fn empty_calls(call: &FunctionCall, observed: &Observed) -> CallsWork {
    CallsWork {
        function: call.function.clone(),
        parameters: call_columns(call, observed),
        calls: Vec::new(),
        success: call.success.clone(),
    }
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

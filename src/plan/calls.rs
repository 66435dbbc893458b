//! Calls and updates of a binding: checked against the catalog, arguments filled.

use std::collections::BTreeMap;

use serde_json::Value;

use super::step::{CallsWork, Parameter};
use crate::diff::codes;
use crate::diff::{APPLY_TIME, LedgerWrite};
use crate::model::{
    Binding, Cell, Diagnostic, Diagnostics, FunctionCall, Observed, PlaceholderError, Scope, TableName, TransitionWork,
    fill_value, name_hint,
};

/// Every function call that a binding may make.
pub(super) fn calls(binding: &Binding) -> Vec<&FunctionCall> {
    let transitions = binding.lifecycle.transitions.iter().filter_map(|transition| match &transition.work {
        TransitionWork::Call(call) => Some(call),
        TransitionWork::Update(_) => None,
    });
    let ledger = binding.ledger.iter().map(|ledger| &ledger.record);
    transitions.chain(binding.refresh.iter().map(|refresh| &refresh.call)).chain(ledger).collect()
}

/// Checks functions and parameters of a binding against the catalog.
pub fn check_functions(binding: &Binding, observed: &Observed) -> Diagnostics {
    let mut errors = Diagnostics::default();
    for call in calls(binding) {
        let Some(facts) = observed.functions.get(&call.function) else {
            let known: Vec<String> = observed.functions.keys().map(TableName::to_string).collect();
            errors.push(
                Diagnostic::error(
                    codes::UNKNOWN_FUNCTION,
                    format!("the binding \"{}\" calls \"{}\", which is not there", binding.name, call.function),
                )
                .hint(name_hint(&call.function.to_string(), known.iter().map(String::as_str))),
            );
            continue;
        };
        for name in call.arguments.keys() {
            if !facts.parameters.iter().any(|parameter| parameter.name == *name) {
                errors.push(
                    Diagnostic::error(
                        codes::UNKNOWN_PARAMETER,
                        format!("function \"{}\" has no argument \"{name}\"", call.function),
                    )
                    .hint(name_hint(name, facts.parameters.iter().map(|parameter| parameter.name.as_str()))),
                );
            }
        }
        for parameter in &facts.parameters {
            if !parameter.has_default && !call.arguments.contains_key(&parameter.name) {
                errors.push(Diagnostic::error(
                    codes::UNKNOWN_PARAMETER,
                    format!("function \"{}\" needs the argument \"{}\"", call.function, parameter.name),
                ));
            }
        }
    }
    errors
}

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

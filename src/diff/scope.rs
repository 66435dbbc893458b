//! What the names in a binding's templates stand for.
//!
//! The time of the deciding transaction is not known when a plan is made; [`APPLY_TIME`] stands for it and must be the
//! whole of a value.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{PlaceholderError, Scope, UnitFacts, Written, fill_value};

/// Stands for the time of the deciding transaction until that time is known.
pub const APPLY_TIME: &str = "\u{1}apply time\u{1}";

/// Values by name, and the unit they are for.
#[derive(Debug, Clone, Default)]
pub(super) struct Names<'a> {
    pub values: BTreeMap<String, Value>,
    pub unit: Option<(&'a UnitFacts, u64)>,
}

impl Names<'_> {
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.values.insert(name.to_owned(), value.into());
    }
}

impl Scope for Names<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        if let Some(value) = self.values.get(name) {
            return Some(value.clone());
        }
        let (unit, ordinal) = self.unit?;
        let field = name.strip_prefix("unit.")?;
        if field == "ordinal" {
            return Some(Value::from(ordinal));
        }
        unit_value(unit, field)
    }
}

/// The value of a unit's field; null where the field is known and empty, `None` where it is not known.
pub fn unit_value(unit: &UnitFacts, field: &str) -> Option<Value> {
    match field {
        "anchor" => Some(unit.anchor.clone().map_or(Value::Null, Value::from)),
        "id" | "address" | "title" | "lifecycle" | "content_hash" => unit.field(field).map(Value::from),
        other => unit.fields.get(other).map(|value| value.clone().map_or(Value::Null, Value::from)),
    }
}

/// Fills a template of a row's value.
pub(super) fn fill_row_value(template: &Value, names: &Names<'_>) -> Result<Written, PlaceholderError> {
    let value = fill_value(template, names)?;
    Ok(match value.as_str() {
        Some(APPLY_TIME) => Written::ApplyTime,
        _ => Written::from_json(&value),
    })
}

//! What names stand for in templates that are filled for a unit.

use std::collections::BTreeMap;

use serde_json::Value;

use super::observed::UnitFacts;
use super::placeholder::Scope;

/// Values by name, and the unit they are for with its place in its set.
#[derive(Debug, Clone, Default)]
pub struct UnitNames<'a> {
    /// Values by name.
    pub values: BTreeMap<String, Value>,
    /// The unit that `unit.…` names, and `unit.ordinal`.
    pub unit: Option<(&'a UnitFacts, u64)>,
}

impl<'a> UnitNames<'a> {
    /// The names of a unit's own fields.
    pub fn of(unit: &'a UnitFacts) -> UnitNames<'a> {
        UnitNames { unit: Some((unit, 0)), ..UnitNames::default() }
    }

    /// Gives a name a value.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.values.insert(name.to_owned(), value.into());
    }
}

impl Scope for UnitNames<'_> {
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

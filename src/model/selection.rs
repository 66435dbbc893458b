//! Selections of units: conditions over the fields a binding names.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::diagnostic::Spot;

/// What a unit's field must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Equal to one of these texts (never empty).
    In(Vec<String>),
    /// Starts with this text.
    Prefix(String),
    /// Has no value.
    Null,
}

/// Units for which every condition holds. Keys are field names of the binding: `id`, `address`, `title`,
/// `content_hash`, `lifecycle`, and the binding's own `fields`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Selection {
    /// Conditions by field name. None means every unit.
    pub conditions: BTreeMap<String, Condition>,
}

/// A selection written in place, or the name of one in `units`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitsRef {
    /// The name of a selection.
    Named(Spot<String>),
    /// A selection in place.
    Inline(Spot<Selection>),
}

impl Selection {
    /// Whether a unit with these field values is selected.
    pub fn matches(&self, field: impl Fn(&str) -> Option<String>) -> bool {
        self.conditions.iter().all(|(name, condition)| match (condition, field(name)) {
            (Condition::In(values), Some(value)) => values.contains(&value),
            (Condition::Prefix(prefix), Some(value)) => value.starts_with(prefix.as_str()),
            (Condition::Null, None) => true,
            (Condition::In(_) | Condition::Prefix(_), None) | (Condition::Null, Some(_)) => false,
        })
    }
}

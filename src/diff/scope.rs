//! Templates of rows.
//!
//! The time of the deciding transaction is not known when a plan is made; [`APPLY_TIME`] stands for it and must be the
//! whole of a value.

use serde_json::Value;

use crate::model::{PlaceholderError, UnitNames, Written, fill_value};

/// Stands for the time of the deciding transaction until that time is known.
pub const APPLY_TIME: &str = "\u{1}apply time\u{1}";

/// Fills a template of a row's value.
pub(super) fn fill_row_value(template: &Value, names: &UnitNames<'_>) -> Result<Written, PlaceholderError> {
    let value = fill_value(template, names)?;
    Ok(match value.as_str() {
        Some(APPLY_TIME) => Written::ApplyTime,
        _ => Written::from_json(&value),
    })
}

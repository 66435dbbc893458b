//! JSON Schemas, made from types, so that other programs can read what Enact writes: the plan that `--format json` prints, and
//! the lines of a saved plan.
//!
//! It says what is written: every key that is always there is required, and nothing is accepted that Enact would not write.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::file::{Head, Header};
use super::saved::SavedPlan;

/// The schema of a plan that `--format json` prints.
pub fn plan_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<SavedPlan>().to_value()
}

/// The schema of each line of a saved plan.
pub fn plan_line_schema() -> Value {
    let mut generator = SchemaSettings::draft2020_12().for_serialize().into_generator();
    let header = generator.subschema_for::<Header>();
    let head = generator.subschema_for::<Head>();
    serde_json::json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A line of a saved Enact plan",
        "description": "The first line is a Header, the last the end of a Head; a list belongs to the last Head before it.",
        "anyOf": [header, head, { "type": "array" }],
        "$defs": generator.take_definitions(true),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schemas_in_the_repository_are_fresh() {
        for (name, schema) in [("shown-plan", plan_schema()), ("saved-plan", plan_line_schema())] {
            let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
            let fresh = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::write(&path, &fresh).unwrap();
            }
            let stored = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(stored == fresh, "{path} is stale; run: UPDATE_SCHEMAS=1 cargo test --lib schema");
        }
    }
}

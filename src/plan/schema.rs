//! The JSON Schema of the saved plan, made from its types, so that other programs can read what `--format json` writes.
//!
//! It says what is written: every key that is always there is required, and nothing is accepted that Enact would not write.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::saved::SavedPlan;

/// The schema of a saved plan.
pub fn saved_plan_schema() -> Value {
    let settings = SchemaSettings::draft2020_12().for_serialize();
    settings.into_generator().into_root_schema_for::<SavedPlan>().to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_in_the_repository_is_fresh() {
        let path = format!("{}/schemas/saved-plan.schema.json", env!("CARGO_MANIFEST_DIR"));
        let fresh = format!("{}\n", serde_json::to_string_pretty(&saved_plan_schema()).unwrap());
        if std::env::var_os("UPDATE_SCHEMAS").is_some() {
            std::fs::write(&path, &fresh).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(stored == fresh, "{path} is stale; run: UPDATE_SCHEMAS=1 cargo test --lib schema");
    }
}

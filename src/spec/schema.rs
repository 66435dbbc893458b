//! JSON Schemas for editors.
//!
//! The shapes (`schema_shape`) are only ever turned into a schema: the readers are written by hand, because a serde type stops at its
//! first mistake. A test holds shapes and readers together, key by key.

use schemars::Schema;
use serde_json::Value;

use super::schema_shape as shape;

/// The schema of plan files.
pub fn plan_schema() -> Value {
    tidy(schemars::schema_for!(shape::Plan))
}

/// The schema of `enact.yaml`.
pub fn config_schema() -> Value {
    tidy(schemars::schema_for!(shape::Config))
}

fn tidy(schema: Schema) -> Value {
    let mut value = schema.to_value();
    forbid_null(&mut value);
    value
}

/// A key may be left out, but it may not be null: schemars allows null for every `Option`.
fn forbid_null(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(forbid_null),
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get_mut("properties") {
                properties.values_mut().for_each(without_null);
            }
            map.values_mut().for_each(forbid_null);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn without_null(property: &mut Value) {
    let Some(map) = property.as_object_mut() else { return };
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(options)) = map.get_mut("anyOf") {
        options.retain(|option| option.get("type") != Some(&Value::from("null")));
        if let [Value::Object(only)] = options.as_slice() {
            let only = only.clone();
            map.remove("anyOf");
            map.extend(only);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{
        checks, config, environment, plan_file, promotion, protect, retention, rows, secret, selection, vectors,
    };
    use std::collections::BTreeSet;

    fn keys<'s>(schema: &'s Value, shapes: &[&str]) -> BTreeSet<&'s str> {
        let of = |shape: &str| match shape {
            "" => &schema["properties"],
            shape => &schema["$defs"][shape]["properties"],
        };
        shapes.iter().flat_map(|shape| of(shape).as_object().unwrap().keys()).map(String::as_str).collect()
    }

    fn holds(schema: &Value, shapes: &[&str], read: &[&str]) {
        assert_eq!(keys(schema, shapes), read.iter().copied().collect(), "{shapes:?}");
    }

    #[test]
    fn every_key_that_is_read_is_in_the_schema_and_the_other_way_round() {
        let plan = plan_schema();
        holds(&plan, &[""], plan_file::PLAN_KEYS);
        holds(&plan, &["Units"], selection::UNITS_KEYS);
        holds(&plan, &["Expect"], selection::EXPECT_KEYS);
        holds(&plan, &["Promotion"], promotion::PROMOTION_KEYS);
        holds(&plan, &["Review"], promotion::REVIEW_KEYS);
        holds(&plan, &["Ids"], promotion::IDS_KEYS);
        holds(&plan, &["InlineRows", "FileRows"], rows::TABLE_KEYS);
        holds(&plan, &["PresentRow", "AbsentRow"], rows::ROW_KEYS);
        holds(&plan, &["RowReference"], &["row", "key"]);
        holds(&plan, &["ChunkPolicy"], vectors::POLICY_KEYS);
        holds(&plan, &["VectorSet"], vectors::SET_KEYS);
        holds(&plan, &["DenseVector", "SparseVector"], vectors::VECTOR_KEYS);
        holds(&plan, &["CheckShape"], checks::CHECK_KEYS);
        holds(&plan, &["Answer"], checks::ANSWER_KEYS);
        holds(&plan, &["ProtectUnits", "ProtectTable", "ProtectQuery", "ProtectCollection"], protect::PROTECT_KEYS);
        holds(&plan, &["RetentionShape"], retention::RETENTION_KEYS);
        holds(&plan, &["Paired"], retention::PAIRED_KEYS);
        let config = config_schema();
        holds(&config, &[""], config::CONFIG_KEYS);
        holds(&config, &["Environment"], environment::ENVIRONMENT_KEYS);
        holds(&config, &["Local"], environment::LOCAL_KEYS);
        holds(&config, &["Postgres"], environment::POSTGRES_KEYS);
        holds(&config, &["Qdrant"], environment::QDRANT_KEYS);
        holds(&config, &["SecretFile", "SecretCommand"], secret::SECRET_KEYS);
        holds(&config, &["StaticEmbedder"], environment::STATIC_KEYS);
        holds(&config, &["OpenAiEmbedder"], environment::OPENAI_KEYS);
        holds(&config, &["Roles"], environment::ROLES_KEYS);
        holds(&config, &["Approvals"], environment::APPROVALS_KEYS);
        holds(&config, &["Collections"], environment::COLLECTIONS_KEYS);
    }

    #[test]
    fn the_schemas_in_the_repository_are_fresh() {
        for (name, schema) in [("plan", plan_schema()), ("config", config_schema())] {
            let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
            let fresh = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::write(&path, &fresh).unwrap();
            }
            let stored = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(stored == fresh, "{path} is stale; run: UPDATE_SCHEMAS=1 cargo test --lib spec::schema");
        }
    }
}

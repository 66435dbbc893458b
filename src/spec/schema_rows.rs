//! The shapes of rows, for the JSON Schemas.

#![expect(dead_code, reason = "shapes are turned into a schema and never built")]

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::schema_shape::Scalar;

/// A list of rows, or how they are declared.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum TableRows {
    Rows(Vec<Row>),
    Inline(InlineRows),
    File(FileRows),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct InlineRows {
    /// upsert otherwise.
    mode: Option<Mode>,
    rows: Vec<Row>,
    /// The key columns of every row; with mode: sync and no row they must be named.
    #[schemars(length(min = 1))]
    key: Option<Vec<String>>,
    /// With mode: sync, the part of the table that it is about.
    #[schemars(rename = "where")]
    within: Option<BTreeMap<String, Within>>,
    /// With mode: sync, how many rows may be deleted; 100 otherwise.
    max_delete: Option<u32>,
    /// Columns that are left to the database.
    computed: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FileRows {
    /// upsert otherwise.
    mode: Option<Mode>,
    /// A .csv, .jsonl or .ndjson file, relative to this file or to the project folder.
    #[schemars(regex(pattern = "\\.([cC][sS][vV]|[jJ][sS][oO][nN][lL]|[nN][dD][jJ][sS][oO][nN])$"))]
    from: String,
    /// The columns that find a row.
    #[schemars(length(min = 1))]
    key: Vec<String>,
    /// With mode: sync, the part of the table that it is about.
    #[schemars(rename = "where")]
    within: Option<BTreeMap<String, Within>>,
    /// With mode: sync, how many rows may be deleted; 100 otherwise.
    max_delete: Option<u32>,
    /// Columns that are left to the database.
    computed: Option<Vec<String>>,
}

/// upsert: rows are made what they are declared to be. insert: only rows that are not there are made. sync: the declared rows
/// are all there are.
#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Mode {
    Upsert,
    Insert,
    Sync,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Row {
    Present(PresentRow),
    Absent(AbsentRow),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct PresentRow {
    #[schemars(extend("minProperties" = 1))]
    key: BTreeMap<String, KeyValue>,
    /// Columns not named are left as they are.
    values: BTreeMap<String, Value>,
    /// Columns that are left to the database.
    computed: Option<Vec<String>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct AbsentRow {
    #[schemars(extend("minProperties" = 1))]
    key: BTreeMap<String, KeyValue>,
    #[schemars(extend("const" = true))]
    absent: bool,
}

/// Another row by its natural key.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RowReference {
    /// schema.table
    row: String,
    #[schemars(extend("minProperties" = 1))]
    key: BTreeMap<String, KeyValue>,
}

/// A text, a number, true or false, null, or another row.
pub struct KeyValue;

impl JsonSchema for KeyValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "KeyValue".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (scalar, reference) = (generator.subschema_for::<Scalar>(), generator.subschema_for::<RowReference>());
        json_schema!({ "anyOf": [scalar, { "type": "null" }, reference] })
    }
}

/// A value, any of several values, or null.
pub struct Within;

impl JsonSchema for Within {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Within".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = json_schema!({ "anyOf": [generator.subschema_for::<Scalar>(), { "type": "null" }] });
        json_schema!({ "anyOf": [value, { "type": "array", "items": value, "minItems": 1 }] })
    }
}

//! The shapes of gates, checks, protections and retention, for the JSON Schemas.

#![expect(dead_code, reason = "shapes are turned into a schema and never built")]

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::schema_shape::UnitsRef;

/// A check.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct CheckShape {
    /// A query without parameters; the database runs it read-only.
    query: String,
    expect: Answer,
    /// When it is judged; after otherwise.
    when: Option<WhenOr>,
    /// What a failure does; error otherwise.
    severity: Option<Severity>,
}

/// Exactly one of value, rows, empty, or at_least with at_most.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Answer {
    /// One row whose first column, as text, is this; null for NULL.
    value: Option<AnswerValue>,
    /// This many rows.
    rows: Option<u32>,
    /// No row (true), or at least one (false).
    empty: Option<bool>,
    /// One row whose first column is a number not less than this.
    at_least: Option<f64>,
    /// One row whose first column is a number not more than this.
    at_most: Option<f64>,
}

/// A text, a number, true or false, or null.
pub struct AnswerValue;

impl JsonSchema for AnswerValue {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "AnswerValue".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": ["string", "number", "boolean"] }, { "const": null }] })
    }
}

#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum WhenOr {
    One(When),
    Some(Vec<When>),
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum When {
    Before,
    After,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Severity {
    Error,
    Warning,
}

/// What must be the same before and after.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Protect {
    Units(ProtectUnits),
    Table(ProtectTable),
    Query(ProtectQuery),
    Collection(ProtectCollection),
}

/// Units with their points and their ledger rows.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ProtectUnits {
    units: UnitsRef,
}

/// Rows of a table.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ProtectTable {
    /// schema.table
    table: String,
    /// Only rows with these values.
    #[schemars(rename = "where")]
    filter: Option<BTreeMap<String, Value>>,
}

/// Rows of a query; the first column names a row.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ProtectQuery {
    query: String,
}

/// Every point of a collection.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ProtectCollection {
    /// A collection or an alias.
    collection: String,
}

/// Old rows of a table may be deleted by a job that asks a gate.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RetentionShape {
    /// schema.table
    table: String,
    /// How long a row is kept: hours, days or weeks.
    #[schemars(regex(pattern = "^[0-9]+[hdw]$"))]
    keep: String,
    /// The column that says how old a row is; the binding's retention policy says it otherwise.
    column: Option<String>,
    /// The gate that the job asks.
    gate: String,
    paired: Paired,
    /// The first day, UTC.
    #[schemars(regex(pattern = "^[0-9]{4}-[0-9]{2}-[0-9]{2}$"))]
    not_before: Option<String>,
}

/// The other half of the pair.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Paired {
    /// A check that holds when the job is there.
    check: String,
}

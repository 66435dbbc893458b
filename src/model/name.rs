//! Names: resource addresses and table names.
//!
//! An address is stable across plans and readable: `promotion.iu-core-8000x`, `lifecycle["D38-DIEU28-ROOT"]`,
//! `row.cutter_governance.cut_change_set["…"]`, `vector_set.iu_core_iu_chunks`.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The stable name of one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// Names a promotion.
    pub fn promotion(name: &str) -> Address {
        Address(format!("promotion.{name}"))
    }

    /// Names the lifecycle state of one unit.
    pub fn lifecycle(unit_address: &str) -> Address {
        Address(format!("lifecycle[{}]", quoted(unit_address)))
    }

    /// Names one row by the text of its key values, in key-column order.
    pub fn row(table: &TableName, key: &[String]) -> Address {
        Address(format!("row.{table}[{}]", quoted(&key.join(","))))
    }

    /// Names a vector set.
    pub fn vector_set(name: &str) -> Address {
        Address(format!("vector_set.{name}"))
    }

    /// Names the points of one unit within a vector set.
    pub fn vector_unit(set: &str, unit_id: &str) -> Address {
        Address(format!("vector_set.{set}[{}]", quoted(unit_id)))
    }

    /// Names the cache refresh that follows lifecycle changes.
    pub fn refresh(name: &str) -> Address {
        Address(format!("refresh.{name}"))
    }

    /// Names a protection.
    pub fn protect(name: &str) -> Address {
        Address(format!("protect.{name}"))
    }

    /// Names a check.
    pub fn check(name: &str) -> Address {
        Address(format!("check.{name}"))
    }

    /// Names a gate.
    pub fn gate(name: &str) -> Address {
        Address(format!("gate.{name}"))
    }

    /// Names a retention.
    pub fn retention(name: &str) -> Address {
        Address(format!("retention.{name}"))
    }

    /// Takes an address as it was written by Enact.
    pub fn from_text(text: impl Into<String>) -> Address {
        Address(text.into())
    }

    /// The text of the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Quotes as a JSON string does, so that a hostile name cannot end its own bracket.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A table's schema and name. Written `schema.table`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TableName {
    schema: String,
    name: String,
}

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is not of the form `schema.table`.
    #[error("\"{0}\" is not of the form schema.table")]
    NotQualified(String),
}

impl TableName {
    /// Names a table.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> TableName {
        TableName { schema: schema.into(), name: name.into() }
    }

    /// Parses `schema.table`.
    ///
    /// # Errors
    /// When there is not exactly one dot with a name on either side.
    pub fn parse(text: &str) -> Result<TableName, NameError> {
        match text.split_once('.') {
            Some((schema, name)) if !schema.is_empty() && !name.is_empty() && !name.contains('.') => {
                Ok(TableName::new(schema, name))
            }
            _ => Err(NameError::NotQualified(text.to_owned())),
        }
    }

    /// The schema.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The table's own name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

impl TryFrom<String> for TableName {
    type Error = NameError;
    fn try_from(text: String) -> Result<TableName, NameError> {
        TableName::parse(&text)
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> String {
        name.to_string()
    }
}

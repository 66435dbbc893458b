//! Ids of units travel as text, and are looked for in the column's own type where an index can serve then.

use crate::model::UnitSource;
use crate::store::{Query, Sql, StoreError, Tx};

/// Types whose text reads back as the same value, so that comparing values and comparing texts are one.
const EXACT: [&str; 4] = ["uuid", "integer", "bigint", "smallint"];

/// How the ids of a source are compared with ids as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IdType {
    /// As values of this type.
    Exact(&'static str),
    /// As text.
    Text,
}

impl IdType {
    /// Asks the database what the expression of the id gives.
    pub async fn read(tx: &mut dyn Tx, source: &UnitSource) -> Result<IdType, StoreError> {
        let sql = Sql::new("SELECT pg_catalog.pg_typeof(s.i)::text FROM (SELECT (")
            .trusted(value(source))
            .text(") AS i FROM ")
            .trusted(&source.from)
            .text(" LIMIT 1) s");
        let records = tx.query(&Query::new(sql)).await?;
        let name = records.first().and_then(|record| record.text(0)).unwrap_or_default();
        Ok(EXACT.iter().find(|exact| **exact == name).map_or(IdType::Text, |exact| IdType::Exact(exact)))
    }

    /// Adds the condition that a unit's id is one of the texts bound at this place.
    pub fn is_any(self, sql: Sql, source: &UnitSource, place: usize) -> Sql {
        match self {
            IdType::Exact(name) => {
                let sql = sql.text("(").trusted(value(source)).text(") = ANY (").param(place);
                sql.text("::text[]::").text(name).text("[])")
            }
            IdType::Text => sql.text("(").trusted(&source.id).text(")::text = ANY (").param(place).text(")"),
        }
    }
}

/// The id before it is turned into text, where it is a column that is: `u.id` of `u.id::text`.
fn value(source: &UnitSource) -> &str {
    let is_column = |text: &&str| text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
    source.id.strip_suffix("::text").filter(is_column).unwrap_or(&source.id)
}

//! Rows that an apply wrote down, and what they are now.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canonical::{Digest, digest_of};
use super::name::TableName;
use super::rows::RowKey;

/// Rows of one table that are written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedTable {
    /// The table.
    pub table: TableName,
    /// How many rows of it are written down.
    pub rows: u64,
    /// What was found.
    pub now: TableNow,
}

impl RecordedTable {
    /// Digest of what differs, where all of it is seen.
    pub fn digest(&self) -> Option<Digest> {
        match &self.now {
            TableNow::Gone | TableNow::Hidden { .. } => None,
            TableNow::Read(read) => read.digest(),
        }
    }
}

/// What became of a table of which rows are written down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TableNow {
    /// It is not there, or it has another name.
    Gone,
    /// This role may not read what is needed.
    Hidden {
        /// What it may not.
        why: String,
    },
    /// It was read.
    Read(TableRead),
}

/// What differs in a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableRead {
    /// Columns that values are written down of and that are not there any more.
    pub gone_columns: Vec<String>,
    /// Columns that this role may not read.
    pub hidden_columns: Vec<String>,
    /// Whether policies may hide rows from this role, so that nothing can be said of a row that it does not see.
    pub hides_rows: bool,
    /// How many rows differ.
    pub different: u64,
    /// Those that differ or are spelled in another way, by key; no more than were asked for.
    pub rows: Vec<RowDifference>,
    /// How many rows there are that a synced table has and nobody declared.
    pub undeclared: u64,
    /// The first of those.
    pub undeclared_rows: Vec<RowKey>,
}

/// A row that is not as it was written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowDifference {
    /// The values under which it is written down.
    pub key: RowKey,
    /// What became of it.
    pub what: RowDiffers,
    /// Its key as the live row spells it, where that is another spelling of the same.
    pub spelled: Option<RowKey>,
}

impl TableRead {
    /// Digest of what differs: where it is another one, rows moved. None where this role does not see all of it.
    pub fn digest(&self) -> Option<Digest> {
        let TableRead { gone_columns, hidden_columns, rows, undeclared, undeclared_rows, .. } = self;
        let differing: Vec<&RowDifference> = rows.iter().filter(|row| row.differs()).collect();
        hidden_columns.is_empty().then(|| digest_of(&(gone_columns, differing, undeclared, undeclared_rows)))
    }
}

impl RowDifference {
    /// Whether it is more than another spelling of its key.
    pub fn differs(&self) -> bool {
        match &self.what {
            RowDiffers::Gone => true,
            RowDiffers::Columns(columns) => !columns.is_empty(),
        }
    }
}

/// What became of a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum RowDiffers {
    /// It is not there.
    Gone,
    /// Some columns have other values; none where only the key is spelled in another way.
    Columns(Vec<ColumnDiffers>),
}

/// A column that has another value than was written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ColumnDiffers {
    /// Its name.
    pub column: String,
    /// What was written down.
    pub recorded: RecordedValue,
    /// The live value.
    pub live: Option<String>,
}

/// What is written down of a row that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowRecord {
    /// Its columns.
    pub values: BTreeMap<String, RecordedValue>,
    /// What became of it since; absent where it is as it was written down.
    pub since: Option<RowDiffers>,
}

/// A value as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordedValue {
    /// NULL.
    Null,
    /// Anything but NULL: the time of an apply.
    Any,
    /// A short value itself.
    Text(String),
    /// The MD5 digest of a long one.
    Digest(String),
}

//! Rows as declared, and as a plan names them.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canonical::Digest;
use super::diagnostic::{Code, Place, Spot};
use super::name::{Address, TableName, address_word};
use super::observed::{LiveRow, ReferenceTarget};
use super::recorded::RowRecord;
use super::written::Written;

/// Rows of one table that name the same columns.
#[derive(Debug, Clone, PartialEq)]
pub struct RowSet {
    /// The table.
    pub table: Spot<TableName>,
    /// The key columns, sorted.
    pub key: Vec<String>,
    /// The other columns that the rows name, sorted; none where the rows should be absent.
    pub columns: Vec<String>,
    /// What should be there.
    pub state: RowState,
    /// Who declares them.
    pub origin: RowOrigin,
    /// Columns that are left to the database, whatever the rows name.
    pub computed: Vec<Spot<String>>,
    /// The rows.
    pub rows: Vec<DeclaredRow>,
}

/// One row: the values of the key, then those of the columns, in the order of the set.
#[derive(Debug, Clone, PartialEq)]
pub struct DeclaredRow {
    /// The values.
    pub cells: Vec<Spot<Written>>,
    /// Where it stands.
    pub place: Place,
}

/// What should be there under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowState {
    /// A row with these values; columns that are not named are left as they are.
    Present,
    /// A row with these values where there is none; one that is there is left alone.
    Inserted,
    /// No row.
    Absent,
}

/// Who declares rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowOrigin {
    /// Plan files, and data files that they name.
    Files,
    /// A promotion, by a template of the binding. Its rows are written once.
    Promotion {
        /// The promotion.
        name: String,
        /// The template.
        kind: String,
        /// Whether it was applied before, so that only their existence matters.
        recorded: bool,
    },
}

/// A table of which the declared rows are all that should be there: `mode: sync`.
#[derive(Debug, Clone, PartialEq)]
pub struct SyncedTable {
    /// The table.
    pub table: Spot<TableName>,
    /// The key columns by which rows that go are named.
    pub key: Vec<String>,
    /// The part of the table it is about, by column: one of these values. Everything where it is empty.
    pub within: BTreeMap<String, Spot<Vec<Written>>>,
    /// The plan is refused when more rows would be deleted.
    pub max_delete: u64,
    /// Where it is declared.
    pub place: Place,
}

/// One value of a row in a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// NULL.
    Null,
    /// A value as the database spells it.
    Text(String),
    /// The time of the deciding transaction.
    ApplyTime,
    /// A column of another row, which the database gives its value when that row is there.
    Reference(Box<RowReference>),
}

/// Another row by its natural key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct RowReference {
    /// The table referred to.
    pub table: TableName,
    /// Its key.
    pub key: RowKey,
    /// The column whose value is meant.
    pub column: String,
}

/// The key of a row: columns and their values, as the database spells them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct RowKey(pub Vec<KeyPart>);

/// One column of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct KeyPart {
    /// The column.
    pub column: String,
    /// Its value.
    pub value: Cell,
}

impl RowKey {
    /// The key columns.
    pub fn columns(&self) -> impl Iterator<Item = &String> {
        self.0.iter().map(|part| &part.column)
    }
}

/// `slug=travel,locale=en`, as it stands in an address.
impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, KeyPart { column, value }) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}=", address_word(column))?;
            match value {
                Cell::Null => f.write_str("null")?,
                Cell::Text(text) if text == "null" => f.write_str("\"null\"")?,
                Cell::Text(text) => f.write_str(&address_word(text))?,
                Cell::ApplyTime => f.write_str("{apply.time}")?,
                Cell::Reference(reference) => write!(f, "{}[{}]", reference.table, reference.key)?,
            }
        }
        Ok(())
    }
}

/// What reviewers should know of rows: its code, and the row where it is one.
pub type RowFinding = (Code, Option<Address>, String);

/// What the declared rows are to the live ones.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RowFacts {
    /// Declared rows that are not as declared.
    pub seen: Vec<RowSeen>,
    /// Rows of synced tables that nobody declares.
    pub extra: Vec<ExtraRow>,
    /// How many declared rows are as declared.
    pub same: u64,
    /// Addresses of every declared row, where something has to be found by its address.
    pub addresses: Vec<(RowRef, RowKey)>,
    /// Which changed rows need which.
    pub needs: Vec<RowNeed>,
    /// Rows that are referred to and stay, which must be there when the plan is applied.
    pub stands_on: Vec<ReferenceTarget>,
    /// What reviewers should know, by code.
    pub findings: Vec<RowFinding>,
    /// Rows that the plan leaves alone and that go or change by the way.
    pub followers: Vec<Followers>,
    /// Rows that were written down as declared and are declared no more.
    pub left: Vec<(TableName, RowKey)>,
    /// What is written down of rows that change.
    pub recorded: BTreeMap<RowRef, RowRecord>,
    /// Rows that are as declared and of which something else is written down.
    pub outdated: Vec<RowSeen>,
    /// Rows that are written down under a key that they will not have any more.
    pub superseded: Vec<(RowRef, TableName, RowKey)>,
    /// Digests of the keys that each table's rows are declared by, where they can be written down.
    pub declared: BTreeMap<TableName, Digest>,
    /// Digests of all keys and values that they are declared with, where the database compares every one with the live row.
    pub contents: BTreeMap<TableName, Digest>,
    /// Digests of how the rows of each table differ from what is written down of them, where all of it is seen.
    pub moved: BTreeMap<TableName, Digest>,
    /// The parts of each table that are synced, by column: one of these values.
    pub synced: BTreeMap<TableName, Vec<SyncedPart>>,
    /// Columns of rows that are declared as the time of the apply.
    pub times: BTreeMap<RowRef, Vec<String>>,
    /// Declared rows that are as declared and not yet written down.
    pub unrecorded: Vec<(RowRef, RowKey)>,
}

/// A part of a table that is synced, by column: one of these values.
pub type SyncedPart = BTreeMap<String, Vec<Option<String>>>;

/// A declared row by its place in the list of sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowRef {
    /// The set.
    pub set: usize,
    /// The row of the set.
    pub row: usize,
}

/// A declared row that is not as declared.
#[derive(Debug, Clone, PartialEq)]
pub struct RowSeen {
    /// Which one.
    pub of: RowRef,
    /// Its key.
    pub key: RowKey,
    /// What it should hold, by column, the key's among them.
    pub values: BTreeMap<String, Cell>,
    /// The live row and where it stands; absent where there is none.
    pub live: Option<(String, LiveRow)>,
    /// Columns that differ from the live row.
    pub differs: Vec<String>,
}

/// A live row of a synced table that nobody declares.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtraRow {
    /// The place in the list of synced tables.
    pub synced: usize,
    /// Its key.
    pub key: RowKey,
    /// Where it stands.
    pub at: String,
    /// The row.
    pub live: LiveRow,
}

/// Rows that go or change because of a foreign key to rows which the plan takes or changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Followers {
    /// Their table.
    pub table: TableName,
    /// The constraint.
    pub foreign_key: String,
    /// Whether the rows referred to go, or get another key.
    pub goes: bool,
    /// How many they are.
    pub rows: u64,
    /// Digest over their primary keys.
    pub names: Digest,
}

/// One changed row needs another to be done before it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowNeed {
    /// The one that needs.
    pub from: Address,
    /// The one that is needed.
    pub to: Address,
    /// What kind of need it is.
    pub kind: RowNeedKind,
    /// Why: `foreign key x`, `unique index y`.
    pub why: String,
}

/// Kinds of need between rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum RowNeedKind {
    /// A foreign key, judged when a statement ends: both may be in one.
    Reference,
    /// A foreign key that can wait for the end of the transaction, or a soft reference.
    Soft,
    /// A unique value that must be free before it is taken.
    Unique,
    /// A value of the needed row that the database makes; the column that takes it, and whether it can be NULL for a moment.
    Value {
        /// The column.
        column: String,
        /// Whether it can be NULL for a moment.
        later: bool,
    },
}

//! Catalog facts of tables and views, as far as rows are concerned.

use std::collections::{BTreeMap, BTreeSet};

use super::name::TableName;

/// Catalog facts of a table or view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableFacts {
    /// What it is.
    pub kind: TableKind,
    /// Columns by name.
    pub columns: BTreeMap<String, Column>,
    /// The primary key's columns, in order.
    pub primary_key: Vec<String>,
    /// Other unique keys of plain columns that hold for every row.
    pub unique_keys: Vec<Vec<String>>,
    /// Every unique index, the primary key's first.
    pub unique: Vec<UniqueIndex>,
    /// Checks of the table.
    pub checks: Vec<CheckFacts>,
    /// Foreign keys from this table.
    pub foreign_keys: Vec<ForeignKey>,
    /// Foreign keys of any table that refer to this one.
    pub referenced_by: Vec<ForeignKey>,
    /// Whether a trigger sees a new row before it is there, and may fill its columns.
    pub fills_rows: bool,
    /// Whether rules rewrite what is written into it.
    pub has_rules: bool,
    /// Whether policies may hide rows from this role.
    pub row_security: bool,
    /// Whether this role may read every column, so that rows can be told apart by where they stand.
    pub located: bool,
    /// What the database lets anybody do: any of `INSERT UPDATE DELETE`.
    pub allows: BTreeSet<String>,
    /// Privileges of the role that will use it: any of `SELECT INSERT UPDATE DELETE`.
    pub privileges: BTreeSet<String>,
}

/// What a relation is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TableKind {
    /// A table, alone or with tables that inherit from it; rows of those are not its own.
    #[default]
    Table,
    /// A partitioned table.
    Partitioned,
    /// A view.
    View,
    /// A foreign table, a materialized view.
    Other,
}

/// One column.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Column {
    /// The type with its modifiers, as it can be written in a cast.
    pub type_name: String,
    /// The type under its domains, without modifiers.
    pub base_type: String,
    /// How its values are read and compared.
    pub kind: ColumnKind,
    /// Whether the type is a domain.
    pub domain: bool,
    /// The fields of a composite type.
    pub fields: Vec<String>,
    /// The type's own equality, `OPERATOR(schema.=)`; types without one are compared as they are spelled.
    pub equality: Option<String>,
    /// Whether values that are equal may be spelled in ways that matter to readers: `citext`, collations that fold case.
    pub spelling_matters: bool,
    /// The collation in quotes, where it is not the type's own.
    pub collation: Option<String>,
    /// Whether NULL is refused, by the column or by its domain.
    pub not_null: bool,
    /// Whether the database fills it when it is left out.
    pub has_default: bool,
    /// The default's expression, where the column has one.
    pub default: Option<String>,
    /// What a generated column is computed from.
    pub generation: Option<String>,
    /// Whether it is computed from other columns, and can never be written.
    pub generated: bool,
    /// Whether it is `GENERATED ALWAYS AS IDENTITY`: written once, with a word for it.
    pub identity_always: bool,
    /// The sequence that numbers it, as text for `regclass`.
    pub sequence: Option<String>,
    /// Whether this role may move that sequence.
    pub may_set_sequence: bool,
    /// Whether this role may read it.
    pub readable: bool,
}

/// How values of a column are read and compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum ColumnKind {
    /// Anything else.
    #[default]
    Scalar,
    /// `json`, whose spelling the database keeps, and which has no equality.
    Json,
    /// `jsonb`.
    Jsonb,
    /// Text of any length, whose every spelling is a value of its own.
    Text,
    /// `name` and `"char"`, which cut what is too long without a word.
    Cut,
    /// `smallint`, `integer`, `bigint`.
    Integer,
    /// `uuid`.
    Uuid,
    /// A date, a time or both.
    Time,
    /// An array.
    Array,
    /// An array of `json` or `jsonb`.
    ArrayOfJson,
    /// A composite type.
    Composite,
}

impl ColumnKind {
    /// Whether values are JSON.
    pub fn is_json(self) -> bool {
        matches!(self, ColumnKind::Json | ColumnKind::Jsonb)
    }
}

/// A unique index.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UniqueIndex {
    /// Its name.
    pub name: String,
    /// Its parts: a column, or an expression in parentheses as the database spells it.
    pub parts: Vec<(Option<String>, String)>,
    /// Which rows it covers, all where it is absent.
    pub predicate: Option<String>,
    /// For an exclusion, the operator of each part that must not hold for two rows; none for equality.
    pub exclusion: Vec<String>,
    /// Whether two rows with NULL are the same to it.
    pub nulls_equal: bool,
    /// Whether it is a constraint that can be judged at the end of a transaction.
    pub deferrable: bool,
    /// Whether it is the primary key's.
    pub primary: bool,
}

/// A check of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CheckFacts {
    /// The constraint's name.
    pub name: String,
    /// The columns that it reads.
    pub columns: Vec<String>,
    /// What has to hold, as the database spells it.
    pub expression: String,
}

/// What a foreign key does when the row referred to goes or changes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnChange {
    /// It is refused, at the end of the statement or of the transaction.
    #[default]
    Refuse,
    /// The referring rows go or change too.
    Cascade,
    /// Their columns become NULL.
    SetNull,
    /// Their columns become their default.
    SetDefault,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The constraint's name.
    pub name: String,
    /// The referring table.
    pub from: TableName,
    /// Referring columns.
    pub columns: Vec<String>,
    /// The table referred to.
    pub to: TableName,
    /// The columns referred to.
    pub to_columns: Vec<String>,
    /// For each pair of columns the operator that compares the referred with the referring one.
    pub equal: Vec<String>,
    /// Whether it is refused at once, and not when the transaction ends: `RESTRICT`, on a delete.
    pub restricts: bool,
    /// What happens when the row referred to is deleted.
    pub on_delete: OnChange,
    /// What happens when its columns change.
    pub on_update: OnChange,
    /// Whether all of its columns must be NULL where one is.
    pub match_full: bool,
    /// Whether it can be judged at the end of a transaction.
    pub deferrable: bool,
}

impl TableFacts {
    /// The column lists that the database holds unique for every row, the primary key first.
    pub fn keys(&self) -> impl Iterator<Item = &Vec<String>> {
        std::iter::once(&self.primary_key).chain(&self.unique_keys).filter(|columns| !columns.is_empty())
    }
}

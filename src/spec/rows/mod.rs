//! `rows`: what is declared of tables.
//!
//! ```text
//! rows:
//!   cms.articles:                                 a list of rows: mode upsert
//!     - key: { slug: travel, locale: en }
//!       values: { author_id: { row: cms.authors, key: { handle: cy } }, weight: 1.10, doc: !json null }
//!       computed: [updated_at]
//!     - key: { slug: old, locale: en }
//!       absent: true
//!   "v1.2".flags: { mode: insert, rows: [ … ] }
//!   public.countries: { mode: sync, from: data/countries.csv, key: [code], where: { region: eu }, max_delete: 5 }
//! ```
//!
//! - A value keeps the characters of the file; the column gives it a type. What JSON cannot spell is an error only to a column
//!   of JSON, and so not here.
//! - Rows of one table that name the same columns are one [`RowSet`](crate::model::RowSet), in the order of the files.
//! - A key is columns with scalars, null, or rows that are referred to by their own key.
//!
//! *Not here:* data files (`data`), whether tables and columns exist, and what a value means to its column.

mod row;
mod sets;
mod table;
mod value;

/// Keys of a table that is not a list of rows.
pub(super) const TABLE_KEYS: &[&str] = &["mode", "rows", "from", "key", "where", "max_delete", "computed"];
/// Keys of a row.
pub(super) const ROW_KEYS: &[&str] = &["key", "values", "absent", "computed"];
/// How many rows a `sync` may delete where it does not say.
pub(super) const DEFAULT_MAX_DELETE: u64 = 100;

pub(super) use sets::{join, push, report_twice};
pub(super) use table::{FromFile, TableRows, table_rows};

//! Rows: from declared values to changes.
//!
//! ```text
//! RowSet ── type_rows ──▶ Batch ── (observe: the database matches and compares) ──▶ RowSeen ── row_changes ──▶ Change
//! ```
//!
//! Which declared row is which live one, and whether they differ, only the database knows: it has the equality of each
//! type. What is decided here is what follows from its answer.

pub mod identity;
mod judge;
pub mod shape;
mod typed;

pub(super) use judge::row_changes;
pub use judge::{left_empty, required, row_address, say_once};
pub use typed::{
    Catalog, Typed, index_text, is_canonical, is_present, is_recorded, type_rows, unknown_column, unknown_table,
};

//! Reads both stores. Never writes.
//!
//! PostgreSQL is read inside one transaction that the caller opened: a `REPEATABLE READ` snapshot for a plan, the main
//! transaction for an apply. Every query is set-based. Memory holds the facts of the units, never their bodies: those
//! are read in batches and cut into chunks at once.
//!
//! ```text
//! catalog, gates, managed, units ──▶ resolve ──▶ rows, references ──▶ points, ledger ──▶ texts of some units
//! ```

mod ask;
mod binding;
mod catalog;
mod error;
mod expressions;
mod guards;
mod live;
mod managed;
mod merge;
mod recorded;
mod points;
mod retention;
pub(crate) mod rows;
mod seal;
mod settled;
mod snapshot;
mod texts;
mod touched;
mod unit_ids;
mod units;
mod vectors;
mod writers;

pub use ask::ask;
pub use binding::binding_in_use;
pub(crate) use catalog::read_only_tables;
pub use catalog::{read_catalog, read_known};
pub use error::ObserveError;
pub use expressions::may_lock_units;
pub use live::read_live;
pub use managed::{read_epoch, read_gates, read_managed, read_session_user};
pub use points::{ComparePoints, Depth};
pub use recorded::{RecordedSets, read_record_sums, read_recorded, read_recorded_before};
pub use retention::has_come;
pub use rows::read_recorded_rows;
pub(crate) use rows::read_references;
pub use seal::{Sealing, seal_collection};
pub use settled::{may_be_settled, observe_settled, seen};
pub use snapshot::{Observation, Request, observe, observe_tried, observe_writes, read_tried_units};
pub use texts::{UnitTexts, cut as cut_unit, read_bodies};
pub use touched::{read_sequences, seal_tables, touched_tables};
pub use units::{UnitFilter, find_in_other_state, read_units};
pub use vectors::{PAGE, ReadPoints, read_all_ids, read_ids, read_ledger, read_said};

//! Reads both stores. Never writes.
//!
//! PostgreSQL is read inside one transaction that the caller opened: a `REPEATABLE READ` snapshot for a plan, the main
//! transaction for an apply. Every query is set-based. Memory holds the facts of the units that are not as the last apply left
//! them, never their bodies: those are read in batches and cut into chunks at once.
//!
//! ```text
//! catalog, gates, managed, points ──▶ units that differ ──▶ resolve ──▶ rows, references ──▶ ledger ──▶ texts of some units
//! ```

mod ask;
mod binding;
mod catalog;
mod differing;
mod error;
mod expressions;
mod guards;
mod live;
mod managed;
mod merge;
mod recipes;
mod recorded;
mod points;
mod retention;
pub(crate) mod rows;
mod seal;
mod snapshot;
mod stands_on;
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
pub use differing::{belong_to_unread, count_recorded, differing_units, keeps_seen, seen, strayed_units};
pub use error::ObserveError;
pub use expressions::may_lock_units;
pub use live::read_live;
pub use managed::{read_epoch, read_gates, read_managed, read_managed_without_units, read_session_user};
pub use points::{ComparePoints, Depth};
pub use recorded::{RecordedSets, read_record_sums, read_recorded, read_recorded_before, read_recorded_of};
pub use retention::has_come;
pub use rows::read_recorded_rows;
pub(crate) use rows::read_references;
pub use seal::{Sealing, seal_collection};
pub use snapshot::{Observation, Request, UnitsRead, observe, observe_tried, observe_writes, read_tried_units};
pub use stands_on::{ChosenUnits, UnitSeen};
pub use texts::{UnitTexts, cut as cut_unit, read_bodies};
pub use touched::{read_sequences, seal_tables, touched_tables};
pub use units::{UnitFilter, find_in_other_state, read_units};
pub use vectors::{PAGE, ReadPoints, read_all_ids, read_ids, read_ledger, read_said};

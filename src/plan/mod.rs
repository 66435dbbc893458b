//! Expands changes into ordered steps, lint findings and the saved plan. Pure.
//!
//! The saved plan says everything: an apply reads it and the journal, never the YAML, and makes no choice of its own. Its
//! bytes depend on its input alone, so it holds no time, no random number and no path of the machine.

mod addresses;
mod baseline;
mod build;
mod calls;
mod cost;
mod declared;
mod derive;
mod fields;
mod file;
mod guards;
mod links;
mod lint;
mod moves;
mod order;
mod partial;
mod pinning;
mod pins;
mod records;
mod revert;
mod row_records;
mod rows;
mod saved;
mod schema;
mod sets;
mod step;
mod summary;

pub use baseline::{UnitsBaseline, UnitsNow, collection_shape, managed_under};
pub use build::{BuildInput, Built, Unsigned, build};
pub use cost::{EmbeddingCost, EmbeddingTerms, embedding_costs};
pub use derive::{Parts, derive};
pub use fields::fields_used;
pub use links::{Group, Link, RowAction};
pub use lint::LONG_LOCK;
pub use partial::{Kept, Partial, narrow};
pub use pins::{LeftRow, NeedKind, NeedPin, Pins, RecordedPin, RowsPin, SelectionPin, SetPin};
pub use revert::{AppliedRun, Forward, WayBack, desired_before, sets_before};
pub use saved::{
    Baseline, CollectionBaseline, EnvironmentPin, FORMAT_MAJOR, FORMAT_VERSION, LoadError, RowBaseline, SavedPlan,
    UnitMade,
};
pub use schema::{plan_line_schema, plan_schema};
pub use step::{
    CallsWork, GateWork, ManagedWrite, PairedWork, Parameter, Phase, RUN_MARKER, RowBatch, RowWrite, RowsForgotten,
    RowsKept, RowsRecord, RowsWork, SetDeclared, Step, TransitionBy, TransitionsWork, UpdateWork, VectorMaker,
    VectorWork, Work,
};
pub use summary::{LifecycleCounts, Summary, VectorCounts};

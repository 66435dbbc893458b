//! Compares desired with observed state. Pure.
//!
//! ```text
//! Desired + Binding + units + managed ── resolve ──▶ Resolved   (promotions expanded, selections pinned, ids derived)
//! Resolved + Observed ───────────────── compare ──▶ Comparison (changes, findings, what was compared)
//! ```
//!
//! Selections are evaluated against the state that the plan will produce: `resolve` first finds what promotions will move,
//! and a vector set then sees each unit in the state it will have.

mod adopt;
mod change;
pub mod codes;
mod compare;
mod drift;
mod edited;
mod expand;
mod expect;
mod functions;
mod guards;
mod ids;
mod ledger;
mod limits;
mod own_writes;
mod protected;
mod resolve;
mod risks;
mod rollout;
pub mod rows;
mod scope;
mod selections;
mod shape;
mod sql_words;
mod taken_ids;
mod vectors;

pub use adopt::{AdoptInput, adopt};
pub use change::{
    Change, ChangeDetail, ChunkPlan, ChunkSource, CollectionChange, FieldChange, Finding, GoBack, LedgerWrite, Reason,
    RowChange, UnitPoints, VectorChange,
};
pub use compare::{Comparison, compare};
pub use drift::{Drift, DriftKind, SomeUnits};
pub use edited::PromotionText;
pub use functions::check_functions;
pub use guards::old_rows;
pub use ids::{derive_id, set_hash};
pub use own_writes::{OwnWrites, own_writes, used_fields};
pub(crate) use resolve::selected;
pub use resolve::{PromotionRecord, Resolved, ResolvedPromotion, check_target, is_as_declared, resolve};
pub use risks::counted;
pub use rollout::{IN_PLACE_PERCENT, IN_PLACE_POINTS};
pub use scope::APPLY_TIME;
pub use selections::{all_selections, check_names, used_selections};
pub use shape::{Shape, shape_differences};
pub use vectors::{is_as_applied, live_collection, units_needing_text};

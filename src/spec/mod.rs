//! Reads plan files and `enact.yaml` into the model, with a place for everything and every mistake in one go.
//!
//! ```text
//! text ── yaml ──▶ tree ── walk + one module for each section ──▶ PlanFile ── merge ──▶ Desired
//! ```
//!
//! - Whatever the bytes, the answer is a value or diagnostics with codes (`codes`), never a panic.
//! - Every error of every file is collected before the loading gives up; only text that is not YAML ends its file.
//! - The result does not depend on the order of keys or files, apart from the places it carries.
//! - Only `enact.yaml` names connections and secrets; a plan file has no key for either and no substitution.
//!
//! *Not here:* whether fields, tables or states exist (`observe` and `plan` know), and any connection.

pub mod codes;
mod load;
mod merge;
mod plan_file;
mod promotion;
mod rows;
mod scalar;
mod selection;
mod sources;
mod tree;
mod vectors;
mod walk;
mod yaml;

pub use load::{load_plans, parse_plan};
pub use sources::Sources;

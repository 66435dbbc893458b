//! Reads plan files and `enact.yaml` into the model, with a place for everything and every mistake in one go.
//!
//! ```text
//! text ── yaml ──▶ tree ── walk + one module for each section ──▶ PlanFile ──┬── merge ──▶ Desired
//!                                              data file ── data ──▶ rows ───┘
//! ```
//!
//! - Whatever the bytes, the answer is a value or diagnostics with codes (`codes`), never a panic.
//! - Every error of every file is collected before the loading gives up; only text that is not YAML ends its file.
//! - The result does not depend on the order of keys or files, apart from the places it carries.
//! - Only `enact.yaml` names connections and secrets; a plan file has no key for either and no substitution.
//!
//! *Not here:* whether fields, tables or states exist (`observe` and `plan` know), and any connection.

mod binding;
mod binding_check;
mod checks;
pub mod codes;
mod config;
mod data;
mod env_file;
mod environment;
mod format;
mod gates;
mod hide;
mod load;
mod merge;
mod plan_file;
mod promotion;
mod protect;
mod retention;
mod rows;
mod scalar;
pub mod schema;
mod schema_guards;
mod schema_rows;
mod schema_shape;
pub mod secret;
mod selection;
mod sources;
mod tree;
mod vectors;
mod walk;
mod write;
mod yaml;

pub use binding::load_binding;
pub use config::{Config, load_config};
pub use data::is_data_file;
pub use env_file::EnvFile;
pub use environment::span_seconds;
pub use format::format_plan;
pub use load::{load_plans, load_plans_in, load_plans_with, parse_plan, read_plan_texts};
pub use sources::Sources;
pub use write::{Comments, plan_text};

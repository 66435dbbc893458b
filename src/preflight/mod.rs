//! Probes, live, every channel that a plan will use, and says what was found, as whom, and what to change. Never writes.
//!
//! ```text
//! SavedPlan ── needs ──▶ Needs      what each step reads, writes and calls, and as which role. Pure.
//! Needs ── postgres, qdrant, makers ──▶ Found    one probe each, with a code and a place where it fails
//! [Found] ── Preflight::of ──▶ Preflight         plain data: what a run keeps and people read
//! ```
//!
//! - Nothing is believed from a file: a privilege is asked of the server, for the role that will use it.
//! - Queries are set-based: one for all table privileges, one for all function privileges, one for all roles.
//! - A need is exactly what a step does. An insert needs no SELECT; an update needs SELECT of its key's columns, since it
//!   compares them; where only columns are granted, columns are what counts. A function's own statements are its owner's matter.
//! - What is missing comes with the statement that grants it.
//! - What cannot be known without a write is not tried: a plain API key of Qdrant says nothing about itself.
//!
//! *Not here:* opening connections (`store` says what is wrong there), and names that do not exist at all, which stop a plan
//! while it is observed and compared.

mod catalog;
pub mod codes;
mod found;
mod grants;
mod judge;
mod makers;
mod needs;
mod postgres;
mod qdrant;
mod secrets;
#[cfg(test)]
mod tests;

pub use found::{Area, Found, PREFLIGHT_VERSION, Preflight, Probe, Verdict, diagnostics, diagnostics_of_reader};
pub use makers::probe_makers;
pub use needs::{Columns, FunctionNeed, Needs, Places, RoleName, SetNeed, SetWay, TableNeed};
pub use postgres::{PostgresScope, probe_postgres, unreachable_postgres};
pub use qdrant::{QdrantScope, probe_qdrant, unreachable_qdrant};
pub use secrets::probe_secrets;

//! Enact: plan and apply for a governed knowledge base in PostgreSQL and Qdrant.
//!
//! The module list below is in dependency order: a module uses only modules above it.

pub mod apply;
pub mod chunk;
pub mod cli;
pub mod diff;
pub mod embed;
pub mod graph;
#[cfg(feature = "embedded")]
pub mod local;
pub mod model;
pub mod observe;
pub mod plan;
pub mod report;
pub mod spec;
pub mod store;
pub mod verify;

//! Enact: plan and apply for a governed knowledge base in PostgreSQL and Qdrant.
//!
//! The module list below is in dependency order: a module uses only modules above it.

pub mod model;
pub mod spec;
pub mod graph;
pub mod store;
pub mod chunk;
pub mod embed;
pub mod points;
pub mod diff;
pub mod recognise;
pub mod observe;
pub mod plan;
pub mod planner;
pub mod preflight;
pub mod apply;
pub mod verify;
pub mod report;
#[cfg(feature = "embedded")]
pub mod local;
pub mod cli;

//! One module for each command.

pub mod apply;
pub mod approve;
pub mod completions;
#[cfg(feature = "embedded")]
pub mod demo;
pub mod drift;
pub mod export;
pub mod fmt;
pub mod graph;
pub mod import;
pub mod init;
#[cfg(feature = "embedded")]
pub mod local;
pub mod man;
pub mod plan;
pub mod preflight;
pub mod rehearse;
pub mod resume;
pub mod revert;
pub mod search;
pub mod show;
pub mod status;
pub mod validate;
pub mod verify;
pub mod version;

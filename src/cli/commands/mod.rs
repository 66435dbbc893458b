//! One module for each command.

pub mod completions;
pub mod show;
pub mod validate;
pub mod version;

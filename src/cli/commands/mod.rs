//! One module for each command.

pub mod apply;
pub mod completions;
pub mod init;
pub mod plan;
pub mod resume;
pub mod show;
pub mod validate;
pub mod version;

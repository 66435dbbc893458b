//! What tests of several modules start, and what they feed it.

pub mod browser;
#[cfg(feature = "embedded")]
pub mod plans;
pub mod postgres;
#[cfg(feature = "embedded")]
pub mod project;
pub mod server;

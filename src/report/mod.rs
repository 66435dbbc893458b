//! Renders plans, runs and errors for people and machines. The only place with styles.

mod diagnostic;

pub use diagnostic::{Color, render_diagnostics};

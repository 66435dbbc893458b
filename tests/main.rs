//! All integration tests, in one executable: it is linked once, and what needs no other runs beside it.
//!
//! A test is a function with `#[test]` in one of these modules; the attribute is the suite's own (`attribute/lib.rs`), and
//! `harness` says how they are run.
//!
//! ```text
//! cargo test --release --test suite                        all of them
//! cargo test --release --test suite kills::                one module
//! cargo test --release --test suite faults:: -- --nocapture
//! ```

#[macro_use]
extern crate enact_test_attribute;

mod harness;
mod support;

mod browser;
mod examples;
mod report;
mod spec_errors;
mod tidy;

#[cfg(feature = "embedded")]
mod approve;
#[cfg(feature = "embedded")]
mod crash;
#[cfg(feature = "embedded")]
mod cycle;
#[cfg(feature = "embedded")]
mod demo;
#[cfg(feature = "embedded")]
mod documents;
#[cfg(feature = "embedded")]
mod faults;
#[cfg(feature = "embedded")]
mod field;
#[cfg(feature = "embedded")]
mod field_plans;
#[cfg(feature = "embedded")]
mod golden_plans;
#[cfg(all(feature = "embedded", target_os = "linux"))]
mod kills;
#[cfg(feature = "embedded")]
mod partial;
#[cfg(feature = "embedded")]
mod points;
#[cfg(feature = "embedded")]
mod plan_file;
#[cfg(feature = "embedded")]
mod postgres15;
#[cfg(feature = "embedded")]
mod preflight;
#[cfg(feature = "embedded")]
mod qdrant;
#[cfg(feature = "embedded")]
mod reference_schema;
mod sessions;
#[cfg(feature = "embedded")]
mod rows;
#[cfg(feature = "embedded")]
mod rows_reference;
#[cfg(feature = "embedded")]
mod transcripts;
#[cfg(feature = "embedded")]
mod units;
#[cfg(feature = "embedded")]
mod verdicts;
#[cfg(feature = "embedded")]
mod worlds;

fn main() -> std::process::ExitCode {
    harness::main()
}

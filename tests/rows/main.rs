//! Rows of tables as PostgreSQL has them.
//!
//! ```text
//! YAML ─▶ engine (the library, without the command line) ─▶ PostgreSQL of a version, a database for each case
//!                                                       └▶ a vector store that holds nothing
//! ```
#![cfg(feature = "embedded")]

#[path = "../support/postgres.rs"]
mod postgres;

mod base;
mod engine;
mod generated;
mod nothing;
mod types;

use base::Version;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test]
fn column_types_come_back_on_postgresql_13() {
    runtime().block_on(types::check(13));
}

#[test]
fn column_types_come_back_on_postgresql_14() {
    runtime().block_on(types::check(14));
}

#[test]
fn column_types_come_back_on_postgresql_15() {
    runtime().block_on(types::check(15));
}

#[test]
fn column_types_come_back_on_postgresql_16() {
    runtime().block_on(types::check(16));
}

#[test]
fn column_types_come_back_on_postgresql_17() {
    runtime().block_on(types::check(17));
}

#[test]
fn column_types_come_back_on_postgresql_18() {
    runtime().block_on(types::check(18));
}

#[test]
fn what_is_generated_is_applied_or_refused_as_postgresql_says() {
    generated::check(&runtime(), "generated", Version::Any);
}

#[test]
fn what_is_generated_is_applied_or_refused_on_the_oldest_postgresql() {
    generated::check(&runtime(), "oldest", Version::Major(13));
}

#[test]
fn what_is_generated_is_applied_or_refused_on_the_newest_postgresql() {
    generated::check(&runtime(), "newest", Version::Major(18));
}

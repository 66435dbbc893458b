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

/// How much of the grammar plans are written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grammar {
    /// Lists of rows.
    Lists,
    /// Modes, files, references by natural key, keys of any unique index, and JSON's own null too.
    Whole,
}

/// What the engine knows, unless `ENACT_ROWS_GRAMMAR=whole` asks for more.
pub fn grammar() -> Grammar {
    match std::env::var("ENACT_ROWS_GRAMMAR").as_deref() {
        Ok("whole") => Grammar::Whole,
        Ok(other) => panic!("ENACT_ROWS_GRAMMAR={other}"),
        Err(_) => Grammar::Lists,
    }
}

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

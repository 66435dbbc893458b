//! Rows of tables as PostgreSQL has them.
//!
//! ```text
//! YAML ─▶ engine (the library, without the command line) ─▶ PostgreSQL of a version, a database for each case
//!                                                       └▶ a vector store that holds nothing
//! ```

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

/// All of it, unless `ENACT_ROWS_GRAMMAR=lists` asks for less.
pub fn grammar() -> Grammar {
    match std::env::var("ENACT_ROWS_GRAMMAR").as_deref() {
        Ok("lists") => Grammar::Lists,
        Ok(other) => panic!("ENACT_ROWS_GRAMMAR={other}"),
        Err(_) => Grammar::Whole,
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

#[test(releases)]
fn column_types_come_back_on_postgresql_13() {
    runtime().block_on(types::check(13));
}

#[test(releases)]
fn column_types_come_back_on_postgresql_14() {
    runtime().block_on(types::check(14));
}

#[test(releases)]
fn column_types_come_back_on_postgresql_15() {
    runtime().block_on(types::check(15));
}

#[test(releases)]
fn column_types_come_back_on_postgresql_16() {
    runtime().block_on(types::check(16));
}

#[test(releases)]
fn column_types_come_back_on_postgresql_17() {
    runtime().block_on(types::check(17));
}

#[test(releases)]
fn column_types_come_back_on_postgresql_18() {
    runtime().block_on(types::check(18));
}

#[test(postgres)]
fn what_is_generated_is_applied_or_refused_as_postgresql_says() {
    generated::check(&runtime(), "generated", Version::Any);
}

#[test(releases)]
fn what_is_generated_is_applied_or_refused_on_the_oldest_postgresql() {
    generated::check(&runtime(), "oldest", Version::Major(13));
}

#[test(releases)]
fn what_is_generated_is_applied_or_refused_on_the_newest_postgresql() {
    generated::check(&runtime(), "newest", Version::Major(18));
}

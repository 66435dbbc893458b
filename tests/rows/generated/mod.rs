//! Generated databases and plans: what Enact does with them is what PostgreSQL says that can be done.
//!
//! ```text
//! bytes (proptest) ─▶ tables, plans ─▶ Case ─▶ ddl  ─▶ a database
//!                                        │└──▶ yaml ─▶ plan, apply, plan, revert          (what Enact does)
//!                                        └───▶ work ─▶ oracle: by hand, and rolled back   (what can be done)
//!                                                            └▶ judged: one against the other
//! ```
//!
//! - A case has 1 to 5 tables: keys of one and of two columns, identities, natural keys, foreign keys to earlier, later and the same
//!   table, domains, defaults, generated columns, and triggers of four kinds. A third of the cases is wild: with values that no
//!   domain takes, references to nothing, and columns left out that may not be.
//! - The oracle knows no rule of PostgreSQL: it tries. What it says is in [`oracle::Verdict`].
//! - Nothing but what the plan names may change: every column of every row is compared with what the oracle made.
//! - A test that took everything for refused, or refused nothing, would be none: `Counts` says how many of which there must be.
//!
//! | variable | |
//! | --- | --- |
//! | `ENACT_ROWS_CASES=500` | so many cases, others each time: the long form |
//! | `ENACT_ROWS_SEED=…` | the cases of an earlier run |
//! | `ENACT_ROWS_CASE=17` | this one alone, printed whole |
//! | `ENACT_ROWS_GRAMMAR=lists` | without modes, files, and references by natural key |
//!
//! `cargo test --release --test suite rows:: -- --nocapture` prints the counts.

mod ddl;
mod draw;
mod judged;
mod oracle;
mod photo;
mod plans;
mod run;
mod schema;
mod smaller;
mod stage;
mod tables;
mod values;
mod work;
mod yaml;

pub use run::check;

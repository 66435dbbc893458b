//! Generated worlds: what Enact says of files, record and stores is what a table says of them.
//!
//! ```text
//! bytes (proptest) ─▶ a start and acts ─┬▶ model  ──▶ oracle ──▶ verdicts
//!                                       └▶ stage: two projects, a database, sets ──▶ plan, verify, drift, apply, revert
//!                                                                                      one against the other (play)
//! ```
//!
//! - A world has two projects on one database and one vector server: rows of two tables in all modes, one to three vector sets over a
//!   table of documents, promotions, and a protected table.
//! - Acts change files, change the stores behind Enact's back, apply, go back, and apply plans that were saved before the last act.
//! - After each act `plan`, `verify` and `drift` of both projects are compared with the oracle, resource by resource; after each
//!   apply every row, document and point is.
//! - A world ends where Enact is known to say something else ([`known`]).
//! - Where something fails, acts are left out as long as it fails in the same way; what is left is printed as files and commands.
//!
//! | variable | |
//! | --- | --- |
//! | `ENACT_WORLDS_CASES=500` | so many worlds, others each time: the long form |
//! | `ENACT_WORLDS_SEED=…` | the worlds of an earlier run |
//! | `ENACT_WORLDS_CASE=17` | this one alone, printed |

mod acts;
mod known;
mod oracle;
mod play;
mod run;
mod stage;
mod stale;
mod words;
mod world;

#[test(postgres)]
fn what_is_said_of_generated_worlds_is_what_the_table_says() {
    run::check();
}

#[test(postgres)]
fn each_known_deviation_is_met_in_a_small_world() {
    run::check_known();
}

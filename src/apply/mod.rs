//! Executes a saved plan.
//!
//! ```text
//! machine   next(plan, fold(journal)): the one place that decides what comes next. Pure.
//! journal   what has been intended and done, in PostgreSQL
//! lease     one runner at a time, by a session advisory lock
//! stage     makes points that nobody sees yet, in new collections or kept in PostgreSQL (`spool`, `image`, `flow`)
//! record    what runs leave behind, read for people
//! recheck   locks what the plan read and compares it with the baseline
//! work      the steps inside the transaction
//! guards    checks and protections, judged before the decision
//! in_place  writes points into live collections while it is open, and puts back what was there
//! trial     does what a plan writes to units, and takes it back: for plans that change what they index
//! run       does what the machine says: `effects`, `event`, `stop`
//! approval  who let a plan be applied, and whether that is enough
//! rehearse  everything up to the decision, then back
//! standing  where an unfinished run stands, in words. Pure.
//! unfinished  the run that is not closed, as a command of another plan meets it
//! ```
//!
//! PostgreSQL's commit is the decision. Before it, a failure anywhere goes back to exactly the state before: the transaction
//! is rolled back, staged collections are removed and points that were written in place are put back. After it, only
//! forward: aliases are switched, old collections go.
//! Every effect has a durable intent before it and can be repeated.

mod approval;
mod effects;
mod error;
mod event;
mod flow;
mod guards;
mod image;
mod in_place;
mod journal;
mod lease;
mod left;
mod machine;
mod recheck;
mod record;
mod record_points;
mod rehearse;
mod row_record;
mod rows;
mod run;
mod schema;
mod schema_points;
mod spool;
mod stage;
mod standing;
mod stop;
mod trial;
mod types;
mod unfinished;
mod work;

pub use approval::{Approval, ApprovalState, Approvals, approve, plan_approvals, revoke};
pub use error::ApplyError;
pub use event::{Event, Events};
pub use journal::{Entry, RunRow, read_entries, read_probed, read_runs, read_unfinished};
pub use lease::{LEASE_KEY, Lease};
pub use left::{LeftBehind, read_left_behind};
pub use machine::{Effect, Outcome, RunState, fold, next};
pub use recheck::still_holds;
pub use record::{
    ApprovalRow, RunLine, RunRecord, Stretch, TimedEntry, find_runs, read_history, read_record, stretches,
};
pub use rehearse::{Contents, Pass, Refusals, Rehearsal, units_moved};
pub use run::{RunEnd, Runner};
pub use schema::{SCHEMA_VERSION, init, init_sql, schema_version, upgrade, upgrade_where_possible};
pub use standing::Standing;
pub use stop::Stop;
pub use trial::StepsTried;
pub use unfinished::{UnfinishedRun, find_unfinished};

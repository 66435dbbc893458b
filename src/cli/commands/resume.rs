//! `enact resume`: finishes an interrupted run, or takes it back.

use std::time::Duration;

use super::apply::{failed, report, runner};
use crate::apply::{Event, RunEnd};
use crate::cli::args::{GlobalArgs, ResumeArgs};
use crate::cli::session::{Session, configure, in_session};
use crate::cli::{Outcome, Output};

/// Finishes the unfinished run or takes it back, if there is one.
pub fn run(global: &GlobalArgs, args: &ResumeArgs, output: &Output) -> Outcome {
    let resume = async |session: &mut Session| {
        let events = |event: Event| output.event(&event);
        output.doing("Taking the lock");
        let patience = Duration::from_secs(global.lock_timeout);
        let mut runner = runner(session, &events);
        let end = if args.abort { runner.abort(patience).await } else { runner.resume(patience).await };
        Ok(match end.map_err(|error| failed(&error, output))? {
            Some(RunEnd::Undone { run, .. }) if args.abort => {
                output.result(&format!("Run {run} was taken back. Both stores are as they were before it.\n"));
                Outcome::Success
            }
            Some(end) => report(&end, output),
            None => {
                output.result("No run is unfinished. Nothing to do.\n");
                Outcome::Success
            }
        })
    };
    configure(global, output).and_then(|it| in_session(it, global, output, resume)).unwrap_or_else(|outcome| outcome)
}

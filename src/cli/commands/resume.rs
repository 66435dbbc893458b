//! `enact resume`: finishes an interrupted run.

use std::time::Duration;

use super::apply::{failed, report, runner};
use crate::apply::Event;
use crate::cli::args::GlobalArgs;
use crate::cli::session::{Session, configure, in_session};
use crate::cli::{Outcome, Output};

/// Finishes the unfinished run, if there is one.
pub fn run(global: &GlobalArgs, output: &Output) -> Outcome {
    let resume = async |session: &mut Session| {
        let events = |event: Event| output.event(&event);
        output.doing("Taking the lock");
        let end = runner(session, &events).resume(Duration::from_secs(global.lock_timeout)).await;
        match end.map_err(|error| failed(&error, output))? {
            Some(end) => Ok(report(&end, output)),
            None => {
                output.result("No run is unfinished. Nothing to do.\n");
                Ok(Outcome::Success)
            }
        }
    };
    configure(global, output).and_then(|it| in_session(it, global, output, resume)).unwrap_or_else(|outcome| outcome)
}

//! `enact resume`: finishes an interrupted run.

use std::time::Duration;

use super::apply::{failed, report, runner};
use crate::apply::Event;
use crate::cli::args::GlobalArgs;
use crate::cli::session::{Session, block_on, configure};
use crate::cli::{Outcome, Output};

/// Finishes the unfinished run, if there is one.
pub fn run(global: &GlobalArgs, output: &Output) -> Outcome {
    let configured = match configure(global, output) {
        Ok(configured) => configured,
        Err(outcome) => return outcome,
    };
    block_on(async {
        let mut session = match Session::open(configured, global, output).await {
            Ok(session) => session,
            Err(outcome) => return outcome,
        };
        let events = |event: Event| output.event(&event);
        output.doing("Taking the lock");
        let end = runner(&mut session, &events).resume(Duration::from_secs(global.lock_timeout)).await;
        let outcome = match end {
            Ok(Some(end)) => report(&end, output),
            Ok(None) => {
                output.result("No run is unfinished. Nothing to do.\n");
                Outcome::Success
            }
            Err(error) => failed(&error, output),
        };
        session.close(output).await;
        outcome
    })
}

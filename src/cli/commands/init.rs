//! `enact init`: the schema `enact` in the environment's database.

use crate::apply::init;
use crate::cli::args::GlobalArgs;
use crate::cli::session::{Session, block_on, configure, store_failed};
use crate::cli::{Outcome, Output};

/// Creates or upgrades the schema.
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
        let outcome = match init(&mut session.postgres).await {
            Ok(made) => {
                let what = if made { "created" } else { "there already, nothing to do" };
                output.result(&format!("Schema \"enact\" of environment \"{}\": {what}.\n", session.environment.name));
                Outcome::Success
            }
            Err(error) => store_failed(output, &error),
        };
        session.close(output).await;
        outcome
    })
}

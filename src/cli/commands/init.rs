//! `enact init`: the schema `enact` in the environment's database.

use crate::apply::init;
use crate::cli::args::GlobalArgs;
use crate::cli::session::{Session, configure, in_session, store_failed};
use crate::cli::{Outcome, Output};

/// Creates or upgrades the schema.
pub fn run(global: &GlobalArgs, output: &Output) -> Outcome {
    let init = async |session: &mut Session| {
        let made = init(&mut session.postgres).await.map_err(|error| store_failed(output, &error))?;
        let what = if made { "created" } else { "there already, nothing to do" };
        output.result(&format!("Schema \"enact\" of environment \"{}\": {what}.\n", session.environment.name));
        Ok(Outcome::Success)
    };
    configure(global, output).and_then(|it| in_session(it, global, output, init)).unwrap_or_else(|outcome| outcome)
}

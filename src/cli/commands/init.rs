//! `enact init`: the schema `enact` in the environment's database, or the statements for it.

use crate::apply::{init, init_sql};
use crate::cli::args::{GlobalArgs, InitArgs};
use crate::cli::session::{Session, configure, in_session, store_failed};
use crate::cli::{Outcome, Output};

/// Creates or upgrades the schema, or prints what an owner has to run.
pub fn run(global: &GlobalArgs, args: &InitArgs, output: &Output) -> Outcome {
    if args.print_sql {
        output.result(&init_sql(&args.grant_to));
        return Outcome::Success;
    }
    let init = async |session: &mut Session| {
        let made = init(&mut session.postgres).await.map_err(|error| store_failed(output, &error))?;
        let what = if made { "created" } else { "there already, nothing to do" };
        output.result(&format!("Schema \"enact\" of environment \"{}\": {what}.\n", session.environment.name));
        Ok(Outcome::Success)
    };
    configure(global, output).and_then(|it| in_session(it, global, output, init)).unwrap_or_else(|outcome| outcome)
}

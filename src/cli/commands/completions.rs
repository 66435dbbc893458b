//! `enact completions SHELL`: the script that a shell completes with.

use clap::CommandFactory;

use crate::cli::args::{Args, CompletionsArgs};
use crate::cli::{Outcome, Output};

/// Writes the script.
pub fn run(args: &CompletionsArgs, output: &Output) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Args::command(), "enact", &mut script);
    output.result(&String::from_utf8_lossy(&script));
    Outcome::Success
}

//! The command line. The only place that prints or prompts.
//!
//! ```text
//! arguments ── args ──▶ Command ── commands/* ──▶ Outcome ──▶ last line on stderr, exit code
//! ```
//!
//! Each command is one function that prints its result and answers with an [`Outcome`]; the verdict and the exit code
//! both come from that value. Results go to stdout, everything else to stderr.

pub mod args;
pub mod commands;
mod events;
mod exit;
mod file;
mod interrupt;
mod output;
mod probing;
mod progress;
mod prompt;
mod reach;
mod session;
mod stream;
mod unfinished;

use std::ffi::OsString;
use std::io::Write;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

use clap::Parser;
use clap::error::ErrorKind;

use args::{Args, Command, ValidateArgs};
pub use exit::Outcome;
pub use output::{Output, Purpose, Reader};
pub use prompt::{Answer, PromptError, confirm};

/// Runs one command line, of which the first argument is the program's name.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Outcome {
    let args = match Args::try_parse_from(arguments) {
        Ok(args) => args,
        Err(error) => return refuse(&error),
    };
    let (purpose, reader) = args.command.manner();
    let output = Output::new(&args.global, reader, purpose);
    output.end(dispatch(&args, &output))
}

fn dispatch(args: &Args, output: &Output) -> Outcome {
    match &args.command {
        Command::Init(init) => commands::init::run(&args.global, init, output),
        Command::Plan(plan) => commands::plan::run(&args.global, plan, output),
        Command::Preflight(preflight) => commands::preflight::run(&args.global, preflight, output),
        Command::Revert(revert) => commands::revert::run(&args.global, revert, output),
        Command::Rehearse(rehearse) => commands::rehearse::run(&args.global, rehearse, output),
        Command::Approve(approve) => commands::approve::run(&args.global, approve, output),
        Command::Drift(drift) => commands::drift::run(&args.global, drift, output),
        Command::Apply(apply) => commands::apply::run(&args.global, apply, output),
        Command::Export(export) => commands::export::run(&args.global, export, output),
        Command::Import(import) => commands::import::run(&args.global, import, output),
        Command::Resume(resume) => commands::resume::run(&args.global, resume, output),
        #[cfg(feature = "embedded")]
        Command::Demo(demo) => commands::demo::run(&args.global, demo, output),
        #[cfg(feature = "embedded")]
        Command::Local(local) => commands::local::run(&args.global, local, output),
        Command::Search(search) => commands::search::run(&args.global, search, output),
        Command::Status(status) => commands::status::run(&args.global, status, output),
        Command::History(history) => commands::status::history(&args.global, history, output),
        Command::Verify(verify) => commands::verify::run(&args.global, verify, output),
        Command::Graph(graph) => commands::graph::run(&args.global, graph, output),
        Command::Validate(ValidateArgs {}) => commands::validate::run(&args.global, output),
        Command::Fmt(fmt) => commands::fmt::run(&args.global, fmt, output),
        Command::Man(man) => commands::man::run(man, output),
        Command::Show(show) => commands::show::run(&args.global, show, output),
        Command::Completions(completions) => commands::completions::run(completions, output),
        Command::Version(version) => commands::version::run(version, output),
    }
}

/// Prints what clap has to say. Its own code for a mistake is 2, which means "changes" here.
fn refuse(error: &clap::Error) -> Outcome {
    let printed = error.print().and_then(|()| std::io::stdout().flush());
    match (error.kind(), printed) {
        (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, Ok(())) => Outcome::Success,
        (ErrorKind::DisplayHelp | ErrorKind::DisplayVersion, Err(lost)) => {
            Output::plain().lost_output(Outcome::Success, &lost)
        }
        (_, _) => Outcome::Usage,
    }
}

/// Makes a panic say what to do with it instead of only where it was.
pub fn announce_bugs() {
    std::panic::set_hook(Box::new(|info| Output::plain().note(&bug_text(info))));
}

/// Runs something whose panic is a bug and not the end of the process.
pub fn guarded(body: impl FnOnce() -> Outcome) -> Outcome {
    catch_unwind(AssertUnwindSafe(body)).unwrap_or(Outcome::Bug)
}

fn bug_text(info: &PanicHookInfo<'_>) -> String {
    let message = info.payload_as_str().unwrap_or("no message");
    let place = info.location().map_or_else(String::new, |place| format!(" at {}:{}", place.file(), place.line()));
    let version = env!("CARGO_PKG_VERSION");
    format!(
        "This is a bug in enact {version}: {}{place}\nPlease report it with these lines. `enact status` says where \
         a run stands, `enact resume` goes on.",
        crate::report::escape::terminal(message)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_as_a_bug() {
        assert_eq!(guarded(|| panic!("BUG: on purpose")), Outcome::Bug);
        assert_eq!(guarded(|| Outcome::Stale), Outcome::Stale);
    }

    #[test]
    fn the_codes_are_those_of_the_documentation() {
        let codes = Outcome::ALL.map(Outcome::code);
        assert_eq!(codes, [0, 1, 1, 2, 3, 4, 5, 6, 6, 1, 7, 7, 8, 9, 64, 70, 130]);
    }
}

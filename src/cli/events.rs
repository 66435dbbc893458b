//! Tells the events of a run to people: sentences, and counts for what is long.

use super::Output;
use super::progress::Progress;
use crate::apply::Event;
use crate::plan::Phase;
use crate::report::escape;

/// What is counted in a step that calls functions.
const CALLS: &str = "calls";

/// Tells one event.
pub(super) fn tell(output: &Output, progress: &Progress, event: &Event) {
    let count = |subject: &str, noun: &str, done: &usize, of: &usize| {
        progress.count(&escape::terminal(subject), noun, *done as u64, *of as u64);
    };
    match event {
        Event::Opened { run } => progress.line(&format!("Run {run}")),
        Event::Recovering { run } => progress.line(&format!("Going on with the unfinished run {run}")),
        Event::Phase(Phase::Stage) => progress.doing("Staging (nobody sees it yet)"),
        Event::Phase(Phase::Transaction) => progress.doing("Transaction"),
        Event::Phase(Phase::Settle) => progress.doing("Settling"),
        Event::Phase(Phase::Sweep) => progress.doing("Sweeping"),
        Event::Copied { set, done, of } => count(set, "points taken over", done, of),
        Event::Embedded { set, done, of } => count(set, "chunks embedded", done, of),
        // The step's own line says that all of them are done.
        Event::Called { title, done, of, .. } if done >= of => progress.counted(&escape::terminal(title), CALLS),
        Event::Called { title, done, of, .. } => count(title, CALLS, done, of),
        Event::Written { set, done, of } => count(set, "points written in place", done, of),
        Event::Restoring { set } => {
            progress.line(&format!("  {}: points are put back as they were", escape::terminal(set)));
        }
        Event::Waiting { seconds } => progress
            .doing(&format!("  waiting {seconds} s, until nothing that was sent before can take effect any more")),
        Event::Reconnected => progress.line("  the connection to PostgreSQL was lost and made anew"),
        Event::StepDone { step, title } => progress.line(&format!("  step {step}: {}", escape::terminal(title))),
        Event::Decided => progress.line("Decided: PostgreSQL has committed"),
        Event::Warned { what } => output.note(&format!("  warning: {}", escape::terminal(what))),
        Event::Undoing { why } => {
            output.note(&format!("Going back: {}", escape::terminal(why)));
            progress.doing("Going back");
        }
    }
}

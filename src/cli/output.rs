//! Where text goes: results to stdout, everything about them to stderr, both with the colours the user chose. With
//! `--json` everything is a line of the stream on stdout.
//!
//! What stdout does not take is lost, and a command whose output is lost has not succeeded, whatever else it did: it says so and
//! ends with an error. A reader that went away (`enact show plan.json | head`) is no error where the command only reads: what
//! it did not want is dropped.

use std::io::{ErrorKind, Write};
use std::sync::OnceLock;

use anstream::{AutoStream, ColorChoice};

use super::args::{ColorWhen, GlobalArgs};
use super::progress::Progress;
use super::stream::Stream;
use super::{Outcome, events};
use crate::apply::Event;
use crate::model::{Diagnostics, Severity};
use crate::report::{
    Color, Level, Message, Role, TextOptions, UNWRAPPED, diagnostic_message, escape, paint, render_diagnostics,
};
use crate::spec::Sources;

/// The width of lines where there is no terminal.
const WIDTH_ELSEWHERE: usize = 100;

/// The two streams.
#[derive(Debug)]
pub struct Output {
    choice: ColorChoice,
    verbose: bool,
    purpose: Purpose,
    way: Way,
    /// Why stdout did not take all that was written: the first reason.
    lost: OnceLock<std::io::Error>,
}

#[derive(Debug)]
enum Way {
    People(Progress),
    Machine(Stream),
}

/// What a command is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// To say something.
    Tells,
    /// To change something, and to say what came of it.
    Changes,
}

/// Who reads stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A person, or a program that reads one document.
    People,
    /// A program that reads the stream of `--json`.
    Machine,
}

impl Output {
    /// Takes the user's choice. `--no-color` and `--color never` are the same; `auto` honours `NO_COLOR`, `CLICOLOR`
    /// and whether a terminal is there.
    pub fn new(global: &GlobalArgs, reader: Reader, purpose: Purpose) -> Output {
        let choice = match (global.no_color, global.color) {
            (true, _) | (false, ColorWhen::Never) => ColorChoice::Never,
            (false, ColorWhen::Always) => ColorChoice::Always,
            (false, ColorWhen::Auto) => ColorChoice::Auto,
        };
        let way = match reader {
            Reader::People => Way::People(Progress::new(choice, global.quiet)),
            Reader::Machine => Way::Machine(Stream::begin()),
        };
        Output { choice, verbose: global.verbose, purpose, way, lost: OnceLock::new() }
    }

    /// The streams before the arguments are known, without colours.
    pub fn plain() -> Output {
        let choice = ColorChoice::Never;
        let way = Way::People(Progress::new(choice, true));
        Output { choice, verbose: false, purpose: Purpose::Tells, way, lost: OnceLock::new() }
    }

    /// Who reads stdout.
    pub fn reader(&self) -> Reader {
        match &self.way {
            Way::People(_) => Reader::People,
            Way::Machine(_) => Reader::Machine,
        }
    }

    /// Writes a result; in the stream it is a line of the log, because it is made for people.
    pub fn result(&self, text: &str) {
        match &self.way {
            Way::People(progress) => {
                progress.idle();
                let mut stream = AutoStream::new(std::io::stdout(), self.choice);
                if let Err(error) = stream.write_all(text.as_bytes()).and_then(|()| stream.flush()) {
                    let _an_earlier_reason_stays = self.lost.set(error);
                }
            }
            Way::Machine(stream) => stream.log(&plain_text(text)),
        }
    }

    /// Whether stdout did not take a result that was written for people.
    pub fn has_lost(&self) -> bool {
        self.lost.get().is_some()
    }

    /// Writes a line about what happens.
    pub fn note(&self, line: &str) {
        match &self.way {
            Way::People(progress) => progress.around(|| self.write_note(line)),
            Way::Machine(stream) => stream.log(&plain_text(line)),
        }
    }

    fn write_note(&self, line: &str) {
        let mut stream = AutoStream::new(std::io::stderr(), self.choice);
        let _reader_went_away = writeln!(stream, "{line}").and_then(|()| stream.flush());
    }

    /// Writes what went wrong and, if there is one, what to type or change. The message may hold foreign text.
    pub fn error(&self, message: &str, hint: Option<&str>) {
        match &self.way {
            Way::People(progress) => {
                progress.idle();
                self.note(&format!("{} {}", paint(Role::Remove, "error:", true), escape::terminal(message)));
                if let Some(hint) = hint {
                    self.note(&format!("{} {}", paint(Role::Move, "hint:", true), escape::terminal(hint)));
                }
            }
            Way::Machine(stream) => {
                stream.write(error_message(message, hint));
                stream.conclude(message);
            }
        }
    }

    /// Writes what was found in files, with excerpts.
    pub fn diagnostics(&self, found: &Diagnostics, sources: &Sources) {
        if found.0.is_empty() {
            return;
        }
        match &self.way {
            Way::People(_) => self.note(render_diagnostics(found, sources, Color::On).trim_end()),
            Way::Machine(stream) => {
                found.0.iter().for_each(|one| stream.write(diagnostic_message(one)));
                if let Some(error) = found.0.iter().find(|one| one.severity == Severity::Error) {
                    stream.conclude(&format!("{}: {}", error.code.summary, error.detail));
                }
            }
        }
    }

    /// Says what is being done; something is always said before anything that may take long.
    pub fn doing(&self, what: &str) {
        match &self.way {
            Way::People(progress) => progress.doing(what),
            Way::Machine(stream) => stream.log(what),
        }
    }

    /// Says that a question comes or that nothing is being done.
    pub fn idle(&self) {
        match &self.way {
            Way::People(progress) => progress.idle(),
            Way::Machine(_) => {}
        }
    }

    /// Writes messages into the stream; people are told otherwise.
    pub fn messages(&self, messages: impl IntoIterator<Item = Message>, verdict: &str) {
        if let Way::Machine(stream) = &self.way {
            messages.into_iter().for_each(|message| stream.write(message));
            stream.conclude(verdict);
        }
    }

    /// Tells an event of a run.
    pub fn event(&self, event: &Event) {
        match &self.way {
            Way::People(progress) => events::tell(self, progress, event),
            Way::Machine(stream) => stream.event(event),
        }
    }

    /// Says how the command ended: last. Gives how it ended all in all, which is no success where its output is lost.
    pub fn end(&self, outcome: Outcome) -> Outcome {
        match &self.way {
            Way::People(progress) => {
                progress.idle();
                outcome.verdict().into_iter().for_each(|verdict| self.note(verdict));
                self.lost.get().map_or(outcome, |error| self.lost_output(outcome, error))
            }
            Way::Machine(stream) => {
                stream.end(outcome);
                stream.lost().map_or(outcome, |error| self.lost_output(outcome, &error))
            }
        }
    }

    /// Says that output is lost, and gives how the command ended for that.
    pub(super) fn lost_output(&self, outcome: Outcome, error: &std::io::Error) -> Outcome {
        if error.kind() == ErrorKind::BrokenPipe && self.purpose == Purpose::Tells {
            return outcome;
        }
        let outcome = outcome.without_output();
        let head = paint(Role::Remove, "error:", true);
        self.write_note(&format!("{head} stdout did not take the output: {error}"));
        if outcome == Outcome::OutputLost {
            self.write_note("The command did all else that it should; only what it had to say is lost.");
        }
        outcome
    }

    /// How a report for stdout is written.
    pub fn text_options(&self) -> TextOptions {
        let color = match self.choice {
            ColorChoice::Auto => AutoStream::choice(&std::io::stdout()) != ColorChoice::Never,
            ColorChoice::Always | ColorChoice::AlwaysAnsi => true,
            ColorChoice::Never => false,
        };
        let width = stdout_width().or_else(columns).unwrap_or(WIDTH_ELSEWHERE);
        TextOptions { color, width, verbose: self.verbose }
    }

    /// How a plan for stdout is written: wrapped for a terminal, or where `COLUMNS` asks for it. In a pipe or a file its
    /// lines stay whole, so that `grep` finds what belongs together.
    pub fn plan_options(&self) -> TextOptions {
        let width = stdout_width().or_else(columns).unwrap_or(UNWRAPPED);
        TextOptions { width, ..self.text_options() }
    }
}

fn error_message(message: &str, hint: Option<&str>) -> Message {
    Message::Diagnostic {
        severity: Level::Error,
        code: None,
        message: message.to_owned(),
        place: None,
        hint: hint.map(str::to_owned),
    }
}

/// A text without its colours.
fn plain_text(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

/// The width of the terminal that stdout is.
fn stdout_width() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(terminal_size::Width(cells), _)| usize::from(cells))
}

/// What `COLUMNS` says; 0 is no answer.
fn columns() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|cells| *cells > 0)
}

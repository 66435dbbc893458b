//! Where text goes: results to stdout, everything about them to stderr, both with the colours the user chose. With
//! `--json` everything is a line of the stream on stdout.
//!
//! A reader that went away (`enact show plan.json | head`) is no error: what it did not want is dropped.

use std::io::Write;

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
    way: Way,
}

#[derive(Debug)]
enum Way {
    People(Progress),
    Machine(Stream),
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
    pub fn new(global: &GlobalArgs, reader: Reader) -> Output {
        let choice = match (global.no_color, global.color) {
            (true, _) | (false, ColorWhen::Never) => ColorChoice::Never,
            (false, ColorWhen::Always) => ColorChoice::Always,
            (false, ColorWhen::Auto) => ColorChoice::Auto,
        };
        let way = match reader {
            Reader::People => Way::People(Progress::new(choice, global.quiet)),
            Reader::Machine => Way::Machine(Stream::begin()),
        };
        Output { choice, verbose: global.verbose, way }
    }

    /// The streams before the arguments are known, without colours.
    pub fn plain() -> Output {
        let choice = ColorChoice::Never;
        Output { choice, verbose: false, way: Way::People(Progress::new(choice, true)) }
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
                let _reader_went_away = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
            }
            Way::Machine(stream) => stream.log(&plain_text(text)),
        }
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

    /// Says how the command ended: last.
    pub fn end(&self, outcome: Outcome) {
        match &self.way {
            Way::People(progress) => {
                progress.idle();
                outcome.verdict().into_iter().for_each(|verdict| self.note(verdict));
            }
            Way::Machine(stream) => stream.end(outcome),
        }
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

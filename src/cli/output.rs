//! Where text goes: results to stdout, everything about them to stderr, both with the colours the user chose.
//!
//! A reader that went away (`enact show plan.json | head`) is no error: what it did not want is dropped.

use std::io::{IsTerminal, Write};

use anstream::{AutoStream, ColorChoice};

use super::args::{ColorWhen, GlobalArgs};
use crate::model::Diagnostics;
use crate::report::{Color, Role, TextOptions, UNWRAPPED, escape, paint, render_diagnostics};
use crate::spec::Sources;

/// The width of lines where there is no terminal.
const WIDTH_ELSEWHERE: usize = 100;

/// The two streams.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    choice: ColorChoice,
    verbose: bool,
}

impl Output {
    /// Takes the user's choice. `--no-color` and `--color never` are the same; `auto` honours `NO_COLOR`, `CLICOLOR`
    /// and whether a terminal is there.
    pub fn new(global: &GlobalArgs) -> Output {
        let choice = match (global.no_color, global.color) {
            (true, _) | (false, ColorWhen::Never) => ColorChoice::Never,
            (false, ColorWhen::Always) => ColorChoice::Always,
            (false, ColorWhen::Auto) => ColorChoice::Auto,
        };
        Output { choice, verbose: global.verbose }
    }

    /// The streams before the arguments are known, without colours.
    pub fn plain() -> Output {
        Output { choice: ColorChoice::Never, verbose: false }
    }

    /// Writes a result.
    pub fn result(&self, text: &str) {
        let mut stream = AutoStream::new(std::io::stdout(), self.choice);
        let _reader_went_away = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    }

    /// Writes a line about what happens.
    pub fn note(&self, line: &str) {
        let mut stream = AutoStream::new(std::io::stderr(), self.choice);
        let _reader_went_away = writeln!(stream, "{line}").and_then(|()| stream.flush());
    }

    /// Writes what went wrong and, if there is one, what to type or change. The message may hold foreign text.
    pub fn error(&self, message: &str, hint: Option<&str>) {
        self.note(&format!("{} {}", paint(Role::Remove, "error:", true), escape::terminal(message)));
        if let Some(hint) = hint {
            self.note(&format!("{} {}", paint(Role::Move, "hint:", true), escape::terminal(hint)));
        }
    }

    /// Writes what was found in files, with excerpts.
    pub fn diagnostics(&self, found: &Diagnostics, sources: &Sources) {
        if !found.0.is_empty() {
            self.note(render_diagnostics(found, sources, Color::On).trim_end());
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

    /// Whether progress may be drawn over itself.
    pub fn is_interactive(&self) -> bool {
        std::io::stderr().is_terminal()
    }
}

/// The width of the terminal that stdout is.
fn stdout_width() -> Option<usize> {
    terminal_size::terminal_size_of(std::io::stdout()).map(|(terminal_size::Width(cells), _)| usize::from(cells))
}

/// What `COLUMNS` says; 0 is no answer.
fn columns() -> Option<usize> {
    std::env::var("COLUMNS").ok()?.parse().ok().filter(|cells| *cells > 0)
}

//! Writes the stream of `--json`: adds the clock, the run and its phase to each message.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

use super::Outcome;
use crate::apply::Event;
use crate::plan::Phase;
use crate::report::{Message, STREAM_VERSION, StreamLine, event_message};

/// The stream, with what the next line has to say beside its message.
#[derive(Debug, Default)]
pub struct Stream(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    run: Option<String>,
    phase: Option<Phase>,
    /// The last sentence for people: what the outcome repeats where it has no verdict of its own.
    last: String,
    /// Why stdout did not take all lines: the first reason.
    lost: Option<std::io::Error>,
}

impl Stream {
    /// Begins the stream with its version.
    pub fn begin() -> Stream {
        let stream = Stream::default();
        stream.write(Message::Version {
            format_version: STREAM_VERSION.to_owned(),
            enact: env!("CARGO_PKG_VERSION").to_owned(),
        });
        stream
    }

    /// Writes one message.
    pub fn write(&self, message: Message) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.write(message);
    }

    /// Writes a text for people, and keeps it as what was said last.
    pub fn log(&self, text: &str) {
        let text = text.trim();
        if text.is_empty() {
            return;
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        text.clone_into(&mut state.last);
        state.write(Message::Log { message: text.to_owned() });
    }

    /// Keeps a sentence as what was said last, without a line of its own.
    pub fn conclude(&self, text: &str) {
        text.trim().clone_into(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).last);
    }

    /// Writes an event of a run, and remembers the run and its phase.
    pub fn event(&self, event: &Event) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Opened { run } | Event::Recovering { run } => {
                state.run = Some(run.clone());
                state.phase = None;
            }
            Event::Phase(phase) => state.phase = Some(*phase),
            _ => {}
        }
        state.write(event_message(event));
    }

    /// Why stdout did not take all lines.
    pub fn lost(&self) -> Option<std::io::Error> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lost.take()
    }

    /// Ends the stream.
    pub fn end(&self, outcome: Outcome) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.phase = None;
        let verdict = outcome.verdict().map_or_else(|| state.last.clone(), str::to_owned);
        state.write(Message::Outcome { name: outcome.name().to_owned(), exit_code: outcome.code(), verdict });
    }
}

impl State {
    /// Writes one line. What stdout does not take changes nothing of what the command does.
    fn write(&mut self, message: Message) {
        let at = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string();
        let line = StreamLine { message, at, run: self.run.clone(), phase: self.phase };
        let mut stdout = std::io::stdout().lock();
        if let Err(error) = stdout.write_all(line.to_text().as_bytes()).and_then(|()| stdout.flush()) {
            self.lost.get_or_insert(error);
        }
    }
}

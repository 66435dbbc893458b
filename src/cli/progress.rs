//! Says on stderr what is being done, while it is being done.
//!
//! ```text
//! a terminal      one spinner and a bar for each count, redrawn in place, gone when the work is
//! anything else   a line when an activity begins, lines of counts (at most one a second, one every 5 % and the last),
//!                 and a line every 2 seconds in which nothing else was said
//! --quiet         nothing
//! ```
//!
//! Every other line of the command line goes through [`Progress::around`], so that a bar never stands in the middle of
//! a result or of a question.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anstream::{AutoStream, ColorChoice};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::report::words::{duration, number};

/// How long nothing is said before a line says what is going on.
const SILENCE: Duration = Duration::from_millis(1_900);
/// How often silence is looked for.
const TICK: Duration = Duration::from_millis(100);
/// Counts of one thing are at least so far apart, but for the last.
const COUNT_GAP: Duration = Duration::from_secs(1);
/// A line of counts stands for at least this share, in percent.
const COUNT_SHARE: u64 = 5;

/// Where progress goes.
#[derive(Debug)]
pub struct Progress {
    shared: Arc<Shared>,
    ticker: Mutex<Option<(Sender<()>, JoinHandle<()>)>>,
}

#[derive(Debug)]
struct Shared {
    way: Way,
    choice: ColorChoice,
    state: Mutex<State>,
}

#[derive(Debug)]
enum Way {
    Silent,
    Lines,
    Bars(MultiProgress),
}

#[derive(Debug)]
struct State {
    doing: Option<Doing>,
    said: Instant,
    counts: BTreeMap<String, Counted>,
}

#[derive(Debug)]
struct Doing {
    what: String,
    since: Instant,
    spinner: Option<ProgressBar>,
}

#[derive(Debug)]
struct Counted {
    since: Instant,
    first: u64,
    said: Instant,
    said_at: u64,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// Chooses the way: bars where stderr is a terminal that can redraw, lines elsewhere.
    pub fn new(choice: ColorChoice, quiet: bool) -> Progress {
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let way = match (quiet, std::io::stderr().is_terminal() && !dumb) {
            (true, _) => Way::Silent,
            (false, true) => Way::Bars(MultiProgress::with_draw_target(ProgressDrawTarget::stderr())),
            (false, false) => Way::Lines,
        };
        let state = State { doing: None, said: Instant::now(), counts: BTreeMap::new() };
        let shared = Arc::new(Shared { way, choice, state: Mutex::new(state) });
        Progress { shared, ticker: Mutex::new(None) }
    }

    /// Begins an activity; it takes the place of the one before.
    pub fn doing(&self, what: &str) {
        match &self.shared.way {
            Way::Silent => return,
            Way::Lines => {
                self.shared.say(&format!("{what} …"));
                self.tick();
            }
            Way::Bars(_) => {}
        }
        let mut state = self.shared.state();
        if let (Way::Bars(bars), None) = (&self.shared.way, &state.doing) {
            let spinner = bars.add(ProgressBar::new_spinner().with_style(spinner_style()));
            spinner.enable_steady_tick(TICK);
            state.doing = Some(Doing { what: String::new(), since: Instant::now(), spinner: Some(spinner) });
        }
        let spinner = state.doing.take().and_then(|doing| doing.spinner);
        if let Some(spinner) = &spinner {
            spinner.reset_elapsed();
            spinner.set_message(what.to_owned());
        }
        state.doing = Some(Doing { what: what.to_owned(), since: Instant::now(), spinner });
    }

    /// Says something that was done.
    pub fn line(&self, line: &str) {
        match &self.shared.way {
            Way::Silent => {}
            Way::Lines | Way::Bars(_) => self.around(|| self.shared.write(line)),
        }
    }

    /// Counts something, such as `charter: chunks embedded`.
    pub fn count(&self, subject: &str, noun: &str, done: u64, of: u64) {
        let key = format!("{subject}\n{noun}");
        let now = Instant::now();
        let mut state = self.shared.state();
        let counted = state.counts.entry(key.clone()).or_insert_with(|| Counted::new(now, done));
        match &self.shared.way {
            Way::Silent => {}
            Way::Lines => {
                if counted.is_due(now, done, of) {
                    (counted.said, counted.said_at) = (now, done);
                    let rate = counted.rate(now, done);
                    drop(state);
                    self.shared.say(&format!("  {subject}: {} of {} {noun}{rate}", number(done), number(of)));
                    state = self.shared.state();
                }
            }
            Way::Bars(bars) => {
                let bar = counted.bar.get_or_insert_with(|| {
                    let bar = ProgressBar::new(of).with_style(bar_style());
                    bar.set_prefix(format!("{subject}: {noun}"));
                    bars.add(bar)
                });
                bar.set_length(of);
                bar.set_position(done);
                if done >= of {
                    bar.finish_and_clear();
                    let rate = counted.rate(now, done);
                    let line = format!("  {subject}: {} {noun}{rate}", number(done));
                    bars.suspend(|| self.shared.write(&line));
                }
            }
        }
        if done >= of {
            state.counts.remove(&key);
        }
    }

    /// Ends a count without a word.
    pub fn counted(&self, subject: &str, noun: &str) {
        let bar = self.shared.state().counts.remove(&format!("{subject}\n{noun}")).and_then(|counted| counted.bar);
        bar.into_iter().for_each(|bar| bar.finish_and_clear());
    }

    /// Ends what is being done: nothing is drawn and nothing more is said of it.
    pub fn idle(&self) {
        let mut state = self.shared.state();
        if let Some(Doing { spinner: Some(spinner), .. }) = state.doing.take() {
            spinner.finish_and_clear();
        }
        for (_, counted) in std::mem::take(&mut state.counts) {
            if let Some(bar) = counted.bar {
                bar.finish_and_clear();
            }
        }
    }

    /// Writes something else, with the bars out of its way.
    pub fn around<T>(&self, write: impl FnOnce() -> T) -> T {
        let done = match &self.shared.way {
            Way::Bars(bars) => bars.suspend(write),
            Way::Silent | Way::Lines => write(),
        };
        self.shared.state().said = Instant::now();
        done
    }

    /// Starts the thread that breaks the silence.
    fn tick(&self) {
        let mut ticker = self.ticker.lock().unwrap_or_else(PoisonError::into_inner);
        if ticker.is_some() {
            return;
        }
        let (stop, stopped) = mpsc::channel();
        let shared = Arc::clone(&self.shared);
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                shared.break_silence();
            }
        });
        *ticker = Some((stop, thread));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.idle();
        if let Some((stop, thread)) = self.ticker.lock().unwrap_or_else(PoisonError::into_inner).take() {
            drop(stop);
            let _its_panic_was_told = thread.join();
        }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn say(&self, line: &str) {
        self.write(line);
        self.state().said = Instant::now();
    }

    fn write(&self, line: &str) {
        let mut stream = AutoStream::new(std::io::stderr(), self.choice);
        let _reader_went_away = writeln!(stream, "{line}").and_then(|()| stream.flush());
    }

    fn break_silence(&self) {
        let mut state = self.state();
        let now = Instant::now();
        if now.duration_since(state.said) < SILENCE {
            return;
        }
        let Some(doing) = &state.doing else { return };
        let line = format!("  still: {} ({})", doing.what, duration(now.duration_since(doing.since)));
        self.write(&line);
        state.said = now;
    }
}

impl Counted {
    fn new(now: Instant, done: u64) -> Counted {
        Counted { since: now, first: done, said: now, said_at: 0, bar: None }
    }

    fn is_due(&self, now: Instant, done: u64, of: u64) -> bool {
        let share = (done - self.said_at.min(done)) * 100 >= of * COUNT_SHARE;
        done >= of || (share && now.duration_since(self.said) >= COUNT_GAP)
    }

    /// How many a second, once there is enough to tell.
    fn rate(&self, now: Instant, done: u64) -> String {
        let seconds = now.duration_since(self.since).as_secs();
        match (done - self.first.min(done)).checked_div(seconds) {
            Some(rate) if rate > 0 => format!(" ({}/s)", number(rate)),
            Some(_) | None => String::new(),
        }
    }
}

fn spinner_style() -> ProgressStyle {
    style("{spinner} {msg} ({elapsed})").tick_chars("-\\|/ ")
}

fn bar_style() -> ProgressStyle {
    style("  {prefix} [{bar:24}] {human_pos}/{human_len} {per_sec}, {eta} left").progress_chars("=> ")
}

fn style(template: &str) -> ProgressStyle {
    match ProgressStyle::with_template(template) {
        Ok(style) => style,
        Err(error) => panic!("BUG: the template of a bar: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_told_at_most_once_a_second_and_every_twentieth_and_at_the_end() {
        let begin = Instant::now();
        let counted = Counted::new(begin, 256);
        assert!(!counted.is_due(begin, 5_000, 10_000), "within the second");
        assert!(counted.is_due(begin + COUNT_GAP, 500, 10_000));
        assert!(!counted.is_due(begin + COUNT_GAP, 499, 10_000), "less than 5 %");
        assert!(counted.is_due(begin, 10_000, 10_000), "the last");
        assert_eq!(counted.rate(begin + Duration::from_secs(2), 2_256), " (1,000/s)");
        assert_eq!(counted.rate(begin, 2_256), "");
    }
}

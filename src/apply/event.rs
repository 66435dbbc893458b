//! What whoever watches a run hears.

use crate::plan::Phase;

/// What happens during a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The run is open.
    Opened {
        /// Its id.
        run: String,
    },
    /// A phase begins.
    Phase(Phase),
    /// Points were copied into the new collection.
    Copied {
        /// The set.
        set: String,
        /// How many so far.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// Chunks were embedded and written.
    Embedded {
        /// The set.
        set: String,
        /// How many so far.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// Points were written into the live collection.
    Written {
        /// The set.
        set: String,
        /// How many so far.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// Functions were called.
    Called {
        /// The step.
        step: u32,
        /// Its title.
        title: String,
        /// How many so far.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// A step is done.
    StepDone {
        /// The step.
        step: u32,
        /// Its title.
        title: String,
    },
    /// Something is not as it should be, and the run goes on.
    Warned {
        /// What, and what was found instead.
        what: String,
    },
    /// The decision is made: from here only forward.
    Decided,
    /// The run goes back.
    Undoing {
        /// Why.
        why: String,
    },
    /// Points of the live collection are put back as they were.
    Restoring {
        /// The set.
        set: String,
    },
    /// The run waits until no request of a dead or lost sender can take effect any more.
    Waiting {
        /// Seconds, rounded up.
        seconds: u64,
    },
    /// The connection to PostgreSQL was lost and made anew.
    Reconnected,
    /// An unfinished run is carried on, or taken back.
    Recovering {
        /// Its id.
        run: String,
    },
}

/// Who hears of events.
pub type Events<'a> = dyn Fn(Event) + Send + Sync + 'a;

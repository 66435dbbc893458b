//! What has to be so when a schedule is over. Whatever breaks a check is a problem, and says which check it broke.

use std::fmt;

/// What is checked of every schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// Every row and every point is as it was before, or as it is after.
    Stores,
    /// Whenever a process has ended, readers see before or after.
    Readers,
    /// What a process said of the world is so.
    Said,
    /// What `enact.run` says of the world is so.
    Books,
    /// No kept point is left behind.
    Leftovers,
    /// Nothing is tried without the lease.
    Lease,
    /// Without another fault one resume is enough, and a process ends at all.
    Resume,
    /// No text is embedded again whose vector was kept.
    Embedding,
    /// What somebody else changed is seen, and stays.
    Others,
    /// No live point is written while PostgreSQL can still refuse what comes before it.
    Order,
    /// Without a fault the plan is applied.
    Applied,
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Check::Stores => "both stores",
            Check::Readers => "readers",
            Check::Said => "what was said",
            Check::Books => "the books",
            Check::Leftovers => "leftovers",
            Check::Lease => "the lease",
            Check::Resume => "one resume",
            Check::Embedding => "embedding",
            Check::Others => "others' changes",
            Check::Order => "order",
            Check::Applied => "applied without a fault",
        })
    }
}

/// A check that is broken, and how.
#[derive(Debug, Clone)]
pub struct Problem {
    pub check: Check,
    pub what: String,
}

impl Problem {
    pub fn new(check: Check, what: impl Into<String>) -> Problem {
        Problem { check, what: what.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { check, what } = self;
        write!(f, "{check}: {what}")
    }
}

//! What a verification found.

use serde::Serialize;

/// All checks, in the order in which they are told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The checks.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What should hold, naming the thing.
    pub name: String,
    /// How it ended.
    pub status: Status,
    /// How many things were looked at.
    pub count: u64,
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It holds.
    Passed,
    /// It does not.
    Failed {
        /// Each thing for which it does not, never empty.
        what: Vec<String>,
    },
    /// It was not judged.
    Skipped {
        /// Why.
        why: String,
    },
}

impl Check {
    /// A check that failed where there is something in `what`.
    pub fn of(name: impl Into<String>, count: usize, what: Vec<String>) -> Check {
        let status = if what.is_empty() { Status::Passed } else { Status::Failed { what } };
        Check { name: name.into(), status, count: count as u64 }
    }

    /// A check that was not made.
    pub fn skipped(name: impl Into<String>, count: usize, why: impl Into<String>) -> Check {
        Check { name: name.into(), status: Status::Skipped { why: why.into() }, count: count as u64 }
    }

    /// Whether something differs.
    pub fn has_failed(&self) -> bool {
        matches!(self.status, Status::Failed { .. })
    }
}

impl Report {
    /// Whether anything differs.
    pub fn has_failed(&self) -> bool {
        self.checks.iter().any(Check::has_failed)
    }
}

/// A count of things that are not held.
pub(super) fn counted(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

//! Where an unfinished run stands, in the words of its journal. Pure.
//!
//! ```text
//! staging ─▶ staged ─▶ deciding ─▶ decided ─▶ settling ─▶ sweeping
//!    └──────────┴──────────┴─▶ going back
//! ```

use std::fmt;

use super::journal::Entry;
use super::machine::{RunState, fold};

/// How far an unfinished run has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// New collections are being filled.
    Staging,
    /// They are filled.
    Staged,
    /// The transaction has begun and is not known to have committed. These live collections may hold a part of the new
    /// points.
    Deciding {
        /// Collections that are written in place.
        in_place: Vec<String>,
    },
    /// PostgreSQL has committed, no alias is switched.
    Decided,
    /// PostgreSQL has committed, and these sets are or are not switched.
    Settling {
        /// Sets that show the new state.
        settled: Vec<String>,
        /// Sets that still show the old one.
        waiting: Vec<String>,
    },
    /// Everything is visible; old collections are being removed.
    Sweeping,
    /// The run goes back. These live collections may still hold a part of the new points.
    GoingBack {
        /// Collections that are written in place.
        in_place: Vec<String>,
    },
}

impl Standing {
    /// Reads the standing from a journal.
    pub fn of(entries: &[Entry]) -> Standing {
        let state = fold(entries);
        if state.decided {
            return after_decision(&state);
        }
        let transacting = entries.contains(&Entry::Transacting);
        let mut sets = state.collections.keys().chain(state.in_place.keys());
        let staged = !state.staged.is_empty() && sets.all(|set| state.staged.contains(set));
        let in_place = if state.written { state.in_place.values().cloned().collect() } else { Vec::new() };
        match (state.undoing || state.undone, transacting, staged) {
            (true, _, _) => Standing::GoingBack { in_place },
            (false, true, _) => Standing::Deciding { in_place },
            (false, false, true) => Standing::Staged,
            (false, false, false) => Standing::Staging,
        }
    }

    /// What readers of both stores see now.
    pub fn visible(&self) -> String {
        match self {
            Standing::Deciding { in_place } | Standing::GoingBack { in_place } if !in_place.is_empty() => format!(
                "PostgreSQL shows the state before the run, {} perhaps a part of the new points beside the old ones",
                in_place.join(", ")
            ),
            Standing::Staging | Standing::Staged | Standing::Deciding { .. } | Standing::GoingBack { .. } => {
                "both stores show the state before the run".to_owned()
            }
            Standing::Decided => "PostgreSQL shows the new state, Qdrant still the old one".to_owned(),
            Standing::Settling { settled, waiting } => format!(
                "PostgreSQL and {} show the new state, {} still the old one",
                settled.join(", "),
                waiting.join(", ")
            ),
            Standing::Sweeping => "both stores show the new state".to_owned(),
        }
    }

    /// What `resume` will do.
    pub fn resume(&self) -> &'static str {
        match self {
            Standing::Staging => {
                "finishes staging, compares again and decides; goes back if what the plan stands on has moved"
            }
            Standing::Deciding { in_place } if !in_place.is_empty() => {
                "puts points back as they were, compares again and decides; goes back if what the plan stands on has moved"
            }
            Standing::Staged | Standing::Deciding { .. } => {
                "compares again and decides; goes back if what the plan stands on has moved"
            }
            Standing::Decided | Standing::Settling { .. } => "switches the aliases that are left; it cannot go back",
            Standing::Sweeping => "removes what is no longer needed and closes the run",
            Standing::GoingBack { in_place } if !in_place.is_empty() => {
                "puts points back as they were, removes what was staged and closes the run as undone"
            }
            Standing::GoingBack { .. } => "removes what was staged and closes the run as undone",
        }
    }
}

fn after_decision(state: &RunState) -> Standing {
    let (settled, waiting): (Vec<String>, Vec<String>) =
        state.collections.keys().cloned().partition(|set| state.settled.contains(set));
    match (settled.is_empty(), waiting.is_empty()) {
        // Sets in place show the new state since the decision; what is left of them is a stamp.
        (_, true) => Standing::Sweeping,
        (true, false) => Standing::Decided,
        (false, false) => Standing::Settling { settled, waiting },
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::Staging => "staging",
            Standing::Staged => "staged",
            Standing::Deciding { .. } => "deciding",
            Standing::Decided => "decided",
            Standing::Settling { .. } => "settling",
            Standing::Sweeping => "sweeping",
            Standing::GoingBack { .. } => "going back",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prefix_of_a_journal_stands_somewhere() {
        let set = |name: &str| name.to_owned();
        let journal = [
            Entry::Opened { request_deadline_ms: 1 },
            Entry::Staging { set: set("a"), collection: set("a@1") },
            Entry::Staged { set: set("a"), points: 2 },
            Entry::Staging { set: set("b"), collection: set("b@1") },
            Entry::Staged { set: set("b"), points: 2 },
            Entry::Transacting,
            Entry::Decided,
            Entry::Settling { set: set("a") },
            Entry::Settled { set: set("a") },
            Entry::Settled { set: set("b") },
        ];
        let found: Vec<String> = (0..=journal.len()).map(|end| Standing::of(&journal[..end]).to_string()).collect();
        let expected = "staging staging staging staged staging staged deciding decided decided settling sweeping";
        assert_eq!(found.join(" "), expected);
        assert_eq!(Standing::of(&journal[..9]).visible(), "PostgreSQL and a show the new state, b still the old one");
    }

    #[test]
    fn going_back_hides_how_far_it_came() {
        let journal = [Entry::Transacting, Entry::Undoing { why: "refused".to_owned() }];
        assert_eq!(Standing::of(&journal), Standing::GoingBack { in_place: Vec::new() });
    }
}

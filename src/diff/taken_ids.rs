//! Ids of points that a chunk wants and cannot have: another chunk wants the same, or somebody else's point is there.

use super::codes;
use super::resolve::some_of;
use super::vectors::SetView;
use crate::model::{Diagnostic, PointId, VectorSet};

/// Chunks whose keys cannot give them a point.
#[derive(Default)]
pub(super) struct Problems {
    /// Live points at ids that a chunk wants, with the unit's address.
    pub taken: Vec<(PointId, String)>,
    /// Addresses of units of which another chunk has the same id.
    pub twice: Vec<String>,
}

impl Problems {
    pub fn check(&self, set: &VectorSet, view: &SetView<'_>) -> Result<(), Diagnostic> {
        if !self.twice.is_empty() {
            let units: Vec<&str> = self.twice.iter().map(String::as_str).collect();
            let detail = format!("two chunks of \"{}\" have the same key: {}", set.name, some_of(&units));
            let hint = "name {unit.address} or {unit.id}, and {chunk.key}, in ids.template";
            return Err(Diagnostic::error(codes::SAME_KEY, detail).at(&set.place).hint(hint));
        }
        let mut foreign: Vec<&str> =
            self.taken.iter().filter(|(id, _)| !view.written().contains_key(id)).map(|(_, at)| at.as_str()).collect();
        foreign.dedup();
        if foreign.is_empty() {
            return Ok(());
        }
        let detail = format!(
            "\"{}\" holds points of {} under the ids of this set, which Enact did not write: {}",
            set.name,
            if foreign.len() == 1 { "1 unit".to_owned() } else { format!("{} units", foreign.len()) },
            some_of(&foreign)
        );
        let hint = "enact import takes them over as they are";
        Err(Diagnostic::error(codes::TAKEN_IDS, detail).at(&set.place).hint(hint))
    }
}

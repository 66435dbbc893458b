//! How much a vector set may lose at once.

use super::change::VectorChange;
use super::codes;
use super::risks::{counted, points_leaving};
use crate::model::{Diagnostic, MaxDelete, VectorSet};

/// Refuses a change that takes more points out of a set than its plan file allows. Points of an edited unit are replaced, not
/// lost.
pub(super) fn too_many_lost(set: &VectorSet, change: &VectorChange) -> Option<Diagnostic> {
    let (units, lost) = points_leaving(change);
    let there = change.kept + change.units.iter().map(|unit| unit.delete.len() as u64).sum::<u64>();
    if set.max_delete.allows(lost, there) {
        return None;
    }
    let detail = format!(
        "{lost} of {} of \"{}\" would be deleted with {}, and max_delete is {}",
        counted(there, "point"),
        set.name,
        counted(units, "unit"),
        set.max_delete
    );
    let enough = match set.max_delete {
        MaxDelete::Points(_) => MaxDelete::Points(lost),
        MaxDelete::Percent(_) => MaxDelete::Percent((lost * 100).div_ceil(there.max(1))),
    };
    let hint = format!("check that the selection still means what it should, then set max_delete: {enough}");
    Some(Diagnostic::error(codes::POINTS_LIMIT, detail).at(&set.place).hint(hint))
}

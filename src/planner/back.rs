//! What a plan that goes back from a run adds to what it declares.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::{Change, ChangeDetail, Comparison, Reason};
use crate::model::{LedgerRow, Observed};
use crate::observe::ReadPoints;
use crate::plan::{AppliedRun, WayBack, sets_before};

/// The run that is gone back from, and its sets as they are now.
pub struct Back<'a> {
    /// The run.
    pub applied: &'a AppliedRun<'a>,
    /// Its rows and moves.
    pub way: &'a WayBack,
    /// Its sets as they are now.
    pub points: &'a ReadPoints,
    /// The ledger now.
    pub ledger: Option<&'a BTreeMap<String, LedgerRow>>,
    /// All collections.
    pub collections: &'a BTreeSet<String>,
}

impl Back<'_> {
    pub(super) fn add(&self, observed: &mut Observed, comparison: &mut Comparison) {
        observed.collections.clone_from(&self.points.collections);
        observed.aliases.clone_from(&self.points.aliases);
        observed.points.clone_from(&self.points.live);
        for set in self.points.live.keys() {
            if let Some(rows) = self.ledger {
                observed.ledger.insert(set.clone(), rows.clone());
            }
        }
        // Nothing is declared here but the way back: nothing has left the plan files, nothing stands or differs from what
        // stands in one, and a record of the way back would be forgotten by the next plan.
        let kept = |change: &Change| !matches!(change.detail, ChangeDetail::Forget | ChangeDetail::Promotion { .. });
        comparison.changes.retain(kept);
        for change in &mut comparison.changes {
            change.declared_at = None;
            if matches!(change.detail, ChangeDetail::Row { kind: None, .. } | ChangeDetail::Gate { .. }) {
                change.reasons = vec![Reason::Reverted(self.applied.run.to_owned())];
            }
        }
        let (sets, findings) = sets_before(self.applied, observed, self.collections);
        comparison.changes.extend(self.way.forget.iter().cloned().chain(sets));
        comparison.findings.extend(self.way.findings.iter().cloned().chain(findings));
        comparison.findings.sort();
    }
}

//! The ledger: which of its rows have to be recorded.

use super::change::LedgerWrite;
use super::vectors::SetDiff;
use crate::model::{PointId, UnitFacts};
use crate::points::ledger_key;

impl SetDiff<'_> {
    pub(super) fn ledger_rows(&mut self, unit: &UnitFacts, chunks: &[(PointId, String)]) {
        let set = &self.input.set.name;
        let Some(ledger) = self.input.binding.ledger.as_ref().filter(|l| l.sets.contains(set)) else { return };
        let rows = self.view.observed.ledger.get(set);
        let count = u32::try_from(chunks.len()).unwrap_or(u32::MAX);
        for (ordinal, (id, sha256)) in (0u32..).zip(chunks) {
            let Some(key) = ledger_key(self.input.binding, set, unit, ordinal) else { continue };
            let right = rows.and_then(|rows| rows.get(&key)).is_some_and(|row| {
                row.status == ledger.indexed
                    && row.digest.as_deref() == Some(sha256)
                    && row.unit.as_deref() == Some(&unit.id)
            });
            self.expected_keys.insert(key.clone());
            if !right {
                self.ledger.push(LedgerWrite {
                    unit: unit.id.clone(),
                    key,
                    id: *id,
                    ordinal,
                    count,
                    sha256: sha256.clone(),
                    exists: true,
                });
            }
        }
    }

    /// Rows of units that Enact manages and whose point is gone.
    pub(super) fn ledger_gone(&mut self) {
        let set = &self.input.set.name;
        let Some(ledger) = self.input.binding.ledger.as_ref().filter(|l| l.sets.contains(set)) else { return };
        let Some(rows) = self.view.observed.ledger.get(set) else { return };
        for (id, ownership) in self.view.owned_units() {
            let count = u32::try_from(ownership.chunks.len()).unwrap_or(u32::MAX);
            let facts = UnitFacts { id: id.clone(), address: ownership.address.clone(), ..UnitFacts::default() };
            for (ordinal, chunk) in (0u32..).zip(&ownership.chunks) {
                let Some(key) = ledger_key(self.input.binding, set, &facts, ordinal) else { continue };
                let stands = rows.get(&key).is_some_and(|row| row.status != ledger.removed);
                if stands && !self.expected_keys.contains(&key) {
                    self.ledger.push(LedgerWrite {
                        unit: id.clone(),
                        key,
                        id: chunk.id,
                        ordinal,
                        count,
                        sha256: chunk.sha256.clone(),
                        exists: false,
                    });
                }
            }
        }
    }
}

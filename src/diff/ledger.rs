//! The ledger: which of its rows have to be recorded.

use std::collections::BTreeMap;

use super::change::LedgerWrite;
use super::scope::Names;
use super::vectors::{Ownership, SetDiff};
use crate::model::{Binding, PointId, Template, UnitFacts};

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
                    id: id.clone(),
                    ordinal,
                    count,
                    sha256: sha256.clone(),
                    exists: true,
                });
            }
        }
    }

    /// Rows of units that Enact manages and whose point is gone.
    pub(super) fn ledger_gone(&mut self, owned: &BTreeMap<String, Ownership>) {
        let set = &self.input.set.name;
        let Some(ledger) = self.input.binding.ledger.as_ref().filter(|l| l.sets.contains(set)) else { return };
        let Some(rows) = self.view.observed.ledger.get(set) else { return };
        for (id, ownership) in owned {
            let count = u32::try_from(ownership.chunks.len()).unwrap_or(u32::MAX);
            let facts = UnitFacts { id: id.clone(), address: ownership.address.clone(), ..UnitFacts::default() };
            for (ordinal, chunk) in (0u32..).zip(&ownership.chunks) {
                let Some(key) = ledger_key(self.input.binding, set, &facts, ordinal) else { continue };
                let stands = rows.get(&key).is_some_and(|row| row.status != ledger.removed);
                if stands && !self.expected_keys.contains(&key) {
                    self.ledger.push(LedgerWrite {
                        unit: id.clone(),
                        key,
                        id: chunk.id.clone(),
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

/// The ledger's key of one chunk, where the set has a ledger whose key can be filled from a unit.
pub fn ledger_key(binding: &Binding, set: &str, unit: &UnitFacts, ordinal: u32) -> Option<String> {
    let ledger = binding.ledger.as_ref().filter(|ledger| ledger.sets.iter().any(|name| name == set))?;
    chunk_key(&ledger.key, unit, ordinal)
}

/// Fills the template of a chunk's key.
fn chunk_key(template: &str, unit: &UnitFacts, ordinal: u32) -> Option<String> {
    let mut names = Names { unit: Some((unit, 0)), ..Names::default() };
    names.set("chunk.index", ordinal);
    names.set("chunk.key", format!("{ordinal:04}"));
    Template::parse(template).ok()?.fill_text(&names).ok()
}

/// The id of one chunk in the id scheme `key`. The namespace and the names of the template were checked before.
pub(super) fn chunk_id(namespace: &str, template: &str, unit: &UnitFacts, ordinal: u32) -> PointId {
    let key = chunk_key(template, unit, ordinal).unwrap_or_default();
    PointId::of_key(namespace, &key).unwrap_or_else(|| panic!("BUG: \"{namespace}\" was let through as a uuid"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key is the one that the field publishes; the id was computed with Python's `uuid.uuid5`.
    #[test]
    fn the_id_of_a_chunk_is_uuid_5_of_its_key() {
        let unit = UnitFacts { address: "ICX-CONST/KT-B".to_owned(), ..UnitFacts::default() };
        let template = "iu.{unit.address}#chunk-{chunk.key}";
        assert_eq!(chunk_key(template, &unit, 1).as_deref(), Some("iu.ICX-CONST/KT-B#chunk-0001"));
        let id = chunk_id("6ba7b811-9dad-11d1-80b4-00c04fd430c8", template, &unit, 1);
        assert_eq!(id, PointId::Uuid("01b5bdc7-d94e-525a-86d3-950a91ba9386".to_owned()));
    }
}

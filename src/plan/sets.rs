//! Steps that make vector sets true.

use super::derive::Builder;
use super::step::{Phase, VectorWork, Work};
use crate::diff::{Change, ChangeDetail, ChunkSource, CollectionChange, VectorChange};

impl<'a> Builder<'a> {
    pub(super) fn vector_changes(&self) -> Vec<(&'a Change, &'a VectorChange)> {
        self.parts
            .changes
            .iter()
            .filter_map(|change| match &change.detail {
                ChangeDetail::VectorSet(set) => Some((change, set.as_ref())),
                _ => None,
            })
            .collect()
    }

    /// Changes that write into the vector store.
    fn written(&self) -> Vec<(&'a Change, &'a VectorChange)> {
        let mut changes = self.vector_changes();
        changes.retain(|(_, vector)| !matches!(vector.collection, CollectionChange::Adopt { .. }));
        changes
    }

    pub(super) fn stage(&mut self) {
        for (change, vector) in self.written() {
            let back = vector.back.is_some();
            if back && in_place(vector).is_none() {
                continue;
            }
            let Some(pin) = self.set(&vector.set) else { continue };
            if !back && !self.parts.pins.chunk_policies.contains_key(&pin.chunk_policy) {
                self.missing(&change.address, "its chunk policy");
                continue;
            }
            let in_place = in_place(vector);
            let live = match &vector.collection {
                CollectionChange::New | CollectionChange::Return { .. } => None,
                CollectionChange::Replace { live, .. }
                | CollectionChange::InPlace { live, .. }
                | CollectionChange::Adopt { live } => Some(live.clone()),
            };
            let ledger = self.parts.pins.binding.ledger.as_ref();
            let ledger = ledger.filter(|ledger| !back && ledger.sets.contains(&vector.set));
            let work = VectorWork {
                set: vector.set.clone(),
                live,
                new_collection: in_place.is_none(),
                vectors: pin.vectors.clone(),
                payload_indexes: pin.payload_indexes.clone(),
                makers: pin.makers.clone(),
                chunk_policy: pin.chunk_policy.clone(),
                payload: pin.payload.clone(),
                policy_digest: pin.policy,
                embedders_digest: pin.embedders,
                units: vector.units.clone(),
                kept: vector.kept,
                ledger_key: ledger.map(|ledger| ledger.key.clone()),
            };
            // Points that a run took away come back from what it kept: nothing is embedded, and no text is read.
            let title = match in_place {
                Some(live) if back => format!("take the points of {live} as they were"),
                Some(live) => format!("embed the points that change in {live}"),
                None => format!("fill a new collection for {}", vector.set),
            };
            self.step(Phase::Stage, title, None, vec![change.address.clone()], Work::StageVectors(Box::new(work)));
        }
    }

    /// Points of live collections: the last steps of the transaction, because only what PostgreSQL is ready to commit is
    /// shown to readers.
    pub(super) fn write_in_place(&mut self) {
        for (change, vector) in self.vector_changes() {
            let Some(live) = in_place(vector) else { continue };
            let written =
                vector.units.iter().flat_map(|unit| &unit.chunks).filter(|c| c.source != ChunkSource::Kept).count();
            let deleted: usize = vector.units.iter().map(|unit| unit.delete.len()).sum();
            if written + deleted == 0 {
                continue;
            }
            let title = format!("write {} into {live}, delete {deleted}", points_text(written));
            let work = Work::WriteVectors { set: vector.set.clone() };
            self.step(Phase::Transaction, title, None, vec![change.address.clone()], work);
        }
    }

    pub(super) fn settle_and_sweep(&mut self) {
        for (change, vector) in self.written() {
            let (title, work) = match in_place(vector) {
                Some(live) => (format!("stamp {live}"), self.finish(vector, live)),
                None => switch(vector),
            };
            self.step(Phase::Settle, title, None, vec![change.address.clone()], work);
        }
        for (change, vector) in self.vector_changes() {
            if let CollectionChange::Replace { live, .. } | CollectionChange::Return { live, .. } = &vector.collection {
                let work = Work::DropCollection { set: vector.set.clone(), collection: live.clone() };
                self.step(
                    Phase::Sweep,
                    format!("remove the old collection {live}"),
                    None,
                    vec![change.address.clone()],
                    work,
                );
            }
        }
    }

    fn finish(&mut self, vector: &VectorChange, live: &str) -> Work {
        let indexes = self.set(&vector.set).map(|pin| pin.payload_indexes.clone());
        Work::FinishCollection {
            set: vector.set.clone(),
            collection: live.to_owned(),
            payload_indexes: indexes.unwrap_or_default(),
        }
    }
}

fn switch(vector: &VectorChange) -> (String, Work) {
    let (set, to) = match &vector.collection {
        CollectionChange::Return { to, .. } => (vector.set.clone(), Some(to.clone())),
        _ => (vector.set.clone(), None),
    };
    let title = match &to {
        Some(to) => format!("point the alias {set} back at {to}"),
        None => format!("point the alias {set} at the new collection"),
    };
    (title, Work::SwitchAlias { set, to })
}

/// The live collection of a set that changes in place.
fn in_place(vector: &VectorChange) -> Option<&str> {
    match &vector.collection {
        CollectionChange::InPlace { live, .. } => Some(live),
        CollectionChange::New
        | CollectionChange::Replace { .. }
        | CollectionChange::Return { .. }
        | CollectionChange::Adopt { .. } => None,
    }
}

pub(super) fn points_text(count: usize) -> String {
    if count == 1 { "1 point".to_owned() } else { format!("{count} points") }
}

//! Steps that make vector sets true.

use std::collections::BTreeMap;

use super::build::Builder;
use super::step::{Phase, VectorMaker, VectorWork, Work};
use crate::diff::{Change, ChangeDetail, ChunkSource, CollectionChange, VectorChange};
use crate::model::VectorSpec;

impl<'a> Builder<'a> {
    pub(super) fn vector_changes(&self) -> Vec<(&'a Change, &'a VectorChange)> {
        self.input
            .comparison
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
            if let (Some(_), Some(live)) = (&vector.back, in_place(vector)) {
                self.stage_back(change, vector, live);
                continue;
            }
            let Some(set) = self.input.desired.vector_sets.get(&vector.set) else { continue };
            let Some(recipe) = self.input.recipes.get(&vector.set) else { continue };
            let makers = set
                .vectors
                .iter()
                .map(|(name, spec)| {
                    let maker = match &spec.value {
                        VectorSpec::Dense { embedder, .. } => VectorMaker::Embedder(embedder.clone()),
                        VectorSpec::Bm25 { language } => VectorMaker::Bm25(language.clone()),
                    };
                    (name.clone(), maker)
                })
                .collect();
            let in_place = in_place(vector);
            let live = match &vector.collection {
                CollectionChange::New | CollectionChange::Return { .. } => None,
                CollectionChange::Replace { live, .. }
                | CollectionChange::InPlace { live, .. }
                | CollectionChange::Adopt { live } => Some(live.clone()),
            };
            let ledger = self.input.binding.ledger.as_ref().filter(|ledger| ledger.sets.contains(&vector.set));
            let work = VectorWork {
                set: vector.set.clone(),
                live,
                new_collection: in_place.is_none(),
                vectors: recipe.vectors.clone(),
                payload_indexes: recipe.payload_indexes.clone(),
                makers,
                chunk_policy: set.chunk_policy.value.clone(),
                payload: set.payload.iter().map(|field| field.value.clone()).collect(),
                policy_digest: recipe.policy,
                embedders_digest: recipe.embedders,
                units: vector.units.clone(),
                kept: vector.kept,
                ledger_key: ledger.map(|ledger| ledger.key.clone()),
            };
            let title = match in_place {
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

    fn finish(&self, vector: &VectorChange, live: &str) -> Work {
        // A revert leaves the indexes as they are.
        let found = self.input.observed.collections.get(live).map(|facts| &facts.payload_indexes);
        let wanted = self.input.recipes.get(&vector.set).map(|recipe| &recipe.payload_indexes);
        Work::FinishCollection {
            set: vector.set.clone(),
            collection: live.to_owned(),
            payload_indexes: wanted.or(found).cloned().unwrap_or_default(),
        }
    }

    /// Points that a run took away come back from what it kept: nothing is embedded, and no text is read.
    fn stage_back(&mut self, change: &Change, vector: &VectorChange, live: &str) {
        let work = VectorWork {
            set: vector.set.clone(),
            live: Some(live.to_owned()),
            new_collection: false,
            vectors: self.input.observed.collections.get(live).map(|facts| facts.vectors.clone()).unwrap_or_default(),
            payload_indexes: BTreeMap::new(),
            makers: BTreeMap::new(),
            chunk_policy: String::new(),
            payload: Vec::new(),
            policy_digest: vector.recipe,
            embedders_digest: vector.recipe,
            units: vector.units.clone(),
            kept: vector.kept,
            ledger_key: None,
        };
        let title = format!("take the points of {live} as they were");
        self.step(Phase::Stage, title, None, vec![change.address.clone()], Work::StageVectors(Box::new(work)));
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

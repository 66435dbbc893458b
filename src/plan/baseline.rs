//! What a plan observed, as digests. The same functions make the baseline and check it.

use std::collections::{BTreeMap, BTreeSet};

use super::build::BuildInput;
use super::saved::{Baseline, CollectionBaseline, RowBaseline, SelectionPin};
use crate::diff::{Change, ChangeDetail, RowChange, live_collection};
use crate::model::{Address, Digest, Managed, PointId, ReferenceTarget, UnitFacts, digest_of};

/// Units that the selections chose before, or choose after, by address.
pub fn relevant_units(
    selections: &[SelectionPin],
    overlay: &BTreeMap<String, String>,
    units: &BTreeMap<String, UnitFacts>,
) -> BTreeMap<String, Digest> {
    units
        .values()
        .filter(|unit| {
            overlay.contains_key(&unit.id)
                || selections.iter().any(|pin| {
                    let after = overlay.get(&unit.id).filter(|_| pin.after);
                    pin.selection.matches(|field| match field {
                        "lifecycle" => Some(after.unwrap_or(&unit.lifecycle).clone()),
                        other => unit.field(other),
                    })
                })
        })
        .map(|unit| (unit.address.clone(), unit.digest()))
        .collect()
}

/// The digest over a set of point ids.
pub fn collection_ids_digest<'a>(ids: impl Iterator<Item = &'a PointId>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for id in ids {
        hasher.update(id.to_string().as_bytes());
        hasher.update(b"\n");
    }
    Digest::from_bytes(*hasher.finalize().as_bytes())
}

/// The digest of everything managed under a promotion or a vector set.
pub fn managed_under(root: &Address, managed: &BTreeMap<Address, Managed>) -> Digest {
    let prefix = format!("{root}[");
    let entries: Vec<(&Address, &Digest)> = managed
        .range(root.clone()..)
        .take_while(|(address, _)| *address == root || address.as_str().starts_with(&prefix))
        .map(|(address, managed)| (address, &managed.digest))
        .collect();
    digest_of(&entries)
}

pub(super) fn baseline(input: &BuildInput<'_>, selections: &[SelectionPin]) -> Baseline {
    let observed = input.observed;
    let mut managed = BTreeMap::new();
    for name in input.desired.promotions.keys() {
        let root = Address::promotion(name);
        managed.insert(root.clone(), managed_under(&root, &observed.managed));
    }
    let mut collections = BTreeMap::new();
    let mut ledgers = BTreeMap::new();
    let changed = input.comparison.changes.iter().filter_map(|change| match &change.detail {
        ChangeDetail::VectorSet(set) => Some(&set.set),
        _ => None,
    });
    let sets: BTreeSet<&String> = input.desired.vector_sets.keys().chain(changed).collect();
    for name in sets {
        let root = Address::vector_set(name);
        managed.insert(root.clone(), managed_under(&root, &observed.managed));
        let live = live_collection(name, observed);
        let ids = observed.points.get(name);
        collections.insert(
            name.clone(),
            CollectionBaseline {
                alias: live.as_ref().is_some_and(|(_, alias)| *alias),
                collection: live.map(|(collection, _)| collection),
                points: ids.map_or(0, BTreeSet::len) as u64,
                ids: collection_ids_digest(ids.into_iter().flatten()),
                digests: observed.digests.get(name).map(digest_of),
            },
        );
        if let Some(rows) = observed.ledger.get(name) {
            ledgers.insert(name.clone(), digest_of(rows));
        }
    }
    Baseline {
        epoch: observed.epoch.clone(),
        after_run: observed.last_run.clone(),
        units: relevant_units(selections, &input.resolved.overlay, &observed.units),
        rows: row_baselines(input),
        references: references(input),
        followers: observed.rows.followers.clone(),
        gates: observed.gates.clone(),
        managed,
        collections,
        ledgers,
    }
}

fn row_baselines(input: &BuildInput<'_>) -> Vec<RowBaseline> {
    let of_row = |change: &Change| match &change.detail {
        ChangeDetail::Row { table, key, change, .. } => {
            let digest = match change {
                RowChange::Create { .. } => None,
                RowChange::Update { live, .. } | RowChange::Delete { before: live } => Some(digest_of(live)),
            };
            Some(RowBaseline { table: table.clone(), key: key.clone(), digest })
        }
        ChangeDetail::Lifecycle { .. }
        | ChangeDetail::Promotion { .. }
        | ChangeDetail::Refresh { .. }
        | ChangeDetail::VectorSet(_)
        | ChangeDetail::Gate { .. }
        | ChangeDetail::Retention { .. }
        | ChangeDetail::Guard { .. }
        | ChangeDetail::Forget => None,
    };
    input.comparison.changes.iter().filter_map(of_row).collect()
}

fn references(input: &BuildInput<'_>) -> Vec<ReferenceTarget> {
    let targets: BTreeSet<&ReferenceTarget> = input.observed.rows.stands_on.iter().collect();
    targets.into_iter().cloned().collect()
}

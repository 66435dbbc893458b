//! Compares reality with the baseline, inside the transaction that decides.
//!
//! Rows that will be written and units that were read are locked where the role may lock them, so that what was compared
//! is still true at the commit. What differs is named.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ApplyError;
use super::rows;
use super::types;
use crate::diff::ChangeDetail;
use crate::model::{Address, Digest, Managed, PointsCompared, Selection, UnitFacts, digest_of};
use crate::observe::{
    ComparePoints, Depth, UnitFilter, may_lock_units, read_epoch, read_gates, read_ledger, read_managed,
    read_record_sums, read_units,
};
use crate::plan::{
    CollectionBaseline, SavedPlan, Step, Work, fields_used, managed_under, relevant_units, shared_addresses,
};
use crate::points::with_state;
use crate::store::{Param, Query, Sql, StoreError, Tx, VectorStore};

/// What was read while comparing, for the steps that follow.
pub(super) struct Rechecked {
    /// Units by id.
    pub units: BTreeMap<String, UnitFacts>,
    /// Whether the units could be locked.
    pub locked: bool,
    /// Facts of the tables whose rows the plan writes.
    pub tables: crate::observe::rows::Facts,
}

/// Compares everything in the relational store.
pub(super) async fn recheck(tx: &mut dyn Tx, plan: &SavedPlan) -> Result<Rechecked, ApplyError> {
    let mut moved = Vec::new();
    let epoch = read_epoch(tx).await?;
    if plan.baseline.epoch.as_deref() != Some(epoch.as_str()) {
        return Err(ApplyError::WrongTarget(
            "the plan was made for another database, or this one was set up anew since".to_owned(),
        ));
    }
    let managed = read_managed(tx, &plan.pins.project).await?;
    let sums = read_record_sums(tx).await?;
    for (root, digest) in &plan.baseline.managed {
        if managed_under(root, &managed, &sums) != *digest {
            moved.push(format!("{root} was applied by another run"));
        }
    }
    let locked = may_lock_units(tx, &plan.pins.binding.units).await?;
    let units = read_baseline_units(tx, plan, &managed, locked).await?;
    compare_units(plan, &units, &read_addresses(tx, plan).await?, &mut moved);
    types::compare(tx, plan, &mut moved).await?;
    let tables = rows::facts(tx, plan).await?;
    rows::compare(tx, plan, &tables, &mut moved).await?;
    compare_gates(tx, plan, &mut moved).await?;
    compare_ledgers(tx, plan, &mut moved).await?;
    if moved.is_empty() { Ok(Rechecked { units, locked, tables }) } else { Err(ApplyError::Stale(moved)) }
}

async fn read_baseline_units(
    tx: &mut dyn Tx,
    plan: &SavedPlan,
    managed: &BTreeMap<Address, Managed>,
    lock: bool,
) -> Result<BTreeMap<String, UnitFacts>, StoreError> {
    let selections: Vec<Selection> = plan.pins.selections.iter().map(|pin| pin.selection.clone()).collect();
    let mut ids: BTreeSet<String> = plan.pins.overlay.keys().cloned().collect();
    for entry in managed.values() {
        ids.extend(entry.units.iter().map(|unit| unit.id.clone()));
    }
    read_units(tx, &plan.pins.binding.units, &UnitFilter { selections, ids, lock }).await
}

/// Addresses of the units of the plan's sets as they are written down.
async fn read_addresses(tx: &mut dyn Tx, plan: &SavedPlan) -> Result<Vec<String>, StoreError> {
    let sets = Param::Texts(plan.baseline.collections.keys().cloned().collect());
    let sql = "SELECT m.address FROM enact.managed_unit m WHERE m.set_name = ANY ($1)";
    let records = tx.query(&Query::new(Sql::new(sql)).bind(sets)).await?;
    Ok(records.iter().filter_map(|record| record.text(0)).map(str::to_owned).collect())
}

fn compare_units(plan: &SavedPlan, units: &BTreeMap<String, UnitFacts>, recorded: &[String], moved: &mut Vec<String>) {
    for shared in shared_addresses(&plan.pins.selections, &plan.pins.overlay, units) {
        let (one, other) = shared.ids;
        moved.push(format!("the units {one} and {other} have the address \"{}\" now", shared.address));
    }
    let now = relevant_units(&plan.pins.selections, &plan.pins.overlay, units);
    let planned = plan.changes.iter().filter_map(|change| match &change.detail {
        // What the plan's own rows make of a unit is no unit that lives.
        ChangeDetail::Lifecycle { unit, .. } if !plan.baseline.made.contains_key(&unit.id) => {
            Some((unit.address.as_str(), unit.digest()))
        }
        _ => None,
    });
    // Units that earlier applies wrote down, and those of sets that change: they may have been there.
    let indexed = plan.changes.iter().flat_map(|change| match &change.detail {
        ChangeDetail::VectorSet(set) => set.units.as_slice(),
        _ => &[],
    });
    let known = recorded.iter().map(String::as_str).chain(indexed.map(|unit| unit.address.as_str()));
    moved.extend(plan.baseline.units.differences(&now, &planned.collect(), known));
}

/// Digests the units of the plan once more, as the last thing before the decision: after the plan's own writes they must be
/// what was planned, and where they could not be locked nobody else may have changed them.
pub(super) async fn recheck_after(tx: &mut dyn Tx, plan: &SavedPlan, before: &Rechecked) -> Result<(), ApplyError> {
    let writes = |step: &Step| matches!(step.work, Work::WriteRows(_) | Work::Transitions(_) | Work::Refresh { .. });
    if before.locked && !plan.steps.iter().any(writes) {
        return Ok(());
    }
    let now = read_baseline_units(tx, plan, &BTreeMap::new(), false).await?;
    let moved = differences_after(plan, &before.units, &now);
    match (moved.is_empty(), before.locked) {
        (true, _) => Ok(()),
        (false, false) => Err(ApplyError::Stale(moved)),
        (false, true) => Err(ApplyError::Refused {
            step: "read the units after the plan's own writes".to_owned(),
            why: format!(
                "{}: what a trigger or a function made of them was not planned; apply rows and promotions first (enact plan \
                 --exclude with the address of the vector set), then the set",
                moved.join("; ")
            ),
        }),
    }
}

/// Units that are not what the plan makes of them, in the fields that it uses.
fn differences_after(
    plan: &SavedPlan,
    before: &BTreeMap<String, UnitFacts>,
    now: &BTreeMap<String, UnitFacts>,
) -> Vec<String> {
    let fields = fields_used(plan);
    let (made, overlay) = (&plan.baseline.made, &plan.pins.overlay);
    let after = plan.pins.selections.iter().filter(|pin| pin.after);
    let after: Vec<&Selection> = after.map(|pin| &pin.selection).collect();
    let relevant = |unit: &UnitFacts| {
        overlay.contains_key(&unit.id) || after.iter().any(|selection| selection.matches(|field| unit.field(field)))
    };
    let expected = before.values().filter(|unit| !made.contains_key(&unit.id)).map(|unit| with_state(unit, overlay));
    let mut wanted: BTreeMap<String, (String, Digest)> = expected
        .filter(|unit| relevant(unit))
        .map(|unit| (unit.id.clone(), (unit.address.clone(), unit.used(&fields).digest())))
        .collect();
    let of_plan = made.iter().filter_map(|(id, made)| Some((id.clone(), made.as_ref()?)));
    wanted.extend(of_plan.map(|(id, made)| (id, (made.address.clone(), made.digest))));
    let mut moved = Vec::new();
    for (id, (address, digest)) in &wanted {
        match now.get(id) {
            Some(unit) if unit.used(&fields).digest() == *digest => {}
            Some(_) => moved.push(format!("unit \"{address}\" changed")),
            None => moved.push(format!("unit \"{address}\" is gone")),
        }
    }
    let more = now.values().filter(|unit| !wanted.contains_key(&unit.id) && relevant(unit));
    moved.extend(more.map(|unit| format!("unit \"{}\" is selected now", unit.address)));
    moved
}

async fn compare_gates(tx: &mut dyn Tx, plan: &SavedPlan, moved: &mut Vec<String>) -> Result<(), ApplyError> {
    let Some(gates) = &plan.pins.binding.gates else { return Ok(()) };
    let names = plan.baseline.gates.keys().cloned().collect();
    let now = read_gates(tx, gates, &names).await?;
    for (gate, value) in &plan.baseline.gates {
        if now.get(gate) != Some(value) {
            moved.push(format!("gate \"{gate}\" was changed"));
        }
    }
    Ok(())
}

async fn compare_ledgers(tx: &mut dyn Tx, plan: &SavedPlan, moved: &mut Vec<String>) -> Result<(), ApplyError> {
    let Some(ledger) = &plan.pins.binding.ledger else { return Ok(()) };
    for (set, digest) in &plan.baseline.ledgers {
        if digest_of(&read_ledger(tx, ledger).await?) != *digest {
            moved.push(format!("the ledger of \"{set}\" was changed"));
        }
    }
    Ok(())
}

/// How closely a live collection is compared with what was planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closeness {
    /// The collection behind the name, and each of its points.
    Points,
    /// The collection behind the name, and its points as far as counting goes: for what nothing is written to.
    Count,
}

/// The sets whose points a plan makes anew or changes.
pub(super) fn staged_sets(plan: &SavedPlan) -> BTreeSet<&str> {
    let sets = plan.steps.iter().filter_map(|step| match &step.work {
        Work::StageVectors(work) => Some(work.set.as_str()),
        _ => None,
    });
    sets.collect()
}

/// Compares live collections as closely as is asked for each set; those for which nothing is asked are left out.
pub(super) async fn recheck_vectors(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    plan: &SavedPlan,
    closeness: impl Fn(&str) -> Option<Closeness>,
) -> Result<(), ApplyError> {
    let mut moved = Vec::new();
    for (set, baseline) in &plan.baseline.collections {
        let Some(closeness) = closeness(set) else { continue };
        let now = vectors.collection(set).await?;
        if now.as_ref().map(|facts| &facts.name) != baseline.collection.as_ref() {
            moved.push(format!("\"{set}\" is another collection now"));
            continue;
        }
        let Some(facts) = now else { continue };
        let (same, points) = match depth(closeness, baseline) {
            None => (facts.points == baseline.points, facts.points),
            Some(depth) => {
                let compare = ComparePoints { vectors, set, facts: &facts, keyed: baseline.keyed, depth };
                let live = compare.read(tx).await?;
                (digest_of(&live) == baseline.seen, live.total)
            }
        };
        if !same {
            moved.push(format!("the points of \"{set}\" changed: {} when planned, {points} now", baseline.points));
        }
    }
    if moved.is_empty() { Ok(()) } else { Err(ApplyError::Stale(moved)) }
}

/// How thoroughly a set's points are compared again; `None` where counting all of them has to do.
fn depth(closeness: Closeness, baseline: &CollectionBaseline) -> Option<Depth> {
    match (baseline.compared, closeness) {
        (PointsCompared::Fingerprint, _) => Some(Depth::Fingerprint),
        (PointsCompared::Id, Closeness::Points) => Some(Depth::Each),
        (PointsCompared::Deep, Closeness::Points) => Some(Depth::Deep),
        (PointsCompared::Id | PointsCompared::Deep, Closeness::Count) => None,
    }
}

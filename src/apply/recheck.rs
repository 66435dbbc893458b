//! Compares reality with the baseline, inside the transaction that decides.
//!
//! Rows that will be written and units that were read are locked where the role may lock them, so that what was compared
//! is still true at the commit. What differs is named.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ApplyError;
use super::rows;
use super::types;
use crate::diff::{ChangeDetail, PromotionRecord};
use crate::model::{Address, Managed, PointsCompared, Selection, UnitFacts, digest_of};
use crate::observe::{
    ComparePoints, Depth, UnitFilter, read_epoch, read_gates, read_ledger, read_managed, read_record_sums, read_units,
};
use crate::plan::{CollectionBaseline, SavedPlan, Work, managed_under, relevant_units};
use crate::store::{Param, Query, Sql, StoreError, Tx, VectorStore};

/// What was read while comparing, for the steps that follow.
pub(super) struct Rechecked {
    /// Units by id.
    pub units: BTreeMap<String, UnitFacts>,
    /// Whether the units could be locked; if not, they are read again before the decision.
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
    let managed = read_managed(tx).await?;
    let sums = read_record_sums(tx).await?;
    for (root, digest) in &plan.baseline.managed {
        if managed_under(root, &managed, &sums) != *digest {
            moved.push(format!("{root} was applied by another run"));
        }
    }
    let locked = may_lock(tx, plan).await?;
    let units = read_baseline_units(tx, plan, &managed, locked).await?;
    compare_units(plan, &units, &managed, &mut moved);
    types::compare(tx, plan, &mut moved).await?;
    let tables = rows::facts(tx, plan).await?;
    rows::compare(tx, plan, &tables, &mut moved).await?;
    compare_gates(tx, plan, &mut moved).await?;
    compare_ledgers(tx, plan, &mut moved).await?;
    if moved.is_empty() { Ok(Rechecked { units, locked, tables }) } else { Err(ApplyError::Stale(moved)) }
}

/// Whether the connection's role may lock the rows of the units.
async fn may_lock(tx: &mut dyn Tx, plan: &SavedPlan) -> Result<bool, StoreError> {
    let tables = plan.pins.binding.units.tables.iter();
    let (schemas, names) = tables.map(|table| (table.schema().to_owned(), table.name().to_owned())).unzip();
    let sql = "SELECT coalesce(pg_catalog.bool_and(pg_catalog.has_table_privilege(c.oid, 'UPDATE')), false) \
               FROM unnest($1, $2) AS w(s, t) JOIN pg_catalog.pg_namespace n ON n.nspname = w.s \
               JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t";
    let query = Query::new(Sql::new(sql)).bind(Param::Texts(schemas)).bind(Param::Texts(names));
    Ok(tx.query(&query).await?.first().is_some_and(|record| record.is_true(0)))
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
        if let Ok(record) = serde_json::from_value::<PromotionRecord>(entry.attributes.clone()) {
            ids.extend(record.units.into_iter().map(|unit| unit.id));
        }
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
    let now = relevant_units(&plan.pins.selections, &plan.pins.overlay, units);
    let planned = plan.changes.iter().filter_map(|change| match &change.detail {
        ChangeDetail::Lifecycle { unit, .. } => Some((unit.address.as_str(), unit.digest())),
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

/// Reads units that could not be locked once more, as the last thing before the decision.
pub(super) async fn recheck_unlocked(tx: &mut dyn Tx, plan: &SavedPlan, before: &Rechecked) -> Result<(), ApplyError> {
    if before.locked {
        return Ok(());
    }
    let managed = BTreeMap::new();
    let mut units = read_baseline_units(tx, plan, &managed, false).await?;
    // The states that this plan made itself are not somebody else's change.
    for (id, unit) in &mut units {
        if let Some(was) = before.units.get(id).filter(|_| plan.pins.overlay.contains_key(id)) {
            unit.lifecycle = was.lifecycle.clone();
        }
    }
    let mut moved = Vec::new();
    compare_units(plan, &units, &[], &mut moved);
    if moved.is_empty() { Ok(()) } else { Err(ApplyError::Stale(moved)) }
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

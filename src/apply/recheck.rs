//! Compares reality with the baseline, inside the transaction that decides.
//!
//! Rows that will be written and units that were read are locked where the role may lock them, so that what was compared
//! is still true at the commit. What differs is named.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ApplyError;
use super::rows;
use super::types;
use crate::diff::ChangeDetail;
use crate::model::{
    Address, PointsCompared, RowKey, Selection, SharedAddress, TableName, TableNow, UnitFacts, UnitParts, digest_of,
    unit_part,
};
use crate::observe::{
    ChosenUnits, ComparePoints, Depth, UnitFilter, may_lock_units, read_epoch, read_gates, read_ledger,
    read_managed_without_units, read_record_sums, read_recorded_rows, read_units,
};
use crate::plan::{
    CollectionBaseline, SavedPlan, Step, UnitsBaseline, UnitsNow, Work, collection_shape, fields_used, managed_under,
};
use crate::points::with_state;
use crate::store::{Param, Query, Relational, Sql, StoreError, Tx, TxMode, VectorStore};

/// What was read while comparing, for the steps that follow.
pub(super) struct Rechecked {
    /// Whether the units could be locked.
    pub locked: bool,
    /// The units that the plan chooses afterwards and leaves as they are, where they may be others by then.
    rest: Option<UnitParts>,
    /// Facts of the tables whose rows the plan writes.
    pub tables: crate::observe::rows::Facts,
}

/// Compares everything in the relational store, and locks it where that is possible.
pub(super) async fn recheck(tx: &mut dyn Tx, plan: &SavedPlan) -> Result<Rechecked, ApplyError> {
    let locked = may_lock_units(tx, &plan.pins.binding.units).await?;
    let tables = compare_all(tx, plan, locked).await?;
    let writes = |step: &Step| matches!(step.work, Work::WriteRows(_) | Work::Transitions(_) | Work::Refresh { .. });
    let rest = match !locked || plan.steps.iter().any(writes) {
        true => Some(Rest::of(plan).chosen(plan).parts(tx).await?),
        false => None,
    };
    Ok(Rechecked { locked, rest, tables })
}

/// Compares both stores with what a plan stands on, for one that changes nothing. Nothing is locked.
///
/// # Errors
/// What moved since the plan was made; those of the stores.
pub async fn still_holds(
    store: &mut dyn Relational,
    vectors: &dyn VectorStore,
    plan: &SavedPlan,
) -> Result<(), ApplyError> {
    let mut tx = store.begin(TxMode::Snapshot).await?;
    compare_all(tx.as_mut(), plan, false).await?;
    recheck_vectors(tx.as_mut(), vectors, plan, |_| Some(Closeness::Points)).await?;
    Ok(tx.rollback().await?)
}

/// Gives the facts of the tables whose rows the plan writes.
async fn compare_all(tx: &mut dyn Tx, plan: &SavedPlan, lock: bool) -> Result<crate::observe::rows::Facts, ApplyError> {
    let mut moved = Vec::new();
    let epoch = read_epoch(tx).await?;
    if plan.baseline.epoch.as_deref() != Some(epoch.as_str()) {
        return Err(ApplyError::WrongTarget(
            "the plan was made for another database, or this one was set up anew since".to_owned(),
        ));
    }
    let managed = read_managed_without_units(tx, &plan.pins.project).await?;
    let sums = read_record_sums(tx).await?;
    for (root, digest) in &plan.baseline.managed {
        if managed_under(root, &managed, &sums) != *digest {
            moved.push(format!("{root} was applied by another run"));
        }
    }
    compare_units(tx, plan, lock, &mut moved).await?;
    types::compare(tx, plan, &mut moved).await?;
    let tables = rows::facts(tx, plan).await?;
    rows::compare(tx, plan, &tables, &mut moved).await?;
    compare_declared(tx, plan, &mut moved).await?;
    compare_gates(tx, plan, &mut moved).await?;
    compare_ledgers(tx, plan, &mut moved).await?;
    if moved.is_empty() { Ok(tables) } else { Err(ApplyError::Stale(moved)) }
}

/// Compares the units that the plan stands on, all of them by their digest and those that it moves one by one.
async fn compare_units(
    tx: &mut dyn Tx,
    plan: &SavedPlan,
    lock: bool,
    moved: &mut Vec<String>,
) -> Result<(), ApplyError> {
    let source = &plan.pins.binding.units;
    let selections: Vec<&Selection> = plan.pins.selections.iter().map(|pin| &pin.selection).collect();
    let chosen = ChosenUnits { lock, ..ChosenUnits::as_they_live(source, &selections) };
    let parts = chosen.parts(tx).await?;
    for SharedAddress { address, ids: (one, other), .. } in chosen.shared(tx).await? {
        moved.push(format!("the units {one} and {other} have the address \"{address}\" now"));
    }
    // What the plan's own rows make of a unit is no unit that lives.
    let planned: BTreeMap<&String, &UnitFacts> =
        moves(plan).filter(|(id, _)| !plan.baseline.made.contains_key(*id)).collect();
    let ids = planned.keys().map(|id| (*id).clone()).collect();
    let now = read_units(tx, source, &UnitFilter { selections: Vec::new(), ids, lock }).await?;
    let mut explained = BTreeSet::new();
    for (id, unit) in planned {
        let address = unit.address.as_str();
        match now.get(id) {
            Some(now) if now == unit => continue,
            Some(_) => moved.push(format!("unit \"{address}\" changed")),
            None => moved.push(format!("unit \"{address}\" is gone or no longer selected")),
        }
        explained.insert(address);
    }
    let differing = plan.baseline.units.differing(&parts);
    if differing.is_empty() {
        return Ok(());
    }
    let members = ChosenUnits { lock: false, ..chosen }.of_parts(tx, &differing).await?;
    let members: Vec<&str> = members.iter().map(|unit| unit.address.as_str()).collect();
    // Units that earlier applies wrote down, and those of sets that change: they may have been there.
    let recorded = read_addresses(tx, plan).await?;
    let indexed = plan.changes.iter().flat_map(|change| match &change.detail {
        ChangeDetail::VectorSet(set) => set.units.as_slice(),
        _ => &[],
    });
    let known: BTreeSet<&str> =
        recorded.iter().map(String::as_str).chain(indexed.map(|unit| unit.address.as_str())).collect();
    let known: Vec<&str> = known.into_iter().filter(|address| differing.contains(&unit_part(address))).collect();
    let now = UnitsNow { parts: &parts, members: &members, known: &known, explained: &explained };
    moved.extend(plan.baseline.units.differences(&differing, &now));
    Ok(())
}

/// Units that a plan moves, by id.
fn moves(plan: &SavedPlan) -> impl Iterator<Item = (&String, &UnitFacts)> {
    plan.changes.iter().filter_map(|change| match &change.detail {
        ChangeDetail::Lifecycle { unit, .. } => Some((&unit.id, unit)),
        _ => None,
    })
}

/// Addresses of the units of the plan's sets as they are written down.
async fn read_addresses(tx: &mut dyn Tx, plan: &SavedPlan) -> Result<Vec<String>, StoreError> {
    let sets = Param::Texts(plan.baseline.collections.keys().cloned().collect());
    let sql = "SELECT m.address FROM enact.managed_unit m WHERE m.set_name = ANY ($1)";
    let records = tx.query(&Query::new(Sql::new(sql)).bind(sets)).await?;
    Ok(records.iter().filter_map(|record| record.text(0)).map(str::to_owned).collect())
}

/// The units that a plan chooses afterwards and does not change itself, in the fields that it uses.
struct Rest<'a> {
    selections: Vec<&'a Selection>,
    fields: BTreeSet<String>,
    /// Units that it does change.
    own: BTreeSet<String>,
}

impl<'a> Rest<'a> {
    fn of(plan: &'a SavedPlan) -> Rest<'a> {
        let after = plan.pins.selections.iter().filter(|pin| pin.after);
        let own = plan.pins.overlay.keys().chain(plan.baseline.made.keys());
        Rest {
            selections: after.map(|pin| &pin.selection).collect(),
            fields: fields_used(plan),
            own: own.cloned().collect(),
        }
    }

    fn chosen<'r>(&'r self, plan: &'r SavedPlan) -> ChosenUnits<'r> {
        let (source, fields) = (&plan.pins.binding.units, Some(&self.fields));
        ChosenUnits { source, selections: &self.selections, fields, without: &self.own, lock: false }
    }
}

/// Digests the units of the plan once more, as the last thing before the decision: after the plan's own writes they must be
/// what was planned, and where they could not be locked nobody else may have changed them.
pub(super) async fn recheck_after(tx: &mut dyn Tx, plan: &SavedPlan, before: &Rechecked) -> Result<(), ApplyError> {
    let Some(planned) = &before.rest else { return Ok(()) };
    let rest = Rest::of(plan);
    let chosen = rest.chosen(plan);
    let parts = chosen.parts(tx).await?;
    let mut moved = own_after(tx, plan, &rest).await?;
    let planned = UnitsBaseline::of(planned);
    let differing = planned.differing(&parts);
    if !differing.is_empty() {
        let members = chosen.of_parts(tx, &differing).await?;
        let members: Vec<&str> = members.iter().map(|unit| unit.address.as_str()).collect();
        let recorded = read_addresses(tx, plan).await?;
        let known: Vec<&str> = recorded.iter().map(String::as_str).collect();
        let now = UnitsNow { parts: &parts, members: &members, known: &known, explained: &BTreeSet::new() };
        moved.extend(planned.differences(&differing, &now));
    }
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

/// Units that a plan changes itself and that are not what it makes of them.
async fn own_after(tx: &mut dyn Tx, plan: &SavedPlan, rest: &Rest<'_>) -> Result<Vec<String>, StoreError> {
    let (made, overlay) = (&plan.baseline.made, &plan.pins.overlay);
    let filter = UnitFilter { selections: Vec::new(), ids: rest.own.clone(), lock: false };
    let now = read_units(tx, &plan.pins.binding.units, &filter).await?;
    let used = |unit: &UnitFacts| unit.used(&rest.fields).digest();
    let moving = moves(plan).filter(|(id, _)| !made.contains_key(*id));
    let moving = moving.map(|(id, unit)| (id, unit.address.as_str(), used(&with_state(unit, overlay))));
    let of_plan = made.iter().filter_map(|(id, made)| {
        let made = made.as_ref()?;
        Some((id, made.address.as_str(), made.digest))
    });
    let mut moved = Vec::new();
    for (id, address, digest) in moving.chain(of_plan) {
        match now.get(id) {
            Some(unit) if used(unit) == digest => {}
            Some(_) => moved.push(format!("unit \"{address}\" changed")),
            None => moved.push(format!("unit \"{address}\" is gone")),
        }
    }
    let gone = made.iter().filter(|(_, made)| made.is_none()).filter_map(|(id, _)| now.get(id));
    let chosen = |unit: &&UnitFacts| rest.selections.iter().any(|one| one.matches(|field| unit.field(field)));
    moved.extend(gone.filter(chosen).map(|unit| format!("unit \"{}\" is selected now", unit.address)));
    Ok(moved)
}

/// Compares declared rows that the plan leaves as they are, by how they differ from what is written down of them.
async fn compare_declared(tx: &mut dyn Tx, plan: &SavedPlan, moved: &mut Vec<String>) -> Result<(), ApplyError> {
    if plan.baseline.moved.is_empty() {
        return Ok(());
    }
    // A plan names the columns of a key in the order of its file, the record in their own.
    let sorted = |key: &RowKey| {
        let mut parts = key.0.clone();
        parts.sort();
        RowKey(parts)
    };
    let changing = plan.changes.iter().filter_map(|change| match &change.detail {
        ChangeDetail::Row { table, key, .. } => Some((table, sorted(key))),
        _ => None,
    });
    let changing: BTreeSet<(&TableName, RowKey)> = changing.collect();
    for now in read_recorded_rows(tx, &plan.pins.project, None).await? {
        let planned = plan.baseline.moved.get(&now.table.to_string());
        if planned.is_none() || planned == now.digest().as_ref() {
            continue;
        }
        let TableNow::Read(read) = &now.now else { continue };
        let differing = read.rows.iter().filter(|row| row.differs()).map(|row| &row.key).chain(&read.undeclared_rows);
        let others = differing.filter(|key| !changing.contains(&(&now.table, sorted(key))));
        let others: Vec<Address> = others.map(|key| Address::row(&now.table, key)).collect();
        match others.as_slice() {
            [] => moved.push(format!("declared rows of \"{}\" changed", now.table)),
            some => moved.extend(some.iter().map(|address| format!("{address} changed"))),
        }
    }
    Ok(())
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
        if collection_shape(&facts) != baseline.shape {
            moved.push(format!("the vectors or payload indexes of \"{set}\" changed"));
        }
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

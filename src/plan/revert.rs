//! The way back from an applied run. Pure.
//!
//! A revert is an ordinary plan: rows and gates get the values that they had, units move back where the binding has a
//! transition for it, and points come back from what the run kept of them. What cannot go back is a finding of the plan:
//!
//! - governance rows that a promotion wrote stay: they record what was decided;
//! - units whose binding has no way back stay, unless the caller names a state that they go forward to instead;
//! - units that have moved on since stay where they are;
//! - a set that a later run changed, or whose old collection is gone, stays.

use std::collections::{BTreeMap, BTreeSet};

use super::saved::SavedPlan;
use crate::diff::{
    Change, ChangeDetail, ChunkPlan, ChunkSource, CollectionChange, Finding, GoBack, LedgerWrite, Reason, RowChange,
    UnitPoints, VectorChange, check_target, codes, counted,
};
use crate::model::{
    Address, Cell, Condition, DeclaredRow, Desired, Diagnostic, GateResource, IdChoice, KeyPart, LiveRow, Managed,
    Observed, Place, PointId, Promotion, RecordedUnit, Review, RowKey, RowOrigin, RowSet, RowState, Selection, Spot,
    TableFacts, TableName, UnitsRef, Written,
};

/// Characters of a run's id in the name of the promotion that undoes its moves: its time, to the millisecond.
const RUN_CHARS: usize = 13;

/// The run that is to be reverted, with what it left behind.
pub struct AppliedRun<'a> {
    /// Its id.
    pub run: &'a str,
    /// Its plan.
    pub plan: &'a SavedPlan,
    /// What Enact owned before it, of what it changed; absent where it owned nothing.
    pub managed_before: &'a BTreeMap<Address, Managed>,
    /// What was written down of the units of vector sets that it changed, by set and unit id.
    pub units_before: &'a BTreeMap<String, BTreeMap<String, RecordedUnit>>,
    /// Ids of the points of its sets as they are now.
    pub live: &'a BTreeMap<String, BTreeSet<PointId>>,
    /// The run that last wrote about each resource.
    pub last_writer: &'a BTreeMap<Address, String>,
    /// Points that it took away in place, by collection.
    pub images: &'a BTreeMap<String, BTreeSet<PointId>>,
    /// The state of each unit that it moved, now, by id; absent where the unit is gone.
    pub states: &'a BTreeMap<String, String>,
}

/// How units go forward that cannot go back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forward {
    /// The state.
    pub to: String,
    /// Who decided it.
    pub reviewer: String,
}

/// Rows and moves that go back.
#[derive(Debug, Default)]
pub struct WayBack {
    /// What should be there again.
    pub desired: Desired,
    /// What cannot go back.
    pub findings: Vec<Finding>,
    /// Records of promotions whose units all go back, which are forgotten.
    pub forget: Vec<Change>,
}

/// The rows and moves that undo a run, and what stays. `tables` are the catalog's facts of the tables it wrote.
///
/// # Errors
/// A value of the old row that cannot be read back; a state to go forward to that no transition leads to.
pub fn desired_before(
    applied: &AppliedRun<'_>,
    tables: &BTreeMap<TableName, TableFacts>,
    forward: Option<&Forward>,
) -> Result<WayBack, Diagnostic> {
    if let Some(forward) = forward {
        check_target(&applied.plan.pins.binding, &forward.to)?;
    }
    let file = format!("revert of run {}", applied.run);
    let place = Place { file: file.into(), line: 1, column: 1, start: 0, end: 0 };
    let mut way = WayBack::default();
    way.desired.partial = true;
    let mut records = 0u64;
    for change in &applied.plan.changes {
        let ChangeDetail::Row { table, key, kind, change: row } = &change.detail else { continue };
        if kind.is_some() {
            records += 1;
            continue;
        }
        // Nothing was written into it.
        if matches!(row, RowChange::TakeOver { .. }) {
            continue;
        }
        add_rows(&mut way.desired.rows, row_before(table, key, row, tables.get(table), &place));
    }
    for went in applied.plan.findings.iter().filter(|finding| finding.code == codes::CONSEQUENCE.id) {
        let message = format!("what went or changed by the way does not go back: {}", went.message);
        way.findings.push(stays(went.address.clone(), message));
    }
    if records > 0 {
        way.findings.push(stays(None, format!("{records} governance rows stay: they record what was decided")));
    }
    gates_back(applied, &place, &mut way);
    moves_back(applied, forward, &place, &mut way);
    Ok(way)
}

/// Gates get the values that they had, those that a retention opened among them.
fn gates_back(applied: &AppliedRun<'_>, place: &Place, way: &mut WayBack) {
    for change in &applied.plan.changes {
        let (ChangeDetail::Gate { gate, before, .. } | ChangeDetail::Retention { gate, before, .. }) = &change.detail
        else {
            continue;
        };
        let value = Spot { value: before.clone(), place: place.clone() };
        way.desired.gates.insert(gate.clone(), GateResource { value, place: place.clone() });
    }
}

/// Rows that name the same columns are one set, so that they are asked for together.
fn add_rows(sets: &mut Vec<RowSet>, one: RowSet) {
    let same = |set: &&mut RowSet| {
        set.table.value == one.table.value && set.key == one.key && set.columns == one.columns && set.state == one.state
    };
    match sets.iter_mut().rev().find(same) {
        Some(set) => set.rows.extend(one.rows),
        None => sets.push(one),
    }
}

/// The row as it was, as somebody would declare it.
fn row_before(
    table: &TableName,
    key: &RowKey,
    change: &RowChange,
    facts: Option<&TableFacts>,
    place: &Place,
) -> RowSet {
    let spot = |value: Written| Spot { value, place: place.clone() };
    let spelled = |text: &Option<String>| text.clone().map_or(Written::Null, Written::Spelled);
    let in_key = |name: &String| key.columns().any(|column| column == name);
    let writable =
        |name: &String| facts.and_then(|facts| facts.columns.get(name)).is_some_and(|column| !column.generated);
    let (state, values): (RowState, Vec<(&String, Written)>) = match change {
        RowChange::Create { .. } => (RowState::Absent, Vec::new()),
        RowChange::TakeOver { .. } => (RowState::Present, Vec::new()),
        RowChange::Update { fields, .. } => {
            (RowState::Present, fields.iter().map(|(name, field)| (name, spelled(&field.before))).collect())
        }
        RowChange::Delete { before: LiveRow(before) } => {
            let rest = before.iter().filter(|(name, _)| !in_key(name) && writable(name));
            (RowState::Present, rest.map(|(name, text)| (name, spelled(text))).collect())
        }
    };
    let own = |part: &KeyPart| match change {
        // The key may have been written in another way than the row has it.
        RowChange::Delete { before } => spelled(&before.0.get(&part.column).cloned().flatten()),
        RowChange::Create { .. } | RowChange::Update { .. } | RowChange::TakeOver { .. } => written(&part.value),
    };
    let cells = key.0.iter().map(own).chain(values.iter().map(|(_, value)| value.clone()));
    RowSet {
        table: Spot { value: table.clone(), place: place.clone() },
        key: key.columns().cloned().collect(),
        columns: values.iter().map(|(name, _)| (*name).clone()).collect(),
        state,
        origin: RowOrigin::Files,
        computed: Vec::new(),
        rows: vec![DeclaredRow { cells: cells.map(spot).collect(), place: place.clone() }],
    }
}

/// A planned value as somebody would declare it.
fn written(cell: &Cell) -> Written {
    match cell {
        Cell::Null => Written::Null,
        Cell::Text(text) => Written::Spelled(text.clone()),
        Cell::ApplyTime => Written::ApplyTime,
        Cell::Reference(reference) => {
            let key = reference.key.0.iter().map(|part| (part.column.clone(), written(&part.value))).collect();
            let table = Written::Text(reference.table.to_string());
            Written::Map(vec![("row".to_owned(), table), ("key".to_owned(), Written::Map(key))])
        }
    }
}

/// Units that a run moved between the same two states under one promotion, and that are still where it moved them.
struct Moved<'a> {
    promotion: &'a str,
    from: &'a str,
    to: &'a str,
    units: Vec<String>,
}

fn moves_back(applied: &AppliedRun<'_>, forward: Option<&Forward>, place: &Place, way: &mut WayBack) {
    let mut moved: BTreeMap<(&str, &str, &str), Vec<&str>> = BTreeMap::new();
    for change in &applied.plan.changes {
        if let ChangeDetail::Lifecycle { unit, to, promotion } = &change.detail {
            moved.entry((promotion, &unit.lifecycle, to)).or_default().push(&unit.id);
        }
    }
    for ((promotion, from, to), units) in moved {
        let state = |id: &str| applied.states.get(id).map_or("gone", String::as_str);
        let (still, others): (Vec<&str>, Vec<&str>) = units.into_iter().partition(|id| state(id) == to);
        if !others.is_empty() {
            let now: BTreeSet<&str> = others.iter().map(|id| state(id)).collect();
            let now = now.into_iter().collect::<Vec<_>>().join(", ");
            let verb = if others.len() == 1 { "is" } else { "are" };
            let what =
                format!("{} {verb} no longer {to} but {now}: left as found", counted(others.len() as u64, "unit"));
            way.findings.push(stays(Some(Address::promotion(promotion)), what));
        }
        let units: Vec<String> = still.into_iter().map(str::to_owned).collect();
        if !units.is_empty() {
            move_back(applied, forward, Moved { promotion, from, to, units }, place, way);
        }
    }
}

fn move_back(applied: &AppliedRun<'_>, forward: Option<&Forward>, moved: Moved<'_>, place: &Place, way: &mut WayBack) {
    let Moved { promotion, from, to, units } = moved;
    let transitions = &applied.plan.pins.binding.lifecycle.transitions;
    let legal = |target: &str| transitions.iter().any(|t| t.from == to && t.to == target);
    let target = match forward {
        _ if legal(from) => from,
        Some(forward) if legal(&forward.to) => forward.to.as_str(),
        Some(_) | None => {
            let others: BTreeSet<&str> = transitions.iter().filter(|t| t.from == to).map(|t| t.to.as_str()).collect();
            let others: Vec<&str> = others.into_iter().collect();
            let what = format!("{} units stay {to}: there is no way back to {from}", units.len());
            let more = if others.is_empty() {
                String::new()
            } else {
                format!("; with --to they go forward to {} under a decision of its own", others.join(" or "))
            };
            way.findings.push(stays(Some(Address::promotion(promotion)), what + &more));
            return;
        }
    };
    if target != from {
        let what = format!("{} units go forward to {target}: there is no way back to {from}", units.len());
        way.findings.push(stays(Some(Address::promotion(promotion)), what));
    } else if applied.last_writer.get(&Address::promotion(promotion)).is_some_and(|run| run == applied.run) {
        way.forget.push(Change {
            address: Address::promotion(promotion),
            declared_at: None,
            reasons: vec![Reason::Reverted(applied.run.to_owned())],
            detail: ChangeDetail::Forget,
        });
    }
    let conditions = BTreeMap::from([
        ("id".to_owned(), Condition::In(units)),
        ("lifecycle".to_owned(), Condition::In(vec![to.to_owned()])),
    ]);
    let review = Review {
        decision: "approve".to_owned(),
        reviewer: forward.map_or_else(|| applied.plan.environment.actor.clone(), |f| f.reviewer.clone()),
        rationale: format!("reverts run {}", applied.run),
        at: None,
        more: BTreeMap::new(),
        place: None,
    };
    let units = UnitsRef::Inline(Spot { value: Selection { conditions }, place: place.clone() });
    let to = Spot { value: target.to_owned(), place: place.clone() };
    let mut name = format!("revert-{}-{promotion}", applied.run.get(..RUN_CHARS).unwrap_or(applied.run));
    // Units that one promotion took from several states go back by a promotion for each.
    if way.desired.promotions.contains_key(&name) {
        name = format!("{name}-{from}");
    }
    let ids = IdChoice::default();
    let promotion = Promotion { name: name.clone(), units, to, review, ids, adopt: false, place: place.clone() };
    way.desired.promotions.insert(name, promotion);
}

/// Adds what brings points back, and forgets the records of promotions whose units all go back.
pub fn sets_before(
    applied: &AppliedRun<'_>,
    observed: &Observed,
    collections: &BTreeSet<String>,
) -> (Vec<Change>, Vec<Finding>) {
    let (mut changes, mut findings) = (Vec::new(), Vec::new());
    for change in &applied.plan.changes {
        let ChangeDetail::VectorSet(set) = &change.detail else { continue };
        match set_before(applied, change, set, observed, collections) {
            Ok(back) => changes.extend(back),
            Err(why) => findings.push(stays(Some(change.address.clone()), why)),
        }
    }
    (changes, findings)
}

fn set_before(
    applied: &AppliedRun<'_>,
    change: &Change,
    set: &VectorChange,
    observed: &Observed,
    collections: &BTreeSet<String>,
) -> Result<Option<Change>, String> {
    match applied.last_writer.get(&change.address) {
        Some(writer) if writer == applied.run => {}
        Some(writer) => return Err(format!("points stay: run {writer} changed the set since; revert that one first")),
        None => return Err("points stay: Enact no longer manages the set".to_owned()),
    }
    let Some((live, _)) = crate::diff::live_collection(&set.set, observed) else {
        return Err("points stay: the collection is gone".to_owned());
    };
    let collection = match &set.collection {
        CollectionChange::Replace { live: old, .. } if collections.contains(old) => {
            CollectionChange::Return { live: live.clone(), to: old.clone() }
        }
        CollectionChange::Replace { live: old, .. } => {
            return Err(format!("points stay: the collection \"{old}\", which held the points before, is gone"));
        }
        CollectionChange::Return { .. } => return Err("points stay: the run was a revert itself".to_owned()),
        CollectionChange::Adopt { .. } => return Err("points stay: they were only written down".to_owned()),
        CollectionChange::New | CollectionChange::InPlace { .. } => {
            let why = format!("run {} is reverted", applied.run);
            CollectionChange::InPlace { live: live.clone(), why }
        }
    };
    let in_place = matches!(collection, CollectionChange::InPlace { .. });
    let empty = BTreeSet::new();
    let chunks = set.units.iter().flat_map(|unit| &unit.chunks);
    let sources = Sources {
        applied,
        images: applied.images.get(&live).unwrap_or(&empty),
        live: applied.live.get(&set.set).unwrap_or(&empty),
        in_place,
        written: chunks.filter(|chunk| chunk.source != ChunkSource::Kept).map(|chunk| chunk.id).collect(),
    };
    let mut units = set.units.iter().map(|unit| sources.unit(set, unit)).collect::<Result<Vec<_>, _>>()?;
    // What one unit brought another one may have had before: it comes back, and does not go.
    let stays: BTreeSet<PointId> = units.iter().flat_map(|unit| &unit.chunks).map(|chunk| chunk.id).collect();
    units.iter_mut().for_each(|unit| unit.delete.retain(|id| !stays.contains(id)));
    let touched: u64 = units.iter().map(|unit| unit.delete.len() as u64).sum();
    let kept = sources.live.len() as u64 - touched.min(sources.live.len() as u64);
    let back = applied.managed_before.get(&change.address).cloned();
    let detail = VectorChange {
        set: set.set.clone(),
        recipe: set.recipe,
        collection,
        ledger: ledger_before(set, &units),
        units,
        kept,
        foreign: 0,
        tokens: 0,
        skipped_empty: Vec::new(),
        back: Some(GoBack { run: applied.run.to_owned(), record: back }),
    };
    Ok(Some(Change {
        address: change.address.clone(),
        declared_at: None,
        reasons: vec![Reason::Reverted(applied.run.to_owned())],
        detail: ChangeDetail::VectorSet(Box::new(detail)),
    }))
}

struct Sources<'a> {
    applied: &'a AppliedRun<'a>,
    images: &'a BTreeSet<PointId>,
    live: &'a BTreeSet<PointId>,
    in_place: bool,
    /// Points that the run wrote, for whichever unit.
    written: BTreeSet<PointId>,
}

impl Sources<'_> {
    fn unit(&self, set: &VectorChange, unit: &UnitPoints) -> Result<UnitPoints, String> {
        let before = self.applied.units_before.get(&set.set).and_then(|units| units.get(&unit.unit));
        let mut chunks = Vec::new();
        for (ordinal, chunk) in (0u32..).zip(before.iter().flat_map(|before| &before.owned.chunks)) {
            // Another unit may have taken the point over.
            let source = match self.live.contains(&chunk.id) && !self.written.contains(&chunk.id) {
                true => ChunkSource::Kept,
                false if !self.in_place => ChunkSource::Kept,
                false if self.images.contains(&chunk.id) => ChunkSource::Image { run: self.applied.run.to_owned() },
                false => {
                    return Err(format!("points stay: nothing was kept of point {} of \"{}\"", chunk.id, unit.address));
                }
            };
            let (id, text, sha256) = (chunk.id, chunk.text, chunk.sha256.clone());
            let digest = chunk.digest;
            chunks.push(ChunkPlan { ordinal, id, text, sha256, digest, source });
        }
        let brought = unit.chunks.iter().filter(|chunk| chunk.source != ChunkSource::Kept).map(|chunk| chunk.id);
        let delete = brought.filter(|id| self.live.contains(id)).collect();
        Ok(UnitPoints {
            unit: unit.unit.clone(),
            address: unit.address.clone(),
            title: unit.title.clone(),
            input: before.map(|before| before.input),
            reason: Reason::Reverted(self.applied.run.to_owned()),
            chunks,
            delete,
        })
    }
}

/// The ledger rows that the run recorded, as they were.
fn ledger_before(set: &VectorChange, units: &[UnitPoints]) -> Vec<LedgerWrite> {
    let before: BTreeMap<(&str, u32), &ChunkPlan> = units
        .iter()
        .flat_map(|unit| unit.chunks.iter().map(|chunk| ((unit.unit.as_str(), chunk.ordinal), chunk)))
        .collect();
    let one = |write: &LedgerWrite| match before.get(&(write.unit.as_str(), write.ordinal)) {
        Some(chunk) => LedgerWrite { id: chunk.id, sha256: chunk.sha256.clone(), exists: true, ..write.clone() },
        None => LedgerWrite { exists: false, ..write.clone() },
    };
    set.ledger.iter().map(one).collect()
}

fn stays(address: Option<Address>, message: String) -> Finding {
    Finding { code: codes::STAYS.id.to_owned(), address, message }
}

//! Reads what is compared. Every point is read and compared with what is written down of it, page by page; what is not as it was
//! applied is kept, with all else of its unit, and the rest is counted.

use std::collections::{BTreeMap, BTreeSet};

use super::relational::reachable;
use crate::diff::PromotionRecord;
use crate::model::{
    Address, Binding, CollectionFacts, Digest, LedgerRow, LivePoints, Managed, Ownership, PointId, RecordedTable,
    SetRecord, TableName, UnitFacts, UnitSource,
};
use crate::observe::{
    ComparePoints, Depth, ObserveError, UnitFilter, binding_in_use, count_recorded, differing_units, keeps_seen,
    read_catalog, read_gates, read_ledger, read_managed_without_units, read_recorded, read_recorded_of,
    read_recorded_rows, read_units, strayed_units,
};
use crate::points::{PointFacts, has_shape, ledger_key, point_facts};
use crate::store::{Param, Query, Relational, Sql, StoreError, Tx, TxMode, VectorStore, WithVectors};

/// Differences of one table's rows that are read; the rest is counted.
const ROWS: i64 = 1_000;
/// Points that are asked for at once.
const PAGE: usize = 1_000;

/// What was read: what is not as it was applied one by one, the rest counted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Runs that are not closed.
    pub unfinished: Vec<String>,
    /// Managed vector sets by name.
    pub sets: BTreeMap<String, SetFacts>,
    /// Managed promotions by name; `None` where the record cannot be read.
    pub promotions: BTreeMap<String, Option<PromotionFacts>>,
    /// Live units by id: those of sets and promotions that may not be as they were applied, and those that the ledger names.
    pub units: BTreeMap<String, UnitFacts>,
    /// The ledger, where the binding has one that is there.
    pub ledger: Option<LedgerFacts>,
    /// Gates by name.
    pub gates: BTreeMap<String, Option<String>>,
    /// Status views of refreshes by the refresh's name.
    pub refreshes: BTreeMap<String, RefreshFacts>,
    /// Declared rows by table.
    pub rows: Vec<RecordedTable>,
    /// What was found of checks and protections.
    pub guards: super::GuardFindings,
}

/// A managed promotion.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PromotionFacts {
    /// The state that its units moved to.
    pub to: String,
    /// How many units it has.
    pub count: u64,
    /// Units that are back where they were, or neither in that state nor in one that transitions reach from it; by address with
    /// their ids.
    pub strayed: Vec<(String, String)>,
}

/// A managed vector set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SetFacts {
    /// What the database remembers; `None` where it cannot be read.
    pub record: Option<SetRecord>,
    /// What was found as it was applied.
    pub as_applied: AsApplied,
    /// Ids of the units that may not be.
    pub units: BTreeSet<String>,
    /// What each of these units owns, by unit id.
    pub owned: BTreeMap<String, Ownership>,
    /// Digests of what each unit's points were made from, by unit id.
    pub inputs: BTreeMap<String, Digest>,
    /// Digest of how its points were made.
    pub recipe: Option<Digest>,
    /// The collection behind the name.
    pub collection: Option<CollectionFacts>,
    /// Points of these units, and those that say that they are of the set and are not written down.
    pub points: BTreeMap<PointId, PointFacts>,
    /// Points that lack a vector, or have one of another shape.
    pub unshaped: BTreeSet<PointId>,
}

/// What is as it was applied, and only counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AsApplied {
    /// Units.
    pub units: u64,
    /// Their points.
    pub points: u64,
    /// Those of the points that Enact made.
    pub made: u64,
    /// Points of others.
    pub foreign: u64,
}

/// The ledger's rows by key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LedgerFacts {
    /// The rows.
    pub rows: BTreeMap<String, LedgerRow>,
    /// What each unit of the ledger's sets owns, by set and unit id.
    pub owned: BTreeMap<String, BTreeMap<String, Ownership>>,
    /// The ledger's key of each owned chunk, by unit id and ordinal.
    pub keys: BTreeMap<(String, u32), String>,
}

/// A status view.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefreshFacts {
    /// Rows of it.
    pub rows: usize,
    /// Values of the columns that are expected to have one, of the only row.
    pub values: BTreeMap<String, Option<String>>,
}

/// Reads everything; of the declared rows, those of this project.
///
/// # Errors
/// Those of the stores; a database without the schema `enact`.
pub async fn read(
    store: &mut dyn Relational,
    vectors: &dyn VectorStore,
    binding: &Binding,
    project: &str,
) -> Result<Facts, ObserveError> {
    let mut tx = store.begin(TxMode::Snapshot).await?;
    let binding = &*binding_in_use(tx.as_mut(), binding, None, project).await?;
    let managed = read_managed_without_units(tx.as_mut(), project).await?;
    let mut facts = Facts { unfinished: unfinished(tx.as_mut()).await?, sets: sets(&managed), ..Facts::default() };
    facts.promotions = promotions(tx.as_mut(), binding, &managed, project).await?;
    // The points are read while the snapshot is open, so that both stores are seen as near to one moment as they can be.
    for (name, set) in &mut facts.sets {
        read_set(tx.as_mut(), vectors, &binding.units, name, set).await?;
    }
    relational(tx.as_mut(), binding, &mut facts).await?;
    facts.units = units(tx.as_mut(), binding, &facts).await?;
    add_keys(binding, &mut facts);
    facts.rows = read_recorded_rows(tx.as_mut(), project, Some(ROWS)).await?;
    facts.guards = super::guards::read(tx.as_mut(), vectors, binding, &managed).await?;
    tx.rollback().await?;
    Ok(facts)
}

async fn unfinished(tx: &mut dyn Tx) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT run_id FROM enact.run WHERE closed_at IS NULL ORDER BY opened_at";
    let records = tx.query(&Query::new(Sql::new(sql))).await?;
    Ok(records.iter().filter_map(|record| record.text(0)).map(str::to_owned).collect())
}

fn sets(managed: &BTreeMap<Address, Managed>) -> BTreeMap<String, SetFacts> {
    let prefix = Address::vector_set("");
    let set = |(address, entry): (&Address, &Managed)| {
        let name = address.as_str().strip_prefix(prefix.as_str()).filter(|_| !entry.is_forgotten())?;
        let record = serde_json::from_value(entry.attributes.clone()).ok();
        Some((name.to_owned(), SetFacts { record, recipe: Some(entry.digest), ..SetFacts::default() }))
    };
    managed.iter().filter_map(set).collect()
}

async fn promotions(
    tx: &mut dyn Tx,
    binding: &Binding,
    managed: &BTreeMap<Address, Managed>,
    project: &str,
) -> Result<BTreeMap<String, Option<PromotionFacts>>, StoreError> {
    let prefix = Address::promotion("");
    let mut out = BTreeMap::new();
    for (address, entry) in managed {
        let Some(name) = address.as_str().strip_prefix(prefix.as_str()) else { continue };
        let Some(PromotionRecord { to, .. }) = PromotionRecord::of(entry) else {
            out.insert(name.to_owned(), None);
            continue;
        };
        let legal = reachable(&binding.lifecycle, &to).into_iter().map(str::to_owned).collect();
        let strayed = strayed_units(tx, &binding.units, (address, project), (&to, legal)).await?;
        let count = count_promoted(tx, address, project).await?;
        out.insert(name.to_owned(), Some(PromotionFacts { to, count, strayed }));
    }
    Ok(out)
}

async fn count_promoted(tx: &mut dyn Tx, promotion: &Address, project: &str) -> Result<u64, StoreError> {
    let sql = "SELECT pg_catalog.jsonb_array_length(m.attributes -> 'units') FROM enact.managed m \
               WHERE m.address = $1 AND m.project IN ('', $2)";
    let query = Query::new(Sql::new(sql)).bind(Param::Text(promotion.to_string()));
    let records = tx.query(&query.bind(Param::Text(project.to_owned()))).await?;
    Ok(records.first().and_then(|record| record.int(0)).and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

/// Compares each point of a set with what is written down of it, and reads what may not be as it was applied.
async fn read_set(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    source: &UnitSource,
    name: &str,
    set: &mut SetFacts,
) -> Result<(), StoreError> {
    set.collection = vectors.collection(name).await?;
    let live = match &set.collection {
        // What stands in a point is digested again, whatever gives it its id.
        Some(facts) => ComparePoints { vectors, set: name, facts, keyed: false, depth: Depth::Deep }.read(tx).await?,
        None => LivePoints::default(),
    };
    let names = BTreeSet::from([name.to_owned()]);
    let strays: Vec<PointId> = live.strays.iter().copied().collect();
    add_points(vectors, set, &strays).await?;
    let chosen = set.record.as_ref().and_then(|record| record.selection.clone());
    // The binding may have lost a field since; and an older Enact did not write down what units were.
    let chosen = chosen.filter(|chosen| chosen.conditions.keys().all(|name| source.expression(name).is_some()));
    let recorded = match chosen {
        Some(selection) if keeps_seen(tx).await? => {
            set.units = differing_units(tx, source, (name, &selection), &live).await?;
            let claimed = set.points.values().filter_map(|point| match point {
                PointFacts::Ours { parts, .. } => Some(parts.unit.clone()),
                PointFacts::Foreign(_) | PointFacts::Unreadable => None,
            });
            set.units.extend(claimed);
            read_recorded_of(tx, &names, &set.units).await?
        }
        Some(_) | None => read_recorded(tx, &names).await?,
    };
    let all = count_recorded(tx, name).await?;
    for (id, unit) in recorded.into_values().flatten() {
        set.units.insert(id.clone());
        set.inputs.insert(id.clone(), unit.input);
        set.owned.insert(id, unit.owned);
    }
    let chunks = || set.owned.values().flat_map(|owned| &owned.chunks);
    let owned: Vec<PointId> = chunks().map(|chunk| chunk.id).collect();
    let made = chunks().filter(|chunk| !chunk.adopted).count() as u64;
    let there = (all.points + live.strays.len() as u64).saturating_sub(live.missing.len() as u64);
    set.as_applied = AsApplied {
        units: all.units - set.owned.len() as u64,
        points: all.points - owned.len() as u64,
        made: count_made(tx, name).await? - made,
        foreign: live.total.saturating_sub(there),
    };
    add_points(vectors, set, &owned).await
}

/// Counts the points of a set that are written down, and that nobody else made.
async fn count_made(tx: &mut dyn Tx, set: &str) -> Result<u64, StoreError> {
    let sql = "SELECT pg_catalog.count(*) FROM enact.managed_point m WHERE m.set_name = $1 AND NOT m.adopted";
    let records = tx.query(&Query::new(Sql::new(sql)).bind(Param::Text(set.to_owned()))).await?;
    Ok(records.first().and_then(|record| record.int(0)).and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

/// Reads these points, those of them that are there.
async fn add_points(vectors: &dyn VectorStore, set: &mut SetFacts, ids: &[PointId]) -> Result<(), StoreError> {
    let Some(facts) = set.collection.clone() else { return Ok(()) };
    for batch in ids.chunks(PAGE) {
        for point in vectors.retrieve(&facts.name, batch, WithVectors::Yes).await? {
            if !has_shape(&point.vectors, &facts) {
                set.unshaped.insert(point.id);
            }
            set.points.insert(point.id, point_facts(point.payload));
        }
    }
    Ok(())
}

/// Units that are judged one by one.
async fn units(tx: &mut dyn Tx, binding: &Binding, facts: &Facts) -> Result<BTreeMap<String, UnitFacts>, StoreError> {
    let mut ids: BTreeSet<String> = facts.sets.values().flat_map(|set| set.units.iter().cloned()).collect();
    let strayed = facts.promotions.values().flatten().flat_map(|promotion| &promotion.strayed);
    ids.extend(strayed.map(|(_, id)| id.clone()));
    ids.extend(facts.ledger.iter().flat_map(|ledger| ledger.owned.values()).flat_map(|units| units.keys().cloned()));
    read_units(tx, &binding.units, &UnitFilter { selections: Vec::new(), ids, lock: false }).await
}

/// Reads ledger, gates and status views, those that are there.
async fn relational(tx: &mut dyn Tx, binding: &Binding, facts: &mut Facts) -> Result<(), StoreError> {
    let ledger = binding.ledger.iter().map(|ledger| ledger.table.clone());
    let views = binding.refresh.iter().map(|refresh| refresh.status.view.clone());
    let gates = binding.gates.iter().map(|gates| gates.table.clone());
    let wanted: BTreeSet<TableName> = ledger.chain(views).chain(gates).collect();
    let (there, _) = read_catalog(tx, &wanted, &BTreeSet::new()).await?;
    if let Some(ledger) = binding.ledger.as_ref().filter(|ledger| there.contains_key(&ledger.table)) {
        let sets = facts.sets.keys().filter(|name| ledger.sets.contains(name)).cloned().collect();
        let units = read_recorded(tx, &sets).await?.into_iter();
        let owned = units.map(|(set, units)| (set, units.into_iter().map(|(id, unit)| (id, unit.owned)).collect()));
        let owned = owned.collect();
        facts.ledger = Some(LedgerFacts { rows: read_ledger(tx, ledger).await?, owned, keys: BTreeMap::new() });
    }
    if let Some(gates) = binding.gates.as_ref().filter(|gates| there.contains_key(&gates.table)) {
        let names = binding.ledger.iter().filter_map(|ledger| ledger.gate.clone()).collect();
        facts.gates = read_gates(tx, gates, &names).await?;
    }
    for refresh in binding.refresh.iter().filter(|refresh| there.contains_key(&refresh.status.view)) {
        let expect = &refresh.status.expect;
        let sql = Sql::new("SELECT ")
            .list(expect.keys(), |sql, column| sql.ident(column).text("::text"))
            .text(" FROM ")
            .table(&refresh.status.view);
        let records = tx.query(&Query::new(sql)).await?;
        let mut found = RefreshFacts { rows: records.len(), values: BTreeMap::new() };
        if let Some(record) = records.first() {
            let values = expect.keys().enumerate();
            found.values = values.map(|(at, column)| (column.clone(), record.text(at).map(str::to_owned))).collect();
        }
        facts.refreshes.insert(refresh.name.clone(), found);
    }
    Ok(())
}

/// Fills the ledger's key of each owned chunk, with the unit's address as it was when its points were made.
fn add_keys(binding: &Binding, facts: &mut Facts) {
    let Facts { ledger, units, .. } = facts;
    let Some(LedgerFacts { owned, keys, .. }) = ledger else { return };
    for (name, (unit, owned)) in owned.iter().flat_map(|(name, units)| units.iter().map(move |unit| (name, unit))) {
        let found = units.get(unit).cloned().unwrap_or_else(|| UnitFacts { id: unit.clone(), ..UnitFacts::default() });
        let then = UnitFacts { address: owned.address.clone(), ..found };
        for (ordinal, _) in (0u32..).zip(&owned.chunks) {
            if let Some(key) = ledger_key(binding, name, &then, ordinal) {
                keys.insert((unit.clone(), ordinal), key);
            }
        }
    }
}

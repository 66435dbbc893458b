//! Reads what is compared. Payloads are read page by page and only what the comparison needs is kept.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::PromotionRecord;
use crate::model::{
    Address, Binding, CollectionFacts, Digest, LedgerRow, Managed, Ownership, PointId, RecordedTable, Selection,
    SetRecord, TableName, UnitFacts,
};
use crate::observe::{
    ObserveError, UnitFilter, binding_in_use, read_catalog, read_gates, read_ledger, read_managed, read_recorded,
    read_recorded_rows, read_units,
};
use crate::points::{PointFacts, has_shape, ledger_key, point_facts};
use crate::store::{Query, Relational, Sql, StoreError, Tx, TxMode, VectorStore, WithVectors};

/// Differences of one table's rows that are read; the rest is counted.
const ROWS: i64 = 1_000;
/// Points in one page.
const PAGE: u32 = 1_000;

/// What was read.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Runs that are not closed.
    pub unfinished: Vec<String>,
    /// Managed vector sets by name.
    pub sets: BTreeMap<String, SetFacts>,
    /// Managed promotions by name; `None` where the record cannot be read.
    pub promotions: BTreeMap<String, Option<PromotionRecord>>,
    /// Live units by id: those that Enact manages, and those that the selections of its sets choose.
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

/// A managed vector set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SetFacts {
    /// What the database remembers; `None` where it cannot be read.
    pub record: Option<SetRecord>,
    /// What each unit owns, by unit id.
    pub owned: BTreeMap<String, Ownership>,
    /// Digests of what each unit's points were made from, by unit id.
    pub inputs: BTreeMap<String, Digest>,
    /// Digest of how its points were made.
    pub recipe: Option<Digest>,
    /// The collection behind the name.
    pub collection: Option<CollectionFacts>,
    /// Its points.
    pub points: BTreeMap<PointId, PointFacts>,
    /// Points that lack a vector, or have one of another shape.
    pub unshaped: BTreeSet<PointId>,
    /// The ledger's key of each owned chunk, where the set has a ledger.
    pub keys: BTreeMap<(String, u32), String>,
}

/// The ledger's rows by key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LedgerFacts {
    /// The rows.
    pub rows: BTreeMap<String, LedgerRow>,
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
    let managed = read_managed(tx.as_mut(), project).await?;
    let mut facts = Facts { unfinished: unfinished(tx.as_mut()).await?, ..sort_managed(&managed) };
    let recorded = read_recorded(tx.as_mut(), &facts.sets.keys().cloned().collect()).await?;
    for (name, units) in recorded {
        let set = facts.sets.entry(name).or_default();
        for (id, unit) in units {
            set.inputs.insert(id.clone(), unit.input);
            set.owned.insert(id, unit.owned);
        }
    }
    facts.units = managed_units(tx.as_mut(), binding, &facts).await?;
    relational(tx.as_mut(), binding, &mut facts).await?;
    add_keys(binding, &mut facts);
    facts.rows = read_recorded_rows(tx.as_mut(), project, Some(ROWS)).await?;
    facts.guards = super::guards::read(tx.as_mut(), vectors, binding, &managed).await?;
    // The points are read while the snapshot is open, so that both stores are seen as near to one moment as they can be.
    for (name, set) in &mut facts.sets {
        if let Some(collection) = vectors.collection(name).await? {
            points(vectors, &collection, set).await?;
            set.collection = Some(collection);
        }
    }
    tx.rollback().await?;
    Ok(facts)
}

async fn unfinished(tx: &mut dyn Tx) -> Result<Vec<String>, StoreError> {
    let sql = "SELECT run_id FROM enact.run WHERE closed_at IS NULL ORDER BY opened_at";
    let records = tx.query(&Query::new(Sql::new(sql))).await?;
    Ok(records.iter().filter_map(|record| record.text(0)).map(str::to_owned).collect())
}

/// Sorts what is managed by kind.
fn sort_managed(managed: &BTreeMap<Address, Managed>) -> Facts {
    let mut facts = Facts::default();
    let (sets, promotions) = (Address::vector_set(""), Address::promotion(""));
    for (address, entry) in managed {
        if let Some(name) = address.as_str().strip_prefix(promotions.as_str()) {
            facts.promotions.insert(name.to_owned(), PromotionRecord::of(entry));
        }
        let name = address.as_str().strip_prefix(sets.as_str()).filter(|_| !entry.is_forgotten());
        if let Some(name) = name {
            let set = facts.sets.entry(name.to_owned()).or_default();
            set.record = serde_json::from_value(entry.attributes.clone()).ok();
            set.recipe = Some(entry.digest);
        }
    }
    facts
}

async fn managed_units(
    tx: &mut dyn Tx,
    binding: &Binding,
    facts: &Facts,
) -> Result<BTreeMap<String, UnitFacts>, StoreError> {
    let mut ids: BTreeSet<String> = facts.sets.values().flat_map(|set| set.owned.keys().cloned()).collect();
    let records = facts.promotions.values().flatten();
    ids.extend(records.flat_map(|record| record.units.iter().map(|unit| unit.id.clone())));
    let recorded = facts.sets.values().filter_map(|set| set.record.as_ref());
    // The binding may have lost a field since.
    let known =
        |selection: &Selection| selection.conditions.keys().all(|name| binding.units.expression(name).is_some());
    let selections: Vec<_> = recorded.filter_map(|record| record.selection.clone()).filter(known).collect();
    if ids.is_empty() && selections.is_empty() {
        return Ok(BTreeMap::new());
    }
    read_units(tx, &binding.units, &UnitFilter { selections, ids, lock: false }).await
}

/// Reads ledger, gates and status views, those that are there.
async fn relational(tx: &mut dyn Tx, binding: &Binding, facts: &mut Facts) -> Result<(), StoreError> {
    let ledger = binding.ledger.iter().map(|ledger| ledger.table.clone());
    let views = binding.refresh.iter().map(|refresh| refresh.status.view.clone());
    let gates = binding.gates.iter().map(|gates| gates.table.clone());
    let wanted: BTreeSet<TableName> = ledger.chain(views).chain(gates).collect();
    let (there, _) = read_catalog(tx, &wanted, &BTreeSet::new()).await?;
    if let Some(ledger) = binding.ledger.as_ref().filter(|ledger| there.contains_key(&ledger.table)) {
        facts.ledger = Some(LedgerFacts { rows: read_ledger(tx, ledger).await? });
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
    for (name, set) in &mut facts.sets {
        for (unit, owned) in &set.owned {
            let found = facts
                .units
                .get(unit)
                .cloned()
                .unwrap_or_else(|| UnitFacts { id: unit.clone(), ..UnitFacts::default() });
            let then = UnitFacts { address: owned.address.clone(), ..found };
            for (ordinal, _) in (0u32..).zip(&owned.chunks) {
                if let Some(key) = ledger_key(binding, name, &then, ordinal) {
                    set.keys.insert((unit.clone(), ordinal), key);
                }
            }
        }
    }
}

async fn points(vectors: &dyn VectorStore, facts: &CollectionFacts, set: &mut SetFacts) -> Result<(), StoreError> {
    let mut from: Option<PointId> = None;
    loop {
        let page = vectors.points(&facts.name, from.as_ref(), PAGE, WithVectors::Yes).await?;
        for point in page.points {
            if !has_shape(&point.vectors, facts) {
                set.unshaped.insert(point.id);
            }
            set.points.insert(point.id, point_facts(point.payload));
        }
        match page.next {
            Some(next) => from = Some(next),
            None => return Ok(()),
        }
    }
}

//! What lives, for a plan file that is yet to be written.
//!
//! What is asked for is read once and set-based. Of points one page is held at a time, of texts those of at most
//! [`TEXTS`] units; governance rows and the facts of units are held whole.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ObserveError;
use super::expressions::check_expressions;
use super::managed::{gates_with, read_epoch, read_managed};
use super::rows::{rows_with_keys, whole_rows};
use super::snapshot::{binding_columns, check_columns};
use super::units::{UnitFilter, read_units};
use super::vectors::each_point;
use super::{read_bodies, read_catalog, read_known, read_ledger};
use crate::diff::codes;
use crate::model::{
    Address, Binding, Diagnostic, Diagnostics, Gate, KnownNames, Managed, PointId, Selection, TableFacts, TableName,
    UnitFacts, near_hint,
};
use crate::points::ledger_key;
use crate::recognise::{CutUnit, Live, LiveSet, LiveTable, Wanted, key_of};
use crate::store::{StoreError, Tx, VectorStore};

/// The most units whose texts are read to find out how they were cut.
const TEXTS: usize = 300;
/// The most rows of one table.
const ROWS: usize = 10_000;

/// Reads what lives.
///
/// # Errors
/// Those of the stores; a table that is not there or has too many rows.
pub async fn read_live(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    binding: &Binding,
    wanted: &Wanted,
    project: &str,
) -> Result<Live, ObserveError> {
    let facts = check_binding(tx, binding).await?;
    check_expressions(tx, binding).await?;
    let mut live =
        Live { managed: managed(tx, project).await?, tables: asked_tables(tx, wanted).await?, ..Live::default() };
    if let Some(gates) = binding.gates.as_ref().filter(|_| wanted.kind(Address::gate)) {
        live.gates = gates_at_rest(tx, gates).await?;
    }
    let (promotions, sets) = (wanted.kind(Address::promotion), wanted.kind(Address::vector_set));
    if promotions || sets {
        let all = UnitFilter { selections: vec![Selection::default()], ..UnitFilter::default() };
        live.units = read_units(tx, &binding.units, &all).await?;
    }
    if promotions {
        let tables: BTreeSet<&TableName> = binding.promotion.rows.iter().map(|template| &template.table).collect();
        for (table, facts) in facts.iter().filter(|(table, _)| tables.contains(table)) {
            live.records.insert(table.clone(), whole_rows(tx, table, facts, None).await?);
        }
    }
    if let Some(ledger) = binding.ledger.as_ref().filter(|_| sets) {
        let unmanaged = |set: &&String| !live.managed.contains_key(&Address::vector_set(set));
        let names: Vec<&String> = ledger.sets.iter().filter(unmanaged).collect();
        if !names.is_empty() {
            live.ledger = read_ledger(tx, ledger).await?;
            live.sets = unmanaged_sets(tx, vectors, binding, names, &live).await?;
        }
    }
    Ok(live)
}

/// What the binding names has to be there before any of it goes into a query. Gives the catalog's facts of it.
async fn check_binding(tx: &mut dyn Tx, binding: &Binding) -> Result<BTreeMap<TableName, TableFacts>, ObserveError> {
    let names: BTreeSet<TableName> = binding_columns(binding).into_iter().map(|(table, _)| table.clone()).collect();
    let (facts, _) = read_catalog(tx, &names, &BTreeSet::new()).await?;
    let missing = names.iter().any(|name| !facts.contains_key(name));
    let known = if missing { read_known(tx).await? } else { KnownNames::default() };
    let mut errors = Diagnostics::default();
    check_columns(binding, &facts, &known, &mut errors);
    Ok(errors.into_result(facts).map(|(facts, _)| facts)?)
}

/// Nothing before `init`, when there is nowhere to write it down.
async fn managed(tx: &mut dyn Tx, project: &str) -> Result<BTreeMap<Address, Managed>, ObserveError> {
    match read_epoch(tx).await {
        Ok(_) => Ok(read_managed(tx, project).await?),
        Err(ObserveError::NotInitialised) => Ok(BTreeMap::new()),
        Err(error) => Err(error),
    }
}

async fn asked_tables(tx: &mut dyn Tx, wanted: &Wanted) -> Result<BTreeMap<TableName, LiveTable>, ObserveError> {
    let names: BTreeSet<TableName> = wanted.rows.iter().map(|asked| asked.table.clone()).collect();
    if names.is_empty() {
        return Ok(BTreeMap::new());
    }
    let (facts, _) = read_catalog(tx, &names, &BTreeSet::new()).await?;
    let mut out = BTreeMap::new();
    for name in names {
        let Some(facts) = facts.get(&name) else {
            let known = read_known(tx).await?.tables;
            let hint = near_hint(&name.to_string(), known.iter().map(String::as_str), "correct the name");
            let detail = format!("there is no table \"{name}\" that this role can see");
            return Err(ObserveError::Refused(Diagnostic::error(codes::UNKNOWN_TABLE, detail).hint(hint).into()));
        };
        let asked = wanted.rows.iter().filter(|asked| asked.table == name);
        let keys = asked.map(|asked| asked.values(key_of(facts)?)).collect::<Option<Vec<_>>>();
        let read = match keys.filter(|keys| !keys.is_empty()).zip(key_of(facts)) {
            Some((keys, columns)) => rows_with_keys(tx, &name, facts, columns, &keys).await?,
            None => whole_rows(tx, &name, facts, Some(ROWS + 1)).await?,
        };
        if read.len() > ROWS {
            let detail = format!("\"{name}\" has more than {ROWS} rows");
            let hint = format!("name single rows, such as row.{name}[COLUMN=VALUE]");
            return Err(ObserveError::Refused(Diagnostic::error(codes::NOTHING_THERE, detail).hint(hint).into()));
        }
        out.insert(name, LiveTable { facts: facts.clone(), rows: read });
    }
    Ok(out)
}

/// Rows of the table of gates that hold one of the two values; other rows are settings.
async fn gates_at_rest(tx: &mut dyn Tx, gates: &Gate) -> Result<BTreeMap<String, String>, StoreError> {
    let values = vec![gates.open.clone(), gates.shut.clone()];
    let rows = gates_with(tx, gates, &gates.value, values).await?;
    Ok(rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect())
}

async fn unmanaged_sets(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    binding: &Binding,
    names: Vec<&String>,
    live: &Live,
) -> Result<BTreeMap<String, LiveSet>, StoreError> {
    let mut out = BTreeMap::new();
    let aliases = vectors.aliases().await?;
    for name in names {
        let collection = aliases.get(name).unwrap_or(name);
        let Some(facts) = vectors.collection(collection).await? else { continue };
        let (points, fields) = points(vectors, collection).await?;
        let cut = cut_units(tx, binding, name, live).await?;
        let alias = aliases.contains_key(name);
        out.insert(name.clone(), LiveSet { facts, alias, points, fields, cut });
    }
    Ok(out)
}

async fn points(
    vectors: &dyn VectorStore,
    collection: &str,
) -> Result<(BTreeSet<PointId>, BTreeMap<String, u64>), StoreError> {
    let (mut ids, mut fields) = (BTreeSet::new(), BTreeMap::<String, u64>::new());
    each_point(vectors, collection, |point| {
        for field in point.payload.keys() {
            *fields.entry(field.clone()).or_default() += 1;
        }
        ids.insert(point.id);
    })
    .await?;
    Ok((ids, fields))
}

/// Units with their texts and with the digests of their chunks; those with the most chunks first.
async fn cut_units(tx: &mut dyn Tx, binding: &Binding, set: &str, live: &Live) -> Result<Vec<CutUnit>, StoreError> {
    let digests = |unit: &UnitFacts| -> Vec<String> {
        let keys = (0u32..).map_while(|ordinal| ledger_key(binding, set, unit, ordinal));
        keys.map_while(|key| live.ledger.get(&key)?.digest.clone()).collect()
    };
    let mut cut: Vec<(&UnitFacts, Vec<String>)> = live.units.values().map(|unit| (unit, digests(unit))).collect();
    cut.retain(|(_, chunks)| !chunks.is_empty());
    cut.sort_by(|(a, x), (b, y)| y.len().cmp(&x.len()).then_with(|| a.address.cmp(&b.address)));
    cut.truncate(TEXTS);
    let ids: Vec<String> = cut.iter().map(|(unit, _)| unit.id.clone()).collect();
    let mut bodies = read_bodies(tx, &binding.units, &ids).await?;
    let with_body =
        |(unit, chunks): (&UnitFacts, Vec<String>)| Some(CutUnit { body: bodies.remove(&unit.id)?, chunks });
    Ok(cut.into_iter().filter_map(with_body).collect())
}

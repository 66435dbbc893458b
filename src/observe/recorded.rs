//! What is written down of the units and points of vector sets.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Digest, OwnedChunk, Ownership, PointId, RecordedUnit};
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

/// Units with their points, by set and unit id.
pub type RecordedSets = BTreeMap<String, BTreeMap<String, RecordedUnit>>;

const POINT: &str = "SELECT m.set_name, m.unit, m.id::text, pg_catalog.encode(m.text_digest, 'hex'), \
    pg_catalog.encode(m.sha256, 'hex'), pg_catalog.encode(m.digest, 'hex'), m.adopted FROM ";
const BY_PLACE: &str = " ORDER BY m.set_name COLLATE \"C\", m.unit COLLATE \"C\", m.ordinal";

/// Reads what is written down of these sets.
///
/// # Errors
/// Those of the store.
pub async fn read_recorded(tx: &mut dyn Tx, sets: &BTreeSet<String>) -> Result<RecordedSets, StoreError> {
    if sets.is_empty() {
        return Ok(RecordedSets::new());
    }
    let names = Param::Texts(sets.iter().cloned().collect());
    let sql = "SELECT m.set_name, m.unit, m.address, pg_catalog.encode(m.input, 'hex') FROM enact.managed_unit m \
               WHERE m.set_name = ANY ($1)";
    let units = tx.query(&Query::new(Sql::new(sql)).bind(names.clone())).await?;
    let sql = Sql::new(POINT).text("enact.managed_point m WHERE m.set_name = ANY ($1)").text(BY_PLACE);
    let points = tx.query(&Query::new(sql).bind(names)).await?;
    Ok(put_together(units, points))
}

/// Reads what is written down of some units of these sets.
///
/// # Errors
/// Those of the store.
pub async fn read_recorded_of(
    tx: &mut dyn Tx,
    sets: &BTreeSet<String>,
    units: &BTreeSet<String>,
) -> Result<RecordedSets, StoreError> {
    if sets.is_empty() || units.is_empty() {
        return Ok(RecordedSets::new());
    }
    let texts = |texts: &BTreeSet<String>| Param::Texts(texts.iter().cloned().collect());
    let sql = "SELECT m.set_name, m.unit, m.address, pg_catalog.encode(m.input, 'hex') FROM enact.managed_unit m \
               WHERE m.set_name = ANY ($1) AND m.unit = ANY ($2)";
    let found = tx.query(&Query::new(Sql::new(sql)).bind(texts(sets)).bind(texts(units))).await?;
    let sql =
        Sql::new(POINT).text("enact.managed_point m WHERE m.set_name = ANY ($1) AND m.unit = ANY ($2)").text(BY_PLACE);
    let points = tx.query(&Query::new(sql).bind(texts(sets)).bind(texts(units))).await?;
    Ok(put_together(found, points))
}

/// Reads what a run found written down of the units that it changed.
///
/// # Errors
/// Those of the store.
pub async fn read_recorded_before(tx: &mut dyn Tx, run: &str) -> Result<RecordedSets, StoreError> {
    let run = Param::Text(run.to_owned());
    let sql = "SELECT m.set_name, m.unit, m.address, pg_catalog.encode(m.input, 'hex') FROM enact.unit_before m \
               WHERE m.run_id = $1";
    let units = tx.query(&Query::new(Sql::new(sql)).bind(run.clone())).await?;
    let sql = Sql::new(POINT).text("enact.point_before m WHERE m.run_id = $1").text(BY_PLACE);
    let points = tx.query(&Query::new(sql).bind(run)).await?;
    Ok(put_together(units, points))
}

/// What tells one record of a set's units from another one, by set.
///
/// # Errors
/// Those of the store.
pub async fn read_record_sums(tx: &mut dyn Tx) -> Result<BTreeMap<String, String>, StoreError> {
    let sql = "SELECT m.set_name, pg_catalog.count(*)::text || ' ' || pg_catalog.sum(pg_catalog.hashtextextended(\
               m.unit || ' ' || m.address || ' ' || pg_catalog.encode(m.input, 'hex'), 0)::numeric)::text \
               FROM enact.managed_unit m GROUP BY 1";
    let records = tx.query(&Query::new(Sql::new(sql))).await?;
    let pair = |record: &Record| Some((record.text(0)?.to_owned(), record.text(1)?.to_owned()));
    Ok(records.iter().filter_map(pair).collect())
}

fn put_together(units: Vec<Record>, points: Vec<Record>) -> RecordedSets {
    let mut out = RecordedSets::new();
    for record in units {
        let (Some(set), Some(unit), Some(address)) = (record.text(0), record.text(1), record.text(2)) else { continue };
        // An input that is no digest is none that a unit can have: its points are made anew.
        let input = record.text(3).and_then(Digest::from_text).unwrap_or_default();
        let owned = Ownership { address: address.to_owned(), chunks: Vec::new() };
        out.entry(set.to_owned()).or_default().insert(unit.to_owned(), RecordedUnit { input, owned });
    }
    for record in points {
        let (Some(set), Some(unit)) = (record.text(0), record.text(1)) else { continue };
        if let Some(owned) = out.get_mut(set).and_then(|units| units.get_mut(unit))
            && let Some(chunk) = chunk(&record)
        {
            owned.owned.chunks.push(chunk);
        }
    }
    out
}

fn chunk(record: &Record) -> Option<OwnedChunk> {
    Some(OwnedChunk {
        id: PointId::from_text(record.text(2)?)?,
        text: Digest::from_text(record.text(3)?)?,
        sha256: record.text(4)?.to_owned(),
        digest: record.text(5).and_then(Digest::from_text),
        adopted: record.is_true(6),
    })
}

//! Writes down what vector sets own: units and points, set by set, inside the transaction that decides.
//!
//! What is there of the units that change is kept for a revert, then all of it goes, then what they own now comes: a point
//! that one unit gives up and another one takes has one owner before and after.

use super::error::ApplyError;
use crate::diff::{Change, ChangeDetail, CollectionChange, UnitPoints, VectorChange};
use crate::model::OwnedChunk;
use crate::observe::seen;
use crate::plan::SavedPlan;
use crate::store::{Param, Query, Sql, StoreError, Tx};

/// Units in one statement.
const UNITS: usize = 1_000;

/// What is written down of the units of one set.
const UNIT_BEFORE: &str = "INSERT INTO enact.unit_before (run_id, set_name, unit, address, input) \
    SELECT $1, m.set_name, m.unit, m.address, m.input FROM enact.managed_unit m WHERE m.set_name = $2 AND m.unit = ANY ($3)";
const POINT_BEFORE: &str = "INSERT INTO enact.point_before (run_id, set_name, id, unit, ordinal, text_digest, sha256, digest, \
    adopted) SELECT $1, m.set_name, m.id, m.unit, m.ordinal, m.text_digest, m.sha256, m.digest, m.adopted \
    FROM enact.managed_point m WHERE m.set_name = $2 AND m.unit = ANY ($3)";
const NO_UNIT: &str = "DELETE FROM enact.managed_unit m WHERE m.set_name = $1 AND m.unit = ANY ($2)";
const NO_POINT: &str = "DELETE FROM enact.managed_point m WHERE m.set_name = $1 AND m.unit = ANY ($2)";
const UNIT: &str = "INSERT INTO enact.managed_unit (set_name, unit, address, input, run_id) \
    SELECT $1, n.unit, n.address, pg_catalog.decode(n.input, 'hex'), $2 FROM unnest($3, $4, $5) AS n(unit, address, input)";
const POINT: &str = "INSERT INTO enact.managed_point (set_name, id, unit, ordinal, text_digest, sha256, digest, adopted) \
    SELECT $1, n.id::uuid, n.unit, n.ordinal::integer, pg_catalog.decode(n.text, 'hex'), pg_catalog.decode(n.sha256, 'hex'), \
    pg_catalog.decode(n.digest, 'hex'), $2 FROM unnest($3, $4, $5, $6, $7, $8) AS n(id, unit, ordinal, text, sha256, digest)";

/// Writes down the points of every set that a plan changes.
pub(super) async fn record_points(tx: &mut dyn Tx, plan: &SavedPlan, run: &str) -> Result<(), ApplyError> {
    for change in &plan.changes {
        if let ChangeDetail::VectorSet(set) = &change.detail {
            record_set(tx, set, run).await?;
        }
    }
    record_seen(tx, plan, run).await
}

/// Writes down what the units of the plan's sets are now, so that the next plan reads none that is as it was. A plan of a part says
/// nothing of the units that it does not write.
async fn record_seen(tx: &mut dyn Tx, plan: &SavedPlan, run: &str) -> Result<(), ApplyError> {
    // Points that go back are those of older units.
    let goes_back = |name: &String| {
        let is_back = |change: &Change| matches!(&change.detail, ChangeDetail::VectorSet(set) if set.set == *name && set.back.is_some());
        plan.changes.iter().any(is_back)
    };
    for set in plan.baseline.collections.keys().filter(|set| !goes_back(set)) {
        let sql = seen(Sql::new("UPDATE enact.managed_unit m SET seen = u.seen FROM ("), &plan.pins.binding.units);
        // Units that this run wrote down, and those that an older Enact did: the digest is made of no other.
        let sql = sql.text(") u WHERE m.set_name = $1 AND m.unit = u.id AND (m.run_id = $2");
        let sql = if plan.partial.is_whole() { sql.text(" OR m.seen IS NULL)") } else { sql.text(")") };
        let query = Query::new(sql).bind(Param::Text(set.clone())).bind(Param::Text(run.to_owned()));
        tx.query(&query).await?;
    }
    Ok(())
}

async fn record_set(tx: &mut dyn Tx, set: &VectorChange, run: &str) -> Result<(), ApplyError> {
    for batch in set.units.chunks(UNITS) {
        let units: Vec<String> = batch.iter().map(|unit| unit.unit.clone()).collect();
        remove(tx, &set.set, units, run).await?;
    }
    let adopted = matches!(set.collection, CollectionChange::Adopt { .. });
    for batch in set.units.chunks(UNITS) {
        add(tx, &set.set, batch, adopted, run).await?;
    }
    Ok(())
}

async fn remove(tx: &mut dyn Tx, set: &str, units: Vec<String>, run: &str) -> Result<(), StoreError> {
    let set = || Param::Text(set.to_owned());
    let before = |sql| {
        let query = Query::new(Sql::new(sql)).bind(Param::Text(run.to_owned()));
        query.bind(set()).bind(Param::Texts(units.clone()))
    };
    tx.query(&before(UNIT_BEFORE)).await?;
    tx.query(&before(POINT_BEFORE)).await?;
    for sql in [NO_UNIT, NO_POINT] {
        tx.query(&Query::new(Sql::new(sql)).bind(set()).bind(Param::Texts(units.clone()))).await?;
    }
    Ok(())
}

async fn add(tx: &mut dyn Tx, set: &str, units: &[UnitPoints], adopted: bool, run: &str) -> Result<(), StoreError> {
    let (mut ids, mut addresses, mut inputs) = (Vec::new(), Vec::new(), Vec::new());
    let mut points = Columns::default();
    for unit in units {
        let Some(input) = &unit.input else { continue };
        ids.push(unit.unit.clone());
        addresses.push(unit.address.clone());
        inputs.push(input.to_string());
        for chunk in &unit.chunks {
            let owned = OwnedChunk {
                id: chunk.id,
                text: chunk.text,
                sha256: chunk.sha256.clone(),
                digest: chunk.digest,
                adopted,
            };
            points.push(&unit.unit, chunk.ordinal, owned);
        }
    }
    let query = Query::new(Sql::new(UNIT)).bind(Param::Text(set.to_owned())).bind(Param::Text(run.to_owned()));
    tx.query(&query.bind(Param::Texts(ids)).bind(Param::Texts(addresses)).bind(Param::Texts(inputs))).await?;
    tx.query(&points.insert(set, adopted)).await.map(|_| ())
}

/// Points by column.
#[derive(Default)]
struct Columns {
    ids: Vec<String>,
    units: Vec<String>,
    ordinals: Vec<String>,
    texts: Vec<String>,
    sha256: Vec<String>,
    digests: Vec<Option<String>>,
}

impl Columns {
    fn push(&mut self, unit: &str, ordinal: u32, chunk: OwnedChunk) {
        let OwnedChunk { id, text, sha256, digest, adopted: _ } = chunk;
        self.ids.push(id.to_string());
        self.units.push(unit.to_owned());
        self.ordinals.push(ordinal.to_string());
        self.texts.push(text.to_string());
        self.sha256.push(sha256);
        self.digests.push(digest.map(|digest| digest.to_string()));
    }

    fn insert(self, set: &str, adopted: bool) -> Query {
        let Columns { ids, units, ordinals, texts, sha256, digests } = self;
        let query = Query::new(Sql::new(POINT)).bind(Param::Text(set.to_owned())).bind(Param::Bool(adopted));
        let query = [ids, units, ordinals, texts, sha256]
            .into_iter()
            .fold(query, |query, column| query.bind(Param::Texts(column)));
        query.bind(Param::OptionalTexts(digests))
    }
}

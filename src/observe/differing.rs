//! Which units have to be read: those that are not as the last apply left them. They are told by queries that PostgreSQL answers
//! with these alone.
//!
//! ```text
//! unit as it is read ──▶ SHA-256 in PostgreSQL ──┬── joined with what the last apply wrote down ──▶ those that differ
//!                              managed_unit.seen ┘
//! ```
//!
//! Only what is certain stays unread. A set that is declared or shaped otherwise than applied is read whole.

use std::collections::{BTreeMap, BTreeSet};

use super::error::ObserveError;
use super::managed::{has_column, read_promotion_units};
use super::recorded::read_recorded_of;
use super::units::{choose, from, unit_columns};
use super::{Request, UnitFilter, UnitsRead, read_recorded};
use crate::diff::{PromotionRecord, is_as_applied, is_as_declared};
use crate::model::{Address, LivePoints, Observed, PointId, Promotion, Selection, UnitSource, UnitsRef, Unread};
use crate::points::Recipe;
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

/// Whether what is as the last apply left it may stay unread: what has to be said of each unit cannot.
pub(super) async fn may_stay_unread(tx: &mut dyn Tx, request: &Request<'_>) -> Result<bool, StoreError> {
    let Request { desired, binding, units, .. } = request;
    let of_promotion = |name: &String| {
        let named = |units: &UnitsRef| matches!(units, UnitsRef::Named(spot) if spot.value == *name);
        let by_set = desired.vector_sets.values().any(|set| named(&set.units));
        !by_set && desired.promotions.values().any(|promotion| named(&promotion.units))
    };
    let counted = desired.units.iter().any(|(name, named)| named.expect.is_some() && !of_promotion(name));
    let adopts = desired.promotions.values().any(|promotion| promotion.adopt);
    let mut ledger = binding.ledger.iter().flat_map(|ledger| &ledger.sets);
    Ok(*units == UnitsRead::Differing
        && !(counted || adopts)
        && ledger.all(|set| !desired.vector_sets.contains_key(set))
        && keeps_seen(tx).await?)
}

/// Whether the schema keeps what units were when they were applied: an older one does not.
///
/// # Errors
/// Those of the store.
pub async fn keeps_seen(tx: &mut dyn Tx) -> Result<bool, StoreError> {
    has_column(tx, "enact.managed_unit", "seen").await
}

/// What is read, where what is as the last apply left it stays unread.
#[derive(Default)]
pub(super) struct Differing {
    ids: BTreeSet<String>,
    selections: Vec<Selection>,
    whole: BTreeSet<String>,
    partly: BTreeSet<String>,
}

impl Differing {
    /// Finds what has to be read.
    pub async fn find(
        tx: &mut dyn Tx,
        request: &Request<'_>,
        recipes: &BTreeMap<String, Recipe>,
        observed: &mut Observed,
    ) -> Result<Differing, ObserveError> {
        let mut found = Differing::default();
        found.promotions(tx, request, observed).await?;
        let source = &request.binding.units;
        for (name, set) in &request.desired.vector_sets {
            let selection = request.desired.selection(&set.units);
            let as_applied = recipes.get(name).is_some_and(|recipe| is_as_applied(set, recipe, selection, observed));
            match observed.points.get(name).filter(|_| as_applied && !request.replace.contains_key(name)) {
                Some(live) => {
                    found.ids.extend(differing_units(tx, source, (name, selection), live).await?);
                    found.partly.insert(name.clone());
                }
                None => {
                    found.selections.push(selection.clone());
                    found.whole.insert(name.clone());
                }
            }
        }
        Ok(found)
    }

    async fn promotions(
        &mut self,
        tx: &mut dyn Tx,
        request: &Request<'_>,
        observed: &mut Observed,
    ) -> Result<(), ObserveError> {
        let Request { desired, binding, environment, .. } = request;
        // What is expected of a selection is told beside the set that a promotion recorded.
        let expects = desired.units.values().any(|named| named.expect.is_some());
        let mut wanted = BTreeSet::new();
        for promotion in desired.promotions.values() {
            let address = Address::promotion(&promotion.name);
            let selection = desired.selection(&promotion.units);
            let record = observed.managed.get(&address).and_then(PromotionRecord::of);
            let to = record.as_ref().map_or(&promotion.to.value, |record| &record.to);
            let mut moving = elsewhere(tx, &binding.units, selection, to).await?;
            if let Some(record) = &record {
                moving.extend(moved_back(tx, &binding.units, promotion, record, &environment.project).await?);
                let settled = moving.is_empty() && is_as_declared(promotion, selection, record);
                if settled && binding.promotion.rows.is_empty() && !expects {
                    observed.settled.insert(promotion.name.clone());
                } else {
                    wanted.insert(address);
                }
            }
            self.ids.extend(moving);
        }
        if expects {
            let all = observed.managed.keys().filter(|address| address.as_str().starts_with("promotion."));
            wanted.extend(all.cloned());
        }
        Ok(read_promotion_units(tx, &environment.project, &wanted, &mut observed.managed).await?)
    }

    /// Reads what is written down of whole sets, and says which units are read.
    pub async fn units(&mut self, tx: &mut dyn Tx, observed: &mut Observed) -> Result<UnitFilter, StoreError> {
        observed.recorded = read_recorded(tx, &self.whole).await?;
        self.ids.extend(observed.recorded.values().flat_map(|units| units.keys().cloned()));
        let selections = std::mem::take(&mut self.selections);
        Ok(UnitFilter { selections, ids: self.ids.clone(), lock: false })
    }

    /// Reads what is written down of the units that were read, for whichever set, and counts the others.
    pub async fn rest(mut self, tx: &mut dyn Tx, observed: &mut Observed) -> Result<(), StoreError> {
        self.ids.extend(observed.units.keys().cloned());
        let partly = read_recorded_of(tx, &self.partly, &self.ids).await?;
        for set in &self.partly {
            let read = partly.get(set);
            let mut unread = count_recorded(tx, set).await?;
            unread.units -= read.map_or(0, BTreeMap::len) as u64;
            unread.points -= read.into_iter().flatten().map(|(_, unit)| unit.owned.chunks.len()).sum::<usize>() as u64;
            observed.unread.insert(set.clone(), unread);
        }
        observed.recorded.extend(partly);
        Ok(())
    }
}

/// Units of a set that are not as they were applied: changed, come, gone, read twice, or with points that are not as written.
///
/// # Errors
/// Those of the store.
pub async fn differing_units(
    tx: &mut dyn Tx,
    source: &UnitSource,
    (set, selection): (&str, &Selection),
    live: &LivePoints,
) -> Result<BTreeSet<String>, StoreError> {
    let sql = Sql::new("SELECT u.id FROM (");
    let query = Query::new(seen(sql, source)).bind(Param::Text(set.to_owned()));
    let mut query = choose(query, source, &selection.conditions);
    query.sql = query.sql.text(
        ") u LEFT JOIN enact.managed_unit m ON m.set_name = $1 AND m.unit = u.id \
         WHERE m.seen IS DISTINCT FROM u.seen OR m.seen IS NULL",
    );
    let mut ids = ids(&tx.query(&query).await?);
    if !has_each_once(tx, source, set, selection).await? {
        ids.extend(gone(tx, source, set, selection).await?);
        ids.extend(twice(tx, source, selection).await?);
    }
    ids.extend(units_of(tx, set, live.missing.iter().chain(live.changed.keys())).await?);
    Ok(ids)
}

/// Units of an applied promotion that are in none of these states, or in the one that they had before it; by address with their
/// ids.
///
/// # Errors
/// Those of the store.
pub async fn strayed_units(
    tx: &mut dyn Tx,
    source: &UnitSource,
    (promotion, project): (&Address, &str),
    (to, states): (&str, Vec<String>),
) -> Result<Vec<(String, String)>, StoreError> {
    let sql = Sql::new(
        "SELECT r.unit ->> 'address', r.unit ->> 'id' FROM (SELECT r.unit FROM enact.managed m, \
         pg_catalog.jsonb_array_elements(m.attributes -> 'units') r(unit) WHERE m.address = $1 AND m.project IN ('', $2) \
         OFFSET 0) r LEFT JOIN (SELECT (",
    );
    let sql = sql.trusted(&source.id).text(")::text AS id, coalesce((").trusted(&source.lifecycle);
    let sql = from(sql.text(")::text, '') AS state"), source)
        .text(") u ON u.id = r.unit ->> 'id' WHERE u.state IS NULL OR u.state <> ALL ($3) OR (u.state = r.unit ->> 'lifecycle' AND u.state <> $4)");
    let query = Query::new(sql).bind(Param::Text(promotion.to_string())).bind(Param::Text(project.to_owned()));
    let records = tx.query(&query.bind(Param::Texts(states)).bind(Param::Text(to.to_owned()))).await?;
    let pair = |record: &Record| Some((record.text(0)?.to_owned(), record.text(1)?.to_owned()));
    let mut strayed: Vec<(String, String)> = records.iter().filter_map(pair).collect();
    strayed.sort();
    Ok(strayed)
}

/// Whether a selection chooses every unit that is written down of a set, and each once.
async fn has_each_once(
    tx: &mut dyn Tx,
    source: &UnitSource,
    set: &str,
    selection: &Selection,
) -> Result<bool, StoreError> {
    let sql = Sql::new(
        "SELECT (pg_catalog.count(m.unit), coalesce(pg_catalog.sum(pg_catalog.hashtextextended(m.unit, 0)::numeric), 0)) = \
         (SELECT pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.hashtextextended(m.unit, 0)::numeric), 0) \
         FROM enact.managed_unit m WHERE m.set_name = $1) FROM (",
    );
    let query = Query::new(selected_ids(sql, source)).bind(Param::Text(set.to_owned()));
    let mut query = choose(query, source, &selection.conditions);
    query.sql = query.sql.text(") u LEFT JOIN enact.managed_unit m ON m.set_name = $1 AND m.unit = u.id");
    Ok(tx.query(&query).await?.first().is_some_and(|record| record.is_true(0)))
}

/// Units that are written down of a set and that its selection does not choose. A full join is never a loop over each pair, whatever
/// the planner takes the selection for.
async fn gone(
    tx: &mut dyn Tx,
    source: &UnitSource,
    set: &str,
    selection: &Selection,
) -> Result<BTreeSet<String>, StoreError> {
    let sql =
        Sql::new("SELECT m.unit FROM (SELECT m.unit FROM enact.managed_unit m WHERE m.set_name = $1) m FULL JOIN (");
    let query = Query::new(selected_ids(sql, source)).bind(Param::Text(set.to_owned()));
    let mut query = choose(query, source, &selection.conditions);
    query.sql = query.sql.text(") u ON u.id = m.unit WHERE u.id IS NULL");
    Ok(ids(&tx.query(&query).await?))
}

async fn twice(tx: &mut dyn Tx, source: &UnitSource, selection: &Selection) -> Result<BTreeSet<String>, StoreError> {
    let query = Query::new(selected_ids(Sql::new("SELECT u.id FROM ("), source));
    let mut query = choose(query, source, &selection.conditions);
    query.sql = query.sql.text(") u GROUP BY u.id HAVING pg_catalog.count(*) > 1");
    Ok(ids(&tx.query(&query).await?))
}

async fn units_of(
    tx: &mut dyn Tx,
    set: &str,
    points: impl Iterator<Item = &PointId>,
) -> Result<BTreeSet<String>, StoreError> {
    let uuids: Vec<String> = points.map(PointId::to_string).collect();
    if uuids.is_empty() {
        return Ok(BTreeSet::new());
    }
    let sql = "SELECT DISTINCT m.unit FROM enact.managed_point m WHERE m.set_name = $1 AND m.id = ANY ($2::uuid[])";
    let query = Query::new(Sql::new(sql)).bind(Param::Text(set.to_owned())).bind(Param::Texts(uuids));
    Ok(ids(&tx.query(&query).await?))
}

/// Units that a selection chooses and that are in another state than this one.
async fn elsewhere(
    tx: &mut dyn Tx,
    source: &UnitSource,
    selection: &Selection,
    state: &str,
) -> Result<BTreeSet<String>, StoreError> {
    let sql = in_other_state(Sql::new("SELECT (").trusted(&source.id).text(")::text"), source);
    let query = choose(Query::new(sql).bind(Param::Text(state.to_owned())), source, &selection.conditions);
    Ok(ids(&tx.query(&query).await?))
}

/// Units of an applied promotion that are back in the state that they had before it.
async fn moved_back(
    tx: &mut dyn Tx,
    source: &UnitSource,
    promotion: &Promotion,
    record: &PromotionRecord,
    project: &str,
) -> Result<BTreeSet<String>, StoreError> {
    let sql = Sql::new(
        "SELECT u.id FROM (SELECT r.unit FROM enact.managed m, pg_catalog.jsonb_array_elements(m.attributes -> 'units') r(unit) \
         WHERE m.address = $2 AND m.project IN ('', $3) OFFSET 0) r JOIN (SELECT (",
    );
    let sql = sql.trusted(&source.id).text(")::text AS id, coalesce((").trusted(&source.lifecycle);
    let sql = in_other_state(sql.text(")::text, '') AS state"), source)
        .text(") u ON u.id = r.unit ->> 'id' AND u.state = r.unit ->> 'lifecycle'");
    let query = Query::new(sql).bind(Param::Text(record.to.clone()));
    let query = query.bind(Param::Text(Address::promotion(&promotion.name).to_string()));
    Ok(ids(&tx.query(&query.bind(Param::Text(project.to_owned()))).await?))
}

fn in_other_state(sql: Sql, source: &UnitSource) -> Sql {
    from(sql, source).text(" AND coalesce((").trusted(&source.lifecycle).text(")::text, '') <> $1")
}

fn selected_ids(sql: Sql, source: &UnitSource) -> Sql {
    from(sql.text("SELECT (").trusted(&source.id).text(")::text AS id"), source)
}

/// Adds a query of the id and the digest of each unit, up to its condition.
pub fn seen(sql: Sql, source: &UnitSource) -> Sql {
    let sql =
        sql.text("SELECT (").trusted(&source.id).text(")::text AS id, pg_catalog.sha256(pg_catalog.convert_to(ROW(");
    let sql = unit_columns(sql, source).text(")::text, 'UTF8')) AS seen");
    from(sql, source)
}

/// Counts everything that is written down of a set.
///
/// # Errors
/// Those of the store.
pub async fn count_recorded(tx: &mut dyn Tx, set: &str) -> Result<Unread, StoreError> {
    let sql = "SELECT (SELECT pg_catalog.count(*) FROM enact.managed_unit m WHERE m.set_name = $1), \
               (SELECT pg_catalog.count(*) FROM enact.managed_point m WHERE m.set_name = $1)";
    let records = tx.query(&Query::new(Sql::new(sql)).bind(Param::Text(set.to_owned()))).await?;
    let number = |at| records.first().and_then(|record| record.int(at)).and_then(|n| u64::try_from(n).ok());
    Ok(Unread { units: number(0).unwrap_or(0), points: number(1).unwrap_or(0) })
}

/// Whether a point that a plan makes belongs to a unit that it did not read: then two chunks may have one key.
///
/// # Errors
/// Those of the store.
pub async fn belong_to_unread(
    tx: &mut dyn Tx,
    set: &str,
    points: impl Iterator<Item = &PointId>,
    observed: &Observed,
) -> Result<bool, StoreError> {
    let read = observed.recorded.get(set);
    let owners = units_of(tx, set, points).await?;
    Ok(owners.iter().any(|unit| !read.is_some_and(|read| read.contains_key(unit))))
}

fn ids(records: &[Record]) -> BTreeSet<String> {
    records.iter().filter_map(|record| record.text(0)).map(str::to_owned).collect()
}

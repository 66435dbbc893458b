//! Whether units, promotions and vector sets are as the last apply left them, by one query of each: where they are, nothing of
//! them is read.
//!
//! ```text
//! unit as it is read ──▶ SHA-256 in PostgreSQL ──┬── joined with what the last apply wrote down ──▶ how many differ
//!                              managed_unit.seen ┘
//! ```
//!
//! Only what is certain counts: everything else is read and compared unit by unit.

use std::collections::BTreeMap;

use super::error::ObserveError;
use super::guards::observe_guards;
use super::managed::{has_column, read_managed_without_units};
use super::snapshot::{catalog, recipes, rows};
use super::units::{choose, from, unit_columns};
use super::{ComparePoints, Depth, Observation, ReadPoints, Request};
use crate::diff::{PromotionRecord, is_as_applied, is_as_declared, resolve_settled};
use crate::model::{Address, Observed, PointsCompared, Promotion, Selection, UnitSource};
use crate::points::Recipe;
use crate::store::{Param, Query, Sql, StoreError, Tx, VectorStore};

/// Observes what is neither unit nor point, where promotions and vector sets are as the last apply left them. `None` where they are
/// not, or that cannot be said without reading them.
///
/// # Errors
/// Everything that a plan refers to and that is not there, and the stores' errors.
pub async fn observe_settled(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    request: &Request<'_>,
) -> Result<Option<Observation>, ObserveError> {
    if !has_column(tx, "enact.managed_unit", "seen").await? {
        return Ok(None);
    }
    let mut observed = catalog(tx, request).await?;
    observed.managed = read_managed_without_units(tx, &request.environment.project).await?;
    let recipes = recipes(request)?;
    if !settle(tx, vectors, request, &recipes, &mut observed).await? {
        return Ok(None);
    }
    let Request { desired, binding, environment, .. } = request;
    let resolved = resolve_settled(desired, binding, &observed.managed, &environment.actor)?;
    observed.rows = rows(tx, request, &resolved, &observed).await?;
    observed.guards = observe_guards(tx, vectors, request, &observed).await?;
    Ok(Some(Observation { observed, resolved, recipes }))
}

/// Whether these plan files can be settled at all: what has to be said of each unit cannot.
pub fn may_be_settled(request: &Request<'_>) -> bool {
    let Request { desired, selecting, binding, depth, replace, addresses, .. } = request;
    let expects = desired.units.values().any(|named| named.expect.is_some());
    let adopts = desired.promotions.values().any(|promotion| promotion.adopt);
    let ledger = binding.ledger.iter().flat_map(|ledger| &ledger.sets);
    *depth == Depth::Fingerprint
        && replace.is_empty()
        && !addresses
        && selecting.promotions.len() == desired.promotions.len()
        && !(expects || adopts)
        && !(desired.promotions.is_empty() && desired.vector_sets.is_empty())
        && (desired.promotions.is_empty() || binding.promotion.rows.is_empty())
        && ledger.into_iter().all(|set| !desired.vector_sets.contains_key(set))
}

/// Counts the points of every set into `observed`, where all promotions and sets are settled. Whether they are.
async fn settle(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    request: &Request<'_>,
    recipes: &BTreeMap<String, Recipe>,
    observed: &mut Observed,
) -> Result<bool, ObserveError> {
    let Request { desired, binding, environment, .. } = *request;
    let read = ReadPoints::collections(vectors, desired.vector_sets.keys().map(String::as_str)).await?;
    (observed.collections, observed.aliases) = (read.collections.clone(), read.aliases.clone());
    for promotion in desired.promotions.values() {
        let managed = observed.managed.get(&Address::promotion(&promotion.name));
        let managed = managed.filter(|managed| !managed.is_forgotten());
        let record = managed.and_then(PromotionRecord::of);
        let selection = desired.selection(&promotion.units);
        let Some(record) = record.filter(|record| is_as_declared(promotion, selection, record)) else {
            return Ok(false);
        };
        if !promotion_is_settled(tx, &binding.units, (promotion, selection), &record, &environment.project).await? {
            return Ok(false);
        }
    }
    let mut settled = BTreeMap::new();
    for (name, set) in &desired.vector_sets {
        let (Some(recipe), Some(facts)) = (recipes.get(name), read.collection(name)) else { return Ok(false) };
        let selection = desired.selection(&set.units);
        if !is_as_applied(set, recipe, selection, observed)
            || !units_are_settled(tx, &binding.units, name, selection).await?
        {
            return Ok(false);
        }
        let compare = ComparePoints { vectors, set: name, facts, keyed: set.ids.keyed(), depth: request.depth };
        let live = compare.read(tx).await?;
        let differs = !(live.missing.is_empty() && live.changed.is_empty() && live.strays.is_empty());
        if differs || live.compared != PointsCompared::Fingerprint {
            return Ok(false);
        }
        settled.insert(name.clone(), count_points(tx, name).await?);
        observed.points.insert(name.clone(), live);
    }
    observed.settled = Some(settled);
    Ok(true)
}

/// Whether no unit has to move, or would be chosen besides.
async fn promotion_is_settled(
    tx: &mut dyn Tx,
    source: &UnitSource,
    (promotion, selection): (&Promotion, &Selection),
    record: &PromotionRecord,
    project: &str,
) -> Result<bool, StoreError> {
    let elsewhere =
        |sql: Sql| from(sql, source).text(" AND coalesce((").trusted(&source.lifecycle).text(")::text, '') <> $1");
    let query = Query::new(elsewhere(Sql::new("SELECT pg_catalog.count(*) > 0"))).bind(Param::Text(record.to.clone()));
    let query = choose(query, source, &selection.conditions);
    if is_true(tx, &query).await? {
        return Ok(false);
    }
    let sql = Sql::new(
        "SELECT pg_catalog.count(*) > 0 FROM (SELECT r.unit FROM enact.managed m, \
         pg_catalog.jsonb_array_elements(m.attributes -> 'units') r(unit) WHERE m.address = $2 AND m.project IN ('', $3) OFFSET 0) r \
         JOIN (SELECT (",
    );
    let sql = sql
        .trusted(&source.id)
        .text(")::text AS id, coalesce((")
        .trusted(&source.lifecycle)
        .text(")::text, '') AS state");
    let sql = elsewhere(sql).text(") u ON u.id = r.unit ->> 'id' AND u.state = r.unit ->> 'lifecycle'");
    let query = Query::new(sql).bind(Param::Text(record.to.clone()));
    let query = query.bind(Param::Text(Address::promotion(&promotion.name).to_string()));
    Ok(!is_true(tx, &query.bind(Param::Text(project.to_owned()))).await?)
}

/// Whether a set's selection chooses the units that are written down of it, each as it was then.
async fn units_are_settled(
    tx: &mut dyn Tx,
    source: &UnitSource,
    set: &str,
    selection: &Selection,
) -> Result<bool, StoreError> {
    // No full join, which PostgreSQL does on one core: each unit is one that is written down, and together they are all of those.
    let sql = Sql::new(
        "SELECT pg_catalog.count(*) > 0 AND pg_catalog.count(*) FILTER (WHERE m.seen IS DISTINCT FROM u.seen OR m.seen IS NULL) = 0 \
         AND (pg_catalog.count(*), pg_catalog.sum(pg_catalog.hashtextextended(u.id, 0)::numeric)) = (SELECT pg_catalog.count(*), \
         pg_catalog.sum(pg_catalog.hashtextextended(m.unit, 0)::numeric) FROM enact.managed_unit m WHERE m.set_name = $1) FROM (",
    );
    let query = Query::new(seen(sql, source)).bind(Param::Text(set.to_owned()));
    let mut query = choose(query, source, &selection.conditions);
    query.sql = query.sql.text(") u LEFT JOIN enact.managed_unit m ON m.set_name = $1 AND m.unit = u.id");
    is_true(tx, &query).await
}

/// Adds a query of the id and the digest of each unit, up to its condition.
pub fn seen(sql: Sql, source: &UnitSource) -> Sql {
    let sql =
        sql.text("SELECT (").trusted(&source.id).text(")::text AS id, pg_catalog.sha256(pg_catalog.convert_to(ROW(");
    let sql = unit_columns(sql, source).text(")::text, 'UTF8')) AS seen");
    from(sql, source)
}

async fn count_points(tx: &mut dyn Tx, set: &str) -> Result<u64, StoreError> {
    let sql = "SELECT pg_catalog.count(*) FROM enact.managed_point m WHERE m.set_name = $1";
    let records = tx.query(&Query::new(Sql::new(sql)).bind(Param::Text(set.to_owned()))).await?;
    Ok(records.first().and_then(|record| record.int(0)).and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

async fn is_true(tx: &mut dyn Tx, query: &Query) -> Result<bool, StoreError> {
    Ok(tx.query(query).await?.first().is_some_and(|record| record.is_true(0)))
}

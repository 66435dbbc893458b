//! Facts of units, without their bodies.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::unit_ids::IdType;
use crate::model::{Condition, Selection, UnitFacts, UnitSource};
use crate::store::{Fault, Param, Query, Record, Sql, StoreError, Tx};

/// Which units are read: those that a selection could choose whatever their lifecycle, and those named by id.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct UnitFilter {
    /// Selections.
    pub selections: Vec<Selection>,
    /// Ids.
    pub ids: BTreeSet<String>,
    /// Whether the rows are locked against change until the transaction ends.
    pub lock: bool,
}

/// Reads units by id.
///
/// # Errors
/// Those of the store, and a unit that is read twice; a selection's unknown field is a bug of the caller, who has checked the
/// names.
pub async fn read_units(
    tx: &mut dyn Tx,
    source: &UnitSource,
    filter: &UnitFilter,
) -> Result<BTreeMap<String, UnitFacts>, StoreError> {
    let ReadUnits { units, twice } = read_all(tx, source, filter).await?;
    match twice.is_empty() {
        true => Ok(units),
        false => Err(StoreError::new(Fault::Refused, said_twice(&twice))),
    }
}

/// Units by id, and those that were read more than once.
pub(super) struct ReadUnits {
    pub units: BTreeMap<String, UnitFacts>,
    /// What was read of one unit, two at a time.
    pub twice: Vec<(UnitFacts, UnitFacts)>,
}

/// Names units that were read twice, and what differs between the two.
pub(super) fn said_twice(twice: &[(UnitFacts, UnitFacts)]) -> String {
    let (one, other) = &twice[0];
    let differing = one.fields.iter().find(|(name, value)| other.fields.get(*name) != Some(*value));
    let values = differing.map(|(name, value)| {
        let other = other.fields.get(name).cloned().flatten();
        let shown = |value: Option<String>| value.map_or("none".to_owned(), |value| format!("\"{value}\""));
        format!(", with {name} {} and {}", shown(value.clone()), shown(other))
    });
    let more = match twice.len() - 1 {
        0 => String::new(),
        more => format!(", and {more} more"),
    };
    format!("unit \"{}\" (id {}) is read more than once{}{more}", one.address, one.id, values.unwrap_or_default())
}

pub(super) async fn read_all(
    tx: &mut dyn Tx,
    source: &UnitSource,
    filter: &UnitFilter,
) -> Result<ReadUnits, StoreError> {
    if filter.selections.is_empty() && filter.ids.is_empty() {
        return Ok(ReadUnits { units: BTreeMap::new(), twice: Vec::new() });
    }
    let id_type = if filter.ids.is_empty() { IdType::Text } else { IdType::read(tx, source).await? };
    let mut query = Query::new(select(source));
    query = narrow(query, source, filter, id_type);
    if filter.lock && !source.lock.is_empty() {
        query.sql = query.sql.text(" FOR SHARE OF ").list(&source.lock, |sql, alias| sql.ident(alias));
    }
    let names: Vec<&String> = source.fields.keys().collect();
    let records = tx.query(&query).await?;
    let mut read = ReadUnits { units: BTreeMap::new(), twice: Vec::new() };
    // Each record goes as its unit comes: not all are held twice.
    for unit in records.into_iter().map(|record| facts(&record, &names)) {
        match read.units.entry(unit.id.clone()) {
            Entry::Vacant(free) => drop(free.insert(unit)),
            Entry::Occupied(first) => read.twice.push((first.get().clone(), unit)),
        }
    }
    Ok(read)
}

/// Finds one of these units that is not in this state, with the state in which it is; without one where it is not there.
///
/// One pass over the units, and no join, which a planner without statistics may do for each pair.
///
/// # Errors
/// Those of the store.
pub async fn find_in_other_state(
    tx: &mut dyn Tx,
    source: &UnitSource,
    ids: &[String],
    state: &str,
) -> Result<Option<(String, Option<String>)>, StoreError> {
    let id_type = IdType::read(tx, source).await?;
    let sql = Sql::new("SELECT pg_catalog.count(*), pg_catalog.to_jsonb(pg_catalog.min(ARRAY[(")
        .trusted(&source.id)
        .text(")::text, coalesce((")
        .trusted(&source.lifecycle)
        .text(")::text, '')]) FILTER (WHERE (")
        .trusted(&source.lifecycle)
        .text(")::text IS DISTINCT FROM $2))");
    let query = Query::new(among(sql, source, id_type)).bind(Param::Texts(ids.to_vec()));
    let records = tx.query(&query.bind(Param::Text(state.to_owned()))).await?;
    let Some(record) = records.first() else { return Ok(None) };
    if let Some([id, found]) = record.json(1).and_then(Value::as_array).map(Vec::as_slice) {
        return Ok(id.as_str().map(|id| (id.to_owned(), found.as_str().map(str::to_owned))));
    }
    if record.int(0).and_then(|count| usize::try_from(count).ok()) == Some(ids.len()) {
        return Ok(None);
    }
    let sql = Sql::new("SELECT (").trusted(&source.id).text(")::text");
    let query = Query::new(among(sql, source, id_type)).bind(Param::Texts(ids.to_vec()));
    let records = tx.query(&query).await?;
    let there: BTreeSet<&str> = records.iter().filter_map(|record| record.text(0)).collect();
    Ok(ids.iter().find(|id| !there.contains(id.as_str())).map(|id| (id.clone(), None)))
}

/// Adds the source of units and the condition that they are among the ids at the first place.
pub(super) fn among(sql: Sql, source: &UnitSource, id_type: IdType) -> Sql {
    id_type.is_any(from(sql, source).text(" AND "), source, 1)
}

fn select(source: &UnitSource) -> Sql {
    from(unit_columns(Sql::new("SELECT "), source), source)
}

/// Adds where units are read from, and the condition that each of them meets.
pub(super) fn from(sql: Sql, source: &UnitSource) -> Sql {
    let sql = sql.text(" FROM ").trusted(&source.from).text(" WHERE (");
    sql.trusted(source.condition.as_deref().unwrap_or("true")).text(")")
}

/// Adds everything that is read of a unit.
pub(super) fn unit_columns(mut sql: Sql, source: &UnitSource) -> Sql {
    for expression in [&source.id, &source.address] {
        sql = sql.text("(").trusted(expression).text(")::text, ");
    }
    sql = sql.text("coalesce((").trusted(&source.title).text(")::text, ''), ");
    for expression in [&source.lifecycle, &source.content_hash] {
        sql = sql.text("coalesce((").trusted(expression).text(")::text, ''), ");
    }
    sql = match &source.anchor {
        Some(anchor) => sql.text("(").trusted(anchor).text(")::text, "),
        None => sql.text("NULL::text, "),
    };
    sql = empty_body(sql, &source.body).text(", ");
    if source.fields.is_empty() {
        sql.text("'[]'::jsonb")
    } else {
        sql.text("pg_catalog.to_jsonb(ARRAY[")
            .list(source.fields.values(), |sql, field| sql.text("(").trusted(field).text(")::text"))
            .text("])")
    }
}

/// Whether a body is white space alone. The beginning of a long text says that it is not: a pattern looks at all of it.
fn empty_body(sql: Sql, body: &str) -> Sql {
    let sql = sql
        .text("CASE WHEN pg_catalog.left((")
        .trusted(body)
        .text(")::text, 64) ~ '[^[:space:]]' THEN false ELSE coalesce(");
    sql.trusted(body).text(", '') !~ '[^[:space:]]' END")
}

/// `WHERE` without the lifecycle: the plan may change that, and selections see the state after it.
fn narrow(mut query: Query, source: &UnitSource, filter: &UnitFilter, id_type: IdType) -> Query {
    let bare = |selection: &Selection| selection.conditions.keys().all(|name| name == "lifecycle");
    if filter.selections.iter().any(bare) {
        return query;
    }
    query.sql = query.sql.text(" AND (");
    for selection in &filter.selections {
        query.sql = query.sql.text("(true");
        let conditions = selection.conditions.iter().filter(|(name, _)| *name != "lifecycle");
        query = choose(query, source, conditions);
        query.sql = query.sql.text(") OR ");
    }
    let place = query.params.len() + 1;
    query.sql = id_type.is_any(query.sql, source, place).text(")");
    query.bind(Param::Texts(filter.ids.iter().cloned().collect()))
}

/// Adds conditions of a selection.
pub(super) fn choose<'c>(
    mut query: Query,
    source: &UnitSource,
    conditions: impl IntoIterator<Item = (&'c String, &'c Condition)>,
) -> Query {
    for (name, condition) in conditions {
        let Some(expression) = source.expression(name) else { continue };
        query.sql = query.sql.text(" AND ");
        query = add_condition(query, expression, condition);
    }
    query
}

fn add_condition(mut query: Query, expression: &str, condition: &Condition) -> Query {
    let place = query.params.len() + 1;
    match condition {
        Condition::In(values) => {
            query.sql = query.sql.text("(").trusted(expression).text(")::text = ANY (").param(place).text(")");
            query.bind(Param::Texts(values.clone()))
        }
        Condition::Prefix(prefix) => {
            query.sql =
                query.sql.text("pg_catalog.starts_with((").trusted(expression).text(")::text, ").param(place).text(")");
            query.bind(Param::Text(prefix.clone()))
        }
        Condition::Null => {
            query.sql = query.sql.text("(").trusted(expression).text(") IS NULL");
            query
        }
    }
}

fn facts(record: &Record, names: &[&String]) -> UnitFacts {
    let text = |index: usize| record.text(index).unwrap_or_default().to_owned();
    let values = record.json(7).and_then(|value| value.as_array()).cloned().unwrap_or_default();
    let fields =
        names.iter().zip(values).map(|(name, value)| ((*name).clone(), value.as_str().map(str::to_owned))).collect();
    UnitFacts {
        id: text(0),
        address: text(1),
        title: text(2),
        lifecycle: text(3),
        content_hash: text(4),
        anchor: record.text(5).map(str::to_owned),
        empty_body: record.is_true(6),
        fields,
    }
}

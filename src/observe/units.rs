//! Facts of units, without their bodies.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::{Condition, Selection, UnitFacts, UnitSource};
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

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
/// Those of the store; a selection's unknown field is a bug of the caller, who has checked the names.
pub async fn read_units(
    tx: &mut dyn Tx,
    source: &UnitSource,
    filter: &UnitFilter,
) -> Result<BTreeMap<String, UnitFacts>, StoreError> {
    let mut query = Query::new(select(source));
    query = narrow(query, source, filter);
    if filter.lock {
        query.sql = query.sql.text(" FOR SHARE OF ").list(&source.lock, |sql, alias| sql.ident(alias));
    }
    let names: Vec<&String> = source.fields.keys().collect();
    let records = tx.query(&query).await?;
    Ok(records.iter().map(|record| facts(record, &names)).map(|unit| (unit.id.clone(), unit)).collect())
}

fn select(source: &UnitSource) -> Sql {
    let mut sql = Sql::new("SELECT ");
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
    sql = sql.text("coalesce(").trusted(&source.body).text(", '') !~ '[^[:space:]]', ");
    sql = if source.fields.is_empty() {
        sql.text("'[]'::jsonb")
    } else {
        sql.text("pg_catalog.to_jsonb(ARRAY[")
            .list(source.fields.values(), |sql, field| sql.text("(").trusted(field).text(")::text"))
            .text("])")
    };
    sql = sql.text(" FROM ").trusted(&source.from).text(" WHERE (");
    match &source.condition {
        Some(condition) => sql.trusted(condition).text(")"),
        None => sql.text("true)"),
    }
}

/// `WHERE` without the lifecycle: the plan may change that, and selections see the state after it.
fn narrow(mut query: Query, source: &UnitSource, filter: &UnitFilter) -> Query {
    let bare = |selection: &Selection| selection.conditions.keys().all(|name| name == "lifecycle");
    if filter.selections.iter().any(bare) {
        return query;
    }
    query.sql = query.sql.text(" AND (");
    for selection in &filter.selections {
        query.sql = query.sql.text("(true");
        for (name, condition) in selection.conditions.iter().filter(|(name, _)| *name != "lifecycle") {
            let Some(expression) = source.expression(name) else { continue };
            query.sql = query.sql.text(" AND ");
            query = add_condition(query, expression, condition);
        }
        query.sql = query.sql.text(") OR ");
    }
    let place = query.params.len() + 1;
    query.sql = query.sql.text("(").trusted(&source.id).text(")::text = ANY (").param(place).text("))");
    query.bind(Param::Texts(filter.ids.iter().cloned().collect()))
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

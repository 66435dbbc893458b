//! What Enact itself wrote down: the epoch, what it manages; and gates.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::error::ObserveError;
use crate::diff::codes;
use crate::model::{Address, Desired, Diagnostic, Diagnostics, Digest, Gate, Managed, UnitFacts};
use crate::store::{Fault, Param, Query, Record, Relational, Sql, StoreError, Tx};

/// The epoch that `init` stamped.
///
/// # Errors
/// [`ObserveError::NotInitialised`] when there is no schema `enact`.
pub async fn read_epoch(tx: &mut dyn Tx) -> Result<String, ObserveError> {
    let there = Query::new(Sql::new("SELECT pg_catalog.to_regclass('enact.meta') IS NOT NULL"));
    if !tx.query(&there).await?.first().is_some_and(|record| record.is_true(0)) {
        return Err(ObserveError::NotInitialised);
    }
    let records = tx
        .query(&Query::new(Sql::new(
            "SELECT epoch, pg_catalog.to_regclass('enact.managed_point') IS NOT NULL FROM enact.meta",
        )))
        .await?;
    if records.first().is_some_and(|record| !record.is_true(1)) {
        let what = "the schema \"enact\" of this database is of an older version of Enact";
        return Err(StoreError::new(Fault::Refused, what).hint("run enact init as the owner of the schema").into());
    }
    records.first().and_then(|record| record.text(0)).map(str::to_owned).ok_or(ObserveError::NotInitialised)
}

/// The run that was applied last.
pub(super) async fn read_last_run(tx: &mut dyn Tx) -> Result<Option<String>, StoreError> {
    let sql = "SELECT run_id FROM enact.run WHERE outcome = 'applied' ORDER BY opened_at DESC, run_id DESC LIMIT 1";
    Ok(tx.query(&Query::new(Sql::new(sql))).await?.first().and_then(|record| record.text(0)).map(str::to_owned))
}

/// The role that statements run as.
pub(super) async fn read_session_role(tx: &mut dyn Tx) -> Result<Option<String>, StoreError> {
    let records = tx.query(&Query::new(Sql::new("SELECT current_user::text"))).await?;
    Ok(records.first().and_then(|record| record.text(0)).map(str::to_owned))
}

/// The role that opened the session.
///
/// # Errors
/// Those of the store.
pub async fn read_session_user(store: &mut dyn Relational) -> Result<String, StoreError> {
    let records = store.query(&Query::new(Sql::new("SELECT session_user::text"))).await?;
    Ok(records.first().and_then(|record| record.text(0)).unwrap_or_default().to_owned())
}

/// Everything that earlier applies of a project own, and what is of no project yet.
///
/// # Errors
/// Those of the store.
pub async fn read_managed(tx: &mut dyn Tx, project: &str) -> Result<BTreeMap<Address, Managed>, StoreError> {
    let has_projects = has_projects(tx).await?;
    let sql = Sql::new(
        "SELECT address, digest, CASE WHEN pg_catalog.jsonb_typeof(attributes) = 'object' THEN attributes - 'units' \
         ELSE attributes END FROM enact.managed",
    );
    let mut managed = managed_of(tx, &of_project(has_projects, sql, project)).await?;
    let sql = "SELECT address, CASE WHEN pg_catalog.starts_with(address, 'promotion.') AND \
               pg_catalog.jsonb_typeof(attributes -> 'units') = 'array' THEN attributes -> 'units' END AS units FROM enact.managed";
    add_units(tx, of_project(has_projects, Sql::new(sql), project), &mut managed).await?;
    Ok(managed)
}

/// Adds the units of these promotions to what is managed.
pub(super) async fn read_promotion_units(
    tx: &mut dyn Tx,
    project: &str,
    promotions: &BTreeSet<Address>,
    managed: &mut BTreeMap<Address, Managed>,
) -> Result<(), StoreError> {
    if promotions.is_empty() {
        return Ok(());
    }
    let sql = Sql::new(
        "SELECT address, CASE WHEN pg_catalog.jsonb_typeof(attributes -> 'units') = 'array' THEN attributes -> 'units' END AS units \
         FROM enact.managed WHERE project IN ('', $1) AND address = ANY ($2)",
    );
    let addresses = promotions.iter().map(Address::to_string).collect();
    let query = Query::new(sql).bind(Param::Text(project.to_owned())).bind(Param::Texts(addresses));
    add_units(tx, query, managed).await
}

async fn add_units(
    tx: &mut dyn Tx,
    Query { sql, params }: Query,
    managed: &mut BTreeMap<Address, Managed>,
) -> Result<(), StoreError> {
    let outer = Sql::new(
        "SELECT m.address, u.v ->> 'id', u.v ->> 'address', u.v ->> 'title', u.v ->> 'lifecycle', u.v ->> 'content_hash', \
         u.v ->> 'anchor', (u.v ->> 'empty_body')::boolean, u.v -> 'fields' FROM (",
    );
    let sql = outer
        .sql(&sql)
        .text(") m, pg_catalog.jsonb_array_elements(m.units) WITH ORDINALITY u(v, place) ORDER BY m.address, u.place");
    let mut units: BTreeMap<Address, Vec<UnitFacts>> = BTreeMap::new();
    for record in tx.query(&Query { sql, params }).await? {
        if let Some(address) = record.text(0) {
            units.entry(Address::from_text(address)).or_default().push(recorded_unit(&record));
        }
    }
    for (address, units) in units {
        if let Some(promotion) = managed.get_mut(&address) {
            promotion.units = Arc::new(units);
        }
    }
    Ok(())
}

fn recorded_unit(record: &Record) -> UnitFacts {
    let text = |index: usize| record.text(index).unwrap_or_default().to_owned();
    let fields = record.json(8).and_then(Value::as_object).into_iter().flatten();
    UnitFacts {
        id: text(1),
        address: text(2),
        title: text(3),
        lifecycle: text(4),
        content_hash: text(5),
        anchor: record.text(6).map(str::to_owned),
        empty_body: record.is_true(7),
        fields: fields.map(|(name, value)| (name.clone(), value.as_str().map(str::to_owned))).collect(),
    }
}

/// The same without the units of promotions, which may be many.
///
/// # Errors
/// Those of the store.
pub async fn read_managed_without_units(
    tx: &mut dyn Tx,
    project: &str,
) -> Result<BTreeMap<Address, Managed>, StoreError> {
    if !has_column(tx, "enact.managed", "brief").await? {
        return read_managed(tx, project).await;
    }
    let sql = Sql::new("SELECT address, digest, brief FROM enact.managed");
    managed_of(tx, &of_project(true, sql, project)).await
}

async fn managed_of(tx: &mut dyn Tx, query: &Query) -> Result<BTreeMap<Address, Managed>, StoreError> {
    let records = tx.query(query).await?;
    Ok(records
        .into_iter()
        .filter_map(|record| {
            let managed = Managed {
                digest: Digest::from_text(record.text(1)?)?,
                attributes: record.json(2).cloned().unwrap_or_default(),
                units: Arc::default(),
            };
            Some((Address::from_text(record.text(0)?), managed))
        })
        .collect())
}

/// Whether anything of `project` was ever applied and is still managed.
///
/// # Errors
/// [`StoreError`] when the record cannot be read.
pub async fn manages_anything(tx: &mut dyn Tx, project: &str) -> Result<bool, StoreError> {
    let query = of_project(has_projects(tx).await?, Sql::new("SELECT count(*) > 0 FROM enact.managed"), project);
    Ok(tx.query(&query).await?.first().is_some_and(|record| record.is_true(0)))
}

/// `sql`, limited to what `project` manages.
fn of_project(has_projects: bool, sql: Sql, project: &str) -> Query {
    match has_projects {
        true => Query::new(sql.text(" WHERE project IN ('', $1)")).bind(Param::Text(project.to_owned())),
        false => Query::new(sql),
    }
}

/// Whether the schema says whose everything is: an older one does not.
async fn has_projects(tx: &mut dyn Tx) -> Result<bool, StoreError> {
    has_column(tx, "enact.managed", "project").await
}

/// Whether a table of the schema has a column: that of an older version may not.
pub(super) async fn has_column(tx: &mut dyn Tx, table: &str, column: &str) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = pg_catalog.to_regclass($1) \
               AND a.attname = $2 AND NOT a.attisdropped)";
    let query = Query::new(Sql::new(sql)).bind(Param::Text(table.to_owned())).bind(Param::Text(column.to_owned()));
    Ok(tx.query(&query).await?.first().is_some_and(|record| record.is_true(0)))
}

/// Refuses vector sets that another project manages: both would write one collection, each by its own files.
///
/// # Errors
/// Every set that is another's, where it is declared; those of the store.
pub(super) async fn check_claims(tx: &mut dyn Tx, desired: &Desired, project: &str) -> Result<(), ObserveError> {
    if desired.vector_sets.is_empty() || !has_projects(tx).await? {
        return Ok(());
    }
    let sets = desired.vector_sets.values();
    let addresses = sets.clone().map(|set| Address::vector_set(&set.name).to_string()).collect();
    let sql = "SELECT address, project, coalesce((attributes->>'forgotten')::boolean, false) FROM enact.managed \
               WHERE address = ANY ($1) AND project NOT IN ('', $2)";
    let query = Query::new(Sql::new(sql)).bind(Param::Texts(addresses)).bind(Param::Text(project.to_owned()));
    let records = tx.query(&query).await?;
    let mut errors = Diagnostics::default();
    for record in &records {
        let (Some(address), Some(owner)) = (record.text(0), record.text(1)) else { continue };
        let Some(set) = sets.clone().find(|set| Address::vector_set(&set.name).as_str() == address) else { continue };
        let managed = if record.is_true(2) { "was managed by" } else { "is managed by" };
        let detail =
            format!("vector set \"{}\" {managed} project \"{owner}\", and this is project \"{project}\"", set.name);
        let hint = "give the set another name, or declare it in the files of that project alone";
        errors.push(Diagnostic::error(codes::SET_OF_ANOTHER, detail).at(&set.place).hint(hint));
    }
    Ok(errors.into_result(()).map(|_| ())?)
}

/// The values of gates; `None` for a gate without a row.
///
/// # Errors
/// Those of the store.
pub async fn read_gates(
    tx: &mut dyn Tx,
    gates: &Gate,
    names: &BTreeSet<String>,
) -> Result<BTreeMap<String, Option<String>>, StoreError> {
    let mut out: BTreeMap<String, Option<String>> = names.iter().map(|name| (name.clone(), None)).collect();
    out.extend(gates_with(tx, gates, &gates.key, names.iter().cloned().collect()).await?);
    Ok(out)
}

/// Names and values of the gates that have one of these texts in a column.
pub(super) async fn gates_with(
    tx: &mut dyn Tx,
    gates: &Gate,
    column: &str,
    texts: Vec<String>,
) -> Result<Vec<(String, Option<String>)>, StoreError> {
    let sql = Sql::new("SELECT ")
        .ident(&gates.key)
        .text("::text, ")
        .ident(&gates.value)
        .text("::text FROM ")
        .table(&gates.table)
        .text(" WHERE ")
        .ident(column)
        .text("::text = ANY ($1)");
    let records = tx.query(&Query::new(sql).bind(Param::Texts(texts))).await?;
    let named = records.iter().filter_map(|r| Some((r.text(0)?.to_owned(), r.text(1).map(str::to_owned))));
    Ok(named.collect())
}

//! PostgreSQL: the connection, Enact's own schema, roles, tables, functions and gates, in one snapshot.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{self, OWN_SCHEMA};
use super::found::{Area, Found};
use super::needs::{Needs, RoleName};
use super::{codes, grants, judge};
use crate::model::TableName;
use crate::observe::{ask, read_gates};
use crate::store::{Fault, Relational, Sql, StoreError, Tx, TxMode};

/// What probing needs beside the needs.
#[derive(Debug, Clone, Copy)]
pub struct PostgresScope {
    /// The version of the schema `enact` that this Enact writes.
    pub known_schema: i64,
    /// Whether it is the embedded server.
    pub embedded: bool,
}

/// Probes. Gives what was found and when, by the database's clock.
///
/// # Errors
/// Those of the store.
pub async fn probe_postgres(
    store: &mut dyn Relational,
    needs: &Needs,
    scope: PostgresScope,
) -> Result<(Vec<Found>, String), StoreError> {
    let mut tx = store.begin(TxMode::Snapshot).await?;
    let result = probe(tx.as_mut(), needs, scope).await;
    tx.rollback().await?;
    result
}

/// What is said of a server that could not be reached.
pub fn unreachable_postgres(error: &StoreError) -> Found {
    unreachable(Area::Postgres, "PostgreSQL", error)
}

pub(super) fn unreachable(area: Area, what: &str, error: &StoreError) -> Found {
    let found = Found::failed(area, codes::UNREACHABLE, what, error.message.clone());
    match &error.hint {
        Some(hint) => found.change(hint.clone()),
        None => found,
    }
}

async fn probe(tx: &mut dyn Tx, needs: &Needs, scope: PostgresScope) -> Result<(Vec<Found>, String), StoreError> {
    let facts = catalog::session(tx).await?;
    let mut out = judge::session(&facts, scope.embedded);
    let own = facts.own_tables.iter().map(|name| (None, TableName::new(OWN_SCHEMA, name)));
    let mut tables: BTreeSet<(RoleName, TableName)> = needs.tables.keys().cloned().chain(own).collect();
    tables.extend(needs.locked.iter().map(|table| (None, table.clone())));
    let tables = catalog::tables(tx, &tables).await?;
    let meta = tables.get(&(None, TableName::new(OWN_SCHEMA, "meta")));
    let version = match meta {
        Some(meta) if meta.schema_usage && meta.select.contains("version") => catalog::own_version(tx).await?,
        Some(_) | None => None,
    };
    out.extend(judge::own_schema(&facts, version, scope.known_schema, &tables));
    let (roles, all) = catalog::roles(tx, &needs.roles.keys().cloned().collect(), facts.version_number).await?;
    out.extend(judge::roles(needs, &facts, &roles, &all));
    out.extend(judge::tables(needs, &facts, &tables));
    out.extend(answers(tx, needs, &facts.role, &tables).await?);
    let wanted = needs.functions.keys().cloned().collect();
    let functions = catalog::functions(tx, &wanted).await?;
    out.extend(judge::functions(needs, &facts, &functions));
    let values = gates(tx, needs, &tables).await?;
    out.extend(judge::gates(needs, &facts, &values));
    Ok((out, facts.now))
}

/// Views that a verification reads, asked once: functions that a view calls run as whoever asks it, so that privileges on the
/// view alone say too little.
async fn answers(
    tx: &mut dyn Tx,
    needs: &Needs,
    role: &str,
    tables: &judge::ByRole<catalog::TableGrants>,
) -> Result<Vec<Found>, StoreError> {
    let mut out = Vec::new();
    for (view, columns) in &needs.asked {
        let found = tables.get(&(None, view.clone()));
        if !found.is_some_and(|found| found.exists && found.schema_usage && columns.is_subset(&found.select)) {
            continue;
        }
        let query = Sql::new("SELECT ").list(columns, |sql, column| sql.ident(column)).text(" FROM ").table(view);
        let what = format!("view {view}");
        let found = match ask(tx, query.as_str()).await {
            Ok(_) => Found::ok(Area::Tables, what, "it answers, as a verification will ask it"),
            Err(error) if error.fault == Fault::Refused => {
                Found::failed(Area::Tables, codes::TABLE_PRIVILEGE, what, error.message).change(format!(
                    "grant {} what the view calls; enact verify and enact drift ask it",
                    grants::ident(role)
                ))
            }
            Err(error) => return Err(error),
        };
        out.push(found.as_whom(role));
    }
    Ok(out)
}

/// The gates' values, where the session may read them.
async fn gates(
    tx: &mut dyn Tx,
    needs: &Needs,
    tables: &judge::ByRole<catalog::TableGrants>,
) -> Result<BTreeMap<String, Option<String>>, StoreError> {
    let Some(gates) = needs.gate_table.as_ref().filter(|_| !needs.gates.is_empty()) else { return Ok(BTreeMap::new()) };
    let readable = tables.get(&(None, gates.table.clone())).is_some_and(|grants| {
        grants.exists
            && grants.schema_usage
            && grants.select.contains(&gates.key)
            && grants.select.contains(&gates.value)
    });
    if readable { read_gates(tx, gates, &needs.gates).await } else { Ok(BTreeMap::new()) }
}

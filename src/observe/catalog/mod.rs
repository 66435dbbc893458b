//! Catalog facts of tables and functions, all of them in a handful of queries.

mod tables;

use std::collections::{BTreeMap, BTreeSet};

use self::tables::read_tables;
pub(crate) use self::tables::server_major;
use crate::model::{FunctionFacts, KnownNames, Parameter, TableFacts, TableName};
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

const FUNCTIONS: &str = "SELECT n.nspname::text, p.proname::text, p.oid::text, coalesce(a.name, ''), \
 pg_catalog.format_type(a.type, NULL), a.pos > p.pronargs - p.pronargdefaults, pg_catalog.format_type(p.prorettype, NULL), \
 pg_catalog.has_function_privilege(p.oid, 'EXECUTE') \
 FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
 JOIN unnest($1, $2) AS w(s, t) ON w.s = n.nspname AND w.t = p.proname \
 LEFT JOIN LATERAL (SELECT i.type, p.proargnames[i.o] AS name, pg_catalog.row_number() OVER (ORDER BY i.o) AS pos \
  FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY i(type, o) \
  WHERE p.proargmodes IS NULL OR p.proargmodes[i.o] IN ('i', 'b', 'v')) a ON true \
 WHERE p.prokind IN ('f', 'p') ORDER BY p.oid, a.pos";

/// Reads the facts of tables (with those that foreign keys connect them with) and of functions. What is not there is left out. Of
/// several overloads the one with the most parameters counts.
///
/// # Errors
/// Those of the store.
pub async fn read_catalog(
    tx: &mut dyn Tx,
    tables: &BTreeSet<TableName>,
    functions: &BTreeSet<TableName>,
) -> Result<(BTreeMap<TableName, TableFacts>, BTreeMap<TableName, FunctionFacts>), StoreError> {
    let mut facts = read_tables(tx, tables).await?;
    let related = |table: &TableFacts| -> Vec<TableName> {
        let to = table.foreign_keys.iter().map(|key| key.to.clone());
        to.chain(table.referenced_by.iter().map(|key| key.from.clone())).collect()
    };
    let related: BTreeSet<TableName> =
        facts.values().flat_map(related).filter(|table| !facts.contains_key(table)).collect();
    facts.extend(read_tables(tx, &related).await?);
    let functions = if functions.is_empty() { BTreeMap::new() } else { read_functions(tx, functions).await? };
    Ok((facts, functions))
}

/// Reads the facts of these tables and of no others.
///
/// # Errors
/// Those of the store.
pub(crate) async fn read_only_tables(
    tx: &mut dyn Tx,
    tables: &BTreeSet<TableName>,
) -> Result<BTreeMap<TableName, TableFacts>, StoreError> {
    read_tables(tx, tables).await
}

const KNOWN: &str = "SELECT n.nspname::text, c.relname::text, true FROM pg_catalog.pg_class c \
 JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
 WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname <> 'information_schema' AND NOT n.nspname LIKE 'pg\\_%' \
 UNION SELECT n.nspname::text, p.proname::text, false FROM pg_catalog.pg_proc p \
 JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace \
 WHERE n.nspname <> 'information_schema' AND NOT n.nspname LIKE 'pg\\_%' ORDER BY 1, 2";

/// Reads the names of all tables and functions that are not PostgreSQL's own.
///
/// # Errors
/// Those of the store.
pub async fn read_known(tx: &mut dyn Tx) -> Result<KnownNames, StoreError> {
    let mut out = KnownNames::default();
    for record in tx.query(&Query::new(Sql::new(KNOWN))).await? {
        let list = if record.is_true(2) { &mut out.tables } else { &mut out.functions };
        list.push(table_of(&record).to_string());
    }
    Ok(out)
}

fn named(sql: &'static str, names: &BTreeSet<TableName>) -> Query {
    Query::new(Sql::new(sql))
        .bind(Param::Texts(names.iter().map(|name| name.schema().to_owned()).collect()))
        .bind(Param::Texts(names.iter().map(|name| name.name().to_owned()).collect()))
}

fn text(record: &Record, index: usize) -> String {
    record.text(index).unwrap_or_default().to_owned()
}

fn table_of(record: &Record) -> TableName {
    TableName::new(text(record, 0), text(record, 1))
}

async fn read_functions(
    tx: &mut dyn Tx,
    functions: &BTreeSet<TableName>,
) -> Result<BTreeMap<TableName, FunctionFacts>, StoreError> {
    let mut overloads: BTreeMap<(TableName, String), FunctionFacts> = BTreeMap::new();
    for record in tx.query(&named(FUNCTIONS, functions)).await? {
        let facts = overloads.entry((table_of(&record), text(&record, 2))).or_default();
        facts.returns = text(&record, 6);
        facts.executable = record.is_true(7);
        if record.text(4).is_some() {
            let parameter =
                Parameter { name: text(&record, 3), type_name: text(&record, 4), has_default: record.is_true(5) };
            facts.parameters.push(parameter);
        }
    }
    let mut out: BTreeMap<TableName, FunctionFacts> = BTreeMap::new();
    for ((name, _), facts) in overloads {
        let larger = out.get(&name).is_none_or(|known| known.parameters.len() < facts.parameters.len());
        if larger {
            out.insert(name, facts);
        }
    }
    Ok(out)
}

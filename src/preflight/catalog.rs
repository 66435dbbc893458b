//! What the catalog says of roles, tables and functions: one query for each.

use std::collections::{BTreeMap, BTreeSet};

use super::needs::RoleName;
use crate::model::TableName;
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

/// Enact's own schema.
pub(super) const OWN_SCHEMA: &str = "enact";

const SESSION: &str = "SELECT pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num')::bigint, \
 pg_catalog.current_database()::text, session_user::text, current_user::text, pg_catalog.host(pg_catalog.inet_server_addr()), \
 pg_catalog.inet_server_port()::text, (SELECT s.version FROM pg_catalog.pg_stat_ssl s WHERE s.pid = pg_catalog.pg_backend_pid() AND s.ssl), \
 pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only') = 'on', \
 (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.rolname = current_user), pg_catalog.clock_timestamp()::text, \
 ARRAY(SELECT c.relname::text FROM pg_catalog.pg_class c \
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'enact' AND c.relkind = 'r' ORDER BY 1)";

const ROLES: &str = "SELECT r.rolname::text, r.rolname = ANY ($1), pg_catalog.pg_has_role(session_user, r.oid, $2), r.rolsuper \
 FROM pg_catalog.pg_roles r WHERE r.rolname = ANY ($1) OR NOT r.rolname LIKE 'pg\\_%' ORDER BY 1";

/// A column's privilege holds where the table's does. Roles that are not there give no row.
const TABLES: &str = "SELECT w.r, w.s, w.t, c.oid IS NOT NULL, o.rolname::text, \
 coalesce(pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE'), true), \
 ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), \
 ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
  AND pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'SELECT')), \
 ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
  AND pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'INSERT')), \
 ARRAY(SELECT a.attname::text FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped \
  AND pg_catalog.has_column_privilege(r.oid, c.oid, a.attnum, 'UPDATE')), \
 coalesce(pg_catalog.has_table_privilege(r.oid, c.oid, 'DELETE'), false), \
 c.relrowsecurity AND NOT (r.rolsuper OR r.rolbypassrls OR (c.relowner = r.oid AND NOT c.relforcerowsecurity)), \
 pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT'), \
 (SELECT pg_catalog.jsonb_object_agg(a.attname, s.oid::regclass::text) FROM pg_catalog.pg_attrdef d \
  JOIN pg_catalog.pg_attribute a ON a.attrelid = d.adrelid AND a.attnum = d.adnum AND NOT a.attisdropped AND a.attidentity = '' \
  JOIN pg_catalog.pg_depend p ON p.classid = 'pg_catalog.pg_attrdef'::regclass AND p.objid = d.oid \
   AND p.refclassid = 'pg_catalog.pg_class'::regclass \
  JOIN pg_catalog.pg_class s ON s.oid = p.refobjid AND s.relkind = 'S' \
  WHERE d.adrelid = c.oid AND CASE WHEN s.relkind = 'S' THEN NOT pg_catalog.has_sequence_privilege(r.oid, s.oid, 'USAGE, UPDATE') END) \
 FROM unnest($1, $2, $3) AS w(r, s, t) \
 JOIN pg_catalog.pg_roles r ON r.rolname = coalesce(nullif(w.r, ''), current_user) \
 LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = w.s \
 LEFT JOIN pg_catalog.pg_class c ON c.relnamespace = n.oid AND c.relname = w.t AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
 LEFT JOIN pg_catalog.pg_roles o ON o.oid = c.relowner ORDER BY 1, 2, 3";

const FUNCTIONS: &str = "SELECT w.r, w.s, w.t, p.oid::regprocedure::text, \
 pg_catalog.has_schema_privilege(r.oid, n.oid, 'USAGE'), coalesce(pg_catalog.has_function_privilege(r.oid, p.oid, 'EXECUTE'), false), \
 p.prosecdef, o.rolname::text, \
 ARRAY(SELECT coalesce(p.proargnames[i.o], '') FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY i(t, o) \
  WHERE p.proargmodes IS NULL OR p.proargmodes[i.o] IN ('i', 'b', 'v') ORDER BY i.o), p.pronargdefaults::bigint \
 FROM unnest($1, $2, $3) AS w(r, s, t) \
 JOIN pg_catalog.pg_roles r ON r.rolname = coalesce(nullif(w.r, ''), current_user) \
 JOIN pg_catalog.pg_namespace n ON n.nspname = w.s \
 LEFT JOIN pg_catalog.pg_proc p ON p.pronamespace = n.oid AND p.proname = w.t AND p.prokind IN ('f', 'p') \
 LEFT JOIN pg_catalog.pg_roles o ON o.oid = p.proowner ORDER BY 1, 2, 3, 4";

/// The session.
#[derive(Debug, Clone, Default)]
pub(super) struct SessionFacts {
    pub version: String,
    pub version_number: i64,
    pub database: String,
    /// The role that connected: it decides which roles can be taken on.
    pub session_role: String,
    /// The role that statements run as.
    pub role: String,
    /// Address and port of the server; absent for a socket.
    pub address: Option<String>,
    /// The version of TLS.
    pub tls: Option<String>,
    pub in_recovery: bool,
    pub read_only: bool,
    pub superuser: bool,
    pub now: String,
    /// The tables of Enact's own schema.
    pub own_tables: Vec<String>,
}

/// One role.
#[derive(Debug, Clone, Default)]
pub(super) struct RoleFacts {
    pub may_switch: bool,
    pub superuser: bool,
}

/// What a role may do with a table.
#[derive(Debug, Clone, Default)]
pub(super) struct TableGrants {
    pub exists: bool,
    pub owner: String,
    pub schema_usage: bool,
    pub columns: BTreeSet<String>,
    pub select: BTreeSet<String>,
    pub insert: BTreeSet<String>,
    pub update: BTreeSet<String>,
    pub delete: bool,
    pub row_security: bool,
    /// SELECT on the table itself, which `count(*)` and whole rows need where columns are not enough.
    pub select_all: bool,
    /// Sequences that number columns by their default and that the role may not use, by column.
    pub locked_sequences: BTreeMap<String, String>,
}

/// What a role may do with one overload of a function.
#[derive(Debug, Clone, Default)]
pub(super) struct FunctionGrants {
    pub signature: String,
    pub schema_usage: bool,
    pub execute: bool,
    /// Whether it runs as its owner.
    pub as_owner: bool,
    pub owner: String,
    pub parameters: Vec<String>,
    pub defaults: usize,
}

fn text(record: &Record, index: usize) -> String {
    record.text(index).unwrap_or_default().to_owned()
}

fn set(record: &Record, index: usize) -> BTreeSet<String> {
    record.texts(index).iter().cloned().collect()
}

pub(super) async fn session(tx: &mut dyn Tx) -> Result<SessionFacts, StoreError> {
    let records = tx.query(&Query::new(Sql::new(SESSION))).await?;
    let Some(record) = records.first() else { return Ok(SessionFacts::default()) };
    let port = record.text(6).map(|port| format!(":{port}")).unwrap_or_default();
    Ok(SessionFacts {
        version: text(record, 0),
        version_number: record.int(1).unwrap_or_default(),
        database: text(record, 2),
        session_role: text(record, 3),
        role: text(record, 4),
        address: record.text(5).map(|address| format!("{address}{port}")),
        tls: record.text(7).map(str::to_owned),
        in_recovery: record.is_true(8),
        read_only: record.is_true(9),
        superuser: record.is_true(10),
        now: text(record, 11),
        own_tables: record.texts(12).to_vec(),
    })
}

/// The wanted roles that are there, and the names of all.
pub(super) async fn roles(
    tx: &mut dyn Tx,
    wanted: &BTreeSet<String>,
    version_number: i64,
) -> Result<(BTreeMap<String, RoleFacts>, Vec<String>), StoreError> {
    // PostgreSQL 16 has an option of its own for SET ROLE; before it every member may.
    let privilege = if version_number >= 160_000 { "SET" } else { "MEMBER" };
    let query = Query::new(Sql::new(ROLES))
        .bind(Param::Texts(wanted.iter().cloned().collect()))
        .bind(Param::Text(privilege.to_owned()));
    let (mut found, mut all) = (BTreeMap::new(), Vec::new());
    for record in tx.query(&query).await? {
        if record.is_true(1) {
            let facts = RoleFacts { may_switch: record.is_true(2), superuser: record.is_true(3) };
            found.insert(text(&record, 0), facts);
        }
        all.push(text(&record, 0));
    }
    Ok((found, all))
}

fn named(sql: &'static str, wanted: &BTreeSet<(RoleName, TableName)>) -> Query {
    let texts = |one: &dyn Fn(&(RoleName, TableName)) -> String| Param::Texts(wanted.iter().map(one).collect());
    Query::new(Sql::new(sql))
        .bind(texts(&|(role, _)| role.clone().unwrap_or_default()))
        .bind(texts(&|(_, name)| name.schema().to_owned()))
        .bind(texts(&|(_, name)| name.name().to_owned()))
}

fn key(record: &Record) -> (RoleName, TableName) {
    let role = record.text(0).filter(|role| !role.is_empty()).map(str::to_owned);
    (role, TableName::new(text(record, 1), text(record, 2)))
}

pub(super) async fn tables(
    tx: &mut dyn Tx,
    wanted: &BTreeSet<(RoleName, TableName)>,
) -> Result<BTreeMap<(RoleName, TableName), TableGrants>, StoreError> {
    let records = tx.query(&named(TABLES, wanted)).await?;
    let grants = records.iter().map(|record| {
        let grants = TableGrants {
            exists: record.is_true(3),
            owner: text(record, 4),
            schema_usage: record.is_true(5),
            columns: set(record, 6),
            select: set(record, 7),
            insert: set(record, 8),
            update: set(record, 9),
            delete: record.is_true(10),
            row_security: record.is_true(11),
            select_all: record.is_true(12),
            locked_sequences: record
                .json(13)
                .and_then(|found| serde_json::from_value(found.clone()).ok())
                .unwrap_or_default(),
        };
        (key(record), grants)
    });
    Ok(grants.collect())
}

pub(super) async fn functions(
    tx: &mut dyn Tx,
    wanted: &BTreeSet<(RoleName, TableName)>,
) -> Result<BTreeMap<(RoleName, TableName), Vec<FunctionGrants>>, StoreError> {
    let mut out: BTreeMap<(RoleName, TableName), Vec<FunctionGrants>> = BTreeMap::new();
    for record in tx.query(&named(FUNCTIONS, wanted)).await? {
        let overloads = out.entry(key(&record)).or_default();
        if record.text(3).is_some() {
            overloads.push(FunctionGrants {
                signature: text(&record, 3),
                schema_usage: record.is_true(4),
                execute: record.is_true(5),
                as_owner: record.is_true(6),
                owner: text(&record, 7),
                parameters: record.texts(8).to_vec(),
                defaults: usize::try_from(record.int(9).unwrap_or_default()).unwrap_or_default(),
            });
        }
    }
    Ok(out)
}

/// The version in Enact's own schema. The caller has checked that it may be read.
pub(super) async fn own_version(tx: &mut dyn Tx) -> Result<Option<i64>, StoreError> {
    let records = tx.query(&Query::new(Sql::new("SELECT version FROM enact.meta"))).await?;
    Ok(records.first().and_then(|record| record.int(0)))
}

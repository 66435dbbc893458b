//! Needs against facts. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::catalog::{FunctionGrants, OWN_SCHEMA, RoleFacts, SessionFacts, TableGrants};
use super::codes;
use super::found::{Area, Found};
use super::grants::{self, Missing};
use super::needs::{Columns, FunctionNeed, Needs, RoleName, TableNeed};
use crate::diff::codes as plan_codes;
use crate::model::{TableName, name_hint};

/// Tables, or functions, by the role that uses them.
pub(super) type ByRole<T> = BTreeMap<(RoleName, TableName), T>;

/// The connection itself.
pub(super) fn session(facts: &SessionFacts, embedded: bool) -> Vec<Found> {
    let over = match (&facts.address, &facts.tls) {
        _ if embedded => "the embedded server".to_owned(),
        (None, _) => "the local socket".to_owned(),
        (Some(address), None) => format!("TCP to {address}, without TLS"),
        (Some(address), Some(tls)) => format!("TCP to {address}, {tls}"),
    };
    let power = if facts.superuser { ", a superuser" } else { "" };
    let what = format!("database {}", facts.database);
    let found = format!("PostgreSQL {} over {over}{power}", facts.version);
    let mut out = vec![Found::ok(Area::Postgres, what, found).as_whom(&facts.role)];
    if facts.in_recovery || facts.read_only {
        let (found, change) = if facts.in_recovery {
            ("it is a standby, which takes no writes", "connect to the primary".to_owned())
        } else {
            let role = grants::ident(&facts.session_role);
            (
                "default_transaction_read_only is on",
                format!("ALTER ROLE {role} SET default_transaction_read_only = off;"),
            )
        };
        let what = "writes".to_owned();
        out.push(Found::failed(Area::Postgres, codes::READ_ONLY, what, found).as_whom(&facts.role).change(change));
    }
    out
}

/// Enact's own schema: there, of this version, and written by the session's own role.
pub(super) fn own_schema(
    facts: &SessionFacts,
    version: Option<i64>,
    known: i64,
    tables: &ByRole<TableGrants>,
) -> Vec<Found> {
    if facts.own_tables.is_empty() {
        let what = "schema enact";
        return vec![
            Found::failed(Area::Schema, codes::ENACT_SCHEMA, what, "there is none yet")
                .as_whom(&facts.role)
                .change("enact init"),
        ];
    }
    let mut out = Vec::new();
    let is_owner = tables
        .iter()
        .filter(|((role, table), _)| role.is_none() && table.schema() == OWN_SCHEMA)
        .all(|(_, grants)| facts.superuser || grants.owner == facts.role);
    let what = "schema enact".to_owned();
    let usable = tables.iter().all(|((_, table), grants)| table.schema() != OWN_SCHEMA || grants.schema_usage);
    out.push(match version {
        Some(version) if version == known => Found::ok(Area::Schema, what, format!("version {version}")),
        Some(version) if version > known => {
            let found = format!("version {version}, and this Enact knows {known}");
            Found::failed(Area::Schema, codes::ENACT_SCHEMA, what, found).change("use the newer Enact that made it")
        }
        Some(version) if is_owner => {
            Found::ok(Area::Schema, what, format!("version {version}; an apply upgrades it to {known}"))
        }
        Some(version) => {
            let found = format!("version {version}, and this Enact writes {known}");
            Found::failed(Area::Schema, codes::ENACT_SCHEMA, what, found)
                .change("run enact init as the owner of the schema")
        }
        None if !usable => no_usage(Area::Schema, &facts.role, OWN_SCHEMA),
        None => Found::failed(Area::Schema, codes::ENACT_SCHEMA, what, "its version cannot be read"),
    });
    let mut out: Vec<Found> = out.into_iter().map(|found| found.as_whom(&facts.role)).collect();
    for name in &facts.own_tables {
        let table = TableName::new(OWN_SCHEMA, name);
        let need = own_need(name);
        if let Some(grants) = tables.get(&(None, table.clone())) {
            out.push(judge_table(Area::Schema, codes::ENACT_SCHEMA, &facts.role, &table, &need, grants));
        }
    }
    out
}

/// What Enact does with its own tables. One that this version does not know is taken to be written in every way.
fn own_need(table: &str) -> TableNeed {
    let all = || Columns::All;
    let need = |insert: bool, update: bool, delete: bool| TableNeed {
        always_filled: None,
        select: all(),
        insert: if insert { all() } else { Columns::None },
        update: if update { all() } else { Columns::None },
        delete,
        place: None,
    };
    match table {
        // Whoever applies reads approvals, and locks them to look: that is told where a plan asks for approvals.
        "meta" | "approval" => need(false, false, false),
        "run" => need(true, true, false),
        "journal" | "plan_line" => need(true, false, false),
        "before_image" | "staged_point" => need(true, false, true),
        _ => need(true, true, true),
    }
}

/// Roles: there, and open to the session.
pub(super) fn roles(
    needs: &Needs,
    facts: &SessionFacts,
    found: &BTreeMap<String, RoleFacts>,
    all: &[String],
) -> Vec<Found> {
    needs
        .roles
        .iter()
        .map(|(role, place)| {
            let what = format!("role {role}");
            let result = match found.get(role) {
                None => Found::failed(Area::Roles, codes::UNKNOWN_ROLE, what, "there is no such role")
                    .change(name_hint(role, all.iter().map(String::as_str))),
                Some(RoleFacts { may_switch: false, superuser: _ }) => {
                    let change = grants::membership(role, &facts.session_role, facts.version_number >= 160_000);
                    Found::failed(Area::Roles, codes::ROLE_SWITCH, what, "the session may not SET ROLE to it")
                        .change(change)
                }
                Some(RoleFacts { may_switch: true, superuser: false }) => {
                    Found::ok(Area::Roles, what, "the session may take it on")
                }
                Some(RoleFacts { may_switch: true, superuser: true }) => {
                    Found::ok(Area::Roles, what, "the session may take it on; it is a superuser")
                }
            };
            result.as_whom(&facts.session_role).at(place.as_ref())
        })
        .collect()
}

/// Schemas and tables.
pub(super) fn tables(needs: &Needs, facts: &SessionFacts, grants: &ByRole<TableGrants>) -> Vec<Found> {
    let mut out = Vec::new();
    let mut schemas: BTreeSet<(String, String)> = BTreeSet::new();
    for ((role, table), need) in &needs.tables {
        // A role that is not there has been reported, and has no grants.
        let Some(found) = grants.get(&(role.clone(), table.clone())) else { continue };
        let name = role.as_deref().unwrap_or(&facts.role);
        if !found.schema_usage && schemas.insert((name.to_owned(), table.schema().to_owned())) {
            out.push(no_usage(Area::Tables, name, table.schema()).at(need.place.as_ref()));
        }
        out.push(judge_table(Area::Tables, codes::TABLE_PRIVILEGE, name, table, need, found));
        out.extend(judge_sequences(name, table, need, found));
        if found.row_security {
            let what = format!("table {table}");
            let seen = "row-level security is on: rows that its policies hide are neither compared nor written";
            out.push(Found::warning(Area::Tables, what, seen).as_whom(name));
        }
    }
    for table in &needs.locked {
        let Some(found) = grants.get(&(None, table.clone())) else { continue };
        let words = if found.update.is_empty() {
            "rows may not be locked: they are read again right before the decision"
        } else {
            "rows are locked while they are compared"
        };
        out.push(Found::ok(Area::Tables, format!("table {table}"), words).as_whom(&facts.role));
    }
    out
}

fn no_usage(area: Area, role: &str, schema: &str) -> Found {
    Found::failed(area, codes::SCHEMA_USAGE, format!("schema {schema}"), "no USAGE")
        .as_whom(role)
        .change(grants::on_schema(schema, role))
}

fn judge_table(
    area: Area,
    code: crate::model::Code,
    role: &str,
    table: &TableName,
    need: &TableNeed,
    found: &TableGrants,
) -> Found {
    let what = format!("table {table}");
    if !found.exists {
        return Found::failed(area, plan_codes::UNKNOWN_TABLE, what, "it is not there")
            .as_whom(role)
            .at(need.place.as_ref());
    }
    let mut missing = Vec::new();
    let mut wanted = Vec::new();
    for (privilege, columns, granted) in [
        ("SELECT", &need.select, &found.select),
        ("INSERT", &need.insert, &found.insert),
        ("UPDATE", &need.update, &found.update),
    ] {
        if *columns != Columns::None {
            wanted.push(privilege);
            missing.extend(missing_columns(privilege, columns, granted, &found.columns));
        }
    }
    if need.delete {
        wanted.push("DELETE");
        if !found.delete {
            missing.push(Missing { privilege: "DELETE", columns: BTreeSet::new() });
        }
    }
    let partly = need.select == Columns::Expressions && !found.select_all;
    let result = if !missing.is_empty() {
        let words: Vec<String> = missing.iter().map(Missing::words).collect();
        Found::failed(area, code, what, format!("no {}", words.join(", no ")))
            .change(grants::on_table(&missing, table, role))
    } else if partly {
        let found = "SELECT on some columns alone; an expression of the binding may name another";
        Found::warning(area, what, found).change(format!(
            "GRANT SELECT ON {} TO {};",
            grants::table_name(table),
            grants::ident(role)
        ))
    } else {
        Found::ok(area, what, wanted.join(", "))
    };
    result.as_whom(role).at(need.place.as_ref())
}

/// Sequences behind the defaults of columns that new rows leave out.
fn judge_sequences(role: &str, table: &TableName, need: &TableNeed, found: &TableGrants) -> Vec<Found> {
    let Some(filled) = &need.always_filled else { return Vec::new() };
    let used = found.locked_sequences.iter().filter(|(column, _)| !filled.contains(*column));
    used.map(|(column, sequence)| {
        let what = format!("sequence {sequence}");
        let seen = format!("no USAGE, and new rows of {table} get their {column} from it");
        Found::failed(Area::Tables, codes::TABLE_PRIVILEGE, what, seen)
            .change(format!("GRANT USAGE ON SEQUENCE {sequence} TO {};", grants::ident(role)))
            .as_whom(role)
            .at(need.place.as_ref())
    })
    .collect()
}

fn missing_columns(
    privilege: &'static str,
    wanted: &Columns,
    granted: &BTreeSet<String>,
    all: &BTreeSet<String>,
) -> Option<Missing> {
    let columns: BTreeSet<String> = match wanted {
        Columns::None => return None,
        Columns::Expressions if granted.is_empty() => all.clone(),
        Columns::Expressions => return None,
        Columns::All => all.difference(granted).cloned().collect(),
        // A column that is not there stops a plan before any probe.
        Columns::Some(names) => names.intersection(all).filter(|name| !granted.contains(*name)).cloned().collect(),
    };
    if columns.is_empty() {
        return None;
    }
    // Where nothing of the table is granted, the table is what to grant.
    let columns = if granted.is_empty() { BTreeSet::new() } else { columns };
    Some(Missing { privilege, columns })
}

/// Functions.
pub(super) fn functions(needs: &Needs, facts: &SessionFacts, grants: &ByRole<Vec<FunctionGrants>>) -> Vec<Found> {
    let mut out = Vec::new();
    let mut schemas: BTreeSet<(String, String)> = BTreeSet::new();
    for ((role, function), need) in &needs.functions {
        let Some(overloads) = grants.get(&(role.clone(), function.clone())) else { continue };
        let name = role.as_deref().unwrap_or(&facts.role);
        if overloads.iter().any(|one| !one.schema_usage)
            && schemas.insert((name.to_owned(), function.schema().to_owned()))
        {
            out.push(no_usage(Area::Functions, name, function.schema()).at(need.place.as_ref()));
        }
        out.extend(judge_function(name, function, need, overloads));
    }
    out
}

fn judge_function(role: &str, function: &TableName, need: &FunctionNeed, overloads: &[FunctionGrants]) -> Vec<Found> {
    let mut out = Vec::new();
    let mut seen = BTreeSet::new();
    for arguments in &need.arguments {
        let what = format!("function {function}");
        let result = match overloads.iter().find(|one| accepts(one, arguments)) {
            None => {
                let names: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let found = format!("none takes exactly the arguments {}", names.join(", "));
                let known: Vec<&str> = overloads.iter().map(|one| one.signature.as_str()).collect();
                Found::failed(Area::Functions, plan_codes::UNKNOWN_FUNCTION, what, found).change(name_hint("", known))
            }
            Some(one) if !seen.insert(&one.signature) => continue,
            Some(one) if one.execute => {
                let runs = if one.as_owner { format!("; it runs as its owner {}", one.owner) } else { String::new() };
                Found::ok(Area::Functions, what, format!("EXECUTE{runs}"))
            }
            Some(one) => Found::failed(Area::Functions, codes::FUNCTION_PRIVILEGE, what, "no EXECUTE")
                .change(grants::on_function(&one.signature, role)),
        };
        out.push(result.as_whom(role).at(need.place.as_ref()));
    }
    out
}

/// Whether a call with these named arguments fits: each has a parameter, and what is left out has a default.
fn accepts(overload: &FunctionGrants, arguments: &BTreeSet<String>) -> bool {
    let required = overload.parameters.len().saturating_sub(overload.defaults);
    arguments.iter().all(|name| overload.parameters.contains(name))
        && overload.parameters.iter().take(required).all(|name| arguments.contains(name))
}

/// Gates: each has a value.
pub(super) fn gates(needs: &Needs, facts: &SessionFacts, values: &BTreeMap<String, Option<String>>) -> Vec<Found> {
    let Some(table) = &needs.gate_table else { return Vec::new() };
    needs
        .gates
        .iter()
        .map(|gate| {
            let what = format!("gate {gate}");
            let found = match values.get(gate) {
                None => Found::failed(Area::Gates, codes::GATE, what, format!("{} cannot be read", table.table)),
                Some(None) => {
                    Found::failed(Area::Gates, codes::GATE, what, format!("it has no row in {}", table.table))
                        .change(format!("add the row: {} = '{gate}', {} = '{}'", table.key, table.value, table.shut))
                }
                Some(Some(value)) if *value == table.open => Found::ok(Area::Gates, what, format!("open ({value})")),
                Some(Some(value)) if *value == table.shut => Found::ok(Area::Gates, what, format!("shut ({value})")),
                Some(Some(value)) => {
                    let found =
                        format!("its value {value:?} is neither open ({}) nor shut ({})", table.open, table.shut);
                    Found::warning(Area::Gates, what, found)
                }
            };
            found.as_whom(&facts.role)
        })
        .collect()
}

//! One table's entry of `rows`.

use std::collections::BTreeMap;

use super::row::{computed_columns, row};
use super::value::{condition_value, table_name};
use super::{DEFAULT_MAX_DELETE, TABLE_KEYS, push};
use crate::model::{Diagnostic, Diagnostics, RowOrigin, RowSet, RowState, Spot, SyncedTable, TableName, Written};
use crate::spec::codes;
use crate::spec::tree::{Entry, Kind, Node};
use crate::spec::walk::{Fields, one_of, optional, text, texts, whole, wrong_type};

/// Schemas whose rows are not the author's to declare: Enact's own and PostgreSQL's.
const OWNED_SCHEMAS: &[&str] = &["enact", "pg_catalog", "information_schema", "pg_toast"];

/// What becomes of the rows of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Declared rows are made what they are declared to be.
    Upsert,
    /// Declared rows that are not there are made.
    Insert,
    /// Declared rows are all there are.
    Sync,
}

const MODES: &[(&str, Mode)] = &[("upsert", Mode::Upsert), ("insert", Mode::Insert), ("sync", Mode::Sync)];

impl Mode {
    pub fn word(self) -> &'static str {
        MODES.iter().find(|(_, mode)| *mode == self).map_or("", |(word, _)| word)
    }

    pub fn state(self) -> RowState {
        match self {
            Mode::Upsert | Mode::Sync => RowState::Present,
            Mode::Insert => RowState::Inserted,
        }
    }
}

/// What all rows of one entry share.
pub(super) struct Declared<'n> {
    /// The table as it is written.
    pub written: &'n str,
    /// `None` where its name could not be read.
    pub table: Option<Spot<TableName>>,
    pub mode: Mode,
    /// The key columns, sorted, where the table names them.
    pub key: Option<Vec<String>>,
    pub computed: Vec<Spot<String>>,
}

/// Rows that stand in a data file.
#[derive(Debug)]
pub(in crate::spec) struct FromFile {
    /// The path as it is written.
    pub path: Spot<String>,
    /// The key columns where they are named.
    pub key: Vec<Spot<String>>,
    /// The set that its rows belong to, without columns and rows.
    pub set: RowSet,
}

/// What one entry declares.
#[derive(Debug, Default)]
pub(in crate::spec) struct TableRows {
    pub sets: Vec<RowSet>,
    pub synced: Option<SyncedTable>,
    pub file: Option<FromFile>,
}

/// Reads one table's entry of `rows`.
pub(in crate::spec) fn table_rows(table: &Spot<String>, node: &Node, out: &mut Diagnostics) -> TableRows {
    let name = table_name(table, out).and_then(|name| may_declare(name, out));
    let mut of = Declared { written: &table.value, table: name, mode: Mode::Upsert, key: None, computed: Vec::new() };
    match &node.kind {
        Kind::List(items) => TableRows { sets: sets(&of, items, out), ..TableRows::default() },
        Kind::Map(_) => from_mapping(&mut of, table, node, out).unwrap_or_default(),
        Kind::Null | Kind::Plain(_) | Kind::Text(_) | Kind::Json(_) => {
            let wanted = "a list of rows, or a mapping with rows or from";
            wrong_type::<()>(node, &format!("the rows of \"{}\"", table.value), wanted, out);
            TableRows::default()
        }
    }
}

fn may_declare(name: Spot<TableName>, out: &mut Diagnostics) -> Option<Spot<TableName>> {
    let schema = name.value.schema();
    if !OWNED_SCHEMAS.contains(&schema) {
        return Some(name);
    }
    let owner = if schema == "enact" { "Enact itself" } else { "PostgreSQL" };
    let detail = format!("the schema \"{schema}\" belongs to {owner}");
    let hint = "declare rows of your own tables only";
    out.push(Diagnostic::error(codes::OWNED_SCHEMA, detail).at(&name.place).hint(hint));
    None
}

fn sets(of: &Declared<'_>, items: &[Node], out: &mut Diagnostics) -> Vec<RowSet> {
    let mut sets = Vec::new();
    for item in items {
        if let Some(set) = row(of, item, out) {
            push(&mut sets, set);
        }
    }
    sets
}

fn from_mapping(of: &mut Declared<'_>, table: &Spot<String>, node: &Node, out: &mut Diagnostics) -> Option<TableRows> {
    let what = format!("the rows of \"{}\"", table.value);
    let fields = Fields::open(node, &what, &table.place, TABLE_KEYS, out)?;
    let mode = optional(fields.get("mode"), |node| one_of(node, "mode", MODES, out));
    let key = optional(fields.get("key"), |node| key_columns(node, out));
    let computed = optional(fields.get("computed"), |node| texts(node, "computed", out));
    let within = optional(fields.get("where"), |node| conditions(node, out));
    let max_delete = optional(fields.get("max_delete"), |node| whole(node, "max_delete", 0, u64::from(u32::MAX), out));
    of.mode = mode.flatten().unwrap_or(Mode::Upsert);
    if mode.is_some() {
        only_of_sync(of.mode, &fields, out);
    }
    of.computed = computed_columns(computed.iter().flatten().flatten().cloned());
    of.key = key.as_ref().and_then(|key| key.as_deref()).map(sorted);
    let (sets, file) = match (fields.entry("rows"), fields.entry("from")) {
        (Some(rows), None) => (inline(of, rows, out), None),
        (None, Some(from)) => (Some(Vec::new()), Some(file(of, from, key.as_ref(), table, out))),
        (Some(_), Some(from)) => {
            let detail = format!("{what} stand either here or in a file");
            out.push(Diagnostic::error(codes::CONFLICT, detail).at(&from.key.place).hint("keep one of rows and from"));
            (None, None)
        }
        (None, None) => {
            let detail = format!("{what} need the key \"rows\" or \"from\"");
            let hint = "add rows: [ … ], or from: FILE with key: [ … ]";
            out.push(Diagnostic::error(codes::MISSING_KEY, detail).at(&table.place).hint(hint));
            (None, None)
        }
    };
    let (mode, key, within, max_delete, _) = (mode?, key?, within?, max_delete?, computed?);
    let (sets, file) = (sets?, file.map_or(Some(None), |file| file.map(Some))?);
    if mode != Some(Mode::Sync) {
        return Some(TableRows { sets, synced: None, file });
    }
    let key = match key {
        Some(key) => sorted(&key),
        None => key_of_rows(&sets, fields.get("rows"), table, out)?,
    };
    let synced = of.table.clone().map(|name| SyncedTable {
        table: name,
        key,
        within: within.unwrap_or_default(),
        max_delete: max_delete.unwrap_or(DEFAULT_MAX_DELETE),
        place: table.place.clone(),
    });
    Some(TableRows { sets, synced, file })
}

fn inline(of: &Declared<'_>, rows: &Entry, out: &mut Diagnostics) -> Option<Vec<RowSet>> {
    match &rows.value.kind {
        Kind::List(items) => Some(sets(of, items, out)),
        _ => wrong_type(&rows.value, "\"rows\"", "a list of rows", out),
    }
}

/// Rows of a data file name their key once, for all of them. The outer `None` is a key that could not be read.
fn file(
    of: &Declared<'_>,
    from: &Entry,
    key: Option<&Option<Vec<Spot<String>>>>,
    table: &Spot<String>,
    out: &mut Diagnostics,
) -> Option<FromFile> {
    let path = text(&from.value, "from", out);
    let Some(key) = key? else {
        let detail = format!("the rows of \"{}\" come from a file and need the key \"key\"", table.value);
        let hint = "add key: [ … ] with the columns that find a row";
        out.push(Diagnostic::error(codes::MISSING_KEY, detail).at(&table.place).hint(hint));
        return None;
    };
    if let Some(computed) = of.computed.iter().find(|spot| key.iter().any(|column| column.value == spot.value)) {
        let detail = format!("\"{}\" is in the key already", computed.value);
        let hint = "leave it out here; a key column cannot be changed";
        out.push(Diagnostic::error(codes::CONFLICT, detail).at(&computed.place).hint(hint));
        return None;
    }
    let set = RowSet {
        table: of.table.clone()?,
        key: sorted(key),
        columns: Vec::new(),
        state: of.mode.state(),
        origin: RowOrigin::Files,
        computed: of.computed.clone(),
        rows: Vec::new(),
    };
    Some(FromFile { path: path?, key: key.to_vec(), set })
}

fn sorted(columns: &[Spot<String>]) -> Vec<String> {
    let mut names: Vec<String> = columns.iter().map(|spot| spot.value.clone()).collect();
    names.sort();
    names.dedup();
    names
}

fn key_columns(node: &Node, out: &mut Diagnostics) -> Option<Vec<Spot<String>>> {
    let columns = texts(node, "key", out)?;
    if columns.is_empty() {
        let diagnostic = Diagnostic::error(codes::INVALID_VALUE, "a key needs at least one column").at(&node.place);
        out.push(diagnostic.hint("name the columns that find a row"));
        return None;
    }
    Some(columns)
}

fn only_of_sync(mode: Mode, fields: &Fields<'_>, out: &mut Diagnostics) {
    if mode == Mode::Sync {
        return;
    }
    for key in ["where", "max_delete"] {
        if let Some(entry) = fields.entry(key) {
            let detail = format!("\"{key}\" belongs to mode: sync, and this is mode: {}", mode.word());
            let hint = "leave it out, or write mode: sync";
            out.push(Diagnostic::error(codes::CONFLICT, detail).at(&entry.key.place).hint(hint));
        }
    }
}

/// One key names the rows that go, so the declared rows have to agree on it.
fn key_of_rows(
    sets: &[RowSet],
    rows: Option<&Node>,
    table: &Spot<String>,
    out: &mut Diagnostics,
) -> Option<Vec<String>> {
    match sets {
        // What is wrong with the rows has been said.
        [] if rows.is_some_and(|rows| rows.kind != Kind::List(Vec::new())) => return None,
        [first, rest @ ..] if rest.iter().all(|set| set.key == first.key) => return Some(first.key.clone()),
        _ => {}
    }
    let why = if sets.is_empty() { "has no row" } else { "has rows with different keys" };
    let detail = format!("\"{}\" is mode: sync, {why}, and needs the key \"key\"", table.value);
    let hint = "add key: [ … ] with the columns that name a row";
    out.push(Diagnostic::error(codes::MISSING_KEY, detail).at(&table.place).hint(hint));
    None
}

fn conditions(node: &Node, out: &mut Diagnostics) -> Option<BTreeMap<String, Spot<Vec<Written>>>> {
    let fields = Fields::open_any(node, "\"where\"", &node.place, out)?;
    let read: Vec<Option<_>> = fields.entries().iter().map(|entry| condition(entry, out)).collect();
    read.into_iter().collect()
}

/// Sorted and without repetition, so that the order in the file means nothing.
fn condition(entry: &Entry, out: &mut Diagnostics) -> Option<(String, Spot<Vec<Written>>)> {
    let what = format!("\"{}\"", entry.key.value);
    let mut values = match &entry.value.kind {
        Kind::List(items) => {
            let read: Vec<Option<Written>> = items.iter().map(|item| condition_value(item, &what, out)).collect();
            read.into_iter().collect::<Option<Vec<Written>>>()?
        }
        _ => vec![condition_value(&entry.value, &what, out)?],
    };
    if values.is_empty() {
        let hint = "name at least one value, or leave the condition out";
        let detail = format!("{what} allows no value at all");
        out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&entry.key.place).hint(hint));
        return None;
    }
    values.sort();
    values.dedup();
    Some((entry.key.value.clone(), Spot { value: values, place: entry.value.place.clone() }))
}

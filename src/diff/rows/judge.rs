//! Changes of rows, from what the database said of them.

use std::collections::{BTreeMap, BTreeSet};

use md5::Digest as _;

use super::super::change::{Change, ChangeDetail, FieldChange, Finding, Reason, RowChange};
use super::super::compare::Comparison;
use super::super::resolve::Resolved;
use crate::diff::codes;
use crate::model::{
    Address, Cell, Code, Diagnostic, Diagnostics, LiveRow, Observed, RecordedValue, RowDiffers, RowFinding, RowKey,
    RowOrigin, RowRecord, RowRef, RowSeen, RowSet, RowState, TableFacts, TableName,
};

/// The address of a row.
pub fn row_address(table: &TableName, key: &RowKey) -> Address {
    Address::row(table, key)
}

/// Columns that a new row needs and does not get from the declaration or from the database. A trigger may fill them.
pub fn left_empty<'f>(set: &RowSet, values: &BTreeMap<String, Cell>, facts: &'f TableFacts) -> Vec<&'f str> {
    let computed = |name: &String| set.computed.iter().any(|computed| computed.value == *name);
    let empty = |(name, column): &(&String, &crate::model::Column)| {
        let absent = matches!(values.get(*name), None | Some(Cell::Null));
        let needed = column.not_null && !column.generated && !computed(name);
        needed && absent && (!column.has_default || values.contains_key(*name))
    };
    facts.columns.iter().filter(empty).map(|(name, _)| name.as_str()).collect()
}

/// Adds what reviewers should know, once.
pub fn say_once(findings: &mut Vec<RowFinding>, code: Code, address: Option<Address>, message: String) {
    if !findings.iter().any(|(_, _, known)| *known == message) {
        findings.push((code, address, message));
    }
}

/// A new row does not get what it needs.
pub fn required(set: &RowSet, row: RowRef, missing: &[&str]) -> Diagnostic {
    let detail = format!("a new row of \"{}\" needs {}", set.table.value, missing.join(", "));
    let hint = "give it a value, or list it under computed when the database makes it";
    Diagnostic::error(codes::REQUIRED_COLUMN, detail).at(&set.rows[row.row].place).hint(hint)
}

/// The changes of rows, with what is said about them.
pub(in crate::diff) fn row_changes(
    resolved: &Resolved,
    observed: &Observed,
    out: &mut Comparison,
    errors: &mut Diagnostics,
) {
    let facts = &observed.rows;
    for seen in &facts.seen {
        let set = &resolved.rows[seen.of.set];
        out.changes.extend(declared_change(set, seen, observed, errors));
    }
    for extra in &facts.extra {
        let synced = &resolved.synced[extra.synced];
        let table = synced.table.value.clone();
        out.changes.push(Change {
            address: row_address(&table, &extra.key),
            declared_at: Some(synced.place.to_string()),
            reasons: vec![Reason::NotInSync],
            detail: ChangeDetail::Row {
                table,
                key: extra.key.clone(),
                kind: None,
                change: RowChange::Delete { before: extra.live.clone() },
            },
        });
    }
    out.changes.extend(facts.outdated.iter().map(|seen| taken_over(&resolved.rows[seen.of.set], seen)));
    for (table, key) in &facts.left {
        out.changes.push(Change {
            address: row_address(table, key),
            declared_at: None,
            reasons: vec![Reason::NoLongerDeclared],
            detail: ChangeDetail::Forget,
        });
    }
    out.same_rows = facts.same;
    let find = |(code, address, message): &RowFinding| Finding {
        code: code.id.to_owned(),
        address: address.clone(),
        message: message.clone(),
    };
    out.findings.extend(facts.findings.iter().map(find));
}

fn declared_change(set: &RowSet, seen: &RowSeen, observed: &Observed, errors: &mut Diagnostics) -> Option<Change> {
    let table = &set.table.value;
    let address = row_address(table, &seen.key);
    let place = &set.rows[seen.of.row].place;
    let record = observed.rows.recorded.get(&seen.of);
    let (change, command) = match (&seen.live, set.state) {
        (Some((_, live)), RowState::Absent) => (RowChange::Delete { before: live.clone() }, "DELETE"),
        (None, _) => (RowChange::Create { values: seen.values.clone() }, "INSERT"),
        (Some((_, live)), RowState::Present | RowState::Inserted) => {
            if let RowOrigin::Promotion { .. } = set.origin {
                let detail = format!("\"{address}\" was authored before with another {}", seen.differs.join(", "));
                let hint = "a promotion's rows are written once; give the promotion another ids.namespace";
                errors.push(Diagnostic::error(codes::APPEND_ONLY, detail).at(place).hint(hint));
                return None;
            }
            let mut fields: BTreeMap<String, FieldChange> = BTreeMap::new();
            let times = seen.values.iter().filter(|(_, cell)| **cell == Cell::ApplyTime).map(|(name, _)| name);
            let changing: BTreeSet<&String> = seen.differs.iter().chain(times).collect();
            for name in changing {
                let before = live.0.get(name).cloned().flatten();
                let after = seen.values[name].clone();
                let recorded = match side(name, &after, record) {
                    Moved::Both(recorded) => Some(recorded.clone()),
                    Moved::File | Moved::World | Moved::Unknown => None,
                };
                fields.insert(name.clone(), FieldChange { before, after, recorded });
            }
            (RowChange::Update { live: live.clone(), fields }, "UPDATE")
        }
    };
    let facts = observed.tables.get(table);
    if facts.is_some_and(|facts| !facts.allows.contains(command)) {
        let detail = format!("\"{table}\" takes no {command}");
        let hint = "a view needs an INSTEAD OF trigger, or to be simple enough, to be written";
        errors.push(Diagnostic::error(codes::APPEND_ONLY, detail).at(place).hint(hint));
        return None;
    }
    if facts.is_some_and(|facts| facts.has_rules) {
        let detail =
            format!("rules of \"{table}\" rewrite what is written, and may do another thing than the plan says");
        let hint = "make a trigger of the rule";
        errors.push(Diagnostic::error(codes::APPEND_ONLY, detail).at(place).hint(hint));
        return None;
    }
    if let RowChange::Update { fields, .. } = &change {
        let fixed =
            |name: &&String| facts.is_some_and(|facts| facts.columns.get(*name).is_some_and(|c| c.identity_always));
        if let Some(name) = fields.keys().find(fixed) {
            let detail = format!("column \"{name}\" of \"{table}\" is GENERATED ALWAYS and keeps the value it got");
            let hint = "leave it out; it can only be chosen when the row is made";
            errors.push(Diagnostic::error(codes::APPEND_ONLY, detail).at(place).hint(hint));
            return None;
        }
    }
    let (reasons, kind) = match &set.origin {
        RowOrigin::Files => (reasons(seen, &change, record), None),
        RowOrigin::Promotion { name, kind, .. } => (vec![Reason::Promotion(name.clone())], Some(kind.clone())),
    };
    Some(Change {
        address,
        declared_at: Some(place.to_string()),
        reasons,
        detail: ChangeDetail::Row { table: table.clone(), key: seen.key.clone(), kind, change },
    })
}

/// Who moved: what a plan file declares, what lives, or both, from what the last apply wrote.
enum Moved<'a> {
    File,
    World,
    Both(&'a RecordedValue),
    /// Nothing is written down.
    Unknown,
}

fn side<'a>(column: &str, declared: &Cell, record: Option<&'a RowRecord>) -> Moved<'a> {
    let Some(RowRecord { values, since }) = record else { return Moved::Unknown };
    let Some(recorded) = values.get(column) else { return Moved::Unknown };
    let world = match since {
        None => false,
        Some(RowDiffers::Gone) => true,
        Some(RowDiffers::Columns(columns)) => columns.iter().any(|differs| differs.column == column),
    };
    let file = match (declared, recorded) {
        (Cell::Null, RecordedValue::Null) => false,
        (Cell::Text(text), RecordedValue::Text(recorded)) => text != recorded,
        (Cell::Text(text), RecordedValue::Digest(digest)) => hex::encode(md5::Md5::digest(text.as_bytes())) != *digest,
        (Cell::ApplyTime, RecordedValue::Any) => false,
        // What the row that is referred to has is not known here.
        (Cell::Reference(_), _) => !world,
        (Cell::Null | Cell::Text(_) | Cell::ApplyTime, _) => true,
    };
    match (file, world) {
        (true, true) => Moved::Both(recorded),
        (_, true) => Moved::World,
        // A difference that nobody made is one of spelling: the file has it.
        (_, false) => Moved::File,
    }
}

/// Why a row of the plan files changes, by what is declared, written down and there.
fn reasons(seen: &RowSeen, change: &RowChange, record: Option<&RowRecord>) -> Vec<Reason> {
    let Some(written) = record else {
        return vec![match change {
            RowChange::Create { .. } => Reason::NotThere,
            RowChange::Update { .. } | RowChange::TakeOver { .. } => Reason::ValuesDiffer,
            RowChange::Delete { .. } => Reason::DeclaredAbsent,
        }];
    };
    let columns: Vec<(&String, &Cell)> = match change {
        RowChange::Create { values } => values.iter().collect(),
        RowChange::Update { .. } => {
            seen.differs.iter().filter_map(|name| Some((name, seen.values.get(name)?))).collect()
        }
        RowChange::TakeOver { .. } => Vec::new(),
        RowChange::Delete { .. } => {
            let moved = written.since.is_some().then_some(Reason::ChangedOutside);
            return [Reason::DeclaredAbsent].into_iter().chain(moved).collect();
        }
    };
    let found: BTreeSet<Reason> = columns
        .into_iter()
        .map(|(name, cell)| match (side(name, cell, record), change) {
            (Moved::Both(_), RowChange::Create { .. }) => Reason::FileChanged,
            (Moved::World | Moved::Unknown, RowChange::Create { .. }) => Reason::GoneOutside,
            (Moved::File, _) => Reason::FileChanged,
            (Moved::World, _) => Reason::ChangedOutside,
            (Moved::Both(_), _) => Reason::Conflict,
            (Moved::Unknown, _) => Reason::ValuesDiffer,
        })
        .collect();
    let gone = matches!(change, RowChange::Create { .. }).then_some(Reason::GoneOutside);
    let order =
        [Reason::Conflict, Reason::GoneOutside, Reason::ChangedOutside, Reason::FileChanged, Reason::ValuesDiffer];
    order.into_iter().filter(|reason| found.contains(reason) || gone.as_ref() == Some(reason)).collect()
}

/// A row that is as declared, and was made so by somebody else since the last apply.
fn taken_over(set: &RowSet, seen: &RowSeen) -> Change {
    let live = seen.live.as_ref().map_or_else(|| LiveRow(BTreeMap::new()), |(_, live)| live.clone());
    Change {
        address: row_address(&set.table.value, &seen.key),
        declared_at: Some(set.rows[seen.of.row].place.to_string()),
        reasons: vec![Reason::OutdatedRecord],
        detail: ChangeDetail::Row {
            table: set.table.value.clone(),
            key: seen.key.clone(),
            kind: None,
            change: RowChange::TakeOver { live },
        },
    }
}

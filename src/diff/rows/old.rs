//! Rows: checked against the catalog, compared field by field, references resolved.
//!
//! Values are compared as the database spells them, so that spelling never shows as a change; `json` and `jsonb` are
//! compared structurally. A row that a promotion authored is never rewritten: it is there, or it is another one.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::change::{Change, ChangeDetail, FieldChange, Reason, RowChange};
use super::codes;
use super::resolve::{Resolved, ResolvedRow, RowValue};
use crate::model::{
    Address, Binding, Cell, Diagnostic, Diagnostics, KnownNames, LiveRow, Observed, ReferenceTarget, RowKey,
    TableFacts, TableName, name_hint, near_hint,
};

/// Checks tables, columns, keys and required values against the catalog, before the database is asked to read them.
pub fn check_rows(resolved: &Resolved, tables: &BTreeMap<TableName, TableFacts>, known: &KnownNames) -> Diagnostics {
    let mut errors = Diagnostics::default();
    let mut seen = BTreeSet::new();
    for row in &resolved.rows {
        // One row of each shape is enough: a template's rows share their mistakes.
        if row.kind.is_none() || seen.insert((row.table.clone(), row.kind.clone(), row.promotion.clone())) {
            check_row(row, tables, known, &mut errors);
        }
    }
    errors
}

fn check_row(
    row: &ResolvedRow,
    tables: &BTreeMap<TableName, TableFacts>,
    known: &KnownNames,
    errors: &mut Diagnostics,
) {
    let Some(facts) = tables.get(&row.table) else {
        errors.push(
            Diagnostic::error(
                codes::UNKNOWN_TABLE,
                format!("there is no table \"{}\" that this role can see", row.table),
            )
            .at(&row.place)
            .hint(near_hint(
                &row.table.to_string(),
                known.tables.iter().map(String::as_str),
                "create it, or correct the name",
            )),
        );
        return;
    };
    for column in row.values.keys() {
        match facts.columns.get(column) {
            None => errors.push(
                Diagnostic::error(codes::UNKNOWN_COLUMN, format!("table \"{}\" has no column \"{column}\"", row.table))
                    .at(&row.place)
                    .hint(name_hint(column, facts.columns.keys().map(String::as_str))),
            ),
            Some(found) if found.generated => errors.push(
                Diagnostic::error(
                    codes::UNKNOWN_COLUMN,
                    format!("column \"{column}\" of \"{}\" is generated and cannot be written", row.table),
                )
                .at(&row.place)
                .hint("leave it out"),
            ),
            Some(_) => {}
        }
    }
    let key: BTreeSet<&String> = row.key.iter().collect();
    let unique = std::iter::once(&facts.primary_key).chain(&facts.unique_keys);
    if !unique.into_iter().any(|columns| !columns.is_empty() && columns.iter().all(|column| key.contains(column))) {
        let known: Vec<String> = std::iter::once(&facts.primary_key)
            .chain(&facts.unique_keys)
            .filter(|columns| !columns.is_empty())
            .map(|columns| columns.join(" + "))
            .collect();
        errors.push(
            Diagnostic::error(
                codes::NOT_A_KEY,
                format!("\"{}\" is no unique key of \"{}\"", row.key.join(" + "), row.table),
            )
            .at(&row.place)
            .hint(format!("unique are: {}", known.join("; "))),
        );
    }
}

/// Every row that desired rows refer to, by foreign key or softly, whether it is in the plan or not.
pub fn reference_targets(
    resolved: &Resolved,
    normalised: &[BTreeMap<String, Option<String>>],
    tables: &BTreeMap<TableName, TableFacts>,
    binding: &Binding,
) -> Vec<(usize, String, ReferenceTarget)> {
    let mut out = Vec::new();
    for (index, (row, values)) in resolved.rows.iter().zip(normalised).enumerate() {
        if !row.present || row.existence_only {
            continue;
        }
        if let Some(facts) = tables.get(&row.table) {
            for key in &facts.foreign_keys {
                if let Some(found) = target(values, &key.columns, &key.to, &key.to_columns) {
                    out.push((index, format!("foreign key {}", key.name), found));
                }
            }
        }
        for soft in binding.soft_references.iter().filter(|soft| soft.table == row.table) {
            if let Some(found) =
                target(values, std::slice::from_ref(&soft.column), &soft.to, std::slice::from_ref(&soft.to_column))
            {
                out.push((index, format!("column {}", soft.column), found));
            }
        }
    }
    out
}

fn target(
    values: &BTreeMap<String, Option<String>>,
    columns: &[String],
    to: &TableName,
    to_columns: &[String],
) -> Option<ReferenceTarget> {
    let values = columns.iter().map(|column| values.get(column).cloned().flatten()).collect::<Option<Vec<String>>>()?;
    Some(ReferenceTarget { table: to.clone(), columns: to_columns.to_vec(), values })
}

/// Whether a row of the plan is the one referred to.
pub(super) fn plan_provides(
    resolved: &Resolved,
    normalised: &[BTreeMap<String, Option<String>>],
) -> impl Fn(&ReferenceTarget) -> bool {
    let mut by_column: BTreeSet<(TableName, Vec<(String, String)>)> = BTreeSet::new();
    let mut shapes: BTreeMap<TableName, BTreeSet<Vec<String>>> = BTreeMap::new();
    for (row, values) in resolved.rows.iter().zip(normalised).filter(|(row, _)| row.present) {
        shapes.entry(row.table.clone()).or_default().insert(row.key.clone());
        for column in values.keys() {
            if let Some(Some(value)) = values.get(column) {
                by_column.insert((row.table.clone(), vec![(column.clone(), value.clone())]));
            }
        }
        let key: Option<Vec<(String, String)>> =
            row.key.iter().map(|c| Some((c.clone(), values.get(c).cloned().flatten()?))).collect();
        if let Some(mut key) = key {
            key.sort();
            by_column.insert((row.table.clone(), key));
        }
    }
    move |target: &ReferenceTarget| {
        let mut pairs: Vec<(String, String)> =
            target.columns.iter().cloned().zip(target.values.iter().cloned()).collect();
        pairs.sort();
        by_column.contains(&(target.table.clone(), pairs))
    }
}

/// Compares rows.
pub(super) fn compare_rows(
    resolved: &Resolved,
    observed: &Observed,
    binding: &Binding,
    errors: &mut Diagnostics,
) -> Vec<Change> {
    let mut changes = Vec::new();
    let mut seen: BTreeMap<Address, usize> = BTreeMap::new();
    for (index, (row, values)) in resolved.rows.iter().zip(&observed.normalised).enumerate() {
        let Some(key) = row_key(row, values, errors) else { continue };
        let address = Address::row(&row.table, &key.0);
        if let Some(first) = seen.insert(address.clone(), index) {
            errors.push(
                Diagnostic::error(
                    codes::ROW_TWICE,
                    format!("\"{address}\" is declared here and at {}", resolved.rows[first].place),
                )
                .at(&row.place),
            );
            continue;
        }
        let live = observed.rows.get(&row.table).and_then(|rows| rows.get(&key));
        let types = observed.tables.get(&row.table);
        if let Some((reason, change)) = compare_row(row, values, live, types, errors) {
            let reason = row.promotion.clone().map_or(reason, Reason::Promotion);
            changes.push(Change {
                address,
                declared_at: Some(row.place.to_string()),
                reasons: vec![reason],
                detail: ChangeDetail::Row { table: row.table.clone(), key, kind: row.kind.clone(), change },
            });
        }
    }
    check_references(resolved, observed, binding, errors);
    changes
}

fn row_key(row: &ResolvedRow, values: &BTreeMap<String, Option<String>>, errors: &mut Diagnostics) -> Option<RowKey> {
    let mut key = Vec::new();
    for column in &row.key {
        match values.get(column) {
            Some(Some(value)) => key.push(value.clone()),
            Some(None) | None => {
                errors.push(
                    Diagnostic::error(
                        codes::NOT_A_KEY,
                        format!("the key column \"{column}\" of \"{}\" has no value", row.table),
                    )
                    .at(&row.place),
                );
                return None;
            }
        }
    }
    Some(RowKey(key))
}

fn compare_row(
    row: &ResolvedRow,
    values: &BTreeMap<String, Option<String>>,
    live: Option<&LiveRow>,
    types: Option<&TableFacts>,
    errors: &mut Diagnostics,
) -> Option<(Reason, RowChange)> {
    match (row.present, live) {
        (false, None) => None,
        (false, Some(before)) => Some((Reason::DeclaredAbsent, RowChange::Delete { before: before.clone() })),
        (true, None) => {
            check_required(row, types, errors);
            let values = row.values.iter().map(|(c, v)| (c.clone(), cell(v, values.get(c)))).collect();
            Some((Reason::NotThere, RowChange::Create { values }))
        }
        (true, Some(_)) if row.existence_only => None,
        (true, Some(live)) => {
            let fields = changed_fields(row, values, live, types);
            if fields.is_empty() {
                return None;
            }
            if row.promotion.is_some() {
                let columns: Vec<&str> = fields.keys().map(String::as_str).collect();
                errors.push(
                    Diagnostic::error(
                        codes::APPEND_ONLY,
                        format!(
                            "\"{}\" was authored before with another {}",
                            Address::row(
                                &row.table,
                                &[row
                                    .key
                                    .iter()
                                    .map(|c| values.get(c).cloned().flatten().unwrap_or_default())
                                    .collect::<Vec<_>>()
                                    .join(",")]
                            ),
                            columns.join(", ")
                        ),
                    )
                    .at(&row.place)
                    .hint("a promotion's rows are written once; give the promotion another ids.namespace"),
                );
                return None;
            }
            Some((Reason::ValuesDiffer, RowChange::Update { live: live.clone(), fields }))
        }
    }
}

fn changed_fields(
    row: &ResolvedRow,
    values: &BTreeMap<String, Option<String>>,
    live: &LiveRow,
    types: Option<&TableFacts>,
) -> BTreeMap<String, FieldChange> {
    let mut fields = BTreeMap::new();
    for (column, value) in &row.values {
        let before = live.0.get(column).cloned().flatten();
        let after = cell(value, values.get(column));
        let json = types
            .and_then(|facts| facts.columns.get(column))
            .is_some_and(|found| matches!(found.type_name.as_str(), "json" | "jsonb"));
        if !same(before.as_deref(), &after, json) {
            fields.insert(column.clone(), FieldChange { before, after });
        }
    }
    fields
}

/// A time that is not known yet is the same as whatever is there: it was written once.
fn same(before: Option<&str>, after: &Cell, json: bool) -> bool {
    match (before, after) {
        (Some(_), Cell::ApplyTime) | (None, Cell::Null) => true,
        (Some(before), Cell::Text(after)) => before == after || (json && same_json(before, after)),
        (None, Cell::Text(_) | Cell::ApplyTime) | (Some(_), Cell::Null) => false,
    }
}

fn same_json(a: &str, b: &str) -> bool {
    match (serde_json::from_str::<Value>(a), serde_json::from_str::<Value>(b)) {
        (Ok(a), Ok(b)) => a == b,
        (Ok(_) | Err(_), Ok(_) | Err(_)) => false,
    }
}

fn cell(value: &RowValue, normalised: Option<&Option<String>>) -> Cell {
    match (value, normalised) {
        (RowValue::ApplyTime, _) => Cell::ApplyTime,
        (RowValue::Json(_), Some(Some(text))) => Cell::Text(text.clone()),
        (RowValue::Json(_), Some(None) | None) => Cell::Null,
    }
}

fn check_required(row: &ResolvedRow, types: Option<&TableFacts>, errors: &mut Diagnostics) {
    let Some(facts) = types else { return };
    let missing: Vec<&str> = facts
        .columns
        .iter()
        .filter(|(name, column)| {
            let absent = match row.values.get(*name) {
                None | Some(RowValue::Json(Value::Null)) => true,
                Some(RowValue::Json(_) | RowValue::ApplyTime) => false,
            };
            column.not_null && !column.has_default && !column.generated && absent
        })
        .map(|(name, _)| name.as_str())
        .collect();
    if !missing.is_empty() {
        errors.push(
            Diagnostic::error(
                codes::REQUIRED_COLUMN,
                format!("a new row of \"{}\" needs {}", row.table, missing.join(", ")),
            )
            .at(&row.place),
        );
    }
}

fn check_references(resolved: &Resolved, observed: &Observed, binding: &Binding, errors: &mut Diagnostics) {
    let provided = plan_provides(resolved, &observed.normalised);
    let mut reported = BTreeSet::new();
    for (index, by, target) in reference_targets(resolved, &observed.normalised, &observed.tables, binding) {
        let lives = observed.references.get(&target).copied().unwrap_or(false);
        if lives || provided(&target) || !reported.insert(target.clone()) {
            continue;
        }
        let row = &resolved.rows[index];
        errors.push(
            Diagnostic::error(
                codes::MISSING_REFERENCE,
                format!(
                    "a row of \"{}\" refers by {by} to \"{}\" with {} = {}, which is neither in the plan nor in the database",
                    row.table, target.table, target.columns.join(", "), target.values.join(", ")
                ),
            )
            .at(&row.place)
            .hint(format!("add the row of \"{}\" under rows, or correct the value", target.table)),
        );
    }
}

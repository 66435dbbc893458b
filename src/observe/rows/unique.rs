//! Unique values and exclusions: what a row is to have must be free, or given up by a row that changes.

use std::collections::{BTreeMap, BTreeSet};

use super::RowsRequest;
use super::changed::{After, Changed, ChangedRows};
use super::constraints::{bind, index_of, live_name, typed, value_place};
use super::sql;
use crate::diff::codes;
use crate::diff::rows::identity::columns_of;
use crate::diff::rows::index_text;
use crate::model::{
    Address, Column, Diagnostic, Diagnostics, RowFacts, RowNeed, RowNeedKind, TableFacts, TableName, UniqueIndex,
};
use crate::observe::error::ObserveError;
use crate::store::{Query, Record, Sql, Tx};

pub(super) async fn judge(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    changed: &ChangedRows,
    table: &TableName,
    index: &UniqueIndex,
    facts: &mut RowFacts,
    errors: &mut Diagnostics,
) -> Result<(), ObserveError> {
    let found = &request.tables[table];
    let names = index_columns(index, found);
    awaited_twice(request, changed, table, index, errors);
    let rows: Vec<&Changed> = changed
        .rows
        .iter()
        .filter(|row| row.table == *table && row.after.is_some() && row.changes(&names))
        .filter(|row| names.iter().all(|name| row.known(name).is_some()))
        .collect();
    if rows.is_empty() || names.iter().any(|name| !found.columns[name].readable) {
        return Ok(());
    }
    let parts = Parts { index, facts: found };
    let columns: Vec<(&String, &Column)> = names.iter().map(|name| (name, &found.columns[name])).collect();
    let wanted = parts.of(Sql::new("(SELECT x.\"enact i\""), &typed(&columns, 0));
    let known = |row: &Changed, name: &str| row.known(name).cloned().flatten();
    let taken = taken_by_live(table, &parts, &wanted);
    for record in tx.query(&bind(Query::new(taken), &rows, &names, known)).await? {
        let row = rows[index_of(&record, 0)];
        let at = record.text(1).unwrap_or_default().to_owned();
        if row.at() == Some(&at) {
            continue;
        }
        let place = (table.clone(), at);
        let mut waits_for = |other: &Address| {
            if !index.deferrable {
                facts.needs.push(RowNeed {
                    from: row.address.clone(),
                    to: other.clone(),
                    kind: RowNeedKind::Unique,
                    why: format!("unique index {}", index.name),
                });
            }
        };
        match (changed.at.get(&place).map(|other| &changed.rows[*other]), changed.gone.get(&place)) {
            (Some(other), _) if other.after.is_none() || other.changes(&names) => waits_for(&other.address),
            (None, Some(by)) => waits_for(by),
            (Some(_), _) | (None, None) if changed.incomplete.contains(table) => {}
            (Some(_), _) | (None, None) => {
                let taken = taken_error(request, row, index, found, &record);
                match row.guesses(&names) {
                    true => facts.findings.push((codes::GUESS, Some(row.address.clone()), taken.detail)),
                    false => errors.push(taken),
                }
            }
        }
    }
    let twice = bind(Query::new(parts.grouped(&wanted)), &rows, &names, known);
    for record in tx.query(&twice).await? {
        let (first, second) = (rows[index_of(&record, 0)], rows[index_of(&record, 1)]);
        if !first.guesses(&names) && !second.guesses(&names) {
            errors.push(twice_error(request, first, second, index, &names));
        }
    }
    Ok(())
}

/// Rows that would have the same values, of which some are another row's that is not there yet.
fn awaited_twice(
    request: &RowsRequest<'_>,
    changed: &ChangedRows,
    table: &TableName,
    index: &UniqueIndex,
    errors: &mut Diagnostics,
) {
    if index.predicate.is_some() || !index.exclusion.is_empty() {
        return;
    }
    let Some(names) = index.parts.iter().map(|(column, _)| column.clone()).collect::<Option<Vec<String>>>() else {
        return;
    };
    let mut first: BTreeMap<Vec<String>, &Changed> = BTreeMap::new();
    for row in changed.rows.iter().filter(|row| row.table == *table && !row.guesses(&names)) {
        let Some(after) = &row.after else { continue };
        if !names.iter().any(|name| matches!(after.get(name), Some(After::Pending(_)))) {
            continue;
        }
        let word = |name: &String| match after.get(name)? {
            After::Known(text) => text.as_ref().map(|text| format!("={text}")),
            After::Pending(reference) => Some(format!("{}[{}]", reference.table, reference.key)),
            After::Made => None,
        };
        let Some(words) = names.iter().map(word).collect::<Option<Vec<String>>>() else { continue };
        if let Some(other) = first.insert(words, row) {
            errors.push(twice_error(request, other, row, index, &names));
        }
    }
}

fn twice_error(
    request: &RowsRequest<'_>,
    first: &Changed,
    second: &Changed,
    index: &UniqueIndex,
    names: &[String],
) -> Diagnostic {
    let detail = format!(
        "\"{}\" and \"{}\" (at {}) would have the same {} (index {})",
        second.address,
        first.address,
        first.place,
        index_text(index),
        index.name
    );
    Diagnostic::error(codes::UNIQUE_VALUE, detail)
        .at(&value_place(request, second, names))
        .hint("give one of the two another value")
}

/// The columns that an index reads.
fn index_columns(index: &UniqueIndex, facts: &TableFacts) -> Vec<String> {
    let mut names = BTreeSet::new();
    for (column, text) in &index.parts {
        match column {
            Some(column) => match generation(facts, column) {
                Some(expression) => names.extend(columns_of(expression, facts)),
                None => drop(names.insert(column.clone())),
            },
            None => names.extend(columns_of(text, facts)),
        }
    }
    names.extend(index.predicate.iter().flat_map(|predicate| columns_of(predicate, facts)));
    names.into_iter().collect()
}

/// What a generated column is computed from: the rows to be have no value of it yet.
fn generation<'f>(facts: &'f TableFacts, column: &str) -> Option<&'f String> {
    facts.columns.get(column)?.generation.as_ref()
}

struct Parts<'a> {
    index: &'a UniqueIndex,
    facts: &'a TableFacts,
}

impl Parts<'_> {
    /// The parts of the index as `"enact p0"`, … over some rows, those that it covers.
    fn of(&self, begun: Sql, rows: &Sql) -> Sql {
        let sql = self.index.parts.iter().enumerate().fold(begun, |sql, (number, (column, text))| {
            let sql = match column {
                Some(column) => match generation(self.facts, column) {
                    Some(expression) => sql.text(", (").trusted(expression).text(")"),
                    None => sql.text(", x.").ident(column),
                },
                None => sql.text(", (").trusted(text).text(")"),
            };
            sql.text(" AS ").ident(&part_name(number))
        });
        let sql = sql.text(" FROM ").sql(rows).text(" x");
        match &self.index.predicate {
            Some(predicate) => sql.text(" WHERE ").trusted(predicate).text(")"),
            None => sql.text(")"),
        }
    }

    fn operator(&self, number: usize) -> &str {
        if let Some(operator) = self.index.exclusion.get(number) {
            return operator;
        }
        let column = self.index.parts[number].0.as_ref().and_then(|name| self.facts.columns.get(name));
        column.and_then(|column| column.equality.as_deref()).unwrap_or("=")
    }

    fn equal(&self, sql: Sql) -> Sql {
        (0..self.index.parts.len()).fold(sql, |sql, number| {
            let name = part_name(number);
            let column = self.index.parts[number].0.as_ref().and_then(|name| self.facts.columns.get(name));
            let comparable = |sql: Sql| match column {
                Some(column) => sql::comparable(sql, column),
                None => sql,
            };
            let sql = comparable(sql.text(if number > 0 { " AND (" } else { "(" }).text("t.").ident(&name)).text(" ");
            let sql = comparable(sql.trusted(self.operator(number)).text(" a.").ident(&name));
            if !self.index.nulls_equal {
                return sql.text(")");
            }
            let sql = sql.text(" OR (t.").ident(&name).text(" IS NOT DISTINCT FROM NULL AND a.");
            sql.ident(&name).text(" IS NOT DISTINCT FROM NULL))")
        })
    }

    /// Pairs of rows with the same values.
    fn grouped(&self, wanted: &Sql) -> Sql {
        let sql = Sql::new("SELECT t.\"enact i\", a.\"enact i\" FROM ").sql(wanted).text(" t JOIN ");
        self.equal(sql.sql(wanted).text(" a ON t.\"enact i\" < a.\"enact i\" AND "))
    }
}

fn part_name(number: usize) -> String {
    format!("enact p{number}")
}

/// Live rows that have a value which is wanted, with their keys.
fn taken_by_live(table: &TableName, parts: &Parts<'_>, wanted: &Sql) -> Sql {
    let facts = parts.facts;
    let live = Sql::new("(SELECT x.tableoid AS \"enact oid\", x.ctid AS \"enact tid\"");
    let live = sql::readable(facts).fold(live, |sql, name| sql.text(", x.").ident(name));
    let rows = sql::from(Sql::new(""), table, facts);
    let live = parts.of(live, &rows);
    let sql = sql::at(Sql::new("SELECT a.\"enact i\", "), "t", facts).text(", ");
    let key: Vec<&String> = facts.primary_key.iter().collect();
    let sql = sql::texts(sql, "t", key.into_iter()).text(" FROM ").sql(wanted).text(" a JOIN ").sql(&live);
    parts.equal(sql.text(" t ON "))
}

fn taken_error(
    request: &RowsRequest<'_>,
    row: &Changed,
    index: &UniqueIndex,
    facts: &TableFacts,
    record: &Record,
) -> Diagnostic {
    let names = index_columns(index, facts);
    let values: Vec<String> = names
        .iter()
        .map(|name| format!("{name} = {}", row.known(name).cloned().flatten().unwrap_or_else(|| "null".to_owned())))
        .collect();
    let detail = format!(
        "\"{}\" cannot have {}: the row {} of \"{}\" has it and keeps it (index {})",
        row.address,
        values.join(", "),
        live_name(facts, record, 2),
        row.table,
        index.name
    );
    let hint = "change or remove that row in the same plan, or choose another value";
    Diagnostic::error(codes::UNIQUE_VALUE, detail).at(&value_place(request, row, &names)).hint(hint)
}

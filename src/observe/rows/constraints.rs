//! Unique values and references, judged on what will be there after the plan.
//!
//! For each unique index and each foreign key of a table that the plan writes, the values to be are compared in the database,
//! with its operators, with the live rows and with each other. A live row that the plan changes counts as it will be.
//!
//! - A unique value of a live row that stays is refused; of one that gives it up, that one comes first.
//! - A reference needs a live row that stays, or a row to be, which comes first.

use std::collections::BTreeSet;

use super::changed::{After, Changed, ChangedRows};
use super::followers::follow;
use super::{Batch, RowRef, RowsRequest, place_of, references, referrers, unique};
use crate::diff::codes;
use crate::model::{Column, Diagnostic, Diagnostics, ForeignKey, RowFacts, TableFacts, TableName};
use crate::observe::error::ObserveError;
use crate::store::{Param, Query, Record, Sql, Tx};

/// Judges all constraints of the rows that change.
pub(super) async fn judge(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    batches: &[Batch<RowRef>],
    changed: ChangedRows,
    facts: &mut RowFacts,
    errors: &mut Diagnostics,
) -> Result<(), ObserveError> {
    let following = follow(tx, request.tables, &changed).await?;
    let changed = &ChangedRows { gone: following.gone(), ..changed };
    for table in &changed.tables {
        let found = &request.tables[table];
        for index in found.unique.iter().filter(|_| found.located) {
            unique::judge(tx, request, changed, table, index, facts, errors).await?;
        }
        let hard =
            found.foreign_keys.iter().map(|key| (key.clone(), key.deferrable, format!("foreign key {}", key.name)));
        let softs = request.binding.soft_references.iter().filter(|soft| soft.table == *table);
        let soft = softs.filter_map(|soft| {
            let column = request.tables.get(&soft.to)?.columns.get(&soft.to_column)?;
            let key = ForeignKey {
                name: soft.column.clone(),
                from: table.clone(),
                columns: vec![soft.column.clone()],
                to: soft.to.clone(),
                to_columns: vec![soft.to_column.clone()],
                equal: vec![column.equality.clone().unwrap_or_else(|| "OPERATOR(pg_catalog.=)".to_owned())],
                restricts: false,
                on_delete: crate::model::OnChange::Refuse,
                empties: Vec::new(),
                on_update: crate::model::OnChange::Refuse,
                match_full: false,
                deferrable: true,
            };
            Some((key, true, format!("column {}", soft.column)))
        });
        for (key, is_soft, why) in hard.chain(soft).collect::<Vec<_>>() {
            let reference = references::Reference { key: &key, soft: is_soft, why };
            references::judge(tx, request, changed, &reference, facts, errors).await?;
        }
        references::pending(tx, request, changed, table, facts, errors).await?;
        checks(tx, request, changed, table, errors).await?;
    }
    sequences(request, changed, facts);
    referrers::judge(tx, request, batches, following, &changed.incomplete, facts, errors).await
}

/// Chosen values in columns that a sequence numbers, where this role may not move it.
fn sequences(request: &RowsRequest<'_>, changed: &ChangedRows, facts: &mut RowFacts) {
    let mut said = BTreeSet::new();
    for row in changed.rows.iter().filter(|row| row.before.is_none()) {
        for (name, column) in &request.tables[&row.table].columns {
            let Some(sequence) = column.sequence.as_ref().filter(|_| !column.may_set_sequence) else { continue };
            let chosen = !row.guesses(std::slice::from_ref(name))
                && matches!(row.after.as_ref().and_then(|after| after.get(name)), Some(After::Known(Some(_))));
            if chosen && said.insert(sequence) {
                let message = format!(
                    "column {name} of {} gets chosen values, and this role may not move {sequence}: numbers that the database \
                     gives later may collide",
                    row.table
                );
                facts.findings.push((codes::SEQUENCE, Some(row.address.clone()), message));
            }
        }
    }
}

/// Typed rows of texts as a subquery: `"enact i"` from 1 and the columns. Its places begin after `offset` others.
pub(super) fn typed(columns: &[(&String, &Column)], offset: usize) -> Sql {
    let sql = columns.iter().enumerate().fold(Sql::new("(SELECT \"enact i\""), |sql, (place, (name, column))| {
        // What a domain's check says of them is known, and its functions may need another search path.
        let type_name = if column.domain { &column.base_type } else { &column.type_name };
        let sql = sql.text(", a0.").ident(&format!("enact {place}")).text("::").trusted(type_name);
        let sql = match &column.collation {
            Some(collation) => sql.text(" COLLATE ").trusted(collation),
            None => sql,
        };
        sql.text(" AS ").ident(name)
    });
    let sql =
        sql.text(" FROM unnest(").list(0..columns.len(), |sql, place| sql.param(offset + place + 1).text("::text[]"));
    let sql =
        sql.text(") WITH ORDINALITY AS a0(").list(0..columns.len(), |sql, place| sql.ident(&format!("enact {place}")));
    sql.text(", \"enact i\") OFFSET 0)")
}

pub(super) fn bind(
    query: Query,
    rows: &[&Changed],
    names: &[String],
    value: impl Fn(&Changed, &str) -> Option<String>,
) -> Query {
    names
        .iter()
        .fold(query, |query, name| query.bind(Param::OptionalTexts(rows.iter().map(|row| value(row, name)).collect())))
}

pub(super) fn index_of(record: &Record, column: usize) -> usize {
    usize::try_from(record.int(column).unwrap_or(1) - 1).unwrap_or(0)
}

/// Checks of the table, for rows whose columns are all known: the database evaluates them over the rows to be.
async fn checks(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    changed: &ChangedRows,
    table: &TableName,
    errors: &mut Diagnostics,
) -> Result<(), ObserveError> {
    let found = &request.tables[table];
    for check in &found.checks {
        let names = &check.columns;
        let rows: Vec<&Changed> = changed
            .rows
            .iter()
            .filter(|row| row.table == *table && row.after.is_some() && row.changes(names))
            .filter(|row| names.iter().all(|name| row.known(name).is_some()) && !row.guesses(names))
            .collect();
        if rows.is_empty()
            || names.is_empty()
            || names.iter().any(|name| !found.columns.get(name).is_some_and(|column| column.readable))
        {
            continue;
        }
        let columns: Vec<(&String, &Column)> = names.iter().map(|name| (name, &found.columns[name])).collect();
        let sql = Sql::new("SELECT x.\"enact i\" FROM ").sql(&typed(&columns, 0)).text(" x WHERE (");
        let sql = sql.trusted(&check.expression).text(") IS FALSE ORDER BY 1");
        let query = bind(Query::new(sql), &rows, names, |row, name| row.known(name).cloned().flatten());
        let refused = match super::matching::guarded(tx, &query).await {
            Ok(records) => records,
            // An expression that fails on these values fails when they are written, too, and says why.
            Err(error) if super::matching::is_value_error(&error) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        for record in refused {
            let row = rows[index_of(&record, 0)];
            let detail = format!("\"{}\" would violate the check {}: {}", row.address, check.name, check.expression);
            let hint = "write values that the check of the table allows";
            errors.push(
                Diagnostic::error(codes::CHECK_VIOLATED, detail).at(&value_place(request, row, names)).hint(hint),
            );
        }
    }
    Ok(())
}

/// A live row by its primary key.
pub(super) fn live_name(facts: &TableFacts, record: &Record, column: usize) -> String {
    let values = record.json(column).and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
    let pairs = facts.primary_key.iter().zip(values);
    let texts: Vec<String> =
        pairs.map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("null"))).collect();
    if texts.is_empty() { "without a key".to_owned() } else { format!("[{}]", texts.join(",")) }
}

/// Where one of the columns is declared, or the row.
pub(super) fn value_place(request: &RowsRequest<'_>, row: &Changed, names: &[String]) -> crate::model::Place {
    let Some(of) = row.of else { return row.place.clone() };
    let set = &request.resolved.rows[of.set];
    let declared = names
        .iter()
        .find(|name| set.columns.contains(name))
        .or_else(|| names.iter().find(|name| set.key.contains(name)));
    declared.map_or_else(|| row.place.clone(), |name| place_of(&request.resolved.rows, of, name))
}

/// The referred columns of `p` equal the referring ones of `c`.
pub(super) fn paired(sql: Sql, key: &ForeignKey, p: &'static str, c: &'static str) -> Sql {
    key.columns.iter().zip(&key.to_columns).zip(&key.equal).enumerate().fold(
        sql,
        |sql, (number, ((from, to), operator))| {
            let sql = sql.text(if number > 0 { " AND " } else { "" }).text(p).text(".").ident(to);
            sql.text(" ").trusted(operator).text(" ").text(c).text(".").ident(from)
        },
    )
}

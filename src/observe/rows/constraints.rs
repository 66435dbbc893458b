//! Unique values and references, judged on what will be there after the plan.
//!
//! For each unique index and each foreign key of a table that the plan writes, the values to be are compared in the database,
//! with its operators, with the live rows and with each other. A live row that the plan changes counts as it will be.
//!
//! - A unique value of a live row that stays is refused; of one that gives it up, that one comes first.
//! - A reference needs a live row that stays, or a row to be, which comes first.

use std::collections::{BTreeMap, BTreeSet};

use super::changed::{After, Changed, ChangedRows};
use super::referrers;
use super::sql;
use super::{Batch, RowRef, RowsRequest, place_of};
use crate::diff::codes;
use crate::diff::rows::identity::{Match, columns_of};
use crate::diff::rows::index_text;
use crate::model::{
    Cell, Column, Diagnostic, Diagnostics, ForeignKey, KeyPart, ReferenceTarget, RowFacts, RowNeed, RowNeedKind,
    RowReference, TableFacts, TableName, UniqueIndex,
};
use crate::observe::error::ObserveError;
use crate::store::{Param, Query, Record, Sql, StoreError, Tx};

/// Judges all constraints of the rows that change.
pub(super) async fn judge(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    batches: &[Batch<RowRef>],
    changed: &ChangedRows,
    facts: &mut RowFacts,
    errors: &mut Diagnostics,
) -> Result<(), ObserveError> {
    for table in &changed.tables {
        let found = &request.tables[table];
        for index in found.unique.iter().filter(|_| found.located) {
            unique(tx, request, changed, table, index, facts, errors).await?;
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
                on_delete: crate::model::OnChange::Refuse,
                on_update: crate::model::OnChange::Refuse,
                match_full: false,
                deferrable: true,
            };
            Some((key, true, format!("column {}", soft.column)))
        });
        for (key, is_soft, why) in hard.chain(soft).collect::<Vec<_>>() {
            let reference = Reference { key: &key, soft: is_soft, why };
            references(tx, request, changed, &reference, facts, errors).await?;
        }
        pending(tx, request, changed, table, facts, errors).await?;
    }
    sequences(request, changed, facts);
    referrers::judge(tx, request, batches, changed, facts, errors).await
}

/// Chosen values in columns that a sequence numbers, where this role may not move it.
fn sequences(request: &RowsRequest<'_>, changed: &ChangedRows, facts: &mut RowFacts) {
    let mut said = BTreeSet::new();
    for row in changed.rows.iter().filter(|row| row.before.is_none()) {
        for (name, column) in &request.tables[&row.table].columns {
            let Some(sequence) = column.sequence.as_ref().filter(|_| !column.may_set_sequence) else { continue };
            let chosen = matches!(row.after.as_ref().and_then(|after| after.get(name)), Some(After::Known(Some(_))));
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
        let sql = sql.text(", a0.").ident(&format!("enact {place}")).text("::").trusted(&column.type_name);
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

async fn unique(
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
        match changed.at.get(&(table.clone(), at)).map(|other| &changed.rows[*other]) {
            Some(other) if other.after.is_none() || other.changes(&names) => {
                if !index.deferrable {
                    facts.needs.push(RowNeed {
                        from: row.address.clone(),
                        to: other.address.clone(),
                        kind: RowNeedKind::Unique,
                        why: format!("unique index {}", index.name),
                    });
                }
            }
            Some(_) | None => errors.push(taken_error(request, row, index, found, &record)),
        }
    }
    let twice = parts.grouped(&wanted);
    for record in tx.query(&bind(Query::new(twice), &rows, &names, known)).await? {
        let (first, second) = (rows[index_of(&record, 0)], rows[index_of(&record, 1)]);
        let detail = format!(
            "\"{}\" and \"{}\" (at {}) would have the same {} (unique index {})",
            second.address,
            first.address,
            first.place,
            index_text(index),
            index.name
        );
        errors.push(
            Diagnostic::error(codes::UNIQUE_VALUE, detail)
                .at(&value_place(request, second, &names))
                .hint("give one of the two another value"),
        );
    }
    Ok(())
}

/// The columns that an index reads.
pub(super) fn index_columns(index: &UniqueIndex, facts: &TableFacts) -> Vec<String> {
    let mut names = BTreeSet::new();
    for (column, text) in &index.parts {
        match column {
            Some(column) => drop(names.insert(column.clone())),
            None => names.extend(columns_of(text, facts)),
        }
    }
    names.extend(index.predicate.iter().flat_map(|predicate| columns_of(predicate, facts)));
    names.into_iter().collect()
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
                Some(column) => sql.text(", x.").ident(column),
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
        let column = self.index.parts[number].0.as_ref().and_then(|name| self.facts.columns.get(name));
        column.and_then(|column| column.equality.as_deref()).unwrap_or("=")
    }

    fn equal(&self, sql: Sql) -> Sql {
        (0..self.index.parts.len()).fold(sql, |sql, number| {
            let name = part_name(number);
            let sql = sql.text(if number > 0 { " AND (" } else { "(" }).text("t.").ident(&name).text(" ");
            let sql = sql.trusted(self.operator(number)).text(" a.").ident(&name);
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
        "\"{}\" cannot have {}: the row {} of \"{}\" has it and keeps it (unique index {})",
        row.address,
        values.join(", "),
        live_name(facts, record, 2),
        row.table,
        index.name
    );
    let hint = "change or remove that row in the same plan, or choose another value";
    Diagnostic::error(codes::UNIQUE_VALUE, detail).at(&value_place(request, row, &names)).hint(hint)
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

struct Reference<'a> {
    key: &'a ForeignKey,
    soft: bool,
    why: String,
}

async fn references(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    changed: &ChangedRows,
    reference: &Reference<'_>,
    facts: &mut RowFacts,
    errors: &mut Diagnostics,
) -> Result<(), ObserveError> {
    let Reference { key, soft, why } = reference;
    let from = &request.tables[&key.from];
    let Some(to) = request.tables.get(&key.to).filter(|_| key.equal.len() == key.columns.len()) else { return Ok(()) };
    let rows: Vec<&Changed> = changed
        .rows
        .iter()
        .filter(|row| row.table == key.from && row.after.is_some() && row.changes(&key.columns))
        .filter(|row| key.columns.iter().all(|name| matches!(row.known(name), Some(Some(_)))))
        .collect();
    if rows.is_empty() || key.to_columns.iter().any(|name| !to.columns.get(name).is_some_and(|c| c.readable)) {
        return Ok(());
    }
    let live = live_referred(tx, &rows, key, from, to).await?;
    let planned: Vec<&Changed> = changed
        .rows
        .iter()
        .filter(|row| row.table == key.to && row.after.is_some() && row.changes(&key.to_columns))
        .filter(|row| key.to_columns.iter().all(|name| matches!(row.known(name), Some(Some(_)))))
        .collect();
    let provided = planned_referred(tx, &rows, &planned, key, from, to).await?;
    for (index, row) in rows.iter().enumerate() {
        let stays = live.get(&index).into_iter().flatten().find(|at| {
            let other = changed.at.get(&(key.to.clone(), (*at).clone())).map(|other| &changed.rows[*other]);
            other.is_none_or(|other| other.after.is_some() && !other.changes(&key.to_columns))
        });
        let target = || ReferenceTarget {
            table: key.to.clone(),
            columns: key.to_columns.clone(),
            values: key.columns.iter().map(|name| row.known(name).cloned().flatten().unwrap_or_default()).collect(),
        };
        if stays.is_some() {
            facts.stands_on.push(target());
            continue;
        }
        match provided.get(&index) {
            Some(other) => {
                let kind = if *soft { RowNeedKind::Soft } else { RowNeedKind::Reference };
                let (from, to) = (row.address.clone(), planned[*other].address.clone());
                facts.needs.push(RowNeed { from, to, kind, why: why.clone() });
            }
            None => errors.push(missing(request, row, &target(), why, live.contains_key(&index))),
        }
    }
    Ok(())
}

fn missing(
    request: &RowsRequest<'_>,
    row: &Changed,
    target: &ReferenceTarget,
    why: &str,
    lives_now: bool,
) -> Diagnostic {
    let where_not = match lives_now {
        true => "which lives now and is deleted or changed by the plan",
        false => "which is neither in the plan nor in the database",
    };
    let detail = format!(
        "a row of \"{}\" refers by {why} to \"{}\" with {} = {}, {where_not}",
        row.table,
        target.table,
        target.columns.join(", "),
        target.values.join(", ")
    );
    let names: Vec<String> = row.after.iter().flat_map(BTreeMap::keys).cloned().collect();
    let own = names.iter().filter(|name| why.ends_with(name.as_str())).cloned().collect::<Vec<_>>();
    Diagnostic::error(codes::MISSING_REFERENCE, detail)
        .at(&value_place(request, row, &own))
        .hint(format!("add the row of \"{}\" under rows, or correct the value", target.table))
}

/// Where the live rows stand that rows refer to.
async fn live_referred(
    tx: &mut dyn Tx,
    rows: &[&Changed],
    key: &ForeignKey,
    from: &TableFacts,
    to: &TableFacts,
) -> Result<BTreeMap<usize, Vec<String>>, StoreError> {
    let columns: Vec<(&String, &Column)> = key.columns.iter().map(|name| (name, &from.columns[name])).collect();
    let whole = Match { parts: Vec::new(), predicate: None, may_be_several: false };
    let sql = sql::at(Sql::new("SELECT a.\"enact i\", "), "t", to).text(" FROM ").sql(&typed(&columns, 0));
    let sql = sql.text(" a JOIN ").sql(&sql::live(&key.to, &whole, to)).text(" t ON ");
    let query = Query::new(paired(sql, key, "t", "a"));
    let known = |row: &Changed, name: &str| row.known(name).cloned().flatten();
    let mut out: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for record in tx.query(&bind(query, rows, &key.columns, known)).await? {
        out.entry(index_of(&record, 0)).or_default().push(record.text(1).unwrap_or_default().to_owned());
    }
    Ok(out)
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

/// The rows to be that rows refer to, one for each.
async fn planned_referred(
    tx: &mut dyn Tx,
    rows: &[&Changed],
    planned: &[&Changed],
    key: &ForeignKey,
    from: &TableFacts,
    to: &TableFacts,
) -> Result<BTreeMap<usize, usize>, StoreError> {
    if planned.is_empty() {
        return Ok(BTreeMap::new());
    }
    let child: Vec<(&String, &Column)> = key.columns.iter().map(|name| (name, &from.columns[name])).collect();
    let parent: Vec<(&String, &Column)> = key.to_columns.iter().map(|name| (name, &to.columns[name])).collect();
    let sql = Sql::new("SELECT c.\"enact i\", p.\"enact i\" FROM ").sql(&typed(&child, 0)).text(" c JOIN ");
    let sql = paired(sql.sql(&typed(&parent, child.len())).text(" p ON "), key, "p", "c");
    let known = |row: &Changed, name: &str| row.known(name).cloned().flatten();
    let query = bind(bind(Query::new(sql), rows, &key.columns, known), planned, &key.to_columns, known);
    let records = tx.query(&query).await?;
    Ok(records.iter().map(|record| (index_of(record, 0), index_of(record, 1))).collect())
}

/// References by key to rows that are not there yet: the plan has to make them, and first.
async fn pending(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    changed: &ChangedRows,
    table: &TableName,
    facts: &mut RowFacts,
    errors: &mut Diagnostics,
) -> Result<(), ObserveError> {
    type Waiting<'a> = Vec<(&'a Changed, &'a String, &'a RowReference)>;
    let mut groups: BTreeMap<(&TableName, Vec<&String>), Waiting<'_>> = BTreeMap::new();
    for row in changed.rows.iter().filter(|row| row.table == *table) {
        for (name, after) in row.after.iter().flatten() {
            let After::Pending(reference) = after else { continue };
            let columns = reference.key.columns().collect();
            groups.entry((&reference.table, columns)).or_default().push((row, name, reference));
        }
    }
    for ((to, columns), waiting) in groups {
        let mut makers: BTreeMap<Vec<String>, &Changed> = BTreeMap::new();
        for other in changed.rows.iter().filter(|other| other.table == *to && other.after.is_some()) {
            makers.extend(made_key(other, &columns).map(|key| (key, other)));
        }
        let spelled: Vec<Option<&Changed>> =
            waiting.iter().map(|(_, _, reference)| makers.get(&wanted_key(reference)).copied()).collect();
        let equal = equal_makers(tx, request, to, &columns, &waiting, &spelled, &makers).await?;
        for (index, (row, name, reference)) in waiting.into_iter().enumerate() {
            match spelled[index].or(equal.get(&index).copied()) {
                Some(other) if other.address == row.address => {}
                Some(other) => {
                    let in_key = row.key.columns().any(|column| column == name);
                    let later = !in_key && !request.tables[table].columns[name].not_null;
                    facts.needs.push(RowNeed {
                        from: row.address.clone(),
                        to: other.address.clone(),
                        kind: RowNeedKind::Value { column: name.clone(), later },
                        why: format!("value of {name}"),
                    });
                }
                None => errors.push(nobody(row, name, reference, &request.resolved.rows)),
            }
        }
    }
    Ok(())
}

/// The values of some columns of a row to be, where all of them are known, as words.
fn made_key(row: &Changed, columns: &[&String]) -> Option<Vec<String>> {
    let word = |name: &&String| match row.after.as_ref()?.get(*name)? {
        After::Known(None) => Some("null".to_owned()),
        After::Known(Some(text)) => Some(format!("={text}")),
        After::Pending(reference) => Some(format!("{}[{}]", reference.table, reference.key)),
        After::Made => None,
    };
    columns.iter().map(word).collect()
}

fn wanted_key(reference: &RowReference) -> Vec<String> {
    let word = |part: &KeyPart| match &part.value {
        Cell::Null => "null".to_owned(),
        Cell::Text(text) => format!("={text}"),
        Cell::Reference(reference) => format!("{}[{}]", reference.table, reference.key),
        Cell::ApplyTime => "{apply.time}".to_owned(),
    };
    reference.key.0.iter().map(word).collect()
}

/// Rows to be whose keys are spelled in another way and equal all the same.
async fn equal_makers<'c>(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    to: &TableName,
    columns: &[&String],
    waiting: &[(&Changed, &String, &RowReference)],
    spelled: &[Option<&Changed>],
    makers: &BTreeMap<Vec<String>, &'c Changed>,
) -> Result<BTreeMap<usize, &'c Changed>, StoreError> {
    let facts = &request.tables[to];
    let texts = |reference: &RowReference| -> Option<Vec<String>> {
        let text = |part: &KeyPart| match &part.value {
            Cell::Text(text) => Some(text.clone()),
            Cell::Null | Cell::ApplyTime | Cell::Reference(_) => None,
        };
        reference.key.0.iter().map(text).collect()
    };
    let open: Vec<(usize, Vec<String>)> = waiting
        .iter()
        .enumerate()
        .filter(|(index, _)| spelled[*index].is_none())
        .filter_map(|(index, (_, _, reference))| Some((index, texts(reference)?)))
        .collect();
    let known: Vec<&'c Changed> = makers
        .values()
        .copied()
        .filter(|row| columns.iter().all(|name| matches!(row.known(name), Some(Some(_)))))
        .collect();
    if open.is_empty() || known.is_empty() {
        return Ok(BTreeMap::new());
    }
    let typed_columns: Vec<(&String, &Column)> = columns.iter().map(|name| (*name, &facts.columns[*name])).collect();
    let sql = Sql::new("SELECT d.\"enact i\", t.\"enact i\" FROM ").sql(&typed(&typed_columns, 0)).text(" d JOIN ");
    let sql = sql.sql(&typed(&typed_columns, columns.len())).text(" t ON true");
    let sql = typed_columns
        .iter()
        .fold(sql, |sql, (name, column)| sql::equal(sql.text(" AND "), "t", name, "d", name, column));
    let query = (0..columns.len()).fold(Query::new(sql), |query, place| {
        query.bind(Param::Texts(open.iter().map(|(_, texts)| texts[place].clone()).collect()))
    });
    let names: Vec<String> = columns.iter().map(|name| (*name).clone()).collect();
    let query = bind(query, &known, &names, |row, name| row.known(name).cloned().flatten());
    let records = tx.query(&query).await?;
    Ok(records.iter().map(|record| (open[index_of(record, 0)].0, known[index_of(record, 1)])).collect())
}

fn nobody(row: &Changed, name: &str, reference: &RowReference, sets: &[crate::model::RowSet]) -> Diagnostic {
    let place = row.of.map_or_else(|| row.place.clone(), |of| place_of(sets, of, name));
    let detail = format!(
        "column \"{name}\" of \"{}\" refers to the row {}[{}], which is neither in the plan nor in the database",
        row.table, reference.table, reference.key
    );
    Diagnostic::error(codes::MISSING_REFERENCE, detail)
        .at(&place)
        .hint(format!("add the row of \"{}\" under rows, or correct the key", reference.table))
}

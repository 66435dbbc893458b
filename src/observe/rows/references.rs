//! References: the row that a new value refers to has to be there after the plan.

use std::collections::BTreeMap;

use super::changed::{After, Changed, ChangedRows};
use super::constraints::{bind, index_of, paired, typed, value_place};
use super::sql;
use super::{RowsRequest, place_of};
use crate::diff::codes;
use crate::diff::rows::identity::Match;
use crate::model::{
    Cell, Column, Diagnostic, Diagnostics, ForeignKey, KeyPart, ReferenceTarget, RowFacts, RowNeed, RowNeedKind,
    RowReference, TableFacts, TableName,
};
use crate::observe::error::ObserveError;
use crate::store::{Param, Query, Sql, StoreError, Tx};

/// One foreign key, or a soft reference that is like one.
pub(super) struct Reference<'a> {
    pub key: &'a ForeignKey,
    pub soft: bool,
    pub why: String,
}

pub(super) async fn judge(
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
    if key.match_full {
        for row in changed.rows.iter().filter(|row| row.table == key.from && row.changes(&key.columns)) {
            let known: Vec<_> = key.columns.iter().filter_map(|name| row.known(name)).collect();
            if known.iter().any(|value| value.is_none()) && known.iter().any(|value| value.is_some()) {
                let detail =
                    format!("{why} of \"{}\" wants all of {} or none of them", key.from, key.columns.join(", "));
                let place = value_place(request, row, &key.columns);
                let hint = "write all of them, or null for each";
                errors.push(Diagnostic::error(codes::MISSING_REFERENCE, detail).at(&place).hint(hint));
            }
        }
    }
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
            None if row.guesses(&key.columns) => {}
            None => errors.push(missing(request, row, &target(), why, live.contains_key(&index), key)),
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
    key: &ForeignKey,
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
    Diagnostic::error(codes::MISSING_REFERENCE, detail)
        .at(&value_place(request, row, &key.columns))
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
    let whole = Match { parts: Vec::new(), predicates: Vec::new(), may_be_several: false };
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
pub(super) async fn pending(
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
                Some(other) => {
                    let in_key = row.key.columns().any(|column| column == name);
                    let own = other.address == row.address;
                    let later = !in_key && !request.tables[table].columns[name].not_null;
                    if own && !later {
                        let detail =
                            format!("\"{}\" needs a value of its own that the database makes, in {name}", row.address);
                        let hint = "let the column be NULL for a moment, or write the value itself";
                        let place = place_of_row(request, row, name);
                        errors.push(Diagnostic::error(codes::CYCLE, detail).at(&place).hint(hint));
                        continue;
                    }
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
        // As it is declared, so that another reference which says the same is the same.
        After::Known(_) if row.references.contains_key(*name) => {
            let reference = &row.references[*name];
            Some(format!("{}[{}]", reference.table, reference.key))
        }
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

fn place_of_row(request: &RowsRequest<'_>, row: &Changed, name: &str) -> crate::model::Place {
    row.of.map_or_else(|| row.place.clone(), |of| place_of(&request.resolved.rows, of, name))
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

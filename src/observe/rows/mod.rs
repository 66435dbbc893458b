//! Rows: what the declared ones are to the live ones, and what their change would do to others.
//!
//! ```text
//! RowSet ── types ──▶ batches ── match ──▶ what differs ── constraints ──▶ needs, consequences, refusals
//! ```
//!
//! Everything is asked of the database set by set; no query is sent for a single row.

mod changed;
mod constraints;
mod followers;
mod matching;
mod planned;
mod record;
mod recorded;
mod references;
mod referrers;
mod sql;
mod synced;
mod unique;
mod values;
mod whole;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use self::matching::{
    Answer, Ask, Guard, Matched, attempt, cell, live_rows, lock_rows, match_batch, search_path,
};
pub(crate) use self::planned::followers_of;
pub(crate) use self::record::{object, record_key};
pub(crate) use self::recorded::ANY;
pub use self::recorded::read_recorded_rows;
pub(crate) use self::sql::{Facts, declared, from, live, on, params};
pub(crate) use self::whole::{read_references, rows_with_keys, whole_rows};
use super::error::ObserveError;
use crate::diff::rows::identity::matching;
use crate::diff::rows::shape::{Batch, Form};
use crate::diff::rows::{Catalog, Typed, is_canonical, left_empty, required, row_address, say_once, type_rows};
use crate::diff::{Resolved, codes};
use crate::model::{
    Binding, Cell, Diagnostic, Diagnostics, KeyPart, KnownNames, LiveRow, Place, RowFacts, RowKey, RowOrigin, RowRef,
    RowSeen, RowSet, RowState, TableFacts, TableKind,
};
use crate::store::Tx;

/// What rows are compared with.
pub(crate) struct RowsRequest<'a> {
    /// The declared rows and synced tables.
    pub resolved: &'a Resolved,
    /// Facts of all tables that they name.
    pub tables: &'a Facts,
    /// What there is besides.
    pub known: &'a KnownNames,
    /// The binding, for soft references.
    pub binding: &'a Binding,
    /// Whether the addresses of all declared rows are wanted.
    pub addresses: bool,
    /// Who owns what is written down.
    pub project: &'a str,
    /// Whether rows are only looked for, to be taken over as they are.
    pub adopting: bool,
    /// Whether only a part of what is declared was read, so that nothing can be said of what is missing.
    pub partial: bool,
}

/// Compares declared with live rows.
///
/// # Errors
/// Everything that is wrong with the rows, all in one go; those of the store.
pub(crate) async fn observe_rows(tx: &mut dyn Tx, request: &RowsRequest<'_>) -> Result<RowFacts, ObserveError> {
    let RowsRequest { resolved, tables, known, binding, .. } = request;
    let Typed { batches, mut errors, wrong, incomplete, findings } =
        type_rows(&resolved.rows, &Catalog { tables, known, binding });
    let met = Met { incomplete, ..Met::default() };
    let mut comparing = Comparing { request, tables, batches, wrong, facts: RowFacts::default(), met };
    comparing.facts.findings = findings;
    comparing.match_all(tx, &mut errors).await?;
    synced::extra_rows(tx, request, &comparing.met, &mut comparing.facts, &mut errors).await?;
    let changed = changed::changed_rows(request, &comparing.facts, &comparing.met);
    changed::renew_references(&changed, &mut comparing.facts, &mut comparing.met);
    let changed = changed::changed_rows(request, &comparing.facts, &comparing.met);
    if !request.adopting {
        constraints::judge(tx, request, &comparing.batches, changed, &mut comparing.facts, &mut errors).await?;
    }
    if !errors.has_errors() {
        record::compare(tx, request, &comparing.batches, &mut comparing.facts).await?;
    }
    comparing.say_row_security();
    if errors.has_errors() { Err(errors.into()) } else { Ok(comparing.facts) }
}

/// What was met while matching, beside what differs.
#[derive(Default)]
struct Met {
    /// Where live rows of declared ones stand, by table, as far as it was asked for.
    at: BTreeMap<crate::model::TableName, BTreeMap<String, RowRef>>,
    /// Values of references as the database resolved them, by row and column.
    resolved: BTreeMap<(RowRef, String), Option<String>>,
    /// Rows that are as declared and refer to others by key.
    referring: BTreeMap<RowRef, RowSeen>,
    /// Tables of which some declared row is wrong: nothing can be said of what is missing there.
    incomplete: BTreeSet<crate::model::TableName>,
    /// Keys and values of rows of synced tables, as the database spells them.
    spelled: BTreeMap<RowRef, BTreeMap<String, Option<String>>>,
}

struct Comparing<'a> {
    request: &'a RowsRequest<'a>,
    tables: &'a Facts,
    batches: Vec<Batch<RowRef>>,
    /// Rows of which some value was left out, since it is wrong.
    wrong: BTreeSet<RowRef>,
    facts: RowFacts,
    met: Met,
}

impl Comparing<'_> {
    fn set(&self, row: RowRef) -> &RowSet {
        &self.request.resolved.rows[row.set]
    }

    async fn match_all(&mut self, tx: &mut dyn Tx, errors: &mut Diagnostics) -> Result<(), ObserveError> {
        let batches = std::mem::take(&mut self.batches);
        for batch in &batches {
            let Some(first) = batch.rows.first() else { continue };
            let ask = self.ask(batch, &batches, *first);
            let sets = &self.request.resolved.rows;
            let places = |row: &RowRef, column: &str| place_of(sets, *row, column);
            let Answer { matched, wrong, errors: found } = match_batch(tx, batch, self.tables, ask, &places).await?;
            let (refused, before) = (wrong.len(), errors.0.len());
            errors.extend(found);
            self.wrong.extend(wrong.into_iter().map(|index| batch.rows[index]));
            self.interpret(batch, ask, matched, refused, errors);
            if errors.0.len() > before {
                self.met.incomplete.insert(batch.table.clone());
            }
        }
        self.batches = batches;
        Ok(())
    }

    /// All rows are asked for where two declarations might meet one live row: keys of several columns sets, or keys that the
    /// type may hold equal although they are spelled in two ways.
    fn ask(&self, batch: &Batch<RowRef>, all: &[Batch<RowRef>], first: RowRef) -> Ask {
        let set = self.set(first);
        let facts = &self.tables[&batch.table];
        let synced = self.request.resolved.synced.iter().any(|synced| synced.table.value == batch.table);
        let keys: BTreeSet<&Vec<String>> =
            all.iter().filter(|other| other.table == batch.table).map(|other| &other.key).collect();
        let canonical = batch.key_forms().all(|(name, form)| match form {
            Form::Text(place) => {
                let column = &facts.columns[name];
                batch.texts[*place].iter().flatten().all(|text| is_canonical(column, text))
            }
            Form::Null | Form::Tree(_) | Form::ApplyTime | Form::Reference(_) => false,
        });
        let several = matching(facts, &batch.key, &batch.shape.key).is_none_or(|matched| {
            matched.may_be_several
                || matched.parts.iter().any(|part| matches!(part, crate::diff::rows::identity::Part::Expression(_)))
        });
        let refers = batch.shape.values.iter().any(|form| matches!(form, Form::Reference(_)));
        let related = |other: &Batch<RowRef>| {
            let found = &self.tables[&other.table];
            let whole = |facts: &TableFacts| facts.kind == TableKind::Partitioned;
            other.table != batch.table && (found.partition && whole(facts) || facts.partition && whole(found))
        };
        let related = all.iter().any(related);
        if self.request.addresses || refers || synced || related || keys.len() > 1 || !canonical || several {
            return Ask::All;
        }
        match (&set.origin, set.state) {
            (RowOrigin::Promotion { recorded: true, .. }, _) | (_, RowState::Inserted) => Ask::Missing,
            (_, RowState::Absent) => Ask::There,
            (_, RowState::Present) => Ask::Different,
        }
    }

    fn interpret(
        &mut self,
        batch: &Batch<RowRef>,
        ask: Ask,
        matched: Vec<Matched>,
        refused: usize,
        errors: &mut Diagnostics,
    ) {
        let mut last = None;
        let mut unmet: BTreeMap<Vec<Option<String>>, RowRef> = BTreeMap::new();
        let mut differing = 0u64;
        for one in matched {
            let row = batch.rows[one.index];
            if last.replace(one.index) == Some(one.index) {
                errors.push(several_rows(self.set(row), &one, batch, row));
                continue;
            }
            if self.check_values(batch, &one, row, errors) || self.wrong.contains(&row) {
                continue;
            }
            let twice = match &one.live {
                Some((at, _)) => self.met.at.entry(batch.table.clone()).or_default().insert(at.clone(), row),
                None if one.key.iter().all(Option::is_some) => unmet.insert(one.key.clone(), row),
                None => None,
            };
            if let Some(first) = twice.or_else(|| self.elsewhere(batch, &one)).filter(|first| *first != row) {
                errors.push(self.row_twice(batch, &one, first, row));
                continue;
            }
            if self.request.addresses {
                let key = self.key_of(batch, &one);
                self.facts.addresses.push((row, key));
            }
            if ask == Ask::All {
                let names = batch.key.iter().chain(&batch.columns).cloned();
                let texts = one.key.iter().chain(&one.values).cloned();
                self.met.spelled.insert(row, names.zip(texts).collect());
            }
            differing += u64::from(self.seen(batch, one, row, errors));
        }
        let left_alone = batch.rows.first().is_some_and(|row| self.set(*row).state == RowState::Inserted);
        let rows = if left_alone { 0 } else { batch.rows.len() as u64 };
        self.facts.same += rows.saturating_sub(differing + refused as u64);
    }

    /// Values that the column would not keep, and rows that the index of the key does not cover.
    fn check_values(&self, batch: &Batch<RowRef>, one: &Matched, row: RowRef, errors: &mut Diagnostics) -> bool {
        let sets = &self.request.resolved.rows;
        let before = errors.0.len();
        let forms = batch.key_forms().chain(batch.value_forms());
        for ((name, form), _) in forms.zip(&one.cut).filter(|(_, cut)| **cut) {
            let (Form::Text(place) | Form::Tree(place)) = form else { continue };
            let declared = batch.texts[*place][one.index].as_deref().unwrap_or("null");
            let kept = one.key.iter().chain(&one.values).zip(batch.key.iter().chain(&batch.columns));
            let kept = kept.into_iter().find(|(_, column)| *column == name).and_then(|(text, _)| text.as_deref());
            let column = &self.tables[&batch.table].columns[name];
            let detail = format!(
                "column \"{name}\" of \"{}\" has the type {} and would keep \"{}\", not \"{declared}\"",
                batch.table,
                column.type_name,
                kept.unwrap_or("null")
            );
            let diagnostic = Diagnostic::error(codes::CUT_VALUE, detail).at(&place_of(sets, row, name));
            errors.push(diagnostic.hint("write the value as the column can keep it"));
        }
        if !one.covered {
            let facts = &self.tables[&batch.table];
            let matched = matching(facts, &batch.key, &batch.shape.key);
            let predicates = matched.map(|matched| matched.predicates).unwrap_or_default();
            let detail = format!(
                "the key {} of \"{}\" is unique only among rows where {}, and this row will not be one of them",
                batch.key.join(", "),
                batch.table,
                predicates.join(" or ")
            );
            let place = &sets[row.set].rows[row.row].place;
            errors.push(Diagnostic::error(codes::NOT_A_KEY, detail).at(place).hint("name it by another key"));
        }
        errors.0.len() > before
    }

    /// The declaration that met the same live row through another table: a row of a partition is one of the whole table too.
    fn elsewhere(&self, batch: &Batch<RowRef>, one: &Matched) -> Option<RowRef> {
        let (at, _) = one.live.as_ref()?;
        let facts = &self.tables[&batch.table];
        let shared = facts.located && (facts.partition || facts.kind == TableKind::Partitioned);
        let others = self.met.at.iter().filter(|(table, _)| **table != batch.table && self.tables[*table].located);
        others.filter(|_| shared).find_map(|(_, rows)| rows.get(at)).copied()
    }

    fn row_twice(&self, batch: &Batch<RowRef>, one: &Matched, first: RowRef, row: RowRef) -> Diagnostic {
        let sets = &self.request.resolved.rows;
        let address = row_address(&batch.table, &self.key_of(batch, one));
        let first = &sets[first.set].rows[first.row].place;
        Diagnostic::error(codes::ROW_TWICE, format!("\"{address}\" is declared here and at {first}"))
            .at(&sets[row.set].rows[row.row].place)
            .hint("put all values of a row into one entry")
    }

    /// Keeps what differs; whether it does.
    fn seen(&mut self, batch: &Batch<RowRef>, one: Matched, row: RowRef, errors: &mut Diagnostics) -> bool {
        let set = &self.request.resolved.rows[row.set];
        let recorded = matches!(set.origin, RowOrigin::Promotion { recorded: true, .. });
        let facts = &self.tables[&batch.table];
        let differs: Vec<String> = match &one.live {
            Some((_, live)) if set.state == RowState::Present && !recorded => {
                differing(batch, &one, live).into_iter().map(|(name, _, _)| name).collect()
            }
            Some(_) | None => Vec::new(),
        };
        for name in &differs {
            let position = batch.columns.iter().position(|column| column == name);
            let null =
                position.is_some_and(|at| one.values[at].is_none() && matches!(batch.shape.values[at], Form::Text(_)));
            if null && facts.columns[name].not_null {
                let detail = format!("column \"{name}\" of \"{}\" cannot be NULL", batch.table);
                let place = place_of(&self.request.resolved.rows, row, name);
                errors.push(Diagnostic::error(codes::REQUIRED_COLUMN, detail).at(&place).hint("write a value"));
            }
        }
        let wanted = match (set.state, &one.live) {
            (RowState::Absent, live) => live.is_some(),
            (RowState::Present | RowState::Inserted, None) => true,
            (RowState::Present, Some(_)) => !differs.is_empty(),
            (RowState::Inserted, Some(_)) => false,
        };
        let refers = batch.value_forms().any(|(_, form)| matches!(form, Form::Reference(_)));
        let waits = refers && set.state == RowState::Present && !recorded;
        if !wanted && !waits {
            return false;
        }
        let key = self.key_of(batch, &one);
        let mut values: BTreeMap<String, Cell> =
            key.0.iter().map(|part| (part.column.clone(), part.value.clone())).collect();
        for ((name, form), text) in batch.value_forms().zip(&one.values) {
            values.insert(name.clone(), cell(batch, one.index, form, text.as_ref()));
        }
        let texts = one.key.iter().chain(&one.values);
        for ((name, form), text) in batch.key_forms().chain(batch.value_forms()).zip(texts) {
            if matches!(form, Form::Reference(_)) {
                self.met.resolved.insert((row, name.clone()), text.clone());
            }
        }
        if one.live.is_none() && set.state != RowState::Absent {
            self.check_new(batch, row, &key, &values, errors);
        }
        let seen = RowSeen { of: row, key, values, live: one.live, differs };
        match wanted {
            true => self.facts.seen.push(seen),
            false => drop(self.met.referring.insert(row, seen)),
        }
        wanted
    }

    /// What a new row needs, and what it cannot be given.
    fn check_new(
        &mut self,
        batch: &Batch<RowRef>,
        row: RowRef,
        key: &RowKey,
        values: &BTreeMap<String, Cell>,
        errors: &mut Diagnostics,
    ) {
        let set = &self.request.resolved.rows[row.set];
        let facts = &self.tables[&batch.table];
        let missing = left_empty(set, values, facts);
        // No trigger makes a declared NULL true.
        let declared: Vec<&str> = missing.iter().copied().filter(|name| values.contains_key(*name)).collect();
        if !missing.is_empty() && !facts.fills_rows {
            errors.push(required(set, row, &missing));
        } else if !declared.is_empty() {
            errors.push(required(set, row, &declared));
        } else if !missing.is_empty() {
            let message = format!(
                "new rows of {} need {}, which is not declared: a trigger of the table has to fill it",
                batch.table,
                missing.join(", ")
            );
            say_once(&mut self.facts.findings, codes::LEFT_TO_TRIGGER, None, message);
        }
        let generated = key.columns().find(|name| facts.columns.get(*name).is_some_and(|column| column.generated));
        if let Some(name) = generated {
            let detail = format!(
                "column \"{name}\" of \"{}\" is generated and cannot be written, and there is no row that has this value",
                batch.table
            );
            let place = place_of(&self.request.resolved.rows, row, name);
            let hint = "name a new row by a key that can be written";
            errors.push(Diagnostic::error(codes::UNKNOWN_COLUMN, detail).at(&place).hint(hint));
        }
    }

    /// The key of a matched row, its columns in the order of the unique index that has just these.
    fn key_of(&self, batch: &Batch<RowRef>, one: &Matched) -> RowKey {
        let mut key = key_of(batch, one);
        let own = |columns: &&Vec<String>| {
            columns.len() == batch.key.len() && columns.iter().all(|column| batch.key.contains(column))
        };
        if let Some(columns) = self.tables[&batch.table].keys().find(own) {
            key.0.sort_by_key(|part| columns.iter().position(|column| *column == part.column));
        }
        key
    }

    fn say_row_security(&mut self) {
        let tables: BTreeSet<_> = self.batches.iter().map(|batch| &batch.table).collect();
        for table in tables.into_iter().filter(|table| self.tables[*table].row_security) {
            let message = format!(
                "row-level security may hide rows of {table} from this role: a row that it does not see is planned as new, and \
                 one that it may not change is refused when applied"
            );
            self.facts.findings.push((codes::ROW_SECURITY, None, message));
        }
    }
}

/// The key of a matched row: references as they are declared, the rest as the database spells it.
fn key_of(batch: &Batch<RowRef>, one: &Matched) -> RowKey {
    let part = |((name, form), text): ((&String, &Form), &Option<String>)| KeyPart {
        column: name.clone(),
        value: cell(batch, one.index, form, text.as_ref()),
    };
    RowKey(batch.key_forms().zip(&one.key).map(part).collect())
}

fn several_rows(set: &RowSet, one: &Matched, batch: &Batch<RowRef>, row: RowRef) -> Diagnostic {
    let address = row_address(&batch.table, &key_of(batch, one));
    Diagnostic::error(codes::NOT_A_KEY, format!("\"{address}\" is more than one live row"))
        .at(&set.rows[row.row].place)
        .hint("name it by columns that hold it apart from the others")
}

/// Columns that differ from the live row, with the declared and the live value.
pub(crate) fn differing<T>(
    batch: &Batch<T>,
    one: &Matched,
    live: &LiveRow,
) -> Vec<(String, Option<String>, Option<String>)> {
    let columns = batch.value_forms().zip(&one.differs).zip(&one.values);
    columns
        .filter(|((_, differs), _)| **differs)
        .map(|(((name, _), _), declared)| (name.clone(), declared.clone(), live.0.get(name).cloned().flatten()))
        .collect()
}

/// The place of a form's texts.
fn place_of_form(form: &Form) -> Option<usize> {
    match form {
        Form::Text(place) | Form::Tree(place) => Some(*place),
        Form::Null | Form::ApplyTime | Form::Reference(_) => None,
    }
}

/// Where a declared value stands, or its row.
pub(super) fn place_of(sets: &[RowSet], row: RowRef, column: &str) -> Place {
    let set = &sets[row.set];
    let declared = &set.rows[row.row];
    let position = set.key.iter().chain(&set.columns).position(|name| name == column);
    position.and_then(|position| declared.cells.get(position)).map_or(&declared.place, |cell| &cell.place).clone()
}

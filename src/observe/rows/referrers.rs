//! What happens to the rows that refer to a row which goes, or whose key changes.
//!
//! | foreign key says | rows that stay and still refer |
//! | --- | --- |
//! | nothing, `RESTRICT` | the plan is refused |
//! | `CASCADE` | they go, or change, too: said with their number and their names, and followed to what refers to them |
//! | `SET NULL`, `SET DEFAULT` | their columns change: said likewise; refused where the column cannot be NULL |
//!
//! A row that the plan declares is never taken or changed by the way: that is refused.

use std::collections::{BTreeMap, BTreeSet};

use super::changed::{Changed, ChangedRows};
use super::constraints::{index_of, live_name, paired, typed};
use super::matching::{Ask, match_batch};
use super::sql::{self, Facts};
use super::{Batch, RowRef, RowsRequest, place_of};
use crate::diff::codes;
use crate::diff::rows::identity::Match;
use crate::diff::rows::is_present;
use crate::model::{
    Address, Column, Diagnostic, Diagnostics, ForeignKey, LiveRow, OnChange, Place, RowFacts, RowNeed, RowNeedKind,
    TableName,
};
use crate::observe::error::ObserveError;
use crate::observe::read_catalog;
use crate::store::{Param, Query, Sql, StoreError, Tx};

/// Names of rows that stand for all.
const EXAMPLES: usize = 5;
/// How far cascades are followed.
const DEPTH: usize = 32;

/// A row that goes or whose key changes.
struct Gone {
    /// The row of the plan behind it.
    by: Address,
    place: Place,
    row: LiveRow,
    what: Fate,
}

/// What becomes of a row.
#[derive(Clone, PartialEq)]
enum Fate {
    /// It goes.
    Goes,
    /// These columns of it change.
    Changes(Vec<String>),
}

impl Gone {
    fn goes(&self) -> bool {
        self.what == Fate::Goes
    }

    /// Whether what the key refers to is another thing afterwards.
    fn moves(&self, key: &ForeignKey) -> bool {
        match &self.what {
            Fate::Goes => true,
            Fate::Changes(columns) => key.to_columns.iter().any(|column| columns.contains(column)),
        }
    }
}

/// Rows that refer to one that goes.
struct Referring {
    gone: usize,
    at: String,
    name: String,
    row: LiveRow,
}

/// Judges what refers to rows that go or whose keys change.
pub(super) async fn judge(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    batches: &[Batch<RowRef>],
    changed: &ChangedRows,
    facts: &mut RowFacts,
    errors: &mut Diagnostics,
) -> Result<(), ObserveError> {
    let mut judging = Judging {
        request,
        batches,
        changed,
        tables: request.tables.clone(),
        declared: BTreeMap::new(),
        taken: BTreeSet::new(),
        facts,
        errors,
    };
    let mut wave: BTreeMap<TableName, Vec<Gone>> = BTreeMap::new();
    for row in &changed.rows {
        let Some((_, before)) = &row.before else { continue };
        let what = match &row.after {
            None => Fate::Goes,
            Some(_) => Fate::Changes(before.0.keys().filter(|name| row.changes(&[(*name).clone()])).cloned().collect()),
        };
        let gone = Gone { by: row.address.clone(), place: row.place.clone(), row: before.clone(), what };
        wave.entry(row.table.clone()).or_default().push(gone);
    }
    for depth in 0..DEPTH {
        let mut next: BTreeMap<TableName, Vec<Gone>> = BTreeMap::new();
        for (table, gone) in &wave {
            judging.load(tx, table).await?;
            for key in judging.tables.get(table).map(|facts| facts.referenced_by.clone()).unwrap_or_default() {
                judging.load(tx, &key.from).await?;
                let more = judging.key(tx, &key, gone, depth == 0).await?;
                if !more.is_empty() {
                    next.entry(key.from.clone()).or_default().extend(more);
                }
            }
        }
        if next.is_empty() {
            break;
        }
        wave = next;
    }
    Ok(())
}

struct Judging<'a> {
    request: &'a RowsRequest<'a>,
    batches: &'a [Batch<RowRef>],
    changed: &'a ChangedRows,
    tables: Facts,
    /// Where declared rows stand, by table.
    declared: BTreeMap<TableName, BTreeMap<String, RowRef>>,
    /// Rows that go by the way, so that a circle of cascades ends.
    taken: BTreeSet<(TableName, String, bool)>,
    facts: &'a mut RowFacts,
    errors: &'a mut Diagnostics,
}

impl Judging<'_> {
    async fn load(&mut self, tx: &mut dyn Tx, table: &TableName) -> Result<(), StoreError> {
        if !self.tables.contains_key(table) {
            let (more, _) = read_catalog(tx, &BTreeSet::from([table.clone()]), &BTreeSet::new()).await?;
            self.tables.extend(more);
        }
        Ok(())
    }

    /// Judges one foreign key; gives the rows that go with those that go.
    async fn key(
        &mut self,
        tx: &mut dyn Tx,
        key: &ForeignKey,
        gone: &[Gone],
        of_plan: bool,
    ) -> Result<Vec<Gone>, ObserveError> {
        let moving: Vec<&Gone> = gone.iter().filter(|gone| gone.moves(key)).collect();
        let unreadable = |table: &TableName, names: &[String]| {
            self.tables
                .get(table)
                .is_none_or(|facts| names.iter().any(|name| !facts.columns.get(name).is_some_and(|c| c.readable)))
        };
        if moving.is_empty() || unreadable(&key.to, &key.to_columns) {
            return Ok(Vec::new());
        }
        if unreadable(&key.from, &key.columns) {
            let message = format!(
                "this role may not read {}, so rows of it that refer to rows which go are not counted",
                key.from
            );
            self.facts.findings.push((codes::CONSEQUENCE, Some(moving[0].by.clone()), message));
            return Ok(Vec::new());
        }
        if self.tables[&key.from].row_security {
            let message = format!(
                "row security may hide rows of {} from this role: those that refer to rows which go or change would go or change \
                 without being counted",
                key.from
            );
            let known = self.facts.findings.iter().any(|(_, _, text)| *text == message);
            self.facts.findings.extend((!known).then(|| (codes::ROW_SECURITY, Some(moving[0].by.clone()), message)));
        }
        let found = self.referring(tx, key, &moving).await?;
        let mut stays: Vec<&Referring> = Vec::new();
        for one in &found {
            let gone = moving[one.gone];
            match self.changed.at.get(&(key.from.clone(), one.at.clone())).map(|other| &self.changed.rows[*other]) {
                Some(other) if other.after.is_none() || other.changes(&key.columns) => {
                    self.before(key, gone, other, of_plan);
                }
                Some(_) | None => stays.push(one),
            }
        }
        self.replaced(key, &moving, &mut stays);
        let (go, change): (Vec<&Referring>, Vec<&Referring>) =
            stays.into_iter().partition(|one| moving[one.gone].goes());
        let mut next = Vec::new();
        next.extend(self.judge(tx, key, key.on_delete, &moving, go, true).await?);
        next.extend(self.judge(tx, key, key.on_update, &moving, change, false).await?);
        Ok(next)
    }

    /// A key that is judged when the transaction ends lets another row take the place of the one referred to.
    fn replaced(&self, key: &ForeignKey, moving: &[&Gone], stays: &mut Vec<&Referring>) {
        if !key.deferrable || key.restricts {
            return;
        }
        let values =
            |row: &LiveRow| key.to_columns.iter().map(|name| row.0.get(name).cloned().flatten()).collect::<Vec<_>>();
        let takers: BTreeSet<Vec<Option<String>>> = self
            .changed
            .rows
            .iter()
            .filter(|row| row.table == key.to && row.after.is_some())
            .filter_map(|row| key.to_columns.iter().map(|name| row.known(name).cloned()).collect())
            .collect();
        stays.retain(|one| {
            let gone = moving[one.gone];
            let action = if gone.goes() { key.on_delete } else { key.on_update };
            action != OnChange::Refuse || !takers.contains(&values(&gone.row))
        });
    }

    /// A row that refers no longer comes before the one that it referred to goes.
    fn before(&mut self, key: &ForeignKey, gone: &Gone, other: &Changed, of_plan: bool) {
        let cascades = if gone.goes() { key.on_delete } else { key.on_update };
        let first = of_plan || gone.goes();
        if first && !key.deferrable && other.address != gone.by && (gone.goes() || cascades == OnChange::Refuse) {
            self.facts.needs.push(RowNeed {
                from: gone.by.clone(),
                to: other.address.clone(),
                kind: RowNeedKind::Reference,
                why: format!("foreign key {}", key.name),
            });
        }
    }

    async fn judge(
        &mut self,
        tx: &mut dyn Tx,
        key: &ForeignKey,
        action: OnChange,
        moving: &[&Gone],
        stays: Vec<&Referring>,
        goes: bool,
    ) -> Result<Vec<Gone>, ObserveError> {
        if stays.is_empty() {
            return Ok(Vec::new());
        }
        let gone = moving[stays[0].gone];
        let names: Vec<&str> = stays.iter().take(EXAMPLES).map(|one| one.name.as_str()).collect();
        let more = stays.len().saturating_sub(names.len());
        let mut named = names.join(", ");
        if more > 0 {
            named.push_str(&format!(" and {more} more"));
        }
        let rows = crate::diff::counted(stays.len() as u64, "row");
        let facts = &self.tables[&key.from];
        let empties = match action {
            OnChange::SetNull => true,
            OnChange::SetDefault => key.columns.iter().any(|name| facts.columns[name].default.is_none()),
            OnChange::Refuse | OnChange::Cascade => false,
        };
        let stuck = key.columns.iter().find(|name| empties && facts.columns[*name].not_null);
        if action == OnChange::Refuse || stuck.is_some() {
            let what = if goes { "deleted" } else { "given another key" };
            let why = match stuck {
                Some(column) => format!("which would set their {column} to NULL, and it cannot be NULL"),
                None => format!("foreign key {}", key.name),
            };
            let detail = format!(
                "\"{}\" cannot be {what}: {rows} of \"{}\" still refer to it ({why}): {named}",
                gone.by, key.from
            );
            let hint = "delete these rows too, or let them refer to another one, in the same plan";
            self.errors.push(Diagnostic::error(codes::STILL_REFERRED, detail).at(&gone.place).hint(hint));
            return Ok(Vec::new());
        }
        self.refuse_declared(tx, key, action, goes, &stays, moving).await?;
        let (verb, clause) = match (action, goes) {
            (OnChange::Cascade, true) => ("go with", "ON DELETE CASCADE"),
            (OnChange::Cascade, false) => ("change with", "ON UPDATE CASCADE"),
            (_, true) => ("lose their reference to", "ON DELETE SET NULL or DEFAULT"),
            (_, false) => ("lose their reference to", "ON UPDATE SET NULL or DEFAULT"),
        };
        let message = format!("{rows} of {} {verb} rows of {} ({clause}, {}): {named}", key.from, key.to, key.name);
        let parents: BTreeSet<&Address> = stays.iter().map(|one| &moving[one.gone].by).collect();
        let by = Some(gone.by.clone()).filter(|_| parents.len() == 1);
        let code = if action == OnChange::Cascade && !goes { codes::FOLLOWS } else { codes::CONSEQUENCE };
        self.facts.findings.push((code, by, message));
        let mut next = Vec::new();
        for one in stays {
            if self.taken.insert((key.from.clone(), one.at.clone(), goes)) {
                let gone = moving[one.gone];
                let what = match action == OnChange::Cascade && goes {
                    true => Fate::Goes,
                    false => Fate::Changes(key.columns.clone()),
                };
                next.push(Gone { by: gone.by.clone(), place: gone.place.clone(), row: one.row.clone(), what });
            }
        }
        Ok(next)
    }

    /// A row that the plan declares must not go, or lose what is declared of it, by the way.
    async fn refuse_declared(
        &mut self,
        tx: &mut dyn Tx,
        key: &ForeignKey,
        action: OnChange,
        goes: bool,
        stays: &[&Referring],
        moving: &[&Gone],
    ) -> Result<(), ObserveError> {
        if !self.declared.contains_key(&key.from) {
            let declared = self.declared_rows(tx, &key.from).await?;
            self.declared.insert(key.from.clone(), declared);
        }
        let sets = &self.request.resolved.rows;
        for one in stays {
            let Some(row) = self.declared[&key.from].get(&one.at) else { continue };
            let set = &sets[row.set];
            let named = key.columns.iter().any(|name| set.columns.contains(name) || set.key.contains(name));
            let taken = action == OnChange::Cascade && goes;
            if !taken && !named {
                continue;
            }
            let gone = moving[one.gone];
            let what = if goes { "is deleted" } else { "gets another key" };
            let detail = format!(
                "the row {} of \"{}\" is declared here, and the database would take or change it when \"{}\" {what} (at {}, \
                 foreign key {})",
                one.name, key.from, gone.by, gone.place, key.name
            );
            let hint = "let the row refer to another one, or declare it absent too";
            let place = place_of(sets, *row, key.columns.first().map_or("", String::as_str));
            self.errors.push(Diagnostic::error(codes::CASCADE, detail).at(&place).hint(hint));
        }
        Ok(())
    }

    async fn declared_rows(
        &self,
        tx: &mut dyn Tx,
        table: &TableName,
    ) -> Result<BTreeMap<String, RowRef>, ObserveError> {
        let sets = &self.request.resolved.rows;
        let mut out = BTreeMap::new();
        for batch in self.batches.iter().filter(|batch| batch.table == *table) {
            let places = |row: &RowRef, column: &str| place_of(sets, *row, column);
            let (matched, _) = match_batch(tx, batch, self.request.tables, Ask::There, &places).await?;
            for one in matched {
                let row = batch.rows[one.index];
                if let Some((at, _)) = one.live.filter(|_| is_present(&sets[row.set])) {
                    out.insert(at, row);
                }
            }
        }
        Ok(out)
    }

    async fn referring(&self, tx: &mut dyn Tx, key: &ForeignKey, gone: &[&Gone]) -> Result<Vec<Referring>, StoreError> {
        let (from, to) = (&self.tables[&key.from], &self.tables[&key.to]);
        let columns: Vec<(&String, &Column)> = key.to_columns.iter().map(|name| (name, &to.columns[name])).collect();
        let whole = Match { parts: Vec::new(), predicates: Vec::new(), may_be_several: false };
        let sql = sql::at(Sql::new("SELECT p.\"enact i\", "), "t", from).text(", ");
        let sql = sql::texts(sql, "t", from.primary_key.iter().filter(|name| from.columns[*name].readable)).text(", ");
        let sql = sql::texts(sql, "t", sql::readable(from)).text(" FROM ").sql(&typed(&columns, 0)).text(" p JOIN ");
        let sql = paired(sql.sql(&sql::live(&key.from, &whole, from)).text(" t ON "), key, "p", "t");
        let query = key.to_columns.iter().fold(Query::new(sql.text(" ORDER BY 1, 3")), |query, name| {
            query.bind(Param::OptionalTexts(gone.iter().map(|gone| gone.row.0.get(name).cloned().flatten()).collect()))
        });
        let names: Vec<&String> = sql::readable(from).collect();
        let records = tx.query(&query).await?;
        Ok(records
            .iter()
            .map(|record| {
                let values = record.json(3).and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
                let texts = values.into_iter().map(|value| value.as_str().map(str::to_owned));
                Referring {
                    gone: index_of(record, 0),
                    at: record.text(1).unwrap_or_default().to_owned(),
                    name: live_name(from, record, 2),
                    row: LiveRow(names.iter().map(|name| (*name).clone()).zip(texts).collect()),
                }
            })
            .collect())
    }
}

//! What happens to the rows that refer to a row which goes, or whose key changes.
//!
//! | foreign key says | rows that stay and still refer |
//! | --- | --- |
//! | nothing, `RESTRICT` | the plan is refused |
//! | `CASCADE` | they go, or change, too: said with their number and their names, and followed to what refers to them |
//! | `SET NULL`, `SET DEFAULT` | their columns change: said likewise; refused where the column cannot be NULL |
//!
//! A row that the plan declares is never taken or changed by the way: that is refused. What follows is written down with
//! the plan, and an apply that finds other rows there ends before it writes.

use std::collections::{BTreeMap, BTreeSet};

use super::followers::{Followed, Following};
use super::matching::{Ask, match_batch};
use super::sql::Facts;
use super::{Batch, RowRef, RowsRequest, place_of};
use crate::diff::codes;
use crate::diff::rows::is_present;
use crate::model::{Address, Diagnostic, Diagnostics, OnChange, RowFacts, TableName};
use crate::observe::error::ObserveError;
use crate::store::Tx;

/// Names of rows that stand for all.
const EXAMPLES: usize = 5;

/// Judges what refers to rows that go or whose keys change.
pub(super) async fn judge(
    tx: &mut dyn Tx,
    request: &RowsRequest<'_>,
    batches: &[Batch<RowRef>],
    mut following: Following,
    incomplete: &BTreeSet<TableName>,
    facts: &mut RowFacts,
    errors: &mut Diagnostics,
) -> Result<(), ObserveError> {
    facts.needs.append(&mut following.needs);
    facts.findings.append(&mut following.findings);
    facts.followers = following.facts();
    let mut judging = Judging { request, batches, incomplete, declared: BTreeMap::new(), facts, errors };
    for followed in &following.followed {
        judging.judge(tx, followed, &following.tables).await?;
    }
    Ok(())
}

struct Judging<'a> {
    request: &'a RowsRequest<'a>,
    batches: &'a [Batch<RowRef>],
    /// Tables of which some declared row is wrong.
    incomplete: &'a BTreeSet<TableName>,
    /// Where declared rows stand, by table.
    declared: BTreeMap<TableName, BTreeMap<String, RowRef>>,
    facts: &'a mut RowFacts,
    errors: &'a mut Diagnostics,
}

impl Judging<'_> {
    async fn judge(&mut self, tx: &mut dyn Tx, followed: &Followed, tables: &Facts) -> Result<(), ObserveError> {
        let Followed { key, goes, rows } = followed;
        let action = followed.action();
        let names: Vec<&str> = rows.iter().take(EXAMPLES).map(|one| one.name.as_str()).collect();
        let more = rows.len().saturating_sub(names.len());
        let mut named = names.join(", ");
        if more > 0 {
            named.push_str(&format!(" and {more} more"));
        }
        let one = rows.len() == 1;
        let count = crate::diff::counted(rows.len() as u64, "row");
        let stuck = followed.stuck(tables);
        if action == OnChange::Refuse || stuck.is_some() {
            if self.incomplete.contains(&key.from) {
                return Ok(());
            }
            let what = if *goes { "deleted" } else { "given another key" };
            let why = match stuck {
                Some(column) => format!("which would set their {column} to NULL, and it cannot be NULL"),
                None => format!("foreign key {}", key.name),
            };
            let verb = if one { "refers" } else { "refer" };
            let detail = format!(
                "\"{}\" cannot be {what}: {count} of \"{}\" still {verb} to it ({why}): {named}",
                rows[0].by, key.from
            );
            let hint = "delete these rows too, or let them refer to another one, in the same plan";
            self.errors.push(Diagnostic::error(codes::STILL_REFERRED, detail).at(&rows[0].place).hint(hint));
            return Ok(());
        }
        self.refuse_declared(tx, followed).await?;
        let (verb, clause) = match (action, goes, one) {
            (OnChange::Cascade, true, true) => ("goes with", "ON DELETE CASCADE"),
            (OnChange::Cascade, true, false) => ("go with", "ON DELETE CASCADE"),
            (OnChange::Cascade, false, true) => ("changes with", "ON UPDATE CASCADE"),
            (OnChange::Cascade, false, false) => ("change with", "ON UPDATE CASCADE"),
            (_, true, true) => ("loses its reference to", "ON DELETE SET NULL or DEFAULT"),
            (_, true, false) => ("lose their reference to", "ON DELETE SET NULL or DEFAULT"),
            (_, false, true) => ("loses its reference to", "ON UPDATE SET NULL or DEFAULT"),
            (_, false, false) => ("lose their reference to", "ON UPDATE SET NULL or DEFAULT"),
        };
        let message = format!("{count} of {} {verb} rows of {} ({clause}, {}): {named}", key.from, key.to, key.name);
        let parents: BTreeSet<&Address> = rows.iter().map(|one| &one.by).collect();
        let by = Some(rows[0].by.clone()).filter(|_| parents.len() == 1);
        let code = if action == OnChange::Cascade && !goes { codes::FOLLOWS } else { codes::CONSEQUENCE };
        self.facts.findings.push((code, by, message));
        Ok(())
    }

    /// A row that the plan declares must not go, or lose what is declared of it, by the way.
    async fn refuse_declared(&mut self, tx: &mut dyn Tx, followed: &Followed) -> Result<(), ObserveError> {
        let Followed { key, goes, rows } = followed;
        if !self.declared.contains_key(&key.from) {
            let declared = self.declared_rows(tx, &key.from).await?;
            self.declared.insert(key.from.clone(), declared);
        }
        let sets = &self.request.resolved.rows;
        for one in rows {
            let Some(row) = self.declared[&key.from].get(&one.at) else { continue };
            let set = &sets[row.set];
            let named = followed.empties().iter().any(|name| set.columns.contains(name) || set.key.contains(name));
            let taken = followed.action() == OnChange::Cascade && *goes;
            if !taken && !named {
                continue;
            }
            let what = if *goes { "is deleted" } else { "gets another key" };
            let detail = format!(
                "the row {} of \"{}\" is declared here, and the database would take or change it when \"{}\" {what} (at {}, \
                 foreign key {})",
                one.name, key.from, one.by, one.place, key.name
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
            let matched = match_batch(tx, batch, self.request.tables, Ask::There, &places).await?.matched;
            for one in matched {
                let row = batch.rows[one.index];
                if let Some((at, _)) = one.live.filter(|_| is_present(&sets[row.set])) {
                    out.insert(at, row);
                }
            }
        }
        Ok(out)
    }
}

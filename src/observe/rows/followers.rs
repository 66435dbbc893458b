//! Rows that stay and refer to one that goes or whose key changes, foreign key by foreign key, as far as cascades reach.

use std::collections::{BTreeMap, BTreeSet};

use super::changed::{Changed, ChangedRows};
use super::constraints::{index_of, live_name, paired, typed};
use super::sql::{self, Facts};
use crate::diff::codes;
use crate::diff::rows::identity::Match;
use crate::diff::rows::say_once;
use crate::model::{
    Address, Column, Followers, ForeignKey, LiveRow, OnChange, Place, RowFinding, RowNeed, RowNeedKind, TableFacts,
    TableName, digest_of,
};
use crate::observe::read_catalog;
use crate::store::{Param, Query, Sql, StoreError, Tx};

/// How far cascades are followed.
const DEPTH: usize = 32;

/// A row that goes or whose key changes.
struct Moving {
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

impl Moving {
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

/// What one foreign key does to rows that the plan leaves alone.
pub(super) struct Followed {
    pub key: ForeignKey,
    /// Whether the rows referred to go, or get another key.
    pub goes: bool,
    pub rows: Vec<Follower>,
}

/// A row that refers to one which goes or changes.
pub(super) struct Follower {
    /// The row of the plan behind it.
    pub by: Address,
    pub place: Place,
    /// Where it stands.
    pub at: String,
    pub name: String,
    row: LiveRow,
}

impl Followed {
    pub fn action(&self) -> OnChange {
        if self.goes { self.key.on_delete } else { self.key.on_update }
    }

    /// The column that would become NULL and cannot.
    pub fn stuck(&self, tables: &Facts) -> Option<&String> {
        let facts = &tables[&self.key.from];
        let empties = match self.action() {
            OnChange::SetNull => true,
            OnChange::SetDefault => self.empties().iter().any(|name| facts.columns[name].default.is_none()),
            OnChange::Refuse | OnChange::Cascade => false,
        };
        self.empties().iter().find(|name| empties && facts.columns[*name].not_null)
    }

    /// The columns that change where rows stay.
    pub fn empties(&self) -> &[String] {
        if self.goes && self.action() != OnChange::Cascade { &self.key.empties } else { &self.key.columns }
    }

    /// As a plan writes it down.
    fn fact(&self) -> Followers {
        let names: BTreeSet<&String> = self.rows.iter().map(|row| &row.name).collect();
        Followers {
            table: self.key.from.clone(),
            foreign_key: self.key.name.clone(),
            goes: self.goes,
            rows: self.rows.len() as u64,
            names: digest_of(&names),
        }
    }
}

/// All that follows the rows which change.
pub(super) struct Following {
    /// Facts of all tables that were met.
    pub tables: Facts,
    pub followed: Vec<Followed>,
    pub needs: Vec<RowNeed>,
    pub findings: Vec<RowFinding>,
    /// Rows that go by the way, so that a circle of cascades ends.
    taken: BTreeSet<(TableName, String, bool)>,
}

impl Following {
    /// Live rows that go by the way, with the row of the plan behind each.
    pub fn gone(&self) -> BTreeMap<(TableName, String), Address> {
        let cascades = |one: &&Followed| one.goes && one.action() == OnChange::Cascade;
        let rows = self.followed.iter().filter(cascades).flat_map(|one| one.rows.iter().map(move |row| (one, row)));
        rows.map(|(one, row)| ((one.key.from.clone(), row.at.clone()), row.by.clone())).collect()
    }

    /// What is followed, as a plan writes it down.
    pub fn facts(&self) -> Vec<Followers> {
        let mut facts: Vec<Followers> = self.followed.iter().map(Followed::fact).collect();
        facts.sort();
        facts
    }
}

/// Follows what refers to rows that go or whose keys change.
///
/// # Errors
/// Those of the store.
pub(super) async fn follow(tx: &mut dyn Tx, tables: &Facts, changed: &ChangedRows) -> Result<Following, StoreError> {
    let mut following = Following {
        tables: tables.clone(),
        followed: Vec::new(),
        needs: Vec::new(),
        findings: Vec::new(),
        taken: BTreeSet::new(),
    };
    let mut wave: BTreeMap<TableName, Vec<Moving>> = BTreeMap::new();
    for row in &changed.rows {
        let Some((_, before)) = &row.before else { continue };
        let what = match &row.after {
            None => Fate::Goes,
            Some(_) => Fate::Changes(before.0.keys().filter(|name| row.changes(&[(*name).clone()])).cloned().collect()),
        };
        let moving = Moving { by: row.address.clone(), place: row.place.clone(), row: before.clone(), what };
        wave.entry(row.table.clone()).or_default().push(moving);
    }
    for depth in 0..DEPTH {
        let mut next: BTreeMap<TableName, Vec<Moving>> = BTreeMap::new();
        for (table, moving) in &wave {
            following.load(tx, table).await?;
            for key in following.tables.get(table).map(|facts| facts.referenced_by.clone()).unwrap_or_default() {
                following.load(tx, &key.from).await?;
                let more = following.key(tx, changed, &key, moving, depth == 0).await?;
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
    following.release_gone();
    Ok(following)
}

impl Following {
    /// A row that goes by the way refers to nothing any more: that comes before the rows go which it would hold back.
    fn release_gone(&mut self) {
        let gone = self.gone();
        let Following { followed, needs, .. } = self;
        for one in followed.iter_mut().filter(|one| one.goes && one.action() == OnChange::Refuse) {
            let Followed { key, rows, .. } = one;
            rows.retain(|row| {
                let Some(by) = gone.get(&(key.from.clone(), row.at.clone())) else { return true };
                if *by != row.by {
                    // RESTRICT is judged row by row, anything else when the statement ends.
                    let kind = if key.restricts { RowNeedKind::Unique } else { RowNeedKind::Reference };
                    let why = format!("foreign key {}", key.name);
                    needs.push(RowNeed { from: row.by.clone(), to: by.clone(), kind, why });
                }
                false
            });
        }
        followed.retain(|one| !one.rows.is_empty());
    }

    async fn load(&mut self, tx: &mut dyn Tx, table: &TableName) -> Result<(), StoreError> {
        if !self.tables.contains_key(table) {
            let (more, _) = read_catalog(tx, &BTreeSet::from([table.clone()]), &BTreeSet::new()).await?;
            self.tables.extend(more);
        }
        Ok(())
    }

    fn unreadable(&self, table: &TableName, names: &[String]) -> bool {
        let hidden = |facts: &TableFacts| names.iter().any(|name| !facts.columns.get(name).is_some_and(|c| c.readable));
        self.tables.get(table).is_none_or(hidden)
    }

    /// Follows one foreign key; gives the rows that go or change with those that do.
    async fn key(
        &mut self,
        tx: &mut dyn Tx,
        changed: &ChangedRows,
        key: &ForeignKey,
        all: &[Moving],
        of_plan: bool,
    ) -> Result<Vec<Moving>, StoreError> {
        let moving: Vec<&Moving> = all.iter().filter(|moving| moving.moves(key)).collect();
        if moving.is_empty() || self.unreadable(&key.to, &key.to_columns) {
            return Ok(Vec::new());
        }
        if self.unreadable(&key.from, &key.columns) {
            let message = format!(
                "this role may not read {}, so rows of it that refer to rows which go are not counted",
                key.from
            );
            self.findings.push((codes::CONSEQUENCE, Some(moving[0].by.clone()), message));
            return Ok(Vec::new());
        }
        if self.tables[&key.from].row_security {
            let message = format!(
                "row-level security may hide rows of {} from this role: those that refer to rows which go or change would go or change \
                 without being counted",
                key.from
            );
            say_once(&mut self.findings, codes::ROW_SECURITY, Some(moving[0].by.clone()), message);
        }
        let takers = takers(key, changed);
        let (mut go, mut change) = (Vec::new(), Vec::new());
        for (index, follower) in self.referring(tx, key, &moving).await? {
            let one = moving[index];
            match changed.at.get(&(key.from.clone(), follower.at.clone())).map(|other| &changed.rows[*other]) {
                Some(other) if other.after.is_none() || other.changes(&key.columns) => {
                    self.before(key, one, other, of_plan);
                }
                Some(_) | None if is_replaced(key, one, &takers) => {}
                Some(_) | None if one.goes() => go.push(follower),
                Some(_) | None => change.push(follower),
            }
        }
        let mut next = self.reached(key, go, true);
        next.extend(self.reached(key, change, false));
        Ok(next)
    }

    /// Keeps what follows by one key; gives what is to be followed from there.
    fn reached(&mut self, key: &ForeignKey, rows: Vec<Follower>, goes: bool) -> Vec<Moving> {
        if rows.is_empty() {
            return Vec::new();
        }
        let followed = Followed { key: key.clone(), goes, rows };
        let action = followed.action();
        let mut next = Vec::new();
        let ends = action == OnChange::Refuse || followed.stuck(&self.tables).is_some();
        for row in followed.rows.iter().filter(|_| !ends) {
            if self.taken.insert((key.from.clone(), row.at.clone(), goes)) {
                let what = match action == OnChange::Cascade && goes {
                    true => Fate::Goes,
                    false => Fate::Changes(followed.empties().to_vec()),
                };
                next.push(Moving { by: row.by.clone(), place: row.place.clone(), row: row.row.clone(), what });
            }
        }
        self.followed.push(followed);
        next
    }

    /// A row that refers no longer comes before the one that it referred to goes.
    fn before(&mut self, key: &ForeignKey, moving: &Moving, other: &Changed, of_plan: bool) {
        let cascades = if moving.goes() { key.on_delete } else { key.on_update };
        let first = of_plan || moving.goes();
        // RESTRICT and what is done to other rows do not wait, whatever else the constraint says.
        let at_once = !key.deferrable || key.restricts || cascades != OnChange::Refuse;
        if first && at_once && other.address != moving.by && (moving.goes() || cascades == OnChange::Refuse) {
            self.needs.push(RowNeed {
                from: moving.by.clone(),
                to: other.address.clone(),
                kind: RowNeedKind::Reference,
                why: format!("foreign key {}", key.name),
            });
        }
    }

    async fn referring(
        &self,
        tx: &mut dyn Tx,
        key: &ForeignKey,
        moving: &[&Moving],
    ) -> Result<Vec<(usize, Follower)>, StoreError> {
        let (from, to) = (&self.tables[&key.from], &self.tables[&key.to]);
        let columns: Vec<(&String, &Column)> = key.to_columns.iter().map(|name| (name, &to.columns[name])).collect();
        let whole = Match { parts: Vec::new(), predicates: Vec::new(), may_be_several: false };
        let sql = sql::at(Sql::new("SELECT p.\"enact i\", "), "t", from).text(", ");
        let sql = sql::texts(sql, "t", from.primary_key.iter().filter(|name| from.columns[*name].readable)).text(", ");
        let sql = sql::texts(sql, "t", sql::readable(from)).text(" FROM ").sql(&typed(&columns, 0)).text(" p JOIN ");
        let sql = paired(sql.sql(&sql::live(&key.from, &whole, from)).text(" t ON "), key, "p", "t");
        let query = key.to_columns.iter().fold(Query::new(sql.text(" ORDER BY 1, 3")), |query, name| {
            query.bind(Param::OptionalTexts(moving.iter().map(|one| one.row.0.get(name).cloned().flatten()).collect()))
        });
        let names: Vec<&String> = sql::readable(from).collect();
        let records = tx.query(&query).await?;
        Ok(records
            .iter()
            .map(|record| {
                let values = record.json(3).and_then(serde_json::Value::as_array).cloned().unwrap_or_default();
                let texts = values.into_iter().map(|value| value.as_str().map(str::to_owned));
                let index = index_of(record, 0);
                let follower = Follower {
                    by: moving[index].by.clone(),
                    place: moving[index].place.clone(),
                    at: record.text(1).unwrap_or_default().to_owned(),
                    name: live_name(from, record, 2),
                    row: LiveRow(names.iter().map(|name| (*name).clone()).zip(texts).collect()),
                };
                (index, follower)
            })
            .collect())
    }
}

/// Values that rows to be have in the columns which a key refers to.
fn takers(key: &ForeignKey, changed: &ChangedRows) -> BTreeSet<Vec<Option<String>>> {
    let rows = changed.rows.iter().filter(|row| row.table == key.to && row.after.is_some());
    rows.filter_map(|row| key.to_columns.iter().map(|name| row.known(name).cloned()).collect()).collect()
}

/// A key that is judged when the transaction ends lets another row take the place of the one referred to.
fn is_replaced(key: &ForeignKey, moving: &Moving, takers: &BTreeSet<Vec<Option<String>>>) -> bool {
    let action = if moving.goes() { key.on_delete } else { key.on_update };
    let values = || key.to_columns.iter().map(|name| moving.row.0.get(name).cloned().flatten()).collect::<Vec<_>>();
    key.deferrable && !key.restricts && action == OnChange::Refuse && takers.contains(&values())
}

//! What a plan means, as statements: by hand, from the declarations and from what is in the database.
//!
//! - Which row a declaration means is asked of the database, with the equality of the columns.
//! - A row that is as declared is not written.
//! - Two declarations of one row are a conflict, whatever they say.

use std::collections::BTreeSet;

use tokio_postgres::Client;

use super::super::engine::Action;
use super::ddl::{ident, insert, literal};
use super::photo::{Photo, Texts, rows};
use super::schema::{Case, Cover, Declared, GENERATED, GONE, Mode, NOBODY, Named, Rows, State, Table, Target};

/// A statement of one row.
#[derive(Debug, Clone)]
pub struct Step {
    pub table: usize,
    pub verb: Verb,
}

#[derive(Debug, Clone)]
pub enum Verb {
    /// Of what this finds afterwards.
    Insert(String, Vec<(String, String)>),
    /// Of the row that this finds.
    Complete(String, Vec<(String, String)>),
    /// Of the row with this primary key.
    Update(Texts, Vec<(String, String)>),
    Delete(Texts),
}

/// What has to be true at the end.
#[derive(Debug, Clone)]
pub struct Check {
    pub table: usize,
    /// Finds the row.
    pub condition: String,
    /// Its columns; `None` where there has to be no row.
    pub holds: Option<Vec<(String, String)>>,
}

/// A plan by hand.
#[derive(Debug, Clone, Default)]
pub struct Work {
    pub steps: Vec<Step>,
    pub checks: Vec<Check>,
    /// Why it can be no plan.
    pub conflict: Option<String>,
    /// Declared rows that are there and stay as they are.
    pub left_alone: Vec<(usize, Texts)>,
    /// Whether what is declared of those could not be written, so that a plan may refuse it.
    pub is_doubtful: bool,
}

impl Step {
    /// The statement.
    pub fn sql(&self, case: &Case) -> String {
        let table = &case.tables[self.table];
        match &self.verb {
            Verb::Insert(_, values) => {
                let values: Vec<_> = values.iter().map(|(name, value)| (name.clone(), there(value))).collect();
                insert(&table.path(), &values)
            }
            Verb::Complete(condition, values) => update(table, condition, values),
            Verb::Update(key, values) => update(table, &at(table, key), values),
            Verb::Delete(key) => format!("DELETE FROM {} WHERE {}", table.path(), at(table, key)),
        }
    }

    /// As a plan says it: the table, what happens, and the columns of an update.
    pub fn line(&self, case: &Case) -> (String, Action) {
        let action = match &self.verb {
            Verb::Insert(..) => Action::Create,
            Verb::Complete(_, values) | Verb::Update(_, values) => {
                let mut columns: Vec<String> = values.iter().map(|(name, _)| name.clone()).collect();
                columns.sort();
                Action::Update(columns)
            }
            Verb::Delete(_) => Action::Delete,
        };
        (case.tables[self.table].written(), action)
    }
}

/// A value that is looked up has to be found: nobody wants NULL in its place.
fn there(value: &str) -> String {
    if value.starts_with("(SELECT ") { format!("pg_temp.there({value})") } else { value.to_owned() }
}

fn update(table: &Table, condition: &str, values: &[(String, String)]) -> String {
    let set = values.iter().map(|(name, value)| format!("{} = {}", ident(name), there(value))).collect::<Vec<_>>();
    format!("UPDATE {} SET {} WHERE {condition}", table.path(), set.join(", "))
}

/// The row with this primary key.
pub fn at(table: &Table, key: &Texts) -> String {
    let parts = table.keys[0].columns.iter().zip(key);
    let parts =
        parts.map(|((name, _), text)| format!("{}::text = {}", ident(name), literal(text.as_deref().unwrap_or(""))));
    parts.collect::<Vec<_>>().join(" AND ")
}

fn primary(table: &Table) -> String {
    table.keys[0].columns.iter().map(|(name, _)| format!("{}::text", ident(name))).collect::<Vec<_>>().join(", ")
}

impl Work {
    /// The work of a plan.
    pub async fn of_plan(client: &Client, case: &Case) -> Work {
        let mut work = Work::default();
        let mut seen = Seen::default();
        for of_table in &case.plan {
            for row in &of_table.rows {
                work.declare(client, case, of_table, row, &mut seen).await;
            }
            work.rest(client, case, of_table, &seen).await;
        }
        work
    }

    async fn declare(&mut self, client: &Client, case: &Case, of: &Rows, row: &Declared, seen: &mut Seen) {
        let table = &case.tables[of.table];
        let condition = table.keys[row.by].condition(row.tag);
        let query = format!("SELECT {} FROM {} WHERE {condition}", primary(table), table.path());
        let live = rows(client, &query).await.expect("the row");
        let live = live.into_iter().next();
        let is_new_name = seen.names.insert((of.table, row.by, row.tag));
        let is_new_row = live.as_ref().is_none_or(|key| seen.rows.insert((of.table, key.clone())));
        if !(is_new_name && is_new_row) {
            self.conflict = Some(format!("two declarations of {} where {condition}", table.written()));
        }
        let step = |verb: Verb| Step { table: of.table, verb };
        let check = |holds| Check { table: of.table, condition: condition.clone(), holds };
        match (named(case, table, row), live) {
            (None, live) => {
                self.steps.extend(live.map(|key| step(Verb::Delete(key))));
                self.checks.push(check(None));
            }
            (Some(values), Some(key)) if of.mode == Mode::Insert => {
                self.left_alone.push((of.table, key));
                self.is_doubtful |= refers_to_nobody(row) || !can_be_read(client, case, table, &values).await;
            }
            (Some(values), None) => {
                let mut all = table.keys[row.by].values(row.tag, row.odd);
                all.extend(values.iter().cloned());
                self.steps.push(step(Verb::Insert(condition.clone(), all)));
                self.checks.push(check(Some(values)));
            }
            (Some(values), Some(key)) => {
                let differ = differing(client, table, &condition, &values).await;
                if !differ.is_empty() {
                    self.steps.push(step(Verb::Update(key, differ)));
                }
                self.checks.push(check(Some(values)));
            }
        }
    }

    /// The rows that a whole table does not declare.
    async fn rest(&mut self, client: &Client, case: &Case, of: &Rows, seen: &Seen) {
        let Mode::Sync { within, max_delete } = &of.mode else { return };
        let table = &case.tables[of.table];
        let within = within.map_or("true".to_owned(), |(column, tag)| {
            let column = &table.values[column];
            format!("{} = {}", ident(column.name), column.kind.value(tag, false).sql)
        });
        let query = format!("SELECT {} FROM {} WHERE {within}", primary(table), table.path());
        let there = rows(client, &query).await.expect("the rows");
        let rest: Vec<Texts> = there.into_iter().filter(|key| !seen.rows.contains(&(of.table, key.clone()))).collect();
        if rest.len() > *max_delete {
            self.conflict = Some(format!("{} rows of {} to delete", rest.len(), table.written()));
        }
        for key in rest {
            self.checks.push(Check { table: of.table, condition: at(table, &key), holds: None });
            self.steps.push(Step { table: of.table, verb: Verb::Delete(key) });
        }
    }

    /// The work that undoes another: of the rows that it wrote, what they were.
    pub fn back(&self, case: &Case, before: &Photo, after: &Photo) -> Work {
        let mut work = Work::default();
        for (index, table) in case.tables.iter().enumerate() {
            let new = after.tables[index].keys().filter(|key| !before.tables[index].contains_key(*key));
            for key in new {
                work.checks.push(Check { table: index, condition: at(table, key), holds: None });
                work.steps.push(Step { table: index, verb: Verb::Delete(key.clone()) });
            }
        }
        for Step { table: index, verb } in &self.steps {
            let table = &case.tables[*index];
            let columns = table.columns(&case.tables);
            let old = |key: &Texts, wanted: &dyn Fn(&str) -> bool| -> Vec<(String, String)> {
                let row = &before.tables[*index][key];
                let parts = columns.iter().zip(row).filter(|((name, _), _)| wanted(name));
                let value = |text: &Option<String>| text.as_deref().map_or("NULL".to_owned(), literal);
                parts.map(|((name, kind), text)| (name.clone(), format!("{}::{kind}", value(text)))).collect()
            };
            let (key, values, verb) = match verb {
                Verb::Insert(..) | Verb::Complete(..) => continue,
                Verb::Update(key, values) => {
                    let values = old(key, &|name| values.iter().any(|(written, _)| written == name));
                    (key, values.clone(), Verb::Update(key.clone(), values))
                }
                Verb::Delete(key) => {
                    let values = old(key, &|name| name != GENERATED);
                    (key, values.clone(), Verb::Insert(at(table, key), values))
                }
            };
            work.checks.push(Check { table: *index, condition: at(table, key), holds: Some(values) });
            work.steps.push(Step { table: *index, verb });
        }
        work
    }

    /// The same, but what is new gets its references that may be NULL at the end.
    #[must_use]
    pub fn split(&self, case: &Case) -> Work {
        let mut work = Work { steps: Vec::new(), ..self.clone() };
        let mut late = Vec::new();
        for step in &self.steps {
            let table = &case.tables[step.table];
            let is_late = |name: &str| {
                let mut nullable = table.references.iter().filter(|reference| reference.nullable);
                nullable.any(|reference| reference.columns.iter().any(|column| column == name))
            };
            let Verb::Insert(condition, values) = &step.verb else {
                work.steps.push(step.clone());
                continue;
            };
            let (set, first): (Vec<_>, Vec<_>) = values.iter().cloned().partition(|(name, _)| is_late(name));
            work.steps.push(Step { table: step.table, verb: Verb::Insert(condition.clone(), first) });
            if !set.is_empty() {
                late.push(Step { table: step.table, verb: Verb::Complete(condition.clone(), set) });
            }
        }
        work.steps.extend(late);
        work
    }
}

/// Which declarations and which live rows were seen already.
#[derive(Debug, Default)]
struct Seen {
    names: BTreeSet<(usize, usize, u8)>,
    rows: BTreeSet<(usize, Texts)>,
}

/// What a plan names of a row that should be there, beside the key that finds it.
fn named(case: &Case, table: &Table, row: &Declared) -> Option<Vec<(String, String)>> {
    let State::Present { keys, references, values } = &row.state else { return None };
    let mut out = Vec::new();
    for (index, named) in keys.iter().enumerate().filter(|(index, _)| *index != row.by) {
        if let Named::Tag(tag) = named {
            out.extend(table.keys[index].values(*tag, row.odd));
        }
    }
    for (reference, target) in table.references.iter().zip(references) {
        match target {
            Target::No => {}
            Target::Null => out.extend(reference.columns.iter().map(|name| (name.clone(), "NULL".to_owned()))),
            Target::Tag(tag) => out.extend(reference.values(*tag, row.odd, &case.tables)),
            Target::Natural { key, tag } => {
                let to = &case.tables[reference.to];
                let wanted = ident(to.keys[reference.to_key].columns[0].0);
                let query = format!("(SELECT {wanted} FROM {} WHERE {})", to.path(), to.keys[*key].condition(*tag));
                out.push((reference.columns[0].clone(), query));
            }
        }
    }
    for (column, named) in table.values.iter().zip(values) {
        match named {
            Named::No => {}
            Named::Null => out.push((column.name.to_owned(), "NULL".to_owned())),
            Named::Tag(tag) => out.push((column.name.to_owned(), column.kind.value(*tag, row.odd).sql)),
        }
    }
    out.extend((table.keys[row.by].cover == Cover::Living).then(|| (GONE.to_owned(), "NULL".to_owned())));
    Some(out)
}

fn refers_to_nobody(row: &Declared) -> bool {
    match &row.state {
        State::Absent => false,
        State::Present { references, .. } => references.contains(&Target::Tag(NOBODY)),
    }
}

/// Whether the types of the columns take these values.
async fn can_be_read(client: &Client, case: &Case, table: &Table, values: &[(String, String)]) -> bool {
    let columns = table.columns(&case.tables);
    let kind = |name: &str| columns.iter().find(|(column, _)| column == name).map_or("text", |(_, kind)| kind.as_str());
    let casts = values.iter().map(|(name, value)| format!("({value})::{}", kind(name))).collect::<Vec<_>>();
    rows(client, &format!("SELECT {}", casts.join(", "))).await.is_ok()
}

async fn differing(
    client: &Client,
    table: &Table,
    condition: &str,
    values: &[(String, String)],
) -> Vec<(String, String)> {
    if values.is_empty() {
        return Vec::new();
    }
    // Of a text the spelling is a part of the value, also where two spellings are equal.
    let differ = values.iter().map(|(name, value)| {
        let name = ident(name);
        let respelled =
            format!("pg_typeof({name}) = 'citext'::regtype AND {name}::text IS DISTINCT FROM ({value})::text");
        // A row that is not there yet is none that is referred to.
        let not_yet = if value.starts_with("(SELECT ") { format!("{value} IS NULL") } else { "false".to_owned() };
        format!("{name} IS DISTINCT FROM {value} OR ({respelled}) OR {not_yet}")
    });
    let query = format!("SELECT {} FROM {} WHERE {condition}", differ.collect::<Vec<_>>().join(", "), table.path());
    // A value that its domain refuses differs from whatever is there.
    let Ok(answer) = rows(client, &query).await else { return values.to_vec() };
    let flags = answer.into_iter().next().unwrap_or_default();
    let differ = values.iter().zip(flags).filter(|(_, flag)| flag.as_deref() == Some("t"));
    differ.map(|(pair, _)| pair.clone()).collect()
}

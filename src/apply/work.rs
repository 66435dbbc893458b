//! The steps inside the transaction.

use std::collections::BTreeMap;

use serde_json::Value;

use super::error::ApplyError;
use super::event::{Event, Events};
use super::guards::open_paired;
use super::record_points::record_points;
use super::row_record;
use super::rows;
use super::stop::Stop;
use crate::model::{Address, Cell, StatusCheck, TableName};
use crate::observe::find_in_other_state;
use crate::plan::{
    CallsWork, GateWork, ManagedWrite, Parameter, RUN_MARKER, SavedPlan, SetDeclared, Step, TransitionBy,
    TransitionsWork, UpdateWork, Work,
};
use crate::store::{Param, Query, Sql, StoreError, Tx};

/// Rows in one statement that writes down, calls in one pipeline.
const BATCH: usize = 1_000;
/// Units that one statement moves.
const MOVES: usize = 20_000;

/// What steps need.
pub(super) struct Steps<'a> {
    pub plan: &'a SavedPlan,
    pub run: &'a str,
    pub events: &'a Events<'a>,
    pub stop: &'a Stop,
    /// Facts of the tables whose rows are written.
    pub tables: &'a crate::observe::rows::Facts,
    /// The search path that is set.
    pub path: rows::SearchPath,
    /// The transaction's time, as the database spells it.
    pub now: String,
    /// A rehearsal refuses this unit, counted from 1.
    pub refuse_at: Option<u64>,
    /// Units that were moved so far.
    pub moved: u64,
}

impl<'a> Steps<'a> {
    /// Gets a transaction ready for the steps of a plan. `refuse_at` is for a rehearsal.
    pub async fn begin(
        tx: &mut dyn Tx,
        (plan, run): (&'a SavedPlan, &'a str),
        (events, stop): (&'a Events<'a>, &'a Stop),
        tables: &'a crate::observe::rows::Facts,
        refuse_at: Option<u64>,
    ) -> Result<Steps<'a>, StoreError> {
        let now = tx.query(&Query::new(Sql::new("SELECT now()::text"))).await?;
        let now = now.first().and_then(|record| record.text(0)).unwrap_or_default().to_owned();
        if plan.steps.iter().any(|step| matches!(step.work, Work::WriteRows(_))) {
            tx.query(&Query::new(Sql::new("SET CONSTRAINTS ALL DEFERRED"))).await?;
        }
        let path = rows::SearchPath::default();
        Ok(Steps { plan, run, events, stop, tables, path, now, refuse_at, moved: 0 })
    }

    /// Lets constraints and triggers that wait for the end of the transaction have their say.
    pub async fn settle_constraints(&mut self, tx: &mut dyn Tx) -> Result<(), StoreError> {
        self.path.set(tx, true).await?;
        tx.query(&Query::new(Sql::new("SET CONSTRAINTS ALL IMMEDIATE"))).await.map(|_| ())
    }
}

impl Steps<'_> {
    /// Does one step of the transaction.
    pub async fn run_step(&mut self, tx: &mut dyn Tx, step: &Step) -> Result<(), ApplyError> {
        // What Enact writes down is spelled as it is when it is read again.
        let of_users = !matches!(step.work, Work::RecordManaged { .. } | Work::RecordRows(_));
        self.path.set(tx, of_users).await?;
        if let Some(role) = &step.run_as {
            tx.query(&Query::new(Sql::new("SET LOCAL ROLE ").ident(role))).await?;
        }
        match &step.work {
            Work::WriteRows(work) => rows::write(tx, step, work, self.tables).await?,
            Work::Transitions(work) => self.transitions(tx, step, work).await?,
            Work::Calls(work) => self.calls(tx, step, work, &[]).await?,
            Work::Refresh { call, status } => {
                self.calls(tx, step, call, &[]).await?;
                check_status(tx, step, status).await?;
            }
            Work::OpenPaired(paired) => open_paired(tx, step, paired).await?,
            Work::OpenGate(gate) | Work::ShutGate(gate) | Work::SetGate(gate) => set_gate(tx, step, gate).await?,
            Work::RecordManaged { write, forget, remember, declare } => {
                let forget: Vec<String> = forget.iter().map(|address| address.to_string()).collect();
                self.record(tx, write, forget).await?;
                let forgotten = |set: &Address| (set.to_string(), serde_json::json!({ "forgotten": true }));
                self.merge_managed(tx, remember.iter().map(forgotten).collect()).await?;
                let declared = |set: &SetDeclared| (set.address.to_string(), set.attributes.clone());
                self.merge_managed(tx, declare.iter().map(declared).collect()).await?;
                record_points(tx, self.plan, self.run).await?;
            }
            Work::RecordRows(record) => row_record::write(tx, record, self.run, self.tables).await?,
            Work::StageVectors(_)
            | Work::WriteVectors { .. }
            | Work::SwitchAlias { .. }
            | Work::FinishCollection { .. }
            | Work::DropCollection { .. } => panic!("BUG: step {} does not belong in the transaction", step.id),
        }
        if step.run_as.is_some() {
            tx.query(&Query::new(Sql::new("SET LOCAL ROLE NONE"))).await?;
        }
        if let Work::WriteRows(work) = &step.work {
            rows::check_gone(tx, step, work, self.tables).await?;
        }
        (self.events)(Event::StepDone { step: step.id, title: step.title.clone() });
        Ok(())
    }

    fn text(&self, cell: &Cell) -> Option<String> {
        match cell {
            Cell::Null => None,
            Cell::Text(text) => Some(text.clone()),
            Cell::ApplyTime => Some(self.now.clone()),
            Cell::Reference(_) => panic!("BUG: a reference to a row is no argument"),
        }
    }

    fn json(&self, rows: &[Vec<Cell>]) -> Param {
        let row = |row: &Vec<Cell>| -> Value { row.iter().map(|cell| Value::from(self.text(cell))).collect() };
        Param::Json(rows.iter().map(row).collect())
    }

    async fn update(&self, tx: &mut dyn Tx, step: &Step, work: &UpdateWork) -> Result<(), ApplyError> {
        let offset = work.key.len();
        let sql = Sql::new("UPDATE ").table(&work.table).text(" t SET ");
        let sql = work.set.iter().enumerate().fold(sql, |sql, (position, column)| {
            let sql = if position > 0 { sql.text(", ") } else { sql };
            value(sql.ident(&column.name).text(" = "), position + offset, &column.type_name)
        });
        let sql = key_condition(sql.text(FROM_ROWS), &work.key).text(" RETURNING 1");
        self.batches(tx, step, &work.table, &sql, &work.rows).await
    }

    async fn batches(
        &self,
        tx: &mut dyn Tx,
        step: &Step,
        table: &TableName,
        sql: &Sql,
        rows: &[Vec<Cell>],
    ) -> Result<(), ApplyError> {
        for batch in rows.chunks(MOVES) {
            self.stop.check()?;
            let query = Query::new(sql.clone()).bind(self.json(batch));
            let done = tx.query(&query).await.map_err(|error| refused_by_store(step, &table.to_string(), error))?;
            if done.len() != batch.len() {
                let why = format!("{} of {} rows of \"{table}\" were written", done.len(), batch.len());
                return Err(ApplyError::Refused { step: step.title.clone(), why });
            }
        }
        Ok(())
    }

    async fn transitions(&mut self, tx: &mut dyn Tx, step: &Step, work: &TransitionsWork) -> Result<(), ApplyError> {
        let here = self.refuse_at.and_then(|at| usize::try_from(at.checked_sub(self.moved + 1)?).ok());
        if let Some(index) = here.filter(|index| *index < work.units.len()) {
            return self.refuse(tx, step, work, index).await;
        }
        self.moved += work.units.len() as u64;
        match &work.by {
            TransitionBy::Calls(calls) => self.calls(tx, step, calls, &work.units).await?,
            TransitionBy::Updates(update) => self.update(tx, step, update).await?,
        }
        let source = &self.plan.pins.binding.units;
        let Some((id, state)) = find_in_other_state(tx, source, &work.unit_ids, &work.to).await? else {
            return Ok(());
        };
        let mut named = work.unit_ids.iter().zip(&work.units);
        let address = named.find(|(known, _)| **known == id).map_or(&id, |(_, address)| address);
        let why = match state {
            Some(state) => format!("unit \"{address}\" reads back as {state}, not {}", work.to),
            None => format!("unit \"{address}\" cannot be read back"),
        };
        Err(ApplyError::Refused { step: step.title.clone(), why })
    }

    /// Moves the units before this one, and refuses it.
    async fn refuse(
        &self,
        tx: &mut dyn Tx,
        step: &Step,
        work: &TransitionsWork,
        index: usize,
    ) -> Result<(), ApplyError> {
        match &work.by {
            TransitionBy::Calls(calls) => {
                let before = CallsWork { calls: calls.calls[..index].to_vec(), ..calls.clone() };
                self.calls(tx, step, &before, &work.units).await?;
            }
            TransitionBy::Updates(update) => {
                let before = UpdateWork { rows: update.rows[..index].to_vec(), ..update.clone() };
                self.update(tx, step, &before).await?;
            }
        }
        Err(ApplyError::RefusedOnPurpose { unit: work.units[index].clone() })
    }

    /// Calls a function once for each row of arguments, in order; `subjects` name the calls in a refusal.
    async fn calls(
        &self,
        tx: &mut dyn Tx,
        step: &Step,
        work: &CallsWork,
        subjects: &[String],
    ) -> Result<(), ApplyError> {
        let sql = call_sql(work);
        let mut done = 0;
        for batch in work.calls.chunks(BATCH) {
            self.stop.check()?;
            let queries: Vec<Query> = batch.iter().map(|cells| self.call(&sql, cells)).collect();
            let subject = |index: usize| match subjects.get(done + index) {
                Some(subject) => format!("\"{subject}\""),
                None => format!("call {} of \"{}\"", done + index + 1, work.function),
            };
            let answers =
                tx.pipeline(&queries).await.map_err(|(index, error)| refused_by_store(step, &subject(index), error))?;
            for (index, answer) in answers.iter().enumerate() {
                check_answer(step, work, &subject(index), answer.first().and_then(|record| record.json(0)))?;
            }
            done += batch.len();
            (self.events)(Event::Called { step: step.id, title: step.title.clone(), done, of: work.calls.len() });
        }
        Ok(())
    }

    fn call(&self, sql: &Sql, cells: &[Cell]) -> Query {
        cells
            .iter()
            .fold(Query::new(sql.clone()), |query, cell| query.bind(self.text(cell).map_or(Param::Null, Param::Text)))
    }

    async fn record(&self, tx: &mut dyn Tx, write: &[ManagedWrite], forget: Vec<String>) -> Result<(), ApplyError> {
        // What stands under a resource goes with it.
        let roots: Vec<String> = forget.iter().filter(|address| !address.contains('[')).cloned().collect();
        self.keep_managed(tx, write, &forget, &roots).await?;
        let project = || Param::Text(self.plan.pins.project.clone());
        if !forget.is_empty() {
            let sql = Sql::new("DELETE FROM enact.managed m WHERE m.project IN ('', $3) AND (m.address = ANY ($1) OR ");
            let query = Query::new(sql.text(UNDER).text(")")).bind(Param::Texts(forget));
            tx.query(&query.bind(Param::Texts(roots)).bind(project())).await?;
        }
        // What was of no project is this one's from now on.
        let claim = "UPDATE enact.managed m SET project = $2 FROM pg_catalog.jsonb_array_elements($1) e(v) \
                     WHERE m.project = '' AND m.address = e.v->>'address'";
        let sql = "INSERT INTO enact.managed (address, digest, attributes, run_id, project) \
                   SELECT e.v->>'address', e.v->>'digest', e.v->'attributes', $2, $3 FROM pg_catalog.jsonb_array_elements($1) e(v) \
                   ON CONFLICT (project, address) DO UPDATE SET digest = excluded.digest, attributes = excluded.attributes, run_id = excluded.run_id";
        for batch in write.chunks(BATCH) {
            let rows: Vec<Value> = batch.iter().map(|one| self.managed_json(one)).collect();
            let rows = Param::Json(Value::Array(rows));
            tx.query(&Query::new(Sql::new(claim)).bind(rows.clone()).bind(project())).await?;
            let query = Query::new(Sql::new(sql)).bind(rows).bind(Param::Text(self.run.to_owned()));
            tx.query(&query.bind(project())).await?;
        }
        Ok(())
    }

    /// Says of vector sets whether they are only remembered.
    /// Writes down what of the records of vector sets is another thing now.
    async fn merge_managed(&self, tx: &mut dyn Tx, sets: Vec<(String, serde_json::Value)>) -> Result<(), ApplyError> {
        if sets.is_empty() {
            return Ok(());
        }
        let addresses: Vec<String> = sets.iter().map(|(address, _)| address.clone()).collect();
        self.keep_managed(tx, &[], &addresses, &[]).await?;
        let sql = "UPDATE enact.managed m SET attributes = m.attributes || (e.v -> 1), run_id = $3, project = $2 \
                   FROM pg_catalog.jsonb_array_elements($1) AS e(v) WHERE m.address = e.v ->> 0 AND m.project IN ('', $2)";
        let query = Query::new(Sql::new(sql)).bind(Param::Json(serde_json::json!(sets)));
        let query = query.bind(Param::Text(self.plan.pins.project.clone()));
        tx.query(&query.bind(Param::Text(self.run.to_owned()))).await?;
        Ok(())
    }

    /// Keeps what was owned, for a revert.
    async fn keep_managed(
        &self,
        tx: &mut dyn Tx,
        write: &[ManagedWrite],
        forget: &[String],
        roots: &[String],
    ) -> Result<(), ApplyError> {
        let written = write.iter().map(|one| one.address.to_string());
        let all: Vec<String> = written.chain(forget.iter().cloned()).collect();
        let keep = "INSERT INTO enact.managed_before (run_id, address, digest, attributes) SELECT $3, m.address, m.digest, m.attributes \
                    FROM enact.managed m WHERE m.project IN ('', $4) AND (m.address = ANY ($1) OR ";
        let keep = Sql::new(keep).text(UNDER).text(") ON CONFLICT DO NOTHING");
        for (number, batch) in all.chunks(BATCH).enumerate() {
            let roots = if number == 0 { roots.to_vec() } else { Vec::new() };
            let query = Query::new(keep.clone()).bind(Param::Texts(batch.to_vec())).bind(Param::Texts(roots));
            let query = query.bind(Param::Text(self.run.to_owned()));
            tx.query(&query.bind(Param::Text(self.plan.pins.project.clone()))).await?;
        }
        Ok(())
    }

    fn managed_json(&self, write: &ManagedWrite) -> Value {
        let mut attributes = write.attributes.clone();
        if let Some(Value::String(generation)) = attributes.get_mut("generation")
            && generation == RUN_MARKER
        {
            *generation = self.run.to_owned();
        }
        serde_json::json!({ "address": write.address, "digest": write.digest, "attributes": attributes })
    }
}

/// Records that stand under one of these resources.
const UNDER: &str =
    "EXISTS (SELECT FROM pg_catalog.unnest($2) AS r(root) WHERE pg_catalog.starts_with(m.address, r.root || '['))";

const FROM_ROWS: &str = " FROM pg_catalog.jsonb_array_elements($1) WITH ORDINALITY e(v, i)";

fn value(sql: Sql, position: usize, type_name: &str) -> Sql {
    sql.text("(e.v->>").trusted(&position.to_string()).text(")::").trusted(type_name)
}

fn key_condition(sql: Sql, key: &[Parameter]) -> Sql {
    key.iter().enumerate().fold(sql, |sql, (position, column)| {
        let sql = sql.text(if position == 0 { " WHERE t." } else { " AND t." });
        value(sql.ident(&column.name).text(" = "), position, &column.type_name)
    })
}

fn call_sql(work: &CallsWork) -> Sql {
    let arguments = |sql: Sql| {
        work.parameters.iter().enumerate().fold(sql, |sql, (position, parameter)| {
            let sql = if position > 0 { sql.text(", ") } else { sql };
            sql.ident(&parameter.name).text(" => ").param(position + 1).text("::text::").trusted(&parameter.type_name)
        })
    };
    if work.success.is_empty() {
        let sql = Sql::new("SELECT pg_catalog.to_jsonb(pg_catalog.count(*)) FROM ").table(&work.function).text("(");
        return arguments(sql).text(")");
    }
    let sql = Sql::new("SELECT pg_catalog.to_jsonb(").table(&work.function).text("(");
    arguments(sql).text("))")
}

/// A function that answers instead of raising: anything but a known success is a refusal.
fn check_answer(step: &Step, work: &CallsWork, subject: &str, answer: Option<&Value>) -> Result<(), ApplyError> {
    if work.success.is_empty() {
        return Ok(());
    }
    let status = answer.and_then(|answer| answer.get("status")).and_then(Value::as_str).unwrap_or("no status");
    if work.success.iter().any(|success| success == status) {
        return Ok(());
    }
    let answer = answer.map_or_else(|| "nothing".to_owned(), Value::to_string);
    let why = format!("{subject}: \"{}\" answered {status} ({answer})", work.function);
    Err(ApplyError::Refused { step: step.title.clone(), why })
}

async fn check_status(tx: &mut dyn Tx, step: &Step, status: &StatusCheck) -> Result<(), ApplyError> {
    let sql = Sql::new("SELECT ")
        .list(status.expect.keys(), |sql, column| sql.ident(column).text("::text"))
        .text(" FROM ")
        .table(&status.view);
    let records = tx.query(&Query::new(sql)).await?;
    let mut found: BTreeMap<&String, Option<&str>> = BTreeMap::new();
    if let [record] = records.as_slice() {
        found = status.expect.keys().enumerate().map(|(index, column)| (column, record.text(index))).collect();
    }
    for (column, expected) in &status.expect {
        let value = found.get(column).copied().flatten();
        if value != Some(expected.as_str()) {
            let why =
                format!("{column} of \"{}\" should be {expected} and is {}", status.view, value.unwrap_or("NULL"));
            return Err(ApplyError::Refused { step: step.title.clone(), why });
        }
    }
    Ok(())
}

pub(super) async fn set_gate(tx: &mut dyn Tx, step: &Step, work: &GateWork) -> Result<(), ApplyError> {
    let sql = Sql::new("UPDATE ")
        .table(&work.table)
        .text(" SET ")
        .ident(&work.value_column)
        .text(" = $1 WHERE ")
        .ident(&work.key_column)
        .text("::text = $2 AND ")
        .ident(&work.value_column)
        .text("::text = $3 RETURNING 1");
    let texts = [&work.value, &work.gate, &work.expect];
    let query = texts.into_iter().fold(Query::new(sql), |query, text| query.bind(Param::Text(text.clone())));
    let done = tx.query(&query).await.map_err(|error| refused_by_store(step, &work.gate, error))?;
    if done.len() == 1 {
        return Ok(());
    }
    let why = format!("gate \"{}\" is not {}", work.gate, work.expect);
    Err(ApplyError::Refused { step: step.title.clone(), why })
}

/// What the database itself refused keeps its words; what it could not answer stays a store error.
pub(super) fn refused_by_store(step: &Step, subject: &str, error: StoreError) -> ApplyError {
    match error.fault {
        crate::store::Fault::Refused => {
            ApplyError::Refused { step: step.title.clone(), why: format!("{subject}: {}", error.message) }
        }
        crate::store::Fault::Transient | crate::store::Fault::InDoubt | crate::store::Fault::Conflict => {
            ApplyError::Store(error.context(&step.title))
        }
    }
}

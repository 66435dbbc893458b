//! PostgreSQL with faults.
//!
//! The session underneath is real and lives on; what a lost connection takes with it (the open transaction, the advisory
//! lock) is taken back by hand, so that a lost connection costs no new process of the server. Until `reconnect`, or
//! until another process begins, every call fails.

use std::sync::Arc;

use async_trait::async_trait;
use enact::store::postgres::Postgres;
use enact::store::{Fault, LockHolder, Param, Query, Record, Relational, Sql, StoreError, Tx, TxMode};

use crate::faults::bugs::{Asked, one_row};
use crate::faults::injector::{DEADLINE_MS, Injector, lost};
use crate::faults::schedule::{Kind, Op};

/// A commit on its way: the transaction lives on without its session, with its locks.
const SEND_COMMIT: &str = "PREPARE TRANSACTION 'late'";
/// It arrives.
pub const COMMIT_LATE: &str = "COMMIT PREPARED 'late'";

/// What one transaction is that a planted bug makes two of.
const TWO: [&str; 2] = ["COMMIT", "BEGIN"];

pub struct FaultyRelational {
    inner: Postgres,
    injector: Arc<Injector>,
}

impl FaultyRelational {
    pub fn new(inner: Postgres, injector: Arc<Injector>) -> FaultyRelational {
        FaultyRelational { inner, injector }
    }

    /// What the server does when a connection ends.
    pub async fn end_session(&mut self) -> Result<(), StoreError> {
        let unlock = Query::new(Sql::new("SELECT pg_catalog.pg_advisory_unlock_all()::text"));
        self.inner.query(&unlock).await.map(|_| ())
    }

    /// Acts on the fault of a call that may be done and not known to be.
    async fn doubtful<T>(&self, fault: Option<Kind>, answer: Result<T, StoreError>) -> Result<T, StoreError> {
        match fault {
            Some(Kind::LostReply) => {
                self.injector.cut();
                answer.and_then(|_| Err(lost(Fault::InDoubt)))
            }
            Some(Kind::DeathAfter) => self.injector.die().await,
            _ => answer,
        }
    }

    /// A statement in a transaction of its own.
    async fn ask(&mut self, query: &Query) -> Result<Vec<Record>, StoreError> {
        let label = label(query);
        let writes = writes(query);
        let fault = self.injector.enter(Op::Alone, &label, writes).await?;
        if fault == Some(Kind::LostRequest) {
            self.injector.cut();
            return Err(lost(Fault::InDoubt));
        }
        let mut answer = self.inner.query(query).await;
        if fault == Some(Kind::Repeat) && answer.is_ok() {
            answer = self.inner.query(query).await;
            self.injector.commit(writes.then(|| label.clone()));
        }
        if answer.is_ok() && writes {
            self.injector.commit([self.injector.plain(&label)]);
        }
        self.doubtful(fault, answer).await
    }

    async fn lock_call(&mut self, name: &str, key: i64) -> Result<bool, StoreError> {
        let fault = self.injector.enter(Op::Lock, name, false).await?;
        if fault == Some(Kind::LostRequest) {
            self.injector.cut();
            return Err(lost(Fault::InDoubt));
        }
        let answer = match name {
            // The old session ends its commit and then itself; the lock was still its own a moment ago.
            "try_lock" if self.injector.take_late_commit() => {
                self.inner.query(&Query::new(Sql::new(COMMIT_LATE))).await.map(|_| false)
            }
            "try_lock" => self.inner.try_lock(key).await,
            _ => self.inner.unlock(key).await.map(|()| false),
        };
        if let Ok(holds) = answer {
            self.injector.hold_lease(holds);
        }
        self.doubtful(fault, answer).await
    }
}

#[async_trait]
impl Relational for FaultyRelational {
    async fn query(&mut self, query: &Query) -> Result<Vec<Record>, StoreError> {
        for late in self.injector.planted.take_late() {
            self.ask(&late).await?;
        }
        match self.injector.planted.asked(query, false) {
            Asked::Same | Asked::Later => self.ask(query).await,
            Asked::Other(other) => self.ask(&other).await,
            Asked::Answered(records) => Ok(records),
        }
    }

    async fn begin<'a>(&'a mut self, mode: TxMode) -> Result<Box<dyn Tx + 'a>, StoreError> {
        let fault = self.injector.enter(Op::InTransaction, &format!("begin {mode:?}"), false).await?;
        if fault == Some(Kind::LostRequest) {
            self.injector.cut();
            return Err(lost(Fault::Transient));
        }
        let inner = self.inner.begin(mode).await?;
        if fault == Some(Kind::DeathAfter) {
            self.injector.die().await;
        }
        Ok(Box::new(FaultyTx { inner: Some(inner), injector: Arc::clone(&self.injector), written: Vec::new() }))
    }

    async fn reconnect(&mut self) -> Result<(), StoreError> {
        let fault = self.injector.enter(Op::Reconnect, "reconnect", false).await?;
        self.injector.cut();
        self.end_session().await?;
        if fault == Some(Kind::DeathAfter) {
            self.injector.die().await;
        }
        self.injector.connected();
        self.injector.planted.note_reconnected();
        Ok(())
    }

    async fn try_lock(&mut self, key: i64) -> Result<bool, StoreError> {
        if self.injector.planted.believes_in_lease() {
            return Ok(true);
        }
        self.lock_call("try_lock", key).await
    }

    async fn unlock(&mut self, key: i64) -> Result<(), StoreError> {
        self.lock_call("unlock", key).await.map(|_| ())
    }

    async fn lock_holder(&mut self, key: i64) -> Result<Option<LockHolder>, StoreError> {
        self.inner.lock_holder(key).await
    }
}

struct FaultyTx<'a> {
    inner: Option<Box<dyn Tx + 'a>>,
    injector: Arc<Injector>,
    written: Vec<String>,
}

impl<'a> FaultyTx<'a> {
    /// Counts a statement. After any error the transaction has failed, as the server's does.
    async fn enter(&mut self, label: &str) -> Result<Option<Kind>, StoreError> {
        let fault = match self.injector.enter(Op::InTransaction, label, false).await {
            Ok(fault) => fault,
            Err(error) => {
                self.inner = None;
                return Err(error);
            }
        };
        if fault == Some(Kind::LostRequest) {
            self.inner = None;
            self.injector.cut();
            return Err(lost(Fault::Transient));
        }
        Ok(fault)
    }

    fn open(&mut self) -> Result<&mut Box<dyn Tx + 'a>, StoreError> {
        self.inner.as_mut().ok_or_else(failed_before)
    }

    async fn ask(&mut self, query: &Query) -> Result<Vec<Record>, StoreError> {
        let label = label(query);
        let fault = self.enter(&label).await?;
        let answer = self.open()?.query(&with_short_deadline(query)).await;
        if let Ok(records) = &answer {
            self.injector.planted.note_answer(query, !self.written.is_empty(), records);
        }
        if answer.is_ok() && writes(query) {
            self.written.push(self.injector.plain(&label));
        }
        if fault == Some(Kind::DeathAfter) {
            self.injector.die().await;
        }
        answer
    }
}

#[async_trait]
impl Tx for FaultyTx<'_> {
    async fn query(&mut self, query: &Query) -> Result<Vec<Record>, StoreError> {
        if query.sql.as_str().starts_with("INSERT INTO enact.run ")
            && let Some(Param::Text(run)) = query.params.first()
        {
            self.injector.note_run(run);
        }
        if self.injector.planted.commits_before(query) {
            for statement in TWO {
                self.open()?.query(&Query::new(Sql::new(statement))).await?;
            }
            self.injector.commit(self.written.drain(..));
        }
        match self.injector.planted.asked(query, !self.written.is_empty()) {
            Asked::Same => self.ask(query).await,
            Asked::Other(other) => self.ask(&other).await,
            Asked::Answered(records) => Ok(records),
            Asked::Later => {
                self.injector.planted.put_off(query);
                Ok(one_row())
            }
        }
    }

    async fn pipeline(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>, (usize, StoreError)> {
        let label = format!("pipeline of {}: {}", queries.len(), queries.first().map(label).unwrap_or_default());
        let fault = self.enter(&label).await.map_err(|error| (0, error))?;
        let answer = self.open().map_err(|error| (0, error))?.pipeline(queries).await;
        if answer.is_ok() {
            self.written.push(self.injector.plain(&label));
        }
        if fault == Some(Kind::DeathAfter) {
            self.injector.die().await;
        }
        answer
    }

    async fn commit(mut self: Box<Self>) -> Result<(), StoreError> {
        let has_effect = !self.written.is_empty();
        let fault = self.injector.enter(Op::Commit, "commit", has_effect).await?;
        let mut inner = self.inner.take().ok_or_else(failed_before)?;
        if fault == Some(Kind::LostRequest) {
            drop(inner);
            self.injector.cut();
            return Err(lost(Fault::InDoubt));
        }
        if let Some(kind @ (Kind::Late | Kind::DeathLate)) = fault {
            inner.query(&Query::new(Sql::new(SEND_COMMIT))).await?;
            drop(inner);
            self.injector.send_commit(std::mem::take(&mut self.written));
            self.injector.cut();
            if kind == Kind::DeathLate {
                self.injector.die().await;
            }
            return Err(lost(Fault::InDoubt));
        }
        let answer = inner.commit().await;
        if answer.is_ok() {
            self.injector.commit(self.written.drain(..));
        }
        match fault {
            Some(Kind::LostReply) => {
                self.injector.cut();
                answer.and(Err(lost(Fault::InDoubt)))
            }
            Some(Kind::DeathAfter) => self.injector.die().await,
            _ => answer,
        }
    }

    async fn rollback(mut self: Box<Self>) -> Result<(), StoreError> {
        let fault = self.enter("rollback").await?;
        let inner = self.inner.take().ok_or_else(failed_before)?;
        let answer = inner.rollback().await;
        if fault == Some(Kind::DeathAfter) {
            self.injector.die().await;
        }
        answer
    }
}

/// The journal's request deadline, which is in whole seconds in a plan, made a short one.
fn with_short_deadline(query: &Query) -> Query {
    let mut query = query.clone();
    for param in &mut query.params {
        if let Param::Json(entry) = param
            && let Some(deadline) = entry.pointer_mut("/opened/request_deadline_ms")
        {
            *deadline = deadline.as_u64().unwrap_or_default().min(DEADLINE_MS).into();
        }
    }
    query
}

fn failed_before() -> StoreError {
    StoreError::new(Fault::Refused, "the transaction had failed before").code("25P02")
}

fn writes(query: &Query) -> bool {
    let sql = query.sql.as_str();
    ["INSERT", "UPDATE", "DELETE"].iter().any(|verb| sql.starts_with(verb))
}

/// The statement's beginning, and a journal entry whole, without its reasons.
fn label(query: &Query) -> String {
    let sql = query.sql.as_str();
    let entry = query.params.iter().find_map(|param| match param {
        Param::Json(value) if sql.starts_with("INSERT INTO enact.journal") => Some(value),
        _ => None,
    });
    match entry {
        Some(entry) if entry.get("undoing").is_some() => "journal: undoing".to_owned(),
        Some(entry) => format!("journal: {entry}"),
        None => sql.chars().take(100).collect(),
    }
}

//! One session: statements, the transaction that may be open, and the link that may be lost.
//!
//! `open` is set before `BEGIN` is sent and cleared when the end of the transaction is known, so a future that is
//! dropped anywhere in between leaves a session that cleans up before its next use.

use std::pin::Pin;

use futures::future::{MaybeDone, maybe_done};
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Error, Row, SimpleQueryMessage, Statement};

use super::dial::Link;
use super::fault::{self, Doing};
use super::statements::Statements;
use super::values;
use crate::store::{Fault, Query, Record, StoreError};

/// Requests in flight at once.
const WINDOW: usize = 256;

/// The state of one connection.
pub(super) struct Session {
    link: Link,
    statements: Statements,
    open: bool,
}

impl Session {
    pub(super) fn new(link: Link) -> Session {
        Session { link, statements: Statements::default(), open: false }
    }

    /// Closes the connection and waits until it is.
    pub(super) async fn close(self) {
        let Link { client, ended: _, task } = self.link;
        drop(client);
        // The only error is that the task was cancelled, which closes the connection as well.
        let _ = task.await;
    }

    /// Cuts the connection without a word.
    pub(super) fn cut(&self) {
        self.link.task.abort();
    }

    /// Runs statements of our own, several in one round trip.
    pub(super) async fn batch(&mut self, text: &str, doing: Doing) -> Result<Vec<SimpleQueryMessage>, StoreError> {
        self.alive()?;
        self.link.client.simple_query(text).await.map_err(|error| self.explain(&error, doing))
    }

    /// Ends a transaction that an abandoned future left open.
    pub(super) async fn settle(&mut self) -> Result<(), StoreError> {
        if self.open {
            self.rollback().await?;
        }
        Ok(())
    }

    pub(super) async fn begin(&mut self, text: &str) -> Result<(), StoreError> {
        self.settle().await?;
        self.open = true;
        let begun = self.batch(text, Doing::Nothing).await;
        if begun.is_err() {
            self.abandon();
        }
        begun.map(|_| ())
    }

    pub(super) async fn rollback(&mut self) -> Result<(), StoreError> {
        let done = self.batch("ROLLBACK", Doing::Nothing).await;
        self.open = self.open && done.is_err();
        done.map(|_| ())
    }

    /// Commits. `COMMIT` of a failed transaction is answered as if it had worked, and the client does not show the
    /// command tag; a statement before it in the same request fails there and keeps `COMMIT` from being looked at.
    pub(super) async fn commit(&mut self) -> Result<(), StoreError> {
        match self.batch("SELECT 1; COMMIT", Doing::Commit).await {
            Ok(_) => {
                self.open = false;
                Ok(())
            }
            Err(error) if error.code.as_deref() == Some("25P02") => {
                Err(StoreError { message: "the transaction had failed before and was rolled back".to_owned(), ..error })
            }
            Err(error) => Err(error),
        }
    }

    /// Rolls back without waiting. The server works requests off in order, so the next one finds a clean session.
    pub(super) fn abandon(&mut self) {
        if self.open {
            self.link.client.__private_api_rollback(None);
            self.open = false;
        }
    }

    /// Runs one statement.
    pub(super) async fn run(&mut self, query: &Query, doing: Doing) -> Result<Vec<Record>, StoreError> {
        let answer = self.run_once(query, doing).await;
        match answer {
            // A table changed its shape under a prepared statement. The server refused before doing anything.
            Err(error) if is_outdated(&error) => {
                self.statements.clear();
                if doing == Doing::Alone { self.run_once(query, doing).await } else { Err(error) }
            }
            other => other,
        }
    }

    async fn run_once(&mut self, query: &Query, doing: Doing) -> Result<Vec<Record>, StoreError> {
        let statement = self.prepared(query).await?;
        let rows = self
            .link
            .client
            .query(&statement, &parameters(query))
            .await
            .map_err(|error| self.explain(&error, doing))?;
        records(&rows)
    }

    /// Runs statements in order, up to [`WINDOW`] ahead of their answers.
    ///
    /// A statement that is not prepared yet waits for those before it, since it may need what they create.
    pub(super) async fn pipeline(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>, (usize, StoreError)> {
        let mut answers = Vec::with_capacity(queries.len());
        while answers.len() < queries.len() {
            let first = answers.len();
            let mut statements = Vec::new();
            for query in queries[first..].iter().take(WINDOW) {
                match self.known(query) {
                    Some(statement) => statements.push(statement),
                    None if statements.is_empty() => {
                        statements.push(self.prepared(query).await.map_err(|error| (first, error))?);
                    }
                    None => break,
                }
            }
            self.window(&queries[first..], &statements, &mut answers).await?;
        }
        Ok(answers)
    }

    async fn window(
        &mut self,
        queries: &[Query],
        statements: &[Statement],
        answers: &mut Vec<Vec<Record>>,
    ) -> Result<(), (usize, StoreError)> {
        let client = &self.link.client;
        let bound: Vec<_> = queries.iter().zip(statements).map(|(query, _)| parameters(query)).collect();
        let mut sent: Vec<Pin<Box<MaybeDone<_>>>> = Vec::with_capacity(statements.len());
        for (statement, values) in statements.iter().zip(&bound) {
            let mut answer = Box::pin(maybe_done(client.query(statement, values)));
            // The first poll sends; polling here one after the other is what keeps the order.
            poll_once(answer.as_mut()).await;
            sent.push(answer);
        }
        let mut failed = None;
        for mut answer in sent {
            answer.as_mut().await;
            let rows: Result<Vec<Row>, Error> =
                answer.as_mut().take_output().unwrap_or_else(|| panic!("BUG: an answer was taken twice"));
            match rows {
                Ok(rows) => answers.push(records(&rows).map_err(|error| (answers.len(), error))?),
                Err(error) => {
                    failed = Some(self.explain(&error, Doing::InTransaction));
                    break;
                }
            }
        }
        match failed {
            None => Ok(()),
            Some(error) => {
                if is_outdated(&error) {
                    self.statements.clear();
                }
                Err((answers.len(), error))
            }
        }
    }

    fn known(&self, query: &Query) -> Option<Statement> {
        self.statements.get(query.sql.as_str(), &types(query))
    }

    async fn prepared(&mut self, query: &Query) -> Result<Statement, StoreError> {
        self.alive()?;
        if let Some(statement) = self.known(query) {
            return Ok(statement);
        }
        let types = types(query);
        let statement = self
            .link
            .client
            .prepare_typed(query.sql.as_str(), &types)
            .await
            .map_err(|error| self.explain(&error, Doing::Nothing))?;
        if statement.params().len() != query.params.len() {
            return Err(StoreError::new(
                Fault::Refused,
                format!("a statement takes {} values and was given {}", statement.params().len(), query.params.len()),
            ));
        }
        values::check_columns(&statement)?;
        self.statements.keep(query.sql.as_str(), &types, statement.clone());
        Ok(statement)
    }

    /// Nothing has been sent when this fails, so nothing can be in doubt.
    fn alive(&self) -> Result<(), StoreError> {
        if self.link.client.is_closed() {
            return Err(fault::lost(Doing::Nothing, self.link.ended.get().map(String::as_str)));
        }
        Ok(())
    }

    fn explain(&self, error: &Error, doing: Doing) -> StoreError {
        match self.link.ended.get() {
            Some(why) if error.as_db_error().is_none() => fault::lost(doing, Some(why)),
            Some(_) | None => fault::of(error, doing),
        }
    }
}

fn types(query: &Query) -> Vec<Type> {
    query.params.iter().map(values::type_of).collect()
}

fn parameters(query: &Query) -> Vec<&(dyn ToSql + Sync)> {
    query.params.iter().map(values::bound).collect()
}

fn records(rows: &[Row]) -> Result<Vec<Record>, StoreError> {
    rows.iter().map(values::record).collect()
}

/// SQLSTATEs of a prepared statement that its tables have outgrown.
fn is_outdated(error: &StoreError) -> bool {
    matches!(error.code.as_deref(), Some("0A000" | "26000"))
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) {
    std::future::poll_fn(|context| {
        let _ = future.as_mut().poll(context);
        std::task::Poll::Ready(())
    })
    .await;
}

//! The relational side.

use async_trait::async_trait;
use serde_json::Value;

use super::error::StoreError;
use super::sql::Sql;

/// A bound value. Statements cast where another type is needed (`$1::text::uuid`).
#[derive(Debug, Clone, PartialEq)]
pub enum Param {
    /// NULL of type text.
    Null,
    /// boolean
    Bool(bool),
    /// bigint
    Int(i64),
    /// text
    Text(String),
    /// text[]
    Texts(Vec<String>),
    /// text[] with NULLs
    OptionalTexts(Vec<Option<String>>),
    /// jsonb
    Json(Value),
}

/// A statement and its values.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The statement.
    pub sql: Sql,
    /// Values for `$1`, `$2`, …
    pub params: Vec<Param>,
}

impl Query {
    /// A statement without values.
    pub fn new(sql: Sql) -> Query {
        Query { sql, params: Vec::new() }
    }

    /// Adds a value.
    #[must_use]
    pub fn bind(mut self, param: Param) -> Query {
        self.params.push(param);
        self
    }
}

/// A value of a result. Statements select only these types and cast the rest to text.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// NULL
    Null,
    /// boolean
    Bool(bool),
    /// smallint, integer, bigint
    Int(i64),
    /// text, name, varchar
    Text(String),
    /// text[]; NULL elements are refused
    Texts(Vec<String>),
    /// json, jsonb
    Json(Value),
}

/// One row of a result, with the names of its columns.
#[derive(Debug, Clone, PartialEq)]
pub struct Record(pub Vec<(String, Cell)>);

impl Record {
    /// The cell at a position.
    pub fn cell(&self, index: usize) -> &Cell {
        self.0.get(index).map_or(&Cell::Null, |(_, cell)| cell)
    }

    /// The text at a position; `None` for NULL and for other types.
    pub fn text(&self, index: usize) -> Option<&str> {
        match self.cell(index) {
            Cell::Text(text) => Some(text),
            Cell::Null | Cell::Bool(_) | Cell::Int(_) | Cell::Texts(_) | Cell::Json(_) => None,
        }
    }

    /// The integer at a position.
    pub fn int(&self, index: usize) -> Option<i64> {
        match self.cell(index) {
            Cell::Int(number) => Some(*number),
            Cell::Null | Cell::Bool(_) | Cell::Text(_) | Cell::Texts(_) | Cell::Json(_) => None,
        }
    }

    /// The boolean at a position, false for NULL.
    pub fn is_true(&self, index: usize) -> bool {
        matches!(self.cell(index), Cell::Bool(true))
    }

    /// The texts at a position, none for NULL.
    pub fn texts(&self, index: usize) -> &[String] {
        match self.cell(index) {
            Cell::Texts(texts) => texts,
            Cell::Null | Cell::Bool(_) | Cell::Int(_) | Cell::Text(_) | Cell::Json(_) => &[],
        }
    }

    /// The JSON at a position.
    pub fn json(&self, index: usize) -> Option<&Value> {
        match self.cell(index) {
            Cell::Json(value) => Some(value),
            Cell::Null | Cell::Bool(_) | Cell::Int(_) | Cell::Text(_) | Cell::Texts(_) => None,
        }
    }
}

/// How a transaction sees and touches the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TxMode {
    /// `REPEATABLE READ READ ONLY`: one snapshot for all reads.
    Snapshot,
    /// `READ COMMITTED READ WRITE`: the main transaction, which locks what it checks.
    ReadWrite,
}

/// One session with the relational store. Everything is done on one connection, so that the advisory lock, the main
/// transaction and the journal live and die together.
#[async_trait]
pub trait Relational: Send {
    /// Runs one statement in a transaction of its own.
    async fn query(&mut self, query: &Query) -> Result<Vec<Record>, StoreError>;

    /// Begins a transaction. Dropping it without `commit` rolls back.
    async fn begin<'a>(&'a mut self, mode: TxMode) -> Result<Box<dyn Tx + 'a>, StoreError>;

    /// Makes the session anew. The lock, prepared statements and an open transaction went with the old one.
    async fn reconnect(&mut self) -> Result<(), StoreError>;

    /// Takes a session advisory lock without waiting; `false` when somebody else holds it.
    async fn try_lock(&mut self, key: i64) -> Result<bool, StoreError>;

    /// Gives the advisory lock back.
    async fn unlock(&mut self, key: i64) -> Result<(), StoreError>;

    /// Who holds the advisory lock, as far as this role may see; `None` when nobody does.
    async fn lock_holder(&mut self, _key: i64) -> Result<Option<LockHolder>, StoreError> {
        Ok(None)
    }
}

/// The session that holds an advisory lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHolder {
    /// The server's process.
    pub pid: i64,
    /// The role it connected as.
    pub user: Option<String>,
    /// The address it connected from; `None` for a Unix socket.
    pub host: Option<String>,
    /// What it calls itself.
    pub application_name: Option<String>,
    /// When its session began, as the database spells it.
    pub since: Option<String>,
}

/// An open transaction.
#[async_trait]
pub trait Tx: Send {
    /// Runs one statement.
    async fn query(&mut self, query: &Query) -> Result<Vec<Record>, StoreError>;

    /// Runs many statements in order without waiting for each answer. Stops at the first error and says which statement
    /// it was, counted from 0.
    async fn pipeline(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>, (usize, StoreError)>;

    /// Commits. A reply that never came is [`Fault::InDoubt`](super::Fault::InDoubt): look for what was written.
    async fn commit(self: Box<Self>) -> Result<(), StoreError>;

    /// Rolls back.
    async fn rollback(self: Box<Self>) -> Result<(), StoreError>;
}

//! PostgreSQL over `tokio-postgres`: one connection, one session.
//!
//! - Connecting follows libpq: connection strings and URLs, `PG*` variables, service and password files, `sslmode`
//!   (`conninfo`, `url`, `layers`, `service`, `settings`, `target`, `passfile`, `tls`, `dial`). Each failure has its own words (`explain`).
//! - The session is set up so that the same row gives the same text everywhere: UTC, ISO dates, exact floats, and
//!   `search_path` `pg_catalog`, so that no name means something else for another role.
//! - Parameters have the type that [`Param`] says (`values`); statements are prepared once (`statements`).
//! - A transaction that is dropped is rolled back, wherever its future was dropped (`session`).
//! - What an error means for how to go on is decided in `fault`.
//! - A lost connection is made again only when the caller asks: the advisory lock went with it, and only the caller knows
//!   what follows.

mod conninfo;
mod dial;
mod explain;
mod fault;
mod layers;
mod passfile;
mod service;
mod session;
mod settings;
mod statements;
mod target;
mod tls;
mod url;
mod values;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio_postgres::SimpleQueryMessage;

use self::conninfo::ConninfoError;
use self::fault::Doing;
use self::layers::Surroundings;
use self::session::Session;
use super::{Fault, LockHolder, Param, Query, Record, Relational, Sql, StoreError, Tx, TxMode};

/// How to connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// `key=value` words or a `postgresql://` URL. May be empty: the environment then says everything.
    pub conninfo: SecretString,
    /// A password kept apart from it; beats every other source.
    pub password: Option<SecretString>,
    /// Shown in `pg_stat_activity` and to whoever finds the lock taken, unless the connection string names another.
    pub application_name: String,
    /// Limit of one attempt to connect, unless the connection string sets one.
    pub connect_timeout_ms: u64,
    /// How long a statement waits for a lock; 0 waits without end.
    pub lock_timeout_ms: u64,
    /// How long a statement may run; 0 is without end.
    pub statement_timeout_ms: u64,
}

impl ConnectOptions {
    /// The usual limits: 10 s to connect, 10 s for a lock, none for a statement.
    pub fn new(conninfo: SecretString) -> ConnectOptions {
        ConnectOptions {
            conninfo,
            password: None,
            application_name: "enact".to_owned(),
            connect_timeout_ms: 10_000,
            lock_timeout_ms: 10_000,
            statement_timeout_ms: 0,
        }
    }
}

/// A session with PostgreSQL.
pub struct Postgres {
    options: ConnectOptions,
    session: Session,
    server: PostgresServerFacts,
}

/// What the server said of itself when the session began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PostgresServerFacts {
    /// Its version, such as `17.4`.
    pub version: String,
    /// The database.
    pub database: String,
    /// The role of the session.
    pub role: String,
}

impl Postgres {
    /// Connects and sets the session up.
    pub async fn connect(options: &ConnectOptions) -> Result<Postgres, StoreError> {
        let target = settings::resolve(options, &Surroundings::of_process()).map_err(|e| refused(&e))?;
        let tls = tls::connector(&target.tls).map_err(|e| refused(&e))?;
        let link = dial::dial(&target, tls.as_ref()).await?;
        let mut session = Session::new(link);
        let limit = target.connect_timeout;
        let answers = tokio::time::timeout(limit, session.batch(&set_up(options), Doing::Nothing))
            .await
            .unwrap_or_else(|_| {
                Err(StoreError::new(Fault::Transient, "PostgreSQL accepted the session and then fell silent"))
            })
            .map_err(|error| error.context("setting up the session"))?;
        Ok(Postgres { options: options.clone(), session, server: facts(&answers) })
    }

    /// What the server said of itself.
    pub fn server(&self) -> &PostgresServerFacts {
        &self.server
    }

    /// Runs named SQL texts of several statements in one transaction, with the names that `psql` would see.
    ///
    /// # Errors
    /// The first failure, with the name of its text; nothing is kept then. A text that ends the transaction itself is
    /// refused, but what it committed stays.
    pub async fn run_scripts(&mut self, scripts: &[(&str, &str)]) -> Result<(), StoreError> {
        const BEGIN: &str = "BEGIN; SET LOCAL search_path = \"$user\", public; SET LOCAL enact.script = 'open'";
        self.session.begin(BEGIN).await?;
        for (name, text) in scripts {
            if let Err(error) = self.script(text).await {
                self.session.rollback().await?;
                return Err(error.context(name));
            }
        }
        self.session.commit().await
    }

    /// Runs one text and looks whether the transaction is still the one it was.
    async fn script(&mut self, text: &str) -> Result<(), StoreError> {
        self.session.batch(text, Doing::InTransaction).await?;
        const OPEN: &str = "SELECT current_setting('enact.script', true) AS script";
        let answers = self.session.batch(OPEN, Doing::InTransaction).await?;
        let is_open = answers.iter().any(|answer| match answer {
            SimpleQueryMessage::Row(row) => row.get(0) == Some("open"),
            _ => false,
        });
        if is_open {
            return Ok(());
        }
        let message = "it ends the transaction that it runs in";
        Err(StoreError::new(Fault::Refused, message).hint("leave BEGIN, COMMIT and ROLLBACK out"))
    }

    /// Closes the connection and waits until it is closed, so that a server with one session can take the next.
    pub async fn close(self) {
        self.session.close().await;
    }
}

#[async_trait]
impl Relational for Postgres {
    async fn query(&mut self, query: &Query) -> Result<Vec<Record>, StoreError> {
        self.session.settle().await?;
        self.session.run(query, Doing::Alone).await
    }

    async fn begin<'a>(&'a mut self, mode: TxMode) -> Result<Box<dyn Tx + 'a>, StoreError> {
        let text = match mode {
            TxMode::Snapshot => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            TxMode::ReadWrite => "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
        };
        self.session.begin(text).await?;
        Ok(Box::new(Transaction { session: &mut self.session }))
    }

    async fn reconnect(&mut self) -> Result<(), StoreError> {
        // A server with one session would make the new one wait for the old.
        self.session.cut();
        let Postgres { session, server, .. } = Postgres::connect(&self.options).await?;
        (self.session, self.server) = (session, server);
        Ok(())
    }

    async fn try_lock(&mut self, key: i64) -> Result<bool, StoreError> {
        let query = Query::new(Sql::new("SELECT pg_catalog.pg_try_advisory_lock($1)")).bind(Param::Int(key));
        let rows = self.query(&query).await?;
        Ok(rows.first().is_some_and(|row| row.is_true(0)))
    }

    async fn unlock(&mut self, key: i64) -> Result<(), StoreError> {
        let query = Query::new(Sql::new("SELECT pg_catalog.pg_advisory_unlock($1)")).bind(Param::Int(key));
        let rows = self.query(&query).await?;
        if rows.first().is_some_and(|row| row.is_true(0)) {
            return Ok(());
        }
        Err(StoreError::new(Fault::Refused, format!("BUG: the advisory lock {key} is not held by this session")))
    }

    async fn lock_holder(&mut self, key: i64) -> Result<Option<LockHolder>, StoreError> {
        let rows = self.query(&Query::new(Sql::new(LOCK_HOLDER)).bind(Param::Int(key))).await?;
        Ok(rows.first().map(|row| LockHolder {
            pid: row.int(0).unwrap_or_default(),
            user: row.text(1).map(str::to_owned),
            host: row.text(2).map(str::to_owned),
            application_name: row.text(3).filter(|name| !name.is_empty()).map(str::to_owned),
            since: row.text(4).map(str::to_owned),
        }))
    }
}

/// A 64-bit advisory key is split over two columns, and `objsubid` is 1 (documentation of `pg_locks`).
const LOCK_HOLDER: &str = "\
SELECT l.pid, a.usename::text, pg_catalog.host(a.client_addr), a.application_name::text, a.backend_start::text \
FROM pg_catalog.pg_locks l \
LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = l.pid \
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
AND l.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) \
AND (l.classid::bigint << 32) | l.objid::bigint = $1";

struct Transaction<'a> {
    session: &'a mut Session,
}

#[async_trait]
impl Tx for Transaction<'_> {
    async fn query(&mut self, query: &Query) -> Result<Vec<Record>, StoreError> {
        self.session.run(query, Doing::InTransaction).await
    }

    async fn pipeline(&mut self, queries: &[Query]) -> Result<Vec<Vec<Record>>, (usize, StoreError)> {
        self.session.pipeline(queries).await
    }

    async fn commit(self: Box<Self>) -> Result<(), StoreError> {
        self.session.commit().await
    }

    async fn rollback(self: Box<Self>) -> Result<(), StoreError> {
        self.session.rollback().await
    }
}

impl Drop for Transaction<'_> {
    fn drop(&mut self) {
        self.session.abandon();
    }
}

/// The statements that begin a session, sent as one request.
///
/// `synchronous_commit` is only raised from `off`: a decision that a crash of the server forgets is none. The timeouts
/// that newer servers have would end a session that waits for an embedder while it holds the lock. Values travel as arrays,
/// and a generic plan takes each array for a hundred values, so every execution is planned for its own.
fn set_up(options: &ConnectOptions) -> String {
    let lock_timeout = options.lock_timeout_ms;
    let statement_timeout = options.statement_timeout_ms;
    format!(
        "SET search_path = pg_catalog; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; \
         SET IntervalStyle = 'postgres'; SET extra_float_digits = 1; SET bytea_output = 'hex'; \
         SET standard_conforming_strings = on; SET plan_cache_mode = force_custom_plan; SET client_encoding = 'UTF8'; SET client_min_messages = warning; \
         SET idle_in_transaction_session_timeout = 0; SET lock_timeout = {lock_timeout}; \
         SET statement_timeout = {statement_timeout}; \
         SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('idle_session_timeout', 'transaction_timeout'); \
         SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'; \
         SELECT current_setting('server_version') AS enact_version, current_database() AS enact_database, \
         current_user AS enact_role"
    )
}

fn facts(answers: &[SimpleQueryMessage]) -> PostgresServerFacts {
    let row = answers.iter().rev().find_map(|answer| match answer {
        SimpleQueryMessage::Row(row) if row.len() == 3 => Some(row),
        _ => None,
    });
    let text = |index: usize| row.and_then(|row| row.get(index)).unwrap_or_default().to_owned();
    PostgresServerFacts { version: text(0), database: text(1), role: text(2) }
}

fn refused(error: &ConninfoError) -> StoreError {
    let result = StoreError::new(Fault::Refused, error.to_string());
    match error.hint() {
        Some(hint) => result.hint(hint),
        None => result,
    }
}

//! The embedded PostgreSQL as a server on loopback, and the doorkeeper in front of its one session.
//!
//! ```text
//! client ──▶ doorkeeper ──▶ (waits for the session) ──▶ engine (PGlite)
//! ```
//!
//! - There is exactly one session. A second client is let in and waits, in order of arrival, until the first has gone.
//! - A client that dies in the middle of a query harms nobody: the engine's answer is drained and its session ends in good
//!   order (the open transaction is rolled back) before the next one begins.
//! - What is not the PostgreSQL protocol never reaches the engine. Requests to cancel are dropped: the one session could
//!   not be interrupted.
//! - `connect as role R` means `SET ROLE R` for the session, as the engine does it; `postgres` is the superuser.
//! - Committed rows survive SIGKILL of this process. They may not survive a power failure: the engine cannot sync files.
//! - There is no password: whoever may open a port on loopback of this machine may read and write.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, copy, sink};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;

use super::engine::{Engine, EngineError};
use super::handshake::{self, Opening};

pub(super) const USER: &str = "postgres";
pub(super) const DATABASE: &str = "postgres";
const OPENING_LIMIT: Duration = Duration::from_secs(10);
/// How long a stop waits for a query that runs. It cannot be interrupted; its transaction is not committed.
const STOP_LIMIT: Duration = Duration::from_secs(20);

/// Why the server did not start or stop.
#[derive(Debug, thiserror::Error)]
pub enum PostgresServerError {
    #[error("address {address} cannot be listened on")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("embedded PostgreSQL does not run")]
    Engine(#[from] EngineError),
    #[error("embedded PostgreSQL closed its first session")]
    FirstSession(#[source] io::Error),
    #[error("embedded PostgreSQL refused its first session: {reason}")]
    Refused { reason: String },
    #[error("a query has not ended {waited_s} s after the stop")]
    Busy { waited_s: u64 },
}

/// A running embedded PostgreSQL. Dropping it ends the sessions but does not wait; `shutdown` does.
#[derive(Debug)]
pub struct PostgresServer {
    address: SocketAddr,
    engine: Engine,
    stopping: watch::Sender<bool>,
    doorkeeper: Option<JoinHandle<()>>,
}

impl PostgresServer {
    /// Serves the files under `data_dir` (made where there are none) and returns when a first session has come up.
    ///
    /// Port 0 picks a free one.
    pub async fn start(data_dir: &Path, bind: SocketAddr) -> Result<Self, PostgresServerError> {
        let listen = |source| PostgresServerError::Listen { address: bind, source };
        let listener = TcpListener::bind(bind).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let engine = Engine::start(data_dir).await?;
        if let Err(error) = first_session(&engine).await {
            engine.abandon();
            return Err(error);
        }
        let (stopping, stopped) = watch::channel(false);
        let doorkeeper = Some(tokio::spawn(keep_the_door(listener, engine.clone(), stopped)));
        Ok(Self { address, engine, stopping, doorkeeper })
    }

    /// How to connect, in the form of a libpq connection string.
    pub fn conninfo(&self) -> String {
        let (host, port) = (self.address.ip(), self.address.port());
        format!("host={host} port={port} user={USER} dbname={DATABASE} sslmode=disable")
    }

    /// Turns every client away, waits for the query that runs, and closes the files.
    pub async fn shutdown(mut self) -> Result<(), PostgresServerError> {
        self.stopping.send_replace(true);
        if let Some(doorkeeper) = self.doorkeeper.take() {
            let mut doorkeeper = doorkeeper;
            if timeout(STOP_LIMIT, &mut doorkeeper).await.is_err() {
                doorkeeper.abort();
                self.engine.abandon();
                return Err(PostgresServerError::Busy { waited_s: STOP_LIMIT.as_secs() });
            }
        }
        Ok(self.engine.stop().await?)
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.stopping.send_replace(true);
        if let Some(doorkeeper) = self.doorkeeper.take() {
            doorkeeper.abort();
            self.engine.abandon();
        }
    }
}

/// Asks whether a server answers, without taking its session.
pub async fn answers(address: SocketAddr, limit: Duration) -> bool {
    let probe = async { handshake::probe(&mut TcpStream::connect(address).await?).await };
    matches!(timeout(limit, probe).await, Ok(Ok(())))
}

async fn first_session(engine: &Engine) -> Result<(), PostgresServerError> {
    let mut stream = engine.connect().await?;
    let hello = handshake::say_hello(&mut stream, USER, DATABASE).await;
    hello.map_err(PostgresServerError::FirstSession)?.map_err(|reason| PostgresServerError::Refused { reason })
}

async fn keep_the_door(listener: TcpListener, engine: Engine, mut stopped: watch::Receiver<bool>) {
    let session = Arc::new(Semaphore::new(1));
    let mut clients = JoinSet::new();
    loop {
        let client = tokio::select! {
            _ = stopped.changed() => break,
            Some(_) = clients.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match client {
            Ok((client, _)) => {
                clients.spawn(serve(client, engine.clone(), session.clone(), stopped.clone()));
            }
            // Out of file descriptors, or a client that left at once: neither is helped by spinning.
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
    drop(listener);
    while clients.join_next().await.is_some() {}
}

async fn serve(mut client: TcpStream, engine: Engine, session: Arc<Semaphore>, mut stopped: watch::Receiver<bool>) {
    let _ = client.set_nodelay(true);
    let opening = tokio::select! {
        _ = stopped.changed() => return,
        opening = timeout(OPENING_LIMIT, handshake::read_opening(&mut client)) => opening,
    };
    let Ok(Ok(Opening::Session(startup))) = opening else { return };
    let permit = tokio::select! {
        _ = stopped.changed() => return,
        () = gone(&client) => return,
        permit = session.acquire() => permit,
    };
    let Ok(_permit) = permit else { return };
    match engine.connect().await {
        Ok(engine) => relay(client, engine, &startup, stopped).await,
        Err(error) => {
            let _ = client.write_all(&handshake::refusal(&error.to_string())).await;
        }
    }
}

/// Ends when the client has closed its side. A client that has more to say already stays.
async fn gone(client: &TcpStream) {
    match client.peek(&mut [0]).await {
        Ok(0) | Err(_) => {}
        Ok(_) => std::future::pending().await,
    }
}

/// Passes bytes both ways until the engine closes. However the client ends, the engine sees an orderly end: its input is
/// closed and its output read to the last byte, because a reset would end its listening thread.
async fn relay(client: TcpStream, engine: TcpStream, startup: &[u8], mut stopped: watch::Receiver<bool>) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_engine, mut to_engine) = engine.into_split();
    let upward = async {
        if to_engine.write_all(startup).await.is_ok() {
            tokio::select! {
                _ = stopped.changed() => {}
                _ = copy(&mut from_client, &mut to_engine) => {}
            }
        }
        let _ = to_engine.shutdown().await;
    };
    let downward = async {
        if copy(&mut from_engine, &mut to_client).await.is_err() {
            let _ = copy(&mut from_engine, &mut sink()).await;
        }
        let _ = to_client.shutdown().await;
    };
    tokio::pin!(upward, downward);
    let first = tokio::select! {
        () = &mut upward => true,
        () = &mut downward => false,
    };
    if first {
        downward.await;
    }
}

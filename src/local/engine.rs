//! PGlite behind a private port: one PostgreSQL session at a time, in this process.
//!
//! What its library (`pglite-oxide` 0.5.1) asks of us, found by reading and by trying:
//!
//! - Everything it does blocks, and it owns a tokio runtime of its own: it is started and stopped on plain threads, never
//!   on a worker or a blocking thread of ours (a runtime may not be entered from within another).
//! - Its listening thread *ends* with the first connection that breaks (a reset, a packet that is not the protocol), and
//!   everybody after that is refused. So no client ever reaches it: the doorkeeper (`postgres`) talks to it, always in
//!   whole start-ups and orderly goodbyes, and [`Engine::connect`] starts it again where it ended all the same.
//! - It runs with `fsync` off and cannot do otherwise: with it on, a directory cannot be synced through its file system
//!   and the server panics. A committed row is in the hands of the kernel: it outlives this process, not the machine.
//! - It starts anew for every session, and clears its shared buffers each time: of 128 MB, which is its default, that was
//!   two thirds of the time that a connection took.
//! - It unpacks its runtime (about 100 MB, once for each user, under a file lock) below
//!   `$XDG_CACHE_HOME/pglite-oxide`, else `~/.cache/pglite-oxide`, home being `HOME` or the entry of the user database.
//!   The data directory refers to that cache but does not need it: it is made anew when it is gone.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pglite_oxide::PgliteServer;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

/// Why the engine does not run.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The library's own words; it has no kinds to match on.
    #[error("embedded PostgreSQL failed: {reason}")]
    Failed { reason: String },
    #[error("the files of the embedded PostgreSQL cannot be written")]
    NotWritable { source: io::Error },
    #[error("embedded PostgreSQL ended while it was being started")]
    Ended,
}

/// One data directory being served. Cheap to clone; all clones are the same engine.
#[derive(Debug, Clone)]
pub struct Engine {
    root: Arc<PathBuf>,
    server: Arc<Mutex<Option<PgliteServer>>>,
}

impl Engine {
    /// Opens the data directory, and makes it where there is none. No session is started yet.
    pub async fn start(root: &Path) -> Result<Self, EngineError> {
        std::fs::create_dir_all(root).map_err(|source| EngineError::NotWritable { source })?;
        let engine = Self { root: Arc::new(root.to_owned()), server: Arc::default() };
        engine.restart().await?;
        Ok(engine)
    }

    /// Connects to the engine, and starts it again once if it has ended.
    pub async fn connect(&self) -> Result<TcpStream, EngineError> {
        if let Ok(stream) = self.connect_once().await {
            return Ok(stream);
        }
        self.restart().await?;
        self.connect_once().await.map_err(|error| EngineError::Failed { reason: error.to_string() })
    }

    /// Stops the engine. Its one session must have ended, or this waits for it.
    pub async fn stop(&self) -> Result<(), EngineError> {
        let server = self.server.clone();
        on_a_thread(move || match lock(&server).take() {
            Some(server) => server.shutdown().map_err(failed),
            None => Ok(()),
        })
        .await
    }

    /// Stops the engine on a thread of its own and does not wait.
    pub fn abandon(&self) {
        let server = self.server.clone();
        std::thread::spawn(move || drop(lock(&server).take()));
    }

    async fn connect_once(&self) -> io::Result<TcpStream> {
        let address = lock(&self.server).as_ref().and_then(PgliteServer::tcp_addr);
        let stream = TcpStream::connect(address.ok_or(io::ErrorKind::NotConnected)?).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn restart(&self) -> Result<(), EngineError> {
        let (root, server) = (self.root.clone(), self.server.clone());
        on_a_thread(move || {
            let mut server = lock(&server);
            drop(server.take()); // Gives the library's own lock on the directory back.
            *server = Some(open(&root)?);
            Ok(())
        })
        .await
    }
}

const SHARED_BUFFERS: &str = "16MB";

fn open(root: &Path) -> Result<PgliteServer, EngineError> {
    PgliteServer::builder()
        .path(root)
        .tcp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .username(super::postgres::USER)
        .database(super::postgres::DATABASE)
        .postgres_config("shared_buffers", SHARED_BUFFERS)
        .start()
        .map_err(failed)
}

fn failed(error: impl std::fmt::Debug + std::fmt::Display) -> EngineError {
    // The alternate form of the library's error is its whole chain in one line.
    EngineError::Failed { reason: format!("{error:#}") }
}

fn lock(server: &Mutex<Option<PgliteServer>>) -> MutexGuard<'_, Option<PgliteServer>> {
    server.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EngineError> + Send + 'static,
) -> Result<T, EngineError> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || sender.send(work()).ok());
    receiver.await.map_err(|_| EngineError::Ended)?
}

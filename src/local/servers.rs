//! Running the two servers over one data directory, or finding those that run.
//!
//! ```text
//! attach ─▶ lock free?  ─ yes ─▶ start both here, for one command        ─▶ Started
//!               │ no
//!               ▼
//!           held by `local up`, servers.json there, both answer?  ─ yes ─▶ Running
//!               │ no (starting, stopping, or another command's own servers)
//!               └─ look again until the limit ─▶ Locked
//! ```
//!
//! - Another command's own servers are not joined: they would end in the middle of our work.
//! - `servers.json` is written when both answer, never earlier; whatever a killed process left is removed first.
//! - A server that was started is stopped again when the other does not start.

use std::fmt;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use super::cache;
use super::data_dir::{DataDir, Lock, Purpose, ServersFile};
use super::engine::EngineError;
use super::error::LocalError;
use super::postgres::{self, PostgresServer, PostgresServerError};
use super::qdrant::{QdrantServer, QdrantServerError};

/// How long [`attach`] waits for servers that another process is starting, stopping or using alone.
pub const ATTACH_LIMIT: Duration = Duration::from_secs(30);
const LOOK_AGAIN: Duration = Duration::from_millis(50);
const ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// Where the servers answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// A libpq connection string.
    pub postgres: String,
    /// The gRPC address.
    pub qdrant: String,
    pub pid: u32,
}

/// The addresses to listen on; port 0 picks a free one.
#[derive(Debug, Clone, Copy)]
pub struct Addresses {
    pub postgres: SocketAddr,
    pub qdrant: SocketAddr,
}

/// Servers that a command can use.
#[derive(Debug)]
pub enum Attached {
    /// Those of `enact local up`.
    Running(Endpoints),
    /// Our own, to be stopped when the command ends.
    Started(LocalServers),
}

/// Both servers, running in this process. [`LocalServers::stop`] is the clean end; a drop is as good as a crash.
pub struct LocalServers {
    endpoints: Endpoints,
    postgres: PostgresServer,
    qdrant: QdrantServer,
    dir: DataDir,
    // Last, so that a drop gives the lock back after the servers are on their way out.
    lock: Lock,
}

impl Default for Addresses {
    fn default() -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        Self { postgres: any, qdrant: any }
    }
}

impl fmt::Debug for LocalServers {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("LocalServers").field("endpoints", &self.endpoints).finish_non_exhaustive()
    }
}

impl Attached {
    pub fn endpoints(&self) -> &Endpoints {
        match self {
            Self::Running(endpoints) => endpoints,
            Self::Started(servers) => servers.endpoints(),
        }
    }

    /// Stops what was started for this command, and leaves what others run.
    pub async fn finish(self) -> Result<(), LocalError> {
        match self {
            Self::Running(_) => Ok(()),
            Self::Started(servers) => servers.stop().await,
        }
    }
}

/// Uses the running servers, else starts them in this process for one command.
pub async fn attach(dir: &Path) -> Result<Attached, LocalError> {
    attach_within(dir, ATTACH_LIMIT).await
}

/// As [`attach`], with another limit on the wait for a process that holds the lock.
pub async fn attach_within(dir: &Path, limit: Duration) -> Result<Attached, LocalError> {
    let dir = DataDir::at(dir);
    dir.ensure()?;
    let deadline = Instant::now() + limit;
    loop {
        if let Some(lock) = dir.try_lock(Purpose::OneCommand)? {
            return Ok(Attached::Started(LocalServers::start_locked(dir, lock, Addresses::default()).await?));
        }
        if let Some(endpoints) = shared_endpoints(&dir).await? {
            return Ok(Attached::Running(endpoints));
        }
        if Instant::now() >= deadline {
            return Err(locked(&dir));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

impl LocalServers {
    /// Starts both servers for everybody (`enact local up`), on free ports.
    pub async fn start(dir: &Path) -> Result<Self, LocalError> {
        Self::start_on(dir, Addresses::default()).await
    }

    /// As [`LocalServers::start`], on given addresses.
    pub async fn start_on(dir: &Path, addresses: Addresses) -> Result<Self, LocalError> {
        let dir = DataDir::at(dir);
        dir.ensure()?;
        match dir.try_lock(Purpose::Shared)? {
            Some(lock) => Self::start_locked(dir, lock, addresses).await,
            None => Err(locked(&dir)),
        }
    }

    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Ends the sessions, writes everything down and gives the directory back.
    pub async fn stop(self) -> Result<(), LocalError> {
        let Self { endpoints: _, postgres, qdrant, dir, lock } = self;
        dir.remove_servers(&lock)?;
        let (postgres, qdrant) = tokio::join!(postgres.shutdown(), qdrant.shutdown());
        drop(lock);
        postgres.map_err(LocalError::NotStopped)?;
        qdrant.map_err(LocalError::Qdrant)
    }

    async fn start_locked(dir: DataDir, lock: Lock, addresses: Addresses) -> Result<Self, LocalError> {
        dir.remove_servers(&lock)?;
        cache::check()?;
        let postgres_dir = dir.postgres();
        let (postgres, qdrant) = tokio::join!(
            boxed(PostgresServer::start(&postgres_dir, addresses.postgres)),
            boxed(start_qdrant(&dir, addresses.qdrant)),
        );
        let (postgres, qdrant) = match (postgres, qdrant) {
            (Ok(postgres), Ok(qdrant)) => (postgres, qdrant),
            (Err(error), other) => {
                if let Ok(qdrant) = other {
                    let _ = qdrant.shutdown().await;
                }
                return Err(postgres_error(&dir, error));
            }
            (Ok(postgres), Err(error)) => {
                let _ = postgres.shutdown().await;
                return Err(error);
            }
        };
        let endpoints = Endpoints { postgres: postgres.conninfo(), qdrant: qdrant.url(), pid: std::process::id() };
        let servers = Self { endpoints, postgres, qdrant, dir, lock };
        servers.dir.write_servers(&servers.lock, &servers.file())?;
        Ok(servers)
    }

    fn file(&self) -> ServersFile {
        let Endpoints { postgres, qdrant, pid } = self.endpoints.clone();
        ServersFile { pid, postgres, qdrant, started_at: jiff::Timestamp::now() }
    }
}

/// Reads the endpoints of a shared holder, if both of them answer.
async fn shared_endpoints(dir: &DataDir) -> Result<Option<Endpoints>, LocalError> {
    let Some(holder) = dir.holder() else { return Ok(None) };
    match holder.purpose {
        Purpose::Shared => {}
        Purpose::OneCommand | Purpose::Reset => return Ok(None),
    }
    let Some(ServersFile { pid, postgres, qdrant, started_at: _ }) = dir.servers()? else { return Ok(None) };
    // What another process left is not what the holder serves.
    if pid != holder.process.pid {
        return Ok(None);
    }
    let (Some(postgres_at), Some(qdrant_at)) = (conninfo_address(&postgres), url_address(&qdrant)) else {
        return Ok(None);
    };
    let qdrant_answers = tokio::time::timeout(ANSWER_LIMIT, tokio::net::TcpStream::connect(qdrant_at));
    let (postgres_answers, qdrant_answers) = tokio::join!(postgres::answers(postgres_at, ANSWER_LIMIT), qdrant_answers);
    let both = postgres_answers && matches!(qdrant_answers, Ok(Ok(_)));
    Ok(both.then_some(Endpoints { postgres, qdrant, pid }))
}

fn locked(dir: &DataDir) -> LocalError {
    LocalError::Locked { dir: dir.root().to_owned(), pid: dir.holder().map(|holder| holder.process.pid) }
}

/// The one place that knows how the embedded Qdrant is started.
async fn start_qdrant(dir: &DataDir, bind: SocketAddr) -> Result<QdrantServer, LocalError> {
    let path = dir.qdrant();
    QdrantServer::start(&path, bind).await.map_err(|error| match error {
        QdrantServerError::Listen { address, source } => listen_error(address, source),
        QdrantServerError::Directory { path, source } => LocalError::NotWritable { path, source },
        error @ (QdrantServerError::InUse { .. }
        | QdrantServerError::Stored { .. }
        | QdrantServerError::Serving(_)
        | QdrantServerError::Panicked(_)) => LocalError::Qdrant(error),
    })
}

fn listen_error(address: SocketAddr, source: std::io::Error) -> LocalError {
    match source.kind() {
        std::io::ErrorKind::AddrInUse => LocalError::PortInUse { address },
        _ => LocalError::Listen { address, source },
    }
}

fn postgres_error(dir: &DataDir, error: PostgresServerError) -> LocalError {
    match error {
        PostgresServerError::Listen { address, source } => listen_error(address, source),
        PostgresServerError::Engine(EngineError::NotWritable { source }) => {
            LocalError::NotWritable { path: dir.postgres(), source }
        }
        error @ (PostgresServerError::Engine(_)
        | PostgresServerError::FirstSession(_)
        | PostgresServerError::Refused { .. }
        | PostgresServerError::Busy { .. }) => LocalError::Postgres(error),
    }
}

/// Keeps the two futures of a start off the stack of every caller.
fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>> {
    Box::pin(future)
}

fn conninfo_address(conninfo: &str) -> Option<SocketAddr> {
    let value = |key: &str| conninfo.split_whitespace().find_map(|part| part.strip_prefix(key)?.strip_prefix('='));
    Some(SocketAddr::new(value("host")?.parse().ok()?, value("port")?.parse().ok()?))
}

fn url_address(url: &str) -> Option<SocketAddr> {
    url::Url::parse(url).ok()?.socket_addrs(|| None).ok()?.into_iter().next()
}

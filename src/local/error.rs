//! What can go wrong with the local servers, in sentences that end with what to do.
//!
//! The variants are the kinds a caller tells apart (`Locked` is its own exit code); `Display` never prints its source.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use super::postgres::PostgresServerError;
use super::qdrant::QdrantServerError;

/// Why the local servers could not be started, found, stopped or reset.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// Another process runs the servers and does not share them, or has not answered in time.
    #[error("the local data directory \"{}\" is in use by {}; wait for it, or run `enact local down`", .dir.display(), holder(*.pid))]
    Locked { dir: PathBuf, pid: Option<u32> },
    /// The process that holds the lock runs one command; `local down` must not interrupt it.
    #[error("process {pid} is running a command on \"{}\"; wait until it has ended", .dir.display())]
    CommandRunning { dir: PathBuf, pid: u32 },
    #[error("\"{}\" cannot be read as a list of servers; stop the servers, delete the file and start again", .path.display())]
    CorruptServersFile { path: PathBuf, source: serde_json::Error },
    #[error("address {address} is in use; stop what listens there, or choose another port")]
    PortInUse { address: SocketAddr },
    #[error("address {address} cannot be listened on")]
    Listen { address: SocketAddr, source: io::Error },
    #[error("\"{}\" cannot be written; check its owner and permissions, or choose another data directory", .path.display())]
    NotWritable { path: PathBuf, source: io::Error },
    #[error("\"{}\" cannot be read; check its owner and permissions", .path.display())]
    NotReadable { path: PathBuf, source: io::Error },
    #[error("the cache directory \"{}\" cannot be written; set XDG_CACHE_HOME to a directory that can", .path.display())]
    CacheNotWritable { path: PathBuf, source: io::Error },
    #[error("\"{}\" is a symbolic link; remove it or put a directory in its place", .path.display())]
    SymbolicLink { path: PathBuf },
    #[error("\"{}\" is not a data directory of enact (it has no file \"lock\"); name the right directory", .path.display())]
    NotADataDirectory { path: PathBuf },
    #[error("the embedded PostgreSQL did not start; if its files are damaged, run `enact local reset`")]
    Postgres(#[source] PostgresServerError),
    #[error("the embedded Qdrant did not start; if its files are damaged, run `enact local reset`")]
    Qdrant(#[source] QdrantServerError),
    #[error("the local servers did not stop cleanly; committed data is safe, and the next start recovers")]
    NotStopped(#[source] PostgresServerError),
    #[error("process {pid} did not stop in {waited_s} s; end it by hand")]
    StopTimedOut { pid: u32, waited_s: u64 },
    #[error("process {pid} could not be asked to stop; are you its owner?")]
    NotSignalled { pid: u32, source: io::Error },
}

fn holder(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}

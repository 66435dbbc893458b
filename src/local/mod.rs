//! The embedded servers: PostgreSQL (PGlite) and a Qdrant-compatible server over Qdrant Edge.
//!
//! ```text
//! servers   attach, start, stop: both servers over one data directory
//! control   status, stop from outside, reset
//! data_dir  the layout on disk, the lock, servers.json
//! postgres  the doorkeeper on loopback ─▶ engine (PGlite), with handshake for the first bytes
//! qdrant    the gRPC server over the shards
//! schema    the SQL that ships with Enact
//! corpus    Markdown files as units ─▶ load: units into the reference schema
//! ```
//!
//! Both speak the ordinary wire protocols, so everything above knows one kind of store: `tokio-postgres` and
//! `qdrant-client`. *Not here:* any client of either, and any decision about what is in them.

mod cache;
mod control;
pub mod corpus;
mod data_dir;
mod engine;
mod error;
mod handshake;
pub mod load;
mod postgres;
mod process;
pub mod qdrant;
pub mod schema;
mod servers;
#[cfg(test)]
mod tests;

pub use cache::directory as runtime_cache;
pub use control::{LocalStatus, Removed, Stopped, reset, status, stop_running};
pub use data_dir::ServersFile;
pub use engine::EngineError;
pub use error::LocalError;
pub use postgres::{PostgresServer, PostgresServerError};
pub use servers::{ATTACH_LIMIT, Addresses, Attached, Endpoints, LocalServers, attach, attach_within};

//! A Qdrant server for one machine: the gRPC surface of Qdrant over Qdrant Edge shards, in this process, on
//! loopback. What talks to a Qdrant server talks to this one, with the same client and the same error wording.
//!
//! ```text
//! gRPC (qdrant-client's server traits)   collections.rs  points.rs
//! proto <-> edge                         config.rs index.rs filter.rs query.rs values.rs vectors.rs ...
//! names, aliases, create, delete         catalog.rs
//! one collection: locks, shard, file     collection.rs
//! disk                                   <data_dir>/lock
//!                                        <data_dir>/aliases.json
//!                                        <data_dir>/collections/<encoded name>/{collection.json, shard files}
//!                                        <data_dir>/collections/.new-*    a create that did not finish
//!                                        <data_dir>/collections/.trash-*  a delete that did not finish
//! ```
//!
//! **Served.** Collections: create, get, list, exists, update, delete; aliases in one atomic request; points:
//! upsert, update and delete vectors, delete, get, scroll, count, facet, payload set/overwrite/delete/clear,
//! field indexes, query and query batch (nearest by vector or id, MMR, fusion RRF/DBSF, order by, sample,
//! nested prefetches), the older search and search batch, update batch. Everything else, as a request or as a
//! field, answers `unimplemented` by name; nothing is dropped in silence.
//!
//! **Rules.**
//! - A write with `wait` is answered after the shard is flushed to disk, once for the request. A write without
//!   it is applied before the answer too, but is only sure to survive a crash after a later flush.
//! - A refused write changes nothing: ids, names and dimensions are checked before the shard sees the request.
//! - A collection exists or does not after a crash, never half: it is made beside its place and renamed in, and
//!   renamed out before it is removed. Aliases are one file, replaced as a whole.
//! - The shard's write-ahead log is not replayed on load, so it protects nothing here; its closed parts are
//!   removed when a collection is opened. They do grow while a server runs.
//! - Writes to one collection are in sequence; reads run beside them. Blocking work is on blocking threads.
//! - After writes enough the shard is optimised in the background, as Qdrant does: that builds the HNSW index
//!   and clears deleted points. A crash in the middle is found by a marker file and repaired at the next start.
//!
//! **Hints**, accepted, echoed and otherwise without effect: `memory` placement other than cold, the point id
//! tracker, the write-ahead log settings, flush interval, memmap threshold, optimisation threads, ordering, read
//! consistency, timeouts, read fan-out. A replication factor, shard number or write consistency of one says what
//! is so.
//!
//! *Not here*: replicas, shards, snapshots, users, TLS, inference. Use a Qdrant server for those.

mod catalog;
mod collection;
mod collections;
mod config;
mod config_merge;
mod files;
mod filter;
mod index;
mod points;
mod query;
mod reads;
mod refusal;
mod server;
mod unserved;
mod values;
mod vectors;
mod writes;

#[cfg(test)]
mod tests;

pub use server::{QdrantServer, QdrantServerError};

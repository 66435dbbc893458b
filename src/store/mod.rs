//! The two stores behind traits.
//!
//! [`Relational`] is PostgreSQL, [`VectorStore`] is Qdrant. No client type leaves this module. Statements are built from
//! [`Sql`], which takes static text, quoted identifiers and a binding's own expressions, never a value; values are
//! [`Param`]s. Mutating calls on the vector side are named `ensure_*` and are idempotent. Every error is a
//! [`StoreError`] with a [`Fault`]; retries and recovery read the fault, never the message.

mod error;
pub mod postgres;
pub mod qdrant;
mod relational;
mod sql;
mod vector;

pub use error::{Fault, StoreError};
pub use relational::{Cell, LockHolder, Param, Query, Record, Relational, Tx, TxMode};
pub use sql::Sql;
pub use vector::{
    CollectionSpec, KeyFacts, NamedVector, POINTS_PER_READ, POINTS_PER_WRITE, Pace, Point, PointPage, Scored,
    SearchQuery, ServerFacts, SparseVector, VectorStore, WithVectors,
};

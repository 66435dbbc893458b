//! The embedded servers: PostgreSQL (PGlite) and a Qdrant-compatible server over Qdrant Edge.

pub mod qdrant;

//! The two stores behind traits: PostgreSQL and Qdrant.

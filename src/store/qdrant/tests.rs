//! Qdrant for real.

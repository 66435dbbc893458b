//! Reads both stores. Never writes.

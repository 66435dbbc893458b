//! PostgreSQL for real.

//! Observes again and compares with what was planned.

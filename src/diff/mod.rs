//! Compares desired with observed state. Pure.

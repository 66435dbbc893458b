//! Cuts a unit into chunks under a chunk policy. Pure.

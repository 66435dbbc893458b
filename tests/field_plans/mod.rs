//! The field's two packages as plans, on the embedded PostgreSQL and again on a real PostgreSQL 15 with the reference roles.
//!
//! Each body is written once and runs on both. Functions are named after the lessons (`l1` to `l7`) and the items (`o1` to
//! `o12`) that the field guide lists.

mod embeddings;
mod exports;
mod guide;
mod items;
mod lessons;
mod numbers;
mod reverts;
mod watching;
mod world;

/// One test for each backend.
macro_rules! on_both {
    ($($name:ident),+ $(,)?) => {
        mod embedded {
            $(#[test] fn $name() { super::$name(crate::field_plans::world::Backend::Embedded); })+
        }
        mod postgres15 {
            $(#[test(postgres)] fn $name() { super::$name(crate::field_plans::world::Backend::Postgres15); })+
        }
    };
}
use on_both;

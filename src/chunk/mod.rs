//! Cuts a unit into chunks under a chunk policy. Pure.
//!
//! ```text
//! body ── splitter ──▶ bodies (each <= max_chars) ── template ──▶ texts (what is embedded)
//! ```
//!
//! - Lengths are counted in Unicode scalar values (`char`), never in bytes and never in tokens: the same everywhere,
//!   and independent of the embedder.
//! - Every chunk body is a slice of the unit's body with its outer whitespace removed. Together the chunk bodies hold every
//!   character that is not whitespace, in order; with an overlap some of them twice.
//! - A whitespace-only body is a decision of the author ([`EmptyBody`](crate::model::EmptyBody)), never a silent gap: without one, [`split`] is an error.
//! - Same policy and same input give the same chunks on every machine. [`ChunkPolicy::identity`](crate::model::ChunkPolicy::identity) is what
//!   a chunk's text depends on beside its unit, and goes into point digests.
//!
//! *Not here:* which units are cut, point ids, token counts (`embed`).

mod policy;
mod sentence;
mod split;
#[cfg(test)]
mod tests;

pub use policy::{PolicyError, TEXT_SPLITTER_VERSION, UNICODE_SEGMENTATION_VERSION};
pub use split::{Chunk, ChunkError, ChunkInput, split};

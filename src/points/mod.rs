//! What a point is: its id, its digest, its payload, and the collection that holds it. Pure.
//!
//! ```text
//! chunk + payload + policy + embedders ──▶ PointIdentity ──▶ digest ──▶ id (scheme content)
//!                                   key of the chunk ─────────────────▶ id (scheme key; the digest stands in the payload)
//! payload = what an author asked for + `_enact` (parts)
//! ```
//!
//! - Nobody else spells the names of payload fields, of Enact's own parts, of metadata, or of staged collections.
//! - Ids and digests are bytes; text only where they are printed or serialised.
//!
//! *Not here:* which points should exist (`diff`), reading them (`observe`), writing them (`apply`).

mod collection;
mod fingerprint;
mod identity;
mod key;
mod parts;
mod payload;
mod recipe;
mod shape;

pub use collection::{GENERATION_KEY, SET_KEY, staged_collection, stamp};
pub use fingerprint::{
    BUCKET_FIELDS, BUCKETS, add_buckets, bucket_text, buckets, buckets_said, has_buckets, is_bucket_field,
    with_bucket_indexes, without_buckets,
};
pub use identity::PointIdentity;
pub use key::{chunk_id, ledger_key, point_key};
pub use parts::{
    PARTS_FIELD, Parts, PointFacts, PointSaid, point_facts, said, set_of, standing, text_stand_in, unit_of,
};
pub use payload::{Asked, CHUNK_FIELDS, ChunkView, payload};
pub use recipe::{MadeWith, Recipe, input_digest, input_digest_of, recipe, template_fields, with_state};
pub use shape::has_shape;

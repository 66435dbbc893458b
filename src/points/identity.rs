//! What a point is made of.

use serde::{Deserialize, Serialize};
use uuid::Builder;

use crate::model::{Digest, PointId, digest_of};

/// What a point is made of. In the id scheme `content` its id is derived from the digest of this, so that a point never
/// changes under its id; in the scheme `key` the digest is kept in the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointIdentity {
    /// The vector set.
    pub set: String,
    /// The unit's id.
    pub unit: String,
    /// The chunk's place in its unit, from 0.
    pub ordinal: u32,
    /// Digest of the chunk's text as embedded.
    pub text: Digest,
    /// Digest of the payload an author asked for.
    pub payload: Digest,
    /// Digest of the chunk policy with the splitter's version.
    pub policy: Digest,
    /// Digest of the embedders' identities and the sparse parameters.
    pub embedders: Digest,
}

impl PointIdentity {
    /// The digest of it.
    pub fn digest(&self) -> Digest {
        digest_of(self)
    }

    /// The point's id: a UUID version 8 (RFC 9562 section 5.8) of the first 128 bits of the identity's digest.
    pub fn id(&self) -> PointId {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.digest().as_bytes()[..16]);
        PointId::Uuid(Builder::from_custom_bytes(bytes).into_uuid())
    }
}

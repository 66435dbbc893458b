//! Why an observation failed.

use crate::chunk::ChunkError;
use crate::model::Diagnostics;
use crate::store::StoreError;

/// Why an observation failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ObserveError {
    /// A store did not answer, or said no.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What the plan files refer to is not there or does not hold.
    #[error("the plan does not fit the live stores")]
    Refused(Diagnostics),
    /// A unit cannot be cut.
    #[error("a unit cannot be cut into chunks")]
    Chunk(#[from] ChunkError),
    /// `init` has not been run.
    #[error("this database has no schema \"enact\" yet")]
    NotInitialised,
}

impl From<Diagnostics> for ObserveError {
    fn from(diagnostics: Diagnostics) -> ObserveError {
        ObserveError::Refused(diagnostics)
    }
}

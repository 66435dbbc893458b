//! Why a call is refused, in the words and the gRPC codes of the Qdrant server, so that a client which
//! reads either cannot tell the two servers apart.

use qdrant_edge::OperationError;
use tonic::{Code, Status};

/// A refused or failed call. `Display` is the message on the wire, in the server's own wording.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refusal {
    #[error("Wrong input: {0}")]
    BadInput(String),
    #[error("Wrong input: Collection `{0}` already exists!")]
    CollectionExists(String),
    #[error("Not found: Collection `{0}` doesn't exist!")]
    NoCollection(String),
    #[error("Not found: Alias {0} does not exists!")]
    NoAlias(String),
    #[error("Not found: No point with id {0} found")]
    NoPoint(String),
    #[error("the local Qdrant server does not serve \"{0}\"; use a Qdrant server")]
    Unserved(String),
    #[error("Service internal error: {0}")]
    Internal(String),
}

impl Refusal {
    pub(super) fn bad_input(reason: impl Into<String>) -> Refusal {
        Refusal::BadInput(reason.into())
    }

    pub(super) fn unserved(request: impl Into<String>) -> Refusal {
        Refusal::Unserved(request.into())
    }

    fn code(&self) -> Code {
        match self {
            Refusal::BadInput(_) => Code::InvalidArgument,
            Refusal::CollectionExists(_) => Code::AlreadyExists,
            Refusal::NoCollection(_) | Refusal::NoAlias(_) | Refusal::NoPoint(_) => Code::NotFound,
            Refusal::Unserved(_) => Code::Unimplemented,
            Refusal::Internal(_) => Code::Internal,
        }
    }
}

impl From<Refusal> for Status {
    fn from(refusal: Refusal) -> Status {
        Status::new(refusal.code(), refusal.to_string())
    }
}

impl From<OperationError> for Refusal {
    fn from(error: OperationError) -> Refusal {
        match error {
            OperationError::PointIdError { missed_point_id } => Refusal::NoPoint(missed_point_id.to_string()),
            OperationError::ServiceError { description, .. } => Refusal::Internal(description),
            OperationError::InconsistentStorage { .. }
            | OperationError::OutOfMemory { .. }
            | OperationError::Cancelled { .. }
            | OperationError::Timeout { .. } => Refusal::Internal(error.to_string()),
            OperationError::WrongVectorDimension { .. }
            | OperationError::VectorNameNotExists { .. }
            | OperationError::TypeError { .. }
            | OperationError::TypeInferenceError { .. }
            | OperationError::ValidationError { .. }
            | OperationError::WrongSparse
            | OperationError::WrongMulti
            | OperationError::MissingRangeIndexForOrderBy { .. }
            | OperationError::MissingMapIndexForFacet { .. }
            | OperationError::VariableTypeError { .. }
            | OperationError::NonFiniteNumber { .. } => Refusal::BadInput(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Refusal {
        Refusal::Internal(error.to_string())
    }
}

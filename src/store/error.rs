//! What a store answered instead of a result.

/// How to go on after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The store understood and said no, or the request is wrong. Nothing was done; asking again gives the same.
    Refused,
    /// Nothing was done; asking again may work.
    Transient,
    /// It may or may not have been done: look before going on.
    InDoubt,
    /// Somebody else changed or holds what was asked for. Nothing was done.
    Conflict,
}

/// An error of a store.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    /// How to go on.
    pub fault: Fault,
    /// Users' words: what was asked and what the store said, without secrets.
    pub message: String,
    /// What to type or change, where that is known.
    pub hint: Option<String>,
    /// The store's own code: a SQLSTATE such as `23505`, or a gRPC code such as `NotFound`.
    pub code: Option<String>,
}

impl StoreError {
    /// Makes an error.
    pub fn new(fault: Fault, message: impl Into<String>) -> StoreError {
        StoreError { fault, message: message.into(), hint: None, code: None }
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> StoreError {
        self.hint = Some(hint.into());
        self
    }

    /// Adds the store's code.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> StoreError {
        self.code = Some(code.into());
        self
    }

    /// Puts what was being done before the message.
    #[must_use]
    pub fn context(mut self, doing: &str) -> StoreError {
        self.message = format!("{doing}: {}", self.message);
        self
    }
}

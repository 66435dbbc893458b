//! What an answer of Qdrant means for how to go on.
//!
//! | status | a read | a write |
//! | --- | --- | --- |
//! | the connection could not be made | Transient | Transient: nothing was sent |
//! | `Unavailable`, `Cancelled`, `DeadlineExceeded`, `Unknown`, `Internal`, `Aborted`, `DataLoss` | Transient | InDoubt |
//! | `ResourceExhausted` | Transient | Transient: refused before it was done |
//! | `AlreadyExists` | Conflict | Conflict |
//! | everything else | Refused | Refused |
//!
//! `Internal` is in doubt on a write because Qdrant reports a failure of one shard or replica with it.

use qdrant_client::qdrant::{PointsOperationResponse, UpdateStatus};
use tonic::{Code, ConnectError, Status};

use super::retry::retry_after;
use crate::store::{Fault, StoreError};

/// What kind of request it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Call {
    /// Changes nothing.
    Read,
    /// Changes something.
    Write,
}

/// Translates a status.
pub(super) fn of(status: &Status, call: Call) -> StoreError {
    let fault = fault(status.code(), call, was_sent(status));
    let mut message = match status.message() {
        "" => format!("Qdrant answered {:?}", status.code()),
        text => format!("Qdrant: {}", text.trim_end_matches('.')),
    };
    if fault == Fault::InDoubt {
        message.push_str("; whether the request was done is not known");
    }
    let error = StoreError::new(fault, message).code(format!("{:?}", status.code()));
    match hint(status) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// Requires that a write of points is done, not only queued.
pub(super) fn completed(response: PointsOperationResponse) -> Result<(), StoreError> {
    let status = response.result.map(|result| result.status());
    match status {
        Some(UpdateStatus::Completed) => Ok(()),
        Some(
            UpdateStatus::Acknowledged
            | UpdateStatus::WaitTimeout
            | UpdateStatus::ClockRejected
            | UpdateStatus::UnknownUpdateStatus,
        )
        | None => {
            let said = status.map_or("nothing", |status| status.as_str_name());
            Err(StoreError::new(
                Fault::InDoubt,
                format!("Qdrant took the write but did not say that it is done (it said {said})"),
            ))
        }
    }
}

fn fault(code: Code, call: Call, sent: bool) -> Fault {
    match (code, call) {
        (Code::ResourceExhausted, _) => Fault::Transient,
        (Code::AlreadyExists, _) => Fault::Conflict,
        (
            Code::Unavailable
            | Code::Cancelled
            | Code::DeadlineExceeded
            | Code::Unknown
            | Code::Internal
            | Code::Aborted
            | Code::DataLoss,
            call,
        ) => match call {
            Call::Write if sent => Fault::InDoubt,
            Call::Write | Call::Read => Fault::Transient,
        },
        (
            Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented,
            _,
        ) => Fault::Refused,
    }
}

/// Whether the request may have reached the server: not when the connection itself could not be made.
fn was_sent(status: &Status) -> bool {
    let mut source = std::error::Error::source(status);
    while let Some(error) = source {
        if error.is::<ConnectError>() {
            return false;
        }
        source = error.source();
    }
    true
}

fn hint(status: &Status) -> Option<String> {
    match status.code() {
        Code::ResourceExhausted => {
            let after = retry_after(status.metadata()).map(|wait| format!("try again in {} s", wait.as_secs()));
            Some(after.unwrap_or_else(|| "try again later".to_owned()))
        }
        Code::InvalidArgument | Code::PermissionDenied if is_strict(status) => {
            Some("it is the collection's strict mode that refuses: see its strict_mode_config".to_owned())
        }
        Code::Unauthenticated | Code::PermissionDenied => {
            Some("check qdrant.api_key, and that the key may write this collection".to_owned())
        }
        Code::Unimplemented => Some("this server is older than the request; upgrade Qdrant".to_owned()),
        _ => None,
    }
}

/// Whether strict mode refused. It shares its codes with keys (`PermissionDenied`, in earlier versions) and with wrong requests
/// (`InvalidArgument`, in later ones), but it alone ends with advice. Nothing but the words of a hint depends on it.
fn is_strict(status: &Status) -> bool {
    status.message().contains(". Help: ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use qdrant_client::qdrant::UpdateResult;

    #[test]
    fn a_lost_reply_is_in_doubt_for_a_write_alone() {
        for code in [Code::Unavailable, Code::Cancelled, Code::DeadlineExceeded, Code::Unknown, Code::Internal] {
            let status = Status::new(code, "lost");
            assert_eq!(of(&status, Call::Write).fault, Fault::InDoubt, "{code:?}");
            assert_eq!(of(&status, Call::Read).fault, Fault::Transient, "{code:?}");
        }
        assert_eq!(fault(Code::Unavailable, Call::Write, false), Fault::Transient);
    }

    #[test]
    fn what_the_server_understood_is_never_in_doubt() {
        let cases = [
            (Code::NotFound, Fault::Refused),
            (Code::InvalidArgument, Fault::Refused),
            (Code::PermissionDenied, Fault::Refused),
            (Code::Unauthenticated, Fault::Refused),
            (Code::AlreadyExists, Fault::Conflict),
            (Code::ResourceExhausted, Fault::Transient),
        ];
        for (code, fault) in cases {
            assert_eq!(of(&Status::new(code, ""), Call::Write).fault, fault, "{code:?}");
        }
    }

    #[test]
    fn strict_mode_is_not_taken_for_a_wrong_key() {
        let strict = "Forbidden: Exact search disabled!. Help: Set exact=false.";
        for code in [Code::PermissionDenied, Code::InvalidArgument] {
            let hint = of(&Status::new(code, strict), Call::Read).hint.unwrap_or_default();
            assert!(hint.contains("strict mode") && !hint.contains("api_key"), "{code:?}: {hint}");
        }
        let key = of(&Status::new(Code::PermissionDenied, "Forbidden: Global access is required"), Call::Read);
        assert!(key.hint.is_some_and(|hint| hint.contains("api_key")));
    }

    #[test]
    fn a_write_counts_only_when_it_is_completed() {
        for status in [UpdateStatus::Acknowledged, UpdateStatus::WaitTimeout, UpdateStatus::ClockRejected] {
            let result = Some(UpdateResult { operation_id: None, status: status.into() });
            let error = completed(PointsOperationResponse { result, ..Default::default() }).expect_err("not done");
            assert_eq!(error.fault, Fault::InDoubt);
        }
        let result = Some(UpdateResult { operation_id: None, status: UpdateStatus::Completed.into() });
        assert!(completed(PointsOperationResponse { result, ..Default::default() }).is_ok());
    }
}

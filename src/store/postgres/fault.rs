//! What an answer of PostgreSQL means for how to go on.
//!
//! | what came back | connecting, in a transaction | a statement of its own, `COMMIT` |
//! | --- | --- | --- |
//! | an error | by its SQLSTATE | by its SQLSTATE |
//! | FATAL or PANIC, or a lost connection | Transient: the server rolls back | InDoubt: it may be done |
//!
//! By SQLSTATE: 40001 and 55P03 are Conflict; 40P01, 57014, class 53 and 57P03 are Transient; 40003 and 08007 are
//! InDoubt; everything else is Refused.

use tokio_postgres::error::{DbError, Error, Severity, SqlState};

use crate::store::{Fault, StoreError};

/// What was going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    /// Nothing that the server could have kept: preparing, beginning, rolling back.
    Nothing,
    /// A statement inside a transaction that is still open.
    InTransaction,
    /// A statement in a transaction of its own.
    Alone,
    /// `COMMIT`.
    Commit,
}

impl Doing {
    fn lost(self) -> Fault {
        match self {
            Doing::Nothing | Doing::InTransaction => Fault::Transient,
            Doing::Alone | Doing::Commit => Fault::InDoubt,
        }
    }
}

/// Translates an error.
pub(super) fn of(error: &Error, doing: Doing) -> StoreError {
    if let Some(server) = error.as_db_error() {
        return of_server(server, doing);
    }
    let unsendable =
        std::error::Error::source(error).is_some_and(|source| source.downcast_ref::<std::io::Error>().is_none());
    if unsendable {
        let why = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        return StoreError::new(Fault::Refused, format!("PostgreSQL: {error}: {why}"));
    }
    lost(doing, None)
}

/// A connection that is gone.
pub(super) fn lost(doing: Doing, why: Option<&str>) -> StoreError {
    let mut message = "the connection to PostgreSQL was lost".to_owned();
    if let Some(why) = why {
        message.push_str(": ");
        message.push_str(why);
    }
    match doing.lost() {
        Fault::InDoubt => {
            message.push_str("; whether the last statement was done is not known");
            StoreError::new(Fault::InDoubt, message)
        }
        Fault::Refused | Fault::Transient | Fault::Conflict => {
            StoreError::new(Fault::Transient, message).hint("try again")
        }
    }
}

/// Translates an error that the server sent.
pub(super) fn of_server(error: &DbError, doing: Doing) -> StoreError {
    let ends_session = matches!(error.parsed_severity(), Some(Severity::Fatal | Severity::Panic));
    let by_code = of_code(error.code());
    let fault = match doing {
        Doing::Alone | Doing::Commit if ends_session => Fault::InDoubt,
        Doing::InTransaction if ends_session && by_code != Fault::InDoubt => Fault::Transient,
        Doing::Nothing | Doing::InTransaction | Doing::Alone | Doing::Commit => by_code,
    };
    let mut result = StoreError::new(fault, message(error)).code(error.code().code());
    if let Some(hint) = error.hint().map(str::to_owned).or_else(|| hint(error.code())) {
        result = result.hint(hint);
    }
    result
}

/// The fault of a SQLSTATE.
fn of_code(state: &SqlState) -> Fault {
    match state.code() {
        "40001" | "55P03" => Fault::Conflict,
        "40P01" | "57014" | "57P01" | "57P02" | "57P03" | "57P05" | "25P03" | "25P04" => Fault::Transient,
        "40003" | "08007" => Fault::InDoubt,
        code if code.starts_with("53") || code.starts_with("08") => Fault::Transient,
        _ => Fault::Refused,
    }
}

fn hint(state: &SqlState) -> Option<String> {
    let text = match state.code() {
        "55P03" => "somebody else holds the lock; try again, or raise lock_timeout",
        "57014" => "the statement was cancelled or ran into statement_timeout",
        "42501" => "the role lacks a privilege; ask the owner for it, or name another role in enact.yaml",
        "25006" => "this server or session is read-only; connect to the primary",
        "53300" => "the server has no connection left; try again later",
        "22021" | "22P05" => "the text holds a character that PostgreSQL cannot keep, such as U+0000",
        _ => return None,
    };
    Some(text.to_owned())
}

/// The server's words: message, detail, and the object they are about.
fn message(error: &DbError) -> String {
    let mut text = error.message().to_owned();
    if let Some(detail) = error.detail() {
        text.push_str(" (");
        text.push_str(detail.trim_end_matches('.'));
        text.push(')');
    }
    if let Some(name) = error.constraint()
        && !text.contains(name)
    {
        text.push_str(&format!(" (constraint \"{name}\")"));
    }
    if let Some(table) = error.table()
        && !text.contains(table)
    {
        text.push_str(&format!(" (table \"{table}\")"));
    }
    if let Some(place) = error.where_()
        && let Some(first) = place.lines().next()
    {
        text.push_str(&format!(" in {first}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_say_how_to_go_on() {
        let cases = [
            ("40001", Fault::Conflict),
            ("55P03", Fault::Conflict),
            ("40P01", Fault::Transient),
            ("57014", Fault::Transient),
            ("53300", Fault::Transient),
            ("57P03", Fault::Transient),
            ("40003", Fault::InDoubt),
            ("08007", Fault::InDoubt),
            ("23505", Fault::Refused),
            ("25P02", Fault::Refused),
            ("42501", Fault::Refused),
            ("28P01", Fault::Refused),
            ("3D000", Fault::Refused),
        ];
        for (code, fault) in cases {
            assert_eq!(of_code(&SqlState::from_code(code)), fault, "{code}");
        }
    }

    #[test]
    fn a_lost_reply_is_in_doubt_only_where_the_server_may_have_kept_it() {
        assert_eq!(lost(Doing::Nothing, None).fault, Fault::Transient);
        assert_eq!(lost(Doing::InTransaction, None).fault, Fault::Transient);
        assert_eq!(lost(Doing::Alone, None).fault, Fault::InDoubt);
        assert_eq!(lost(Doing::Commit, Some("reset")).fault, Fault::InDoubt);
    }
}

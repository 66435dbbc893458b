//! Words for a connection that could not be made: what was tried, what happened, and what to type or change.

use std::error::Error as _;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use tokio_postgres::Error;

use super::fault;
use super::target::{Host, Reach, Target};
use crate::store::{Fault, StoreError};

/// The name has no address.
pub(super) fn unknown_name(host: &Host) -> StoreError {
    failed(Fault::Transient, host, "the host name is not known").hint("check the spelling of host, and the name server")
}

/// Nobody answered in time.
pub(super) fn timed_out(host: &Host, limit: Duration) -> StoreError {
    failed(Fault::Transient, host, &format!("no answer within {limit:?}"))
        .hint("check that a firewall lets this machine through, or raise connect_timeout")
}

/// The address did not take the connection.
pub(super) fn unreachable(host: &Host, error: &std::io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::ConnectionRefused => failed(Fault::Transient, host, "connection refused")
            .hint("start PostgreSQL there, or check the port and listen_addresses"),
        _ => failed(Fault::Transient, host, &error.to_string()),
    }
}

/// The socket did not take the connection.
pub(super) fn socket(file: &Path, error: &std::io::Error) -> StoreError {
    let file = file.display();
    let (fault, what, hint) = match error.kind() {
        ErrorKind::NotFound => (
            Fault::Transient,
            "the socket file is not there".to_owned(),
            "start PostgreSQL, or name its host or its socket directory with host=…",
        ),
        ErrorKind::ConnectionRefused => (
            Fault::Transient,
            "connection refused: the socket file is there, but no server listens on it".to_owned(),
            "start PostgreSQL",
        ),
        ErrorKind::PermissionDenied => (
            Fault::Refused,
            "the socket file may not be opened by this user".to_owned(),
            "run as a user that may, or connect with host=localhost",
        ),
        _ => (Fault::Transient, error.to_string(), "check that PostgreSQL is running"),
    };
    StoreError::new(fault, format!("cannot connect to PostgreSQL at \"{file}\": {what}")).hint(hint)
}

/// The server hung up while TLS was being agreed on.
pub(super) fn broke_off(host: &Host, error: &std::io::Error) -> StoreError {
    failed(Fault::Transient, host, &format!("it accepted the connection and then hung up ({error})"))
        .hint("check that it is PostgreSQL that listens on this port")
}

/// TLS is wanted and the server has none.
pub(super) fn no_tls(host: &Host) -> StoreError {
    failed(Fault::Refused, host, "the server does not support TLS, and sslmode requires it")
        .hint("switch TLS on at the server (ssl = on), or choose a weaker sslmode")
}

/// The server takes no writes.
pub(super) fn read_only(host: &Host) -> StoreError {
    failed(Fault::Refused, host, "the server is read-only, and target_session_attrs asks for a writable one")
        .hint("connect to the primary")
}

/// The handshake or the start of the session failed.
pub(super) fn refused(target: &Target, host: &Host, error: &Error) -> StoreError {
    if let Some(server) = error.as_db_error() {
        let answer = fault::of_server(server, fault::Doing::Nothing);
        let hint = session_hint(target, answer.code.as_deref()).or_else(|| answer.hint.clone());
        let mut result = failed(answer.fault, host, &answer.message);
        result.code = answer.code;
        result.hint = hint;
        return result;
    }
    let source = error.source();
    if let Some(tls) = source.and_then(tls_error) {
        return failed(Fault::Refused, host, &format!("TLS: {}", tls_words(tls))).hint(tls_hint(tls));
    }
    if error.is_closed() || source.is_some_and(|source| source.downcast_ref::<std::io::Error>().is_some()) {
        let what = source.map_or_else(|| "it closed the connection".to_owned(), ToString::to_string);
        return failed(Fault::Transient, host, &format!("{what} before the session began"))
            .hint("check that it is PostgreSQL that listens on this port");
    }
    if host.password.is_none() {
        return failed(
            Fault::Refused,
            host,
            &format!("the server asks for a password for \"{}\", and none is given", target.user),
        )
        .hint(password_hint(target));
    }
    let what = source.map_or_else(|| error.to_string(), ToString::to_string);
    failed(Fault::Refused, host, &format!("authentication: {what}"))
}

/// Why an open connection ended.
pub(super) fn ended(error: &Error) -> String {
    match (error.as_db_error(), error.source()) {
        (Some(server), _) => server.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => "the server closed it".to_owned(),
    }
}

fn session_hint(target: &Target, code: Option<&str>) -> Option<String> {
    match code? {
        "28P01" => Some(match &target.open_passfile {
            Some(_) => password_hint(target),
            None => "check the password".to_owned(),
        }),
        "28000" => {
            Some(format!("check that the role \"{}\" exists and that pg_hba.conf lets it in from here", target.user))
        }
        "3D000" => Some(format!("check dbname, or create it: createdb {}", target.database)),
        "57P03" => Some("the server is starting up or shutting down; try again".to_owned()),
        _ => None,
    }
}

fn password_hint(target: &Target) -> String {
    match &target.open_passfile {
        Some(file) => format!("\"{}\" was not read because others may read it: chmod 600 it", file.display()),
        None => "set PGPASSWORD, or give postgres.password a source in enact.yaml".to_owned(),
    }
}

fn tls_error<'a>(source: &'a (dyn std::error::Error + 'static)) -> Option<&'a rustls::Error> {
    source.downcast_ref::<std::io::Error>()?.get_ref()?.downcast_ref()
}

/// rustls prints some of its errors as the names of their variants.
fn tls_words(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            "the server's certificate is signed by an authority that is not trusted here".to_owned()
        }
        rustls::Error::InvalidCertificate(rustls::CertificateError::Expired) => {
            "the server's certificate has expired".to_owned()
        }
        other => other.to_string(),
    }
}

fn tls_hint(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidForName, NotValidForNameContext, UnknownIssuer};
    match error {
        rustls::Error::InvalidCertificate(UnknownIssuer) => {
            "set sslrootcert to the file of the authority that signed the server's certificate"
        }
        rustls::Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }) => {
            "connect by a name that the certificate lists, or use sslmode=verify-ca"
        }
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            "renew the server's certificate, or check this machine's clock"
        }
        _ => "check that the server speaks TLS 1.2 or 1.3 on this port",
    }
}

fn failed(fault: Fault, host: &Host, what: &str) -> StoreError {
    let place = match &host.reach {
        Reach::Socket(directory) => format!("{}/.s.PGSQL.{}", directory.display(), host.port),
        Reach::Name | Reach::Address(_) if host.name.contains(':') => {
            format!("[{}]:{}", host.name, host.port)
        }
        Reach::Name | Reach::Address(_) => format!("{}:{}", host.name, host.port),
    };
    StoreError::new(fault, format!("cannot connect to PostgreSQL at \"{place}\": {what}"))
}

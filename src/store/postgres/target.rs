//! A resolved destination, as plain data.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// A resolved destination.
#[derive(Debug, Clone)]
pub(super) struct Target {
    /// Servers, in the order in which they are tried.
    pub(super) hosts: Vec<Host>,
    /// The database.
    pub(super) database: String,
    /// The role.
    pub(super) user: String,
    /// How TLS is used.
    pub(super) tls: TlsSettings,
    /// Name shown in `pg_stat_activity`.
    pub(super) application_name: String,
    /// Command-line options for the server.
    pub(super) options: Option<String>,
    /// How long one attempt may take.
    pub(super) connect_timeout: Duration,
    /// Channel binding of SCRAM.
    pub(super) channel_binding: tokio_postgres::config::ChannelBinding,
    /// What kind of server is wanted.
    pub(super) session: Session,
    /// TCP keepalive.
    pub(super) keepalive: Option<Keepalive>,
    /// A password file that was not read because others may read it.
    pub(super) open_passfile: Option<PathBuf>,
}

/// One server.
#[derive(Debug, Clone)]
pub(super) struct Host {
    /// The name for certificates and messages.
    pub(super) name: String,
    /// How to reach it.
    pub(super) reach: Reach,
    /// The port; part of a socket's file name too.
    pub(super) port: u16,
    /// The password for it.
    pub(super) password: Option<SecretString>,
}

/// A way to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reach {
    /// By name, resolved when connecting.
    Name,
    /// By address.
    Address(IpAddr),
    /// By the socket in a directory.
    Socket(PathBuf),
}

/// TCP keepalive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Keepalive {
    /// Silence before the first probe.
    pub(super) idle: Duration,
    /// Time between probes.
    pub(super) interval: Duration,
    /// Probes before the connection counts as lost.
    pub(super) count: u32,
    /// How long sent data may stay unacknowledged.
    pub(super) user_timeout: Option<Duration>,
}

/// Kinds of server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Session {
    /// Any.
    Any,
    /// One that takes writes.
    ReadWrite,
}

/// libpq's `sslmode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SslMode {
    /// Never.
    Disable,
    /// Only when the server insists.
    Allow,
    /// When the server can.
    Prefer,
    /// Always, whoever answers.
    Require,
    /// Always, and an authority vouches for the server.
    VerifyCa,
    /// Always, and an authority vouches for this very host name.
    VerifyFull,
}

/// TLS settings.
#[derive(Debug, Clone)]
pub(super) struct TlsSettings {
    /// The mode.
    pub(super) mode: SslMode,
    /// Authorities.
    pub(super) roots: Roots,
    /// Certificate and key of the client.
    pub(super) client: Option<(PathBuf, PathBuf)>,
    /// TLS from the first byte, without asking.
    pub(super) direct: bool,
}

/// Where authorities come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Roots {
    /// Nowhere.
    None,
    /// The machine's own.
    System,
    /// A PEM file.
    File(PathBuf),
}

//! Connecting: name, socket, TLS, authentication, session set-up, each with its own words when it fails.
//!
//! The steps are taken here one by one instead of by `tokio_postgres::connect`, because that one answers "error
//! connecting to server" to all of them.
//!
//! - Servers and addresses are tried in order; the first that accepts is taken. When none does, the last error counts.
//! - `allow` and `prefer` try the other way (with TLS, without) when the first is refused, as libpq does.
//! - A refusal (password, role, database, TLS) is `Refused`; a server that cannot be reached or is full is `Transient`.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use secrecy::ExposeSecret;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::task::JoinHandle;
use tokio_postgres::config::{SslMode as WireSsl, SslNegotiation};
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::explain;
use super::target::{Host, Keepalive, Reach, Session, SslMode, Target};
use crate::store::{Fault, StoreError};

/// An open connection.
pub(super) struct Link {
    /// The client's side.
    pub(super) client: Client,
    /// Why the connection ended, once it has.
    pub(super) ended: Arc<OnceLock<String>>,
    /// The task that moves bytes.
    pub(super) task: JoinHandle<()>,
}

/// Whether an attempt uses TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Encryption {
    Plain,
    /// TLS if the server can.
    Offered,
    Required,
}

/// Connects to the first server that accepts.
pub(super) async fn dial(target: &Target, tls: Option<&MakeRustlsConnect>) -> Result<Link, StoreError> {
    let mut last = None;
    for host in &target.hosts {
        match reach_host(target, host, tls).await {
            Ok(link) => return Ok(link),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| panic!("BUG: a connection string resolved to no server")))
}

async fn reach_host(target: &Target, host: &Host, tls: Option<&MakeRustlsConnect>) -> Result<Link, StoreError> {
    let addresses = match &host.reach {
        Reach::Socket(_) => return encryptions(target, host, None, None).await,
        Reach::Address(address) => vec![SocketAddr::new(*address, host.port)],
        Reach::Name => resolve(target, host).await?,
    };
    let mut last = None;
    for address in addresses {
        match encryptions(target, host, Some(address), tls).await {
            Ok(link) => return Ok(link),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| explain::unknown_name(host)))
}

async fn resolve(target: &Target, host: &Host) -> Result<Vec<SocketAddr>, StoreError> {
    let looking = tokio::net::lookup_host((host.name.as_str(), host.port));
    match tokio::time::timeout(target.connect_timeout, looking).await {
        Err(_) => Err(explain::timed_out(host, target.connect_timeout)),
        Ok(Err(_)) => Err(explain::unknown_name(host)),
        Ok(Ok(addresses)) => Ok(addresses.collect()),
    }
}

async fn encryptions(
    target: &Target,
    host: &Host,
    address: Option<SocketAddr>,
    tls: Option<&MakeRustlsConnect>,
) -> Result<Link, StoreError> {
    let order: &[Encryption] = match (address, target.tls.mode) {
        (None, _) | (_, SslMode::Disable) => &[Encryption::Plain],
        (_, SslMode::Allow) => &[Encryption::Plain, Encryption::Required],
        (_, SslMode::Prefer) => &[Encryption::Offered, Encryption::Plain],
        (_, SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull) => &[Encryption::Required],
    };
    let mut first: Option<StoreError> = None;
    for encryption in order {
        let attempt = Attempt { target, host, encryption: *encryption, tls };
        let result = tokio::time::timeout(target.connect_timeout, attempt.run(address))
            .await
            .unwrap_or_else(|_| Err(explain::timed_out(host, target.connect_timeout)));
        match result {
            Ok(link) => return Ok(link),
            // Only a refusal can turn out otherwise with the other kind of connection. A wrong password cannot, and the
            // second try would count against the account.
            Err(error) if error.fault == Fault::Refused && error.code.as_deref() != Some("28P01") => {
                first.get_or_insert(error);
            }
            Err(error) => return Err(first.unwrap_or(error)),
        }
    }
    Err(first.unwrap_or_else(|| panic!("BUG: no way to connect was tried")))
}

struct Attempt<'a> {
    target: &'a Target,
    host: &'a Host,
    encryption: Encryption,
    tls: Option<&'a MakeRustlsConnect>,
}

impl Attempt<'_> {
    async fn run(&self, address: Option<SocketAddr>) -> Result<Link, StoreError> {
        let link = match (address, &self.host.reach) {
            (Some(address), _) => {
                let stream =
                    TcpStream::connect(address).await.map_err(|error| explain::unreachable(self.host, &error))?;
                tune(&stream, self.target.keepalive);
                self.negotiate(stream).await?
            }
            (None, Reach::Socket(directory)) => {
                let file = directory.join(format!(".s.PGSQL.{}", self.host.port));
                let stream = UnixStream::connect(&file).await.map_err(|error| explain::socket(&file, &error))?;
                self.open(stream, NoTls, WireSsl::Disable).await?
            }
            (None, Reach::Name | Reach::Address(_)) => {
                panic!("BUG: a TCP server without an address")
            }
        };
        if self.target.session == Session::ReadWrite {
            self.require_writable(&link).await?;
        }
        Ok(link)
    }

    /// Asks for TLS and goes on with what the server answered.
    async fn negotiate(&self, mut stream: TcpStream) -> Result<Link, StoreError> {
        let encrypted = match (self.encryption, self.target.tls.direct) {
            (Encryption::Plain, _) => false,
            (Encryption::Required | Encryption::Offered, true) => true,
            (Encryption::Required | Encryption::Offered, false) => {
                ask_for_tls(&mut stream).await.map_err(|error| explain::broke_off(self.host, &error))?
            }
        };
        match (encrypted, self.tls) {
            (true, Some(tls)) => {
                let Ok(tls) = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut tls.clone(), &self.host.name);
                self.open(stream, tls, WireSsl::Require).await
            }
            (false, _) if self.encryption == Encryption::Required => Err(explain::no_tls(self.host)),
            (false, _) => self.open(stream, NoTls, WireSsl::Disable).await,
            (true, None) => panic!("BUG: TLS was agreed on without a TLS configuration"),
        }
    }

    async fn open<S, T>(&self, stream: S, tls: T, ssl: WireSsl) -> Result<Link, StoreError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        T: tokio_postgres::tls::TlsConnect<S>,
        T::Stream: Send + 'static,
    {
        let mut config = tokio_postgres::Config::new();
        config
            .user(&self.target.user)
            .dbname(&self.target.database)
            .application_name(&self.target.application_name)
            .channel_binding(self.target.channel_binding)
            .ssl_mode(ssl)
            // The question has been asked and answered by now.
            .ssl_negotiation(SslNegotiation::Direct);
        if let Some(options) = &self.target.options {
            config.options(options);
        }
        if let Some(password) = &self.host.password {
            config.password(password.expose_secret());
        }
        let (client, connection) =
            config.connect_raw(stream, tls).await.map_err(|error| explain::refused(self.target, self.host, &error))?;
        let ended = Arc::new(OnceLock::new());
        let why = Arc::clone(&ended);
        let task = tokio::spawn(async move {
            if let Err(error) = connection.await {
                let _ = why.set(explain::ended(&error));
            }
        });
        Ok(Link { client, ended, task })
    }

    async fn require_writable(&self, link: &Link) -> Result<(), StoreError> {
        let rows = link
            .client
            .simple_query("SELECT 1 WHERE pg_catalog.current_setting('transaction_read_only') = 'on'")
            .await
            .map_err(|error| explain::refused(self.target, self.host, &error))?;
        let read_only = rows.iter().any(|row| matches!(row, tokio_postgres::SimpleQueryMessage::Row(_)));
        if read_only { Err(explain::read_only(self.host)) } else { Ok(()) }
    }
}

/// Sends `SSLRequest` (protocol documentation, section "Message Formats") and reads the one-byte answer. Nothing more
/// may be read: what follows belongs to the handshake.
async fn ask_for_tls(stream: &mut TcpStream) -> std::io::Result<bool> {
    stream.write_all(&[0, 0, 0, 8, 4, 210, 22, 47]).await?;
    Ok(stream.read_u8().await? == b'S')
}

/// Failing to tune a socket is not failing to connect.
fn tune(stream: &TcpStream, keepalive: Option<Keepalive>) {
    let _ = stream.set_nodelay(true);
    let Some(keepalive) = keepalive else { return };
    let socket = socket2::SockRef::from(stream);
    let probes = socket2::TcpKeepalive::new()
        .with_time(keepalive.idle)
        .with_interval(keepalive.interval)
        .with_retries(keepalive.count);
    let _ = socket.set_tcp_keepalive(&probes);
    #[cfg(target_os = "linux")]
    let _ = socket.set_tcp_user_timeout(keepalive.user_timeout);
}

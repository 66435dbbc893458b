//! Where to connect, as whom and how: the settings of all layers, checked, and completed with libpq's defaults.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use super::ConnectOptions;
use super::conninfo::{ConninfoError, Settings};
use super::layers::{Surroundings, layered};
use super::passfile::{self, Found, Wanted};
use super::target::{Host, Keepalive, Reach, Roots, Session, SslMode, Target, TlsSettings};

/// Resolves a connection string.
pub(super) fn resolve(options: &ConnectOptions, around: &Surroundings) -> Result<Target, ConninfoError> {
    let settings = layered(options.conninfo.expose_secret(), around)?;
    let get = |key: &str| settings.get(key).map(String::as_str).filter(|v| !v.is_empty());
    let user = get("user").or(around.user.as_deref()).ok_or(ConninfoError::NoUser)?;
    let database = get("dbname").unwrap_or(user);
    let mut target = Target {
        hosts: hosts(&settings)?,
        database: database.to_owned(),
        user: user.to_owned(),
        tls: tls(&settings, around)?,
        application_name: get("application_name").unwrap_or(&options.application_name).to_owned(),
        options: get("options").map(str::to_owned),
        connect_timeout: connect_timeout(&settings, options)?,
        channel_binding: channel_binding(&settings)?,
        session: session(&settings)?,
        keepalive: keepalive(&settings)?,
        open_passfile: None,
    };
    check_ignored(&settings)?;
    let given = options.password.clone().or_else(|| get("password").map(SecretString::from));
    match given {
        Some(password) => {
            for host in &mut target.hosts {
                host.password = Some(password.clone());
            }
        }
        None => {
            let file = get("passfile").map_or_else(|| around.in_home(".pgpass"), PathBuf::from);
            passwords_from(&file, &mut target);
        }
    }
    Ok(target)
}

fn hosts(settings: &Settings) -> Result<Vec<Host>, ConninfoError> {
    let list = |key: &str| -> Vec<&str> {
        settings.get(key).filter(|v| !v.is_empty()).map_or_else(Vec::new, |v| v.split(',').collect())
    };
    let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let count = names.len().max(addresses.len()).max(1);
    for (key, others) in [("hostaddr", &addresses), ("host", &names)] {
        if !others.is_empty() && others.len() != count {
            return Err(ConninfoError::Pairing { hosts: count, others: others.len(), key });
        }
    }
    if ports.len() > 1 && ports.len() != count {
        return Err(ConninfoError::Pairing { hosts: count, others: ports.len(), key: "port" });
    }
    (0..count)
        .map(|i| {
            let port = if ports.len() == 1 { ports.first() } else { ports.get(i) };
            host(
                names.get(i).copied().unwrap_or_default().trim(),
                addresses.get(i).copied().unwrap_or_default().trim(),
                port.copied().unwrap_or_default().trim(),
            )
        })
        .collect()
}

fn host(name: &str, address: &str, port: &str) -> Result<Host, ConninfoError> {
    let port = match port {
        "" => 5432,
        text => text.parse().ok().filter(|port| *port > 0).ok_or_else(|| bad("port", "a number from 1 to 65535"))?,
    };
    let reach = if !address.is_empty() {
        Reach::Address(address.parse().map_err(|_| bad("hostaddr", "an IP address"))?)
    } else if name.starts_with('/') {
        Reach::Socket(PathBuf::from(name))
    } else if name.starts_with('@') {
        return Err(bad("host", "a name, an address or a socket directory; abstract sockets are not supported"));
    } else if name.is_empty() {
        Reach::Socket(default_socket_directory(port))
    } else {
        Reach::Name
    };
    let name = match &reach {
        Reach::Socket(directory) => directory.display().to_string(),
        Reach::Address(address) if name.is_empty() => address.to_string(),
        Reach::Address(_) | Reach::Name => name.to_owned(),
    };
    Ok(Host { name, reach, port, password: None })
}

/// Debian's directory where a server's socket is there, else PostgreSQL's own.
fn default_socket_directory(port: u16) -> PathBuf {
    let candidates = ["/var/run/postgresql", "/tmp"].map(PathBuf::from);
    candidates
        .iter()
        .find(|directory| directory.join(format!(".s.PGSQL.{port}")).exists())
        .unwrap_or(&candidates[0])
        .clone()
}

fn tls(settings: &Settings, around: &Surroundings) -> Result<TlsSettings, ConninfoError> {
    let get = |key: &str| settings.get(key).map(String::as_str).filter(|v| !v.is_empty());
    let system = get("sslrootcert") == Some("system");
    let mode = match get("sslmode") {
        None if system => SslMode::VerifyFull,
        None | Some("prefer") => SslMode::Prefer,
        Some("disable") => SslMode::Disable,
        Some("allow") => SslMode::Allow,
        Some("require") => SslMode::Require,
        Some("verify-ca") => SslMode::VerifyCa,
        Some("verify-full") => SslMode::VerifyFull,
        Some(_) => {
            return Err(bad("sslmode", "disable, allow, prefer, require, verify-ca or verify-full"));
        }
    };
    if system && mode != SslMode::VerifyFull {
        return Err(bad("sslrootcert", "it with sslmode=verify-full, or a file of your own authority"));
    }
    let default_roots = around.in_home(".postgresql/root.crt");
    let roots = match get("sslrootcert") {
        Some("system") => Roots::System,
        Some(file) => Roots::File(PathBuf::from(file)),
        None if default_roots.exists() => Roots::File(default_roots.clone()),
        None => Roots::None,
    };
    let mode = match (mode, &roots) {
        // As libpq: authorities that are there are used.
        (SslMode::Require, Roots::File(_)) => SslMode::VerifyCa,
        (SslMode::VerifyCa, Roots::None) => return Err(no_roots("verify-ca", &default_roots)),
        (SslMode::VerifyFull, Roots::None) => return Err(no_roots("verify-full", &default_roots)),
        (mode, _) => mode,
    };
    let client = match (get("sslcert"), get("sslkey")) {
        (Some(certificate), Some(key)) => Some((PathBuf::from(certificate), PathBuf::from(key))),
        (Some(_), None) => return Err(bad("sslcert", "it together with sslkey")),
        (None, _) => {
            let pair = (around.in_home(".postgresql/postgresql.crt"), around.in_home(".postgresql/postgresql.key"));
            (pair.0.exists() && pair.1.exists()).then_some(pair)
        }
    };
    let direct = match get("sslnegotiation") {
        None | Some("postgres") => false,
        Some("direct") if mode >= SslMode::Require => true,
        Some(_) => {
            return Err(bad("sslnegotiation", "postgres, or direct with sslmode=require or stronger"));
        }
    };
    Ok(TlsSettings { mode, roots, client, direct })
}

fn no_roots(mode: &'static str, file: &Path) -> ConninfoError {
    ConninfoError::NoRoots { mode, file: file.display().to_string() }
}

fn connect_timeout(settings: &Settings, options: &ConnectOptions) -> Result<Duration, ConninfoError> {
    match number(settings, "connect_timeout")? {
        None => Ok(Duration::from_millis(options.connect_timeout_ms)),
        // libpq's zero means without end; a day is as good and cannot hang a pipeline for ever.
        Some(0) => Ok(Duration::from_secs(86_400)),
        Some(seconds) => Ok(Duration::from_secs(seconds.max(2))),
    }
}

fn keepalive(settings: &Settings) -> Result<Option<Keepalive>, ConninfoError> {
    if settings.get("keepalives").map(String::as_str) == Some("0") {
        return Ok(None);
    }
    // Shorter than the kernel's two hours: a lock must not outlive a silent network for long.
    let seconds = |key, default: u64| -> Result<Duration, ConninfoError> {
        Ok(Duration::from_secs(number(settings, key)?.filter(|n| *n > 0).unwrap_or(default)))
    };
    let count = number(settings, "keepalives_count")?.unwrap_or(6);
    let user_timeout = number(settings, "tcp_user_timeout")?.filter(|ms| *ms > 0);
    Ok(Some(Keepalive {
        idle: seconds("keepalives_idle", 60)?,
        interval: seconds("keepalives_interval", 10)?,
        count: u32::try_from(count).unwrap_or(6),
        user_timeout: user_timeout.map(Duration::from_millis),
    }))
}

fn channel_binding(settings: &Settings) -> Result<tokio_postgres::config::ChannelBinding, ConninfoError> {
    use tokio_postgres::config::ChannelBinding;
    match settings.get("channel_binding").map(String::as_str) {
        None | Some("" | "prefer") => Ok(ChannelBinding::Prefer),
        Some("disable") => Ok(ChannelBinding::Disable),
        Some("require") => Ok(ChannelBinding::Require),
        Some(_) => Err(bad("channel_binding", "disable, prefer or require")),
    }
}

fn session(settings: &Settings) -> Result<Session, ConninfoError> {
    match settings.get("target_session_attrs").map(String::as_str) {
        None | Some("" | "any") => Ok(Session::Any),
        Some("read-write" | "primary") => Ok(Session::ReadWrite),
        Some(_) => Err(bad("target_session_attrs", "any, read-write or primary: Enact writes")),
    }
}

/// Settings that have one acceptable value here.
fn check_ignored(settings: &Settings) -> Result<(), ConninfoError> {
    if settings.get("gssencmode").is_some_and(|mode| *mode == "require") {
        return Err(bad("gssencmode", "disable or prefer; Enact does not speak GSSAPI"));
    }
    let encoding = settings.get("client_encoding").map(|text| text.to_ascii_lowercase());
    match encoding.as_deref() {
        None | Some("" | "auto" | "utf8" | "utf-8" | "unicode") => Ok(()),
        Some(_) => Err(bad("client_encoding", "UTF8")),
    }
}

fn number(settings: &Settings, key: &'static str) -> Result<Option<u64>, ConninfoError> {
    match settings.get(key).map(|text| text.trim()).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some("-1") => Ok(Some(0)),
        Some(text) => text.parse().map(Some).map_err(|_| bad(key, "a whole number")),
    }
}

fn passwords_from(file: &Path, target: &mut Target) {
    for host in &mut target.hosts {
        let name = match &host.reach {
            Reach::Socket(_) => "localhost",
            Reach::Name | Reach::Address(_) => &host.name,
        };
        let wanted = Wanted { host: name, port: host.port, database: &target.database, user: &target.user };
        match passfile::look_up(file, &wanted) {
            Found::Password(password) => host.password = Some(password),
            Found::Nothing => {}
            Found::TooOpen => target.open_passfile = Some(file.to_owned()),
        }
    }
}

fn bad(key: &'static str, expected: &'static str) -> ConninfoError {
    ConninfoError::BadValue { key, expected }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(conninfo: &str, variables: &[(&str, &str)]) -> Result<Target, ConninfoError> {
        let around = Surroundings {
            variables: variables.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            home: Some(PathBuf::from("/nonexistent")),
            user: Some("os".to_owned()),
        };
        resolve(&ConnectOptions::new(SecretString::from(conninfo)), &around)
    }

    #[test]
    fn the_string_beats_the_environment_which_beats_the_defaults() {
        let target = resolved("host=db user=ann", &[("PGHOST", "no"), ("PGPORT", "5433"), ("PGPASSWORD", "pw")])
            .expect("resolved");
        assert_eq!((target.hosts[0].name.as_str(), target.hosts[0].port), ("db", 5433));
        assert_eq!((target.user.as_str(), target.database.as_str()), ("ann", "ann"));
        assert_eq!(target.hosts[0].password.as_ref().map(ExposeSecret::expose_secret), Some("pw"));
        assert_eq!(target.tls.mode, SslMode::Prefer);
        assert_eq!(resolved("", &[]).expect("resolved").user, "os");
    }

    #[test]
    fn hosts_addresses_and_ports_pair_up() {
        let target = resolved("host=a,/run/pg port=1,2", &[]).expect("resolved");
        assert_eq!(target.hosts[0].reach, Reach::Name);
        assert_eq!(target.hosts[1].reach, Reach::Socket(PathBuf::from("/run/pg")));
        assert_eq!(target.hosts[1].port, 2);
        assert!(matches!(resolved("host=a,b,c port=1,2", &[]), Err(ConninfoError::Pairing { .. })));
        let target = resolved("host=db hostaddr=10.0.0.1", &[]).expect("resolved");
        assert_eq!(
            (target.hosts[0].name.as_str(), &target.hosts[0].reach),
            ("db", &Reach::Address([10, 0, 0, 1].into()))
        );
    }

    #[test]
    fn verification_without_authorities_is_refused() {
        let error = resolved("sslmode=verify-full host=x", &[]).expect_err("no roots");
        assert!(matches!(error, ConninfoError::NoRoots { mode: "verify-full", .. }));
        let target = resolved("sslrootcert=system host=x", &[]).expect("resolved");
        assert_eq!((target.tls.mode, target.tls.roots), (SslMode::VerifyFull, Roots::System));
        let target = resolved("sslmode=require sslrootcert=/ca.pem", &[]).expect("resolved");
        assert_eq!(target.tls.mode, SslMode::VerifyCa);
    }

    #[test]
    fn no_part_of_a_password_that_broke_the_string_is_printed() {
        for text in [
            "postgresql://app:s3cret/x@h/kb",
            "postgresql://app:1234/s3cret@h/kb",
            "postgresql://app:a?s3cret=@h/kb",
            "postgresql://app:a@h:s3cret/kb",
            "host=h password=x s3cret dbname=kb",
            "host=h password=x' s3cret=1 dbname=kb",
            "host=h password='s3cret",
        ] {
            let error = resolved(text, &[]).expect_err(text);
            let said = format!("{error} {:?}", error.hint());
            assert!(!said.contains("s3cret"), "{text}: {said}");
        }
    }

    #[test]
    fn a_value_that_its_key_does_not_take_is_an_error() {
        for text in [
            "sslmode=on",
            "port=0",
            "port=x",
            "hostaddr=db",
            "connect_timeout=soon",
            "gssencmode=require",
            "target_session_attrs=standby",
            "client_encoding=latin1",
            "sslnegotiation=direct",
        ] {
            assert!(matches!(resolved(text, &[]), Err(ConninfoError::BadValue { .. })), "{text}");
        }
    }
}

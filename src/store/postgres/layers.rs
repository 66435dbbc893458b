//! Where settings come from: the connection string, a service file, the environment, in that order of strength.
//!
//! The process is looked at once, in [`Surroundings::of_process`].

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::conninfo::{self, ConninfoError, Settings};
use super::service;

/// What a process brings along.
#[derive(Debug, Clone, Default)]
pub(super) struct Surroundings {
    /// Environment variables that start with `PG`.
    pub(super) variables: BTreeMap<String, String>,
    /// The home directory.
    pub(super) home: Option<PathBuf>,
    /// The name of the operating system's user.
    pub(super) user: Option<String>,
}

impl Surroundings {
    /// Looks at this process.
    pub(super) fn of_process() -> Surroundings {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        Surroundings {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .filter(|(name, _)| name.starts_with("PG"))
                .collect(),
            user: account_name().or_else(|| std::env::var("USER").ok()),
            home,
        }
    }

    /// A file of the home directory.
    pub(super) fn in_home(&self, file: &str) -> PathBuf {
        self.home.clone().unwrap_or_else(|| PathBuf::from("/")).join(file)
    }
}

/// The account's name by its number, since `USER` need not be set in a container.
fn account_name() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let uid = std::fs::metadata("/proc/self").ok()?.uid().to_string();
    let accounts = std::fs::read_to_string("/etc/passwd").ok()?;
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)? == uid).then(|| name.to_owned())
    })
}

const VARIABLES: &[(&str, &str)] = &[
    ("PGAPPNAME", "application_name"),
    ("PGCHANNELBINDING", "channel_binding"),
    ("PGCONNECT_TIMEOUT", "connect_timeout"),
    ("PGDATABASE", "dbname"),
    ("PGHOST", "host"),
    ("PGHOSTADDR", "hostaddr"),
    ("PGOPTIONS", "options"),
    ("PGPASSFILE", "passfile"),
    ("PGPASSWORD", "password"),
    ("PGPORT", "port"),
    ("PGSERVICE", "service"),
    ("PGSERVICEFILE", "servicefile"),
    ("PGSSLCERT", "sslcert"),
    ("PGSSLKEY", "sslkey"),
    ("PGSSLMODE", "sslmode"),
    ("PGSSLNEGOTIATION", "sslnegotiation"),
    ("PGSSLROOTCERT", "sslrootcert"),
    ("PGTARGETSESSIONATTRS", "target_session_attrs"),
    ("PGUSER", "user"),
];

/// Lays the connection string over a service file over the environment.
pub(super) fn layered(conninfo: &str, around: &Surroundings) -> Result<Settings, ConninfoError> {
    let mut settings = conninfo::parse(conninfo)?;
    let environment: Settings =
        VARIABLES.iter().filter_map(|(variable, key)| Some((*key, around.variables.get(*variable)?.clone()))).collect();
    let named = |key: &str| settings.get(key).or_else(|| environment.get(key)).cloned();
    if let Some(service) = named("service").filter(|service| !service.is_empty()) {
        let files = match named("servicefile") {
            Some(file) => vec![PathBuf::from(file)],
            None => service_files(around),
        };
        for (key, value) in service::look_up(&service, &files)? {
            settings.entry(key).or_insert(value);
        }
    }
    for (key, value) in environment {
        settings.entry(key).or_insert(value);
    }
    Ok(settings)
}

fn service_files(around: &Surroundings) -> Vec<PathBuf> {
    let system = around.variables.get("PGSYSCONFDIR").map_or("/etc/postgresql-common", String::as_str);
    vec![around.in_home(".pg_service.conf"), Path::new(system).join("pg_service.conf")]
}

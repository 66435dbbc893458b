//! A real PostgreSQL of one's own, for tests: made with `initdb` in a temporary directory, reached over a Unix socket only.
//!
//! - PostgreSQL refuses to run as root; there it runs as the user `postgres`, else `nobody`, and owns the directory.
//! - Authentication is `trust`, the superuser `enact_admin`. Stopped and removed when dropped.
//! - What is missing is an error that says so. A test that starts one says `#[test(postgres)]`; the harness does not run it where
//!   no server is installed.
//! - `ENACT_POSTGRES_BIN` names the one directory to look for the programs in; an empty one stands for a machine without.
//! - A test of one major version says `#[test(releases)]`: `.ci/postgres-versions` installs them all.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::{Mark, declares};

const SUPERUSER: &str = "enact_admin";
/// Names the directory that the tests of one run of the suite share.
pub const SHARED: &str = "ENACT_TEST_SHARED";
const START_LIMIT: Duration = Duration::from_secs(60);
const PROGRAMS: [&str; 3] = ["initdb", "postgres", "pg_ctl"];

/// The major versions that Enact is shown to work on, oldest first.
pub const MAJORS: [u32; 6] = [13, 14, 15, 16, 17, 18];

#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    #[error(
        "no PostgreSQL found: no directory of /usr/lib/postgresql/*/bin, /usr/pgsql-*/bin or PATH holds all of {PROGRAMS:?}"
    )]
    NoPostgres,
    #[cfg(feature = "embedded")]
    #[error("PostgreSQL {major} is not installed; .ci/postgres-versions installs it")]
    NoMajor { major: u32 },
    #[error("running as root, and neither the user \"postgres\" nor \"nobody\" exists to run PostgreSQL as")]
    NoUser,
    #[error("the temporary directory \"{}\" cannot be prepared", .path.display())]
    Directory { path: PathBuf, source: io::Error },
    #[error("\"{program}\" cannot be run")]
    Run { program: &'static str, source: io::Error },
    #[error("\"{program}\" failed: {output}")]
    Failed { program: &'static str, output: String },
    #[error("PostgreSQL did not come up in {} s: {log}", START_LIMIT.as_secs())]
    NotReady { log: String },
}

/// A running (or, after [`PrivateCluster::kill`], a dead) PostgreSQL.
#[derive(Debug)]
pub struct PrivateCluster {
    bin: PathBuf,
    user: Option<User>,
    postmaster: Option<Child>,
    temp: TempDir,
}

#[derive(Debug, Clone, Copy)]
struct User {
    uid: u32,
    gid: u32,
}

impl PrivateCluster {
    /// Makes a cluster and starts it, with `fsync` off: that is enough where only processes are killed.
    pub fn start() -> Result<Self, ClusterError> {
        assert!(declares(Mark::Postgres), "a test that starts a PostgreSQL server says #[test(postgres)]");
        Self::start_undeclared()
    }

    /// The same for a test that can do without.
    pub fn start_undeclared() -> Result<Self, ClusterError> {
        Self::start_in(find_programs()?)
    }

    /// The same of a major version, such as 13.
    #[cfg(feature = "embedded")]
    pub fn start_major(major: u32) -> Result<Self, ClusterError> {
        assert!(declares(Mark::Releases), "a test that starts a version of PostgreSQL says #[test(releases)]");
        Self::start_in(find_major(major).ok_or(ClusterError::NoMajor { major })?)
    }

    fn start_in(bin: PathBuf) -> Result<Self, ClusterError> {
        let user = unprivileged_user()?;
        let temp = temp_dir(user)?;
        let mut cluster = Self { bin, user, postmaster: None, temp };
        match std::env::var_os(SHARED) {
            Some(shared) => cluster.copy_template(Path::new(&shared))?,
            None => cluster.initdb(&cluster.data())?,
        }
        cluster.restart()?;
        Ok(cluster)
    }

    fn initdb(&self, data: &Path) -> Result<(), ClusterError> {
        let mut initdb = self.command("initdb");
        initdb.args(["--auth=trust", "--encoding=UTF8", "--no-locale", "--no-sync", "-U", SUPERUSER]);
        run("initdb", initdb.arg("-D").arg(data))
    }

    /// Copies what `initdb` of this version made for the first test of the suite that asked.
    fn copy_template(&self, shared: &Path) -> Result<(), ClusterError> {
        let name = self.bin.to_string_lossy().replace('/', "-");
        let place = shared.join(format!("initdb{name}"));
        let failed = |source| ClusterError::Directory { path: place.clone(), source };
        fs::create_dir_all(&place).map_err(failed)?;
        let lock = fs::File::create(shared.join(format!("lock{name}"))).map_err(failed)?;
        lock.lock().map_err(failed)?;
        if !place.join("data").is_dir() {
            if let Some(User { uid, gid }) = self.user {
                chown(&place, Some(uid), Some(gid)).map_err(failed)?;
            }
            self.initdb(&place.join("new"))?;
            fs::rename(place.join("new"), place.join("data")).map_err(failed)?;
        }
        drop(lock);
        let mut copy = Command::new("cp");
        if let Some(User { uid, gid }) = self.user {
            copy.uid(uid).gid(gid);
        }
        run("cp", copy.current_dir("/").arg("-a").arg(place.join("data")).arg(self.data()))
    }

    /// A libpq connection string for one database of the cluster, as its superuser.
    pub fn conninfo(&self, database: &str) -> String {
        self.conninfo_as(SUPERUSER, database)
    }

    pub fn conninfo_as(&self, role: &str, database: &str) -> String {
        format!("host={} user={role} dbname={database}", self.temp.path().display())
    }

    /// By a session of its own: some packages of the server have no `createdb`.
    #[cfg(feature = "embedded")]
    pub fn create_database(&self, name: &str) -> Result<(), ClusterError> {
        let conninfo = self.conninfo("postgres");
        let statement = format!("CREATE DATABASE \"{}\"", name.replace('"', "\"\""));
        // The caller may be in a runtime, which another one may not be started in.
        let session = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let (client, connection) = tokio_postgres::connect(&conninfo, tokio_postgres::NoTls).await?;
                tokio::spawn(connection);
                client.batch_execute(&statement).await
            })
        });
        let made = session.join().expect("the thread that makes a database ends");
        made.map_err(|error| ClusterError::Failed { program: "CREATE DATABASE", output: format!("{error:?}") })
    }

    /// Ends the server at once and in order (`pg_ctl stop -m immediate`); the files stay until the drop.
    pub fn stop(&mut self) -> Result<(), ClusterError> {
        let Some(mut postmaster) = self.postmaster.take() else { return Ok(()) };
        let mut pg_ctl = self.command("pg_ctl");
        let stopped = run("pg_ctl", pg_ctl.args(["stop", "-s", "-w", "-m", "immediate", "-D"]).arg(self.data()));
        if stopped.is_err() {
            let _ = postmaster.kill();
        }
        let _ = postmaster.wait();
        stopped
    }

    /// Kills the postmaster (SIGKILL). Its sessions notice and die by themselves.
    #[cfg(feature = "embedded")]
    pub fn kill(&mut self) {
        if let Some(mut postmaster) = self.postmaster.take() {
            let _ = postmaster.kill();
            let _ = postmaster.wait();
        }
    }

    /// Starts the server (again), and returns when it takes connections.
    pub fn restart(&mut self) -> Result<(), ClusterError> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            let mut postmaster = self.spawn()?;
            if self.wait_until_ready(&mut postmaster, deadline) {
                self.postmaster = Some(postmaster);
                return Ok(());
            }
            let _ = postmaster.kill();
            let _ = postmaster.wait();
            let log = fs::read_to_string(self.log()).unwrap_or_default();
            // The sessions of a killed server live on for a moment and hold its shared memory.
            if Instant::now() >= deadline || !log.contains("shared memory block") {
                return Err(ClusterError::NotReady { log });
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn spawn(&self) -> Result<Child, ClusterError> {
        let log = fs::File::create(self.log());
        let log = log.map_err(|source| ClusterError::Directory { path: self.log(), source })?;
        let mut postgres = self.command("postgres");
        postgres.arg("-D").arg(self.data()).arg("-k").arg(self.temp.path());
        postgres.args(["-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=50"]);
        postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        postgres.spawn().map_err(|source| ClusterError::Run { program: "postgres", source })
    }

    /// Line 8 of `postmaster.pid` is the server's own word for its state.
    fn wait_until_ready(&self, postmaster: &mut Child, deadline: Instant) -> bool {
        let pid = postmaster.id().to_string();
        while Instant::now() < deadline && matches!(postmaster.try_wait(), Ok(None)) {
            let text = fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
            let lines: Vec<_> = text.lines().map(str::trim).collect();
            if lines.first() == Some(&pid.as_str()) && lines.get(7) == Some(&"ready") {
                return true;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        false
    }

    fn command(&self, program: &'static str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        // A working directory that the other user may enter, and no settings of whoever runs the tests.
        command.current_dir("/").env_clear().env("LC_ALL", "C").env("TZ", "UTC");
        if let Some(User { uid, gid }) = self.user {
            command.uid(uid).gid(gid);
        }
        command
    }

    fn data(&self) -> PathBuf {
        self.temp.path().join("data")
    }

    fn log(&self) -> PathBuf {
        self.temp.path().join("log")
    }
}

impl Drop for PrivateCluster {
    fn drop(&mut self) {
        let _ = self.stop();
    }
}

fn run(program: &'static str, command: &mut Command) -> Result<(), ClusterError> {
    let output = command.stdin(Stdio::null()).output().map_err(|source| ClusterError::Run { program, source })?;
    if output.status.success() {
        return Ok(());
    }
    let text = [output.stdout, output.stderr].concat();
    Err(ClusterError::Failed { program, output: String::from_utf8_lossy(&text).into_owned() })
}

/// Whether the programs of a server are there.
pub fn is_installed() -> bool {
    find_programs().is_ok()
}

fn find_programs() -> Result<PathBuf, ClusterError> {
    if let Some(only) = std::env::var_os("ENACT_POSTGRES_BIN") {
        return Some(PathBuf::from(only)).filter(|path| is_complete(path)).ok_or(ClusterError::NoPostgres);
    }
    let mut places = Vec::new();
    for parent in ["/usr/lib/postgresql", "/usr"] {
        let entries = fs::read_dir(parent).into_iter().flatten().flatten().map(|entry| entry.path().join("bin"));
        let versioned = |path: &PathBuf| parent.len() > 4 || path.to_string_lossy().contains("/pgsql-");
        places.extend(entries.filter(versioned));
    }
    // The newest version first.
    places.sort_by_key(|path| std::cmp::Reverse(version(path)));
    places.extend(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()));
    places.into_iter().find(|path| is_complete(path)).ok_or(ClusterError::NoPostgres)
}

fn is_complete(bin: &Path) -> bool {
    PROGRAMS.iter().all(|program| bin.join(program).is_file())
}

/// Whether each of [`MAJORS`] is there.
pub fn are_installed() -> bool {
    MAJORS.into_iter().all(|major| find_major(major).is_some())
}

/// The places of `.ci/postgres-versions`, then those of distributions.
fn find_major(major: u32) -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/enact-postgres"));
    let own = std::env::var_os("ENACT_POSTGRES_DIR").map(PathBuf::from);
    let places = own.into_iter().chain([PathBuf::from("/var/cache/enact-postgres")]).chain(home);
    let unpacked = places.map(|place| place.join(major.to_string()).join("bin"));
    let packaged = ["/usr/lib/postgresql/", "/usr/pgsql-"].map(|start| PathBuf::from(format!("{start}{major}/bin")));
    unpacked.chain(packaged).find(|bin| is_complete(bin))
}

fn version(path: &Path) -> u32 {
    let name = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    name.trim_start_matches("pgsql-").split('.').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn unprivileged_user() -> Result<Option<User>, ClusterError> {
    let root = fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    if !root {
        return Ok(None);
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let find = |name: &str| {
        let fields = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|fields| fields[0] == name)?;
        Some(User { uid: fields.get(2)?.parse().ok()?, gid: fields.get(3)?.parse().ok()? })
    };
    find("postgres").or_else(|| find("nobody")).map(Some).ok_or(ClusterError::NoUser)
}

/// A directory that the user owns, under one that everybody may enter, with a name short enough for a socket (107 bytes).
fn temp_dir(user: Option<User>) -> Result<TempDir, ClusterError> {
    let usual = std::env::temp_dir();
    let open_to_all =
        |path: &Path| path.ancestors().all(|part| fs::metadata(part).is_ok_and(|meta| meta.mode() & 0o001 != 0));
    let fits = usual.as_os_str().len() <= 60 && (user.is_none() || open_to_all(&usual));
    let base = if fits { usual } else { PathBuf::from("/tmp") };
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| ClusterError::Directory { path, source }
    };
    let temp = tempfile::Builder::new().prefix("enact-pg-").tempdir_in(&base).map_err(failed(&base))?;
    if let Some(User { uid, gid }) = user {
        chown(temp.path(), Some(uid), Some(gid)).map_err(failed(temp.path()))?;
    }
    Ok(temp)
}

//! A project folder with running embedded stores, and the binary run in it as a user would.
#![allow(dead_code, reason = "not every test that includes this module uses all of it")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use enact::local::{LocalServers, schema};
use enact::store::qdrant::{Qdrant, QdrantOptions};
use enact::store::{Point, VectorStore, WithVectors};
use secrecy::SecretString;
use tokio::runtime::Runtime;

/// A project in a temporary folder. The servers run in this process; commands join them.
pub struct Project {
    runtime: Runtime,
    servers: Option<LocalServers>,
    folder: tempfile::TempDir,
}

impl Project {
    /// Starts the stores and writes `enact.yaml`.
    pub fn start(config: &str) -> Project {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let runtime = Runtime::new().expect("a runtime");
        std::fs::write(folder.path().join("enact.yaml"), config).expect("enact.yaml");
        std::fs::create_dir(folder.path().join("plans")).expect("plans/");
        let servers =
            runtime.block_on(LocalServers::start(&folder.path().join(".enact"))).expect("the embedded servers");
        Project { runtime, servers: Some(servers), folder }
    }

    /// A project over the reference schema and its fixture, with the schema `enact`.
    pub fn with_fixture(config: &str) -> Project {
        let project = Project::start(config);
        // On one connection: the embedded server starts anew for each.
        project.with_client(async |client| {
            let scripts = schema::iu_core_sql().iter().copied().chain([schema::fixture_sql()]);
            for (name, sql) in scripts.chain([("refresh", "SELECT fn_iu_three_axis_envelope_refresh('fixture')")]) {
                client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            }
        });
        project.ok(&["init"]);
        project
    }

    /// The project's folder.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where PostgreSQL and Qdrant are reached.
    pub fn endpoints(&self) -> (String, String) {
        let endpoints = self.servers.as_ref().expect("running servers").endpoints();
        (endpoints.postgres.clone(), endpoints.qdrant.clone())
    }

    /// The ids of all points behind the aliases, sorted. No other collection may be there.
    pub fn points(&self) -> Vec<String> {
        let (ids, aliases, collections) = self.look();
        assert_eq!(collections, aliases, "a collection that nobody sees was left behind");
        ids
    }

    /// The ids of all points behind the aliases, sorted, whatever other collections there are.
    pub fn aliased_points(&self) -> Vec<String> {
        self.look().0
    }

    /// Does something with the vector store, as somebody else would.
    pub fn with_qdrant<T>(&self, body: impl AsyncFnOnce(&Qdrant) -> T) -> T {
        let url = SecretString::from(self.servers.as_ref().expect("running servers").endpoints().qdrant.clone());
        let options = QdrantOptions { url, api_key: None, timeout_ms: 20_000, retry_ms: 0, ca: None };
        self.runtime.block_on(async { body(&Qdrant::connect(&options).await.expect("the vector server")).await })
    }

    /// Ids of points, number of aliases and of collections.
    fn look(&self) -> (Vec<String>, usize, usize) {
        self.with_qdrant(async |store| {
            let mut ids = Vec::new();
            for (alias, collection) in store.aliases().await.expect("aliases") {
                let (page, _) = store.point_ids(&collection, None, 100_000).await.expect("ids");
                ids.extend(page.into_iter().map(|id| format!("{alias} {id}")));
            }
            let collections = store.collections().await.expect("collections").len();
            let aliases = store.aliases().await.expect("aliases").len();
            ids.sort();
            (ids, aliases, collections)
        })
    }

    /// Deletes the first point behind the first alias, as somebody else would.
    pub fn lose_point(&self) {
        self.lose_point_but("");
    }

    /// Takes a point away that is not of the unit with this address.
    pub fn lose_point_but(&self, address: &str) {
        self.with_qdrant(async |store| {
            let (_, collection) = store.aliases().await.expect("aliases").into_iter().next().expect("an alias");
            let page = store.points(&collection, None, 2, WithVectors::No).await.expect("points");
            let other = |point: &&Point| point.payload.get("canonical_address").is_none_or(|found| found != address);
            let id = page.points.iter().find(other).expect("a point of another unit").id;
            store.ensure_points_absent(&collection, &[id]).await.expect("the point goes");
        });
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("a project file");
        path
    }

    /// Runs a script.
    pub fn sql(&self, script: &str) {
        self.with_client(async |client| client.batch_execute(script).await.expect("the script runs"));
    }

    /// The first column of the first row, as text.
    pub fn value(&self, query: &str) -> String {
        self.with_client(async |client| {
            let rows = client.simple_query(query).await.expect("the query runs");
            let row = rows.into_iter().find_map(|message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => Some(row),
                _ => None,
            });
            row.and_then(|row| row.get(0).map(str::to_owned)).unwrap_or_default()
        })
    }

    fn with_client<T>(&self, body: impl AsyncFnOnce(&tokio_postgres::Client) -> T) -> T {
        let conninfo = self.servers.as_ref().expect("running servers").endpoints().postgres.clone();
        self.runtime.block_on(async {
            let (client, connection) =
                tokio_postgres::connect(&conninfo, tokio_postgres::NoTls).await.expect("a connection");
            let connection = tokio::spawn(connection);
            let answer = body(&client).await;
            drop(client);
            let _ended = connection.await;
            answer
        })
    }

    /// Runs the binary in the project.
    pub fn enact(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the binary runs")
    }

    /// The same without what it prints; and the most kilobytes that its process held, as Linux counts them.
    pub fn held(&self, arguments: &[&str]) -> (ExitStatus, u64) {
        let mut child =
            self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("the binary starts");
        let status = format!("/proc/{}/status", child.id());
        let mut most = 0;
        loop {
            if let Some(ended) = child.try_wait().expect("the process is asked") {
                return (ended, most);
            }
            let text = std::fs::read_to_string(&status).unwrap_or_default();
            let held =
                text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse().ok());
            most = most.max(held.unwrap_or(0));
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
        command.args(arguments).args(["--no-input", "--no-color"]).current_dir(self.path()).env_remove("ENACT_ENV");
        command
    }

    /// Runs the binary, which must succeed, and gives what it wrote to stdout.
    pub fn ok(&self, arguments: &[&str]) -> String {
        self.exits(arguments, 0).0
    }

    /// Runs the binary, which must exit with this code, and gives stdout and stderr.
    pub fn exits(&self, arguments: &[&str], code: i32) -> (String, String) {
        let output = self.enact(arguments);
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "enact {arguments:?}\n{stdout}\n{stderr}");
        (stdout, stderr)
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        if let Some(servers) = self.servers.take() {
            let _stopped = self.runtime.block_on(servers.stop());
        }
    }
}

//! Both stores, each in processes of its own, and a project folder that points at them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use enact::store::VectorStore;
use tokio::runtime::Runtime;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::process::{Enact, Ended, LIMIT, poll};
use super::state::{self, State};
use super::vectors::VectorServer;
use crate::support::postgres::PrivateCluster;

/// The database that runs work in.
const LIVE: &str = "kb";
/// A copy of it as it was saved, from which the live one is made again.
const SAVED: &str = "kb_saved";

/// Both stores.
pub struct Stores {
    /// Where clients and proxies run.
    pub runtime: Runtime,
    /// PostgreSQL.
    pub cluster: PrivateCluster,
    /// Qdrant.
    pub vectors: VectorServer,
    folder: tempfile::TempDir,
}

/// A connection of the test's own.
pub struct Connection {
    client: tokio_postgres::Client,
    task: tokio::task::JoinHandle<()>,
}

impl Stores {
    /// Starts both, empty.
    pub fn start() -> Stores {
        let runtime = Runtime::new().expect("a runtime");
        let cluster = PrivateCluster::start().expect("a private PostgreSQL");
        cluster.create_database(LIVE).expect("a database");
        let folder = tempfile::tempdir().expect("a temporary folder");
        for name in ["project", "project/plans", "qdrant"] {
            std::fs::create_dir(folder.path().join(name)).expect("a folder");
        }
        let vectors = VectorServer::start(&folder.path().join("qdrant"));
        let stores = Stores { runtime, cluster, vectors, folder };
        stores.configure(&stores.conninfo(), &stores.url(), DEADLINE);
        stores
    }

    /// The project folder.
    pub fn project(&self) -> PathBuf {
        self.folder.path().join("project")
    }

    /// How to reach the live database.
    pub fn conninfo(&self) -> String {
        self.cluster.conninfo(LIVE)
    }

    /// The socket that PostgreSQL listens on.
    pub fn socket(&self) -> PathBuf {
        let conninfo = self.conninfo();
        let folder = conninfo.split_whitespace().find_map(|word| word.strip_prefix("host=")).expect("a folder");
        Path::new(folder).join(".s.PGSQL.5432")
    }

    /// How to reach the vector server.
    pub fn url(&self) -> String {
        format!("http://{}", self.vectors.address())
    }

    /// Writes `enact.yaml`; the deadline is that of a request, in seconds.
    pub fn configure(&self, conninfo: &str, url: &str, deadline: u64) {
        let text = format!(
            "enact: v1\ndefault: staging\nenvironments:\n  staging:\n    postgres: {{ conninfo: \"{conninfo}\" }}\n    \
             qdrant: {{ url: \"{url}\", timeout_ms: 3000 }}\n    binding: iu-core\n    \
             embedders: {{ default: {{ kind: static }} }}\n    actor: test\n    sweep_grace: 0s\n    request_deadline: {deadline}s\n"
        );
        std::fs::write(self.project().join("enact.yaml"), text).expect("enact.yaml");
    }

    /// Starts the binary.
    pub fn start_enact(&self, arguments: &[&str]) -> Enact {
        Enact::start(&self.project(), arguments)
    }

    /// Runs the binary.
    pub fn enact(&self, arguments: &[&str]) -> Ended {
        Enact::run(&self.project(), arguments)
    }

    /// Runs the binary, which must exit with this code.
    pub fn exits(&self, arguments: &[&str], code: i32) -> String {
        let ended = self.enact(arguments);
        assert_eq!(ended.code, Some(code), "enact {arguments:?}\n{}", ended.text);
        ended.text
    }

    /// Connects to the live database, waiting for a server that is starting.
    pub fn connect(&self) -> Connection {
        self.connect_to(LIVE)
    }

    fn connect_to(&self, database: &str) -> Connection {
        let conninfo = self.cluster.conninfo(database);
        let look = || self.runtime.block_on(tokio_postgres::connect(&conninfo, NoTls)).ok();
        let (client, connection) = poll(LIMIT, look).expect("PostgreSQL takes connections");
        let task = self.runtime.spawn(async move {
            // A server that is killed ends it with an error, as it should.
            let _ended = connection.await;
        });
        Connection { client, task }
    }

    /// Closes a connection and waits until that is done.
    pub fn close(&self, connection: Connection) {
        let Connection { client, task } = connection;
        drop(client);
        self.runtime.block_on(task).expect("the connection's task");
    }

    /// Runs a script on a connection.
    pub fn batch(&self, connection: &Connection, script: &str) {
        self.runtime.block_on(connection.client.batch_execute(script)).expect("the script runs");
    }

    /// Runs a script in the live database.
    pub fn sql(&self, script: &str) {
        let connection = self.connect();
        self.batch(&connection, script);
        self.close(connection);
    }

    /// The first column of all rows, as text.
    pub fn values_on(&self, connection: &Connection, query: &str) -> Vec<String> {
        let messages = self.runtime.block_on(connection.client.simple_query(query)).expect("the query runs");
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        rows.collect()
    }

    /// The first column of the first row, as text.
    pub fn value_on(&self, connection: &Connection, query: &str) -> String {
        self.values_on(connection, query).into_iter().next().unwrap_or_default()
    }

    /// The same on a connection of its own.
    pub fn values(&self, query: &str) -> Vec<String> {
        let connection = self.connect();
        let values = self.values_on(&connection, query);
        self.close(connection);
        values
    }

    /// The same, one value.
    pub fn value(&self, query: &str) -> String {
        self.values(query).into_iter().next().unwrap_or_default()
    }

    /// Server processes of Enact's sessions.
    pub fn backends(&self) -> Vec<i32> {
        let query = "SELECT pid::text FROM pg_stat_activity WHERE application_name = 'enact' AND datname = 'kb'";
        self.values(query).iter().map(|pid| pid.parse().expect("a process id")).collect()
    }

    /// Waits until no session of Enact is left, as it is a moment after the death of its process.
    pub fn wait_for_no_backend(&self) {
        let gone = poll(LIMIT, || self.backends().is_empty().then_some(()));
        assert!(gone.is_some(), "a session of Enact outlived its process");
    }

    /// Starts again what was killed.
    pub fn revive(&mut self) {
        self.vectors.restart();
        drop(self.connect());
    }

    /// Saves both stores as they are now.
    pub fn save(&mut self) {
        self.wait_for_no_backend();
        self.sql("INSERT INTO gate.saved VALUES (clock_timestamp())");
        let connection = self.connect_to("postgres");
        self.batch(&connection, &format!("DROP DATABASE IF EXISTS {SAVED} WITH (FORCE)"));
        self.batch(&connection, &format!("CREATE DATABASE {SAVED} TEMPLATE {LIVE}"));
        self.close(connection);
        let to = self.folder.path().join("qdrant-saved");
        if to.exists() {
            std::fs::remove_dir_all(&to).expect("the older copy goes");
        }
        self.vectors.save(&to);
    }

    /// Puts both stores back to what was saved.
    pub fn restore(&mut self) {
        let connection = self.connect_to("postgres");
        self.batch(&connection, &format!("DROP DATABASE IF EXISTS {LIVE} WITH (FORCE)"));
        self.batch(&connection, &format!("CREATE DATABASE {LIVE} TEMPLATE {SAVED}"));
        self.close(connection);
        self.vectors.restore(&self.folder.path().join("qdrant-saved"));
    }

    /// Reads both stores, past Enact's commands, once nothing moves any more: a request of a process that is dead or asleep may
    /// still be on its way.
    pub fn state(&self) -> State {
        let mut last = State::read(self);
        let quiet = poll(SOON, || {
            let now = State::read(self)?;
            let same = last.as_ref() == Some(&now);
            last = Some(now);
            same.then(|| last.clone()).flatten()
        });
        quiet.expect("the stores come to rest")
    }

    /// Takes one point out of a collection and gives its id.
    pub fn remove_a_point(&self, collection: &str) -> String {
        self.runtime.block_on(async {
            let store = state::client(&self.url()).await;
            let (ids, _) = store.point_ids(collection, None, 1).await.expect("ids");
            store.ensure_points_absent(collection, &ids).await.expect("the point goes");
            ids[0].to_string()
        })
    }

    /// Writes a file of the project.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path: PathBuf = self.project().join(name);
        std::fs::write(&path, text).expect("a project file");
        path
    }
}

/// The usual deadline of a request, in seconds: as short as can be written, because recovery waits it out.
pub const DEADLINE: u64 = 1;

/// How long what happens soon may take to be seen on a machine that is busy.
pub const SOON: Duration = LIMIT;

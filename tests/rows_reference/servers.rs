//! One PostgreSQL and one vector server for many databases.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use enact::local::qdrant::QdrantServer;
use enact::local::schema;
use tokio::runtime::Runtime;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use crate::rows_reference::view;
use crate::support::postgres::PrivateCluster;

/// The superuser of the cluster.
pub const OWNER: &str = "enact_admin";
/// A database with Enact's own schema and the tables of the binding, from which the others are copied.
const TEMPLATE: &str = "prepared";

/// The servers, and what is needed to ask them.
pub struct Servers {
    runtime: Runtime,
    cluster: PrivateCluster,
    qdrant: String,
    _server: QdrantServer,
    _points: tempfile::TempDir,
}

impl Servers {
    pub fn start() -> Servers {
        let runtime = Runtime::new().expect("a runtime");
        let cluster = PrivateCluster::start().expect("a private PostgreSQL");
        let points = tempfile::tempdir().expect("a folder for points");
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let server = runtime.block_on(QdrantServer::start(points.path(), loopback)).expect("the vector server");
        let servers = Servers { runtime, cluster, qdrant: server.url(), _server: server, _points: points };
        servers.cluster.create_database(TEMPLATE).expect("a database");
        servers.run(TEMPLATE, schema::documents_sql().1);
        let folder = tempfile::tempdir().expect("a project folder");
        servers.write_config(folder.path(), OWNER, TEMPLATE);
        let init = enact(folder.path()).arg("init").output().expect("the binary runs");
        assert!(init.status.success(), "enact init: {}", String::from_utf8_lossy(&init.stderr));
        servers
    }

    /// Makes a database with an empty record.
    pub fn create_database(&self, name: &str) {
        self.run("postgres", &format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}"));
    }

    /// Writes the `enact.yaml` of a project that connects as this role.
    pub fn write_config(&self, folder: &Path, role: &str, database: &str) {
        let (conninfo, qdrant) = (self.cluster.conninfo_as(role, database), &self.qdrant);
        let config = format!(
            "enact: v1\ndefault: test\nenvironments:\n  test:\n    postgres: {{ conninfo: \"{conninfo}\" }}\n    \
             qdrant: {{ url: \"{qdrant}\" }}\n    binding: documents\n"
        );
        std::fs::write(folder.join("enact.yaml"), config).expect("enact.yaml");
    }

    /// Runs statements as the owner, and gives the answer of the last one that had one.
    pub fn run(&self, database: &str, script: &str) -> String {
        let answer = self.runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&self.cluster.conninfo(database), NoTls).await?;
            let connection = tokio::spawn(connection);
            let answer = client.simple_query(script).await;
            drop(client);
            connection.await.expect("the connection ends")?;
            answer
        });
        view::table(&answer.unwrap_or_else(|error| panic!("{database}: {error:?} in\n{script}")))
    }
}

/// The columns and the rows of an answer.
pub fn last_answer(messages: &[SimpleQueryMessage]) -> (Vec<String>, Vec<Vec<Option<String>>>) {
    let (mut columns, mut rows) = (Vec::new(), Vec::new());
    for message in messages {
        match message {
            SimpleQueryMessage::RowDescription(description) => {
                columns = description.iter().map(|column| column.name().to_owned()).collect();
                rows.clear();
            }
            SimpleQueryMessage::Row(row) => {
                rows.push((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect());
            }
            _ => {}
        }
    }
    (columns, rows)
}

/// The binary, as somebody runs it in this folder.
pub fn enact(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
    command.current_dir(folder).stdin(std::process::Stdio::null());
    command.env("COLUMNS", "100").env("USER", "operator");
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "ENACT_ENV"] {
        command.env_remove(variable);
    }
    command
}

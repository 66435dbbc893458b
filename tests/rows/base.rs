//! A server of one major version, and databases of it by the hundred.
//!
//! Each case has a database of its own, copied from one that has what every project has, so that nothing of another case is in it.

use super::engine::initialise;
use crate::support::postgres::PrivateCluster;
use enact::local::schema;
use tokio_postgres::Client;

/// What every database of this server starts as.
const MODEL: &str = "model";

/// A server.
pub struct Server {
    cluster: PrivateCluster,
    admin: Client,
    made: u32,
}

/// Which version of PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// Whatever is installed, the newest first.
    Any,
    Major(u32),
}

/// A session of a superuser. Values are read as they are spelled everywhere.
pub async fn client(conninfo: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(conninfo, tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client.batch_execute("SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'").await.expect("settings");
    client
}

impl Server {
    /// Starts a server.
    pub async fn start(version: Version) -> Server {
        let cluster = match version {
            Version::Any => PrivateCluster::start(),
            Version::Major(major) => PrivateCluster::start_major(major),
        };
        let cluster = cluster.unwrap_or_else(|error| panic!("{error}"));
        cluster.create_database(MODEL).expect("a database");
        let model = cluster.conninfo(MODEL);
        let in_model = client(&model).await;
        in_model.batch_execute(schema::documents_sql().1).await.expect("the binding's table");
        drop(in_model);
        initialise(&model).await;
        let admin = client(&cluster.conninfo("postgres")).await;
        Server { cluster, admin, made: 0 }
    }

    /// Makes a database and gives its name.
    pub async fn database(&mut self) -> String {
        self.made += 1;
        let name = format!("case_{}", self.made);
        let statement = format!("CREATE DATABASE {name} TEMPLATE {MODEL}");
        self.admin.batch_execute(&statement).await.unwrap_or_else(|error| panic!("{statement}: {error:?}"));
        name
    }

    pub fn conninfo(&self, database: &str) -> String {
        self.cluster.conninfo(database)
    }
}

/// Statements that empty what Enact writes down in this database, which has not been used yet.
pub async fn forget(sql: &Client) -> String {
    let query = "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables WHERE schemaname = 'enact'";
    // Triggers keep some of them as they are.
    let mut out = "SET session_replication_role = replica; ".to_owned();
    for row in sql.query(query, &[]).await.expect("the tables of Enact") {
        let table: String = row.get(0);
        let is_empty = sql.query_opt(&format!("SELECT FROM {table} LIMIT 1"), &[]).await.expect("a look").is_none();
        if is_empty {
            out.push_str(&format!("DELETE FROM {table}; "));
        }
    }
    out + "RESET session_replication_role"
}

//! A PostgreSQL for tests that need one session of any server: a real one where it is installed, else the embedded one.

#[cfg(feature = "embedded")]
use enact::local::PostgresServer;

use crate::support::postgres::PrivateCluster;
#[cfg(feature = "embedded")]
use crate::support::postgres::is_installed;

/// A running server; its database `postgres` is empty.
pub enum Server {
    Real(PrivateCluster),
    #[cfg(feature = "embedded")]
    Embedded {
        server: PostgresServer,
        _files: tempfile::TempDir,
    },
}

impl Server {
    /// Starts one. Without the embedded servers it is a real one.
    pub async fn start() -> Server {
        #[cfg(feature = "embedded")]
        if !is_installed() {
            let files = tempfile::tempdir().expect("a directory");
            let server = PostgresServer::start(files.path(), ([127, 0, 0, 1], 0).into()).await.expect("a server");
            return Server::Embedded { server, _files: files };
        }
        Server::Real(PrivateCluster::start_undeclared().expect("a PostgreSQL"))
    }

    /// A libpq connection string, as a superuser.
    pub fn conninfo(&self) -> String {
        match self {
            Server::Real(cluster) => cluster.conninfo("postgres"),
            #[cfg(feature = "embedded")]
            Server::Embedded { server, .. } => server.conninfo(),
        }
    }
}

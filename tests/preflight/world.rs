//! A real PostgreSQL with the reference roles, the embedded Qdrant, and a session of a role that has what it needs and no more.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;

use enact::local::qdrant::QdrantServer;
use enact::local::schema;
use tokio::runtime::Runtime;

use crate::support::postgres::PrivateCluster;

const DATABASE: &str = "kb";

/// The role `planner` takes on the others and reads what plans compare. It owns nothing but the schema `enact`.
const PLANNER: &str = "CREATE ROLE planner LOGIN NOINHERIT; GRANT workflow_admin, cutter_exec, directus TO planner; \
    GRANT CREATE ON DATABASE kb TO planner; GRANT USAGE ON SCHEMA cutter_governance TO planner; \
    GRANT SELECT ON ALL TABLES IN SCHEMA cutter_governance TO planner; \
    GRANT SELECT ON public.information_unit, public.unit_version, public.dot_config, public.iu_vector_sync_point, \
    public.v_iu_three_axis_envelope_refresh_status, public.v_ui_iu_three_axis_envelope, public.iu_three_axis_envelope, \
    public.v_iu_three_axis_envelope_drift TO planner; \
    GRANT EXECUTE ON FUNCTION public.fn_iu_three_axis_envelope_drift_check() TO planner";

pub struct World {
    runtime: Runtime,
    cluster: PrivateCluster,
    qdrant: Option<QdrantServer>,
    folder: tempfile::TempDir,
    _points: tempfile::TempDir,
    /// `enact.yaml` as it was written first.
    pub config: String,
}

impl World {
    pub fn start() -> World {
        let cluster = PrivateCluster::start().expect("a private PostgreSQL");
        cluster.create_database(DATABASE).expect("a database");
        let (folder, points) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let runtime = Runtime::new().expect("a runtime");
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let qdrant = runtime.block_on(QdrantServer::start(points.path(), loopback)).expect("the vector server");
        let config = config(&cluster.conninfo_as("planner", DATABASE), &qdrant.url());
        let world = World { runtime, cluster, qdrant: Some(qdrant), folder, _points: points, config };
        for (_, sql) in schema::iu_core_sql() {
            world.sql(sql);
        }
        world.sql(schema::fixture_sql().1);
        world.sql(PLANNER);
        std::fs::create_dir(world.folder.path().join("plans")).expect("plans/");
        world.write("enact.yaml", &world.config);
        world.exits(&["init"], 0);
        world
    }

    /// The URL of the vector server.
    pub fn qdrant(&self) -> String {
        self.qdrant.as_ref().expect("a running server").url()
    }

    /// The connection string of `planner`.
    pub fn conninfo(&self) -> String {
        self.cluster.conninfo_as("planner", DATABASE)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.folder.path().join(name), text).expect("a project file");
    }

    /// Runs a script as the superuser.
    pub fn sql(&self, script: &str) {
        self.with_admin(async |admin| admin.batch_execute(script).await.unwrap_or_else(|e| panic!("{script}: {e:?}")));
    }

    pub fn value(&self, query: &str) -> String {
        self.with_admin(async |admin| admin.query_one(query, &[]).await.expect("the query runs").get(0))
    }

    fn with_admin<T>(&self, body: impl AsyncFnOnce(&tokio_postgres::Client) -> T) -> T {
        self.runtime.block_on(async {
            let conninfo = self.cluster.conninfo(DATABASE);
            let (client, connection) =
                tokio_postgres::connect(&conninfo, tokio_postgres::NoTls).await.expect("a connection");
            let task = tokio::spawn(connection);
            let answer = body(&client).await;
            drop(client);
            let _ended = task.await;
            answer
        })
    }

    /// Runs the binary, which must exit with this code; gives stdout and stderr.
    pub fn exits(&self, arguments: &[&str], code: i32) -> (String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
        let output = command
            .args(arguments)
            .args(["--no-input", "--no-color"])
            .current_dir(self.folder.path())
            .env_remove("ENACT_ENV")
            .output()
            .expect("the binary runs");
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(code), "enact {arguments:?}\n{stdout}\n{stderr}");
        (stdout.into_owned(), stderr.into_owned())
    }
}

/// An environment `staging` over these stores.
pub fn config(conninfo: &str, qdrant: &str) -> String {
    format!(
        "enact: v1\ndefault: staging\nenvironments:\n  staging:\n    postgres: {{ conninfo: \"{conninfo}\" }}\n    qdrant: {{ url: \"{qdrant}\" }}\n    \
         binding: iu-core\n    embedders: {{ default: {{ kind: static }} }}\n    actor: test\n    sweep_grace: 0s\n    \
         roles: {{ rows: workflow_admin, lifecycle: cutter_exec, refresh: directus, ledger: directus, gates: directus }}\n"
    )
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(qdrant) = self.qdrant.take() {
            let _stopped = self.runtime.block_on(qdrant.shutdown());
        }
    }
}

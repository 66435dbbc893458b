//! The cycle on a real PostgreSQL server, with the reference roles.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::process::Command;

use enact::local::qdrant::QdrantServer;
use enact::local::schema;
use tokio::runtime::Runtime;

use crate::support::plans::{AFTER, BEFORE, COUNTS, PLAN};
use crate::support::postgres::PrivateCluster;

const DATABASE: &str = "kb";

fn enact(folder: &Path, arguments: &[&str], code: i32) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
    let output = command.args(arguments).args(["--no-input", "--no-color"]).current_dir(folder).output();
    let output = output.expect("the binary runs");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "enact {arguments:?}\n{text}");
    text
}

fn config(conninfo: &str, qdrant: &str) -> String {
    format!(
        "enact: v1\ndefault: staging\nenvironments:\n  staging:\n    postgres: {{ conninfo: \"{conninfo}\" }}\n    qdrant: {{ url: \"{qdrant}\" }}\n    \
         binding: iu-core\n    embedders: {{ default: {{ kind: static }} }}\n    actor: test\n    sweep_grace: 0s\n    \
         roles: {{ rows: workflow_admin, lifecycle: cutter_exec, refresh: directus, ledger: directus, gates: directus }}\n"
    )
}

fn write_project(folder: &Path, config: &str, plan: &str) {
    std::fs::write(folder.join("enact.yaml"), config).expect("enact.yaml");
    std::fs::create_dir(folder.join("plans")).expect("plans/");
    std::fs::write(folder.join("plans/plan.yaml"), plan).expect("a plan");
}

/// A server and the folder that it lives in.
async fn vector_server() -> (QdrantServer, tempfile::TempDir) {
    let points = tempfile::tempdir().expect("a temporary folder");
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    (QdrantServer::start(points.path(), loopback).await.expect("the vector server"), points)
}

async fn client(conninfo: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(conninfo, tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

async fn value(client: &tokio_postgres::Client, query: &str) -> String {
    client.query_one(query, &[]).await.expect("the query runs").get(0)
}

#[test(postgres)]
fn the_cycle_on_a_real_server_runs_as_the_reference_roles_and_one_at_a_time() {
    let cluster = PrivateCluster::start().expect("a private PostgreSQL");
    cluster.create_database(DATABASE).expect("a database");
    let conninfo = cluster.conninfo(DATABASE);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (qdrant, _points) = vector_server().await;
        let admin = client(&conninfo).await;
        for (_, sql) in schema::iu_core_sql() {
            admin.batch_execute(sql).await.expect("the schema loads");
        }
        admin.batch_execute(schema::fixture_sql().1).await.expect("the fixture loads");
        write_project(folder.path(), &config(&conninfo, &qdrant.url()), PLAN);
        let run = |arguments: &'static [&'static str], code: i32| {
            let folder = folder.path().to_owned();
            tokio::task::spawn_blocking(move || enact(&folder, arguments, code))
        };
        run(&["init"], 0).await.expect("init");
        assert_eq!(value(&admin, COUNTS).await, BEFORE);
        let lock = format!("SELECT pg_advisory_lock({})", enact::apply::LEASE_KEY);
        admin.execute(&lock, &[]).await.expect("the lease");
        let locked = run(&["apply", "--auto-approve"], 7).await.expect("apply");
        assert!(locked.contains("another run holds the lease") && locked.contains("enact_admin"), "{locked}");
        assert_eq!(value(&admin, COUNTS).await, BEFORE);
        admin.execute("SELECT pg_advisory_unlock_all()", &[]).await.expect("the lease is given back");
        let applied = run(&["apply", "--auto-approve"], 0).await.expect("apply");
        assert!(applied.contains("as cutter_exec") || applied.contains("cutter_exec"), "{applied}");
        assert_eq!(value(&admin, COUNTS).await, AFTER);
        run(&["plan", "--detailed-exitcode"], 0).await.expect("plan");
        run(&["verify"], 0).await.expect("verify");
        qdrant.shutdown().await.expect("the vector server stops");
    });
}

/// A database of an ordinary table, and a role that may write it and create nothing.
const OWNED: &str = "CREATE ROLE app LOGIN; CREATE TABLE public.settings (key text PRIMARY KEY, value text); \
    GRANT SELECT, INSERT, UPDATE, DELETE ON public.settings TO app";
const SETTINGS: &str =
    "enact: v1\nplan: settings\nrows:\n  public.settings:\n    - { key: { key: a }, values: { value: b } }\n";

#[test(postgres)]
fn a_role_that_may_create_nothing_uses_the_schema_that_an_owner_made() {
    let cluster = PrivateCluster::start().expect("a private PostgreSQL");
    cluster.create_database(DATABASE).expect("a database");
    let owner = cluster.conninfo(DATABASE);
    let app = cluster.conninfo_as("app", DATABASE);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let (qdrant, _points) = vector_server().await;
        let admin = client(&owner).await;
        admin.batch_execute(OWNED).await.expect("a table and a role");
        admin.batch_execute(schema::documents_sql().1).await.expect("the binding's table");
        admin.batch_execute("GRANT SELECT ON public.documents TO app").await.expect("a grant");
        let config = format!(
            "enact: v1\ndefault: staging\nenvironments:\n  staging:\n    postgres: {{ conninfo: \"{app}\" }}\n    \
             qdrant: {{ url: \"{}\" }}\n    binding: documents\n",
            qdrant.url()
        );
        write_project(folder.path(), &config, SETTINGS);
        let run = |arguments: &'static [&'static str], code: i32| {
            let folder = folder.path().to_owned();
            tokio::task::spawn_blocking(move || enact(&folder, arguments, code))
        };
        let refused = run(&["init"], 1).await.expect("init");
        assert!(refused.contains("permission denied") && refused.contains("init --print-sql"), "{refused}");
        let sql = run(&["init", "--print-sql", "--grant-to", "app"], 0).await.expect("the statements");
        for _ in 0..2 {
            admin.batch_execute(&sql).await.expect("the statements run, and run again");
        }
        let there = run(&["init"], 0).await.expect("init");
        assert!(there.contains("there already"), "{there}");
        let applied = run(&["apply", "--auto-approve"], 0).await.expect("apply");
        assert!(applied.contains("Applied."), "{applied}");
        assert_eq!(value(&admin, "SELECT value FROM public.settings WHERE key = 'a'").await, "b");
        qdrant.shutdown().await.expect("the vector server stops");
    });
}

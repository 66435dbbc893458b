//! Approvals on a real PostgreSQL server with roles of its own: who may, who may not, and when.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use enact::local::qdrant::QdrantServer;
use enact::local::schema;
use tokio::runtime::Runtime;

use crate::support::plans::{AFTER, BEFORE, COUNTS, PLAN};
use crate::support::postgres::PrivateCluster;

const DATABASE: &str = "kb";
const APPROVALS: &str = "    approvals: { required: 1, not_by_author: true }\n";
const GRANTS: &str = "CREATE ROLE binh LOGIN; CREATE ROLE chi LOGIN; GRANT USAGE ON SCHEMA enact TO binh, chi; \
     GRANT SELECT ON ALL TABLES IN SCHEMA enact TO binh, chi; GRANT INSERT, UPDATE ON enact.approval TO binh, chi";

/// A database and a vector server, and a project that reaches them as any role.
struct World {
    runtime: Runtime,
    cluster: PrivateCluster,
    qdrant: QdrantServer,
    folder: tempfile::TempDir,
    _points: tempfile::TempDir,
}

impl World {
    fn start() -> World {
        let cluster = PrivateCluster::start().expect("a private PostgreSQL");
        cluster.create_database(DATABASE).expect("a database");
        let (folder, points) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        let runtime = Runtime::new().expect("a runtime");
        let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let qdrant = runtime.block_on(QdrantServer::start(points.path(), loopback)).expect("the vector server");
        let world = World { runtime, cluster, qdrant, folder, _points: points };
        for (_, sql) in schema::iu_core_sql() {
            world.sql(sql);
        }
        world.sql(schema::fixture_sql().1);
        std::fs::create_dir(world.folder.path().join("plans")).expect("plans/");
        std::fs::write(world.folder.path().join("plans/cycle.yaml"), PLAN).expect("a plan");
        world.require(APPROVALS);
        world.enact(None, &["init"], 0);
        world.sql(GRANTS);
        world.enact(None, &["plan", "--out", "plan.json"], 0);
        world
    }

    /// Writes `enact.yaml` for this.
    fn require(&self, approvals: &str) {
        let text = format!(
            "enact: v1\ndefault: staging\nenvironments:\n  staging:\n    postgres: {{ conninfo: \"${{CONNINFO}}\" }}\n    \
             qdrant: {{ url: \"{}\" }}\n    binding: iu-core\n    embedders: {{ default: {{ kind: static }} }}\n    \
             actor: test\n    sweep_grace: 0s\n{approvals}",
            self.qdrant.url()
        );
        std::fs::write(self.folder.path().join("enact.yaml"), text).expect("enact.yaml");
    }

    /// A command as a role, `None` for the superuser.
    fn command(&self, role: Option<&str>, arguments: &[&str]) -> Command {
        let conninfo = match role {
            None => self.cluster.conninfo(DATABASE),
            Some(role) => self.cluster.conninfo_as(role, DATABASE),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
        command.args(arguments).args(["--no-input", "--no-color"]).current_dir(self.folder.path());
        command.env("CONNINFO", conninfo).env_remove("ENACT_ENV");
        command
    }

    fn enact(&self, role: Option<&str>, arguments: &[&str], code: i32) -> String {
        let output = self.command(role, arguments).output().expect("the binary runs");
        let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert_eq!(output.status.code(), Some(code), "enact {arguments:?} as {role:?}\n{text}");
        text
    }

    async fn client(&self, role: Option<&str>) -> tokio_postgres::Client {
        let conninfo = match role {
            None => self.cluster.conninfo(DATABASE),
            Some(role) => self.cluster.conninfo_as(role, DATABASE),
        };
        let connected = tokio_postgres::connect(&conninfo, tokio_postgres::NoTls).await;
        let (client, connection) = connected.expect("a connection");
        tokio::spawn(connection);
        client
    }

    fn sql(&self, script: &str) {
        self.runtime.block_on(async { self.client(None).await.batch_execute(script).await.expect("the script runs") });
    }

    fn value(&self, query: &str) -> String {
        self.runtime.block_on(async {
            let row = self.client(None).await.query_one(query, &[]).await.expect("the query runs");
            row.get::<_, Option<String>>(0).unwrap_or_default()
        })
    }

    fn apply(&self, code: i32) -> String {
        self.enact(None, &["apply", "plan.json", "--auto-approve"], code)
    }
}

fn ended(mut child: Child) -> (Option<i32>, String) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while Instant::now() < deadline {
        if child.try_wait().expect("the process").is_some() {
            let output = child.wait_with_output().expect("the output");
            let text = [output.stdout, output.stderr].concat();
            return (output.status.code(), String::from_utf8_lossy(&text).into_owned());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    panic!("the apply did not end");
}

#[test(postgres)]
fn somebody_else_than_the_author_has_to_approve() {
    let world = World::start();
    let refused = world.enact(None, &["apply", "--auto-approve"], 8);
    assert!(refused.contains("asks for approvals (1), and what is not saved cannot be approved"), "{refused}");
    assert!(refused.contains("enact plan --out plan.json"), "{refused}");
    let refused = world.apply(8);
    let words = "the plan needs 1 approval by others than its author \"enact_admin\"; there is none";
    assert!(refused.contains(words) && refused.contains("Not approved. Nothing was changed."), "{refused}");
    let own = world.enact(None, &["approve", "plan.json"], 8);
    assert!(own.contains("\"enact_admin\" made this plan"), "{own}");
    // What is written behind the command's back counts for its own role only, and the author's does not.
    world.sql("INSERT INTO enact.approval (plan_digest, approver) SELECT 'x', 'binh'");
    assert_eq!(world.value("SELECT approver FROM enact.approval"), "enact_admin");
    world.apply(8);
    let approved = world.enact(Some("binh"), &["approve", "plan.json", "--expires", "7d"], 0);
    assert!(approved.contains("Approved by \"binh\".") && approved.contains("Enough: the plan needs 1"), "{approved}");
    // Nobody takes back what another gave.
    let stolen = world.runtime.block_on(async {
        let sql = "UPDATE enact.approval SET revoked_at = now() WHERE approver = 'binh'";
        world.client(Some("chi")).await.batch_execute(sql).await
    });
    assert!(stolen.is_err());
    assert_eq!(world.value(COUNTS), BEFORE);
    world.apply(0);
    assert_eq!(world.value(COUNTS), AFTER);
}

#[test(postgres)]
fn an_approval_that_expired_or_was_revoked_does_not_count_and_editing_the_requirement_does_not_help() {
    let world = World::start();
    world.enact(Some("binh"), &["approve", "plan.json", "--expires", "1h"], 0);
    world.sql(
        "ALTER TABLE enact.approval DISABLE TRIGGER own_approval; \
         UPDATE enact.approval SET expires_at = now() - interval '1 second'; \
         ALTER TABLE enact.approval ENABLE TRIGGER own_approval",
    );
    assert!(world.apply(8).contains("\"binh\" (expired)"));
    world.enact(Some("binh"), &["approve", "plan.json"], 0);
    world.enact(Some("binh"), &["approve", "plan.json", "--revoke"], 0);
    world.enact(Some("binh"), &["approve", "plan.json", "--revoke"], 1);
    assert!(world.apply(8).contains("\"binh\" (revoked)"));
    let listed = world.enact(Some("chi"), &["approve", "plan.json", "--list"], 0);
    assert!(listed.starts_with("Not enough: ") && listed.contains("revoked"), "{listed}");
    // The plan was made under the requirement.
    world.require("");
    assert!(world.apply(8).contains("needs 1 approval by others"));
    // A plan that was made under none cannot avoid it either.
    world.enact(None, &["plan", "--out", "plan.json"], 0);
    world.require("    approvals: { required: 2 }\n");
    world.enact(Some("binh"), &["approve", "plan.json"], 0);
    assert!(world.apply(8).contains("needs 2 approvals by others than its author, whom it does not name"));
    world.enact(None, &["plan", "--out", "plan.json"], 0);
    world.enact(Some("binh"), &["approve", "plan.json"], 0);
    assert!(world.apply(8).contains("needs 2 approvals by others than its author \"enact_admin\"; there is: \"binh\""));
    world.enact(Some("chi"), &["approve", "plan.json"], 0);
    assert_eq!(world.value(COUNTS), BEFORE);
    assert_eq!(world.value("SELECT count(*)::text FROM enact.run"), "0");
    world.apply(0);
    assert_eq!(world.value(COUNTS), AFTER);
    let history = world.enact(None, &["history", "--format", "json"], 0);
    assert!(history.contains("\"binh\"") && history.contains("\"chi\""), "{history}");
}

#[test(postgres)]
fn an_approval_revoked_while_the_plan_is_being_applied_stops_it_before_the_decision() {
    let world = World::start();
    world.enact(Some("binh"), &["approve", "plan.json"], 0);
    let child = world.runtime.block_on(async {
        let admin = world.client(None).await;
        // The transaction waits here, after the run was opened.
        admin.batch_execute("BEGIN; LOCK TABLE iu_lifecycle_log IN ACCESS EXCLUSIVE MODE").await.expect("a lock");
        let mut command = world.command(None, &["apply", "plan.json", "--auto-approve"]);
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let other = world.client(None).await;
        let waits = "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND relation = 'iu_lifecycle_log'::regclass";
        let deadline = Instant::now() + Duration::from_secs(60);
        while !other.query_one(waits, &[]).await.expect("the locks").get::<_, bool>(0) {
            assert!(Instant::now() < deadline, "the apply does not come to the lock");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let revoke = "UPDATE enact.approval SET revoked_at = now() WHERE approver = session_user";
        world.client(Some("binh")).await.batch_execute(revoke).await.expect("it is revoked");
        admin.batch_execute("ROLLBACK").await.expect("the lock is given back");
        child
    });
    let (code, text) = ended(child);
    assert_eq!(code, Some(8), "{text}");
    assert!(text.contains("\"binh\" (revoked)"), "{text}");
    assert_eq!(world.value(COUNTS), BEFORE);
    assert_eq!(world.value("SELECT outcome FROM enact.run"), "undone");
    // With an approval again it goes: what went back was not applied.
    world.enact(Some("chi"), &["approve", "plan.json"], 0);
    world.apply(0);
    assert_eq!(world.value(COUNTS), AFTER);
}

//! The two servers as processes meet them: sessions that queue, clients and servers that die, locks that outlive nobody.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_postgres::{Client, NoTls};

use super::*;

const CHILD_DIR: &str = "ENACT_TEST_CHILD_DIR";
const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

async fn connect(conninfo: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(conninfo, NoTls).await.unwrap();
    tokio::spawn(connection);
    client
}

async fn count(conninfo: &str) -> i64 {
    connect(conninfo).await.query_one("SELECT count(*) FROM kept", &[]).await.unwrap().get(0)
}

async fn poll<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(Instant::now() < deadline, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn port(conninfo: &str) -> u16 {
    conninfo.split("port=").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

/// A process that does not outlive its test.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs one test of this file in a process of its own, over the given directory.
fn child(test: &str, dir: &Path) -> Other {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("local::tests::{test}"), "--nocapture"])
        .env(CHILD_DIR, dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    Other(child)
}

fn child_dir() -> Option<PathBuf> {
    std::env::var_os(CHILD_DIR).map(PathBuf::from)
}

#[tokio::test]
async fn child_commits_and_hangs() {
    let Some(dir) = child_dir() else { return };
    let server = PostgresServer::start(&dir.join("postgres"), ANY).await.unwrap();
    let mut client = connect(&server.conninfo()).await;
    client.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept SELECT generate_series(1, 1000)").await.unwrap();
    let open = client.transaction().await.unwrap();
    open.batch_execute("INSERT INTO kept SELECT generate_series(1, 500)").await.unwrap();
    std::fs::write(dir.join("committed"), "").unwrap();
    std::future::pending().await
}

#[tokio::test]
async fn committed_rows_survive_sigkill_and_open_ones_do_not() {
    let temp = tempfile::tempdir().unwrap();
    let mut child = child("child_commits_and_hangs", temp.path());
    poll("the commit", async || temp.path().join("committed").exists().then_some(())).await;
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    let server = PostgresServer::start(&temp.path().join("postgres"), ANY).await.unwrap();
    assert_eq!(count(&server.conninfo()).await, 1000);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn clients_queue_die_and_talk_nonsense_and_the_server_stays() {
    let temp = tempfile::tempdir().unwrap();
    let server = PostgresServer::start(&temp.path().join("postgres"), ANY).await.unwrap();
    let conninfo = server.conninfo();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port(&conninfo)));

    let mut nonsense = TcpStream::connect(address).await.unwrap();
    nonsense.write_all(b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").await.unwrap();

    let first = connect(&conninfo).await;
    first.batch_execute("CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)").await.unwrap();
    let second = tokio::spawn({
        let conninfo = conninfo.clone();
        async move { count(&conninfo).await }
    });
    // While the session is taken the server still answers a probe, and the second client is not served.
    assert!(super::postgres::answers(address, Duration::from_secs(5)).await);
    first.batch_execute("INSERT INTO kept VALUES (2)").await.unwrap();
    assert!(!second.is_finished());
    drop(first);
    assert_eq!(second.await.unwrap(), 2);

    // A client that resets its connection in the middle of an answer, with a transaction open.
    let (client, connection) = tokio_postgres::connect(&conninfo, NoTls).await.unwrap();
    let dying = tokio::spawn(connection);
    client.batch_execute("BEGIN; INSERT INTO kept VALUES (3)").await.unwrap();
    let answer = tokio::spawn(async move {
        let _ = client.query("SELECT repeat('x', 1000) FROM generate_series(1, 200000)", &[]).await;
    });
    tokio::task::yield_now().await;
    dying.abort();
    answer.abort();
    assert_eq!(count(&conninfo).await, 2);

    // An open client does not hold up a stop, and a stopped server keeps what was committed.
    let lingering = connect(&conninfo).await;
    server.shutdown().await.unwrap();
    assert!(lingering.batch_execute("SELECT 1").await.is_err());
    let server = PostgresServer::start(&temp.path().join("postgres"), ANY).await.unwrap();
    assert_eq!(count(&server.conninfo()).await, 2);
}

#[tokio::test]
async fn a_role_in_the_connection_is_a_role_in_the_session() {
    let temp = tempfile::tempdir().unwrap();
    let server = PostgresServer::start(&temp.path().join("postgres"), ANY).await.unwrap();
    let superuser = connect(&server.conninfo()).await;
    superuser.batch_execute("CREATE ROLE reader LOGIN; CREATE TABLE kept (n int)").await.unwrap();
    drop(superuser);
    let reader = connect(&server.conninfo().replace("user=postgres", "user=reader")).await;
    let role: String = reader.query_one("SELECT current_user::text", &[]).await.unwrap().get(0);
    assert_eq!(role, "reader");
    assert!(reader.batch_execute("SELECT * FROM kept").await.is_err());
    drop(reader);
    server.shutdown().await.unwrap();
}

#[tokio::test]
async fn child_serves_until_it_is_told_to_stop() {
    let Some(dir) = child_dir() else { return };
    let mut told = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).unwrap();
    let servers = LocalServers::start(&dir).await.unwrap();
    told.recv().await;
    servers.stop().await.unwrap();
}

fn holds(dir: &Path) -> bool {
    !matches!(status(dir).unwrap(), LocalStatus::Absent | LocalStatus::Stopped { .. })
}

async fn shared(dir: &Path) -> ServersFile {
    poll("servers", async || match status(dir).unwrap() {
        LocalStatus::Shared(servers) => Some(servers),
        _ => None,
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn running_servers_are_shared_and_stopped_from_outside() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join(".enact");
    assert_eq!(status(&dir).unwrap(), LocalStatus::Absent);
    assert_eq!(stop_running(&dir).unwrap(), Stopped::NothingRan);

    let mut up = child("child_serves_until_it_is_told_to_stop", &dir);
    // Attaching while they start waits for them.
    poll("the lock", async || holds(&dir).then_some(())).await;
    let attached = attach(&dir).await;
    let servers = shared(&dir).await;
    assert_eq!(servers.pid, up.0.id());
    match attached.unwrap() {
        Attached::Running(endpoints) => {
            assert_eq!(endpoints, Endpoints { postgres: servers.postgres, qdrant: servers.qdrant, pid: up.0.id() });
            connect(&endpoints.postgres).await.batch_execute("CREATE TABLE kept (n int)").await.unwrap();
        }
        Attached::Started(_) => panic!("started a second time"),
    }
    assert!(matches!(reset(&dir), Err(LocalError::Locked { pid: Some(pid), .. }) if pid == up.0.id()));
    assert!(matches!(LocalServers::start(&dir).await, Err(LocalError::Locked { .. })));

    let stopped = tokio::task::spawn_blocking({
        let dir = dir.clone();
        move || stop_running(&dir)
    });
    assert_eq!(stopped.await.unwrap().unwrap(), Stopped::Stopped { pid: up.0.id() });
    assert!(up.0.wait().unwrap().success());
    assert_eq!(status(&dir).unwrap(), LocalStatus::Stopped { left_behind: false });
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_process_left_is_not_believed() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join(".enact");
    let mut up = child("child_serves_until_it_is_told_to_stop", &dir);
    let left = shared(&dir).await;
    up.0.kill().unwrap();
    up.0.wait().unwrap();
    assert_eq!(status(&dir).unwrap(), LocalStatus::Stopped { left_behind: true });
    assert_eq!(stop_running(&dir).unwrap(), Stopped::NothingRan);

    let attached = attach(&dir).await.unwrap();
    assert!(matches!(attached, Attached::Started(_)));
    assert_ne!(attached.endpoints().postgres, left.postgres);
    assert_eq!(status(&dir).unwrap(), LocalStatus::OneCommand { pid: std::process::id() });
    // Another command waits for ours, and `local down` leaves it alone.
    let waited = attach_within(&dir, Duration::from_millis(1)).await;
    assert!(matches!(waited, Err(LocalError::Locked { pid: Some(pid), .. }) if pid == std::process::id()));
    assert!(matches!(stop_running(&dir), Err(LocalError::CommandRunning { .. })));
    attached.finish().await.unwrap();
    assert!(!dir.join("servers.json").exists());
}

#[tokio::test]
async fn a_taken_port_is_named_and_nothing_stays_behind() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join(".enact");
    let taken = tokio::net::TcpListener::bind(ANY).await.unwrap();
    let address = taken.local_addr().unwrap();
    for addresses in [Addresses { postgres: address, qdrant: ANY }, Addresses { postgres: ANY, qdrant: address }] {
        let error = LocalServers::start_on(&dir, addresses).await.unwrap_err();
        assert!(matches!(error, LocalError::PortInUse { address: named } if named == address), "{error}");
        assert_eq!(status(&dir).unwrap(), LocalStatus::Stopped { left_behind: false });
    }
}

#[test]
fn a_reset_removes_what_enact_made_and_nothing_else() {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join(".enact");
    assert_eq!(reset(&dir).unwrap(), Removed { paths: vec![] });
    for made in ["postgres/base", "qdrant/docs", "plans"] {
        std::fs::create_dir_all(dir.join(made)).unwrap();
    }
    assert!(matches!(reset(&dir), Err(LocalError::NotADataDirectory { .. })));
    let precious = temp.path().join("precious");
    std::fs::create_dir(&precious).unwrap();
    std::fs::write(precious.join("file"), "").unwrap();
    std::os::unix::fs::symlink(&precious, dir.join("postgres/link")).unwrap();
    for file in ["lock", "servers.json", "mine"] {
        std::fs::write(dir.join(file), "").unwrap();
    }
    let removed = ["servers.json", "postgres", "qdrant"].map(|name| dir.join(name)).to_vec();
    assert_eq!(reset(&dir).unwrap(), Removed { paths: removed });
    assert!(precious.join("file").exists() && dir.join("mine").exists() && dir.join("plans").exists());

    std::os::unix::fs::symlink(&precious, dir.join("qdrant")).unwrap();
    std::fs::create_dir(dir.join("postgres")).unwrap();
    assert!(matches!(reset(&dir), Err(LocalError::SymbolicLink { .. })));
    assert!(precious.join("file").exists() && dir.join("postgres").exists());
}

//! What survives a stop and a kill.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use qdrant_client::qdrant::{
    CountPointsBuilder, CreateAliasBuilder, CreateFieldIndexCollectionBuilder, FieldType, GetPointsBuilder,
    OptimizersConfigDiffBuilder, QueryPointsBuilder,
};
use serde_json::json;

use super::*;

/// Set in the process that is to be killed: the directory it serves.
const CHILD_DIRECTORY: &str = "ENACT_TEST_QDRANT_DIRECTORY";
const KILLED_WRITER: &str = "local::qdrant::tests::durability::acknowledged_writes_survive_a_kill";

/// Points written before each kill while segments are replaced.
const BATCH: u64 = 2000;

struct Killed {
    child: Child,
    url: String,
}

/// Runs this very test in another process, where it serves until it is killed.
fn spawn_server(directory: &Path, test: &str) -> Killed {
    let mut child = Command::new(std::env::current_exe().expect("this test binary"))
        .args(["--exact", test, "--nocapture"])
        .env(CHILD_DIRECTORY, directory)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("a child process");
    let output = BufReader::new(child.stdout.take().expect("its output"));
    let url = output
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.find("http://").map(|at| line[at..].to_owned()))
        .expect("the address the child serves on");
    Killed { child, url }
}

/// Serves until the process is killed, or until the test that started it is gone: its input ends then.
async fn serve_until_killed(directory: &Path) {
    let (server, _client) = serve(directory).await;
    let mut output = std::io::stdout();
    writeln!(output, "{}", server.url()).and_then(|()| output.flush()).expect("an output");
    let ended = tokio::task::spawn_blocking(|| std::io::copy(&mut std::io::stdin(), &mut std::io::sink()));
    ended.await.expect("a task").expect("an input");
}

#[tokio::test(flavor = "multi_thread")]
async fn acknowledged_writes_survive_a_kill() {
    if let Some(directory) = std::env::var_os(CHILD_DIRECTORY) {
        return serve_until_killed(Path::new(&directory)).await;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    for round in 0..3u64 {
        let mut killed = spawn_server(directory.path(), KILLED_WRITER);
        let client = connect(&killed.url);
        let name = format!("round-{round}");
        client.create_collection(hybrid(&name)).await.expect("a collection");
        client.create_alias(CreateAliasBuilder::new(&name, "live")).await.expect("an alias");
        let index = CreateFieldIndexCollectionBuilder::new(&name, "n", FieldType::Integer).wait(true);
        client.create_field_index(index).await.expect("an index");
        for target in (0..=round).map(|earlier| format!("round-{earlier}")) {
            let points =
                (0..300).map(|n| point(round * 1000 + n, [n as f32, 1.0, 0.0, 0.0], &[(7, 1.0)], json!({ "n": n })));
            let upsert = UpsertPointsBuilder::new(&target, points.collect::<Vec<_>>()).wait(true);
            client.upsert_points(upsert).await.expect("an upsert");
        }
        killed.child.kill().expect("a kill");
        killed.child.wait().expect("its end");
    }
    let (server, client) = serve(directory.path()).await;
    for round in 0..3u64 {
        let name = format!("round-{round}");
        let counted = client.count(CountPointsBuilder::new(&name).exact(true)).await.expect("a count");
        assert_eq!(counted.result.expect("a result").count, (3 - round) * 300, "{name}");
        let get = GetPointsBuilder::new(&name, vec![2299.into()]).with_payload(true).with_vectors(true);
        let found = client.get_points(get).await.expect("points").result;
        assert_eq!(found[0].payload, stored(json!({ "n": 299 })));
        assert!(found[0].vectors.is_some());
    }
    let query = QueryPointsBuilder::new("live").query(vec![(7, 1.0)]).using("words").limit(1);
    assert_eq!(client.query(query).await.expect("a query").result.len(), 1);
    let info = client.collection_info("live").await.expect("info").result.expect("a result");
    assert_eq!(info.payload_schema["n"].points, Some(300));
    server.shutdown().await.expect("an orderly stop");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_everything_even_what_was_only_acknowledged() {
    let fixture = Fixture::with_hybrid("docs").await;
    let points = vec![point(1, [1.0, 0.0, 0.0, 0.0], &[(1, 2.0)], json!({ "a": 1 }))];
    fixture.client.upsert_points(UpsertPointsBuilder::new("docs", points)).await.expect("an upsert");
    fixture.client.create_alias(CreateAliasBuilder::new("docs", "live")).await.expect("an alias");
    // Writes after a restart count too: the shard ignores changes that look older than what it has.
    let mut fixture = fixture.restart().await;
    for version in 2..5 {
        let points = vec![point(1, [0.0, 1.0, 0.0, 0.0], &[(1, 2.0)], json!({ "a": version }))];
        fixture.upsert("live", points).await;
        fixture = fixture.restart().await;
        let get = GetPointsBuilder::new("live", vec![1.into()]).with_payload(true);
        let found = fixture.client.get_points(get).await.expect("points").result;
        assert_eq!(found[0].payload, stored(json!({ "a": version })));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unfinished_creates_and_deletes_are_cleared_at_the_start() {
    let fixture = Fixture::with_hybrid("docs").await;
    fixture.client.create_alias(CreateAliasBuilder::new("docs", "live")).await.expect("an alias");
    let Fixture { client, server, directory } = fixture;
    drop(client);
    server.shutdown().await.expect("an orderly stop");
    let collections = directory.path().join("collections");
    std::fs::create_dir(collections.join(".new-1")).expect("a directory");
    // As after a delete that was killed between moving the collection away and rewriting the aliases.
    std::fs::rename(collections.join("docs"), collections.join(".trash-1")).expect("a rename");
    let (server, client) = serve(directory.path()).await;
    assert!(client.list_collections().await.expect("a list").collections.is_empty());
    assert!(client.list_aliases().await.expect("a list").aliases.is_empty());
    assert_eq!(std::fs::read_dir(&collections).expect("a directory").count(), 0);
    server.shutdown().await.expect("an orderly stop");
}

fn copy(from: &Path, to: &Path) {
    for entry in walkdir::WalkDir::new(from) {
        let entry = entry.expect("an entry");
        let target = to.join(entry.path().strip_prefix(from).expect("a path below"));
        if entry.file_type().is_dir() {
            std::fs::create_dir_all(target).expect("a directory");
        } else {
            std::fs::copy(entry.path(), target).expect("a copy");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn points_left_twice_by_a_crash_while_optimising_are_made_one() {
    let fixture = Fixture::with_hybrid("docs").await;
    let index = CreateFieldIndexCollectionBuilder::new("docs", "n", FieldType::Integer).wait(true);
    fixture.client.create_field_index(index).await.expect("an index");
    let points = (0..1500).map(|n| point(n, [n as f32, 1.0, 0.0, 0.0], &[(7, 1.0)], json!({ "n": n })));
    for batch in points.collect::<Vec<_>>().chunks(500) {
        fixture.upsert("docs", batch.to_vec()).await;
    }
    let Fixture { client, server, directory } = fixture;
    drop(client);
    server.shutdown().await.expect("an orderly stop");
    let collection = directory.path().join("collections/docs");
    let segments = collection.join("shard/segments");
    for segment in std::fs::read_dir(&segments).expect("segments").map(|entry| entry.expect("an entry").path()) {
        copy(&segment, &segments.join(uuid::Uuid::new_v4().to_string()));
    }
    std::fs::write(collection.join("optimising"), "").expect("a marker");
    let (server, client) = serve(directory.path()).await;
    let counted = client.count(CountPointsBuilder::new("docs").exact(true)).await.expect("a count");
    assert_eq!(counted.result.expect("a result").count, 1500);
    let get = GetPointsBuilder::new("docs", vec![1499.into()]).with_payload(true).with_vectors(true);
    let found = client.get_points(get).await.expect("points").result;
    assert_eq!(found[0].payload, stored(json!({ "n": 1499 })));
    let info = client.collection_info("docs").await.expect("info").result.expect("a result");
    assert_eq!(info.payload_schema["n"].points, Some(1500));
    assert!(!collection.join("optimising").exists() && !collection.join("shard.old").exists());
    server.shutdown().await.expect("an orderly stop");
}

const KILLED_OPTIMISER: &str =
    "local::qdrant::tests::durability::a_kill_while_segments_are_replaced_loses_and_doubles_nothing";

async fn count(client: &Qdrant) -> u64 {
    let counted = client.count(CountPointsBuilder::new("docs").exact(true)).await.expect("a count");
    counted.result.expect("a result").count
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_segments_are_replaced_loses_and_doubles_nothing() {
    if let Some(directory) = std::env::var_os(CHILD_DIRECTORY) {
        return serve_until_killed(Path::new(&directory)).await;
    }
    let directory = tempfile::tempdir().expect("a temporary directory");
    let marker = directory.path().join("collections/docs/optimising");
    let mut interrupted = 0;
    for round in 0..6u64 {
        let mut killed = spawn_server(directory.path(), KILLED_OPTIMISER);
        let client = connect(&killed.url);
        if round == 0 {
            let eager = OptimizersConfigDiffBuilder::default().indexing_threshold(1).default_segment_number(1);
            client.create_collection(hybrid("docs").optimizers_config(eager)).await.expect("a collection");
        }
        assert_eq!(count(&client).await, round * BATCH);
        let points = (round * BATCH..(round + 1) * BATCH)
            .map(|n| point(n, [n as f32, 1.0, 0.0, 0.0], &[(7, 1.0)], json!({ "n": n })));
        let upsert = UpsertPointsBuilder::new("docs", points.collect::<Vec<_>>()).wait(true);
        client.upsert_points(upsert).await.expect("an upsert");
        let deadline = Instant::now() + Duration::from_secs(30);
        while !marker.exists() && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        // At another moment of the work each time.
        for _ in 0..round * 2000 {
            tokio::task::yield_now().await;
        }
        killed.child.kill().expect("a kill");
        killed.child.wait().expect("its end");
        interrupted += u64::from(marker.exists());
    }
    assert!(interrupted > 0, "no kill fell while segments were replaced");
    let (server, client) = serve(directory.path()).await;
    assert_eq!(count(&client).await, 6 * BATCH);
    let ids = (0..6 * BATCH).map(Into::into).collect::<Vec<_>>();
    let found = client.get_points(GetPointsBuilder::new("docs", ids).with_vectors(true)).await.expect("points").result;
    assert!(found.len() as u64 == 6 * BATCH && found.iter().all(|point| point.vectors.is_some()));
    server.shutdown().await.expect("an orderly stop");
}

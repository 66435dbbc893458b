//! How long plan and apply take over 1,000, 10,000 and 100,000 units beside the bare loops that move the same texts, as a
//! Markdown table.
//!
//! ```text
//! cargo bench --bench bare              all three sizes
//! cargo bench --bench bare -- 100 500   sizes of your own
//! ```
//!
//! Each size is a database of its own on a private native PostgreSQL (its programs have to be installed) and a vector set of its
//! own on the local vector server, which runs in this process, with the `documents` binding and one text of about 600
//! characters for each unit. Every figure of Enact is the wall-clock time of one run of the binary as a user would run it, its
//! start and its connections included. One run each, no mean: the table is for orders of magnitude, for ratios, and for
//! seeing what grows faster than the number of units.
//!
//! | bare loop | does |
//! | --- | --- |
//! | read | one `COPY` of id, slug, digest and state, and a scroll of all ids in pages of 10,000 |
//! | points | reads each text once, embeds with the same model, BM25, and writes with as many requests under way |
//! | move | one `UPDATE` of all units |

mod stores;
mod texts;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use enact::embed::{Bm25, Bm25Params, Embedder, StaticEmbedder};
use enact::local::schema;
use enact::model::{PointId, VectorParams};
use enact::store::qdrant::{Qdrant, QdrantOptions};
use enact::store::{CollectionSpec, NamedVector, Point, SparseVector, VectorStore};
use futures::StreamExt;
use secrecy::SecretString;
use stores::postgres::PrivateCluster;
use stores::project::Project;
use stores::{LOCAL, bare_read, environment, harness, session};
use texts::{PART, PLAN, ROWS};
use tokio_postgres::Client;

const SIZES: [u32; 3] = [1_000, 10_000, 100_000];

/// Points in one write, and writes under way, as in an apply.
const BATCH: usize = 256;
const AT_ONCE: usize = 4;

const EDIT: &str = "UPDATE documents SET body = body || ' And one sentence more.' WHERE slug = 'text/000042'";

/// One line of the table.
struct Row {
    units: u32,
    times: [Duration; 6],
    bare: [Duration; 3],
    phases: String,
    plan_bytes: u64,
}

fn main() {
    // Cargo adds `--bench`; everything that is a number is a size.
    let asked: Vec<u32> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if asked.is_empty() { SIZES.to_vec() } else { asked };
    let cluster = PrivateCluster::start().expect("a private PostgreSQL");
    let project = Project::start(LOCAL);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!(
        "| units | plan | apply | of it | plan again | plan one edit | apply one edit | status | bare read | bare points | bare move | plan file |"
    );
    println!("| ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for units in sizes {
        let Row { units, times, bare, phases, plan_bytes } = runtime.block_on(measure(&cluster, &project, units));
        let [plan, apply, again, plan_edit, apply_edit, status] = times.map(seconds);
        let bare = bare.map(seconds).join(" | ");
        let units = grouped(&units.to_string());
        let size = plan_bytes / 1_000_000;
        println!(
            "| {units} | {plan} | {apply} | {phases} | {again} | {plan_edit} | {apply_edit} | {status} | {bare} | {size} MB |"
        );
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.2} s", time.as_secs_f64())
}

async fn measure(cluster: &PrivateCluster, project: &Project, units: u32) -> Row {
    let database = format!("bare_{units}");
    cluster.create_database(&database).expect("a database");
    let conninfo = cluster.conninfo(&database);
    let client = session(&conninfo).await;
    for sql in [schema::documents_sql().1, PART, &ROWS.replace("{units}", &units.to_string()), "ANALYZE"] {
        client.batch_execute(sql).await.expect("the documents");
    }
    let (_, vectors) = project.endpoints();
    project.write("enact.yaml", &environment(&conninfo, &vectors));
    let set = format!("texts_{units}");
    project.write("plans/scale.yaml", &PLAN.replace("  texts:", &format!("  {set}:")));
    let qdrant = connect(&vectors).await;
    let bare_points = bare_points(&client, &qdrant, &format!("bare_{units}")).await;
    let bare_move = bare_move(&client).await;
    // Statements of Enact block this thread, while the servers and the client go on.
    let edit = || {
        let edited = tokio::runtime::Handle::current().block_on(client.batch_execute(EDIT));
        edited.expect("one text changes");
    };
    let row = tokio::task::block_in_place(|| enact(project, units, edit));
    let bare_read = bare_read(&client, &qdrant, &set).await;
    Row { bare: [bare_read, bare_points, bare_move], ..row }
}

fn enact(project: &Project, units: u32, edit: impl Fn()) -> Row {
    project.ok(&["init"]);
    let (plan, text) = timed(project, &["plan", "--out", "plan.json"]);
    assert!(text.contains(&format!("{} to promote", grouped(&units.to_string()))), "{text}");
    let plan_bytes = std::fs::metadata(project.path().join("plan.json")).expect("the saved plan").len();
    let (apply, _) = timed(project, &["apply", "plan.json", "--auto-approve", "--quiet"]);
    let phases = phases(project);
    let (again, text) = timed(project, &["plan", "--detailed-exitcode"]);
    assert!(text.contains("No changes."), "{text}");
    edit();
    let (plan_edit, text) = timed(project, &["plan", "--out", "edit.json"]);
    assert_eq!(embedded(&text), "1", "{text}");
    let (apply_edit, _) = timed(project, &["apply", "edit.json", "--auto-approve", "--quiet"]);
    let (status, _) = timed(project, &["status"]);
    let times = [plan, apply, again, plan_edit, apply_edit, status];
    Row { units, times, bare: [Duration::ZERO; 3], phases, plan_bytes }
}

/// How long the phases of the last run took, as `show` says it.
fn phases(project: &Project) -> String {
    let history: serde_json::Value =
        serde_json::from_str(&project.ok(&["history", "--format", "json"])).expect("JSON of the runs");
    let run = history["runs"][0]["run"].as_str().expect("a run").to_owned();
    let told = project.ok(&["show", &run]);
    let took = told.lines().find_map(|line| line.strip_prefix("  Took").or_else(|| line.strip_prefix("Took")));
    took.unwrap_or_default().split_once(':').map_or("", |(_, parts)| parts).trim().to_owned()
}

async fn connect(url: &str) -> Qdrant {
    let url = SecretString::from(url.to_owned());
    let options = QdrantOptions { url, api_key: None, timeout_ms: 60_000, retry_ms: 0, ca: None };
    Qdrant::connect(&options).await.expect("the vector server")
}

async fn bare_move(client: &Client) -> Duration {
    client.batch_execute("BEGIN").await.expect("BEGIN");
    let start = Instant::now();
    client.batch_execute("UPDATE documents SET status = 'published', updated_at = now()").await.expect("the update");
    let took = start.elapsed();
    client.batch_execute("ROLLBACK").await.expect("ROLLBACK");
    client.batch_execute("VACUUM documents").await.expect("VACUUM");
    took
}

async fn bare_points(client: &Client, qdrant: &Qdrant, collection: &str) -> Duration {
    let dense = VectorParams::Dense { dimension: 128, distance: "cosine".to_owned() };
    let sparse = VectorParams::Sparse { idf: true };
    let spec = CollectionSpec {
        name: collection.to_owned(),
        vectors: BTreeMap::from([("dense".to_owned(), dense), ("text".to_owned(), sparse)]),
        payload_indexes: BTreeMap::from([("slug".to_owned(), "keyword".to_owned())]),
        metadata: BTreeMap::new(),
        like: None,
    };
    let start = Instant::now();
    qdrant.ensure_collection(&spec).await.expect("a collection");
    let sql = "SELECT id::text, slug, title, body FROM documents";
    let rows = client.query_raw(sql, Vec::<i32>::new()).await.expect("the texts");
    let batches = rows.map(|row| row.expect("a row")).ready_chunks(BATCH);
    let written = batches.map(|rows| async move {
        let texts: Vec<String> =
            rows.iter().map(|row| format!("{}\n\n{}", row.get::<_, String>(2), row.get::<_, String>(3))).collect();
        let vectors = StaticEmbedder::built_in().embed(&texts).await.expect("vectors");
        let bm25 = Bm25::new(Bm25Params::default()).expect("BM25");
        let points = rows.iter().zip(&texts).zip(vectors).map(|((row, text), dense)| {
            let enact::embed::SparseVector { indices, values } = bm25.document(text);
            let sparse = NamedVector::Sparse(SparseVector { indices, values });
            let payload = serde_json::json!({ "slug": row.get::<_, String>(1), "text": text });
            Point {
                id: PointId::from_text(&row.get::<_, String>(0)).expect("the id of a document"),
                vectors: BTreeMap::from([("dense".to_owned(), NamedVector::Dense(dense)), ("text".to_owned(), sparse)]),
                payload: payload.as_object().cloned().unwrap_or_default(),
            }
        });
        qdrant.ensure_points(collection, &points.collect::<Vec<_>>()).await.expect("points");
    });
    written.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
    let took = start.elapsed();
    qdrant.ensure_collection_absent(collection).await.expect("the collection goes");
    took
}

fn timed(project: &Project, arguments: &[&str]) -> (Duration, String) {
    let start = Instant::now();
    let text = project.ok(arguments);
    (start.elapsed(), text)
}

/// What stands before "to embed" in a plan's summary.
fn embedded(text: &str) -> &str {
    let after = text.split_once("Vectors: ").map_or("0", |(_, after)| after);
    after.split(' ').next().unwrap_or_default()
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap_or_default()).collect();
    groups.join(",")
}

//! How long plan and apply take over a corpus of your own, and over an amendment of it, and how much memory they hold, as a
//! Markdown table.
//!
//! ```text
//! cargo bench --bench corpus -- laws.tsv                   a first edition
//! cargo bench --bench corpus -- laws.tsv laws.delta.tsv    and what became of it
//! ```
//!
//! The first file has the columns `id` (uuid), `slug`, `title` and `body`, separated by tabs as PostgreSQL's `COPY` writes
//! them. The second has a mark before them: `+` a new text, `~` a changed one, `-` one that is gone (its `id` is enough).
//! PostgreSQL is a private native one, the vector server the local one in this process; chunks of 1,200 characters, a title
//! before each. A figure is one run of the binary, its start and its connections included; memory is the most that its
//! process held, as Linux counts it.

mod stores;

use std::io::Cursor;
use std::time::{Duration, Instant};

use enact::local::schema;
use futures::SinkExt;
use stores::postgres::PrivateCluster;
use stores::project::Project;
use stores::{LOCAL, bare_read, environment, harness, session};
use tokio_postgres::Client;

const SET: &str = "chunk_policies:\n  sections: { splitter: markdown, max_chars: 1200, text: \"{title}\\n\\n{chunk}\", empty_body: skip }\n\
    vector_sets:\n  corpus:\n    units: { lifecycle: published }\n    chunk_policy: sections\n    vectors:\n      \
    dense: { embedder: default, distance: cosine }\n      text: { sparse: bm25 }\n    payload: [slug, title, text]\n    \
    payload_indexes: { slug: keyword }\n";

fn main() {
    let files: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    let Some(corpus) = files.first() else {
        return println!("corpus: name a file of id, slug, title and body, separated by tabs");
    };
    let cluster = PrivateCluster::start().expect("a private PostgreSQL");
    cluster.create_database("corpus").expect("a database");
    let project = Project::start(LOCAL);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let conninfo = cluster.conninfo("corpus");
    let client = runtime.block_on(session(&conninfo));
    runtime.block_on(load(&client, &std::fs::read(corpus).expect("the corpus")));
    let (_, vectors) = project.endpoints();
    project.write("enact.yaml", &environment(&conninfo, &vectors));
    project.write("plans/corpus.yaml", &plan(&["first"]));
    project.ok(&["init"]);
    println!("| | time | memory |\n| --- | ---: | ---: |");
    edition(&project, "first edition");
    let bare = project.with_qdrant(async |qdrant| bare_read(&client, qdrant, "corpus").await);
    line("bare read of both stores", bare, 0);
    for command in ["verify", "drift", "status"] {
        measured(&project, command, &[command]);
    }
    if let Some(delta) = files.get(1) {
        runtime.block_on(amend(&client, &std::fs::read_to_string(delta).expect("the amendment")));
        project.write("plans/corpus.yaml", &plan(&["first", "amendment"]));
        edition(&project, "amendment");
    }
}

/// Promotions of all that is drafted, by these names, and the set.
fn plan(promotions: &[&str]) -> String {
    let one = |name: &&str| {
        format!(
            "  {name}:\n    units: {{ lifecycle: draft }}\n    to: published\n    review: {{ decision: approve, reviewer: editors, \
             rationale: \"a measurement\", at: \"2026-01-01T00:00:00Z\" }}\n"
        )
    };
    format!("enact: v1\nplan: corpus\npromotions:\n{}{SET}", promotions.iter().map(one).collect::<String>())
}

fn edition(project: &Project, name: &str) {
    measured(project, &format!("{name}: plan"), &["plan", "--out", "plan.json", "--quiet"]);
    let bytes = std::fs::metadata(project.path().join("plan.json")).expect("the saved plan").len();
    measured(project, &format!("{name}: apply"), &["apply", "plan.json", "--auto-approve", "--quiet"]);
    measured(project, &format!("{name}: plan again"), &["plan", "--quiet"]);
    println!("| {name}: saved plan | {:.1} MB | |", bytes as f64 / 1e6);
}

/// Runs a command and prints how long it took and what it held.
fn measured(project: &Project, name: &str, arguments: &[&str]) {
    let start = Instant::now();
    let (ended, most) = project.held(arguments);
    assert!(ended.success(), "enact {arguments:?} ended with {ended}");
    line(name, start.elapsed(), most);
}

fn line(name: &str, time: Duration, kilobytes: u64) {
    let memory = if kilobytes == 0 { String::new() } else { format!("{} MB", kilobytes / 1024) };
    println!("| {name} | {:.2} s | {memory} |", time.as_secs_f64());
}

async fn load(client: &Client, texts: &[u8]) {
    client.batch_execute(schema::documents_sql().1).await.expect("the documents");
    copy(client, texts).await;
    let insert = "INSERT INTO public.documents (id, slug, title, body, status) SELECT id, slug, title, body, 'draft' FROM incoming; \
                  VACUUM ANALYZE public.documents";
    for statement in insert.split("; ") {
        client.batch_execute(statement).await.expect("the documents");
    }
}

/// Copies texts into a temporary table.
async fn copy(client: &Client, texts: &[u8]) {
    let table = "DROP TABLE IF EXISTS incoming; CREATE TEMP TABLE incoming (id uuid, slug text, title text, body text)";
    client.batch_execute(table).await.expect("a temporary table");
    let sink = client.copy_in::<_, Cursor<Vec<u8>>>("COPY incoming FROM STDIN").await.expect("COPY");
    let mut sink = std::pin::pin!(sink);
    for part in texts.chunks(1 << 20) {
        sink.send(Cursor::new(part.to_vec())).await.expect("a part of the texts");
    }
    sink.finish().await.expect("all texts");
}

async fn amend(client: &Client, delta: &str) {
    let marked = |mark: &str| -> String {
        let rest = |line: &str| line.strip_prefix(mark)?.strip_prefix('\t').map(|rest| format!("{rest}\n"));
        delta.lines().filter_map(rest).collect()
    };
    copy(client, marked("+").as_bytes()).await;
    let insert = "INSERT INTO public.documents (id, slug, title, body, status) SELECT id, slug, title, body, 'draft' FROM incoming";
    client.batch_execute(insert).await.expect("new texts");
    copy(client, marked("~").as_bytes()).await;
    let update = "UPDATE public.documents d SET title = i.title, body = i.body FROM incoming i WHERE d.id = i.id";
    client.batch_execute(update).await.expect("changed texts");
    let gone: Vec<String> = marked("-").lines().filter_map(|line| line.split('\t').next().map(str::to_owned)).collect();
    client
        .execute("DELETE FROM public.documents WHERE id::text = ANY ($1)", &[&gone])
        .await
        .expect("texts that are gone");
}

//! How long plan and apply take over rows of a data file, beside the bare statements that move the same rows.
//!
//! ```text
//! cargo bench --bench rows -- "host=/run/postgresql dbname=bench"           100,000 rows
//! cargo bench --bench rows -- "host=/run/postgresql dbname=bench" 1000      a size of your own
//! ```
//!
//! The database is an empty one of a real PostgreSQL on this machine, as a superuser; the vector server is the embedded one. A figure is the wall-clock time of one run
//! of the binary, its start and its connections included, or of the bare statements on an open connection:
//!
//! | figure | bare |
//! | --- | --- |
//! | plan of nothing to do | reading the file, and `COPY (SELECT …) TO STDOUT` of the table |
//! | apply of all rows | `COPY` from the file into a temporary table, and one `INSERT … SELECT` |

mod stores;

use std::time::{Duration, Instant};

use futures::StreamExt;
use stores::project::Project;
use stores::{LOCAL, environment, harness, session};
use tokio_postgres::Client;

const SIZE: u32 = 100_000;
const TABLE: &str = "CREATE TABLE public.documents (id uuid PRIMARY KEY, slug text NOT NULL UNIQUE, title text NOT NULL, \
    body text NOT NULL, status text NOT NULL, updated_at timestamptz NOT NULL);
    CREATE TABLE public.item (code text PRIMARY KEY, amount int NOT NULL, price numeric(10,2) NOT NULL, label text NOT NULL, \
    seen_at timestamptz)";
const PLAN: &str = "enact: v1\nplan: items\nrows:\n  public.item: { from: data/items.csv, key: [code] }\n";

fn main() {
    let asked = std::env::args().find_map(|argument| argument.parse().ok());
    let size = asked.unwrap_or(SIZE);
    let Some(url) = std::env::args().find(|argument| argument.contains('=')) else {
        return println!("rows: name an empty database, such as \"host=/run/postgresql dbname=bench\"");
    };
    let project = Project::start(LOCAL);
    let (_, vectors) = project.endpoints();
    project.write("enact.yaml", &environment(&url, &vectors));
    project.write("plans/items.yaml", PLAN);
    std::fs::create_dir(project.path().join("data")).expect("data/");
    project.write("data/items.csv", &lines(size));
    // Where the server may read it, too.
    let readable = tempfile::Builder::new().prefix("enact-rows-").suffix(".csv").tempfile().expect("a file");
    std::fs::write(readable.path(), lines(size)).expect("the rows");
    let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    std::fs::set_permissions(readable.path(), everybody).expect("permissions");
    let file = readable.path().to_owned();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let client = runtime.block_on(session(&url));
    runtime.block_on(client.batch_execute(TABLE)).expect("the tables");
    project.ok(&["init"]);
    let (first, _) = timed(&project, &["plan", "--out", "items.json", "--quiet"]);
    let (apply, _) = timed(&project, &["apply", "items.json", "--auto-approve", "--quiet"]);
    let (again, text) = timed(&project, &["plan"]);
    assert!(text.contains("No changes."), "{text}");
    let bare_read = runtime.block_on(bare_read(&client, &file));
    let bare_write = runtime.block_on(bare_write(&client, &file));
    println!("| {size} rows | enact | bare | ratio |\n| --- | ---: | ---: | ---: |");
    line("plan of nothing to do", again, Some(bare_read));
    line("plan of all rows", first, None);
    line("apply of all rows", apply, Some(bare_write));
}

fn line(what: &str, enact: Duration, bare: Option<Duration>) {
    let seconds = |time: Duration| format!("{:.2} s", time.as_secs_f64());
    let ratio = bare.map_or(String::new(), |bare| format!("{:.1}", enact.as_secs_f64() / bare.as_secs_f64()));
    println!("| {what} | {} | {} | {ratio} |", seconds(enact), bare.map_or(String::new(), seconds));
}

fn lines(size: u32) -> String {
    let line = |n: u32| {
        format!(
            "c{n:06},{},{}.{:02},\"label number {n}, of many\",2026-01-01 00:00:{:02}+00\n",
            n % 97,
            n % 1000,
            n % 100,
            n % 60
        )
    };
    std::iter::once("code,amount,price,label,seen_at\n".to_owned()).chain((0..size).map(line)).collect()
}

fn timed(project: &Project, arguments: &[&str]) -> (Duration, String) {
    let start = Instant::now();
    let text = project.ok(arguments);
    (start.elapsed(), text)
}

async fn bare_read(client: &Client, file: &std::path::Path) -> Duration {
    let start = Instant::now();
    let text = std::fs::read(file).expect("the file");
    let rows = client.copy_out("COPY (SELECT * FROM public.item) TO STDOUT").await.expect("COPY TO");
    let bytes = rows.fold(text.len(), async |sum, part| sum + part.expect("a part").len()).await;
    assert!(bytes > text.len());
    start.elapsed()
}

async fn bare_write(client: &Client, file: &std::path::Path) -> Duration {
    client.batch_execute("CREATE TABLE public.bare (LIKE public.item INCLUDING ALL)").await.expect("a table");
    let start = Instant::now();
    let copy = format!(
        "BEGIN; CREATE TEMP TABLE incoming (LIKE public.item); COPY incoming FROM '{}' WITH (FORMAT csv, HEADER)",
        file.display()
    );
    client.batch_execute(&copy).await.expect("COPY FROM");
    client.batch_execute("INSERT INTO public.bare SELECT * FROM incoming; COMMIT").await.expect("the insert");
    start.elapsed()
}

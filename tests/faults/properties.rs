//! Promises that hold for every input: documents, notes and vector sets are generated, planned and applied on a real
//! PostgreSQL and the vector store in memory, then edited, planned and applied again.
//!
//! `PROPTEST_CASES` says how many inputs; a failing one is made small and printed.

use std::collections::BTreeSet;
use std::time::Duration;

use enact::apply::{ApplyError, RunEnd, Runner, init};
use enact::local::schema;
use enact::plan::SavedPlan;
use enact::spec::load_plans;
use enact::store::VectorStore;
use enact::store::postgres::{ConnectOptions, Postgres};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use tokio_postgres::Client;

use crate::faults::memory::Memory;
use crate::faults::photo::VectorPhoto;
use crate::faults::planner::Planner;
use crate::faults::world::client;
use crate::support::postgres::PrivateCluster;

/// A document as it is before the plan, and how it is edited after it.
#[derive(Debug, Clone)]
struct Document {
    status: &'static str,
    title: String,
    body: String,
    edit: Option<String>,
    is_archived_later: bool,
}

/// A row as it is before the plan, and as both plans want it: not named, absent, or with a text.
#[derive(Debug, Clone)]
struct Note {
    before: Option<String>,
    wanted: [Option<Option<String>>; 2],
}

#[derive(Debug, Clone)]
struct Set {
    lifecycle: &'static str,
    with_words: bool,
    rollouts: [&'static str; 2],
}

#[derive(Debug, Clone)]
struct Input {
    documents: Vec<Document>,
    notes: Vec<Note>,
    sets: Vec<Set>,
    promotes: bool,
    largest_chunk: u32,
    order: u64,
}

fn inputs() -> impl Strategy<Value = Input> {
    let text = || "[a-zA-Z0-9đàéü.,'\"$\\\\ \n]{0,90}";
    let status = prop_oneof![Just("draft"), Just("published"), Just("archived")];
    let document = (status, "[a-zé ]{0,12}", text(), proptest::option::of(text()), any::<bool>()).prop_map(
        |(status, title, body, edit, is_archived_later)| Document {
            status,
            title: format!("About {title}"),
            body,
            edit,
            is_archived_later,
        },
    );
    let wanted = || proptest::option::of(proptest::option::of(text()));
    let note = (proptest::option::of(text()), wanted(), wanted());
    let note = note.prop_map(|(before, first, second)| Note { before, wanted: [first, second] });
    let rollout = || prop_oneof![Just("auto"), Just("blue_green"), Just("in_place")];
    let set = (prop_oneof![Just("published"), Just("archived")], any::<bool>(), rollout(), rollout());
    let set = set.prop_map(|(lifecycle, with_words, one, two)| Set { lifecycle, with_words, rollouts: [one, two] });
    let many = (
        proptest::collection::vec(document, 1..5),
        proptest::collection::vec(note, 0..4),
        proptest::collection::vec(set, 0..3),
    );
    (many, any::<bool>(), 20..60u32, any::<u64>()).prop_map(
        |((documents, notes, sets), promotes, largest_chunk, order)| Input {
            documents,
            notes,
            sets,
            promotes,
            largest_chunk,
            order,
        },
    )
}

impl Input {
    /// The plan file of a round, as a value.
    fn plan(&self, round: usize) -> Value {
        let mut rows = Vec::new();
        for (id, note) in self.notes.iter().enumerate() {
            match &note.wanted[round] {
                None => {}
                Some(None) => rows.push(json!({ "key": { "id": id }, "absent": true })),
                Some(Some(text)) => rows.push(json!({ "key": { "id": id }, "values": { "text": text } })),
            }
        }
        let sets = self.sets.iter().enumerate().map(|(index, set)| {
            let mut vectors = json!({ "dense": { "embedder": "default" } });
            if set.with_words {
                vectors["words"] = json!({ "sparse": "bm25", "language": "none" });
            }
            let value = json!({ "units": { "lifecycle": set.lifecycle }, "chunk_policy": "small", "vectors": vectors,
                "payload": ["slug", "title"], "payload_indexes": { "slug": "keyword" }, "rollout": set.rollouts[round],
                "max_delete": "100%" });
            (format!("set{index}"), value)
        });
        let policy = json!({ "splitter": "text", "max_chars": self.largest_chunk, "text": "{title}\n\n{chunk}",
            "empty_body": if self.order.is_multiple_of(2) { "title" } else { "skip" } });
        let mut plan = json!({ "chunk_policies": { "small": policy }, "vector_sets": sets.collect::<Map<_, _>>() });
        if !rows.is_empty() {
            plan["rows"] = json!({ "public.note": rows });
        }
        if self.promotes && self.documents.iter().any(|document| document.status == "draft") {
            plan["units"] = json!({ "drafts": { "where": { "lifecycle": "draft" } } });
            let review =
                json!({ "decision": "approve", "reviewer": "a", "rationale": "b", "at": "2026-01-01T00:00:00Z" });
            plan["promotions"] = json!({ "all": { "units": "drafts", "to": "published", "review": review } });
        }
        plan
    }
}

/// The sections of a plan in two files; names of files and places of sections and keys as the order has it.
fn files(plan: &Value, order: u64) -> [(String, String); 2] {
    let mut texts = [String::new(), String::new()];
    let mut sections: Vec<_> = plan.as_object().into_iter().flatten().collect();
    let places = sections.len().max(1) as u64;
    sections.rotate_left(usize::try_from(order % places).unwrap_or(0));
    for (index, (section, value)) in sections.into_iter().enumerate() {
        let file = usize::try_from((order >> index) & 1).unwrap_or(0);
        texts[file].push_str(&format!("{section}: {}\n", flow(value, order)));
    }
    let [one, two] = texts.map(|text| format!("enact: v1\nplan: generated\n{text}"));
    if order & 0x100 == 0 {
        [("a.yaml".to_owned(), one), ("b.yaml".to_owned(), two)]
    } else {
        [("a.yaml".to_owned(), two), ("b.yaml".to_owned(), one)]
    }
}

/// A value as YAML on one line, the keys of its maps from another one on.
fn flow(value: &Value, order: u64) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", json!(key), flow(value, order))).collect();
            let places = entries.len().max(1) as u64;
            entries.rotate_left(usize::try_from((order >> 16) % places).unwrap_or(0));
            if order & 0x200 != 0 {
                entries.reverse();
            }
            format!("{{ {} }}", entries.join(", "))
        }
        Value::Array(list) => {
            format!("[{}]", list.iter().map(|value| flow(value, order)).collect::<Vec<_>>().join(", "))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
    }
}

struct Bench {
    _cluster: PrivateCluster,
    admin: Client,
    postgres: Postgres,
    planner: Planner,
}

const EMPTY: &str = "TRUNCATE public.documents, public.note, enact.run CASCADE";
const ROWS: &str = "SELECT string_agg(t::text, '|' ORDER BY t::text) FROM (SELECT d::text FROM documents d UNION ALL \
                    SELECT n::text FROM note n UNION ALL SELECT m::text FROM enact.managed m \
                    UNION ALL SELECT p::text FROM enact.managed_point p) AS t";

impl Bench {
    async fn make() -> Bench {
        let cluster = PrivateCluster::start().expect("a private PostgreSQL");
        cluster.create_database("kb").expect("a database");
        let conninfo = cluster.conninfo("kb");
        let admin = client(&conninfo).await;
        admin.batch_execute(schema::documents_sql().1).await.expect("the schema loads");
        let note = "CREATE TABLE public.note (id integer PRIMARY KEY, text text NOT NULL)";
        admin.batch_execute(note).await.expect("a table");
        let options = ConnectOptions::new(SecretString::from(conninfo));
        let mut postgres = Postgres::connect(&options).await.expect("a session");
        init(&mut postgres).await.expect("the schema enact");
        Bench { _cluster: cluster, admin, postgres, planner: Planner::new("documents") }
    }

    /// Runs both rounds of one input.
    async fn check(&mut self, input: &Input) -> Result<(), TestCaseError> {
        let vectors = Memory::default();
        self.admin.batch_execute(EMPTY).await.expect("empty tables");
        for (index, Document { status, title, body, .. }) in input.documents.iter().enumerate() {
            let insert = "INSERT INTO documents (slug, status, title, body) VALUES ($1, $2, $3, $4)";
            self.admin.execute(insert, &[&format!("d{index}"), status, title, body]).await.expect("a document");
        }
        for (id, note) in (0i32..).zip(&input.notes) {
            if let Some(text) = &note.before {
                self.admin.execute("INSERT INTO note VALUES ($1, $2)", &[&id, text]).await.expect("a note");
            }
        }
        self.round(input, 0, &vectors).await?;
        for (index, document) in input.documents.iter().enumerate() {
            let slug = format!("d{index}");
            if let Some(body) = &document.edit {
                let edit = "UPDATE documents SET body = $2 WHERE slug = $1";
                self.admin.execute(edit, &[&slug, body]).await.expect("an edit");
            }
            if document.is_archived_later {
                let archive = "UPDATE documents SET status = 'archived' WHERE slug = $1 AND status = 'published'";
                self.admin.execute(archive, &[&slug]).await.expect("an edit");
            }
        }
        self.round(input, 1, &vectors).await
    }

    async fn round(&mut self, input: &Input, round: usize, vectors: &Memory) -> Result<(), TestCaseError> {
        let desired = input.plan(round);
        let plan = self.plan(&desired, 0, vectors).await;
        let reordered = self.plan(&desired, input.order, vectors).await;
        prop_assert_eq!(without_files(&plan), without_files(&reordered), "the order of YAML");
        ordered(&plan)?;
        if plan.is_empty() {
            return Ok(());
        }
        let applied = self.apply(&plan, vectors).await;
        prop_assert!(matches!(applied, Ok(RunEnd::Applied { .. })), "{:?}", applied);
        let again = self.plan(&desired, 0, vectors).await;
        prop_assert!(again.is_empty() && again.changes.is_empty(), "a second plan: {:?}", again.changes);
        let before = self.world(vectors).await;
        let twice = self.apply(&plan, vectors).await;
        prop_assert!(matches!(twice, Err(ApplyError::AppliedBefore { .. })), "{:?}", twice);
        prop_assert_eq!(before, self.world(vectors).await, "the same plan twice");
        Ok(())
    }

    async fn plan(&mut self, desired: &Value, order: u64, vectors: &Memory) -> SavedPlan {
        let folder = tempfile::tempdir().expect("a folder");
        for (name, text) in files(desired, order) {
            std::fs::write(folder.path().join(name), text).expect("a plan file");
        }
        let (desired, _, _) =
            load_plans(&[folder.path().to_owned()]).unwrap_or_else(|(found, _)| panic!("{found:?}\n{desired}"));
        self.planner.plan_desired(&mut self.postgres, vectors, &desired).await
    }

    async fn apply(&mut self, plan: &SavedPlan, vectors: &Memory) -> Result<RunEnd, ApplyError> {
        let makers = &self.planner.makers;
        let mut runner = Runner::new(&mut self.postgres, vectors, makers, &|_| {}, "test".to_owned());
        runner.apply(plan, Duration::ZERO).await
    }

    async fn world(&self, vectors: &dyn VectorStore) -> (Option<String>, Vec<String>) {
        let rows = self.admin.query_one(ROWS, &[]).await.expect("rows").get(0);
        (rows, VectorPhoto::take(vectors).await.expect("a photo").lines())
    }
}

/// A plan's bytes, apart from what names the files: their digests, the places in them, and the plan's own digest.
fn without_files(plan: &SavedPlan) -> String {
    let mut value = json!(plan);
    value["files"] = Value::Null;
    value["digest"] = Value::Null;
    for change in value["changes"].as_array_mut().into_iter().flatten() {
        change["declared_at"] = Value::Null;
    }
    value.to_string()
}

/// Every step comes after what it needs.
fn ordered(plan: &SavedPlan) -> Result<(), TestCaseError> {
    let mut done = BTreeSet::new();
    for step in &plan.steps {
        prop_assert!(step.needs.iter().all(|need| done.contains(need)), "{:?}", step);
        prop_assert!(done.insert(step.id), "{:?}", step);
    }
    Ok(())
}

/// Checks as many inputs as `PROPTEST_CASES` says, or a few.
pub fn check(runtime: &tokio::runtime::Runtime) {
    let asked = std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok());
    let config = Config { cases: asked.unwrap_or(24), failure_persistence: None, ..Config::default() };
    let bench = tokio::sync::Mutex::new(runtime.block_on(Bench::make()));
    let result = TestRunner::new(config)
        .run(&inputs(), |input| runtime.block_on(async { bench.lock().await.check(&input).await }));
    if let Err(error) = result {
        panic!("{error}");
    }
}

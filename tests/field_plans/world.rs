//! The field before its two packages, on the embedded stores or on a real PostgreSQL 15 with the reference roles: 60 units
//! enacted with 61 points, 86 drafts, 5 other drafts, 12 deprecated, 64 ledger rows, and a collection of somebody else.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;

use enact::local::qdrant::QdrantServer;
use enact::local::{LocalServers, schema};
use enact::model::{PointId, VectorParams};
use enact::store::qdrant::{Qdrant, QdrantOptions};
use enact::store::{CollectionSpec, NamedVector, Point, VectorStore, WithVectors};
use secrecy::SecretString;
use serde_json::{Map, Value, json};
use tokio::runtime::Runtime;

use super::embeddings::{DIMENSION, Embeddings, vector};
use crate::support::postgres::PrivateCluster;

/// The collection of the plans.
pub const SET: &str = "iu_core_iu_chunks";
/// The collection that must never be touched.
pub const SHARED: &str = "production_documents";
/// The namespace of the plan's point ids.
pub const NAMESPACE: &str = "3f1d8a52-7c44-5b0e-9d2a-61c0a7f5e9b1";
const DATABASE: &str = "kb";

/// Which PostgreSQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    Embedded,
    Postgres15,
}

enum Servers {
    Embedded(LocalServers),
    Real { qdrant: QdrantServer, cluster: PrivateCluster, _points: tempfile::TempDir },
}

/// A project folder over running stores.
pub struct World {
    pub embeddings: Embeddings,
    runtime: Runtime,
    servers: Option<Servers>,
    folder: tempfile::TempDir,
}

pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

pub fn text_of(path: &str) -> String {
    std::fs::read_to_string(repository(path)).expect("a file of the repository")
}

/// A text on one line, whatever its lines were wrapped to.
pub fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
pub fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

impl World {
    /// Starts the stores and fills them with the field's shape; `enact init` has run, nothing is adopted yet.
    pub fn start(backend: Backend) -> World {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let runtime = Runtime::new().expect("a runtime");
        let servers = match backend {
            Backend::Embedded => {
                let started = runtime.block_on(LocalServers::start(&folder.path().join(".enact")));
                Servers::Embedded(started.expect("the embedded servers"))
            }
            Backend::Postgres15 => {
                let cluster = PrivateCluster::start().expect("a private PostgreSQL");
                cluster.create_database(DATABASE).expect("a database");
                let points = tempfile::tempdir().expect("a temporary folder");
                let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
                let qdrant = runtime.block_on(QdrantServer::start(points.path(), loopback)).expect("a vector server");
                Servers::Real { qdrant, cluster, _points: points }
            }
        };
        let embeddings = Embeddings::start();
        let world = World { embeddings, runtime, servers: Some(servers), folder };
        std::fs::create_dir(world.path().join("plans")).expect("plans/");
        world.write("enact.yaml", &world.config(""));
        // On one connection: the embedded server starts anew for each.
        world.with_postgres(async |client| {
            let seed = text_of("examples/field/seed.sql");
            let scripts =
                schema::iu_core_sql().iter().copied().chain([schema::fixture_sql(), ("seed.sql", seed.as_str())]);
            for (name, sql) in scripts {
                client.batch_execute(sql).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
            }
        });
        world.load_points();
        world.ok(&["init"]);
        world
    }

    /// The same with the plans of the repository, and the 61 points adopted.
    pub fn adopted(backend: Backend) -> World {
        let world = World::start(backend);
        for plan in ["plans/8000x-promotion.yaml", "plans/9000x-onboarding.yaml"] {
            world.write(plan, &text_of(plan));
        }
        world.ok(&["import", "--auto-approve"]);
        world
    }

    /// `enact.yaml`, with more lines for the environment.
    pub fn config(&self, more: &str) -> String {
        let stores = match self.servers.as_ref().expect("running servers") {
            Servers::Embedded(_) => "    local: { directory: .enact }\n".to_owned(),
            Servers::Real { qdrant, cluster, .. } => format!(
                "    postgres: {{ conninfo: \"{}\" }}\n    qdrant: {{ url: \"{}\" }}\n    \
                 roles: {{ rows: workflow_admin, lifecycle: cutter_exec, refresh: directus, ledger: directus, gates: directus }}\n",
                cluster.conninfo(DATABASE),
                qdrant.url()
            ),
        };
        format!(
            "enact: v1\ndefault: field\nenvironments:\n  field:\n{stores}    binding: iu-core\n    actor: iu-core-9000x\n    \
             collections: {{ deny: [{SHARED}] }}\n    embedders:\n      default: {{ kind: openai, base_url: \"{}\", \
             model: text-embedding-3-small, dimensions: {DIMENSION} }}\n{more}",
            self.embeddings.url
        )
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("a project file");
    }

    fn load_points(&self) {
        let rows = self.rows(
            "SELECT p.point_key, p.unit_id::text, p.chunk_index::text, p.chunk_count::text, p.content_digest \
             FROM iu_vector_sync_point p WHERE p.sync_status = 'indexed' ORDER BY 1",
        );
        let points: Vec<Point> = rows.iter().map(|row| field_point(row)).collect();
        self.with_qdrant(async |store| {
            let dense = |dimension| VectorParams::Dense { dimension, distance: "cosine".to_owned() };
            let spec = |name: &str, dimension: u64| CollectionSpec {
                name: name.to_owned(),
                vectors: BTreeMap::from([(String::new(), dense(dimension))]),
                payload_indexes: BTreeMap::new(),
                metadata: BTreeMap::new(),
                like: None,
            };
            store.ensure_collection(&spec(SET, DIMENSION as u64)).await.expect("the collection");
            store.ensure_points(SET, &points).await.expect("61 points");
            store.ensure_collection(&spec(SHARED, 4)).await.expect("the shared collection");
            let shared: Vec<Point> = (1u64..=20).map(shared_point).collect();
            store.ensure_points(SHARED, &shared).await.expect("20 points");
        });
    }

    /// Adds one point to the shared collection, as others do all the time.
    pub fn drift_shared(&self, id: u64) {
        self.with_qdrant(async |store| store.ensure_points(SHARED, &[shared_point(id)]).await.expect("a point"));
    }

    /// Every point of a collection, with its vectors bit for bit and its payload.
    pub fn points(&self, collection: &str) -> BTreeMap<String, String> {
        self.with_qdrant(async |store| {
            let page = store.points(collection, None, 10_000, WithVectors::Yes).await.expect("points");
            page.points.into_iter().map(|point| (point.id.to_string(), dump(&point))).collect()
        })
    }

    pub fn payload(&self, collection: &str, id: &str) -> Map<String, Value> {
        let id = PointId::from_text(id).expect("an id");
        self.with_qdrant(async |store| {
            let found = store.retrieve(collection, std::slice::from_ref(&id), WithVectors::No).await.expect("a point");
            found.into_iter().next().expect("the point").payload
        })
    }

    /// Rewrites one field of a point's payload, vectors as they are.
    pub fn change_payload(&self, collection: &str, id: &str, field: &str, value: &str) {
        let id = PointId::from_text(id).expect("an id");
        self.with_qdrant(async |store| {
            let found = store.retrieve(collection, std::slice::from_ref(&id), WithVectors::Yes).await.expect("a point");
            let mut point = found.into_iter().next().expect("the point");
            point.payload.insert(field.to_owned(), json!(value));
            store.ensure_points(collection, &[point]).await.expect("the point is written");
        });
    }

    pub fn remove_point(&self, collection: &str, id: &str) {
        let id = PointId::from_text(id).expect("an id");
        self.with_qdrant(async |store| {
            store.ensure_points_absent(collection, std::slice::from_ref(&id)).await.expect("it goes")
        });
    }

    pub fn collections(&self) -> Vec<String> {
        self.with_qdrant(async |store| store.collections().await.expect("collections"))
    }

    pub fn conninfo(&self) -> String {
        match self.servers.as_ref().expect("running servers") {
            Servers::Embedded(servers) => servers.endpoints().postgres.clone(),
            Servers::Real { cluster, .. } => cluster.conninfo(DATABASE),
        }
    }

    pub fn qdrant_url(&self) -> String {
        match self.servers.as_ref().expect("running servers") {
            Servers::Embedded(servers) => servers.endpoints().qdrant.clone(),
            Servers::Real { qdrant, .. } => qdrant.url(),
        }
    }

    pub fn with_qdrant<T>(&self, body: impl AsyncFnOnce(&Qdrant) -> T) -> T {
        let url = SecretString::from(self.qdrant_url());
        self.runtime.block_on(async {
            let options = QdrantOptions { url, api_key: None, timeout_ms: 20_000, retry_ms: 0, ca: None };
            body(&Qdrant::connect(&options).await.expect("the vector server")).await
        })
    }

    fn with_postgres<T>(&self, body: impl AsyncFnOnce(&tokio_postgres::Client) -> T) -> T {
        let conninfo = self.conninfo();
        self.runtime.block_on(async {
            let connected = tokio_postgres::connect(&conninfo, tokio_postgres::NoTls).await;
            let (client, connection) = connected.expect("a connection");
            let connection = tokio::spawn(connection);
            let answer = body(&client).await;
            drop(client);
            let _ended = connection.await;
            answer
        })
    }

    pub fn sql(&self, script: &str) {
        self.with_postgres(async |client| client.batch_execute(script).await.expect("the script runs"));
    }

    /// Every row of a query, as texts.
    pub fn rows(&self, query: &str) -> Vec<Vec<String>> {
        self.with_postgres(async |client| {
            let messages = client.simple_query(query).await.expect("the query runs");
            let row = |message| match message {
                tokio_postgres::SimpleQueryMessage::Row(row) => {
                    Some((0..row.len()).map(|at| row.get(at).unwrap_or("NULL").to_owned()).collect())
                }
                _ => None,
            };
            messages.into_iter().filter_map(row).collect()
        })
    }

    /// The first column of the first row.
    pub fn value(&self, query: &str) -> String {
        self.rows(query).into_iter().next().and_then(|row| row.into_iter().next()).unwrap_or_default()
    }

    /// Runs the binary in the project, with the code that it must exit with.
    pub fn exits(&self, arguments: &[&str], code: i32) -> (String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
        command.args(arguments).args(["--no-input", "--no-color"]).current_dir(self.path()).env_remove("ENACT_ENV");
        let output = command.output().expect("the binary runs");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "enact {arguments:?}\n{stdout}\n{stderr}");
        (stdout, stderr)
    }

    pub fn ok(&self, arguments: &[&str]) -> String {
        self.exits(arguments, 0).0
    }

    /// A digest of every table but Enact's own and those named, by table.
    pub fn tables_but(&self, others: &[&str]) -> BTreeMap<String, String> {
        let named = self.rows(
            "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
             WHERE c.relkind = 'r' AND n.nspname IN ('public', 'cutter_governance') ORDER BY 1",
        );
        let tables = named.into_iter().map(|row| row[0].clone()).filter(|table| !others.contains(&table.as_str()));
        // All in one query: a connection of its own for each would be most of a test's time.
        let digests = tables.map(|table| {
            format!("SELECT '{table}', md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {table} t")
        });
        let digests = self.rows(&digests.collect::<Vec<_>>().join(" UNION ALL "));
        digests.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        match self.servers.take() {
            Some(Servers::Embedded(servers)) => drop(self.runtime.block_on(servers.stop())),
            Some(Servers::Real { qdrant, .. }) => drop(self.runtime.block_on(qdrant.shutdown())),
            None => {}
        }
    }
}

/// A point as the field's own driver wrote it: no part of Enact, vectors of its own.
fn field_point(row: &[String]) -> Point {
    let [key, unit, index, count, digest] = row else { panic!("five columns") };
    let number = |text: &String| text.parse::<u64>().expect("a number");
    let payload = json!({
        "point_key": key, "unit_id": unit, "chunk_index": number(index), "chunk_count": number(count), "source_kind": "iu",
        "source_path": format!("information_unit/{unit}"), "content_digest": digest,
        "axis_refs": { "source_axis_ref": "ICX-CONST", "semantic_axis_ref": "law", "hierarchy_axis_ref": null },
    });
    let Value::Object(payload) = payload else { panic!("an object") };
    let id = PointId::of_key(NAMESPACE, key).expect("a namespace");
    let vector = NamedVector::Dense(vector(&format!("the field's vector of {key}")));
    Point { id, vectors: BTreeMap::from([(String::new(), vector)]), payload }
}

fn shared_point(id: u64) -> Point {
    let payload = Map::from_iter([("document".to_owned(), json!(id))]);
    let vector = NamedVector::Dense(vec![0.5, 0.5, -0.5, 0.5]);
    Point { id: PointId::Number(id), vectors: BTreeMap::from([(String::new(), vector)]), payload }
}

fn dump(point: &Point) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for (name, vector) in &point.vectors {
        let NamedVector::Dense(values) = vector else { panic!("\"{name}\" is dense") };
        for value in values {
            hash = (hash ^ u64::from(value.to_bits())).wrapping_mul(0x0100_0000_01b3);
        }
    }
    format!("{hash:016x} {}", enact::model::digest_of(&point.payload).short())
}

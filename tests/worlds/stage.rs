//! Where worlds are real: one PostgreSQL server with a database for each, one vector server with sets named after each.

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use enact::local::qdrant::QdrantServer;
use enact::local::schema;
use enact::model::PointId;
use enact::store::qdrant::{Qdrant, QdrantOptions};
use enact::store::{Point, VectorStore, WithVectors};
use secrecy::SecretString;
use serde_json::Value;
use tokio::runtime::{Handle, Runtime};
use tokio_postgres::{Client, NoTls};

use super::acts::Hand;
use super::words::{Prefix, TABLES};
use super::world::{Doc, Live, Place, Project, Row, SetName, Status, Table};
use crate::support::postgres::PrivateCluster;

/// What every database starts as.
const MODEL: &str = "model";

/// The servers.
pub struct Servers {
    cluster: PrivateCluster,
    vectors: QdrantServer,
    runtime: Runtime,
    _files: tempfile::TempDir,
}

impl Servers {
    pub fn start() -> Servers {
        let runtime = Runtime::new().expect("a runtime");
        let files = tempfile::tempdir().expect("a directory");
        let started = QdrantServer::start(files.path(), (Ipv4Addr::LOCALHOST, 0).into());
        let vectors = runtime.block_on(started).expect("a vector server");
        let cluster = PrivateCluster::start().unwrap_or_else(|error| panic!("{error}"));
        cluster.create_database(MODEL).expect("a database");
        let servers = Servers { cluster, vectors, runtime, _files: files };
        let conninfo = servers.cluster.conninfo(MODEL);
        servers.runtime.block_on(async {
            let client = connect(&conninfo).await;
            client.batch_execute(schema::documents_sql().1).await.expect("the documents");
            client.batch_execute(TABLES).await.expect("the tables");
        });
        let stage = Stage::within(&servers, "model".to_owned(), conninfo, true);
        assert_eq!(stage.enact(Project::Main, &["init"]).code, 0);
        servers
    }

    /// A database and a folder of its own for a world.
    pub fn stage(&self, name: String, grace: bool) -> Stage {
        let admin = self.cluster.conninfo("postgres");
        let statement = format!("CREATE DATABASE {name} TEMPLATE {MODEL}");
        self.runtime.block_on(async { connect(&admin).await.batch_execute(&statement).await }).expect("a database");
        let conninfo = self.cluster.conninfo(&name);
        Stage::within(self, name, conninfo, grace)
    }
}

async fn connect(conninfo: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(conninfo, NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

/// What a command said.
#[derive(Debug, Clone)]
pub struct Said {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// One real world.
pub struct Stage {
    name: String,
    folder: tempfile::TempDir,
    runtime: Handle,
    sql: Client,
    store: Qdrant,
}

impl Stage {
    fn within(servers: &Servers, name: String, conninfo: String, grace: bool) -> Stage {
        let folder = tempfile::tempdir().expect("a folder");
        let url = servers.vectors.url();
        for project in Project::ALL {
            let place = folder.path().join(project.folder());
            std::fs::create_dir_all(place.join("plans")).expect("plans/");
            let (said, grace) = (project.folder(), if grace { "1h" } else { "0s" });
            let config = format!(
                "enact: v1\nproject: {said}\ndefault: world\nenvironments:\n  world:\n    postgres: {{ conninfo: \"{conninfo}\" }}\n    \
                 qdrant: {{ url: \"{url}\" }}\n    binding: documents\n    actor: test\n    sweep_grace: {grace}\n"
            );
            std::fs::write(place.join("enact.yaml"), config).expect("enact.yaml");
        }
        let runtime = servers.runtime.handle().clone();
        let (sql, store) = runtime.block_on(async {
            let options = QdrantOptions {
                url: SecretString::from(url),
                api_key: None,
                timeout_ms: 20_000,
                retry_ms: 0,
                ca: None,
            };
            (connect(&conninfo).await, Qdrant::connect(&options).await.expect("the vector server"))
        });
        Stage { name, folder, runtime, sql, store }
    }

    pub fn prefix(&self) -> Prefix<'_> {
        Prefix(&self.name)
    }

    fn place(&self, project: Project) -> PathBuf {
        self.folder.path().join(project.folder())
    }

    /// Writes a project's plan file.
    pub fn write(&self, project: Project, yaml: &str) {
        std::fs::write(self.place(project).join("plans/world.yaml"), yaml).expect("a plan file");
    }

    /// Runs the binary in a project.
    pub fn enact(&self, project: Project, arguments: &[&str]) -> Said {
        self.start(project, arguments)()
    }

    /// Starts the binary; what is given back waits for its end.
    pub fn start(&self, project: Project, arguments: &[&str]) -> impl FnOnce() -> Said + use<> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_enact"));
        command.args(arguments).args(["--no-input", "--no-color", "--quiet"]).current_dir(self.place(project));
        command.env_remove("ENACT_ENV").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = command.spawn().expect("the binary starts");
        move || {
            let output = child.wait_with_output().expect("the binary ends");
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let code = output.status.code().unwrap_or(-1);
            Said { code, stdout: text(&output.stdout), stderr: text(&output.stderr) }
        }
    }

    pub fn sql(&self, script: &str) {
        self.runtime.block_on(self.sql.batch_execute(script)).unwrap_or_else(|error| panic!("{script}: {error:?}"));
    }

    fn rows<T>(&self, query: &str, read: impl Fn(&tokio_postgres::Row) -> T) -> Vec<T> {
        let rows = self.runtime.block_on(self.sql.query(query, &[]));
        rows.unwrap_or_else(|error| panic!("{query}: {error:?}")).iter().map(read).collect()
    }

    /// The newest run.
    pub fn last_run(&self) -> String {
        let runs = self.rows("SELECT run_id FROM enact.run ORDER BY opened_at DESC LIMIT 1", |row| row.get(0));
        runs.into_iter().next().expect("a run")
    }

    /// What PostgreSQL holds; of the vector server nothing.
    pub fn relational(&self) -> Live {
        let mut live = Live::default();
        for table in Table::ALL {
            let (key, value, name) = (table.key_number(), table.value_number(), table.name());
            let query = format!("SELECT {key}, {value}, substr(note, 2)::int FROM {name}");
            let byte = |number: i32| u8::try_from(number).expect("a small number");
            let read = self.rows(&query, |row| {
                let note: Option<i32> = row.get(2);
                ((table, byte(row.get(0))), Row { value: byte(row.get(1)), note: note.map(byte) })
            });
            live.tables.extend(read);
        }
        let byte = |number: i32| u8::try_from(number).expect("a small number");
        live.frozen
            .extend(self.rows("SELECT id, value FROM public.frozen", |row| (byte(row.get(0)), byte(row.get(1)))));
        let query = "SELECT right(id::text, 2)::int, substr(slug, 3)::int, substr(title, 7)::int, body, status FROM public.documents";
        live.docs.extend(self.rows(query, |row| {
            let (body, status): (String, String) = (row.get(3), row.get(4));
            let paragraph = |text: &str| text.split_whitespace().nth(2).and_then(|word| word.parse().ok());
            let body = body.split("\n\n").filter_map(paragraph).collect();
            let status =
                [Status::Draft, Status::Published, Status::Archived].into_iter().find(|one| one.word() == status);
            let status = status.expect("a state");
            (byte(row.get(0)), Doc { slug: byte(row.get(1)), title: byte(row.get(2)), body, status })
        }));
        live
    }

    /// Where Enact wrote down that each point of a set is.
    fn ids(&self, name: SetName) -> BTreeMap<Place, PointId> {
        let set = self.prefix().set(name);
        let query =
            format!("SELECT right(unit, 2)::int, ordinal, id::text FROM enact.managed_point WHERE set_name = '{set}'");
        let read = self.rows(&query, |row| {
            let (unit, ordinal, id): (i32, i32, String) = (row.get(0), row.get(1), row.get(2));
            let place = (u8::try_from(unit).expect("a document"), u32::try_from(ordinal).expect("a place"));
            (place, PointId::from_text(&id).expect("an id"))
        });
        read.into_iter().collect()
    }

    /// The points behind a set's name: what Enact wrote down by its place, and the ids of all others. Nothing where there is no
    /// collection.
    pub fn points(&self, name: SetName) -> Option<(BTreeMap<Place, Value>, BTreeSet<String>)> {
        let set = self.prefix().set(name);
        let page = self.runtime.block_on(async {
            self.store.collection(&set).await.expect("an answer")?;
            Some(self.store.points(&set, None, 1_000, WithVectors::No).await.expect("points"))
        })?;
        let places: BTreeMap<PointId, Place> = self.ids(name).into_iter().map(|(place, id)| (id, place)).collect();
        let (mut own, mut others) = (BTreeMap::new(), BTreeSet::new());
        for mut point in page.points {
            point.payload.remove("_enact");
            match places.get(&point.id) {
                Some(place) => drop(own.insert(*place, Value::Object(point.payload))),
                None => drop(others.insert(point.id.to_string())),
            }
        }
        Some((own, others))
    }

    /// Does something on the vector server, as somebody else would.
    pub fn by_hand(&self, name: SetName, hand: Hand) {
        let (set, ids) = (self.prefix().set(name), self.ids(name));
        self.runtime.block_on(async {
            let store = &self.store;
            let collection = store.collection(&set).await.expect("an answer").expect("a collection").name;
            let get = async |place: &Place| {
                let found = store.retrieve(&collection, &[ids[place]], WithVectors::Yes).await.expect("points");
                found.into_iter().next().expect("the point")
            };
            let mut written: Vec<Point> = Vec::new();
            match hand {
                Hand::Lose(place) => store.ensure_points_absent(&collection, &[ids[&place]]).await.expect("it goes"),
                Hand::Add(number) => {
                    let payload = serde_json::json!({ "of": "somebody else", "slug": "a/0" });
                    let Value::Object(payload) = payload else { unreachable!("an object") };
                    written.push(Point { id: foreign(number), vectors: BTreeMap::new(), payload });
                }
                Hand::Copy(place, number) => written.push(Point { id: foreign(number), ..get(&place).await }),
                Hand::Forge(place) => {
                    let mut point = get(&place).await;
                    point.payload.insert("forged".to_owned(), Value::from(true));
                    written.push(point);
                }
                Hand::Exchange(one, other) => {
                    let (one, other) = (get(&one).await, get(&other).await);
                    written.push(Point { id: one.id, vectors: one.vectors, payload: other.payload });
                    written.push(Point { id: other.id, vectors: other.vectors, payload: one.payload });
                }
                Hand::Overwrite(one, other) => {
                    let (one, other) = (get(&one).await, get(&other).await);
                    written.push(Point { id: one.id, vectors: one.vectors, payload: other.payload });
                }
                Hand::Strip(place) => {
                    let mut point = get(&place).await;
                    point.payload.remove("_enact");
                    written.push(point);
                }
                Hand::Index => store.ensure_payload_index_absent(&collection, "slug").await.expect("it goes"),
                Hand::Alias => store.ensure_alias_absent(&set).await.expect("it goes"),
                Hand::Collection => {
                    store.ensure_alias_absent(&set).await.expect("it goes");
                    store.ensure_collection_absent(&collection).await.expect("it goes");
                }
            }
            if !written.is_empty() {
                store.ensure_points(&collection, &written).await.expect("they are written");
            }
        });
    }
}

/// The id of a point of somebody else.
pub fn foreign(number: u8) -> PointId {
    PointId::from_text(&format!("f0000000-0000-4000-8000-0000000000{number:02}")).expect("an id")
}

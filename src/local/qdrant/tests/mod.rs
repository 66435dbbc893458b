//! The server over real gRPC, with the client everybody uses.

mod catalog;
mod durability;
mod filters;
mod points;
mod queries;
mod volume;

use std::path::Path;

use qdrant_client::qdrant::{
    CreateCollectionBuilder, Distance, Modifier, NamedVectors, PointStruct, SparseVectorParamsBuilder,
    SparseVectorsConfigBuilder, UpsertPointsBuilder, Value, Vector, VectorParamsBuilder, VectorsConfigBuilder,
};
use qdrant_client::{Payload, Qdrant, QdrantError};
use tonic::{Code, Status};

use super::QdrantServer;

/// A server on its own directory, and a client of it.
struct Fixture {
    client: Qdrant,
    server: QdrantServer,
    directory: tempfile::TempDir,
}

impl Fixture {
    async fn start() -> Fixture {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let (server, client) = serve(directory.path()).await;
        Fixture { client, server, directory }
    }

    async fn restart(self) -> Fixture {
        let Fixture { client, server, directory } = self;
        drop(client);
        server.shutdown().await.expect("an orderly stop");
        let (server, client) = serve(directory.path()).await;
        Fixture { client, server, directory }
    }

    /// Makes a collection with the dense vector `text` of dimension 4 and the sparse one `words` with IDF.
    async fn with_hybrid(name: &str) -> Fixture {
        let fixture = Fixture::start().await;
        fixture.client.create_collection(hybrid(name)).await.expect("a collection");
        fixture
    }

    async fn upsert(&self, collection: &str, points: Vec<PointStruct>) {
        let upsert = UpsertPointsBuilder::new(collection, points).wait(true);
        self.client.upsert_points(upsert).await.expect("an upsert");
    }
}

async fn serve(directory: &Path) -> (QdrantServer, Qdrant) {
    let address = "127.0.0.1:0".parse().expect("an address");
    let server = QdrantServer::start(directory, address).await.expect("a server");
    let client = connect(&server.url());
    (server, client)
}

fn connect(url: &str) -> Qdrant {
    Qdrant::from_url(url).skip_compatibility_check().build().expect("a client")
}

fn hybrid(name: &str) -> CreateCollectionBuilder {
    let mut dense = VectorsConfigBuilder::default();
    dense.add_named_vector_params("text", VectorParamsBuilder::new(4, Distance::Cosine));
    let mut sparse = SparseVectorsConfigBuilder::default();
    sparse.add_named_vector_params("words", SparseVectorParamsBuilder::default().modifier(Modifier::Idf));
    CreateCollectionBuilder::new(name).vectors_config(dense).sparse_vectors_config(sparse)
}

fn point(id: u64, dense: [f32; 4], words: &[(u32, f32)], payload: serde_json::Value) -> PointStruct {
    let (indices, values): (Vec<u32>, Vec<f32>) = words.iter().copied().unzip();
    let vectors = NamedVectors::default()
        .add_vector("text", dense.to_vec())
        .add_vector("words", Vector::new_sparse(indices, values));
    PointStruct::new(id, vectors, payload_of(payload))
}

fn payload_of(json: serde_json::Value) -> Payload {
    let serde_json::Value::Object(fields) = json else { panic!("BUG: a payload is an object") };
    fields.into_iter().map(|(key, value)| (key, value_of(value))).collect::<std::collections::HashMap<_, _>>().into()
}

/// The payload in the form the protocol has it.
fn stored(json: serde_json::Value) -> std::collections::HashMap<String, Value> {
    payload_of(json).into()
}

fn value_of(json: serde_json::Value) -> Value {
    match json {
        serde_json::Value::String(text) => text.into(),
        serde_json::Value::Bool(flag) => flag.into(),
        serde_json::Value::Number(number) => match number.as_i64() {
            Some(integer) => integer.into(),
            None => number.as_f64().expect("a number").into(),
        },
        serde_json::Value::Null => Value { kind: None },
        serde_json::Value::Array(items) => items.into_iter().map(value_of).collect::<Vec<Value>>().into(),
        serde_json::Value::Object(_) => Value {
            kind: Some(qdrant_client::qdrant::value::Kind::StructValue(qdrant_client::qdrant::Struct {
                fields: stored(json),
            })),
        },
    }
}

/// The code and the message of a refusal.
fn refusal<T: std::fmt::Debug>(result: Result<T, QdrantError>) -> (Code, String) {
    match result {
        Err(QdrantError::ResponseError { status }) => code_and_message(&status),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn code_and_message(status: &Status) -> (Code, String) {
    (status.code(), status.message().to_owned())
}

fn numbers(points: impl IntoIterator<Item = Option<qdrant_client::qdrant::PointId>>) -> Vec<u64> {
    points
        .into_iter()
        .map(|id| match id.and_then(|id| id.point_id_options) {
            Some(qdrant_client::qdrant::point_id::PointIdOptions::Num(number)) => number,
            other => panic!("expected a number, got {other:?}"),
        })
        .collect()
}

//! The store in memory beside the real server: one script, every answer compared.

use std::collections::BTreeMap;
use std::path::Path;

use enact::model::{PointId, VectorParams, canonical_json};
use enact::store::{CollectionSpec, NamedVector, Point, SparseVector, StoreError, VectorStore, WithVectors};

use crate::faults::memory::Memory;
use crate::faults::world::start_server;

/// Runs the script against both and compares.
pub async fn compare(directory: &Path) {
    let (server, real) = start_server(directory).await;
    let (expected, found) = (script(real.as_ref()).await, script(&Memory::default()).await);
    drop(real);
    server.shutdown().await.expect("the server stops");
    for (index, (expected, found)) in expected.iter().zip(&found).enumerate() {
        assert_eq!(found, expected, "answer {index}");
    }
    assert_eq!(found.len(), expected.len());
}

fn spec(name: &str, dimension: u64, indexes: &[&str]) -> CollectionSpec {
    let dense = VectorParams::Dense { dimension, distance: "cosine".to_owned() };
    CollectionSpec {
        name: name.to_owned(),
        vectors: BTreeMap::from([("d".to_owned(), dense), ("s".to_owned(), VectorParams::Sparse { idf: true })]),
        payload_indexes: indexes.iter().map(|field| ((*field).to_owned(), "keyword".to_owned())).collect(),
        metadata: BTreeMap::from([("made".to_owned(), "by hand".to_owned())]),
        like: None,
    }
}

fn point(id: u64, text: &str) -> Point {
    let sparse = SparseVector { indices: vec![1, 7], values: vec![0.5, 1.5] };
    let name = uuid::Uuid::from_u128(u128::from(id) << 64);
    Point {
        id: PointId::Uuid(name),
        vectors: BTreeMap::from([
            ("d".to_owned(), NamedVector::Dense(vec![3.0, 4.0])),
            ("s".to_owned(), NamedVector::Sparse(sparse)),
        ]),
        payload: serde_json::json!({ "text": text, "n": 1 }).as_object().cloned().unwrap_or_default(),
    }
}

/// Every call that an apply makes, also where it has nothing to do and where it cannot.
async fn script(store: &dyn VectorStore) -> Vec<String> {
    let mut out = Vec::new();
    let points: Vec<Point> = (1..=5).map(|id| point(id, "one")).collect();
    let ids: Vec<PointId> = points.iter().map(|point| point.id).collect();
    let metadata = BTreeMap::from([("more".to_owned(), "texts".to_owned())]);
    let done =
        |result: Result<(), StoreError>| result.map_or_else(|error| format!("{:?}", error.fault), |()| String::new());
    out.push(done(store.ensure_points("a", &points).await));
    out.push(done(store.ensure_points_absent("a", &ids).await));
    out.push(done(store.ensure_applied("a").await));
    out.push(done(store.ensure_alias("x", "a").await));
    out.push(done(store.ensure_collection_absent("a").await));
    out.push(done(store.ensure_alias_absent("x").await));
    for spec in [spec("a", 2, &[]), spec("a", 2, &["text"]), spec("a", 3, &[]), spec("b", 2, &["text"])] {
        out.push(done(store.ensure_collection(&spec).await));
        out.push(state(store).await);
    }
    for _twice in 0..2 {
        out.push(done(store.ensure_points("a", &points).await));
        out.push(done(store.ensure_applied("a").await));
        out.push(done(store.ensure_alias("x", "a").await));
        out.push(done(store.ensure_metadata("a", &metadata).await));
        out.push(done(store.ensure_payload_index("a", "n", "integer").await));
        out.push(state(store).await);
    }
    for _twice in 0..2 {
        out.push(done(store.ensure_payload_index_absent("a", "n").await));
        out.push(state(store).await);
    }
    out.push(done(store.ensure_payload_index_absent("nowhere", "n").await));
    out.push(done(store.ensure_collection(&spec("x", 2, &[])).await));
    out.push(done(store.ensure_points("a", &[point(1, "another")]).await));
    out.push(format!("{:?}", store.point_ids("x", None, 2).await.map_err(|error| error.fault)));
    out.push(format!("{:?}", store.point_ids("x", ids.get(2), 2).await.map_err(|error| error.fault)));
    out.push(format!("{:?}", store.point_ids("nowhere", None, 2).await.map_err(|error| error.fault)));
    out.push(retrieved(store, &[ids[4], point(9, "").id]).await);
    for _twice in 0..2 {
        out.push(done(store.ensure_points_absent("a", &ids[..2]).await));
        out.push(done(store.ensure_alias("x", "b").await));
        out.push(state(store).await);
    }
    for _twice in 0..2 {
        out.push(done(store.ensure_collection_absent("b").await));
        out.push(done(store.ensure_alias_absent("x").await));
        out.push(state(store).await);
    }
    out
}

async fn retrieved(store: &dyn VectorStore, ids: &[PointId]) -> String {
    let found = store.retrieve("a", ids, WithVectors::Yes).await.map_err(|error| error.fault);
    format!("{:?}", found.map(|points| points.iter().map(line).collect::<Vec<_>>()))
}

fn line(point: &Point) -> String {
    format!("{} {} {:?}", point.id, canonical_json(&point.payload), point.vectors)
}

async fn state(store: &dyn VectorStore) -> String {
    let mut out = format!("{:?}", store.aliases().await.map_err(|error| error.fault));
    for name in store.collections().await.expect("names") {
        out.push_str(&format!("\n{:?}", store.collection(&name).await.map_err(|error| error.fault)));
        out.push_str(&format!(" {:?}", store.is_optimising(&name).await.map_err(|error| error.fault)));
        let page = store.points(&name, None, 100, WithVectors::Yes).await.expect("points");
        out.extend(page.points.iter().map(|point| format!("\n  {}", line(point))));
    }
    out
}

//! Reading where strict mode refuses what reading usually does, and where a key is not shown everything.

use std::collections::BTreeMap;

use enact::model::{PointId, VectorParams};
use enact::store::qdrant::Qdrant;
use enact::store::{CollectionSpec, Fault, NamedVector, Point, VectorStore, WithVectors};

use super::other::{Other, Rule};

pub fn spec(name: &str) -> CollectionSpec {
    let dense = VectorParams::Dense { dimension: 2, distance: "dot".to_owned() };
    CollectionSpec {
        name: name.to_owned(),
        vectors: BTreeMap::from([("d".to_owned(), dense)]),
        payload_indexes: BTreeMap::new(),
        metadata: BTreeMap::from([("made".to_owned(), "by hand".to_owned())]),
        like: None,
    }
}

pub fn points(count: u64) -> Vec<Point> {
    let vectors = BTreeMap::from([("d".to_owned(), NamedVector::Dense(vec![1.0, 0.5]))]);
    let point = |id| Point { id: PointId::Number(id), vectors: vectors.clone(), payload: serde_json::Map::new() };
    (0..count).map(point).collect()
}

#[test]
async fn a_strict_collection_is_counted_by_its_ids_and_asked_within_its_limits() {
    let other = Other::start(Vec::new()).await;
    other.connect().await.ensure_collection(&spec("c")).await.expect("made");
    other.set(vec![Rule::Strict { seconds: 3, page: 40 }]);
    let store = other.connect().await;
    // Nothing is known of the collection yet, and nothing is refused all the same.
    store.ensure_points("c", &points(100)).await.expect("written");
    let facts = store.collection("c").await.expect("read").expect("there");
    assert_eq!((facts.points, facts.limits.timeout_seconds, facts.strict), (100, Some(3), true));
    assert_eq!((other.calls("/qdrant.Points/Count"), other.calls("/qdrant.Points/Scroll")), (0, 3));
    let (ids, next) = store.point_ids("c", None, 10_000).await.expect("read");
    assert_eq!((ids.len(), next), (40, Some(PointId::Number(40))));
    assert_eq!(store.retrieve("c", &ids, WithVectors::Yes).await.expect("read").len(), 40);
    store.ensure_points_absent("c", &ids).await.expect("deleted");
    assert_eq!(store.collection("c").await.expect("read").expect("there").points, 60);
    other.stop().await;
}

#[test]
async fn what_strict_mode_refuses_is_not_taken_for_a_wrong_key() {
    let other = Other::start(Vec::new()).await;
    let store = other.connect().await;
    store.ensure_collection(&spec("c")).await.expect("made");
    store.collection("c").await.expect("its limits are known").expect("there");
    other.set(vec![Rule::Strict { seconds: 3, page: 40 }]);
    let error = store.point_ids("c", None, 10).await.expect_err("a deadline of 20 s");
    assert_eq!(error.fault, Fault::Refused);
    let hint = error.hint.unwrap_or_default();
    assert!(hint.contains("strict mode") && !hint.contains("api_key"), "{hint}");
    other.stop().await;
}

#[test]
async fn a_name_that_the_key_does_not_show_is_refused() {
    let other = Other::start(Vec::new()).await;
    let store = other.connect().await;
    for name in ["shown", "hidden"] {
        store.ensure_collection(&spec(name)).await.expect("made");
    }
    store.ensure_alias("now", "hidden").await.expect("named");
    other.set(vec![Rule::Lists("shown")]);
    // {"access":[{"collection":"c","access":"r"}]}
    let key = "e30.eyJhY2Nlc3MiOlt7ImNvbGxlY3Rpb24iOiJjIiwiYWNjZXNzIjoiciJ9XX0.x";
    let store = Qdrant::connect(&other.options(Some(key))).await.expect("a connection");
    assert_eq!(store.collection("shown").await.expect("read").expect("there").name, "shown");
    assert_eq!(store.collection("nowhere").await.expect("read"), None);
    let error = store.collection("now").await.expect_err("an alias that is not listed");
    assert!(error.to_string().contains("does not show which one \"now\" is"), "{error}");
    other.stop().await;
}

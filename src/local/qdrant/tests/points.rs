//! Points: writing, reading, filtering, counting.

use qdrant_client::qdrant::{
    ClearPayloadPointsBuilder, Condition, CreateCollectionBuilder, DeletePayloadPointsBuilder,
    DeletePointVectorsBuilder, DeletePointsBuilder, Distance, Filter, GetPointsBuilder, PointVectors, PointsIdsList,
    PointsUpdateOperation, ScrollPointsBuilder, SetPayloadPointsBuilder, UpdateBatchPointsBuilder,
    UpdatePointVectorsBuilder, UpdateStatus, VectorParamsBuilder, points_selector::PointsSelectorOneOf,
    points_update_operation as batch,
};
use serde_json::json;
use tonic::Code;

use super::*;

use super::filters::{LIBRARY as NAME, filled, matching};

#[tokio::test(flavor = "multi_thread")]
async fn points_come_back_as_they_went_in() {
    let fixture = filled().await;
    let get = GetPointsBuilder::new(NAME, vec![2.into(), 9.into()]).with_payload(true).with_vectors(true);
    let found = fixture.client.get_points(get).await.expect("points").result;
    assert_eq!(found.len(), 1);
    let expected = point(
        2,
        [0.0; 4],
        &[],
        json!({ "kind": "law", "page": 2, "tags": [],
        "parts": [{ "n": 1, "ok": false }] }),
    );
    assert_eq!(found[0].payload, expected.payload);
    let vectors = found[0].vectors.clone().expect("vectors");
    let text = vectors.get_vector_by_name("text").expect("the dense vector");
    let qdrant_client::qdrant::vector_output::Vector::Dense(text) = text else { panic!("not dense: {text:?}") };
    assert_eq!(text.data, [0.0, 1.0, 0.0, 0.0], "cosine vectors are stored with length one");
    let selected = GetPointsBuilder::new(NAME, vec![3.into()])
        .with_payload(qdrant_client::qdrant::PayloadIncludeSelector { fields: vec!["page".into()] });
    let found = fixture.client.get_points(selected).await.expect("points").result;
    assert_eq!(found[0].payload.keys().collect::<Vec<_>>(), ["page"]);
    assert_eq!(found[0].vectors, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_scroll_goes_by_id_and_says_where_it_goes_on() {
    let fixture = filled().await;
    let uuid = "550E8400E29B41D4A716446655440000";
    let odd =
        PointStruct::new(uuid, NamedVectors::default().add_vector("text", vec![0.0, 0.0, 0.0, 1.0]), Payload::new());
    fixture.upsert(NAME, vec![odd]).await;
    let first = fixture.client.scroll(ScrollPointsBuilder::new(NAME).limit(2)).await.expect("a scroll");
    assert_eq!(numbers(first.result.into_iter().map(|point| point.id)), [1, 2]);
    let next = first.next_page_offset.expect("a next page");
    let second = fixture.client.scroll(ScrollPointsBuilder::new(NAME).limit(2).offset(next)).await.expect("a scroll");
    assert_eq!(second.next_page_offset, None);
    let last = second.result[1].id.clone().expect("an id");
    assert_eq!(last, "550e8400-e29b-41d4-a716-446655440000".into());
}

async fn payload_of_one(fixture: &Fixture) -> std::collections::HashMap<String, Value> {
    let get = GetPointsBuilder::new(NAME, vec![1.into()]).with_payload(true);
    let mut found = fixture.client.get_points(get).await.expect("points").result;
    found.remove(0).payload
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_are_set_overwritten_and_removed() {
    let fixture = filled().await;
    let one = || PointsIdsList { ids: vec![1.into()] };
    let set = SetPayloadPointsBuilder::new(NAME, payload_of(json!({ "page": 9 }))).points_selector(one()).wait(true);
    fixture.client.set_payload(set).await.expect("a change");
    let drop = DeletePayloadPointsBuilder::new(NAME, vec!["tags".into(), "parts".into(), "uid".into()]);
    fixture.client.delete_payload(drop.points_selector(one()).wait(true)).await.expect("a change");
    assert_eq!(payload_of_one(&fixture).await, stored(json!({ "kind": "law", "page": 9 })));
    let over = SetPayloadPointsBuilder::new(NAME, payload_of(json!({ "x": true }))).points_selector(one()).wait(true);
    fixture.client.overwrite_payload(over).await.expect("a change");
    assert_eq!(payload_of_one(&fixture).await, stored(json!({ "x": true })));
    let clear = ClearPayloadPointsBuilder::new(NAME).points(one()).wait(true);
    fixture.client.clear_payload(clear).await.expect("a change");
    assert_eq!(payload_of_one(&fixture).await, stored(json!({})));
}

#[tokio::test(flavor = "multi_thread")]
async fn points_and_vectors_are_deleted() {
    let fixture = filled().await;
    let vectors = DeletePointVectorsBuilder::new(NAME)
        .points_selector(PointsIdsList { ids: vec![3.into()] })
        .vectors(qdrant_client::qdrant::VectorsSelector { names: vec!["words".into()] })
        .wait(true);
    fixture.client.delete_vectors(vectors).await.expect("a change");
    assert_eq!(matching(&fixture, Filter::must([Condition::has_vector("words")])).await, [1, 2]);
    let law = Filter::must([Condition::matches("kind", "law".to_owned()), Condition::matches("page", 2)]);
    fixture.client.delete_points(DeletePointsBuilder::new(NAME).points(law).wait(true)).await.expect("a delete");
    let ids = PointsIdsList { ids: vec![1.into(), 77.into()] };
    let deleted = fixture.client.delete_points(DeletePointsBuilder::new(NAME).points(ids)).await.expect("a delete");
    assert_eq!(deleted.result.expect("a result").status(), UpdateStatus::Acknowledged);
    assert_eq!(matching(&fixture, Filter::default()).await, [3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_upsert_changes_nothing_and_says_why() {
    let fixture = filled().await;
    let mut cases = Vec::new();
    for (vectors, reason) in [
        (NamedVectors::default().add_vector("text", vec![1.0; 3]), "Vector dimension error: expected dim: 4, got 3"),
        (NamedVectors::default().add_vector("image", vec![1.0; 4]), "Not existing vector name error: image"),
        (NamedVectors::default().add_vector("words", vec![1.0; 4]), "Wrong usage of sparse vectors"),
    ] {
        cases.push((vectors, reason));
    }
    for (vectors, reason) in cases {
        let points =
            vec![point(50, [1.0, 0.0, 0.0, 0.0], &[], json!({})), PointStruct::new(51, vectors, Payload::new())];
        let refused = refusal(fixture.client.upsert_points(UpsertPointsBuilder::new(NAME, points).wait(true)).await);
        assert_eq!(refused, (Code::InvalidArgument, format!("Wrong input: {reason}")));
    }
    assert_eq!(matching(&fixture, Filter::default()).await, [1, 2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_updates_is_applied_in_order() {
    let fixture = filled().await;
    let upsert =
        batch::PointStructList { points: vec![point(4, [0.0, 0.0, 0.0, 1.0], &[], json!({}))], ..Default::default() };
    let delete = batch::DeletePoints {
        points: Some(PointsSelectorOneOf::Points(PointsIdsList { ids: vec![4.into(), 1.into()] }).into()),
        shard_key_selector: None,
    };
    let operations = [batch::Operation::Upsert(upsert), batch::Operation::DeletePoints(delete)];
    let operations: Vec<_> =
        operations.into_iter().map(|operation| PointsUpdateOperation { operation: Some(operation) }).collect();
    let request = UpdateBatchPointsBuilder::new(NAME, operations).wait(true);
    let results = fixture.client.update_points_batch(request).await.expect("a batch").result;
    assert!(results.len() == 2 && results.iter().all(|one| one.status() == UpdateStatus::Completed));
    assert_eq!(matching(&fixture, Filter::default()).await, [2, 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_one_unnamed_vector_is_served_too() {
    let fixture = Fixture::start().await;
    let create = CreateCollectionBuilder::new("plain").vectors_config(VectorParamsBuilder::new(2, Distance::Euclid));
    fixture.client.create_collection(create).await.expect("a collection");
    fixture.upsert("plain", vec![PointStruct::new(1, vec![3.0, 4.0], Payload::new())]).await;
    let update = PointVectors { id: Some(1.into()), vectors: Some(vec![6.0, 8.0].into()) };
    let update = UpdatePointVectorsBuilder::new("plain", vec![update]).wait(true);
    fixture.client.update_vectors(update).await.expect("a change");
    let get = GetPointsBuilder::new("plain", vec![1.into()]).with_vectors(true);
    let found = fixture.client.get_points(get).await.expect("points").result.remove(0);
    let vector = found.vectors.expect("vectors").get_vector().expect("the vector");
    let qdrant_client::qdrant::vector_output::Vector::Dense(vector) = vector else { panic!("{vector:?}") };
    assert_eq!(vector.data, [6.0, 8.0]);
}

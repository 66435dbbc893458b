//! Queries: dense, sparse with IDF, hybrid, and the older searches.

use qdrant_client::qdrant::{
    Condition, DenseVector, Filter, Fusion, Mmr, OrderByBuilder, PrefetchQueryBuilder, Query, QueryBatchPointsBuilder,
    QueryPointsBuilder, RecommendPointsBuilder, ScoredPoint, SearchPointsBuilder, VectorInput,
};
use serde_json::json;
use tonic::Code;

use super::*;

const NAME: &str = "docs";

/// Word 1 is in every point, word 9 in one: IDF makes the rare word decide.
async fn filled() -> Fixture {
    let fixture = Fixture::with_hybrid(NAME).await;
    let points = vec![
        point(1, [1.0, 0.0, 0.0, 0.0], &[(1, 1.0)], json!({ "kind": "law" })),
        point(2, [0.9, 0.1, 0.0, 0.0], &[(1, 1.0), (9, 1.0)], json!({ "kind": "note" })),
        point(3, [0.0, 1.0, 0.0, 0.0], &[(1, 1.0), (5, 3.0)], json!({ "kind": "law" })),
        point(4, [0.0, 0.0, 1.0, 0.0], &[(1, 1.0)], json!({ "kind": "law" })),
    ];
    fixture.upsert(NAME, points).await;
    fixture
}

async fn hits(fixture: &Fixture, query: QueryPointsBuilder) -> Vec<ScoredPoint> {
    fixture.client.query(query).await.expect("a query").result
}

async fn ids(fixture: &Fixture, query: QueryPointsBuilder) -> Vec<u64> {
    numbers(hits(fixture, query).await.into_iter().map(|hit| hit.id))
}

fn dense() -> QueryPointsBuilder {
    QueryPointsBuilder::new(NAME).query(vec![1.0, 0.0, 0.0, 0.0]).using("text")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_come_first_and_limits_hold() {
    let fixture = filled().await;
    let found = hits(&fixture, dense().limit(2).with_payload(true).with_vectors(true)).await;
    assert_eq!(numbers(found.iter().map(|hit| hit.id.clone())), [1, 2]);
    assert!((found[0].score - 1.0).abs() < 1e-5 && found[1].score < found[0].score);
    assert_eq!(found[0].payload, stored(json!({ "kind": "law" })));
    assert!(found[0].vectors.is_some());
    assert_eq!(ids(&fixture, dense().limit(2).offset(1)).await[..1], [2]);
    assert_eq!(ids(&fixture, dense().score_threshold(0.5)).await, [1, 2]);
    let law = Filter::must([Condition::matches("kind", "law".to_owned())]);
    assert_eq!(ids(&fixture, dense().filter(law).limit(1)).await, [1]);
    assert_eq!(ids(&fixture, dense().limit(u64::MAX)).await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_point_can_be_what_to_be_near_to() {
    let fixture = filled().await;
    let near =
        |id: u64| QueryPointsBuilder::new(NAME).query(qdrant_client::qdrant::PointId::from(id)).using("text").limit(1);
    assert_eq!(ids(&fixture, near(1)).await, [2], "the point itself is left out");
    let missing = refusal(fixture.client.query(near(99)).await);
    assert_eq!(missing, (Code::NotFound, "Not found: No point with id 99 found".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn rare_words_weigh_more() {
    let fixture = filled().await;
    let query = QueryPointsBuilder::new(NAME).query(vec![(1, 1.0), (9, 1.0)]).using("words");
    let found = hits(&fixture, query).await;
    assert_eq!(found[0].id, Some(2.into()));
    // idf(t) = ln(1 + (n - df + 0.5) / (df + 0.5)) with n = 4 points.
    let idf = |df: f32| (1.0 + (4.0 - df + 0.5) / (df + 0.5)).ln();
    assert!((found[0].score - (idf(4.0) + idf(1.0))).abs() < 1e-4, "{}", found[0].score);
    assert!((found[1].score - idf(4.0)).abs() < 1e-4, "{}", found[1].score);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hybrid_query_fuses_its_prefetches() {
    let fixture = filled().await;
    let hybrid = |fusion| {
        QueryPointsBuilder::new(NAME)
            .add_prefetch(PrefetchQueryBuilder::default().query(vec![1.0, 0.0, 0.0, 0.0]).using("text").limit(2u64))
            .add_prefetch(PrefetchQueryBuilder::default().query(vec![(5, 1.0), (9, 0.1)]).using("words").limit(2u64))
            .query(Query::new_fusion(fusion))
            .with_payload(true)
    };
    let fused = hits(&fixture, hybrid(Fusion::Rrf)).await;
    assert_eq!(fused[0].id, Some(2.into()), "second in both");
    assert_eq!(fused[0].payload, stored(json!({ "kind": "note" })));
    assert!((fused[0].score - 2.0 / 3.0).abs() < 1e-5, "{}", fused[0].score);
    assert_eq!(fused.len(), 3);
    assert_eq!(hits(&fixture, hybrid(Fusion::Dbsf)).await.len(), 3);
    assert_eq!(ids(&fixture, hybrid(Fusion::Rrf).offset(2)).await.len(), 1);
    let alone = QueryPointsBuilder::new(NAME).query(Query::new_fusion(Fusion::Rrf));
    assert_eq!(refusal(fixture.client.query(alone).await).0, Code::InvalidArgument);
}

#[tokio::test(flavor = "multi_thread")]
async fn mmr_order_by_and_no_query_are_served() {
    let fixture = filled().await;
    let mmr =
        Query::new_nearest_with_mmr(vec![1.0, 0.0, 0.0, 0.0], Mmr { diversity: Some(1.0), candidates_limit: Some(4) });
    let diverse = ids(&fixture, QueryPointsBuilder::new(NAME).query(mmr).using("text").limit(2)).await;
    assert!(diverse.len() == 2 && diverse[0] == 1 && diverse[1] != 2, "{diverse:?}");
    assert_eq!(ids(&fixture, QueryPointsBuilder::new(NAME)).await, [1, 2, 3, 4]);
    let ordered = QueryPointsBuilder::new(NAME).query(Query::new_order_by(OrderByBuilder::new("kind")));
    assert_eq!(refusal(fixture.client.query(ordered).await).0, Code::InvalidArgument, "no range index");
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_and_the_older_search_give_the_same() {
    let fixture = filled().await;
    let batch = QueryBatchPointsBuilder::new(NAME, vec![dense().limit(1).build(), dense().limit(3).build()]);
    let results = fixture.client.query_batch(batch).await.expect("a batch").result;
    assert_eq!(results.iter().map(|one| one.result.len()).collect::<Vec<_>>(), [1, 3]);
    let search = SearchPointsBuilder::new(NAME, vec![1.0, 0.0, 0.0, 0.0], 3).vector_name("text");
    let found = fixture.client.search_points(search).await.expect("a search").result;
    assert_eq!(found, results[1].result);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_query_is_refused_and_an_unserved_one_named() {
    let fixture = filled().await;
    let short = QueryPointsBuilder::new(NAME).query(vec![1.0]).using("text");
    let expected = "Wrong input: Vector dimension error: expected dim: 4, got 1";
    assert_eq!(refusal(fixture.client.query(short).await), (Code::InvalidArgument, expected.into()));
    let unknown = QueryPointsBuilder::new(NAME).query(vec![1.0]).using("image");
    let expected = "Wrong input: Not existing vector name error: image";
    assert_eq!(refusal(fixture.client.query(unknown).await), (Code::InvalidArgument, expected.into()));
    let recommend = RecommendPointsBuilder::new(NAME, 1).add_positive(1).using("text");
    let expected = "the local Qdrant server does not serve \"Recommend\"; use a Qdrant server";
    assert_eq!(refusal(fixture.client.recommend(recommend).await), (Code::Unimplemented, expected.into()));
    let none = dense().limit(0);
    assert_eq!(refusal(fixture.client.query(none).await).0, Code::InvalidArgument);
    let odd = VectorInput {
        variant: Some(qdrant_client::qdrant::vector_input::Variant::Dense(DenseVector { data: vec![] })),
    };
    let empty = QueryPointsBuilder::new(NAME).query(Query::new_nearest(odd)).using("text");
    assert_eq!(refusal(fixture.client.query(empty).await).0, Code::InvalidArgument);
}

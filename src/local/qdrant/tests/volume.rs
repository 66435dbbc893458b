//! Many points: the index is built in the background, searches find what a full scan finds, and a crash while
//! segments are replaced is repaired.

use std::time::{Duration, Instant};

use qdrant_client::qdrant::{
    CountPointsBuilder, CreateCollectionBuilder, CreateFieldIndexCollectionBuilder, Distance, FacetCountsBuilder,
    FieldType, OptimizersConfigDiffBuilder, QueryPointsBuilder, SearchParamsBuilder, VectorParamsBuilder,
};

use super::*;

const NAME: &str = "many";
const DIMENSION: u64 = 128;
const POINTS: u64 = 10_000;
const BATCH: u64 = 256;

/// A vector that is the same in every run and has no structure.
fn vector(seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..DIMENSION).map(|_| next()).collect()
}

async fn filled() -> (Fixture, Duration) {
    let fixture = Fixture::start().await;
    let create = CreateCollectionBuilder::new(NAME)
        .vectors_config(VectorParamsBuilder::new(DIMENSION, Distance::Cosine))
        .optimizers_config(OptimizersConfigDiffBuilder::default().indexing_threshold(1000));
    fixture.client.create_collection(create).await.expect("a collection");
    let index = CreateFieldIndexCollectionBuilder::new(NAME, "shelf", FieldType::Integer).wait(true);
    fixture.client.create_field_index(index).await.expect("an index");
    let start = Instant::now();
    for first in (0..POINTS).step_by(BATCH as usize) {
        let points = (first..POINTS.min(first + BATCH))
            .map(|id| PointStruct::new(id, vector(id), payload_of(serde_json::json!({ "shelf": id % 7 }))));
        fixture.upsert(NAME, points.collect()).await;
    }
    (fixture, start.elapsed())
}

async fn info(fixture: &Fixture) -> qdrant_client::qdrant::CollectionInfo {
    fixture.client.collection_info(NAME).await.expect("info").result.expect("a result")
}

async fn nearest(fixture: &Fixture, seed: u64, exact: bool) -> Vec<u64> {
    let query = QueryPointsBuilder::new(NAME)
        .query(vector(seed))
        .limit(10)
        .params(SearchParamsBuilder::default().exact(exact).hnsw_ef(128));
    numbers(fixture.client.query(query).await.expect("a query").result.into_iter().map(|hit| hit.id))
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_thousand_points_are_indexed_and_found() {
    let (fixture, elapsed) = filled().await;
    // A flush for each point instead of each request would take minutes.
    assert!(elapsed < Duration::from_secs(60), "upserting took {elapsed:?}");
    let deadline = Instant::now() + Duration::from_secs(120);
    while info(&fixture).await.indexed_vectors_count.unwrap_or(0) < POINTS / 2 {
        assert!(Instant::now() < deadline, "no index: {:?}", info(&fixture).await);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut common = 0;
    for seed in 0..20 {
        let exact = nearest(&fixture, POINTS + seed, true).await;
        common += nearest(&fixture, POINTS + seed, false).await.iter().filter(|id| exact.contains(id)).count();
    }
    assert!(common >= 180, "recall {common} of 200");
    let fixture = fixture.restart().await;
    let counted = fixture.client.count(CountPointsBuilder::new(NAME).exact(true)).await.expect("a count");
    assert_eq!(counted.result.expect("a result").count, POINTS);
    let facet = fixture.client.facet(FacetCountsBuilder::new(NAME, "shelf").exact(true)).await.expect("a facet");
    assert_eq!(facet.hits.iter().map(|hit| hit.count).sum::<u64>(), POINTS);
    assert_eq!(nearest(&fixture, 5, false).await[0], 5);
}

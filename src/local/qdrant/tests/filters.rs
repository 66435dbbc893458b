//! Filters, with and without an index, and facets.

use qdrant_client::qdrant::{
    Condition, CountPointsBuilder, CreateFieldIndexCollectionBuilder, FacetCountsBuilder, FieldType, Filter, Range,
    ScrollPointsBuilder, facet_value::Variant,
};
use serde_json::json;
use tonic::Code;

use super::*;

/// The collection `filled` makes.
pub(super) const LIBRARY: &str = "docs";
const UUID: &str = "550e8400-e29b-41d4-a716-446655440000";

pub(super) async fn filled() -> Fixture {
    let fixture = Fixture::with_hybrid(LIBRARY).await;
    let points = vec![
        point(
            1,
            [1.0, 0.0, 0.0, 0.0],
            &[(1, 1.0)],
            json!({ "kind": "law", "page": 1, "tags": ["a", "b"],
            "uid": "550e8400-e29b-41d4-a716-446655440000", "parts": [{ "n": 1, "ok": true }, { "n": 2, "ok": false }] }),
        ),
        point(
            2,
            [0.0, 2.0, 0.0, 0.0],
            &[(2, 1.0)],
            json!({ "kind": "law", "page": 2, "tags": [],
            "parts": [{ "n": 1, "ok": false }] }),
        ),
        point(3, [0.0, 0.0, 3.0, 0.0], &[(3, 1.0)], json!({ "kind": "note", "page": 3, "score": 0.5, "open": true })),
    ];
    fixture.upsert(LIBRARY, points).await;
    fixture
}

pub(super) async fn matching(fixture: &Fixture, filter: Filter) -> Vec<u64> {
    let scroll = ScrollPointsBuilder::new(LIBRARY).filter(filter);
    let page = fixture.client.scroll(scroll).await.expect("a scroll");
    numbers(page.result.into_iter().map(|point| point.id))
}

fn is(key: &str, value: impl Into<qdrant_client::qdrant::r#match::MatchValue>) -> Condition {
    Condition::matches(key, value.into())
}

fn keyword(key: &str, value: &str) -> Condition {
    is(key, value.to_owned())
}

fn cases() -> Vec<(&'static str, Filter, &'static [u64])> {
    let second_on = Range { gte: Some(2.0), ..Range::default() };
    let first_and_ok = Filter::must([is("n", 1), is("ok", true)]);
    let must = |condition: Condition| Filter::must([condition]);
    vec![
        ("keyword", must(keyword("kind", "law")), &[1, 2]),
        ("integer", must(is("page", 2)), &[2]),
        ("bool", must(is("open", true)), &[3]),
        ("any", must(is("page", vec![1, 3])), &[1, 3]),
        ("uuid", must(keyword("uid", UUID)), &[1]),
        ("has id", must(Condition::has_id([2, 3])), &[2, 3]),
        ("array", must(keyword("tags", "b")), &[1]),
        ("range", must(Condition::range("page", second_on)), &[2, 3]),
        ("path", must(is("parts[].ok", true)), &[1]),
        ("nested", must(Condition::nested("parts", first_and_ok)), &[1]),
        ("is empty", must(Condition::is_empty("tags")), &[2, 3]),
        ("must not", Filter::must_not([keyword("kind", "law")]), &[3]),
        ("should", Filter::should([is("page", 1), is("page", 2)]), &[1, 2]),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_select_by_payload_and_by_id() {
    let fixture = filled().await;
    for (name, filter, expected) in cases() {
        assert_eq!(matching(&fixture, filter).await, expected, "{name}");
    }
    for (field, kind) in [("kind", FieldType::Keyword), ("page", FieldType::Integer), ("uid", FieldType::Uuid)] {
        let index = CreateFieldIndexCollectionBuilder::new(LIBRARY, field, kind).wait(true);
        fixture.client.create_field_index(index).await.expect("an index");
    }
    let fixture = fixture.restart().await;
    for (name, filter, expected) in cases() {
        let counted = CountPointsBuilder::new(LIBRARY).filter(filter.clone()).exact(true);
        let counted = fixture.client.count(counted).await.expect("a count").result;
        assert_eq!(counted.expect("a result").count, expected.len() as u64, "{name}");
        assert_eq!(matching(&fixture, filter).await, expected, "{name}, indexed");
    }
    let info = fixture.client.collection_info(LIBRARY).await.expect("info").result.expect("a result");
    assert_eq!(info.payload_schema.len(), 3);
    assert_eq!((info.points_count, info.payload_schema["kind"].points), (Some(3), Some(3)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_facet_counts_the_values_of_an_indexed_field() {
    let fixture = filled().await;
    let facet = FacetCountsBuilder::new(LIBRARY, "kind").exact(true);
    let refused = refusal(fixture.client.facet(facet.clone()).await);
    assert_eq!(refused.0, Code::InvalidArgument);
    let index = CreateFieldIndexCollectionBuilder::new(LIBRARY, "kind", FieldType::Keyword).wait(true);
    fixture.client.create_field_index(index).await.expect("an index");
    let hits = fixture.client.facet(facet).await.expect("a facet").hits;
    let hits: Vec<_> =
        hits.into_iter().map(|hit| (hit.value.and_then(|value| value.variant).expect("a value"), hit.count)).collect();
    assert_eq!(hits, [(Variant::StringValue("law".into()), 2), (Variant::StringValue("note".into()), 1)]);
}

//! Reading: collections, aliases, points, searches.

use std::collections::BTreeMap;

use qdrant_client::qdrant::{self as proto, query::Variant, with_payload_selector, with_vectors_selector};

use super::client::{Allowed, Client};
use super::fault::Call;
use super::{payload, vectors, wire};
use crate::model::{CollectionFacts, PointId};
use crate::store::{Fault, POINTS_PER_READ, Point, PointPage, Scored, SearchQuery, StoreError, WithVectors};

/// The most values of a field that are counted.
const VALUES: u32 = 8_192;
/// Points in one page of those that have a value.
const MATCHING: u32 = 1_000;
/// Ids in one page when they are counted.
const IDS: u32 = 10_000;
/// The least number of candidates that each vector brings to a fusion.
const CANDIDATES: u64 = 50;

/// What comes with a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum With {
    /// Nothing.
    Ids,
    /// Its payload.
    Payload,
    /// Its payload and vectors.
    Everything,
}

impl From<WithVectors> for With {
    fn from(with: WithVectors) -> With {
        match with {
            WithVectors::Yes => With::Everything,
            WithVectors::No => With::Payload,
        }
    }
}

impl With {
    fn payload(self) -> Option<proto::WithPayloadSelector> {
        let enable = self != With::Ids;
        let options = with_payload_selector::SelectorOptions::Enable(enable);
        Some(proto::WithPayloadSelector { selector_options: Some(options) })
    }

    fn vectors(self) -> Option<proto::WithVectorsSelector> {
        let enable = self == With::Everything;
        let options = with_vectors_selector::SelectorOptions::Enable(enable);
        Some(proto::WithVectorsSelector { selector_options: Some(options) })
    }
}

pub(super) async fn collections(client: &Client) -> Result<Vec<String>, StoreError> {
    let request = proto::ListCollectionsRequest {};
    let reply =
        client.ask(Call::Read, request, |request| async move { client.collections().list(request).await }).await?;
    let mut names: Vec<String> = reply.collections.into_iter().map(|c| c.name).collect();
    names.sort();
    Ok(names)
}

pub(super) async fn aliases(client: &Client) -> Result<BTreeMap<String, String>, StoreError> {
    let request = proto::ListAliasesRequest {};
    let reply = client
        .ask(Call::Read, request, |request| async move { client.collections().list_aliases(request).await })
        .await?;
    Ok(reply.aliases.into_iter().map(|a| (a.alias_name, a.collection_name)).collect())
}

/// What the server says of a collection or of the one behind an alias.
pub(super) async fn info(client: &Client, name: &str) -> Result<Option<proto::CollectionInfo>, StoreError> {
    let request = proto::GetCollectionInfoRequest { collection_name: name.to_owned() };
    let info =
        match client.ask(Call::Read, request, |request| async move { client.collections().get(request).await }).await {
            Ok(reply) => reply.result,
            Err(error) if error.code.as_deref() == Some("NotFound") => return Ok(None),
            Err(error) => return Err(error),
        };
    let silent = || StoreError::new(Fault::Refused, format!("Qdrant says nothing of the collection \"{name}\""));
    info.map(Some).ok_or_else(silent)
}

pub(super) async fn collection(client: &Client, name: &str) -> Result<Option<CollectionFacts>, StoreError> {
    let own = aliases(client).await?.remove(name).unwrap_or_else(|| name.to_owned());
    let Some(info) = info(client, &own).await? else { return Ok(None) };
    if client.sees_a_part() && !collections(client).await?.contains(&own) {
        return Err(unresolved(name));
    }
    let exact = wire::allows_exact(&info);
    let mut facts = wire::facts(own, info, |texts| client.metadata(texts));
    let allowed = Allowed { timeout_seconds: facts.limits.timeout_seconds, page: facts.limits.page };
    for name in [name, &facts.name] {
        client.learn(name, allowed);
    }
    facts.points = if exact { count(client, &facts.name).await? } else { count_ids(client, &facts.name).await? };
    Ok(Some(facts))
}

/// Grey and red are no work under way: waiting ends neither (`CollectionStatus` of the protocol).
pub(super) async fn is_optimising(client: &Client, name: &str) -> Result<bool, StoreError> {
    let info = info(client, name).await?;
    Ok(info.is_some_and(|info| info.status() == proto::CollectionStatus::Yellow))
}

/// A key for some collections is shown their aliases alone, and the server finds a collection by an alias that it does not
/// show. Taken for a collection's own name, that alias would be written to as one.
fn unresolved(name: &str) -> StoreError {
    let what = format!("the API key is for some collections and does not show which one \"{name}\" is");
    StoreError::new(Fault::Refused, what)
        .hint("set qdrant.api_key to a key that manages, or to one that reads everything")
}

async fn count(client: &Client, collection: &str) -> Result<u64, StoreError> {
    let request = proto::CountPoints {
        collection_name: collection.to_owned(),
        exact: Some(true),
        timeout: client.deadline(collection),
        ..proto::CountPoints::default()
    };
    let reply = client.ask(Call::Read, request, |request| async move { client.points().count(request).await }).await?;
    Ok(reply.result.unwrap_or_default().count)
}

/// Counts by reading every id, where strict mode refuses exact counts and the others are estimates.
async fn count_ids(client: &Client, collection: &str) -> Result<u64, StoreError> {
    let (mut counted, mut from) = (0, None);
    loop {
        let read = page(client, collection, from.as_ref(), IDS, With::Ids).await?;
        counted += read.points.len() as u64;
        match read.next {
            Some(next) => from = Some(next),
            None => return Ok(counted),
        }
    }
}

/// Counts by value. A server or a strict mode that refuses that says nothing else.
pub(super) async fn facet(
    client: &Client,
    collection: &str,
    field: &str,
) -> Result<Option<BTreeMap<String, u64>>, StoreError> {
    if client.page(collection, VALUES) < VALUES {
        return Ok(None);
    }
    let request = proto::FacetCounts {
        collection_name: collection.to_owned(),
        key: field.to_owned(),
        limit: Some(VALUES.into()),
        exact: Some(true),
        timeout: client.deadline(collection),
        ..proto::FacetCounts::default()
    };
    let reply =
        match client.ask(Call::Read, request, |request| async move { client.points().facet(request).await }).await {
            Ok(reply) => reply,
            Err(error) if error.fault == Fault::Refused => return Ok(None),
            Err(error) => return Err(error),
        };
    let count = |hit: proto::FacetHit| match hit.value?.variant? {
        proto::facet_value::Variant::StringValue(value) => Some((value, hit.count)),
        proto::facet_value::Variant::IntegerValue(_) | proto::facet_value::Variant::BoolValue(_) => None,
    };
    Ok(Some(reply.hits.into_iter().filter_map(count).collect()))
}

pub(super) async fn points_with(
    client: &Client,
    collection: &str,
    any: &BTreeMap<&str, Vec<String>>,
    from: Option<&PointId>,
) -> Result<PointPage, StoreError> {
    let should = any.iter().map(|(field, values)| proto::Condition::matches(*field, values.clone()));
    let filter = proto::Filter::should(should);
    scroll(client, collection, from, MATCHING, With::Payload, Some(filter)).await
}

pub(super) async fn page(
    client: &Client,
    collection: &str,
    from: Option<&PointId>,
    limit: u32,
    with: With,
) -> Result<PointPage, StoreError> {
    scroll(client, collection, from, limit, with, None).await
}

async fn scroll(
    client: &Client,
    collection: &str,
    from: Option<&PointId>,
    limit: u32,
    with: With,
    filter: Option<proto::Filter>,
) -> Result<PointPage, StoreError> {
    let request = proto::ScrollPoints {
        collection_name: collection.to_owned(),
        filter,
        offset: from.map(wire::id),
        limit: Some(client.page(collection, limit)),
        with_payload: with.payload(),
        with_vectors: with.vectors(),
        timeout: client.deadline(collection),
        ..proto::ScrollPoints::default()
    };
    let reply = client.ask(Call::Read, request, |request| async move { client.points().scroll(request).await }).await?;
    let points: Vec<Point> = reply.result.into_iter().map(point).collect::<Result<_, _>>()?;
    let next = reply.next_page_offset.map(|id| wire::id_from(Some(id))).transpose()?;
    Ok(PointPage { points, next })
}

pub(super) async fn retrieve(
    client: &Client,
    collection: &str,
    ids: &[PointId],
    with: With,
) -> Result<Vec<Point>, StoreError> {
    let mut found = Vec::with_capacity(ids.len());
    for batch in ids.chunks(POINTS_PER_READ as usize) {
        let request = proto::GetPoints {
            collection_name: collection.to_owned(),
            ids: batch.iter().map(wire::id).collect(),
            with_payload: with.payload(),
            with_vectors: with.vectors(),
            timeout: client.deadline(collection),
            ..proto::GetPoints::default()
        };
        let reply =
            client.ask(Call::Read, request, |request| async move { client.points().get(request).await }).await?;
        for one in reply.result {
            found.push(point(one)?);
        }
    }
    Ok(found)
}

pub(super) async fn search(client: &Client, collection: &str, query: &SearchQuery) -> Result<Vec<Scored>, StoreError> {
    let mut request = proto::QueryPoints {
        collection_name: collection.to_owned(),
        limit: Some(query.limit),
        with_payload: With::Payload.payload(),
        timeout: client.deadline(collection),
        ..proto::QueryPoints::default()
    };
    let mut each = query.vectors.iter().map(|(name, vector)| (using(name), nearest(vector)));
    match (each.next(), query.vectors.len()) {
        (None, _) => {
            return Err(StoreError::new(Fault::Refused, "BUG: a search without a vector"));
        }
        (Some((using, nearest)), 1) => {
            request.using = using;
            request.query = Some(nearest);
        }
        (Some(first), _) => {
            request.prefetch = std::iter::once(first)
                .chain(each)
                .map(|(using, nearest)| candidates(using, nearest, query.limit))
                .collect();
            request.query = Some(proto::Query { variant: Some(Variant::Fusion(proto::Fusion::Rrf.into())) });
        }
    }
    let reply = client.ask(Call::Read, request, |request| async move { client.points().query(request).await }).await?;
    reply.result.into_iter().map(scored).collect()
}

fn candidates(using: Option<String>, nearest: proto::Query, limit: u64) -> proto::PrefetchQuery {
    proto::PrefetchQuery {
        query: Some(nearest),
        using,
        limit: Some(limit.saturating_mul(3).max(CANDIDATES)),
        ..proto::PrefetchQuery::default()
    }
}

fn using(name: &str) -> Option<String> {
    (!name.is_empty()).then(|| name.to_owned())
}

fn nearest(vector: &crate::store::NamedVector) -> proto::Query {
    proto::Query { variant: Some(Variant::Nearest(vectors::input(vector))) }
}

fn point(point: proto::RetrievedPoint) -> Result<Point, StoreError> {
    Ok(Point {
        id: wire::id_from(point.id)?,
        vectors: vectors::from_wire(point.vectors)?,
        payload: payload::from_wire(point.payload)?,
    })
}

fn scored(point: proto::ScoredPoint) -> Result<Scored, StoreError> {
    Ok(Scored { id: wire::id_from(point.id)?, score: point.score, payload: payload::from_wire(point.payload)? })
}

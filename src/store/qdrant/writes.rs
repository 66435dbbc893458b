//! Writing. Every function says what shall be true, looks where looking is cheap, and can be called again.
//!
//! - A collection's own name is never taken for an alias: Qdrant would delete what the alias names.
//! - Points go out in batches of at most [`BATCH`] points and about [`BATCH_BYTES`], since servers refuse larger messages
//!   than 32 MiB by default.

use std::collections::BTreeMap;
use std::time::Instant;

use qdrant_client::qdrant::{
    self as proto, alias_operations::Action, condition::ConditionOneOf, points_selector::PointsSelectorOneOf,
};

use super::client::Client;
use super::fault::{self, Call};
use super::like::Like;
use super::{payload, reads, vectors, wire};
use crate::model::{CollectionFacts, PointId};
use crate::store::{CollectionSpec, Fault, NamedVector, Point, StoreError};

const BATCH: usize = 500;
const BATCH_BYTES: usize = 8 << 20;

pub(super) async fn ensure_collection(client: &Client, spec: &CollectionSpec) -> Result<(), StoreError> {
    for kind in spec.payload_indexes.values() {
        wire::field_type(kind)?;
    }
    let like = match &spec.like {
        Some(name) => Like::of(reads::info(client, name).await?.ok_or_else(|| missing(name))?),
        None => Like::default(),
    };
    let indexes = match reads::collection(client, &spec.name).await? {
        Some(facts) => {
            check_shape(spec, &facts)?;
            if !facts.metadata.holds(&spec.metadata) {
                ensure_metadata(client, &spec.name, &spec.metadata).await?;
            }
            facts.payload_indexes
        }
        None => {
            let request = wire::create(spec, &like, client.timeout_seconds())?;
            let reply = client
                .ask(Call::Write, request, |request| async move { client.collections().create(request).await })
                .await?;
            operated(reply, &format!("making the collection \"{}\"", spec.name))?;
            BTreeMap::new()
        }
    };
    for (field, kind) in &spec.payload_indexes {
        if indexes.get(field) != Some(kind) {
            create_index(client, &spec.name, field, kind, like.index(field, kind)).await?;
        }
    }
    Ok(())
}

/// Refuses a collection of another shape. Indexes that nobody asked for are no other shape.
fn check_shape(spec: &CollectionSpec, facts: &CollectionFacts) -> Result<(), StoreError> {
    let conflict = |what: String| Err(StoreError::new(Fault::Conflict, what));
    if facts.name != spec.name {
        return conflict(format!("\"{}\" is an alias of \"{}\", not a collection", spec.name, facts.name));
    }
    if facts.vectors != spec.vectors || !facts.multivectors.is_empty() {
        return conflict(format!("the collection \"{}\" exists with other vectors", spec.name));
    }
    let other = spec
        .payload_indexes
        .iter()
        .find(|(field, kind)| facts.payload_indexes.get(*field).is_some_and(|found| found != *kind));
    match other {
        Some((field, _)) => {
            conflict(format!("the collection \"{}\" exists with another index on \"{field}\"", spec.name))
        }
        None => Ok(()),
    }
}

pub(super) async fn ensure_metadata(
    client: &Client,
    collection: &str,
    metadata: &BTreeMap<String, String>,
) -> Result<(), StoreError> {
    if !client.keeps_metadata() {
        return Ok(());
    }
    let request = proto::UpdateCollection {
        collection_name: collection.to_owned(),
        timeout: client.timeout_seconds(),
        metadata: wire::metadata(metadata),
        ..proto::UpdateCollection::default()
    };
    let reply =
        client.ask(Call::Write, request, |request| async move { client.collections().update(request).await }).await?;
    operated(reply, &format!("writing the metadata of \"{collection}\""))
}

pub(super) async fn ensure_collection_absent(client: &Client, name: &str) -> Result<(), StoreError> {
    if !exists(client, name).await? {
        return Ok(());
    }
    let request = proto::DeleteCollection { collection_name: name.to_owned(), timeout: client.timeout_seconds() };
    client.ask(Call::Write, request, |request| async move { client.collections().delete(request).await }).await?;
    if exists(client, name).await? {
        return Err(StoreError::new(
            Fault::InDoubt,
            format!("the collection \"{name}\" is still there after Qdrant deleted it"),
        ));
    }
    Ok(())
}

async fn exists(client: &Client, name: &str) -> Result<bool, StoreError> {
    Ok(reads::collections(client).await?.iter().any(|found| found == name))
}

pub(super) async fn ensure_points(client: &Client, collection: &str, points: &[Point]) -> Result<(), StoreError> {
    let began = Instant::now();
    let mut rest = points;
    while !rest.is_empty() {
        let (batch, after) = rest.split_at(batch_length(rest));
        rest = after;
        let points = batch.iter().map(point).collect::<Result<_, _>>()?;
        let request = proto::UpsertPoints {
            collection_name: collection.to_owned(),
            wait: Some(true),
            points,
            timeout: client.deadline(collection),
            ..proto::UpsertPoints::default()
        };
        let reply = client
            .ask_since(began, Call::Write, request, |request| async move { client.points().upsert(request).await })
            .await?;
        fault::completed(reply)?;
    }
    Ok(())
}

/// How many of these points go into one request: at least one.
fn batch_length(points: &[Point]) -> usize {
    let mut bytes = 0;
    let fitting = points.iter().take(BATCH).take_while(|point| {
        bytes += weight(point);
        bytes <= BATCH_BYTES
    });
    fitting.count().max(1)
}

/// Bytes of a point on the wire, roughly.
fn weight(point: &Point) -> usize {
    let vectors: usize = point
        .vectors
        .values()
        .map(|vector| match vector {
            NamedVector::Dense(data) => data.len() * 4,
            NamedVector::Sparse(sparse) => sparse.indices.len() * 9,
        })
        .sum();
    64 + vectors + point.payload.iter().map(|(key, value)| key.len() + value.to_string().len()).sum::<usize>()
}

fn point(point: &Point) -> Result<proto::PointStruct, StoreError> {
    let wire = payload::to_wire(&point.payload).map_err(|error| error.context(&format!("point {}", point.id)))?;
    Ok(proto::PointStruct {
        id: Some(wire::id(&point.id)),
        payload: wire,
        vectors: Some(vectors::to_wire(&point.vectors)),
    })
}

pub(super) async fn ensure_points_absent(client: &Client, collection: &str, ids: &[PointId]) -> Result<(), StoreError> {
    let began = Instant::now();
    for batch in ids.chunks(BATCH) {
        let list = proto::PointsIdsList { ids: batch.iter().map(wire::id).collect() };
        delete(client, began, collection, PointsSelectorOneOf::Points(list)).await?;
    }
    Ok(())
}

async fn delete(
    client: &Client,
    began: Instant,
    collection: &str,
    which: PointsSelectorOneOf,
) -> Result<(), StoreError> {
    let request = proto::DeletePoints {
        collection_name: collection.to_owned(),
        wait: Some(true),
        points: Some(proto::PointsSelector { points_selector_one_of: Some(which) }),
        timeout: client.deadline(collection),
        ..proto::DeletePoints::default()
    };
    let reply = client
        .ask_since(began, Call::Write, request, |request| async move { client.points().delete(request).await })
        .await?;
    fault::completed(reply)
}

/// Deletes a point that nobody has, by a filter, because a filter goes to every shard, where deletions by id go to the shards of
/// their ids. Each shard applies what it took in the order in which it took it, and answers a write that waits when that
/// write is applied (`OperationToShard::to_all` and the update worker in Qdrant's source).
pub(super) async fn ensure_applied(client: &Client, collection: &str) -> Result<(), StoreError> {
    let nobody = PointId::Uuid(uuid::Uuid::now_v7());
    let condition = proto::HasIdCondition { has_id: vec![wire::id(&nobody)] };
    let condition = proto::Condition { condition_one_of: Some(ConditionOneOf::HasId(condition)) };
    let filter = proto::Filter { must: vec![condition], ..proto::Filter::default() };
    match delete(client, Instant::now(), collection, PointsSelectorOneOf::Filter(filter)).await {
        Err(error) if error.code.as_deref() == Some("NotFound") => Ok(()),
        done => done,
    }
}

pub(super) async fn ensure_alias(client: &Client, alias: &str, collection: &str) -> Result<(), StoreError> {
    let action = Action::CreateAlias(proto::CreateAlias {
        collection_name: collection.to_owned(),
        alias_name: alias.to_owned(),
    });
    change_alias(client, action, &format!("making \"{alias}\" name \"{collection}\"")).await
}

pub(super) async fn ensure_alias_absent(client: &Client, alias: &str) -> Result<(), StoreError> {
    if !reads::aliases(client).await?.contains_key(alias) {
        return Ok(());
    }
    let action = Action::DeleteAlias(proto::DeleteAlias { alias_name: alias.to_owned() });
    change_alias(client, action, &format!("removing the alias \"{alias}\"")).await
}

async fn change_alias(client: &Client, action: Action, doing: &str) -> Result<(), StoreError> {
    let request = proto::ChangeAliases {
        actions: vec![proto::AliasOperations { action: Some(action) }],
        timeout: client.timeout_seconds(),
    };
    let reply = client
        .ask(Call::Write, request, |request| async move { client.collections().update_aliases(request).await })
        .await;
    let reply = reply.map_err(|error| error.context(doing))?;
    operated(reply, doing)
}

pub(super) async fn ensure_payload_index(
    client: &Client,
    collection: &str,
    field: &str,
    kind: &str,
) -> Result<(), StoreError> {
    let facts = reads::collection(client, collection).await?.ok_or_else(|| missing(collection))?;
    match facts.payload_indexes.get(field) {
        Some(found) if found == kind => Ok(()),
        Some(found) => Err(StoreError::new(
            Fault::Conflict,
            format!("\"{collection}\" has an index of the kind {found} on \"{field}\""),
        )),
        None => create_index(client, &facts.name, field, kind, None).await,
    }
}

async fn create_index(
    client: &Client,
    collection: &str,
    field: &str,
    kind: &str,
    params: Option<proto::PayloadIndexParams>,
) -> Result<(), StoreError> {
    let request = proto::CreateFieldIndexCollection {
        collection_name: collection.to_owned(),
        wait: Some(true),
        field_name: field.to_owned(),
        field_type: Some(wire::field_type(kind)?.into()),
        field_index_params: params,
        timeout: client.deadline(collection),
        ..proto::CreateFieldIndexCollection::default()
    };
    let reply = client
        .ask(Call::Write, request, |request| async move { client.points().create_field_index(request).await })
        .await?;
    fault::completed(reply)
}

pub(super) async fn ensure_payload_index_absent(
    client: &Client,
    collection: &str,
    field: &str,
) -> Result<(), StoreError> {
    match reads::collection(client, collection).await? {
        Some(facts) if facts.payload_indexes.contains_key(field) => {}
        Some(_) | None => return Ok(()),
    }
    let request = proto::DeleteFieldIndexCollection {
        collection_name: collection.to_owned(),
        wait: Some(true),
        field_name: field.to_owned(),
        timeout: client.deadline(collection),
        ..proto::DeleteFieldIndexCollection::default()
    };
    let reply = client
        .ask(Call::Write, request, |request| async move { client.points().delete_field_index(request).await })
        .await?;
    fault::completed(reply)
}

fn missing(collection: &str) -> StoreError {
    StoreError::new(Fault::Refused, format!("there is no collection \"{collection}\"")).code("NotFound")
}

fn operated(reply: proto::CollectionOperationResponse, doing: &str) -> Result<(), StoreError> {
    if reply.result {
        return Ok(());
    }
    Err(StoreError::new(Fault::InDoubt, format!("{doing}: Qdrant did not say that it is done")))
}

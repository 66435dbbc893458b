//! Read requests that are not queries: get, scroll, count, facet, and a collection's info.

use qdrant_client::qdrant::{
    CollectionInfo, CollectionStatus, CountPoints, CountResult, Direction, FacetCounts, FacetHit, FacetValue,
    GetPoints, OptimizerStatus, OrderBy, OrderValue, PayloadSchemaInfo, PointId, RetrievedPoint, ScrollPoints,
    UpdateQueueInfo, facet_value, order_value, start_from::Value as StartValue,
};
use qdrant_edge as edge;
use qdrant_edge::{
    CountRequest, EdgeShard, FacetRequest, OrderByInterface, Record, ScrollRequest, WithPayloadInterface,
};

use super::filter::{edge_datetime, optional_filter};
use super::index::{same_index, wire_type};
use super::refusal::Refusal;
use super::values::{edge_id, edge_ids, edge_with_payload, edge_with_vectors, json_path, wire_id, wire_payload};
use super::vectors::wire_vectors;
use super::writes::one_shard;

/// A page of a scroll and where the next one begins.
pub(super) struct Page {
    pub(super) points: Vec<RetrievedPoint>,
    pub(super) next: Option<PointId>,
}

pub(super) fn get(shard: &EdgeShard, request: GetPoints) -> Result<Vec<RetrievedPoint>, Refusal> {
    one_shard(request.shard_key_selector)?;
    let records = shard.retrieve(
        &edge_ids(request.ids)?,
        Some(edge_with_payload(request.with_payload)?),
        Some(edge_with_vectors(request.with_vectors)),
    )?;
    Ok(records.into_iter().map(wire_record).collect())
}

pub(super) fn scroll(shard: &EdgeShard, request: ScrollPoints) -> Result<Page, Refusal> {
    one_shard(request.shard_key_selector)?;
    if request.limit == Some(0) {
        return Err(Refusal::bad_input("Validation error in body: [limit: value 0 invalid, must be 1 or larger]"));
    }
    let with_payload = match request.with_payload {
        None => WithPayloadInterface::Bool(true),
        some => edge_with_payload(some)?,
    };
    let (records, next) = shard.scroll(ScrollRequest {
        offset: request.offset.map(edge_id).transpose()?,
        limit: request.limit.map(|limit| limit as usize),
        filter: optional_filter(request.filter)?,
        with_payload: Some(with_payload),
        with_vector: edge_with_vectors(request.with_vectors),
        order_by: request.order_by.map(edge_order).transpose()?.map(OrderByInterface::Struct),
    })?;
    Ok(Page { points: records.into_iter().map(wire_record).collect(), next: next.map(wire_id) })
}

pub(super) fn count(shard: &EdgeShard, request: CountPoints) -> Result<CountResult, Refusal> {
    one_shard(request.shard_key_selector)?;
    let filter = optional_filter(request.filter)?;
    let count = shard.count(CountRequest { filter, exact: request.exact.unwrap_or(true) })?;
    Ok(CountResult { count: count as u64 })
}

pub(super) fn facet(shard: &EdgeShard, request: FacetCounts) -> Result<Vec<FacetHit>, Refusal> {
    one_shard(request.shard_key_selector)?;
    if request.limit == Some(0) {
        return Err(Refusal::bad_input("Validation error in body: [limit: value 0 invalid, must be 1 or larger]"));
    }
    let response = shard.facet(FacetRequest {
        key: json_path(&request.key)?,
        limit: request.limit.map_or(FacetRequest::DEFAULT_LIMIT, |limit| usize::try_from(limit).unwrap_or(usize::MAX)),
        filter: optional_filter(request.filter)?,
        exact: request.exact.unwrap_or(false),
    })?;
    let hits = response.hits.into_iter().map(|hit| {
        let variant = match hit.value {
            edge::FacetValue::Keyword(keyword) => facet_value::Variant::StringValue(keyword),
            edge::FacetValue::Int(integer) => facet_value::Variant::IntegerValue(integer),
            edge::FacetValue::Uuid(uuid) => facet_value::Variant::StringValue(uuid::Uuid::from_u128(uuid).to_string()),
            edge::FacetValue::Bool(flag) => facet_value::Variant::BoolValue(flag),
        };
        FacetHit { value: Some(FacetValue { variant: Some(variant) }), count: hit.count as u64 }
    });
    Ok(hits.collect())
}

/// Completes what is kept about a collection with what its shard reports.
pub(super) fn collection_info(shard: &EdgeShard, kept: CollectionInfo) -> CollectionInfo {
    let reported = shard.info();
    let payload_schema = reported.payload_schema.into_iter().map(|(field, index)| {
        let field = field.to_string();
        let params = kept.payload_schema.get(&field).and_then(|own| same_index(own, wire_type(index.data_type)));
        let schema = PayloadSchemaInfo {
            data_type: wire_type(index.data_type).into(),
            params,
            points: Some(index.points as u64),
        };
        (field, schema)
    });
    CollectionInfo {
        status: CollectionStatus::Green.into(),
        optimizer_status: Some(OptimizerStatus { ok: true, error: String::new() }),
        segments_count: reported.segments_count as u64,
        payload_schema: payload_schema.collect(),
        points_count: Some(reported.points_count as u64),
        indexed_vectors_count: Some(reported.indexed_vectors_count as u64),
        update_queue: Some(UpdateQueueInfo { length: 0, deferred_points: None }),
        ..kept
    }
}

pub(super) fn edge_order(order: OrderBy) -> Result<edge::OrderBy, Refusal> {
    let start_from = match order.start_from.and_then(|start| start.value) {
        None => None,
        Some(StartValue::Integer(integer)) => Some(edge::StartFrom::Integer(integer)),
        Some(StartValue::Float(float)) => Some(edge::StartFrom::Float(float)),
        Some(StartValue::Timestamp(stamp)) => Some(edge::StartFrom::Datetime(edge_datetime(stamp)?)),
        Some(StartValue::Datetime(text)) => Some(edge::StartFrom::Datetime(
            text.parse().map_err(|_| Refusal::bad_input(format!("Unable to parse datetime: {text}")))?,
        )),
    };
    let direction = match order.direction.map(Direction::try_from) {
        None => None,
        Some(Ok(Direction::Asc)) => Some(edge::Direction::Asc),
        Some(Ok(Direction::Desc)) => Some(edge::Direction::Desc),
        Some(Err(_)) => return Err(Refusal::bad_input("Unknown direction value")),
    };
    Ok(edge::OrderBy { key: json_path(&order.key)?, direction, start_from })
}

pub(super) fn wire_order_value(value: edge::OrderValue) -> OrderValue {
    let variant = match value {
        edge::OrderValue::Int(integer) => order_value::Variant::Int(integer),
        edge::OrderValue::Float(float) => order_value::Variant::Float(float),
    };
    OrderValue { variant: Some(variant) }
}

fn wire_record(record: Record) -> RetrievedPoint {
    RetrievedPoint {
        id: Some(wire_id(record.id)),
        payload: wire_payload(record.payload),
        vectors: wire_vectors(record.vector),
        shard_key: None,
        order_value: record.order_value.map(wire_order_value),
    }
}

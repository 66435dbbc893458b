//! Write requests as changes of the shard. A request is translated as a whole before its first change is applied.

use qdrant_client::qdrant::{
    ClearPayloadPoints, DeletePayloadPoints, DeletePointVectors, DeletePoints, Filter, PointStruct, PointVectors,
    PointsSelector, PointsUpdateOperation, SetPayloadPoints, ShardKeySelector, UpdateMode, UpdatePointVectors,
    UpsertPoints, Value, VectorsSelector, points_update_operation::Operation,
};
use qdrant_edge::{
    ConditionalInsertOperation, DeletePayloadOp, EdgeConfig, PayloadOps, PointIdsList, PointInsertOperations,
    PointOperations, PointStructPersisted, PointVectorsPersisted, SetPayloadOp, UpdateOperation, UpdateVectorsOp,
    VectorOperations,
};
use std::collections::HashMap;

use super::collection::Change;
use super::filter::optional_filter;
use super::refusal::Refusal;
use super::values::{Selected, edge_payload, json_path, json_paths, required_id, selected};
use super::vectors::edge_vectors;

/// What a filter may touch is not counted; it counts as enough to look the shard over.
const UNCOUNTED: u64 = 1000;

/// How a payload is written.
pub(super) enum PayloadWrite {
    Set,
    Overwrite,
}

pub(super) fn upsert(request: UpsertPoints, config: &EdgeConfig) -> Result<Change, Refusal> {
    one_shard(request.shard_key_selector)?;
    insert(request.points, request.update_filter, request.update_mode, config)
}

pub(super) fn delete(request: DeletePoints) -> Result<Change, Refusal> {
    one_shard(request.shard_key_selector)?;
    delete_selected(request.points)
}

pub(super) fn update_vectors(request: UpdatePointVectors, config: &EdgeConfig) -> Result<Change, Refusal> {
    one_shard(request.shard_key_selector)?;
    replace_vectors(request.points, request.update_filter, config)
}

pub(super) fn delete_vectors(request: DeletePointVectors) -> Result<Change, Refusal> {
    one_shard(request.shard_key_selector)?;
    remove_vectors(request.points_selector, request.vectors)
}

pub(super) fn set_payload(request: SetPayloadPoints, how: PayloadWrite) -> Result<Change, Refusal> {
    one_shard(request.shard_key_selector)?;
    write_payload(request.payload, request.points_selector, request.key.as_deref(), how)
}

pub(super) fn delete_payload(request: DeletePayloadPoints) -> Result<Change, Refusal> {
    one_shard(request.shard_key_selector)?;
    remove_payload(&request.keys, request.points_selector)
}

pub(super) fn clear_payload(request: ClearPayloadPoints) -> Result<Change, Refusal> {
    one_shard(request.shard_key_selector)?;
    clear_selected(request.points)
}

/// One operation of an update batch.
#[expect(deprecated, reason = "older clients send the deprecated operations")]
pub(super) fn batched(operation: PointsUpdateOperation, config: &EdgeConfig) -> Result<Change, Refusal> {
    match operation.operation.ok_or_else(|| Refusal::bad_input("Operation is missing"))? {
        Operation::Upsert(list) => {
            one_shard(list.shard_key_selector)?;
            insert(list.points, list.update_filter, list.update_mode, config)
        }
        Operation::DeleteDeprecated(points) => delete_selected(Some(points)),
        Operation::DeletePoints(delete) => {
            one_shard(delete.shard_key_selector)?;
            delete_selected(delete.points)
        }
        Operation::SetPayload(set) => {
            one_shard(set.shard_key_selector)?;
            write_payload(set.payload, set.points_selector, set.key.as_deref(), PayloadWrite::Set)
        }
        Operation::OverwritePayload(set) => {
            one_shard(set.shard_key_selector)?;
            write_payload(set.payload, set.points_selector, set.key.as_deref(), PayloadWrite::Overwrite)
        }
        Operation::DeletePayload(delete) => {
            one_shard(delete.shard_key_selector)?;
            remove_payload(&delete.keys, delete.points_selector)
        }
        Operation::ClearPayloadDeprecated(points) => clear_selected(Some(points)),
        Operation::ClearPayload(clear) => {
            one_shard(clear.shard_key_selector)?;
            clear_selected(clear.points)
        }
        Operation::UpdateVectors(update) => {
            one_shard(update.shard_key_selector)?;
            replace_vectors(update.points, update.update_filter, config)
        }
        Operation::DeleteVectors(delete) => {
            one_shard(delete.shard_key_selector)?;
            remove_vectors(delete.points_selector, delete.vectors)
        }
    }
}

/// Refuses a choice of shards: there is one.
pub(super) fn one_shard(selector: Option<ShardKeySelector>) -> Result<(), Refusal> {
    match selector {
        None => Ok(()),
        Some(_) => Err(Refusal::unserved("shard_key_selector")),
    }
}

fn insert(
    points: Vec<PointStruct>,
    update_filter: Option<Filter>,
    update_mode: Option<i32>,
    config: &EdgeConfig,
) -> Result<Change, Refusal> {
    let count = points.len() as u64;
    let points = points
        .into_iter()
        .map(|point| {
            Ok(PointStructPersisted {
                id: required_id(point.id)?,
                vector: edge_vectors(point.vectors, config)?,
                payload: Some(edge_payload(point.payload)?),
            })
        })
        .collect::<Result<Vec<_>, Refusal>>()?;
    let points = PointInsertOperations::PointsList(points);
    let mode = match update_mode.map(UpdateMode::try_from) {
        None | Some(Ok(UpdateMode::Upsert)) => None,
        Some(Ok(UpdateMode::InsertOnly)) => Some(qdrant_edge::UpdateMode::InsertOnly),
        Some(Ok(UpdateMode::UpdateOnly)) => Some(qdrant_edge::UpdateMode::UpdateOnly),
        Some(Err(_)) => return Err(Refusal::bad_input("unknown update mode")),
    };
    let operation = match (optional_filter(update_filter)?, mode) {
        (None, None) => PointOperations::UpsertPoints(points),
        (condition, update_mode) => PointOperations::UpsertPointsConditional(ConditionalInsertOperation {
            points_op: points,
            condition: condition.unwrap_or_default(),
            update_mode,
        }),
    };
    Ok(Change { operation: UpdateOperation::PointOperation(operation), points: count })
}

fn delete_selected(points: Option<PointsSelector>) -> Result<Change, Refusal> {
    let (operation, count) = match selected(points)? {
        Selected::Ids(ids) => {
            let count = ids.len() as u64;
            (PointOperations::DeletePoints { ids }, count)
        }
        Selected::Matching(filter) => (PointOperations::DeletePointsByFilter(filter), UNCOUNTED),
    };
    Ok(Change { operation: UpdateOperation::PointOperation(operation), points: count })
}

fn replace_vectors(
    points: Vec<PointVectors>,
    update_filter: Option<Filter>,
    config: &EdgeConfig,
) -> Result<Change, Refusal> {
    let count = points.len() as u64;
    let points = points
        .into_iter()
        .map(|point| {
            Ok(PointVectorsPersisted { id: required_id(point.id)?, vector: edge_vectors(point.vectors, config)? })
        })
        .collect::<Result<Vec<_>, Refusal>>()?;
    let update = UpdateVectorsOp { points, update_filter: optional_filter(update_filter)? };
    Ok(Change { operation: UpdateOperation::VectorOperation(VectorOperations::UpdateVectors(update)), points: count })
}

fn remove_vectors(points: Option<PointsSelector>, vectors: Option<VectorsSelector>) -> Result<Change, Refusal> {
    let names = vectors.ok_or_else(|| Refusal::bad_input("vectors is missing"))?.names;
    let (operation, count) = match selected(points)? {
        Selected::Ids(ids) => {
            let count = ids.len() as u64;
            (VectorOperations::DeleteVectors(PointIdsList::from(ids), names), count)
        }
        Selected::Matching(filter) => (VectorOperations::DeleteVectorsByFilter(filter, names), UNCOUNTED),
    };
    Ok(Change { operation: UpdateOperation::VectorOperation(operation), points: count })
}

fn write_payload(
    payload: HashMap<String, Value>,
    points: Option<PointsSelector>,
    key: Option<&str>,
    how: PayloadWrite,
) -> Result<Change, Refusal> {
    let (points, filter, count) = points_or_filter(points)?;
    let write = SetPayloadOp { payload: edge_payload(payload)?, points, filter, key: key.map(json_path).transpose()? };
    Ok(payload_change(
        match how {
            PayloadWrite::Set => PayloadOps::SetPayload(write),
            PayloadWrite::Overwrite => PayloadOps::OverwritePayload(write),
        },
        count,
    ))
}

fn remove_payload(keys: &[String], points: Option<PointsSelector>) -> Result<Change, Refusal> {
    let (points, filter, count) = points_or_filter(points)?;
    let keys = json_paths(keys)?;
    Ok(payload_change(PayloadOps::DeletePayload(DeletePayloadOp { keys, points, filter }), count))
}

fn clear_selected(points: Option<PointsSelector>) -> Result<Change, Refusal> {
    Ok(match selected(points)? {
        Selected::Ids(points) => {
            let count = points.len() as u64;
            payload_change(PayloadOps::ClearPayload { points }, count)
        }
        Selected::Matching(filter) => payload_change(PayloadOps::ClearPayloadByFilter(filter), UNCOUNTED),
    })
}

fn payload_change(operation: PayloadOps, points: u64) -> Change {
    Change { operation: UpdateOperation::PayloadOperation(operation), points }
}

type PointsOrFilter = (Option<Vec<qdrant_edge::PointId>>, Option<qdrant_edge::Filter>, u64);

fn points_or_filter(points: Option<PointsSelector>) -> Result<PointsOrFilter, Refusal> {
    Ok(match selected(points)? {
        Selected::Ids(ids) => {
            let count = ids.len() as u64;
            (Some(ids), None, count)
        }
        Selected::Matching(filter) => (None, Some(filter), UNCOUNTED),
    })
}

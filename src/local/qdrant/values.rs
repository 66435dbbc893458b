//! Point ids, payloads, payload keys and what of a point a reader asks for, between the wire and the shard.

use std::collections::HashMap;

use qdrant_client::qdrant::{
    ListValue, NullValue, PointId, PointsSelector, Struct, Value, WithPayloadSelector, WithVectorsSelector,
    point_id::PointIdOptions, points_selector::PointsSelectorOneOf, value::Kind,
    with_payload_selector::SelectorOptions as PayloadOptions, with_vectors_selector::SelectorOptions as VectorOptions,
};
use qdrant_edge::{
    Filter, JsonPath, Payload, PayloadSelector, PayloadSelectorExclude, PayloadSelectorInclude, PointId as EdgeId,
    WithPayloadInterface, WithVector,
};
use serde_json::{Map, Number, Value as Json};

use super::filter::edge_filter;
use super::refusal::Refusal;

/// The points a write or a delete is about.
pub(super) enum Selected {
    Ids(Vec<EdgeId>),
    Matching(Filter),
}

pub(super) fn edge_id(id: PointId) -> Result<EdgeId, Refusal> {
    match id.point_id_options {
        Some(PointIdOptions::Num(number)) => Ok(EdgeId::NumId(number)),
        Some(PointIdOptions::Uuid(text)) => uuid::Uuid::parse_str(&text)
            .map(EdgeId::Uuid)
            .map_err(|_| Refusal::bad_input(format!("Unable to parse UUID: {text}"))),
        None => Err(Refusal::bad_input("No ID options provided")),
    }
}

pub(super) fn required_id(id: Option<PointId>) -> Result<EdgeId, Refusal> {
    edge_id(id.ok_or_else(|| Refusal::bad_input("Empty ID is not allowed"))?)
}

pub(super) fn edge_ids(ids: Vec<PointId>) -> Result<Vec<EdgeId>, Refusal> {
    ids.into_iter().map(edge_id).collect()
}

pub(super) fn wire_id(id: EdgeId) -> PointId {
    let options = match id {
        EdgeId::NumId(number) => PointIdOptions::Num(number),
        EdgeId::Uuid(uuid) => PointIdOptions::Uuid(uuid.hyphenated().to_string()),
    };
    PointId { point_id_options: Some(options) }
}

pub(super) fn selected(selector: Option<PointsSelector>) -> Result<Selected, Refusal> {
    match selector.and_then(|s| s.points_selector_one_of) {
        Some(PointsSelectorOneOf::Points(list)) => Ok(Selected::Ids(edge_ids(list.ids)?)),
        Some(PointsSelectorOneOf::Filter(filter)) => Ok(Selected::Matching(edge_filter(filter)?)),
        None => Err(Refusal::bad_input("PointsSelector is expected")),
    }
}

pub(super) fn json_path(key: &str) -> Result<JsonPath, Refusal> {
    key.parse().map_err(|()| Refusal::bad_input(format!("Invalid json path: '{key}'")))
}

pub(super) fn json_paths(keys: &[String]) -> Result<Vec<JsonPath>, Refusal> {
    keys.iter().map(|key| json_path(key)).collect()
}

pub(super) fn edge_payload(payload: HashMap<String, Value>) -> Result<Payload, Refusal> {
    json_object(payload).map(Payload)
}

pub(super) fn wire_payload(payload: Option<Payload>) -> HashMap<String, Value> {
    payload.map(|p| p.0.into_iter().map(|(k, v)| (k, wire_value(v))).collect()).unwrap_or_default()
}

pub(super) fn edge_with_payload(selector: Option<WithPayloadSelector>) -> Result<WithPayloadInterface, Refusal> {
    Ok(match selector.and_then(|s| s.selector_options) {
        None => WithPayloadInterface::Bool(false),
        Some(PayloadOptions::Enable(enable)) => WithPayloadInterface::Bool(enable),
        Some(PayloadOptions::Include(keys)) => WithPayloadInterface::Selector(PayloadSelector::Include(
            PayloadSelectorInclude::new(json_paths(&keys.fields)?),
        )),
        Some(PayloadOptions::Exclude(keys)) => WithPayloadInterface::Selector(PayloadSelector::Exclude(
            PayloadSelectorExclude::new(json_paths(&keys.fields)?),
        )),
    })
}

pub(super) fn edge_with_vectors(selector: Option<WithVectorsSelector>) -> WithVector {
    match selector.and_then(|s| s.selector_options) {
        None => WithVector::Bool(false),
        Some(VectorOptions::Enable(enable)) => WithVector::Bool(enable),
        Some(VectorOptions::Include(names)) => WithVector::Selector(names.names),
    }
}

fn json_object(fields: HashMap<String, Value>) -> Result<Map<String, Json>, Refusal> {
    fields.into_iter().map(|(key, value)| Ok((key, json_value(value)?))).collect()
}

fn json_value(value: Value) -> Result<Json, Refusal> {
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(flag)) => Json::Bool(flag),
        Some(Kind::IntegerValue(number)) => Json::Number(number.into()),
        Some(Kind::DoubleValue(number)) => Number::from_f64(number)
            .map(Json::Number)
            .ok_or_else(|| Refusal::bad_input(format!("{number} is not a JSON number")))?,
        Some(Kind::StringValue(text)) => Json::String(text),
        Some(Kind::StructValue(object)) => Json::Object(json_object(object.fields)?),
        Some(Kind::ListValue(list)) => Json::Array(list.values.into_iter().map(json_value).collect::<Result<_, _>>()?),
    })
}

fn wire_value(value: Json) -> Value {
    let kind = match value {
        Json::Null => Kind::NullValue(NullValue::NullValue.into()),
        Json::Bool(flag) => Kind::BoolValue(flag),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Kind::IntegerValue(integer),
            None => Kind::DoubleValue(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Kind::StringValue(text),
        Json::Array(values) => Kind::ListValue(ListValue { values: values.into_iter().map(wire_value).collect() }),
        Json::Object(fields) => {
            Kind::StructValue(Struct { fields: fields.into_iter().map(|(k, v)| (k, wire_value(v))).collect() })
        }
    };
    Value { kind: Some(kind) }
}

//! A point as `jsonb`, exactly.
//!
//! ```json
//! { "vectors": { "dense": { "dense": "cdcc4c3d…" }, "text": { "indices": "01000000…", "values": "…" } }, "payload": "{…}" }
//! ```
//!
//! Numbers of vectors are little-endian `f32` and `u32` in hex, and the payload is JSON text whose fractional numbers are
//! written as `{"#f64": "<bits in hex>"}`: `jsonb` forgets the sign of `-0.0` and cannot hold NUL, and no spelling of a
//! float has to survive two parsers. A payload object that looks like such a number is wrapped in `{"#map": …}`.

use serde_json::{Map, Number, Value, json};

use crate::model::PointId;
use crate::store::{NamedVector, Point, SparseVector};

const FLOAT: &str = "#f64";
const MAP: &str = "#map";

/// Writes a point, without its id.
pub(super) fn encode(point: &Point) -> Value {
    let vectors: Map<String, Value> = point
        .vectors
        .iter()
        .map(|(name, vector)| {
            let value = match vector {
                NamedVector::Dense(values) => json!({ "dense": floats(values) }),
                NamedVector::Sparse(sparse) => {
                    let indices: Vec<u8> = sparse.indices.iter().flat_map(|index| index.to_le_bytes()).collect();
                    json!({ "indices": hex::encode(indices), "values": floats(&sparse.values) })
                }
            };
            (name.clone(), value)
        })
        .collect();
    let payload = exact(&Value::Object(point.payload.clone())).to_string();
    json!({ "vectors": vectors, "payload": payload })
}

/// Reads a point; `None` when it was not written by [`encode`].
pub(super) fn decode(id: PointId, image: &Value) -> Option<Point> {
    let vectors = image.get("vectors")?.as_object()?.iter();
    let vectors = vectors.map(|(name, vector)| Some((name.clone(), named(vector)?))).collect::<Option<_>>()?;
    let text: Value = serde_json::from_str(image.get("payload")?.as_str()?).ok()?;
    let Value::Object(payload) = plain(text)? else { return None };
    Some(Point { id, vectors, payload })
}

fn named(vector: &Value) -> Option<NamedVector> {
    if let Some(dense) = vector.get("dense") {
        return Some(NamedVector::Dense(words(dense)?.map(f32::from_le_bytes).collect()));
    }
    let indices = words(vector.get("indices")?)?.map(u32::from_le_bytes).collect();
    let values = words(vector.get("values")?)?.map(f32::from_le_bytes).collect();
    Some(NamedVector::Sparse(SparseVector { indices, values }))
}

fn floats(values: &[f32]) -> String {
    hex::encode(values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>())
}

fn words(value: &Value) -> Option<impl Iterator<Item = [u8; 4]>> {
    let bytes = hex::decode(value.as_str()?).ok()?;
    let words: Vec<[u8; 4]> = bytes.chunks(4).map(|word| word.try_into().ok()).collect::<Option<_>>()?;
    Some(words.into_iter())
}

fn exact(value: &Value) -> Value {
    match value {
        Value::Number(number) if number.is_f64() => {
            let bits = number.as_f64().unwrap_or_default().to_bits();
            json!({ FLOAT: format!("{bits:016x}") })
        }
        Value::Array(items) => items.iter().map(exact).collect(),
        Value::Object(map) => {
            let inner: Map<String, Value> = map.iter().map(|(key, value)| (key.clone(), exact(value))).collect();
            if map.len() == 1 && (map.contains_key(FLOAT) || map.contains_key(MAP)) {
                return json!({ MAP: inner });
            }
            Value::Object(inner)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn plain(value: Value) -> Option<Value> {
    match value {
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(map) if map.len() == 1 && map.contains_key(FLOAT) => {
            let bits = u64::from_str_radix(map.get(FLOAT)?.as_str()?, 16).ok()?;
            Number::from_f64(f64::from_bits(bits)).map(Value::Number)
        }
        Value::Object(mut map) if map.len() == 1 && map.contains_key(MAP) => match map.remove(MAP)? {
            Value::Object(inner) => members(inner),
            _ => None,
        },
        Value::Object(map) => members(map),
        other => Some(other),
    }
}

fn members(map: Map<String, Value>) -> Option<Value> {
    map.into_iter().map(|(key, value)| Some((key, plain(value)?))).collect::<Option<Map<_, _>>>().map(Value::Object)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn a_point_comes_back_bit_for_bit() {
        let payload = json!({
            "zero": -0.0, "small": 5e-324, "third": 1.0 / 3.0, "large": u64::MAX, "nul": "a\u{0}b", "nested": [{ "#f64": "x" }, { "#map": 1.5 }],
            "one": 1.0, "whole": 1,
        });
        let Value::Object(payload) = payload else { panic!("an object") };
        let dense = NamedVector::Dense(vec![-0.0, f32::MIN_POSITIVE, 0.1, 1e38]);
        let sparse = NamedVector::Sparse(SparseVector { indices: vec![0, u32::MAX], values: vec![0.3, -1.0] });
        let vectors = BTreeMap::from([(String::new(), dense), ("text".to_owned(), sparse)]);
        let point = Point { id: PointId::Number(7), vectors, payload };
        let text = encode(&point).to_string();
        let read = serde_json::from_str(&text).ok().and_then(|image| decode(PointId::Number(7), &image));
        let read = read.expect("a point");
        assert_eq!(read, point);
        let bits = |point: &Point| format!("{:?}", (&point.vectors, point.payload["zero"].as_f64().map(f64::to_bits)));
        assert_eq!(bits(&read), bits(&point));
        assert_eq!(decode(PointId::Number(7), &json!({ "vectors": {}, "payload": "[]" })), None);
    }
}

//! JSON to Qdrant's values and back, exactly: an integer stays an integer, a float a float.
//!
//! Qdrant's integers are signed 64-bit. A larger one would have to become a float and come back as another number, so it
//! is refused.

use std::collections::HashMap;

use qdrant_client::qdrant::{ListValue, Struct, Value as Wire, value::Kind};
use serde_json::{Map, Number, Value};

use crate::store::{Fault, StoreError};

/// Translates a payload for the wire.
pub(super) fn to_wire(payload: &Map<String, Value>) -> Result<HashMap<String, Wire>, StoreError> {
    payload.iter().map(|(key, value)| Ok((key.clone(), value_to_wire(key, value)?))).collect()
}

/// Translates a payload from the wire.
pub(super) fn from_wire(payload: HashMap<String, Wire>) -> Result<Map<String, Value>, StoreError> {
    payload
        .into_iter()
        .map(|(key, value)| {
            let value = value_from_wire(&key, value)?;
            Ok((key, value))
        })
        .collect()
}

fn value_to_wire(field: &str, value: &Value) -> Result<Wire, StoreError> {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(flag) => Kind::BoolValue(*flag),
        Value::Number(number) => number_to_wire(field, number)?,
        Value::String(text) => Kind::StringValue(text.clone()),
        Value::Array(items) => Kind::ListValue(ListValue {
            values: items.iter().map(|item| value_to_wire(field, item)).collect::<Result<_, _>>()?,
        }),
        Value::Object(map) => Kind::StructValue(Struct { fields: to_wire(map)? }),
    };
    Ok(Wire { kind: Some(kind) })
}

fn number_to_wire(field: &str, number: &Number) -> Result<Kind, StoreError> {
    if let Some(integer) = number.as_i64() {
        return Ok(Kind::IntegerValue(integer));
    }
    match number.as_f64().filter(|_| number.is_f64()) {
        Some(float) => Ok(Kind::DoubleValue(float)),
        None => Err(StoreError::new(
            Fault::Refused,
            format!("the payload field \"{field}\" holds {number}, which is larger than Qdrant's integers"),
        )
        .hint("write it as text")),
    }
}

fn value_from_wire(field: &str, value: Wire) -> Result<Value, StoreError> {
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Value::Null,
        Some(Kind::BoolValue(flag)) => Value::Bool(flag),
        Some(Kind::IntegerValue(integer)) => Value::from(integer),
        Some(Kind::DoubleValue(float)) => Number::from_f64(float).map(Value::Number).ok_or_else(|| {
            StoreError::new(
                Fault::Refused,
                format!("the payload field \"{field}\" holds {float}, which JSON cannot hold"),
            )
        })?,
        Some(Kind::StringValue(text)) => Value::String(text),
        Some(Kind::ListValue(list)) => {
            Value::Array(list.values.into_iter().map(|item| value_from_wire(field, item)).collect::<Result<_, _>>()?)
        }
        Some(Kind::StructValue(inner)) => Value::Object(from_wire(inner.fields)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_payload_comes_back_as_it_went() {
        let Value::Object(payload) = json!({
            "n": null, "t": true, "i": 9_007_199_254_740_993_i64, "min": i64::MIN, "f": 1.0, "g": 1e-300,
            "s": "'; DROP TABLE x; --\u{0}\u{1F600}", "l": [1, 1.5, [], {"a": {"b": [null]}}], "": {}
        }) else {
            panic!("an object")
        };
        let back = from_wire(to_wire(&payload).expect("translated")).expect("translated back");
        assert_eq!(back, payload);
        assert!(back["f"].is_f64() && back["i"].is_i64());
    }

    #[test]
    fn an_integer_that_does_not_fit_is_refused_by_name() {
        let Value::Object(payload) = json!({ "big": u64::MAX }) else { panic!("an object") };
        let error = to_wire(&payload).expect_err("too large");
        assert!(error.to_string().contains("\"big\" holds 18446744073709551615"));
    }
}

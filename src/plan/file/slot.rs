//! The values of a line that belongs to the head above it.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::text::{pack, pack_bytes, unpack, unpack_bytes};
use crate::model::{Cell, Digest, PointId};

/// One value of a line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Slot<'a> {
    /// Nothing, or NULL.
    Null,
    /// A number.
    Number(u64),
    /// A text in its short form.
    Text(Cow<'a, str>),
    /// Several.
    List(Vec<Slot<'a>>),
    /// Anything else, as it is written elsewhere.
    Json(Value),
}

/// A value that is not what has to stand in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotThat(pub &'static str);

impl<'a> Slot<'a> {
    /// A text in its short form.
    pub fn text(text: &'a str) -> Slot<'a> {
        Slot::Text(pack(text))
    }

    /// The id of a point.
    pub fn id(id: &PointId) -> Slot<'a> {
        match id {
            PointId::Number(number) => Slot::Number(*number),
            PointId::Uuid(uuid) => Slot::Text(Cow::Owned(pack_bytes('@', uuid.as_bytes()))),
        }
    }

    /// A digest.
    pub fn digest(digest: &Digest) -> Slot<'a> {
        Slot::Text(Cow::Owned(pack_bytes('~', digest.as_bytes())))
    }

    /// The value of a row.
    pub fn cell(cell: &'a Cell) -> Slot<'a> {
        match cell {
            Cell::Null => Slot::Null,
            Cell::Text(text) => Slot::text(text),
            Cell::ApplyTime | Cell::Reference(_) => Slot::Json(serde_json::json!({ "cell": cell })),
        }
    }

    /// The text.
    pub fn into_text(self) -> Result<String, NotThat> {
        match self {
            Slot::Text(short) => unpack(&short).ok_or(NotThat("a text in its short form")),
            _ => Err(NotThat("a text")),
        }
    }

    /// The digest.
    pub fn into_digest(self) -> Result<Digest, NotThat> {
        let bytes = self.bytes('~').and_then(|bytes| bytes.try_into().ok());
        bytes.map(Digest::from_bytes).ok_or(NotThat("a digest"))
    }

    /// The number.
    pub fn number(&self) -> Result<u64, NotThat> {
        match self {
            Slot::Number(number) => Ok(*number),
            _ => Err(NotThat("a number")),
        }
    }

    /// The values.
    pub fn into_list(self) -> Result<Vec<Slot<'a>>, NotThat> {
        match self {
            Slot::List(items) => Ok(items),
            _ => Err(NotThat("a list")),
        }
    }

    /// The id of a point.
    pub fn into_id(self) -> Result<PointId, NotThat> {
        match self {
            Slot::Number(number) => Ok(PointId::Number(number)),
            other => {
                let bytes = other.bytes('@').and_then(|bytes| bytes.try_into().ok());
                bytes.map(|bytes| PointId::Uuid(uuid::Uuid::from_bytes(bytes))).ok_or(NotThat("the id of a point"))
            }
        }
    }

    fn bytes(&self, mark: char) -> Option<Vec<u8>> {
        match self {
            Slot::Text(text) => unpack_bytes(mark, text),
            Slot::Null | Slot::Number(_) | Slot::List(_) | Slot::Json(_) => None,
        }
    }

    /// The value of a row.
    pub fn into_cell(self) -> Result<Cell, NotThat> {
        match self {
            Slot::Null => Ok(Cell::Null),
            Slot::Text(_) => self.into_text().map(Cell::Text),
            Slot::Json(Value::Object(mut map)) if map.len() == 1 => {
                let cell = map.remove("cell").and_then(|cell| serde_json::from_value(cell).ok());
                match cell {
                    Some(cell @ (Cell::ApplyTime | Cell::Reference(_))) => Ok(cell),
                    Some(Cell::Null | Cell::Text(_)) | None => Err(NotThat("the value of a row")),
                }
            }
            Slot::Number(_) | Slot::List(_) | Slot::Json(_) => Err(NotThat("the value of a row")),
        }
    }
}

impl Serialize for Slot<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Slot::Null => to.serialize_unit(),
            Slot::Number(number) => to.serialize_u64(*number),
            Slot::Text(text) => to.serialize_str(text),
            Slot::List(items) => to.collect_seq(items),
            Slot::Json(value) => value.serialize(to),
        }
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Slot<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Slot<'a>, D::Error> {
        from.deserialize_any(SlotVisitor)
    }
}

struct SlotVisitor;

impl<'de> Visitor<'de> for SlotVisitor {
    type Value = Slot<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of a plan's line")
    }

    fn visit_unit<E>(self) -> Result<Slot<'de>, E> {
        Ok(Slot::Null)
    }

    fn visit_u64<E>(self, number: u64) -> Result<Slot<'de>, E> {
        Ok(Slot::Number(number))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Slot<'de>, E> {
        Ok(Slot::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Slot<'de>, E> {
        Ok(Slot::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Slot<'de>, A::Error> {
        let mut out = Vec::new();
        while let Some(item) = items.next_element()? {
            out.push(item);
        }
        Ok(Slot::List(out))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Slot<'de>, A::Error> {
        Value::deserialize(serde::de::value::MapAccessDeserializer::new(map)).map(Slot::Json)
    }
}

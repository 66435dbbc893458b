//! Buckets: two short fields in each point's payload that tell sets of points apart by counting.
//!
//! Each bucket is 12 bits of the point's digest, as three hexadecimal digits: PostgreSQL counts the points that are written
//! down by bucket, the vector store counts those that are there, and where the counts of both fields are the same, so are
//! the points. A point that is missing, too many or exchanged for another one differs in a bucket of one field or the other.
//!
//! In the id scheme `content` the id begins with the digest; where ids are keys the digest stands in the payload, so that a
//! point that was written anew under its id is in another bucket.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::parts::PARTS_FIELD;
use crate::model::{Digest, PointId};

/// The payload fields of the two buckets.
pub const BUCKET_FIELDS: [&str; 2] = ["_enact.a", "_enact.b"];
/// The kind of their payload indexes, which counting needs.
pub const BUCKET_INDEX: &str = "keyword";
/// How many buckets a field has.
pub const BUCKETS: usize = 1 << 12;

/// Whether a payload index is one of the buckets' own.
pub fn is_bucket_field(field: &str) -> bool {
    BUCKET_FIELDS.contains(&field)
}

/// The payload indexes of a collection whose points have buckets.
pub fn with_bucket_indexes(indexes: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut out = indexes.clone();
    out.extend(BUCKET_FIELDS.map(|field| (field.to_owned(), BUCKET_INDEX.to_owned())));
    out
}

/// Whether a collection with these payload indexes can be counted by bucket.
pub fn has_buckets(indexes: &BTreeMap<String, String>) -> bool {
    BUCKET_FIELDS.iter().all(|field| indexes.get(*field).is_some_and(|kind| kind == BUCKET_INDEX))
}

/// A bucket as its payload field spells it.
pub fn bucket_text(bucket: u16) -> String {
    format!("{bucket:03x}")
}

/// The buckets of a point; of one whose id is a number, none.
pub fn buckets(id: &PointId, digest: Option<&Digest>) -> Option<[String; 2]> {
    let bytes: &[u8] = match (digest, id) {
        (Some(digest), _) => digest.as_bytes(),
        (None, PointId::Uuid(uuid)) => uuid.as_bytes(),
        (None, PointId::Number(_)) => return None,
    };
    let [first, second, third] = [bytes[0], bytes[1], bytes[2]].map(u16::from);
    Some([first << 4 | second >> 4, (second & 15) << 8 | third].map(bucket_text))
}

/// The buckets that a point's payload says.
pub fn buckets_said(payload: &Map<String, Value>) -> Option<[String; 2]> {
    let parts = payload.get(PARTS_FIELD)?;
    let said = |name: &str| parts.get(name).and_then(Value::as_str).map(str::to_owned);
    Some([said("a")?, said("b")?])
}

/// Gives a point of Enact that was written before there were buckets its own.
pub fn add_buckets(id: &PointId, payload: &mut Map<String, Value>) {
    let Some(Value::Object(parts)) = payload.get_mut(PARTS_FIELD) else { return };
    let digest = parts.get("digest").and_then(Value::as_str).and_then(Digest::from_text);
    if let Some([a, b]) = buckets(id, digest.as_ref()) {
        parts.insert("a".to_owned(), Value::from(a));
        parts.insert("b".to_owned(), Value::from(b));
    }
}

/// A payload as it is whether or not its point has buckets.
pub fn without_buckets(payload: &Map<String, Value>) -> Map<String, Value> {
    let mut payload = payload.clone();
    if let Some(Value::Object(parts)) = payload.get_mut(PARTS_FIELD) {
        parts.remove("a");
        parts.remove("b");
    }
    payload
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_the_first_24_bits() {
        let id = PointId::from_text("01b5bdc7-d94e-825a-86d3-950a91ba9386").expect("an id");
        assert_eq!(buckets(&id, None), Some(["01b".to_owned(), "5bd".to_owned()]));
        let digest = Digest::of_bytes(b"x");
        let digits = digest.to_string();
        assert_eq!(buckets(&id, Some(&digest)), Some([digits[..3].to_owned(), digits[3..6].to_owned()]));
        assert_eq!(buckets(&PointId::Number(1), None), None);
    }
}

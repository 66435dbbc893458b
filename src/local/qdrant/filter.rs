//! Filters from the wire to the shard. Every condition of the protocol is either carried over or refused by name.

use qdrant_client::qdrant::{
    Condition, DatetimeRange, FieldCondition, Filter, GeoBoundingBox, GeoLineString, GeoPoint, GeoPolygon, GeoRadius,
    Match, Range, ValuesCount, condition::ConditionOneOf, r#match::MatchValue,
};
use qdrant_edge as edge;
use qdrant_edge::external::ordered_float::OrderedFloat;

use super::refusal::Refusal;
use super::values::{edge_ids, json_path};

/// How deep conditions may be inside each other, so that a hostile filter cannot exhaust the stack.
const DEEPEST: usize = 64;

pub(super) fn edge_filter(filter: Filter) -> Result<edge::Filter, Refusal> {
    nested_filter(filter, 0)
}

pub(super) fn optional_filter(filter: Option<Filter>) -> Result<Option<edge::Filter>, Refusal> {
    filter.map(edge_filter).transpose()
}

/// Turns a protobuf time stamp into the shard's date and time.
pub(super) fn edge_datetime(stamp: prost_types::Timestamp) -> Result<edge::DateTimeWrapper, Refusal> {
    let wrong = || Refusal::bad_input(format!("Unable to parse timestamp {stamp:?}"));
    let time = jiff::Timestamp::new(stamp.seconds, stamp.nanos).map_err(|_| wrong())?;
    time.to_string().parse().map_err(|_| wrong())
}

fn nested_filter(filter: Filter, depth: usize) -> Result<edge::Filter, Refusal> {
    if depth > DEEPEST {
        return Err(Refusal::bad_input(format!("filter is nested deeper than {DEEPEST} levels")));
    }
    let Filter { should, must, must_not, min_should } = filter;
    let min_should = match min_should {
        None => None,
        Some(rule) => Some(edge::MinShould {
            conditions: conditions(rule.conditions, depth)?.unwrap_or_default(),
            min_count: size(rule.min_count),
        }),
    };
    Ok(edge::Filter {
        should: conditions(should, depth)?,
        must: conditions(must, depth)?,
        must_not: conditions(must_not, depth)?,
        min_should,
    })
}

fn conditions(list: Vec<Condition>, depth: usize) -> Result<Option<Vec<edge::Condition>>, Refusal> {
    if list.is_empty() {
        return Ok(None);
    }
    list.into_iter().map(|one| condition(one, depth)).collect::<Result<_, _>>().map(Some)
}

fn condition(condition: Condition, depth: usize) -> Result<edge::Condition, Refusal> {
    let Some(kind) = condition.condition_one_of else {
        return Err(Refusal::bad_input("Malformed condition: empty"));
    };
    Ok(match kind {
        ConditionOneOf::Field(field) => edge::Condition::Field(field_condition(field)?),
        ConditionOneOf::IsEmpty(empty) => edge::Condition::IsEmpty(json_path(&empty.key)?.into()),
        ConditionOneOf::IsNull(null) => edge::Condition::IsNull(json_path(&null.key)?.into()),
        ConditionOneOf::HasId(ids) => edge::Condition::HasId(edge_ids(ids.has_id)?.into_iter().collect()),
        ConditionOneOf::HasVector(vector) => edge::Condition::HasVector(vector.has_vector.into()),
        ConditionOneOf::Filter(filter) => edge::Condition::Filter(nested_filter(filter, depth + 1)?),
        ConditionOneOf::Nested(nested) => {
            let filter = nested.filter.ok_or_else(|| Refusal::bad_input("Nested filter must be provided"))?;
            edge::Condition::Nested(edge::NestedCondition::new(edge::Nested {
                key: json_path(&nested.key)?,
                filter: nested_filter(filter, depth + 1)?,
            }))
        }
        ConditionOneOf::Slice(_) => return Err(Refusal::unserved("Condition.slice")),
    })
}

fn field_condition(field: FieldCondition) -> Result<edge::FieldCondition, Refusal> {
    let FieldCondition {
        key,
        r#match,
        range,
        geo_bounding_box,
        geo_radius,
        values_count,
        geo_polygon,
        datetime_range,
        is_empty,
        is_null,
    } = field;
    let range = match (range, datetime_range) {
        (Some(_), Some(_)) => {
            return Err(Refusal::bad_input(format!("both range and datetime_range are given for {key}")));
        }
        (Some(range), None) => Some(number_range(range)),
        (None, Some(range)) => Some(datetime_interval(range)?),
        (None, None) => None,
    };
    let condition = edge::FieldCondition {
        key: json_path(&key)?,
        r#match: r#match.map(match_value).transpose()?,
        range,
        geo_bounding_box: geo_bounding_box.map(bounding_box).transpose()?,
        geo_radius: geo_radius.map(radius).transpose()?,
        geo_polygon: geo_polygon.map(polygon).transpose()?,
        values_count: values_count.map(counted),
        is_empty,
        is_null,
    };
    if condition.all_fields_none() {
        return Err(Refusal::bad_input(format!("At least one field condition must be specified for {key}")));
    }
    Ok(condition)
}

fn match_value(condition: Match) -> Result<edge::Match, Refusal> {
    let Some(value) = condition.match_value else {
        return Err(Refusal::bad_input("Malformed Match condition"));
    };
    Ok(match value {
        MatchValue::Keyword(keyword) => edge::Match::from(keyword),
        MatchValue::Integer(integer) => edge::Match::from(integer),
        MatchValue::Boolean(flag) => edge::Match::from(flag),
        MatchValue::Text(text) => edge::Match::Text(edge::MatchText { text }),
        MatchValue::TextAny(text_any) => edge::Match::TextAny(edge::MatchTextAny { text_any }),
        MatchValue::Phrase(phrase) => edge::Match::Phrase(edge::MatchPhrase { phrase }),
        MatchValue::Keywords(list) => edge::Match::from(list.strings),
        MatchValue::Integers(list) => edge::Match::from(list.integers),
        MatchValue::ExceptKeywords(list) => edge::Match::Except(list.strings.into()),
        MatchValue::ExceptIntegers(list) => edge::Match::Except(list.integers.into()),
        MatchValue::Prefix(_) => return Err(Refusal::unserved("Match.prefix")),
        MatchValue::Substring(_) => return Err(Refusal::unserved("Match.substring")),
    })
}

fn number_range(range: Range) -> edge::RangeInterface {
    let Range { lt, gt, gte, lte } = range;
    edge::RangeInterface::Float(edge::Range {
        lt: lt.map(OrderedFloat),
        gt: gt.map(OrderedFloat),
        gte: gte.map(OrderedFloat),
        lte: lte.map(OrderedFloat),
    })
}

fn datetime_interval(range: DatetimeRange) -> Result<edge::RangeInterface, Refusal> {
    let DatetimeRange { lt, gt, gte, lte } = range;
    Ok(edge::RangeInterface::DateTime(edge::Range {
        lt: lt.map(edge_datetime).transpose()?,
        gt: gt.map(edge_datetime).transpose()?,
        gte: gte.map(edge_datetime).transpose()?,
        lte: lte.map(edge_datetime).transpose()?,
    }))
}

fn counted(count: ValuesCount) -> edge::ValuesCount {
    let ValuesCount { lt, gt, gte, lte } = count;
    edge::ValuesCount { lt: lt.map(size), gt: gt.map(size), gte: gte.map(size), lte: lte.map(size) }
}

fn geo_point(point: Option<GeoPoint>) -> Result<edge::GeoPoint, Refusal> {
    let point = point.ok_or_else(|| Refusal::bad_input("Malformed geo condition: a point is missing"))?;
    edge::GeoPoint::new(point.lon, point.lat).map_err(|error| Refusal::bad_input(error.to_string()))
}

fn bounding_box(area: GeoBoundingBox) -> Result<edge::GeoBoundingBox, Refusal> {
    Ok(edge::GeoBoundingBox { top_left: geo_point(area.top_left)?, bottom_right: geo_point(area.bottom_right)? })
}

fn radius(area: GeoRadius) -> Result<edge::GeoRadius, Refusal> {
    Ok(edge::GeoRadius { center: geo_point(area.center)?, radius: OrderedFloat(f64::from(area.radius)) })
}

/// The line string type of the shard cannot be named from outside, so a polygon goes through its JSON form, which
/// also checks it.
fn polygon(area: GeoPolygon) -> Result<edge::GeoPolygon, Refusal> {
    fn line(line: &GeoLineString) -> serde_json::Value {
        let points = line.points.iter().map(|p| serde_json::json!({ "lon": p.lon, "lat": p.lat }));
        serde_json::json!({ "points": points.collect::<Vec<_>>() })
    }
    let exterior = area.exterior.ok_or_else(|| Refusal::bad_input("Malformed GeoPolygon: no exterior"))?;
    let interiors: Vec<_> = area.interiors.iter().map(line).collect();
    serde_json::from_value(serde_json::json!({ "exterior": line(&exterior), "interiors": interiors }))
        .map_err(|error| Refusal::bad_input(error.to_string()))
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

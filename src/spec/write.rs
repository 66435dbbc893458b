//! Desired state as the text of a plan file: the way back of what the other modules here read.
//!
//! ```text
//! Desired ── one value for each entry ──▶ YAML of the library, with comments ── format ──▶ text
//!         └─ rows ──▶ YAML by hand ─────────────────────────────┘
//! ```
//!
//! What is read from the text equals what was written, places apart; a property holds that. Values that are defaults are
//! left out. *Not here:* what is to be written (`export`).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::format::format_plan;
use super::vectors::{DEFAULT_LANGUAGE, DEFAULT_TEXT};
use crate::model::{
    Address, CheckResource, ChunkPolicy, Condition, Desired, Diagnostics, Expectation, Expected, IdChoice, MaxDelete,
    NamedSelection, PointIds, Promotion, Protected, Protection, Retention, Review, Rollout, Selection, Spot, UnitsRef,
    VectorSet, VectorSpec,
};

mod rows;

/// The line that tells editors which schema a plan file has.
const SCHEMA_LINE: &str = "# yaml-language-server: $schema=../schemas/plan.schema.json\n";

/// Comments of a plan file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comments {
    /// Lines at its head.
    pub head: Vec<String>,
    /// Lines above an entry.
    pub of: BTreeMap<Address, Vec<String>>,
}

/// Writes desired state as one plan file.
///
/// # Errors
/// A value that the layout would change; the text is never given then.
pub fn plan_text(plan: &str, desired: &Desired, comments: &Comments) -> Result<String, Diagnostics> {
    let mut out = String::from(SCHEMA_LINE);
    comment(&comments.head, 0, &mut out);
    out.push_str("enact: v1\n");
    out.push_str(&yaml(&json!({ "plan": plan })));
    for (section, entries) in sections(desired) {
        if !entries.is_empty() {
            out.push_str(section);
            out.push_str(":\n");
        }
        for Entry { address, text } in entries {
            comment(address.and_then(|address| comments.of.get(&address)).map_or(&[][..], Vec::as_slice), 2, &mut out);
            for line in text.lines() {
                out.push_str("  ");
                out.push_str(line);
                out.push('\n');
            }
        }
    }
    format_plan(plan, &out)
}

/// One entry of a section: `name: value` as YAML.
struct Entry {
    address: Option<Address>,
    text: String,
}

fn entry(address: Option<Address>, name: &str, value: Value) -> Entry {
    let text = yaml(&Value::Object(Map::from_iter([(name.to_owned(), value)])));
    Entry { address, text }
}

fn sections(desired: &Desired) -> Vec<(&'static str, Vec<Entry>)> {
    let Desired {
        files: _,
        units,
        promotions,
        rows,
        synced,
        chunk_policies,
        vector_sets,
        partial: _,
        protect,
        checks,
        gates,
        retention,
    } = desired;
    let named = |address: fn(&str) -> Address| move |name: &str, value: Value| entry(Some(address(name)), name, value);
    let promotion_entry = named(Address::promotion);
    let set_entry = named(Address::vector_set);
    let gate_entry = named(Address::gate);
    let check_entry = named(Address::check);
    let protect_entry = named(Address::protect);
    let retention_entry = named(Address::retention);
    vec![
        ("units", units.iter().map(|(name, it)| entry(None, name, named_selection(it))).collect()),
        ("promotions", promotions.iter().map(|(name, it)| promotion_entry(name, promotion(it))).collect()),
        ("rows", rows::tables(rows, synced)),
        ("chunk_policies", chunk_policies.iter().map(|(name, it)| entry(None, name, policy(&it.value))).collect()),
        ("vector_sets", vector_sets.iter().map(|(name, it)| set_entry(name, vector_set(it))).collect()),
        ("gates", gates.iter().map(|(name, it)| gate_entry(name, json!(it.value.value))).collect()),
        ("checks", checks.iter().map(|(name, it)| check_entry(name, check(it))).collect()),
        ("protect", protect.iter().map(|(name, it)| protect_entry(name, protection(it))).collect()),
        ("retention", retention.iter().map(|(name, it)| retention_entry(name, kept(it))).collect()),
    ]
}

fn comment(lines: &[String], indent: usize, out: &mut String) {
    for line in lines.iter().flat_map(|text| text.lines()) {
        out.push_str(&" ".repeat(indent));
        out.push_str("# ");
        // What no comment may hold would end it, or the file.
        out.extend(line.chars().map(|c| if c.is_control() || c == '\u{feff}' { ' ' } else { c }));
        out.push('\n');
    }
}

fn yaml(value: &Value) -> String {
    match serde_saphyr::to_string(value) {
        Ok(text) => text,
        Err(error) => panic!("BUG: a plan's value does not serialise: {error}"),
    }
}

/// A mapping without what is null, in the order given.
fn mapping<const N: usize>(pairs: [(&str, Value); N]) -> Value {
    let pairs = pairs.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(pairs.map(|(key, value)| (key.to_owned(), value)).collect())
}

fn named_selection(named: &NamedSelection) -> Value {
    let NamedSelection { selection: chosen, expect, place: _ } = named;
    let expect = expect.as_ref().map_or(Value::Null, |spot| {
        let Expectation { count, hash } = &spot.value;
        mapping([("count", json!(count)), ("hash", json!(hash))])
    });
    mapping([("where", selection(chosen)), ("expect", expect)])
}

fn selection(selection: &Selection) -> Value {
    let pairs = selection.conditions.iter().map(|(field, condition)| match condition {
        Condition::In(values) => match values.as_slice() {
            [one] => (field.clone(), json!(one)),
            many => (field.clone(), json!(many)),
        },
        Condition::Prefix(prefix) => (format!("{field}_prefix"), json!(prefix)),
        Condition::Null => (field.clone(), Value::Null),
    });
    Value::Object(pairs.collect())
}

fn units(units: &UnitsRef) -> Value {
    match units {
        UnitsRef::Named(spot) => json!(spot.value),
        UnitsRef::Inline(spot) => selection(&spot.value),
    }
}

fn promotion(promotion: &Promotion) -> Value {
    let Promotion { name: _, units: chosen, to, review, ids, adopt: _, place: _ } = promotion;
    let Review { decision, reviewer, rationale, at, more, place: _ } = review;
    let mut reviewed = mapping([
        ("decision", json!(decision)),
        ("reviewer", json!(reviewer)),
        ("rationale", json!(rationale)),
        ("at", json!(at)),
    ]);
    if let Some(map) = reviewed.as_object_mut() {
        map.extend(more.clone());
    }
    let IdChoice { scheme, namespace } = ids;
    let scheme = scheme.as_ref().map(|spot| &spot.value);
    let ids = mapping([("scheme", json!(scheme)), ("namespace", json!(namespace))]);
    let ids = if ids.as_object().is_some_and(Map::is_empty) { Value::Null } else { ids };
    mapping([("units", units(chosen)), ("to", json!(to.value)), ("review", reviewed), ("ids", ids)])
}

fn columns(columns: &BTreeMap<String, Spot<Value>>) -> Value {
    Value::Object(columns.iter().map(|(name, spot)| (name.clone(), spot.value.clone())).collect())
}

fn policy(policy: &ChunkPolicy) -> Value {
    let ChunkPolicy { splitter, max_chars, overlap_chars, text, empty_body } = policy;
    let overlap = (*overlap_chars > 0).then_some(overlap_chars);
    let text = (text.source() != DEFAULT_TEXT).then(|| text.source());
    mapping([
        ("splitter", json!(splitter)),
        ("max_chars", json!(max_chars)),
        ("overlap_chars", json!(overlap)),
        ("text", json!(text)),
        ("empty_body", json!(empty_body)),
    ])
}

fn vector_set(set: &VectorSet) -> Value {
    let VectorSet {
        name: _,
        units: chosen,
        chunk_policy,
        vectors,
        payload,
        payload_indexes,
        rollout,
        ids,
        max_delete,
        place: _,
    } = set;
    let most = match max_delete {
        MaxDelete::Points(most) => json!(most),
        MaxDelete::Percent(_) => json!(max_delete.to_string()),
    };
    let vectors: Map<String, Value> = vectors.iter().map(|(name, spot)| (name.clone(), vector(&spot.value))).collect();
    let payload: Vec<&String> = payload.iter().map(|spot| &spot.value).collect();
    let indexes: Map<String, Value> =
        payload_indexes.iter().map(|(name, spot)| (name.clone(), json!(spot.value))).collect();
    let ids = match ids {
        PointIds::Content => Value::Null,
        PointIds::Key { namespace, template } => {
            mapping([("scheme", json!("key")), ("namespace", json!(namespace)), ("template", json!(template))])
        }
    };
    mapping([
        ("units", units(chosen)),
        ("chunk_policy", json!(chunk_policy.value)),
        ("vectors", Value::Object(vectors)),
        ("payload", json!((!payload.is_empty()).then_some(payload))),
        ("payload_indexes", json!((!indexes.is_empty()).then_some(indexes))),
        ("rollout", json!((*rollout != Rollout::Auto).then_some(rollout))),
        ("ids", ids),
        ("max_delete", if *max_delete == MaxDelete::default() { Value::Null } else { most }),
    ])
}

fn vector(spec: &VectorSpec) -> Value {
    match spec {
        VectorSpec::Dense { embedder, distance } => {
            mapping([("embedder", json!(embedder)), ("distance", json!(distance))])
        }
        VectorSpec::Bm25 { language } => {
            let language = (language != DEFAULT_LANGUAGE).then_some(language);
            mapping([("sparse", json!("bm25")), ("language", json!(language))])
        }
    }
}

fn check(resource: &CheckResource) -> Value {
    let CheckResource { check, before, after, query_place: _, place: _ } = resource;
    let expect = match &check.expect {
        // A null that means NULL, and so is not left out.
        Expected::Value(value) => Value::Object(Map::from_iter([("value".to_owned(), json!(value))])),
        Expected::Rows(rows) => json!({ "rows": rows }),
        Expected::Empty(empty) => json!({ "empty": empty }),
        Expected::Between { least, most } => mapping([("at_least", json!(least)), ("at_most", json!(most))]),
    };
    let when = match (before, after) {
        (true, true) => json!(["before", "after"]),
        (true, false) => json!("before"),
        (false, _) => Value::Null,
    };
    let severity = check.warning.then_some("warning");
    mapping([("query", json!(check.query)), ("expect", expect), ("when", when), ("severity", json!(severity))])
}

fn protection(protection: &Protection) -> Value {
    match &protection.of {
        Protected::Units(chosen) => mapping([("units", units(chosen))]),
        Protected::Table { table, filter } => {
            let filter = if filter.is_empty() { Value::Null } else { columns(filter) };
            mapping([("table", json!(table.value)), ("where", filter)])
        }
        Protected::Query(query) => mapping([("query", json!(query.value))]),
        Protected::Collection(collection) => mapping([("collection", json!(collection.value))]),
    }
}

fn kept(retention: &Retention) -> Value {
    let Retention { table, keep_seconds: _, keep, column, gate, check, not_before, place: _ } = retention;
    let text = |spot: &Option<Spot<String>>| json!(spot.as_ref().map(|spot| &spot.value));
    mapping([
        ("table", json!(table.value)),
        ("keep", json!(keep.value)),
        ("column", text(column)),
        ("gate", json!(gate.value)),
        ("paired", mapping([("check", json!(check.value))])),
        ("not_before", text(not_before)),
    ])
}

#[cfg(test)]
mod tests;

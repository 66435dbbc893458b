//! Chunk policies and vector sets.

use std::collections::BTreeMap;

use super::codes;
use super::selection::units_ref;
use super::tree::{Entry, Node};
use super::walk::{Fields, one_of, optional, suggest, text, texts, usable_name, whole, whole_u32};
use crate::model::{
    ChunkPolicy, ChunkTemplate, Diagnostic, Diagnostics, Distance, EmptyBody, MaxDelete, PayloadIndex, PointIds,
    Rollout, Splitter, Spot, Template, VectorSet, VectorSpec,
};

/// Keys of a chunk policy.
pub(super) const POLICY_KEYS: &[&str] = &["splitter", "max_chars", "overlap_chars", "text", "empty_body"];
/// Keys of a vector set.
pub(super) const SET_KEYS: &[&str] =
    &["units", "chunk_policy", "vectors", "payload", "payload_indexes", "rollout", "ids", "max_delete"];
/// Keys of the choice of point ids.
pub(super) const POINT_IDS_KEYS: &[&str] = &["scheme", "namespace", "template"];
/// Keys of a vector, dense and sparse together.
pub(super) const VECTOR_KEYS: &[&str] = &["embedder", "distance", "sparse", "language"];

/// The text that is embedded when a policy does not say.
pub(super) const DEFAULT_TEXT: &str = "{title}\n\n{chunk}";
/// The language of BM25 when a vector does not say: the server's own default.
pub(super) const DEFAULT_LANGUAGE: &str = "english";
/// The embedder when a vector does not say.
pub(super) const DEFAULT_EMBEDDER: &str = "default";

const SPLITTERS: &[(&str, Splitter)] =
    &[("markdown", Splitter::Markdown), ("text", Splitter::Text), ("sentence", Splitter::Sentence)];
const EMPTY_BODIES: &[(&str, EmptyBody)] =
    &[("skip", EmptyBody::Skip), ("title", EmptyBody::Title), ("error", EmptyBody::Error)];
const DISTANCES: &[(&str, Distance)] = &[
    ("cosine", Distance::Cosine),
    ("dot", Distance::Dot),
    ("euclid", Distance::Euclid),
    ("manhattan", Distance::Manhattan),
];
const INDEXES: &[(&str, PayloadIndex)] = &[
    ("keyword", PayloadIndex::Keyword),
    ("uuid", PayloadIndex::Uuid),
    ("integer", PayloadIndex::Integer),
    ("float", PayloadIndex::Float),
    ("bool", PayloadIndex::Bool),
    ("datetime", PayloadIndex::Datetime),
    ("text", PayloadIndex::Text),
];
const ROLLOUTS: &[(&str, Rollout)] =
    &[("auto", Rollout::Auto), ("in_place", Rollout::InPlace), ("blue_green", Rollout::BlueGreen)];

/// How a set's points get their ids, as plans write it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Content,
    Key,
}

const SCHEMES: &[(&str, Scheme)] = &[("content", Scheme::Content), ("key", Scheme::Key)];

/// Reads one entry of `chunk_policies`.
pub(super) fn chunk_policy(name: &Spot<String>, node: &Node, out: &mut Diagnostics) -> Option<Spot<ChunkPolicy>> {
    let fields = Fields::open(node, &format!("chunk policy \"{}\"", name.value), &name.place, POLICY_KEYS, out)?;
    let splitter = fields.require("splitter", out).and_then(|node| one_of(node, "splitter", SPLITTERS, out));
    let max_chars = fields.require("max_chars", out).and_then(|node| whole_u32(node, "max_chars", 1, 1_000_000, out));
    let overlap_chars = optional(fields.get("overlap_chars"), |node| overlap(node, max_chars, out));
    let text = match fields.get("text") {
        None => template(DEFAULT_TEXT, node, out),
        Some(node) => text(node, "text", out).and_then(|written| template(&written.value, node, out)),
    };
    let empty_body = optional(fields.get("empty_body"), |node| one_of(node, "empty_body", EMPTY_BODIES, out));
    let value = ChunkPolicy {
        splitter: splitter?,
        max_chars: max_chars?,
        overlap_chars: overlap_chars?.unwrap_or(0),
        text: text?,
        empty_body: empty_body?,
    };
    Some(Spot { value, place: name.place.clone() })
}

fn overlap(node: &Node, max_chars: Option<u32>, out: &mut Diagnostics) -> Option<u32> {
    let overlap = whole_u32(node, "overlap_chars", 0, 1_000_000, out)?;
    match max_chars {
        Some(max) if overlap >= max => {
            let detail = format!("\"overlap_chars\" is {overlap} and \"max_chars\" is {max}; a chunk would never end");
            let hint = "make the overlap smaller than the chunk";
            out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&node.place).hint(hint));
            None
        }
        Some(_) | None => Some(overlap),
    }
}

fn template(written: &str, node: &Node, out: &mut Diagnostics) -> Option<ChunkTemplate> {
    match ChunkTemplate::parse(written) {
        Ok(template) => Some(template),
        Err(error) => {
            let hint = "write {chunk} where the chunk goes, such as \"{title}\\n\\n{chunk}\"";
            out.push(Diagnostic::error(codes::TEMPLATE, error.to_string()).at(&node.place).hint(hint));
            None
        }
    }
}

/// Reads one entry of `vector_sets`.
pub(super) fn vector_set(name: &Spot<String>, node: &Node, out: &mut Diagnostics) -> Option<VectorSet> {
    let fields = Fields::open(node, &format!("vector set \"{}\"", name.value), &name.place, SET_KEYS, out)?;
    let units = fields.require("units", out).and_then(|node| units_ref(node, out));
    let chunk_policy = fields.require_text("chunk_policy", out);
    let vectors = fields.require("vectors", out).and_then(|node| vectors(node, out));
    let payload = match fields.get("payload") {
        None => Some(Vec::new()),
        Some(node) => payload(node, out),
    };
    let payload_indexes = match fields.get("payload_indexes") {
        None => Some(BTreeMap::new()),
        Some(node) => indexes(node, out),
    };
    let rollout = optional(fields.get("rollout"), |node| one_of(node, "rollout", ROLLOUTS, out));
    if let (Some(payload), Some(indexes)) = (&payload, &payload_indexes) {
        check_indexes(payload, indexes, out);
    }
    let ids = optional(fields.entry("ids").map(|entry| &entry.value), |node| point_ids(node, out));
    let max_delete = optional(fields.get("max_delete"), |node| max_delete(node, out));
    Some(VectorSet {
        name: name.value.clone(),
        units: units?,
        chunk_policy: chunk_policy?,
        vectors: vectors?,
        payload: payload?,
        payload_indexes: payload_indexes?,
        rollout: rollout?.unwrap_or(Rollout::Auto),
        ids: ids?.unwrap_or_default(),
        max_delete: max_delete?.unwrap_or_default(),
        place: name.place.clone(),
    })
}

/// A number of points, or a percentage of those that are there.
fn max_delete(node: &Node, out: &mut Diagnostics) -> Option<MaxDelete> {
    let percent = node.scalar_text().and_then(|text| text.strip_suffix('%')?.trim().parse::<u64>().ok());
    match percent {
        Some(percent) if percent <= 100 => Some(MaxDelete::Percent(percent)),
        Some(_) => {
            let detail = "\"max_delete\" is more than all of them";
            let hint = "write a number of points, or a percentage up to 100%";
            out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&node.place).hint(hint));
            None
        }
        None => whole(node, "max_delete", 0, u64::from(u32::MAX), out).map(MaxDelete::Points),
    }
}

fn point_ids(node: &Node, out: &mut Diagnostics) -> Option<PointIds> {
    let fields = Fields::open(node, "\"ids\"", &node.place, POINT_IDS_KEYS, out)?;
    let scheme = fields.require("scheme", out).and_then(|node| one_of(node, "scheme", SCHEMES, out))?;
    if scheme == Scheme::Content {
        let misplaced = ["namespace", "template"].iter().find_map(|key| fields.entry(key));
        let Some(extra) = misplaced else { return Some(PointIds::Content) };
        let detail = format!("\"{}\" does not go with the id scheme content", extra.key.value);
        let hint = "write scheme: key, or leave it out";
        out.push(Diagnostic::error(codes::CONFLICT, detail).at(&extra.key.place).hint(hint));
        return None;
    }
    let namespace = fields.require_text("namespace", out).and_then(|written| {
        let parsed = uuid::Uuid::parse_str(&written.value).map(|uuid| uuid.hyphenated().to_string());
        if parsed.is_err() {
            let detail = format!("the namespace \"{}\" is not a uuid", written.value);
            let hint = "write the uuid under which the ids of the points are derived";
            out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&written.place).hint(hint));
        }
        parsed.ok()
    });
    let template = fields.require_text("template", out).and_then(|written| key_template(&written, out));
    Some(PointIds::Key { namespace: namespace?, template: template? })
}

/// A key has to name the unit and the chunk, or two chunks would have one point.
fn key_template(written: &Spot<String>, out: &mut Diagnostics) -> Option<String> {
    let hint = "such as \"iu.{unit.address}#chunk-{chunk.key}\"; there are unit.<field>, chunk.key and chunk.index";
    let names: Vec<String> = match Template::parse(&written.value) {
        Ok(template) => template.names().map(str::to_owned).collect(),
        Err(error) => {
            out.push(Diagnostic::error(codes::TEMPLATE, error.to_string()).at(&written.place).hint(hint));
            return None;
        }
    };
    let chunk = |name: &String| name == "chunk.key" || name == "chunk.index";
    let unit = |name: &String| name.starts_with("unit.");
    let detail = match names.iter().find(|name| !chunk(name) && !unit(name)) {
        Some(name) => format!("a key knows no value called \"{name}\""),
        None if !names.iter().any(unit) => format!("the key \"{}\" does not name the unit", written.value),
        None if !names.iter().any(chunk) => format!("the key \"{}\" does not name the chunk", written.value),
        None => return Some(written.value.clone()),
    };
    out.push(Diagnostic::error(codes::TEMPLATE, detail).at(&written.place).hint(hint));
    None
}

fn vectors(node: &Node, out: &mut Diagnostics) -> Option<BTreeMap<String, Spot<VectorSpec>>> {
    let fields = Fields::open_any(node, "\"vectors\"", &node.place, out)?;
    if fields.entries().is_empty() {
        let hint = "add one, such as dense: { embedder: default, distance: cosine }";
        out.push(Diagnostic::error(codes::INVALID_VALUE, "\"vectors\" names no vector").at(&node.place).hint(hint));
        return None;
    }
    let read: Vec<Option<_>> = fields.entries().iter().map(|entry| vector(entry, out)).collect();
    read.into_iter().collect()
}

fn vector(entry: &Entry, out: &mut Diagnostics) -> Option<(String, Spot<VectorSpec>)> {
    let name = &entry.key;
    // The one vector of a collection that names none is called "".
    let named = if name.value.is_empty() { Some(()) } else { usable_name(name, "a vector", out) };
    let fields = Fields::open(&entry.value, &format!("vector \"{}\"", name.value), &name.place, VECTOR_KEYS, out)?;
    let (other, keys) = match fields.get("sparse") {
        Some(_) => ("sparse", ["embedder", "distance"].as_slice()),
        None => ("embedder", ["language"].as_slice()),
    };
    let misplaced = keys.iter().find_map(|key| fields.entry(key));
    if let Some(extra) = misplaced {
        let detail = format!("\"{}\" does not go with a vector that has \"{other}\"", extra.key.value);
        let hint = "a vector is { embedder, distance } or { sparse: bm25, language }";
        out.push(Diagnostic::error(codes::CONFLICT, detail).at(&extra.key.place).hint(hint));
    }
    let spec = match fields.get("sparse") {
        Some(node) => bm25(&fields, node, out),
        None => dense(&fields, out),
    };
    named?;
    match misplaced {
        None => Some((name.value.clone(), Spot { value: spec?, place: name.place.clone() })),
        Some(_) => None,
    }
}

fn bm25(fields: &Fields<'_>, node: &Node, out: &mut Diagnostics) -> Option<VectorSpec> {
    let kind = one_of(node, "sparse", &[("bm25", ())], out);
    let language = fields.optional_text("language", out);
    kind?;
    let language = language?.map_or_else(|| DEFAULT_LANGUAGE.to_owned(), |language| language.value);
    Some(VectorSpec::Bm25 { language })
}

fn dense(fields: &Fields<'_>, out: &mut Diagnostics) -> Option<VectorSpec> {
    let embedder = fields.optional_text("embedder", out);
    let distance = optional(fields.get("distance"), |node| one_of(node, "distance", DISTANCES, out));
    let embedder = embedder?.map_or_else(|| DEFAULT_EMBEDDER.to_owned(), |embedder| embedder.value);
    Some(VectorSpec::Dense { embedder, distance: distance?.unwrap_or(Distance::Cosine) })
}

fn payload(node: &Node, out: &mut Diagnostics) -> Option<Vec<Spot<String>>> {
    let fields = texts(node, "payload", out)?;
    let mut complete = true;
    for (i, field) in fields.iter().enumerate() {
        if fields.iter().take(i).any(|earlier| earlier.value == field.value) {
            complete = false;
            let detail = format!("\"{}\" is in the payload already", field.value);
            out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&field.place).hint("keep one of the two"));
        }
    }
    complete.then_some(fields)
}

/// An index over a field that no point has would find nothing, and nobody would be told.
fn check_indexes(payload: &[Spot<String>], indexes: &BTreeMap<String, Spot<PayloadIndex>>, out: &mut Diagnostics) {
    let known: Vec<&str> = payload.iter().map(|field| field.value.as_str()).collect();
    for (field, index) in indexes.iter().filter(|(field, _)| !known.contains(&field.as_str())) {
        let detail = format!("\"payload_indexes\" names \"{field}\", which is not in the payload");
        out.push(Diagnostic::error(codes::UNKNOWN_NAME, detail).at(&index.place).hint(suggest(field, &known)));
    }
}

fn indexes(node: &Node, out: &mut Diagnostics) -> Option<BTreeMap<String, Spot<PayloadIndex>>> {
    let fields = Fields::open_any(node, "\"payload_indexes\"", &node.place, out)?;
    let read: Vec<Option<_>> = fields
        .entries()
        .iter()
        .map(|entry| {
            let value = one_of(&entry.value, &entry.key.value, INDEXES, out)?;
            Some((entry.key.value.clone(), Spot { value, place: entry.key.place.clone() }))
        })
        .collect();
    read.into_iter().collect()
}

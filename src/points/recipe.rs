//! What the points of a set are made with.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::model::{
    Binding, ChunkPolicy, Digest, EmptyBody, Identities, PointIds, Template, UnitFacts, VectorParams, VectorSet,
    VectorSpec, digest_of, unit_value,
};

/// What every point of a set is made with.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    /// Digest of the chunk policy.
    pub policy: Digest,
    /// Digest of embedders and sparse parameters.
    pub embedders: Digest,
    /// Digest of both and of the payload fields.
    pub whole: Digest,
    /// The collection's vectors.
    pub vectors: BTreeMap<String, VectorParams>,
    /// The collection's payload indexes.
    pub payload_indexes: BTreeMap<String, String>,
    /// Names of unit fields that go into text or payload.
    pub fields: BTreeSet<String>,
    /// What becomes of a unit without a body.
    pub empty_body: Option<EmptyBody>,
    /// How points get their ids.
    pub ids: PointIds,
}

/// Computes what every point of a set is made with.
///
/// # Errors
/// The name of an embedder that is not there.
pub fn recipe(
    set: &VectorSet,
    policy: &ChunkPolicy,
    identities: &Identities,
    binding: &Binding,
) -> Result<Recipe, String> {
    let mut vectors = BTreeMap::new();
    let mut makers = BTreeMap::new();
    for (name, spec) in &set.vectors {
        match &spec.value {
            VectorSpec::Dense { embedder, distance } => {
                let identity = identities.embedders.get(embedder).ok_or_else(|| embedder.clone())?;
                let dimension = u64::from(identity.dimension);
                vectors.insert(name.clone(), VectorParams::Dense { dimension, distance: distance.as_str().to_owned() });
                makers.insert(name.clone(), json!({ "dense": identity, "distance": distance.as_str() }));
            }
            VectorSpec::Bm25 { language } => {
                vectors.insert(name.clone(), VectorParams::Sparse { idf: true });
                makers.insert(name.clone(), json!({ "bm25": identities.sparse.get(language) }));
            }
        }
    }
    let mut fields: BTreeSet<String> = policy.text.template().names().map(str::to_owned).collect();
    let payload: Vec<&str> = set.payload.iter().map(|field| field.value.as_str()).collect();
    fields.extend(payload.iter().map(|field| (*field).to_owned()));
    let policy_digest = digest_of(&identities.policies.get(&set.chunk_policy.value));
    let embedders = digest_of(&makers);
    let templates: BTreeMap<&str, &Value> =
        payload.iter().filter_map(|field| Some((*field, binding.payload.get(*field)?))).collect();
    templates.values().for_each(|template| template_fields(template, &mut fields));
    let mut parts = vec![json!(policy_digest), json!(embedders), json!(payload)];
    // Only what is there goes in, so that sets without either keep the digests they have.
    if !templates.is_empty() {
        parts.push(json!(templates));
    }
    if set.ids.keyed() {
        parts.push(json!(set.ids));
    }
    let whole = digest_of(&parts);
    let payload_indexes =
        set.payload_indexes.iter().map(|(field, kind)| (field.clone(), kind.value.as_str().to_owned())).collect();
    let (empty_body, ids) = (policy.empty_body, set.ids.clone());
    Ok(Recipe { policy: policy_digest, embedders, whole, vectors, payload_indexes, fields, empty_body, ids })
}

/// The fields of units that a payload template names.
pub fn template_fields(template: &Value, out: &mut BTreeSet<String>) {
    match template {
        Value::String(text) => {
            let names: Vec<String> =
                Template::parse(text).map(|template| template.names().map(str::to_owned).collect()).unwrap_or_default();
            out.extend(names.iter().filter_map(|name| name.strip_prefix("unit.")).map(str::to_owned));
        }
        Value::Array(items) => items.iter().for_each(|item| template_fields(item, out)),
        Value::Object(map) => map.values().for_each(|item| template_fields(item, out)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A unit in the state that the plan makes: texts and payloads show that one.
pub fn with_state(unit: &UnitFacts, overlay: &BTreeMap<String, String>) -> UnitFacts {
    let mut unit = unit.clone();
    if let Some(state) = overlay.get(&unit.id) {
        unit.lifecycle.clone_from(state);
    }
    unit
}

/// Digest of everything a unit's points are made from.
pub fn input_digest(set: &str, recipe: &Recipe, unit: &UnitFacts, overlay: &BTreeMap<String, String>) -> Digest {
    let made_with = MadeWith { recipe: &recipe.whole, fields: &recipe.fields, empty_body: recipe.empty_body };
    input_digest_of(set, made_with, &with_state(unit, overlay))
}

/// What of a recipe decides what a unit's points are made from.
#[derive(Debug, Clone, Copy)]
pub struct MadeWith<'a> {
    /// Its digest.
    pub recipe: &'a Digest,
    /// The fields of units that it reads.
    pub fields: &'a BTreeSet<String>,
    /// What becomes of a unit without a body.
    pub empty_body: Option<EmptyBody>,
}

/// The same with what is written down of a recipe.
pub fn input_digest_of(set: &str, made_with: MadeWith<'_>, unit: &UnitFacts) -> Digest {
    let MadeWith { recipe, fields, empty_body } = made_with;
    let values: BTreeMap<&str, Option<Value>> =
        fields.iter().map(|field| (field.as_str(), unit_value(unit, field))).collect();
    let parts = (set, &unit.id, &unit.address, &unit.content_hash, recipe, values);
    match (unit.empty_body, empty_body) {
        (false, _) => digest_of(&parts),
        (true, Some(EmptyBody::Title)) => digest_of(&(parts, "title", &unit.title)),
        (true, _) => digest_of(&(parts, "nothing")),
    }
}

//! Vector sets: which points should exist against which do.
//!
//! Ids are digests of everything a point is made from ([`PointIdentity`]), so the id set alone is the difference: an id
//! that is there is right, one that is not has to be made, one that is no longer wanted goes. What earlier applies own says
//! which ids belong to a unit without reading its text; texts are read only for units whose input digest is another one,
//! or whose points are gone, or when the collection was not written by the run that the database remembers.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::change::{ChunkPlan, ChunkSource, LedgerWrite, Reason, UnitPoints, VectorChange};
use super::ledger::ledger_key;
use super::rollout::{Facts, choose};
use super::scope::unit_value;
use super::shape::differences;
use crate::model::{
    Address, Binding, ChunkFacts, ChunkPolicy, Diagnostic, Digest, Identities, Observed, PointId, PointIdentity,
    UnitFacts, VectorParams, VectorSet, VectorSpec, digest_of,
};

/// The collection metadata key under which the run that wrote it is stamped.
pub const GENERATION_KEY: &str = "enact_generation";

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
}

/// What is remembered about an applied set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetRecord {
    /// Digest of the embedders then.
    pub embedders: Digest,
    /// The run that last wrote the collection.
    pub generation: String,
}

/// What is remembered about the points of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// The unit's address then.
    pub address: String,
    /// Its chunks.
    pub chunks: Vec<OwnedChunk>,
}

/// One chunk of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnedChunk {
    /// The point.
    pub id: PointId,
    /// Digest of the text as embedded.
    pub text: Digest,
    /// SHA-256 of the chunk's own text.
    pub sha256: String,
}

/// Computes what every point of a set is made with.
///
/// # Errors
/// The name of an embedder that is not there.
pub fn recipe(set: &VectorSet, policy: &ChunkPolicy, identities: &Identities) -> Result<Recipe, String> {
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
    let whole = digest_of(&json!([policy_digest, embedders, payload]));
    let payload_indexes =
        set.payload_indexes.iter().map(|(field, kind)| (field.clone(), kind.value.as_str().to_owned())).collect();
    Ok(Recipe { policy: policy_digest, embedders, whole, vectors, payload_indexes, fields })
}

/// The collection behind a set's name and whether the name is an alias; `None` when there is neither.
pub fn live_collection(set: &str, observed: &Observed) -> Option<(String, bool)> {
    match observed.aliases.get(set) {
        Some(collection) => Some((collection.clone(), true)),
        None => observed.collections.contains_key(set).then(|| (set.to_owned(), false)),
    }
}

/// The payload that an author asked for, of one chunk. `text` is the chunk's own text, or what stands for it in a digest.
pub fn payload(fields: &[String], unit: &UnitFacts, chunk: &ChunkView<'_>, text: Value) -> Map<String, Value> {
    let mut out = Map::new();
    for field in fields {
        let value = match field.as_str() {
            "unit_id" => Some(Value::from(unit.id.as_str())),
            "chunk_index" => Some(Value::from(chunk.ordinal)),
            "chunk_count" => Some(Value::from(chunk.count)),
            "content_digest" => Some(Value::from(chunk.sha256)),
            "point_key" => Some(Value::from(chunk.key)),
            "text" => Some(text.clone()),
            other => unit_value(unit, other),
        };
        out.insert(field.clone(), value.unwrap_or(Value::Null));
    }
    out
}

/// A chunk as payloads and ledgers see it.
#[derive(Debug, Clone, Copy)]
pub struct ChunkView<'a> {
    /// Its place, from 0.
    pub ordinal: u32,
    /// How many there are.
    pub count: u32,
    /// SHA-256 of its own text.
    pub sha256: &'a str,
    /// Its key, empty without a ledger.
    pub key: &'a str,
}

/// The units of each set whose text has to be read.
pub fn units_needing_text(
    resolved: &super::Resolved,
    observed: &Observed,
    recipes: &BTreeMap<String, Recipe>,
) -> BTreeMap<String, Vec<String>> {
    let mut out = BTreeMap::new();
    for (set, recipe) in recipes {
        let view = SetView::new(set, recipe, observed, &resolved.overlay);
        let needing: Vec<String> = resolved
            .sets
            .get(set)
            .into_iter()
            .flatten()
            .filter(|id| observed.units.get(*id).is_some_and(|unit| view.known_chunks(unit).is_none()))
            .cloned()
            .collect();
        out.insert(set.clone(), needing);
    }
    out
}

pub(super) struct SetView<'a> {
    set: &'a str,
    recipe: &'a Recipe,
    pub(super) observed: &'a Observed,
    overlay: &'a BTreeMap<String, String>,
    pub(super) record: Option<SetRecord>,
    pub(super) trusted: bool,
    live: &'a BTreeSet<PointId>,
}

/// A unit in the state that the plan makes: texts and payloads show that one.
pub fn with_state(unit: &UnitFacts, overlay: &BTreeMap<String, String>) -> UnitFacts {
    let mut unit = unit.clone();
    if let Some(state) = overlay.get(&unit.id) {
        unit.lifecycle.clone_from(state);
    }
    unit
}

static NO_POINTS: BTreeSet<PointId> = BTreeSet::new();

impl<'a> SetView<'a> {
    pub(super) fn new(
        set: &'a str,
        recipe: &'a Recipe,
        observed: &'a Observed,
        overlay: &'a BTreeMap<String, String>,
    ) -> SetView<'a> {
        let record: Option<SetRecord> = observed
            .managed
            .get(&Address::vector_set(set))
            .and_then(|managed| serde_json::from_value(managed.attributes.clone()).ok());
        let stamped = live_collection(set, observed)
            .and_then(|(name, _)| observed.collections.get(&name))
            .and_then(|facts| facts.metadata.get(GENERATION_KEY));
        let trusted = match (&record, stamped) {
            (Some(record), Some(stamped)) => record.generation == *stamped,
            (Some(_) | None, Some(_) | None) => false,
        };
        let live = observed.points.get(set).unwrap_or(&NO_POINTS);
        SetView { set, recipe, observed, overlay, record, trusted, live }
    }

    fn owned(&self, unit: &str) -> Option<(Digest, Ownership)> {
        let managed = self.observed.managed.get(&Address::vector_unit(self.set, unit))?;
        Some((managed.digest.clone(), serde_json::from_value(managed.attributes.clone()).ok()?))
    }

    /// Every unit that has points, by id.
    fn owned_units(&self) -> BTreeMap<String, Ownership> {
        let prefix = format!("{}[", Address::vector_set(self.set));
        let from = Address::from_text(prefix.clone());
        self.observed
            .managed
            .range(from..)
            .take_while(|(address, _)| address.as_str().starts_with(&prefix))
            .filter_map(|(address, managed)| {
                let quoted = address.as_str().strip_prefix(&prefix)?.strip_suffix(']')?;
                let id: String = serde_json::from_str(quoted).ok()?;
                Some((id, serde_json::from_value(managed.attributes.clone()).ok()?))
            })
            .collect()
    }

    /// Digest of everything a unit's points are made from.
    fn input(&self, unit: &UnitFacts) -> Digest {
        let unit = &with_state(unit, self.overlay);
        let values: BTreeMap<&str, Option<Value>> =
            self.recipe.fields.iter().map(|field| (field.as_str(), unit_value(unit, field))).collect();
        digest_of(&json!([self.set, unit.id, unit.address, unit.content_hash, self.recipe.whole, values]))
    }

    /// The chunks a unit has without reading its text, when they can be relied on.
    fn known_chunks(&self, unit: &UnitFacts) -> Option<Ownership> {
        let (digest, owned) = self.owned(&unit.id)?;
        let there = owned.chunks.iter().all(|chunk| self.live.contains(&chunk.id));
        (self.trusted && there && digest == self.input(unit)).then_some(owned)
    }

    /// Whether chunk policy, embedders and payload fields are those of the last apply.
    pub(super) fn same_recipe(&self) -> bool {
        let managed = self.observed.managed.get(&Address::vector_set(self.set));
        managed.is_some_and(|managed| managed.digest == self.recipe.whole)
    }

    fn reason(&self, unit: &UnitFacts, chunks: &[ChunkPlan]) -> Reason {
        let Some((digest, owned)) = self.owned(&unit.id) else { return Reason::UnitJoins };
        let missing = owned.chunks.iter().filter(|chunk| !self.live.contains(&chunk.id)).count() as u64;
        if !self.trusted {
            Reason::EpochChanged
        } else if missing > 0 {
            Reason::PointsMissing(missing)
        } else if !self.same_recipe() {
            Reason::RecipeChanged
        } else if digest != self.input(unit) && chunks.iter().any(ChunkPlan::is_embedded) {
            Reason::ContentChanged
        } else {
            Reason::PayloadChanged
        }
    }
}

/// What `compare_set` needs beside the observation.
pub(super) struct SetInput<'a> {
    pub set: &'a VectorSet,
    pub policy: &'a ChunkPolicy,
    pub recipe: &'a Recipe,
    pub binding: &'a Binding,
    pub units: &'a [String],
    /// States that units will have, by unit id.
    pub overlay: &'a BTreeMap<String, String>,
}

/// Compares one set. Gives the points that stay and, where anything differs, the change with its reasons.
///
/// # Errors
/// A rollout that cannot make the change.
pub(super) fn compare_set(input: &SetInput<'_>, observed: &Observed) -> Result<Compared, Diagnostic> {
    let view = SetView::new(&input.set.name, input.recipe, observed, input.overlay);
    let mut diff = SetDiff {
        view: &view,
        input,
        units: Vec::new(),
        ledger: Vec::new(),
        kept: 0,
        wanted: BTreeSet::new(),
        expected_keys: BTreeSet::new(),
        skipped: Vec::new(),
    };
    for id in input.units {
        if let Some(unit) = observed.units.get(id) {
            diff.unit(unit);
        }
    }
    let wanted: BTreeSet<&String> = input.units.iter().collect();
    let owned = view.owned_units();
    for (id, ownership) in owned.iter().filter(|(id, _)| !wanted.contains(id)) {
        diff.leaves(id, ownership);
    }
    diff.ledger_gone(&owned);
    let all_owned: BTreeSet<&PointId> = owned.values().flat_map(|o| o.chunks.iter().map(|c| &c.id)).collect();
    let foreign = view.live.iter().filter(|id| !all_owned.contains(id) && !diff.wanted.contains(*id)).count() as u64;
    let shape = differences(&input.set.name, input.recipe, observed);
    let SetDiff { units, ledger, kept, skipped, .. } = diff;
    if units.is_empty() && ledger.is_empty() && shape.is_empty() {
        return Ok((kept, None));
    }
    let mut reasons: BTreeSet<Reason> = units.iter().map(|unit| unit.reason.clone()).collect();
    reasons.extend(shape.all().map(Reason::ShapeChanged));
    if reasons.is_empty() {
        reasons.insert(Reason::ValuesDiffer);
    }
    let tokens = units
        .iter()
        .flat_map(|unit| &unit.chunks)
        .map(|chunk| match chunk.source {
            ChunkSource::Embed { tokens } => tokens,
            ChunkSource::Kept | ChunkSource::Copy { .. } | ChunkSource::Image { .. } => 0,
        })
        .sum();
    let collection = choose(&Facts {
        set: input.set,
        live: live_collection(&input.set.name, observed),
        shape: &shape,
        recipe_changed: reasons.contains(&Reason::RecipeChanged),
        changed: units.iter().map(points_changed).sum(),
        there: view.live.len() as u64,
    })?;
    let change = VectorChange {
        set: input.set.name.clone(),
        recipe: input.recipe.whole.clone(),
        collection,
        units,
        kept,
        foreign,
        tokens,
        ledger,
        skipped_empty: skipped,
        back: None,
    };
    Ok((0, Some((change, reasons.into_iter().collect()))))
}

/// The points that stay and, where anything differs, the change with its reasons.
pub(super) type Compared = (u64, Option<(VectorChange, Vec<Reason>)>);

fn points_changed(unit: &UnitPoints) -> u64 {
    let written = unit.chunks.iter().filter(|chunk| chunk.source != ChunkSource::Kept).count();
    (written + unit.delete.len()) as u64
}

pub(super) struct SetDiff<'a> {
    pub(super) view: &'a SetView<'a>,
    pub(super) input: &'a SetInput<'a>,
    units: Vec<UnitPoints>,
    pub(super) ledger: Vec<LedgerWrite>,
    kept: u64,
    wanted: BTreeSet<PointId>,
    pub(super) expected_keys: BTreeSet<String>,
    skipped: Vec<String>,
}

impl SetDiff<'_> {
    fn unit(&mut self, unit: &UnitFacts) {
        if unit.empty_body && self.input.policy.empty_body == Some(crate::model::EmptyBody::Skip) {
            self.skipped.push(unit.address.clone());
        }
        if let Some(owned) = self.view.known_chunks(unit) {
            self.kept += owned.chunks.len() as u64;
            let chunks: Vec<(PointId, String)> =
                owned.chunks.iter().map(|c| (c.id.clone(), c.sha256.clone())).collect();
            self.wanted.extend(owned.chunks.into_iter().map(|chunk| chunk.id));
            self.ledger_rows(unit, &chunks);
            return;
        }
        let set = &self.input.set.name;
        let facts: &[ChunkFacts] =
            self.view.observed.chunks.get(set).and_then(|units| units.get(&unit.id)).map_or(&[], Vec::as_slice);
        let owned = self.view.owned(&unit.id).map(|(_, owned)| owned);
        let chunks: Vec<ChunkPlan> =
            facts.iter().map(|chunk| self.chunk(unit, chunk, facts.len(), owned.as_ref())).collect();
        self.kept += chunks.iter().filter(|chunk| chunk.source == ChunkSource::Kept).count() as u64;
        self.wanted.extend(chunks.iter().map(|chunk| chunk.id.clone()));
        let rows: Vec<(PointId, String)> = chunks.iter().map(|c| (c.id.clone(), c.sha256.clone())).collect();
        self.ledger_rows(unit, &rows);
        let delete = self.gone(owned.as_ref(), &chunks);
        let reason = self.view.reason(unit, &chunks);
        self.units.push(UnitPoints {
            unit: unit.id.clone(),
            address: unit.address.clone(),
            title: unit.title.clone(),
            input: Some(self.view.input(unit)),
            reason,
            chunks,
            delete,
        });
    }

    fn gone(&self, owned: Option<&Ownership>, chunks: &[ChunkPlan]) -> Vec<PointId> {
        let stay: BTreeSet<&PointId> = chunks.iter().map(|chunk| &chunk.id).collect();
        owned
            .into_iter()
            .flat_map(|owned| &owned.chunks)
            .map(|chunk| &chunk.id)
            .filter(|id| !stay.contains(id) && self.view.live.contains(*id))
            .cloned()
            .collect()
    }

    fn chunk(&self, unit: &UnitFacts, chunk: &ChunkFacts, count: usize, owned: Option<&Ownership>) -> ChunkPlan {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let key = ledger_key(self.input.binding, &self.input.set.name, unit, chunk.ordinal).unwrap_or_default();
        let view = ChunkView { ordinal: chunk.ordinal, count, sha256: &chunk.sha256, key: &key };
        let fields: Vec<String> = self.input.set.payload.iter().map(|field| field.value.clone()).collect();
        let payload = payload(&fields, &with_state(unit, self.view.overlay), &view, json!({ "sha256": chunk.sha256 }));
        let id = PointIdentity {
            set: self.input.set.name.clone(),
            unit: unit.id.clone(),
            ordinal: chunk.ordinal,
            text: chunk.text.clone(),
            payload: digest_of(&payload),
            policy: self.input.recipe.policy.clone(),
            embedders: self.input.recipe.embedders.clone(),
        }
        .id();
        let same_makers =
            self.view.record.as_ref().is_some_and(|record| record.embedders == self.input.recipe.embedders);
        let twin = owned
            .filter(|_| same_makers && self.view.trusted)
            .and_then(|owned| owned.chunks.iter().find(|o| o.text == chunk.text && self.view.live.contains(&o.id)));
        let source = match twin {
            _ if self.view.live.contains(&id) => ChunkSource::Kept,
            Some(twin) => ChunkSource::Copy { from: twin.id.clone() },
            None => ChunkSource::Embed { tokens: chunk.tokens },
        };
        ChunkPlan { ordinal: chunk.ordinal, id, text: chunk.text.clone(), sha256: chunk.sha256.clone(), source }
    }

    fn leaves(&mut self, id: &str, owned: &Ownership) {
        let delete: Vec<PointId> =
            owned.chunks.iter().map(|c| c.id.clone()).filter(|id| self.view.live.contains(id)).collect();
        let title = self.view.observed.units.get(id).map(|unit| unit.title.clone()).unwrap_or_default();
        self.units.push(UnitPoints {
            unit: id.to_owned(),
            address: owned.address.clone(),
            title,
            input: None,
            reason: Reason::UnitLeaves,
            chunks: Vec::new(),
            delete,
        });
    }
}

//! Vector sets: which points should exist against which do.
//!
//! Ids are digests of everything a point is made from ([`PointIdentity`]), so the id set alone is the difference: an id
//! that is there is right, one that is not has to be made, one that is no longer wanted goes. What earlier applies own says
//! which ids belong to a unit without reading its text; texts are read only for units whose input digest is another one,
//! or whose points are gone, or when the collection was not written by the run that the database remembers.
//!
//! In the id scheme `key` a point may change under its id, so ids alone say too little: what stands in each live point
//! ([`Observed::digests`]) is compared with what was written there. The same comparison makes the collection's stamp
//! needless. A server that keeps no metadata keeps no stamp: there, ids are believed without one, because each is a digest
//! of what it stands for. A point at the id of a chunk that Enact has not written is somebody's: it is never overwritten,
//! it has to be adopted first.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::change::{ChunkPlan, ChunkSource, CollectionChange, LedgerWrite, Reason, UnitPoints, VectorChange};
use super::rollout::{Facts, choose};
use super::shape::differences;
use super::taken_ids::Problems;
use crate::model::{
    Address, Binding, ChunkFacts, ChunkPolicy, CollectionMetadata, Diagnostic, Digest, LivePoints, Observed,
    OwnedChunk, Ownership, PointId, PointIds, RecordedUnit, Selection, SetRecord, UnitFacts, VectorSet, digest_of,
};
use crate::points::{
    Asked, ChunkView, GENERATION_KEY, PointIdentity, Recipe, chunk_id, input_digest, ledger_key, payload,
    text_stand_in, with_state,
};

/// The collection behind a set's name and whether the name is an alias; `None` when there is neither.
pub fn live_collection(set: &str, observed: &Observed) -> Option<(String, bool)> {
    match observed.aliases.get(set) {
        Some(collection) => Some((collection.clone(), true)),
        None => observed.collections.contains_key(set).then(|| (set.to_owned(), false)),
    }
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
            .filter(|id| observed.units_after().get(*id).is_some_and(|unit| view.known_chunks(unit).is_none()))
            .cloned()
            .collect();
        out.insert(set.clone(), needing);
    }
    out
}

/// Whether a set is declared, and its collection shaped, as the last apply left it.
pub fn is_as_applied(set: &VectorSet, recipe: &Recipe, selection: &Selection, observed: &Observed) -> bool {
    let nothing_moves = BTreeMap::new();
    let view = SetView::new(&set.name, recipe, observed, &nothing_moves);
    let same = |record: &SetRecord| {
        !record.forgotten && record.selection.as_ref() == Some(selection) && record.empty_body == recipe.empty_body
    };
    view.trusted
        && view.same_recipe()
        && view.record.as_ref().is_some_and(same)
        && differences(&set.name, recipe, observed).is_empty()
}

pub(super) struct SetView<'a> {
    set: &'a str,
    recipe: &'a Recipe,
    pub(super) observed: &'a Observed,
    overlay: &'a BTreeMap<String, String>,
    pub(super) record: Option<SetRecord>,
    pub(super) trusted: bool,
    recorded: Option<&'a BTreeMap<String, RecordedUnit>>,
    live: Option<&'a LivePoints>,
    /// What is written down to stand in each point; made when the first chunk is looked for.
    written: OnceCell<BTreeMap<PointId, Option<Digest>>>,
    replace: Option<&'a BTreeSet<String>>,
}

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
        let metadata = live_collection(set, observed)
            .and_then(|(name, _)| observed.collections.get(&name))
            .map(|facts| &facts.metadata);
        let trusted = match (&record, metadata) {
            (Some(_), _) if recipe.ids.keyed() => true,
            (Some(_), Some(CollectionMetadata::NotKept { server: _ })) => true,
            (Some(record), Some(metadata)) => metadata.get(GENERATION_KEY) == Some(record.generation.as_str()),
            (Some(_) | None, None) | (None, Some(_)) => false,
        };
        SetView {
            set,
            recipe,
            observed,
            overlay,
            record,
            trusted,
            recorded: observed.recorded.get(set),
            live: observed.points.get(set),
            written: OnceCell::new(),
            replace: observed.replace.get(set),
        }
    }

    pub(super) fn written(&self) -> &BTreeMap<PointId, Option<Digest>> {
        self.written.get_or_init(|| {
            let chunks = self.recorded.into_iter().flatten().flat_map(|(_, unit)| &unit.owned.chunks);
            chunks.map(|chunk| (chunk.id, chunk.digest)).collect()
        })
    }

    /// What stands in a live point, where points may change under their ids.
    pub(super) fn stands(&self, id: &PointId) -> Option<Digest> {
        let live = self.live?;
        if let Some(other) = live.changed.get(id) {
            return Some(*other);
        }
        match self.written().get(id) {
            Some(_) if live.missing.contains(id) => None,
            Some(digest) => *digest,
            None => live.others.get(id).copied().flatten(),
        }
    }

    /// Whether the point is there as it was written.
    fn intact(&self, chunk: &OwnedChunk) -> bool {
        self.live.is_some_and(|live| !live.missing.contains(&chunk.id) && !live.changed.contains_key(&chunk.id))
    }

    /// Whether a point that is written down is there and holds something else.
    fn is_changed(&self, id: &PointId) -> bool {
        self.live.is_some_and(|live| live.changed.contains_key(id))
    }

    fn is_missing(&self, id: &PointId) -> bool {
        self.live.is_none_or(|live| live.missing.contains(id))
    }

    pub(super) fn is_live(&self, id: &PointId) -> bool {
        let Some(live) = self.live else { return false };
        if self.written().contains_key(id) { !live.missing.contains(id) } else { live.others.contains_key(id) }
    }

    /// Points that are there, whoever made them.
    pub(super) fn total(&self) -> u64 {
        self.live.map_or(0, |live| live.total)
    }

    /// Points that are there and written down.
    pub(super) fn owned_live(&self) -> u64 {
        let Some(live) = self.live else { return 0 };
        let read: usize = self.recorded.into_iter().flatten().map(|(_, unit)| unit.owned.chunks.len()).sum();
        (read as u64 + self.unread()).saturating_sub(live.missing.len() as u64)
    }

    /// Points of units that are as the last apply left them, and were not read.
    fn unread(&self) -> u64 {
        self.observed.unread.get(self.set).map_or(0, |unread| unread.points)
    }

    /// Whether a unit's points are made anew whatever the comparison says.
    fn is_replaced(&self, unit: &UnitFacts) -> bool {
        let named =
            |units: &BTreeSet<String>| units.is_empty() || units.contains(&unit.id) || units.contains(&unit.address);
        self.replace.is_some_and(named)
    }

    pub(super) fn owned(&self, unit: &str) -> Option<&'a RecordedUnit> {
        self.recorded.and_then(|units| units.get(unit))
    }

    /// Every unit that has points, by id.
    pub(super) fn owned_units(&self) -> impl Iterator<Item = (&'a String, &'a Ownership)> {
        self.recorded.into_iter().flatten().map(|(id, unit)| (id, &unit.owned))
    }

    /// Digest of everything a unit's points are made from.
    pub(super) fn input(&self, unit: &UnitFacts) -> Digest {
        input_digest(self.set, self.recipe, unit, self.overlay)
    }

    /// The chunks a unit has without reading its text, when they can be relied on.
    fn known_chunks(&self, unit: &UnitFacts) -> Option<&'a Ownership> {
        let RecordedUnit { input, owned } = self.owned(&unit.id)?;
        let there = owned.chunks.iter().all(|chunk| self.intact(chunk));
        (self.trusted && there && !self.is_replaced(unit) && *input == self.input(unit)).then_some(owned)
    }

    /// Whether chunk policy, embedders and payload fields are those of the last apply.
    pub(super) fn same_recipe(&self) -> bool {
        let managed = self.observed.managed.get(&Address::vector_set(self.set));
        managed.is_some_and(|managed| managed.digest == self.recipe.whole)
    }

    /// Whether something else is declared of the set than what is written down, whatever that makes of its points.
    fn is_declared_otherwise(&self, selection: &Selection) -> bool {
        let Some(record) = &self.record else { return false };
        record.selection.as_ref().is_some_and(|recorded| recorded != selection)
            || record.empty_body != self.recipe.empty_body
            || !self.same_recipe()
    }

    /// Points that are there and neither written down nor wanted.
    fn foreign(&self, wanted: &BTreeSet<PointId>) -> u64 {
        let others = self.live.into_iter().flat_map(|live| live.others.keys());
        let taken = others.filter(|id| wanted.contains(id)).count() as u64;
        self.total().saturating_sub(self.owned_live()).saturating_sub(taken)
    }

    fn reason(&self, unit: &UnitFacts, chunks: &[ChunkPlan]) -> Reason {
        let Some(RecordedUnit { input, owned }) = self.owned(&unit.id) else { return Reason::UnitJoins };
        let missing = owned.chunks.iter().filter(|chunk| self.is_missing(&chunk.id)).count() as u64;
        let changed = owned.chunks.iter().filter(|chunk| self.is_changed(&chunk.id)).count() as u64;
        if self.is_replaced(unit) {
            Reason::Replaced
        } else if !self.trusted {
            Reason::EpochChanged
        } else if missing > 0 {
            Reason::PointsMissing(missing)
        } else if changed > 0 {
            Reason::PointsChanged(changed)
        } else if !self.same_recipe() {
            Reason::RecipeChanged
        } else if *input != self.input(unit) && chunks.iter().any(ChunkPlan::is_embedded) {
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
    pub selection: &'a Selection,
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
        kept: view.unread(),
        wanted: BTreeSet::new(),
        expected_keys: BTreeSet::new(),
        skipped: Vec::new(),
        problems: Problems::default(),
    };
    for id in input.units {
        if let Some(unit) = observed.units_after().get(id) {
            diff.unit(unit);
        }
    }
    let wanted: BTreeSet<&String> = input.units.iter().collect();
    for (id, ownership) in view.owned_units().filter(|(id, _)| !wanted.contains(id)) {
        diff.leaves(id, ownership);
    }
    diff.keep_taken_over();
    diff.ledger_gone();
    diff.problems.check(input.set, &view)?;
    let foreign = view.foreign(&diff.wanted);
    let shape = differences(&input.set.name, input.recipe, observed);
    let SetDiff { units, ledger, kept, skipped, .. } = diff;
    let returns = view.record.as_ref().is_some_and(|record| record.forgotten);
    let otherwise = view.is_declared_otherwise(input.selection);
    let points_stay = units.is_empty() && ledger.is_empty() && shape.is_empty();
    if points_stay && !(returns || otherwise) {
        return Ok((kept, None));
    }
    let mut reasons: BTreeSet<Reason> = units.iter().map(|unit| unit.reason.clone()).collect();
    reasons.extend(shape.all().map(Reason::ShapeChanged));
    reasons.extend(returns.then_some(Reason::DeclaredAgain));
    reasons.extend((points_stay && otherwise).then_some(Reason::DeclaredOtherwise));
    if reasons.is_empty() {
        reasons.insert(Reason::ValuesDiffer);
    }
    let tokens = units.iter().flat_map(|unit| &unit.chunks).map(tokens_of).sum();
    let live = live_collection(&input.set.name, observed);
    let collection = match live {
        Some((live, _)) if points_stay && view.trusted && view.same_recipe() => CollectionChange::Adopt { live },
        live => choose(&Facts {
            set: input.set,
            live,
            shape: &shape,
            recipe_changed: reasons.contains(&Reason::RecipeChanged),
            changed: units.iter().map(points_changed).sum(),
            there: view.total(),
        })?,
    };
    let change = VectorChange {
        set: input.set.name.clone(),
        recipe: input.recipe.whole,
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

/// Tokens that are embedded for a chunk.
fn tokens_of(chunk: &ChunkPlan) -> u64 {
    match chunk.source {
        ChunkSource::Embed { tokens } => tokens,
        ChunkSource::Kept | ChunkSource::Copy { .. } | ChunkSource::Image { .. } => 0,
    }
}

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
    problems: Problems,
}

impl SetDiff<'_> {
    fn unit(&mut self, unit: &UnitFacts) {
        if unit.empty_body && self.input.policy.empty_body == Some(crate::model::EmptyBody::Skip) {
            self.skipped.push(unit.address.clone());
        }
        if let Some(owned) = self.view.known_chunks(unit) {
            self.kept += owned.chunks.len() as u64;
            let chunks: Vec<(PointId, String)> = owned.chunks.iter().map(|c| (c.id, c.sha256.clone())).collect();
            self.wanted.extend(owned.chunks.iter().map(|chunk| chunk.id));
            self.ledger_rows(unit, &chunks);
            return;
        }
        let set = &self.input.set.name;
        let facts: &[ChunkFacts] =
            self.view.observed.chunks.get(set).and_then(|units| units.get(&unit.id)).map_or(&[], Vec::as_slice);
        let owned = self.view.owned(&unit.id).map(|unit| &unit.owned);
        let chunks: Vec<ChunkPlan> = facts.iter().map(|chunk| self.chunk(unit, chunk, facts.len(), owned)).collect();
        for chunk in &chunks {
            if chunk.source == ChunkSource::Kept {
                self.kept += 1;
            } else if self.view.is_live(&chunk.id) {
                self.problems.taken.push((chunk.id, unit.address.clone()));
            }
            if !self.wanted.insert(chunk.id) {
                self.problems.twice.push(unit.address.clone());
            }
        }
        let rows: Vec<(PointId, String)> = chunks.iter().map(|c| (c.id, c.sha256.clone())).collect();
        self.ledger_rows(unit, &rows);
        let delete = self.gone(owned, &chunks);
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
            .filter(|id| !stay.contains(id) && !self.view.is_missing(id))
            .copied()
            .collect()
    }

    /// A point that one unit gives up and another one takes is written anew, and does not go.
    fn keep_taken_over(&mut self) {
        for unit in &mut self.units {
            unit.delete.retain(|id| !self.wanted.contains(id));
        }
    }

    fn chunk(&self, unit: &UnitFacts, chunk: &ChunkFacts, count: usize, owned: Option<&Ownership>) -> ChunkPlan {
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let key = ledger_key(self.input.binding, &self.input.set.name, unit, chunk.ordinal).unwrap_or_default();
        let view = ChunkView { ordinal: chunk.ordinal, count, sha256: &chunk.sha256, key: &key };
        let fields: Vec<String> = self.input.set.payload.iter().map(|field| field.value.clone()).collect();
        let asked = Asked { fields: &fields, templates: &self.input.binding.payload };
        let payload = payload(&asked, &with_state(unit, self.view.overlay), &view, text_stand_in(&chunk.sha256));
        let identity = PointIdentity {
            set: self.input.set.name.clone(),
            unit: unit.id.clone(),
            ordinal: chunk.ordinal,
            text: chunk.text,
            payload: digest_of(&payload),
            policy: self.input.recipe.policy,
            embedders: self.input.recipe.embedders,
        };
        let (id, digest) = match &self.input.recipe.ids {
            PointIds::Content => (identity.id(), None),
            PointIds::Key { namespace, template } => {
                (chunk_id(namespace, template, unit, chunk.ordinal), Some(identity.digest()))
            }
        };
        let there = self.view.is_live(&id) && !self.view.is_changed(&id) && !self.view.is_replaced(unit);
        let right = there && (digest.is_none() || self.view.stands(&id) == digest);
        let source = match self.twin(chunk, owned) {
            _ if right => ChunkSource::Kept,
            Some(_) if self.view.is_replaced(unit) => ChunkSource::Embed { tokens: chunk.tokens },
            Some(twin) => ChunkSource::Copy { from: twin.id },
            None => ChunkSource::Embed { tokens: chunk.tokens },
        };
        ChunkPlan { ordinal: chunk.ordinal, id, text: chunk.text, sha256: chunk.sha256.clone(), digest, source }
    }

    /// A point of the unit that has the same text and was made in the same way.
    fn twin<'o>(&self, chunk: &ChunkFacts, owned: Option<&'o Ownership>) -> Option<&'o OwnedChunk> {
        let same_makers =
            self.view.record.as_ref().is_some_and(|record| record.embedders == self.input.recipe.embedders);
        owned
            .filter(|_| same_makers && self.view.trusted)
            .and_then(|owned| owned.chunks.iter().find(|o| !o.adopted && o.text == chunk.text && self.view.intact(o)))
    }

    fn leaves(&mut self, id: &str, owned: &Ownership) {
        let delete: Vec<PointId> = owned.chunks.iter().map(|c| c.id).filter(|id| !self.view.is_missing(id)).collect();
        let title = self.view.observed.units_after().get(id).map(|unit| unit.title.clone()).unwrap_or_default();
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

//! Adoption: what lives already and was made before Enact knew of it comes under Enact as it is. Pure.
//!
//! The result is a comparison whose changes only write down: no row, no transition and no point is touched, so an
//! adoption goes through the same plan, the same review and the same transaction as any change.
//!
//! - A *promotion* is adopted when the units that it selects are in its state and every row that it would have authored
//!   is there under the id that its set gives it. Values of these rows stay as they are.
//! - The points of a *vector set* with the id scheme `key` are adopted unit by unit. Every chunk from 0 on is looked for
//!   under its key; what the points say of their unit, their place and their number has to agree with what was found, and
//!   the ledger, where there is one, has to record them. A chunk is pinned by what stands in its point now, so the next
//!   plan keeps it until its unit changes, even where another splitter or embedder made it.
//! - What cannot be adopted is named with the reason; nothing is left out silently.

use std::collections::{BTreeMap, BTreeSet};

use super::change::{Change, ChangeDetail, ChunkPlan, ChunkSource, CollectionChange, Finding, Reason};
use super::change::{UnitPoints, VectorChange};
use super::codes;
use super::compare::{Comparison, check_allowed};
use super::resolve::{Resolved, some_of};
use super::shape::differences;
use super::vectors::{SetView, live_collection};
use crate::model::{
    Address, Binding, ChunkFacts, Desired, Diagnostics, Digest, Environment, Observed, PointId, PointIds, RowOrigin,
    RowSeen, UnitFacts, VectorSet,
};
use crate::points::{PointSaid, Recipe, chunk_id, ledger_key};

/// What is to be adopted and what was read of it.
pub struct AdoptInput<'a> {
    /// The plan files.
    pub desired: &'a Desired,
    /// The binding.
    pub binding: &'a Binding,
    /// The environment.
    pub environment: &'a Environment,
    /// Promotions and selections resolved, with promotions to adopt.
    pub resolved: &'a Resolved,
    /// What was read.
    pub observed: &'a Observed,
    /// How the points of each set are made.
    pub recipes: &'a BTreeMap<String, Recipe>,
    /// What points say of themselves, by vector set.
    pub said: &'a BTreeMap<String, BTreeMap<PointId, PointSaid>>,
    /// The resources to adopt; empty for all that the plan files declare.
    pub only: &'a BTreeSet<Address>,
}

/// Finds what can be adopted.
///
/// # Errors
/// A collection that the environment denies.
pub fn adopt(input: &AdoptInput<'_>) -> Result<Comparison, Diagnostics> {
    let mut out = Comparison::default();
    let mut errors = Diagnostics::default();
    for name in input.resolved.promotions.keys().filter(|name| input.wanted(&Address::promotion(name))) {
        input.promotion(name, &mut out);
    }
    for set in input.desired.vector_sets.values().filter(|set| input.wanted(&Address::vector_set(&set.name))) {
        check_allowed(set, input.environment, &mut errors);
        if let Err(why) = input.set(set, &mut out) {
            input.not_adopted(Address::vector_set(&set.name), why, &mut out);
        }
    }
    out.findings.sort();
    errors.into_result(out).map(|(out, _)| out)
}

impl AdoptInput<'_> {
    fn wanted(&self, address: &Address) -> bool {
        self.only.is_empty() || self.only.contains(address)
    }

    fn not_adopted(&self, address: Address, why: String, out: &mut Comparison) {
        let code = codes::NOT_ADOPTED.id.to_owned();
        out.findings.push(Finding { code, address: Some(address), message: why });
    }

    fn promotion(&self, name: &str, out: &mut Comparison) {
        let Some(promotion) = self.resolved.promotions.get(name).filter(|promotion| !promotion.recorded) else {
            return;
        };
        let address = Address::promotion(name);
        let units = promotion.record.units.len() as u64;
        if units == 0 {
            let why = format!("no unit that it selects is {} already", promotion.record.to);
            return self.not_adopted(address, why, out);
        }
        let rows: Vec<String> = self.missing_rows(name);
        if !rows.is_empty() {
            let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
            let why = format!("{} rows that it would have authored are not there: {}", rows.len(), some_of(&rows));
            return self.not_adopted(address, why, out);
        }
        out.changes.push(Change {
            address,
            declared_at: Some(promotion.place.to_string()),
            reasons: vec![Reason::Adopted],
            detail: ChangeDetail::Promotion {
                name: name.to_owned(),
                units,
                set_hash: promotion.record.set_hash.clone(),
                record: Box::new(promotion.record.clone()),
            },
        });
    }

    fn missing_rows(&self, promotion: &str) -> Vec<String> {
        let missing = self.observed.rows.seen.iter().filter(|seen| {
            let origin = &self.resolved.rows[seen.of.set].origin;
            seen.live.is_none() && matches!(origin, RowOrigin::Promotion { name, .. } if name == promotion)
        });
        let address =
            |seen: &RowSeen| Address::row(&self.resolved.rows[seen.of.set].table.value, &seen.key).to_string();
        missing.map(address).collect()
    }

    fn set(&self, set: &VectorSet, out: &mut Comparison) -> Result<(), String> {
        let (Some(recipe), PointIds::Key { namespace, template }) = (self.recipes.get(&set.name), &set.ids) else {
            return Err(
                "its ids are of the scheme content, which only Enact makes; write ids: { scheme: key, … }".into()
            );
        };
        let Some((live, _)) = live_collection(&set.name, self.observed) else {
            return Err(format!("there is no collection \"{}\"", set.name));
        };
        let shape: Vec<String> = differences(&set.name, recipe, self.observed).all().collect();
        if !shape.is_empty() {
            return Err(format!("the collection has another shape than the plan file says: {}", shape.join("; ")));
        }
        let view = SetView::new(&set.name, recipe, self.observed, &self.resolved.overlay);
        let of = OfSet { input: self, set, view: &view, namespace, template };
        let owned: BTreeSet<&str> = view.owned_units().map(|(id, _)| id.as_str()).collect();
        let Found { units, problems, otherwise } = of.all(&owned);
        let address = Address::vector_set(&set.name);
        for why in problems {
            self.not_adopted(address.clone(), why, out);
        }
        if !otherwise.is_empty() {
            let otherwise: Vec<&str> = otherwise.iter().map(String::as_str).collect();
            let (count, units) = (otherwise.len(), some_of(&otherwise));
            let message = format!(
                "the texts of {count} units are not those that the chunk policy cuts; their points are kept as they \
                 are until the units change: {units}"
            );
            let code = codes::OTHER_TEXTS.id.to_owned();
            out.findings.push(Finding { code, address: Some(address.clone()), message });
        }
        let kept = view.owned_units().map(|(_, owned)| owned.chunks.len()).sum::<usize>() as u64;
        let adopted = units.iter().map(|unit| unit.chunks.len()).sum::<usize>() as u64;
        let foreign = view.total().saturating_sub(view.owned_live()).saturating_sub(adopted);
        if foreign > 0 {
            let why = format!("{foreign} points belong to no chunk of a selected unit; they stay foreign");
            self.not_adopted(address.clone(), why, out);
        }
        let there = kept + adopted;
        if units.is_empty() {
            out.kept += there;
            return Ok(());
        }
        let change = VectorChange {
            set: set.name.clone(),
            recipe: recipe.whole,
            collection: CollectionChange::Adopt { live },
            units,
            kept: there,
            foreign,
            tokens: 0,
            ledger: Vec::new(),
            skipped_empty: Vec::new(),
            back: None,
        };
        out.changes.push(Change {
            address,
            declared_at: Some(set.place.to_string()),
            reasons: vec![Reason::Adopted],
            detail: ChangeDetail::VectorSet(Box::new(change)),
        });
        Ok(())
    }
}

struct OfSet<'a> {
    input: &'a AdoptInput<'a>,
    set: &'a VectorSet,
    view: &'a SetView<'a>,
    namespace: &'a str,
    template: &'a str,
}

/// What can be adopted of a set.
#[derive(Default)]
struct Found {
    units: Vec<UnitPoints>,
    /// Units that cannot, with the reason.
    problems: Vec<String>,
    /// Units whose points hold other texts than the chunk policy cuts.
    otherwise: Vec<String>,
}

impl OfSet<'_> {
    /// Every selected unit that Enact does not know yet.
    fn all(&self, owned: &BTreeSet<&str>) -> Found {
        let mut found = Found::default();
        let ids = self.input.resolved.sets.get(&self.set.name).map_or(&[][..], Vec::as_slice);
        let new = ids.iter().filter(|id| !owned.contains(id.as_str()));
        for unit in new.filter_map(|id| self.input.observed.units.get(id)) {
            match self.unit(unit) {
                Ok(None) => {}
                Ok(Some((points, same_text))) => {
                    if !same_text {
                        found.otherwise.push(unit.address.clone());
                    }
                    found.units.push(points);
                }
                Err(why) => found.problems.push(format!("\"{}\": {why}", unit.address)),
            }
        }
        found
    }

    /// The unit's points and whether they hold the texts that the chunk policy cuts; `None` when it has no point.
    fn unit(&self, unit: &UnitFacts) -> Result<Option<(UnitPoints, bool)>, String> {
        let at = |ordinal| chunk_id(self.namespace, self.template, unit, ordinal);
        let ids: Vec<PointId> = (0u32..).map(at).take_while(|id| self.view.is_live(id)).collect();
        if ids.is_empty() {
            return Ok(None);
        }
        let cut: &[ChunkFacts] = self
            .input
            .observed
            .chunks
            .get(&self.set.name)
            .and_then(|units| units.get(&unit.id))
            .map_or(&[], Vec::as_slice);
        let (mut chunks, mut same_text) = (Vec::new(), cut.len() == ids.len());
        for (ordinal, id) in (0u32..).zip(&ids) {
            let sha256 = self.agreed(unit, ordinal, id, ids.len())?;
            let facts = cut.get(ordinal as usize).filter(|facts| facts.sha256 == sha256);
            same_text &= facts.is_some();
            chunks.push(ChunkPlan {
                ordinal,
                id: *id,
                text: facts.map_or_else(|| Digest::of_bytes(sha256.as_bytes()), |facts| facts.text),
                sha256,
                digest: self.view.stands(id),
                source: ChunkSource::Kept,
            });
        }
        let points = UnitPoints {
            unit: unit.id.clone(),
            address: unit.address.clone(),
            title: unit.title.clone(),
            input: Some(self.view.input(unit)),
            reason: Reason::Adopted,
            chunks,
            delete: Vec::new(),
        };
        Ok(Some((points, same_text)))
    }

    /// Checks what a point and its row in the ledger say; gives the digest of the chunk's text.
    fn agreed(&self, unit: &UnitFacts, ordinal: u32, id: &PointId, count: usize) -> Result<String, String> {
        let said = self.input.said.get(&self.set.name).and_then(|said| said.get(id)).cloned().unwrap_or_default();
        if let Some(other) = said.unit.as_ref().filter(|other| **other != unit.id) {
            return Err(format!("point {id} says that it is of unit {other}"));
        }
        if let Some(index) = said.index.filter(|index| *index != u64::from(ordinal)) {
            return Err(format!("point {id} says that it is chunk {index}, and its key is that of chunk {ordinal}"));
        }
        if let Some(wanted) = said.count.filter(|wanted| *wanted != count as u64) {
            return Err(format!("point {id} says that there are {wanted} chunks, and {count} are there"));
        }
        let key = ledger_key(self.input.binding, &self.set.name, unit, ordinal);
        let Some((key, ledger)) = key.zip(self.input.binding.ledger.as_ref()) else {
            return said.sha256.ok_or_else(|| format!("point {id} has no content_digest"));
        };
        let row = self.input.observed.ledger.get(&self.set.name).and_then(|rows| rows.get(&key));
        let Some(row) = row.filter(|row| row.status == ledger.indexed) else {
            return Err(format!("the ledger has no row \"{key}\" that is {}", ledger.indexed));
        };
        if row.unit.as_deref() != Some(unit.id.as_str()) {
            return Err(format!("the ledger's row \"{key}\" is of another unit"));
        }
        match (said.sha256, &row.digest) {
            (Some(said), Some(recorded)) if said == *recorded => Ok(said),
            (None, Some(recorded)) => Ok(recorded.clone()),
            (Some(_), _) => Err(format!("point {id} and the ledger's row \"{key}\" have different digests")),
            (None, None) => Err(format!("neither point {id} nor the ledger says which text it holds")),
        }
    }
}

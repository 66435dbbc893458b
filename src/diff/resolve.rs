//! Resolves desired state against the units that live: promotions become rows and moves, selections become lists.
//!
//! A promotion is authored once. When it was applied before, its record says which units it covered, and those stay its
//! set whatever matches now: a recorded decision covers exactly what was reviewed.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::change::Finding;
use super::codes;
use super::edited::{PromotionText, edits};
use super::expect::ExpectCheck;
use super::ids::set_hash;
use crate::model::{
    Address, Binding, Desired, Diagnostic, Diagnostics, Managed, Observed, Place, Promotion, RowSet, Selection,
    SyncedTable, UnitFacts, UnitsRef, name_hint,
};

/// Desired state with nothing left to look up but rows and points.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Resolved {
    /// Promotions by name.
    pub promotions: BTreeMap<String, ResolvedPromotion>,
    /// Rows of promotions and of `rows`.
    pub rows: Vec<RowSet>,
    /// Synced tables.
    pub synced: Vec<SyncedTable>,
    /// States that units will have, by unit id.
    pub overlay: BTreeMap<String, String>,
    /// Unit ids by vector set, by address.
    pub sets: BTreeMap<String, Vec<String>>,
    /// What reviewers should know.
    pub findings: Vec<Finding>,
}

/// A promotion with its set pinned.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolvedPromotion {
    /// What will be, or was, written down.
    pub record: PromotionRecord,
    /// Whether it was applied before.
    pub recorded: bool,
    /// Ids of the units that still have to move.
    pub pending: Vec<String>,
    /// Values that templates may name.
    pub names: BTreeMap<String, Value>,
    /// Where it is declared.
    pub place: Place,
}

/// What is remembered about an applied promotion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionRecord {
    /// The state the units moved to.
    pub to: String,
    /// The namespace of its ids.
    pub namespace: String,
    /// The scheme of its ids.
    pub scheme: Option<String>,
    /// The hash of its set.
    pub set_hash: Option<String>,
    /// What the plan file said of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<PromotionText>,
    /// Its units as they were reviewed, by address.
    #[serde(default)]
    pub units: Vec<UnitFacts>,
}

impl PromotionRecord {
    /// The record of a promotion; none where it cannot be read.
    pub fn of(managed: &Managed) -> Option<PromotionRecord> {
        let mut record: PromotionRecord = serde_json::from_value(managed.attributes.clone()).ok()?;
        if record.units.is_empty() {
            record.units.clone_from(&managed.units);
        }
        Some(record)
    }
}

/// Resolves: promotions choose from the units as they live, vector sets from those that the plan leaves, whose states may still be
/// the old ones. Of what is as the last apply left it nothing is resolved.
///
/// # Errors
/// Everything that a plan refers to and that does not hold: expectations, transitions, claims, templates.
pub fn resolve(
    desired: &Desired,
    binding: &Binding,
    observed: &Observed,
    actor: &str,
) -> Result<Resolved, Diagnostics> {
    let (out, errors) = (Resolved::default(), Diagnostics::default());
    let mut resolver = Resolver { desired, binding, observed, actor, out, errors };
    for promotion in desired.promotions.values().filter(|one| !observed.settled.contains(&one.name)) {
        resolver.promotion(promotion);
    }
    resolver.check_claims();
    resolver.rows();
    resolver.sets();
    resolver.unused_expectations();
    let Resolver { mut out, errors, .. } = resolver;
    out.findings.sort();
    errors.into_result(out).map(|(out, _)| out)
}

/// Whether an applied promotion is declared as it was.
pub fn is_as_declared(promotion: &Promotion, selection: &Selection, record: &PromotionRecord) -> bool {
    edits(promotion, (selection, &promotion.place), record).is_empty()
}

pub(super) struct Resolver<'a> {
    pub(super) desired: &'a Desired,
    pub(super) binding: &'a Binding,
    observed: &'a Observed,
    pub(super) actor: &'a str,
    pub(super) out: Resolved,
    pub(super) errors: Diagnostics,
}

impl<'a> Resolver<'a> {
    fn selection(&self, units: &'a UnitsRef) -> (&'a Selection, Option<&'a str>, &'a Place) {
        let (named, place) = match units {
            UnitsRef::Inline(spot) => (None, &spot.place),
            UnitsRef::Named(spot) => (Some(spot.value.as_str()), &spot.place),
        };
        (self.desired.selection(units), named, place)
    }

    /// Units by address that a selection chooses, before any is moved.
    fn select(&self, selection: &Selection) -> Vec<&'a UnitFacts> {
        chosen(selection, &self.observed.units, &BTreeMap::new())
    }

    fn promotion(&mut self, promotion: &'a Promotion) {
        let (selection, named, place) = self.selection(&promotion.units);
        let matched = self.select(selection);
        let recorded = self.observed.managed.get(&Address::promotion(&promotion.name)).and_then(PromotionRecord::of);
        let resolved = match recorded {
            Some(record) => {
                self.errors.0.extend(edits(promotion, (selection, place), &record));
                self.recorded_promotion(promotion, record, &matched)
            }
            None if promotion.adopt => {
                let moved = self.moved_before(selection, &promotion.to.value);
                self.promotion_of(promotion, &moved, Vec::new())
            }
            None => self.new_promotion(promotion, &matched),
        };
        let Some(resolved) = resolved else { return };
        // A promotion that is to be adopted and was never made has no set to hold against an expectation.
        let expected = !promotion.adopt || !resolved.record.units.is_empty();
        if let Some(name) = named.filter(|_| expected) {
            self.expect(name, &resolved.record.units, resolved.record.set_hash.as_deref());
        }
        for id in &resolved.pending {
            self.out.overlay.insert(id.clone(), resolved.record.to.clone());
        }
        self.out.promotions.insert(promotion.name.clone(), resolved);
    }

    fn recorded_promotion(
        &mut self,
        promotion: &Promotion,
        record: PromotionRecord,
        matched: &[&UnitFacts],
    ) -> Option<ResolvedPromotion> {
        let covered: BTreeSet<&str> = record.units.iter().map(|unit| unit.id.as_str()).collect();
        let more: Vec<&str> = matched
            .iter()
            .filter(|unit| !covered.contains(unit.id.as_str()) && unit.lifecycle != record.to)
            .map(|unit| unit.address.as_str())
            .collect();
        if !more.is_empty() {
            let message = format!(
                "{} recorded for {} and {} now: {}; a recorded decision covers exactly its set, so write another promotion for {}",
                units_are(record.units.len()),
                promotion.to.value,
                count_matches(more.len()),
                some_of(&more),
                if more.len() == 1 { "it" } else { "them" }
            );
            self.find(codes::MORE_UNITS.id, Address::promotion(&promotion.name), message);
        }
        let mut pending = Vec::new();
        for unit in &record.units {
            let Some(live) = self.observed.units.get(&unit.id) else { continue };
            if live.lifecycle != unit.lifecycle || live.lifecycle == record.to {
                continue;
            }
            if live.content_hash != unit.content_hash {
                self.errors.push(
                    Diagnostic::error(
                        codes::CONTENT_MOVED,
                        format!("\"{}\" was reviewed with another content", unit.address),
                    )
                    .at(&promotion.place)
                    .hint("write another promotion, so that the new content is reviewed"),
                );
            }
            pending.push(unit.id.clone());
        }
        let names = self.promotion_names(promotion, &record)?;
        Some(ResolvedPromotion { record, recorded: true, pending, names, place: promotion.place.clone() })
    }

    fn new_promotion(&mut self, promotion: &Promotion, matched: &[&UnitFacts]) -> Option<ResolvedPromotion> {
        let to = &promotion.to.value;
        let moving: Vec<&UnitFacts> = matched.iter().filter(|unit| unit.lifecycle != *to).copied().collect();
        if moving.is_empty() {
            let message = format!("it selects no unit that has to move to {to}");
            self.find(codes::NO_UNITS.id, Address::promotion(&promotion.name), message);
        }
        self.check_transitions(promotion, &moving);
        let pending = moving.iter().map(|unit| unit.id.clone()).collect();
        self.promotion_of(promotion, &moving, pending)
    }

    /// Units of a promotion that was made before Enact knew of it: those that the selection would choose and that are in
    /// its state already.
    fn moved_before(&self, selection: &Selection, to: &str) -> Vec<&'a UnitFacts> {
        let mut whatever_state = selection.clone();
        whatever_state.conditions.remove("lifecycle");
        let mut chosen = self.select(&whatever_state);
        chosen.retain(|unit| unit.lifecycle == to);
        chosen
    }

    fn promotion_of(
        &mut self,
        promotion: &Promotion,
        units: &[&UnitFacts],
        pending: Vec<String>,
    ) -> Option<ResolvedPromotion> {
        let scheme = promotion
            .ids
            .scheme
            .as_ref()
            .map(|spot| spot.value.clone())
            .or_else(|| self.binding.promotion.default_scheme.clone());
        let hash = match &self.binding.promotion.set_hash {
            None => None,
            Some(recipe) => match set_hash(recipe, units.iter().copied()) {
                Ok(hash) => Some(hash),
                Err(error) => return self.template_error(promotion, "set_hash", &error),
            },
        };
        let record = PromotionRecord {
            to: promotion.to.value.clone(),
            namespace: promotion.ids.namespace.clone().unwrap_or_else(|| promotion.name.clone()),
            scheme,
            set_hash: hash,
            text: Some(PromotionText::of(promotion, self.desired.selection(&promotion.units))),
            units: units.iter().map(|unit| (*unit).clone()).collect(),
        };
        let names = self.promotion_names(promotion, &record)?;
        Some(ResolvedPromotion { record, recorded: false, pending, names, place: promotion.place.clone() })
    }

    fn check_transitions(&mut self, promotion: &Promotion, moving: &[&UnitFacts]) {
        let mut stuck: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for unit in moving {
            let legal = self
                .binding
                .lifecycle
                .transitions
                .iter()
                .any(|t| t.from == unit.lifecycle && t.to == promotion.to.value);
            if !legal {
                stuck.entry(&unit.lifecycle).or_default().push(&unit.address);
            }
        }
        for (from, addresses) in stuck {
            let ways: Vec<&str> =
                self.binding.lifecycle.transitions.iter().filter(|t| t.from == from).map(|t| t.to.as_str()).collect();
            let hint = if ways.is_empty() {
                format!("nothing leads out of {from}; narrow the selection")
            } else {
                format!("from {from} there is: {}; or narrow the selection", ways.join(", "))
            };
            self.errors.push(
                Diagnostic::error(
                    codes::ILLEGAL_TRANSITION,
                    format!(
                        "no transition from \"{from}\" to \"{}\", needed by {}",
                        promotion.to.value,
                        some_of(&addresses)
                    ),
                )
                .at(&promotion.to.place)
                .hint(hint),
            );
        }
    }

    fn check_claims(&mut self) {
        let mut owner: BTreeMap<&str, &str> = BTreeMap::new();
        let mut errors = Vec::new();
        for (name, promotion) in &self.out.promotions {
            for id in &promotion.pending {
                if let Some(first) = owner.insert(id, name) {
                    let address = self.observed.units.get(id).map_or(id.as_str(), |unit| unit.address.as_str());
                    errors.push(
                        Diagnostic::error(
                            codes::CLAIMED_TWICE,
                            format!("\"{address}\" is moved by \"{first}\" and by \"{name}\""),
                        )
                        .at(&promotion.place)
                        .hint("narrow one of the selections"),
                    );
                }
            }
        }
        self.errors.0.extend(errors.into_iter().take(20));
    }

    fn sets(&mut self) {
        let overlay = self.out.overlay.clone();
        for set in self.desired.vector_sets.values() {
            let (selection, named, _) = self.selection(&set.units);
            let chosen = chosen(selection, self.observed.units_after(), &overlay);
            let unread = self.observed.unread.get(&set.name).is_some_and(|unread| unread.units > 0);
            if chosen.is_empty() && !unread {
                let message = "it selects no unit".to_owned();
                self.find(codes::NO_UNITS.id, Address::vector_set(&set.name), message);
            }
            if let Some(name) =
                named.filter(|name| self.desired.promotions.values().all(|p| !names_selection(&p.units, name)))
            {
                let facts: Vec<UnitFacts> = chosen.iter().map(|unit| (*unit).clone()).collect();
                self.expect(name, &facts, None);
            }
            self.out.sets.insert(set.name.clone(), chosen.iter().map(|unit| unit.id.clone()).collect());
        }
    }

    /// Expectations of selections that nothing uses still hold: an author wrote them to be checked.
    fn unused_expectations(&mut self) {
        for (name, named) in &self.desired.units {
            let used = self.desired.promotions.values().any(|p| names_selection(&p.units, name))
                || self.desired.vector_sets.values().any(|s| names_selection(&s.units, name));
            if !used && named.expect.is_some() {
                let chosen: Vec<UnitFacts> = self.select(&named.selection).into_iter().cloned().collect();
                self.expect(name, &chosen, None);
            }
        }
    }

    fn expect(&mut self, name: &str, units: &[UnitFacts], hash: Option<&str>) {
        let named = self.desired.units.get(name);
        let Some(expect) = named.and_then(|named| named.expect.as_ref()) else { return };
        let previous = self.previous(name);
        let recipe = self.binding.promotion.set_hash.as_ref();
        let check = ExpectCheck { name, expect, units, hash, recipe, previous, binding: &self.binding.name };
        self.errors.0.extend(check.run());
    }

    /// The set that an applied promotion recorded: the one that uses this selection, or one of its name.
    fn previous(&self, name: &str) -> Option<(String, PromotionRecord)> {
        let using = self.desired.promotions.values().filter(|promotion| names_selection(&promotion.units, name));
        let names = using.map(|promotion| promotion.name.clone()).chain([name.to_owned()]);
        names.into_iter().find_map(|name| {
            let managed = self.observed.managed.get(&Address::promotion(&name))?;
            Some((name, PromotionRecord::of(managed)?))
        })
    }

    pub(super) fn template_error<T>(
        &mut self,
        promotion: &Promotion,
        what: &str,
        error: &crate::model::PlaceholderError,
    ) -> Option<T> {
        self.errors.push(
            Diagnostic::error(codes::TEMPLATE, format!("\"{what}\" of the binding \"{}\": {error}", self.binding.name))
                .at(&promotion.place),
        );
        None
    }

    fn find(&mut self, code: &str, address: Address, message: String) {
        self.out.findings.push(Finding { code: code.to_owned(), address: Some(address), message });
    }
}

/// A state that no transition leads to would select nothing to move, and nobody would be told.
///
/// # Errors
/// When there is none, with the states that there are.
pub fn check_target(binding: &Binding, state: &str) -> Result<(), Diagnostic> {
    let states: BTreeSet<&str> =
        binding.lifecycle.transitions.iter().map(|transition| transition.to.as_str()).collect();
    if states.contains(state) {
        return Ok(());
    }
    let detail = format!("no transition of the binding \"{}\" leads to \"{state}\"", binding.name);
    Err(Diagnostic::error(codes::ILLEGAL_TRANSITION, detail).hint(name_hint(state, states)))
}

/// Units by address that a selection chooses, seen with these states.
fn chosen<'u>(
    selection: &Selection,
    units: &'u BTreeMap<String, UnitFacts>,
    overlay: &BTreeMap<String, String>,
) -> Vec<&'u UnitFacts> {
    let mut chosen: Vec<&UnitFacts> = units.values().filter(|unit| selected(selection, unit, overlay)).collect();
    chosen.sort_by(|a, b| a.address.cmp(&b.address));
    chosen
}

/// Whether a selection chooses a unit that is seen with these states.
pub(crate) fn selected(selection: &Selection, unit: &UnitFacts, overlay: &BTreeMap<String, String>) -> bool {
    selection.matches(|field| match field {
        "lifecycle" => Some(overlay.get(&unit.id).unwrap_or(&unit.lifecycle).clone()),
        other => unit.field(other),
    })
}

fn names_selection(units: &UnitsRef, name: &str) -> bool {
    matches!(units, UnitsRef::Named(spot) if spot.value == name)
}

/// The first five names, then how many more.
pub(super) fn some_of(names: &[&str]) -> String {
    let shown: Vec<String> = names.iter().take(5).map(|name| format!("\"{name}\"")).collect();
    match names.len().saturating_sub(5) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

fn units_are(count: usize) -> String {
    if count == 1 { "1 unit is".to_owned() } else { format!("{count} units are") }
}

fn count_matches(count: usize) -> String {
    if count == 1 { "1 more matches".to_owned() } else { format!("{count} more match") }
}

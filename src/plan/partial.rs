//! A plan of a part: what is asked for and what that needs, or everything but something.
//!
//! ```text
//! whole comparison ── narrow ──▶ Kept ── desired ──▶ the part of the plan files that is planned, as if it were all
//! ```
//!
//! - The part is planned anew, so that what selections see, what is pinned and what is compared belong to it alone: a vector
//!   set never counts on a move that is left out.
//! - A promotion goes as a whole, because its decision covers exactly its set: one of its rows or moves stands for all of it.
//! - What a target needs comes with it. What is left out and needed by something that stays is refused, with both names.
//! - A name that is nowhere is refused: a slip of the keyboard never gives an empty plan.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::build::BuildInput;
use super::order::graph_of;
use crate::diff::{Change, ChangeDetail, Comparison, Finding, codes};
use crate::model::{Address, Desired, Diagnostic, Diagnostics, RowOrigin, RowRef, near_hint};

/// What a plan is narrowed to. Each entry is an address, or what stands before the bracket of several.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Partial {
    /// What was asked for; empty for everything.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<String>,
    /// What was left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub excluded: Vec<String>,
}

impl Partial {
    /// Whether nothing is narrowed.
    pub fn is_whole(&self) -> bool {
        self.targets.is_empty() && self.excluded.is_empty()
    }

    /// What reviewers should know of it.
    pub fn finding(&self) -> Option<Finding> {
        let Partial { targets, excluded } = self;
        let only = (!targets.is_empty()).then(|| format!("only {} and what that needs", targets.join(", ")));
        let without = (!excluded.is_empty()).then(|| format!("without {}", excluded.join(", ")));
        let words: Vec<String> = only.into_iter().chain(without).collect();
        (!words.is_empty()).then(|| Finding {
            code: codes::PARTIAL.id.to_owned(),
            address: None,
            message: format!("the plan is partial: {}", words.join(", ")),
        })
    }
}

/// The part that stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    roots: BTreeSet<Address>,
    excluded: BTreeSet<Address>,
    owners: BTreeMap<Address, Address>,
    /// Declared rows, by their set among those of the plan files.
    rows: BTreeSet<RowRef>,
}

/// Finds the part that stays of a whole comparison.
///
/// # Errors
/// Names that are nowhere, parts of a promotion that cannot be left out alone, and what is left out but needed.
pub fn narrow(input: &BuildInput<'_>, partial: &Partial) -> Result<Kept, Diagnostics> {
    let known = Known::of(input);
    let mut errors = Diagnostics::default();
    let targets = known.matching(&partial.targets, "--target", &mut errors);
    let excluded = known.matching(&partial.excluded, "--exclude", &mut errors);
    for part in excluded.iter().filter(|address| known.root(address) != *address) {
        let owner = known.root(part);
        let detail = format!("{part} is a part of {owner}, which goes as a whole");
        errors.push(Diagnostic::error(codes::NEEDED, detail).hint(format!("write --exclude {owner}")));
    }
    let needs = known.needs(input);
    let mut roots: BTreeSet<Address> = if partial.targets.is_empty() {
        known.all.difference(&known.following).map(|address| known.root(address).clone()).collect()
    } else {
        targets.iter().map(|address| known.root(address).clone()).collect()
    };
    roots.retain(|root| !excluded.contains(root));
    let mut open: Vec<Address> = roots.iter().cloned().collect();
    while let Some(root) = open.pop() {
        for (needed, (from, to, why)) in needs.get(&root).into_iter().flatten() {
            if excluded.contains(needed) {
                let detail = format!("{from} needs {to} ({why}), which --exclude leaves out");
                errors.push(
                    Diagnostic::error(codes::NEEDED, detail).hint(format!("leave {root} out too, or keep {needed}")),
                );
            } else if roots.insert(needed.clone()) {
                open.push(needed.clone());
            }
        }
    }
    if roots.is_empty() && !errors.has_errors() {
        let detail = "--exclude leaves nothing of what was asked for";
        errors.push(Diagnostic::error(codes::NEEDED, detail).hint("leave out less"));
    }
    let declared = known.declared_rows.iter();
    let rows = declared.filter(|(_, address)| roots.contains(address)).map(|(row, _)| *row).collect();
    errors.into_result(Kept { roots, excluded, owners: known.owners, rows }).map(|(kept, _)| kept)
}

impl Kept {
    /// The plan files as if they held this part only. Selections, policies and what guards a plan stay.
    pub fn desired(&self, whole: &Desired) -> Desired {
        let mut part = whole.clone();
        // What was expected of a selection was judged with the whole.
        part.units.values_mut().for_each(|named| named.expect = None);
        part.promotions.retain(|name, _| self.roots.contains(&Address::promotion(name)));
        part.vector_sets.retain(|name, _| self.roots.contains(&Address::vector_set(name)));
        for (set, rows) in part.rows.iter_mut().enumerate() {
            let mut row = 0..;
            rows.rows.retain(|_| row.next().is_some_and(|row| self.rows.contains(&RowRef { set, row })));
        }
        part.rows.retain(|set| !set.rows.is_empty());
        part
    }

    /// Takes out of the part's comparison what only its being a part has brought in: what is left out is not forgotten.
    pub fn settle(&self, comparison: &mut Comparison) {
        comparison.changes.retain(|change| self.keeps(change));
        comparison.drift.retain(|drift| self.roots.contains(&drift.address));
    }

    fn keeps(&self, change: &Change) -> bool {
        // A refresh follows the moves that stay.
        if matches!(change.detail, ChangeDetail::Refresh { .. }) {
            return !self.excluded.contains(&change.address);
        }
        self.roots.contains(self.owners.get(&change.address).unwrap_or(&change.address))
    }
}

/// Why one resource needs another: the two addresses and the reason.
type Need = (Address, Address, String);

/// Every resource that can be named.
#[derive(Default)]
struct Known {
    all: BTreeSet<Address>,
    /// The promotion of each of its parts.
    owners: BTreeMap<Address, Address>,
    declared_rows: Vec<(RowRef, Address)>,
    /// What comes with whatever makes it necessary.
    following: BTreeSet<Address>,
}

impl Known {
    fn of(input: &BuildInput<'_>) -> Known {
        let mut known = Known::default();
        let sets = &input.resolved.rows;
        // Sets of promotions come first, and those of plan files in their order.
        let first = sets.iter().filter(|set| set.origin != RowOrigin::Files).count();
        for (row, key) in &input.observed.rows.addresses {
            let address = Address::row(&sets[row.set].table.value, key);
            match &sets[row.set].origin {
                RowOrigin::Promotion { name, .. } => known.part(address, name),
                RowOrigin::Files => known.declared_rows.push((RowRef { set: row.set - first, row: row.row }, address)),
            }
        }
        for (name, promotion) in &input.resolved.promotions {
            known.all.insert(Address::promotion(name));
            for unit in &promotion.record.units {
                known.part(Address::lifecycle(&unit.address), name);
            }
        }
        for change in &input.comparison.changes {
            if let ChangeDetail::Lifecycle { promotion, .. } = &change.detail {
                known.part(change.address.clone(), promotion);
            } else {
                known.all.insert(change.address.clone());
            }
            if matches!(change.detail, ChangeDetail::Refresh { .. }) {
                known.following.insert(change.address.clone());
            }
        }
        known.all.extend(known.declared_rows.iter().map(|(_, address)| address.clone()));
        known.all.extend(input.desired.addresses());
        known
    }

    fn part(&mut self, address: Address, promotion: &str) {
        self.all.insert(address.clone());
        self.owners.insert(address, Address::promotion(promotion));
    }

    fn root<'a>(&'a self, address: &'a Address) -> &'a Address {
        self.owners.get(address).unwrap_or(address)
    }

    fn matching(&self, patterns: &[String], option: &str, errors: &mut Diagnostics) -> BTreeSet<Address> {
        let mut out = BTreeSet::new();
        for pattern in patterns {
            let family = format!("{pattern}[");
            let fits = |address: &&Address| address.as_str() == pattern || address.as_str().starts_with(&family);
            let before = out.len();
            out.extend(self.all.iter().filter(fits).cloned());
            if out.len() == before && !self.all.iter().any(|address| fits(&address)) {
                let hint = near_hint(
                    pattern,
                    self.all.iter().map(Address::as_str),
                    "enact plan without it shows the addresses, such as promotion.x, vector_set.x, row.schema.table",
                );
                let detail = format!("{option} {pattern}: nothing has this address");
                errors.push(Diagnostic::error(codes::UNKNOWN_ADDRESS, detail).hint(hint));
            }
        }
        out
    }

    fn needs(&self, input: &BuildInput<'_>) -> BTreeMap<Address, BTreeMap<Address, Need>> {
        let mut out: BTreeMap<Address, BTreeMap<Address, Need>> = BTreeMap::new();
        for (from, to, edge) in graph_of(input).edges() {
            let (needing, needed) = (self.root(from), self.root(to));
            if needing != needed {
                let need = || (from.clone(), to.clone(), edge.why.clone());
                out.entry(needing.clone()).or_default().entry(needed.clone()).or_insert_with(need);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partial_plan_says_so() {
        assert_eq!(Partial::default().finding(), None);
        let partial = Partial { targets: vec!["promotion.a".to_owned()], excluded: vec!["row.s.t".to_owned()] };
        let message = partial.finding().map(|finding| finding.message);
        let words = "the plan is partial: only promotion.a and what that needs, without row.s.t";
        assert_eq!(message.as_deref(), Some(words));
    }
}

//! Drift: what changed outside Enact since the last apply, apart from what the plan files ask for.
//!
//! What is known is what an apply writes down: the units of each promotion and the state it gave them, and for each vector
//! set its recipe, the run that wrote the collection, and the points of each unit. Drift is where reality differs from
//! that and this plan has something to do about it; `verify` finds the rest.
//!
//! *Not known here:* what a row of `rows:` was after the last apply (a difference from the plan file may be either's),
//! payload indexes then, and whether a point was rewritten under its id.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::change::{Change, ChangeDetail, Reason, RowChange, VectorChange};
use super::resolve::Resolved;
use super::shape;
use super::vectors::{SetInput, SetView, live_collection};
use crate::model::{Address, Observed};

/// Names that stand for all.
const EXAMPLES: usize = 3;

/// One resource that is no longer as the last apply left it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Drift {
    /// The resource.
    #[schemars(with = "String")]
    pub address: Address,
    /// What became of it.
    pub what: DriftKind,
}

/// What became of a resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DriftKind {
    /// Units of a promotion are back in the state they had before it.
    UnitsMovedBack {
        /// The state the promotion gave them.
        from: String,
        /// Which units.
        units: SomeUnits,
    },
    /// Rows that a promotion wrote are gone.
    RowsGone {
        /// How many.
        rows: u64,
    },
    /// The collection is gone.
    CollectionGone,
    /// The collection is not the one that the last apply wrote.
    CollectionReplaced {
        /// What is there instead.
        live: String,
    },
    /// Vectors of the collection are others, though what makes them is the same.
    ShapeChanged {
        /// What differs.
        how: Vec<String>,
    },
    /// Points are gone.
    PointsGone {
        /// How many.
        points: u64,
        /// The units they belong to.
        units: SomeUnits,
    },
    /// Units have other content than what was indexed.
    ContentChanged {
        /// Which units.
        units: SomeUnits,
    },
    /// Rows of the ledger do not say what is there.
    LedgerChanged {
        /// How many.
        rows: u64,
    },
}

/// Units: how many, and the first of them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct SomeUnits {
    /// How many.
    pub count: u64,
    /// Addresses of the first few.
    pub examples: Vec<String>,
}

impl SomeUnits {
    fn of<'a>(addresses: impl Iterator<Item = &'a str>) -> Option<SomeUnits> {
        let mut units = SomeUnits { count: 0, examples: Vec::new() };
        for address in addresses {
            units.count += 1;
            if units.examples.len() < EXAMPLES {
                units.examples.push(address.to_owned());
            }
        }
        (units.count > 0).then_some(units)
    }
}

/// Drift of promotions that were applied before.
pub(super) fn of_promotions(resolved: &Resolved, observed: &Observed, changes: &[Change]) -> Vec<Drift> {
    let mut out = Vec::new();
    for (name, promotion) in resolved.promotions.iter().filter(|(_, promotion)| promotion.recorded) {
        let address = Address::promotion(name);
        let back = promotion.pending.iter().filter_map(|id| observed.units.get(id)).map(|unit| unit.address.as_str());
        if let Some(units) = SomeUnits::of(back) {
            let what = DriftKind::UnitsMovedBack { from: promotion.record.to.clone(), units };
            out.push(Drift { address: address.clone(), what });
        }
        let rows = changes.iter().filter(|change| is_row_of(change, name)).count() as u64;
        if rows > 0 {
            out.push(Drift { address, what: DriftKind::RowsGone { rows } });
        }
    }
    out
}

fn is_row_of(change: &Change, promotion: &str) -> bool {
    matches!(&change.detail, ChangeDetail::Row { change: RowChange::Create { .. }, .. })
        && change.reasons.iter().any(|reason| matches!(reason, Reason::Promotion(name) if name == promotion))
}

/// Drift of a set that was applied before.
pub(super) fn of_set(input: &SetInput<'_>, change: &VectorChange, observed: &Observed) -> Vec<Drift> {
    let view = SetView::new(&change.set, input.recipe, observed, input.overlay);
    let Some(record) = &view.record else { return Vec::new() };
    let address = Address::vector_set(&change.set);
    let drift = |what: DriftKind| Drift { address: address.clone(), what };
    let live = live_collection(&change.set, observed);
    match live {
        None => return vec![drift(DriftKind::CollectionGone)],
        Some((live, _)) if !view.trusted => return vec![drift(DriftKind::CollectionReplaced { live })],
        Some(_) => {}
    }
    let mut out = Vec::new();
    if record.embedders == input.recipe.embedders {
        let how = shape::differences(&change.set, input.recipe, observed).vectors;
        if !how.is_empty() {
            out.push(drift(DriftKind::ShapeChanged { how }));
        }
    }
    let (points, units) = points_gone(change);
    out.extend(units.map(|units| drift(DriftKind::PointsGone { points, units })));
    // A unit that this plan moves has another input for that reason alone.
    let edited = change.units.iter().filter(|unit| {
        view.same_recipe()
            && matches!(unit.reason, Reason::ContentChanged | Reason::PayloadChanged)
            && !input.overlay.contains_key(&unit.unit)
    });
    let edited = SomeUnits::of(edited.map(|unit| unit.address.as_str()));
    out.extend(edited.map(|units| drift(DriftKind::ContentChanged { units })));
    let rows = ledger_changed(change);
    if rows > 0 {
        out.push(drift(DriftKind::LedgerChanged { rows }));
    }
    out
}

fn points_gone(change: &VectorChange) -> (u64, Option<SomeUnits>) {
    let mut points = 0;
    let mut addresses = Vec::new();
    for unit in &change.units {
        if let Reason::PointsMissing(missing) = unit.reason {
            points += missing;
            addresses.push(unit.address.as_str());
        }
    }
    (points, SomeUnits::of(addresses.into_iter()))
}

/// Rows to record for units whose points stay: the ledger said it once and does not any more.
fn ledger_changed(change: &VectorChange) -> u64 {
    let changing: std::collections::BTreeSet<&str> = change.units.iter().map(|unit| unit.unit.as_str()).collect();
    change.ledger.iter().filter(|write| write.exists && !changing.contains(write.unit.as_str())).count() as u64
}

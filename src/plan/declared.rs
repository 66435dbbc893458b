//! What the plan files say of one resource, as a plan file of its own: it is written down with the resource, so that what was
//! applied can be written out again when its file is lost.

use crate::model::{Desired, Promotion, Protected, Spot, UnitsRef, VectorSet};
use crate::spec::{Comments, plan_text};

/// `None` for what no plan file declares: the points of one unit, or a set that goes back to what it was.
pub(super) fn declaration(desired: &Desired, address: &str) -> Option<String> {
    let in_place = |units: &UnitsRef| in_place(desired, units);
    let mut alone = Desired::default();
    let (kind, name) = address.split_once('.')?;
    match kind {
        "promotion" => {
            let declared = desired.promotions.get(name)?;
            let promotion = Promotion { units: in_place(&declared.units), ..declared.clone() };
            alone.promotions.insert(name.to_owned(), promotion);
        }
        "vector_set" => {
            let declared = desired.vector_sets.get(name)?;
            let policy = &declared.chunk_policy.value;
            alone.chunk_policies.insert(policy.clone(), desired.chunk_policies.get(policy)?.clone());
            let set = VectorSet { units: in_place(&declared.units), ..declared.clone() };
            alone.vector_sets.insert(name.to_owned(), set);
        }
        "check" => {
            alone.checks.insert(name.to_owned(), desired.checks.get(name)?.clone());
        }
        "protect" => {
            let mut protection = desired.protect.get(name)?.clone();
            if let Protected::Units(units) = &protection.of {
                protection.of = Protected::Units(in_place(units));
            }
            alone.protect.insert(name.to_owned(), protection);
        }
        _ => return None,
    }
    plan_text("declared", &alone, &Comments::default()).ok()
}

/// A selection without its name: what it is called may change in the files, and another record may need it too.
fn in_place(desired: &Desired, units: &UnitsRef) -> UnitsRef {
    let (UnitsRef::Named(Spot { place, .. }) | UnitsRef::Inline(Spot { place, .. })) = units;
    UnitsRef::Inline(Spot { value: desired.selection(units).clone(), place: place.clone() })
}

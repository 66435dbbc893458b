//! What the plan files say of one resource, as a plan file of its own: it is written down with the resource, so that what was
//! applied can be written out again when its file is lost.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::{Address, DECLARED_KEY, Desired, Protected, Spot, UnitsRef};
use crate::spec::{Comments, plan_text};

/// Adds the declaration of a resource to what is remembered of it.
pub(super) fn with_declaration(desired: &Desired, address: &Address, mut attributes: Value) -> Value {
    let declared = declaration(desired, address);
    if let (Some(map), Some(text)) = (attributes.as_object_mut(), declared) {
        map.insert(DECLARED_KEY.to_owned(), Value::from(text));
    }
    attributes
}

/// `None` for a resource that no plan file declares, such as a set that goes back to what it was.
fn declaration(desired: &Desired, address: &Address) -> Option<String> {
    let mut alone = Desired::default();
    if let Some((name, promotion)) = one(&desired.promotions, Address::promotion, address) {
        let mut promotion = promotion.clone();
        promotion.units = in_place(desired, promotion.units);
        alone.promotions.insert(name.clone(), promotion);
    } else if let Some((name, set)) = one(&desired.vector_sets, Address::vector_set, address) {
        let mut set = set.clone();
        set.units = in_place(desired, set.units);
        let policy = desired.chunk_policies.get(&set.chunk_policy.value)?;
        alone.chunk_policies.insert(set.chunk_policy.value.clone(), policy.clone());
        alone.vector_sets.insert(name.clone(), set);
    } else if let Some((name, check)) = one(&desired.checks, Address::check, address) {
        alone.checks.insert(name.clone(), check.clone());
    } else if let Some((name, protection)) = one(&desired.protect, Address::protect, address) {
        let mut protection = protection.clone();
        if let Protected::Units(units) = protection.of {
            protection.of = Protected::Units(in_place(desired, units));
        }
        alone.protect.insert(name.clone(), protection);
    } else {
        return None;
    }
    plan_text("declared", &alone, &Comments::default()).ok()
}

fn one<'a, T>(
    of: &'a BTreeMap<String, T>,
    address_of: fn(&str) -> Address,
    address: &Address,
) -> Option<(&'a String, &'a T)> {
    of.iter().find(|(name, _)| address_of(name) == *address)
}

/// A selection without its name: what it is called may change in the files, and another record may need it too.
fn in_place(desired: &Desired, units: UnitsRef) -> UnitsRef {
    match units {
        UnitsRef::Inline(_) => units,
        UnitsRef::Named(spot) => match desired.units.get(&spot.value) {
            Some(named) => UnitsRef::Inline(Spot { value: named.selection.clone(), place: spot.place }),
            None => panic!("BUG: spec let an unknown selection \"{}\" through", spot.value),
        },
    }
}

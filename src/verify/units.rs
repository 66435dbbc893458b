//! The units of a set: those that its selection chooses now against those that were indexed. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::read::SetFacts;
use super::result::{Check, counted};
use crate::diff::selected;
use crate::model::{Digest, UnitFacts};
use crate::points::{MadeWith, input_digest_of};

/// Compares the units of one set. A run that went back keeps no selection, which may choose units now whose points it took
/// away: then only the units that are indexed are compared. An older Enact kept neither a selection nor the fields: nothing is.
pub(super) fn checks(name: &str, set: &SetFacts, units: &BTreeMap<String, UnitFacts>) -> Option<Check> {
    let record = set.record.as_ref().filter(|record| record.selection.is_some() || !record.fields.is_empty())?;
    let now = BTreeMap::new();
    let chosen: Option<BTreeSet<&String>> = record.selection.as_ref().map(|selection| {
        let looked_at = set.units.iter().filter_map(|id| units.get_key_value(id));
        looked_at.filter(|(_, unit)| selected(selection, unit, &now)).map(|(id, _)| id).collect()
    });
    let left = |id: &String| chosen.as_ref().is_some_and(|chosen| !chosen.contains(id));
    let mut wrong = Vec::new();
    for (id, owned) in &set.owned {
        let address = &owned.address;
        match units.get(id) {
            None => wrong.push(format!("unit \"{address}\" is gone")),
            Some(_) if left(id) => wrong.push(format!("unit \"{address}\" left the selection")),
            Some(unit) => {
                let indexed = set.inputs.get(id).zip(set.recipe.as_ref());
                let differs = |(input, recipe): (&Digest, &Digest)| {
                    input_digest_of(
                        name,
                        MadeWith { recipe, fields: &record.fields, empty_body: record.empty_body },
                        unit,
                    ) != *input
                };
                if indexed.is_some_and(differs) {
                    wrong.push(format!("unit \"{address}\" has other content, or other fields, than what is indexed"));
                }
            }
        }
    }
    let came = chosen.iter().flatten().filter(|id| !set.owned.contains_key(**id)).filter_map(|id| units.get(*id));
    wrong.extend(came.map(|unit| format!("unit \"{}\" came into the selection", unit.address)));
    let count = set.owned.len() + counted(set.as_applied.units);
    Some(Check::of(format!("vector set \"{name}\": its units are those that were indexed"), count, wrong))
}

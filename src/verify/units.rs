//! The units of a set: those that its selection chooses now against those that were indexed. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::read::SetFacts;
use super::result::Check;
use crate::diff::selected;
use crate::model::{Digest, UnitFacts};
use crate::points::input_digest_of;

/// Compares the units of one set; nothing where no selection is on record: an older Enact kept none, and neither does a run
/// that went back, after which the selection may choose units whose points it took away.
pub(super) fn checks(name: &str, set: &SetFacts, units: &BTreeMap<String, UnitFacts>) -> Option<Check> {
    let record = set.record.as_ref()?;
    let selection = record.selection.as_ref()?;
    let now = BTreeMap::new();
    let chosen: BTreeSet<&String> =
        units.iter().filter(|(_, unit)| selected(selection, unit, &now)).map(|(id, _)| id).collect();
    let mut wrong = Vec::new();
    for (id, owned) in &set.owned {
        let address = &owned.address;
        match units.get(id) {
            None => wrong.push(format!("unit \"{address}\" is gone")),
            Some(_) if !chosen.contains(id) => wrong.push(format!("unit \"{address}\" left the selection")),
            Some(unit) => {
                let indexed = set.inputs.get(id).zip(set.recipe.as_ref());
                let differs = |(input, recipe): (&Digest, &Digest)| {
                    input_digest_of(name, (recipe, &record.fields), unit) != *input
                };
                if indexed.is_some_and(differs) {
                    wrong.push(format!("unit \"{address}\" has other content, or other fields, than what is indexed"));
                }
            }
        }
    }
    let came = chosen.iter().filter(|id| !set.owned.contains_key(**id)).filter_map(|id| units.get(*id));
    wrong.extend(came.map(|unit| format!("unit \"{}\" came into the selection", unit.address)));
    Some(Check::of(format!("vector set \"{name}\": its units are those that were indexed"), set.owned.len(), wrong))
}

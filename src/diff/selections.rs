//! What plan files name of the binding: fields of units, and lifecycle states. No store is needed to know that it is there.
//!
//! A name that is not there chooses nothing, and a set over nothing is an emptied index, so it is an error and never an
//! empty selection.

use super::codes;
use super::resolve::check_target;
use crate::model::{
    Binding, Condition, Desired, Diagnostic, Diagnostics, Place, PointIds, Protected, Selection, Spot, Template,
    UnitSource, UnitsRef, name_hint,
};
use crate::points::CHUNK_FIELDS;

/// Every selection of the plan files and where it stands.
pub fn all_selections(desired: &Desired) -> Vec<(&Selection, &Place)> {
    let named = desired.units.values().map(|named| (&named.selection, &named.place));
    let protected = desired.protect.values().filter_map(|protection| match &protection.of {
        Protected::Units(units) => Some(units),
        Protected::Table { .. } | Protected::Query(_) | Protected::Collection(_) => None,
    });
    let refs = desired.promotions.values().map(|p| &p.units).chain(desired.vector_sets.values().map(|s| &s.units));
    let inline = refs.chain(protected).filter_map(|units| match units {
        UnitsRef::Inline(spot) => Some((&spot.value, &spot.place)),
        UnitsRef::Named(_) => None,
    });
    named.chain(inline).collect()
}

/// The selections that promotions and vector sets use, in this order.
pub fn used_selections(desired: &Desired) -> Vec<&Selection> {
    let promotions = desired.promotions.values().map(|promotion| desired.selection(&promotion.units));
    promotions.chain(desired.vector_sets.values().map(|set| desired.selection(&set.units))).collect()
}

/// Checks every field and every state that plan files name against the binding.
pub fn check_names(desired: &Desired, binding: &Binding) -> Diagnostics {
    let mut check = Check { binding, out: Diagnostics::default() };
    for promotion in desired.promotions.values() {
        let found = check_target(binding, &promotion.to.value);
        check.out.0.extend(found.err().map(|diagnostic| diagnostic.at(&promotion.to.place)));
    }
    for (selection, place) in all_selections(desired) {
        check.selection(selection, place);
    }
    for payload in desired.vector_sets.values().flat_map(|set| &set.payload) {
        let own = CHUNK_FIELDS.contains(&payload.value.as_str()) || binding.payload.contains_key(&payload.value);
        if !own {
            check.field(&payload.value, &payload.place);
        }
    }
    for Spot { value: policy, place } in desired.chunk_policies.values() {
        policy.text.template().names().filter(|name| *name != "chunk").for_each(|name| check.field(name, place));
    }
    for set in desired.vector_sets.values() {
        let PointIds::Key { template, .. } = &set.ids else { continue };
        let names: Vec<String> =
            Template::parse(template).map(|t| t.names().map(str::to_owned).collect()).unwrap_or_default();
        names.iter().filter_map(|name| name.strip_prefix("unit.")).for_each(|name| check.field(name, &set.place));
    }
    check.out
}

struct Check<'a> {
    binding: &'a Binding,
    out: Diagnostics,
}

impl Check<'_> {
    fn selection(&mut self, selection: &Selection, place: &Place) {
        for (name, condition) in &selection.conditions {
            self.field(name, place);
            if name == "lifecycle" {
                self.states(condition, place);
            }
        }
    }

    fn field(&mut self, name: &str, place: &Place) {
        let source: &UnitSource = &self.binding.units;
        if source.expression(name).is_some() {
            return;
        }
        let own = ["id", "address", "title", "lifecycle", "content_hash"].into_iter();
        let known = own.chain(source.fields.keys().map(String::as_str));
        let detail = format!("the binding \"{}\" has no field \"{name}\"", self.binding.name);
        self.out.push(Diagnostic::error(codes::UNKNOWN_FIELD, detail).at(place).hint(name_hint(name, known)));
    }

    fn states(&mut self, condition: &Condition, place: &Place) {
        let states: Vec<&str> = self.binding.lifecycle.states.iter().map(String::as_str).collect();
        let binding = &self.binding.name;
        let details: Vec<(&str, String)> = match condition {
            Condition::In(values) => values
                .iter()
                .filter(|value| !states.contains(&value.as_str()))
                .map(|value| (value.as_str(), format!("the binding \"{binding}\" has no state \"{value}\"")))
                .collect(),
            Condition::Prefix(prefix) if !states.iter().any(|state| state.starts_with(prefix.as_str())) => {
                vec![(prefix.as_str(), format!("no state of the binding \"{binding}\" begins with \"{prefix}\""))]
            }
            Condition::Null => vec![("", format!("every unit of the binding \"{binding}\" has a state"))],
            Condition::Prefix(_) => Vec::new(),
        };
        for (name, detail) in details {
            let hint = name_hint(name, states.iter().copied());
            self.out.push(Diagnostic::error(codes::UNKNOWN_STATE, detail).at(place).hint(hint));
        }
    }
}

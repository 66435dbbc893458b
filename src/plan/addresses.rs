//! Addresses are how plans, reviews and records name units, so each names one unit of a plan.

use super::build::BuildInput;
use super::pins::SelectionPin;
use crate::diff::codes;
use crate::model::{Address, Diagnostic, Diagnostics, Place, UnitsRef};

/// Refuses two units of a plan with one address, where the first selection of either is written.
pub(super) fn check(input: &BuildInput<'_>, selections: &[SelectionPin]) -> Result<(), Diagnostics> {
    let mut errors = Diagnostics::default();
    for shared in &input.observed.shared {
        // Where the writes of a part are tried, what the rest selects is not judged.
        let Some(pin) = shared.by.and_then(|by| selections.get(by)) else { continue };
        let detail = format!(
            "\"{}\" is the address of the units {} and {} of the binding \"{}\"",
            shared.address, shared.ids.0, shared.ids.1, input.binding.name
        );
        let hint = "make the binding's \"address\" unique, such as d.tenant || '/' || d.slug, or select one of the two";
        errors.push(Diagnostic::error(codes::SHARED_ADDRESS, detail).at_some(place(input, &pin.of)).hint(hint));
    }
    errors.into_result(()).map(|_| ())
}

/// Where the selection of a promotion or a set is written.
fn place<'a>(input: &BuildInput<'a>, of: &Address) -> Option<&'a Place> {
    let promotions = input.desired.promotions.values().map(|one| (Address::promotion(&one.name), &one.units));
    let sets = input.desired.vector_sets.values().map(|set| (Address::vector_set(&set.name), &set.units));
    let (_, units) = promotions.chain(sets).find(|(address, _)| address == of)?;
    Some(match units {
        UnitsRef::Named(spot) => &spot.place,
        UnitsRef::Inline(spot) => &spot.place,
    })
}

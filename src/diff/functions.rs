//! Functions that a binding calls, checked against the catalog.

use super::codes;
use crate::model::{Binding, Diagnostic, Diagnostics, FunctionCall, Observed, TransitionWork, name_hint, near_hint};

/// Every function call that a binding may make.
fn calls(binding: &Binding) -> Vec<&FunctionCall> {
    let transitions = binding.lifecycle.transitions.iter().filter_map(|transition| match &transition.work {
        TransitionWork::Call(call) => Some(call),
        TransitionWork::Update(_) => None,
    });
    let ledger = binding.ledger.iter().map(|ledger| &ledger.record);
    transitions.chain(binding.refresh.iter().map(|refresh| &refresh.call)).chain(ledger).collect()
}

/// Checks functions and parameters of a binding against the catalog.
pub fn check_functions(binding: &Binding, observed: &Observed) -> Diagnostics {
    let mut errors = Diagnostics::default();
    for call in calls(binding) {
        let place = binding.places.of(&call.function.to_string());
        let Some(facts) = observed.functions.get(&call.function) else {
            let known = observed.known.functions.iter().map(String::as_str);
            errors.push(
                Diagnostic::error(
                    codes::UNKNOWN_FUNCTION,
                    format!("the binding \"{}\" calls \"{}\", which is not there", binding.name, call.function),
                )
                .at_some(place)
                .hint(near_hint(
                    &call.function.to_string(),
                    known,
                    "create it, or name another in the binding",
                )),
            );
            continue;
        };
        for name in call.arguments.keys() {
            if !facts.parameters.iter().any(|parameter| parameter.name == *name) {
                errors.push(
                    Diagnostic::error(
                        codes::UNKNOWN_PARAMETER,
                        format!("function \"{}\" has no argument \"{name}\"", call.function),
                    )
                    .at_some(binding.places.of(name).or(place))
                    .hint(name_hint(name, facts.parameters.iter().map(|parameter| parameter.name.as_str()))),
                );
            }
        }
        for parameter in &facts.parameters {
            if !parameter.has_default && !call.arguments.contains_key(&parameter.name) {
                errors.push(
                    Diagnostic::error(
                        codes::UNKNOWN_PARAMETER,
                        format!("function \"{}\" needs the argument \"{}\"", call.function, parameter.name),
                    )
                    .at_some(place)
                    .hint("add it to the binding's arguments"),
                );
            }
        }
    }
    errors
}

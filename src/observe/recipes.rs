//! How the points of each declared set are made.

use std::collections::BTreeMap;

use super::Request;
use crate::diff::codes;
use crate::model::{Diagnostic, Diagnostics, VectorSpec, name_hint};
use crate::points::{Recipe, recipe};

/// The recipe of each set.
///
/// # Errors
/// An embedder that the environment does not have.
pub(super) fn recipes(request: &Request<'_>) -> Result<BTreeMap<String, Recipe>, Diagnostics> {
    let mut errors = Diagnostics::default();
    let mut out = BTreeMap::new();
    for set in request.desired.vector_sets.values() {
        let Some(policy) = request.desired.chunk_policies.get(&set.chunk_policy.value) else { continue };
        match recipe(set, &policy.value, request.identities, request.binding) {
            Ok(recipe) => {
                out.insert(set.name.clone(), recipe);
            }
            Err(name) => {
                let place = set
                    .vectors
                    .values()
                    .find(|spec| matches!(&spec.value, VectorSpec::Dense { embedder, .. } if *embedder == name));
                let known = request.identities.embedders.keys().map(String::as_str);
                errors.push(
                    Diagnostic::error(
                        codes::UNKNOWN_EMBEDDER,
                        format!("environment \"{}\" has no embedder \"{name}\"", request.environment.name),
                    )
                    .at(place.map_or(&set.place, |spec| &spec.place))
                    .hint(name_hint(&name, known)),
                );
            }
        }
    }
    errors.into_result(out).map(|(out, _)| out)
}

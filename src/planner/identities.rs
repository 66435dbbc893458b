//! What makes the vectors of the declared sets, as a plan pins it.

use crate::diff::codes;
use crate::embed::Makers;
use crate::model::{Desired, Diagnostic, Diagnostics, Identities, VectorSpec};

/// Identities of everything that the sets of these plan files are made with.
///
/// # Errors
/// A language that BM25 does not have, at each place.
pub(super) fn identities(desired: &Desired, makers: &Makers) -> Result<Identities, Diagnostics> {
    let mut out = Identities::default();
    for (name, policy) in &desired.chunk_policies {
        out.policies.insert(name.clone(), serde_json::json!(policy.value.identity()));
    }
    for (name, embedder) in &makers.embedders {
        out.embedders.insert(name.clone(), embedder.identity().clone());
    }
    let mut errors = Diagnostics::default();
    for spec in desired.vector_sets.values().flat_map(|set| set.vectors.values()) {
        if let VectorSpec::Bm25 { language } = &spec.value {
            match Makers::bm25(language) {
                Ok(bm25) => {
                    out.sparse.insert(language.clone(), serde_json::json!(bm25.identity()));
                }
                Err(error) => {
                    errors.push(Diagnostic::error(codes::EMBEDDER, error.to_string()).at(&spec.place));
                }
            }
        }
    }
    errors.into_result(out).map(|(out, _)| out)
}

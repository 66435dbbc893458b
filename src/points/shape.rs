//! Whether a point's vectors are those of its collection.

use std::collections::BTreeMap;

use crate::model::{CollectionFacts, VectorParams};
use crate::store::NamedVector;

/// Whether each dense vector of the collection is there, with as many components, all of them numbers.
pub fn has_shape(vectors: &BTreeMap<String, NamedVector>, collection: &CollectionFacts) -> bool {
    let single = collection.vectors.iter().filter(|(name, _)| !collection.multivectors.contains(*name));
    single.into_iter().all(|(name, params)| match (params, vectors.get(name)) {
        (VectorParams::Dense { dimension, .. }, Some(NamedVector::Dense(values))) => {
            values.len() as u64 == *dimension && values.iter().all(|value| value.is_finite())
        }
        (VectorParams::Dense { .. }, Some(NamedVector::Sparse(_)) | None) => false,
        // A text without a word has an empty one, which the server leaves out.
        (VectorParams::Sparse { .. }, _) => true,
    })
}

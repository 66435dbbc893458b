//! Vectors to the wire and back. The unnamed vector is `""`.

use std::collections::BTreeMap;

use qdrant_client::qdrant::{
    self as proto, DenseVector, vector, vector_output, vectors::VectorsOptions, vectors_output,
};

use crate::store::{Fault, NamedVector, SparseVector, StoreError};

/// The vectors of a point for the wire.
pub(super) fn to_wire(vectors: &BTreeMap<String, NamedVector>) -> proto::Vectors {
    let options = match vectors.get("") {
        Some(only) if vectors.len() == 1 => VectorsOptions::Vector(one_to_wire(only)),
        Some(_) | None => VectorsOptions::Vectors(proto::NamedVectors {
            vectors: vectors.iter().map(|(name, vector)| (name.clone(), one_to_wire(vector))).collect(),
        }),
    };
    proto::Vectors { vectors_options: Some(options) }
}

/// A vector to search with.
pub(super) fn input(vector: &NamedVector) -> proto::VectorInput {
    use proto::vector_input::Variant;
    let variant = match vector {
        NamedVector::Dense(data) => Variant::Dense(DenseVector { data: data.clone() }),
        NamedVector::Sparse(sparse) => Variant::Sparse(sparse_to_wire(sparse)),
    };
    proto::VectorInput { variant: Some(variant) }
}

/// The vectors of a point from the wire.
pub(super) fn from_wire(vectors: Option<proto::VectorsOutput>) -> Result<BTreeMap<String, NamedVector>, StoreError> {
    match vectors.and_then(|vectors| vectors.vectors_options) {
        None => Ok(BTreeMap::new()),
        Some(vectors_output::VectorsOptions::Vector(vector)) => {
            Ok(BTreeMap::from([(String::new(), one_from_wire("", vector)?)]))
        }
        Some(vectors_output::VectorsOptions::Vectors(named)) => named
            .vectors
            .into_iter()
            .map(|(name, vector)| {
                let vector = one_from_wire(&name, vector)?;
                Ok((name, vector))
            })
            .collect(),
    }
}

fn one_to_wire(vector: &NamedVector) -> proto::Vector {
    let vector = match vector {
        NamedVector::Dense(data) => vector::Vector::Dense(DenseVector { data: data.clone() }),
        NamedVector::Sparse(sparse) => vector::Vector::Sparse(sparse_to_wire(sparse)),
    };
    proto::Vector { vector: Some(vector), ..proto::Vector::default() }
}

fn sparse_to_wire(sparse: &SparseVector) -> proto::SparseVector {
    proto::SparseVector { values: sparse.values.clone(), indices: sparse.indices.clone() }
}

/// Servers before 1.16 fill the fields that are deprecated since. The client's own translation is not used: it divides
/// by a count that the server sends.
#[expect(deprecated, reason = "older servers answer in these fields")]
fn one_from_wire(name: &str, vector: proto::VectorOutput) -> Result<NamedVector, StoreError> {
    let proto::VectorOutput { data, indices, vectors_count, vector } = vector;
    match vector {
        Some(vector_output::Vector::Dense(dense)) => Ok(NamedVector::Dense(dense.data)),
        Some(vector_output::Vector::Sparse(sparse)) => Ok(ascending(sparse.indices, sparse.values)),
        Some(vector_output::Vector::MultiDense(_)) => Err(multi(name)),
        None if vectors_count.is_some_and(|count| count > 1) => Err(multi(name)),
        None => Ok(match indices {
            Some(indices) => ascending(indices.data, data),
            None => NamedVector::Dense(data),
        }),
    }
}

fn ascending(indices: Vec<u32>, values: Vec<f32>) -> NamedVector {
    let mut pairs: Vec<(u32, f32)> = indices.into_iter().zip(values).collect();
    pairs.sort_by_key(|(index, _)| *index);
    let (indices, values) = pairs.into_iter().unzip();
    NamedVector::Sparse(SparseVector { indices, values })
}

fn multi(name: &str) -> StoreError {
    StoreError::new(Fault::Refused, format!("the vector \"{name}\" is a multivector, which Enact does not manage"))
}

//! Vectors between the wire and the shard. A vector is checked against the collection before it is written, so that a
//! refused upsert changes nothing; the unnamed vector is the one named `""`.

use std::collections::{HashMap, HashSet};

use qdrant_client::qdrant::{
    DenseVector, MultiDenseVector, NamedVectorsOutput, SparseIndices, SparseVector, Vector, VectorInput, VectorOutput,
    Vectors, VectorsOutput, vector, vector_input, vector_output, vectors::VectorsOptions,
    vectors_output::VectorsOptions as OutputOptions,
};
use qdrant_edge::{
    DEFAULT_VECTOR_NAME, EdgeConfig, OperationError, VectorInternal, VectorPersisted, VectorStructInternal,
    VectorStructPersisted,
};

use super::refusal::Refusal;

/// What a query is near to: a vector, or the vector of a point.
pub(super) enum Near {
    Vector(VectorInternal),
    Point(qdrant_edge::PointId),
}

/// Turns the vectors of a point into what the shard stores.
pub(super) fn edge_vectors(vectors: Option<Vectors>, config: &EdgeConfig) -> Result<VectorStructPersisted, Refusal> {
    let options = vectors.and_then(|v| v.vectors_options).ok_or_else(|| Refusal::bad_input("Expected some vectors"))?;
    let named: HashMap<String, Vector> = match options {
        VectorsOptions::Vector(vector) => HashMap::from([(DEFAULT_VECTOR_NAME.to_owned(), vector)]),
        VectorsOptions::Vectors(named) => named.vectors,
    };
    let mut stored = HashMap::with_capacity(named.len());
    for (name, vector) in named {
        let vector = edge_vector(vector)?;
        check(&name, &vector, config)?;
        stored.insert(name, VectorPersisted::from(vector));
    }
    Ok(VectorStructPersisted::Named(stored))
}

pub(super) fn near(input: VectorInput) -> Result<Near, Refusal> {
    let variant = input.variant.ok_or_else(|| Refusal::bad_input("VectorInput variant is not set"))?;
    Ok(Near::Vector(match variant {
        vector_input::Variant::Id(id) => return super::values::edge_id(id).map(Near::Point),
        vector_input::Variant::Dense(dense) => VectorInternal::Dense(dense.data),
        vector_input::Variant::Sparse(sparse) => edge_sparse(sparse.indices, sparse.values)?,
        vector_input::Variant::MultiDense(multi) => edge_multi(multi)?,
        vector_input::Variant::Document(_) => {
            return Err(Refusal::unserved("VectorInput.document"));
        }
        vector_input::Variant::Image(_) => return Err(Refusal::unserved("VectorInput.image")),
        vector_input::Variant::Object(_) => return Err(Refusal::unserved("VectorInput.object")),
    }))
}

pub(super) fn edge_sparse(indices: Vec<u32>, values: Vec<f32>) -> Result<VectorInternal, Refusal> {
    if indices.len() != values.len() {
        return Err(Refusal::bad_input(format!(
            "Validation error in sparse vector: [values: must be the same length as indices, {} and {}]",
            values.len(),
            indices.len()
        )));
    }
    if indices.iter().collect::<HashSet<_>>().len() != indices.len() {
        return Err(Refusal::bad_input("Validation error in sparse vector: [indices: must be unique]"));
    }
    let mut pairs: Vec<(u32, f32)> = indices.into_iter().zip(values).collect();
    pairs.sort_unstable_by_key(|(index, _)| *index);
    let (indices, values) = pairs.into_iter().unzip();
    Ok(VectorInternal::Sparse(qdrant_edge::SparseVector { indices, values }))
}

pub(super) fn wire_vectors(vectors: Option<VectorStructInternal>) -> Option<VectorsOutput> {
    let options = match vectors? {
        VectorStructInternal::Single(dense) => OutputOptions::Vector(wire_vector(VectorInternal::Dense(dense))),
        VectorStructInternal::MultiDense(multi) => {
            OutputOptions::Vector(wire_vector(VectorInternal::MultiDense(multi)))
        }
        VectorStructInternal::Named(named) => OutputOptions::Vectors(NamedVectorsOutput {
            vectors: named.into_iter().map(|(name, vector)| (name, wire_vector(vector))).collect(),
        }),
    };
    Some(VectorsOutput { vectors_options: Some(options) })
}

/// Reads both forms of the protocol: the typed one, and the flat one of older clients.
#[expect(deprecated, reason = "clients before 1.16 send the flat form")]
fn edge_vector(vector: Vector) -> Result<VectorInternal, Refusal> {
    let Vector { data, indices, vectors_count, vector } = vector;
    match vector {
        Some(vector::Vector::Dense(dense)) => Ok(VectorInternal::Dense(dense.data)),
        Some(vector::Vector::Sparse(sparse)) => edge_sparse(sparse.indices, sparse.values),
        Some(vector::Vector::MultiDense(multi)) => edge_multi(multi),
        Some(vector::Vector::Document(_)) => Err(Refusal::unserved("Vector.document")),
        Some(vector::Vector::Image(_)) => Err(Refusal::unserved("Vector.image")),
        Some(vector::Vector::Object(_)) => Err(Refusal::unserved("Vector.object")),
        None => match (indices, vectors_count) {
            (Some(indices), _) => edge_sparse(indices.data, data),
            (None, Some(rows)) => flat_multi(data, rows),
            (None, None) => Ok(VectorInternal::Dense(data)),
        },
    }
}

fn flat_multi(data: Vec<f32>, rows: u32) -> Result<VectorInternal, Refusal> {
    let rows = usize::try_from(rows).unwrap_or(usize::MAX);
    if rows == 0 || data.is_empty() || !data.len().is_multiple_of(rows) {
        return Err(Refusal::bad_input("multivector data does not divide into its number of vectors"));
    }
    let width = data.len() / rows;
    edge_multi(MultiDenseVector {
        vectors: data.chunks_exact(width).map(|row| DenseVector { data: row.to_vec() }).collect(),
    })
}

fn edge_multi(multi: MultiDenseVector) -> Result<VectorInternal, Refusal> {
    let rows: Vec<Vec<f32>> = multi.vectors.into_iter().map(|row| row.data).collect();
    let width = rows.first().map_or(0, Vec::len);
    if width == 0 || rows.iter().any(|row| row.len() != width) {
        return Err(Refusal::bad_input("all vectors of a multivector must have one length, above zero"));
    }
    Ok(qdrant_edge::Vector::new_multi(rows)?.into())
}

fn check(name: &str, vector: &VectorInternal, config: &EdgeConfig) -> Result<(), Refusal> {
    if let Some(params) = config.vectors.get(name) {
        return match vector {
            VectorInternal::Sparse(_) => Err(OperationError::WrongSparse.into()),
            VectorInternal::Dense(_) if params.multivector_config.is_some() => Err(OperationError::WrongMulti.into()),
            VectorInternal::MultiDense(_) if params.multivector_config.is_none() => {
                Err(OperationError::WrongMulti.into())
            }
            VectorInternal::Dense(dense) => same_dimension(params.size, dense.len()),
            VectorInternal::MultiDense(multi) => {
                multi.multi_vectors().try_for_each(|row| same_dimension(params.size, row.len()))
            }
        };
    }
    if config.sparse_vectors.contains_key(name) {
        return match vector {
            VectorInternal::Sparse(_) => Ok(()),
            VectorInternal::Dense(_) | VectorInternal::MultiDense(_) => Err(OperationError::WrongSparse.into()),
        };
    }
    Err(OperationError::vector_name_not_exists(name).into())
}

fn same_dimension(expected_dim: usize, received_dim: usize) -> Result<(), Refusal> {
    if expected_dim == received_dim {
        return Ok(());
    }
    Err(OperationError::WrongVectorDimension { expected_dim, received_dim }.into())
}

/// Fills the typed form and the flat one, since clients before 1.16 read only the flat one.
#[expect(deprecated, reason = "clients before 1.16 read the flat form")]
fn wire_vector(vector: VectorInternal) -> VectorOutput {
    match vector {
        VectorInternal::Dense(data) => VectorOutput {
            data: data.clone(),
            indices: None,
            vectors_count: None,
            vector: Some(vector_output::Vector::Dense(DenseVector { data })),
        },
        VectorInternal::Sparse(sparse) => VectorOutput {
            data: sparse.values.clone(),
            indices: Some(SparseIndices { data: sparse.indices.clone() }),
            vectors_count: None,
            vector: Some(vector_output::Vector::Sparse(SparseVector {
                values: sparse.values,
                indices: sparse.indices,
            })),
        },
        VectorInternal::MultiDense(multi) => {
            let rows: Vec<DenseVector> = multi.multi_vectors().map(|row| DenseVector { data: row.to_vec() }).collect();
            VectorOutput {
                data: rows.iter().flat_map(|row| row.data.iter().copied()).collect(),
                indices: None,
                vectors_count: u32::try_from(rows.len()).ok(),
                vector: Some(vector_output::Vector::MultiDense(MultiDenseVector { vectors: rows })),
            }
        }
    }
}

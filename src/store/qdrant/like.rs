//! A new collection made as a live one is.
//!
//! Whoever runs the server has tuned the live collection: where vectors and payloads lie, how they are quantised, how often
//! they are replicated, what strict mode refuses. The collection that takes its place gets all of that from what the
//! server says of the live one.
//!
//! | of the live collection | taken over |
//! | --- | --- |
//! | HNSW, quantisation, optimisers, write-ahead log, strict mode | as they are |
//! | shard number, replication factor, write consistency, where payloads and ids lie | as they are |
//! | a dense vector of the same name, dimension and distance | HNSW, quantisation, place, datatype |
//! | a dense vector of the same name and another dimension or distance | HNSW, quantisation and place: what a datatype loses depends on the values |
//! | a sparse vector of the same name | its index |
//! | a payload index on the same field and of the same kind | its parameters |
//!
//! A multivector is another shape, which `plan` says: Enact writes one vector for a chunk. Custom sharding is refused before.
//! Read fan-out is left out: a request that makes a collection cannot carry it.
//!
//! Messages are taken apart field by field, so that a field which a new version of the protocol adds is decided here.

use std::collections::HashMap;

use qdrant_client::qdrant as proto;

use super::wire;

/// What is taken over.
#[derive(Debug, Default)]
pub(super) struct Like {
    dense: HashMap<String, proto::VectorParams>,
    sparse: HashMap<String, proto::SparseVectorParams>,
    indexes: HashMap<String, proto::PayloadSchemaInfo>,
    rest: proto::CreateCollection,
}

impl Like {
    /// Reads what a server says of a collection.
    #[expect(deprecated, reason = "on_disk_payload is what servers before 1.20 say")]
    pub(super) fn of(info: proto::CollectionInfo) -> Like {
        let proto::CollectionConfig {
            params,
            hnsw_config,
            optimizer_config,
            wal_config,
            quantization_config,
            strict_mode_config,
            metadata: _,
        } = info.config.unwrap_or_default();
        let proto::CollectionParams {
            shard_number,
            on_disk_payload,
            vectors_config,
            replication_factor,
            write_consistency_factor,
            read_fan_out_factor: _,
            sharding_method: _,
            sparse_vectors_config,
            read_fan_out_delay_ms: _,
            payload,
            id_tracker,
        } = params.unwrap_or_default();
        let dense = wire::dense(vectors_config);
        let rest = proto::CreateCollection {
            hnsw_config,
            wal_config,
            optimizers_config: optimizer_config,
            shard_number: (shard_number > 0).then_some(shard_number),
            on_disk_payload: Some(on_disk_payload),
            replication_factor,
            write_consistency_factor,
            quantization_config,
            strict_mode_config,
            payload,
            id_tracker,
            ..proto::CreateCollection::default()
        };
        let sparse = sparse_vectors_config.unwrap_or_default().map;
        Like { dense, sparse, indexes: info.payload_schema, rest }
    }

    /// The request to which names, shapes and metadata are still to be added.
    pub(super) fn request(&self) -> proto::CreateCollection {
        self.rest.clone()
    }

    /// A dense vector of this shape.
    #[expect(deprecated, reason = "on_disk is what servers before 1.20 say")]
    pub(super) fn dense(&self, name: &str, shape: proto::VectorParams) -> proto::VectorParams {
        let Some(proto::VectorParams {
            size,
            distance,
            hnsw_config,
            quantization_config,
            on_disk,
            datatype,
            multivector_config: _,
            memory,
        }) = self.dense.get(name).copied()
        else {
            return shape;
        };
        let same = (size, distance) == (shape.size, shape.distance);
        let datatype = datatype.filter(|_| same);
        proto::VectorParams { hnsw_config, quantization_config, on_disk, datatype, memory, ..shape }
    }

    /// A sparse vector with this modifier.
    pub(super) fn sparse(&self, name: &str, modifier: proto::Modifier) -> proto::SparseVectorParams {
        let index = self.sparse.get(name).and_then(|params| params.index);
        proto::SparseVectorParams { index, modifier: Some(modifier.into()) }
    }

    /// The parameters of the payload index on this field, where it is of this kind.
    pub(super) fn index(&self, field: &str, kind: &str) -> Option<proto::PayloadIndexParams> {
        let found = self.indexes.get(field).filter(|found| wire::kind_name(found.data_type()) == kind)?;
        found.params.clone()
    }
}

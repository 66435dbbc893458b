//! A collection's configuration: what a create request asks for, kept as the protocol's own `CollectionInfo` so that
//! it is echoed as it was given, and the shard's configuration that follows from it.

use qdrant_client::qdrant::{
    CollectionConfig, CollectionInfo, CollectionParams, CompressionRatio, CreateCollection, Datatype, Distance,
    HnswConfigDiff, Modifier, OptimizersConfigDiff, QuantizationConfig, ShardingMethod, SparseVectorParams,
    StrictModeConfig, TurboQuantBitSize, VectorParams, WalConfigDiff,
    binary_quantization_query_encoding as query_encoding, quantization_config::Quantization, vectors_config::Config,
};
use qdrant_edge as edge;
use qdrant_edge::{EdgeConfig, EdgeOptimizersConfig, EdgeSparseVectorParams, EdgeVectorParams};
use serde_json::json;

use super::index::on_disk;
use super::refusal::Refusal;

/// The largest dimension the server accepts.
const LARGEST_DIMENSION: u64 = 65_536;

/// Vectors of a segment that have no graph, in kilobytes, unless a client says otherwise. A hundred times what a server takes:
/// making a graph holds writes up here, a minute for 200,000 points, and all vectors are read in a tenth of a second.
const INDEXED_KILOBYTES: u64 = 1_000_000;

/// Checks a create request and returns what is kept of it.
#[expect(deprecated, reason = "on_disk_payload is still what most clients send")]
pub(super) fn new_info(request: CreateCollection) -> Result<CollectionInfo, Refusal> {
    let CreateCollection {
        collection_name: _,
        hnsw_config,
        wal_config,
        optimizers_config,
        shard_number,
        on_disk_payload,
        timeout: _,
        vectors_config,
        replication_factor,
        write_consistency_factor,
        quantization_config,
        sharding_method,
        sparse_vectors_config,
        strict_mode_config,
        metadata,
        payload,
        id_tracker,
    } = request;
    only_one("CreateCollection.shard_number", shard_number)?;
    only_one("CreateCollection.replication_factor", replication_factor)?;
    only_one("CreateCollection.write_consistency_factor", write_consistency_factor)?;
    if sharding_method == Some(ShardingMethod::Custom.into()) {
        return Err(Refusal::unserved("CreateCollection.sharding_method = custom"));
    }
    lenient(strict_mode_config.as_ref())?;
    let config = CollectionConfig {
        params: Some(CollectionParams {
            shard_number: 1,
            on_disk_payload: on_disk_payload.unwrap_or(true),
            vectors_config,
            replication_factor: Some(1),
            write_consistency_factor: Some(1),
            read_fan_out_factor: None,
            sharding_method,
            sparse_vectors_config,
            read_fan_out_delay_ms: None,
            payload,
            id_tracker,
        }),
        hnsw_config: Some(default_hnsw(hnsw_config.unwrap_or_default())),
        optimizer_config: Some(default_optimizer(optimizers_config.unwrap_or_default())),
        wal_config: Some(default_wal(wal_config.unwrap_or_default())),
        quantization_config,
        strict_mode_config,
        metadata,
    };
    Ok(CollectionInfo { config: Some(config), ..CollectionInfo::default() })
}

/// Derives the shard's configuration.
#[expect(deprecated, reason = "on_disk_payload is still what most clients send")]
pub(super) fn edge_config(config: &CollectionConfig) -> Result<EdgeConfig, Refusal> {
    let params = config.params.clone().unwrap_or_default();
    let hnsw = edge_hnsw(config.hnsw_config.unwrap_or_default(), edge::HnswIndexConfig::default())?;
    let mut edge_config = EdgeConfig {
        on_disk_payload: on_disk(Some(params.on_disk_payload), params.payload.and_then(|p| p.memory)).unwrap_or(true),
        hnsw_config: hnsw,
        quantization_config: config.quantization_config.as_ref().map(edge_quantization).transpose()?,
        optimizers: edge_optimizers(config.optimizer_config.unwrap_or_default())?,
        ..EdgeConfig::default()
    };
    match params.vectors_config.and_then(|vectors| vectors.config) {
        None => {}
        Some(Config::Params(one)) => {
            edge_config.vectors.insert(edge::DEFAULT_VECTOR_NAME.to_owned(), dense(&one, hnsw)?);
        }
        Some(Config::ParamsMap(many)) => {
            for (name, one) in many.map {
                edge_config.vectors.insert(name, dense(&one, hnsw)?);
            }
        }
    }
    for (name, one) in params.sparse_vectors_config.map(|sparse| sparse.map).unwrap_or_default() {
        if name.is_empty() || edge_config.vectors.contains_key(&name) {
            return Err(Refusal::bad_input(format!("sparse vector name `{name}` is empty or taken by a dense one")));
        }
        edge_config.sparse_vectors.insert(name, sparse(one)?);
    }
    Ok(edge_config)
}

/// Refuses strict mode when it is on; an explicit "off" is what this server does.
pub(super) fn lenient(strict: Option<&StrictModeConfig>) -> Result<(), Refusal> {
    match strict {
        Some(StrictModeConfig { enabled: Some(true), .. }) => Err(Refusal::unserved("StrictModeConfig.enabled")),
        Some(_) | None => Ok(()),
    }
}

/// Refuses more than one of what a single machine has one of.
pub(super) fn only_one(field: &str, number: Option<u32>) -> Result<(), Refusal> {
    match number {
        None | Some(0 | 1) => Ok(()),
        Some(number) => Err(Refusal::unserved(format!("{field} = {number}"))),
    }
}

#[expect(deprecated, reason = "on_disk is still what most clients send")]
fn dense(params: &VectorParams, collection_hnsw: edge::HnswIndexConfig) -> Result<EdgeVectorParams, Refusal> {
    if params.size == 0 || params.size > LARGEST_DIMENSION {
        return Err(Refusal::bad_input(format!(
            "Validation error in body: [vectors.size: value {} invalid, must be from 1 to {LARGEST_DIMENSION}]",
            params.size
        )));
    }
    let distance = match params.distance() {
        Distance::Cosine => edge::Distance::Cosine,
        Distance::Euclid => edge::Distance::Euclid,
        Distance::Dot => edge::Distance::Dot,
        Distance::Manhattan => edge::Distance::Manhattan,
        Distance::UnknownDistance => {
            return Err(Refusal::bad_input("UnknownDistance is not a distance"));
        }
    };
    Ok(EdgeVectorParams {
        size: usize::try_from(params.size).unwrap_or(usize::MAX),
        distance,
        on_disk: on_disk(params.on_disk, params.memory),
        multivector_config: params
            .multivector_config
            .map(|_| edge::MultiVectorConfig { comparator: edge::MultiVectorComparator::MaxSim }),
        datatype: datatype(params.datatype)?,
        quantization_config: params.quantization_config.as_ref().map(edge_quantization).transpose()?,
        hnsw_config: params.hnsw_config.map(|diff| edge_hnsw(diff, collection_hnsw)).transpose()?,
    })
}

#[expect(deprecated, reason = "on_disk is still what most clients send")]
fn sparse(params: SparseVectorParams) -> Result<EdgeSparseVectorParams, Refusal> {
    let index = params.index.unwrap_or_default();
    Ok(EdgeSparseVectorParams {
        full_scan_threshold: index.full_scan_threshold.map(size),
        on_disk: on_disk(index.on_disk, index.memory),
        modifier: match params.modifier() {
            Modifier::None => None,
            Modifier::Idf => Some(edge::Modifier::Idf),
        },
        datatype: datatype(index.datatype)?,
    })
}

fn datatype(number: Option<i32>) -> Result<Option<edge::VectorStorageDatatype>, Refusal> {
    let Some(number) = number else {
        return Ok(None);
    };
    match Datatype::try_from(number) {
        Ok(Datatype::Default) => Ok(None),
        Ok(Datatype::Float32) => Ok(Some(edge::VectorStorageDatatype::Float32)),
        Ok(Datatype::Float16) => Ok(Some(edge::VectorStorageDatatype::Float16)),
        Ok(Datatype::Uint8) => Ok(Some(edge::VectorStorageDatatype::Uint8)),
        Ok(Datatype::Turbo4) => Ok(Some(edge::VectorStorageDatatype::Turbo4)),
        Ok(other @ (Datatype::Turbo8 | Datatype::Turbo16)) => {
            Err(Refusal::unserved(format!("Datatype.{}", other.as_str_name())))
        }
        Err(_) => Err(Refusal::bad_input(format!("unknown datatype {number}"))),
    }
}

#[expect(deprecated, reason = "on_disk is still what most clients send")]
fn edge_hnsw(diff: HnswConfigDiff, base: edge::HnswIndexConfig) -> Result<edge::HnswIndexConfig, Refusal> {
    if let Some(ef @ 0..4) = diff.ef_construct {
        return Err(Refusal::bad_input(format!(
            "Validation error in body: [hnsw_config.ef_construct: value {ef} invalid, must be 4 or larger]"
        )));
    }
    Ok(edge::HnswIndexConfig {
        m: diff.m.map_or(base.m, size),
        ef_construct: diff.ef_construct.map_or(base.ef_construct, size),
        full_scan_threshold: diff.full_scan_threshold.map_or(base.full_scan_threshold, size),
        max_indexing_threads: diff.max_indexing_threads.map_or(base.max_indexing_threads, size),
        on_disk: on_disk(diff.on_disk, diff.memory).or(base.on_disk),
        payload_m: diff.payload_m.map(size).or(base.payload_m),
        inline_storage: diff.inline_storage.or(base.inline_storage),
    })
}

fn edge_optimizers(diff: OptimizersConfigDiff) -> Result<EdgeOptimizersConfig, Refusal> {
    if diff.prevent_unoptimized == Some(true) {
        return Err(Refusal::unserved("OptimizersConfigDiff.prevent_unoptimized"));
    }
    Ok(EdgeOptimizersConfig {
        deleted_threshold: diff.deleted_threshold,
        vacuum_min_vector_number: diff.vacuum_min_vector_number.map(size),
        default_segment_number: diff.default_segment_number.map(size),
        max_segment_size: diff.max_segment_size.map(size),
        indexing_threshold: diff.indexing_threshold.map(size),
        prevent_unoptimized: None,
    })
}

#[expect(deprecated, reason = "always_ram is still what most clients send")]
fn edge_quantization(config: &QuantizationConfig) -> Result<edge::QuantizationConfig, Refusal> {
    let Some(kind) = config.quantization.as_ref() else {
        return Err(Refusal::bad_input("Unable to convert quantization config"));
    };
    let ram = |flag: Option<bool>, memory| on_disk(flag.map(|always| !always), memory).map(|disk| !disk);
    Ok(match kind {
        Quantization::Scalar(scalar) => edge::QuantizationConfig::from(edge::ScalarQuantizationConfig {
            r#type: edge::ScalarType::Int8,
            quantile: scalar.quantile,
            always_ram: ram(scalar.always_ram, scalar.memory),
        }),
        Quantization::Product(product) => edge::QuantizationConfig::from(edge::ProductQuantizationConfig {
            compression: match product.compression() {
                CompressionRatio::X4 => edge::CompressionRatio::X4,
                CompressionRatio::X8 => edge::CompressionRatio::X8,
                CompressionRatio::X16 => edge::CompressionRatio::X16,
                CompressionRatio::X32 => edge::CompressionRatio::X32,
                CompressionRatio::X64 => edge::CompressionRatio::X64,
            },
            always_ram: ram(product.always_ram, product.memory),
        }),
        Quantization::Binary(binary) => {
            edge::QuantizationConfig::from(binary_quantization(binary, ram(binary.always_ram, binary.memory)))
        }
        Quantization::Turboquant(turbo) => {
            let bits = match turbo.bits.map(TurboQuantBitSize::try_from) {
                None | Some(Ok(TurboQuantBitSize::Bits4)) => "bits4",
                Some(Ok(TurboQuantBitSize::Bits1)) => "bits1",
                Some(Ok(TurboQuantBitSize::Bits15)) => "bits1_5",
                Some(Ok(TurboQuantBitSize::Bits2)) => "bits2",
                Some(Ok(TurboQuantBitSize::Bits8)) | Some(Err(_)) => {
                    return Err(Refusal::unserved("TurboQuantization.bits"));
                }
            };
            let always_ram = ram(turbo.always_ram, turbo.memory);
            serde_json::from_value(json!({ "turbo": { "bits": bits, "always_ram": always_ram } }))
                .map_err(|error| Refusal::Internal(format!("turbo quantization: {error}")))?
        }
    })
}

fn binary_quantization(
    binary: &qdrant_client::qdrant::BinaryQuantization,
    always_ram: Option<bool>,
) -> edge::BinaryQuantizationConfig {
    use qdrant_client::qdrant::BinaryQuantizationEncoding as Encoding;
    let encoding = match binary.encoding() {
        Encoding::OneBit => edge::BinaryQuantizationEncoding::OneBit,
        Encoding::TwoBits => edge::BinaryQuantizationEncoding::TwoBits,
        Encoding::OneAndHalfBits => edge::BinaryQuantizationEncoding::OneAndHalfBits,
    };
    let queries = binary.query_encoding.and_then(|q| q.variant).map(|query_encoding::Variant::Setting(s)| s);
    let query_encoding = queries.map(|number| match query_encoding::Setting::try_from(number) {
        Ok(query_encoding::Setting::Default) | Err(_) => edge::BinaryQuantizationQueryEncoding::Default,
        Ok(query_encoding::Setting::Binary) => edge::BinaryQuantizationQueryEncoding::Binary,
        Ok(query_encoding::Setting::Scalar4Bits) => edge::BinaryQuantizationQueryEncoding::Scalar4Bits,
        Ok(query_encoding::Setting::Scalar8Bits) => edge::BinaryQuantizationQueryEncoding::Scalar8Bits,
    });
    edge::BinaryQuantizationConfig { always_ram, encoding: binary.encoding.map(|_| encoding), query_encoding }
}

#[expect(deprecated, reason = "on_disk is still what most clients read")]
fn default_hnsw(mut hnsw: HnswConfigDiff) -> HnswConfigDiff {
    let base = edge::HnswIndexConfig::default();
    hnsw.m.get_or_insert(base.m as u64);
    hnsw.ef_construct.get_or_insert(base.ef_construct as u64);
    hnsw.full_scan_threshold.get_or_insert(base.full_scan_threshold as u64);
    hnsw.max_indexing_threads.get_or_insert(0);
    hnsw.on_disk.get_or_insert(false);
    hnsw
}

fn default_optimizer(mut optimizer: OptimizersConfigDiff) -> OptimizersConfigDiff {
    optimizer.deleted_threshold.get_or_insert(0.2);
    optimizer.vacuum_min_vector_number.get_or_insert(1000);
    optimizer.default_segment_number.get_or_insert(0);
    optimizer.indexing_threshold.get_or_insert(INDEXED_KILOBYTES);
    optimizer.flush_interval_sec.get_or_insert(5);
    optimizer
}

fn default_wal(mut wal: WalConfigDiff) -> WalConfigDiff {
    wal.wal_capacity_mb.get_or_insert(32);
    wal.wal_segments_ahead.get_or_insert(0);
    wal.wal_retain_closed.get_or_insert(1);
    wal
}

fn size(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

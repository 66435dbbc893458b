//! Ids, shapes and kinds to the wire and back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use qdrant_client::qdrant::{
    self as proto, Distance, FieldType, Modifier, PayloadSchemaType, point_id::PointIdOptions, value::Kind,
    vectors_config::Config,
};

use super::like::Like;
use uuid::Uuid;

use crate::model::{CollectionFacts, CollectionLimits, CollectionMetadata, PointId, VectorParams};
use crate::store::{CollectionSpec, Fault, StoreError};

/// An id for the wire.
pub(super) fn id(id: &PointId) -> proto::PointId {
    let options = match id {
        PointId::Number(number) => PointIdOptions::Num(*number),
        PointId::Uuid(uuid) => PointIdOptions::Uuid(uuid.hyphenated().to_string()),
    };
    proto::PointId { point_id_options: Some(options) }
}

/// An id from the wire.
pub(super) fn id_from(id: Option<proto::PointId>) -> Result<PointId, StoreError> {
    match id.and_then(|id| id.point_id_options) {
        Some(PointIdOptions::Num(number)) => Ok(PointId::Number(number)),
        Some(PointIdOptions::Uuid(uuid)) => match Uuid::try_parse(&uuid) {
            Ok(uuid) => Ok(PointId::Uuid(uuid)),
            Err(_) => Err(StoreError::new(Fault::Refused, format!("Qdrant sent the point id \"{uuid}\""))),
        },
        None => Err(StoreError::new(Fault::Refused, "Qdrant sent a point without an id")),
    }
}

/// The request that makes a collection, with what it takes over from another.
pub(super) fn create(
    spec: &CollectionSpec,
    like: &Like,
    timeout: Option<u64>,
) -> Result<proto::CreateCollection, StoreError> {
    let mut dense = BTreeMap::new();
    let mut sparse = HashMap::new();
    for (name, params) in &spec.vectors {
        match params {
            VectorParams::Dense { dimension, distance } => {
                dense.insert(name.clone(), like.dense(name, dense_params(*dimension, distance)?));
            }
            VectorParams::Sparse { idf } => {
                let modifier = if *idf { Modifier::Idf } else { Modifier::None };
                sparse.insert(name.clone(), like.sparse(name, modifier));
            }
        }
    }
    let config = match dense.remove("") {
        Some(only) if dense.is_empty() => Some(Config::Params(only)),
        Some(_) => {
            return Err(StoreError::new(
                Fault::Refused,
                "a collection has either one unnamed dense vector or named ones",
            ));
        }
        None if dense.is_empty() => None,
        None => Some(Config::ParamsMap(proto::VectorParamsMap { map: dense.into_iter().collect() })),
    };
    Ok(proto::CreateCollection {
        collection_name: spec.name.clone(),
        timeout,
        vectors_config: config.map(|config| proto::VectorsConfig { config: Some(config) }),
        sparse_vectors_config: (!sparse.is_empty()).then_some(proto::SparseVectorConfig { map: sparse }),
        metadata: metadata(&spec.metadata),
        ..like.request()
    })
}

/// Metadata for the wire.
pub(super) fn metadata(texts: &BTreeMap<String, String>) -> HashMap<String, proto::Value> {
    texts
        .iter()
        .map(|(key, text)| (key.clone(), proto::Value { kind: Some(Kind::StringValue(text.clone())) }))
        .collect()
}

/// Facts of a collection from what the server says of it, and its metadata as texts; the points are counted apart.
pub(super) fn facts(
    name: String,
    info: proto::CollectionInfo,
    metadata: impl FnOnce(BTreeMap<String, String>) -> CollectionMetadata,
) -> CollectionFacts {
    let config = info.config.unwrap_or_default();
    let params = config.params.unwrap_or_default();
    let dense = dense(params.vectors_config);
    let multi = dense.iter().filter(|(_, params)| params.multivector_config.is_some());
    let multivectors: BTreeSet<String> = multi.map(|(name, _)| name.clone()).collect();
    let mut vectors: BTreeMap<String, VectorParams> =
        dense.into_iter().map(|(name, params)| (name, dense_facts(&params))).collect();
    for (name, params) in params.sparse_vectors_config.unwrap_or_default().map {
        let idf = params.modifier() == Modifier::Idf;
        vectors.insert(name, VectorParams::Sparse { idf });
    }
    CollectionFacts {
        name,
        vectors,
        multivectors,
        payload_indexes: info
            .payload_schema
            .into_iter()
            .map(|(field, schema)| (field, kind_name(schema.data_type()).to_owned()))
            .collect(),
        points: 0,
        shards: params.shard_number,
        custom_sharding: params.sharding_method == Some(proto::ShardingMethod::Custom.into()),
        strict: config.strict_mode_config.as_ref().is_some_and(proto::StrictModeConfig::enabled),
        limits: limits(config.strict_mode_config.as_ref(), config.optimizer_config.as_ref()),
        metadata: metadata(texts(config.metadata)),
    }
}

/// A collection's dense vectors by name; the one that has none is `""`.
pub(super) fn dense(config: Option<proto::VectorsConfig>) -> HashMap<String, proto::VectorParams> {
    match config.and_then(|config| config.config) {
        None => HashMap::new(),
        Some(Config::Params(only)) => HashMap::from([(String::new(), only)]),
        Some(Config::ParamsMap(named)) => named.map,
    }
}

/// Whether the collection lets points be counted exactly.
pub(super) fn allows_exact(info: &proto::CollectionInfo) -> bool {
    let strict = info.config.as_ref().and_then(|config| config.strict_mode_config.as_ref());
    !strict.is_some_and(|strict| strict.enabled() && strict.search_allow_exact == Some(false))
}

/// What is text in a collection's metadata.
fn texts(metadata: HashMap<String, proto::Value>) -> BTreeMap<String, String> {
    let texts = metadata.into_iter().filter_map(|(key, value)| match value.kind {
        Some(Kind::StringValue(text)) => Some((key, text)),
        _ => None,
    });
    texts.collect()
}

fn limits(
    strict: Option<&proto::StrictModeConfig>,
    optimizers: Option<&proto::OptimizersConfigDiff>,
) -> CollectionLimits {
    let prevent_unoptimized = optimizers.is_some_and(proto::OptimizersConfigDiff::prevent_unoptimized);
    let Some(strict) = strict.filter(|strict| strict.enabled()) else {
        return CollectionLimits { prevent_unoptimized, ..CollectionLimits::default() };
    };
    CollectionLimits {
        page: strict.max_query_limit.map(u64::from),
        timeout_seconds: strict.max_timeout.map(u64::from),
        upsert_batch: strict.upsert_max_batchsize,
        points: strict.max_points_count,
        vector_bytes: strict.max_collection_vector_size_bytes,
        payload_bytes: strict.max_collection_payload_size_bytes,
        payload_indexes: strict.max_payload_index_count,
        reads_per_minute: strict.read_rate_limit.map(u64::from),
        writes_per_minute: strict.write_rate_limit.map(u64::from),
        prevent_unoptimized,
    }
}

/// The wire's name for a kind of payload index.
pub(super) fn field_type(kind: &str) -> Result<FieldType, StoreError> {
    Ok(match kind {
        "keyword" => FieldType::Keyword,
        "uuid" => FieldType::Uuid,
        "integer" => FieldType::Integer,
        "float" => FieldType::Float,
        "bool" => FieldType::Bool,
        "datetime" => FieldType::Datetime,
        "text" => FieldType::Text,
        "geo" => FieldType::Geo,
        other => {
            return Err(StoreError::new(Fault::Refused, format!("there is no payload index of the kind \"{other}\""))
                .hint("use keyword, uuid, integer, float, bool, datetime, text or geo"));
        }
    })
}

/// The name of a kind of payload index.
pub(super) fn kind_name(kind: PayloadSchemaType) -> &'static str {
    match kind {
        PayloadSchemaType::Keyword => "keyword",
        PayloadSchemaType::Uuid => "uuid",
        PayloadSchemaType::Integer => "integer",
        PayloadSchemaType::Float => "float",
        PayloadSchemaType::Bool => "bool",
        PayloadSchemaType::Datetime => "datetime",
        PayloadSchemaType::Text => "text",
        PayloadSchemaType::Geo => "geo",
        PayloadSchemaType::UnknownType => "unknown",
    }
}

fn dense_params(dimension: u64, distance: &str) -> Result<proto::VectorParams, StoreError> {
    let distance = match distance {
        "cosine" => Distance::Cosine,
        "dot" => Distance::Dot,
        "euclid" => Distance::Euclid,
        "manhattan" => Distance::Manhattan,
        other => {
            return Err(StoreError::new(Fault::Refused, format!("there is no distance \"{other}\""))
                .hint("use cosine, dot, euclid or manhattan"));
        }
    };
    Ok(proto::VectorParams { size: dimension, distance: distance.into(), ..proto::VectorParams::default() })
}

fn dense_facts(params: &proto::VectorParams) -> VectorParams {
    let distance = match params.distance() {
        Distance::Cosine => "cosine",
        Distance::Dot => "dot",
        Distance::Euclid => "euclid",
        Distance::Manhattan => "manhattan",
        Distance::UnknownDistance => "unknown",
    };
    VectorParams::Dense { dimension: params.size, distance: distance.to_owned() }
}

//! Changing a collection's configuration. The protocol's "diff" messages are merged with protobuf's own rule: what is set
//! replaces, what is not set stays.

use std::collections::HashMap;

use prost::Message;
use qdrant_client::qdrant::{
    CollectionConfig, CollectionParams, CollectionParamsDiff, QuantizationConfig, QuantizationConfigDiff,
    UpdateCollection, Value, VectorParams, VectorParamsDiff, VectorsConfigDiff, quantization_config::Quantization,
    quantization_config_diff::Quantization as QuantizationDiff, value::Kind, vectors_config::Config,
    vectors_config_diff::Config as ConfigDiff,
};
use qdrant_edge::OperationError;

use super::config::{lenient, only_one};
use super::refusal::Refusal;

/// Applies an update request to a configuration.
pub(super) fn merge(config: &mut CollectionConfig, request: UpdateCollection) -> Result<(), Refusal> {
    let UpdateCollection {
        collection_name: _,
        optimizers_config,
        timeout: _,
        params,
        hnsw_config,
        vectors_config,
        quantization_config,
        sparse_vectors_config,
        strict_mode_config,
        metadata,
    } = request;
    lenient(strict_mode_config.as_ref())?;
    overlay(config.optimizer_config.get_or_insert_default(), optimizers_config.as_ref())?;
    overlay(config.hnsw_config.get_or_insert_default(), hnsw_config.as_ref())?;
    if strict_mode_config.is_some() {
        overlay(config.strict_mode_config.get_or_insert_default(), strict_mode_config.as_ref())?;
    }
    if let Some(diff) = quantization_config {
        config.quantization_config = quantization(diff)?;
    }
    let own = config.params.get_or_insert_default();
    if let Some(diff) = params {
        merge_params(own, diff)?;
    }
    if let Some(diff) = vectors_config {
        merge_vectors(own, diff)?;
    }
    if let Some(sparse) = sparse_vectors_config {
        let known = own.sparse_vectors_config.get_or_insert_default();
        if let Some(name) = sparse.map.keys().find(|name| !known.map.contains_key(*name)) {
            return Err(OperationError::vector_name_not_exists(name).into());
        }
        for (name, diff) in &sparse.map {
            overlay(known.map.entry(name.clone()).or_default(), Some(diff))?;
        }
    }
    merge_metadata(&mut config.metadata, metadata);
    Ok(())
}

/// A key given as null is removed, as the server does.
fn merge_metadata(own: &mut HashMap<String, Value>, given: HashMap<String, Value>) {
    for (key, value) in given {
        match value.kind {
            None | Some(Kind::NullValue(_)) => {
                own.remove(&key);
            }
            Some(_) => {
                own.insert(key, value);
            }
        }
    }
}

#[expect(deprecated, reason = "on_disk_payload is still what most clients send")]
fn merge_params(own: &mut CollectionParams, diff: CollectionParamsDiff) -> Result<(), Refusal> {
    only_one("CollectionParamsDiff.replication_factor", diff.replication_factor)?;
    only_one("CollectionParamsDiff.write_consistency_factor", diff.write_consistency_factor)?;
    own.on_disk_payload = diff.on_disk_payload.unwrap_or(own.on_disk_payload);
    own.read_fan_out_factor = diff.read_fan_out_factor.or(own.read_fan_out_factor);
    own.read_fan_out_delay_ms = diff.read_fan_out_delay_ms.or(own.read_fan_out_delay_ms);
    own.payload = diff.payload.or(own.payload);
    own.id_tracker = diff.id_tracker.or(own.id_tracker);
    Ok(())
}

fn merge_vectors(own: &mut CollectionParams, diff: VectorsConfigDiff) -> Result<(), Refusal> {
    let config = own.vectors_config.as_mut().and_then(|vectors| vectors.config.as_mut());
    let missing = |name: &str| Refusal::from(OperationError::vector_name_not_exists(name));
    let named = match diff.config {
        None => return Ok(()),
        Some(ConfigDiff::Params(one)) => HashMap::from([(String::new(), one)]),
        Some(ConfigDiff::ParamsMap(many)) => many.map,
    };
    match config {
        Some(Config::Params(params)) => named.into_iter().try_for_each(|(name, diff)| {
            if name.is_empty() { merge_vector(params, diff) } else { Err(missing(&name)) }
        }),
        Some(Config::ParamsMap(params)) => named
            .into_iter()
            .try_for_each(|(name, diff)| merge_vector(params.map.get_mut(&name).ok_or_else(|| missing(&name))?, diff)),
        None => named.into_keys().try_for_each(|name| Err(missing(&name))),
    }
}

#[expect(deprecated, reason = "on_disk is still what most clients send")]
fn merge_vector(own: &mut VectorParams, diff: VectorParamsDiff) -> Result<(), Refusal> {
    if let Some(hnsw) = diff.hnsw_config {
        if hnsw.encoded_len() == 0 {
            own.hnsw_config = None;
        } else {
            overlay(own.hnsw_config.get_or_insert_default(), Some(&hnsw))?;
        }
    }
    if let Some(diff) = diff.quantization_config {
        own.quantization_config = quantization(diff)?;
    }
    own.on_disk = diff.on_disk.or(own.on_disk);
    own.memory = diff.memory.or(own.memory);
    Ok(())
}

fn quantization(diff: QuantizationConfigDiff) -> Result<Option<QuantizationConfig>, Refusal> {
    let quantization = match diff.quantization {
        None => return Err(Refusal::bad_input("Unable to convert quantization config")),
        Some(QuantizationDiff::Disabled(_)) => return Ok(None),
        Some(QuantizationDiff::Scalar(scalar)) => Quantization::Scalar(scalar),
        Some(QuantizationDiff::Product(product)) => Quantization::Product(product),
        Some(QuantizationDiff::Binary(binary)) => Quantization::Binary(binary),
        Some(QuantizationDiff::Turboquant(turbo)) => Quantization::Turboquant(turbo),
    };
    Ok(Some(QuantizationConfig { quantization: Some(quantization) }))
}

fn overlay<M: Message>(own: &mut M, diff: Option<&M>) -> Result<(), Refusal> {
    let Some(diff) = diff else { return Ok(()) };
    own.merge(diff.encode_to_vec().as_slice())
        .map_err(|error| Refusal::Internal(format!("a configuration did not merge: {error}")))
}

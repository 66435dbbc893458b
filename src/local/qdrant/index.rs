//! Payload indexes: the protocol's parameters to the shard's. The shard's parameter types cannot all be named from
//! outside, so they are made from their JSON form.

use qdrant_client::qdrant::{
    CreateFieldIndexCollection, FieldType, Memory, PayloadIndexParams, PayloadSchemaInfo, PayloadSchemaType,
    TextIndexParams, TokenizerType, payload_index_params::IndexParams, stemming_algorithm::StemmingParams,
};
use qdrant_edge::PayloadFieldSchema;
use serde_json::{Value, json};

use super::refusal::Refusal;

/// Reads what a request to index a field asks for, as it is kept with the collection.
pub(super) fn requested_schema(request: &CreateFieldIndexCollection) -> Result<PayloadSchemaInfo, Refusal> {
    let by_params = request.field_index_params.as_ref().and_then(|p| p.index_params.as_ref()).map(params_type);
    let by_type = match request.field_type {
        None => None,
        Some(number) => Some(match FieldType::try_from(number) {
            Ok(FieldType::Keyword) => PayloadSchemaType::Keyword,
            Ok(FieldType::Integer) => PayloadSchemaType::Integer,
            Ok(FieldType::Float) => PayloadSchemaType::Float,
            Ok(FieldType::Geo) => PayloadSchemaType::Geo,
            Ok(FieldType::Text) => PayloadSchemaType::Text,
            Ok(FieldType::Bool) => PayloadSchemaType::Bool,
            Ok(FieldType::Datetime) => PayloadSchemaType::Datetime,
            Ok(FieldType::Uuid) => PayloadSchemaType::Uuid,
            Err(_) => return Err(Refusal::bad_input("cannot convert field type")),
        }),
    };
    let data_type = match (by_type, by_params) {
        (Some(named), Some(described)) if named != described => {
            return Err(Refusal::bad_input("field type does not match field index params"));
        }
        (_, Some(kind)) | (Some(kind), None) => kind,
        (None, None) => return Err(Refusal::bad_input("field type is missing")),
    };
    Ok(PayloadSchemaInfo { data_type: data_type.into(), params: request.field_index_params.clone(), points: None })
}

/// Turns a kept schema into the shard's.
pub(super) fn edge_schema(schema: &PayloadSchemaInfo) -> Result<PayloadFieldSchema, Refusal> {
    let document = match schema.params.as_ref().and_then(|params| params.index_params.as_ref()) {
        Some(params) => params_document(params)?,
        None => json!(type_name(schema.data_type())?),
    };
    serde_json::from_value(document).map_err(|error| Refusal::bad_input(format!("field index params: {error}")))
}

/// The protocol's name for a type of index the shard reports.
pub(super) fn wire_type(kind: qdrant_edge::PayloadSchemaType) -> PayloadSchemaType {
    match kind {
        qdrant_edge::PayloadSchemaType::Keyword => PayloadSchemaType::Keyword,
        qdrant_edge::PayloadSchemaType::Integer => PayloadSchemaType::Integer,
        qdrant_edge::PayloadSchemaType::Float => PayloadSchemaType::Float,
        qdrant_edge::PayloadSchemaType::Geo => PayloadSchemaType::Geo,
        qdrant_edge::PayloadSchemaType::Text => PayloadSchemaType::Text,
        qdrant_edge::PayloadSchemaType::Bool => PayloadSchemaType::Bool,
        qdrant_edge::PayloadSchemaType::Datetime => PayloadSchemaType::Datetime,
        qdrant_edge::PayloadSchemaType::Uuid => PayloadSchemaType::Uuid,
    }
}

/// Whether data is to be read from disk: the newer placement wins over the older flag.
pub(super) fn on_disk(flag: Option<bool>, memory: Option<i32>) -> Option<bool> {
    match memory.map(Memory::try_from) {
        Some(Ok(Memory::Cold)) => Some(true),
        Some(Ok(Memory::Cached | Memory::Pinned)) => Some(false),
        Some(Ok(Memory::Unknown) | Err(_)) | None => flag,
    }
}

fn params_type(params: &IndexParams) -> PayloadSchemaType {
    match params {
        IndexParams::KeywordIndexParams(_) => PayloadSchemaType::Keyword,
        IndexParams::IntegerIndexParams(_) => PayloadSchemaType::Integer,
        IndexParams::FloatIndexParams(_) => PayloadSchemaType::Float,
        IndexParams::GeoIndexParams(_) => PayloadSchemaType::Geo,
        IndexParams::TextIndexParams(_) => PayloadSchemaType::Text,
        IndexParams::BoolIndexParams(_) => PayloadSchemaType::Bool,
        IndexParams::DatetimeIndexParams(_) => PayloadSchemaType::Datetime,
        IndexParams::UuidIndexParams(_) => PayloadSchemaType::Uuid,
    }
}

fn type_name(kind: PayloadSchemaType) -> Result<&'static str, Refusal> {
    Ok(match kind {
        PayloadSchemaType::Keyword => "keyword",
        PayloadSchemaType::Integer => "integer",
        PayloadSchemaType::Float => "float",
        PayloadSchemaType::Geo => "geo",
        PayloadSchemaType::Text => "text",
        PayloadSchemaType::Bool => "bool",
        PayloadSchemaType::Datetime => "datetime",
        PayloadSchemaType::Uuid => "uuid",
        PayloadSchemaType::UnknownType => return Err(Refusal::bad_input("field type is unknown")),
    })
}

#[expect(deprecated, reason = "on_disk is still what most clients send")]
fn params_document(params: &IndexParams) -> Result<Value, Refusal> {
    Ok(match params {
        IndexParams::KeywordIndexParams(p) => {
            served("KeywordIndexParams", p.nested.as_ref())?;
            if p.prefix.is_some() {
                return Err(Refusal::unserved("KeywordIndexParams.prefix"));
            }
            json!({ "type": "keyword", "is_tenant": p.is_tenant, "on_disk": on_disk(p.on_disk, p.memory),
                "enable_hnsw": p.enable_hnsw })
        }
        IndexParams::IntegerIndexParams(p) => {
            served("IntegerIndexParams", p.nested.as_ref())?;
            if p.lookup == Some(false) && p.range == Some(false) {
                return Err(Refusal::bad_input("the 'lookup' and 'range' capabilities can't be both disabled"));
            }
            json!({ "type": "integer", "lookup": p.lookup, "range": p.range, "is_principal": p.is_principal,
                "on_disk": on_disk(p.on_disk, p.memory), "enable_hnsw": p.enable_hnsw })
        }
        IndexParams::FloatIndexParams(p) => {
            served("FloatIndexParams", p.nested.as_ref())?;
            json!({ "type": "float", "is_principal": p.is_principal, "on_disk": on_disk(p.on_disk, p.memory),
                "enable_hnsw": p.enable_hnsw })
        }
        IndexParams::GeoIndexParams(p) => {
            served("GeoIndexParams", p.nested.as_ref())?;
            json!({ "type": "geo", "on_disk": on_disk(p.on_disk, p.memory), "enable_hnsw": p.enable_hnsw })
        }
        IndexParams::BoolIndexParams(p) => {
            served("BoolIndexParams", p.nested.as_ref())?;
            json!({ "type": "bool", "on_disk": on_disk(p.on_disk, p.memory), "enable_hnsw": p.enable_hnsw })
        }
        IndexParams::DatetimeIndexParams(p) => {
            served("DatetimeIndexParams", p.nested.as_ref())?;
            json!({ "type": "datetime", "is_principal": p.is_principal,
                "on_disk": on_disk(p.on_disk, p.memory), "enable_hnsw": p.enable_hnsw })
        }
        IndexParams::UuidIndexParams(p) => {
            served("UuidIndexParams", p.nested.as_ref())?;
            json!({ "type": "uuid", "is_tenant": p.is_tenant, "on_disk": on_disk(p.on_disk, p.memory),
                "enable_hnsw": p.enable_hnsw })
        }
        IndexParams::TextIndexParams(p) => text_document(p)?,
    })
}

#[expect(deprecated, reason = "on_disk is still what most clients send")]
fn text_document(params: &TextIndexParams) -> Result<Value, Refusal> {
    served("TextIndexParams", params.nested.as_ref())?;
    if params.scoring.is_some() {
        return Err(Refusal::unserved("TextIndexParams.scoring"));
    }
    let tokenizer = match params.tokenizer() {
        TokenizerType::Prefix => "prefix",
        TokenizerType::Whitespace => "whitespace",
        TokenizerType::Word | TokenizerType::Unknown => "word",
        TokenizerType::Multilingual => "multilingual",
        TokenizerType::Code => return Err(Refusal::unserved("TokenizerType.Code")),
    };
    let stopwords = params.stopwords.as_ref().map(|set| json!({ "languages": set.languages, "custom": set.custom }));
    let stemmer = match params.stemmer.as_ref().and_then(|s| s.stemming_params.as_ref()) {
        None => None,
        Some(StemmingParams::Snowball(p)) => Some(json!({ "type": "snowball", "language": p.language })),
        Some(StemmingParams::Disabled(_)) => {
            return Err(Refusal::unserved("StemmingAlgorithm.disabled"));
        }
    };
    Ok(json!({ "type": "text", "tokenizer": tokenizer, "lowercase": params.lowercase,
        "min_token_len": params.min_token_len, "max_token_len": params.max_token_len,
        "on_disk": on_disk(params.on_disk, params.memory), "stopwords": stopwords, "stemmer": stemmer,
        "phrase_matching": params.phrase_matching, "ascii_folding": params.ascii_folding,
        "enable_hnsw": params.enable_hnsw }))
}

fn served(params: &str, nested: Option<&String>) -> Result<(), Refusal> {
    match nested {
        None => Ok(()),
        Some(_) => Err(Refusal::unserved(format!("{params}.nested"))),
    }
}

/// Whether a kept description still tells of the index the shard reports.
pub(super) fn same_index(kept: &PayloadSchemaInfo, reported: PayloadSchemaType) -> Option<PayloadIndexParams> {
    (kept.data_type() == reported).then(|| kept.params.clone()).flatten()
}

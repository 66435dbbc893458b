//! Queries and the older searches, which are queries by another name.
//!
//! A point given as what to be near to is replaced by its vector, and left out of the results, as the server does.

use qdrant_client::qdrant::{
    AcornSearchParams, Fusion, LookupLocation, Mmr, NearestInputWithMmr, PrefetchQuery, QuantizationSearchParams,
    Query, QueryPoints, Sample, ScoredPoint, SearchParams, SearchPoints, SparseVector, VectorInput, query::Variant,
    vector_input,
};
use qdrant_edge as edge;
use qdrant_edge::external::ordered_float::OrderedFloat;
use qdrant_edge::{
    Condition, EdgeShard, Filter, NamedQuery, Prefetch, QueryEnum, QueryRequest, ScoringQuery, VectorInternal,
    WithPayloadInterface, WithVector,
};

use super::filter::optional_filter;
use super::reads::{edge_order, wire_order_value};
use super::refusal::Refusal;
use super::values::{edge_with_payload, edge_with_vectors, wire_id, wire_payload};
use super::vectors::{Near, near, wire_vectors};
use super::writes::one_shard;

const DEFAULT_LIMIT: u64 = 10;
const DEFAULT_RRF_K: u32 = 2;
const DEFAULT_DIVERSITY: f32 = 0.5;
/// How deep prefetches may be inside each other; the shard has the same bound.
const DEEPEST: usize = 64;

/// Runs a query.
pub(super) fn query(shard: &EdgeShard, request: QueryPoints) -> Result<Vec<ScoredPoint>, Refusal> {
    one_shard(request.shard_key_selector)?;
    own_points(request.lookup_from.as_ref())?;
    let translation = Translation::of(shard);
    let limit = translation.limit(request.limit)?;
    let offset = translation.size(request.offset.unwrap_or(0));
    let using = request.using.unwrap_or_default();
    let scoring = translation.scoring(request.query, using, limit)?;
    let results = shard.query(QueryRequest {
        prefetches: translation.prefetches(request.prefetch, 0)?,
        filter: without(optional_filter(request.filter)?, scoring.left_out),
        query: scoring.query,
        score_threshold: request.score_threshold.map(OrderedFloat),
        limit,
        offset,
        params: request.params.map(|params| translation.params(params)).transpose()?,
        with_vector: edge_with_vectors(request.with_vectors),
        with_payload: edge_with_payload(request.with_payload)?,
    })?;
    Ok(results.into_iter().skip(offset).take(limit).map(wire_scored).collect())
}

/// Rewrites an older search as a query.
pub(super) fn search_as_query(search: SearchPoints) -> QueryPoints {
    let vector = match search.sparse_indices {
        Some(indices) => vector_input::Variant::Sparse(SparseVector { values: search.vector, indices: indices.data }),
        None => vector_input::Variant::Dense(qdrant_client::qdrant::DenseVector { data: search.vector }),
    };
    QueryPoints {
        collection_name: search.collection_name,
        query: Some(Query { variant: Some(Variant::Nearest(VectorInput { variant: Some(vector) })) }),
        using: search.vector_name,
        filter: search.filter,
        params: search.params,
        score_threshold: search.score_threshold,
        limit: Some(search.limit),
        offset: search.offset,
        with_vectors: search.with_vectors,
        with_payload: search.with_payload,
        read_consistency: search.read_consistency,
        shard_key_selector: search.shard_key_selector,
        timeout: search.timeout,
        prefetch: Vec::new(),
        lookup_from: None,
    }
}

/// What a query scores by, and the points it may not return.
struct Scoring {
    query: Option<ScoringQuery>,
    left_out: Vec<edge::PointId>,
}

impl From<ScoringQuery> for Scoring {
    fn from(query: ScoringQuery) -> Scoring {
        Scoring { query: Some(query), left_out: Vec::new() }
    }
}

/// Translates one request against one shard.
struct Translation<'a> {
    shard: &'a EdgeShard,
    /// No result is longer than this, so that a huge limit does not reserve memory for it.
    most: usize,
}

impl<'a> Translation<'a> {
    fn of(shard: &'a EdgeShard) -> Translation<'a> {
        Translation { shard, most: shard.info().points_count.max(1) }
    }

    fn size(&self, number: u64) -> usize {
        usize::try_from(number).unwrap_or(usize::MAX).min(self.most)
    }

    fn limit(&self, limit: Option<u64>) -> Result<usize, Refusal> {
        match limit.unwrap_or(DEFAULT_LIMIT) {
            0 => Err(Refusal::bad_input("Validation error in body: [limit: value 0 invalid, must be 1 or larger]")),
            limit => Ok(self.size(limit)),
        }
    }

    fn prefetches(&self, list: Vec<PrefetchQuery>, depth: usize) -> Result<Vec<Prefetch>, Refusal> {
        if depth > DEEPEST {
            return Err(Refusal::bad_input(format!("prefetches depth exceeds max depth {DEEPEST}")));
        }
        list.into_iter().map(|prefetch| self.prefetch(prefetch, depth)).collect()
    }

    fn prefetch(&self, prefetch: PrefetchQuery, depth: usize) -> Result<Prefetch, Refusal> {
        own_points(prefetch.lookup_from.as_ref())?;
        let limit = self.limit(prefetch.limit)?;
        let scoring = self.scoring(prefetch.query, prefetch.using.unwrap_or_default(), limit)?;
        Ok(Prefetch {
            prefetches: self.prefetches(prefetch.prefetch, depth + 1)?,
            filter: without(optional_filter(prefetch.filter)?, scoring.left_out),
            query: scoring.query,
            limit,
            params: prefetch.params.map(|params| self.params(params)).transpose()?,
            score_threshold: prefetch.score_threshold.map(OrderedFloat),
        })
    }

    fn scoring(&self, query: Option<Query>, using: String, limit: usize) -> Result<Scoring, Refusal> {
        let Some(query) = query else {
            return Ok(Scoring { query: None, left_out: Vec::new() });
        };
        let variant = query.variant.ok_or_else(|| Refusal::bad_input("Query variant is missing"))?;
        match variant {
            Variant::Nearest(input) => {
                let (vector, left_out) = self.vector(input, &using)?;
                let nearest = QueryEnum::Nearest(NamedQuery { query: vector, using: Some(using) });
                Ok(Scoring { query: Some(ScoringQuery::Vector(nearest)), left_out })
            }
            Variant::NearestWithMmr(input) => self.mmr(input, using, limit),
            Variant::OrderBy(order) => Ok(ScoringQuery::OrderBy(edge_order(order)?).into()),
            Variant::Fusion(number) => match Fusion::try_from(number) {
                Ok(Fusion::Rrf) => Ok(rrf(None, &[])),
                Ok(Fusion::Dbsf) => Ok(ScoringQuery::Fusion(edge::Fusion::Dbsf).into()),
                Err(_) => Err(Refusal::bad_input("Unknown fusion value")),
            },
            Variant::Rrf(parameters) => Ok(rrf(parameters.k, &parameters.weights)),
            Variant::Sample(number) => match Sample::try_from(number) {
                Ok(Sample::Random) => Ok(ScoringQuery::Sample(edge::Sample::Random).into()),
                Err(_) => Err(Refusal::bad_input("Unknown sample value")),
            },
            Variant::Recommend(_) => Err(Refusal::unserved("Query.recommend")),
            Variant::Discover(_) => Err(Refusal::unserved("Query.discover")),
            Variant::Context(_) => Err(Refusal::unserved("Query.context")),
            Variant::Formula(_) => Err(Refusal::unserved("Query.formula")),
            Variant::RelevanceFeedback(_) => Err(Refusal::unserved("Query.relevance_feedback")),
            Variant::Text(_) => Err(Refusal::unserved("Query.text")),
        }
    }

    fn mmr(&self, input: NearestInputWithMmr, using: String, limit: usize) -> Result<Scoring, Refusal> {
        let nearest = input.nearest.ok_or_else(|| Refusal::bad_input("nearest vector is missing"))?;
        let Mmr { diversity, candidates_limit } = input.mmr.unwrap_or_default();
        let diversity = diversity.unwrap_or(DEFAULT_DIVERSITY);
        if !(0.0..=1.0).contains(&diversity) {
            return Err(Refusal::bad_input(format!(
                "Validation error in body: [mmr.diversity: value {diversity} invalid, must be from 0.0 to 1.0]"
            )));
        }
        let (vector, left_out) = self.vector(nearest, &using)?;
        let mmr = edge::Mmr {
            vector,
            using,
            lambda: OrderedFloat(1.0 - diversity),
            candidates_limit: candidates_limit.map_or(limit, |most| self.size(u64::from(most)).max(1)),
        };
        Ok(Scoring { query: Some(ScoringQuery::Mmr(mmr)), left_out })
    }

    fn vector(&self, input: VectorInput, using: &str) -> Result<(VectorInternal, Vec<edge::PointId>), Refusal> {
        let id = match near(input)? {
            Near::Vector(vector) => return Ok((vector, Vec::new())),
            Near::Point(id) => id,
        };
        let selector = WithVector::Selector(vec![using.to_owned()]);
        let found = self.shard.retrieve(&[id], Some(WithPayloadInterface::Bool(false)), Some(selector))?;
        let record = found.first().ok_or_else(|| Refusal::NoPoint(id.to_string()))?;
        let vector = record
            .get_vector_by_name(using)
            .ok_or_else(|| Refusal::bad_input(format!("Not found: Vector with name {using} for point {id}")))?;
        Ok((vector.to_owned(), vec![id]))
    }

    fn params(&self, params: SearchParams) -> Result<edge::SearchParams, Refusal> {
        let SearchParams { hnsw_ef, exact, quantization, indexed_only, acorn, idf } = params;
        if idf.is_some_and(|idf| idf.corpus.is_some()) {
            return Err(Refusal::unserved("SearchParams.idf"));
        }
        Ok(edge::SearchParams {
            hnsw_ef: hnsw_ef.map(|ef| self.size(ef)),
            exact: exact.unwrap_or(false),
            quantization: quantization.map(|given| self.quantization(given)).transpose()?,
            indexed_only: indexed_only.unwrap_or(false),
            acorn: acorn.map(|given: AcornSearchParams| edge::AcornSearchParams {
                enable: given.enable.unwrap_or(false),
                max_selectivity: given.max_selectivity.map(OrderedFloat),
            }),
        })
    }

    fn quantization(&self, given: QuantizationSearchParams) -> Result<edge::QuantizationSearchParams, Refusal> {
        let QuantizationSearchParams { ignore, rescore, oversampling } = given;
        if let Some(factor) = oversampling.filter(|factor| factor.is_nan() || *factor < 1.0) {
            return Err(Refusal::bad_input(format!(
                "Validation error in body: [params.quantization.oversampling: value {factor} invalid, must be 1.0 or larger]"
            )));
        }
        Ok(edge::QuantizationSearchParams {
            ignore: ignore.unwrap_or(false),
            rescore,
            oversampling: oversampling.map(|factor| factor.min(self.most as f64)),
        })
    }
}

fn rrf(k: Option<u32>, weights: &[f32]) -> Scoring {
    let weights = (!weights.is_empty()).then(|| weights.iter().copied().map(OrderedFloat).collect());
    let k = k.unwrap_or(DEFAULT_RRF_K) as usize;
    ScoringQuery::Fusion(edge::Fusion::Rrf { k, weights }).into()
}

fn without(filter: Option<Filter>, left_out: Vec<edge::PointId>) -> Option<Filter> {
    if left_out.is_empty() {
        return filter;
    }
    let others = Filter::new_must_not(Condition::HasId(left_out.into_iter().collect()));
    Filter::merge_opts(filter, Some(others))
}

fn own_points(lookup: Option<&LookupLocation>) -> Result<(), Refusal> {
    match lookup {
        None => Ok(()),
        Some(_) => Err(Refusal::unserved("lookup_from")),
    }
}

fn wire_scored(point: edge::ScoredPoint) -> ScoredPoint {
    ScoredPoint {
        id: Some(wire_id(point.id)),
        payload: wire_payload(point.payload),
        score: point.score,
        version: point.version,
        vectors: wire_vectors(point.vector),
        shard_key: None,
        order_value: point.order_value.map(wire_order_value),
    }
}

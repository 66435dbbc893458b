//! The service for points: each call finds its collection, runs its reading or writing on a blocking thread and wraps
//! the result.

use std::sync::Arc;
use std::time::{Duration, Instant};

use qdrant_client::qdrant::points_server::Points;
use qdrant_client::qdrant::{
    BatchResult, ClearPayloadPoints, CountPoints, CountResponse, CreateFieldIndexCollection, CreateVectorNameRequest,
    DeleteFieldIndexCollection, DeletePayloadPoints, DeletePointVectors, DeletePoints, DeleteVectorNameRequest,
    DiscoverBatchPoints, DiscoverBatchResponse, DiscoverPoints, DiscoverResponse, FacetCounts, FacetResponse,
    GetPoints, GetResponse, PayloadSchemaInfo, PointsOperationResponse, QueryBatchPoints, QueryBatchResponse,
    QueryGroupsResponse, QueryPointGroups, QueryPoints, QueryResponse, RecommendBatchPoints, RecommendBatchResponse,
    RecommendGroupsResponse, RecommendPointGroups, RecommendPoints, RecommendResponse, ScrollPoints, ScrollResponse,
    SearchBatchPoints, SearchBatchResponse, SearchGroupsResponse, SearchMatrixOffsetsResponse,
    SearchMatrixPairsResponse, SearchMatrixPoints, SearchPointGroups, SearchPoints, SearchResponse, SetPayloadPoints,
    UpdateBatchPoints, UpdateBatchResponse, UpdatePointVectors, UpdateResult, UpsertPoints,
};
use qdrant_edge::{EdgeConfig, EdgeShard};
use tonic::{Request, Response, Status};

use super::collection::{Change, Collection};
use super::collections::seconds;
use super::index::requested_schema;
use super::query::{query, search_as_query};
use super::reads;
use super::refusal::Refusal;
use super::server::{Services, blocking};
use super::unserved::unserved;
use super::writes::{self, PayloadWrite};

type Answer<T> = Result<Response<T>, Status>;

/// How long no write must have come before a shard is looked over: it cannot be written to meanwhile, and a bulk load
/// is served better by one look at its end.
const QUIET: Duration = Duration::from_millis(300);

/// Looks the collection's shard over in the background, once enough has changed and writes pause.
pub(super) fn optimise_if_due(collection: Arc<Collection>) {
    if !collection.claim_optimising() {
        return;
    }
    tokio::spawn(async move {
        let mut seen = collection.operations();
        while !collection.overdue() {
            tokio::time::sleep(QUIET).await;
            let operations = collection.operations();
            if operations == seen {
                break;
            }
            seen = operations;
        }
        let name = collection.name().to_owned();
        match blocking(move || collection.optimise()).await {
            // Without a collection: it was deleted in the meantime.
            Ok(()) | Err(Refusal::NoCollection(_)) => {}
            Err(refusal) => tracing::warn!(collection = name, %refusal, "optimising failed"),
        }
    });
}

impl Services {
    async fn reading<T: Send + 'static>(
        &self,
        name: &str,
        read: impl FnOnce(&EdgeShard) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let collection = self.catalog.resolve(name)?;
        blocking(move || collection.read(read)).await
    }

    async fn writing(
        &self,
        name: &str,
        wait: Option<bool>,
        plan: impl FnOnce(&EdgeConfig) -> Result<Vec<Change>, Refusal> + Send + 'static,
    ) -> Result<Vec<UpdateResult>, Refusal> {
        let collection = self.catalog.resolve(name)?;
        let changed = Arc::clone(&collection);
        let results = blocking(move || changed.write(wait.unwrap_or(false), plan)).await?;
        optimise_if_due(collection);
        Ok(results)
    }

    async fn one_change(
        &self,
        name: &str,
        wait: Option<bool>,
        plan: impl FnOnce(&EdgeConfig) -> Result<Change, Refusal> + Send + 'static,
    ) -> Answer<PointsOperationResponse> {
        let start = Instant::now();
        let results = self.writing(name, wait, |config| Ok(vec![plan(config)?])).await?;
        Ok(operated(results.into_iter().next(), start))
    }

    async fn index(
        &self,
        name: &str,
        field: String,
        schema: Option<PayloadSchemaInfo>,
        wait: Option<bool>,
    ) -> Answer<PointsOperationResponse> {
        let start = Instant::now();
        let collection = self.catalog.resolve(name)?;
        let result = blocking(move || collection.write_index(&field, schema, wait.unwrap_or(false))).await?;
        Ok(operated(Some(result), start))
    }
}

#[tonic::async_trait]
impl Points for Services {
    async fn upsert(&self, request: Request<UpsertPoints>) -> Answer<PointsOperationResponse> {
        let request = request.into_inner();
        let (name, wait) = (request.collection_name.clone(), request.wait);
        self.one_change(&name, wait, |config| writes::upsert(request, config)).await
    }

    async fn delete(&self, request: Request<DeletePoints>) -> Answer<PointsOperationResponse> {
        let request = request.into_inner();
        let (name, wait) = (request.collection_name.clone(), request.wait);
        self.one_change(&name, wait, |_| writes::delete(request)).await
    }

    async fn get(&self, request: Request<GetPoints>) -> Answer<GetResponse> {
        let start = Instant::now();
        let request = request.into_inner();
        let name = request.collection_name.clone();
        let result = self.reading(&name, |shard| reads::get(shard, request)).await?;
        Ok(Response::new(GetResponse { result, time: seconds(start), usage: None }))
    }

    async fn update_vectors(&self, request: Request<UpdatePointVectors>) -> Answer<PointsOperationResponse> {
        let request = request.into_inner();
        let (name, wait) = (request.collection_name.clone(), request.wait);
        self.one_change(&name, wait, |config| writes::update_vectors(request, config)).await
    }

    async fn delete_vectors(&self, request: Request<DeletePointVectors>) -> Answer<PointsOperationResponse> {
        let request = request.into_inner();
        let (name, wait) = (request.collection_name.clone(), request.wait);
        self.one_change(&name, wait, |_| writes::delete_vectors(request)).await
    }

    async fn set_payload(&self, request: Request<SetPayloadPoints>) -> Answer<PointsOperationResponse> {
        let request = request.into_inner();
        let (name, wait) = (request.collection_name.clone(), request.wait);
        self.one_change(&name, wait, |_| writes::set_payload(request, PayloadWrite::Set)).await
    }

    async fn overwrite_payload(&self, request: Request<SetPayloadPoints>) -> Answer<PointsOperationResponse> {
        let request = request.into_inner();
        let (name, wait) = (request.collection_name.clone(), request.wait);
        self.one_change(&name, wait, |_| writes::set_payload(request, PayloadWrite::Overwrite)).await
    }

    async fn delete_payload(&self, request: Request<DeletePayloadPoints>) -> Answer<PointsOperationResponse> {
        let request = request.into_inner();
        let (name, wait) = (request.collection_name.clone(), request.wait);
        self.one_change(&name, wait, |_| writes::delete_payload(request)).await
    }

    async fn clear_payload(&self, request: Request<ClearPayloadPoints>) -> Answer<PointsOperationResponse> {
        let request = request.into_inner();
        let (name, wait) = (request.collection_name.clone(), request.wait);
        self.one_change(&name, wait, |_| writes::clear_payload(request)).await
    }

    async fn create_field_index(
        &self,
        request: Request<CreateFieldIndexCollection>,
    ) -> Answer<PointsOperationResponse> {
        let request = request.into_inner();
        let schema = requested_schema(&request)?;
        self.index(&request.collection_name, request.field_name, Some(schema), request.wait).await
    }

    async fn delete_field_index(
        &self,
        request: Request<DeleteFieldIndexCollection>,
    ) -> Answer<PointsOperationResponse> {
        let request = request.into_inner();
        self.index(&request.collection_name, request.field_name, None, request.wait).await
    }

    async fn create_vector_name(&self, _request: Request<CreateVectorNameRequest>) -> Answer<PointsOperationResponse> {
        unserved("CreateVectorName")
    }

    async fn delete_vector_name(&self, _request: Request<DeleteVectorNameRequest>) -> Answer<PointsOperationResponse> {
        unserved("DeleteVectorName")
    }

    async fn search(&self, request: Request<SearchPoints>) -> Answer<SearchResponse> {
        let start = Instant::now();
        let request = search_as_query(request.into_inner());
        let name = request.collection_name.clone();
        let result = self.reading(&name, |shard| query(shard, request)).await?;
        Ok(Response::new(SearchResponse { result, time: seconds(start), usage: None }))
    }

    async fn search_batch(&self, request: Request<SearchBatchPoints>) -> Answer<SearchBatchResponse> {
        let start = Instant::now();
        let request = request.into_inner();
        let queries = request.search_points.into_iter().map(search_as_query).collect();
        let result = self.batch(&request.collection_name, queries).await?;
        Ok(Response::new(SearchBatchResponse { result, time: seconds(start), usage: None }))
    }

    async fn search_groups(&self, _request: Request<SearchPointGroups>) -> Answer<SearchGroupsResponse> {
        unserved("SearchGroups")
    }

    async fn scroll(&self, request: Request<ScrollPoints>) -> Answer<ScrollResponse> {
        let start = Instant::now();
        let request = request.into_inner();
        let name = request.collection_name.clone();
        let page = self.reading(&name, |shard| reads::scroll(shard, request)).await?;
        Ok(Response::new(ScrollResponse {
            next_page_offset: page.next,
            result: page.points,
            time: seconds(start),
            usage: None,
        }))
    }

    async fn recommend(&self, _request: Request<RecommendPoints>) -> Answer<RecommendResponse> {
        unserved("Recommend")
    }

    async fn recommend_batch(&self, _request: Request<RecommendBatchPoints>) -> Answer<RecommendBatchResponse> {
        unserved("RecommendBatch")
    }

    async fn recommend_groups(&self, _request: Request<RecommendPointGroups>) -> Answer<RecommendGroupsResponse> {
        unserved("RecommendGroups")
    }

    async fn discover(&self, _request: Request<DiscoverPoints>) -> Answer<DiscoverResponse> {
        unserved("Discover")
    }

    async fn discover_batch(&self, _request: Request<DiscoverBatchPoints>) -> Answer<DiscoverBatchResponse> {
        unserved("DiscoverBatch")
    }

    async fn count(&self, request: Request<CountPoints>) -> Answer<CountResponse> {
        let start = Instant::now();
        let request = request.into_inner();
        let name = request.collection_name.clone();
        let result = self.reading(&name, |shard| reads::count(shard, request)).await?;
        Ok(Response::new(CountResponse { result: Some(result), time: seconds(start), usage: None }))
    }

    async fn update_batch(&self, request: Request<UpdateBatchPoints>) -> Answer<UpdateBatchResponse> {
        let start = Instant::now();
        let request = request.into_inner();
        let operations = request.operations;
        let plan =
            |config: &EdgeConfig| operations.into_iter().map(|operation| writes::batched(operation, config)).collect();
        let result = self.writing(&request.collection_name, request.wait, plan).await?;
        Ok(Response::new(UpdateBatchResponse { result, time: seconds(start), usage: None }))
    }

    async fn query(&self, request: Request<QueryPoints>) -> Answer<QueryResponse> {
        let start = Instant::now();
        let request = request.into_inner();
        let name = request.collection_name.clone();
        let result = self.reading(&name, |shard| query(shard, request)).await?;
        Ok(Response::new(QueryResponse { result, time: seconds(start), usage: None }))
    }

    async fn query_batch(&self, request: Request<QueryBatchPoints>) -> Answer<QueryBatchResponse> {
        let start = Instant::now();
        let request = request.into_inner();
        let result = self.batch(&request.collection_name, request.query_points).await?;
        Ok(Response::new(QueryBatchResponse { result, time: seconds(start), usage: None }))
    }

    async fn query_groups(&self, _request: Request<QueryPointGroups>) -> Answer<QueryGroupsResponse> {
        unserved("QueryGroups")
    }

    async fn facet(&self, request: Request<FacetCounts>) -> Answer<FacetResponse> {
        let start = Instant::now();
        let request = request.into_inner();
        let name = request.collection_name.clone();
        let hits = self.reading(&name, |shard| reads::facet(shard, request)).await?;
        Ok(Response::new(FacetResponse { hits, time: seconds(start), usage: None }))
    }

    async fn search_matrix_pairs(&self, _request: Request<SearchMatrixPoints>) -> Answer<SearchMatrixPairsResponse> {
        unserved("SearchMatrixPairs")
    }

    async fn search_matrix_offsets(
        &self,
        _request: Request<SearchMatrixPoints>,
    ) -> Answer<SearchMatrixOffsetsResponse> {
        unserved("SearchMatrixOffsets")
    }
}

impl Services {
    /// The queries of a batch are on the batch's collection, whatever name each of them carries.
    async fn batch(&self, name: &str, queries: Vec<QueryPoints>) -> Result<Vec<BatchResult>, Refusal> {
        self.reading(name, |shard| {
            let answer = |one| Ok(BatchResult { result: query(shard, one)? });
            queries.into_iter().map(answer).collect()
        })
        .await
    }
}

fn operated(result: Option<UpdateResult>, start: Instant) -> Response<PointsOperationResponse> {
    Response::new(PointsOperationResponse { result, time: seconds(start), usage: None })
}

//! The service for collections and aliases.

use std::sync::Arc;
use std::time::Instant;

use qdrant_client::qdrant::collections_server::Collections;
use qdrant_client::qdrant::{
    AliasDescription, ChangeAliases, CollectionClusterInfoRequest, CollectionClusterInfoResponse,
    CollectionDescription, CollectionExists, CollectionExistsRequest, CollectionExistsResponse,
    CollectionOperationResponse, CreateCollection, CreateShardKeyRequest, CreateShardKeyResponse, DeleteCollection,
    DeleteShardKeyRequest, DeleteShardKeyResponse, GetCollectionInfoRequest, GetCollectionInfoResponse,
    ListAliasesRequest, ListAliasesResponse, ListCollectionAliasesRequest, ListCollectionsRequest,
    ListCollectionsResponse, ListShardKeysRequest, ListShardKeysResponse, UpdateCollection,
    UpdateCollectionClusterSetupRequest, UpdateCollectionClusterSetupResponse,
};
use tonic::{Request, Response, Status};

use super::config::{edge_config, new_info};
use super::config_merge::merge;
use super::points::optimise_if_due;
use super::reads::collection_info;
use super::refusal::Refusal;
use super::server::{Services, blocking};
use super::unserved::unserved;

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl Collections for Services {
    async fn get(&self, request: Request<GetCollectionInfoRequest>) -> Answer<GetCollectionInfoResponse> {
        let start = Instant::now();
        let collection = self.catalog.resolve(&request.into_inner().collection_name)?;
        let info = blocking(move || {
            let kept = collection.info();
            collection.read(|shard| Ok(collection_info(shard, kept)))
        })
        .await?;
        Ok(Response::new(GetCollectionInfoResponse { result: Some(info), time: seconds(start) }))
    }

    async fn list(&self, _request: Request<ListCollectionsRequest>) -> Answer<ListCollectionsResponse> {
        let start = Instant::now();
        let names = self.catalog.collection_names();
        let collections = names.into_iter().map(|name| CollectionDescription { name }).collect();
        Ok(Response::new(ListCollectionsResponse { collections, time: seconds(start) }))
    }

    async fn create(&self, request: Request<CreateCollection>) -> Answer<CollectionOperationResponse> {
        let start = Instant::now();
        let request = request.into_inner();
        let catalog = self.catalog.clone();
        blocking(move || {
            let name = request.collection_name.clone();
            let info = new_info(request)?;
            let config = edge_config(&info.config.clone().unwrap_or_default())?;
            catalog.create(&name, info, config)
        })
        .await?;
        Ok(done(true, start))
    }

    async fn update(&self, request: Request<UpdateCollection>) -> Answer<CollectionOperationResponse> {
        let start = Instant::now();
        let request = request.into_inner();
        let collection = self.catalog.resolve(&request.collection_name)?;
        let changed = Arc::clone(&collection);
        blocking(move || {
            changed.reconfigure(|info| {
                let config = info.config.get_or_insert_default();
                merge(config, request)?;
                edge_config(config)
            })
        })
        .await?;
        optimise_if_due(collection);
        Ok(done(true, start))
    }

    async fn delete(&self, request: Request<DeleteCollection>) -> Answer<CollectionOperationResponse> {
        let start = Instant::now();
        let catalog = self.catalog.clone();
        let name = request.into_inner().collection_name;
        let deleted = blocking(move || catalog.delete(&name)).await?;
        Ok(done(deleted, start))
    }

    async fn update_aliases(&self, request: Request<ChangeAliases>) -> Answer<CollectionOperationResponse> {
        let start = Instant::now();
        let catalog = self.catalog.clone();
        blocking(move || catalog.change_aliases(request.into_inner().actions)).await?;
        Ok(done(true, start))
    }

    async fn list_collection_aliases(
        &self,
        request: Request<ListCollectionAliasesRequest>,
    ) -> Answer<ListAliasesResponse> {
        let start = Instant::now();
        let name = request.into_inner().collection_name;
        let own = self.catalog.aliases().into_iter().filter(|(_, target)| *target == name);
        Ok(Response::new(ListAliasesResponse { aliases: descriptions(own), time: seconds(start) }))
    }

    async fn list_aliases(&self, _request: Request<ListAliasesRequest>) -> Answer<ListAliasesResponse> {
        let start = Instant::now();
        let aliases = descriptions(self.catalog.aliases().into_iter());
        Ok(Response::new(ListAliasesResponse { aliases, time: seconds(start) }))
    }

    async fn collection_exists(&self, request: Request<CollectionExistsRequest>) -> Answer<CollectionExistsResponse> {
        let start = Instant::now();
        let exists = match self.catalog.resolve(&request.into_inner().collection_name) {
            Ok(_) => true,
            Err(Refusal::NoCollection(_)) => false,
            Err(other) => return Err(other.into()),
        };
        let result = Some(CollectionExists { exists });
        Ok(Response::new(CollectionExistsResponse { result, time: seconds(start) }))
    }

    async fn collection_cluster_info(
        &self,
        _request: Request<CollectionClusterInfoRequest>,
    ) -> Answer<CollectionClusterInfoResponse> {
        unserved("CollectionClusterInfo")
    }

    async fn update_collection_cluster_setup(
        &self,
        _request: Request<UpdateCollectionClusterSetupRequest>,
    ) -> Answer<UpdateCollectionClusterSetupResponse> {
        unserved("UpdateCollectionClusterSetup")
    }

    async fn create_shard_key(&self, _request: Request<CreateShardKeyRequest>) -> Answer<CreateShardKeyResponse> {
        unserved("CreateShardKey")
    }

    async fn delete_shard_key(&self, _request: Request<DeleteShardKeyRequest>) -> Answer<DeleteShardKeyResponse> {
        unserved("DeleteShardKey")
    }

    async fn list_shard_keys(&self, _request: Request<ListShardKeysRequest>) -> Answer<ListShardKeysResponse> {
        unserved("ListShardKeys")
    }
}

/// How long a call took, as the protocol reports it.
pub(super) fn seconds(start: Instant) -> f64 {
    start.elapsed().as_secs_f64()
}

fn done(result: bool, start: Instant) -> Response<CollectionOperationResponse> {
    Response::new(CollectionOperationResponse { result, time: seconds(start) })
}

fn descriptions(aliases: impl Iterator<Item = (String, String)>) -> Vec<AliasDescription> {
    aliases.map(|(alias_name, collection_name)| AliasDescription { alias_name, collection_name }).collect()
}

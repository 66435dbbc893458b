//! What this server does not do, answered by name: `unimplemented`, with what to use instead. Here is the one service
//! that is refused as a whole; the others refuse single calls with `unserved`.

use qdrant_client::qdrant::snapshots_server::Snapshots;
use qdrant_client::qdrant::{
    CreateFullSnapshotRequest, CreateSnapshotRequest, CreateSnapshotResponse, DeleteFullSnapshotRequest,
    DeleteSnapshotRequest, DeleteSnapshotResponse, ListFullSnapshotsRequest, ListSnapshotsRequest,
    ListSnapshotsResponse,
};
use tonic::{Request, Response, Status};

use super::refusal::Refusal;
use super::server::Services;

/// The answer to a call that is not served.
pub(super) fn unserved<T>(call: &str) -> Result<Response<T>, Status> {
    Err(Refusal::unserved(call).into())
}

#[tonic::async_trait]
impl Snapshots for Services {
    async fn create(
        &self,
        _request: Request<CreateSnapshotRequest>,
    ) -> Result<Response<CreateSnapshotResponse>, Status> {
        unserved("CreateSnapshot")
    }

    async fn list(&self, _request: Request<ListSnapshotsRequest>) -> Result<Response<ListSnapshotsResponse>, Status> {
        unserved("ListSnapshots")
    }

    async fn delete(
        &self,
        _request: Request<DeleteSnapshotRequest>,
    ) -> Result<Response<DeleteSnapshotResponse>, Status> {
        unserved("DeleteSnapshot")
    }

    async fn create_full(
        &self,
        _request: Request<CreateFullSnapshotRequest>,
    ) -> Result<Response<CreateSnapshotResponse>, Status> {
        unserved("CreateFullSnapshot")
    }

    async fn list_full(
        &self,
        _request: Request<ListFullSnapshotsRequest>,
    ) -> Result<Response<ListSnapshotsResponse>, Status> {
        unserved("ListFullSnapshots")
    }

    async fn delete_full(
        &self,
        _request: Request<DeleteFullSnapshotRequest>,
    ) -> Result<Response<DeleteSnapshotResponse>, Status> {
        unserved("DeleteFullSnapshot")
    }
}

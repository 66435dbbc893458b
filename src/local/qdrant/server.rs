//! Starting and stopping the server.

use std::fs::{self, File, TryLockError};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use qdrant_client::qdrant::collections_server::CollectionsServer;
use qdrant_client::qdrant::points_server::PointsServer;
use qdrant_client::qdrant::snapshots_server::SnapshotsServer;
use qdrant_client::qdrant::{HealthCheckReply, HealthCheckRequest, qdrant_server};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::codec::CompressionEncoding;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use super::catalog::Catalog;
use super::refusal::Refusal;
use crate::local::data_dir::release;

/// The server's version whose wire protocol and storage engine this is.
const VERSION: &str = "1.18.0";
const LOCK_FILE: &str = "lock";
/// A batch of points with long vectors passes the 4 MiB that gRPC allows by default; the server itself allows 32.
const LARGEST_MESSAGE: usize = 64 * 1024 * 1024;

/// How long a stop waits for calls under way; a client that never hangs up must not hold it for ever.
const PATIENCE: Duration = Duration::from_secs(5);

/// A running Qdrant-compatible server. Dropping it without `shutdown` cuts off calls under way and then flushes and
/// closes the collections, blocking the thread that drops it meanwhile.
pub struct QdrantServer {
    address: SocketAddr,
    services: Arc<Services>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<Result<(), tonic::transport::Error>>,
    /// The lock on the data directory ends with it.
    lock: File,
}

/// Why the server did not start, or did not stop in order.
#[derive(Debug, thiserror::Error)]
pub enum QdrantServerError {
    /// The data directory cannot be made or read.
    #[error("cannot use the data directory \"{}\"", path.display())]
    Directory {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// Another process serves this directory.
    #[error("the data directory \"{}\" is in use by another process", path.display())]
    InUse { path: PathBuf },
    /// A collection or the alias file cannot be opened.
    #[error("cannot open what is stored in \"{}\": {reason}", path.display())]
    Stored { path: PathBuf, reason: String },
    /// The address cannot be listened on.
    #[error("cannot listen on \"{address}\"")]
    Listen {
        address: SocketAddr,
        #[source]
        source: std::io::Error,
    },
    /// Serving ended with an error.
    #[error("the local Qdrant server failed while serving")]
    Serving(#[source] tonic::transport::Error),
    /// A task of the server panicked.
    #[error("a task of the local Qdrant server panicked")]
    Panicked(#[source] tokio::task::JoinError),
}

/// What every service shares.
pub(super) struct Services {
    pub(super) catalog: Arc<Catalog>,
}

impl QdrantServer {
    /// Opens `data_dir`, which is made if it is missing, and serves on `bind`; port 0 picks a free one.
    ///
    /// # Errors
    /// When the directory cannot be used or is served already, or the address is taken.
    pub async fn start(data_dir: &Path, bind: SocketAddr) -> Result<QdrantServer, QdrantServerError> {
        let path = data_dir.to_owned();
        let opened = tokio::task::spawn_blocking(move || open(&path)).await;
        let (lock, catalog) = opened.map_err(QdrantServerError::Panicked)??;
        let unreachable = |source| QdrantServerError::Listen { address: bind, source };
        let listener = TcpListener::bind(bind).await.map_err(unreachable)?;
        let address = listener.local_addr().map_err(unreachable)?;
        let services = Arc::new(Services { catalog: Arc::new(catalog) });
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(services.clone(), listener, stopped));
        Ok(QdrantServer { address, services, stop: Some(stop), serving, lock })
    }

    /// Returns the address clients connect to.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Stops accepting calls, waits a little for those under way, flushes and closes every collection.
    ///
    /// # Errors
    /// When serving had failed before. The collections are closed all the same.
    pub async fn shutdown(mut self) -> Result<(), QdrantServerError> {
        drop(self.stop.take());
        let served = match tokio::time::timeout(PATIENCE, &mut self.serving).await {
            Ok(served) => served,
            Err(_) => {
                self.serving.abort();
                (&mut self.serving).await
            }
        };
        let services = Arc::clone(&self.services);
        let closed = tokio::task::spawn_blocking(move || services.catalog.close()).await;
        closed.map_err(QdrantServerError::Panicked)?;
        match served {
            Ok(result) => result.map_err(QdrantServerError::Serving),
            Err(error) if error.is_cancelled() => Ok(()),
            Err(error) => Err(QdrantServerError::Panicked(error)),
        }
    }
}

impl Drop for QdrantServer {
    fn drop(&mut self) {
        self.serving.abort();
        // After `shutdown` the collections are closed already.
        self.services.catalog.close();
        release(&self.lock);
    }
}

/// Runs blocking work off the runtime. A panic in the shard becomes an internal error of this one call.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Refusal::Internal(format!("a call failed: {error}"))),
    }
}

fn open(data_dir: &Path) -> Result<(File, Catalog), QdrantServerError> {
    let directory = |source| QdrantServerError::Directory { path: data_dir.to_owned(), source };
    fs::create_dir_all(data_dir).map_err(directory)?;
    let data_dir = data_dir.canonicalize().map_err(directory)?;
    let lock = File::create(data_dir.join(LOCK_FILE)).map_err(directory)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(QdrantServerError::InUse { path: data_dir }),
        Err(TryLockError::Error(source)) => return Err(directory(source)),
    }
    match Catalog::open(&data_dir) {
        Ok(catalog) => Ok((lock, catalog)),
        Err(refusal) => Err(QdrantServerError::Stored { path: data_dir, reason: refusal.to_string() }),
    }
}

async fn serve(
    services: Arc<Services>,
    listener: TcpListener,
    stopped: oneshot::Receiver<()>,
) -> Result<(), tonic::transport::Error> {
    let gzip = CompressionEncoding::Gzip;
    // An answer is sent in several small parts: each would wait 40 ms for the client's word that the one before has come.
    let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
    Server::builder()
        .add_service(qdrant_server::QdrantServer::from_arc(services.clone()))
        .add_service(
            CollectionsServer::from_arc(services.clone())
                .accept_compressed(gzip)
                .max_decoding_message_size(LARGEST_MESSAGE),
        )
        .add_service(
            PointsServer::from_arc(services.clone()).accept_compressed(gzip).max_decoding_message_size(LARGEST_MESSAGE),
        )
        .add_service(SnapshotsServer::from_arc(services))
        .serve_with_incoming_shutdown(incoming, async {
            // The sender is dropped, never used: that is the sign to stop.
            let _ = stopped.await;
        })
        .await
}

#[tonic::async_trait]
impl qdrant_server::Qdrant for Services {
    async fn health_check(&self, _request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckReply>, Status> {
        Ok(Response::new(HealthCheckReply {
            title: "qdrant - vector search engine (local, Qdrant Edge)".to_owned(),
            version: VERSION.to_owned(),
            commit: None,
        }))
    }
}

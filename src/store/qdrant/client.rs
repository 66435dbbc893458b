//! The channel, the deadline of a request, and the key that goes with each.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use qdrant_client::qdrant as proto;
use secrecy::ExposeSecret;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Response, Status};

use super::QdrantOptions;
use super::address::{self, Address};
use super::fault::{self, Call};
use super::key;
use super::probe;
use super::retry::Patience;
use super::version;
use crate::model::CollectionMetadata;
use crate::store::{Fault, KeyFacts, Pace, StoreError};

type Service = InterceptedService<Channel, ApiKey>;
/// The client for points.
pub(super) type Points = proto::points_client::PointsClient<Service>;
/// The client for collections and aliases.
pub(super) type Collections = proto::collections_client::CollectionsClient<Service>;

/// How long connecting may take.
const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// How often an idle connection is asked whether it lives. A load balancer drops silent ones.
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// A connection, made when it is first used and again when it broke.
#[derive(Clone)]
pub(super) struct Client {
    address: Address,
    channel: Channel,
    key: ApiKey,
    timeout: Duration,
    patience: Patience,
    /// Whether the key is for some collections, and what is listed is no more than those.
    partial: bool,
    /// What strict mode is known to allow, by the names under which collections were asked for.
    allowed: Arc<Mutex<BTreeMap<String, Allowed>>>,
    /// The version of a server that keeps no metadata of collections.
    without_metadata: Option<String>,
}

/// What a collection's strict mode allows a request to ask for; what is absent is not limited.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Allowed {
    /// The longest deadline, in seconds.
    pub(super) timeout_seconds: Option<u64>,
    /// The most results.
    pub(super) page: Option<u64>,
}

/// Adds the key to each request.
#[derive(Clone)]
pub(super) struct ApiKey(Option<MetadataValue<Ascii>>);

impl Interceptor for ApiKey {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(key) = &self.0 {
            request.metadata_mut().insert("api-key", key.clone());
        }
        Ok(request)
    }
}

impl Client {
    pub(super) async fn connect(options: &QdrantOptions) -> Result<Client, StoreError> {
        let address = address::parse(options.url.expose_secret())?;
        let key = api_key(options)?;
        let timeout = Duration::from_millis(options.timeout_ms);
        let mut endpoint = Endpoint::from_shared(address.url.clone())
            .map_err(|error| StoreError::new(Fault::Refused, format!("the URL of Qdrant cannot be used: {error}")))?
            .connect_timeout(CONNECT_LIMIT)
            .timeout(timeout)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_while_idle(true)
            .tcp_nodelay(true);
        if address.tls {
            endpoint = endpoint.tls_config(tls(options).await?).map_err(|error| unusable_ca(options, &error))?;
        } else if options.ca.is_some() {
            return Err(StoreError::new(
                Fault::Refused,
                "a certificate authority is given for Qdrant, but its URL is not https",
            )
            .hint("write https:// in the URL, or remove the authority"));
        }
        let patience = Patience::new(timeout, Duration::from_millis(options.retry_ms));
        let partial = matches!(key::facts(options), KeyFacts::Collections(_));
        let channel = endpoint.connect_lazy();
        let allowed = Arc::default();
        Ok(Client { address, channel, key, timeout, patience, partial, allowed, without_metadata: None })
    }

    /// Asks for the version. Qdrant answers that to anybody, so the key is tried on the list of collections.
    pub(super) async fn greet(&self) -> Result<String, StoreError> {
        let mut client = proto::qdrant_client::QdrantClient::new(self.service());
        let reply =
            client.health_check(proto::HealthCheckRequest {}).await.map_err(|status| fault::of(&status, Call::Read))?;
        self.collections()
            .list(proto::ListCollectionsRequest {})
            .await
            .map_err(|status| fault::of(&status, Call::Read))?;
        Ok(reply.into_inner().version)
    }

    /// Takes note of the server's version.
    pub(super) fn of_version(&mut self, version: &str) {
        self.without_metadata = (!version::keeps_metadata(version)).then(|| version.to_owned());
    }

    /// The metadata that the server says a collection has, or that it can say nothing.
    pub(super) fn metadata(&self, texts: BTreeMap<String, String>) -> CollectionMetadata {
        match &self.without_metadata {
            None => CollectionMetadata::Kept(texts),
            Some(server) => CollectionMetadata::NotKept { server: server.clone() },
        }
    }

    /// Whether lists of collections and aliases may lack some, because of the key.
    pub(super) fn sees_a_part(&self) -> bool {
        self.partial
    }

    /// Whether metadata can be kept.
    pub(super) fn keeps_metadata(&self) -> bool {
        self.without_metadata.is_none()
    }

    /// Sends a request, again while the server cannot answer. What was to be changed and is in doubt is not sent again.
    pub(super) async fn ask<M: Clone, T, Reply>(
        &self,
        call: Call,
        message: M,
        send: impl Fn(Request<M>) -> Reply,
    ) -> Result<T, StoreError>
    where
        Reply: Future<Output = Result<Response<T>, Status>>,
    {
        self.ask_since(Instant::now(), call, message, send).await
    }

    /// The same for one of several requests of one call, which began then: they share the time for further tries.
    pub(super) async fn ask_since<M: Clone, T, Reply>(
        &self,
        began: Instant,
        call: Call,
        message: M,
        send: impl Fn(Request<M>) -> Reply,
    ) -> Result<T, StoreError>
    where
        Reply: Future<Output = Result<Response<T>, Status>>,
    {
        self.patience.run(began, call, |limit| send(timed(message.clone(), limit))).await
    }

    /// Says what waits from now on.
    pub(super) fn set_pace(&self, pace: Pace) {
        self.patience.set(pace);
    }

    /// Where it connects to.
    pub(super) fn url(&self) -> String {
        self.address.url.clone()
    }

    /// Replaces what gRPC says of a failed connection by what is wrong.
    pub(super) async fn diagnose(&self, error: StoreError) -> StoreError {
        let keyed = self.key.0.is_some();
        probe::explain(&self.address, keyed, error).await
    }

    pub(super) fn points(&self) -> Points {
        // The limit is for untrusted peers; a page of large vectors is larger than the default 4 MiB.
        Points::new(self.service()).max_decoding_message_size(usize::MAX)
    }

    pub(super) fn collections(&self) -> Collections {
        Collections::new(self.service()).max_decoding_message_size(usize::MAX)
    }

    /// The deadline that the server is told for changes of collections and aliases, in seconds.
    pub(super) fn timeout_seconds(&self) -> Option<u64> {
        Some(self.timeout.as_secs().max(1))
    }

    /// Takes note of what a collection's strict mode allows.
    pub(super) fn learn(&self, collection: &str, allowed: Allowed) {
        self.allowed().insert(collection.to_owned(), allowed);
    }

    /// The deadline that the server is told for requests to a collection, in seconds: none until it is known that strict mode
    /// allows one, since it would refuse the request. The deadline here holds either way.
    pub(super) fn deadline(&self, collection: &str) -> Option<u64> {
        let allowed = self.allowed().get(collection).copied()?;
        let own = self.timeout.as_secs().max(1);
        Some(allowed.timeout_seconds.map_or(own, |most| own.min(most)))
    }

    /// How many results may be asked for, at most this many.
    pub(super) fn page(&self, collection: &str, wanted: u32) -> u32 {
        let most = self.allowed().get(collection).and_then(|allowed| allowed.page);
        most.and_then(|most| u32::try_from(most).ok()).map_or(wanted, |most| wanted.min(most)).max(1)
    }

    fn allowed(&self) -> MutexGuard<'_, BTreeMap<String, Allowed>> {
        self.allowed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn service(&self) -> Service {
        InterceptedService::new(self.channel.clone(), self.key.clone())
    }
}

fn timed<M>(message: M, limit: Duration) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(limit);
    request
}

fn api_key(options: &QdrantOptions) -> Result<ApiKey, StoreError> {
    let Some(key) = &options.api_key else {
        return Ok(ApiKey(None));
    };
    let mut value: MetadataValue<Ascii> = key.expose_secret().trim().parse().map_err(|_| {
        StoreError::new(Fault::Refused, "the API key of Qdrant holds characters that a header cannot carry")
            .hint("check that the whole key, and only the key, is in its source")
    })?;
    value.set_sensitive(true);
    Ok(ApiKey(Some(value)))
}

async fn tls(options: &QdrantOptions) -> Result<ClientTlsConfig, StoreError> {
    let config = ClientTlsConfig::new();
    match &options.ca {
        None => Ok(config.with_native_roots()),
        Some(file) => {
            let pem = tokio::fs::read(file).await.map_err(|error| unusable_ca(options, &error))?;
            Ok(config.ca_certificate(Certificate::from_pem(pem)))
        }
    }
}

fn unusable_ca(options: &QdrantOptions, error: &dyn std::fmt::Display) -> StoreError {
    let file = options.ca.as_ref().map_or_else(|| "the system's certificates".to_owned(), |f| f.display().to_string());
    StoreError::new(Fault::Refused, format!("{file}: {error}")).hint("give a PEM file with the authority's certificate")
}

//! Another Qdrant than the local one, as far as its wire shows: in front of the local server, it says that it is of another
//! version, drops what that version does not know, answers with errors, or has limits. All else is the local server's.
//!
//! Calls are passed on as bytes, and only the messages that a rule is about are read.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};

use enact::local::qdrant::QdrantServer;
use enact::store::qdrant::{Qdrant, QdrantOptions};
use prost::Message;
use prost::bytes::{Buf, BufMut};
use qdrant_client::qdrant as proto;
use secrecy::SecretString;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::{BoxFuture, Service, http};
use tonic::server::NamedService;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Server};
use tonic::{Request, Response, Status};

/// What is other than at the local server.
#[derive(Debug, Clone)]
pub enum Rule {
    /// It is of this version; before 1.16 that keeps no metadata of collections.
    Version(&'static str),
    /// The next calls of this method, so many, are answered with this.
    Answer { method: &'static str, status: Status, times: u32 },
    /// Its collections are in strict mode: no exact counts, no deadline of more seconds, no page of more points.
    Strict { seconds: u32, page: u32 },
    /// So many times, it says that it builds indexes.
    Building(u32),
    /// Lists name this collection alone, and no alias.
    Lists(&'static str),
}

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    calls: Vec<String>,
}

/// The local server behind rules.
pub struct Other {
    state: Arc<Mutex<State>>,
    url: String,
    serving: JoinHandle<()>,
    server: QdrantServer,
    _directory: tempfile::TempDir,
}

impl Other {
    /// Starts both.
    pub async fn start(rules: Vec<Rule>) -> Other {
        let directory = tempfile::tempdir().expect("a directory");
        let server = QdrantServer::start(directory.path(), (Ipv4Addr::LOCALHOST, 0).into()).await.expect("a server");
        let upstream = Channel::from_shared(server.url()).expect("a URL").connect().await.expect("a connection");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let state = Arc::new(Mutex::new(State { rules, calls: Vec::new() }));
        let front = Front { state: Arc::clone(&state), upstream };
        let serving = tokio::spawn(async move {
            let router = Server::builder()
                .add_service(Named::<'p'>(front.clone()))
                .add_service(Named::<'c'>(front.clone()))
                .add_service(Named::<'q'>(front));
            router.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))).await.expect("served");
        });
        Other { state, url, serving, server, _directory: directory }
    }

    /// Where it is.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// From now on, these rules hold, and calls are counted anew.
    pub fn set(&self, rules: Vec<Rule>) {
        *lock(&self.state) = State { rules, calls: Vec::new() };
    }

    /// How often this method was called.
    pub fn calls(&self, method: &str) -> usize {
        lock(&self.state).calls.iter().filter(|called| *called == method).count()
    }

    /// All methods that were called, in order.
    pub fn log(&self) -> Vec<String> {
        lock(&self.state).calls.clone()
    }

    /// Connects as a user would.
    pub async fn connect(&self) -> Qdrant {
        Qdrant::connect(&self.options(None)).await.expect("a connection")
    }

    /// How to connect.
    pub fn options(&self, api_key: Option<&str>) -> QdrantOptions {
        let api_key = api_key.map(SecretString::from);
        QdrantOptions { url: SecretString::from(self.url()), api_key, timeout_ms: 20_000, retry_ms: 20_000, ca: None }
    }

    /// Stops both.
    pub async fn stop(self) {
        self.serving.abort();
        self.server.shutdown().await.expect("stopped");
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no call panicked")
}

impl State {
    /// What the rules make of a request; an error is the answer.
    fn request(&mut self, method: &str, message: Vec<u8>) -> Result<Vec<u8>, Status> {
        self.calls.push(method.to_owned());
        for rule in &mut self.rules {
            if let Rule::Answer { method: of, status, times } = rule
                && *of == method
                && *times > 0
            {
                *times -= 1;
                return Err(status.clone());
            }
        }
        if let Some((seconds, page)) = self.strict() {
            refuse(method, &message, seconds, page)?;
        }
        Ok(match method {
            "/qdrant.Collections/Create" if self.drops_metadata() => {
                edit(&message, |create: &mut proto::CreateCollection| create.metadata.clear())
            }
            "/qdrant.Collections/Update" if self.drops_metadata() => {
                edit(&message, |update: &mut proto::UpdateCollection| update.metadata.clear())
            }
            _ => message,
        })
    }

    /// What the rules make of an answer.
    fn answer(&mut self, method: &str, message: Vec<u8>) -> Vec<u8> {
        let (strict, version, listed) = (self.strict(), self.version(), self.listed());
        match method {
            "/qdrant.Qdrant/HealthCheck" => edit(&message, |reply: &mut proto::HealthCheckReply| {
                reply.version = version.unwrap_or(&reply.version).to_owned();
            }),
            "/qdrant.Collections/Get" => {
                let builds = self.builds();
                edit(&message, |reply: &mut proto::GetCollectionInfoResponse| {
                    let info = reply.result.get_or_insert_default();
                    if builds {
                        info.set_status(proto::CollectionStatus::Yellow);
                    }
                    if let Some((seconds, page)) = strict {
                        info.config.get_or_insert_default().strict_mode_config = Some(proto::StrictModeConfig {
                            enabled: Some(true),
                            search_allow_exact: Some(false),
                            max_timeout: Some(seconds),
                            max_query_limit: Some(page),
                            ..proto::StrictModeConfig::default()
                        });
                    }
                })
            }
            "/qdrant.Collections/List" if listed.is_some() => {
                edit(&message, |reply: &mut proto::ListCollectionsResponse| {
                    reply.collections.retain(|collection| Some(collection.name.as_str()) == listed);
                })
            }
            "/qdrant.Collections/ListAliases" if listed.is_some() => {
                edit(&message, |reply: &mut proto::ListAliasesResponse| reply.aliases.clear())
            }
            _ => message,
        }
    }

    fn strict(&self) -> Option<(u32, u32)> {
        self.rules.iter().find_map(|rule| match rule {
            Rule::Strict { seconds, page } => Some((*seconds, *page)),
            _ => None,
        })
    }

    fn version(&self) -> Option<&'static str> {
        self.rules.iter().find_map(|rule| if let Rule::Version(version) = rule { Some(*version) } else { None })
    }

    fn listed(&self) -> Option<&'static str> {
        self.rules.iter().find_map(|rule| if let Rule::Lists(name) = rule { Some(*name) } else { None })
    }

    fn drops_metadata(&self) -> bool {
        self.version().is_some_and(|version| ["1.13.", "1.14.", "1.15."].iter().any(|old| version.starts_with(old)))
    }

    fn builds(&mut self) -> bool {
        self.rules.iter_mut().any(|rule| match rule {
            Rule::Building(times) if *times > 0 => {
                *times -= 1;
                true
            }
            _ => false,
        })
    }
}

/// What strict mode says, in the words of Qdrant 1.16.
fn refuse(method: &str, message: &[u8], seconds: u32, page: u32) -> Result<(), Status> {
    let over = |what: &str, asked: u64, most: u32| {
        let help = format!("Reduce the \"{what}\" parameter to or below {most}.");
        Err(Status::invalid_argument(format!(
            "Bad request: Limit exceeded {asked} > {most} for \"{what}\". Help: {help}"
        )))
    };
    let (timeout, limit) = match method {
        "/qdrant.Points/Count" => {
            let count = read::<proto::CountPoints>(message);
            if count.exact != Some(false) {
                return Err(Status::invalid_argument("Bad request: Exact search disabled!. Help: Set exact=false."));
            }
            (count.timeout, None)
        }
        "/qdrant.Points/Scroll" => {
            let scroll = read::<proto::ScrollPoints>(message);
            (scroll.timeout, scroll.limit)
        }
        "/qdrant.Points/Get" => (read::<proto::GetPoints>(message).timeout, None),
        "/qdrant.Points/Upsert" => (read::<proto::UpsertPoints>(message).timeout, None),
        "/qdrant.Points/Delete" => (read::<proto::DeletePoints>(message).timeout, None),
        _ => (None, None),
    };
    match (timeout, limit) {
        (Some(asked), _) if asked > u64::from(seconds) => over("timeout", asked, seconds),
        (_, Some(asked)) if asked > page => over("limit", u64::from(asked), page),
        (Some(_) | None, Some(_) | None) => Ok(()),
    }
}

fn read<M: Message + Default>(message: &[u8]) -> M {
    M::decode(message).expect("a message of this method")
}

fn edit<M: Message + Default>(message: &[u8], change: impl FnOnce(&mut M)) -> Vec<u8> {
    let mut read = read::<M>(message);
    change(&mut read);
    read.encode_to_vec()
}

#[derive(Clone)]
struct Front {
    state: Arc<Mutex<State>>,
    upstream: Channel,
}

impl Front {
    async fn pass_on(
        self,
        method: http::uri::PathAndQuery,
        request: Request<Vec<u8>>,
    ) -> Result<Response<Vec<u8>>, Status> {
        let name = method.path().to_owned();
        let (metadata, extensions, message) = request.into_parts();
        let message = lock(&self.state).request(&name, message)?;
        let mut client = tonic::client::Grpc::new(self.upstream).max_decoding_message_size(usize::MAX);
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let request = Request::from_parts(metadata, extensions, message);
        let (metadata, message, extensions) = client.unary(request, method, Bytes).await?.into_parts();
        let message = lock(&self.state).answer(&name, message);
        Ok(Response::from_parts(metadata, message, extensions))
    }
}

/// One of Qdrant's services, by its first letter.
#[derive(Clone)]
struct Named<const SERVICE: char>(Front);

impl NamedService for Named<'p'> {
    const NAME: &'static str = "qdrant.Points";
}

impl NamedService for Named<'c'> {
    const NAME: &'static str = "qdrant.Collections";
}

impl NamedService for Named<'q'> {
    const NAME: &'static str = "qdrant.Qdrant";
}

impl<const SERVICE: char> Service<http::Request<Body>> for Named<SERVICE> {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let front = self.0.clone();
        Box::pin(async move {
            let method = request.uri().path_and_query().cloned().expect("a method");
            let call = Call { front, method };
            let mut server = tonic::server::Grpc::new(Bytes).apply_max_message_size_config(Some(usize::MAX), None);
            Ok(server.unary(call, request).await)
        })
    }
}

struct Call {
    front: Front,
    method: http::uri::PathAndQuery,
}

impl Service<Request<Vec<u8>>> for Call {
    type Response = Response<Vec<u8>>;
    type Error = Status;
    type Future = BoxFuture<Self::Response, Status>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Vec<u8>>) -> Self::Future {
        Box::pin(self.front.clone().pass_on(self.method.clone(), request))
    }
}

/// Messages as the bytes that they are.
#[derive(Clone, Copy)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Bytes;
    type Decoder = Bytes;

    fn encoder(&mut self) -> Bytes {
        Bytes
    }

    fn decoder(&mut self) -> Bytes {
        Bytes
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, into: &mut EncodeBuf<'_>) -> Result<(), Status> {
        into.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut message = vec![0; from.remaining()];
        from.copy_to_slice(&mut message);
        Ok(Some(message))
    }
}

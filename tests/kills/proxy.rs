//! A proxy between Enact and one store, which can do to a connection what a network does.
//!
//! A fault waits for its place: a number of bytes in one direction, or a request that holds some text. There it strikes once,
//! or once and then keeps everybody out, until it is healed. Both directions are counted over all connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// Where a store really is.
#[derive(Debug, Clone)]
pub enum Upstream {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// Where a fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Before this many bytes have come from the client.
    RequestBytes(u64),
    /// Before this many bytes have come from the store.
    ReplyBytes(u64),
    /// Before the nth request that holds this text reaches the store, counted from 1.
    Request(&'static str, u32),
    /// When the store answers the nth request that holds this text: it is done, and nobody hears of it.
    ReplyTo(&'static str, u32),
}

/// What happens there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blow {
    /// Both sides are closed.
    Close,
    /// The client is told that no more will come; what it sends still reaches the store.
    HalfClose,
    /// Nothing passes any more, and nobody is told.
    Silence,
    /// The request and what follows it waits until it is released, and reaches the store then, whoever sent it.
    Hold,
}

/// What a proxy does to its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// New connections are closed as soon as they are made.
    Refuse,
    /// Every piece waits this long, in both directions.
    Delay(Duration),
    /// A blow at a place; then new connections pass, or are refused.
    Strike { place: Place, blow: Blow, then_refuse: bool },
}

/// What a proxy has seen since it was told its fault.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// Bytes from clients.
    pub request_bytes: u64,
    /// Bytes from the store.
    pub reply_bytes: u64,
    /// Whether the fault struck.
    pub struck: bool,
    /// Whether the store answered what had been held.
    pub answered: bool,
}

#[derive(Debug)]
struct State {
    fault: Fault,
    seen: Seen,
    /// Requests found that hold the text.
    matches: u32,
    /// A request that holds the text is being sent, or waits for its answer.
    asked: bool,
    /// A request was matched whose reply is not to come.
    waits_for_reply: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    upstream: Upstream,
    healed: watch::Sender<u64>,
    released: watch::Sender<u64>,
}

/// A listening proxy.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
}

/// Both directions of a connection as one thing.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}
type Boxed = Box<dyn Stream>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Request,
    Reply,
}

impl Proxy {
    /// Listens on a free port.
    pub fn start(runtime: &Runtime, upstream: Upstream) -> Proxy {
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state =
            State { fault: Fault::None, seen: Seen::default(), matches: 0, asked: false, waits_for_reply: false };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            upstream,
            healed: watch::Sender::new(0),
            released: watch::Sender::new(0),
        });
        runtime.spawn(accept(listener, shared.clone()));
        Proxy { address, shared }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// From now on, this happens. Counting begins anew.
    pub fn set(&self, fault: Fault) {
        let mut state = self.shared.lock();
        *state = State { fault, seen: Seen::default(), matches: 0, asked: false, waits_for_reply: false };
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.shared.lock().seen
    }

    /// Lets go what was held.
    pub fn release(&self) {
        self.shared.released.send_modify(|count| *count += 1);
    }

    /// Takes the fault away and closes every connection that there is.
    pub fn heal(&self) -> Seen {
        let seen = self.shared.lock().seen;
        self.set(Fault::None);
        self.shared.healed.send_modify(|count| *count += 1);
        seen
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no task of the proxy panicked")
    }

    /// Takes note of a piece, and says how much of it passes and what happens after that.
    fn judge(&self, direction: Direction, piece: &[u8]) -> (usize, Option<Blow>) {
        let mut state = self.lock();
        let before = match direction {
            Direction::Request => state.seen.request_bytes,
            Direction::Reply => state.seen.reply_bytes,
        };
        let after = before + piece.len() as u64;
        match direction {
            Direction::Request => state.seen.request_bytes = after,
            Direction::Reply => state.seen.reply_bytes = after,
        }
        let Fault::Strike { place, blow, then_refuse } = state.fault else { return (piece.len(), None) };
        if state.seen.struck {
            return (piece.len(), None);
        }
        let passes = match (place, direction) {
            (Place::RequestBytes(limit), Direction::Request) | (Place::ReplyBytes(limit), Direction::Reply) => {
                (limit <= after).then(|| usize::try_from(limit.saturating_sub(before)).expect("a part of the piece"))
            }
            (Place::Request(text, nth), Direction::Request) => {
                state.note(piece, text);
                (state.matches >= nth).then_some(0)
            }
            (Place::ReplyTo(text, nth), Direction::Request) => {
                state.note(piece, text);
                state.waits_for_reply = state.matches >= nth;
                None
            }
            (Place::ReplyTo(..), Direction::Reply) => (state.waits_for_reply && is_answer(piece)).then_some(0),
            (Place::RequestBytes(_) | Place::Request(..), Direction::Reply)
            | (Place::ReplyBytes(_), Direction::Request) => None,
        };
        if direction == Direction::Reply && is_answer(piece) {
            state.asked = false;
        }
        let Some(passes) = passes else { return (piece.len(), None) };
        state.seen.struck = true;
        if then_refuse {
            state.fault = Fault::Refuse;
        }
        (passes, Some(blow))
    }

    /// Takes note of what the store says on a connection that was held.
    fn heard(&self, piece: &[u8]) -> bool {
        self.lock().seen.answered |= is_answer(piece);
        true
    }

    fn delay(&self) -> Option<Duration> {
        match self.lock().fault {
            Fault::Delay(delay) => Some(delay),
            Fault::None | Fault::Refuse | Fault::Strike { .. } => None,
        }
    }
}

impl State {
    /// Counts a request that holds the text. A long one comes in several pieces, and holds it many times.
    fn note(&mut self, piece: &[u8], text: &str) {
        let holds = piece.windows(text.len()).any(|window| window == text.as_bytes());
        if holds && !self.asked {
            self.matches += 1;
            self.asked = true;
        }
    }
}

/// Whether a piece is an answer, and not only HTTP/2's word that more may be sent.
fn is_answer(piece: &[u8]) -> bool {
    piece.len() >= 40
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    while let Ok((client, _)) = listener.accept().await {
        if shared.lock().fault == Fault::Refuse {
            continue;
        }
        let shared = shared.clone();
        tokio::spawn(async move {
            let _no_delay = client.set_nodelay(true);
            let store: Boxed = match &shared.upstream {
                Upstream::Tcp(address) => match TcpStream::connect(address).await {
                    Ok(stream) => {
                        let _no_delay = stream.set_nodelay(true);
                        Box::new(stream)
                    }
                    Err(_) => return,
                },
                Upstream::Unix(path) => match UnixStream::connect(path).await {
                    Ok(stream) => Box::new(stream),
                    Err(_) => return,
                },
            };
            carry(Box::new(client), store, &shared).await;
        });
    }
}

/// Carries both directions until both have ended, something closes the connection, or it is healed.
async fn carry(client: Boxed, store: Boxed, shared: &Shared) {
    let mut healed = shared.healed.subscribe();
    let (from_client, to_client) = tokio::io::split(client);
    let (from_store, to_store) = tokio::io::split(store);
    let mood = watch::Sender::new(Mood::Well);
    let requests = pump(from_client, to_store, Direction::Request, shared, &mood);
    let replies = pump(from_store, to_client, Direction::Reply, shared, &mood);
    let both = async { tokio::try_join!(requests, replies) };
    tokio::select! {
        _ended = both => {}
        _closed = healed.changed() => {}
    }
}

/// How a connection is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    Well,
    /// Nothing passes.
    Silent,
    /// Its client may be gone, and the store must not hear of that.
    Held,
}

/// Carries one direction. An error closes the whole connection.
async fn pump(
    mut from: ReadHalf<Boxed>,
    mut to: WriteHalf<Boxed>,
    direction: Direction,
    shared: &Shared,
    mood: &watch::Sender<Mood>,
) -> Result<(), std::io::Error> {
    let mut released = shared.released.subscribe();
    let mut buffer = vec![0; 16 * 1024];
    let mut deaf = false;
    loop {
        let length = from.read(&mut buffer).await?;
        let now = *mood.borrow();
        if length == 0 && now == Mood::Held {
            return std::future::pending().await;
        }
        if length == 0 {
            return to.shutdown().await;
        }
        if deaf
            || now == Mood::Silent
            || (now == Mood::Held && direction == Direction::Reply && shared.heard(&buffer[..length]))
        {
            continue;
        }
        if let Some(delay) = shared.delay() {
            tokio::time::sleep(delay).await;
        }
        let (passes, blow) = shared.judge(direction, &buffer[..length]);
        to.write_all(&buffer[..passes]).await?;
        match blow {
            None => {}
            Some(Blow::Close) => return Err(std::io::ErrorKind::ConnectionReset.into()),
            Some(Blow::HalfClose) => {
                deaf = true;
                to.shutdown().await?;
            }
            Some(Blow::Silence) => {
                mood.send_replace(Mood::Silent);
            }
            Some(Blow::Hold) => {
                mood.send_replace(Mood::Held);
                let _held = released.changed().await;
                to.write_all(&buffer[passes..length]).await?;
            }
        }
    }
}

//! Counts calls, says which of them has a fault, and keeps what the wrapped stores share.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use enact::store::{Fault, StoreError};
use tokio::sync::Notify;

use crate::faults::bugs::{Bug, Planted};
use crate::faults::memory::Memory;
use crate::faults::schedule::{Call, Kind, Op, Schedule};

/// What stands for the run's id where runs are compared.
pub const RUN: &str = "<run>";

/// The request deadline in the journals of these tests.
pub const DEADLINE_MS: u64 = 20;

/// A request that is not done yet.
struct Late {
    since: Instant,
    /// The collection whose server has it already; on its way where there is none.
    queue: Option<String>,
    request: Pin<Box<dyn Future<Output = ()> + Send>>,
}

/// Shared by the wrapped stores of one schedule.
pub struct Injector {
    state: Mutex<State>,
    died: Notify,
    late: Mutex<Vec<Late>>,
    /// Where the vectors are, if in memory: its content is part of the durable state.
    memory: Option<Arc<Memory>>,
    /// What is wrong with the runner on purpose.
    pub planted: Planted,
}

#[derive(Default)]
struct State {
    schedule: Schedule,
    process: usize,
    trace: Vec<Call>,
    fired: usize,
    run: Option<String>,
    is_cut: bool,
    holds_lease: bool,
    has_waited: bool,
    /// What a commit writes that is on its way.
    late_commit: Option<Vec<String>>,
    /// What was committed in PostgreSQL, in order.
    committed: Vec<String>,
    /// Effects that were tried without the lease.
    unleased: Vec<String>,
    /// How many texts were embedded.
    embedded: usize,
}

impl Injector {
    pub fn new(memory: Option<Arc<Memory>>) -> Arc<Injector> {
        let state = Mutex::new(State::default());
        Arc::new(Injector { state, died: Notify::new(), late: Mutex::default(), memory, planted: Planted::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Begins a schedule.
    pub fn begin(&self, schedule: &Schedule) {
        *self.state() = State { schedule: schedule.clone(), ..State::default() };
    }

    /// Begins a process on a connection of its own.
    pub fn begin_process(&self) -> usize {
        self.planted.begin_process();
        let mut state = self.state();
        state.process += 1;
        (state.is_cut, state.holds_lease) = (false, false);
        state.process
    }

    /// Sends a request on its way. It arrives as late as it can: when the runner waits for the deadline, or when that is
    /// over, or at the end. One that is in the queue of a collection waits for the next write there, or for the end.
    pub fn send(&self, queue: Option<String>, request: impl Future<Output = ()> + Send + 'static) {
        lock(&self.late).push(Late { since: Instant::now(), queue, request: Box::pin(request) });
    }

    /// What the server has in the queue of this collection is applied.
    pub async fn apply_queued(&self, collection: &str) {
        self.arrive_if(|late| late.queue.as_deref() == Some(collection)).await;
    }

    /// A commit is on its way.
    pub fn send_commit(&self, written: Vec<String>) {
        self.state().late_commit = Some(written);
    }

    /// The commit that was on its way, if there was one, is done now.
    pub fn take_late_commit(&self) -> bool {
        let mut state = self.state();
        let late = state.late_commit.take();
        let is_late = late.is_some();
        state.committed.extend(late.into_iter().flatten());
        is_late
    }

    /// The runner waits for the deadline of requests.
    pub fn note_waiting(&self) {
        self.state().has_waited = true;
    }

    /// Everything that is not done yet is done.
    pub async fn arrive(&self) {
        self.arrive_if(|_| true).await;
    }

    async fn arrive_if(&self, is_due: impl Fn(&Late) -> bool) {
        let due: Vec<Late> = lock(&self.late).extract_if(.., |late| is_due(late)).collect();
        for late in due {
            late.request.await;
        }
    }

    async fn arrive_if_due(&self) {
        let deadline = Duration::from_millis(DEADLINE_MS);
        // What overtakes a runner that does not wait has to overtake it on a slow machine too.
        let has_time = !self.planted.is(Bug::DeadlineNotWaitedFor);
        let has_waited = std::mem::take(&mut self.state().has_waited);
        let is_due = |late: &Late| has_waited || (has_time && late.since.elapsed() >= deadline);
        self.arrive_if(|late| late.queue.is_none() && is_due(late)).await;
    }

    /// Every call so far.
    pub fn trace(&self) -> Vec<Call> {
        self.state().trace.clone()
    }

    /// How many faults have happened.
    pub fn fired(&self) -> usize {
        self.state().fired
    }

    /// Effects that were tried without the lease.
    pub fn unleased(&self) -> Vec<String> {
        self.state().unleased.clone()
    }

    /// How many texts were embedded.
    pub fn embedded(&self) -> usize {
        self.state().embedded
    }

    pub fn note_embedded(&self, texts: usize) {
        self.state().embedded += texts;
    }

    /// The id of the run, or what stands for it.
    pub fn run_or_mark(&self) -> String {
        self.run().unwrap_or_else(|| RUN.to_owned())
    }

    /// The id of the run, once it has one.
    pub fn run(&self) -> Option<String> {
        self.state().run.clone()
    }

    pub fn note_run(&self, run: &str) {
        self.state().run = Some(run.to_owned());
    }

    /// Text with the run's id taken out.
    pub fn plain(&self, text: &str) -> String {
        match &self.state().run {
            Some(run) => text.replace(run.as_str(), RUN),
            None => text.to_owned(),
        }
    }

    /// Ends when a fault kills the process.
    pub async fn death(&self) {
        self.died.notified().await;
    }

    /// The process is dead from here.
    pub async fn die(&self) -> ! {
        self.died.notify_one();
        std::future::pending().await
    }

    /// The connection to PostgreSQL is lost, and with it lock and transaction.
    pub fn cut(&self) {
        let mut state = self.state();
        (state.is_cut, state.holds_lease) = (true, false);
    }

    pub fn connected(&self) {
        self.state().is_cut = false;
    }

    pub fn hold_lease(&self, holds: bool) {
        self.state().holds_lease = holds;
    }

    pub fn commit(&self, statements: impl IntoIterator<Item = String>) {
        let mut state = self.state();
        state.committed.extend(statements);
    }

    /// Counts a call; answers with the part of its fault that the caller has to act on.
    pub async fn enter(&self, op: Op, label: &str, has_effect: bool) -> Result<Option<Kind>, StoreError> {
        self.arrive_if_due().await;
        let (fault, is_cut) = self.count(op, label, has_effect);
        match fault {
            Some(Kind::DeathBefore) => self.die().await,
            _ if is_cut => Err(lost(Fault::Transient)),
            Some(Kind::Refuse) => Err(StoreError::new(Fault::Refused, "refused by the schedule")),
            Some(Kind::Fail) => Err(StoreError::new(Fault::Transient, "failed by the schedule")),
            other => Ok(other),
        }
    }

    fn count(&self, op: Op, label: &str, has_effect: bool) -> (Option<Kind>, bool) {
        let label = self.plain(label);
        let mut state = self.state();
        let number = state.trace.len() + 1;
        let postgres = !matches!(op, Op::Read | Op::Write { .. } | Op::Embed | Op::Reconnect);
        let is_cut = postgres && state.is_cut;
        if has_effect && !is_cut && !state.holds_lease {
            let what = format!("call {number}: {label}");
            state.unleased.push(what);
        }
        let call = Call { number, process: state.process, op, label, state: self.digest(&state), is_cut };
        state.trace.push(call);
        let fault = state.schedule.0.iter().find(|fault| fault.call == number).map(|fault| fault.kind);
        state.fired += usize::from(fault.is_some());
        (fault, is_cut)
    }

    fn digest(&self, state: &State) -> u64 {
        let mut hasher = DefaultHasher::new();
        (state.is_cut, state.holds_lease).hash(&mut hasher);
        state.committed.hash(&mut hasher);
        if let Some(memory) = &self.memory {
            memory.digest(state.run.as_deref().unwrap_or(RUN)).hash(&mut hasher);
        }
        hasher.finish()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// A lost connection as PostgreSQL's client reports it.
pub fn lost(fault: Fault) -> StoreError {
    StoreError::new(fault, "the connection was lost by the schedule")
}

/// A request to the vector store that was never answered.
pub fn in_doubt() -> StoreError {
    StoreError::new(Fault::InDoubt, "left unanswered by the schedule")
}

//! A world to break: real stores with faults around them, a plan, and what both stores look like before and after it.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use enact::apply::{ApplyError, Event, Refusals, Rehearsal, RunEnd, Runner, init};
use enact::embed::{Embedder, Makers};
use enact::local::qdrant::QdrantServer;
use enact::plan::{SavedPlan, Work};
use enact::store::VectorStore;
use enact::store::postgres::{ConnectOptions, Postgres};
use enact::store::qdrant::{Qdrant, QdrantOptions};
use secrecy::SecretString;
use tokio_postgres::Client;

use crate::faults::cases::{Case, kinds_of_work};
use crate::faults::checks::{Check, Problem};
use crate::faults::injector::{Injector, RUN};
use crate::faults::memory::Memory;
use crate::faults::photo::{Photo, Tables, Versions};
use crate::faults::planner::Planner;
use crate::faults::relational::{COMMIT_LATE, FaultyRelational};
use crate::faults::schedule::{Call, Schedule};
use crate::faults::vectors::{FaultyEmbedder, FaultyVectors};
use crate::support::postgres::PrivateCluster;

/// Longer than any schedule takes; a schedule that takes longer hangs.
const HANGS: Duration = Duration::from_secs(30);

/// Processes of one schedule; more means that it does not converge.
const MOST_PROCESSES: usize = 6;

/// Entries whose loss has to be harmless, because what they stand for can be done again: not the decision, which is in
/// the transaction itself, nor the word that a run goes back, nor the intent to write in place.
const LOSABLE: [&str; 9] =
    ["staging", "staged", "transacting", "settling", "settled", "sweeping", "swept", "deferred", "undone"];

/// Removes the last entries of the unfinished run, as many as asked, up to one that cannot be lost.
const CUT: &str = "WITH entries AS (SELECT j.run_id, j.seq, \
      CASE jsonb_typeof(j.entry) WHEN 'string' THEN j.entry #>> '{}' ELSE (SELECT jsonb_object_keys(j.entry)) END AS kind, \
      row_number() OVER (ORDER BY j.seq DESC) AS place \
    FROM enact.journal j JOIN enact.run r USING (run_id) WHERE r.closed_at IS NULL), \
  kept AS (SELECT coalesce(min(place), 0) AS place FROM entries WHERE NOT kind = ANY ($2)) \
  DELETE FROM enact.journal j USING entries e, kept k \
  WHERE j.run_id = e.run_id AND j.seq = e.seq AND e.place <= $1 AND e.place < k.place RETURNING 1";

/// Points that an ended run has no use for: a run that was applied keeps its before-images for a revert.
const LEFT_BEHIND: &str = "SELECT (SELECT count(*) FROM enact.staged_point), (SELECT count(*) FROM enact.before_image \
    WHERE run_id NOT IN (SELECT run_id FROM saved.\"enact.run\"))";

/// The vector store underneath.
pub enum Vectors {
    Memory,
    /// The real server, with its data in this directory.
    Server(tempfile::TempDir),
}

/// What somebody else does while a plan waits or its run is unfinished. It counts as before: it has to be seen and to stay.
#[derive(Debug, Clone, Copy)]
pub enum Meddling {
    /// Statements before the apply.
    Rows(&'static str),
    /// Every live point is given another payload after the first process.
    Points,
}

/// How one process ended.
#[derive(Debug)]
pub enum End {
    Died,
    Hangs,
    Applied(Result<RunEnd, ApplyError>),
    Rehearsed(Result<Rehearsal, ApplyError>),
    Resumed(Result<Option<RunEnd>, ApplyError>),
}

/// Which world a schedule ended in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Before,
    After,
    Mixture,
}

/// What a schedule did.
#[derive(Debug)]
pub struct Ended {
    pub schedule: Schedule,
    pub trace: Vec<Call>,
    pub ends: Vec<End>,
    pub verdict: Verdict,
    /// How many texts were embedded.
    pub embedded: usize,
    /// Whether each fault of the schedule happened.
    pub landed: bool,
    /// What is wrong with it.
    pub problems: Vec<Problem>,
}

impl Ended {
    /// Everything to see what happened, the call numbers first.
    pub fn story(&self) -> String {
        let mut out = format!("ENACT_FAULTS={}\n", self.schedule);
        for call in &self.trace {
            let fault = self.schedule.0.iter().find(|fault| fault.call == call.number);
            let fault = fault.map(|fault| format!("   <== {:?}", fault.kind)).unwrap_or_default();
            out.push_str(&format!("  {call}{fault}\n"));
        }
        for (index, end) in self.ends.iter().enumerate() {
            out.push_str(&format!("  process {} ended: {end:?}\n", index + 1));
        }
        out.push_str(&format!("  {:?}\n", self.verdict));
        for problem in &self.problems {
            out.push_str(&format!("  PROBLEM {problem}\n"));
        }
        out
    }
}

pub struct World {
    admin: Client,
    store: FaultyRelational,
    vectors: FaultyVectors,
    underneath: Arc<dyn VectorStore>,
    makers: Makers,
    pub injector: Arc<Injector>,
    pub plan: SavedPlan,
    /// Whether the first process rehearses the plan instead of applying it.
    pub rehearses: bool,
    pub meddling: Option<Meddling>,
    /// Before, with what somebody else did.
    meddled: Option<Photo>,
    /// Both stores as the last judgement saw them, where nothing has happened since.
    last: Option<(Photo, Versions)>,
    tables: Tables,
    before: Photo,
    after: Option<Photo>,
    /// Sets that change by a switch of their alias.
    switched: Vec<String>,
    _server: Option<(QdrantServer, tempfile::TempDir)>,
    _cluster: PrivateCluster,
}

pub async fn client(conninfo: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(conninfo, tokio_postgres::NoTls).await.expect("a connection");
    tokio::spawn(connection);
    client
}

pub async fn start_server(directory: &Path) -> (QdrantServer, Arc<dyn VectorStore>) {
    let loopback = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = QdrantServer::start(directory, loopback).await.expect("the vector server");
    let url = SecretString::from(server.url());
    let options = QdrantOptions { url, api_key: None, timeout_ms: 20_000, retry_ms: 0, ca: None };
    (server, Arc::new(Qdrant::connect(&options).await.expect("a connection to it")))
}

impl World {
    /// Makes the world of a case, applies its first plan, and plans its second.
    pub async fn make(case: &Case, vectors: Vectors) -> World {
        let mut cluster = PrivateCluster::start().expect("a private PostgreSQL");
        cluster.create_database("kb").expect("a database");
        let conninfo = cluster.conninfo("kb");
        let setting = "ALTER SYSTEM SET max_prepared_transactions = 1";
        client(&conninfo).await.batch_execute(setting).await.expect("late commits are allowed");
        cluster.stop().expect("a stop");
        cluster.restart().expect("a start");
        let admin = client(&conninfo).await;
        admin.batch_execute(&(case.schema)()).await.expect("the schema loads");
        admin.batch_execute(case.seed).await.expect("the seed loads");
        let mut postgres =
            Postgres::connect(&ConnectOptions::new(SecretString::from(conninfo))).await.expect("a session");
        init(&mut postgres).await.expect("the schema enact");
        let (memory, underneath, server): (_, Arc<dyn VectorStore>, _) = match vectors {
            Vectors::Memory => {
                let memory = Arc::new(Memory::default());
                (Some(Arc::clone(&memory)), memory, None)
            }
            Vectors::Server(directory) => {
                let (server, store) = start_server(directory.path()).await;
                (None, store, Some((server, directory)))
            }
        };
        let planner = Planner::new(case.binding);
        let first = planner.plan(&mut postgres, underneath.as_ref(), case.first).await;
        let mut runner = Runner::new(&mut postgres, underneath.as_ref(), &planner.makers, &|_| {}, "first".to_owned());
        let applied = runner.apply(&first, Duration::ZERO).await;
        assert!(matches!(applied, Ok(RunEnd::Applied { .. })), "{applied:?}");
        admin.batch_execute(case.between).await.expect("what happens in between");
        let plan = planner.plan(&mut postgres, underneath.as_ref(), case.second).await;
        assert_eq!(kinds_of_work(&plan), case.work, "the kinds of work of the plan");
        let switched = plan.steps.iter().filter_map(|step| match &step.work {
            Work::SwitchAlias { set, .. } => Some(set.clone()),
            _ => None,
        });
        let switched = switched.collect();
        let injector = Injector::new(memory);
        let wrap = |inner: &Arc<dyn Embedder>| -> Arc<dyn Embedder> {
            Arc::new(FaultyEmbedder { inner: Arc::clone(inner), injector: Arc::clone(&injector) })
        };
        let embedders = planner.makers.embedders.iter().map(|(name, inner)| (name.clone(), wrap(inner))).collect();
        let tables = Tables::save(&admin).await.expect("copies of the tables");
        let (before, _) = tables.photo(&admin, underneath.as_ref(), None).await.expect("a photo");
        World {
            store: FaultyRelational::new(postgres, Arc::clone(&injector)),
            vectors: FaultyVectors::new(Arc::clone(&underneath), Arc::clone(&injector)),
            makers: Makers { embedders },
            admin,
            underneath,
            injector,
            plan,
            rehearses: false,
            meddling: None,
            meddled: None,
            last: None,
            tables,
            before,
            after: None,
            switched,
            _server: server,
            _cluster: cluster,
        }
    }

    /// Applies without faults, and keeps what both stores look like afterwards.
    pub async fn learn_after(&mut self) -> Ended {
        self.injector.planted.learn(true);
        let first = self.run(&Schedule::default()).await;
        self.injector.planted.learn(false);
        let after = self.photo().await;
        assert!(after.difference(&self.before).is_some(), "the plan changes nothing");
        self.after = Some(after);
        assert!(matches!(first.ends[0], End::Applied(Ok(RunEnd::Applied { .. }))), "{}", first.story());
        first
    }

    /// Runs one schedule from the world before: the apply, and resumes until one comes through.
    pub async fn run(&mut self, schedule: &Schedule) -> Ended {
        self.put_back().await;
        if let Some(Meddling::Rows(script)) = self.meddling {
            self.admin.batch_execute(script).await.expect("somebody's statements");
            self.meddled = Some(self.photo().await);
        }
        self.injector.begin(schedule);
        let first = self.process(true).await;
        if let Some(Meddling::Points) = self.meddling {
            self.give_points_another_payload().await;
            self.meddled = Some(self.photo().await);
        }
        self.finish(schedule, first).await
    }

    async fn give_points_another_payload(&self) {
        for (name, (_, mut points)) in self.before.vectors.collections.clone() {
            for point in &mut points {
                point.payload.insert("title".to_owned(), "somebody's".into());
            }
            self.underneath.ensure_points(&name, &points).await.expect("somebody's points");
        }
    }

    /// The same, but the apply's last journal entries are lost before the first resume, as many as this. `None` when
    /// so many cannot be lost.
    pub async fn run_and_cut(&mut self, schedule: &Schedule, entries: i64) -> Option<Ended> {
        self.put_back().await;
        self.injector.begin(schedule);
        let first = self.process(true).await;
        let cut = self.admin.query(CUT, &[&entries, &LOSABLE.as_slice()]).await.expect("the journal is cut");
        if i64::try_from(cut.len()) != Ok(entries) {
            return None;
        }
        Some(self.finish(schedule, first).await)
    }

    /// Applies without faults, then lets somebody change something, then judges.
    pub async fn run_and_tamper(&mut self, script: &str) -> Ended {
        let mut ended = self.run(&Schedule::default()).await;
        self.admin.batch_execute(script).await.expect("the script runs");
        self.judge(&mut ended).await;
        ended
    }

    /// Resumes after the first process until a resume comes through, and judges.
    async fn finish(&mut self, schedule: &Schedule, first: End) -> Ended {
        let mut problems = Vec::new();
        self.look(schedule, &first, &mut problems).await;
        let mut ends = vec![first];
        while problems.is_empty() {
            let fired = self.injector.fired();
            let end = self.process(false).await;
            self.look(schedule, &end, &mut problems).await;
            let is_through =
                matches!(end, End::Resumed(Ok(None | Some(RunEnd::Applied { .. } | RunEnd::Undone { .. }))));
            let is_faultless = self.injector.fired() == fired;
            // The session of the dead process may still hold the lease.
            let was_locked = matches!(end, End::Resumed(Err(ApplyError::Locked(_))));
            ends.push(end);
            if is_through {
                break;
            }
            if (is_faultless && !was_locked) || ends.len() == MOST_PROCESSES {
                problems.push(Problem::new(Check::Resume, "a resume without a fault does not converge"));
                break;
            }
        }
        self.injector.arrive().await;
        if self.injector.take_late_commit() {
            self.admin.batch_execute(COMMIT_LATE).await.expect("the late commit");
        }
        let mut ended = Ended {
            schedule: schedule.clone(),
            trace: self.injector.trace(),
            ends,
            verdict: Verdict::Mixture,
            embedded: self.injector.embedded(),
            landed: self.injector.fired() == schedule.0.len(),
            problems,
        };
        self.judge(&mut ended).await;
        ended
    }

    /// Runs one process to its end or its death.
    async fn process(&mut self, is_first: bool) -> End {
        self.store.end_session().await.expect("the end of a session");
        self.injector.begin_process();
        let injector = Arc::clone(&self.injector);
        let events = |event| {
            if matches!(event, Event::Waiting { .. }) {
                injector.note_waiting();
            }
        };
        let mut runner = Runner::new(&mut self.store, &self.vectors, &self.makers, &events, "test".to_owned());
        let work = async {
            match (is_first, self.rehearses) {
                (true, false) => End::Applied(runner.apply(&self.plan, Duration::ZERO).await),
                (true, true) => End::Rehearsed(runner.rehearse(&self.plan, Refusals::None, Duration::ZERO).await),
                (false, _) => End::Resumed(runner.resume(Duration::ZERO).await),
            }
        };
        tokio::select! {
            biased;
            () = injector.death() => End::Died,
            end = work => end,
            () = tokio::time::sleep(HANGS) => End::Hangs,
        }
    }

    async fn put_back(&mut self) {
        self.meddled = None;
        let (now, versions) = match self.last.take() {
            Some(last) => last,
            None => self.observe().await,
        };
        self.tables.put_back(&self.admin, &versions).await.expect("the rows are put back");
        let vectors = &self.before.vectors;
        vectors.put_back(self.underneath.as_ref(), &now.vectors).await.expect("the points are put back");
    }

    fn before(&self) -> &Photo {
        self.meddled.as_ref().unwrap_or(&self.before)
    }

    /// Looks as a reader would, at what a process left behind. Before the last fault of a schedule it is what the schedule
    /// without that fault has shown.
    async fn look(&self, schedule: &Schedule, end: &End, problems: &mut Vec<Problem>) {
        let Some(after) = self.after.as_ref().filter(|_| self.injector.fired() == schedule.0.len()) else { return };
        let now = match end {
            End::Hangs => return problems.push(Problem::new(Check::Resume, "a process hangs")),
            End::Died | End::Applied(Err(_)) | End::Rehearsed(Err(_)) | End::Resumed(Err(_)) => self.photo().await,
            // What a process says is compared with the end.
            End::Applied(Ok(_)) | End::Rehearsed(Ok(_)) | End::Resumed(Ok(_)) => return,
        };
        if !now.is_whole_for_readers(self.before(), after, &self.switched) {
            let what = self.before().difference(&now).unwrap_or_default();
            problems.push(Problem::new(Check::Readers, format!("readers see a mixture:\n    {what}")));
        }
    }

    async fn photo(&self) -> Photo {
        self.observe().await.0
    }

    async fn observe(&self) -> (Photo, Versions) {
        let run = self.injector.run();
        self.tables.photo(&self.admin, self.underneath.as_ref(), run.as_deref()).await.expect("a photo")
    }

    /// Compares both stores with before and after, and with what the processes said.
    async fn judge(&mut self, ended: &mut Ended) {
        let (now, versions) = self.observe().await;
        let from_before = self.before().difference(&now);
        let from_after = self.after.as_ref().and_then(|after| after.difference(&now));
        ended.verdict = match (&from_before, &from_after) {
            (None, _) => Verdict::Before,
            (Some(_), None) => Verdict::After,
            (Some(_), Some(_)) => Verdict::Mixture,
        };
        let mut problem = |check, what: String| ended.problems.push(Problem { check, what });
        if let (Some(from_before), Some(from_after)) = (from_before, from_after) {
            let what = format!("a mixture\n  from before:\n    {from_before}\n  from after:\n    {from_after}");
            problem(Check::Stores, what);
        }
        for (index, end) in ended.ends.iter().enumerate() {
            if let Some(said) = said(end)
                && ended.verdict != said
            {
                problem(Check::Said, format!("process {} said {said:?}", index + 1));
            }
        }
        let recorded = self.recorded().await;
        let agrees = match ended.verdict {
            Verdict::Before if self.rehearses => recorded.iter().all(|outcome| outcome == "rehearsed"),
            Verdict::After if self.rehearses => false,
            Verdict::Before => recorded.iter().all(|outcome| outcome == "undone"),
            Verdict::After => recorded == ["applied"],
            Verdict::Mixture => true,
        };
        if !agrees {
            problem(Check::Books, format!("{:?}, and the books say {recorded:?}", ended.verdict));
        }
        let left = self.admin.query_one(LEFT_BEHIND, &[]).await.expect("counts");
        let (staged, images): (i64, i64) = (left.get(0), left.get(1));
        if staged > 0 || (images > 0 && ended.verdict == Verdict::Before) {
            problem(Check::Leftovers, format!("{staged} staged points and {images} before-images were left behind"));
        }
        for what in self.injector.unleased() {
            problem(Check::Lease, format!("an effect without the lease: {what}"));
        }
        self.judge_plain(ended);
        self.last = Some((now, versions));
    }

    /// What has to be so where nothing fails, and where somebody else was there first.
    fn judge_plain(&self, ended: &mut Ended) {
        let is_plain = ended.schedule.0.is_empty() && !self.rehearses && self.after.is_some();
        if is_plain && self.meddling.is_none() && ended.verdict != Verdict::After {
            ended.problems.push(Problem::new(Check::Applied, format!("{:?} without a fault", ended.verdict)));
        }
        if self.meddling.is_some() && ended.verdict != Verdict::Before {
            let what = format!("{:?} after somebody else's change", ended.verdict);
            ended.problems.push(Problem::new(Check::Others, what));
        }
        let is_live = |call: &&Call| {
            let name = call.label.strip_prefix("ensure_points ").or(call.label.strip_prefix("ensure_points_absent "));
            name.is_some_and(|name| !name.contains(RUN))
        };
        if let (Some(Meddling::Rows(_)), Some(call)) = (self.meddling, ended.trace.iter().find(is_live)) {
            let what = format!("PostgreSQL refuses the plan, and live points were written: call {}", call.number);
            ended.problems.push(Problem::new(Check::Order, what));
        }
    }

    /// Outcomes of the runs of this schedule.
    async fn recorded(&self) -> Vec<String> {
        let query = "SELECT coalesce(outcome, 'unfinished') FROM enact.run \
                     WHERE run_id NOT IN (SELECT run_id FROM saved.\"enact.run\")";
        let rows = self.admin.query(query, &[]).await.expect("the runs");
        rows.iter().map(|row| row.get(0)).collect()
    }
}

/// What a process said of the world, if it said anything.
fn said(end: &End) -> Option<Verdict> {
    match end {
        End::Applied(Ok(end)) | End::Resumed(Ok(Some(end))) => Some(match end {
            RunEnd::Applied { .. } | RunEnd::NotSettled { .. } => Verdict::After,
            RunEnd::Undone { .. } => Verdict::Before,
        }),
        End::Rehearsed(Ok(_)) => Some(Verdict::Before),
        End::Died | End::Hangs | End::Applied(Err(_)) | End::Rehearsed(Err(_)) | End::Resumed(Err(_) | Ok(None)) => {
            None
        }
    }
}

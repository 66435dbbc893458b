//! Does what the machine says, until the run is closed or cannot go on.
//!
//! After a failure the journal is read again before anything else happens, on a new connection where the old one is gone:
//! only the journal knows whether the run has decided. A new connection takes the lease anew, which also proves that the
//! old session, and any commit of it that was under way, has ended.

use std::time::{Duration, Instant};

use super::approval;
use super::error::ApplyError;
use super::event::{Event, Events};
use super::journal::{self, Entry, RunRow};
use super::lease::Lease;
use super::machine::{Effect, Outcome, RunState, fold, next};
use super::stop::Stop;
use super::unfinished::find_unfinished;
use crate::embed::Makers;
use crate::model::{ApprovalRule, EmbedderIdentity};
use crate::plan::{LoadError, SavedPlan};
use crate::store::{Fault, Relational, VectorStore};

/// How long a lost connection is tried again.
const RECONNECT_LIMIT: Duration = Duration::from_secs(10);
/// The pause between two tries.
const RECONNECT_PAUSE: Duration = Duration::from_millis(200);

/// How a run ended.
#[derive(Debug)]
pub enum RunEnd {
    /// All of it is true.
    Applied {
        /// The run.
        run: String,
    },
    /// None of it is, because of this.
    Undone {
        /// The run.
        run: String,
        /// Why.
        why: ApplyError,
    },
    /// Decided, and the rest is still to do.
    NotSettled {
        /// The run.
        run: String,
        /// Why.
        why: ApplyError,
    },
}

/// Runs saved plans.
pub struct Runner<'a> {
    /// PostgreSQL.
    pub store: &'a mut dyn Relational,
    /// Qdrant.
    pub vectors: &'a dyn VectorStore,
    /// What makes vectors.
    pub makers: &'a Makers,
    /// Who hears of events.
    pub events: &'a Events<'a>,
    /// Who runs it: user, host and pid.
    pub runner: String,
    /// What was found before it; kept with the run.
    pub preflight: Option<crate::preflight::Preflight>,
    /// The approvals that the environment asks for now.
    pub approvals: ApprovalRule,
    /// The wish to stop.
    pub stop: Stop,
    /// Since when a request of a dead or lost sender may be under way.
    pub(super) in_flight_since: Option<Instant>,
}

impl<'a> Runner<'a> {
    /// A runner over two stores.
    pub fn new(
        store: &'a mut dyn Relational,
        vectors: &'a dyn VectorStore,
        makers: &'a Makers,
        events: &'a Events<'a>,
        runner: String,
    ) -> Runner<'a> {
        Runner {
            store,
            vectors,
            makers,
            events,
            runner,
            preflight: None,
            approvals: ApprovalRule::default(),
            stop: Stop::default(),
            in_flight_since: None,
        }
    }

    /// Applies a saved plan. An unfinished run of this very plan is carried on.
    ///
    /// # Errors
    /// [`ApplyError::AnotherUnfinished`] when a run of another plan is not closed. Otherwise when the run could not begin, or
    /// could neither be finished nor undone: nothing of the plan is decided then, or it is in doubt whether it is, and
    /// `resume` goes on.
    pub async fn apply(&mut self, plan: &SavedPlan, patience: Duration) -> Result<RunEnd, ApplyError> {
        let lease = Lease::take(self.store, patience).await?;
        let end = self.apply_leased(plan).await;
        // The lease ends with the connection at the latest.
        let _ = lease.release(self.store).await;
        end
    }

    /// Finishes the unfinished run, if there is one.
    ///
    /// # Errors
    /// When it could not be read, or could neither be finished nor undone.
    pub async fn resume(&mut self, patience: Duration) -> Result<Option<RunEnd>, ApplyError> {
        let lease = Lease::take(self.store, patience).await?;
        let end = self.recover().await;
        let swept = self.sweep_due().await;
        let _ = lease.release(self.store).await;
        let end = end?;
        swept?;
        Ok(end)
    }

    /// Takes the unfinished run back, if there is one.
    ///
    /// # Errors
    /// [`ApplyError::DecidedAlready`]; otherwise when it could not be read or could not go back yet.
    pub async fn abort(&mut self, patience: Duration) -> Result<Option<RunEnd>, ApplyError> {
        let lease = Lease::take(self.store, patience).await?;
        let end = self.abort_leased().await;
        let _ = lease.release(self.store).await;
        end
    }

    async fn abort_leased(&mut self) -> Result<Option<RunEnd>, ApplyError> {
        let Some(row) = journal::read_unfinished(self.store).await? else { return Ok(None) };
        let state = self.state(&row.run).await?;
        if state.decided {
            return Err(ApplyError::DecidedAlready { run: row.run });
        }
        let plan = self.plan_of(&row).await?;
        if !state.undoing && !state.rehearsal {
            let why = format!("it was taken back by {}", self.runner);
            self.append(&row.run, Entry::Undoing { why }).await?;
        }
        self.take_up(&plan, &row.run).await.map(Some)
    }

    async fn apply_leased(&mut self, plan: &SavedPlan) -> Result<RunEnd, ApplyError> {
        match self.recover_own(plan).await? {
            // What went back for a reason of its own is tried anew; what went back just now would do so again.
            None | Some(RunEnd::Undone { why: ApplyError::WentBack { .. }, .. }) => {}
            Some(end) => return Ok(end),
        }
        self.same_embedders(plan)?;
        self.sweep_due().await?;
        if let Some(run) = journal::applied_run(self.store, &plan.digest.to_string()).await? {
            return Err(ApplyError::AppliedBefore { run });
        }
        let rule = self.rule(plan);
        approval::check(self.store, plan, rule).await?;
        let run = self.open(plan, false).await?;
        self.drive(plan, &run).await
    }

    /// Vectors are made by what was reviewed, or not at all.
    fn same_embedders(&self, plan: &SavedPlan) -> Result<(), ApplyError> {
        let differs = |(name, pinned): (&String, &EmbedderIdentity)| {
            let now = self.makers.embedders.get(name).map(|embedder| embedder.identity());
            (now != Some(pinned)).then(|| match now {
                Some(now) => format!("the plan embeds with \"{name}\" as {pinned}, and enact.yaml says {now} now"),
                None => format!("the plan embeds with \"{name}\" as {pinned}, which enact.yaml does not have now"),
            })
        };
        let moved: Vec<String> = plan.pins.embedders.iter().filter_map(differs).collect();
        if moved.is_empty() { Ok(()) } else { Err(ApplyError::Stale(moved)) }
    }

    /// What the plan was made under and what the environment asks for now: neither weakens the other.
    pub(super) fn rule(&self, plan: &SavedPlan) -> ApprovalRule {
        plan.environment.approvals.stricter(self.approvals)
    }

    /// Opens a run of a plan and gives its id. A rehearsal is one from its first moment: whoever finds it undoes it.
    pub(super) async fn open(&mut self, plan: &SavedPlan, rehearsal: bool) -> Result<String, ApplyError> {
        let run = RunRow {
            run: uuid::Uuid::now_v7().hyphenated().to_string(),
            plan_digest: plan.digest.to_string(),
            environment: plan.environment.name.clone(),
            actor: plan.environment.actor.clone(),
            runner: self.runner.clone(),
            opened_at: String::new(),
            closed_at: None,
            outcome: None,
        };
        let request_deadline_ms = plan.environment.request_deadline_seconds.saturating_mul(1_000);
        let mut first = vec![Entry::Opened { request_deadline_ms }];
        first.extend(rehearsal.then_some(Entry::Rehearsing));
        journal::open_run(self.store, &run, plan, &first, self.preflight.as_ref()).await?;
        (self.events)(Event::Opened { run: run.run.clone() });
        Ok(run.run)
    }

    /// Finishes the run that is not closed, if there is one.
    async fn recover(&mut self) -> Result<Option<RunEnd>, ApplyError> {
        let Some(row) = journal::read_unfinished(self.store).await? else { return Ok(None) };
        let plan = self.plan_of(&row).await?;
        self.take_up(&plan, &row.run).await.map(Some)
    }

    /// Finishes the run of this plan that is not closed, if there is one.
    async fn recover_own(&mut self, plan: &SavedPlan) -> Result<Option<RunEnd>, ApplyError> {
        match find_unfinished(self.store).await? {
            Some(other) if other.run.plan_digest != plan.digest.to_string() => {
                Err(ApplyError::AnotherUnfinished(Box::new(other)))
            }
            Some(_) => self.recover().await,
            None => Ok(None),
        }
    }

    /// Takes back what a rehearsal of this plan left behind when it died. Nothing else is touched.
    pub(super) async fn clear_rehearsal(&mut self, plan: &SavedPlan) -> Result<(), ApplyError> {
        match find_unfinished(self.store).await? {
            Some(found) if found.rehearsal && found.run.plan_digest == plan.digest.to_string() => {
                self.recover().await.map(drop)
            }
            Some(other) => Err(ApplyError::AnotherUnfinished(Box::new(other))),
            None => Ok(()),
        }
    }

    /// The plan of a run, which has to be the one that the run was opened for.
    async fn plan_of(&mut self, row: &RunRow) -> Result<SavedPlan, ApplyError> {
        let damaged = |why: String| ApplyError::Journal { run: row.run.clone(), why };
        let plan = journal::read_plan(self.store, &row.run).await?.map_err(|error| unreadable(&row.run, &error))?;
        if plan.digest.to_string() != row.plan_digest {
            return Err(damaged("the plan that is kept with it is not the one that it was opened for".to_owned()));
        }
        Ok(plan)
    }

    async fn take_up(&mut self, plan: &SavedPlan, run: &str) -> Result<RunEnd, ApplyError> {
        (self.events)(Event::Recovering { run: run.to_owned() });
        // The lease proves that its runner's session is gone, not that nothing which it sent is still under way.
        self.in_flight_since = Some(Instant::now());
        self.drive(plan, run).await
    }

    pub(super) async fn drive(&mut self, plan: &SavedPlan, run: &str) -> Result<RunEnd, ApplyError> {
        let mut failed: Option<ApplyError> = None;
        let mut state = self.state(run).await?;
        loop {
            let effect = next(plan, &state);
            if let Effect::Nothing(outcome) = effect {
                return Ok(ended(run, outcome, failed, state.why));
            }
            let done = self.guarded(plan, run, &effect, &state).await;
            let Err(error) = done else {
                let decided = state.decided || effect == Effect::Transact;
                state = match self.state_again(run).await {
                    Ok(now) => now,
                    Err(why) if decided => return Ok(RunEnd::NotSettled { run: run.to_owned(), why }),
                    Err(why) => return Err(unfinished(run, &why)),
                };
                continue;
            };
            if state.decided {
                return Ok(RunEnd::NotSettled { run: run.to_owned(), why: error });
            }
            if state.undoing {
                return Err(unfinished(run, &error));
            }
            state = match self.look(run).await {
                Ok(now) => now,
                Err(why) => return Err(cannot_look(run, &effect, &error, &why)),
            };
            if matches!(state.closed, Some(Outcome::Undone | Outcome::Rehearsed)) {
                // Somebody else undid the run while this process slept; what it made since is made by nobody.
                for collection in state.collections.values() {
                    self.vectors
                        .ensure_collection_absent(collection)
                        .await
                        .map_err(|why| unfinished(run, &why.into()))?;
                }
            } else if state.decided {
                (self.events)(Event::Decided);
            } else if state.closed.is_none() && !state.undoing {
                self.go_back(run, &error).await?;
                failed = Some(error);
                state = self.state(run).await.map_err(|why| unfinished(run, &why))?;
            }
        }
    }

    /// Does one effect, unless somebody asked to stop and the run can still go back.
    async fn guarded(
        &mut self,
        plan: &SavedPlan,
        run: &str,
        effect: &Effect,
        state: &RunState,
    ) -> Result<(), ApplyError> {
        if !state.decided && !state.undoing {
            self.stop.check()?;
        }
        // A process that slept may have lost its session long ago: it looks before it acts.
        Lease::check(self.store).await?;
        self.effect(plan, run, effect, state).await
    }

    async fn go_back(&mut self, run: &str, error: &ApplyError) -> Result<(), ApplyError> {
        if may_be_in_flight(error) {
            self.in_flight_since = Some(Instant::now());
        }
        let why = error.to_string();
        (self.events)(Event::Undoing { why: why.clone() });
        self.append(run, Entry::Undoing { why }).await.map_err(|why| unfinished(run, &why))
    }

    pub(super) async fn state(&mut self, run: &str) -> Result<RunState, ApplyError> {
        Ok(fold(&journal::read_entries(self.store, run).await?))
    }

    /// Reads where the run stands after an effect that is done. The server may have gone away since.
    async fn state_again(&mut self, run: &str) -> Result<RunState, ApplyError> {
        match self.state(run).await {
            Err(ApplyError::Store(_)) => self.look(run).await,
            read => read,
        }
    }

    /// Reads where the run stands, on a new connection where the old one is gone. A lease that is lost is taken again, which
    /// nobody else may hold for it; what somebody did meanwhile stands in the journal.
    async fn look(&mut self, run: &str) -> Result<RunState, ApplyError> {
        match Lease::held(self.store).await {
            Ok(true) => {}
            Ok(false) => drop(Lease::take(self.store, Duration::ZERO).await?),
            Err(_) => self.reconnect().await?,
        }
        self.state(run).await
    }

    async fn reconnect(&mut self) -> Result<(), ApplyError> {
        let began = Instant::now();
        loop {
            let left = RECONNECT_LIMIT.saturating_sub(began.elapsed());
            let made = match self.store.reconnect().await {
                Ok(()) => Lease::take(self.store, left).await.map(|_lease| ()),
                Err(error) => Err(error.into()),
            };
            match made {
                Ok(()) => {
                    (self.events)(Event::Reconnected);
                    return Ok(());
                }
                Err(error @ ApplyError::Locked(_)) => return Err(error),
                Err(error) if left.is_zero() => return Err(error),
                Err(_) => tokio::time::sleep(RECONNECT_PAUSE).await,
            }
        }
    }

    pub(super) async fn append(&mut self, run: &str, entry: Entry) -> Result<(), ApplyError> {
        journal::append(self.store, run, &entry).await
    }
}

/// Whether a request to the vector store may still take effect after this error.
fn may_be_in_flight(error: &ApplyError) -> bool {
    match error {
        ApplyError::Store(error) => matches!(error.fault, Fault::InDoubt | Fault::Transient),
        ApplyError::Stale(_)
        | ApplyError::NotApproved(_)
        | ApplyError::Refused { .. }
        | ApplyError::Protected(_)
        | ApplyError::Check { .. }
        | ApplyError::RefusedOnPurpose { .. }
        | ApplyError::Observe(_)
        | ApplyError::Embed { .. }
        | ApplyError::Bm25(_)
        | ApplyError::Locked(_)
        | ApplyError::AnotherUnfinished(_)
        | ApplyError::DecidedAlready { .. }
        | ApplyError::AppliedBefore { .. }
        | ApplyError::InDoubt { .. }
        | ApplyError::LeaseLost
        | ApplyError::Interrupted
        | ApplyError::Unfinished { .. }
        | ApplyError::WentBack { .. }
        | ApplyError::WrongTarget(_)
        | ApplyError::Journal { .. } => false,
    }
}

fn unreadable(run: &str, error: &LoadError) -> ApplyError {
    let why = match error {
        LoadError::OlderFormat { found } => format!(
            "its plan has format {found}; end it with the Enact that began it (enact resume, or enact resume --abort)"
        ),
        LoadError::NotAPlan(_) | LoadError::NewerFormat { .. } | LoadError::NotWhole(_) | LoadError::Edited { .. } => {
            error.to_string()
        }
    };
    ApplyError::Journal { run: run.to_owned(), why }
}

fn unfinished(run: &str, why: &ApplyError) -> ApplyError {
    ApplyError::Unfinished { run: run.to_owned(), why: why.to_string() }
}

/// Nobody can say where the run stands. Only a commit can have decided.
fn cannot_look(run: &str, effect: &Effect, error: &ApplyError, why: &ApplyError) -> ApplyError {
    let in_doubt = matches!(error, ApplyError::Store(error) if error.fault == Fault::InDoubt);
    if *effect == Effect::Transact && in_doubt {
        return ApplyError::InDoubt { run: run.to_owned(), why: why.to_string() };
    }
    ApplyError::Unfinished { run: run.to_owned(), why: format!("{error}; then {why}") }
}

/// Why a run went back stands in its journal, whoever finished going back.
fn ended(run: &str, outcome: Outcome, failed: Option<ApplyError>, why: Option<String>) -> RunEnd {
    let run = run.to_owned();
    let before = || match why {
        Some(why) => ApplyError::WentBack { why },
        None => ApplyError::WentBack { why: "it was a rehearsal".to_owned() },
    };
    match outcome {
        Outcome::Applied => RunEnd::Applied { run },
        Outcome::Undone | Outcome::Rehearsed => RunEnd::Undone { run, why: failed.unwrap_or_else(before) },
    }
}

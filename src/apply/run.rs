//! Does what the machine says, until the run is closed or cannot go on.

use std::time::Duration;

use super::error::ApplyError;
use super::guards;
use super::journal::{self, Entry, RunRow};
use super::lease::Lease;
use super::machine::{Effect, Outcome, RunState, fold, next};
use super::recheck::{recheck, recheck_unlocked, recheck_vectors};
use super::stage::Staging;
use super::work::Steps;
use crate::embed::Makers;
use crate::plan::{Phase, SavedPlan, Step, VectorWork, Work};
use crate::store::{Fault, Query, Relational, Sql, StoreError, TxMode, VectorStore};

/// The longest that a request may still be on its way after its sender died.
const REQUEST_DEADLINE_MS: u64 = 60_000;

/// What happens during a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The run is open.
    Opened {
        /// Its id.
        run: String,
    },
    /// A phase begins.
    Phase(Phase),
    /// Points were copied into the new collection.
    Copied {
        /// The set.
        set: String,
        /// How many so far.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// Chunks were embedded and written.
    Embedded {
        /// The set.
        set: String,
        /// How many so far.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// Functions were called.
    Called {
        /// The step.
        step: u32,
        /// Its title.
        title: String,
        /// How many so far.
        done: usize,
        /// Of how many.
        of: usize,
    },
    /// A step is done.
    StepDone {
        /// The step.
        step: u32,
        /// Its title.
        title: String,
    },
    /// A check that only warns does not hold.
    Warned {
        /// Which, and what was found instead.
        what: String,
    },
    /// The decision is made: from here only forward.
    Decided,
    /// The run goes back.
    Undoing {
        /// Why.
        why: String,
    },
    /// An unfinished run is finished first.
    Recovering {
        /// Its id.
        run: String,
    },
}

/// Who hears of events.
pub type Events<'a> = dyn Fn(Event) + Send + Sync + 'a;

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
}

impl Runner<'_> {
    /// Applies a saved plan. An unfinished run is finished first.
    ///
    /// # Errors
    /// When the run could not begin, or could not go back; nothing of the plan is true then, and `resume` goes on.
    pub async fn apply(&mut self, plan: &SavedPlan, patience: Duration) -> Result<RunEnd, ApplyError> {
        let lease = Lease::take(self.store, patience).await?;
        let end = self.apply_leased(plan).await;
        let released = lease.release(self.store).await;
        let end = end?;
        released.or_else(|error| if error.fault == Fault::Refused { Err(error) } else { Ok(()) })?;
        Ok(end)
    }

    /// Finishes the unfinished run, if there is one.
    ///
    /// # Errors
    /// When it could not be read, or could not go back.
    pub async fn resume(&mut self, patience: Duration) -> Result<Option<RunEnd>, ApplyError> {
        let lease = Lease::take(self.store, patience).await?;
        let end = self.recover().await;
        let swept = self.sweep_due().await;
        let _ = lease.release(self.store).await;
        let end = end?;
        swept?;
        Ok(end)
    }

    async fn apply_leased(&mut self, plan: &SavedPlan) -> Result<RunEnd, ApplyError> {
        if let Some(end @ RunEnd::NotSettled { .. }) = self.recover().await? {
            return Ok(end);
        }
        self.sweep_due().await?;
        let before = journal::read_runs(self.store, 10_000).await?;
        let same = before
            .iter()
            .find(|run| run.plan_digest == plan.digest.as_str() && run.outcome.as_deref() == Some("applied"));
        if let Some(run) = same {
            return Err(ApplyError::AppliedBefore { run: run.run.clone() });
        }
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
        let opened = Entry::Opened { request_deadline_ms: REQUEST_DEADLINE_MS };
        journal::open_run(self.store, &run, &plan.to_text(), &opened).await?;
        (self.events)(Event::Opened { run: run.run.clone() });
        self.drive(plan, &run.run, RunState::default()).await
    }

    /// Finishes the newest run that is not closed.
    async fn recover(&mut self) -> Result<Option<RunEnd>, ApplyError> {
        let runs = journal::read_runs(self.store, 10_000).await?;
        let Some(run) = runs.into_iter().find(|run| run.closed_at.is_none()) else { return Ok(None) };
        (self.events)(Event::Recovering { run: run.run.clone() });
        let entries = journal::read_entries(self.store, &run.run).await?;
        let text = journal::read_plan_text(self.store, &run.run).await?.unwrap_or_default();
        let plan = SavedPlan::from_text(&text)
            .map_err(|error| ApplyError::Journal { run: run.run.clone(), why: error.to_string() })?;
        self.drive(&plan, &run.run, fold(&entries)).await.map(Some)
    }

    async fn drive(&mut self, plan: &SavedPlan, run: &str, mut state: RunState) -> Result<RunEnd, ApplyError> {
        let mut failed: Option<ApplyError> = None;
        loop {
            let effect = next(plan, &state);
            if let Effect::Nothing(outcome) = effect {
                return Ok(ended(run, outcome, failed));
            }
            match self.effect(plan, run, &effect, &state).await {
                Ok(()) => {}
                Err(error @ ApplyError::InDoubt { .. }) => return Err(error),
                Err(error) if state.decided => return Ok(RunEnd::NotSettled { run: run.to_owned(), why: error }),
                Err(error) if state.undoing => return Err(error),
                Err(error) => {
                    let why = error.to_string();
                    (self.events)(Event::Undoing { why: why.clone() });
                    self.append(run, Entry::Undoing { why }).await?;
                    failed = Some(error);
                }
            }
            state = fold(&journal::read_entries(self.store, run).await?);
        }
    }

    async fn effect(
        &mut self,
        plan: &SavedPlan,
        run: &str,
        effect: &Effect,
        state: &RunState,
    ) -> Result<(), ApplyError> {
        match effect {
            Effect::Stage(step) => self.stage(plan, run, step_of(plan, *step)).await,
            Effect::Transact => self.transact(plan, run).await,
            Effect::Undo => {
                for collection in state.collections.values() {
                    self.vectors.ensure_collection_absent(collection).await?;
                }
                self.append(run, Entry::Undone).await
            }
            Effect::Settle(step) => {
                (self.events)(Event::Phase(Phase::Settle));
                self.settle(run, step_of(plan, *step), state).await
            }
            Effect::Sweep(step) => self.sweep(plan, run, step_of(plan, *step)).await,
            Effect::Close(outcome) => Ok(journal::close_run(self.store, run, *outcome).await?),
            Effect::Nothing(_) => Ok(()),
        }
    }

    async fn stage(&mut self, plan: &SavedPlan, run: &str, step: &Step) -> Result<(), ApplyError> {
        let Work::StageVectors(work) = &step.work else { panic!("BUG: step {} stages nothing", step.id) };
        (self.events)(Event::Phase(Phase::Stage));
        check_allowed(plan, work)?;
        recheck_vectors(self.vectors, plan).await?;
        let collection = format!("{}@{run}", work.set);
        self.append(run, Entry::Staging { set: work.set.clone(), collection: collection.clone() }).await?;
        let staging = Staging {
            plan,
            work,
            run,
            collection: &collection,
            vectors: self.vectors,
            makers: self.makers,
            events: self.events,
        };
        let points = staging.fill(self.store).await?;
        self.append(run, Entry::Staged { set: work.set.clone(), points }).await?;
        (self.events)(Event::StepDone { step: step.id, title: step.title.clone() });
        Ok(())
    }

    async fn transact(&mut self, plan: &SavedPlan, run: &str) -> Result<(), ApplyError> {
        self.append(run, Entry::Transacting).await?;
        (self.events)(Event::Phase(Phase::Transaction));
        let committed = self.transaction(plan, run).await?;
        match committed {
            Ok(()) => {}
            Err(error) if error.fault == Fault::InDoubt => self.look_for_decision(run, error).await?,
            Err(error) => return Err(error.into()),
        }
        (self.events)(Event::Decided);
        Ok(())
    }

    /// Everything up to the commit; the inner result is the commit's own.
    async fn transaction(&mut self, plan: &SavedPlan, run: &str) -> Result<Result<(), StoreError>, ApplyError> {
        let mut tx = self.store.begin(TxMode::ReadWrite).await?;
        let rechecked = recheck(tx.as_mut(), plan).await?;
        guards::as_planned(tx.as_mut(), self.vectors, plan).await?;
        let now = tx.query(&Query::new(Sql::new("SELECT now()::text"))).await?;
        let now = now.first().and_then(|record| record.text(0)).unwrap_or_default().to_owned();
        let steps = Steps { plan, run, events: self.events, now };
        for step in plan.steps.iter().filter(|step| step.phase == Phase::Transaction) {
            steps.run_step(tx.as_mut(), step).await?;
        }
        tx.query(&Query::new(Sql::new("SET CONSTRAINTS ALL IMMEDIATE"))).await?;
        recheck_unlocked(tx.as_mut(), plan, &rechecked).await?;
        recheck_vectors(self.vectors, plan).await?;
        guards::hold(tx.as_mut(), self.vectors, plan, run, self.events).await?;
        journal::append_in(tx.as_mut(), run, &Entry::Decided).await?;
        Ok(tx.commit().await)
    }

    /// A commit whose reply never came is answered by looking for the row that it wrote.
    async fn look_for_decision(&mut self, run: &str, error: StoreError) -> Result<(), ApplyError> {
        let entries = journal::read_entries(self.store, run)
            .await
            .map_err(|why| ApplyError::InDoubt { run: run.to_owned(), why: why.to_string() })?;
        if fold(&entries).decided { Ok(()) } else { Err(error.into()) }
    }

    async fn settle(&mut self, run: &str, step: &Step, state: &RunState) -> Result<(), ApplyError> {
        let Work::SwitchAlias { set } = &step.work else { panic!("BUG: step {} settles nothing", step.id) };
        let Some(collection) = state.collections.get(set) else {
            panic!("BUG: run {run} decided without a staged collection for \"{set}\"");
        };
        self.append(run, Entry::Settling { set: set.clone() }).await?;
        self.vectors.ensure_alias(set, collection).await?;
        if self.vectors.aliases().await?.get(set) != Some(collection) {
            let why = format!("alias \"{set}\" does not read back as \"{collection}\"");
            return Err(ApplyError::Refused { step: step.title.clone(), why });
        }
        self.append(run, Entry::Settled { set: set.clone() }).await?;
        (self.events)(Event::StepDone { step: step.id, title: step.title.clone() });
        Ok(())
    }

    async fn sweep(&mut self, plan: &SavedPlan, run: &str, step: &Step) -> Result<(), ApplyError> {
        let Work::DropCollection { collection, .. } = &step.work else {
            panic!("BUG: step {} sweeps nothing", step.id)
        };
        let seconds = plan.environment.sweep_grace_seconds;
        if seconds > 0 {
            return self.append(run, Entry::Deferred { collection: collection.clone(), seconds }).await;
        }
        (self.events)(Event::Phase(Phase::Sweep));
        self.drop_collection(run, collection).await?;
        (self.events)(Event::StepDone { step: step.id, title: step.title.clone() });
        Ok(())
    }

    async fn drop_collection(&mut self, run: &str, collection: &str) -> Result<(), ApplyError> {
        self.append(run, Entry::Sweeping { collection: collection.to_owned() }).await?;
        if self.vectors.aliases().await?.values().any(|live| live == collection) {
            let why = format!("collection \"{collection}\" is live again");
            return Err(ApplyError::Refused { step: "remove the old collection".to_owned(), why });
        }
        self.vectors.ensure_collection_absent(collection).await?;
        self.append(run, Entry::Swept { collection: collection.to_owned() }).await
    }

    async fn sweep_due(&mut self) -> Result<(), ApplyError> {
        for (run, collection) in journal::due_collections(self.store).await? {
            self.drop_collection(&run, &collection).await?;
        }
        Ok(())
    }

    async fn append(&mut self, run: &str, entry: Entry) -> Result<(), ApplyError> {
        Ok(journal::append(self.store, run, &entry).await?)
    }
}

fn ended(run: &str, outcome: Outcome, failed: Option<ApplyError>) -> RunEnd {
    let run = run.to_owned();
    match (outcome, failed) {
        (Outcome::Applied, _) => RunEnd::Applied { run },
        (Outcome::Undone, Some(why)) => RunEnd::Undone { run, why },
        (Outcome::Undone, None) => {
            let why = ApplyError::WrongTarget("it was interrupted before the decision".to_owned());
            RunEnd::Undone { run, why }
        }
    }
}

fn step_of(plan: &SavedPlan, id: u32) -> &Step {
    match plan.steps.iter().find(|step| step.id == id) {
        Some(step) => step,
        None => panic!("BUG: the machine named step {id}, which the plan does not have"),
    }
}

/// The environment's list of collections holds at every write, not only when the plan was made.
fn check_allowed(plan: &SavedPlan, work: &VectorWork) -> Result<(), ApplyError> {
    let environment = &plan.environment;
    let denied = environment.denied_collections.contains(&work.set)
        || (!environment.allowed_collections.is_empty() && !environment.allowed_collections.contains(&work.set));
    if denied {
        let why = format!("environment \"{}\" does not allow writing \"{}\"", environment.name, work.set);
        return Err(ApplyError::WrongTarget(why));
    }
    Ok(())
}

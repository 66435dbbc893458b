//! The effects of a run, each with its durable intent before it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::approval;
use super::error::ApplyError;
use super::event::{Event, Events};
use super::guards;
use super::in_place::InPlace;
use super::journal::{self, Entry};
use super::lease::Lease;
use super::machine::{Effect, RunState};
use super::recheck::{Closeness, Rechecked, recheck, recheck_after, recheck_vectors, staged_sets};
use super::rows;
use super::run::Runner;
use super::stage::Staging;
use super::stop::Stop;
use super::work::Steps;
use crate::diff::ChunkSource;
use crate::model::{PointId, may_write};
use crate::plan::{Phase, SavedPlan, Step, VectorWork, Work};
use crate::points::{is_bucket_field, staged_collection, stamp};
use crate::store::{Pace, StoreError, Tx, TxMode, VectorStore};

impl Runner<'_> {
    pub(super) async fn effect(
        &mut self,
        plan: &SavedPlan,
        run: &str,
        effect: &Effect,
        state: &RunState,
    ) -> Result<(), ApplyError> {
        match effect {
            Effect::Stage(step) => self.stage(plan, run, step_of(plan, *step)).await,
            Effect::Transact => self.transact(plan, run).await,
            Effect::Restore => self.restore(run, state).await,
            Effect::Undo => {
                self.wait_out(state).await;
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
            Effect::Close(outcome) => {
                self.wait_out(state).await;
                journal::close_run(self.store, run, *outcome).await
            }
            Effect::Nothing(_) => Ok(()),
        }
    }

    pub(super) async fn stage(&mut self, plan: &SavedPlan, run: &str, step: &Step) -> Result<(), ApplyError> {
        let Work::StageVectors(work) = &step.work else { panic!("BUG: step {} stages nothing", step.id) };
        (self.events)(Event::Phase(Phase::Stage));
        check_allowed(plan, work)?;
        let set = work.set.clone();
        let mut tx = self.store.begin(TxMode::Snapshot).await?;
        recheck_vectors(tx.as_mut(), self.vectors, plan, |name| (name == set).then_some(Closeness::Points)).await?;
        tx.rollback().await?;
        let collection = match (&work.live, work.new_collection) {
            (Some(live), false) => live.clone(),
            (_, true) | (None, false) => staged_collection(&set, run),
        };
        let intent = if work.new_collection {
            Entry::Staging { set: set.clone(), collection: collection.clone() }
        } else {
            Entry::Spooling { set: set.clone(), collection: collection.clone() }
        };
        self.append(run, intent).await?;
        let staging = Staging {
            plan,
            work,
            run,
            collection: &collection,
            vectors: self.vectors,
            makers: self.makers,
            events: self.events,
            stop: &self.stop,
        };
        let done = if work.new_collection {
            Entry::Staged { set, points: staging.fill(self.store).await? }
        } else {
            let (points, before) = staging.spool(self.store).await?;
            Entry::Spooled { set, points, before }
        };
        self.append(run, done).await?;
        (self.events)(Event::StepDone { step: step.id, title: step.title.clone() });
        Ok(())
    }

    async fn transact(&mut self, plan: &SavedPlan, run: &str) -> Result<(), ApplyError> {
        self.append(run, Entry::Transacting).await?;
        (self.events)(Event::Phase(Phase::Transaction));
        self.transaction(plan, run).await??;
        (self.events)(Event::Decided);
        Ok(())
    }

    /// Everything up to the commit; the inner result is the commit's own.
    async fn transaction(&mut self, plan: &SavedPlan, run: &str) -> Result<Result<(), StoreError>, ApplyError> {
        let rule = self.rule(plan);
        let staged = staged_sets(plan);
        let unchanged = |set: &str| (!staged.contains(set)).then_some(Closeness::Points);
        let mut before = self.store.begin(TxMode::Snapshot).await?;
        recheck_vectors(before.as_mut(), self.vectors, plan, unchanged).await?;
        before.rollback().await?;
        let _locks = LocksHeld::begin(self.vectors);
        let mut tx = self.store.begin(TxMode::ReadWrite).await?;
        let relational =
            RelationalPart { plan, run, vectors: self.vectors, events: self.events, stop: &self.stop, refuse_at: None };
        // Before the relational part, which writes down what the points are going to be.
        let close = |set: &str| Some(if staged.contains(set) { Closeness::Points } else { Closeness::Count });
        recheck_vectors(tx.as_mut(), self.vectors, plan, close).await?;
        let rechecked = relational.run(tx.as_mut()).await?;
        Lease::check_in(tx.as_mut()).await?;
        approval::check_locked(tx.as_mut(), plan, rule).await?;
        rows::advance_sequences(tx.as_mut(), plan, &rechecked.tables).await?;
        let in_place: Vec<&Step> = plan.steps.iter().filter(|step| writes_in_place(step)).collect();
        for step in &in_place {
            let Work::WriteVectors { set } = &step.work else { panic!("BUG: step {} writes no points", step.id) };
            let work = vector_work(plan, set);
            check_allowed(plan, work)?;
            let delete: Vec<PointId> = work.units.iter().flat_map(|unit| &unit.delete).cloned().collect();
            let chunks = work.units.iter().flat_map(|unit| &unit.chunks);
            let of = delete.len() + chunks.filter(|chunk| chunk.source != ChunkSource::Kept).count();
            let target = in_place_of(run, work, self.vectors, self.events);
            target.write(tx.as_mut(), &delete, of, &self.stop).await?;
            (self.events)(Event::StepDone { step: step.id, title: step.title.clone() });
        }
        if !in_place.is_empty() {
            if !rechecked.locked {
                recheck_after(tx.as_mut(), plan, &rechecked).await?;
            }
            guards::unmoved(tx.as_mut(), self.vectors, plan, run).await?;
        }
        journal::append_in(tx.as_mut(), run, &Entry::Decided).await?;
        Ok(tx.commit().await)
    }

    /// Waits until no request of a dead or lost sender can take effect any more. What comes after it is not overtaken: neither
    /// what is put back or removed, nor what the next run does.
    async fn wait_out(&mut self, state: &RunState) {
        let Some(since) = self.in_flight_since.take().filter(|_| state.reached_vectors()) else { return };
        let left = Duration::from_millis(state.request_deadline_ms).saturating_sub(since.elapsed());
        if !left.is_zero() {
            (self.events)(Event::Waiting { seconds: left.as_millis().div_ceil(1_000) as u64 });
            tokio::time::sleep(left).await;
        }
    }

    async fn restore(&mut self, run: &str, state: &RunState) -> Result<(), ApplyError> {
        self.wait_out(state).await;
        for (set, collection) in &state.in_place {
            let (vectors, events) = (self.vectors, self.events);
            InPlace { run, set, collection, vectors, events }.restore(self.store).await?;
        }
        self.append(run, Entry::Restored).await
    }

    async fn settle(&mut self, run: &str, step: &Step, state: &RunState) -> Result<(), ApplyError> {
        let set = match &step.work {
            Work::SwitchAlias { set, to } => {
                let Some(collection) = to.as_ref().or_else(|| state.collections.get(set)) else {
                    panic!("BUG: run {run} decided without a staged collection for \"{set}\"");
                };
                self.append(run, Entry::Settling { set: set.clone() }).await?;
                self.switch_alias(step, set, collection).await?;
                set
            }
            Work::FinishCollection { set, collection, payload_indexes } => {
                self.append(run, Entry::Settling { set: set.clone() }).await?;
                self.finish_collection(run, set, collection, payload_indexes).await?;
                set
            }
            _ => panic!("BUG: step {} settles nothing", step.id),
        };
        self.append(run, Entry::Settled { set: set.clone() }).await?;
        (self.events)(Event::StepDone { step: step.id, title: step.title.clone() });
        Ok(())
    }

    async fn switch_alias(&self, step: &Step, set: &str, collection: &str) -> Result<(), ApplyError> {
        self.vectors.ensure_alias(set, collection).await?;
        if self.vectors.aliases().await?.get(set).is_some_and(|live| live == collection) {
            return Ok(());
        }
        let why = format!("alias \"{set}\" does not read back as \"{collection}\"");
        Err(ApplyError::Refused { step: step.title.clone(), why })
    }

    async fn finish_collection(
        &self,
        run: &str,
        set: &str,
        collection: &str,
        indexes: &BTreeMap<String, String>,
    ) -> Result<(), ApplyError> {
        let facts = self.vectors.collection(collection).await?;
        let found = facts.map(|facts| facts.payload_indexes).unwrap_or_default();
        for (field, kind) in &found {
            if indexes.get(field) != Some(kind) && !is_bucket_field(field) {
                self.vectors.ensure_payload_index_absent(collection, field).await?;
            }
        }
        for (field, kind) in indexes {
            if found.get(field) != Some(kind) {
                self.vectors.ensure_payload_index(collection, field, kind).await?;
            }
        }
        Ok(self.vectors.ensure_metadata(collection, &stamp(set, run)).await?)
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
        // A run that was reverted made it live again: whoever replaces it next removes it.
        if self.vectors.aliases().await?.values().any(|live| live == collection) {
            return self.append(run, Entry::Swept { collection: collection.to_owned() }).await;
        }
        self.vectors.ensure_collection_absent(collection).await?;
        self.append(run, Entry::Swept { collection: collection.to_owned() }).await
    }

    pub(super) async fn sweep_due(&mut self) -> Result<(), ApplyError> {
        for (run, collection) in journal::due_collections(self.store).await? {
            self.drop_collection(&run, &collection).await?;
        }
        Ok(())
    }
}

/// The time in which others wait for row locks: the vector store is not asked again for long.
pub(super) struct LocksHeld<'a>(&'a dyn VectorStore);

impl<'a> LocksHeld<'a> {
    pub fn begin(vectors: &'a dyn VectorStore) -> LocksHeld<'a> {
        vectors.pace(Pace::Brief);
        LocksHeld(vectors)
    }
}

impl Drop for LocksHeld<'_> {
    fn drop(&mut self) {
        self.0.pace(Pace::Patient);
    }
}

/// What the transaction does in PostgreSQL, up to the points of live collections and the decision.
pub(super) struct RelationalPart<'a> {
    pub plan: &'a SavedPlan,
    pub run: &'a str,
    pub vectors: &'a dyn VectorStore,
    pub events: &'a Events<'a>,
    pub stop: &'a Stop,
    /// The unit that is refused, counted from 1 in the order in which units are moved.
    pub refuse_at: Option<u64>,
}

impl RelationalPart<'_> {
    pub async fn run(&self, tx: &mut dyn Tx) -> Result<Rechecked, ApplyError> {
        let Self { plan, run, vectors, events, stop, refuse_at } = *self;
        let rechecked = recheck(tx, plan).await?;
        guards::as_planned(tx, vectors, plan).await?;
        let tables = &rechecked.tables;
        let mut steps = Steps::begin(tx, (plan, run), (events, stop), tables, refuse_at).await?;
        for step in plan.steps.iter().filter(|step| is_relational(step)) {
            stop.check()?;
            steps.run_step(tx, step).await?;
        }
        steps.settle_constraints(tx).await?;
        rows::verify(tx, plan, tables).await?;
        steps.path.set(tx, false).await?;
        recheck_after(tx, plan, &rechecked).await?;
        guards::hold(tx, vectors, plan, run, events).await?;
        Ok(rechecked)
    }
}

fn is_relational(step: &Step) -> bool {
    step.phase == Phase::Transaction && !writes_in_place(step)
}

fn writes_in_place(step: &Step) -> bool {
    matches!(step.work, Work::WriteVectors { .. })
}

fn in_place_of<'w>(
    run: &'w str,
    work: &'w VectorWork,
    vectors: &'w dyn VectorStore,
    events: &'w Events<'w>,
) -> InPlace<'w> {
    let Some(collection) = &work.live else { panic!("BUG: \"{}\" changes in place and has no collection", work.set) };
    InPlace { run, set: &work.set, collection, vectors, events }
}

fn vector_work<'p>(plan: &'p SavedPlan, name: &str) -> &'p VectorWork {
    let works = plan.steps.iter().filter_map(|step| match &step.work {
        Work::StageVectors(work) => Some(work.as_ref()),
        _ => None,
    });
    match works.into_iter().find(|work| work.set == name) {
        Some(work) => work,
        None => panic!("BUG: a plan writes points of \"{name}\" that it does not stage"),
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
    if !may_write(&environment.allowed_collections, &environment.denied_collections, &work.set) {
        let why = format!("environment \"{}\" does not allow writing \"{}\"", environment.name, work.set);
        return Err(ApplyError::WrongTarget(why));
    }
    Ok(())
}

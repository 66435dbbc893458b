//! Rehearses a plan: everything up to the decision for real, then back.
//!
//! Points are staged and the whole transaction runs, with every statement, call and check, and is rolled back. Points of live
//! collections are not written. Every touched table and collection is digested before and after: the database itself
//! says which tables the transaction touched, so what a function writes on its own counts too. A table that only the
//! first pass makes known is digested after it, and a second pass follows.
//!
//! A rehearsal is a run with a journal. If it dies, the next rehearsal or run of its plan removes what it staged, or `resume`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::effects::{LocksHeld, RelationalPart};
use super::error::ApplyError;
use super::lease::Lease;
use super::run::{RunEnd, Runner};
use crate::model::{Binding, ItemsSeal, TableName};
use crate::observe::{read_sequences, seal_collection, seal_tables, touched_tables};
use crate::plan::{Phase, SavedPlan, TransitionBy, Work};
use crate::store::TxMode;

/// Which units a rehearsal refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusals {
    /// None: the plan runs through.
    None,
    /// The one with this number, from 1.
    At(u64),
    /// Every one in turn.
    Each,
}

/// What both stores hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Tables; `None` for one that cannot be read.
    pub tables: BTreeMap<TableName, Option<ItemsSeal>>,
    /// Collections of the plan's sets; `None` for one that is not there.
    pub collections: BTreeMap<String, Option<ItemsSeal>>,
    /// All aliases, and the names of all collections.
    pub names: (BTreeMap<String, String>, Vec<String>),
}

/// One pass through the transaction.
#[derive(Debug)]
pub struct Pass {
    /// The unit that was to be refused.
    pub refuse_at: Option<u64>,
    /// Why it ended early; `None` when it ran through.
    pub refused: Option<ApplyError>,
}

impl Pass {
    /// Whether it ended as the rehearsal wanted.
    pub fn as_wanted(&self) -> bool {
        match (&self.refuse_at, &self.refused) {
            (None, None) | (Some(_), Some(ApplyError::RefusedOnPurpose { .. })) => true,
            (None | Some(_), _) => false,
        }
    }
}

/// What a rehearsal showed.
#[derive(Debug)]
pub struct Rehearsal {
    /// The run.
    pub run: String,
    /// Every pass, in order.
    pub passes: Vec<Pass>,
    /// Before.
    pub before: Contents,
    /// After.
    pub after: Contents,
    /// Sequences that moved, which a rollback does not give back: their values before and after.
    pub sequences: BTreeMap<TableName, (Option<i64>, Option<i64>)>,
}

impl Rehearsal {
    /// Whether both stores hold what they held.
    pub fn unchanged(&self) -> bool {
        self.before == self.after
    }
}

/// How many units a plan moves.
pub fn units_moved(plan: &SavedPlan) -> u64 {
    let counts = plan.steps.iter().map(|step| match &step.work {
        Work::Transitions(work) => work.units.len() as u64,
        _ => 0,
    });
    counts.sum()
}

impl Runner<'_> {
    /// Rehearses a plan.
    ///
    /// # Errors
    /// When the rehearsal could not begin, stage, or go back.
    pub async fn rehearse(
        &mut self,
        plan: &SavedPlan,
        refusals: Refusals,
        patience: Duration,
    ) -> Result<Rehearsal, ApplyError> {
        let lease = Lease::take(self.store, patience).await?;
        let done = self.rehearse_leased(plan, refusals).await;
        let _ = lease.release(self.store).await;
        done
    }

    async fn rehearse_leased(&mut self, plan: &SavedPlan, refusals: Refusals) -> Result<Rehearsal, ApplyError> {
        self.clear_rehearsal(plan).await?;
        let known = known_tables(plan);
        let mut before = self.contents(plan, &known).await?;
        let sequences = self.sequences().await?;
        let run = self.open(plan, true).await?;
        let passed = self.passes(plan, &run, refusals, &mut before).await;
        let gone_back = self.drive(plan, &run).await?;
        let passes = passed?;
        if let RunEnd::NotSettled { why, .. } = gone_back {
            return Err(why);
        }
        let after = self.contents(plan, &before.tables.keys().cloned().collect()).await?;
        let now = self.sequences().await?;
        let moved = sequences.into_iter().filter_map(|(name, was)| {
            let is = now.get(&name).copied().flatten();
            (is != was).then_some((name, (was, is)))
        });
        Ok(Rehearsal { run, passes, before, after, sequences: moved.collect() })
    }

    async fn passes(
        &mut self,
        plan: &SavedPlan,
        run: &str,
        refusals: Refusals,
        before: &mut Contents,
    ) -> Result<Vec<Pass>, ApplyError> {
        for step in plan.steps.iter().filter(|step| step.phase == Phase::Stage) {
            self.stage(plan, run, step).await?;
        }
        let (first, touched) = self.pass(plan, run, None).await?;
        let through = first.refused.is_none();
        let mut passes = vec![first];
        let unknown: BTreeSet<TableName> = touched.into_iter().filter(|t| !before.tables.contains_key(t)).collect();
        if !unknown.is_empty() {
            let mut tx = self.store.begin(TxMode::Snapshot).await?;
            before.tables.extend(seal_tables(tx.as_mut(), &unknown).await?);
            tx.rollback().await?;
            passes.push(self.pass(plan, run, None).await?.0);
        }
        let units = match refusals {
            Refusals::None => 0..=0,
            Refusals::At(unit) => unit..=unit,
            Refusals::Each => 1..=units_moved(plan),
        };
        // A plan that does not run through shows nothing more by being refused elsewhere.
        for unit in units.filter(|unit| *unit > 0 && through) {
            self.stop.check()?;
            passes.push(self.pass(plan, run, Some(unit)).await?.0);
        }
        Ok(passes)
    }

    async fn pass(
        &mut self,
        plan: &SavedPlan,
        run: &str,
        refuse_at: Option<u64>,
    ) -> Result<(Pass, BTreeSet<TableName>), ApplyError> {
        let quiet = |_| {};
        let part = RelationalPart { plan, run, vectors: self.vectors, events: &quiet, stop: &self.stop, refuse_at };
        let _locks = LocksHeld::begin(self.vectors);
        let mut tx = self.store.begin(TxMode::ReadWrite).await?;
        let ran = part.run(tx.as_mut()).await;
        let mut touched = BTreeSet::new();
        if ran.is_ok() {
            touched = touched_tables(tx.as_mut()).await?;
        }
        tx.rollback().await?;
        match ran {
            Err(error @ (ApplyError::Interrupted | ApplyError::Store(_))) => Err(error),
            ran => Ok((Pass { refuse_at, refused: ran.err() }, touched)),
        }
    }

    async fn sequences(&mut self) -> Result<BTreeMap<TableName, Option<i64>>, ApplyError> {
        let mut tx = self.store.begin(TxMode::Snapshot).await?;
        let found = read_sequences(tx.as_mut()).await?;
        tx.rollback().await?;
        Ok(found)
    }

    async fn contents(&mut self, plan: &SavedPlan, tables: &BTreeSet<TableName>) -> Result<Contents, ApplyError> {
        let mut tx = self.store.begin(TxMode::Snapshot).await?;
        let tables = seal_tables(tx.as_mut(), tables).await?;
        tx.rollback().await?;
        let mut collections = BTreeMap::new();
        for set in plan.baseline.collections.keys() {
            let seal = match self.vectors.collection(set).await? {
                Some(_) => Some(seal_collection(self.vectors, set).await?),
                None => None,
            };
            collections.insert(set.clone(), seal);
        }
        let names = (self.vectors.aliases().await?, self.vectors.collections().await?);
        Ok(Contents { tables, collections, names })
    }
}

/// The tables that a plan writes to or that its binding reads.
fn known_tables(plan: &SavedPlan) -> BTreeSet<TableName> {
    let Binding { units, ledger, gates, .. } = &plan.pins.binding;
    let mut out: BTreeSet<TableName> = units.tables.iter().cloned().collect();
    out.extend(ledger.iter().map(|ledger| ledger.table.clone()));
    out.extend(gates.iter().map(|gates| gates.table.clone()));
    for step in &plan.steps {
        match &step.work {
            Work::WriteRows(work) => out.extend(work.batches.iter().map(|batch| batch.table.clone())),
            Work::Transitions(work) => {
                if let TransitionBy::Updates(update) = &work.by {
                    out.insert(update.table.clone());
                }
            }
            Work::StageVectors(_)
            | Work::Calls(_)
            | Work::Refresh { .. }
            | Work::OpenGate(_)
            | Work::ShutGate(_)
            | Work::SetGate(_)
            | Work::OpenPaired(_)
            | Work::RecordManaged { .. }
            | Work::RecordRows(_)
            | Work::WriteVectors { .. }
            | Work::SwitchAlias { .. }
            | Work::FinishCollection { .. }
            | Work::DropCollection { .. } => {}
        }
    }
    out
}

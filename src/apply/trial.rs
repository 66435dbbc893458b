//! Does what a plan writes to units, in a transaction that is rolled back.
//!
//! A plan whose own rows or moves change units is made this way ([`crate::planner::Trial`]), and staged this way: what will be
//! embedded is not there to be read before the transaction that decides.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;

use super::error::ApplyError;
use super::recheck::recheck;
use super::rows;
use super::stop::Stop;
use super::work::Steps;
use crate::model::UnitFacts;
use crate::observe::{UnitFilter, read_bodies, read_units};
use crate::plan::{SavedPlan, Step, Work};
use crate::planner::Trial;
use crate::store::{Fault, Relational, StoreError, Tx, TxMode};

/// Tries plans with the very steps of an apply.
#[derive(Debug, Clone, Copy, Default)]
pub struct StepsTried;

#[async_trait]
impl Trial for StepsTried {
    async fn write(&self, tx: &mut dyn Tx, plan: &SavedPlan) -> Result<(), StoreError> {
        write(tx, plan).await.map_err(|error| match error {
            ApplyError::Store(error) => error,
            other => StoreError::new(Fault::Refused, other.to_string()),
        })
    }
}

/// Facts and bodies of units as the writes of a plan leave them.
#[derive(Debug, Default)]
pub(super) struct TriedTexts {
    pub units: BTreeMap<String, UnitFacts>,
    pub bodies: BTreeMap<String, String>,
}

/// Tries a plan and reads these units. Memory holds their bodies, which stand in the plan's rows already.
pub(super) async fn tried_texts(
    store: &mut dyn Relational,
    plan: &SavedPlan,
    ids: BTreeSet<String>,
) -> Result<TriedTexts, ApplyError> {
    if ids.is_empty() {
        return Ok(TriedTexts::default());
    }
    let source = &plan.pins.binding.units;
    let mut tx = store.begin(TxMode::ReadWrite).await?;
    // What moved since the plan was made is named as such, and not as a row that could not be written.
    recheck(tx.as_mut(), plan).await?;
    write(tx.as_mut(), plan).await?;
    let list: Vec<String> = ids.iter().cloned().collect();
    let bodies = read_bodies(tx.as_mut(), source, &list).await?;
    let units = read_units(tx.as_mut(), source, &UnitFilter { selections: Vec::new(), ids, lock: false }).await?;
    tx.rollback().await?;
    Ok(TriedTexts { units, bodies })
}

async fn write(tx: &mut dyn Tx, plan: &SavedPlan) -> Result<(), ApplyError> {
    let tables = &rows::facts(tx, plan).await?;
    let stop = Stop::default();
    let mut steps = Steps::begin(tx, (plan, ""), (&|_| {}, &stop), tables, None).await?;
    for step in plan.steps.iter().filter(|step| changes_units(step)) {
        steps.run_step(tx, step).await?;
    }
    steps.settle_constraints(tx).await?;
    Ok(steps.path.set(tx, false).await?)
}

fn changes_units(step: &Step) -> bool {
    match &step.work {
        Work::WriteRows(_) | Work::Transitions(_) | Work::Refresh { .. } => true,
        Work::StageVectors(_)
        | Work::Calls(_)
        | Work::OpenGate(_)
        | Work::ShutGate(_)
        | Work::SetGate(_)
        | Work::OpenPaired(_)
        | Work::RecordManaged { .. }
        | Work::RecordRows(_)
        | Work::WriteVectors { .. }
        | Work::SwitchAlias { .. }
        | Work::FinishCollection { .. }
        | Work::DropCollection { .. } => false,
    }
}

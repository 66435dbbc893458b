//! `enact revert RUN`: a plan that goes back from an applied run.

use std::collections::{BTreeMap, BTreeSet};

use super::plan::keep_and_tell;
use super::show::record;
use crate::apply::{RunRecord, read_left_behind, upgrade};
use crate::cli::args::{GlobalArgs, RevertArgs};
use crate::cli::session::{Session, configure, in_session, store_failed};
use crate::cli::{Outcome, Output};
use crate::diff::{ChangeDetail, UnitPoints};
use crate::model::{Diagnostics, TableName};
use crate::observe::{UnitFilter, read_catalog, read_ids, read_ledger, read_units};
use crate::plan::{AppliedRun, Forward, SavedPlan, desired_before};
use crate::planner::Back;
use crate::spec::Sources;
use crate::store::{Relational, StoreError, TxMode, VectorStore};

/// Plans the way back and shows it.
pub fn run(global: &GlobalArgs, args: &RevertArgs, output: &Output) -> Outcome {
    match make(global, args, output) {
        Ok(plan) => finish(&plan, args, output),
        Err(outcome) => outcome,
    }
}

fn make(global: &GlobalArgs, args: &RevertArgs, output: &Output) -> Result<SavedPlan, Outcome> {
    let configured = configure(global, output)?;
    in_session(configured, global, output, async |session: &mut Session| plan_back(session, args, output).await)
}

async fn plan_back(session: &mut Session, args: &RevertArgs, output: &Output) -> Result<SavedPlan, Outcome> {
    upgrade(&mut session.postgres).await.map_err(|error| store_failed(output, &error))?;
    let found = record(session, &args.run, output).await?;
    let plan = applied(&found, output)?;
    let forward = args.to.as_ref().zip(args.reviewer.as_ref());
    let forward = forward.map(|(to, reviewer)| Forward { to: to.clone(), reviewer: reviewer.clone() });
    let seen = look(session, &found.run.run, plan).await.map_err(|error| store_failed(output, &error))?;
    let applied = AppliedRun {
        run: &found.run.run,
        plan,
        managed_before: &seen.left.managed_before,
        units_before: &seen.left.units_before,
        live: &seen.points.ids,
        last_writer: &seen.left.last_writer,
        images: &seen.left.images,
        states: &seen.states,
    };
    let way = desired_before(&applied, &seen.tables, forward.as_ref()).map_err(|diagnostic| {
        output.diagnostics(&Diagnostics::from(diagnostic), &Sources::default());
        Outcome::InvalidInput
    })?;
    let Seen { points, ledger, collections, .. } = &seen;
    let back = Back { applied: &applied, way: &way, points, ledger: ledger.as_ref(), collections };
    session.plan_back(&way.desired, &back, output).await.map(|built| built.plan)
}

/// The plan of a run that was applied.
fn applied<'r>(found: &'r RunRecord, output: &Output) -> Result<&'r SavedPlan, Outcome> {
    let run = &found.run.run;
    if found.run.outcome.as_deref() != Some("applied") {
        let outcome = found.run.outcome.as_deref().unwrap_or("unfinished");
        output
            .error(&format!("run {run} is {outcome}, and only an applied run can be reverted"), Some("enact history"));
        return Err(Outcome::InvalidInput);
    }
    found.plan.as_ref().map_err(|error| {
        output.error(&format!("the plan of run {run}: {error}"), None);
        Outcome::InvalidInput
    })
}

/// What is read before the way back can be planned.
struct Seen {
    left: crate::apply::LeftBehind,
    tables: BTreeMap<TableName, crate::model::TableFacts>,
    states: BTreeMap<String, String>,
    points: crate::observe::ReadPoints,
    ledger: Option<BTreeMap<String, crate::model::LedgerRow>>,
    collections: BTreeSet<String>,
}

async fn look(session: &mut Session, run: &str, plan: &SavedPlan) -> Result<Seen, StoreError> {
    let written = plan.changes.iter().filter_map(|change| match &change.detail {
        ChangeDetail::Row { table, .. } => Some(table.clone()),
        _ => None,
    });
    let tables = written.collect();
    let moved = plan.changes.iter().filter_map(|change| match &change.detail {
        ChangeDetail::Lifecycle { unit, .. } => Some(unit.id.clone()),
        _ => None,
    });
    let moved = UnitFilter { selections: Vec::new(), ids: moved.collect(), lock: false };
    let sets: Vec<(&str, bool)> = plan
        .changes
        .iter()
        .filter_map(|change| match &change.detail {
            ChangeDetail::VectorSet(set) => Some((set.set.as_str(), set.units.iter().any(UnitPoints::is_keyed))),
            _ => None,
        })
        .collect();
    let mut tx = session.postgres.begin(TxMode::Snapshot).await?;
    let left = read_left_behind(tx.as_mut(), run, &session.environment.project).await?;
    let (tables, _) = read_catalog(tx.as_mut(), &tables, &BTreeSet::new()).await?;
    let units = match moved.ids.is_empty() {
        true => BTreeMap::new(),
        false => read_units(tx.as_mut(), &session.binding.units, &moved).await?,
    };
    let states = units.into_iter().map(|(id, unit)| (id, unit.lifecycle)).collect();
    let ledger = match &session.binding.ledger {
        Some(ledger) => Some(read_ledger(tx.as_mut(), ledger).await?),
        None => None,
    };
    let points = read_ids(tx.as_mut(), &session.qdrant, &sets).await?;
    tx.rollback().await?;
    let collections = session.qdrant.collections().await?.into_iter().collect();
    Ok(Seen { left, tables, states, points, ledger, collections })
}

fn finish(plan: &SavedPlan, args: &RevertArgs, output: &Output) -> Outcome {
    if let Err(outcome) = keep_and_tell(plan, args.out.as_deref(), args.format, output) {
        return outcome;
    }
    if plan.is_empty() {
        output.note("Nothing of this run is left to go back");
    } else if args.out.is_none() {
        output.note("Next: the same with --out FILE, then enact apply FILE");
    }
    Outcome::Success
}

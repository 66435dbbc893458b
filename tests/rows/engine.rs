//! The program without its command line: plan files in, a plan, an apply, and the plan that goes back.
//!
//! The only place here that knows the library's API; the rest of these tests knows YAML and SQL.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use enact::apply::{ApplyError, RunEnd, Runner, StepsTried, init, read_left_behind};
use enact::diff::{Change, ChangeDetail, RowChange};
use enact::embed::Makers;
use enact::model::{
    Binding, BindingRef, DEFAULT_PROJECT, Desired, Diagnostics, Environment, RecordedTable, Severity, TableNow,
};
use enact::observe::{Depth, ObserveError, ReadPoints, read_catalog, read_recorded_rows};
use enact::plan::{AppliedRun, Partial, SavedPlan, desired_before};
use enact::planner::{Back, Planner, Purpose};
use enact::spec::{load_binding, load_plans_in};
use enact::store::postgres::{ConnectOptions, Postgres};
use enact::store::{Relational, StoreError, TxMode};
use secrecy::SecretString;

use super::nothing::Nothing;

/// Files of one project by name: plans, and the data that they name.
pub type Files = Vec<(String, String)>;

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stopped {
    /// The input is refused: each mistake with its code, place and hint.
    Refused(Vec<String>),
    /// A run went back, or could not begin.
    Undone(String),
    /// Neither: a store's error that became nobody's, or a run that did not end.
    Failed(String),
}

/// What a plan does to one row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Line {
    /// `schema.table`.
    pub table: String,
    pub address: String,
    /// What happens, with the columns that are written.
    pub action: Action,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Action {
    Create,
    Update(Vec<String>),
    Delete,
    TakeOver,
}

/// An applied run, as much of it as is needed to go back.
#[derive(Debug)]
pub struct Applied {
    pub run: String,
    plan: SavedPlan,
}

/// A session with one database.
pub struct Engine {
    postgres: Postgres,
    binding: Binding,
    environment: Environment,
    makers: Makers,
}

/// Gives a database the schema `enact`.
pub async fn initialise(conninfo: &str) {
    let mut postgres = Postgres::connect(&options(conninfo)).await.expect("a session");
    init(&mut postgres).await.expect("the schema enact");
    postgres.close().await;
}

fn options(conninfo: &str) -> ConnectOptions {
    ConnectOptions::new(SecretString::from(conninfo.to_owned()))
}

impl Engine {
    /// Opens a session.
    pub async fn open(conninfo: &str) -> Engine {
        let binding = load_binding(&BindingRef::Shipped("documents".to_owned()));
        Engine {
            postgres: Postgres::connect(&options(conninfo)).await.expect("a session"),
            binding: binding.unwrap_or_else(|(found, _)| panic!("{found:?}")),
            environment: Environment::local(Path::new("/nowhere")),
            makers: Makers { embedders: BTreeMap::new() },
        }
    }

    /// Ends it, so that its database can be dropped.
    pub async fn close(self) {
        self.postgres.close().await;
    }

    /// Plans what files say.
    pub async fn plan(&mut self, files: &Files) -> Result<SavedPlan, Stopped> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut plans = Vec::new();
        for (name, text) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file of the project");
            plans.extend(name.ends_with(".yaml").then_some(path));
        }
        let (desired, _, _) = load_plans_in(folder.path(), &plans).map_err(|(found, _)| refused(&found))?;
        self.planned(&desired, Purpose::Apply).await.map_err(|error| stopped(&error))
    }

    /// Plans the way back from a run.
    pub async fn plan_back(&mut self, applied: &Applied) -> Result<SavedPlan, Stopped> {
        let written = applied.plan.changes.iter().filter_map(|change| match &change.detail {
            ChangeDetail::Row { table, .. } => Some(table.clone()),
            _ => None,
        });
        let written = written.collect();
        let failed = |error: StoreError| stopped(&ObserveError::Store(error));
        let mut tx = self.postgres.begin(TxMode::Snapshot).await.map_err(failed)?;
        let left = read_left_behind(tx.as_mut(), &applied.run, DEFAULT_PROJECT).await.map_err(failed)?;
        let (tables, _) = read_catalog(tx.as_mut(), &written, &BTreeSet::new()).await.map_err(failed)?;
        tx.rollback().await.map_err(failed)?;
        let run = AppliedRun {
            run: &applied.run,
            plan: &applied.plan,
            managed_before: &left.managed_before,
            units_before: &left.units_before,
            live: &BTreeMap::new(),
            last_writer: &left.last_writer,
            images: &left.images,
            states: &BTreeMap::new(),
        };
        let way = desired_before(&run, &tables, None).map_err(|found| refused(&Diagnostics::from(found)))?;
        let (points, collections) = (&ReadPoints::default(), &BTreeSet::new());
        let back = Back { applied: &run, way: &way, points, ledger: None, collections };
        self.planned(&way.desired, Purpose::Back(&back)).await.map_err(|error| stopped(&error))
    }

    async fn planned(&mut self, desired: &Desired, purpose: Purpose<'_>) -> Result<SavedPlan, ObserveError> {
        let Engine { postgres, binding, environment, makers } = self;
        let planner = Planner {
            environment,
            binding,
            makers,
            partial: &Partial::default(),
            trial: Some(&StepsTried),
            depth: Depth::default(),
            replace: &BTreeMap::new(),
        };
        Ok(planner.plan(postgres, &Nothing, desired, purpose).await?.plan)
    }

    /// Applies a plan.
    pub async fn apply(&mut self, plan: SavedPlan) -> Result<Applied, Stopped> {
        let mut runner = Runner::new(&mut self.postgres, &Nothing, &self.makers, &|_| {}, "test".to_owned());
        match runner.apply(&plan, Duration::ZERO).await {
            Ok(RunEnd::Applied { run }) => Ok(Applied { run, plan }),
            Ok(RunEnd::Undone { why, .. }) => Err(Stopped::Undone(with_sources(&why))),
            Err(error @ (ApplyError::Stale(_) | ApplyError::Observe(_))) => Err(Stopped::Undone(with_sources(&error))),
            Ok(RunEnd::NotSettled { why, .. }) | Err(why) => Err(Stopped::Failed(with_sources(&why))),
        }
    }
}

/// What differs from what was written down, table by table.
pub async fn moved(engine: &mut Engine) -> Vec<String> {
    let mut tx = engine.postgres.begin(TxMode::Snapshot).await.expect("a transaction");
    let tables = read_recorded_rows(tx.as_mut(), DEFAULT_PROJECT, None).await.expect("the record");
    let differs = |table: &RecordedTable| match &table.now {
        TableNow::Read(read) => read.different + read.undeclared > 0 || !read.gone_columns.is_empty(),
        TableNow::Gone | TableNow::Hidden { .. } => true,
    };
    tables.iter().filter(|table| differs(table)).map(|table| format!("{table:?}")).collect()
}

/// What a plan does to rows.
pub fn lines(plan: &SavedPlan) -> Vec<Line> {
    let line = |change: &Change| {
        let ChangeDetail::Row { table, change: row, .. } = &change.detail else { return None };
        let action = match row {
            RowChange::Create { .. } => Action::Create,
            RowChange::Update { fields, .. } => Action::Update(fields.keys().cloned().collect()),
            RowChange::Delete { .. } => Action::Delete,
            RowChange::TakeOver { .. } => Action::TakeOver,
        };
        Some(Line { table: table.to_string(), address: change.address.to_string(), action })
    };
    plan.changes.iter().filter_map(line).collect()
}

/// Whether a plan does nothing.
pub fn is_empty(plan: &SavedPlan) -> bool {
    plan.is_empty() && plan.changes.is_empty()
}

/// What a plan tells its reader beside its changes.
pub fn findings(plan: &SavedPlan) -> Vec<String> {
    plan.findings.iter().map(|finding| format!("{} {}", finding.code, finding.message)).collect()
}

fn stopped(error: &ObserveError) -> Stopped {
    match error {
        ObserveError::Refused(found) => refused(found),
        ObserveError::Store(_) | ObserveError::Chunk(_) | ObserveError::NotInitialised => {
            Stopped::Failed(with_sources(error))
        }
    }
}

/// Only the mistakes: a warning refuses nothing.
fn refused(found: &Diagnostics) -> Stopped {
    let mistakes = found.0.iter().filter(|diagnostic| diagnostic.severity == Severity::Error);
    let text = mistakes.map(|diagnostic| {
        let place =
            diagnostic.place.as_ref().map_or("nowhere".to_owned(), |place| format!("{}:{}", place.line, place.column));
        format!("{} at {place}: {}", diagnostic.code.id, diagnostic.detail)
    });
    Stopped::Refused(text.collect())
}

fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

//! `enact status` and `enact history`: where the environment stands, and what was run in it.

use crate::apply::{ApplyError, LEASE_KEY, RunRow, SCHEMA_VERSION, Standing, read_entries, read_probed, read_runs};
use crate::cli::args::{DataFormat, GlobalArgs, HistoryArgs, StatusArgs};
use crate::cli::commands::apply::failed;
use crate::cli::session::{Session, block_on, configure, observe_failed};
use crate::cli::{Outcome, Output};
use crate::model::Address;
use crate::observe::{ObserveError, read_managed};
use crate::report::{Probed, SetView, StatusView, history_json, history_text, lock_text, status_json, status_text};
use crate::spec::Sources;
use crate::store::{Query, Relational, Sql, StoreError, TxMode, VectorStore};

/// Runs that `status` shows.
const LAST_RUNS: i64 = 5;
/// Runs among which the unfinished one is looked for.
const ALL_RUNS: i64 = 10_000;

/// Prints where the environment stands.
pub fn run(global: &GlobalArgs, args: &StatusArgs, output: &Output) -> Outcome {
    let configured = match configure(global, output) {
        Ok(configured) => configured,
        Err(outcome) => return outcome,
    };
    block_on(async {
        let mut session = match Session::open(configured, global, output).await {
            Ok(session) => session,
            Err(outcome) => return outcome,
        };
        let outcome = match read(&mut session).await {
            Ok(view) => {
                output.result(&match args.format {
                    DataFormat::Text => status_text(&view, &output.text_options()),
                    DataFormat::Json => status_json(&view),
                });
                Outcome::Success
            }
            Err(error) => failed(&error, output),
        };
        session.close(output).await;
        outcome
    })
}

/// Prints the runs.
pub fn history(global: &GlobalArgs, args: &HistoryArgs, output: &Output) -> Outcome {
    let configured = match configure(global, output) {
        Ok(configured) => configured,
        Err(outcome) => return outcome,
    };
    block_on(async {
        let mut session = match Session::open(configured, global, output).await {
            Ok(session) => session,
            Err(outcome) => return outcome,
        };
        let limit = i64::try_from(args.limit).unwrap_or(i64::MAX);
        let outcome = match read_history(&mut session, limit).await {
            Ok((runs, probed)) => {
                output.result(&match args.format {
                    DataFormat::Text => history_text(&runs, &probed, &output.text_options()),
                    DataFormat::Json => history_json(&runs, &probed),
                });
                Outcome::Success
            }
            Err(error) => observe_failed(output, &error, &Sources::default()),
        };
        session.close(output).await;
        outcome
    })
}

async fn read_history(session: &mut Session, limit: i64) -> Result<(Vec<RunRow>, Probed), ObserveError> {
    let version = schema_version(&mut session.postgres).await?;
    if version.is_none() {
        return Err(ObserveError::NotInitialised);
    }
    let runs = read_runs(&mut session.postgres, limit).await?;
    let probed = probed(session, version, &runs).await?;
    Ok((runs, probed))
}

/// When each run was probed. A schema of version 1 does not know.
async fn probed(session: &mut Session, version: Option<i64>, runs: &[RunRow]) -> Result<Probed, StoreError> {
    if version.is_none_or(|version| version < 2) {
        return Ok(Probed::new());
    }
    read_probed(&mut session.postgres, runs).await
}

async fn read(session: &mut Session) -> Result<StatusView, ApplyError> {
    let postgres = one_text(&mut session.postgres, "SELECT pg_catalog.current_setting('server_version')").await?;
    let mut view = StatusView {
        environment: session.environment.name.clone(),
        binding: session.binding.name.clone(),
        postgres,
        qdrant: session.qdrant.server().await?.version,
        schema: (schema_version(&mut session.postgres).await?, SCHEMA_VERSION),
        unfinished: None,
        lock: session.postgres.lock_holder(LEASE_KEY).await?.as_ref().map(lock_text),
        sets: Vec::new(),
        runs: Vec::new(),
        probed: Probed::new(),
    };
    if view.schema.0.is_none() {
        return Ok(view);
    }
    let mut runs = read_runs(&mut session.postgres, ALL_RUNS).await?;
    if let Some(run) = runs.iter().find(|run| run.closed_at.is_none()) {
        let entries = read_entries(&mut session.postgres, &run.run).await?;
        view.unfinished = Some((run.clone(), Standing::of(&entries)));
    }
    runs.truncate(usize::try_from(LAST_RUNS).unwrap_or_default());
    view.probed = probed(session, view.schema.0, &runs).await?;
    view.runs = runs;
    view.sets = sets(session).await?;
    Ok(view)
}

async fn one_text(store: &mut dyn Relational, sql: &'static str) -> Result<String, StoreError> {
    let records = store.query(&Query::new(Sql::new(sql))).await?;
    Ok(records.first().and_then(|record| record.text(0)).unwrap_or_default().to_owned())
}

/// The version of the schema `enact`, where there is one.
async fn schema_version(store: &mut dyn Relational) -> Result<Option<i64>, StoreError> {
    let there = Query::new(Sql::new("SELECT pg_catalog.to_regclass('enact.meta') IS NOT NULL"));
    if !store.query(&there).await?.first().is_some_and(|record| record.is_true(0)) {
        return Ok(None);
    }
    let records = store.query(&Query::new(Sql::new("SELECT version FROM enact.meta"))).await?;
    Ok(records.first().and_then(|record| record.int(0)))
}

/// The managed sets, each with what is behind it.
async fn sets(session: &mut Session) -> Result<Vec<SetView>, StoreError> {
    let mut tx = session.postgres.begin(TxMode::Snapshot).await?;
    let managed = read_managed(tx.as_mut()).await?;
    tx.rollback().await?;
    let prefix = Address::vector_set("");
    let names = managed.keys().filter_map(|address| address.as_str().strip_prefix(prefix.as_str()));
    let collections = session.qdrant.collections().await?;
    let mut out = Vec::new();
    for name in names.filter(|name| !name.contains('[')) {
        let live = session.qdrant.collection(name).await?.map(|facts| (facts.name, facts.points));
        let live_name = live.as_ref().map(|(collection, _)| collection.clone());
        let mine = format!("{name}@");
        let others = collections
            .iter()
            .filter(|collection| collection.starts_with(&mine) && Some(*collection) != live_name.as_ref())
            .cloned()
            .collect();
        out.push(SetView { name: name.to_owned(), live, others });
    }
    Ok(out)
}

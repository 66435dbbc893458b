//! `enact status` and `enact history`: where the environment stands, and what was run in it.

use crate::apply::{
    ApplyError, LEASE_KEY, RunLine, RunRow, SCHEMA_VERSION, Standing, read_entries, read_history, read_probed,
    read_runs, read_unfinished, schema_version,
};
use crate::cli::args::{DataFormat, GlobalArgs, HistoryArgs, ReportFormat, StatusArgs};
use crate::cli::commands::apply::failed;
use crate::cli::session::{Session, configure, in_session, observe_failed};
use crate::cli::{Outcome, Output};
use crate::model::Address;
use crate::observe::{ObserveError, read_managed};
use crate::report::{
    Probed, SetView, StatusView, history_json, history_markdown, history_text, lock_text, status_json, status_text,
};
use crate::spec::Sources;
use crate::store::{Query, Relational, Sql, StoreError, TxMode, VectorStore};

/// Runs that `status` shows.
const LAST_RUNS: i64 = 5;

/// Prints where the environment stands.
pub fn run(global: &GlobalArgs, args: &StatusArgs, output: &Output) -> Outcome {
    let told = async |session: &mut Session| {
        let view = read(session).await.map_err(|error| failed(&error, output))?;
        output.result(&match args.format {
            DataFormat::Text => status_text(&view, &output.text_options()),
            DataFormat::Json => status_json(&view),
        });
        Ok(Outcome::Success)
    };
    configure(global, output).and_then(|it| in_session(it, global, output, told)).unwrap_or_else(|outcome| outcome)
}

/// Prints the runs.
pub fn history(global: &GlobalArgs, args: &HistoryArgs, output: &Output) -> Outcome {
    let limit = i64::try_from(args.limit).unwrap_or(i64::MAX);
    let told = async |session: &mut Session| {
        let runs = runs_of(session, limit).await;
        let runs = runs.map_err(|error| observe_failed(output, &error, &Sources::default()))?;
        output.result(&match args.format {
            ReportFormat::Text => history_text(&runs, &output.text_options()),
            ReportFormat::Json => history_json(&runs),
            ReportFormat::Markdown => history_markdown(&runs),
        });
        Ok(Outcome::Success)
    };
    configure(global, output).and_then(|it| in_session(it, global, output, told)).unwrap_or_else(|outcome| outcome)
}

async fn runs_of(session: &mut Session, limit: i64) -> Result<Vec<RunLine>, ObserveError> {
    let version = schema_version(&mut session.postgres).await?;
    if version.is_none() {
        return Err(ObserveError::NotInitialised);
    }
    let mut lines = read_history(&mut session.postgres, limit).await?;
    let runs: Vec<RunRow> = lines.iter().map(|line| line.run.clone()).collect();
    let probed = probed(session, version, &runs).await?;
    for line in &mut lines {
        line.probed_at = probed.get(&line.run.run).cloned();
    }
    Ok(lines)
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
    if let Some(run) = read_unfinished(&mut session.postgres).await? {
        let entries = read_entries(&mut session.postgres, &run.run).await?;
        view.unfinished = Some((run, Standing::of(&entries)));
    }
    let runs = read_runs(&mut session.postgres, LAST_RUNS).await?;
    view.probed = probed(session, view.schema.0, &runs).await?;
    view.runs = runs;
    view.sets = sets(session).await?;
    Ok(view)
}

async fn one_text(store: &mut dyn Relational, sql: &'static str) -> Result<String, StoreError> {
    let records = store.query(&Query::new(Sql::new(sql))).await?;
    Ok(records.first().and_then(|record| record.text(0)).unwrap_or_default().to_owned())
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

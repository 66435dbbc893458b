//! `enact status` and `enact history`: where the environment stands, and what was run in it.

use crate::apply::{
    ApplyError, LEASE_KEY, RunLine, RunRow, SCHEMA_VERSION, find_unfinished, read_history, read_probed, read_runs,
    schema_version,
};
use crate::cli::args::{DataFormat, GlobalArgs, HistoryArgs, ReportFormat, StatusArgs};
use crate::cli::commands::apply::failed;
use crate::cli::session::{Session, configure, in_session, observe_failed};
use crate::cli::{Outcome, Output};
use crate::model::Address;
use crate::observe::ObserveError;
use crate::report::{
    Probed, SetView, StatusView, history_json, history_markdown, history_text, lock_text, status_json, status_text,
};
use crate::spec::Sources;
use crate::store::{Param, Query, Relational, Sql, StoreError, VectorStore};

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
    let Some(version) = schema_version(&mut session.postgres).await? else {
        return Err(ObserveError::NotInitialised);
    };
    let mut lines = read_history(&mut session.postgres, version, limit).await?;
    let runs: Vec<RunRow> = lines.iter().map(|line| line.run.clone()).collect();
    let probed = probed(session, Some(version), &runs).await?;
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
    view.unfinished = find_unfinished(&mut session.postgres).await?.map(|found| (found.run, found.standing));
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
    let prefix = Address::vector_set("");
    // Of an older schema nothing is of a project.
    let sql = "SELECT s.address FROM (SELECT m.address, pg_catalog.to_jsonb(m) AS whole FROM enact.managed m \
               WHERE pg_catalog.starts_with(m.address, $1) AND m.address !~ '\\[' OFFSET 0) s \
               WHERE coalesce(s.whole->>'project', '') IN ('', $2) AND s.whole->'attributes'->>'forgotten' IS DISTINCT FROM 'true' ORDER BY 1";
    let query = Query::new(Sql::new(sql)).bind(Param::Text(prefix.as_str().to_owned()));
    let query = query.bind(Param::Text(session.environment.project.clone()));
    let managed = session.postgres.query(&query).await?;
    let names = managed.iter().filter_map(|record| record.text(0)?.strip_prefix(prefix.as_str()));
    let collections = session.qdrant.collections().await?;
    let mut out = Vec::new();
    for name in names {
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

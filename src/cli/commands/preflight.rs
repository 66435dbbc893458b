//! `enact preflight`: what every channel that the plan files use answers, now.
//!
//! Where the plan can be made, what its steps use is probed, and every role and embedder of the environment beside it. Where it
//! cannot, what planning reads is probed instead, and the reasons are printed as `plan` prints them. A store that cannot be
//! reached is one finding among the others.

use crate::apply::SCHEMA_VERSION;
use crate::cli::args::{DataFormat, GlobalArgs, PreflightArgs};
use crate::cli::reach::{Reached, reach, timeout_seconds};
use crate::cli::session::{Configured, Session, block_on, configure, load_desired, observe_failed};
use crate::cli::{Outcome, Output};
use crate::model::{Desired, Stores};
use crate::observe::ObserveError;
use crate::planner::Purpose;
use crate::preflight::{
    Area, Found, Needs, Places, PostgresScope, Preflight, QdrantScope, codes, probe_postgres, probe_qdrant,
    probe_secrets, unreachable_postgres, unreachable_qdrant,
};
use crate::report::{preflight_json, preflight_text};
use crate::spec::Sources;
use crate::store::StoreError;

/// Probes and prints.
pub fn run(global: &GlobalArgs, args: &PreflightArgs, output: &Output) -> Outcome {
    match probe(global, output) {
        Ok(preflight) => {
            output.result(&match args.format {
                DataFormat::Text => preflight_text(&preflight, &output.text_options()),
                DataFormat::Json => preflight_json(&preflight),
            });
            if preflight.has_failed() { Outcome::Error } else { Outcome::Success }
        }
        Err(outcome) => outcome,
    }
}

fn probe(global: &GlobalArgs, output: &Output) -> Result<Preflight, Outcome> {
    let configured = configure(global, output)?;
    let (desired, sources) = declared(global, output)?;
    let mut found = probe_secrets(&configured.environment, &configured.env_file);
    let name = configured.environment.name.clone();
    if found.iter().any(Found::has_failed) {
        return Ok(Preflight::of(&name, None, &found));
    }
    if desired.files.is_empty() {
        let nothing = "there is none yet; the environment alone was probed";
        found.push(Found::warning(Area::Plan, "plan files", nothing).change("write one into plans/"));
    }
    block_on(async {
        let (more, probed_at) = channels(configured, &desired, &sources, global, output).await?;
        found.extend(more);
        Ok(Preflight::of(&name, probed_at, &found))
    })
}

/// The plan files; a project without any still has channels to probe.
///
/// # Errors
/// What is wrong with them has been printed.
pub fn declared(global: &GlobalArgs, output: &Output) -> Result<(Desired, Sources), Outcome> {
    let none = global.file.is_empty() && global.plan_paths().iter().all(|path| !holds_plans(path));
    if none { Ok((Desired::default(), Sources::default())) } else { load_desired(global, output) }
}

/// Whether a folder has something in it.
pub fn holds_plans(path: &std::path::Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_some())
}

type Answer = (Vec<Found>, Option<String>);

async fn channels(
    configured: Configured,
    desired: &Desired,
    sources: &Sources,
    global: &GlobalArgs,
    output: &Output,
) -> Result<Answer, Outcome> {
    let reached = reach(configured, global, output).await?;
    if reached.postgres.is_err() || reached.qdrant.is_err() {
        return Ok(apart(reached, desired).await);
    }
    let mut session = reached.session(output).await?;
    let answer = together(&mut session, desired, sources, output).await;
    session.close(output).await;
    answer
}

/// Both stores answer: what a plan would use is known.
async fn together(
    session: &mut Session,
    desired: &Desired,
    sources: &Sources,
    output: &Output,
) -> Result<Answer, Outcome> {
    let failed = |error: &StoreError| crate::cli::session::store_failed(output, error);
    let (mut needs, mut found) = (Needs::default(), Vec::new());
    if !desired.files.is_empty() {
        match session.try_plan(desired, Purpose::Apply).await {
            Ok(built) => needs = Needs::of_plan(&built.plan, &Places::of(desired), &session.environment),
            Err(error) => {
                needs = session.reading_needs(desired).await.map_err(|error| failed(&error))?;
                if !matches!(error, ObserveError::NotInitialised) {
                    observe_failed(output, &error, sources);
                    let what = Found::failed(
                        Area::Plan,
                        codes::UNPLANNABLE,
                        "plan files",
                        "they cannot be planned, see above",
                    );
                    found.push(what.change("make the changes above, then enact preflight"));
                }
            }
        }
    }
    needs.add_declared(desired, Some(&session.binding), &session.environment);
    found.extend(session.probe(&needs).await.map_err(|error| failed(&error))?);
    let probed_at = session.preflight.as_ref().and_then(|preflight| preflight.probed_at.clone());
    Ok((found, probed_at))
}

/// A store does not answer: the other is probed for what the environment alone says.
async fn apart(mut reached: Reached, desired: &Desired) -> Answer {
    let (mut found, mut probed_at) = (Vec::new(), None);
    let mut needs = Needs::default();
    needs.add_declared(desired, None, &reached.environment);
    let scope = PostgresScope {
        known_schema: SCHEMA_VERSION,
        embedded: matches!(reached.environment.stores, Stores::Local { .. }),
    };
    match &mut reached.postgres {
        Ok(postgres) => match probe_postgres(postgres, &needs, scope).await {
            Ok((more, now)) => {
                found.extend(more);
                probed_at = Some(now);
            }
            Err(error) => found.push(unreachable_postgres(&error)),
        },
        Err(error) => found.push(unreachable_postgres(error)),
    }
    match &reached.qdrant {
        Ok(qdrant) => {
            let timeout_seconds = timeout_seconds(&reached.environment);
            let scope = QdrantScope { environment: &reached.environment, timeout_seconds };
            match probe_qdrant(qdrant, &needs, scope).await {
                Ok(more) => found.extend(more),
                Err(error) => found.push(unreachable_qdrant(&error)),
            }
        }
        Err(error) => found.push(unreachable_qdrant(error)),
    }
    found.extend(reached.probe_makers(&needs).await);
    reached.close().await;
    (found, probed_at)
}

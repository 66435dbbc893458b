//! `enact drift`: whether reality still is what was applied, for a timer. It verifies as `verify` does, and plans for what a
//! plan calls drift; nothing is compared in a way of its own.

use std::time::{SystemTime, UNIX_EPOCH};

use super::preflight::declared;
use crate::cli::args::{DriftArgs, DriftFormat, GlobalArgs};
use crate::cli::session::{Session, configure, in_session, observe_failed};
use crate::cli::{Outcome, Output};
use crate::model::Desired;
use crate::observe::ObserveError;
use crate::report::{DriftView, drift_json, drift_prometheus, drift_text};
use crate::verify::{compare, read};

/// Looks and prints.
pub fn run(global: &GlobalArgs, args: &DriftArgs, output: &Output) -> Outcome {
    in_environment(global, args, output).unwrap_or_else(|outcome| outcome)
}

fn in_environment(global: &GlobalArgs, args: &DriftArgs, output: &Output) -> Result<Outcome, Outcome> {
    let configured = configure(global, output)?;
    let (desired, sources) = declared(global, output)?;
    in_session(configured, global, output, async |session: &mut Session| {
        let view = look(session, &desired).await.map_err(|error| observe_failed(output, &error, &sources))?;
        Ok(told(&view, args.format, output))
    })
}

async fn look(session: &mut Session, desired: &Desired) -> Result<DriftView, ObserveError> {
    let facts = read(&mut session.postgres, &session.qdrant, &session.binding).await?;
    let verified = compare(&session.binding, &facts);
    let drift = if desired.files.is_empty() { None } else { Some(session.try_plan(desired, None).await?.plan.drift) };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Ok(DriftView { environment: session.environment.name.clone(), verified, drift, checked_at: now })
}

fn told(view: &DriftView, format: DriftFormat, output: &Output) -> Outcome {
    output.result(&match format {
        DriftFormat::Text => drift_text(view, &output.text_options()),
        DriftFormat::Json => drift_json(view),
        DriftFormat::Prometheus => drift_prometheus(view),
    });
    if view.has_drifted() { Outcome::DifferenceFound } else { Outcome::Success }
}

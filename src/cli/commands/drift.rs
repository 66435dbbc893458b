//! `enact drift`: whether reality still is what was applied, for a timer. It verifies as `verify` does, and plans for what a
//! plan calls drift; nothing is compared in a way of its own.
//!
//! - A check that should hold before a plan and does not is told as one of the verification: for a timer it is the world that
//!   is wrong, not the plan file.
//! - What the verification found stays the answer where the plan files cannot be planned on top of it; why they cannot is told
//!   beside it. Where nothing else differs, plan files that cannot be planned are invalid input, so that a watch which sees
//!   nothing never says that all is well.

use std::time::{SystemTime, UNIX_EPOCH};

use super::preflight::declared;
use crate::cli::args::{DriftArgs, DriftFormat, GlobalArgs};
use crate::cli::session::{Session, configure, in_session, observe_failed};
use crate::cli::{Outcome, Output};
use crate::diff::{Drift, Finding, codes};
use crate::model::{Address, Desired};
use crate::observe::ObserveError;
use crate::report::{DriftView, drift_json, drift_prometheus, drift_text};
use crate::spec::Sources;
use crate::verify::{Check, Report, check_title, compare, read};

/// Looks and prints.
pub fn run(global: &GlobalArgs, args: &DriftArgs, output: &Output) -> Outcome {
    in_environment(global, args, output).unwrap_or_else(|outcome| outcome)
}

fn in_environment(global: &GlobalArgs, args: &DriftArgs, output: &Output) -> Result<Outcome, Outcome> {
    let configured = configure(global, output)?;
    let (desired, sources) = declared(global, output)?;
    in_session(configured, global, output, async |session: &mut Session| {
        let view = look(session, &desired, &sources, output).await;
        let view = view.map_err(|error| observe_failed(output, &error, &sources))?;
        Ok(told(&view, args.format, output))
    })
}

async fn look(
    session: &mut Session,
    desired: &Desired,
    sources: &Sources,
    output: &Output,
) -> Result<DriftView, ObserveError> {
    let facts = read(&mut session.postgres, &session.qdrant, &session.binding, &session.environment.project).await?;
    let mut verified = compare(&session.binding, &facts);
    let drift = match planned(session, desired).await {
        Ok(None) => None,
        Ok(Some((drift, findings))) => {
            verified.checks.extend(failed_before(desired, &findings, &verified));
            Some(drift)
        }
        Err(ObserveError::Refused(found)) if verified.has_failed() => {
            output.diagnostics(&found, sources);
            None
        }
        Err(error) => return Err(error),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    Ok(DriftView { environment: session.environment.name.clone(), verified, drift, checked_at: now })
}

/// What a plan calls drift and what it finds; `None` where there are no plan files. No check refuses this plan: which of
/// them fail is what is asked.
async fn planned(session: &mut Session, desired: &Desired) -> Result<Option<(Vec<Drift>, Vec<Finding>)>, ObserveError> {
    if desired.files.is_empty() {
        return Ok(None);
    }
    let mut lenient = desired.clone();
    lenient.checks.values_mut().for_each(|resource| resource.check.warning = true);
    let plan = session.plan_of_live(&lenient).await?.plan;
    Ok(Some((plan.drift, plan.findings)))
}

/// Checks of the plan files that do not hold now though they should, but for those that the verification has named.
fn failed_before(desired: &Desired, findings: &[Finding], verified: &Report) -> Vec<Check> {
    let named = |title: &str| verified.checks.iter().any(|check| check.has_failed() && check.name == title);
    let stopping = desired.checks.iter().filter(|(_, resource)| !resource.check.warning);
    let failed = stopping.filter_map(|(name, _)| {
        let address = Address::check(name);
        let of_check =
            |finding: &&Finding| finding.code == codes::CHECK_WARNING.id && finding.address.as_ref() == Some(&address);
        let why = findings.iter().find(of_check)?.message.clone();
        Some(Check::of(check_title(name), 0, vec![why]))
    });
    failed.filter(|check| !named(&check.name)).collect()
}

fn told(view: &DriftView, format: DriftFormat, output: &Output) -> Outcome {
    output.result(&match format {
        DriftFormat::Text => drift_text(view, &output.text_options()),
        DriftFormat::Json => drift_json(view),
        DriftFormat::Prometheus => drift_prometheus(view),
    });
    if view.has_drifted() { Outcome::DifferenceFound } else { Outcome::Success }
}

//! `enact approve FILE`: approves a saved plan, lists its approvals, or takes one's own back.

use super::apply::client;
use super::show::{load_for, same_binding};
use crate::apply::{Approvals, approve, plan_approvals, revoke, upgrade};
use crate::cli::args::{ApproveArgs, DataFormat, GlobalArgs};
use crate::cli::session::{Session, configure, in_session, store_failed};
use crate::cli::{Outcome, Output};
use crate::observe::read_session_user;
use crate::plan::SavedPlan;
use crate::report::{approvals_json, approvals_text, verdict};
use crate::store::StoreError;

/// Approves and prints.
pub fn run(global: &GlobalArgs, args: &ApproveArgs, output: &Output) -> Outcome {
    in_environment(global, args, output).unwrap_or_else(|outcome| outcome)
}

fn in_environment(global: &GlobalArgs, args: &ApproveArgs, output: &Output) -> Result<Outcome, Outcome> {
    let configured = configure(global, output)?;
    let plan = load_for(&args.plan, &configured, output)?;
    in_session(configured, global, output, async |session: &mut Session| {
        same_binding(&plan, session, output)?;
        answer(session, &plan, args, output).await.map_err(|error| store_failed(output, &error))
    })
}

async fn answer(
    session: &mut Session,
    plan: &SavedPlan,
    args: &ApproveArgs,
    output: &Output,
) -> Result<Outcome, StoreError> {
    upgrade(&mut session.postgres).await?;
    let rule = plan.environment.approvals.stricter(session.environment.approvals);
    let me = read_session_user(&mut session.postgres).await?;
    if args.revoke {
        if !revoke(&mut session.postgres, plan).await? {
            output.error(&format!("\"{me}\" has no approval of this plan to take back"), None);
            return Ok(Outcome::Error);
        }
        output.note(&format!("Revoked: the approval of \"{me}\" no longer counts."));
    } else if !args.list {
        if rule.not_by_author && plan.author.as_ref() == Some(&me) {
            let message = format!("\"{me}\" made this plan, and its own approval would not count");
            output.error(&message, Some("somebody else approves, connected as a role of their own"));
            return Ok(Outcome::ApprovalMissing);
        }
        verdict(plan).iter().for_each(|line| output.note(line));
        approve(&mut session.postgres, plan, &client(), args.expires).await?;
        output.note(&format!("Approved by \"{me}\"."));
    }
    let approvals = plan_approvals(&mut session.postgres, plan, rule).await?;
    output.result(&written(plan, &approvals, args.format, output));
    Ok(Outcome::Success)
}

fn written(plan: &SavedPlan, approvals: &Approvals, format: DataFormat, output: &Output) -> String {
    match format {
        DataFormat::Text => approvals_text(approvals, &output.text_options()),
        DataFormat::Json => approvals_json(plan, approvals),
    }
}

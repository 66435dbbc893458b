//! The approvals of a plan, for a terminal and for machines.

use serde_json::json;

use super::TextOptions;
use super::layout::columns;
use super::line::Line;
use super::style::Role;
use crate::apply::{Approval, Approvals};
use crate::plan::SavedPlan;

/// The version of the JSON.
const FORMAT_VERSION: &str = "1.0";

/// The verdict in one line.
pub fn approvals_verdict(approvals: &Approvals) -> String {
    if approvals.rule.is_none() {
        return "Enough: the environment asks for no approval.".to_owned();
    }
    let verdict = if approvals.suffice() { "Enough" } else { "Not enough" };
    format!("{verdict}: {}.", approvals.words())
}

/// Writes approvals for a terminal.
pub fn approvals_text(approvals: &Approvals, options: &TextOptions) -> String {
    let role = if approvals.suffice() { Role::Add } else { Role::Remove };
    let mut lines = vec![Line::new(0).part(role, approvals_verdict(approvals))];
    let head = ["APPROVED BY", "FROM", "AT", "UNTIL", ""].map(str::to_owned).to_vec();
    let row = |one: &Approval| {
        let Approval { approver, client, approved_at, expires_at, state } = one;
        let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        vec![approver.clone(), or_dash(client), approved_at.clone(), or_dash(expires_at), state.word().to_owned()]
    };
    if !approvals.given.is_empty() {
        let rows: Vec<Vec<String>> = std::iter::once(head).chain(approvals.given.iter().map(row)).collect();
        lines.extend(columns(&rows, &[]).into_iter().map(|line| Line::new(0).plain(line)));
    }
    let mut out = String::new();
    lines.iter().for_each(|line| line.write(options, &mut out));
    out
}

/// Writes approvals for machines.
pub fn approvals_json(plan: &SavedPlan, approvals: &Approvals) -> String {
    let Approvals { rule, author, given } = approvals;
    let answer = json!({
        "format_version": FORMAT_VERSION,
        "plan_digest": plan.digest,
        "author": author,
        "required": rule.required,
        "not_by_author": rule.not_by_author,
        "enough": approvals.suffice(),
        "approvals": given,
    });
    format!("{answer:#}\n")
}

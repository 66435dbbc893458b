//! Gates, retentions, checks and protections.

use super::action::Action;
use super::body::{Item, declared, why};
use super::escape::quoted;
use super::line::Line;
use super::style::Role;
use super::words;
use crate::diff::{Change, ChangeDetail, Reason, old_rows};

/// Gates that get another value, and those that retentions open.
pub(super) fn gates(changes: &[Change]) -> Vec<Item> {
    changes.iter().filter_map(|change| gate(change).or_else(|| retention(change))).collect()
}

fn gate(change: &Change) -> Option<Item> {
    let ChangeDetail::Gate { before, after, .. } = &change.detail else { return None };
    let line = Line::marked(0, Action::Update).part(Role::Strong, change.address.as_str()).plain(": ");
    let lines = vec![declared(values(line, before, after), change), why(&change.reasons, 1)];
    Some(Item { action: Action::Update, things: 1, noun: "gate", destructive: false, lines })
}

fn values(line: Line, before: &str, after: &str) -> Line {
    line.part(Role::Remove, quoted(before)).plain(" -> ").part(Role::Add, quoted(after))
}

/// What it allows is a deletion, so it stands with what is lost.
fn retention(change: &Change) -> Option<Item> {
    let ChangeDetail::Retention { gate, table, column, old, keep, check, not_before, before, after } = &change.detail
    else {
        return None;
    };
    let line = Line::marked(0, Action::Update).part(Role::Strong, change.address.as_str()).plain(format!(": {gate} "));
    let deletes = format!("{} by the job that asks this gate: {table}, by {column}", old_rows(*old, keep));
    let day = not_before.as_ref().map_or_else(String::new, |day| format!(", not before {day}"));
    let lines = vec![
        declared(values(line, before, after), change),
        Line::new(1).plain(deletes),
        Line::new(1).plain(format!("opened only if check {check} holds{day}")),
        why(&change.reasons, 1),
    ];
    Some(Item { action: Action::Update, things: 1, noun: "gate", destructive: true, lines })
}

/// Checks and protections that are written down.
pub(super) fn guards(changes: &[Change]) -> Vec<Item> {
    changes.iter().filter_map(guard).collect()
}

fn guard(change: &Change) -> Option<Item> {
    let ChangeDetail::Guard { what, count, name: _, record: _ } = &change.detail else { return None };
    let action = if change.reasons.contains(&Reason::NotThere) { Action::Create } else { Action::Update };
    let line = Line::marked(0, action).part(Role::Strong, change.address.as_str()).plain(format!(": {what}"));
    let is_check = change.address.as_str().starts_with("check.");
    let line = if is_check { line } else { line.plain(format!(" ({})", words::number(*count))) };
    let lines = vec![declared(line, change), why(&change.reasons, 1)];
    let noun = if is_check { "check" } else { "protection" };
    Some(Item { action, things: 1, noun, destructive: false, lines })
}

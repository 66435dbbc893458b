//! Checks: read-only queries and what they must answer.

use super::codes;
use super::tree::{Entry, Kind, Node};
use super::walk::{Fields, flag, number_text, one_of, optional, text, texts, whole, wrong_type};
use crate::model::{Check, CheckResource, Diagnostic, Diagnostics, Expected, Spot};

/// Keys of a check.
pub(super) const CHECK_KEYS: &[&str] = &["query", "expect", "when", "severity"];
/// Keys of what it must answer.
pub(super) const ANSWER_KEYS: &[&str] = &["value", "rows", "empty", "at_least", "at_most"];

/// Reads one entry of `checks`.
pub(super) fn check(name: &Spot<String>, node: &Node, out: &mut Diagnostics) -> Option<CheckResource> {
    let fields = Fields::open(node, &format!("check \"{}\"", name.value), &name.place, CHECK_KEYS, out)?;
    let query = fields.require_text("query", out);
    let expect = fields.require("expect", out).and(fields.entry("expect")).and_then(|entry| expected(entry, out));
    let when = match fields.get("when") {
        None => Some((false, true)),
        Some(node) => when(node, out),
    };
    let severities = &[("error", false), ("warning", true)];
    let warning = optional(fields.get("severity"), |node| one_of(node, "severity", severities, out));
    let (query, (before, after)) = (query?, when?);
    Some(CheckResource {
        check: Check { query: query.value, expect: expect?, warning: warning?.unwrap_or(false) },
        before,
        after,
        query_place: query.place,
        place: name.place.clone(),
    })
}

/// Whether before, whether after.
fn when(node: &Node, out: &mut Diagnostics) -> Option<(bool, bool)> {
    let words = match &node.kind {
        Kind::List(_) => texts(node, "when", out)?,
        Kind::Null | Kind::Plain(_) | Kind::Text(_) | Kind::Json(_) | Kind::Map(_) => vec![text(node, "when", out)?],
    };
    let mut found = (false, false);
    let mut complete = true;
    for word in &words {
        match word.value.as_str() {
            "before" => found.0 = true,
            "after" => found.1 = true,
            other => {
                complete = false;
                let detail = format!("\"{other}\" is not allowed for \"when\"");
                let diagnostic = Diagnostic::error(codes::INVALID_VALUE, detail).at(&word.place);
                out.push(diagnostic.hint("write when: [before, after], or one of the two"));
            }
        }
    }
    if complete && words.is_empty() {
        let diagnostic = Diagnostic::error(codes::INVALID_VALUE, "\"when\" is an empty list").at(&node.place);
        out.push(diagnostic.hint("write when: [before, after], or one of the two"));
        return None;
    }
    complete.then_some(found)
}

fn expected(entry: &Entry, out: &mut Diagnostics) -> Option<Expected> {
    let fields = Fields::open(&entry.value, "\"expect\"", &entry.key.place, ANSWER_KEYS, out)?;
    let limits = fields.get("at_least").is_some() || fields.get("at_most").is_some();
    let kinds = ["value", "rows", "empty"].into_iter().filter(|key| fields.get(key).is_some()).count();
    if kinds + usize::from(limits) != 1 {
        let detail = "\"expect\" needs exactly one of value, rows, empty, or at_least with at_most";
        let code = if kinds == 0 && !limits { codes::MISSING_KEY } else { codes::CONFLICT };
        out.push(Diagnostic::error(code, detail).at(&entry.key.place).hint("such as expect: { value: 86 }"));
        return None;
    }
    if let Some(node) = fields.get("value") {
        return value(node, out).map(Expected::Value);
    }
    if let Some(node) = fields.get("rows") {
        return whole(node, "rows", 0, u64::from(u32::MAX), out).map(Expected::Rows);
    }
    if let Some(node) = fields.get("empty") {
        return flag(node, "empty", out).map(Expected::Empty);
    }
    let least = optional(fields.get("at_least"), |node| number(node, "at_least", out));
    let most = optional(fields.get("at_most"), |node| number(node, "at_most", out));
    let (least, most) = (least?, most?);
    if let (Some(low), Some(high)) = (least, most)
        && low > high
    {
        let detail = format!("nothing is at least {low} and at most {high}");
        out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&entry.key.place));
        return None;
    }
    Some(Expected::Between { least, most })
}

/// A scalar as the database writes it, or null; `true` and `false` stand for what PostgreSQL casts them to.
fn value(node: &Node, out: &mut Diagnostics) -> Option<Option<String>> {
    match &node.kind {
        Kind::Null => Some(None),
        Kind::Plain(_) | Kind::Text(_) => Some(node.scalar_text()),
        Kind::Json(_) | Kind::List(_) | Kind::Map(_) => wrong_type(node, "\"value\"", "a text, a number or null", out),
    }
}

fn number(node: &Node, what: &str, out: &mut Diagnostics) -> Option<f64> {
    number_text(node, what, "a number", out)?.parse().ok()
}

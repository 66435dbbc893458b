//! Retention: old rows may be deleted by a job, once its gate is opened together with it.

use super::codes;
use super::protect::table;
use super::tree::Node;
use super::walk::{Fields, text};
use crate::model::{Diagnostic, Diagnostics, Retention, Spot};

/// Keys of a retention.
pub(super) const RETENTION_KEYS: &[&str] = &["table", "keep", "column", "gate", "paired", "not_before"];
/// Keys of its pair.
pub(super) const PAIRED_KEYS: &[&str] = &["check"];

/// Reads one entry of `retention`.
pub(super) fn retention(name: &Spot<String>, node: &Node, out: &mut Diagnostics) -> Option<Retention> {
    let fields = Fields::open(node, &format!("retention \"{}\"", name.value), &name.place, RETENTION_KEYS, out)?;
    let table = fields.require("table", out).and_then(|node| table(node, out));
    let keep = fields.require("keep", out).and_then(|node| keep(node, out));
    let column = fields.optional_text("column", out);
    let gate = fields.require_text("gate", out);
    // Asked for first, so that a missing pair is reported even when the entry is absent.
    let check = fields.require("paired", out).and(fields.entry("paired")).and_then(|entry| {
        let fields = Fields::open(&entry.value, "\"paired\"", &entry.key.place, PAIRED_KEYS, out)?;
        fields.require_text("check", out)
    });
    let not_before = match fields.get("not_before") {
        None => Some(None),
        Some(node) => day(node, out).map(Some),
    };
    let (keep_seconds, keep) = keep?;
    Some(Retention {
        table: table?,
        keep_seconds,
        keep,
        column: column?,
        gate: gate?,
        check: check?,
        not_before: not_before?,
        place: name.place.clone(),
    })
}

fn keep(node: &Node, out: &mut Diagnostics) -> Option<(u64, Spot<String>)> {
    let written = text(node, "keep", out)?;
    let digits = written.value.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match written.value.get(digits.len()..).unwrap_or_default() {
        "h" => Some(3_600),
        "d" => Some(86_400),
        "w" => Some(7 * 86_400),
        _ => None,
    };
    let count = digits.parse::<u64>().ok().filter(|count| (1..=100_000).contains(count));
    match count.zip(unit) {
        Some((count, unit)) => Some((count * unit, written)),
        None => {
            let detail = format!("\"{}\" is not how long a row can be kept", written.value);
            let diagnostic = Diagnostic::error(codes::INVALID_VALUE, detail).at(&node.place);
            out.push(diagnostic.hint("write hours, days or weeks, such as 48h, 90d or 12w"));
            None
        }
    }
}

/// Reads `2026-06-22`. Whether the calendar has that day is the database's to say.
fn day(node: &Node, out: &mut Diagnostics) -> Option<Spot<String>> {
    let written = text(node, "not_before", out)?;
    let parts: Vec<&str> = written.value.split('-').collect();
    let digits = |part: &str, count: usize| part.len() == count && part.bytes().all(|b| b.is_ascii_digit());
    if let [year, month, day] = parts.as_slice()
        && digits(year, 4)
        && digits(month, 2)
        && digits(day, 2)
        && ("01"..="12").contains(month)
        && ("01"..="31").contains(day)
    {
        return Some(written);
    }
    let detail = format!("\"{}\" is not a day", written.value);
    out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&node.place).hint("write it as 2026-06-22"));
    None
}

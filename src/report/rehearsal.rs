//! What a rehearsal showed, for a terminal and for machines: verdict first and last.

use serde_json::{Value, json};

use super::TextOptions;
use super::layout::{Align, columns};
use super::line::Line;
use super::style::Role;
use super::words::{count, number};
use crate::apply::{Pass, Rehearsal};
use crate::model::ItemsSeal;

/// The version of the JSON.
const FORMAT_VERSION: &str = "1.0";
/// Digits of a digest in a table.
const DIGEST_DIGITS: usize = 16;
/// Passes that are shown when not verbose.
const PASSES: usize = 10;

/// The verdict in one line.
pub fn rehearsal_verdict(rehearsal: &Rehearsal) -> String {
    if !rehearsal.unchanged() {
        return "Changed: something is not as it was before the rehearsal.".to_owned();
    }
    let tables = count(rehearsal.before.tables.values().flatten().count() as u64, "table");
    let collections = count(rehearsal.before.collections.values().flatten().count() as u64, "collection");
    let same = format!("{tables} and {collections} have the same digests before and after");
    match rehearsal.passes.iter().find(|pass| !pass.as_wanted()) {
        Some(_) => format!("Refused: the plan does not run through. Nothing changed: {same}."),
        None => format!("Rehearsed: the plan runs through, and was rolled back. Nothing changed: {same}."),
    }
}

/// Writes a rehearsal for a terminal.
pub fn rehearsal_text(rehearsal: &Rehearsal, options: &TextOptions) -> String {
    let good = rehearsal.unchanged() && rehearsal.passes.iter().all(Pass::as_wanted);
    let verdict = Line::new(0).part(if good { Role::Add } else { Role::Remove }, rehearsal_verdict(rehearsal));
    let mut lines = vec![verdict.clone(), Line::new(0), Line::new(0).part(Role::Strong, "Passes")];
    passes(&rehearsal.passes, options.verbose, &mut lines);
    lines.extend([Line::new(0), Line::new(0).part(Role::Strong, "Digests before and after")]);
    let rows: Vec<Vec<String>> = compared(rehearsal).map(|row| row.cells()).collect();
    let aligns = [Align::Left, Align::Left, Align::Right, Align::Left];
    lines.extend(columns(&rows, &aligns).into_iter().map(|row| Line::new(1).plain(row)));
    lines.extend([Line::new(0), Line::new(0).part(Role::Strong, "Not given back by a rollback")]);
    for (name, (was, is)) in &rehearsal.sequences {
        let value = |value: &Option<i64>| value.map_or_else(|| "unused".to_owned(), |v| v.to_string());
        lines.push(Line::new(1).plain(format!("sequence {name}: {} -> {}", value(was), value(is))));
    }
    lines.push(Line::new(1).plain("transaction ids, statistics, and what a function does outside the database"));
    lines.extend([Line::new(0), verdict]);
    let mut out = String::new();
    lines.iter().for_each(|line| line.write(options, &mut out));
    out
}

fn passes(passes: &[Pass], verbose: bool, lines: &mut Vec<Line>) {
    let shown = if verbose { passes.len() } else { PASSES };
    for (index, pass) in passes.iter().enumerate() {
        if index >= shown && pass.as_wanted() {
            continue;
        }
        let (role, word) = if pass.as_wanted() { (Role::Add, "ok     ") } else { (Role::Remove, "FAILED ") };
        let what = match pass.refuse_at {
            None => "the whole plan".to_owned(),
            Some(unit) => format!("a refusal at unit {}", number(unit)),
        };
        let how = match &pass.refused {
            None => "ran through, then rolled back".to_owned(),
            Some(why) => format!("{why}; rolled back"),
        };
        lines.push(Line::new(0).plain("  ").part(role, word).plain(format!(" {what}: {how}")));
    }
    if passes.len() > shown {
        let more = number((passes.len() - shown) as u64);
        lines.push(Line::new(1).part(Role::Faint, format!("… and {more} more passes; --verbose lists all")));
    }
}

struct Compared<'a> {
    kind: &'static str,
    name: String,
    before: Option<&'a ItemsSeal>,
    after: Option<&'a ItemsSeal>,
}

impl Compared<'_> {
    fn cells(&self) -> Vec<String> {
        let verdict = match (self.before, self.after) {
            (None, None) => "cannot be read".to_owned(),
            (Some(before), Some(after)) if before == after => format!("{} same", short(before)),
            (before, after) => {
                let text = |digest: Option<&ItemsSeal>| digest.map_or_else(|| "-".to_owned(), |d| short(d).to_owned());
                format!("{} -> {} DIFFERENT", text(before), text(after))
            }
        };
        let count = self.before.map_or_else(String::new, |digest| number(digest.count));
        vec![self.kind.to_owned(), self.name.clone(), count, verdict]
    }

    fn json(&self) -> Value {
        let seal = |seal: Option<&ItemsSeal>| seal.map(|seal| json!({ "count": seal.count, "digest": short(seal) }));
        json!({ "kind": self.kind, "name": self.name, "before": seal(self.before), "after": seal(self.after) })
    }
}

/// As much of a digest as people compare.
fn short(seal: &ItemsSeal) -> &str {
    seal.digest.get(..DIGEST_DIGITS).unwrap_or(&seal.digest)
}

fn compared(rehearsal: &Rehearsal) -> impl Iterator<Item = Compared<'_>> {
    let (before, after) = (&rehearsal.before, &rehearsal.after);
    let tables = before.tables.iter().map(|(table, digest)| Compared {
        kind: "table",
        name: table.to_string(),
        before: digest.as_ref(),
        after: after.tables.get(table).and_then(Option::as_ref),
    });
    tables.chain(before.collections.iter().map(|(name, digest)| Compared {
        kind: "collection",
        name: name.clone(),
        before: digest.as_ref(),
        after: after.collections.get(name).and_then(Option::as_ref),
    }))
}

/// Writes a rehearsal for machines.
pub fn rehearsal_json(rehearsal: &Rehearsal) -> String {
    let passes: Vec<Value> = rehearsal
        .passes
        .iter()
        .map(|pass| {
            let refused = pass.refused.as_ref().map(ToString::to_string);
            json!({ "refuse_at": pass.refuse_at, "refused": refused, "as_wanted": pass.as_wanted() })
        })
        .collect();
    let sequences = rehearsal.sequences.iter();
    let sequences: Vec<Value> =
        sequences.map(|(name, (was, is))| json!({ "name": name.to_string(), "before": was, "after": is })).collect();
    let answer = json!({
        "format_version": FORMAT_VERSION,
        "run": rehearsal.run,
        "unchanged": rehearsal.unchanged(),
        "verdict": rehearsal_verdict(rehearsal),
        "passes": passes,
        "contents": compared(rehearsal).map(|row| row.json()).collect::<Vec<_>>(),
        "sequences": sequences,
    });
    format!("{answer:#}\n")
}

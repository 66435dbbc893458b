//! Runs for people and machines: the list of `history`, and one run with what it changed.
//!
//! The Markdown of one run fits a comment, as a plan's does: where both together do not, the plan is left out and named.

use std::time::Duration;

use serde_json::{Value, json};

use super::layout::{columns, width};
use super::line::Line;
use super::style::{Role, paint};
use super::verdict::counts;
use super::words::{duration, number};
use super::{COMMENT_CHARS, TextOptions, escape, plan_markdown, plan_text};
use crate::apply::{ApprovalRow, Entry, RunLine, RunRecord, Standing, Stretch, stretches};
use crate::plan::Summary;

/// The version of the JSON of a list.
const LIST_VERSION: &str = "1.1";
/// The version of the JSON of one run.
const RUN_VERSION: &str = "1.0";
/// Digits of a plan's digest in a table.
const DIGEST_DIGITS: usize = 12;

/// Writes runs as a table.
pub fn history_text(runs: &[RunLine], options: &TextOptions) -> String {
    if runs.is_empty() {
        return "No run yet.\n".to_owned();
    }
    let mut lines = columns(&table(runs, options.verbose), &[]);
    if let Some(head) = lines.first_mut() {
        *head = paint(Role::Strong, head, options.color);
    }
    lines.into_iter().map(|line| line.trim_end().to_owned() + "\n").collect()
}

fn table(runs: &[RunLine], whole: bool) -> Vec<Vec<String>> {
    let mut heads = vec!["RUN", "OPENED", "OUTCOME", "BY", "PLAN", "CHANGES"];
    if whole {
        heads.extend(["CLOSED", "APPROVED BY", "PROBED", "RUNNER"]);
    }
    let row = |line: &RunLine| {
        let RunLine { run, summary, approved_by, probed_at } = line;
        let digest = if whole { &run.plan_digest } else { run.plan_digest.get(..DIGEST_DIGITS).unwrap_or_default() };
        let time = |text: &str| if whole { text.to_owned() } else { to_seconds(text) };
        let mut cells = vec![
            run.run.clone(),
            time(&run.opened_at),
            run.outcome.clone().unwrap_or_else(|| "unfinished".to_owned()),
            run.actor.clone(),
            digest.to_owned(),
            summary.as_ref().map_or_else(|| "?".to_owned(), changes),
        ];
        if whole {
            let approved = if approved_by.is_empty() { "-".to_owned() } else { approved_by.join(", ") };
            let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            cells.extend([or_dash(&run.closed_at), approved, or_dash(probed_at), run.runner.clone()]);
        }
        cells
    };
    std::iter::once(heads.into_iter().map(str::to_owned).collect()).chain(runs.iter().map(row)).collect()
}

/// What a plan counts, without what is zero: `3 to add, 86 to promote, 412 to embed`.
fn changes(summary: &Summary) -> String {
    let Summary { add, change, destroy, lifecycle, vectors, forget, take_over, same_rows: _ } = summary;
    let all = [
        (*add, "to add"),
        (*change, "to change"),
        (*destroy, "to destroy"),
        (*forget, "to forget"),
        (*take_over, "to take over"),
        (lifecycle.promote, "to promote"),
        (vectors.embed, "to embed"),
        (vectors.copy, "to copy"),
        (vectors.delete, "to delete"),
    ];
    let some: Vec<String> =
        all.into_iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{} {what}", number(n))).collect();
    if some.is_empty() { "nothing counted".to_owned() } else { some.join(", ") }
}

/// Leaves the fraction of a second out of a timestamp as PostgreSQL writes it.
pub(super) fn to_seconds(text: &str) -> String {
    let Some((front, back)) = text.split_once('.') else { return text.to_owned() };
    let zone = back.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{front}{zone}")
}

/// Writes runs for machines.
pub fn history_json(runs: &[RunLine]) -> String {
    format!("{:#}\n", json!({ "format_version": LIST_VERSION, "runs": runs }))
}

/// Writes runs as a Markdown table.
pub fn history_markdown(runs: &[RunLine]) -> String {
    if runs.is_empty() {
        return "No run yet.\n".to_owned();
    }
    let mut out =
        String::from("| run | opened | outcome | by | plan | changes |\n| --- | --- | --- | --- | --- | --- |\n");
    for cells in table(runs, false).iter().skip(1) {
        let cells: Vec<String> = cells.iter().map(|cell| code(cell)).collect();
        out.push_str(&format!("| {} |\n", cells.join(" | ")));
    }
    out
}

fn code(text: &str) -> String {
    escape::html_code(text).replace('|', "&#124;")
}

/// Facts of one run: a name and a value each.
fn facts(record: &RunRecord) -> Vec<(&'static str, String)> {
    let RunRecord { run, plan: _, summary: _, approvals, journal } = record;
    let mut out = vec![
        ("Environment", run.environment.clone()),
        ("Plan digest", run.plan_digest.clone()),
        ("Opened", to_seconds(&run.opened_at)),
        ("Closed", run.closed_at.as_deref().map_or_else(|| "not yet".to_owned(), to_seconds)),
        ("Changed by", run.actor.clone()),
        ("Run by", run.runner.clone()),
        ("Approved by", approved(approvals)),
        ("Took", took(&stretches(journal))),
    ];
    let undoing = journal.iter().rev().find_map(|timed| match &timed.entry {
        Entry::Undoing { why } => Some(why.clone()),
        _ => None,
    });
    out.extend(undoing.map(|why| ("Undone because", why)));
    out
}

fn approved(approvals: &[ApprovalRow]) -> String {
    let one = |ApprovalRow { approver, approved_at, expires_at }: &ApprovalRow| {
        let until = expires_at.as_deref().map_or_else(String::new, |at| format!(", until {}", to_seconds(at)));
        format!("{approver} ({}{until})", to_seconds(approved_at))
    };
    match approvals {
        [] => "no approval is recorded".to_owned(),
        some => some.iter().map(one).collect::<Vec<_>>().join("; "),
    }
}

fn took(stretches: &[(Stretch, Duration)]) -> String {
    let total: Duration = stretches.iter().map(|(_, took)| *took).sum();
    let parts: Vec<String> =
        stretches.iter().map(|(stretch, took)| format!("{} {}", stretch.word(), duration(*took))).collect();
    if parts.is_empty() { "nothing yet".to_owned() } else { format!("{}: {}", duration(total), parts.join(", ")) }
}

fn head(record: &RunRecord) -> String {
    let run = &record.run.run;
    match record.run.outcome.as_deref() {
        Some(outcome) => format!("Run {run}: {outcome}."),
        None => {
            let entries: Vec<Entry> = record.journal.iter().map(|timed| timed.entry.clone()).collect();
            format!("Run {run}: unfinished, {}.", Standing::of(&entries))
        }
    }
}

/// What the plan below it is.
fn intro(record: &RunRecord) -> &'static str {
    match record.run.outcome.as_deref() {
        Some("applied") => "What it changed:",
        Some("rehearsed") => "What it rehearsed; both stores are as they were before it:",
        Some(_) => "What it would have changed; both stores are as they were before it:",
        None => "What it changes:",
    }
}

/// Writes one run for a terminal, with what it changed.
pub fn run_text(record: &RunRecord, options: &TextOptions) -> String {
    let mut out = String::new();
    Line::new(0).part(Role::Strong, head(record)).write(options, &mut out);
    let facts = facts(record);
    let widest = facts.iter().map(|(name, _)| width(name)).max().unwrap_or(0);
    for (name, value) in &facts {
        Line::new(0).part(Role::Faint, format!("  {name:<widest$}  ")).plain(value).write(options, &mut out);
    }
    out.push_str(&format!("\n{}\n\n", intro(record)));
    match &record.plan {
        Ok(plan) => out.push_str(&plan_text(plan, options)),
        Err(error) => {
            for line in record.summary.iter().flat_map(counts) {
                Line::new(0).plain(line).write(options, &mut out);
            }
            Line::new(0).plain(format!("Its plan cannot be read: {error}.")).write(options, &mut out);
        }
    }
    out
}

/// Writes one run for machines, with its saved plan.
pub fn run_json(record: &RunRecord) -> String {
    let RunRecord { run, plan, summary, approvals, journal } = record;
    let phases: Vec<Value> = stretches(journal)
        .into_iter()
        .map(|(stretch, took)| {
            json!({ "phase": stretch, "milliseconds": u64::try_from(took.as_millis()).unwrap_or(u64::MAX) })
        })
        .collect();
    let answer = json!({
        "format_version": RUN_VERSION,
        "run": run,
        "approvals": approvals,
        "phases": phases,
        "journal": journal,
        "summary": summary,
        "plan": plan.as_ref().ok(),
    });
    format!("{answer:#}\n")
}

/// Writes one run as Markdown, with what it changed.
pub fn run_markdown(record: &RunRecord) -> String {
    let mut out = format!("**{}**\n\n| | |\n| --- | --- |\n", head(record));
    for (name, value) in facts(record) {
        out.push_str(&format!("| {name} | {} |\n", code(&super::value::cut(&value, 1_000))));
    }
    out.push_str(&format!("\n{}\n\n", intro(record)));
    let plan = match &record.plan {
        Ok(plan) => plan_markdown(plan),
        Err(error) => {
            let counted: String =
                record.summary.iter().flat_map(counts).map(|line| format!("{}\n\n", code(&line))).collect();
            counted + &format!("Its plan cannot be read: {}.\n", code(&error.to_string()))
        }
    };
    if out.chars().count() + plan.chars().count() <= COMMENT_CHARS {
        return out + &plan;
    }
    let Ok(plan) = &record.plan else { return out };
    let [rows, rest] = counts(&plan.summary);
    out + &format!(
        "{}\n{}\n\nThe rest does not fit; `enact show {}` says it.\n",
        code(&rows),
        code(&rest),
        record.run.run
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apply::{RunRow, TimedEntry};
    use crate::plan::LoadError;

    const PLAIN: TextOptions = TextOptions { color: false, width: 100, verbose: false };

    fn run(outcome: Option<&str>) -> RunRow {
        RunRow {
            run: "0198".to_owned(),
            plan_digest: "0123456789abcdef".to_owned(),
            environment: "local".to_owned(),
            actor: "enact\u{1b}".to_owned(),
            runner: "me@here, pid 1".to_owned(),
            opened_at: "2026-03-12 10:00:00.123456+00".to_owned(),
            closed_at: outcome.map(|_| "2026-03-12 10:00:02+00".to_owned()),
            outcome: outcome.map(str::to_owned),
        }
    }

    fn line(outcome: Option<&str>) -> RunLine {
        let summary = outcome.map(|_| Summary { add: 1_000, forget: 2, ..Summary::default() });
        RunLine { run: run(outcome), summary, approved_by: Vec::new(), probed_at: None }
    }

    #[test]
    fn history_is_a_table_and_open_runs_say_so() {
        assert_eq!(
            history_text(&[line(None), line(Some("applied"))], &PLAIN),
            "RUN   OPENED                  OUTCOME     BY           PLAN          CHANGES\n\
             0198  2026-03-12 10:00:00+00  unfinished  enact\\u{1b}  0123456789ab  ?\n\
             0198  2026-03-12 10:00:00+00  applied     enact\\u{1b}  0123456789ab  1,000 to add, 2 to forget\n"
        );
        assert_eq!(history_text(&[], &PLAIN), "No run yet.\n");
    }

    #[test]
    fn a_run_says_who_and_how_long_and_why_it_was_undone() {
        let timed = |after_ms, entry| TimedEntry { at: String::new(), after_ms, entry };
        let why = "a | b\n\u{1b}[31m".to_owned();
        let journal = vec![
            timed(0, Entry::Opened { request_deadline_ms: 1 }),
            timed(3, Entry::Transacting),
            timed(1_503, Entry::Undoing { why }),
            timed(1_600, Entry::Undone),
        ];
        let approvals = vec![ApprovalRow {
            approver: "lan".to_owned(),
            approved_at: "2026-03-12 09:00:00.5+00".to_owned(),
            expires_at: None,
        }];
        let plan = Err(LoadError::NotAPlan("x".to_owned()));
        let record = RunRecord { run: run(Some("undone")), summary: None, plan, approvals, journal };
        let text = run_text(&record, &PLAIN);
        assert!(text.starts_with("Run 0198: undone.\n"), "{text}");
        assert!(text.contains("  Took            1.5 s: transaction 1.5 s, undo 97 ms\n"), "{text}");
        assert!(text.contains("  Approved by     lan (2026-03-12 09:00:00+00)\n"), "{text}");
        assert!(text.contains("Undone because  a | b\\n\\u{1b}[31m\n"), "{text}");
        let markdown = run_markdown(&record);
        assert!(markdown.contains("&#124;") && !markdown.contains('\u{1b}'), "{markdown}");
        let answer: Value = serde_json::from_str(&run_json(&record)).unwrap();
        assert_eq!(answer["phases"][0], json!({ "phase": "transaction", "milliseconds": 1_500 }));
        assert_eq!(answer["plan"], Value::Null);
    }
}

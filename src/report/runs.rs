//! Runs and where an environment stands, for a terminal and for machines.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::layout::{Align, columns};
use super::line::Line;
use super::style::{Role, paint};
use super::words::number;
use super::{TextOptions, escape};
use crate::apply::{RunRow, Standing};

/// The version of both JSON answers.
const FORMAT_VERSION: &str = "1.0";
/// Digits of a plan's digest in a table.
const DIGEST_DIGITS: usize = 12;

/// Where an environment stands.
#[derive(Debug, Clone, PartialEq)]
pub struct StatusView {
    /// The environment's name.
    pub environment: String,
    /// Its binding's name.
    pub binding: String,
    /// PostgreSQL's version.
    pub postgres: String,
    /// Qdrant's version.
    pub qdrant: String,
    /// The version of the schema `enact` there and the one that this Enact writes.
    pub schema: (Option<i64>, i64),
    /// The run that is not closed.
    pub unfinished: Option<(RunRow, Standing)>,
    /// Who holds the lock.
    pub lock: Option<String>,
    /// The managed vector sets.
    pub sets: Vec<SetView>,
    /// The last runs, newest first.
    pub runs: Vec<RunRow>,
    /// When the channels were probed, by run.
    pub probed: Probed,
}

/// When the channels were probed before a run, by run.
pub type Probed = BTreeMap<String, String>;

/// A managed vector set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetView {
    /// Its name.
    pub name: String,
    /// The collection behind it and how many points that holds, counted exactly.
    pub live: Option<(String, u64)>,
    /// Other collections of it, staged or waiting to be removed.
    pub others: Vec<String>,
}

/// Writes where an environment stands.
pub fn status_text(view: &StatusView, options: &TextOptions) -> String {
    let mut out = String::new();
    let mut rows = vec![
        vec!["Environment".to_owned(), view.environment.clone()],
        vec!["Binding".to_owned(), view.binding.clone()],
        vec!["PostgreSQL".to_owned(), view.postgres.clone()],
        vec!["Qdrant".to_owned(), view.qdrant.clone()],
        vec!["Schema".to_owned(), schema_words(view.schema)],
        vec!["Lock".to_owned(), view.lock.clone().unwrap_or_else(|| "free".to_owned())],
    ];
    let last = view.runs.first().and_then(|run| view.probed.get(&run.run));
    rows.extend(last.map(|at| vec!["Probed".to_owned(), format!("{}, by the last run", to_seconds(at))]));
    for line in columns(&rows, &[]) {
        out.push_str(&line);
        out.push('\n');
    }
    out.push('\n');
    for line in run_lines(view) {
        line.write(options, &mut out);
    }
    block(&mut out, "Vector sets:", &set_rows(&view.sets), &[Align::Left, Align::Left, Align::Right], options);
    block(&mut out, "Last runs:", &run_rows(&view.runs, &view.probed, options.verbose), &[], options);
    out
}

fn schema_words((found, known): (Option<i64>, i64)) -> String {
    match found {
        None => "there is none yet; next: enact init".to_owned(),
        Some(found) if found == known => format!("version {found}"),
        Some(found) => format!("version {found}; this Enact writes version {known}"),
    }
}

fn run_lines(view: &StatusView) -> Vec<Line> {
    let Some((run, standing)) = &view.unfinished else {
        return vec![Line::new(0).part(Role::Strong, "No run is unfinished.")];
    };
    let going = if view.lock.is_some() { "running, or waiting for its lock to end" } else { "interrupted" };
    vec![
        Line::new(0).part(Role::Warn, format!("Run {} is {going}: {standing}.", run.run)),
        Line::new(0).plain(format!("  Opened {} by {}.", run.opened_at, run.runner)),
        Line::new(0).plain(format!("  Visible now: {}.", standing.visible())),
        Line::new(0).plain(format!("  enact resume {}.", standing.resume())),
    ]
}

fn block(out: &mut String, title: &str, rows: &[Vec<String>], aligns: &[Align], options: &TextOptions) {
    if rows.is_empty() {
        return;
    }
    out.push_str(&format!("\n{}\n", paint(Role::Strong, title, options.color)));
    for line in columns(rows, aligns) {
        out.push_str(&format!("  {line}\n"));
    }
}

fn set_rows(sets: &[SetView]) -> Vec<Vec<String>> {
    let row = |set: &SetView| {
        let (collection, points) = match &set.live {
            Some((collection, points)) => (format!("-> {collection}"), format!("{} points", number(*points))),
            None => ("is not in Qdrant".to_owned(), String::new()),
        };
        let others =
            if set.others.is_empty() { String::new() } else { format!("beside it: {}", set.others.join(", ")) };
        vec![set.name.clone(), collection, points, others]
    };
    sets.iter().map(row).collect()
}

fn run_rows(runs: &[RunRow], probed: &Probed, whole: bool) -> Vec<Vec<String>> {
    if runs.is_empty() {
        return Vec::new();
    }
    let mut heads = ["RUN", "OPENED", "CLOSED", "OUTCOME", "ENVIRONMENT", "ACTOR", "PLAN"].map(str::to_owned).to_vec();
    if whole {
        heads.extend(["RUNNER", "PROBED"].map(str::to_owned));
    }
    let row = |run: &RunRow| {
        let RunRow { run, plan_digest, environment, actor, runner, opened_at, closed_at, outcome } = run;
        let digest = if whole { plan_digest } else { plan_digest.get(..DIGEST_DIGITS).unwrap_or(plan_digest) };
        let time = |text: &str| if whole { text.to_owned() } else { to_seconds(text) };
        let closed = closed_at.as_deref().map_or_else(|| "-".to_owned(), time);
        let outcome = outcome.as_deref().unwrap_or("unfinished");
        let mut row: Vec<String> = vec![
            run.clone(),
            time(opened_at),
            closed,
            outcome.into(),
            environment.clone(),
            actor.clone(),
            digest.into(),
        ];
        if whole {
            row.push(runner.clone());
            row.push(probed.get(run).cloned().unwrap_or_else(|| "-".to_owned()));
        }
        row
    };
    std::iter::once(heads).chain(runs.iter().map(row)).collect()
}

/// Leaves the fraction of a second out of a timestamp as PostgreSQL writes it.
fn to_seconds(text: &str) -> String {
    let Some((front, back)) = text.split_once('.') else { return text.to_owned() };
    let zone = back.trim_start_matches(|c: char| c.is_ascii_digit());
    format!("{front}{zone}")
}

/// Writes where an environment stands for machines.
pub fn status_json(view: &StatusView) -> String {
    let StatusView { environment, binding, postgres, qdrant, schema, unfinished, lock, sets, runs, probed } = view;
    let unfinished = unfinished.as_ref().map(|(run, standing)| {
        json!({
            "run": run, "phase": standing.to_string(), "visible": standing.visible(), "resume": standing.resume(),
        })
    });
    let sets: Vec<Value> = sets
        .iter()
        .map(|SetView { name, live, others }| {
            let (collection, points) = live.clone().unzip();
            json!({ "name": name, "collection": collection, "points": points, "others": others })
        })
        .collect();
    let answer = json!({
        "format_version": FORMAT_VERSION,
        "environment": environment,
        "binding": binding,
        "postgres": postgres,
        "qdrant": qdrant,
        "schema": { "version": schema.0, "known": schema.1 },
        "unfinished": unfinished,
        "lock": lock,
        "vector_sets": sets,
        "runs": runs_json(runs, probed),
    });
    format!("{answer:#}\n")
}

/// Writes runs as a table.
pub fn history_text(runs: &[RunRow], probed: &Probed, options: &TextOptions) -> String {
    if runs.is_empty() {
        return "No run yet.\n".to_owned();
    }
    let mut lines = columns(&run_rows(runs, probed, options.verbose), &[]);
    if let Some(head) = lines.first_mut() {
        *head = paint(Role::Strong, head, options.color);
    }
    lines.into_iter().map(|line| line + "\n").collect()
}

/// Writes runs for machines.
pub fn history_json(runs: &[RunRow], probed: &Probed) -> String {
    format!("{:#}\n", json!({ "format_version": FORMAT_VERSION, "runs": runs_json(runs, probed) }))
}

fn runs_json(runs: &[RunRow], probed: &Probed) -> Value {
    let one = |run: &RunRow| {
        let mut value = json!(run);
        value["probed_at"] = json!(probed.get(&run.run));
        value
    };
    runs.iter().map(one).collect()
}

/// Names the session that holds the lock.
pub fn lock_text(holder: &crate::store::LockHolder) -> String {
    let crate::store::LockHolder { pid, user, host, application_name, since } = holder;
    let mut text = format!("held by database session {pid}");
    for (word, value) in [(" of ", user), (" from ", host), (", ", application_name), (", connected since ", since)] {
        if let Some(value) = value.as_deref().filter(|value| !value.is_empty()) {
            text.push_str(word);
            text.push_str(&escape::terminal(value));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn history_is_a_table_and_open_runs_say_so() {
        assert_eq!(
            history_text(&[run(None), run(Some("applied"))], &Probed::new(), &PLAIN),
            "RUN   OPENED                  CLOSED                  OUTCOME     ENVIRONMENT  ACTOR        PLAN\n\
             0198  2026-03-12 10:00:00+00  -                       unfinished  local        enact\\u{1b}  0123456789ab\n\
             0198  2026-03-12 10:00:00+00  2026-03-12 10:00:02+00  applied     local        enact\\u{1b}  0123456789ab\n"
        );
        assert_eq!(history_text(&[], &Probed::new(), &PLAIN), "No run yet.\n");
    }

    fn view() -> StatusView {
        StatusView {
            environment: "local".to_owned(),
            binding: "documents".to_owned(),
            postgres: "17.4".to_owned(),
            qdrant: "1.16.3".to_owned(),
            schema: (Some(1), 1),
            unfinished: Some((run(None), Standing::Decided)),
            lock: None,
            sets: vec![SetView {
                name: "handbook".to_owned(),
                live: Some(("handbook@0197".to_owned(), 1_204)),
                others: vec!["handbook@0198".to_owned()],
            }],
            runs: Vec::new(),
            probed: Probed::new(),
        }
    }

    #[test]
    fn an_interrupted_run_says_what_is_visible_and_what_comes() {
        assert_eq!(
            status_text(&view(), &PLAIN),
            "Environment  local\nBinding      documents\nPostgreSQL   17.4\nQdrant       1.16.3\nSchema       version 1\n\
             Lock         free\n\n\
             Run 0198 is interrupted: decided.\n  Opened 2026-03-12 10:00:00.123456+00 by me@here, pid 1.\n\
             \x20 Visible now: PostgreSQL shows the new state, Qdrant still the old one.\n\
             \x20 enact resume switches the aliases that are left; it cannot go back.\n\n\
             Vector sets:\n  handbook  -> handbook@0197  1,204 points  beside it: handbook@0198\n"
        );
    }

    #[test]
    fn status_for_machines_names_phase_and_points() {
        let answer: Value = serde_json::from_str(&status_json(&view())).unwrap();
        assert_eq!(answer["unfinished"]["phase"], "decided");
        assert_eq!(answer["vector_sets"][0]["points"], 1_204);
    }
}

//! A plan for a terminal: verdict, legend, drift, changes by kind, findings, what runs as whom, verdict.
//!
//! Every symbol stands beside a word or in the legend, so that nothing depends on colour. Lines are wrapped to a width by
//! terminal cells; a width of [`UNWRAPPED`] leaves them whole, as a pipe to `grep` wants them. Without `verbose` the size
//! of the text depends on how many kinds of change there are, not on how many changes.

use std::collections::{BTreeMap, BTreeSet};

use super::action::Action;
use super::body::{Detail, Section, sections, some_names, tally_text};
use super::line::Line;
use super::style::Role;
use super::verdict::verdict;
use super::{body_drift, words};
use crate::plan::{Phase, SavedPlan};

/// How a text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextOptions {
    /// Whether colours are used.
    pub color: bool,
    /// Cells of a line.
    pub width: usize,
    /// Whether identical changes, chunks and steps are shown one by one and values whole.
    pub verbose: bool,
}

/// The width that wraps nothing.
pub const UNWRAPPED: usize = usize::MAX / 2;

/// Values longer than this are cut when not verbose.
const VALUE_CHARS: usize = 240;
/// Deletions of one kind that are shown whole when not verbose.
const DELETIONS: usize = 20;

/// Writes a plan for a terminal.
pub fn plan_text(plan: &SavedPlan, options: &TextOptions) -> String {
    let detail = if options.verbose {
        Detail { unfold: true, destructive: usize::MAX, value_chars: usize::MAX }
    } else {
        Detail { unfold: false, destructive: DELETIONS, value_chars: VALUE_CHARS }
    };
    let sections = sections(plan, detail);
    let mut blocks = vec![verdict_lines(plan), environment(plan, &sections)];
    blocks.push(titled(&format!("{}:", body_drift::TITLE), body_drift::lines(&plan.drift, 1)));
    blocks.extend(sections.iter().map(section_lines));
    blocks.push(findings(plan));
    blocks.push(roles(plan));
    if options.verbose {
        blocks.push(steps(plan));
    }
    blocks.push(not_shown(plan, &sections).into_iter().collect());
    if !sections.is_empty() || !plan.findings.is_empty() {
        blocks.push(verdict_lines(plan));
    }
    let mut out = String::new();
    for block in blocks.iter().filter(|block| !block.is_empty()) {
        if !out.is_empty() {
            out.push('\n');
        }
        for line in block {
            line.write(options, &mut out);
        }
    }
    out
}

fn verdict_lines(plan: &SavedPlan) -> Vec<Line> {
    verdict(plan).into_iter().map(|text| Line::new(0).part(Role::Strong, text)).collect()
}

fn environment(plan: &SavedPlan, sections: &[Section]) -> Vec<Line> {
    let files = some_names(plan.files.iter().map(|file| file.path.as_str()));
    let from = if files.is_empty() { String::new() } else { format!(" From {files}.") };
    let pin = &plan.environment;
    let role = pin.connected_as.as_ref().map(|role| format!(", connected as {role}")).unwrap_or_default();
    let words = format!("Environment {}, recorded as {}{role}.{from}", pin.name, pin.actor);
    let mut lines = vec![Line::new(0).plain(words)];
    lines.extend(legend(sections));
    lines
}

/// The symbols that the plan uses, with their words.
fn legend(sections: &[Section]) -> Option<Line> {
    let used: BTreeSet<Action> =
        sections.iter().flat_map(|s| &s.items).flat_map(|item| &item.lines).filter_map(|line| line.mark).collect();
    if used.is_empty() {
        return None;
    }
    let mut line = Line::new(0).part(Role::Faint, "Symbols:");
    for action in Action::ALL.into_iter().filter(|action| used.contains(action)) {
        line = line.plain("  ").part(action.role(), format!("{} {}", action.symbol(), action.word()));
    }
    Some(line)
}

/// The title line of a section: `Rows of t: 86 rows to create`.
fn section_lines(section: &Section) -> Vec<Line> {
    let title = [section.title, section.name.as_str()].join(" ");
    let heading = Line::new(0).part(Role::Strong, title.trim_end()).plain(": ").plain(tally_text(&section.tally()));
    let items = section.items.iter().flat_map(|item| item.lines.iter().cloned());
    std::iter::once(heading).chain(items).collect()
}

/// What is counted only: changes that were folded, rows that need none.
fn not_shown(plan: &SavedPlan, sections: &[Section]) -> Option<Line> {
    let mut folded: BTreeMap<&str, u64> = BTreeMap::new();
    for item in sections.iter().flat_map(|section| &section.items).filter(|item| item.things > 1) {
        *folded.entry(item.noun).or_default() += item.things;
    }
    let mut parts = Vec::new();
    if !folded.is_empty() {
        let folded: Vec<String> = folded.iter().map(|(noun, count)| words::count(*count, noun)).collect();
        parts.push(format!("{} folded (--verbose shows each)", folded.join(", ")));
    }
    if plan.summary.same_rows > 0 && !sections.is_empty() {
        let be = if plan.summary.same_rows == 1 { "is" } else { "are" };
        parts.push(format!("{} {be} as declared", words::count(plan.summary.same_rows, "row")));
    }
    (!parts.is_empty()).then(|| Line::new(0).part(Role::Faint, format!("Not shown: {}.", parts.join("; "))))
}

fn findings(plan: &SavedPlan) -> Vec<Line> {
    let line = |finding: &crate::diff::Finding| {
        let line = Line::new(1).part(Role::Warn, finding.code.as_str()).plain(" ");
        match &finding.address {
            Some(address) => line.part(Role::Strong, address.as_str()).plain(": "),
            None => line,
        }
        .plain(finding.message.as_str())
    };
    titled("Findings:", plan.findings.iter().map(line).collect())
}

/// What runs as whom, where a step runs as another role than the connection's own.
pub(super) fn roles(plan: &SavedPlan) -> Vec<Line> {
    if plan.steps.iter().all(|step| step.run_as.is_none()) {
        return Vec::new();
    }
    let mut roles: BTreeMap<Option<&str>, Vec<&str>> = BTreeMap::new();
    let mut vectors: Vec<&str> = Vec::new();
    for step in &plan.steps {
        match step.phase {
            Phase::Transaction => roles.entry(step.run_as.as_deref()).or_default().push(&step.title),
            Phase::Stage | Phase::Settle | Phase::Sweep => vectors.push(&step.title),
        }
    }
    let line = |role: &str, titles: &[&str]| Line::new(1).part(Role::Strong, role).plain(": ").plain(titles.join("; "));
    let mut lines: Vec<Line> =
        roles.iter().map(|(role, titles)| line(role.unwrap_or("the connection's own role"), titles)).collect();
    if !vectors.is_empty() {
        lines.push(line("the connection to Qdrant", &vectors));
    }
    titled("Runs as:", lines)
}

fn steps(plan: &SavedPlan) -> Vec<Line> {
    let line = |step: &crate::plan::Step| {
        let phase = match step.phase {
            Phase::Stage => "stage",
            Phase::Transaction => "transaction",
            Phase::Settle => "settle",
            Phase::Sweep => "sweep",
        };
        let line = Line::new(1).plain(format!("{:>3} ", step.id)).part(Role::Faint, format!("{phase:<11} "));
        let line = line.plain(step.title.as_str());
        match &step.run_as {
            Some(role) => line.part(Role::Faint, format!(" as {role}")),
            None => line,
        }
    };
    titled("Steps:", plan.steps.iter().map(line).collect())
}

fn titled(title: &str, lines: Vec<Line>) -> Vec<Line> {
    if lines.is_empty() {
        return lines;
    }
    std::iter::once(Line::new(0).part(Role::Strong, title)).chain(lines).collect()
}

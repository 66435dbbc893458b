//! The body of a plan, written once for the terminal and for Markdown.
//!
//! ```text
//! SavedPlan ── sections ──▶ [Section { items: [Item { lines }] }] ──▶ plan_text, plan_markdown
//! ```
//!
//! A section is a kind of thing (a table's rows, lifecycle, refreshes, one vector set); an item is what is shown or
//! left out as a whole. Identical changes are folded into one item that says for how many it stands.

use std::collections::BTreeMap;

use serde_json::Value;

use super::action::Action;
use super::line::Line;
use super::style::Role;
use super::{body_guards, body_rows, body_vectors, words};
use crate::diff::{Change, ChangeDetail, PromotionText, Reason};
use crate::plan::SavedPlan;

/// This many identical changes or more are folded.
pub(super) const FOLD_FROM: usize = 4;

/// How much is shown.
#[derive(Debug, Clone, Copy)]
pub(super) struct Detail {
    /// Whether identical changes are shown one by one.
    pub unfold: bool,
    /// How many destructive changes of one kind are shown one by one.
    pub destructive: usize,
    /// The longest value that is shown whole, in characters.
    pub value_chars: usize,
}

/// Changes of one kind that are built one by one where not all are: more than a comment holds.
const MOST_BUILT: usize = 1_500;
/// Changes of one kind, beside deletions, that a terminal shows one by one.
const LISTED: usize = 50;

impl Detail {
    /// How many deletions of one kind are built one by one.
    pub fn deletions(self) -> usize {
        if self.unfold { usize::MAX } else { self.destructive.min(MOST_BUILT) }
    }

    /// How many other changes of one kind are built one by one.
    pub fn listed(self) -> usize {
        if self.unfold { usize::MAX } else { self.destructive.clamp(LISTED, MOST_BUILT) }
    }
}

/// One kind of thing.
#[derive(Debug)]
pub(super) struct Section {
    /// What kind.
    pub title: &'static str,
    /// Which one: a table, a vector set.
    pub name: String,
    /// The changes.
    pub items: Vec<Item>,
}

/// What is shown or left out as a whole.
#[derive(Debug)]
pub(super) struct Item {
    /// What happens.
    pub action: Action,
    /// For how many things it stands; 0 for a heading.
    pub things: u64,
    /// What they are.
    pub noun: &'static str,
    /// Whether something is lost that is not made again.
    pub destructive: bool,
    /// How it reads.
    pub lines: Vec<Line>,
}

impl Section {
    /// How many things each action happens to, by action and noun.
    pub fn tally(&self) -> BTreeMap<(Action, &'static str), u64> {
        let mut tally = BTreeMap::new();
        for item in self.items.iter().filter(|item| item.things > 0) {
            *tally.entry((item.action, item.noun)).or_default() += item.things;
        }
        tally
    }
}

/// Writes a tally: `86 rows to create, 1 row to delete`.
pub(super) fn tally_text(tally: &BTreeMap<(Action, &'static str), u64>) -> String {
    let parts: Vec<String> =
        tally.iter().map(|((action, noun), n)| format!("{} to {}", words::count(*n, noun), action.word())).collect();
    parts.join(", ")
}

/// All sections of a plan, in the order of the groups: rows by table, lifecycle, refreshes, vector sets, gates,
/// guards, the forgotten.
pub(super) fn sections(plan: &SavedPlan, detail: Detail) -> Vec<Section> {
    let mut sections = body_rows::sections(&plan.changes, detail);
    let section = |title: &'static str, items: Vec<Item>| Section { title, name: String::new(), items };
    sections.push(section("Lifecycle", lifecycle(&plan.changes, detail)));
    sections.push(section("Refreshes", refreshes(&plan.changes)));
    sections.extend(body_vectors::sections(plan, detail));
    sections.push(section("Gates", body_guards::gates(&plan.changes)));
    sections.push(section("Guards", body_guards::guards(&plan.changes)));
    sections.push(section("No longer managed", forgotten(&plan.changes)));
    sections.retain(|section| !section.items.is_empty());
    sections
}

/// The line that says why, one level below what it explains.
pub(super) fn why(reasons: &[Reason], depth: usize) -> Line {
    Line::new(depth).part(Role::Faint, "why: ").plain(words::reasons(reasons))
}

/// Where a change is declared, as the end of its first line.
pub(super) fn declared(line: Line, change: &Change) -> Line {
    match &change.declared_at {
        Some(place) => line.part(Role::Faint, format!("  at {place}")),
        None => line,
    }
}

/// A change that is told in a few lines of its own, as its section shows it; rows and moves are told by their values.
pub(super) fn headline(plan: &SavedPlan, change: &Change) -> Option<Item> {
    match &change.detail {
        ChangeDetail::Promotion { .. } => promotion(change),
        ChangeDetail::Refresh { .. } => refresh(change),
        ChangeDetail::VectorSet(set) => Some(body_vectors::heading(plan, change, set)),
        ChangeDetail::Gate { .. } | ChangeDetail::Retention { .. } => {
            body_guards::gates(std::slice::from_ref(change)).pop()
        }
        ChangeDetail::Guard { .. } => body_guards::guards(std::slice::from_ref(change)).pop(),
        ChangeDetail::Forget => forgotten(std::slice::from_ref(change)).pop(),
        ChangeDetail::Row { .. } | ChangeDetail::Lifecycle { .. } => None,
    }
}

fn lifecycle(changes: &[Change], detail: Detail) -> Vec<Item> {
    let mut items: Vec<Item> = changes.iter().filter_map(promotion).collect();
    let mut moves: BTreeMap<(&str, &str, &str), Vec<&Change>> = BTreeMap::new();
    for change in changes {
        if let ChangeDetail::Lifecycle { unit, to, promotion } = &change.detail {
            moves.entry((promotion, &unit.lifecycle, to)).or_default().push(change);
        }
    }
    for ((promotion, from, to), changes) in moves {
        if changes.len() >= FOLD_FROM && !detail.unfold {
            items.push(folded_moves(promotion, from, to, &changes));
        } else {
            items.extend(changes.into_iter().map(one_move));
        }
    }
    items
}

fn promotion(change: &Change) -> Option<Item> {
    let ChangeDetail::Promotion { name, units, set_hash, record } = &change.detail else { return None };
    let line = Line::marked(0, Action::Create)
        .part(Role::Strong, format!("promotion.{name}"))
        .plain(format!(": {} recorded", words::count(*units, "unit")));
    let mut lines = vec![declared(line, change), why(&change.reasons, 1)];
    lines.extend(record.text.iter().flat_map(review));
    if let Some(hash) = set_hash {
        lines.push(Line::new(1).part(Role::Faint, "set hash: ").plain(hash.as_str()));
    }
    Some(Item { action: Action::Create, things: 1, noun: "promotion", destructive: false, lines })
}

/// Who decided what, and why.
fn review(text: &PromotionText) -> Vec<Line> {
    let PromotionText { units: _, decision, reviewer, rationale, at, more } = text;
    let field = |name: &str, text: &str| Line::new(1).part(Role::Faint, format!("{name}: ")).plain(text);
    let when = at.as_ref().map(|at| format!(" at {at}")).unwrap_or_default();
    let mut lines = vec![field("review", &format!("{decision} by {reviewer}{when}"))];
    for (number, line) in rationale.lines().enumerate() {
        lines.push(if number == 0 { field("rationale", line) } else { Line::new(2).plain(line) });
    }
    lines.extend(more.iter().map(|(name, value)| match value {
        Value::String(text) => field(name, text),
        other => field(name, &other.to_string()),
    }));
    lines
}

fn folded_moves(promotion: &str, from: &str, to: &str, changes: &[&Change]) -> Item {
    let things = changes.len() as u64;
    let heading = Line::marked(0, Action::Promote)
        .part(Role::Strong, words::count(things, "unit"))
        .plain(": ")
        .part(Role::Remove, from)
        .plain(" -> ")
        .part(Role::Add, to)
        .plain(format!(", by promotion {promotion}"));
    let units = changes.iter().filter_map(|change| {
        let ChangeDetail::Lifecycle { unit, .. } = &change.detail else { return None };
        Some(unit.address.as_str())
    });
    let lines = vec![heading, why(&shared_reasons(changes), 1), Line::new(1).plain(some_names(units))];
    Item { action: Action::Promote, things, noun: "unit", destructive: false, lines }
}

fn one_move(change: &Change) -> Item {
    let mut line = Line::marked(0, Action::Promote);
    if let ChangeDetail::Lifecycle { unit, to, promotion } = &change.detail {
        line = line
            .part(Role::Strong, unit.address.as_str())
            .plain(format!(" {}: ", super::escape::quoted(&unit.title)))
            .part(Role::Remove, unit.lifecycle.as_str())
            .plain(" -> ")
            .part(Role::Add, to.as_str())
            .plain(format!(", by promotion {promotion}"));
    }
    let lines = vec![declared(line, change), why(&change.reasons, 1)];
    Item { action: Action::Promote, things: 1, noun: "unit", destructive: false, lines }
}

/// The reasons of several changes, each once.
pub(super) fn shared_reasons(changes: &[&Change]) -> Vec<Reason> {
    let mut all: Vec<Reason> = Vec::new();
    for reason in changes.iter().flat_map(|change| &change.reasons) {
        if !all.contains(reason) {
            all.push(reason.clone());
        }
    }
    all
}

/// The first three names and how many more there are.
pub(super) fn some_names<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let shown = names.iter().take(3).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(3) {
        0 => shown,
        more => format!("{shown} and {} more", words::number(more as u64)),
    }
}

fn refreshes(changes: &[Change]) -> Vec<Item> {
    changes.iter().filter_map(refresh).collect()
}

fn refresh(change: &Change) -> Option<Item> {
    let ChangeDetail::Refresh { name, units } = &change.detail else { return None };
    let line = Line::marked(0, Action::Refresh)
        .part(Role::Strong, format!("refresh.{name}"))
        .plain(format!(": stale for {}", words::count(*units, "unit")));
    let lines = vec![declared(line, change), why(&change.reasons, 1)];
    Some(Item { action: Action::Refresh, things: 1, noun: "cache", destructive: false, lines })
}

fn forgotten(changes: &[Change]) -> Vec<Item> {
    let forget = |change: &Change| {
        let line =
            Line::marked(0, Action::Forget).part(Role::Strong, change.address.as_str()).plain(" (what it made stays)");
        let lines = vec![declared(line, change), why(&change.reasons, 1)];
        Item { action: Action::Forget, things: 1, noun: "resource", destructive: false, lines }
    };
    changes.iter().filter(|change| matches!(change.detail, ChangeDetail::Forget)).map(forget).collect()
}

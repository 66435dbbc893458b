//! Vector sets of a plan: what becomes of the collection and why, what it costs, and the points of each unit.

use std::collections::BTreeMap;

use super::action::Action;
use super::body::{Detail, Item, Section, declared, some_names, why};
use super::body_chunks::Chunks;
use super::line::Line;
use super::style::Role;
use super::{escape, layout, words};
use crate::diff::{
    Change, ChangeDetail, ChunkPlan, ChunkSource, CollectionChange, LedgerWrite, Reason, UnitPoints, VectorChange,
};
use crate::plan::{EmbeddingCost, SavedPlan, VectorCounts, VectorMaker, embedding_costs};

/// Units of one reason that are listed when the rest is folded.
const UNITS_LISTED: usize = 10;
/// The widest title.
const TITLE_CELLS: usize = 36;
/// What the points of one unit are together.
const ENTRY: &str = "index entry";

/// One section for each vector set that changes.
pub(super) fn sections(plan: &SavedPlan, detail: Detail) -> Vec<Section> {
    let section = |change: &Change| {
        let ChangeDetail::VectorSet(set) = &change.detail else { return None };
        let mut items = vec![heading(plan, change, set)];
        items.extend(unit_items(&set.units, detail));
        Some(Section { title: "Vector set", name: set.set.clone(), items })
    };
    plan.changes.iter().filter_map(section).collect()
}

/// The set itself.
pub(super) fn heading(plan: &SavedPlan, change: &Change, set: &VectorChange) -> Item {
    let action = match set.collection {
        CollectionChange::New => Action::Create,
        CollectionChange::Replace { .. } | CollectionChange::Return { .. } => Action::Replace,
        CollectionChange::InPlace { .. } => Action::Update,
        CollectionChange::Adopt { .. } => Action::Adopt,
    };
    let line = Line::marked(0, action).part(Role::Strong, change.address.as_str());
    let mut lines = vec![declared(line, change), why(&change.reasons, 1), rollout(&set.collection), points(set)];
    lines.extend(costs(plan, set));
    lines.extend(ledger(&set.ledger));
    if !set.skipped_empty.is_empty() {
        let units = words::count(set.skipped_empty.len() as u64, "unit");
        let names = some_names(set.skipped_empty.iter().map(String::as_str));
        let line = Line::new(1).part(Role::Faint, "without a body, so without a chunk: ");
        lines.push(line.plain(format!("{units}: {names}")));
    }
    // Replacing is not losing: what stays is in the new collection before the alias is switched.
    Item { action, things: 1, noun: "vector set", destructive: false, lines }
}

fn rollout(collection: &CollectionChange) -> Line {
    let line = Line::new(1).part(Role::Faint, "rollout: ");
    match collection {
        CollectionChange::New => line.plain("a new collection under the alias; nothing was there"),
        CollectionChange::Replace { live, why } => line
            .plain("blue_green: a new collection takes the place of ")
            .part(Role::Remove, live.as_str())
            .plain(format!(" by one alias switch; why: {why}")),
        CollectionChange::Return { live, to } => line
            .plain("blue_green: the alias goes back from ")
            .part(Role::Remove, live.as_str())
            .plain(" to ")
            .part(Role::Add, to.as_str())
            .plain(" by one switch"),
        CollectionChange::InPlace { live, why } => {
            line.plain(format!("in_place: points are written into {live}; why: {why}"))
        }
        CollectionChange::Adopt { live } => line.plain(format!("none: {live} stays as it is and is written down")),
    }
}

fn points(set: &VectorChange) -> Line {
    let mut counts = VectorCounts { kept: set.kept, tokens: set.tokens, ..VectorCounts::default() };
    for unit in &set.units {
        counts.delete += unit.delete.len() as u64;
        for chunk in &unit.chunks {
            match chunk.source {
                ChunkSource::Kept => {}
                ChunkSource::Copy { .. } | ChunkSource::Image { .. } => counts.copy += 1,
                ChunkSource::Embed { .. } => counts.embed += 1,
            }
        }
    }
    let mut text = counts_text(&counts);
    if set.foreign > 0 {
        text.push_str(&format!(", {} foreign (never touched)", words::number(set.foreign)));
    }
    Line::new(1).part(Role::Faint, "points: ").plain(text)
}

/// Points as the verdict counts them.
pub(super) fn counts_text(counts: &VectorCounts) -> String {
    let VectorCounts { embed, tokens, copy, delete, kept } = counts;
    let mut text = format!("{} to embed", words::number(*embed));
    if *embed > 0 {
        text.push_str(&format!(" ({} tokens)", words::tokens(*tokens)));
    }
    if *copy > 0 {
        text.push_str(&format!(", {} to copy", words::number(*copy)));
    }
    text.push_str(&format!(", {} to delete, {} kept", words::number(*delete), words::number(*kept)));
    text
}

/// What makes the vectors, and what that costs, one line for each vector.
fn costs(plan: &SavedPlan, set: &VectorChange) -> Vec<Line> {
    let lines = embedding_costs(plan, set).into_iter();
    lines.map(|cost| Line::new(1).part(Role::Faint, "cost: ").plain(cost_text(plan, &cost))).collect()
}

/// `dense: 412 texts, ~93k tokens, ~5 requests to default (openai m, 1536 dimensions), about 0.0019 at 0.02 …`.
fn cost_text(plan: &SavedPlan, cost: &EmbeddingCost) -> String {
    let EmbeddingCost { vector, maker, texts, tokens, requests, money } = cost;
    // The only vector of a collection may have no name.
    let named = if vector.is_empty() { String::new() } else { format!("{vector}: ") };
    let maker = match maker {
        VectorMaker::Bm25(language) => return format!("{named}BM25 ({language}), free"),
        VectorMaker::Embedder(name) => match plan.pins.embedders.get(name) {
            Some(pin) => format!("{name} ({} {}, {} dimensions)", pin.kind, pin.model, pin.dimension),
            None => name.clone(),
        },
    };
    let mut text = format!("{named}{}, {} tokens", words::count(*texts, "text"), words::tokens(*tokens));
    match requests {
        Some(1) => text.push_str(&format!(", 1 request to {maker}")),
        Some(requests) => text.push_str(&format!(", ~{} requests to {maker}", words::number(*requests))),
        None => text.push_str(&format!(" by {maker}, free")),
    }
    match (money, requests) {
        (Some((price, parts)), _) => {
            let (whole, parts) = (words::number(parts / 10_000), parts % 10_000);
            text.push_str(&format!(", about {whole}.{parts:04} at {price} for a million tokens"));
        }
        (None, Some(_)) => text.push_str(", no price configured"),
        (None, None) => {}
    }
    text
}

/// What is recorded in the binding's ledger.
fn ledger(writes: &[LedgerWrite]) -> Option<Line> {
    let present = writes.iter().filter(|write| write.exists).count() as u64;
    let gone = writes.len() as u64 - present;
    let text = format!("{} to record, {} to mark as removed", words::count(present, "point"), words::number(gone));
    (!writes.is_empty()).then(|| Line::new(1).part(Role::Faint, "ledger: ").plain(text))
}

fn unit_items(units: &[UnitPoints], detail: Detail) -> Vec<Item> {
    let mut reasons: BTreeMap<&Reason, Vec<&UnitPoints>> = BTreeMap::new();
    for unit in units {
        reasons.entry(&unit.reason).or_default().push(unit);
    }
    reasons.into_iter().flat_map(|(reason, units)| reason_items(reason, &units, detail)).collect()
}

fn reason_items(reason: &Reason, units: &[&UnitPoints], detail: Detail) -> Vec<Item> {
    let heading = Line::new(1).part(Role::Strong, words::reason(reason)).plain(format!(
        " ({}; {})",
        words::count(units.len() as u64, "unit"),
        Chunks::of_all(units.iter().copied()).text()
    ));
    let lines = vec![heading];
    let mut items = vec![Item { action: Action::Update, things: 0, noun: ENTRY, destructive: false, lines }];
    for destructive in [true, false] {
        let some: Vec<&UnitPoints> = units.iter().filter(|unit| is_lost(unit) == destructive).copied().collect();
        let most = match (detail.unfold, destructive) {
            (true, _) => usize::MAX,
            (false, true) => detail.deletions(),
            (false, false) => UNITS_LISTED,
        };
        let shown = if some.len() <= most.saturating_add(2) { some.len() } else { most };
        items.extend(listed(&some[..shown], detail));
        items.extend(more_units(&some[shown..]));
    }
    items
}

/// One item for each unit, their parts in columns.
fn listed(units: &[&UnitPoints], detail: Detail) -> Vec<Item> {
    let row = |unit: &&UnitPoints| {
        let title = layout::shorten(&escape::terminal(&unit.title), TITLE_CELLS);
        vec![unit.address.clone(), title, Chunks::of_all([*unit]).text()]
    };
    let rows: Vec<Vec<String>> = units.iter().map(row).collect();
    let texts = layout::columns(&rows, &[]);
    units.iter().zip(texts).map(|(unit, text)| unit_item(unit, text, detail)).collect()
}

fn unit_item(unit: &UnitPoints, text: String, detail: Detail) -> Item {
    let action = action_of(unit);
    let mut lines = vec![Line { mark: Some(action), ..Line::new(1) }.plain(text)];
    if detail.unfold {
        lines.extend(unit.chunks.iter().map(chunk_line));
        lines.extend(
            unit.delete
                .iter()
                .map(|id| Line { mark: Some(Action::Delete), ..Line::new(2) }.plain(format!("point {id}"))),
        );
    }
    Item { action, things: 1, noun: ENTRY, destructive: is_lost(unit), lines }
}

/// Whether points go and nothing takes their place: those of a unit that leaves.
fn is_lost(unit: &UnitPoints) -> bool {
    unit.chunks.is_empty() && !unit.delete.is_empty()
}

/// What happens to the points of a unit.
pub(super) fn action_of(unit: &UnitPoints) -> Action {
    if unit.reason == Reason::Adopted {
        return Action::Adopt;
    }
    let kept = unit.chunks.iter().any(|chunk| chunk.source == ChunkSource::Kept);
    match (unit.chunks.is_empty(), unit.delete.is_empty() && !kept) {
        (true, _) => Action::Delete,
        (false, true) => Action::Create,
        (false, false) => Action::Update,
    }
}

fn chunk_line(chunk: &ChunkPlan) -> Line {
    let source = match &chunk.source {
        ChunkSource::Kept => "kept".to_owned(),
        ChunkSource::Copy { from } => format!("vectors of point {from}"),
        ChunkSource::Image { run } => format!("as run {run} kept it"),
        ChunkSource::Embed { tokens } => format!("to embed ({} tokens)", words::tokens(*tokens)),
    };
    Line::new(2).part(Role::Faint, format!("chunk {}: {source}, point {}", chunk.ordinal + 1, chunk.id))
}

fn more_units(units: &[&UnitPoints]) -> Option<Item> {
    let first = units.first()?;
    let (things, action) = (units.len() as u64, action_of(first));
    let chunks = Chunks::of_all(units.iter().copied());
    let text = format!("and {}: {}", words::count(things, "more unit"), chunks.text());
    let lines = vec![Line { mark: Some(action), ..Line::new(1) }.part(Role::Faint, text)];
    Some(Item { action, things, noun: ENTRY, destructive: is_lost(first), lines })
}

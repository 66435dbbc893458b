//! The verdict of a plan, first and last in every rendering.

use std::collections::BTreeMap;

use super::body_vectors::counts_text;
use super::words::number;
use crate::diff::counted;
use crate::model::PointsCompared;
use crate::plan::{LifecycleCounts, SavedPlan, Summary};

/// The verdict's lines: what changes, then the digest that an approval names.
pub fn verdict(plan: &SavedPlan) -> Vec<String> {
    let digest = format!("Plan digest: {}", plan.digest);
    if plan.is_empty() && plan.changes.is_empty() {
        let whole = plan.partial.is_whole();
        let match_words = if whole { "the plan" } else { "what was asked for, which is a part of the plan files" };
        let same = format!("No changes. PostgreSQL and Qdrant match {match_words}.");
        return std::iter::once(same).chain(compared(plan)).chain([digest]).collect();
    }
    let [rows, rest] = counts(&plan.summary);
    vec![rows, rest, digest]
}

/// How the points were compared of which it is said that they match.
fn compared(plan: &SavedPlan) -> Option<String> {
    let mut points: BTreeMap<PointsCompared, u64> = BTreeMap::new();
    for collection in plan.baseline.collections.values().filter(|collection| collection.points > 0) {
        *points.entry(collection.compared).or_default() += collection.points;
    }
    let words = |(how, points): (&PointsCompared, &u64)| {
        let how = match how {
            PointsCompared::Fingerprint => "by fingerprint",
            PointsCompared::Id => "by id",
            PointsCompared::Deep => "deep, with payloads and the shape of vectors",
        };
        format!("{} {how}", counted(*points, "point"))
    };
    (!points.is_empty()).then(|| format!("Compared: {}.", points.iter().map(words).collect::<Vec<_>>().join(", ")))
}

/// The two lines that count.
pub fn counts(summary: &Summary) -> [String; 2] {
    let Summary { add, change, destroy, lifecycle, vectors, forget, take_over, same_rows: _ } = summary;
    let mut rows =
        format!("Plan: {} to add, {} to change, {} to destroy", number(*add), number(*change), number(*destroy));
    if *forget > 0 {
        rows.push_str(&format!(", {} to forget", number(*forget)));
    }
    if *take_over > 0 {
        rows.push_str(&format!(", {} to take over", number(*take_over)));
    }
    rows.push('.');
    [rows, format!("Lifecycle: {}. Vectors: {}.", moves(lifecycle), counts_text(vectors))]
}

fn moves(lifecycle: &LifecycleCounts) -> String {
    let LifecycleCounts { promote, to } = lifecycle;
    let mut text = format!("{} to promote", number(*promote));
    if to.len() > 1 {
        let states: Vec<String> = to.iter().map(|(state, units)| format!("{} to {state}", number(*units))).collect();
        text.push_str(&format!(" ({})", states.join(", ")));
    }
    text
}

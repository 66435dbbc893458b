//! The verdict of a plan, first and last in every rendering.

use super::body_vectors::counts_text;
use super::words::number;
use crate::plan::{LifecycleCounts, SavedPlan, Summary};

/// The verdict's lines: what changes, then the digest that an approval names.
pub fn verdict(plan: &SavedPlan) -> Vec<String> {
    let digest = format!("Plan digest: {}", plan.digest);
    if plan.is_empty() && plan.changes.is_empty() {
        let whole = plan.partial.is_whole();
        let match_words = if whole { "the plan" } else { "what was asked for, which is a part of the plan files" };
        return vec![format!("No changes. PostgreSQL and Qdrant match {match_words}."), digest];
    }
    let [rows, rest] = counts(&plan.summary);
    vec![rows, rest, digest]
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

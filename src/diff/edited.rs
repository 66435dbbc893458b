//! Promotions that were applied and say something else now. What was decided was decided: it is not edited, and an edited
//! file is not a new decision.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::codes;
use super::resolve::PromotionRecord;
use crate::model::{Condition, Diagnostic, Place, Promotion, Review, Selection};

/// What the plan file said of a promotion when it was applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PromotionText {
    /// The selection of its units.
    pub units: Selection,
    /// The verdict.
    pub decision: String,
    /// Who decided.
    pub reviewer: String,
    /// Why.
    pub rationale: String,
    /// When, where that was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Other values of the review.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, Value>,
}

impl PromotionText {
    pub(super) fn of(promotion: &Promotion, units: &Selection) -> PromotionText {
        let Review { decision, reviewer, rationale, at, more, place: _ } = &promotion.review;
        PromotionText {
            units: units.clone(),
            decision: decision.clone(),
            reviewer: reviewer.clone(),
            rationale: rationale.clone(),
            at: at.clone(),
            more: more.clone(),
        }
    }
}

/// What was applied of a field, and what the file says now.
struct Edit<'a> {
    field: String,
    applied: String,
    declared: String,
    place: &'a Place,
}

/// Each field of an applied promotion that the file has changed since.
pub(super) fn edits(promotion: &Promotion, units: (&Selection, &Place), record: &PromotionRecord) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    let mut compare = |field: &str, applied: &str, declared: &str, place| {
        if applied != declared {
            let (applied, declared) = (applied.to_owned(), declared.to_owned());
            found.push(Edit { field: field.to_owned(), applied, declared, place });
        }
    };
    compare("to", &record.to, &promotion.to.value, &promotion.to.place);
    let namespace = promotion.ids.namespace.as_deref().unwrap_or(&promotion.name);
    compare("ids.namespace", &record.namespace, namespace, &promotion.place);
    if let (Some(applied), Some(declared)) = (&record.scheme, &promotion.ids.scheme) {
        compare("ids.scheme", applied, &declared.value, &declared.place);
    }
    if let Some(text) = &record.text {
        let PromotionText { units: selected, decision, reviewer, rationale, at, more } = text;
        let Review { decision: now, reviewer: by, rationale: why, at: when, more: other, place } = &promotion.review;
        let place = place.as_ref().unwrap_or(&promotion.place);
        compare("units", &selection_text(selected), &selection_text(units.0), units.1);
        compare("review.decision", decision, now, place);
        compare("review.reviewer", reviewer, by, place);
        compare("review.rationale", rationale, why, place);
        compare("review.at", at.as_deref().unwrap_or("not written"), when.as_deref().unwrap_or("not written"), place);
        let value = |values: &BTreeMap<String, Value>, name| {
            values.get(name).map_or("not written".to_owned(), Value::to_string)
        };
        for name in more.keys().chain(other.keys().filter(|name| !more.contains_key(*name))) {
            compare(&format!("review.{name}"), &value(more, name), &value(other, name), place);
        }
    }
    found.into_iter().map(|edit| diagnostic(promotion, &edit)).collect()
}

fn diagnostic(promotion: &Promotion, edit: &Edit<'_>) -> Diagnostic {
    let Edit { field, applied, declared, place } = edit;
    let detail = format!(
        "promotion \"{}\" was applied with {field}: {}, and the file says {} now",
        promotion.name,
        short(applied),
        short(declared)
    );
    Diagnostic::error(codes::EDITED_PROMOTION, detail).at(place).hint(format!(
        "a decision that was applied stays as it was reviewed: write {field} as it was, and a promotion of another name for what is decided now"
    ))
}

/// `lifecycle: draft, section_type: one of a, b`.
fn selection_text(selection: &Selection) -> String {
    let one = |(field, condition): (&String, &Condition)| match condition {
        Condition::In(values) => format!("{field}: {}", values.join(" or ")),
        Condition::Prefix(prefix) => format!("{field}: {prefix}…"),
        Condition::Null => format!("{field}: null"),
    };
    let all: Vec<String> = selection.conditions.iter().map(one).collect();
    if all.is_empty() { "every unit".to_owned() } else { all.join(", ") }
}

/// Characters of a value that an error shows.
const SHOWN: usize = 80;

fn short(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("\"{}…\"", &text[..end]),
        None => format!("\"{text}\""),
    }
}

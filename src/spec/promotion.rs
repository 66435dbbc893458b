//! Promotions: which units move to which state, under which review.

use std::collections::BTreeMap;

use serde_json::Value;

use super::selection::units_ref;
use super::tree::{Entry, Node};
use super::walk::{Fields, json};
use crate::model::{Diagnostics, IdChoice, Promotion, Review, Spot};

/// Keys of a promotion.
pub(super) const PROMOTION_KEYS: &[&str] = &["units", "to", "review", "ids"];
/// Keys of a review that mean something to Enact; the binding's templates may name more.
pub(super) const REVIEW_KEYS: &[&str] = &["decision", "reviewer", "rationale", "at"];
/// Keys of the choice of ids.
pub(super) const IDS_KEYS: &[&str] = &["scheme", "namespace"];

/// Reads one entry of `promotions`.
pub(super) fn promotion(name: &Spot<String>, node: &Node, out: &mut Diagnostics) -> Option<Promotion> {
    let fields = Fields::open(node, &format!("promotion \"{}\"", name.value), &name.place, PROMOTION_KEYS, out)?;
    let units = fields.require("units", out).and_then(|node| units_ref(node, out));
    let to = fields.require_text("to", out);
    // Asked for first, so that a missing review is reported even when the entry is absent.
    let review = fields.require("review", out).and(fields.entry("review")).and_then(|entry| review(entry, out));
    let ids = match fields.entry("ids") {
        None => Some(IdChoice::default()),
        Some(entry) => id_choice(entry, out),
    };
    Some(Promotion {
        name: name.value.clone(),
        units: units?,
        to: to?,
        review: review?,
        ids: ids?,
        adopt: false,
        place: name.place.clone(),
    })
}

fn review(entry: &Entry, out: &mut Diagnostics) -> Option<Review> {
    let fields = Fields::open_any(&entry.value, "\"review\"", &entry.key.place, out)?;
    let decision = fields.require_text("decision", out);
    let reviewer = fields.require_text("reviewer", out);
    let rationale = fields.require_text("rationale", out);
    let at = fields.optional_text("at", out);
    let more = fields.entries().iter().filter(|entry| !REVIEW_KEYS.contains(&entry.key.value.as_str()));
    let more: Vec<_> = more.map(|entry| Some((entry.key.value.clone(), json(&entry.value, out)?))).collect();
    let more: Option<BTreeMap<String, Value>> = more.into_iter().collect();
    Some(Review {
        decision: decision?.value,
        reviewer: reviewer?.value,
        rationale: rationale?.value,
        at: at?.map(|at| at.value),
        more: more?,
        place: Some(entry.key.place.clone()),
    })
}

fn id_choice(entry: &Entry, out: &mut Diagnostics) -> Option<IdChoice> {
    let fields = Fields::open(&entry.value, "\"ids\"", &entry.key.place, IDS_KEYS, out)?;
    let scheme = fields.optional_text("scheme", out);
    let namespace = fields.optional_text("namespace", out);
    Some(IdChoice { scheme: scheme?, namespace: namespace?.map(|namespace| namespace.value) })
}

//! Puts sections and known keys into the documented order.

use super::build::{Block, Body, Entry};
use crate::spec::plan_file::PLAN_KEYS;
use crate::spec::promotion::{IDS_KEYS, PROMOTION_KEYS, REVIEW_KEYS};
use crate::spec::rows::{ROW_KEYS, TABLE_KEYS};
use crate::spec::selection::{EXPECT_KEYS, UNITS_KEYS};
use crate::spec::vectors::{POLICY_KEYS, SET_KEYS, VECTOR_KEYS};

/// What stands for an item in a path.
const ITEM: &str = "[]";

/// Sorts a block and all blocks in it. Keys that are not known keep their order, behind those that are.
pub(super) fn sort(block: &mut Block, path: &mut Vec<String>) {
    if let Some(known) = known_keys(path) {
        let rank =
            |entry: &Entry| known.iter().position(|key| entry.key.as_deref() == Some(*key)).unwrap_or(known.len());
        block.entries.sort_by_key(rank);
    }
    for entry in &mut block.entries {
        path.push(entry.key.clone().unwrap_or_else(|| ITEM.to_owned()));
        match &mut entry.body {
            Body::Below(block) | Body::Inline(block) => sort(block, path),
            Body::Lines(_) => {}
        }
        path.pop();
    }
}

/// The keys of a mapping, in order; `None` where the author chooses the keys.
fn known_keys(path: &[String]) -> Option<Vec<&'static str>> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let keys = match path.as_slice() {
        [] => return Some(PLAN_KEYS.to_vec()),
        ["units", _] => UNITS_KEYS,
        ["units", _, "expect"] => EXPECT_KEYS,
        ["promotions", _] => PROMOTION_KEYS,
        ["promotions", _, "review"] => REVIEW_KEYS,
        ["promotions", _, "ids"] => IDS_KEYS,
        ["rows", _] => TABLE_KEYS,
        ["rows", _, ITEM] | ["rows", _, "rows", ITEM] => ROW_KEYS,
        ["chunk_policies", _] => POLICY_KEYS,
        ["vector_sets", _] => SET_KEYS,
        ["vector_sets", _, "vectors", _] => VECTOR_KEYS,
        _ => return None,
    };
    Some(keys.to_vec())
}

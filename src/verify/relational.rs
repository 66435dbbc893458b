//! Runs, caches, gates and promotions. Pure.

use std::collections::BTreeSet;

use super::read::{Facts, PromotionFacts};
use super::result::{Check, counted};
use crate::model::{Binding, LifecycleBinding};

/// No run is left in the middle.
pub(super) fn runs(facts: &Facts) -> Check {
    let what =
        facts.unfinished.iter().map(|run| format!("run {run} is not closed; enact resume finishes it")).collect();
    Check::of("runs: none is unfinished", facts.unfinished.len(), what)
}

/// Status views say what they should.
pub(super) fn refreshes(binding: &Binding, facts: &Facts) -> Vec<Check> {
    let one = |refresh: &crate::model::Refresh| {
        let view = &refresh.status.view;
        let title = format!("cache {}: {view} says that it is fresh", refresh.name);
        if facts.promotions.is_empty() {
            return Check::skipped(title, 0, "no promotion was applied yet");
        }
        let expect = &refresh.status.expect;
        let what = match facts.refreshes.get(&refresh.name) {
            None => vec![format!("{view} is not there")],
            Some(found) if found.rows != 1 => vec![format!("{view} has {} rows instead of one", found.rows)],
            Some(found) => expect
                .iter()
                .filter_map(|(column, expected)| {
                    let value = found.values.get(column).cloned().flatten();
                    let is = value.as_deref().unwrap_or("NULL");
                    (value.as_ref() != Some(expected)).then(|| format!("{column} should be {expected} and is {is}"))
                })
                .collect(),
        };
        Check::of(title, expect.len(), what)
    };
    binding.refresh.iter().map(one).collect()
}

/// Gates that Enact opens for a moment are shut.
pub(super) fn gates(binding: &Binding, facts: &Facts) -> Vec<Check> {
    let (Some(gates), Some(name)) = (&binding.gates, binding.ledger.as_ref().and_then(|ledger| ledger.gate.as_ref()))
    else {
        return Vec::new();
    };
    let title = format!("gate {name}: is shut");
    let what = match facts.gates.get(name) {
        None if facts.sets.is_empty() => return vec![Check::skipped(title, 0, "no vector set was applied yet")],
        None => vec![format!("{} is not there", gates.table)],
        Some(Some(value)) if *value == gates.open => vec![format!("it is open (\"{value}\")")],
        Some(Some(_) | None) => Vec::new(),
    };
    vec![Check::of(title, 1, what)]
}

/// Promoted units are where they were moved, or have moved on legally.
pub(super) fn promotions(binding: &Binding, facts: &Facts) -> Vec<Check> {
    let one = |(name, promotion): (&String, &Option<PromotionFacts>)| {
        let Some(PromotionFacts { to, count, strayed }) = promotion else {
            let what = vec!["the database's record of it cannot be read".to_owned()];
            return Check::of(format!("promotion \"{name}\": its record is readable"), 0, what);
        };
        let wrong = strayed.iter().map(|(address, id)| match facts.units.get(id) {
            None => format!("unit \"{address}\" is gone"),
            Some(live) if reachable(&binding.lifecycle, to).contains(live.lifecycle.as_str()) => {
                format!("unit \"{address}\" is {} again, as it was before", live.lifecycle)
            }
            Some(live) => format!("unit \"{address}\" is {}, which no transition reaches from {to}", live.lifecycle),
        });
        let title = format!("promotion \"{name}\": units are {to} or have moved on legally");
        Check::of(title, counted(*count), wrong.collect())
    };
    facts.promotions.iter().map(one).collect()
}

/// Every state that transitions reach from one, itself among them.
pub(super) fn reachable<'a>(lifecycle: &'a LifecycleBinding, from: &'a str) -> BTreeSet<&'a str> {
    let mut out = BTreeSet::from([from]);
    loop {
        let next: Vec<&str> = lifecycle
            .transitions
            .iter()
            .filter(|transition| out.contains(transition.from.as_str()) && !out.contains(transition.to.as_str()))
            .map(|transition| transition.to.as_str())
            .collect();
        if next.is_empty() {
            return out;
        }
        out.extend(next);
    }
}

//! Findings about the plan as a whole: what cannot go back, what is locked for long, what cannot be locked.

use std::collections::BTreeMap;

use super::build::BuildInput;
use crate::diff::{ChangeDetail, Finding, codes, counted};
use crate::model::TableName;

/// Rows and transitions of one transaction from which on others may notice its locks: at a few hundred transitions a
/// second (functions with triggers) that is above ten seconds.
pub const LONG_LOCK: u64 = 5_000;

/// All of them, in no order.
pub(super) fn lint(input: &BuildInput<'_>) -> Vec<Finding> {
    let mut out = no_way_back(input);
    out.extend(long_lock(input));
    out.extend(not_locked(input));
    out
}

fn no_way_back(input: &BuildInput<'_>) -> Vec<Finding> {
    let transitions = &input.binding.lifecycle.transitions;
    let mut ways: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for change in &input.comparison.changes {
        if let ChangeDetail::Lifecycle { unit, to, .. } = &change.detail {
            *ways.entry((unit.lifecycle.as_str(), to.as_str())).or_default() += 1;
        }
    }
    ways.into_iter()
        .filter(|((from, to), _)| !transitions.iter().any(|t| t.from == *to && t.to == *from))
        .map(|((from, to), count)| Finding {
            code: codes::NO_WAY_BACK.id.to_owned(),
            address: None,
            message: format!("{from} -> {to} ({}) has no way back to {from}", counted(count, "unit")),
        })
        .collect()
}

fn long_lock(input: &BuildInput<'_>) -> Option<Finding> {
    let (mut rows, mut units) = (0, 0);
    for change in &input.comparison.changes {
        match &change.detail {
            ChangeDetail::Row { .. } => rows += 1,
            ChangeDetail::Lifecycle { .. } => units += 1,
            ChangeDetail::VectorSet(set) => rows += set.ledger.len() as u64,
            ChangeDetail::Gate { .. } | ChangeDetail::Retention { .. } => rows += 1,
            ChangeDetail::Promotion { .. }
            | ChangeDetail::Refresh { .. }
            | ChangeDetail::Guard { .. }
            | ChangeDetail::Forget => {}
        }
    }
    let message = format!(
        "{} written and {} moved in one transaction: others wait for these until it ends",
        counted(rows, "row"),
        counted(units, "unit")
    );
    (rows + units >= LONG_LOCK).then(|| Finding { code: codes::LONG_LOCK.id.to_owned(), address: None, message })
}

/// Units that a selection or a promotion of the plan stands on, in tables that the role may not lock.
fn not_locked(input: &BuildInput<'_>) -> Option<Finding> {
    let stands_on_units = input.comparison.changes.iter().any(|change| {
        matches!(
            &change.detail,
            ChangeDetail::Lifecycle { .. } | ChangeDetail::VectorSet(_) | ChangeDetail::Promotion { .. }
        )
    });
    let may_not = |table: &&TableName| {
        let facts = input.observed.tables.get(*table);
        facts.is_some_and(|facts| facts.privileges.contains("SELECT") && !facts.privileges.contains("UPDATE"))
    };
    let tables: Vec<String> = input.binding.units.tables.iter().filter(may_not).map(TableName::to_string).collect();
    let message = format!(
        "the role may read {} and not lock it: units are read again as the last thing before the decision",
        tables.join(", ")
    );
    (stands_on_units && !tables.is_empty()).then(|| Finding {
        code: codes::NOT_LOCKED.id.to_owned(),
        address: None,
        message,
    })
}

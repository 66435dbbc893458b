//! The ledger's rows against what units own, both ways. Pure.

use std::collections::{BTreeMap, BTreeSet};

use super::read::Facts;
use super::result::Check;
use crate::model::{Binding, Ledger, LedgerRow, OwnedChunk};

/// Compares the ledger.
pub(super) fn checks(binding: &Binding, facts: &Facts) -> Vec<Check> {
    let Some(ledger) = &binding.ledger else { return Vec::new() };
    let title = |what: &str| format!("ledger {}: {what}", ledger.table);
    if !facts.sets.keys().any(|name| ledger.sets.contains(name)) {
        return vec![Check::skipped(
            title("rows and points agree"),
            0,
            "no vector set with this ledger was applied yet",
        )];
    }
    let Some(found) = &facts.ledger else {
        return vec![Check::of(title("rows and points agree"), 0, vec![format!("{} is not there", ledger.table)])];
    };
    let mut expected: BTreeMap<&String, (&String, &OwnedChunk)> = BTreeMap::new();
    let mut keyless = Vec::new();
    for (unit, owned) in found.owned.values().flatten() {
        for (at, chunk) in (0u32..).zip(&owned.chunks) {
            match found.keys.get(&(unit.clone(), at)) {
                Some(key) => {
                    expected.insert(key, (unit, chunk));
                }
                None => keyless.push(format!("no key can be made for \"{}\", chunk {at}", owned.address)),
            }
        }
    }
    let wrong =
        expected.iter().filter_map(|(key, (unit, chunk))| wrong(ledger, key, found.rows.get(*key), unit, chunk));
    let wrong: Vec<String> = keyless.into_iter().chain(wrong).collect();
    let units: BTreeSet<&String> = found.owned.values().flat_map(BTreeMap::keys).collect();
    let managed = |row: &LedgerRow| row.unit.as_ref().is_some_and(|unit| units.contains(unit));
    let standing = found.rows.iter().filter(|(_, row)| row.status == ledger.indexed);
    let (mine, others): (Vec<_>, Vec<_>) = standing.partition(|(_, row)| managed(row));
    let stray = mine.iter().filter(|(key, _)| !expected.contains_key(key));
    let stray: Vec<String> = stray.map(|(key, _)| format!("row \"{key}\" has no point")).collect();
    let mut checks = vec![
        Check::of(title("every owned point has its row"), expected.len(), wrong),
        Check::of(title("every row of a managed unit has its point"), mine.len(), stray),
    ];
    if !others.is_empty() {
        checks.push(Check::skipped(title("rows of other units"), others.len(), "Enact does not manage these units"));
    }
    checks
}

fn wrong(ledger: &Ledger, key: &str, row: Option<&LedgerRow>, unit: &str, chunk: &OwnedChunk) -> Option<String> {
    let Some(row) = row else { return Some(format!("row \"{key}\" is missing")) };
    if row.status != ledger.indexed {
        return Some(format!("row \"{key}\" is {} and should be {}", row.status, ledger.indexed));
    }
    if row.unit.as_deref() != Some(unit) {
        let found = row.unit.as_deref().unwrap_or("no unit");
        return Some(format!("row \"{key}\" is for {found} and should be for {unit}"));
    }
    (row.digest.as_deref() != Some(chunk.sha256.as_str())).then(|| format!("row \"{key}\" has another digest"))
}

//! What a plan observed, as digests. The same functions make the baseline and check it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::build::BuildInput;
use super::pins::SelectionPin;
use super::saved::{Baseline, CollectionBaseline, RowBaseline, UnitMade};
use crate::diff::{Change, ChangeDetail, RowChange, UnitPoints, live_collection};
use crate::model::{Address, Digest, Managed, ReferenceTarget, TriedUnits, UnitFacts, digest_of};
use crate::points::with_state;

/// Units that the selections chose before, or choose after, by address.
pub fn relevant_units(
    selections: &[SelectionPin],
    overlay: &BTreeMap<String, String>,
    units: &BTreeMap<String, UnitFacts>,
) -> BTreeMap<String, Digest> {
    let relevant =
        units.values().filter(|unit| overlay.contains_key(&unit.id) || by(selections, overlay, unit).is_some());
    relevant.map(|unit| (unit.address.clone(), unit.digest())).collect()
}

/// Two units of a plan with one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedAddress<'a> {
    /// The address.
    pub address: &'a str,
    /// Ids of the units.
    pub ids: (&'a str, &'a str),
    /// What selects one of them, where a selection does.
    pub by: Option<&'a Address>,
}

/// Addresses that two of the relevant units share; the first two of each.
pub fn shared_addresses<'a>(
    selections: &'a [SelectionPin],
    overlay: &BTreeMap<String, String>,
    units: &'a BTreeMap<String, UnitFacts>,
) -> Vec<SharedAddress<'a>> {
    let mut ids: BTreeMap<&str, Vec<&UnitFacts>> = BTreeMap::new();
    for unit in units.values() {
        ids.entry(&unit.address).or_default().push(unit);
    }
    let several = ids.into_iter().filter(|(_, units)| units.len() > 1);
    let shared = several.filter_map(|(address, units)| {
        let chosen = |unit: &&&UnitFacts| overlay.contains_key(&unit.id) || by(selections, overlay, unit).is_some();
        let mut relevant = units.iter().filter(chosen);
        let (one, other) = (relevant.next()?, relevant.next()?);
        let by = by(selections, overlay, one).or_else(|| by(selections, overlay, other));
        Some(SharedAddress { address, ids: (&one.id, &other.id), by })
    });
    shared.collect()
}

/// What selects a unit, before or after the plan.
fn by<'a>(selections: &'a [SelectionPin], overlay: &BTreeMap<String, String>, unit: &UnitFacts) -> Option<&'a Address> {
    let chooses = |pin: &&SelectionPin| {
        let after = overlay.get(&unit.id).filter(|_| pin.after);
        pin.selection.matches(|field| match field {
            "lifecycle" => Some(after.unwrap_or(&unit.lifecycle).clone()),
            other => unit.field(other),
        })
    };
    selections.iter().find(chooses).map(|pin| &pin.of)
}

/// The most parts that units are divided into.
const MOST_PARTS: usize = 1 << 10;
/// Bytes of a part's digest.
const PART_BYTES: usize = 5;
/// Units that are named where it is one of several.
const NAMED: usize = 5;

/// Units that a plan stands on: one digest over all, and short ones over parts, so that what differs can be found without a
/// list of what does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnitsBaseline {
    /// How many there are.
    pub count: u64,
    /// The digest over their addresses and digests.
    pub digest: Option<Digest>,
    /// Of each part how many units it has (modulo 256) and the beginning of its digest, in hexadecimal digits. A unit is in the
    /// part that the digest of its address says.
    pub parts: String,
}

impl UnitsBaseline {
    /// The baseline of these units, by address.
    pub fn of(units: &BTreeMap<String, Digest>) -> UnitsBaseline {
        let parts = units.len().next_power_of_two().min(MOST_PARTS);
        UnitsBaseline {
            count: units.len() as u64,
            digest: Some(digest_of(units)),
            parts: Self::parts(units, parts).into_iter().map(hex::encode).collect(),
        }
    }

    fn parts(units: &BTreeMap<String, Digest>, parts: usize) -> Vec<[u8; PART_BYTES]> {
        let mut counts = vec![0u8; parts];
        let mut hashers = vec![blake3::Hasher::new(); parts];
        for (address, digest) in units {
            let part = part_of(address, parts);
            counts[part] = counts[part].wrapping_add(1);
            hashers[part].update(address.as_bytes()).update(b"\n").update(digest.as_bytes()).update(b"\n");
        }
        let one = |(count, hasher): (u8, blake3::Hasher)| {
            let mut out = [0; PART_BYTES];
            out[0] = count;
            out[1..].copy_from_slice(&hasher.finalize().as_bytes()[..PART_BYTES - 1]);
            out
        };
        counts.into_iter().zip(hashers).map(one).collect()
    }

    /// Says how the units there are now differ. `planned` are those of the plan's own changes; `known` are addresses of others
    /// that may have been there.
    pub fn differences<'k>(
        &self,
        now: &BTreeMap<String, Digest>,
        planned: &BTreeMap<&str, Digest>,
        known: impl IntoIterator<Item = &'k str>,
    ) -> Vec<String> {
        if (self.count, &self.digest) == (now.len() as u64, &Some(digest_of(now))) {
            return Vec::new();
        }
        let mut out = Vec::new();
        let mut explained: BTreeSet<&str> = BTreeSet::new();
        for (address, digest) in planned {
            match now.get(*address) {
                Some(found) if found == digest => continue,
                Some(_) => out.push(format!("unit \"{address}\" changed")),
                None => out.push(format!("unit \"{address}\" is gone or no longer selected")),
            }
            explained.insert(address);
        }
        let known: BTreeSet<&str> = known.into_iter().filter(|address| !now.contains_key(*address)).collect();
        self.parts_that_differ(now, planned, &known, &explained, &mut out);
        if out.is_empty() {
            out.push("units that the plan stands on changed".to_owned());
        }
        out
    }

    fn parts_that_differ(
        &self,
        now: &BTreeMap<String, Digest>,
        planned: &BTreeMap<&str, Digest>,
        known: &BTreeSet<&str>,
        explained: &BTreeSet<&str>,
        out: &mut Vec<String>,
    ) {
        let before = hex::decode(&self.parts).unwrap_or_default();
        let parts = before.len() / PART_BYTES;
        if parts == 0 {
            return;
        }
        let found = Self::parts(now, parts);
        let mut members: Vec<Vec<&str>> = vec![Vec::new(); parts];
        for address in now.keys().filter(|address| !planned.contains_key(address.as_str())) {
            members[part_of(address, parts)].push(address);
        }
        let mut gone: Vec<Vec<&str>> = vec![Vec::new(); parts];
        for address in known.iter().filter(|address| !planned.contains_key(**address)) {
            gone[part_of(address, parts)].push(address);
        }
        let explained: BTreeSet<usize> = explained.iter().map(|address| part_of(address, parts)).collect();
        for (part, (was, is)) in before.chunks_exact(PART_BYTES).zip(&found).enumerate() {
            if was == is || explained.contains(&part) {
                continue;
            }
            // More or fewer than a hundred and twenty-eight of one part are as good as many.
            let (fewer, more) = (was[0].wrapping_sub(is[0]), is[0].wrapping_sub(was[0]));
            out.push(if was[0] == is[0] {
                format!("{} changed", one_of(&members[part], "a unit"))
            } else if fewer < more {
                format!("{} is gone or no longer selected", one_of(&gone[part], "a unit"))
            } else {
                format!("{} is selected now", one_of(&members[part], "a unit"))
            });
        }
    }
}

/// The part of a unit, by its address.
fn part_of(address: &str, parts: usize) -> usize {
    let hash = blake3::hash(address.as_bytes());
    let [a, b, c, d, ..] = *hash.as_bytes();
    u32::from_be_bytes([a, b, c, d]) as usize % parts
}

fn one_of(addresses: &[&str], nobody: &str) -> String {
    let quoted = |address: &&str| format!("\"{address}\"");
    match addresses {
        [] => nobody.to_owned(),
        [one] => format!("unit {}", quoted(one)),
        some if some.len() <= NAMED => {
            format!("one of the units {}", some.iter().map(quoted).collect::<Vec<_>>().join(", "))
        }
        many => {
            let named: Vec<String> = many.iter().take(NAMED).map(quoted).collect();
            format!("one of the units {} and {} more", named.join(", "), many.len() - NAMED)
        }
    }
}

/// The digest of everything managed under a promotion or a vector set. `sums` are of the records of the sets' units.
pub fn managed_under(root: &Address, managed: &BTreeMap<Address, Managed>, sums: &BTreeMap<String, String>) -> Digest {
    let set = root.as_str().strip_prefix(Address::vector_set("").as_str());
    digest_of(&(managed.get(root).map(|managed| &managed.digest), set.and_then(|set| sums.get(set))))
}

pub(super) fn baseline(input: &BuildInput<'_>, selections: &[SelectionPin]) -> Baseline {
    let observed = input.observed;
    let mut managed = BTreeMap::new();
    for name in input.desired.promotions.keys() {
        let root = Address::promotion(name);
        managed.insert(root.clone(), managed_under(&root, &observed.managed, &observed.record_sums));
    }
    let mut collections = BTreeMap::new();
    let mut ledgers = BTreeMap::new();
    let changed = input.comparison.changes.iter().filter_map(|change| match &change.detail {
        ChangeDetail::VectorSet(set) => Some(&set.set),
        _ => None,
    });
    let sets: BTreeSet<&String> = input.desired.vector_sets.keys().chain(changed).collect();
    for name in sets {
        let root = Address::vector_set(name);
        managed.insert(root.clone(), managed_under(&root, &observed.managed, &observed.record_sums));
        let live = live_collection(name, observed);
        let found = observed.points.get(name);
        let keyed = |change: &Change| match &change.detail {
            ChangeDetail::VectorSet(set) if set.set == *name => set.units.iter().any(UnitPoints::is_keyed),
            _ => false,
        };
        let declared = input.desired.vector_sets.get(name).map(|set| set.ids.keyed());
        collections.insert(
            name.clone(),
            CollectionBaseline {
                alias: live.as_ref().is_some_and(|(_, alias)| *alias),
                collection: live.map(|(collection, _)| collection),
                points: found.map_or(0, |live| live.total),
                keyed: declared.unwrap_or_else(|| input.comparison.changes.iter().any(keyed)),
                compared: found.map(|live| live.compared).unwrap_or_default(),
                seen: found.map(digest_of).unwrap_or_default(),
            },
        );
        if let Some(rows) = observed.ledger.get(name) {
            ledgers.insert(name.clone(), digest_of(rows));
        }
    }
    Baseline {
        epoch: observed.epoch.clone(),
        after_run: observed.last_run.clone(),
        units: UnitsBaseline::of(&relevant_units(selections, &input.resolved.overlay, observed.live_units())),
        rows: row_baselines(&input.comparison.changes),
        references: references(input),
        followers: observed.rows.followers.clone(),
        gates: observed.gates.clone(),
        managed,
        collections,
        ledgers,
        made: BTreeMap::new(),
    }
}

/// What the plan's own writes make of units beside their states, where they were tried.
pub(super) fn made(input: &BuildInput<'_>, fields: &BTreeSet<String>) -> BTreeMap<String, Option<UnitMade>> {
    let Some(TriedUnits { live, after }) = &input.observed.tried else { return BTreeMap::new() };
    let digest = |unit: &UnitFacts| unit.used(fields).digest();
    let expected = |id: &String| live.get(id).map(|unit| digest(&with_state(unit, &input.resolved.overlay)));
    let made = after.iter().filter(|(id, unit)| expected(id) != Some(digest(unit)));
    let made =
        made.map(|(id, unit)| (id.clone(), Some(UnitMade { address: unit.address.clone(), digest: digest(unit) })));
    let gone = live.keys().filter(|id| !after.contains_key(*id)).map(|id| (id.clone(), None));
    made.chain(gone).collect()
}

/// The rows that changes write, as they were read.
pub(super) fn row_baselines(changes: &[Change]) -> Vec<RowBaseline> {
    let of_row = |change: &Change| match &change.detail {
        ChangeDetail::Row { table, key, change, .. } => {
            let digest = match change {
                RowChange::Create { .. } => None,
                RowChange::Update { live, .. } | RowChange::Delete { before: live } | RowChange::TakeOver { live } => {
                    Some(digest_of(live))
                }
            };
            Some(RowBaseline { table: table.clone(), key: key.clone(), digest })
        }
        ChangeDetail::Lifecycle { .. }
        | ChangeDetail::Promotion { .. }
        | ChangeDetail::Refresh { .. }
        | ChangeDetail::VectorSet(_)
        | ChangeDetail::Gate { .. }
        | ChangeDetail::Retention { .. }
        | ChangeDetail::Guard { .. }
        | ChangeDetail::Forget => None,
    };
    changes.iter().filter_map(of_row).collect()
}

fn references(input: &BuildInput<'_>) -> Vec<ReferenceTarget> {
    let targets: BTreeSet<&ReferenceTarget> = input.observed.rows.stands_on.iter().collect();
    targets.into_iter().cloned().collect()
}

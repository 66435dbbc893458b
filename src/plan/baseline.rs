//! What a plan observed, as digests. The same functions make the baseline and check it.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::build::BuildInput;
use super::saved::{Baseline, CollectionBaseline, RowBaseline, UnitMade};
use crate::diff::{Change, ChangeDetail, RowChange, UnitPoints, live_collection};
use crate::model::{
    Address, CollectionFacts, Digest, Managed, ReferenceTarget, TriedUnits, UnitFacts, UnitPart, UnitParts, digest_of,
    unit_part,
};
use crate::points::with_state;

/// Units that are named where it is one of several.
const NAMED: usize = 5;
/// Hexadecimal digits of a part: its number, how many units it has (modulo 256), and the beginning of its digest.
const PART_DIGITS: usize = 3 + 2 + 8;

/// Units that a plan stands on: one digest over all, and short ones over parts, so that what differs can be found without a
/// list of what does not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnitsBaseline {
    /// How many there are.
    pub count: u64,
    /// The digest over all parts.
    pub digest: Option<Digest>,
    /// Of each part that has units, by number: the number, how many units it has (modulo 256) and the beginning of its digest, in
    /// 3, 2 and 8 hexadecimal digits. A unit is in the part that the digest of its address says.
    pub parts: String,
}

/// The beginning of a part, as the baseline keeps it.
type Short = (u8, u32);

fn short(part: &UnitPart) -> Short {
    let [a, b, c, d, ..] = *part.digest.as_bytes();
    ((part.count % 256) as u8, u32::from_be_bytes([a, b, c, d]))
}

/// Units that are there now, where a part of them differs.
pub struct UnitsNow<'a> {
    /// All, in parts.
    pub parts: &'a UnitParts,
    /// Addresses of those of the parts that differ.
    pub members: &'a [&'a str],
    /// Addresses of others that may have been there.
    pub known: &'a [&'a str],
    /// Addresses of those of which it is said already that they changed.
    pub explained: &'a BTreeSet<&'a str>,
}

impl UnitsBaseline {
    /// The baseline of these units.
    pub fn of(parts: &UnitParts) -> UnitsBaseline {
        let text = parts.iter().map(|(number, part)| {
            let (count, digest) = short(part);
            format!("{number:03x}{count:02x}{digest:08x}")
        });
        UnitsBaseline {
            count: parts.values().map(|part| part.count).sum(),
            digest: Some(digest_of(parts)),
            parts: text.collect(),
        }
    }

    fn shorts(&self) -> BTreeMap<u16, Short> {
        let part = |digits: &[u8]| {
            let number =
                |at: std::ops::Range<usize>| u32::from_str_radix(std::str::from_utf8(digits.get(at)?).ok()?, 16).ok();
            let count = u8::try_from(number(3..5)?).ok()?;
            Some((u16::try_from(number(0..3)?).ok()?, (count, number(5..PART_DIGITS)?)))
        };
        self.parts.as_bytes().chunks_exact(PART_DIGITS).filter_map(part).collect()
    }

    /// The parts that differ from those there are now.
    pub fn differing(&self, now: &UnitParts) -> BTreeSet<u16> {
        if self.digest == Some(digest_of(now)) {
            return BTreeSet::new();
        }
        let (before, now) = (self.shorts(), now.iter().map(|(number, part)| (*number, short(part))).collect());
        let all: BTreeSet<u16> = before.keys().chain(BTreeMap::keys(&now)).copied().collect();
        all.into_iter().filter(|part| before.get(part) != now.get(part)).collect()
    }

    /// Says how the units there are now differ, where parts do.
    pub fn differences(&self, differing: &BTreeSet<u16>, now: &UnitsNow<'_>) -> Vec<String> {
        let before = self.shorts();
        let explained: BTreeSet<u16> = now.explained.iter().map(|address| unit_part(address)).collect();
        let mut out = Vec::new();
        for part in differing.difference(&explained) {
            let of_part = |addresses: &[&str]| -> Vec<String> {
                let of_part = addresses.iter().filter(|address| unit_part(address) == *part);
                of_part.map(|address| (*address).to_owned()).collect()
            };
            let members = of_part(now.members);
            let was = before.get(part).map_or(0, |(count, _)| *count);
            let is = now.parts.get(part).map_or(0, |part| short(part).0);
            // More or fewer than a hundred and twenty-eight of one part are as good as many.
            let (fewer, more) = (was.wrapping_sub(is), is.wrapping_sub(was));
            out.push(if was == is {
                format!("{} changed", one_of(&members, "a unit"))
            } else if fewer < more {
                let mut gone = of_part(now.known);
                gone.retain(|address| !members.contains(address));
                format!("{} is gone or no longer selected", one_of(&gone, "a unit"))
            } else {
                format!("{} is selected now", one_of(&members, "a unit"))
            });
        }
        if out.is_empty() && now.explained.is_empty() {
            out.push("units that the plan stands on changed".to_owned());
        }
        out
    }
}

fn one_of(addresses: &[String], nobody: &str) -> String {
    let quoted = |address: &String| format!("\"{address}\"");
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

/// The digest of the vectors and payload indexes of a collection.
pub fn collection_shape(facts: &CollectionFacts) -> Digest {
    digest_of(&(&facts.vectors, &facts.payload_indexes))
}

/// The digest of everything managed under a promotion or a vector set. `sums` are of the records of the sets' units.
pub fn managed_under(root: &Address, managed: &BTreeMap<Address, Managed>, sums: &BTreeMap<String, String>) -> Digest {
    let set = root.as_str().strip_prefix(Address::vector_set("").as_str());
    digest_of(&(managed.get(root).map(|managed| &managed.digest), set.and_then(|set| sums.get(set))))
}

pub(super) fn baseline(input: &BuildInput<'_>) -> Baseline {
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
                shape: live
                    .as_ref()
                    .and_then(|(collection, _)| observed.collections.get(collection))
                    .map(collection_shape)
                    .unwrap_or_default(),
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
        units: UnitsBaseline::of(&observed.stands_on),
        rows: row_baselines(&input.comparison.changes),
        moved: match input.desired.partial {
            true => BTreeMap::new(),
            false => observed.rows.moved.iter().map(|(table, digest)| (table.to_string(), *digest)).collect(),
        },
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

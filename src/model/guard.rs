//! Guards: what must stay as it is, what must hold, and which gates stand how.
//!
//! A *protection* pins a digest (a [`Seal`]) of something and is broken when the digest is another one later. A *check*
//! is a read-only query with an expectation. Comparing seals and judging answers is done here, so that the plan, the
//! apply and the verification all say the same about the same facts.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canonical::{Digest, digest_of};
use super::diagnostic::{Place, Spot};
use super::name::TableName;
use super::selection::{Selection, UnitsRef};

/// Names that are shown of what moved; the rest is counted.
const SHOWN: usize = 20;

/// Something that an author protects.
#[derive(Debug, Clone, PartialEq)]
pub struct Protection {
    /// What.
    pub of: Protected,
    /// Where it is named.
    pub place: Place,
}

/// What an author protects.
#[derive(Debug, Clone, PartialEq)]
pub enum Protected {
    /// Units with their points and their ledger rows.
    Units(UnitsRef),
    /// A table's rows, or those of them with these values.
    Table {
        /// The table.
        table: Spot<TableName>,
        /// Column to value; null means that there is none.
        filter: BTreeMap<String, Spot<Value>>,
    },
    /// The rows of a query; its first column names a row.
    Query(Spot<String>),
    /// Every point of a collection.
    Collection(Spot<String>),
}

/// A check.
#[derive(Debug, Clone, PartialEq)]
pub struct CheckResource {
    /// The query and what it must answer.
    pub check: Check,
    /// Whether it is judged when planned.
    pub before: bool,
    /// Whether it is judged in the deciding transaction.
    pub after: bool,
    /// Where the query stands.
    pub query_place: Place,
    /// Where it is named.
    pub place: Place,
}

/// A query and what it must answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// The query, the author's own SQL.
    pub query: String,
    /// What it must answer.
    pub expect: Expected,
    /// Whether a failure is only told.
    pub warning: bool,
}

/// What a query must answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// One row whose first column is this text, or NULL.
    Value(Option<String>),
    /// This many rows.
    Rows(u64),
    /// No row (`true`), or at least one.
    Empty(bool),
    /// One row whose first column is a number within limits.
    Between {
        /// The least.
        least: Option<f64>,
        /// The most.
        most: Option<f64>,
    },
}

/// What a query answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// How many rows.
    pub rows: u64,
    /// The first column of the first row.
    pub first: Option<String>,
    /// The first rows as texts.
    pub sample: Vec<String>,
}

/// A gate as an author wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GateResource {
    /// The value.
    pub value: Spot<String>,
    /// Where it is named.
    pub place: Place,
}

/// A retention: old rows of a table may be deleted by a job that asks a gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Retention {
    /// The table.
    pub table: Spot<TableName>,
    /// How long a row is kept, in seconds.
    pub keep_seconds: u64,
    /// The same as written, for people.
    pub keep: Spot<String>,
    /// The column that says how old a row is; the binding's policy says it otherwise.
    pub column: Option<Spot<String>>,
    /// The gate that the job asks.
    pub gate: Spot<String>,
    /// The check that shows the other half of the pair.
    pub check: Spot<String>,
    /// The first day, `2026-06-22`, UTC.
    pub not_before: Option<Spot<String>>,
    /// Where it is named.
    pub place: Place,
}

/// What is protected, with nothing left to look up.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Guarded {
    /// Units.
    Units {
        /// The selection, seen with the live states.
        selection: Selection,
        /// The collections whose points are compared, by vector set.
        sets: BTreeMap<String, String>,
    },
    /// Rows of a table.
    Table {
        /// The table.
        table: TableName,
        /// Column to value as the database spells it, with the column's type.
        filter: BTreeMap<String, FilterValue>,
        /// The columns that name a row; none means that its whole text does.
        key: Vec<String>,
    },
    /// Rows of a query.
    Query {
        /// The query.
        query: String,
    },
    /// Points of a collection.
    Collection {
        /// The collection, or the alias.
        collection: String,
    },
}

/// One value of a filter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FilterValue {
    /// The column's type, quoted by the database.
    pub type_name: String,
    /// The value; `None` for NULL.
    pub value: Option<String>,
}

/// A protection with what was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProtectionPin {
    /// What is protected.
    pub of: Guarded,
    /// What was found.
    pub seal: Seal,
}

/// Digests of something protected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seal {
    /// Of units, by id.
    Units(BTreeMap<String, UnitSeal>),
    /// Of rows or points.
    Items(ItemsSeal),
}

/// Digests of one unit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnitSeal {
    /// Its address.
    pub address: String,
    /// Digest of its rows.
    pub rows: String,
    /// Digest of its ledger rows, where it has any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<String>,
    /// Digests of its points, by vector set.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub points: BTreeMap<String, PointsSeal>,
}

/// Digests of a unit's points in one collection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PointsSeal {
    /// How many.
    pub count: u64,
    /// Digest of ids and payloads.
    pub payloads: String,
    /// Digest of the vectors' bits; absent where the points were copied to another collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vectors: Option<String>,
}

/// Digests of rows or points.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemsSeal {
    /// How many.
    pub count: u64,
    /// Digest of all.
    pub digest: String,
    /// Digest of each by its name, where they are few.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub each: Option<BTreeMap<String, String>>,
}

/// Guards of a saved plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Guards {
    /// Protections by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub protect: BTreeMap<String, ProtectionPin>,
    /// Checks of the deciding transaction by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Check>,
}

/// What was read for the guards of a plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GuardFacts {
    /// Protections by name.
    pub protect: BTreeMap<String, ProtectionPin>,
    /// Answers of checks by name.
    pub answers: BTreeMap<String, Answer>,
    /// Retentions by name.
    pub retention: BTreeMap<String, RetentionFacts>,
    /// Names of gates that have a row, read where a declared one has none.
    pub known_gates: BTreeSet<String>,
}

/// What was read for one retention.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RetentionFacts {
    /// The column that says how old a row is.
    pub column: String,
    /// Rows older than what is kept.
    pub old: u64,
    /// Whether its day has come, by the database's clock.
    pub due: bool,
}

impl Guards {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.protect.is_empty() && self.checks.is_empty()
    }
}

impl ProtectionPin {
    /// Digest of what is compared from one apply to the next. Collections that took the place of others, and the bits of
    /// vectors in them, are no difference.
    pub fn identity(&self) -> Digest {
        let mut pin = self.clone();
        if let Guarded::Units { sets, .. } = &mut pin.of {
            sets.values_mut().for_each(String::clear);
        }
        if let Seal::Units(units) = &mut pin.seal {
            units.values_mut().flat_map(|unit| unit.points.values_mut()).for_each(|points| points.vectors = None);
        }
        digest_of(&pin)
    }
}

impl Seal {
    /// How many things it covers.
    pub fn count(&self) -> u64 {
        match self {
            Seal::Units(units) => units.len() as u64,
            Seal::Items(items) => items.count,
        }
    }

    /// What moved between this seal and a later one: up to 20 names, then how many more. Nothing when they agree.
    pub fn moved(&self, now: &Seal, noun: &str) -> Vec<String> {
        let all = match (self, now) {
            (Seal::Units(before), Seal::Units(now)) => units_moved(before, now),
            (Seal::Items(before), Seal::Items(now)) => items_moved(before, now, noun),
            (Seal::Units(_), Seal::Items(_)) | (Seal::Items(_), Seal::Units(_)) => {
                vec!["it is something else now".to_owned()]
            }
        };
        cut(all)
    }
}

impl Guarded {
    /// What one of its items is called.
    pub fn noun(&self) -> &'static str {
        match self {
            Guarded::Units { .. } => "unit",
            Guarded::Table { .. } | Guarded::Query { .. } => "row",
            Guarded::Collection { .. } => "point",
        }
    }

    /// Whether the same thing is meant, whatever collection stands for a set.
    pub fn same_thing(&self, other: &Guarded) -> bool {
        match (self, other) {
            (Guarded::Units { selection, .. }, Guarded::Units { selection: other, .. }) => selection == other,
            (_, _) => self == other,
        }
    }

    /// What it is, for people.
    pub fn describe(&self) -> String {
        match self {
            Guarded::Units { sets, .. } if sets.is_empty() => "units with their ledger rows".to_owned(),
            Guarded::Units { sets, .. } => {
                let sets: Vec<&str> = sets.keys().map(String::as_str).collect();
                format!("units with their ledger rows and their points in {}", sets.join(", "))
            }
            Guarded::Table { table, filter, .. } if filter.is_empty() => format!("rows of {table}"),
            Guarded::Table { table, filter, .. } => {
                let columns: Vec<&str> = filter.keys().map(String::as_str).collect();
                format!("rows of {table} by {}", columns.join(", "))
            }
            Guarded::Query { .. } => "rows of a query".to_owned(),
            Guarded::Collection { collection } => format!("points of {collection}"),
        }
    }
}

fn cut(mut all: Vec<String>) -> Vec<String> {
    let more = all.len().saturating_sub(SHOWN);
    if more > 0 {
        all.truncate(SHOWN);
        all.push(format!("and {more} more"));
    }
    all
}

fn units_moved(before: &BTreeMap<String, UnitSeal>, now: &BTreeMap<String, UnitSeal>) -> Vec<String> {
    let mut out = Vec::new();
    for (id, was) in before {
        let UnitSeal { address, rows, ledger, points } = was;
        let Some(is) = now.get(id) else {
            out.push(format!("unit \"{address}\" is gone"));
            continue;
        };
        let mut parts: Vec<String> = Vec::new();
        if is.address != *address || is.rows != *rows {
            parts.push("its rows".to_owned());
        }
        if is.ledger != *ledger {
            parts.push("its ledger rows".to_owned());
        }
        let sets: BTreeSet<&String> = points.keys().chain(is.points.keys()).collect();
        let differ = |set: &&&String| points_differ(points.get(**set), is.points.get(**set));
        parts.extend(sets.iter().filter(differ).map(|set| format!("its points in \"{set}\"")));
        if !parts.is_empty() {
            out.push(format!("unit \"{address}\": {} changed", parts.join(" and ")));
        }
    }
    let added = now.iter().filter(|(id, _)| !before.contains_key(*id));
    out.extend(added.map(|(_, unit)| format!("unit \"{}\" is new", unit.address)));
    out
}

fn points_differ(was: Option<&PointsSeal>, is: Option<&PointsSeal>) -> bool {
    let (Some(was), Some(is)) = (was, is) else { return was.is_some() || is.is_some() };
    let vectors = match (&was.vectors, &is.vectors) {
        (Some(was), Some(is)) => was != is,
        (Some(_) | None, None) | (None, Some(_)) => false,
    };
    was.count != is.count || was.payloads != is.payloads || vectors
}

fn items_moved(before: &ItemsSeal, now: &ItemsSeal, noun: &str) -> Vec<String> {
    if before.count == now.count && before.digest == now.digest {
        return Vec::new();
    }
    let (Some(was), Some(is)) = (&before.each, &now.each) else {
        let what = if before.count == now.count { "some of them changed".to_owned() } else { String::new() };
        let counts = format!("{} {noun}s when planned, {} now", before.count, now.count);
        return vec![[counts, what].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; ")];
    };
    let mut out = Vec::new();
    for (name, digest) in was {
        match is.get(name) {
            None => out.push(format!("{noun} \"{name}\" is gone")),
            Some(found) if found != digest => out.push(format!("{noun} \"{name}\" changed")),
            Some(_) => {}
        }
    }
    out.extend(is.keys().filter(|name| !was.contains_key(*name)).map(|name| format!("{noun} \"{name}\" is new")));
    out
}

impl Expected {
    /// What was found instead, when the answer is not the expected one.
    pub fn refutes(&self, answer: &Answer) -> Option<String> {
        let rows = |count: u64| if count == 1 { "1 row".to_owned() } else { format!("{count} rows") };
        let sample =
            || if answer.sample.is_empty() { String::new() } else { format!(": {}", answer.sample.join(", ")) };
        match self {
            Expected::Rows(wanted) if answer.rows != *wanted => {
                Some(format!("{} expected, {} found{}", rows(*wanted), answer.rows, sample()))
            }
            Expected::Empty(true) if answer.rows > 0 => {
                Some(format!("no row expected, {} found{}", answer.rows, sample()))
            }
            Expected::Empty(false) if answer.rows == 0 => Some("a row expected, none found".to_owned()),
            Expected::Rows(_) | Expected::Empty(_) => None,
            Expected::Value(_) | Expected::Between { .. } if answer.rows != 1 => {
                Some(format!("one row expected, {} found", answer.rows))
            }
            Expected::Value(wanted) if answer.first != *wanted => {
                let text = |value: &Option<String>| value.as_ref().map_or("NULL".to_owned(), |v| format!("\"{v}\""));
                Some(format!("{} expected, {} found", text(wanted), text(&answer.first)))
            }
            Expected::Value(_) => None,
            Expected::Between { least, most } => outside(*least, *most, answer.first.as_deref()),
        }
    }
}

fn outside(least: Option<f64>, most: Option<f64>, found: Option<&str>) -> Option<String> {
    let wanted = match (least, most) {
        (Some(least), Some(most)) => format!("{least} to {most}"),
        (Some(least), None) => format!("at least {least}"),
        (None, Some(most)) => format!("at most {most}"),
        (None, None) => "a number".to_owned(),
    };
    let text = found.unwrap_or("NULL");
    let Some(number) = found.and_then(|text| text.parse::<f64>().ok()) else {
        return Some(format!("{wanted} expected, {text} found, which is no number"));
    };
    let inside = least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most);
    (!inside).then(|| format!("{wanted} expected, {text} found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(rows: u64, first: Option<&str>) -> Answer {
        Answer { rows, first: first.map(str::to_owned), sample: Vec::new() }
    }

    #[test]
    fn an_expectation_says_what_was_found_instead() {
        let one = |expected: Expected, rows: u64, first: Option<&str>| expected.refutes(&answer(rows, first));
        assert_eq!(one(Expected::Value(Some("3".into())), 1, Some("3")), None);
        assert_eq!(one(Expected::Value(Some("3".into())), 1, None).as_deref(), Some("\"3\" expected, NULL found"));
        assert_eq!(one(Expected::Value(None), 2, None).as_deref(), Some("one row expected, 2 found"));
        assert_eq!(one(Expected::Rows(1), 2, None).as_deref(), Some("1 row expected, 2 found"));
        assert_eq!(one(Expected::Empty(false), 0, None).as_deref(), Some("a row expected, none found"));
        let between = |least, most| Expected::Between { least, most };
        assert_eq!(one(between(Some(1.0), Some(2.0)), 1, Some("2")), None);
        assert_eq!(one(between(None, Some(2.0)), 1, Some("3")).as_deref(), Some("at most 2 expected, 3 found"));
        let text = one(between(Some(1.0), None), 1, Some("x"));
        assert_eq!(text.as_deref(), Some("at least 1 expected, x found, which is no number"));
    }

    #[test]
    fn what_moved_is_named_up_to_twenty_and_then_counted() {
        let seal = |range: std::ops::Range<u32>, digest: &str| {
            let each = range.clone().map(|n| (format!("{n:02}"), digest.to_owned())).collect();
            Seal::Items(ItemsSeal {
                count: u64::from(range.end - range.start),
                digest: digest.into(),
                each: Some(each),
            })
        };
        let moved = seal(0..30, "a").moved(&seal(0..30, "b"), "row");
        assert_eq!(moved.len(), 21);
        assert_eq!((moved[0].as_str(), moved[20].as_str()), ("row \"00\" changed", "and 10 more"));
        assert_eq!(seal(0..2, "a").moved(&seal(1..3, "b"), "row")[0], "row \"00\" is gone");
        assert!(seal(0..2, "a").moved(&seal(0..2, "a"), "row").is_empty());
    }
}

//! The kinds of lines.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::Rule;
use crate::diff::{Change, Drift, Finding, Reason};
use crate::model::{Digest, Guards, SourceFile, TableName};
use crate::plan::links::{Link, RowAction};
use crate::plan::partial::Partial;
use crate::plan::pins::{NeedPin, Pins};
use crate::plan::saved::{Baseline, EnvironmentPin};
use crate::plan::summary::Summary;

/// The first line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    /// `MAJOR.MINOR`.
    pub format_version: String,
    /// The version of Enact that made it.
    pub made_by: String,
    /// What the verdict counts.
    pub summary: Summary,
    /// The database role that made it, where its own approval does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What it was narrowed to, absent when it is of everything.
    #[serde(default, skip_serializing_if = "Partial::is_whole")]
    pub partial: Partial,
    /// The environment it is for.
    pub environment: EnvironmentPin,
    /// The plan files.
    pub files: Vec<SourceFile>,
    /// What reviewers should know.
    pub findings: Vec<Finding>,
    /// Which groups of changes need which, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    /// What was observed.
    pub baseline: Baseline,
    /// What the steps stand on.
    pub pins: Pins,
    /// What must stay as it is and what must hold, judged last before the decision.
    #[serde(default, skip_serializing_if = "Guards::is_empty")]
    pub guards: Guards,
}

/// A line that says what it is; lines that are lists belong to the last such line before them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Head {
    /// Units that move. Each of the lines after it is one: id, address, then the values of those columns that lines have.
    Moves(MovesHead),
    /// Rows that are written. Each of the lines after it is one, where lines have something of it at all.
    Rows(RowsHead),
    /// A vector set that changes. Each of the lines after it is one of its units.
    Points(Box<PointsHead>),
    /// A promotion that is recorded, with the units of moves before it.
    Promotion(PromotionHead),
    /// Any other change.
    Change(Box<PlacedChange>),
    /// What changed outside Enact since the last apply.
    Drift(Drift),
    /// Rows that need others for the same reason.
    Needs(NeedPin),
    /// Rows that are referred to and have to live. Each of the lines after it is one: the values of these columns.
    References(ReferencesHead),
    /// Rows that are as declared and not written down yet. Each of the lines after it is one: the values of the key.
    Unchanged(UnchangedHead),
    /// The last line.
    End(End),
}

/// Units that one promotion moves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MovesHead {
    /// The place of the first of these changes among all, from 0.
    pub at: u32,
    /// How many there are.
    pub count: u32,
    /// The promotion.
    pub promotion: String,
    /// The state they move to.
    pub to: String,
    /// Where the promotion is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_at: Option<String>,
    /// Why.
    pub reasons: Vec<Reason>,
    /// The unit's own columns: title, lifecycle, content hash, anchor and whether its body is empty.
    pub unit: UnitRules,
    /// The binding's fields.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fields: BTreeMap<String, Rule>,
}

/// Where the facts of units come from, in the order in which lines have them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnitRules {
    /// The title.
    pub title: Rule,
    /// The lifecycle state now.
    pub lifecycle: Rule,
    /// The content hash.
    pub content_hash: Rule,
    /// The version under review.
    pub anchor: Rule,
    /// `true` or `false`: whether the body is empty or white space alone.
    pub empty_body: Rule,
}

/// Rows that are written alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct RowsHead {
    /// The places of these changes among all, from 0: the first of each run of them, and how many follow it.
    pub at: Vec<(u32, u32)>,
    /// The table.
    pub table: TableName,
    /// What people call this kind of row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What is done.
    pub action: RowAction,
    /// Why.
    pub reasons: Vec<Reason>,
    /// Where they are declared.
    pub declared_at: PlaceRule,
    /// The key, in its order.
    pub key: Vec<(String, Rule)>,
    /// The live row of what is updated or deleted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub live: Vec<(String, Rule)>,
    /// The values to be of what is created or updated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<(String, Rule)>,
    /// The number of the moved unit that the first row is about, from 0 in the order of the file; the others follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<u32>,
}

/// Where rows are declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PlaceRule {
    /// Nowhere.
    Nowhere,
    /// All at this place.
    At(String),
    /// Each in the next line of this file.
    Lines {
        /// The file.
        file: String,
        /// The line of the first.
        line: u32,
        /// The column of all.
        column: u32,
    },
    /// Each line begins with it.
    Own,
}

/// A vector set that changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PointsHead {
    /// The place of the change among all, from 0.
    pub at: u32,
    /// The change without its units and its rows of the ledger.
    pub change: Change,
    /// How many units there are.
    pub count: u32,
    /// Why units change; the first is that of a line that names none.
    pub reasons: Vec<Reason>,
    /// The ledger.
    pub ledger: LedgerRule,
}

/// What is recorded in a ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LedgerRule {
    /// Every chunk of the units, under the key that the binding's template gives.
    Chunks,
    /// These.
    These(Vec<crate::diff::LedgerWrite>),
}

/// A promotion that is recorded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PromotionHead {
    /// The place of the change among all, from 0.
    pub at: u32,
    /// The change without the units of its record.
    pub change: Change,
    /// The number of the first unit of its record, from 0 in the order of the file; the others follow.
    pub units: u32,
    /// How many they are.
    pub count: u32,
}

/// Any other change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlacedChange {
    /// Its place among all, from 0.
    pub at: u32,
    /// The change.
    pub change: Change,
}

/// Rows that are referred to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReferencesHead {
    /// The table.
    pub table: TableName,
    /// The columns referred to.
    pub columns: Vec<String>,
    /// How many there are.
    pub count: u32,
}

/// Rows that are as declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnchangedHead {
    /// The table.
    pub table: TableName,
    /// The key columns.
    pub key: Vec<String>,
    /// The declared columns.
    pub columns: Vec<String>,
    /// Those that hold the time of an apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<String>,
    /// How many there are.
    pub count: u32,
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    /// How many lines there are before it.
    pub lines: u64,
    /// Digest of the bytes of all lines before it.
    pub digest: Digest,
    /// The database role that planned. Who looked makes no other plan, so that one role may plan for reviewers and another
    /// apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_as: Option<String>,
}

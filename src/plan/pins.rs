//! What the steps of a plan stand on beside its changes, so that an apply needs neither the plan files nor the binding's.
//!
//! Each fact stands here once. What follows from the changes is not here: the states that units will have are those of the
//! moves, and the arguments of a call are filled from the binding's templates when the steps are derived.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::cost::EmbeddingTerms;
use super::step::{RowsKept, VectorMaker};
use crate::diff::{Change, ChangeDetail};
use crate::model::{
    Address, Binding, Check, ChunkPolicy, Digest, EmbedderIdentity, PointIds, RowKey, RowNeed, RowNeedKind, Selection,
    TableName, UnitFacts, VectorParams,
};

/// What the steps stand on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// The binding.
    pub binding: Binding,
    /// Who declares the rows.
    pub project: String,
    /// Database roles by kind of step.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub roles: BTreeMap<String, String>,
    /// Types of the columns and parameters that the binding's updates and calls name. The apply compares them with the catalog.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub types: BTreeMap<TableName, BTreeMap<String, String>>,
    /// Selections, evaluated again by the apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub selections: Vec<SelectionPin>,
    /// States that units will have, by unit id; those of the moves, and in no file.
    #[serde(skip)]
    pub overlay: BTreeMap<String, String>,
    /// What the templates of each promotion may name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub promotions: BTreeMap<String, BTreeMap<String, Value>>,
    /// How the points of each set that changes are made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub sets: BTreeMap<String, SetPin>,
    /// Chunk policies by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub chunk_policies: BTreeMap<String, ChunkPolicy>,
    /// Embedders by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub embedders: BTreeMap<String, EmbedderIdentity>,
    /// Terms of those that are asked over a network, for what the plan says of its cost.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub embedding: BTreeMap<String, EmbeddingTerms>,
    /// Units whose fields the ledger's templates name, where no move has them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub ledger_units: BTreeMap<String, UnitFacts>,
    /// Checks that a retention waits for.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, Check>,
    /// Under which digest a check or a protection is written down.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub guards: BTreeMap<Address, Digest>,
    /// What is written down as a resource's declaration: the text of a plan file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub declared: BTreeMap<Address, String>,
    /// Which rows need which.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<NeedPin>,
    /// What is written down of rows.
    #[serde(default, skip_serializing_if = "RowsPin::is_empty")]
    pub rows: RowsPin,
}

/// One selection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SelectionPin {
    /// What uses it.
    pub of: Address,
    /// The selection.
    pub selection: Selection,
    /// Whether it sees the states after the plan (vector sets) or the live ones (promotions).
    pub after: bool,
}

/// How the points of one set are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetPin {
    /// Shape of the collection.
    pub vectors: BTreeMap<String, VectorParams>,
    /// Payload indexes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub payload_indexes: BTreeMap<String, String>,
    /// The vectors' makers by vector name: a pin in `embedders`, or a sparse language.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub makers: BTreeMap<String, VectorMaker>,
    /// The chunk policy's name in `chunk_policies`; empty where no text is cut.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub chunk_policy: String,
    /// Payload fields.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub payload: Vec<String>,
    /// Digest of the chunk policy, which goes into every point's identity.
    pub policy: Digest,
    /// Digest of the embedders, which goes there too.
    pub embedders: Digest,
    /// Names of unit fields that go into text or payload.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub fields: BTreeSet<String>,
    /// How points get their ids.
    pub ids: PointIds,
}

/// Rows that need others for the same reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NeedPin {
    /// What kind of need it is.
    pub kind: NeedKind,
    /// Why: `foreign key x`, `unique index y`.
    pub why: String,
    /// The one that needs and the one that is needed, each by its place among the changes, from 0.
    pub pairs: Vec<(u32, u32)>,
}

/// Kinds of need between rows that order them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NeedKind {
    /// A foreign key, judged when a statement ends.
    Reference,
    /// A unique value that must be free before it is taken.
    Unique,
    /// A value that the database makes.
    Value {
        /// The column that takes it.
        column: String,
        /// Whether it can be NULL for a moment.
        later: bool,
    },
}

/// What is written down of declared rows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowsPin {
    /// Changed rows that are written down, by table and declared columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recorded: Vec<RecordedPin>,
    /// Rows that are as declared and not written down yet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unchanged: Vec<RowsKept>,
    /// Rows that were written down and are declared no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<LeftRow>,
    /// The columns under which rows that go were written down.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<TableName, Vec<String>>,
    /// Digests of the keys that each table's rows are declared by.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub declared: BTreeMap<String, Digest>,
    /// Digests of all keys and values that they are declared with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contents: BTreeMap<String, Digest>,
    /// The parts of tables that are synced, by column: one of these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub synced: BTreeMap<String, Value>,
}

/// Changed rows with the same declared columns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordedPin {
    /// The declared columns.
    pub columns: Vec<String>,
    /// Those of which it only matters that they are not NULL: the time of an apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<String>,
    /// The rows by their places among the changes, from 0: the first of each run of them, and how many follow it.
    pub runs: Vec<(u32, u32)>,
}

/// A row that is declared no more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LeftRow {
    /// The table.
    pub table: TableName,
    /// Its key.
    pub key: RowKey,
}

impl RowsPin {
    /// Whether nothing is written down.
    pub fn is_empty(&self) -> bool {
        *self == RowsPin::default()
    }
}

impl Pins {
    /// The needs of rows, with their addresses. What names no change is left out.
    pub(super) fn row_needs(&self, changes: &[Change]) -> Vec<RowNeed> {
        let address = |at: u32| changes.get(at as usize).map(|change| change.address.clone());
        let one = |need: &NeedPin, (from, to): (u32, u32)| {
            let kind = match &need.kind {
                NeedKind::Reference => RowNeedKind::Reference,
                NeedKind::Unique => RowNeedKind::Unique,
                NeedKind::Value { column, later } => RowNeedKind::Value { column: column.clone(), later: *later },
            };
            Some(RowNeed { from: address(from)?, to: address(to)?, kind, why: need.why.clone() })
        };
        self.needs.iter().flat_map(|need| need.pairs.iter().filter_map(move |pair| one(need, *pair))).collect()
    }

    /// The role of a kind of step.
    pub(super) fn role(&self, kind: &str) -> Option<&String> {
        self.roles.get(kind)
    }
}

/// The states that the moves among these changes make, by unit id.
pub(super) fn overlay(changes: &[Change]) -> BTreeMap<String, String> {
    let moves = changes.iter().filter_map(|change| match &change.detail {
        ChangeDetail::Lifecycle { unit, to, .. } => Some((unit.id.clone(), to.clone())),
        _ => None,
    });
    moves.collect()
}

/// Numbers in order as the first of each run and how many follow it.
pub(super) fn runs(numbers: impl IntoIterator<Item = u32>) -> Vec<(u32, u32)> {
    let mut out: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match out.last_mut() {
            Some((first, more)) if *first + *more + 1 == number => *more += 1,
            _ => out.push((number, 0)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_follow_each_other_are_one_run() {
        assert_eq!(runs([1, 2, 3, 7, 9, 10]), [(1, 2), (7, 0), (9, 1)]);
        assert_eq!(runs([]), []);
    }
}

//! Observed state: what both stores said when they were read.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::canonical::Digest;
use super::guard::GuardFacts;
use super::name::{Address, TableName};
use super::points::{ChunkFacts, CollectionFacts, PointId};
use super::record::RecordedUnit;
use super::rows::RowFacts;
use super::table::TableFacts;

/// Everything that was read for one plan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Observed {
    /// The random uuid stamped into the database by `init`.
    pub epoch: Option<String>,
    /// The run that was applied last.
    pub last_run: Option<String>,
    /// The role of the session.
    pub session_role: Option<String>,
    /// Catalog facts of every table a plan names.
    pub tables: BTreeMap<TableName, TableFacts>,
    /// Catalog facts of every function a plan names.
    pub functions: BTreeMap<TableName, FunctionFacts>,
    /// Every table and function there is, read where one that is named is not there.
    pub known: KnownNames,
    /// Units by id: those that are not as the last apply left them, or all that a selection could choose whatever their lifecycle
    /// with those that Enact already manages. Where the plan's own rows change units, as those rows leave them: promotions choose
    /// from these.
    pub units: BTreeMap<String, UnitFacts>,
    /// What was not read, by vector set: it is as the last apply left it.
    pub unread: BTreeMap<String, Unread>,
    /// Applied promotions of which no unit has to move, and whose units were not read.
    pub settled: BTreeSet<String>,
    /// The units that the selections choose as they live.
    pub stands_on: UnitParts,
    /// Addresses that two units have.
    pub shared: Vec<SharedAddress>,
    /// What was read where the plan's own writes were tried.
    pub tried: Option<TriedUnits>,
    /// What the declared rows are to the live ones.
    pub rows: RowFacts,
    /// What earlier applies own.
    pub managed: BTreeMap<Address, Managed>,
    /// What is written down of the points of vector sets, by set and unit id.
    pub recorded: BTreeMap<String, BTreeMap<String, RecordedUnit>>,
    /// What tells one record of a set's points from another one, by set.
    pub record_sums: BTreeMap<String, String>,
    /// Chunks of the units whose text had to be read, by vector set and unit id.
    pub chunks: BTreeMap<String, BTreeMap<String, Vec<ChunkFacts>>>,
    /// Gate values; `None` where the gate has no row.
    pub gates: BTreeMap<String, Option<String>>,
    /// Live collections by their own name.
    pub collections: BTreeMap<String, CollectionFacts>,
    /// Alias to collection.
    pub aliases: BTreeMap<String, String>,
    /// Live points against those that are written down, by vector set that has a collection.
    pub points: BTreeMap<String, LivePoints>,
    /// Units whose points are made anew whatever the comparison says, by vector set; all of them where none is named.
    pub replace: BTreeMap<String, BTreeSet<String>>,
    /// Ledger rows by vector set and point key: status and digest.
    pub ledger: BTreeMap<String, BTreeMap<String, LedgerRow>>,
    /// What the guards of the plan found.
    pub guards: GuardFacts,
    /// What may change units beside the statements that name them.
    pub writers: UnitWriters,
}

/// What may change the units of a binding, as the catalog has it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitWriters {
    /// The tables that units are read from, those behind views among them.
    pub tables: BTreeSet<TableName>,
    /// Triggers of these and of the tables whose rows are declared.
    pub triggers: Vec<UnitTrigger>,
    /// Texts of the functions that make transitions.
    pub functions: BTreeMap<TableName, String>,
}

/// A trigger with the text of its function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitTrigger {
    /// The table.
    pub table: TableName,
    /// The function's text.
    pub source: String,
    /// What it is called with: a function of the server may name a column there.
    pub arguments: Vec<String>,
}

/// Units of a vector set that were not read, because they are as the last apply left them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Unread {
    /// How many.
    pub units: u64,
    /// Points of theirs that are written down.
    pub points: u64,
}

/// Units digested in parts, by part: what differs can be found without a list of what does not. A unit is in the part that its
/// address says, one of 1,024.
pub type UnitParts = BTreeMap<u16, UnitPart>;

/// The part of a unit, by its address: ten bits of a SHA-256, as PostgreSQL makes it.
pub fn unit_part(address: &str) -> u16 {
    let hash = Sha256::digest(address.as_bytes());
    u16::from(hash[0]) * 4 + u16::from(hash[1]) / 64
}

/// Units of one part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct UnitPart {
    /// How many.
    pub count: u64,
    /// SHA-256 over what each of them is.
    pub digest: Digest,
}

/// Two units with one address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedAddress {
    /// The address.
    pub address: String,
    /// Ids of the units.
    pub ids: (String, String),
    /// The selection that chooses one of them, counted from 0.
    pub by: Option<usize>,
}

/// Units before and after the writes of a plan that changes them itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TriedUnits {
    /// As they live.
    pub live: BTreeMap<String, UnitFacts>,
    /// As rows and moves of the plan leave them.
    pub after: BTreeMap<String, UnitFacts>,
}

impl Observed {
    /// Units as they live.
    pub fn live_units(&self) -> &BTreeMap<String, UnitFacts> {
        self.tried.as_ref().map_or(&self.units, |tried| &tried.live)
    }

    /// Units that vector sets choose from. Where nothing was tried they still have their old states.
    pub fn units_after(&self) -> &BTreeMap<String, UnitFacts> {
        self.tried.as_ref().map_or(&self.units, |tried| &tried.after)
    }
}

/// How points were compared with what is written down of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PointsCompared {
    /// By counting buckets of digests.
    Fingerprint,
    /// One by one, by id and, where points may change under their ids, by digest.
    #[default]
    Id,
    /// One by one, with everything in them read and digested again.
    Deep,
}

/// The live points of a set against those that are written down of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct LivePoints {
    /// All points, counted exactly, whoever made them.
    pub total: u64,
    /// How they were compared.
    pub compared: PointsCompared,
    /// Points that are written down and not there.
    pub missing: BTreeSet<PointId>,
    /// Points that are written down and hold something else, with the digest of that.
    pub changed: BTreeMap<PointId, Digest>,
    /// Points that are there and not written down, with what stands in them where points may change under their ids.
    /// Compared by fingerprint, only those that say that they are of the set.
    pub others: BTreeMap<PointId, Option<Digest>>,
    /// Those of the others that say that they are of the set.
    pub strays: BTreeSet<PointId>,
}

/// Names that were perhaps meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownNames {
    /// Tables and views.
    pub tables: Vec<String>,
    /// Functions.
    pub functions: Vec<String>,
}

/// A row that another one refers to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ReferenceTarget {
    /// The table.
    pub table: TableName,
    /// The columns referred to.
    pub columns: Vec<String>,
    /// Their values, as the database spells them.
    pub values: Vec<String>,
}

/// One row of the ledger.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerRow {
    /// The status.
    pub status: String,
    /// The digest of the chunk.
    pub digest: Option<String>,
    /// The unit, as text.
    pub unit: Option<String>,
}

/// A live row: every column as the database spells it, `None` for NULL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct LiveRow(pub BTreeMap<String, Option<String>>);

/// One unit without its body.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnitFacts {
    /// The id, as text.
    pub id: String,
    /// The address.
    pub address: String,
    /// The title; empty where there is none.
    pub title: String,
    /// The lifecycle state.
    pub lifecycle: String,
    /// The content hash.
    pub content_hash: String,
    /// The version under review.
    pub anchor: Option<String>,
    /// Whether the body is empty or white space alone.
    pub empty_body: bool,
    /// The binding's own fields.
    pub fields: BTreeMap<String, Option<String>>,
}

impl UnitFacts {
    /// The value of a field that a selection may name.
    pub fn field(&self, name: &str) -> Option<String> {
        match name {
            "id" => Some(self.id.clone()),
            "address" => Some(self.address.clone()),
            "title" => Some(self.title.clone()),
            "lifecycle" => Some(self.lifecycle.clone()),
            "content_hash" => Some(self.content_hash.clone()),
            "anchor" => self.anchor.clone(),
            other => self.fields.get(other).cloned().flatten(),
        }
    }

    /// What a plan uses of it: the fields that every plan stands on, and these.
    #[must_use]
    pub fn used(&self, fields: &BTreeSet<String>) -> UnitFacts {
        let mut unit = self.clone();
        unit.fields.retain(|name, _| fields.contains(name));
        unit.anchor = unit.anchor.filter(|_| fields.contains("anchor"));
        unit
    }

    /// The digest that an apply compares: every fact that a plan may have used.
    pub fn digest(&self) -> Digest {
        super::digest_of(self)
    }
}

/// The key of a record's attributes under which its declaration stands, as the text of a plan file.
pub const DECLARED_KEY: &str = "declared";

/// What an earlier apply wrote down about one resource.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Managed {
    /// Digest of the resource as applied.
    pub digest: Digest,
    /// What later plans need of it.
    pub attributes: serde_json::Value,
    /// The units of a promotion, where they were read apart: as JSON they take four times as much.
    #[serde(skip)]
    pub units: Arc<Vec<UnitFacts>>,
}

impl Managed {
    /// Whether it left the plan files and is only remembered.
    pub fn is_forgotten(&self) -> bool {
        self.attributes.get("forgotten").and_then(serde_json::Value::as_bool) == Some(true)
    }
}

/// One overload of a function.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionFacts {
    /// Input parameters: name, type, whether it has a default.
    pub parameters: Vec<Parameter>,
    /// Whether the role that will call it may.
    pub executable: bool,
    /// The type of its answer.
    pub returns: String,
}

/// An input parameter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Parameter {
    /// The name.
    pub name: String,
    /// The type, quoted by the database.
    pub type_name: String,
    /// Whether it may be left out.
    pub has_default: bool,
}

//! Changes: a resource, what will happen to it, and why.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{Address, Cell, Digest, LiveRow, Managed, PointId, RecordedValue, RowKey, TableName, UnitFacts};

/// One change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// The resource.
    pub address: Address,
    /// `plans/x.yaml:12:5`, where it is declared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared_at: Option<String>,
    /// Why, most important first. Never empty.
    pub reasons: Vec<Reason>,
    /// What exactly.
    pub detail: ChangeDetail,
}

/// What will happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChangeDetail {
    /// A row is created, updated or deleted.
    Row {
        /// The table.
        table: TableName,
        /// The key, as the database spells it.
        key: RowKey,
        /// What people call this kind of row, where a binding names it (`manifest_unit_block`).
        kind: Option<String>,
        /// What changes.
        change: RowChange,
    },
    /// A unit moves to another state.
    Lifecycle {
        /// The unit as it was reviewed.
        unit: UnitFacts,
        /// The state it moves to.
        to: String,
        /// The promotion that moves it.
        promotion: String,
    },
    /// A promotion is recorded as applied.
    Promotion {
        /// Its name.
        name: String,
        /// How many units it covers.
        units: u64,
        /// The hash of the set.
        set_hash: Option<String>,
        /// What later plans need to know of it.
        record: Box<PromotionRecordDetail>,
    },
    /// A cache is refreshed.
    Refresh {
        /// The binding's name for it.
        name: String,
        /// Units whose change makes it stale.
        units: u64,
    },
    /// A vector set changes.
    VectorSet(Box<VectorChange>),
    /// A gate gets another value.
    Gate {
        /// Its name.
        gate: String,
        /// The live value.
        before: String,
        /// The value to be.
        after: String,
    },
    /// The gate of a retention is opened, together with its pair.
    Retention {
        /// The gate.
        gate: String,
        /// The table whose old rows a job will delete.
        table: TableName,
        /// The column that says how old a row is.
        column: String,
        /// Rows that are too old now.
        old: u64,
        /// How long a row is kept, as written.
        keep: String,
        /// The check that has to hold.
        check: String,
        /// The first day.
        not_before: Option<String>,
        /// The gate's live value.
        before: String,
        /// Its value to be.
        after: String,
    },
    /// A check or a protection is written down, for later verifications.
    Guard {
        /// Its name.
        name: String,
        /// What it is, for people.
        what: String,
        /// How many things it covers.
        count: u64,
        /// What is written down.
        record: Box<serde_json::Value>,
    },
    /// A resource left the plan files; what it made stays, Enact no longer manages it.
    Forget,
}

/// The body of a promotion's record.
pub type PromotionRecordDetail = super::resolve::PromotionRecord;

/// What happens to a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowChange {
    /// It is inserted with these values.
    Create {
        /// Column to value.
        values: BTreeMap<String, Cell>,
    },
    /// Some columns change.
    Update {
        /// The whole live row, for the baseline.
        live: LiveRow,
        /// What changes.
        fields: BTreeMap<String, FieldChange>,
    },
    /// It is deleted.
    Delete {
        /// The row that goes.
        before: LiveRow,
    },
    /// It stays as it is, and is written down so.
    TakeOver {
        /// The live row.
        live: LiveRow,
    },
}

/// One column's change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// The live value.
    pub before: Option<String>,
    /// The value to be.
    pub after: Cell,
    /// What the last apply wrote, where it is neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<RecordedValue>,
}

/// Why something changes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A plan file declares it and it is not there.
    NotThere,
    /// A plan file declares other values.
    ValuesDiffer,
    /// A plan file declares other values than the last apply wrote.
    FileChanged,
    /// It is no longer what the last apply wrote.
    ChangedOutside,
    /// The last apply wrote it, and it is not there any more.
    GoneOutside,
    /// It is no longer what the last apply wrote, and a plan file declares a third value.
    Conflict,
    /// It is as declared, and no longer what the last apply wrote.
    OutdatedRecord,
    /// A plan file says that it should be absent.
    DeclaredAbsent,
    /// Its table is synced with plan files, and none of them declares it.
    NotInSync,
    /// A promotion needs it.
    Promotion(String),
    /// It depends on lifecycle states that change.
    LifecycleChanges,
    /// A unit comes into the selection.
    UnitJoins,
    /// A unit leaves the selection.
    UnitLeaves,
    /// A unit's content is another one.
    ContentChanged,
    /// Values that go into the text or the payload are others.
    PayloadChanged,
    /// The chunk policy or an embedder is another one.
    RecipeChanged,
    /// Points that should exist do not.
    PointsMissing(u64),
    /// Points are no longer what was written.
    PointsChanged(u64),
    /// Somebody asked for them to be made anew.
    Replaced,
    /// They were made before Enact knew of them and are taken over as they are.
    Adopted,
    /// The collection's shape is another one.
    ShapeChanged(String),
    /// The database's epoch is not the one the set was written under.
    EpochChanged,
    /// It moved since the last apply.
    Moved,
    /// It is no longer in the plan files.
    NoLongerDeclared,
    /// It was in the plan files once, and is again.
    DeclaredAgain,
    /// What is declared of it is another thing, and makes no difference to what is there.
    DeclaredOtherwise,
    /// A run is reverted.
    Reverted(String),
}

/// How a vector set changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VectorChange {
    /// The set: the alias or collection that applications query.
    pub set: String,
    /// Digest of policy, embedders, shape and payload fields.
    pub recipe: Digest,
    /// What becomes of the collection.
    pub collection: CollectionChange,
    /// Units whose points change, by address.
    pub units: Vec<UnitPoints>,
    /// Points that stay as they are.
    pub kept: u64,
    /// Points that Enact does not own; never touched.
    pub foreign: u64,
    /// Estimated tokens of the texts to embed.
    pub tokens: u64,
    /// What the ledger has to say, where the set has one.
    pub ledger: Vec<LedgerWrite>,
    /// Addresses of units without a body, which have no chunk.
    pub skipped_empty: Vec<String>,
    /// The run that this goes back from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<GoBack>,
}

/// The run whose points go back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct GoBack {
    /// The run.
    pub run: String,
    /// What was remembered of the set before it; absent where it was not managed.
    pub record: Option<Managed>,
}

/// What becomes of the collection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum CollectionChange {
    /// A new collection under the alias; nothing was there.
    New,
    /// A new collection takes the place of this one by one alias switch.
    Replace {
        /// The live collection.
        live: String,
        /// Why not in place.
        why: String,
    },
    /// The alias goes back to the collection that it named before.
    Return {
        /// The live collection.
        live: String,
        /// The one before.
        to: String,
    },
    /// Points are written into the live collection.
    InPlace {
        /// The live collection.
        live: String,
        /// Why in place.
        why: String,
    },
    /// Nothing is written into it: what is there is written down as managed.
    Adopt {
        /// The live collection.
        live: String,
    },
}

/// The points of one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UnitPoints {
    /// The unit's id.
    pub unit: String,
    /// Its address.
    pub address: String,
    /// Its title.
    pub title: String,
    /// Digest of what its points are made from, empty when it leaves.
    pub input: Option<Digest>,
    /// Why.
    pub reason: Reason,
    /// The chunks it will have.
    pub chunks: Vec<ChunkPlan>,
    /// Points that go.
    pub delete: Vec<PointId>,
}

impl UnitPoints {
    /// Whether its points may change under their ids.
    pub fn is_keyed(&self) -> bool {
        self.chunks.iter().any(|chunk| chunk.digest.is_some())
    }
}

/// One row of the ledger to be recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LedgerWrite {
    /// The unit's id.
    pub unit: String,
    /// The point's key.
    pub key: String,
    /// The point's id.
    pub id: PointId,
    /// The chunk's place, from 0.
    pub ordinal: u32,
    /// How many chunks the unit has.
    pub count: u32,
    /// SHA-256 of the chunk's own text.
    pub sha256: String,
    /// Whether the point exists afterwards.
    pub exists: bool,
}

/// One chunk as it will be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ChunkPlan {
    /// Its place, from 0.
    pub ordinal: u32,
    /// The point's id.
    pub id: PointId,
    /// Digest of the text as embedded.
    pub text: Digest,
    /// SHA-256 of the chunk's own text.
    pub sha256: String,
    /// What stands in the point, where points may change under their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Where its vectors come from.
    pub source: ChunkSource,
}

impl ChunkPlan {
    /// Whether its text is embedded.
    pub fn is_embedded(&self) -> bool {
        matches!(self.source, ChunkSource::Embed { .. })
    }
}

/// Where a point's vectors come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChunkSource {
    /// The point is there already.
    Kept,
    /// Another point has the same text and embedders: its vectors are taken.
    Copy {
        /// That point.
        from: PointId,
    },
    /// A run took the point away and kept it: it comes back as it was.
    Image {
        /// The run.
        run: String,
    },
    /// The text is embedded.
    Embed {
        /// Estimated tokens.
        tokens: u64,
    },
}

/// Something a reviewer should know.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// A stable code such as `W101`.
    pub code: String,
    /// What it is about.
    pub address: Option<Address>,
    /// One sentence.
    pub message: String,
}

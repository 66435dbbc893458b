//! Steps: pieces of work with everything they need to be done.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::links::RowAction;
use crate::diff::UnitPoints;
use crate::model::{Address, Cell, Check, Digest, StatusCheck, TableName, VectorParams};

/// Stands in a record for the id of the run that writes it.
pub const RUN_MARKER: &str = "{run}";

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// Its number, from 1, in the order of execution.
    pub id: u32,
    /// When it runs.
    pub phase: Phase,
    /// One line for people.
    pub title: String,
    /// The database role it runs as; absent for the connection's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_as: Option<String>,
    /// Steps that must be done before it.
    pub needs: Vec<u32>,
    /// The resources it changes, where they are few; a batch names its first and last.
    pub addresses: Vec<Address>,
    /// The work.
    pub work: Work,
}

/// The phases of an apply, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Invisible preparation.
    Stage,
    /// Inside the deciding transaction.
    Transaction,
    /// After the decision: make it visible in the vector store.
    Settle,
    /// After that: remove what is no longer needed.
    Sweep,
}

impl Phase {
    /// Its name, as people read it.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Stage => "stage",
            Phase::Transaction => "transaction",
            Phase::Settle => "settle",
            Phase::Sweep => "sweep",
        }
    }
}

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Fills a new collection, or spools points for an in-place write.
    StageVectors(Box<VectorWork>),
    /// Writes rows, all batches in one statement.
    WriteRows(RowsWork),
    /// Moves units.
    Transitions(TransitionsWork),
    /// Calls a function once for each row of arguments.
    Calls(CallsWork),
    /// Calls a refresh and checks its status.
    Refresh {
        /// The call.
        call: CallsWork,
        /// What must hold afterwards.
        status: StatusCheck,
    },
    /// Opens a gate for the steps up to its `ShutGate`.
    OpenGate(GateWork),
    /// Shuts it again.
    ShutGate(GateWork),
    /// Gives a gate another value for good.
    SetGate(GateWork),
    /// Opens a gate for good, if its pair is there and its day has come.
    OpenPaired(Box<PairedWork>),
    /// Writes down what is managed.
    RecordManaged {
        /// New or changed records.
        write: Vec<ManagedWrite>,
        /// Records that go.
        forget: Vec<Address>,
        /// Vector sets that left the plan files: their points are their own when they come back.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        remember: Vec<Address>,
        /// Those of which nothing but what is declared of them is written down.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        declare: Vec<SetDeclared>,
    },
    /// Writes down which rows are declared, with a digest of each declared column.
    RecordRows(RowsRecord),
    /// Writes into the live collection while the transaction is open.
    WriteVectors {
        /// The set.
        set: String,
    },
    /// Points the alias at the new collection.
    SwitchAlias {
        /// The set, which is the alias.
        set: String,
        /// The collection; the one that the run filled where it is absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<String>,
    },
    /// Brings indexes and metadata of a live collection up to the points that were written into it.
    FinishCollection {
        /// The set.
        set: String,
        /// The live collection.
        collection: String,
        /// Payload indexes that it has to have, and no others.
        payload_indexes: BTreeMap<String, String>,
    },
    /// Removes the collection that the alias named before.
    DropCollection {
        /// The set.
        set: String,
        /// The old collection.
        collection: String,
    },
}

/// Rows that are written by one statement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowsWork {
    /// The rows by table, action and columns.
    pub batches: Vec<RowBatch>,
}

/// Which rows are declared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowsRecord {
    /// Who declares them.
    pub project: String,
    /// Rows that are there after the plan, by table, key and declared columns.
    pub keep: Vec<RowsKept>,
    /// Rows that are not declared any more, or gone: the values of their keys.
    pub forget: Vec<RowsForgotten>,
    /// Digests of the keys that each table's rows are declared by.
    pub declared: BTreeMap<String, Digest>,
    /// Digests of all keys and values that they are declared with.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contents: BTreeMap<String, Digest>,
    /// The parts of tables that are synced, by column: one of these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub synced: BTreeMap<String, serde_json::Value>,
}

/// What is declared of a vector set whose points stay as they are.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SetDeclared {
    /// The set.
    #[schemars(with = "String")]
    pub address: Address,
    /// What of its record is another one now.
    pub attributes: serde_json::Value,
}

/// Rows of one table that are written down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowsKept {
    /// The table.
    pub table: TableName,
    /// The key columns.
    pub key: Vec<String>,
    /// The declared columns.
    pub columns: Vec<String>,
    /// Those of which it only matters that they are not NULL: the time of an apply.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<String>,
    /// The keys.
    pub rows: Vec<Vec<Cell>>,
}

/// Rows of one table of which nothing is known any more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowsForgotten {
    /// The table.
    pub table: TableName,
    /// The values of the columns under which they were written down.
    pub rows: Vec<BTreeMap<String, Option<String>>>,
}

/// Rows of one table that are written alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowBatch {
    /// The table.
    pub table: TableName,
    /// What is done.
    pub action: RowAction,
    /// The key columns.
    pub key: Vec<String>,
    /// The other columns that are written.
    pub columns: Vec<String>,
    /// Columns that are NULL until a later step writes them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cleared: Vec<String>,
    /// The rows.
    pub rows: Vec<RowWrite>,
}

/// One row to write.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RowWrite {
    /// Values of the key columns.
    pub key: Vec<Cell>,
    /// Values of the other columns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<Cell>,
}

/// Updates of one table with the same columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct UpdateWork {
    /// The table.
    pub table: TableName,
    /// The key's columns.
    pub key: Vec<Parameter>,
    /// The columns to set.
    pub set: Vec<Parameter>,
    /// Key values, then the values to set.
    pub rows: Vec<Vec<Cell>>,
}

/// A column or a function's parameter with the type the database spells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type, quoted by the database.
    pub type_name: String,
}

/// Transitions of units, one call or update each, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TransitionsWork {
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// The unit's address for each row of the work.
    pub units: Vec<String>,
    /// The unit's id for each row of the work.
    pub unit_ids: Vec<String>,
    /// The calls or updates.
    pub by: TransitionBy,
}

/// What makes the transitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransitionBy {
    /// A function.
    Calls(CallsWork),
    /// Updates.
    Updates(UpdateWork),
}

/// Calls of one function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct CallsWork {
    /// The function.
    pub function: TableName,
    /// The parameters that are passed, by name.
    pub parameters: Vec<Parameter>,
    /// The arguments of each call.
    pub calls: Vec<Vec<Cell>>,
    /// Statuses that mean success; empty: any answer.
    pub success: Vec<String>,
}

/// A gate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GateWork {
    /// Its name.
    pub gate: String,
    /// The table of gates.
    pub table: TableName,
    /// The column of names.
    pub key_column: String,
    /// The column of values.
    pub value_column: String,
    /// The value to write.
    pub value: String,
    /// The value that must be there before.
    pub expect: String,
}

/// A gate that is opened only together with its pair.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct PairedWork {
    /// The gate.
    pub gate: GateWork,
    /// The first day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    /// The name of the check.
    pub check: String,
    /// What has to hold.
    pub holds: Check,
}

/// A record of what is managed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ManagedWrite {
    /// The resource.
    pub address: Address,
    /// Its digest.
    pub digest: Digest,
    /// What later plans need.
    pub attributes: serde_json::Value,
}

/// How points of one set are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct VectorWork {
    /// The set.
    pub set: String,
    /// The live collection, if there is one.
    pub live: Option<String>,
    /// Whether a new collection is filled (else points are spooled).
    pub new_collection: bool,
    /// Shape of the collection.
    pub vectors: BTreeMap<String, VectorParams>,
    /// Payload indexes.
    pub payload_indexes: BTreeMap<String, String>,
    /// The vectors' makers by vector name: a pin in `pins.embedders`, or a sparse language.
    pub makers: BTreeMap<String, VectorMaker>,
    /// The chunk policy's name in `pins.chunk_policies`.
    pub chunk_policy: String,
    /// Payload fields.
    pub payload: Vec<String>,
    /// Digests that go into every point's identity.
    pub policy_digest: Digest,
    /// See `policy_digest`.
    pub embedders_digest: Digest,
    /// Units whose points change.
    pub units: Vec<UnitPoints>,
    /// Points of the live collection that a new one takes over.
    pub kept: u64,
    /// The template of the ledger's key, if the set has a ledger.
    pub ledger_key: Option<String>,
}

/// What makes one vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum VectorMaker {
    /// An embedder by its name in `pins.embedders`.
    Embedder(String),
    /// BM25 of this language.
    Bm25(String),
}

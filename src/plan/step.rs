//! Steps: pieces of work with everything they need to be done.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::diff::UnitPoints;
use crate::model::{Address, Cell, Check, Digest, StatusCheck, TableName, VectorParams};

/// Stands in a record for the id of the run that writes it.
pub const RUN_MARKER: &str = "{run}";

/// One piece of work.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
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

/// What a step does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Work {
    /// Fills a new collection, or spools points for an in-place write.
    StageVectors(Box<VectorWork>),
    /// Inserts rows.
    InsertRows(RowsWork),
    /// Updates one row each.
    UpdateRows(UpdateWork),
    /// Deletes rows by key.
    DeleteRows(RowsWork),
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
    },
    /// Writes into the live collection while the transaction is open.
    WriteVectors {
        /// The set.
        set: String,
    },
    /// Points the alias at the new collection.
    SwitchAlias {
        /// The set, which is the alias.
        set: String,
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

/// Rows of one table with the same columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RowsWork {
    /// The table.
    pub table: TableName,
    /// Columns of each row: for a deletion, the key's.
    pub columns: Vec<Parameter>,
    /// The rows.
    pub rows: Vec<Vec<Cell>>,
}

/// Updates of one table with the same columns.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// Its type, quoted by the database.
    pub type_name: String,
}

/// Transitions of units, one call or update each, in order.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionBy {
    /// A function.
    Calls(CallsWork),
    /// Updates.
    Updates(UpdateWork),
}

/// Calls of one function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManagedWrite {
    /// The resource.
    pub address: Address,
    /// Its digest.
    pub digest: Digest,
    /// What later plans need.
    pub attributes: serde_json::Value,
}

/// How points of one set are made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VectorMaker {
    /// An embedder by its name in `pins.embedders`.
    Embedder(String),
    /// BM25 of this language.
    Bm25(String),
}

//! Bindings: what the kinds of resource stand on, as data.
//!
//! A binding says how units are read (SQL expressions over its own `from`), which function or update makes each
//! transition, which rows a promotion writes, which columns refer softly to which, where gates live, which cache has to
//! be refreshed, and which table records the points. Expressions are the owner's own SQL and are trusted; values never
//! become SQL, they are filled from placeholders and bound.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::diagnostic::Place;
use super::name::TableName;

/// One binding file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Binding {
    /// The name, as plans and messages show it.
    pub name: String,
    /// How units are read.
    pub units: UnitSource,
    /// Legal transitions and what makes them.
    pub lifecycle: LifecycleBinding,
    /// What a promotion writes beside the transitions.
    #[serde(default)]
    pub promotion: PromotionBinding,
    /// References that the catalog does not know.
    #[serde(default)]
    pub soft_references: Vec<SoftReference>,
    /// Where gates live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gates: Option<Gate>,
    /// Where retention policies live.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<RetentionPolicy>,
    /// Caches that lifecycle changes leave stale.
    #[serde(default)]
    pub refresh: Vec<Refresh>,
    /// The table that records which points exist.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ledger: Option<Ledger>,
    /// More payload fields of points, as templates over the unit and the chunk.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub payload: BTreeMap<String, Argument>,
    /// How ids are derived, by scheme name.
    #[serde(default)]
    pub id_schemes: BTreeMap<String, IdScheme>,
    /// Where its texts stand.
    #[serde(skip)]
    pub places: BindingPlaces,
}

impl Binding {
    /// The binding of a database that has none of what it binds: it names nothing but itself.
    pub fn of_rows_alone(&self) -> Binding {
        let nothing = String::new;
        Binding {
            name: self.name.clone(),
            units: UnitSource {
                from: nothing(),
                condition: None,
                id: nothing(),
                address: nothing(),
                title: nothing(),
                body: nothing(),
                content_hash: nothing(),
                lifecycle: nothing(),
                anchor: None,
                fields: BTreeMap::new(),
                lock: Vec::new(),
                tables: Vec::new(),
            },
            lifecycle: LifecycleBinding { states: Vec::new(), transitions: Vec::new() },
            promotion: PromotionBinding::default(),
            soft_references: Vec::new(),
            gates: None,
            retention: None,
            refresh: Vec::new(),
            ledger: None,
            payload: BTreeMap::new(),
            id_schemes: BTreeMap::new(),
            places: self.places.clone(),
        }
    }

    /// Whether units can be read through it.
    pub fn has_units(&self) -> bool {
        !self.units.from.is_empty()
    }
}

/// Where each text of a binding's file stands for the first time. No part of what it says: all are equal.
#[derive(Debug, Clone, Default)]
pub struct BindingPlaces(pub BTreeMap<String, Place>);

impl PartialEq for BindingPlaces {
    fn eq(&self, _: &BindingPlaces) -> bool {
        true
    }
}

impl BindingPlaces {
    /// Where this key or value stands.
    pub fn of(&self, text: &str) -> Option<&Place> {
        self.0.get(text)
    }
}

/// How units are read: `SELECT <expressions> FROM <from> WHERE <where>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UnitSource {
    /// The FROM item with its joins.
    pub from: String,
    /// A condition that holds for every unit.
    #[serde(default, rename = "where", skip_serializing_if = "Option::is_none")]
    pub condition: Option<String>,
    /// Expression: the id, unique and stable.
    pub id: String,
    /// Expression: the address, unique and readable.
    pub address: String,
    /// Expression: the title.
    pub title: String,
    /// Expression: the body.
    pub body: String,
    /// Expression: a hash that changes when the body does.
    pub content_hash: String,
    /// Expression: the lifecycle state.
    pub lifecycle: String,
    /// Expression: the reference to the version under review, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<String>,
    /// More expressions that selections and payloads may name.
    #[serde(default)]
    pub fields: BTreeMap<String, String>,
    /// Table aliases of `from` whose rows an apply locks.
    pub lock: Vec<String>,
    /// Tables behind `from`, checked in the catalog.
    pub tables: Vec<TableName>,
}

impl UnitSource {
    /// The expression behind a field that a selection, a text or a payload may name.
    pub fn expression(&self, field: &str) -> Option<&str> {
        match field {
            "id" => Some(&self.id),
            "address" => Some(&self.address),
            "title" => Some(&self.title),
            "lifecycle" => Some(&self.lifecycle),
            "content_hash" => Some(&self.content_hash),
            "anchor" => self.anchor.as_deref(),
            other => self.fields.get(other).map(String::as_str),
        }
    }
}

/// States and transitions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LifecycleBinding {
    /// Every state a unit may be in; a selection by another one is refused.
    pub states: Vec<String>,
    /// The legal transitions.
    pub transitions: Vec<Transition>,
}

/// One legal transition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawTransition", into = "RawTransition")]
pub struct Transition {
    /// The state before.
    pub from: String,
    /// The state after.
    pub to: String,
    /// What makes it.
    pub work: TransitionWork,
}

/// What makes a transition.
#[derive(Debug, Clone, PartialEq)]
pub enum TransitionWork {
    /// A function that answers with a status.
    Call(FunctionCall),
    /// A plain update of one row.
    Update(TableUpdate),
}

#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawTransition {
    from: String,
    to: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<FunctionCall>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    update: Option<TableUpdate>,
}

impl TryFrom<RawTransition> for Transition {
    type Error = String;
    fn try_from(raw: RawTransition) -> Result<Transition, String> {
        let work = match (raw.call, raw.update) {
            (Some(call), None) => TransitionWork::Call(call),
            (None, Some(update)) => TransitionWork::Update(update),
            (None, None) | (Some(_), Some(_)) => {
                return Err(format!("transition {} to {} needs either call or update", raw.from, raw.to));
            }
        };
        Ok(Transition { from: raw.from, to: raw.to, work })
    }
}

impl From<Transition> for RawTransition {
    fn from(transition: Transition) -> RawTransition {
        let (call, update) = match transition.work {
            TransitionWork::Call(call) => (Some(call), None),
            TransitionWork::Update(update) => (None, Some(update)),
        };
        RawTransition { from: transition.from, to: transition.to, call, update }
    }
}

/// A call whose arguments are filled from placeholders and passed by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FunctionCall {
    /// Schema and name.
    pub function: TableName,
    /// Arguments by parameter name.
    pub arguments: BTreeMap<String, Argument>,
    /// Statuses of the answer (`status` of a jsonb result) that mean success. Empty: any answer does.
    #[serde(default)]
    pub success: Vec<String>,
}

/// A value with placeholders.
pub type Argument = Value;

/// An update of exactly one row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TableUpdate {
    /// The table.
    pub table: TableName,
    /// Key columns and their values.
    pub key: BTreeMap<String, Argument>,
    /// Columns to set.
    pub set: BTreeMap<String, Argument>,
}

/// What a promotion writes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PromotionBinding {
    /// How the set of units is hashed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub set_hash: Option<SetHash>,
    /// Derived ids: name in placeholders (`id.<name>`) to the kind that goes into the derivation.
    #[serde(default)]
    pub ids: BTreeMap<String, String>,
    /// The scheme when a promotion names none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_scheme: Option<String>,
    /// The rows, in any order; the graph orders them.
    #[serde(default)]
    pub rows: Vec<RowTemplate>,
}

/// SHA-256 over one line per unit, sorted by bytes and joined by a newline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetHash {
    /// The template of a line.
    pub line: String,
}

/// The template of one kind of row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowTemplate {
    /// What people call it.
    pub name: String,
    /// The table.
    pub table: TableName,
    /// One row for the promotion, or one for each unit.
    pub per: TemplateScope,
    /// The key columns among `values`.
    pub key: Vec<String>,
    /// Values with placeholders.
    pub values: BTreeMap<String, Argument>,
}

/// How often a template is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TemplateScope {
    /// Once.
    Promotion,
    /// Once for each unit.
    Unit,
}

/// A column that refers to another table's column without a foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SoftReference {
    /// The referring table.
    pub table: TableName,
    /// The referring column.
    pub column: String,
    /// The table referred to.
    pub to: TableName,
    /// The column referred to.
    pub to_column: String,
}

/// Where gates live: a table of keys and values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gate {
    /// The table.
    pub table: TableName,
    /// The column with the gate's name.
    pub key: String,
    /// The column with its value.
    pub value: String,
    /// The value that means open.
    pub open: String,
    /// The value that means shut.
    pub shut: String,
}

/// A table with one policy for each table whose old rows a job deletes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetentionPolicy {
    /// The table.
    pub table: TableName,
    /// The column with the name of the table that a policy is for, with or without its schema.
    pub target: String,
    /// The column with the name of the column that says how old a row is.
    pub column: String,
    /// The column with the number of days that a row is kept.
    pub keep_days: String,
    /// The column with the values that a row's own `scope_column` must have (an array of texts); NULL for every row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// The column of the table itself that `scope` is compared with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope_column: Option<String>,
}

/// A cache that is stale after lifecycle changes until a function runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// What people call it.
    pub name: String,
    /// What refreshes it.
    pub call: FunctionCall,
    /// The gate that makes it automatic; the step is left out while that gate is open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
    /// What must hold afterwards.
    pub status: StatusCheck,
}

/// A one-row view or table and the texts its columns must have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StatusCheck {
    /// The view.
    pub view: TableName,
    /// Column to expected text.
    pub expect: BTreeMap<String, String>,
}

/// The table that records which points exist.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ledger {
    /// The table.
    pub table: TableName,
    /// The vector sets it covers.
    pub sets: Vec<String>,
    /// The column of the point's key.
    pub key_column: String,
    /// The key's template.
    pub key: String,
    /// The column of the status.
    pub status_column: String,
    /// The column of the chunk's digest.
    pub digest_column: String,
    /// The column of the unit's id.
    pub unit_column: String,
    /// The status of a point that exists.
    pub indexed: String,
    /// The status of a point that is gone.
    pub removed: String,
    /// The only writer.
    pub record: FunctionCall,
    /// The gate that must be open while it writes `indexed`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<String>,
}

/// How an id is derived from a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum IdScheme {
    /// A prefix, then as many hex digits of the text's MD5 as fill 32.
    Md5 {
        /// The leading hex digits.
        prefix: String,
        /// The template of the text.
        text: String,
    },
    /// UUID version 5 (RFC 9562 section 5.5).
    Uuid5 {
        /// The namespace uuid.
        namespace: String,
        /// The template of the name.
        text: String,
    },
}

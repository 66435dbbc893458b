//! The saved plan: one JSON file that a person can read.
//!
//! The file is pretty-printed canonical JSON. `digest` is the blake3 digest of the canonical JSON of everything else but who
//! was connected (`environment.connected_as`), so a
//! file edited by hand is refused. `format_version` is `MAJOR.MINOR`: a reader refuses a newer major.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cost::EmbeddingTerms;
use super::links::Link;
use super::partial::Partial;
use super::step::Step;
use super::summary::Summary;
use crate::diff::{Change, Drift, Finding};
use crate::model::{
    Address, ApprovalRule, Binding, ChunkPolicy, Digest, EmbedderIdentity, Followers, Guards, ReferenceTarget, RowKey,
    Selection, SourceFile, TableName, canonical_json, digest_without,
};

/// The major version of the format.
pub const FORMAT_MAJOR: u32 = 1;
/// The version of the format.
pub const FORMAT_VERSION: &str = "1.0";

/// A plan that was saved, or is about to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Enact saved plan")]
pub struct SavedPlan {
    /// `MAJOR.MINOR`.
    pub format_version: String,
    /// Digest of all the rest.
    pub digest: Digest,
    /// The version of Enact that made it.
    pub made_by: String,
    /// What the verdict counts.
    pub summary: Summary,
    /// The database role that made it (`session_user`), where its own approval does not count. Absent elsewhere, so that plans of
    /// one state have one digest whoever makes them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub author: Option<String>,
    /// What it was narrowed to, absent when it is of everything.
    #[serde(default, skip_serializing_if = "Partial::is_whole")]
    pub partial: Partial,
    /// The environment it is for.
    pub environment: EnvironmentPin,
    /// The plan files.
    pub files: Vec<SourceFile>,
    /// What will change.
    pub changes: Vec<Change>,
    /// What reviewers should know.
    pub findings: Vec<Finding>,
    /// What changed outside Enact since the last apply, where this plan has something to do about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// What will be done, in order.
    pub steps: Vec<Step>,
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

/// The environment a plan is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EnvironmentPin {
    /// Its name.
    pub name: String,
    /// Who is recorded as having made the change.
    pub actor: String,
    /// The database role that planned: what no step gives to another role runs as the connection's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connected_as: Option<String>,
    /// The approvals that the environment asked for when the plan was made. An apply asks for these and for those of its own time.
    #[serde(default, skip_serializing_if = "ApprovalRule::is_none")]
    pub approvals: ApprovalRule,
    /// Seconds that an old collection stays after a switch.
    pub sweep_grace_seconds: u64,
    /// Seconds that a request to the vector store may still take effect after its sender died.
    pub request_deadline_seconds: u64,
    /// Collections that may be written; empty for any that is not denied.
    pub allowed_collections: Vec<String>,
    /// Collections that must never be written.
    pub denied_collections: Vec<String>,
}

/// What was observed, as digests: the apply compares.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Baseline {
    /// The database's epoch.
    pub epoch: Option<String>,
    /// The run that was applied last: a difference that comes back after it is another plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_run: Option<String>,
    /// Units by address: every unit that a selection of this plan chose before or chooses after.
    pub units: BTreeMap<String, Digest>,
    /// Rows that will be written.
    pub rows: Vec<RowBaseline>,
    /// Rows that are referred to and have to live.
    pub references: Vec<ReferenceTarget>,
    /// Rows that go or change by the way.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub followers: Vec<Followers>,
    /// Gates that were read.
    pub gates: BTreeMap<String, Option<String>>,
    /// What earlier applies own, digested under each promotion and vector set.
    pub managed: BTreeMap<Address, Digest>,
    /// Collections by vector set.
    pub collections: BTreeMap<String, CollectionBaseline>,
    /// Ledgers by vector set.
    pub ledgers: BTreeMap<String, Digest>,
}

/// One row that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowBaseline {
    /// The table.
    pub table: TableName,
    /// Its key.
    pub key: RowKey,
    /// Digest of the whole row, `None` when there was none.
    pub digest: Option<Digest>,
}

/// One collection that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CollectionBaseline {
    /// The collection behind the name, `None` when there was none.
    pub collection: Option<String>,
    /// Whether the name is an alias.
    pub alias: bool,
    /// Number of points.
    pub points: u64,
    /// Digest over the sorted ids.
    pub ids: Digest,
    /// Digest over what stands in the points, where points may change under their ids.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digests: Option<Digest>,
}

/// What the steps stand on, so that the apply needs neither YAML nor binding file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Pins {
    /// The binding.
    pub binding: Binding,
    /// Selections, evaluated again by the apply.
    pub selections: Vec<SelectionPin>,
    /// States that units will have, by unit id; for the selections.
    pub overlay: BTreeMap<String, String>,
    /// Chunk policies by name.
    pub chunk_policies: BTreeMap<String, ChunkPolicy>,
    /// Embedders by name.
    pub embedders: BTreeMap<String, EmbedderIdentity>,
    /// Terms of those that are asked over a network, for what the plan says of its cost.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub embedding: BTreeMap<String, EmbeddingTerms>,
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

/// Why a saved plan cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// Not JSON, or not a plan.
    #[error("not a saved plan: {0}")]
    NotAPlan(String),
    /// Made by a newer Enact.
    #[error("the plan has format {found}, and this Enact reads {FORMAT_VERSION}")]
    NewerFormat {
        /// Its version.
        found: String,
    },
    /// Changed after it was saved.
    #[error("the plan says digest {said} but its content has {real}: it was changed after it was saved")]
    Edited {
        /// What it says.
        said: String,
        /// What its content has.
        real: String,
    },
}

impl SavedPlan {
    /// Whether nothing is to be done.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Digests everything but `digest` itself.
    pub fn content_digest(&self) -> Digest {
        digest_without(self, NOT_DIGESTED)
    }

    /// Says who made it and what it was narrowed to, and digests it anew.
    #[must_use]
    pub fn made_by_role(mut self, author: Option<String>, partial: Partial) -> SavedPlan {
        self.author = author;
        self.findings.extend(partial.finding());
        self.findings.sort();
        self.partial = partial;
        self.digest = self.content_digest();
        self
    }

    /// The file's text.
    pub fn to_text(&self) -> String {
        let Ok(value) = serde_json::to_value(self) else { panic!("BUG: a plan does not serialise") };
        let mut out = String::new();
        super::pretty::write(&value, 0, &mut out);
        out.push('\n');
        out
    }

    /// Reads a file's text and checks format and digest.
    ///
    /// # Errors
    /// When it is not a plan, is of a newer format, or was edited.
    pub fn from_text(text: &str) -> Result<SavedPlan, LoadError> {
        let value: serde_json::Value =
            serde_json::from_str(text).map_err(|error| LoadError::NotAPlan(error.to_string()))?;
        let found = value.get("format_version").and_then(|v| v.as_str()).unwrap_or("").to_owned();
        match found.split('.').next().and_then(|major| major.parse::<u32>().ok()) {
            None => return Err(LoadError::NotAPlan("it has no format_version".to_owned())),
            Some(major) if major > FORMAT_MAJOR => return Err(LoadError::NewerFormat { found }),
            Some(_) => {}
        }
        // Of what the file says, not of what this version makes of it: a field that an older one did not know has a default
        // here, and is not in the file's digest.
        let real = digest_without(&value, NOT_DIGESTED);
        let plan: SavedPlan = serde_json::from_value(value).map_err(|error| LoadError::NotAPlan(error.to_string()))?;
        if real != plan.digest {
            return Err(LoadError::Edited { said: plan.digest.to_string(), real: real.to_string() });
        }
        Ok(plan)
    }

    /// The plan as canonical JSON on one line.
    pub fn canonical(&self) -> String {
        canonical_json(self)
    }
}

/// Who looked makes no other plan: one role may plan for reviewers and another apply.
const NOT_DIGESTED: &[&[&str]] = &[&["digest"], &["environment", "connected_as"]];

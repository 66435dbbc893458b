//! The saved plan.
//!
//! In a file it is lines ([`super::file`]); for programs that read what `--format json` writes it is one value, with the steps
//! that are derived from it. `digest` is that of the file's lines but the last, so a file edited by hand is refused; who was
//! connected stands in the last. `format_version` is `MAJOR.MINOR`: a reader refuses another major.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::baseline::{UnitsBaseline, row_baselines};
use super::derive::{Parts, derive};
use super::file::{read_plan, write_plan};
use super::links::Link;
use super::partial::Partial;
use super::pins::{Pins, overlay};
use super::step::Step;
use super::summary::Summary;
use crate::diff::{Change, Drift, Finding};
use crate::model::{
    Address, ApprovalRule, Diagnostics, Digest, Followers, Guards, PointsCompared, ReferenceTarget, RowKey, SourceFile,
    TableName,
};

/// The major version of the format.
pub const FORMAT_MAJOR: u32 = 2;
/// The version of the format.
pub const FORMAT_VERSION: &str = "2.0";

/// A plan that was saved, or is about to be.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "Enact plan")]
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
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub drift: Vec<Drift>,
    /// What will be done, in order: derived from the changes and the pins whenever a plan is made or read, and in no file.
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
    /// Every unit that a selection of this plan chose before or chooses after.
    pub units: UnitsBaseline,
    /// Rows that will be written; what the changes say of them, and in no file.
    #[serde(skip)]
    pub rows: Vec<RowBaseline>,
    /// Digests of how the declared rows of each table differ from what was written down of them. A plan of a part has none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub moved: BTreeMap<String, Digest>,
    /// Rows that are referred to and have to live.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
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
    /// Units by id that the plan's own rows and moves make another one of than their states say: what each is afterwards,
    /// nothing where it is gone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub made: BTreeMap<String, Option<UnitMade>>,
}

/// A unit as the plan's own writes leave it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UnitMade {
    /// Its address.
    pub address: String,
    /// Digest of what the plan uses of it.
    pub digest: Digest,
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
    /// Digest of its vectors and payload indexes.
    #[serde(default)]
    pub shape: Digest,
    /// Number of points.
    pub points: u64,
    /// Whether points may change under their ids.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub keyed: bool,
    /// How the points were compared with what is written down of them.
    pub compared: PointsCompared,
    /// Digest over what was found.
    pub seen: Digest,
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
    /// Made by an Enact that wrote plans in another way.
    #[error("the plan has format {found}, from before {FORMAT_VERSION}, and holds steps that nobody can review")]
    OlderFormat {
        /// Its version.
        found: String,
    },
    /// It does not hold what its changes need.
    #[error("no steps can be derived from the plan: {0}")]
    NotWhole(String),
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

    /// The digest of its lines.
    pub fn content_digest(&self) -> Digest {
        let Ok(digest) = write_plan(self, &mut std::io::sink()) else { panic!("BUG: a plan does not serialise") };
        digest
    }

    /// Writes its lines.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, to: &mut dyn Write) -> std::io::Result<()> {
        write_plan(self, to).map(|_| ())
    }

    /// Its lines as one text.
    pub fn to_text(&self) -> String {
        let mut out = Vec::new();
        let Ok(()) = self.write(&mut out) else { panic!("BUG: a plan does not serialise") };
        let Ok(text) = String::from_utf8(out) else { panic!("BUG: JSON that is no UTF-8") };
        text
    }

    /// Reads lines, checks their format and digest, and derives the steps.
    ///
    /// # Errors
    /// When it is not a plan, is of another format, was edited, or does not hold what its changes need.
    pub fn read(from: &mut dyn BufRead) -> Result<SavedPlan, LoadError> {
        let mut plan = read_plan(from)?;
        plan.complete()?;
        Ok(plan)
    }

    /// Reads the lines of a text; see [`SavedPlan::read`].
    ///
    /// # Errors
    /// Those of [`SavedPlan::read`].
    pub fn from_text(text: &str) -> Result<SavedPlan, LoadError> {
        SavedPlan::read(&mut text.as_bytes())
    }

    /// Derives what is in no file: the states that units will have, and the steps.
    fn complete(&mut self) -> Result<(), LoadError> {
        self.pins.overlay = overlay(&self.changes);
        self.baseline.rows = row_baselines(&self.changes);
        let parts = Parts {
            changes: &self.changes,
            pins: &self.pins,
            baseline: &self.baseline,
            environment: &self.environment,
            made_by: &self.made_by,
        };
        let details = |errors: Diagnostics| errors.0.into_iter().map(|error| error.detail).collect::<Vec<_>>();
        self.steps = derive(&parts).map_err(|errors| LoadError::NotWhole(details(errors).join("; ")))?;
        Ok(())
    }
}

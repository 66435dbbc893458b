//! Desired state: what the plan files say, with a place for everything.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::canonical::Digest;
use super::chunk_policy::ChunkPolicy;
use super::diagnostic::{Place, Spot};
use super::guard::{CheckResource, GateResource, Protection, Retention};
use super::name::Address;
use super::points::PointIds;
use super::rows::{RowSet, SyncedTable};
use super::selection::{Selection, UnitsRef};

/// All plan files of one run together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Desired {
    /// The files, sorted by path.
    pub files: Vec<SourceFile>,
    /// Named selections.
    pub units: BTreeMap<String, NamedSelection>,
    /// Promotions by name.
    pub promotions: BTreeMap<String, Promotion>,
    /// Rows, by table and by the columns that they name.
    pub rows: Vec<RowSet>,
    /// Tables of which the declared rows are all that should be there.
    pub synced: Vec<SyncedTable>,
    /// Chunk policies by name.
    pub chunk_policies: BTreeMap<String, Spot<ChunkPolicy>>,
    /// Vector sets by name.
    pub vector_sets: BTreeMap<String, VectorSet>,
    /// Whether only some of the project's files were read, so that what they leave out may be declared elsewhere.
    pub partial: bool,
    /// Protections by name.
    pub protect: BTreeMap<String, Protection>,
    /// Checks by name.
    pub checks: BTreeMap<String, CheckResource>,
    /// Gates by their own name.
    pub gates: BTreeMap<String, GateResource>,
    /// Retentions by name.
    pub retention: BTreeMap<String, Retention>,
}

impl Desired {
    /// Whether plan files declare rows.
    pub fn writes_rows(&self) -> bool {
        !self.rows.is_empty() || !self.synced.is_empty()
    }

    /// The conditions behind a selection, whether it is named or written in place.
    pub fn selection<'a>(&'a self, units: &'a UnitsRef) -> &'a Selection {
        match units {
            UnitsRef::Inline(spot) => &spot.value,
            UnitsRef::Named(spot) => match self.units.get(&spot.value) {
                Some(named) => &named.selection,
                None => panic!("BUG: spec let an unknown selection \"{}\" through", spot.value),
            },
        }
    }

    /// Whether nothing but rows is declared: no unit, set or guard, so that the binding is not asked for anything.
    pub fn is_rows_alone(&self) -> bool {
        self.units.is_empty() && self.addresses().is_empty()
    }

    /// The addresses of everything that is declared by name: all but rows.
    pub fn addresses(&self) -> BTreeSet<Address> {
        let Desired { promotions, vector_sets, gates, checks, protect, retention, .. } = self;
        let promotions = promotions.keys().map(|name| Address::promotion(name));
        let sets = vector_sets.keys().map(|name| Address::vector_set(name));
        let gates = gates.keys().map(|name| Address::gate(name));
        let checks = checks.keys().map(|name| Address::check(name));
        let protect = protect.keys().map(|name| Address::protect(name));
        let retention = retention.keys().map(|name| Address::retention(name));
        promotions.chain(sets).chain(gates).chain(checks).chain(protect).chain(retention).collect()
    }
}

/// One plan file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourceFile {
    /// The path as given.
    pub path: String,
    /// The name under `plan:`.
    pub plan: String,
    /// Digest of its bytes.
    pub digest: Digest,
}

/// A named selection with what the author expects of it.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedSelection {
    /// The selection.
    pub selection: Selection,
    /// What the author expects.
    pub expect: Option<Spot<Expectation>>,
    /// Where it is named.
    pub place: Place,
}

/// What a selection must give, or the plan is refused.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectation {
    /// How many units.
    pub count: Option<u64>,
    /// The set hash by the binding's recipe, or a prefix of at least 8 digits.
    pub hash: Option<String>,
}

/// A promotion: a set of units moves to a state under recorded review.
#[derive(Debug, Clone, PartialEq)]
pub struct Promotion {
    /// The name.
    pub name: String,
    /// Which units.
    pub units: UnitsRef,
    /// The state they move to.
    pub to: Spot<String>,
    /// The review that allows it.
    pub review: Review,
    /// How ids are derived.
    pub ids: IdChoice,
    /// Whether it was made before Enact knew of it and is to be taken over as it is.
    pub adopt: bool,
    /// Where it is named.
    pub place: Place,
}

/// The review behind a promotion. `at` makes the recorded times constant; without it they are the time of the apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Review {
    /// The verdict, such as `approve`.
    pub decision: String,
    /// Who decided.
    pub reviewer: String,
    /// Why.
    pub rationale: String,
    /// When, as the database reads a timestamp.
    pub at: Option<String>,
    /// More values that the binding's templates may name as `review.<key>`.
    pub more: BTreeMap<String, Value>,
    /// Where it stands.
    pub place: Option<Place>,
}

/// How ids are derived.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdChoice {
    /// The scheme's name; the binding's default otherwise.
    pub scheme: Option<Spot<String>>,
    /// The namespace; the promotion's name otherwise.
    pub namespace: Option<String>,
}

/// A vector set: the collection, or the alias, that applications query.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorSet {
    /// The name.
    pub name: String,
    /// Which units.
    pub units: UnitsRef,
    /// The chunk policy's name.
    pub chunk_policy: Spot<String>,
    /// The vectors by name.
    pub vectors: BTreeMap<String, Spot<VectorSpec>>,
    /// Payload fields beside the ones that Enact always writes.
    pub payload: Vec<Spot<String>>,
    /// Payload indexes.
    pub payload_indexes: BTreeMap<String, Spot<PayloadIndex>>,
    /// How changes reach readers.
    pub rollout: Rollout,
    /// How points get their ids.
    pub ids: PointIds,
    /// How many of its points one plan may delete because their units leave.
    pub max_delete: MaxDelete,
    /// Where it is named.
    pub place: Place,
}

/// How many points of a set one plan may delete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MaxDelete {
    /// So many.
    Points(u64),
    /// So much of what is there.
    Percent(u64),
}

impl Default for MaxDelete {
    /// Half of them: a selection that means something else than it did is noticed, and everyday work is not.
    fn default() -> MaxDelete {
        MaxDelete::Percent(50)
    }
}

impl MaxDelete {
    /// Whether a set of so many points may lose so many of them.
    pub fn allows(self, lost: u64, there: u64) -> bool {
        match self {
            MaxDelete::Points(most) => lost <= most,
            MaxDelete::Percent(most) => lost.saturating_mul(100) <= there.saturating_mul(most),
        }
    }
}

impl std::fmt::Display for MaxDelete {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            MaxDelete::Points(most) => write!(f, "{most}"),
            MaxDelete::Percent(most) => write!(f, "{most}%"),
        }
    }
}

/// One vector of a set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VectorSpec {
    /// From an embedder.
    Dense {
        /// The embedder's name.
        embedder: String,
        /// The distance.
        distance: Distance,
    },
    /// BM25 with IDF on the server.
    Bm25 {
        /// Language of the stemmer and the stop words, `none` for neither.
        language: String,
    },
}

/// A distance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Distance {
    /// Cosine.
    Cosine,
    /// Dot product.
    Dot,
    /// Euclidean.
    Euclid,
    /// Manhattan.
    Manhattan,
}

/// The type of a payload index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadIndex {
    /// Exact text.
    Keyword,
    /// Uuid.
    Uuid,
    /// Integer.
    Integer,
    /// Float.
    Float,
    /// Boolean.
    Bool,
    /// Datetime.
    Datetime,
    /// Full text.
    Text,
}

/// How changes of a vector set reach its readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rollout {
    /// Chosen by the plan, which says why.
    Auto,
    /// Written into the live collection.
    InPlace,
    /// A new collection, then one alias switch.
    BlueGreen,
}

impl Distance {
    /// The name as plans write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Distance::Cosine => "cosine",
            Distance::Dot => "dot",
            Distance::Euclid => "euclid",
            Distance::Manhattan => "manhattan",
        }
    }
}

impl PayloadIndex {
    /// The name as plans write it.
    pub fn as_str(self) -> &'static str {
        match self {
            PayloadIndex::Keyword => "keyword",
            PayloadIndex::Uuid => "uuid",
            PayloadIndex::Integer => "integer",
            PayloadIndex::Float => "float",
            PayloadIndex::Bool => "bool",
            PayloadIndex::Datetime => "datetime",
            PayloadIndex::Text => "text",
        }
    }
}

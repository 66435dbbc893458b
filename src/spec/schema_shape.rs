//! The shapes that the JSON Schemas are made of. They are turned into a schema and never built.

#![expect(dead_code, reason = "shapes are turned into a schema and never built")]

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

use super::schema_guards as guards;
use super::schema_rows::TableRows;

#[derive(JsonSchema)]
pub enum Version {
    #[schemars(rename = "v1")]
    V1,
}

/// Desired state for `enact plan`.
#[derive(JsonSchema)]
#[schemars(title = "Enact plan file", deny_unknown_fields)]
pub struct Plan {
    /// The format version.
    enact: Version,
    /// The name of the plan.
    plan: String,
    /// Named selections of units.
    units: Option<BTreeMap<String, Units>>,
    /// Sets of units that move to a state under recorded review.
    promotions: Option<BTreeMap<String, Promotion>>,
    /// Rows of any table, by schema.table; a part of the name that holds a dot is written in double quotes.
    rows: Option<BTreeMap<String, TableRows>>,
    /// How units become chunks.
    chunk_policies: Option<BTreeMap<String, ChunkPolicy>>,
    /// Collections or aliases that applications query.
    vector_sets: Option<BTreeMap<String, VectorSet>>,
    /// Values of gates.
    gates: Option<BTreeMap<String, Scalar>>,
    /// Read-only queries and what they must answer.
    checks: Option<BTreeMap<String, guards::CheckShape>>,
    /// What must be the same before and after.
    protect: Option<BTreeMap<String, guards::Protect>>,
    /// Tables whose old rows a job may delete.
    retention: Option<BTreeMap<String, guards::RetentionShape>>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Units {
    /// Conditions by field; `<field>_prefix` matches the beginning, `addresses` lists addresses.
    #[schemars(rename = "where")]
    conditions: Conditions,
    /// What the selection must give, or the plan is refused.
    expect: Option<Expect>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Expect {
    /// How many units.
    count: Option<u32>,
    /// The hash of the set, or at least its first 8 digits.
    #[schemars(regex(pattern = "^[0-9a-fA-F]{8,64}$"))]
    hash: Option<String>,
}

/// The name of a selection, or conditions in place.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum UnitsRef {
    Name(String),
    Conditions(Conditions),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Promotion {
    units: UnitsRef,
    /// The state they move to.
    to: String,
    review: Review,
    ids: Option<Ids>,
}

/// The review that allows it. More keys may be added; the binding's templates may name them.
#[derive(JsonSchema)]
pub struct Review {
    decision: String,
    reviewer: String,
    rationale: String,
    /// When; the time of the apply otherwise.
    at: Option<String>,
}

/// How ids are derived.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Ids {
    /// A scheme of the binding.
    scheme: Option<String>,
    /// What goes into the derivation; the promotion's name otherwise.
    namespace: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ChunkPolicy {
    splitter: Splitter,
    /// The longest chunk, in characters.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_chars: u32,
    /// How much of a chunk the next one repeats; less than max_chars.
    #[schemars(range(max = 1_000_000))]
    overlap_chars: Option<u32>,
    /// The text that is embedded, with {chunk}, {title}, {address} or a field of the binding.
    text: Option<String>,
    /// What becomes of a unit without a body; no default once there is one.
    empty_body: Option<EmptyBody>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Splitter {
    Markdown,
    Text,
    Sentence,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum EmptyBody {
    Skip,
    Title,
    Error,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct VectorSet {
    units: UnitsRef,
    /// The name of a chunk policy.
    chunk_policy: String,
    vectors: BTreeMap<String, Vector>,
    /// Payload fields beside the ones that Enact always writes.
    payload: Option<Vec<String>>,
    payload_indexes: Option<BTreeMap<String, PayloadIndex>>,
    /// How changes reach readers; auto otherwise.
    rollout: Option<Rollout>,
    /// How points get their ids; content otherwise.
    ids: Option<PointIds>,
    /// How many of its points one plan may delete because their units leave, such as 500 or 80%; 50% otherwise.
    max_delete: Option<MaxDelete>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum MaxDelete {
    Points(u32),
    /// A percentage of the points that are there.
    Percent(#[schemars(regex(pattern = r"^(100|[0-9]{1,2}) *%$"))] String),
}

#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum PointIds {
    /// From everything a point is made of.
    Content(ContentIds),
    /// From a key, so that a chunk keeps its id whatever its text.
    Key(KeyIds),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct ContentIds {
    #[schemars(extend("const" = "content"))]
    scheme: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct KeyIds {
    #[schemars(extend("const" = "key"))]
    scheme: String,
    /// The namespace of the UUIDs version 5.
    namespace: String,
    /// The key, with unit.<field> and chunk.key or chunk.index, such as iu.{unit.address}#chunk-{chunk.key}.
    template: String,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Vector {
    Dense(DenseVector),
    Sparse(SparseVector),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct DenseVector {
    /// An embedder of the environment; the one called default otherwise.
    embedder: Option<String>,
    /// cosine otherwise.
    distance: Option<Distance>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SparseVector {
    sparse: Sparse,
    /// Language of the stemmer and the stop words, none for neither; english otherwise.
    language: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Sparse {
    Bm25,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Distance {
    Cosine,
    Dot,
    Euclid,
    Manhattan,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum PayloadIndex {
    Keyword,
    Uuid,
    Integer,
    Float,
    Bool,
    Datetime,
    Text,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "snake_case")]
pub enum Rollout {
    Auto,
    InPlace,
    BlueGreen,
}

/// Environments for `enact`.
#[derive(JsonSchema)]
#[schemars(title = "enact.yaml", deny_unknown_fields)]
pub struct Config {
    /// The format version.
    enact: Option<Version>,
    /// Who owns what is written down; several projects may share one database. default without it.
    #[schemars(length(max = 128), regex(pattern = "^[A-Za-z0-9_][A-Za-z0-9_.-]*$"))]
    project: Option<String>,
    environments: BTreeMap<String, Environment>,
    /// The environment when --env is absent.
    default: Option<String>,
    /// NAME=value lines for ${NAME}; the process environment comes first.
    env_file: Option<String>,
}

/// Either local, or postgres and qdrant.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Environment {
    local: Option<Local>,
    postgres: Option<Postgres>,
    qdrant: Option<Qdrant>,
    embedders: Option<BTreeMap<String, Embedder>>,
    /// iu-core, documents, or a path.
    binding: Option<String>,
    roles: Option<Roles>,
    /// Who is recorded as having made a change.
    actor: Option<String>,
    collections: Option<Collections>,
    /// How long the old collection stays after a switch, such as 1h.
    #[schemars(regex(pattern = "^[0-9]+[smhd]$"))]
    sweep_grace: Option<String>,
    /// How long a request to Qdrant may still take effect after its sender died: a number with s, m, h or d. Recovery
    /// waits this long before it puts points back. Without it: Qdrant's own timeout_ms, 5s for the embedded stores.
    #[schemars(regex(pattern = "^[0-9]+[smhd]$"))]
    request_deadline: Option<String>,
    approvals: Option<Approvals>,
}

/// What an apply needs. The stricter of this and of what the plan was made under holds.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Approvals {
    /// How many database roles have to approve; 1 without it.
    #[schemars(range(min = 0, max = 100))]
    required: Option<u32>,
    /// The approval of the database role that made the plan does not count; true without it.
    not_by_author: Option<bool>,
}

/// Embedded stores.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Local {
    /// .enact otherwise.
    directory: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Postgres {
    /// A connection string; url and conninfo mean the same.
    url: Option<Secret>,
    conninfo: Option<Secret>,
    password: Option<Secret>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Qdrant {
    /// The gRPC address, usually on port 6334.
    url: Secret,
    api_key: Option<Secret>,
    /// A PEM file with the authorities to trust.
    ca: Option<String>,
    #[schemars(range(min = 1, max = 3_600_000))]
    timeout_ms: Option<u64>,
}

/// A text, with ${VARIABLE} for what is secret, or where to get it.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Secret {
    Text(String),
    File(SecretFile),
    Command(SecretCommand),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SecretFile {
    file: String,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct SecretCommand {
    /// A program and its arguments; no shell.
    #[schemars(length(min = 1))]
    command: Vec<String>,
}

#[derive(JsonSchema)]
#[schemars(untagged)]
pub enum Embedder {
    Static(StaticEmbedder),
    OpenAi(OpenAiEmbedder),
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct StaticEmbedder {
    kind: StaticKind,
    /// The shipped model otherwise.
    directory: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum StaticKind {
    Static,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct OpenAiEmbedder {
    kind: OpenAiKind,
    /// Up to and including /v1.
    base_url: Option<String>,
    model: String,
    #[schemars(range(min = 1, max = 65_536))]
    dimensions: u32,
    api_key: Option<Secret>,
    /// Texts in one request.
    #[schemars(range(min = 1, max = 2_048))]
    max_texts: Option<u32>,
    /// Tokens in one request, by estimate.
    #[schemars(range(min = 1, max = 1_000_000))]
    max_tokens: Option<u32>,
    /// Requests at once.
    #[schemars(range(min = 1, max = 64))]
    concurrency: Option<u32>,
    #[schemars(range(min = 1, max = 3_600_000))]
    timeout_ms: Option<u64>,
    /// For the plan's cost line.
    price_per_million_tokens: Option<Scalar>,
}

#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub enum OpenAiKind {
    OpenAi,
}

/// Database roles by kind of step; the connection's own otherwise.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Roles {
    rows: Option<String>,
    lifecycle: Option<String>,
    refresh: Option<String>,
    ledger: Option<String>,
    gates: Option<String>,
}

#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Collections {
    /// Only these may be written.
    allow: Option<Vec<String>>,
    /// These may never be written.
    deny: Option<Vec<String>>,
}

/// A text, a number or a truth value.
pub struct Scalar;

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// A value, any of several values, or null.
pub struct Condition;

impl JsonSchema for Condition {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Condition".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let scalar = generator.subschema_for::<Scalar>();
        json_schema!({
            "description": "a value, a list of which any matches, or null",
            "anyOf": [scalar, { "type": "array", "items": scalar, "minItems": 1 }, { "type": "null" }]
        })
    }
}

pub type Conditions = BTreeMap<String, Condition>;

//! JSON Schemas for editors.
//!
//! The shapes below are only ever turned into a schema: the readers are written by hand, because a serde type stops at its
//! first mistake. A test holds shapes and readers together, key by key.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

/// The schema of plan files.
pub fn plan_schema() -> Value {
    tidy(schemars::schema_for!(shape::Plan))
}

/// The schema of `enact.yaml`.
pub fn config_schema() -> Value {
    tidy(schemars::schema_for!(shape::Config))
}

fn tidy(schema: Schema) -> Value {
    let mut value = schema.to_value();
    forbid_null(&mut value);
    value
}

/// A key may be left out, but it may not be null: schemars allows null for every `Option`.
fn forbid_null(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(forbid_null),
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get_mut("properties") {
                properties.values_mut().for_each(without_null);
            }
            map.values_mut().for_each(forbid_null);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn without_null(property: &mut Value) {
    let Some(map) = property.as_object_mut() else { return };
    if let Some(Value::Array(types)) = map.get_mut("type") {
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(options)) = map.get_mut("anyOf") {
        options.retain(|option| option.get("type") != Some(&Value::from("null")));
        if let [Value::Object(only)] = options.as_slice() {
            let only = only.clone();
            map.remove("anyOf");
            map.extend(only);
        }
    }
}

/// A text, a number or a truth value.
struct Scalar;

impl JsonSchema for Scalar {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Scalar".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "number", "boolean"] })
    }
}

/// A value, any of several values, or null.
struct Condition;

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

type Conditions = BTreeMap<String, Condition>;

#[expect(dead_code, reason = "shapes are turned into a schema and never built")]
mod shape {
    use super::{BTreeMap, Conditions, JsonSchema, Scalar, Value};

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
        /// Rows of any table, by schema.table.
        rows: Option<BTreeMap<String, Vec<Row>>>,
        /// How units become chunks.
        chunk_policies: Option<BTreeMap<String, ChunkPolicy>>,
        /// Collections or aliases that applications query.
        vector_sets: Option<BTreeMap<String, VectorSet>>,
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
    #[schemars(untagged)]
    pub enum Row {
        Present(PresentRow),
        Absent(AbsentRow),
    }

    #[derive(JsonSchema)]
    #[schemars(deny_unknown_fields)]
    pub struct PresentRow {
        key: BTreeMap<String, Scalar>,
        /// Columns not named are left as they are.
        values: BTreeMap<String, Value>,
    }

    #[derive(JsonSchema)]
    #[schemars(deny_unknown_fields)]
    pub struct AbsentRow {
        key: BTreeMap<String, Scalar>,
        #[schemars(extend("const" = true))]
        absent: bool,
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{config, environment, plan_file, promotion, rows, secret, selection, vectors};
    use std::collections::BTreeSet;

    fn keys<'s>(schema: &'s Value, shapes: &[&str]) -> BTreeSet<&'s str> {
        let of = |shape: &str| match shape {
            "" => &schema["properties"],
            shape => &schema["$defs"][shape]["properties"],
        };
        shapes.iter().flat_map(|shape| of(shape).as_object().unwrap().keys()).map(String::as_str).collect()
    }

    fn holds(schema: &Value, shapes: &[&str], read: &[&str]) {
        assert_eq!(keys(schema, shapes), read.iter().copied().collect(), "{shapes:?}");
    }

    #[test]
    fn every_key_that_is_read_is_in_the_schema_and_the_other_way_round() {
        let plan = plan_schema();
        holds(&plan, &[""], plan_file::PLAN_KEYS);
        holds(&plan, &["Units"], selection::UNITS_KEYS);
        holds(&plan, &["Expect"], selection::EXPECT_KEYS);
        holds(&plan, &["Promotion"], promotion::PROMOTION_KEYS);
        holds(&plan, &["Review"], promotion::REVIEW_KEYS);
        holds(&plan, &["Ids"], promotion::IDS_KEYS);
        holds(&plan, &["PresentRow", "AbsentRow"], rows::ROW_KEYS);
        holds(&plan, &["ChunkPolicy"], vectors::POLICY_KEYS);
        holds(&plan, &["VectorSet"], vectors::SET_KEYS);
        holds(&plan, &["DenseVector", "SparseVector"], vectors::VECTOR_KEYS);
        let config = config_schema();
        holds(&config, &[""], config::CONFIG_KEYS);
        holds(&config, &["Environment"], environment::ENVIRONMENT_KEYS);
        holds(&config, &["Local"], environment::LOCAL_KEYS);
        holds(&config, &["Postgres"], environment::POSTGRES_KEYS);
        holds(&config, &["Qdrant"], environment::QDRANT_KEYS);
        holds(&config, &["SecretFile", "SecretCommand"], secret::SECRET_KEYS);
        holds(&config, &["StaticEmbedder"], environment::STATIC_KEYS);
        holds(&config, &["OpenAiEmbedder"], environment::OPENAI_KEYS);
        holds(&config, &["Roles"], environment::ROLES_KEYS);
        holds(&config, &["Collections"], environment::COLLECTIONS_KEYS);
    }

    #[test]
    fn the_schemas_in_the_repository_are_fresh() {
        for (name, schema) in [("plan", plan_schema()), ("config", config_schema())] {
            let path = format!("{}/schemas/{name}.schema.json", env!("CARGO_MANIFEST_DIR"));
            let fresh = format!("{}\n", serde_json::to_string_pretty(&schema).unwrap());
            if std::env::var_os("UPDATE_SCHEMAS").is_some() {
                std::fs::write(&path, &fresh).unwrap();
            }
            let stored = std::fs::read_to_string(&path).unwrap_or_default();
            assert!(stored == fresh, "{path} is stale; run: UPDATE_SCHEMAS=1 cargo test --lib spec::schema");
        }
    }
}

//! Environments: where the stores are, as whom, and with which embedders.
//!
//! An environment holds references to secrets, never a secret: `SecretSource` says where the text comes from, and the
//! part that connects resolves it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::approval::ApprovalRule;
use super::diagnostic::Place;

/// The project of a folder whose `enact.yaml` names none.
pub const DEFAULT_PROJECT: &str = "default";

/// One environment of `enact.yaml`, or the built-in `local`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The name.
    pub name: String,
    /// The project, which owns what is written down in the stores.
    pub project: String,
    /// The stores.
    pub stores: Stores,
    /// Embedders by name; `default` is used where a vector names none.
    pub embedders: BTreeMap<String, EmbedderConfig>,
    /// The binding: a shipped one's name or a file.
    pub binding: BindingRef,
    /// Database roles by kind of step.
    pub roles: Roles,
    /// Who is recorded as having made a change.
    pub actor: String,
    /// Collections that may be written; empty means any that a plan names and that is not denied.
    pub allowed_collections: Vec<String>,
    /// Collections that must never be written.
    pub denied_collections: Vec<String>,
    /// How long the old collection stays after a switch, in seconds.
    pub sweep_grace_seconds: u64,
    /// How long a request to the vector store may still take effect after its sender died, in seconds: recovery waits
    /// this long before it puts points back.
    pub request_deadline_seconds: u64,
    /// The approvals that an apply needs.
    pub approvals: ApprovalRule,
}

/// Whether lists of allowed and denied collections let one be written. An empty list of allowed ones allows all that are not
/// denied.
pub fn may_write(allowed: &[String], denied: &[String], collection: &str) -> bool {
    let named = |list: &[String]| list.iter().any(|name| name == collection);
    !named(denied) && (allowed.is_empty() || named(allowed))
}

impl Environment {
    /// Whether a collection may be written.
    pub fn may_write(&self, collection: &str) -> bool {
        may_write(&self.allowed_collections, &self.denied_collections, collection)
    }

    /// The environment of a project without `enact.yaml`: embedded stores under `.enact/` of a directory, the shipped
    /// model as embedder `default`, and the binding `iu-core`.
    pub fn local(directory: &Path) -> Environment {
        let embedder = EmbedderConfig::Static { directory: None, place: None };
        Environment {
            name: "local".to_owned(),
            project: DEFAULT_PROJECT.to_owned(),
            stores: Stores::Local { directory: directory.join(".enact") },
            embedders: BTreeMap::from([("default".to_owned(), embedder)]),
            binding: BindingRef::Shipped("iu-core".to_owned()),
            roles: Roles::default(),
            actor: "enact".to_owned(),
            allowed_collections: Vec::new(),
            denied_collections: Vec::new(),
            sweep_grace_seconds: 3_600,
            request_deadline_seconds: 5,
            approvals: ApprovalRule::default(),
        }
    }
}

/// Where a binding comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindingRef {
    /// Shipped with Enact.
    Shipped(String),
    /// A file of the project.
    File {
        /// Its path, relative to `enact.yaml` already resolved.
        path: PathBuf,
        /// Where it is named.
        place: Place,
    },
}

/// The two stores.
#[expect(clippy::large_enum_variant, reason = "there is one for each run; a box would save nothing")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stores {
    /// The embedded servers, with their data under a directory.
    Local {
        /// The data directory.
        directory: PathBuf,
    },
    /// Servers elsewhere.
    Remote {
        /// PostgreSQL.
        postgres: PostgresConfig,
        /// Qdrant.
        qdrant: QdrantConfig,
    },
}

/// Where a secret's text comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// Written in place. Only for what is not secret, such as a user name; a literal password draws a warning.
    Literal(String),
    /// A text with `${VAR}` placeholders, taken from the environment or the env file.
    Variables {
        /// The text.
        template: String,
        /// Where it stands.
        place: Place,
    },
    /// The contents of a file, without the final newline.
    File {
        /// The file.
        path: PathBuf,
        /// Where it is named.
        place: Place,
    },
    /// The output of a command, without the final newline.
    Command {
        /// The program and its arguments; no shell.
        arguments: Vec<String>,
        /// Where it is named.
        place: Place,
    },
}

/// How to reach PostgreSQL. What is absent falls back as libpq does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresConfig {
    /// A libpq connection string (`key=value` or `postgresql://`).
    pub conninfo: SecretSource,
    /// A password kept apart from it.
    pub password: Option<SecretSource>,
    /// Where it is configured.
    pub place: Place,
}

/// How to reach Qdrant over gRPC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QdrantConfig {
    /// `http://host:6334` or `https://…`.
    pub url: SecretSource,
    /// The API key.
    pub api_key: Option<SecretSource>,
    /// How TLS is checked.
    pub tls: Tls,
    /// The deadline of one request, in milliseconds.
    pub timeout_ms: u64,
    /// Where it is configured.
    pub place: Place,
}

/// Which authorities are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tls {
    /// The machine's own.
    System,
    /// Those in a PEM file.
    Authority(PathBuf),
}

/// An embedder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmbedderConfig {
    /// Static token embeddings: the shipped model, or one in a directory.
    Static {
        /// The directory, `None` for the shipped one.
        directory: Option<PathBuf>,
        /// Where it is configured; `None` for the built-in environment.
        place: Option<Place>,
    },
    /// Any server with an OpenAI-compatible `/v1/embeddings`.
    OpenAi {
        /// The URL up to and including `/v1`.
        base_url: String,
        /// The model.
        model: String,
        /// Components of a vector.
        dimensions: u32,
        /// The API key.
        api_key: Option<SecretSource>,
        /// Texts in one request.
        max_texts: u32,
        /// Tokens in one request, by estimate.
        max_tokens: u32,
        /// Requests at once.
        concurrency: u32,
        /// The deadline of one request, in milliseconds.
        timeout_ms: u64,
        /// Price of a million tokens, for the plan's cost line.
        price_per_million_tokens: Option<String>,
        /// Where it is configured.
        place: Place,
    },
}

/// Database roles by kind of step: `SET LOCAL ROLE` before it. Absent means the connection's own role.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// Writes governance and other rows.
    pub rows: Option<String>,
    /// Calls transition functions.
    pub lifecycle: Option<String>,
    /// Calls refresh functions.
    pub refresh: Option<String>,
    /// Calls the ledger's writer.
    pub ledger: Option<String>,
    /// Opens and shuts gates.
    pub gates: Option<String>,
    /// Where each is named, by kind of step.
    pub places: BTreeMap<String, Place>,
}

impl Roles {
    /// The roles that are named, each with its kind of step.
    pub fn named(&self) -> Vec<(&'static str, &str)> {
        let Roles { rows, lifecycle, refresh, ledger, gates, places: _ } = self;
        let all =
            [("rows", rows), ("lifecycle", lifecycle), ("refresh", refresh), ("ledger", ledger), ("gates", gates)];
        all.into_iter().filter_map(|(kind, role)| Some((kind, role.as_deref()?))).collect()
    }
}

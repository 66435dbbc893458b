//! One environment of `enact.yaml`.
//!
//! It is read twice: once without variables when the file is loaded, so that every mistake of every environment is shown,
//! and once with them when it is chosen, so that a variable only the other environment needs may be absent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::codes;
use super::env_file::EnvFile;
use super::secret::{Literal, expand, secret_source};
use super::tree::{Entry, Node};
use super::walk::{Fields, flag, one_of, optional, text, texts, usable_name, whole, whole_u32};
use crate::model::{
    ApprovalRule, BindingRef, Diagnostic, Diagnostics, EmbedderConfig, Environment, PostgresConfig, QdrantConfig,
    Roles, Spot, Stores, Tls,
};

pub(super) const ENVIRONMENT_KEYS: &[&str] = &[
    "local",
    "postgres",
    "qdrant",
    "embedders",
    "binding",
    "roles",
    "actor",
    "collections",
    "sweep_grace",
    "request_deadline",
    "approvals",
];
pub(super) const LOCAL_KEYS: &[&str] = &["directory"];
pub(super) const POSTGRES_KEYS: &[&str] = &["url", "conninfo", "password"];
pub(super) const QDRANT_KEYS: &[&str] = &["url", "api_key", "ca", "timeout_ms"];
pub(super) const STATIC_KEYS: &[&str] = &["kind", "directory"];
pub(super) const OPENAI_KEYS: &[&str] = &[
    "kind",
    "base_url",
    "model",
    "dimensions",
    "api_key",
    "max_texts",
    "max_tokens",
    "concurrency",
    "timeout_ms",
    "price_per_million_tokens",
];
pub(super) const ROLES_KEYS: &[&str] = &["rows", "lifecycle", "refresh", "ledger", "gates"];
pub(super) const APPROVALS_KEYS: &[&str] = &["required", "not_by_author"];
pub(super) const COLLECTIONS_KEYS: &[&str] = &["allow", "deny"];

const OPENAI_URL: &str = "https://api.openai.com/v1";
const TIMEOUT_LIMIT_MS: u64 = 3_600_000;
const QDRANT_TIMEOUT_MS: u64 = 30_000;
const EMBEDDER_TIMEOUT_MS: u64 = 60_000;

/// What reading needs beside the tree.
pub(super) struct Context<'c> {
    /// The directory of `enact.yaml`, which paths are relative to.
    pub dir: &'c Path,
    /// The variables, absent on the first reading.
    pub env: Option<&'c EnvFile>,
}

/// Reads one entry of `environments`.
pub(super) fn environment(
    name: &Spot<String>,
    node: &Node,
    context: &Context<'_>,
    out: &mut Diagnostics,
) -> Option<Environment> {
    let fields = Fields::open(node, &format!("environment \"{}\"", name.value), &name.place, ENVIRONMENT_KEYS, out)?;
    let base = Environment::local(context.dir);
    let stores = stores(&fields, name, context, out);
    let embedders = match fields.get("embedders") {
        None if fields.get("local").is_some() => Some(base.embedders),
        None => Some(BTreeMap::new()),
        Some(node) => embedders(node, context, out),
    };
    let binding = optional(fields.get("binding"), |node| binding(node, context, out));
    let roles = optional(fields.get("roles"), |node| roles(node, context, out));
    let actor = optional(fields.get("actor"), |node| plain(node, "actor", context, out));
    let collections = optional(fields.get("collections"), |node| collections(node, out));
    let sweep_grace = optional(fields.get("sweep_grace"), |node| duration_seconds(node, "sweep_grace", out));
    let request_deadline =
        optional(fields.get("request_deadline"), |node| duration_seconds(node, "request_deadline", out));
    let approvals = optional(fields.get("approvals"), |node| approvals(node, out));
    let (allowed_collections, denied_collections) = collections?.unwrap_or_default();
    let stores = stores?;
    // A remote request lives as long as its own limit, unless the author knows better.
    let usual_deadline = match &stores {
        Stores::Local { .. } => base.request_deadline_seconds,
        Stores::Remote { qdrant, .. } => qdrant.timeout_ms.div_ceil(1_000),
    };
    Some(Environment {
        name: name.value.clone(),
        project: base.project,
        stores,
        embedders: embedders?,
        binding: binding?.unwrap_or(base.binding),
        roles: roles?.unwrap_or_default(),
        actor: actor?.unwrap_or(base.actor),
        allowed_collections,
        denied_collections,
        sweep_grace_seconds: sweep_grace?.unwrap_or(base.sweep_grace_seconds),
        request_deadline_seconds: request_deadline?.unwrap_or(usual_deadline),
        approvals: approvals?.unwrap_or_default(),
    })
}

fn stores(fields: &Fields<'_>, name: &Spot<String>, context: &Context<'_>, out: &mut Diagnostics) -> Option<Stores> {
    let Some(local) = fields.entry("local") else {
        let postgres = match fields.entry("postgres") {
            Some(entry) => postgres(entry, context, out),
            None => no_store(name, "postgres", out),
        };
        let qdrant = match fields.entry("qdrant") {
            Some(entry) => qdrant(entry, context, out),
            None => no_store(name, "qdrant", out),
        };
        return Some(Stores::Remote { postgres: postgres?, qdrant: qdrant? });
    };
    if let Some(other) = fields.entry("postgres").or_else(|| fields.entry("qdrant")) {
        let detail = format!("\"{}\" does not go with \"local\"", other.key.value);
        let hint = "an environment is either local or has postgres and qdrant";
        out.push(Diagnostic::error(codes::CONFLICT, detail).at(&other.key.place).hint(hint));
        return None;
    }
    let fields = Fields::open(&local.value, "\"local\"", &local.key.place, LOCAL_KEYS, out)?;
    let directory = optional(fields.get("directory"), |node| path(node, "directory", context, out))?;
    Some(Stores::Local { directory: directory.unwrap_or_else(|| context.dir.join(".enact")) })
}

fn no_store<T>(name: &Spot<String>, key: &str, out: &mut Diagnostics) -> Option<T> {
    let detail = format!("environment \"{}\" needs the key \"{key}\"", name.value);
    let hint = format!("add {key}: {{ url: … }}, or use local: {{ directory: .enact }} instead of both stores");
    out.push(Diagnostic::error(codes::MISSING_KEY, detail).at(&name.place).hint(hint));
    None
}

fn postgres(entry: &Entry, context: &Context<'_>, out: &mut Diagnostics) -> Option<PostgresConfig> {
    let fields = Fields::open(&entry.value, "\"postgres\"", &entry.key.place, POSTGRES_KEYS, out)?;
    if let (Some(_), Some(second)) = (fields.get("url"), fields.entry("conninfo")) {
        let detail = "\"url\" and \"conninfo\" say the same thing";
        out.push(Diagnostic::error(codes::CONFLICT, detail).at(&second.key.place).hint("keep one of the two"));
        return None;
    }
    let what = if fields.get("conninfo").is_some() { "conninfo" } else { "url" };
    let conninfo = fields
        .require(what, out)
        .and_then(|node| secret_source(node, what, Literal::MayHoldPassword, context.dir, out));
    let password =
        optional(fields.get("password"), |node| secret_source(node, "password", Literal::IsSecret, context.dir, out));
    Some(PostgresConfig { conninfo: conninfo?, password: password?, place: entry.key.place.clone() })
}

fn qdrant(entry: &Entry, context: &Context<'_>, out: &mut Diagnostics) -> Option<QdrantConfig> {
    let fields = Fields::open(&entry.value, "\"qdrant\"", &entry.key.place, QDRANT_KEYS, out)?;
    let url = fields
        .require("url", out)
        .and_then(|node| secret_source(node, "url", Literal::MayHoldPassword, context.dir, out));
    let api_key =
        optional(fields.get("api_key"), |node| secret_source(node, "api_key", Literal::IsSecret, context.dir, out));
    let tls = optional(fields.get("ca"), |node| path(node, "ca", context, out));
    let timeout_ms = optional(fields.get("timeout_ms"), |node| whole(node, "timeout_ms", 1, TIMEOUT_LIMIT_MS, out));
    Some(QdrantConfig {
        url: url?,
        api_key: api_key?,
        tls: tls?.map_or(Tls::System, Tls::Authority),
        timeout_ms: timeout_ms?.unwrap_or(QDRANT_TIMEOUT_MS),
        place: entry.key.place.clone(),
    })
}

#[derive(Clone, Copy)]
enum EmbedderKind {
    Static,
    OpenAi,
}

fn embedders(node: &Node, context: &Context<'_>, out: &mut Diagnostics) -> Option<BTreeMap<String, EmbedderConfig>> {
    let fields = Fields::open_any(node, "\"embedders\"", &node.place, out)?;
    let read: Vec<Option<_>> = fields.entries().iter().map(|entry| embedder(entry, context, out)).collect();
    read.into_iter().collect()
}

fn embedder(entry: &Entry, context: &Context<'_>, out: &mut Diagnostics) -> Option<(String, EmbedderConfig)> {
    let what = format!("embedder \"{}\"", entry.key.value);
    let named = usable_name(&entry.key, "an embedder", out);
    let fields = Fields::open_any(&entry.value, &what, &entry.key.place, out)?;
    let kinds = [("static", EmbedderKind::Static), ("openai", EmbedderKind::OpenAi)];
    let kind = fields.require("kind", out).and_then(|node| one_of(node, "kind", &kinds, out))?;
    let config = match kind {
        EmbedderKind::Static => {
            let fields = Fields::open(&entry.value, &what, &entry.key.place, STATIC_KEYS, out)?;
            let directory = optional(fields.get("directory"), |node| path(node, "directory", context, out))?;
            Some(EmbedderConfig::Static { directory, place: Some(entry.key.place.clone()) })
        }
        EmbedderKind::OpenAi => {
            let fields = Fields::open(&entry.value, &what, &entry.key.place, OPENAI_KEYS, out)?;
            openai(&fields, entry, context, out)
        }
    };
    named?;
    Some((entry.key.value.clone(), config?))
}

fn openai(fields: &Fields<'_>, entry: &Entry, context: &Context<'_>, out: &mut Diagnostics) -> Option<EmbedderConfig> {
    let base_url = optional(fields.get("base_url"), |node| plain(node, "base_url", context, out));
    let model = fields.require("model", out).and_then(|node| plain(node, "model", context, out));
    let dimensions = fields.require("dimensions", out).and_then(|node| whole_u32(node, "dimensions", 1, 65_536, out));
    let api_key =
        optional(fields.get("api_key"), |node| secret_source(node, "api_key", Literal::IsSecret, context.dir, out));
    let max_texts = optional(fields.get("max_texts"), |node| whole_u32(node, "max_texts", 1, 2_048, out));
    let max_tokens = optional(fields.get("max_tokens"), |node| whole_u32(node, "max_tokens", 1, 1_000_000, out));
    let concurrency = optional(fields.get("concurrency"), |node| whole_u32(node, "concurrency", 1, 64, out));
    let timeout_ms = optional(fields.get("timeout_ms"), |node| whole(node, "timeout_ms", 1, TIMEOUT_LIMIT_MS, out));
    let price = optional(fields.get("price_per_million_tokens"), |node| price(node, out));
    Some(EmbedderConfig::OpenAi {
        base_url: base_url?.unwrap_or_else(|| OPENAI_URL.to_owned()),
        model: model?,
        dimensions: dimensions?,
        api_key: api_key?,
        max_texts: max_texts?.unwrap_or(64),
        max_tokens: max_tokens?.unwrap_or(50_000),
        concurrency: concurrency?.unwrap_or(4),
        timeout_ms: timeout_ms?.unwrap_or(EMBEDDER_TIMEOUT_MS),
        price_per_million_tokens: price?,
        place: entry.key.place.clone(),
    })
}

fn price(node: &Node, out: &mut Diagnostics) -> Option<String> {
    let written = text(node, "price_per_million_tokens", out)?;
    let valid = written.value.parse::<f64>().is_ok_and(|price| price.is_finite() && price >= 0.0);
    if !valid {
        let detail = format!("\"{}\" is not a price", written.value);
        out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&node.place).hint("write a number such as 0.02"));
    }
    valid.then_some(written.value)
}

fn binding(node: &Node, context: &Context<'_>, out: &mut Diagnostics) -> Option<BindingRef> {
    let written = text(node, "binding", out)?;
    let is_path =
        written.value.contains(['/', '\\']) || written.value.ends_with(".yaml") || written.value.ends_with(".yml");
    Some(if is_path {
        BindingRef::File { path: context.dir.join(&written.value), place: written.place }
    } else {
        super::binding::check_shipped(&written, out)?;
        BindingRef::Shipped(written.value)
    })
}

fn roles(node: &Node, context: &Context<'_>, out: &mut Diagnostics) -> Option<Roles> {
    let fields = Fields::open(node, "\"roles\"", &node.place, ROLES_KEYS, out)?;
    let mut role = |key: &str| optional(fields.get(key), |node| plain(node, key, context, out));
    let (rows, lifecycle, refresh) = (role("rows"), role("lifecycle"), role("refresh"));
    let (ledger, gates) = (role("ledger"), role("gates"));
    let places = fields.entries().iter().map(|entry| (entry.key.value.clone(), entry.value.place.clone())).collect();
    Some(Roles { rows: rows?, lifecycle: lifecycle?, refresh: refresh?, ledger: ledger?, gates: gates?, places })
}

fn collections(node: &Node, out: &mut Diagnostics) -> Option<(Vec<String>, Vec<String>)> {
    let fields = Fields::open(node, "\"collections\"", &node.place, COLLECTIONS_KEYS, out)?;
    let mut names = |key: &str| {
        let read = optional(fields.get(key), |node| texts(node, key, out))?;
        Some(read.unwrap_or_default().into_iter().map(|name| name.value).collect::<Vec<_>>())
    };
    let (allow, deny) = (names("allow"), names("deny"));
    Some((allow?, deny?))
}

/// Without a word about it, an author's own approval does not count: it would be no review.
fn approvals(node: &Node, out: &mut Diagnostics) -> Option<ApprovalRule> {
    let fields = Fields::open(node, "\"approvals\"", &node.place, APPROVALS_KEYS, out)?;
    let required = optional(fields.get("required"), |node| whole_u32(node, "required", 0, 100, out));
    let not_by_author = optional(fields.get("not_by_author"), |node| flag(node, "not_by_author", out));
    Some(ApprovalRule { required: required?.unwrap_or(1), not_by_author: not_by_author?.unwrap_or(true) })
}

fn path(node: &Node, what: &str, context: &Context<'_>, out: &mut Diagnostics) -> Option<PathBuf> {
    plain(node, what, context, out).map(|written| context.dir.join(written))
}

/// A text that is not secret, with variables replaced once they are known.
fn plain(node: &Node, what: &str, context: &Context<'_>, out: &mut Diagnostics) -> Option<String> {
    let written = text(node, what, out)?;
    let Some(env) = context.env else { return Some(written.value) };
    match expand(&written.value, &written.place, env) {
        Ok(value) => Some(value),
        Err(diagnostic) => {
            out.push(diagnostic);
            None
        }
    }
}

fn duration_seconds(node: &Node, what: &str, out: &mut Diagnostics) -> Option<u64> {
    let written = text(node, what, out)?.value;
    let total = span_seconds(&written);
    if total.is_none() {
        let detail = format!("\"{written}\" is not a length of time");
        out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&node.place).hint("write 90s, 30m, 1h or 7d"));
    }
    total
}

/// The seconds of `90s`, `30m`, `1h` or `7d`.
pub fn span_seconds(written: &str) -> Option<u64> {
    let digits = written.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = written.get(digits.len()..).unwrap_or_default();
    let seconds = match unit {
        "s" => Some(1),
        "m" => Some(60),
        "h" => Some(3_600),
        "d" => Some(86_400),
        _ => None,
    };
    digits.parse::<u64>().ok().zip(seconds).and_then(|(count, seconds)| count.checked_mul(seconds))
}

//! `enact.yaml`: environments by name.
//!
//! ```yaml
//! project: handbook
//! default: staging
//! env_file: .env
//! environments:
//!   staging:
//!     postgres: { url: "postgresql:///iu?host=/run/postgresql", password: "${PG_PASSWORD}" }
//!     qdrant: { url: "https://qdrant:6334", api_key: { file: /run/secrets/qdrant }, timeout_ms: 30000 }
//!     embedders:
//!       default: { kind: openai, model: text-embedding-3-small, dimensions: 1536, api_key: "${OPENAI_API_KEY}" }
//!     binding: iu-core
//!     roles: { rows: workflow_admin, lifecycle: cutter_exec }
//!     actor: enact
//!     collections: { allow: [iu_core_iu_chunks], deny: [production_documents] }
//!     sweep_grace: 1h
//!     request_deadline: 30s
//! ```
//!
//! Paths are relative to the file. The environment `local` exists even where no file names it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codes;
use super::env_file::EnvFile;
use super::environment::{Context, environment};
use super::hide::hide_secrets;
use super::load::{read_text, sort_by_place};
use super::sources::Sources;
use super::tree::{Kind, Node};
use super::walk::{Fields, optional, suggest, text, usable_name};
use super::yaml::parse_document;
use crate::model::{BindingRef, Diagnostic, Diagnostics, Environment, Spot};

/// Keys of `enact.yaml`.
pub(super) const CONFIG_KEYS: &[&str] = &["enact", "project", "environments", "default", "env_file"];
/// The environment that always exists.
const LOCAL: &str = "local";

/// A loaded `enact.yaml`.
#[derive(Debug, Clone)]
pub struct Config {
    dir: PathBuf,
    project: Option<Spot<String>>,
    environments: Vec<(Spot<String>, Node)>,
    default: Option<Spot<String>>,
    env_file: EnvFile,
    warnings: Diagnostics,
    sources: Sources,
}

/// Loads `enact.yaml` of a directory, `None` where there is none.
///
/// # Errors
/// Every mistake in it.
pub fn load_config(dir: &Path) -> Result<Option<Config>, (Diagnostics, Sources)> {
    let path = dir.join("enact.yaml");
    if !path.exists() {
        return Ok(None);
    }
    let (mut out, mut sources) = (Diagnostics::default(), Sources::default());
    let name = path.display().to_string();
    let config =
        read_text(&path, &name, &mut sources, &mut out).and_then(|text| read_config(dir, &name, &text, &mut out));
    // An excerpt must not show a secret that somebody wrote in place, whatever the mistake is about.
    sources.replace(&name, hide_secrets);
    sort_by_place(&mut out);
    match config {
        Some(mut config) if !out.has_errors() => {
            config.warnings = out;
            config.sources = sources;
            Ok(Some(config))
        }
        Some(_) | None => Err((out, sources)),
    }
}

fn read_config(dir: &Path, name: &str, source: &str, out: &mut Diagnostics) -> Option<Config> {
    let before = out.0.len();
    let root = parse_document(&Arc::from(name), source, out);
    let Some(root) = root.filter(|root| root.kind != Kind::Null) else {
        if out.0.len() == before {
            let diagnostic = Diagnostic::error(codes::EMPTY, format!("empty configuration: \"{name}\" says nothing"));
            out.push(diagnostic.hint("name an environment, or remove the file to work with local stores"));
        }
        return None;
    };
    let fields = Fields::open(&root, "enact.yaml", &root.place, CONFIG_KEYS, out)?;
    if let Some(version) = fields.get("enact").and_then(|node| text(node, "enact", out))
        && version.value != "v1"
    {
        let detail = format!("the format \"{}\" is not known", version.value);
        out.push(Diagnostic::error(codes::VERSION, detail).at(&version.place).hint("write enact: v1"));
    }
    let project = optional(fields.get("project"), |node| {
        text(node, "project", out).filter(|name| usable_name(name, "a project", out).is_some())
    });
    let environments = environments(&fields, dir, out);
    let default = fields.optional_text("default", out);
    let env_file = optional(fields.get("env_file"), |node| env_file(node, dir, out));
    let config = Config {
        dir: dir.to_owned(),
        project: project?,
        environments: environments?,
        default: default?,
        env_file: env_file?.unwrap_or_default(),
        warnings: Diagnostics::default(),
        sources: Sources::default(),
    };
    if let Some(default) = &config.default
        && let Err(unknown) = config.find(&default.value)
    {
        out.push(unknown.at(&default.place));
    }
    Some(config)
}

fn environments(fields: &Fields<'_>, dir: &Path, out: &mut Diagnostics) -> Option<Vec<(Spot<String>, Node)>> {
    let node = fields.require("environments", out)?;
    let entries = Fields::open_any(node, "\"environments\"", &node.place, out)?;
    for entry in entries.entries() {
        if usable_name(&entry.key, "an environment", out).is_some() {
            environment(&entry.key, &entry.value, &Context { dir, env: None }, out);
        }
    }
    Some(entries.entries().iter().map(|entry| (entry.key.clone(), entry.value.clone())).collect())
}

fn env_file(node: &Node, dir: &Path, out: &mut Diagnostics) -> Option<EnvFile> {
    let written = text(node, "env_file", out)?;
    let path = dir.join(&written.value);
    let name = path.display().to_string();
    // Not among the sources: an excerpt of an env file would show its values.
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(EnvFile::parse(&name, &text, out)),
        Err(error) => {
            let detail = format!("the env file \"{name}\" cannot be read: {error}");
            let hint = "create it, or remove env_file from enact.yaml";
            out.push(Diagnostic::error(codes::ENV_FILE, detail).at(&written.place).hint(hint));
            None
        }
    }
}

impl Config {
    /// The environment of a name; without one the default, or the only one.
    ///
    /// # Errors
    /// When there is none, or when a variable that it needs is not set.
    pub fn environment(&self, name: Option<&str>) -> Result<Environment, Diagnostics> {
        let mut environment = self.read(self.chosen(name)?, Some(&self.env_file))?;
        if let Some(project) = &self.project {
            environment.project.clone_from(&project.value);
        }
        Ok(environment)
    }

    /// The binding of an environment, which can be known where its variables are not set. Without a name that of the default or
    /// only environment, `None` where that is open.
    ///
    /// # Errors
    /// When there is no environment of this name.
    pub fn binding(&self, name: Option<&str>) -> Result<Option<BindingRef>, Diagnostics> {
        match self.chosen(name) {
            Ok(name) => Ok(Some(self.read(name, None)?.binding)),
            Err(_) if name.is_none() => Ok(None),
            Err(unknown) => Err(unknown),
        }
    }

    /// The name that is meant.
    fn chosen<'a>(&'a self, name: Option<&'a str>) -> Result<&'a str, Diagnostics> {
        match (name, &self.default, self.environments.as_slice()) {
            (Some(name), _, _) => self.find(name).map(|_| name).map_err(Diagnostics::from),
            (None, Some(default), _) => Ok(default.value.as_str()),
            (None, None, [(only, _)]) => Ok(only.value.as_str()),
            (None, None, _) => Err(self.no_default().into()),
        }
    }

    fn read(&self, name: &str, env: Option<&EnvFile>) -> Result<Environment, Diagnostics> {
        let Some((name, node)) = self.find(name).map_err(Diagnostics::from)? else {
            return Ok(Environment::local(&self.dir));
        };
        let mut out = Diagnostics::default();
        match environment(name, node, &Context { dir: &self.dir, env }, &mut out) {
            Some(environment) if !out.has_errors() => Ok(environment),
            Some(_) | None => Err(out),
        }
    }

    /// The variables that secrets may name.
    pub fn env_file(&self) -> &EnvFile {
        &self.env_file
    }

    /// What is not wrong and still worth saying.
    pub fn warnings(&self) -> &Diagnostics {
        &self.warnings
    }

    /// The file's text, for excerpts.
    pub fn sources(&self) -> &Sources {
        &self.sources
    }

    /// The names of all environments, in the order of the file.
    pub fn names(&self) -> Vec<&str> {
        self.environments.iter().map(|(name, _)| name.value.as_str()).collect()
    }

    /// `Ok(None)` is the built-in local environment.
    fn find(&self, name: &str) -> Result<Option<&(Spot<String>, Node)>, Diagnostic> {
        let found = self.environments.iter().find(|(known, _)| known.value == name);
        if found.is_some() || name == LOCAL {
            return Ok(found);
        }
        let mut known = self.names();
        if !known.contains(&LOCAL) {
            known.push(LOCAL);
        }
        let detail = format!("there is no environment \"{name}\"");
        Err(Diagnostic::error(codes::UNKNOWN_ENVIRONMENT, detail).hint(suggest(name, &known)))
    }

    fn no_default(&self) -> Diagnostic {
        let detail = "enact.yaml has several environments and no default";
        let hint = format!("choose one with --env ({}), or add default: to enact.yaml", self.names().join(", "));
        Diagnostic::error(codes::UNKNOWN_ENVIRONMENT, detail).hint(hint)
    }
}

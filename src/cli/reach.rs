//! From an environment to its stores and embedders, each tried on its own.
//!
//! Everything that is missing before a connection can be tried (a binding, a secret, a model file) is printed in one go.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::args::GlobalArgs;
use super::session::{Configured, Session, store_failed, with_sources};
use super::{Outcome, Output};
use crate::embed::{BatchLimits, EmbedError, Embedder, Makers, OpenAiConfig, OpenAiEmbedder, StaticEmbedder};
use crate::model::{
    Binding, Diagnostic, Diagnostics, EmbedderConfig, Environment, PostgresConfig, QdrantConfig, SecretSource, Stores,
    Tls,
};
use crate::observe::Depth;
use crate::plan::Partial;
use crate::preflight::{Found, Needs, probe_makers};
use crate::spec::{EnvFile, Sources, load_binding, secret};
use crate::store::StoreError;
use crate::store::postgres::{ConnectOptions, Postgres};
use crate::store::qdrant::{Qdrant, QdrantOptions};

/// The deadline of a request to the embedded Qdrant.
const LOCAL_TIMEOUT_MS: u64 = 60_000;

/// An environment whose stores were tried, each on its own.
pub struct Reached {
    /// The environment.
    pub environment: Environment,
    /// PostgreSQL, or why not.
    pub postgres: Result<Postgres, StoreError>,
    /// Qdrant, or why not.
    pub qdrant: Result<Qdrant, StoreError>,
    binding: Binding,
    makers: Makers,
    sources: Sources,
    #[cfg(feature = "embedded")]
    local: Option<crate::local::Attached>,
}

/// Where to connect.
struct Targets {
    postgres: ConnectOptions,
    qdrant: QdrantOptions,
    #[cfg(feature = "embedded")]
    local: Option<crate::local::Attached>,
}

/// Reads the binding, gets the secrets and tries both stores.
///
/// # Errors
/// What is wrong before anything is tried has been printed.
pub async fn reach(configured: Configured, global: &GlobalArgs, output: &Output) -> Result<Reached, Outcome> {
    let Configured { environment, env_file, sources } = configured;
    let binding = load_binding(&environment.binding).map_err(|(found, binding_sources)| {
        let mut all = sources.clone();
        all.extend(binding_sources);
        output.diagnostics(&found, &all);
        Outcome::InvalidInput
    })?;
    let mut found = Diagnostics::default();
    let makers = makers(&environment, &env_file, &mut found);
    let remote = match &environment.stores {
        Stores::Local { .. } => None,
        Stores::Remote { postgres, qdrant } => remote_targets(postgres, qdrant, &env_file, &mut found),
    };
    if found.has_errors() {
        output.diagnostics(&found, &sources);
        return Err(Outcome::InvalidInput);
    }
    let mut targets = match (&environment.stores, remote) {
        (Stores::Local { directory }, _) => local_targets(directory, global, output).await?,
        (Stores::Remote { .. }, Some(targets)) => targets,
        (Stores::Remote { .. }, None) => panic!("BUG: no target and no word about it"),
    };
    targets.qdrant.retry_ms = environment.request_deadline_seconds.saturating_mul(1_000);
    let postgres = Postgres::connect(&targets.postgres).await;
    let qdrant = Qdrant::connect(&targets.qdrant).await;
    #[cfg(feature = "embedded")]
    let local = targets.local;
    Ok(Reached {
        environment,
        postgres,
        qdrant,
        binding,
        makers,
        sources,
        #[cfg(feature = "embedded")]
        local,
    })
}

/// Seconds that a request to Qdrant may take.
pub(super) fn timeout_seconds(environment: &Environment) -> u64 {
    match &environment.stores {
        Stores::Local { .. } => LOCAL_TIMEOUT_MS / 1_000,
        Stores::Remote { qdrant, .. } => (qdrant.timeout_ms / 1_000).max(1),
    }
}

impl Reached {
    /// A session, where both stores were reached.
    ///
    /// # Errors
    /// The first store that was not; printed.
    pub async fn session(self, output: &Output) -> Result<Session, Outcome> {
        match (self.postgres, self.qdrant) {
            (Ok(postgres), Ok(qdrant)) => Ok(Session {
                environment: self.environment,
                binding: self.binding,
                postgres,
                qdrant,
                makers: self.makers,
                preflight: None,
                only_plans: false,
                partial: Partial::default(),
                depth: Depth::default(),
                replace: BTreeMap::new(),
                sources: self.sources,
                #[cfg(feature = "embedded")]
                local: self.local,
            }),
            (postgres, qdrant) => {
                let errors: Vec<StoreError> = postgres.err().into_iter().chain(qdrant.err()).collect();
                #[cfg(feature = "embedded")]
                finish(self.local).await;
                let outcomes: Vec<Outcome> = errors.iter().map(|error| store_failed(output, error)).collect();
                Err(outcomes.first().copied().unwrap_or(Outcome::Error))
            }
        }
    }

    /// Asks every embedder that is needed.
    pub async fn probe_makers(&self, needs: &Needs) -> Vec<Found> {
        probe_makers(&self.makers, needs).await
    }

    /// Lets go of what was reached.
    pub async fn close(self) {
        if let Ok(postgres) = self.postgres {
            postgres.close().await;
        }
        #[cfg(feature = "embedded")]
        finish(self.local).await;
    }
}

#[cfg(feature = "embedded")]
async fn finish(local: Option<crate::local::Attached>) {
    if let Some(local) = local {
        let _stopped = local.finish().await;
    }
}

/// Resolves what both stores need; what is missing is added to `out`, all of it in one go.
fn remote_targets(
    postgres: &PostgresConfig,
    qdrant: &QdrantConfig,
    env_file: &EnvFile,
    out: &mut Diagnostics,
) -> Option<Targets> {
    let mut resolve = |source: &SecretSource| match secret::resolve(source, env_file) {
        Ok(text) => Some(text),
        Err(diagnostic) => {
            out.push(diagnostic);
            None
        }
    };
    let conninfo = resolve(&postgres.conninfo);
    let password = postgres.password.as_ref().map(&mut resolve);
    let url = resolve(&qdrant.url);
    let api_key = qdrant.api_key.as_ref().map(&mut resolve);
    let ca = match &qdrant.tls {
        Tls::System => None,
        Tls::Authority(path) => Some(path.clone()),
    };
    if let Some(path) = ca.as_ref().filter(|path| !path.is_file()) {
        let detail = format!("there is no file \"{}\", which qdrant.ca names", path.display());
        let hint = "name a PEM file, relative to enact.yaml";
        out.push(Diagnostic::error(crate::spec::codes::UNREADABLE, detail).at(&qdrant.place).hint(hint));
        return None;
    }
    let mut options = ConnectOptions::new(conninfo?);
    options.password = password.map_or(Some(None), |found| found.map(Some))?;
    "enact".clone_into(&mut options.application_name);
    let api_key = api_key.map_or(Some(None), |found| found.map(Some))?;
    let qdrant = QdrantOptions { url: url?, api_key, timeout_ms: qdrant.timeout_ms, retry_ms: 0, ca };
    Some(Targets {
        postgres: options,
        qdrant,
        #[cfg(feature = "embedded")]
        local: None,
    })
}

#[cfg(feature = "embedded")]
async fn local_targets(directory: &Path, global: &GlobalArgs, output: &Output) -> Result<Targets, Outcome> {
    let patience = Duration::from_secs(global.lock_timeout).max(crate::local::ATTACH_LIMIT);
    let attached = crate::local::attach_within(directory, patience).await.map_err(|error| {
        let locked = matches!(error, crate::local::LocalError::Locked { .. });
        output.error(&with_sources(&error), None);
        if locked { Outcome::Locked } else { Outcome::Error }
    })?;
    let endpoints = attached.endpoints().clone();
    let mut postgres = ConnectOptions::new(SecretString::from(endpoints.postgres));
    "enact".clone_into(&mut postgres.application_name);
    let qdrant = QdrantOptions {
        url: SecretString::from(endpoints.qdrant),
        api_key: None,
        timeout_ms: LOCAL_TIMEOUT_MS,
        retry_ms: 0,
        ca: None,
    };
    Ok(Targets { postgres, qdrant, local: Some(attached) })
}

#[cfg(not(feature = "embedded"))]
async fn local_targets(_directory: &Path, _global: &GlobalArgs, output: &Output) -> Result<Targets, Outcome> {
    let _ = Duration::ZERO;
    let _ = SecretString::from(String::new());
    output.error(
        "this build of enact has no embedded stores",
        Some("name PostgreSQL and Qdrant in enact.yaml, or build with the default features"),
    );
    Err(Outcome::InvalidInput)
}

/// Makes every embedder; what is wrong with any is added to `out`.
fn makers(environment: &Environment, env_file: &EnvFile, out: &mut Diagnostics) -> Makers {
    let mut embedders: BTreeMap<String, Arc<dyn Embedder>> = BTreeMap::new();
    for (name, config) in &environment.embedders {
        match maker(name, config, env_file) {
            Ok(embedder) => {
                embedders.insert(name.clone(), embedder);
            }
            Err(diagnostic) => out.push(*diagnostic),
        }
    }
    Makers { embedders }
}

fn maker(name: &str, config: &EmbedderConfig, env_file: &EnvFile) -> Result<Arc<dyn Embedder>, Box<Diagnostic>> {
    let (made, place): (Result<Arc<dyn Embedder>, EmbedError>, _) = match config {
        EmbedderConfig::Static { directory: None, place } => (Ok(Arc::new(StaticEmbedder::built_in())), place.as_ref()),
        EmbedderConfig::Static { directory: Some(path), place } => {
            (StaticEmbedder::open(path).map(|embedder| Arc::new(embedder) as Arc<dyn Embedder>), place.as_ref())
        }
        EmbedderConfig::OpenAi {
            base_url,
            model,
            dimensions,
            api_key,
            max_texts,
            max_tokens,
            concurrency,
            timeout_ms,
            price_per_million_tokens: _,
            place,
        } => {
            let mut config = OpenAiConfig::new(base_url, model, *dimensions);
            config.api_key = api_key.as_ref().map(|source| secret::resolve(source, env_file)).transpose()?;
            config.limits = BatchLimits { max_texts: *max_texts, max_tokens: u64::from(*max_tokens) };
            config.concurrency = *concurrency;
            config.timeout = Duration::from_millis(*timeout_ms);
            (OpenAiEmbedder::new(config).map(|embedder| Arc::new(embedder) as Arc<dyn Embedder>), Some(place))
        }
    };
    made.map_err(|error| {
        let detail = format!("embedder \"{name}\": {}", with_sources(&error));
        let mut diagnostic = Diagnostic::error(crate::diff::codes::EMBEDDER, detail).hint(error.hint());
        diagnostic.place = place.cloned();
        Box::new(diagnostic)
    })
}

//! An environment opened for one command: stores, binding, embedders.
//!
//! Everything that goes wrong is printed here, once, in users' words; callers pass the [`Outcome`] on.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use super::args::GlobalArgs;
use super::{Outcome, Output};
use crate::diff::{AdoptInput, adopt, compare, live_collection};
use crate::embed::{BatchLimits, Embedder, Makers, OpenAiConfig, OpenAiEmbedder, StaticEmbedder};
use crate::model::{
    Address, Binding, Desired, Diagnostic, Diagnostics, EmbedderConfig, Environment, Identities, Observed, PointId,
    PointSaid, SecretSource, Severity, Stores, Tls, VectorSpec,
};
use crate::observe::{ObserveError, Request, observe, read_said};
use crate::plan::{BuildInput, Built, build};
use crate::spec::{EnvFile, Sources, load_binding, load_config, load_plans, secret};
use crate::store::postgres::{ConnectOptions, Postgres};
use crate::store::qdrant::{Qdrant, QdrantOptions};
use crate::store::{Fault, Relational, StoreError, TxMode};

/// An environment with its stores connected.
pub struct Session {
    /// The environment.
    pub environment: Environment,
    /// Its binding.
    pub binding: Binding,
    /// PostgreSQL.
    pub postgres: Postgres,
    /// Qdrant.
    pub qdrant: Qdrant,
    /// What makes vectors.
    pub makers: Makers,
    #[cfg(feature = "embedded")]
    local: Option<crate::local::Attached>,
}

/// An environment as its file says, before anything is connected.
pub struct Configured {
    /// The environment.
    pub environment: Environment,
    /// Where variables come from.
    pub env_file: EnvFile,
    /// Texts for excerpts.
    pub sources: Sources,
}

/// Runs a command's asynchronous part on a runtime of its own.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime.block_on(future),
        Err(error) => panic!("BUG: the runtime does not start: {error}"),
    }
}

/// Reads `enact.yaml`, or takes the built-in environment where there is none.
///
/// # Errors
/// What is wrong with it has been printed.
pub fn configure(global: &GlobalArgs, output: &Output) -> Result<Configured, Outcome> {
    let refuse = |found: &Diagnostics, sources: &Sources| {
        output.diagnostics(found, sources);
        Outcome::InvalidInput
    };
    let config = load_config(&global.dir).map_err(|(found, sources)| refuse(&found, &sources))?;
    let Some(config) = config else {
        if let Some(name) = global.env.as_deref().filter(|name| *name != "local") {
            output.error(
                &format!("there is no enact.yaml here, and so no environment \"{name}\""),
                Some("write one, or leave out --env for the embedded stores"),
            );
            return Err(Outcome::InvalidInput);
        }
        let environment = Environment::local(&global.dir);
        return Ok(Configured { environment, env_file: EnvFile::default(), sources: Sources::default() });
    };
    output.diagnostics(config.warnings(), config.sources());
    let sources = config.sources().clone();
    let environment = config.environment(global.env.as_deref()).map_err(|found| refuse(&found, &sources))?;
    Ok(Configured { environment, env_file: config.env_file().clone(), sources })
}

/// Reads the plan files.
///
/// # Errors
/// What is wrong with them has been printed.
pub fn load_desired(global: &GlobalArgs, output: &Output) -> Result<(Desired, Sources), Outcome> {
    match load_plans(&global.plan_paths()) {
        Ok((mut desired, warnings, sources)) => {
            output.diagnostics(&warnings, &sources);
            desired.partial = !global.file.is_empty();
            Ok((desired, sources))
        }
        Err((found, sources)) => {
            output.diagnostics(&found, &sources);
            Err(Outcome::InvalidInput)
        }
    }
}

impl Session {
    /// Connects both stores of an environment.
    ///
    /// # Errors
    /// What is wrong has been printed.
    pub async fn open(configured: Configured, global: &GlobalArgs, output: &Output) -> Result<Session, Outcome> {
        let Configured { environment, env_file, sources } = configured;
        let refuse = |diagnostic: Diagnostic| {
            output.diagnostics(&Diagnostics::from(diagnostic), &sources);
            Outcome::InvalidInput
        };
        let binding = load_binding(&environment.binding).map_err(|(found, sources)| {
            output.diagnostics(&found, &sources);
            Outcome::InvalidInput
        })?;
        let makers = makers(&environment, &env_file).map_err(refuse)?;
        let targets = targets(&environment, &env_file, global, output).await?.map_err(refuse)?;
        let postgres = Postgres::connect(&targets.postgres).await;
        let qdrant = match &postgres {
            Ok(_) => Qdrant::connect(&targets.qdrant).await,
            Err(error) => Err(error.clone()),
        };
        match (postgres, qdrant) {
            (Ok(postgres), Ok(qdrant)) => Ok(Session {
                environment,
                binding,
                postgres,
                qdrant,
                makers,
                #[cfg(feature = "embedded")]
                local: targets.local,
            }),
            (Err(error), _) | (_, Err(error)) => {
                targets.finish().await;
                Err(store_failed(output, &error))
            }
        }
    }

    /// Closes the connections, and the embedded servers if this command started them.
    pub async fn close(self, output: &Output) {
        self.postgres.close().await;
        drop(self.qdrant);
        #[cfg(feature = "embedded")]
        if let Some(local) = self.local
            && let Err(error) = local.finish().await
        {
            output.error(&error.to_string(), None);
        }
        #[cfg(not(feature = "embedded"))]
        let _ = output;
    }

    /// Observes both stores and plans.
    ///
    /// # Errors
    /// What is wrong has been printed.
    pub async fn plan(&mut self, desired: &Desired, sources: &Sources, output: &Output) -> Result<Built, Outcome> {
        self.try_plan(desired, &Planning::Compare).await.map_err(|error| observe_failed(output, &error, sources))
    }

    /// Observes both stores and plans to adopt what lives already: these resources, or all that are declared.
    ///
    /// # Errors
    /// What is wrong has been printed.
    pub async fn plan_import(
        &mut self,
        mut desired: Desired,
        only: BTreeSet<Address>,
        sources: &Sources,
        output: &Output,
    ) -> Result<Built, Outcome> {
        desired.promotions.values_mut().for_each(|promotion| promotion.adopt = true);
        let planned = self.try_plan(&desired, &Planning::Adopt(only)).await;
        planned.map_err(|error| observe_failed(output, &error, sources))
    }

    async fn said(
        &self,
        desired: &Desired,
        observed: &Observed,
    ) -> Result<BTreeMap<String, BTreeMap<PointId, PointSaid>>, ObserveError> {
        let mut out = BTreeMap::new();
        for set in desired.vector_sets.values().filter(|set| set.ids.keyed()) {
            if let Some((collection, _)) = live_collection(&set.name, observed) {
                out.insert(set.name.clone(), read_said(&self.qdrant, &collection).await?);
            }
        }
        Ok(out)
    }

    async fn try_plan(&mut self, desired: &Desired, planning: &Planning) -> Result<Built, ObserveError> {
        let identities = identities(desired, &self.makers)?;
        let tokens = self.makers.embedders.values().next().cloned();
        let count_tokens =
            move |text: &str| tokens.as_ref().map_or(text.len() as u64 / 4, |embedder| embedder.count_tokens(text));
        let request = Request {
            desired,
            binding: &self.binding,
            environment: &self.environment,
            identities: &identities,
            count_tokens: &count_tokens,
        };
        let mut tx = self.postgres.begin(TxMode::Snapshot).await?;
        let seen = observe(tx.as_mut(), &self.qdrant, &request).await?;
        tx.rollback().await?;
        let (resolved, observed, recipes) = (&seen.resolved, &seen.observed, &seen.recipes);
        let (binding, environment) = (&self.binding, &self.environment);
        let comparison = match planning {
            Planning::Compare => compare(desired, binding, environment, resolved, observed, recipes)?,
            Planning::Adopt(only) => {
                let said = &self.said(desired, observed).await?;
                adopt(&AdoptInput { desired, binding, environment, resolved, observed, recipes, said, only })?
            }
        };
        let input = BuildInput {
            desired,
            binding: &self.binding,
            environment: &self.environment,
            resolved,
            observed,
            comparison: &comparison,
            recipes,
            identities: &identities,
        };
        Ok(build(&input)?)
    }
}

/// What a plan is for.
enum Planning {
    /// To make the plan files true.
    Compare,
    /// To write down what lives already.
    Adopt(BTreeSet<Address>),
}

/// Where to connect.
struct Targets {
    postgres: ConnectOptions,
    qdrant: QdrantOptions,
    #[cfg(feature = "embedded")]
    local: Option<crate::local::Attached>,
}

impl Targets {
    async fn finish(self) {
        #[cfg(feature = "embedded")]
        if let Some(local) = self.local {
            let _already_failing = local.finish().await;
        }
    }
}

async fn targets(
    environment: &Environment,
    env_file: &EnvFile,
    global: &GlobalArgs,
    output: &Output,
) -> Result<Result<Targets, Diagnostic>, Outcome> {
    match &environment.stores {
        Stores::Local { directory } => local_targets(directory, global, output).await.map(Ok),
        Stores::Remote { postgres, qdrant } => Ok((|| {
            let resolve = |source: &SecretSource| secret::resolve(source, env_file);
            let mut options = ConnectOptions::new(resolve(&postgres.conninfo)?);
            options.password = postgres.password.as_ref().map(resolve).transpose()?;
            "enact".clone_into(&mut options.application_name);
            let ca = match &qdrant.tls {
                Tls::System => None,
                Tls::Authority(path) => Some(path.clone()),
            };
            let qdrant = QdrantOptions {
                url: resolve(&qdrant.url)?,
                api_key: qdrant.api_key.as_ref().map(resolve).transpose()?,
                timeout_ms: qdrant.timeout_ms,
                ca,
            };
            Ok(Targets {
                postgres: options,
                qdrant,
                #[cfg(feature = "embedded")]
                local: None,
            })
        })()),
    }
}

#[cfg(feature = "embedded")]
async fn local_targets(directory: &std::path::Path, global: &GlobalArgs, output: &Output) -> Result<Targets, Outcome> {
    let patience = Duration::from_secs(global.lock_timeout).max(crate::local::ATTACH_LIMIT);
    let attached = crate::local::attach_within(directory, patience).await.map_err(|error| {
        let locked = matches!(error, crate::local::LocalError::Locked { .. });
        output.error(&with_sources(&error), None);
        if locked { Outcome::Locked } else { Outcome::Error }
    })?;
    let endpoints = attached.endpoints().clone();
    let mut postgres = ConnectOptions::new(SecretString::from(endpoints.postgres));
    "enact".clone_into(&mut postgres.application_name);
    let qdrant =
        QdrantOptions { url: SecretString::from(endpoints.qdrant), api_key: None, timeout_ms: 60_000, ca: None };
    Ok(Targets { postgres, qdrant, local: Some(attached) })
}

#[cfg(not(feature = "embedded"))]
async fn local_targets(
    _directory: &std::path::Path,
    _global: &GlobalArgs,
    output: &Output,
) -> Result<Targets, Outcome> {
    let _ = Duration::ZERO;
    let _ = SecretString::from(String::new());
    output.error(
        "this build of enact has no embedded stores",
        Some("name PostgreSQL and Qdrant in enact.yaml, or build with the default features"),
    );
    Err(Outcome::InvalidInput)
}

/// An error with what caused it, in one line.
pub fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        source = inner.source();
    }
    text
}

fn makers(environment: &Environment, env_file: &EnvFile) -> Result<Makers, Diagnostic> {
    let mut embedders: BTreeMap<String, Arc<dyn Embedder>> = BTreeMap::new();
    for (name, config) in &environment.embedders {
        let made: Result<Arc<dyn Embedder>, crate::embed::EmbedError> = match config {
            EmbedderConfig::Static { directory: None, .. } => Ok(Arc::new(StaticEmbedder::built_in())),
            EmbedderConfig::Static { directory: Some(path), .. } => {
                StaticEmbedder::open(path).map(|embedder| Arc::new(embedder) as Arc<dyn Embedder>)
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
                ..
            } => {
                let mut config = OpenAiConfig::new(base_url, model, *dimensions);
                config.api_key = api_key.as_ref().map(|source| secret::resolve(source, env_file)).transpose()?;
                config.limits = BatchLimits { max_texts: *max_texts, max_tokens: u64::from(*max_tokens) };
                config.concurrency = *concurrency;
                config.timeout = Duration::from_millis(*timeout_ms);
                OpenAiEmbedder::new(config).map(|embedder| Arc::new(embedder) as Arc<dyn Embedder>)
            }
        };
        match made {
            Ok(embedder) => {
                embedders.insert(name.clone(), embedder);
            }
            Err(error) => {
                let code = crate::diff::codes::EMBEDDER;
                let detail = format!("embedder \"{name}\": {}", with_sources(&error));
                return Err(Diagnostic::error(code, detail).hint(error.hint()));
            }
        }
    }
    Ok(Makers { embedders })
}

/// Identities of everything that the sets of these plan files are made with.
fn identities(desired: &Desired, makers: &Makers) -> Result<Identities, Diagnostics> {
    let mut out = Identities::default();
    for (name, policy) in &desired.chunk_policies {
        out.policies.insert(name.clone(), serde_json::json!(policy.value.identity()));
    }
    for (name, embedder) in &makers.embedders {
        out.embedders.insert(name.clone(), embedder.identity().clone());
    }
    let mut errors = Diagnostics::default();
    for spec in desired.vector_sets.values().flat_map(|set| set.vectors.values()) {
        if let VectorSpec::Bm25 { language } = &spec.value {
            match Makers::bm25(language) {
                Ok(bm25) => {
                    out.sparse.insert(language.clone(), serde_json::json!(bm25.identity()));
                }
                Err(error) => {
                    errors.push(Diagnostic::error(crate::diff::codes::EMBEDDER, error.to_string()).at(&spec.place));
                }
            }
        }
    }
    errors.into_result(out).map(|(out, _)| out)
}

/// Prints a store's error and gives the outcome.
pub fn store_failed(output: &Output, error: &StoreError) -> Outcome {
    output.error(&error.message, error.hint.as_deref());
    match error.fault {
        Fault::Conflict => Outcome::Locked,
        Fault::Refused | Fault::Transient | Fault::InDoubt => Outcome::Error,
    }
}

/// Prints why observing failed and gives the outcome.
pub fn observe_failed(output: &Output, error: &ObserveError, sources: &Sources) -> Outcome {
    match error {
        ObserveError::Store(error) => store_failed(output, error),
        ObserveError::Refused(found) => {
            output.diagnostics(found, sources);
            let stops = found.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error);
            if stops { Outcome::InvalidInput } else { Outcome::Error }
        }
        ObserveError::Chunk(_) => {
            output.error(&with_sources(error), None);
            Outcome::InvalidInput
        }
        ObserveError::NotInitialised => {
            output.error(&error.to_string(), Some("enact init creates it"));
            Outcome::Error
        }
    }
}

//! An environment opened for one command: stores, binding, embedders.
//!
//! Everything that goes wrong is printed here, once, in users' words; callers pass the [`Outcome`] on.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use super::args::GlobalArgs;
use super::reach::reach;
use super::{Outcome, Output};
use crate::diff::{AdoptInput, adopt, compare, live_collection};
use crate::embed::Makers;
use crate::model::{
    Address, Binding, Desired, Diagnostic, Diagnostics, Environment, Identities, Observed, PointId, PointSaid,
    Severity, VectorSpec,
};
use crate::observe::{ObserveError, Request, observe, read_said};
use crate::plan::{BuildInput, Built, build};
use crate::preflight::{Needs, Places, Preflight, diagnostics};
use crate::spec::{EnvFile, Sources, load_config, load_plans};
use crate::store::postgres::Postgres;
use crate::store::qdrant::Qdrant;
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
    /// What was found by the last probing.
    pub preflight: Option<Preflight>,
    /// The text of `enact.yaml`, for excerpts.
    pub sources: Sources,
    #[cfg(feature = "embedded")]
    pub(super) local: Option<crate::local::Attached>,
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
        reach(configured, global, output).await?.session(output).await
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

    /// Observes both stores, plans, and probes every channel that the steps use.
    ///
    /// # Errors
    /// What is wrong has been printed.
    pub async fn plan(&mut self, desired: &Desired, sources: &Sources, output: &Output) -> Result<Built, Outcome> {
        let mut all = self.sources.clone();
        all.extend(sources.clone());
        let built = match self.try_plan(desired).await {
            Ok(built) => built,
            Err(error) => {
                let error = self.why_unreadable(desired, error).await;
                return Err(observe_failed(output, &error, &all));
            }
        };
        if !built.plan.is_empty() {
            let needs = Needs::of_plan(&built.plan, &Places::of(desired), &self.environment);
            let found = self.probe(&needs).await.map_err(|error| store_failed(output, &error))?;
            let found = diagnostics(&found);
            output.diagnostics(&found, &all);
            if found.has_errors() {
                return Err(Outcome::InvalidInput);
            }
        }
        Ok(built)
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
        let mut all = self.sources.clone();
        all.extend(sources.clone());
        let planned = self.planning(&desired, &Planning::Adopt(only)).await;
        planned.map_err(|error| observe_failed(output, &error, &all))
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

    /// Observes both stores and plans, without probing.
    ///
    /// # Errors
    /// Those of the stores, and everything that makes the plan impossible.
    pub async fn try_plan(&mut self, desired: &Desired) -> Result<Built, ObserveError> {
        self.planning(desired, &Planning::Compare).await
    }

    async fn planning(&mut self, desired: &Desired, planning: &Planning) -> Result<Built, ObserveError> {
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

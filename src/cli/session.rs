//! An environment opened for one command: stores, binding, embedders.
//!
//! Everything that goes wrong is printed here, once, in users' words; callers pass the [`Outcome`] on.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use super::args::{GlobalArgs, PartialArgs};
use super::reach::reach;
use super::{Outcome, Output, unfinished};
use crate::apply::{StepsTried, upgrade_where_possible};
use crate::embed::Makers;
use crate::model::{Address, Binding, Desired, Diagnostics, Environment, Severity, Stores};
use crate::observe::{Depth, ObserveError};
use crate::plan::{Built, Partial};
use crate::planner::{Back, Planner, Purpose, Trial};
use crate::preflight::{Needs, Places, Preflight, diagnostics, diagnostics_of_reader};
use crate::spec::{EnvFile, Sources, load_config, load_plans_in};
use crate::store::postgres::Postgres;
use crate::store::qdrant::Qdrant;
use crate::store::{Fault, StoreError};

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
    /// Whether the command only makes plans: then a role that may not write them down may make them all the same.
    pub only_plans: bool,
    /// What plans are narrowed to.
    pub partial: Partial,
    /// How thoroughly plans compare points.
    pub depth: Depth,
    /// Units whose points are made anew, by vector set; all of them where none is named.
    pub replace: BTreeMap<String, BTreeSet<String>>,
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
    match load_plans_in(&global.dir, &global.plan_paths()) {
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

/// Opens an environment, does something with it, and closes it whatever came of that.
///
/// # Errors
/// The outcome when it cannot be opened, which has been printed; those of the body.
pub fn in_session<T>(
    configured: Configured,
    global: &GlobalArgs,
    output: &Output,
    body: impl AsyncFnOnce(&mut Session) -> Result<T, Outcome>,
) -> Result<T, Outcome> {
    block_on(async {
        let mut session = Session::open(configured, global, output).await?;
        let done = body(&mut session).await;
        session.close(output).await;
        done
    })
}

impl Session {
    /// Connects both stores of an environment.
    ///
    /// # Errors
    /// What is wrong has been printed.
    pub async fn open(configured: Configured, global: &GlobalArgs, output: &Output) -> Result<Session, Outcome> {
        // Before the secrets: a command that gives one may take its time.
        output.doing(match &configured.environment.stores {
            Stores::Local { .. } => "Opening the embedded stores",
            Stores::Remote { .. } => "Connecting to PostgreSQL and Qdrant",
        });
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
        output.doing("Reading PostgreSQL and Qdrant, and comparing");
        self.plan_and_probe(desired, Purpose::Apply, sources, output).await
    }

    /// Plans the way back from a run, and probes every channel that the steps use.
    ///
    /// # Errors
    /// What is wrong has been printed.
    pub async fn plan_back(&mut self, desired: &Desired, back: &Back<'_>, output: &Output) -> Result<Built, Outcome> {
        self.plan_and_probe(desired, Purpose::Back(back), &Sources::default(), output).await
    }

    async fn plan_and_probe(
        &mut self,
        desired: &Desired,
        purpose: Purpose<'_>,
        sources: &Sources,
        output: &Output,
    ) -> Result<Built, Outcome> {
        let mut all = self.sources.clone();
        all.extend(sources.clone());
        unfinished::tell(self, output).await;
        let built = match self.try_plan(desired, purpose).await {
            Ok(built) => built,
            Err(error) => {
                let error = self.why_unreadable(desired, error).await;
                return Err(observe_failed(output, &error, &all));
            }
        };
        if !built.plan.is_empty() {
            output.doing("Probing what the plan needs");
            let needs = Needs::of_plan(&built.plan, &Places::of(desired), &self.environment);
            let found = self.probe(&needs).await.map_err(|error| store_failed(output, &error))?;
            let found = if self.only_plans { diagnostics_of_reader(&found) } else { diagnostics(&found) };
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
        only: &BTreeSet<Address>,
        sources: &Sources,
        output: &Output,
    ) -> Result<Built, Outcome> {
        desired.promotions.values_mut().for_each(|promotion| promotion.adopt = true);
        let mut all = self.sources.clone();
        all.extend(sources.clone());
        let planned = self.try_plan(&desired, Purpose::Adopt(only)).await;
        planned.map_err(|error| observe_failed(output, &error, &all))
    }

    /// Takes what plans are narrowed to, and how they compare.
    pub fn take(&mut self, args: &PartialArgs) {
        (self.partial, self.depth, self.replace) = (args.partial(), args.depth(), args.replaced());
    }

    /// Observes both stores and plans, without probing.
    ///
    /// # Errors
    /// Those of the stores, and everything that makes the plan impossible.
    pub async fn try_plan(&mut self, desired: &Desired, purpose: Purpose<'_>) -> Result<Built, ObserveError> {
        self.planned(desired, purpose, Some(&StepsTried)).await
    }

    /// Plans against what lives, and writes nothing, not even to take it back.
    ///
    /// # Errors
    /// Those of the stores, and everything that makes the plan impossible.
    pub async fn plan_of_live(&mut self, desired: &Desired) -> Result<Built, ObserveError> {
        self.planned(desired, Purpose::Apply, None).await
    }

    async fn planned(
        &mut self,
        desired: &Desired,
        purpose: Purpose<'_>,
        trial: Option<&dyn Trial>,
    ) -> Result<Built, ObserveError> {
        upgrade_where_possible(&mut self.postgres).await?;
        let Session { environment, binding, postgres, qdrant, makers, partial, depth, replace, .. } = self;
        Planner { environment, binding, makers, partial, trial, depth: *depth, replace }
            .plan(postgres, qdrant, desired, purpose)
            .await
    }
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

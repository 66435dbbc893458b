//! Plans from YAML.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use enact::apply::StepsTried;
use enact::embed::{Embedder, Makers, StaticEmbedder};
use enact::model::{Binding, BindingRef, Desired, Environment};
use enact::observe::Depth;
use enact::plan::{Partial, SavedPlan};
use enact::planner::Purpose;
use enact::spec::{load_binding, parse_plan};
use enact::store::{Relational, VectorStore};

/// Everything but the stores.
pub struct Planner {
    pub binding: Binding,
    pub environment: Environment,
    pub makers: Makers,
}

impl Planner {
    /// With a shipped binding, the shipped model, and nothing that is kept for later.
    pub fn new(binding: &str) -> Planner {
        let reference = BindingRef::Shipped(binding.to_owned());
        let binding = load_binding(&reference).unwrap_or_else(|(found, _)| panic!("{found:?}"));
        let mut environment = Environment::local(Path::new("/nowhere"));
        environment.sweep_grace_seconds = 0;
        let embedder: Arc<dyn Embedder> = Arc::new(StaticEmbedder::built_in());
        let makers = Makers { embedders: BTreeMap::from([("default".to_owned(), embedder)]) };
        Planner { binding, environment, makers }
    }

    /// Plans one file.
    pub async fn plan(&self, store: &mut dyn Relational, vectors: &dyn VectorStore, yaml: &str) -> SavedPlan {
        let (desired, _) = parse_plan("plan.yaml", yaml).unwrap_or_else(|found| panic!("{found:?}\n{yaml}"));
        self.plan_desired(store, vectors, &desired).await
    }

    /// Plans what plan files say.
    pub async fn plan_desired(
        &self,
        store: &mut dyn Relational,
        vectors: &dyn VectorStore,
        desired: &Desired,
    ) -> SavedPlan {
        let Planner { binding, environment, makers } = self;
        let planner = enact::planner::Planner {
            environment,
            binding,
            makers,
            partial: &Partial::default(),
            trial: Some(&StepsTried),
            depth: Depth::default(),
            replace: &BTreeMap::new(),
        };
        let planned = planner.plan(store, vectors, desired, Purpose::Apply).await;
        planned.unwrap_or_else(|error| panic!("{error:?}")).plan
    }
}

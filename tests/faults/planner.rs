//! Plans from YAML, as the command does it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use enact::diff::compare;
use enact::embed::{Embedder, Makers, StaticEmbedder};
use enact::model::{Binding, BindingRef, Desired, Environment, Identities, VectorSpec};
use enact::observe::{Request, observe};
use enact::plan::{BuildInput, SavedPlan, build};
use enact::spec::{load_binding, parse_plan};
use enact::store::{Relational, TxMode, VectorStore};

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
        let (binding, environment) = (&self.binding, &self.environment);
        let identities = self.identities(desired);
        let embedder = &self.makers.embedders["default"];
        let count_tokens = |text: &str| embedder.count_tokens(text);
        let request = Request {
            desired,
            binding,
            environment,
            identities: &identities,
            addresses: false,
            count_tokens: &count_tokens,
        };
        let mut tx = store.begin(TxMode::Snapshot).await.expect("a snapshot");
        let seen = observe(tx.as_mut(), vectors, &request).await.unwrap_or_else(|error| panic!("{error:?}"));
        tx.rollback().await.expect("the end of the snapshot");
        let (resolved, observed, recipes) = (&seen.resolved, &seen.observed, &seen.recipes);
        let comparison = compare(desired, binding, environment, resolved, observed, recipes)
            .unwrap_or_else(|found| panic!("{found:?}"));
        let input = BuildInput {
            desired,
            binding,
            environment,
            resolved,
            observed,
            comparison: &comparison,
            recipes,
            identities: &identities,
        };
        build(&input).unwrap_or_else(|found| panic!("{found:?}")).plan
    }

    fn identities(&self, desired: &Desired) -> Identities {
        let mut out = Identities::default();
        for (name, policy) in &desired.chunk_policies {
            out.policies.insert(name.clone(), serde_json::json!(policy.value.identity()));
        }
        for (name, embedder) in &self.makers.embedders {
            out.embedders.insert(name.clone(), embedder.identity().clone());
        }
        for spec in desired.vector_sets.values().flat_map(|set| set.vectors.values()) {
            if let VectorSpec::Bm25 { language } = &spec.value {
                let bm25 = Makers::bm25(language).expect("a language of BM25");
                out.sparse.insert(language.clone(), serde_json::json!(bm25.identity()));
            }
        }
        out
    }
}

//! Makes plans: observes both stores, compares, and builds the saved plan. The only way a plan is made, for `plan`,
//! `drift`, `import`, `revert` and tests alike.
//!
//! ```text
//! plan files + environment ── observe ──▶ compare (or adopt) ──▶ narrow to a part ──▶ build ──▶ plan and its graph
//! ```
//!
//! - Everything is read in one snapshot of PostgreSQL, which is rolled back. What is as the last apply left it is not read.
//! - Selections, promotions and points see what the plan's own rows and moves make of the units: where, and only where, these
//!   change units, they are tried ([`trial`](Trial)).
//! - A part is planned anew, as if it were all that is declared.
//! - Not here: probing what the plan needs (`preflight`), and anything that prints or asks.

mod back;
mod identities;
mod trial;

use std::collections::{BTreeMap, BTreeSet};

pub use back::Back;
use identities::identities;
pub use trial::Trial;
use trial::Trying;

use crate::diff::{AdoptInput, ChangeDetail, ChunkSource, Comparison, adopt, compare, live_collection, own_writes};
use crate::embed::Makers;
use crate::model::{Address, Binding, Desired, Environment, Observed, PointId};
use crate::observe::{
    Depth, Observation, ObserveError, Request, UnitsRead, belong_to_unread, binding_in_use, observe, read_said,
    read_session_user,
};
use crate::plan::{BuildInput, Built, Partial, build, narrow};
use crate::points::PointSaid;
use crate::store::{Relational, StoreError, Tx, TxMode, VectorStore};

/// What a plan is made with, beside the stores and the plan files.
#[derive(Clone, Copy)]
pub struct Planner<'a> {
    /// The environment.
    pub environment: &'a Environment,
    /// Its binding.
    pub binding: &'a Binding,
    /// What makes vectors.
    pub makers: &'a Makers,
    /// What the plan is narrowed to.
    pub partial: &'a Partial,
    /// Who tries what a plan writes, where that changes the units that it reads. Without one a plan says what it would do to
    /// the units that live: enough for who only looks.
    pub trial: Option<&'a dyn Trial>,
    /// How thoroughly points are compared.
    pub depth: Depth,
    /// Units whose points are made anew whatever the comparison says, by vector set; all of them where none is named.
    pub replace: &'a BTreeMap<String, BTreeSet<String>>,
}

/// What a plan is for.
#[derive(Clone, Copy)]
pub enum Purpose<'a> {
    /// To make the plan files true.
    Apply,
    /// To go back from a run.
    Back(&'a Back<'a>),
    /// To write down what lives already: these resources, or all that are declared where none is named.
    Adopt(&'a BTreeSet<Address>),
}

impl Planner<'_> {
    /// Makes a plan. Neither store is changed.
    ///
    /// # Errors
    /// Those of the stores, and everything that makes the plan impossible.
    pub async fn plan(
        &self,
        postgres: &mut dyn Relational,
        vectors: &dyn VectorStore,
        desired: &Desired,
        purpose: Purpose<'_>,
    ) -> Result<Built, ObserveError> {
        let Planner { environment, binding, makers, partial, trial: _, depth, replace } = *self;
        let identities = identities(desired, makers)?;
        let tokens = makers.embedders.values().next();
        let count_tokens = |text: &str| tokens.map_or(text.len() as u64 / 4, |embedder| embedder.count_tokens(text));
        let author = match environment.approvals.not_by_author {
            true => Some(read_session_user(postgres).await?),
            false => None,
        };
        let mut tx = postgres.begin(TxMode::Snapshot).await?;
        let binding = &*binding_in_use(tx.as_mut(), binding, Some(desired), &environment.project).await?;
        tx.rollback().await?;
        let units = match purpose {
            Purpose::Apply if partial.is_whole() => UnitsRead::Differing,
            Purpose::Apply | Purpose::Back(_) | Purpose::Adopt(_) => UnitsRead::All,
        };
        let request = Request {
            desired,
            selecting: desired,
            binding,
            environment,
            identities: &identities,
            addresses: !partial.is_whole(),
            units,
            depth,
            replace,
            count_tokens: &count_tokens,
        };
        let (built, changes) = if partial.is_whole() {
            let seen = self.look(postgres, vectors, &request, purpose).await?;
            (build(&input(&request, &seen))?, seen.1.changes)
        } else {
            let whole = look_live(postgres, vectors, &request, purpose).await?;
            let kept = narrow(&input(&request, &whole), partial)?;
            let part = kept.desired(desired);
            let request = Request { desired: &part, selecting: &part, ..request };
            let (seen, mut comparison) = self.look(postgres, vectors, &request, Purpose::Apply).await?;
            kept.settle(&mut comparison);
            let seen = (seen, comparison);
            (build(&input(&request, &seen))?, seen.1.changes)
        };
        Ok(built.sign(changes, author, partial.clone()))
    }

    /// Observes and compares what a request is about. Where the plan's own writes change what it reads, they are tried.
    async fn look(
        &self,
        postgres: &mut dyn Relational,
        vectors: &dyn VectorStore,
        request: &Request<'_>,
        purpose: Purpose<'_>,
    ) -> Result<(Observation, Comparison), ObserveError> {
        let live = look_live(postgres, vectors, request, purpose).await;
        let own = match &live {
            Ok((seen, comparison)) => {
                let Request { desired, binding, .. } = request;
                let own = own_writes(desired, binding, &seen.observed, &seen.recipes, &comparison.changes);
                if own.is_none() {
                    return live;
                }
                own
            }
            // What does not fit the units as they live may fit those that the plan's own rows leave.
            Err(ObserveError::Refused(_) | ObserveError::Chunk(_)) if request.desired.writes_rows() => None,
            Err(_) => return live,
        };
        let (Some(trial), false) = (self.trial, matches!(purpose, Purpose::Adopt(_))) else { return live };
        let trying = Trying { trial, vectors, request, purpose };
        trying.see(postgres, own).await?.map_or(live, Ok)
    }
}

/// Observes and compares what a request is about, as it is.
async fn look_live(
    postgres: &mut dyn Relational,
    vectors: &dyn VectorStore,
    request: &Request<'_>,
    purpose: Purpose<'_>,
) -> Result<(Observation, Comparison), ObserveError> {
    let mut tx = postgres.begin(TxMode::Snapshot).await?;
    let seen = look_in(tx.as_mut(), vectors, request, purpose).await;
    end(tx, &seen).await?;
    match seen? {
        Some(seen) => Ok(seen),
        None => {
            let request = Request { units: UnitsRead::All, ..*request };
            Box::pin(look_live(postgres, vectors, &request, purpose)).await
        }
    }
}

/// `None` where units that were not read have to be.
async fn look_in(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    request: &Request<'_>,
    purpose: Purpose<'_>,
) -> Result<Option<(Observation, Comparison)>, ObserveError> {
    let mut seen = observe(tx, vectors, request).await?;
    let comparison = compare_for(vectors, request, &mut seen, purpose).await?;
    let meets = meets_unread(tx, &seen, &comparison).await?;
    Ok((!meets).then_some((seen, comparison)))
}

/// Whether a key gives a chunk the point of a unit that was not read: then both are compared.
async fn meets_unread(tx: &mut dyn Tx, seen: &Observation, comparison: &Comparison) -> Result<bool, StoreError> {
    for change in &comparison.changes {
        let ChangeDetail::VectorSet(set) = &change.detail else { continue };
        let keyed = seen.recipes.get(&set.set).is_some_and(|recipe| recipe.ids.keyed());
        if !keyed || !seen.observed.unread.contains_key(&set.set) {
            continue;
        }
        let made = set.units.iter().flat_map(|unit| &unit.chunks).filter(|chunk| chunk.source != ChunkSource::Kept);
        if belong_to_unread(tx, &set.set, made.map(|chunk| &chunk.id), &seen.observed).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Ends the transaction in which something was seen. What was refused has left it as it was: the session is needed again.
async fn end<T>(tx: Box<dyn Tx + '_>, seen: &Result<T, ObserveError>) -> Result<(), StoreError> {
    match seen {
        Err(ObserveError::Store(_)) => Ok(()),
        Ok(_) | Err(_) => tx.rollback().await,
    }
}

async fn compare_for(
    vectors: &dyn VectorStore,
    request: &Request<'_>,
    seen: &mut Observation,
    purpose: Purpose<'_>,
) -> Result<Comparison, ObserveError> {
    Ok(match purpose {
        Purpose::Apply => compared(request, seen)?,
        Purpose::Back(back) => {
            let mut comparison = compared(request, seen)?;
            back.add(&mut seen.observed, &mut comparison);
            comparison
        }
        Purpose::Adopt(only) => adopted(vectors, request, seen, only).await?,
    })
}

fn compared(request: &Request<'_>, seen: &Observation) -> Result<Comparison, ObserveError> {
    let Request { desired, binding, environment, .. } = request;
    Ok(compare(desired, binding, environment, &seen.resolved, &seen.observed, &seen.recipes)?)
}

async fn adopted(
    vectors: &dyn VectorStore,
    request: &Request<'_>,
    seen: &Observation,
    only: &BTreeSet<Address>,
) -> Result<Comparison, ObserveError> {
    let Request { desired, binding, environment, .. } = *request;
    let Observation { observed, resolved, recipes } = seen;
    let said = &said(vectors, desired, observed).await?;
    Ok(adopt(&AdoptInput { desired, binding, environment, resolved, observed, recipes, said, only })?)
}

/// What the points of sets with ids by key say of themselves.
async fn said(
    vectors: &dyn VectorStore,
    desired: &Desired,
    observed: &Observed,
) -> Result<BTreeMap<String, BTreeMap<PointId, PointSaid>>, ObserveError> {
    let mut out = BTreeMap::new();
    for set in desired.vector_sets.values().filter(|set| set.ids.keyed()) {
        if let Some((collection, _)) = live_collection(&set.name, observed) {
            out.insert(set.name.clone(), read_said(vectors, &collection).await?);
        }
    }
    Ok(out)
}

fn input<'a>(request: &Request<'a>, (seen, comparison): &'a (Observation, Comparison)) -> BuildInput<'a> {
    BuildInput {
        desired: request.desired,
        binding: request.binding,
        environment: request.environment,
        resolved: &seen.resolved,
        observed: &seen.observed,
        comparison,
        recipes: &seen.recipes,
        identities: request.identities,
    }
}

//! From a comparison to a plan.

use std::collections::BTreeMap;

use super::addresses;
use super::baseline::{baseline, made};
use super::derive::{Parts, derive};
use super::fields::fields_used;
use super::guards::guards;
use super::links::links;
use super::lint::lint;
use super::order::graph_of;
use super::partial::Partial;
use super::pinning::{pin, selections};
use super::saved::{EnvironmentPin, FORMAT_VERSION, SavedPlan};
use super::summary::Summary;
use crate::diff::{Change, Comparison, Resolved};
use crate::graph::Graph;
use crate::model::{Address, Binding, Desired, Diagnostic, Diagnostics, Digest, Environment, Identities, Observed};
use crate::points::Recipe;

/// Who makes plans.
const MADE_BY: &str = concat!("enact ", env!("CARGO_PKG_VERSION"));

/// Everything that a plan is built from.
pub struct BuildInput<'a> {
    /// The plan files.
    pub desired: &'a Desired,
    /// The binding.
    pub binding: &'a Binding,
    /// The environment.
    pub environment: &'a Environment,
    /// Promotions and selections resolved.
    pub resolved: &'a Resolved,
    /// What was read.
    pub observed: &'a Observed,
    /// What differs.
    pub comparison: &'a Comparison,
    /// How the points of each set are made.
    pub recipes: &'a BTreeMap<String, Recipe>,
    /// What makes them.
    pub identities: &'a Identities,
}

/// A plan and the graph behind it.
pub struct Built {
    /// The plan.
    pub plan: SavedPlan,
    /// The graph of its changes.
    pub graph: Graph,
}

/// A plan without its changes: they are many, and moved into it last.
pub struct Unsigned {
    plan: SavedPlan,
    graph: Graph,
}

/// Builds the plan.
///
/// # Errors
/// A circle of needs, a gate that is not there, a binding whose templates cannot be filled.
pub fn build(input: &BuildInput<'_>) -> Result<Unsigned, Diagnostics> {
    let graph = graph_of(input);
    let selections = selections(input);
    addresses::check(input, &selections)?;
    let baseline = baseline(input);
    let pins = pin(input, selections);
    let environment = environment_pin(input);
    let parts = Parts {
        changes: &input.comparison.changes,
        pins: &pins,
        baseline: &baseline,
        environment: &environment,
        made_by: MADE_BY,
    };
    let steps = derive(&parts).map_err(|errors| place(input, errors))?;
    let mut findings = input.comparison.findings.clone();
    findings.extend(lint(input));
    findings.sort();
    let mut plan = SavedPlan {
        format_version: FORMAT_VERSION.to_owned(),
        digest: Digest::default(),
        made_by: MADE_BY.to_owned(),
        summary: Summary {
            same_rows: input.comparison.same_rows,
            ..Summary::of(&input.comparison.changes, input.comparison.kept)
        },
        author: None,
        partial: Partial::default(),
        environment,
        files: input.desired.files.clone(),
        changes: Vec::new(),
        findings,
        drift: input.comparison.drift.clone(),
        steps,
        links: links(&input.comparison.changes, &graph),
        baseline,
        pins,
        guards: guards(input),
    };
    plan.baseline.made = made(input, &fields_used(&plan));
    Ok(Unsigned { plan, graph })
}

impl Unsigned {
    /// Takes in the changes that it was built from; says who made it and what it was narrowed to, and digests it.
    #[must_use]
    pub fn sign(self, changes: Vec<Change>, author: Option<String>, partial: Partial) -> Built {
        let Unsigned { mut plan, graph } = self;
        plan.changes = changes;
        plan.author = author;
        plan.findings.extend(partial.finding());
        plan.findings.sort();
        plan.partial = partial;
        plan.digest = plan.content_digest();
        Built { plan, graph }
    }

    /// The same for a plan that nobody sees.
    #[must_use]
    pub fn unseen(self, changes: Vec<Change>) -> SavedPlan {
        SavedPlan { changes, ..self.plan }
    }
}

fn environment_pin(input: &BuildInput<'_>) -> EnvironmentPin {
    let environment = input.environment;
    EnvironmentPin {
        name: environment.name.clone(),
        actor: environment.actor.clone(),
        connected_as: input.observed.session_role.clone(),
        approvals: environment.approvals,
        sweep_grace_seconds: environment.sweep_grace_seconds,
        request_deadline_seconds: environment.request_deadline_seconds,
        allowed_collections: environment.allowed_collections.clone(),
        denied_collections: environment.denied_collections.clone(),
    }
}

/// A circle is shown where the first of its rows is declared, a gate where the binding names it.
fn place(input: &BuildInput<'_>, errors: Diagnostics) -> Diagnostics {
    let one = |error: Diagnostic| {
        let rows = input.observed.rows.seen.iter();
        let named = rows
            .map(|seen| (&input.resolved.rows[seen.of.set], seen))
            .find(|(set, seen)| error.detail.contains(&format!("\"{}\"", Address::row(&set.table.value, &seen.key))));
        match named {
            Some((set, seen)) => error.at(&set.rows[seen.of.row].place),
            None => error,
        }
    };
    Diagnostics(errors.0.into_iter().map(one).collect())
}

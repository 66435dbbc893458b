//! From changes to ordered steps.
//!
//! ```text
//! stage        fill a new collection for each changed vector set, or spool the points of one that changes in place
//! transaction  insert and update rows by level of need, move units, refresh caches, record points in the ledger inside a
//!              gate window, delete rows, write down what is managed; last, write points in place
//! settle       switch each alias, stamp each collection that was written in place
//! sweep        drop each old collection
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::baseline::baseline;
use super::calls::{empty_calls, fill_cells};
use super::cost::EmbeddingTerms;
use super::guards::guards;
use super::links::links;
use super::lint::lint;
use super::order::graph_of;
use super::partial::Partial;
use super::rows::{Statement, statements, title};
use super::saved::{EnvironmentPin, FORMAT_VERSION, Pins, SavedPlan, SelectionPin};
use super::step::{CallsWork, Parameter, Phase, RowsWork, Step, Work};
use super::summary::Summary;
use crate::diff::{ChangeDetail, Comparison, Resolved, codes};
use crate::graph::Graph;
use crate::model::{
    Address, Binding, Desired, Diagnostic, Diagnostics, Digest, EmbedderConfig, Environment, Identities, Observed,
    Promotion, Refresh, TableName, VectorSpec,
};
use crate::points::Recipe;

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

/// Builds the plan.
///
/// # Errors
/// A circle of needs, a gate that is not there, a binding whose templates cannot be filled.
pub fn build(input: &BuildInput<'_>) -> Result<Built, Diagnostics> {
    let graph = graph_of(input);
    let rows =
        statements(&input.comparison.changes, &input.observed.rows.needs).map_err(|error| place(input, error))?;
    let mut builder = Builder { input, steps: Vec::new(), errors: Diagnostics::default() };
    builder.stage();
    builder.rows(rows.first);
    builder.transitions();
    builder.refreshes();
    builder.ledgers();
    builder.rows(rows.last);
    builder.gates();
    builder.managed();
    builder.row_records();
    builder.write_in_place();
    builder.settle_and_sweep();
    let Builder { steps, errors, .. } = builder;
    if errors.has_errors() {
        return Err(errors);
    }
    let selections = selections(input.desired);
    let mut findings = input.comparison.findings.clone();
    findings.extend(lint(input));
    findings.sort();
    let mut plan = SavedPlan {
        format_version: FORMAT_VERSION.to_owned(),
        digest: Digest::default(),
        made_by: concat!("enact ", env!("CARGO_PKG_VERSION")).to_owned(),
        summary: Summary {
            same_rows: input.comparison.same_rows,
            ..Summary::of(&input.comparison.changes, input.comparison.kept)
        },
        author: None,
        partial: Partial::default(),
        environment: environment_pin(input),
        files: input.desired.files.clone(),
        changes: input.comparison.changes.clone(),
        findings,
        drift: input.comparison.drift.clone(),
        steps,
        links: links(&input.comparison.changes, &graph),
        baseline: baseline(input, &selections),
        pins: pins(input, selections),
        guards: guards(input),
    };
    plan.digest = plan.content_digest();
    Ok(Built { plan, graph })
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

fn pins(input: &BuildInput<'_>, selections: Vec<SelectionPin>) -> Pins {
    let used: BTreeSet<&str> = input.desired.vector_sets.values().map(|set| set.chunk_policy.value.as_str()).collect();
    let policies = input.desired.chunk_policies.iter().filter(|(name, _)| used.contains(name.as_str()));
    let embedders: BTreeSet<&str> = input
        .desired
        .vector_sets
        .values()
        .flat_map(|set| set.vectors.values())
        .filter_map(|spec| match &spec.value {
            VectorSpec::Dense { embedder, .. } => Some(embedder.as_str()),
            VectorSpec::Bm25 { .. } => None,
        })
        .collect();
    Pins {
        binding: input.binding.clone(),
        selections,
        overlay: input.resolved.overlay.clone(),
        chunk_policies: policies.map(|(name, spot)| (name.clone(), spot.value.clone())).collect(),
        embedders: input
            .identities
            .embedders
            .iter()
            .filter(|(name, _)| embedders.contains(name.as_str()))
            .map(|(name, identity)| (name.clone(), identity.clone()))
            .collect(),
        embedding: input
            .environment
            .embedders
            .iter()
            .filter(|(name, _)| embedders.contains(name.as_str()))
            .filter_map(|(name, config)| Some((name.clone(), terms(config)?)))
            .collect(),
    }
}

/// The terms of an embedder that is asked over a network; one inside this process costs nothing.
fn terms(config: &EmbedderConfig) -> Option<EmbeddingTerms> {
    match config {
        EmbedderConfig::Static { .. } => None,
        EmbedderConfig::OpenAi { max_texts, max_tokens, price_per_million_tokens, .. } => Some(EmbeddingTerms {
            max_texts: *max_texts,
            max_tokens: *max_tokens,
            price_per_million_tokens: price_per_million_tokens.clone(),
        }),
    }
}

/// The selections of a plan with what uses them.
fn selections(desired: &Desired) -> Vec<SelectionPin> {
    let promotions = desired.promotions.values().map(|promotion: &Promotion| SelectionPin {
        of: Address::promotion(&promotion.name),
        selection: desired.selection(&promotion.units).clone(),
        after: false,
    });
    let sets = desired.vector_sets.values().map(|set| SelectionPin {
        of: Address::vector_set(&set.name),
        selection: desired.selection(&set.units).clone(),
        after: true,
    });
    promotions.chain(sets).collect()
}

pub(super) struct Builder<'a> {
    pub(super) input: &'a BuildInput<'a>,
    steps: Vec<Step>,
    pub(super) errors: Diagnostics,
}

impl<'a> Builder<'a> {
    pub(super) fn step(
        &mut self,
        phase: Phase,
        title: String,
        run_as: Option<&String>,
        addresses: Vec<Address>,
        work: Work,
    ) {
        let id = u32::try_from(self.steps.len() + 1).unwrap_or(u32::MAX);
        let needs = if id > 1 { vec![id - 1] } else { Vec::new() };
        let addresses = match addresses.as_slice() {
            [first, .., last] => vec![first.clone(), last.clone()],
            few => few.to_vec(),
        };
        self.steps.push(Step { id, phase, title, run_as: run_as.cloned(), needs, addresses, work });
    }

    fn rows(&mut self, statements: Vec<Statement>) {
        let role = self.input.environment.roles.rows.as_ref();
        for Statement { batches, addresses } in statements {
            let work = RowsWork { batches };
            self.step(Phase::Transaction, title(&work.batches), role, addresses, Work::WriteRows(work));
        }
    }

    pub(super) fn columns(&self, table: &TableName, names: &[String]) -> Vec<Parameter> {
        let facts = self.input.observed.tables.get(table);
        names
            .iter()
            .map(|name| {
                let found = facts.and_then(|facts| facts.columns.get(name));
                Parameter { name: name.clone(), type_name: found.map_or("text", |c| c.type_name.as_str()).to_owned() }
            })
            .collect()
    }

    fn refreshes(&mut self) {
        for change in &self.input.comparison.changes {
            let ChangeDetail::Refresh { name, .. } = &change.detail else { continue };
            let Some(refresh) = self.input.binding.refresh.iter().find(|refresh| refresh.name == *name) else {
                continue;
            };
            let Some(call) = self.refresh_call(refresh) else { continue };
            let work = Work::Refresh { call, status: refresh.status.clone() };
            let role = self.input.environment.roles.refresh.as_ref();
            self.step(Phase::Transaction, format!("refresh {name}"), role, vec![change.address.clone()], work);
        }
    }

    fn refresh_call(&mut self, refresh: &Refresh) -> Option<CallsWork> {
        let names = self.base_names();
        let mut work = empty_calls(&refresh.call, self.input.observed);
        let scope = |name: &str| names.get(name).cloned();
        match fill_cells(refresh.call.arguments.values(), &scope) {
            Ok(cells) => work.calls.push(cells),
            Err(error) => {
                self.template_error(&refresh.name, &error.to_string());
                return None;
            }
        }
        Some(work)
    }

    pub(super) fn base_names(&self) -> BTreeMap<String, Value> {
        let mut names = BTreeMap::new();
        names.insert("actor".to_owned(), Value::from(self.input.environment.actor.as_str()));
        names.insert("tool.revision".to_owned(), Value::from(concat!("enact/", env!("CARGO_PKG_VERSION"))));
        names.insert("apply.time".to_owned(), Value::from(crate::diff::APPLY_TIME));
        names
    }

    pub(super) fn template_error(&mut self, what: &str, error: &str) {
        self.errors.push(Diagnostic::error(
            codes::TEMPLATE,
            format!("{what} of the binding \"{}\": {error}", self.input.binding.name),
        ));
    }
}

/// A circle is shown where the first of its rows is declared.
fn place(input: &BuildInput<'_>, error: Diagnostic) -> Diagnostics {
    let rows = input.observed.rows.seen.iter();
    let named = rows
        .map(|seen| (&input.resolved.rows[seen.of.set], seen))
        .find(|(set, seen)| error.detail.contains(&format!("\"{}\"", Address::row(&set.table.value, &seen.key))));
    match named {
        Some((set, seen)) => error.at(&set.rows[seen.of.row].place).into(),
        None => error.into(),
    }
}

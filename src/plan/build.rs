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
use super::order::{graph_of, row_addresses};
use super::partial::Partial;
use super::saved::{EnvironmentPin, FORMAT_VERSION, Pins, SavedPlan, SelectionPin};
use super::step::{CallsWork, Parameter, Phase, RowsWork, Step, UpdateWork, Work};
use super::summary::Summary;
use crate::diff::{Change, ChangeDetail, Comparison, Recipe, Resolved, RowChange, codes};
use crate::graph::Graph;
use crate::model::{
    Address, Binding, Cell, Desired, Diagnostic, Diagnostics, Digest, EmbedderConfig, Environment, Identities,
    Observed, Promotion, Refresh, TableName, VectorSpec,
};

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
    let levels = graph.levels().map_err(|cycle| {
        Diagnostics::from(
            Diagnostic::error(codes::CYCLE, cycle.to_string())
                .hint("make one of the columns nullable and set it in a later plan"),
        )
    })?;
    let mut builder =
        Builder { input, levels, keys: key_columns(input), steps: Vec::new(), errors: Diagnostics::default() };
    builder.stage();
    builder.rows();
    builder.transitions();
    builder.refreshes();
    builder.ledgers();
    builder.deletes();
    builder.gates();
    builder.managed();
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
        digest: Digest::from_text(""),
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
    levels: BTreeMap<Address, u32>,
    keys: BTreeMap<Address, Vec<String>>,
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

    /// Inserts and updates by level of need; within a level by table and columns, so that each batch is one statement.
    fn rows(&mut self) {
        type Batch<'a> = Vec<(&'a Address, &'a Change)>;
        let mut batches: BTreeMap<(u32, TableName, bool, Vec<String>), Batch<'a>> = BTreeMap::new();
        for change in &self.input.comparison.changes {
            let ChangeDetail::Row { table, change: row, .. } = &change.detail else { continue };
            let level = self.levels.get(&change.address).copied().unwrap_or(0);
            let (update, columns) = match row {
                RowChange::Create { values } => (false, values.keys().cloned().collect()),
                RowChange::Update { fields, .. } => (true, fields.keys().cloned().collect()),
                RowChange::Delete { .. } => continue,
            };
            batches.entry((level, table.clone(), update, columns)).or_default().push((&change.address, change));
        }
        for ((_, table, update, columns), batch) in batches {
            let addresses = batch.iter().map(|(address, _)| (*address).clone()).collect();
            let title = format!("{} {} of {table}", if update { "update" } else { "insert" }, rows_text(batch.len()));
            let work = if update {
                let key = self.key_of(batch[0].1);
                Work::UpdateRows(UpdateWork {
                    key: self.columns(&table, &key),
                    set: self.columns(&table, &columns),
                    rows: batch.iter().map(|(_, change)| update_cells(change)).collect(),
                    table: table.clone(),
                })
            } else {
                Work::InsertRows(RowsWork {
                    columns: self.columns(&table, &columns),
                    rows: batch.iter().map(|(_, change)| insert_cells(change)).collect(),
                    table: table.clone(),
                })
            };
            let role = self.input.environment.roles.rows.as_ref();
            self.step(Phase::Transaction, title, role, addresses, work);
        }
    }

    fn deletes(&mut self) {
        let mut batches: BTreeMap<(u32, TableName, Vec<String>), Vec<&'a Change>> = BTreeMap::new();
        for change in &self.input.comparison.changes {
            if let ChangeDetail::Row { table, change: RowChange::Delete { .. }, .. } = &change.detail {
                let level = self.levels.get(&change.address).copied().unwrap_or(0);
                batches.entry((u32::MAX - level, table.clone(), self.key_of(change))).or_default().push(change);
            }
        }
        for ((_, table, key), batch) in batches {
            let rows = batch
                .iter()
                .map(|change| match &change.detail {
                    ChangeDetail::Row { key, .. } => key.0.iter().map(|value| Cell::Text(value.clone())).collect(),
                    _ => Vec::new(),
                })
                .collect();
            let title = format!("delete {} of {table}", rows_text(batch.len()));
            let work = Work::DeleteRows(RowsWork { columns: self.columns(&table, &key), rows, table: table.clone() });
            let role = self.input.environment.roles.rows.as_ref();
            self.step(Phase::Transaction, title, role, batch.iter().map(|c| c.address.clone()).collect(), work);
        }
    }

    fn key_of(&self, change: &Change) -> Vec<String> {
        self.keys.get(&change.address).cloned().unwrap_or_default()
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

/// The key columns under which each row was declared.
fn key_columns(input: &BuildInput<'_>) -> BTreeMap<Address, Vec<String>> {
    row_addresses(input)
        .into_iter()
        .zip(&input.resolved.rows)
        .map(|(address, row)| (address, row.key.clone()))
        .collect()
}

fn insert_cells(change: &Change) -> Vec<Cell> {
    match &change.detail {
        ChangeDetail::Row { change: RowChange::Create { values }, .. } => values.values().cloned().collect(),
        _ => Vec::new(),
    }
}

fn update_cells(change: &Change) -> Vec<Cell> {
    match &change.detail {
        ChangeDetail::Row { key, change: RowChange::Update { fields, .. }, .. } => key
            .0
            .iter()
            .map(|value| Cell::Text(value.clone()))
            .chain(fields.values().map(|f| f.after.clone()))
            .collect(),
        _ => Vec::new(),
    }
}

fn rows_text(count: usize) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

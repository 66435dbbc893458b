//! From changes to ordered steps. Pure, and the only place where steps come from: a plan that is shown and a plan that is
//! applied derive them anew from what was reviewed.
//!
//! ```text
//! stage        fill a new collection for each changed vector set, or spool the points of one that changes in place
//! transaction  insert and update rows by level of need, move units, refresh caches, record points in the ledger inside a
//!              gate window, delete rows, write down what is managed; last, write points in place
//! settle       switch each alias, stamp each collection that was written in place
//! sweep        drop each old collection
//! ```

use std::collections::BTreeMap;

use serde_json::Value;

use super::calls::fill_cells;
use super::pins::{Pins, SetPin};
use super::rows::{Statement, statements, title};
use super::saved::{Baseline, EnvironmentPin};
use super::step::{CallsWork, Parameter, Phase, RowsWork, Step, Work};
use crate::diff::{Change, ChangeDetail, codes};
use crate::model::{Address, Diagnostic, Diagnostics, FunctionCall, Refresh, TableName};

/// What steps are derived from.
#[derive(Debug, Clone, Copy)]
pub struct Parts<'a> {
    /// What changes.
    pub changes: &'a [Change],
    /// What they stand on.
    pub pins: &'a Pins,
    /// What was observed; of it the values of gates.
    pub baseline: &'a Baseline,
    /// The environment.
    pub environment: &'a EnvironmentPin,
    /// The version of Enact that made the plan, which calls may name.
    pub made_by: &'a str,
}

/// Derives the steps.
///
/// # Errors
/// A circle of rows, a gate that is not there, a template of the binding that cannot be filled; something that a change
/// names and the pins do not hold.
pub fn derive(parts: &Parts<'_>) -> Result<Vec<Step>, Diagnostics> {
    let needs = parts.pins.row_needs(parts.changes);
    let rows = statements(parts.changes, &needs)?;
    let mut builder = Builder { parts: *parts, steps: Vec::new(), errors: Diagnostics::default() };
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
    if errors.has_errors() { Err(errors) } else { Ok(steps) }
}

pub(super) struct Builder<'a> {
    pub(super) parts: Parts<'a>,
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
        let role = self.parts.pins.role("rows");
        for Statement { batches, addresses } in statements {
            let work = RowsWork { batches };
            self.step(Phase::Transaction, title(&work.batches), role, addresses, Work::WriteRows(work));
        }
    }

    /// Columns of a table, or parameters of a function, with their types.
    pub(super) fn typed<'n>(&self, of: &TableName, names: impl Iterator<Item = &'n String>) -> Vec<Parameter> {
        let types = self.parts.pins.types.get(of);
        names
            .map(|name| {
                let found = types.and_then(|types| types.get(name));
                Parameter { name: name.clone(), type_name: found.map_or("text", String::as_str).to_owned() }
            })
            .collect()
    }

    /// A call's work before its calls are filled in.
    pub(super) fn empty_calls(&self, call: &FunctionCall) -> CallsWork {
        CallsWork {
            function: call.function.clone(),
            parameters: self.typed(&call.function, call.arguments.keys()),
            calls: Vec::new(),
            success: call.success.clone(),
        }
    }

    fn refreshes(&mut self) {
        for change in self.parts.changes {
            let ChangeDetail::Refresh { name, .. } = &change.detail else { continue };
            let Some(refresh) = self.parts.pins.binding.refresh.iter().find(|refresh| refresh.name == *name) else {
                self.missing(&change.address, "the binding's refresh");
                continue;
            };
            let Some(call) = self.refresh_call(refresh) else { continue };
            let work = Work::Refresh { call, status: refresh.status.clone() };
            let role = self.parts.pins.role("refresh");
            self.step(Phase::Transaction, format!("refresh {name}"), role, vec![change.address.clone()], work);
        }
    }

    fn refresh_call(&mut self, refresh: &Refresh) -> Option<CallsWork> {
        let names = self.base_names();
        let mut work = self.empty_calls(&refresh.call);
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
        names.insert("actor".to_owned(), Value::from(self.parts.environment.actor.as_str()));
        names.insert("tool.revision".to_owned(), Value::from(self.parts.made_by.replacen(' ', "/", 1)));
        names.insert("apply.time".to_owned(), Value::from(crate::diff::APPLY_TIME));
        names
    }

    /// How the points of a set are made; what is not there is an error.
    pub(super) fn set(&mut self, name: &str) -> Option<&'a SetPin> {
        let pin = self.parts.pins.sets.get(name);
        if pin.is_none() {
            self.missing(&Address::vector_set(name), "how its points are made");
        }
        pin
    }

    /// A plan that was saved as it was made holds everything that its changes name.
    pub(super) fn missing(&mut self, address: &Address, what: &str) {
        self.errors.push(Diagnostic::error(codes::NOT_PINNED, format!("the plan does not hold {what}: {address}")));
    }

    pub(super) fn template_error(&mut self, what: &str, error: &str) {
        self.errors.push(Diagnostic::error(
            codes::TEMPLATE,
            format!("{what} of the binding \"{}\": {error}", self.parts.pins.binding.name),
        ));
    }
}

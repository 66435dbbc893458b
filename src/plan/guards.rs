//! Steps that give gates their values for good, and what is judged last.
//!
//! They run after every gate window, which puts back the value that it found: so a declared value stands at the end,
//! whatever windows the plan needs.

use serde_json::Value;

use super::build::BuildInput;
use super::derive::Builder;
use super::step::{GateWork, ManagedWrite, PairedWork, Phase, Work};
use crate::diff::{Change, ChangeDetail};
use crate::model::{Gate, Guards};

/// What must stay as it is and what must hold.
pub(super) fn guards(input: &BuildInput<'_>) -> Guards {
    let checks = input.desired.checks.iter().filter(|(_, resource)| resource.after);
    Guards {
        protect: input.observed.guards.protect.clone(),
        checks: checks.map(|(name, resource)| (name.clone(), resource.check.clone())).collect(),
    }
}

impl Builder<'_> {
    pub(super) fn gates(&mut self) {
        let Some(gates) = &self.parts.pins.binding.gates else { return };
        let role = self.parts.pins.role("gates");
        for change in self.parts.changes {
            let (title, work) = match &change.detail {
                ChangeDetail::Gate { gate, before, after } => {
                    (format!("set gate {gate} to \"{after}\""), Work::SetGate(gate_work(gates, gate, after, before)))
                }
                ChangeDetail::Retention { gate, check, not_before, before, after, .. } => {
                    let Some(holds) = self.parts.pins.checks.get(check) else {
                        self.missing(&change.address, "the check that it waits for");
                        continue;
                    };
                    let work = PairedWork {
                        gate: gate_work(gates, gate, after, before),
                        not_before: not_before.clone(),
                        check: check.clone(),
                        holds: holds.clone(),
                    };
                    (format!("open gate {gate} if check {check} holds"), Work::OpenPaired(Box::new(work)))
                }
                ChangeDetail::Row { .. }
                | ChangeDetail::Lifecycle { .. }
                | ChangeDetail::Promotion { .. }
                | ChangeDetail::Refresh { .. }
                | ChangeDetail::VectorSet(_)
                | ChangeDetail::Guard { .. }
                | ChangeDetail::Forget => continue,
            };
            self.step(Phase::Transaction, title, role, vec![change.address.clone()], work);
        }
    }

    /// The record of a check or a protection, under the digest that the comparison looks for.
    pub(super) fn guard_record(&mut self, change: &Change, record: &Value) -> Option<ManagedWrite> {
        let Some(digest) = self.parts.pins.guards.get(&change.address) else {
            self.missing(&change.address, "its digest");
            return None;
        };
        Some(ManagedWrite { address: change.address.clone(), digest: *digest, attributes: record.clone() })
    }
}

/// A gate that goes from one value to another.
pub(super) fn gate_work(gates: &Gate, gate: &str, value: &str, expect: &str) -> GateWork {
    GateWork {
        gate: gate.to_owned(),
        table: gates.table.clone(),
        key_column: gates.key.clone(),
        value_column: gates.value.clone(),
        value: value.to_owned(),
        expect: expect.to_owned(),
    }
}

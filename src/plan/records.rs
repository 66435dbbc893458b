//! Steps that record: points in the ledger, inside a gate window, and what is managed.

use serde_json::json;

use super::build::Builder;
use super::calls::{empty_calls, fill_cells, ledger_names};
use super::declared::add_declaration;
use super::guards::gate_work;
use super::sets::points_text;
use super::step::{GateWork, ManagedWrite, Phase, RUN_MARKER, Work};
use crate::diff::{Change, ChangeDetail, CollectionChange, VectorChange, codes};
use crate::model::{Address, Diagnostic, Gate, Managed, digest_of, unit_value};
use crate::points::{OwnedChunk, Ownership, SetRecord};

impl Builder<'_> {
    pub(super) fn ledgers(&mut self) {
        let Some(ledger) = &self.input.binding.ledger else { return };
        for (change, vector) in self.vector_changes() {
            if vector.ledger.is_empty() {
                continue;
            }
            let mut work = empty_calls(&ledger.record, self.input.observed);
            let base = self.base_names();
            for write in &vector.ledger {
                let status = if write.exists { &ledger.indexed } else { &ledger.removed };
                let names = ledger_names(write, status, &base);
                let unit = self.input.observed.units.get(&write.unit);
                let scope = |name: &str| {
                    names
                        .get(name)
                        .cloned()
                        .or_else(|| unit.and_then(|unit| unit_value(unit, name.strip_prefix("unit.")?)))
                };
                match fill_cells(ledger.record.arguments.values(), &scope) {
                    Ok(cells) => work.calls.push(cells),
                    Err(error) => return self.template_error("the ledger", &error.to_string()),
                }
            }
            let window = self.gate_window(ledger.gate.as_deref());
            if let Some((open, _)) = &window {
                let role = self.input.environment.roles.gates.as_ref();
                self.step(
                    Phase::Transaction,
                    format!("open gate {}", open.gate),
                    role,
                    Vec::new(),
                    Work::OpenGate(open.clone()),
                );
            }
            let title = format!("record {} in {}", points_text(vector.ledger.len()), ledger.table);
            let role = self.input.environment.roles.ledger.as_ref();
            self.step(Phase::Transaction, title, role, vec![change.address.clone()], Work::Calls(work));
            if let Some((_, shut)) = window {
                let role = self.input.environment.roles.gates.as_ref();
                self.step(
                    Phase::Transaction,
                    format!("shut gate {}", shut.gate),
                    role,
                    Vec::new(),
                    Work::ShutGate(shut),
                );
            }
        }
    }

    /// The two ends of a gate window, or nothing when the gate stands open anyway.
    fn gate_window(&mut self, gate: Option<&str>) -> Option<(GateWork, GateWork)> {
        let (gate, gates): (&str, &Gate) = (gate?, self.input.binding.gates.as_ref()?);
        match self.input.observed.gates.get(gate).cloned().flatten() {
            Some(value) if value == gates.open => None,
            Some(value) => {
                Some((gate_work(gates, gate, &gates.open, &value), gate_work(gates, gate, &value, &gates.open)))
            }
            None => {
                self.errors.push(
                    Diagnostic::error(
                        codes::NOT_IN_BINDING,
                        format!("gate \"{gate}\" has no row in \"{}\"", gates.table),
                    )
                    .at_some(self.input.binding.places.of(gate))
                    .hint(format!("add the row with {} = '{}', or name another gate", gates.value, gates.shut)),
                );
                None
            }
        }
    }

    pub(super) fn managed(&mut self) {
        let mut write = Vec::new();
        let mut forget = Vec::new();
        for change in &self.input.comparison.changes {
            match &change.detail {
                ChangeDetail::Promotion { record, .. } => write.push(ManagedWrite {
                    address: change.address.clone(),
                    digest: digest_of(record),
                    attributes: json!(record),
                }),
                ChangeDetail::VectorSet(set) => self.managed_set(change, set, &mut write, &mut forget),
                ChangeDetail::Forget => {
                    let prefix = format!("{}[", change.address);
                    let under = self.input.observed.managed.keys().filter(|a| a.as_str().starts_with(&prefix));
                    forget.extend(under.cloned());
                    forget.push(change.address.clone());
                }
                ChangeDetail::Guard { record, .. } => write.extend(self.guard_record(change, record)),
                ChangeDetail::Row { .. }
                | ChangeDetail::Lifecycle { .. }
                | ChangeDetail::Refresh { .. }
                | ChangeDetail::Gate { .. }
                | ChangeDetail::Retention { .. } => {}
            }
        }
        write.iter_mut().for_each(|record| add_declaration(self.input.desired, record));
        if !write.is_empty() || !forget.is_empty() {
            let addresses = write.iter().map(|w| w.address.clone()).chain(forget.iter().cloned()).collect();
            let work = Work::RecordManaged { write, forget };
            self.step(Phase::Transaction, "write down what is managed".to_owned(), None, addresses, work);
        }
    }

    fn managed_set(
        &self,
        change: &Change,
        set: &VectorChange,
        write: &mut Vec<ManagedWrite>,
        forget: &mut Vec<Address>,
    ) {
        let adopted = matches!(set.collection, CollectionChange::Adopt { .. });
        match (&set.back, self.input.recipes.get(&set.set)) {
            (Some(back), _) => match &back.record {
                Some(record) => write.push(record_before(change, set, record)),
                None => forget.push(change.address.clone()),
            },
            (None, Some(recipe)) => {
                let embedders = recipe.embedders;
                let record = SetRecord { embedders, generation: RUN_MARKER.to_owned(), adopted };
                write.push(ManagedWrite {
                    address: change.address.clone(),
                    digest: recipe.whole,
                    attributes: json!(record),
                });
            }
            (None, None) => return,
        }
        for unit in &set.units {
            let address = Address::vector_unit(&set.set, &unit.unit);
            let Some(digest) = &unit.input else {
                forget.push(address);
                continue;
            };
            let chunks = unit
                .chunks
                .iter()
                .map(|chunk| OwnedChunk {
                    id: chunk.id,
                    text: chunk.text,
                    sha256: chunk.sha256.clone(),
                    digest: chunk.digest,
                    adopted,
                })
                .collect();
            let owned = Ownership { address: unit.address.clone(), chunks };
            write.push(ManagedWrite { address, digest: *digest, attributes: json!(owned) });
        }
    }
}

/// What was remembered of a set. A collection that is written in place gets a stamp of the run that writes; one that the
/// alias goes back to has its own.
fn record_before(change: &Change, set: &VectorChange, record: &Managed) -> ManagedWrite {
    let mut attributes = record.attributes.clone();
    if matches!(set.collection, CollectionChange::InPlace { .. })
        && let Some(generation) = attributes.get_mut("generation")
    {
        *generation = json!(RUN_MARKER);
    }
    ManagedWrite { address: change.address.clone(), digest: record.digest, attributes }
}

//! Steps that record: points in the ledger, inside a gate window, and what is managed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::calls::{fill_cells, ledger_names, unit_fields};
use super::derive::Builder;
use super::guards::gate_work;
use super::pins::SetPin;
use super::sets::points_text;
use super::step::{GateWork, ManagedWrite, Phase, RUN_MARKER, SetDeclared, Work};
use crate::diff::{Change, ChangeDetail, CollectionChange, GoBack, Reason, VectorChange, codes};
use crate::model::{
    Address, DECLARED_KEY, Diagnostic, EmptyBody, Gate, Managed, Selection, SetRecord, UnitFacts, digest_of, unit_value,
};

impl<'a> Builder<'a> {
    pub(super) fn ledgers(&mut self) {
        let Some(ledger) = &self.parts.pins.binding.ledger else { return };
        let named = unit_fields(ledger.record.arguments.values());
        let units = if named { self.units() } else { BTreeMap::new() };
        for (change, vector) in self.vector_changes() {
            if vector.ledger.is_empty() {
                continue;
            }
            let mut work = self.empty_calls(&ledger.record);
            let base = self.base_names();
            for write in &vector.ledger {
                let status = if write.exists { &ledger.indexed } else { &ledger.removed };
                let names = ledger_names(write, status, &base);
                let unit = units.get(write.unit.as_str());
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
                let role = self.parts.pins.role("gates");
                self.step(
                    Phase::Transaction,
                    format!("open gate {}", open.gate),
                    role,
                    Vec::new(),
                    Work::OpenGate(open.clone()),
                );
            }
            let title = format!("record {} in {}", points_text(vector.ledger.len()), ledger.table);
            let role = self.parts.pins.role("ledger");
            self.step(Phase::Transaction, title, role, vec![change.address.clone()], Work::Calls(work));
            if let Some((_, shut)) = window {
                let role = self.parts.pins.role("gates");
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
        let (gate, gates): (&str, &Gate) = (gate?, self.parts.pins.binding.gates.as_ref()?);
        match self.parts.baseline.gates.get(gate).cloned().flatten() {
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
                    .at_some(self.parts.pins.binding.places.of(gate))
                    .hint(format!("add the row with {} = '{}', or name another gate", gates.value, gates.shut)),
                );
                None
            }
        }
    }

    pub(super) fn managed(&mut self) {
        let mut write = Vec::new();
        let (mut forget, mut remember, mut declare) = (Vec::new(), Vec::new(), Vec::new());
        for change in self.parts.changes {
            match &change.detail {
                ChangeDetail::Promotion { record, .. } => write.push(ManagedWrite {
                    address: change.address.clone(),
                    digest: digest_of(record),
                    attributes: json!(record),
                }),
                ChangeDetail::Forget if is_set(&change.address) => remember.push(change.address.clone()),
                // Nothing is written into it: it is what it was.
                ChangeDetail::VectorSet(set) if is_declared_anew(change) => {
                    declare.extend(self.set_declared(change, set))
                }
                ChangeDetail::VectorSet(set) => self.managed_set(change, set, &mut write, &mut forget),
                ChangeDetail::Forget => forget.push(change.address.clone()),
                ChangeDetail::Guard { record, .. } => write.extend(self.guard_record(change, record)),
                ChangeDetail::Row { .. }
                | ChangeDetail::Lifecycle { .. }
                | ChangeDetail::Refresh { .. }
                | ChangeDetail::Gate { .. }
                | ChangeDetail::Retention { .. } => {}
            }
        }
        write.iter_mut().for_each(|record| self.add_declaration(record));
        if !(write.is_empty() && forget.is_empty() && remember.is_empty() && declare.is_empty()) {
            let written = write.iter().map(|write| &write.address).chain(declare.iter().map(|set| &set.address));
            let addresses = written.chain(&forget).chain(&remember).cloned().collect();
            let work = Work::RecordManaged { write, forget, remember, declare };
            self.step(Phase::Transaction, "write down what is managed".to_owned(), None, addresses, work);
        }
    }

    /// Units whose fields templates may name.
    fn units(&self) -> BTreeMap<&'a str, &'a UnitFacts> {
        let moves = self.parts.changes.iter().filter_map(|change| match &change.detail {
            ChangeDetail::Lifecycle { unit, .. } => Some(unit),
            _ => None,
        });
        let units = moves.chain(self.parts.pins.ledger_units.values());
        units.map(|unit| (unit.id.as_str(), unit)).collect()
    }

    /// Adds the declaration of a resource to what is remembered of it.
    fn add_declaration(&self, record: &mut ManagedWrite) {
        let declared = self.parts.pins.declared.get(&record.address);
        if let (Some(map), Some(text)) = (record.attributes.as_object_mut(), declared) {
            map.insert(DECLARED_KEY.to_owned(), Value::from(text.as_str()));
        }
    }

    fn set_declared(&self, change: &Change, set: &VectorChange) -> Option<SetDeclared> {
        let pin = self.parts.pins.sets.get(&set.set)?;
        let declared = self.parts.pins.declared.get(&change.address);
        let attributes = json!({
            "forgotten": false,
            "selection": self.selection(&change.address),
            "empty_body": self.empty_body(pin),
            DECLARED_KEY: declared,
        });
        Some(SetDeclared { address: change.address.clone(), attributes })
    }

    fn selection(&self, set: &Address) -> Option<Selection> {
        self.parts.pins.selections.iter().find(|pin| pin.of == *set).map(|pin| pin.selection.clone())
    }

    fn empty_body(&self, pin: &SetPin) -> Option<EmptyBody> {
        self.parts.pins.chunk_policies.get(&pin.chunk_policy).and_then(|policy| policy.empty_body)
    }

    fn managed_set(
        &mut self,
        change: &Change,
        set: &VectorChange,
        write: &mut Vec<ManagedWrite>,
        forget: &mut Vec<Address>,
    ) {
        let adopted = matches!(set.collection, CollectionChange::Adopt { .. });
        match &set.back {
            Some(GoBack { record: Some(record), .. }) => write.push(record_before(change, set, record)),
            Some(GoBack { record: None, .. }) => forget.push(change.address.clone()),
            None => {
                let Some(pin) = self.set(&set.set) else { return };
                let record = SetRecord {
                    embedders: pin.embedders,
                    generation: RUN_MARKER.to_owned(),
                    adopted,
                    forgotten: false,
                    selection: self.selection(&change.address),
                    fields: pin.fields.clone(),
                    empty_body: self.empty_body(pin),
                    vectors: pin.vectors.clone(),
                    payload_indexes: pin.payload_indexes.clone(),
                };
                write.push(ManagedWrite {
                    address: change.address.clone(),
                    digest: set.recipe,
                    attributes: json!(record),
                });
            }
        }
    }
}

/// What was remembered of a set, without its selection: units stay where the run brought them, so the selection may choose
/// others now than those whose points are back. A collection that is written in place gets a stamp of the run that writes;
/// one that the alias goes back to has its own.
fn record_before(change: &Change, set: &VectorChange, record: &Managed) -> ManagedWrite {
    let mut attributes = record.attributes.clone();
    if let Some(attributes) = attributes.as_object_mut() {
        attributes.remove("selection");
    }
    if matches!(set.collection, CollectionChange::InPlace { .. })
        && let Some(generation) = attributes.get_mut("generation")
    {
        *generation = json!(RUN_MARKER);
    }
    ManagedWrite { address: change.address.clone(), digest: record.digest, attributes }
}

fn is_set(address: &Address) -> bool {
    address.as_str().starts_with(Address::vector_set("").as_str()) && !address.as_str().contains('[')
}

/// Whether a set's points stay, and what is declared of it is written down.
fn is_declared_anew(change: &Change) -> bool {
    let adopts = matches!(&change.detail, ChangeDetail::VectorSet(set) if matches!(set.collection, CollectionChange::Adopt { .. }));
    adopts && change.reasons.iter().all(|reason| matches!(reason, Reason::DeclaredAgain | Reason::DeclaredOtherwise))
}

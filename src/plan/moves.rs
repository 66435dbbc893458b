//! Steps that move units.

use std::collections::BTreeMap;

use serde_json::Value;

use super::calls::fill_cells;
use super::derive::Builder;
use super::step::{Phase, TransitionBy, TransitionsWork, UpdateWork, Work};
use crate::diff::ChangeDetail;
use crate::model::{Address, Cell, TransitionWork, UnitFacts, unit_value};

impl<'a> Builder<'a> {
    pub(super) fn transitions(&mut self) {
        let mut batches: BTreeMap<(String, String, String), Vec<&'a UnitFacts>> = BTreeMap::new();
        for change in self.parts.changes {
            if let ChangeDetail::Lifecycle { unit, to, promotion } = &change.detail {
                let key = (promotion.clone(), unit.lifecycle.clone(), to.clone());
                batches.entry(key).or_default().push(unit);
            }
        }
        for ((promotion, from, to), units) in batches {
            let pins = self.parts.pins;
            let transition = pins.binding.lifecycle.transitions.iter().find(|t| t.from == from && t.to == to);
            let (Some(transition), Some(names)) = (transition, pins.promotions.get(&promotion)) else {
                self.missing(&Address::promotion(&promotion), &format!("what moves units from {from} to {to}"));
                continue;
            };
            let by = match &transition.work {
                TransitionWork::Call(call) => {
                    let mut work = self.empty_calls(call);
                    work.calls = self.fill_units(&units, names, &from, call.arguments.values());
                    TransitionBy::Calls(work)
                }
                TransitionWork::Update(update) => {
                    let values: Vec<&Value> = update.key.values().chain(update.set.values()).collect();
                    TransitionBy::Updates(UpdateWork {
                        table: update.table.clone(),
                        key: self.typed(&update.table, update.key.keys()),
                        set: self.typed(&update.table, update.set.keys()),
                        rows: self.fill_units(&units, names, &from, values.into_iter()),
                    })
                }
            };
            let work = Work::Transitions(TransitionsWork {
                units: units.iter().map(|unit| unit.address.clone()).collect(),
                unit_ids: units.iter().map(|unit| unit.id.clone()).collect(),
                from: from.clone(),
                to: to.clone(),
                by,
            });
            let addresses = units.iter().map(|unit| Address::lifecycle(&unit.address)).collect();
            let role = self.parts.pins.role("lifecycle");
            self.step(Phase::Transaction, format!("move {} units: {from} -> {to}", units.len()), role, addresses, work);
        }
    }

    fn fill_units<'v>(
        &mut self,
        units: &[&UnitFacts],
        names: &BTreeMap<String, Value>,
        from: &str,
        values: impl Iterator<Item = &'v Value> + Clone,
    ) -> Vec<Vec<Cell>> {
        let mut rows = Vec::with_capacity(units.len());
        for (unit, ordinal) in units.iter().zip(1u64..) {
            let scope = |name: &str| unit_scope(name, unit, ordinal, names, from);
            match fill_cells(values.clone(), &scope) {
                Ok(cells) => rows.push(cells),
                Err(error) => {
                    self.template_error("a transition", &error.to_string());
                    return rows;
                }
            }
        }
        rows
    }
}

fn unit_scope(
    name: &str,
    unit: &UnitFacts,
    ordinal: u64,
    names: &BTreeMap<String, Value>,
    from: &str,
) -> Option<Value> {
    match name {
        "from" => Some(Value::from(from)),
        "unit.ordinal" => Some(Value::from(ordinal)),
        other => names.get(other).cloned().or_else(|| unit_value(unit, other.strip_prefix("unit.")?)),
    }
}

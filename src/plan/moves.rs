//! Steps that move units.

use std::collections::BTreeMap;

use serde_json::Value;

use super::build::Builder;
use super::calls::{empty_calls, fill_cells};
use super::step::{Phase, TransitionBy, TransitionsWork, UpdateWork, Work};
use crate::diff::ChangeDetail;
use crate::model::{Address, Cell, TransitionWork, UnitFacts, unit_value};

impl<'a> Builder<'a> {
    pub(super) fn transitions(&mut self) {
        let mut batches: BTreeMap<(String, String, String), Vec<&'a UnitFacts>> = BTreeMap::new();
        for change in &self.input.comparison.changes {
            if let ChangeDetail::Lifecycle { unit, to, promotion } = &change.detail {
                let key = (promotion.clone(), unit.lifecycle.clone(), to.clone());
                batches.entry(key).or_default().push(unit);
            }
        }
        for ((promotion, from, to), units) in batches {
            let Some(transition) =
                self.input.binding.lifecycle.transitions.iter().find(|t| t.from == from && t.to == to)
            else {
                continue;
            };
            let Some(names) = self.input.resolved.promotions.get(&promotion).map(|p| p.names.clone()) else { continue };
            let by = match &transition.work {
                TransitionWork::Call(call) => {
                    let mut work = empty_calls(call, self.input.observed);
                    work.calls = self.fill_units(&units, &names, &from, call.arguments.values());
                    TransitionBy::Calls(work)
                }
                TransitionWork::Update(update) => {
                    let (key, set): (Vec<String>, Vec<String>) =
                        (update.key.keys().cloned().collect(), update.set.keys().cloned().collect());
                    let values: Vec<&Value> = update.key.values().chain(update.set.values()).collect();
                    TransitionBy::Updates(UpdateWork {
                        table: update.table.clone(),
                        key: self.columns(&update.table, &key),
                        set: self.columns(&update.table, &set),
                        rows: self.fill_units(&units, &names, &from, values.into_iter()),
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
            let role = self.input.environment.roles.lifecycle.as_ref();
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

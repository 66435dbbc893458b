//! What a plan needs of both stores, and as whom. Pure.

use std::collections::{BTreeMap, BTreeSet};

use crate::diff::{Change, ChunkSource, UnitPoints};
use crate::model::{
    Binding, Desired, Environment, Gate, Guarded, Place, Protected, Retention, TableFacts, TableName, VectorParams,
    VectorSpec,
};
use crate::plan::{
    CallsWork, GateWork, Parameter, RowAction, RowBatch, SavedPlan, Step, TransitionBy, UpdateWork, VectorMaker,
    VectorWork, Work,
};

/// A role that work is done as; `None` is the session's own.
pub type RoleName = Option<String>;

/// Everything that is needed.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Needs {
    /// Roles to switch to, with the place that names each.
    pub roles: BTreeMap<String, Option<Place>>,
    /// Tables and views by role.
    pub tables: BTreeMap<(RoleName, TableName), TableNeed>,
    /// Views whose answer a verification reads, with its columns, as the session's own role.
    pub asked: BTreeMap<TableName, BTreeSet<String>>,
    /// Functions by role.
    pub functions: BTreeMap<(RoleName, TableName), FunctionNeed>,
    /// Tables whose rows an apply would like to lock.
    pub locked: BTreeSet<TableName>,
    /// The gates that are read.
    pub gates: BTreeSet<String>,
    /// Where gates live.
    pub gate_table: Option<Gate>,
    /// Vector sets that are written.
    pub sets: BTreeMap<String, SetNeed>,
    /// Embedders that are asked.
    pub embedders: BTreeMap<String, Option<Place>>,
    /// Languages of BM25.
    pub languages: BTreeMap<String, Option<Place>>,
}

/// What is done with a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableNeed {
    /// Columns that are read.
    pub select: Columns,
    /// Columns that new rows fill.
    pub insert: Columns,
    /// Columns that every new row fills; what is left out gets its default.
    pub always_filled: Option<BTreeSet<String>>,
    /// Columns that are changed.
    pub update: Columns,
    /// Whether rows are deleted.
    pub delete: bool,
    /// What asks for it.
    pub place: Option<Place>,
}

/// Columns of a table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Columns {
    /// None.
    #[default]
    None,
    /// These.
    Some(BTreeSet<String>),
    /// Those that expressions of a binding name: the privilege on the whole table is sure to do.
    Expressions,
    /// All.
    All,
}

/// How a function is called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FunctionNeed {
    /// The names of the arguments that are passed, for each way of calling it.
    pub arguments: BTreeSet<BTreeSet<String>>,
    /// What asks for it.
    pub place: Option<Place>,
}

/// What becomes of a vector set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetNeed {
    /// How it is written.
    pub way: SetWay,
    /// Points that it will hold.
    pub points: u64,
    /// Bytes of their dense vectors.
    pub vector_bytes: u64,
    /// Payload indexes.
    pub payload_indexes: u64,
    /// What asks for it.
    pub place: Option<Place>,
}

/// How a vector set is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetWay {
    /// It is only looked at.
    Read,
    /// A new collection and one switch of the alias.
    NewCollection,
    /// Into the live collection.
    InPlace,
}

/// Places of plan files by how they are written, for what a saved plan says was declared there.
#[derive(Debug, Clone, Default)]
pub struct Places(BTreeMap<String, Place>);

impl Places {
    /// Every place of a resource.
    pub fn of(desired: &Desired) -> Places {
        let rows = desired.rows.iter().flat_map(|set| set.rows.iter().map(|row| &row.place));
        let promotions = desired.promotions.values().map(|promotion| &promotion.place);
        let sets = desired.vector_sets.values().map(|set| &set.place);
        Places(rows.chain(promotions).chain(sets).map(|place| (place.to_string(), place.clone())).collect())
    }

    fn of_change(&self, change: &Change) -> Option<&Place> {
        change.declared_at.as_ref().and_then(|text| self.0.get(text))
    }
}

impl Columns {
    /// Takes more columns in.
    pub fn add(&mut self, more: Columns) {
        let own = std::mem::take(self);
        *self = match (own, more) {
            (Columns::All, _) | (_, Columns::All) => Columns::All,
            (Columns::Expressions, _) | (_, Columns::Expressions) => Columns::Expressions,
            (Columns::None, other) | (other, Columns::None) => other,
            (Columns::Some(mut own), Columns::Some(more)) => {
                own.extend(more);
                Columns::Some(own)
            }
        };
    }

    fn of(parameters: &[Parameter]) -> Columns {
        Columns::named(parameters.iter().map(|parameter| parameter.name.as_str()))
    }

    fn named<'a>(names: impl IntoIterator<Item = &'a str>) -> Columns {
        let names: BTreeSet<String> = names.into_iter().map(str::to_owned).collect();
        if names.is_empty() { Columns::None } else { Columns::Some(names) }
    }
}

impl Needs {
    /// What a plan's steps do, and what an apply reads again before it decides.
    pub fn of_plan(plan: &SavedPlan, places: &Places, environment: &Environment) -> Needs {
        let mut needs = Needs { gate_table: plan.pins.binding.gates.clone(), ..Needs::default() };
        let by_address: BTreeMap<_, &Change> = plan.changes.iter().map(|change| (&change.address, change)).collect();
        let mut last: Option<Place> = None;
        for step in plan.steps.iter().rev() {
            let change = step.addresses.iter().find_map(|address| by_address.get(address).copied());
            // A gate opens for the steps after it, and what has no address of its own belongs to them too.
            let place = change.and_then(|change| places.of_change(change)).cloned().or_else(|| last.clone());
            last.clone_from(&place);
            if let Some(role) = &step.run_as {
                needs.role(role, environment);
            }
            needs.step(step, plan, place.as_ref());
        }
        needs.baseline(plan);
        if !plan.environment.approvals.stricter(environment.approvals).is_none() {
            // They are locked while they are counted.
            let need = TableNeed { select: Columns::All, update: Columns::All, ..TableNeed::default() };
            needs.tables.insert((None, TableName::new("enact", "approval")), need);
        }
        needs
    }

    /// What observing for these plan files reads, as the session's own role.
    pub fn of_files(desired: &Desired, binding: &Binding, tables: &BTreeMap<TableName, TableFacts>) -> Needs {
        let mut needs = Needs { gate_table: binding.gates.clone(), ..Needs::default() };
        needs.units(&None, binding, None);
        needs.locked.extend(binding.units.tables.iter().cloned());
        let mut written: Vec<(&TableName, &Place, Columns)> = Vec::new();
        for set in &desired.rows {
            let columns = Columns::named(set.key.iter().chain(&set.columns).map(String::as_str));
            written.push((&set.table.value, &set.table.place, columns));
        }
        for promotion in desired.promotions.values() {
            written.extend(binding.promotion.rows.iter().map(|row| (&row.table, &promotion.place, Columns::All)));
        }
        for (table, place, columns) in written {
            needs.table(&None, table, Some(place)).select.add(columns);
            for key in tables.get(table).into_iter().flat_map(|facts| &facts.foreign_keys) {
                let columns = Columns::named(key.to_columns.iter().map(String::as_str));
                needs.table(&None, &key.to, Some(place)).select.add(columns);
            }
        }
        if let Some(gates) = &binding.gates {
            needs.gates.extend(binding.refresh.iter().filter_map(|refresh| refresh.gate.clone()));
            needs.gates.extend(binding.ledger.iter().filter_map(|ledger| ledger.gate.clone()));
            let columns = Columns::named([gates.key.as_str(), gates.value.as_str()]);
            needs.table(&None, &gates.table, None).select.add(columns);
        }
        needs.guards(desired, binding);
        for set in desired.vector_sets.values() {
            needs.ledger(binding, &set.name, Some(&set.place));
            let payload_indexes = set.payload_indexes.len() as u64;
            let place = Some(set.place.clone());
            let need = SetNeed { way: SetWay::Read, points: 0, vector_bytes: 0, payload_indexes, place };
            needs.sets.insert(set.name.clone(), need);
        }
        needs
    }

    /// Tables that are digested because they are protected, and those whose old rows are counted.
    fn guards(&mut self, desired: &Desired, binding: &Binding) {
        for protection in desired.protect.values() {
            if let Protected::Table { table, filter: _ } = &protection.of {
                self.table(&None, &table.value, Some(&table.place)).select.add(Columns::All);
            }
        }
        for Retention { table, .. } in desired.retention.values() {
            self.table(&None, &table.value, Some(&table.place)).select.add(Columns::Expressions);
            if let Some(policy) = &binding.retention {
                let columns =
                    [Some(&policy.target), Some(&policy.column), Some(&policy.keep_days), policy.scope.as_ref()];
                let columns = Columns::named(columns.into_iter().flatten().map(String::as_str));
                self.table(&None, &policy.table, Some(&table.place)).select.add(columns);
            }
        }
    }

    /// Every role of the environment and everything that makes a vector of these plan files, whether or not a step is due;
    /// and what a verification reads beside the units, the ledger and the gates, as the session's own role.
    pub fn add_declared(&mut self, desired: &Desired, binding: Option<&Binding>, environment: &Environment) {
        for status in binding.into_iter().flat_map(|binding| &binding.refresh).map(|refresh| &refresh.status) {
            let columns = Columns::named(status.expect.keys().map(String::as_str));
            self.table(&None, &status.view, None).select.add(columns);
            self.asked.entry(status.view.clone()).or_default().extend(status.expect.keys().cloned());
        }
        for (_, role) in environment.roles.named() {
            self.role(role, environment);
        }
        for spec in desired.vector_sets.values().flat_map(|set| set.vectors.values()) {
            let place = Some(spec.place.clone());
            match &spec.value {
                VectorSpec::Dense { embedder, .. } => self.embedders.entry(embedder.clone()).or_insert(place),
                VectorSpec::Bm25 { language } => self.languages.entry(language.clone()).or_insert(place),
            };
        }
    }

    fn role(&mut self, role: &str, environment: &Environment) {
        let kind = environment.roles.named().into_iter().find(|(_, name)| *name == role).map(|(kind, _)| kind);
        let place = kind.and_then(|kind| environment.roles.places.get(kind)).cloned();
        self.roles.entry(role.to_owned()).or_insert(place);
    }

    fn table(&mut self, role: &RoleName, table: &TableName, place: Option<&Place>) -> &mut TableNeed {
        let need = self.tables.entry((role.clone(), table.clone())).or_default();
        if need.place.is_none() {
            need.place = place.cloned();
        }
        need
    }

    /// Reads units by the binding's expressions.
    fn units(&mut self, role: &RoleName, binding: &Binding, place: Option<&Place>) {
        for table in &binding.units.tables {
            self.table(role, table, place).select.add(Columns::Expressions);
        }
    }

    /// Written columns, and those that find the row; the session's own role reads back what was written.
    fn rows(&mut self, role: &RoleName, batch: &RowBatch, place: Option<&Place>) {
        let names = |list: &'_ [String]| Columns::named(list.iter().map(String::as_str));
        let need = self.table(role, &batch.table, place);
        match batch.action {
            RowAction::Create => {
                need.insert.add(names(&batch.key));
                need.insert.add(names(&batch.columns));
                need.insert.add(names(&batch.cleared));
                let filled: BTreeSet<String> = batch.key.iter().chain(&batch.columns).cloned().collect();
                need.always_filled = Some(match need.always_filled.take() {
                    Some(before) => before.intersection(&filled).cloned().collect(),
                    None => filled,
                });
            }
            RowAction::Update => {
                need.select.add(names(&batch.key));
                need.update.add(names(&batch.columns));
                need.update.add(names(&batch.cleared));
            }
            RowAction::Delete => {
                need.select.add(names(&batch.key));
                need.delete = true;
            }
        }
        let own = self.table(&None, &batch.table, place);
        own.select.add(names(&batch.key));
        own.select.add(names(&batch.columns));
    }

    fn step(&mut self, step: &Step, plan: &SavedPlan, place: Option<&Place>) {
        let role = &step.run_as;
        match &step.work {
            Work::StageVectors(work) => self.stage(work, place),
            Work::WriteRows(work) => work.batches.iter().for_each(|batch| self.rows(role, batch, place)),
            Work::Transitions(work) => {
                match &work.by {
                    TransitionBy::Calls(calls) => self.calls(role, calls, place),
                    TransitionBy::Updates(update) => self.update(role, update, place),
                }
                // They are read back by whoever moved them.
                self.units(role, &plan.pins.binding, place);
            }
            Work::Calls(work) => self.calls(role, work, place),
            Work::Refresh { call, status } => {
                self.calls(role, call, place);
                let columns = Columns::named(status.expect.keys().map(String::as_str));
                self.table(role, &status.view, place).select.add(columns);
            }
            Work::OpenGate(gate) | Work::ShutGate(gate) | Work::SetGate(gate) => self.gate(role, gate, place),
            // Its check is a query of the author, which was asked when planning.
            Work::OpenPaired(paired) => self.gate(role, &paired.gate, place),
            // Enact's own schema is probed as a whole, for the session's own role.
            Work::RecordManaged { .. } | Work::RecordRows(_) => {}
            Work::WriteVectors { set } => self.set(set, place).way = SetWay::InPlace,
            Work::FinishCollection { set, collection: _, payload_indexes } => {
                let need = self.set(set, place);
                need.way = SetWay::InPlace;
                need.payload_indexes = payload_indexes.len() as u64;
            }
            Work::SwitchAlias { set, to: _ } | Work::DropCollection { set, collection: _ } => {
                let need = self.set(set, place);
                if need.way == SetWay::Read {
                    need.way = SetWay::NewCollection;
                }
            }
        }
    }

    fn update(&mut self, role: &RoleName, work: &UpdateWork, place: Option<&Place>) {
        let need = self.table(role, &work.table, place);
        need.select.add(Columns::of(&work.key));
        need.update.add(Columns::of(&work.set));
    }

    fn calls(&mut self, role: &RoleName, work: &CallsWork, place: Option<&Place>) {
        let need = self.functions.entry((role.clone(), work.function.clone())).or_default();
        need.arguments.insert(work.parameters.iter().map(|parameter| parameter.name.clone()).collect());
        if need.place.is_none() {
            need.place = place.cloned();
        }
    }

    fn gate(&mut self, role: &RoleName, gate: &GateWork, place: Option<&Place>) {
        self.gates.insert(gate.gate.clone());
        let need = self.table(role, &gate.table, place);
        need.select.add(Columns::named([gate.key_column.as_str(), gate.value_column.as_str()]));
        need.update.add(Columns::named([gate.value_column.as_str()]));
    }

    fn set(&mut self, set: &str, place: Option<&Place>) -> &mut SetNeed {
        self.sets.entry(set.to_owned()).or_insert_with(|| SetNeed {
            way: SetWay::Read,
            points: 0,
            vector_bytes: 0,
            payload_indexes: 0,
            place: place.cloned(),
        })
    }

    fn stage(&mut self, work: &VectorWork, place: Option<&Place>) {
        let made =
            |unit: &UnitPoints| unit.chunks.iter().filter(|chunk| chunk.source != ChunkSource::Kept).count() as u64;
        let points = work.kept.saturating_add(work.units.iter().map(made).sum::<u64>());
        let floats: u64 = work
            .vectors
            .values()
            .map(|params| match params {
                VectorParams::Dense { dimension, distance: _ } => *dimension,
                VectorParams::Sparse { idf: _ } => 0,
            })
            .sum();
        let need = self.set(&work.set, place);
        need.points = points;
        need.vector_bytes = points.saturating_mul(floats).saturating_mul(4);
        need.payload_indexes = work.payload_indexes.len() as u64;
        need.way = match (need.way, work.new_collection) {
            (SetWay::InPlace, _) | (_, false) => SetWay::InPlace,
            (SetWay::Read | SetWay::NewCollection, true) => SetWay::NewCollection,
        };
        let embeds = work
            .units
            .iter()
            .flat_map(|unit| &unit.chunks)
            .any(|chunk| matches!(chunk.source, ChunkSource::Embed { tokens: _ }));
        for maker in work.makers.values().filter(|_| embeds) {
            match maker {
                VectorMaker::Embedder(name) => self.embedders.entry(name.clone()).or_insert_with(|| place.cloned()),
                VectorMaker::Bm25(language) => self.languages.entry(language.clone()).or_insert_with(|| place.cloned()),
            };
        }
    }

    fn ledger(&mut self, binding: &Binding, set: &str, place: Option<&Place>) {
        let Some(ledger) = binding.ledger.as_ref().filter(|ledger| ledger.sets.iter().any(|own| own == set)) else {
            return;
        };
        let columns = [&ledger.key_column, &ledger.status_column, &ledger.digest_column, &ledger.unit_column];
        let columns = Columns::named(columns.map(String::as_str));
        self.table(&None, &ledger.table, place).select.add(columns);
    }

    /// What an apply reads again, as the session's own role.
    fn baseline(&mut self, plan: &SavedPlan) {
        let binding = &plan.pins.binding;
        self.units(&None, binding, None);
        self.locked.extend(binding.units.tables.iter().cloned());
        for row in &plan.baseline.rows {
            let columns = Columns::named(row.key.columns().map(String::as_str));
            self.table(&None, &row.table, None).select.add(columns);
        }
        for target in &plan.baseline.references {
            let columns = Columns::named(target.columns.iter().map(String::as_str));
            self.table(&None, &target.table, None).select.add(columns);
        }
        for pin in plan.guards.protect.values() {
            if let Guarded::Table { table, filter: _, key: _ } = &pin.of {
                self.table(&None, table, None).select.add(Columns::All);
            }
        }
        if let Some(gates) = binding.gates.as_ref().filter(|_| !plan.baseline.gates.is_empty()) {
            let columns = Columns::named([gates.key.as_str(), gates.value.as_str()]);
            self.table(&None, &gates.table, None).select.add(columns);
        }
        for set in plan.baseline.ledgers.keys() {
            self.ledger(binding, set, None);
        }
        for set in plan.baseline.collections.keys() {
            self.set(set, None);
        }
    }
}

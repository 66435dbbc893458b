//! One observation for one plan.

use std::collections::{BTreeMap, BTreeSet};

use super::differing::{Differing, may_stay_unread};
use super::error::ObserveError;
use super::expressions::check_expressions;
use super::guards::{guard_gates, guard_tables, observe_guards};
use super::managed::{
    check_claims, read_epoch, read_gates, read_last_run, read_managed, read_managed_without_units, read_session_role,
};
use super::recipes::recipes;
use super::rows::{RowsRequest, observe_rows};
use super::stands_on::{shared_after, stand_on};
use super::units::{ReadUnits, read_all, said_twice};
use super::writers::read_writers;
use super::{
    ComparePoints, Depth, ReadPoints, UnitFilter, UnitTexts, read_catalog, read_known, read_ledger, read_record_sums,
    read_recorded,
};
use crate::diff::{
    self, Resolved, all_selections, check_functions, codes, live_collection, resolve, units_needing_text,
};
use crate::model::{
    Binding, Desired, Diagnostic, Diagnostics, Environment, FunctionCall, Identities, KnownNames, Observed,
    PointsCompared, RowFacts, RowSet, TableFacts, TableName, TransitionWork, TriedUnits, UnitFacts, Written, name_hint,
    near_hint,
};
use crate::points::{Recipe, with_state};
use crate::store::{StoreError, Tx, VectorStore};

/// Which units are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnitsRead {
    /// All that a plan is about.
    All,
    /// Those that are not as the last apply left them, where that can be told.
    Differing,
}

/// What is to be observed.
pub struct Request<'a> {
    /// The plan files.
    pub desired: &'a Desired,
    /// Those whose selections say which units are read: the same, where not a part of them is observed.
    pub selecting: &'a Desired,
    /// The binding.
    pub binding: &'a Binding,
    /// The environment.
    pub environment: &'a Environment,
    /// Identities of what makes points.
    pub identities: &'a Identities,
    /// Whether the addresses of all declared rows are wanted, also of those that are as declared.
    pub addresses: bool,
    /// Which units are read.
    pub units: UnitsRead,
    /// How thoroughly points are compared.
    pub depth: Depth,
    /// Units whose points are made anew whatever the comparison says, by vector set; all of them where none is named.
    pub replace: &'a BTreeMap<String, BTreeSet<String>>,
    /// Counts or estimates the tokens of a text.
    pub count_tokens: &'a (dyn Fn(&str) -> u64 + Sync),
}

/// What was observed, with the plan files resolved against it.
#[derive(Debug, Clone)]
pub struct Observation {
    /// What both stores said.
    pub observed: Observed,
    /// Promotions and selections resolved.
    pub resolved: Resolved,
    /// How the points of each set are made.
    pub recipes: BTreeMap<String, Recipe>,
}

/// Observes both stores for one plan, as they are.
///
/// # Errors
/// Everything that a plan refers to and that is not there, and the stores' errors.
pub async fn observe(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    request: &Request<'_>,
) -> Result<Observation, ObserveError> {
    let mut observed = catalog(tx, request).await?;
    let recipes = recipes(request)?;
    observe_points(tx, vectors, request, &mut observed).await?;
    if may_stay_unread(tx, request).await? {
        observed.managed = read_managed_without_units(tx, &request.environment.project).await?;
        let mut differing = Differing::find(tx, request, &recipes, &mut observed).await?;
        let filter = differing.units(tx, &mut observed).await?;
        observed.units = units_once(tx, request.binding, &filter).await?;
        differing.rest(tx, &mut observed).await?;
    } else {
        records(tx, request, &mut observed).await?;
        let filter = unit_filter(request.selecting, &observed);
        observed.units = units_once(tx, request.binding, &filter).await?;
    }
    stand_on(tx, request, &mut observed).await?;
    let resolved = resolved(request, &observed)?;
    observed.rows = rows(tx, request, &resolved, &observed).await?;
    sets(tx, vectors, request, &resolved, &recipes, &mut observed).await?;
    observed.guards = observe_guards(tx, vectors, request, &observed).await?;
    Ok(Observation { observed, resolved, recipes })
}

/// Observes all but vector sets, for the writes that will be tried. Promotions choose from `moving` where the plan's own rows
/// were tried before, else from the units that live.
///
/// # Errors
/// Everything that a plan refers to and that is not there, and the stores' errors.
pub async fn observe_writes(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    request: &Request<'_>,
    moving: Option<BTreeMap<String, UnitFacts>>,
) -> Result<Observation, ObserveError> {
    let mut observed = catalog(tx, request).await?;
    records(tx, request, &mut observed).await?;
    stand_on(tx, request, &mut observed).await?;
    let filter = unit_filter(request.selecting, &observed);
    let live = units_once(tx, request.binding, &filter).await?;
    observed.units = moving.unwrap_or_else(|| live.clone());
    observed.tried = Some(TriedUnits { live, after: observed.units.clone() });
    let resolved = resolved(request, &observed)?;
    observed.rows = rows(tx, request, &resolved, &observed).await?;
    observed.guards = observe_guards(tx, vectors, request, &observed).await?;
    Ok(Observation { observed, resolved, recipes: BTreeMap::new() })
}

/// Reads the units where the writes of a plan were tried.
///
/// # Errors
/// A unit that is read twice; those of the store.
pub async fn read_tried_units(
    tx: &mut dyn Tx,
    request: &Request<'_>,
    observed: &Observed,
) -> Result<BTreeMap<String, UnitFacts>, ObserveError> {
    units_once(tx, request.binding, &unit_filter(request.selecting, observed)).await
}

/// Completes what [`observe_writes`] saw with the units, the texts and the vector sets, read where its writes were tried.
///
/// # Errors
/// Everything that a plan refers to and that is not there, and the stores' errors.
pub async fn observe_tried(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    request: &Request<'_>,
    seen: &Observation,
) -> Result<Observation, ObserveError> {
    let mut observed = seen.observed.clone();
    let recipes = recipes(request)?;
    let after = read_tried_units(tx, request, &observed).await?;
    let live = observed.live_units().clone();
    observed.tried = Some(TriedUnits { live, after });
    observed.shared.extend(shared_after(tx, request).await?);
    observed.shared.dedup();
    let resolved = resolved(request, &observed)?;
    observe_points(tx, vectors, request, &mut observed).await?;
    sets(tx, vectors, request, &resolved, &recipes, &mut observed).await?;
    Ok(Observation { observed, resolved, recipes })
}

/// What Enact wrote down.
async fn records(tx: &mut dyn Tx, request: &Request<'_>, observed: &mut Observed) -> Result<(), ObserveError> {
    observed.managed = read_managed(tx, &request.environment.project).await?;
    observed.recorded = read_recorded(tx, &request.selecting.vector_sets.keys().cloned().collect()).await?;
    Ok(())
}

/// What is there to be named.
async fn catalog(tx: &mut dyn Tx, request: &Request<'_>) -> Result<Observed, ObserveError> {
    let mut observed = Observed { epoch: Some(read_epoch(tx).await?), ..Observed::default() };
    observed.last_run = read_last_run(tx).await?;
    observed.session_role = read_session_role(tx).await?;
    observed.record_sums = read_record_sums(tx).await?;
    observed.replace = request.replace.clone();
    let (tables, functions) = names(request);
    (observed.tables, observed.functions) = read_catalog(tx, &tables, &functions).await?;
    if tables.iter().any(|table| !observed.tables.contains_key(table))
        || functions.iter().any(|function| !observed.functions.contains_key(function))
    {
        observed.known = read_known(tx).await?;
    }
    check_names(request, &observed)?;
    if let Some(gates) = &request.binding.gates {
        let names = gate_names(request.binding).into_iter().chain(guard_gates(request.desired)).collect();
        observed.gates = read_gates(tx, gates, &names).await?;
    }
    let project = &request.environment.project;
    check_claims(tx, request.desired, project).await?;
    check_expressions(tx, request.binding).await?;
    if !request.selecting.promotions.is_empty() || !request.selecting.vector_sets.is_empty() {
        observed.writers = read_writers(tx, request.binding, &tables).await?;
    }
    Ok(observed)
}

fn resolved(request: &Request<'_>, observed: &Observed) -> Result<Resolved, Diagnostics> {
    let Request { desired, binding, environment, .. } = request;
    resolve(desired, binding, observed, &environment.actor)
}

async fn rows(
    tx: &mut dyn Tx,
    request: &Request<'_>,
    resolved: &Resolved,
    observed: &Observed,
) -> Result<RowFacts, ObserveError> {
    let rows = RowsRequest {
        resolved,
        tables: &observed.tables,
        known: &observed.known,
        binding: request.binding,
        addresses: request.addresses,
        project: &request.environment.project,
        adopting: request.desired.promotions.values().any(|promotion| promotion.adopt),
        partial: request.desired.partial || request.addresses,
    };
    observe_rows(tx, &rows).await
}

/// What the ledgers of vector sets say, and the texts of units that are cut into points.
async fn sets(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    request: &Request<'_>,
    resolved: &Resolved,
    recipes: &BTreeMap<String, Recipe>,
    observed: &mut Observed,
) -> Result<(), ObserveError> {
    if let Some(ledger) = &request.binding.ledger {
        for set in request.desired.vector_sets.keys().filter(|set| ledger.sets.contains(set)) {
            observed.ledger.insert(set.clone(), read_ledger(tx, ledger).await?);
        }
    }
    // Digests every unit: once, unless more was read.
    let mut needing = units_needing_text(resolved, observed, recipes);
    if read_others(tx, vectors, request, &needing, observed).await? {
        needing = units_needing_text(resolved, observed, recipes);
    }
    observe_texts(tx, request, resolved, needing, observed).await
}

/// Units by id; a binding that gives one of them twice is refused.
async fn units_once(
    tx: &mut dyn Tx,
    binding: &Binding,
    filter: &UnitFilter,
) -> Result<BTreeMap<String, UnitFacts>, ObserveError> {
    let ReadUnits { units, twice } = read_all(tx, &binding.units, filter).await?;
    if twice.is_empty() {
        return Ok(units);
    }
    let detail = format!("the binding \"{}\": {}", binding.name, said_twice(&twice));
    let diagnostic = Diagnostic::error(codes::UNIT_TWICE, detail).at_some(binding.places.of(&binding.units.from));
    Err(Diagnostics::from(diagnostic.hint("make \"from\" give each unit once: a join of it multiplies rows")).into())
}

/// Live points of every declared set against those that are written down of it.
async fn observe_points(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    request: &Request<'_>,
    observed: &mut Observed,
) -> Result<(), StoreError> {
    let sets = &request.desired.vector_sets;
    let read = ReadPoints::collections(vectors, sets.keys().map(String::as_str)).await?;
    for (name, set) in sets {
        let Some(facts) = read.collection(name) else { continue };
        let compare = ComparePoints { vectors, set: name, facts, keyed: set.ids.keyed(), depth: request.depth };
        observed.points.insert(name.clone(), compare.read(tx).await?);
    }
    (observed.collections, observed.aliases) = (read.collections, read.aliases);
    Ok(())
}

/// Counting does not say which points are there besides: they are read where a chunk may want one of their ids. Whether any
/// were.
async fn read_others(
    tx: &mut dyn Tx,
    vectors: &dyn VectorStore,
    request: &Request<'_>,
    needing: &BTreeMap<String, Vec<String>>,
    observed: &mut Observed,
) -> Result<bool, StoreError> {
    let mut read = false;
    for (set, units) in needing {
        let Some(live) = observed.points.get(set) else { continue };
        let seen = observed.recorded.get(set).into_iter().flatten();
        let seen: usize = seen.map(|(_, unit)| unit.owned.chunks.len()).sum();
        let written = seen as u64 + observed.unread.get(set).map_or(0, |unread| unread.points);
        let known = written - live.missing.len() as u64 + live.others.len() as u64;
        if live.compared != PointsCompared::Fingerprint || units.is_empty() || live.total <= known {
            continue;
        }
        let facts = live_collection(set, observed).and_then(|(name, _)| observed.collections.get(&name)).cloned();
        let declared = request.desired.vector_sets.get(set);
        if let (Some(facts), Some(declared)) = (facts, declared) {
            let (keyed, depth) = (declared.ids.keyed(), Depth::Each);
            let compare = ComparePoints { vectors, set, facts: &facts, keyed, depth };
            let live = compare.read(tx).await?;
            observed.points.insert(set.clone(), live);
            read = true;
        }
    }
    Ok(read)
}

async fn observe_texts(
    tx: &mut dyn Tx,
    request: &Request<'_>,
    resolved: &Resolved,
    needing: BTreeMap<String, Vec<String>>,
    observed: &mut Observed,
) -> Result<(), ObserveError> {
    for (set, ids) in needing {
        let policy = request
            .desired
            .vector_sets
            .get(&set)
            .and_then(|declared| request.desired.chunk_policies.get(&declared.chunk_policy.value));
        let Some(policy) = policy else { continue };
        // Units without a body are reported all together by the comparison, so that an author sees every one of them.
        let undecided =
            !matches!(policy.value.empty_body, Some(crate::model::EmptyBody::Skip | crate::model::EmptyBody::Title));
        let units: Vec<_> = ids
            .iter()
            .filter_map(|id| observed.units_after().get(id))
            .filter(|unit| !(undecided && unit.empty_body))
            .map(|unit| with_state(unit, &resolved.overlay))
            .collect();
        let units: Vec<_> = units.iter().collect();
        let texts =
            UnitTexts { source: &request.binding.units, policy: &policy.value, count_tokens: request.count_tokens };
        let facts = texts.chunk_facts(tx, &units).await?;
        observed.chunks.insert(set, facts);
    }
    Ok(())
}

fn names(request: &Request<'_>) -> (BTreeSet<TableName>, BTreeSet<TableName>) {
    let binding = request.binding;
    let mut tables: BTreeSet<TableName> = binding.units.tables.iter().cloned().collect();
    tables.extend(request.desired.rows.iter().flat_map(named_tables));
    tables.extend(request.desired.synced.iter().map(|synced| synced.table.value.clone()));
    tables.extend(binding.promotion.rows.iter().map(|row| row.table.clone()));
    tables.extend(binding.soft_references.iter().flat_map(|soft| [soft.table.clone(), soft.to.clone()]));
    tables.extend(binding.gates.iter().map(|gates| gates.table.clone()));
    tables.extend(binding.ledger.iter().map(|ledger| ledger.table.clone()));
    tables.extend(binding.refresh.iter().map(|refresh| refresh.status.view.clone()));
    tables.extend(guard_tables(request));
    let mut functions = BTreeSet::new();
    for transition in &binding.lifecycle.transitions {
        match &transition.work {
            TransitionWork::Call(call) => {
                functions.insert(call.function.clone());
            }
            TransitionWork::Update(update) => {
                tables.insert(update.table.clone());
            }
        }
    }
    let calls = binding.refresh.iter().map(|refresh| &refresh.call);
    let calls = calls.chain(binding.ledger.iter().map(|ledger| &ledger.record));
    functions.extend(calls.map(|call: &FunctionCall| call.function.clone()));
    (tables, functions)
}

fn gate_names(binding: &Binding) -> BTreeSet<String> {
    let refreshes = binding.refresh.iter().filter_map(|refresh| refresh.gate.clone());
    refreshes.chain(binding.ledger.iter().filter_map(|ledger| ledger.gate.clone())).collect()
}

/// Checks what the binding and the selections name, before any of it goes into a query.
fn check_names(request: &Request<'_>, observed: &Observed) -> Result<(), Diagnostics> {
    let mut errors = check_functions(request.binding, observed);
    check_columns(request.binding, &observed.tables, &observed.known, &mut errors);
    errors.extend(diff::check_names(request.desired, request.binding));
    errors.into_result(()).map(|_| ())
}

/// Checks the tables and columns that a binding names.
pub(super) fn check_columns(
    binding: &Binding,
    tables: &BTreeMap<TableName, TableFacts>,
    known: &KnownNames,
    errors: &mut Diagnostics,
) {
    let mut missing = BTreeSet::new();
    for (table, column) in binding_columns(binding) {
        let Some(facts) = tables.get(table) else {
            if !missing.insert(table) {
                continue;
            }
            errors.push(
                Diagnostic::error(
                    codes::UNKNOWN_TABLE,
                    format!("the binding \"{}\" names \"{table}\", which this role cannot see", binding.name),
                )
                .at_some(binding.places.of(&table.to_string()))
                .hint(near_hint(
                    &table.to_string(),
                    known.tables.iter().map(String::as_str),
                    "create it, or name another in the binding",
                )),
            );
            continue;
        };
        if let Some(column) = column.filter(|column| !facts.columns.contains_key(*column)) {
            errors.push(
                Diagnostic::error(
                    codes::UNKNOWN_COLUMN,
                    format!("the binding \"{}\" names column \"{column}\" of \"{table}\"", binding.name),
                )
                .at_some(binding.places.of(column))
                .hint(name_hint(column, facts.columns.keys().map(String::as_str))),
            );
        }
    }
}

/// Tables that a binding names, with the columns it names there.
pub(super) fn binding_columns(binding: &Binding) -> Vec<(&TableName, Option<&str>)> {
    let mut out: Vec<(&TableName, Option<&str>)> = binding.units.tables.iter().map(|table| (table, None)).collect();
    for row in &binding.promotion.rows {
        out.extend(row.values.keys().map(|column| (&row.table, Some(column.as_str()))));
    }
    for soft in &binding.soft_references {
        out.push((&soft.table, Some(&soft.column)));
        out.push((&soft.to, Some(&soft.to_column)));
    }
    if let Some(gates) = &binding.gates {
        out.extend([(&gates.table, Some(gates.key.as_str())), (&gates.table, Some(gates.value.as_str()))]);
    }
    if let Some(ledger) = &binding.ledger {
        let columns = [&ledger.key_column, &ledger.status_column, &ledger.digest_column, &ledger.unit_column];
        out.extend(columns.into_iter().map(|column| (&ledger.table, Some(column.as_str()))));
    }
    for refresh in &binding.refresh {
        out.extend(refresh.status.expect.keys().map(|column| (&refresh.status.view, Some(column.as_str()))));
    }
    for transition in &binding.lifecycle.transitions {
        if let TransitionWork::Update(update) = &transition.work {
            out.extend(update.key.keys().chain(update.set.keys()).map(|column| (&update.table, Some(column.as_str()))));
        }
    }
    out
}

/// The table of a set, and those that its values refer to by key.
fn named_tables(set: &RowSet) -> BTreeSet<TableName> {
    fn referred(value: &Written, out: &mut BTreeSet<TableName>) {
        if let Some((table, key)) = value.as_reference() {
            out.extend(TableName::parse(table).ok());
            key.iter().for_each(|(_, value)| referred(value, out));
        }
    }
    let mut out = BTreeSet::from([set.table.value.clone()]);
    for cell in set.rows.iter().flat_map(|row| &row.cells) {
        if matches!(cell.value, Written::Map(_)) {
            referred(&cell.value, &mut out);
        }
    }
    out
}

fn unit_filter(desired: &Desired, observed: &Observed) -> UnitFilter {
    let selections = all_selections(desired).into_iter().map(|(selection, _)| selection.clone()).collect();
    let mut ids: BTreeSet<String> = observed.recorded.values().flat_map(|units| units.keys().cloned()).collect();
    for entry in observed.managed.values() {
        ids.extend(entry.units.iter().map(|unit| unit.id.clone()));
    }
    UnitFilter { selections, ids, lock: false }
}

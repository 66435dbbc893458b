//! Takes what the steps stand on from what was read and compared.

use std::collections::{BTreeMap, BTreeSet};

use super::build::BuildInput;
use super::calls::{parameter_types, unit_fields};
use super::cost::EmbeddingTerms;
use super::declared::declaration;
use super::pins::{LeftRow, NeedKind, NeedPin, Pins, RecordedPin, RowsPin, SelectionPin, SetPin, runs};
use super::step::{RowsKept, VectorMaker};
use crate::diff::rows::is_recorded;
use crate::diff::{Change, ChangeDetail, CollectionChange, RowChange, VectorChange};
use crate::model::{
    Address, Check, Digest, EmbedderConfig, PointIds, Promotion, RowKey, RowNeedKind, RowRef, RowSet, RowState,
    TableName, TransitionWork, UnitFacts, VectorSpec, digest_of,
};

/// Pins what the steps of these changes stand on.
pub(super) fn pin(input: &BuildInput<'_>, selections: Vec<SelectionPin>) -> Pins {
    let used: BTreeSet<&str> = input.desired.vector_sets.values().map(|set| set.chunk_policy.value.as_str()).collect();
    let policies = input.desired.chunk_policies.iter().filter(|(name, _)| used.contains(name.as_str()));
    let embedders = used_embedders(input);
    let changes = &input.comparison.changes;
    let roles = input.environment.roles.named().into_iter();
    let moved: BTreeSet<&str> = changes
        .iter()
        .filter_map(|change| match &change.detail {
            ChangeDetail::Lifecycle { promotion, .. } => Some(promotion.as_str()),
            _ => None,
        })
        .collect();
    let promotions = input.resolved.promotions.iter().filter(|(name, _)| moved.contains(name.as_str()));
    Pins {
        binding: input.binding.clone(),
        project: input.environment.project.clone(),
        roles: roles.map(|(kind, role)| (kind.to_owned(), role.to_owned())).collect(),
        types: types(input),
        selections,
        overlay: input.resolved.overlay.clone(),
        promotions: promotions.map(|(name, promotion)| (name.clone(), promotion.names.clone())).collect(),
        sets: sets(input),
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
        ledger_units: ledger_units(input),
        checks: checks(input),
        guards: guard_digests(input),
        declared: declared(input),
        needs: needs(input),
        rows: rows(input),
    }
}

/// The selections of a plan with what uses them.
pub(super) fn selections(input: &BuildInput<'_>) -> Vec<SelectionPin> {
    let desired = input.desired;
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

fn used_embedders<'a>(input: &BuildInput<'a>) -> BTreeSet<&'a str> {
    let specs = input.desired.vector_sets.values().flat_map(|set| set.vectors.values());
    specs
        .filter_map(|spec| match &spec.value {
            VectorSpec::Dense { embedder, .. } => Some(embedder.as_str()),
            VectorSpec::Bm25 { .. } => None,
        })
        .collect()
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

fn types(input: &BuildInput<'_>) -> BTreeMap<TableName, BTreeMap<String, String>> {
    let binding = input.binding;
    let mut out: BTreeMap<TableName, BTreeMap<String, String>> = BTreeMap::new();
    let refreshes = binding.refresh.iter().map(|refresh| &refresh.call);
    let mut calls: Vec<_> = refreshes.chain(binding.ledger.iter().map(|ledger| &ledger.record)).collect();
    for transition in &binding.lifecycle.transitions {
        match &transition.work {
            TransitionWork::Call(call) => calls.push(call),
            TransitionWork::Update(update) => {
                let facts = input.observed.tables.get(&update.table);
                let names = update.key.keys().chain(update.set.keys());
                let typed = names.filter_map(|name| {
                    Some((name.clone(), facts.and_then(|facts| facts.columns.get(name))?.type_name.clone()))
                });
                out.entry(update.table.clone()).or_default().extend(typed);
            }
        }
    }
    for call in calls {
        out.entry(call.function.clone()).or_default().extend(parameter_types(call, &input.observed.functions));
    }
    out
}

fn sets(input: &BuildInput<'_>) -> BTreeMap<String, SetPin> {
    let changed = input.comparison.changes.iter().filter_map(|change| match &change.detail {
        ChangeDetail::VectorSet(set) => Some(set.as_ref()),
        _ => None,
    });
    changed.map(|change| (change.set.clone(), set_pin(input, change))).collect()
}

fn set_pin(input: &BuildInput<'_>, change: &VectorChange) -> SetPin {
    if let (Some(set), Some(recipe)) = (input.desired.vector_sets.get(&change.set), input.recipes.get(&change.set)) {
        let makers = set.vectors.iter().map(|(name, spec)| {
            let maker = match &spec.value {
                VectorSpec::Dense { embedder, .. } => VectorMaker::Embedder(embedder.clone()),
                VectorSpec::Bm25 { language } => VectorMaker::Bm25(language.clone()),
            };
            (name.clone(), maker)
        });
        return SetPin {
            vectors: recipe.vectors.clone(),
            payload_indexes: recipe.payload_indexes.clone(),
            makers: makers.collect(),
            chunk_policy: set.chunk_policy.value.clone(),
            payload: set.payload.iter().map(|field| field.value.clone()).collect(),
            policy: recipe.policy,
            embedders: recipe.embedders,
            fields: recipe.fields.clone(),
            ids: recipe.ids.clone(),
        };
    }
    // Points that go back come from what a run kept of them: nothing is embedded, no text is read, and the collection
    // keeps the shape and the indexes that it has.
    let live = match &change.collection {
        CollectionChange::InPlace { live, .. } => input.observed.collections.get(live),
        CollectionChange::New
        | CollectionChange::Replace { .. }
        | CollectionChange::Return { .. }
        | CollectionChange::Adopt { .. } => None,
    };
    SetPin {
        vectors: live.map(|facts| facts.vectors.clone()).unwrap_or_default(),
        payload_indexes: live.map(|facts| facts.payload_indexes.clone()).unwrap_or_default(),
        makers: BTreeMap::new(),
        chunk_policy: String::new(),
        payload: Vec::new(),
        policy: change.recipe,
        embedders: change.recipe,
        fields: BTreeSet::new(),
        ids: PointIds::Content,
    }
}

fn ledger_units(input: &BuildInput<'_>) -> BTreeMap<String, UnitFacts> {
    let Some(ledger) = &input.binding.ledger else { return BTreeMap::new() };
    if !unit_fields(ledger.record.arguments.values()) {
        return BTreeMap::new();
    }
    let moved: BTreeSet<&String> = input.resolved.overlay.keys().collect();
    let writes = input.comparison.changes.iter().flat_map(|change| match &change.detail {
        ChangeDetail::VectorSet(set) => set.ledger.as_slice(),
        _ => &[],
    });
    let units = writes.map(|write| &write.unit).filter(|unit| !moved.contains(unit));
    units
        .filter_map(|id| {
            Some((
                id.clone(),
                input.observed.units_after().get(id).or_else(|| input.observed.live_units().get(id))?.clone(),
            ))
        })
        .collect()
}

fn checks(input: &BuildInput<'_>) -> BTreeMap<String, Check> {
    let named = input.comparison.changes.iter().filter_map(|change| match &change.detail {
        ChangeDetail::Retention { check, .. } => Some(check),
        _ => None,
    });
    named.filter_map(|name| Some((name.clone(), input.desired.checks.get(name)?.check.clone()))).collect()
}

/// The digests that the comparison looks for.
fn guard_digests(input: &BuildInput<'_>) -> BTreeMap<Address, Digest> {
    let digest = |change: &Change| {
        let ChangeDetail::Guard { name, record, .. } = &change.detail else { return None };
        let digest = if change.address == Address::check(name) {
            let resource = input.desired.checks.get(name)?;
            digest_of(&serde_json::json!([record, resource.before, resource.after]))
        } else {
            input.observed.guards.protect.get(name)?.identity()
        };
        Some((change.address.clone(), digest))
    };
    input.comparison.changes.iter().filter_map(digest).collect()
}

fn declared(input: &BuildInput<'_>) -> BTreeMap<Address, String> {
    let written = |change: &&Change| match &change.detail {
        ChangeDetail::Promotion { .. } | ChangeDetail::VectorSet(_) | ChangeDetail::Guard { .. } => true,
        ChangeDetail::Row { .. }
        | ChangeDetail::Lifecycle { .. }
        | ChangeDetail::Refresh { .. }
        | ChangeDetail::Gate { .. }
        | ChangeDetail::Retention { .. }
        | ChangeDetail::Forget => false,
    };
    let changes = input.comparison.changes.iter().filter(written);
    changes
        .filter_map(|change| Some((change.address.clone(), declaration(input.desired, change.address.as_str())?)))
        .collect()
}

fn place(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn needs(input: &BuildInput<'_>) -> Vec<NeedPin> {
    let changes = input.comparison.changes.iter().enumerate();
    let at: BTreeMap<&Address, u32> = changes.map(|(at, change)| (&change.address, place(at))).collect();
    let mut out: BTreeMap<(NeedKind, &str), Vec<(u32, u32)>> = BTreeMap::new();
    for need in &input.observed.rows.needs {
        let kind = match &need.kind {
            RowNeedKind::Soft => continue,
            RowNeedKind::Reference => NeedKind::Reference,
            RowNeedKind::Unique => NeedKind::Unique,
            RowNeedKind::Value { column, later } => NeedKind::Value { column: column.clone(), later: *later },
        };
        if let (Some(from), Some(to)) = (at.get(&need.from), at.get(&need.to)) {
            out.entry((kind, &need.why)).or_default().push((*from, *to));
        }
    }
    out.into_iter().map(|((kind, why), pairs)| NeedPin { kind, why: why.to_owned(), pairs }).collect()
}

/// The columns of a row that are written down, and those of them that hold the time of an apply. A row that is left alone where
/// there is one has no values of its own.
fn recorded_columns(set: &RowSet, times: Option<&Vec<String>>) -> (Vec<String>, Vec<String>) {
    let computed = |name: &&String| set.computed.iter().any(|computed| computed.value == **name);
    let named = if set.state == RowState::Inserted { &[][..] } else { set.columns.as_slice() };
    let columns: Vec<String> = named.iter().filter(|name| !computed(name)).cloned().collect();
    let times = times.into_iter().flatten().filter(|name| columns.contains(name)).cloned().collect();
    (columns, times)
}

fn rows(input: &BuildInput<'_>) -> RowsPin {
    let facts = &input.observed.rows;
    let changes = &input.comparison.changes;
    let at: BTreeMap<&Address, u32> =
        changes.iter().enumerate().map(|(at, change)| (&change.address, place(at))).collect();
    let sets = &input.resolved.rows;
    let address = |row: RowRef, key: &RowKey| Address::row(&sets[row.set].table.value, key);
    let columns = |row: RowRef| recorded_columns(&sets[row.set], facts.times.get(&row));
    let mut recorded: BTreeMap<(Vec<String>, Vec<String>), BTreeSet<u32>> = BTreeMap::new();
    let seen = facts.seen.iter().filter(|seen| is_recorded(&sets[seen.of.set]));
    for seen in seen.chain(&facts.outdated) {
        if let Some(at) = at.get(&address(seen.of, &seen.key)) {
            recorded.entry(columns(seen.of)).or_default().insert(*at);
        }
    }
    let mut unchanged: BTreeMap<_, Vec<_>> = BTreeMap::new();
    let unrecorded = facts.unrecorded.iter().filter(|_| !changes.is_empty());
    for (row, key) in unrecorded {
        let alike = (sets[row.set].table.value.clone(), key.columns().cloned().collect::<Vec<_>>(), columns(*row));
        unchanged.entry(alike).or_default().push(key.0.iter().map(|part| part.value.clone()).collect());
    }
    let gone = changes.iter().filter_map(|change| match &change.detail {
        ChangeDetail::Row { table, kind: None, change: RowChange::Delete { .. }, .. } => Some(table),
        _ => None,
    });
    let key = |table: &TableName| {
        let facts = input.observed.tables.get(table);
        (table.clone(), facts.and_then(|facts| facts.keys().next()).cloned().unwrap_or_default())
    };
    let left = facts.left.iter().filter(|(table, key)| at.contains_key(&Address::row(table, key)));
    // The row comes back, and perhaps under another key.
    let coming: BTreeMap<RowRef, &RowKey> = facts.seen.iter().map(|seen| (seen.of, &seen.key)).collect();
    let comes = |row: &RowRef| coming.get(row).is_some_and(|key| at.contains_key(&address(*row, key)));
    let superseded = facts.superseded.iter().filter(|(row, ..)| comes(row)).map(|(_, table, key)| (table, key));
    let left = left.map(|(table, key)| (table, key)).chain(superseded);
    let digests = |of: &BTreeMap<TableName, Digest>| match input.desired.partial {
        true => BTreeMap::new(),
        false => of.iter().map(|(table, digest)| (table.to_string(), *digest)).collect(),
    };
    RowsPin {
        recorded: recorded
            .into_iter()
            .map(|((columns, times), rows)| RecordedPin { columns, times, runs: runs(rows) })
            .collect(),
        unchanged: unchanged
            .into_iter()
            .map(|((table, key, (columns, times)), rows)| RowsKept { table, key, columns, times, rows })
            .collect(),
        left: left.map(|(table, key)| LeftRow { table: table.clone(), key: key.clone() }).collect(),
        keys: gone.collect::<BTreeSet<_>>().into_iter().map(key).collect(),
        declared: digests(&facts.declared),
        contents: digests(&facts.contents),
        synced: match input.desired.partial {
            true => BTreeMap::new(),
            false => {
                facts.synced.iter().map(|(table, within)| (table.to_string(), serde_json::json!(within))).collect()
            }
        },
    }
}

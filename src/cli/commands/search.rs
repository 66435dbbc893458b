//! `enact search QUERY`: asks a vector set as an application would, with every vector that the set has.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::cli::args::{GlobalArgs, SearchArgs};
use crate::cli::session::{Session, configure, in_session, load_desired, store_failed, with_sources};
use crate::cli::{Outcome, Output};
use crate::embed::{Bm25Error, Makers};
use crate::model::{Desired, UnitFacts, VectorSet, VectorSpec, name_hint};
use crate::observe::{UnitFilter, read_units};
use crate::points::unit_of;
use crate::report::{Hit, SearchView, search_json, search_text};
use crate::store::{NamedVector, Relational, Scored, SearchQuery, SparseVector, StoreError, TxMode, VectorStore};

/// Payload fields that hold a unit's address, the most usual first.
const ADDRESS_FIELDS: [&str; 3] = ["canonical_address", "address", "slug"];

/// Searches and prints.
pub fn run(global: &GlobalArgs, args: &SearchArgs, output: &Output) -> Outcome {
    match attempt(global, args, output) {
        Ok(view) => {
            let text = if args.json { search_json(&view) } else { search_text(&view, &output.text_options()) };
            output.result(&text);
            Outcome::Success
        }
        Err(outcome) => outcome,
    }
}

fn attempt(global: &GlobalArgs, args: &SearchArgs, output: &Output) -> Result<SearchView, Outcome> {
    if args.query.trim().is_empty() {
        output.error("the query is empty", Some("enact search \"who approves an exception\""));
        return Err(Outcome::InvalidInput);
    }
    let configured = configure(global, output)?;
    let (desired, _) = load_desired(global, output)?;
    let set = choose(&desired, args.set.as_deref(), output)?;
    in_session(configured, global, output, async |session: &mut Session| search(session, set, args, output).await)
}

/// The set that is meant.
///
/// # Errors
/// What is wrong has been printed.
pub fn choose<'d>(desired: &'d Desired, wanted: Option<&str>, output: &Output) -> Result<&'d VectorSet, Outcome> {
    let names: Vec<&str> = desired.vector_sets.keys().map(String::as_str).collect();
    let found = match wanted {
        Some(name) => desired.vector_sets.get(name),
        None if names.len() == 1 => desired.vector_sets.values().next(),
        None => None,
    };
    if let Some(set) = found {
        return Ok(set);
    }
    match (wanted, names.is_empty()) {
        (_, true) => output.error("the plan files declare no vector set", Some("declare one under vector_sets")),
        (Some(name), false) => output.error(
            &format!("the plan files declare no vector set \"{name}\""),
            Some(&name_hint(name, names.iter().copied())),
        ),
        (None, false) => output.error(
            &format!("the plan files declare several vector sets: {}", names.join(", ")),
            Some(&format!("add --set {}", names[0])),
        ),
    }
    Err(Outcome::InvalidInput)
}

/// Searches a set of an open session.
///
/// # Errors
/// What is wrong has been printed.
pub async fn search(
    session: &mut Session,
    set: &VectorSet,
    args: &SearchArgs,
    output: &Output,
) -> Result<SearchView, Outcome> {
    let failed = |error: StoreError| store_failed(output, &error);
    if session.qdrant.collection(&set.name).await.map_err(failed)?.is_none() {
        output.error(&format!("vector set \"{}\" is not in Qdrant yet", set.name), Some("enact apply"));
        return Err(Outcome::Error);
    }
    let vectors = query_vectors(&session.makers, set, &args.query, output).await?;
    let query = SearchQuery { vectors, limit: args.limit };
    let scored = session.qdrant.search(&set.name, &query).await.map_err(failed)?;
    let units = missing_units(session, &scored).await.map_err(failed)?;
    let hits = scored.into_iter().map(|one| hit(one, &units)).collect();
    Ok(SearchView { set: set.name.clone(), query: args.query.clone(), hits })
}

/// The query as every vector of the set.
async fn query_vectors(
    makers: &Makers,
    set: &VectorSet,
    query: &str,
    output: &Output,
) -> Result<BTreeMap<String, NamedVector>, Outcome> {
    let mut out = BTreeMap::new();
    let mut left_out = Vec::new();
    for (name, spec) in &set.vectors {
        match &spec.value {
            VectorSpec::Dense { embedder, .. } => {
                out.insert(name.clone(), dense(makers, embedder, query, output).await?);
            }
            VectorSpec::Bm25 { language } => match Makers::bm25(language) {
                Ok(bm25) => {
                    let sparse = bm25.query(query);
                    if sparse.indices.is_empty() {
                        left_out.push(format!("vector \"{name}\" is left out: the query has stop words alone"));
                    } else {
                        let sparse = SparseVector { indices: sparse.indices, values: sparse.values };
                        out.insert(name.clone(), NamedVector::Sparse(sparse));
                    }
                }
                Err(error @ Bm25Error::NotBuilt) => left_out.push(format!("vector \"{name}\" is left out: {error}")),
                Err(error) => {
                    output.error(&error.to_string(), None);
                    return Err(Outcome::InvalidInput);
                }
            },
        }
    }
    if out.is_empty() {
        output.error(&left_out.join("; "), Some("use more specific words"));
        return Err(Outcome::InvalidInput);
    }
    left_out.iter().for_each(|line| output.note(line));
    Ok(out)
}

async fn dense(makers: &Makers, embedder: &str, query: &str, output: &Output) -> Result<NamedVector, Outcome> {
    let Some(maker) = makers.embedder(embedder) else {
        let known = makers.embedders.keys().map(String::as_str);
        output.error(&format!("the environment has no embedder \"{embedder}\""), Some(&name_hint(embedder, known)));
        return Err(Outcome::InvalidInput);
    };
    let made = maker.embed(&[query.to_owned()]).await.map_err(|error| {
        output.error(&format!("embedder \"{embedder}\": {}", with_sources(&error)), Some(&error.hint()));
        Outcome::Error
    })?;
    match made.into_iter().next() {
        Some(vector) => Ok(NamedVector::Dense(vector)),
        None => panic!("BUG: embedder \"{embedder}\" gave no vector for one text"),
    }
}

/// Units of the hits whose payload does not say title and address.
async fn missing_units(session: &mut Session, scored: &[Scored]) -> Result<BTreeMap<String, UnitFacts>, StoreError> {
    let silent = scored.iter().filter(|one| title(one).is_none() || address(one).is_none());
    let ids: BTreeSet<String> = silent.filter_map(unit).map(str::to_owned).collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let filter = UnitFilter { selections: Vec::new(), ids, lock: false };
    let mut tx = session.postgres.begin(TxMode::Snapshot).await?;
    let units = read_units(tx.as_mut(), &session.binding.units, &filter).await?;
    tx.rollback().await?;
    Ok(units)
}

fn hit(scored: Scored, units: &BTreeMap<String, UnitFacts>) -> Hit {
    let facts = unit(&scored).and_then(|id| units.get(id));
    let title = title(&scored).map(str::to_owned).or_else(|| facts.map(|unit| unit.title.clone()));
    let address = address(&scored).map(str::to_owned).or_else(|| facts.map(|unit| unit.address.clone()));
    Hit { id: scored.id.to_string(), score: scored.score, title, address, payload: scored.payload }
}

fn title(scored: &Scored) -> Option<&str> {
    scored.payload.get("title").and_then(Value::as_str)
}

fn address(scored: &Scored) -> Option<&str> {
    ADDRESS_FIELDS.iter().find_map(|field| scored.payload.get(*field).and_then(Value::as_str))
}

fn unit(scored: &Scored) -> Option<&str> {
    unit_of(&scored.payload)
}

//! The shape of a live collection against the recipe of its set.

use std::collections::BTreeMap;

use super::vectors::live_collection;
use crate::model::{CollectionFacts, Observed, VectorParams};
use crate::points::{Recipe, is_bucket_field};

/// How a live collection differs from the shape that it should have.
#[derive(Debug, Default)]
pub struct Shape {
    /// What only a new collection can have.
    pub vectors: Vec<String>,
    /// What can be made and removed in place.
    pub indexes: Vec<String>,
}

impl Shape {
    /// Whether nothing differs.
    pub fn is_empty(&self) -> bool {
        self.vectors.is_empty() && self.indexes.is_empty()
    }

    /// All differences, those that need a new collection first.
    pub fn all(&self) -> impl Iterator<Item = String> {
        self.vectors.iter().chain(&self.indexes).cloned()
    }
}

/// Compares the collection behind a set's name with the recipe.
pub(super) fn differences(set: &str, recipe: &Recipe, observed: &Observed) -> Shape {
    let facts = live_collection(set, observed).and_then(|(live, _)| observed.collections.get(&live));
    match facts {
        Some(facts) => shape_differences(&recipe.vectors, &recipe.payload_indexes, facts),
        None => Shape { vectors: vec!["there is no collection".to_owned()], indexes: Vec::new() },
    }
}

/// Compares a collection with the vectors and payload indexes that it should have.
pub fn shape_differences(
    vectors: &BTreeMap<String, VectorParams>,
    indexes: &BTreeMap<String, String>,
    facts: &CollectionFacts,
) -> Shape {
    let mut out = Shape::default();
    for (name, wanted) in vectors {
        match facts.vectors.get(name) {
            Some(_) if facts.multivectors.contains(name) => {
                out.vectors.push(format!("vector \"{name}\" is a multivector"));
            }
            Some(found) if found == wanted => {}
            Some(_) => out.vectors.push(format!("vector \"{name}\" has another dimension or distance")),
            None => out.vectors.push(format!("vector \"{name}\" is not there")),
        }
    }
    for name in facts.vectors.keys().filter(|name| !vectors.contains_key(*name)) {
        out.vectors.push(format!("vector \"{name}\" is not wanted"));
    }
    for (field, kind) in indexes {
        if facts.payload_indexes.get(field) != Some(kind) {
            out.indexes.push(format!("payload index \"{field}\" is not there"));
        }
    }
    let unwanted = |field: &&String| !indexes.contains_key(*field) && !is_bucket_field(field);
    for field in facts.payload_indexes.keys().filter(unwanted) {
        out.indexes.push(format!("payload index \"{field}\" is not wanted"));
    }
    out
}

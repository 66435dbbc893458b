//! Names of collections, and what their metadata say.

use std::collections::BTreeMap;

/// The collection metadata key under which the run that wrote it is stamped.
pub const GENERATION_KEY: &str = "enact_generation";

/// The collection metadata key under which the vector set is named.
pub const SET_KEY: &str = "enact_set";

/// The stamp of the run that writes a set's collection.
pub fn stamp(set: &str, run: &str) -> BTreeMap<String, String> {
    BTreeMap::from([(GENERATION_KEY.to_owned(), run.to_owned()), (SET_KEY.to_owned(), set.to_owned())])
}

/// The collection that a run fills before a set's alias is switched to it. Qdrant refuses `/` in a name.
pub fn staged_collection(set: &str, run: &str) -> String {
    format!("{set}@{run}")
}

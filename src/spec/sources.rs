//! The texts that diagnostics point into.

use std::collections::BTreeMap;
use std::sync::Arc;

/// File name to text, for excerpts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources(BTreeMap<Arc<str>, Arc<str>>);

impl Sources {
    /// Remembers a file's text.
    pub fn insert(&mut self, file: impl Into<Arc<str>>, text: impl Into<Arc<str>>) {
        self.0.insert(file.into(), text.into());
    }

    /// Adds all of another collection.
    pub fn extend(&mut self, other: Sources) {
        self.0.extend(other.0);
    }

    /// The text of a file.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.0.get(file).map(AsRef::as_ref)
    }
}

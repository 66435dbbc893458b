//! A YAML document as a tree in which everything has a place.

use crate::model::{Place, Spot};

/// One value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    /// The value.
    pub kind: Kind,
    /// Where it stands; for a value that came through an alias, where the alias stands.
    pub place: Place,
}

/// A value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`, nothing else.
    Bool(bool),
    /// A decimal number, as written.
    Number(String),
    /// A text.
    Text(String),
    /// A sequence.
    List(Vec<Node>),
    /// A mapping in the order of the file, without duplicate keys.
    Map(Vec<Entry>),
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// The key.
    pub key: Spot<String>,
    /// The value.
    pub value: Node,
}

impl Node {
    /// A scalar's text: what a database would compare it as.
    pub fn scalar_text(&self) -> Option<String> {
        match &self.kind {
            Kind::Bool(value) => Some(value.to_string()),
            Kind::Number(text) | Kind::Text(text) => Some(text.clone()),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// What a message calls it.
    pub fn noun(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::Bool(_) => "true or false",
            Kind::Number(_) => "a number",
            Kind::Text(_) => "a text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

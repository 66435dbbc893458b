//! A YAML document as a tree in which everything has a place.

use super::scalar::{Meaning, meaning};
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
    /// A scalar without quotes, in the characters of the file.
    Plain(String),
    /// A text in quotes or in a block.
    Text(String),
    /// The text under the tag `!json`.
    Json(String),
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
    /// What a scalar without quotes means.
    pub fn meaning(&self) -> Option<Meaning> {
        match &self.kind {
            Kind::Plain(text) => Some(meaning(text)),
            Kind::Null | Kind::Text(_) | Kind::Json(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// A scalar's characters.
    pub fn characters(&self) -> Option<&str> {
        match &self.kind {
            Kind::Plain(text) | Kind::Text(text) => Some(text),
            Kind::Null | Kind::Json(_) | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// A scalar's text: what a database would compare it as.
    pub fn scalar_text(&self) -> Option<String> {
        match self.meaning() {
            Some(Meaning::Bool(flag)) => Some(flag.to_string()),
            Some(Meaning::Number | Meaning::Inexact(_) | Meaning::Word) | None => self.characters().map(str::to_owned),
        }
    }

    /// Whether it is true or false.
    pub fn flag(&self) -> Option<bool> {
        match self.meaning() {
            Some(Meaning::Bool(flag)) => Some(flag),
            Some(Meaning::Number | Meaning::Inexact(_) | Meaning::Word) | None => None,
        }
    }

    /// What a message calls it.
    pub fn noun(&self) -> &'static str {
        match &self.kind {
            Kind::Null => "nothing",
            Kind::Plain(text) => match meaning(text) {
                Meaning::Bool(_) => "true or false",
                Meaning::Number | Meaning::Inexact(_) => "a number",
                Meaning::Word => "a text",
            },
            Kind::Text(_) => "a text",
            Kind::Json(_) => "JSON text",
            Kind::List(_) => "a list",
            Kind::Map(_) => "a mapping",
        }
    }
}

//! Reading a tree into types, with every mistake collected.
//!
//! A reader returns `None` exactly when it has put an error into `out`. Callers read all parts first and only then give
//! up, so one run shows everything that is wrong.

use serde_json::{Map, Value};

use super::codes;
use super::scalar::{Meaning, meaning};
use super::tree::{Entry, Kind, Node};
use crate::model::{Diagnostic, Diagnostics, Place, Spot};

/// A mapping whose keys have been checked.
pub(super) struct Fields<'n> {
    what: String,
    place: Place,
    entries: &'n [Entry],
}

impl<'n> Fields<'n> {
    /// Opens a mapping: reports a wrong type and unknown keys. `place` is what a missing key is shown at.
    pub fn open(
        node: &'n Node,
        what: &str,
        place: &Place,
        known: &[&str],
        out: &mut Diagnostics,
    ) -> Option<Fields<'n>> {
        let fields = Fields::open_any(node, what, place, out)?;
        for entry in fields.entries {
            if !known.contains(&entry.key.value.as_str()) {
                out.push(unknown_key(&entry.key, what, known));
            }
        }
        Some(fields)
    }

    /// Opens a mapping whose keys are free.
    pub fn open_any(node: &'n Node, what: &str, place: &Place, out: &mut Diagnostics) -> Option<Fields<'n>> {
        match &node.kind {
            Kind::Map(entries) => Some(Fields { what: what.to_owned(), place: place.clone(), entries }),
            _ => wrong_type(node, what, "a mapping", out),
        }
    }

    /// All entries.
    pub fn entries(&self) -> &'n [Entry] {
        self.entries
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|entry| entry.key.value == key).map(|entry| &entry.value)
    }

    /// The entry of a key, for its place.
    pub fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| entry.key.value == key)
    }

    /// The value of a key that must be there.
    pub fn require(&self, key: &str, out: &mut Diagnostics) -> Option<&'n Node> {
        let found = self.get(key);
        if found.is_none() {
            let detail = format!("{} needs the key \"{key}\"", self.what);
            out.push(Diagnostic::error(codes::MISSING_KEY, detail).at(&self.place).hint(format!("add {key}: …")));
        }
        found
    }

    /// A text that must be there.
    pub fn require_text(&self, key: &str, out: &mut Diagnostics) -> Option<Spot<String>> {
        self.require(key, out).and_then(|node| text(node, key, out))
    }

    /// A text that may be absent: the outer `None` is a mistake.
    pub fn optional_text(&self, key: &str, out: &mut Diagnostics) -> Option<Option<Spot<String>>> {
        optional(self.get(key), |node| text(node, key, out))
    }
}

/// Reads a value that may be absent: the outer `None` is a mistake.
pub(super) fn optional<T>(node: Option<&Node>, read: impl FnOnce(&Node) -> Option<T>) -> Option<Option<T>> {
    match node {
        None => Some(None),
        Some(node) => read(node).map(Some),
    }
}

/// Reads a scalar as a text that is not empty.
pub(super) fn text(node: &Node, what: &str, out: &mut Diagnostics) -> Option<Spot<String>> {
    match node.scalar_text() {
        Some(value) if value.trim().is_empty() => {
            out.push(Diagnostic::error(codes::INVALID_VALUE, format!("\"{what}\" is an empty text")).at(&node.place));
            None
        }
        Some(value) => Some(Spot { value, place: node.place.clone() }),
        None => wrong_type(node, &format!("\"{what}\""), "a text", out),
    }
}

/// Reads a whole number within limits.
pub(super) fn whole(node: &Node, what: &str, least: u64, most: u64, out: &mut Diagnostics) -> Option<u64> {
    let text = number_text(node, what, "a whole number", out)?;
    match text.parse::<u64>() {
        Ok(value) if (least..=most).contains(&value) => Some(value),
        _ => {
            let detail = format!("\"{what}\" is {text}; it must be a whole number from {least} to {most}");
            out.push(Diagnostic::error(codes::INVALID_VALUE, detail).at(&node.place));
            None
        }
    }
}

/// The characters of a number.
pub(super) fn number_text<'n>(node: &'n Node, what: &str, wanted: &str, out: &mut Diagnostics) -> Option<&'n str> {
    match node.meaning() {
        Some(Meaning::Number) => node.characters(),
        Some(Meaning::Inexact(reason)) => inexact(node, reason, out),
        Some(Meaning::Bool(_) | Meaning::Word) | None => wrong_type(node, &format!("\"{what}\""), wanted, out),
    }
}

/// Reads a whole number of 32 bits.
pub(super) fn whole_u32(node: &Node, what: &str, least: u32, most: u32, out: &mut Diagnostics) -> Option<u32> {
    whole(node, what, u64::from(least), u64::from(most), out).and_then(|value| u32::try_from(value).ok())
}

/// Reads true or false.
pub(super) fn flag(node: &Node, what: &str, out: &mut Diagnostics) -> Option<bool> {
    match node.flag() {
        Some(flag) => Some(flag),
        None => wrong_type(node, &format!("\"{what}\""), "true or false", out),
    }
}

/// Reads one of several words.
pub(super) fn one_of<T: Copy>(node: &Node, what: &str, words: &[(&str, T)], out: &mut Diagnostics) -> Option<T> {
    let written = text(node, what, out)?;
    let found = words.iter().find(|(word, _)| *word == written.value).map(|(_, value)| *value);
    if found.is_none() {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let detail = format!("\"{}\" is not allowed for \"{what}\"", written.value);
        let diagnostic = Diagnostic::error(codes::INVALID_VALUE, detail).at(&node.place);
        out.push(diagnostic.hint(suggest(&written.value, &names)));
    }
    found
}

/// Reads a list of texts.
pub(super) fn texts(node: &Node, what: &str, out: &mut Diagnostics) -> Option<Vec<Spot<String>>> {
    let Kind::List(items) = &node.kind else {
        return wrong_type(node, &format!("\"{what}\""), "a list of texts", out);
    };
    let read: Vec<Option<Spot<String>>> = items.iter().map(|item| text(item, what, out)).collect();
    read.into_iter().collect()
}

/// Reads anything as JSON. Every number in it that would change is reported.
pub(super) fn json(node: &Node, out: &mut Diagnostics) -> Option<Value> {
    match &node.kind {
        Kind::Null => Some(Value::Null),
        Kind::Plain(text) => match meaning(text) {
            Meaning::Bool(flag) => Some(Value::Bool(flag)),
            Meaning::Number => Some(number(text)),
            Meaning::Inexact(reason) => inexact(node, reason, out),
            Meaning::Word => Some(Value::String(text.clone())),
        },
        Kind::Text(text) => Some(Value::String(text.clone())),
        Kind::Json(_) => {
            let hint = "leave the tag out; only values of rows may be !json";
            out.push(Diagnostic::error(codes::YAML_FEATURE, "the tag !json").at(&node.place).hint(hint));
            None
        }
        Kind::List(items) => {
            let read: Vec<Option<Value>> = items.iter().map(|item| json(item, out)).collect();
            read.into_iter().collect::<Option<Vec<Value>>>().map(Value::Array)
        }
        Kind::Map(entries) => {
            let read: Vec<_> = entries.iter().map(|e| Some((e.key.value.clone(), json(&e.value, out)?))).collect();
            read.into_iter().collect::<Option<Map<String, Value>>>().map(Value::Object)
        }
    }
}

fn inexact<T>(node: &Node, reason: &str, out: &mut Diagnostics) -> Option<T> {
    let text = node.characters().unwrap_or_default();
    let detail = format!("{text} is without quotes, and {reason}");
    let hint = format!("put it in quotes: \"{text}\"");
    out.push(Diagnostic::error(codes::NUMBER, detail).at(&node.place).hint(hint));
    None
}

/// Only numbers that one of these three holds are called numbers.
fn number(text: &str) -> Value {
    let unsigned = text.strip_prefix('+').unwrap_or(text);
    if let Ok(value) = unsigned.parse::<i64>() {
        return value.into();
    }
    if let Ok(value) = unsigned.parse::<u64>() {
        return value.into();
    }
    match unsigned.parse::<f64>() {
        Ok(value) => Value::from(value),
        Err(_) => panic!("BUG: a number node does not hold a number"),
    }
}

/// Reports a wrong type.
pub(super) fn wrong_type<T>(node: &Node, what: &str, wanted: &str, out: &mut Diagnostics) -> Option<T> {
    let detail = match node.kind {
        Kind::Null => format!("{what} has no value; it must be {wanted}"),
        _ => format!("{what} must be {wanted}, not {}", node.noun()),
    };
    out.push(Diagnostic::error(codes::WRONG_TYPE, detail).at(&node.place));
    None
}

/// An unknown key, with what it may have been meant to be.
pub(super) fn unknown_key(key: &Spot<String>, what: &str, known: &[&str]) -> Diagnostic {
    let detail = format!("{what} has no key \"{}\"", key.value);
    Diagnostic::error(codes::UNKNOWN_KEY, detail).at(&key.place).hint(suggest(&key.value, known))
}

/// `did you mean "x"?`, or what there is.
pub(super) fn suggest(written: &str, known: &[&str]) -> String {
    let lower = written.to_lowercase();
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(&lower, &name.to_lowercase()), *name))
        .min_by_key(|(distance, name)| (*distance, *name));
    match nearest {
        Some((distance, name)) if distance <= (name.chars().count().max(3) / 3).max(1) => {
            format!("did you mean \"{name}\"?")
        }
        Some(_) => format!("known here: {}", join(known)),
        None => "there are none".to_owned(),
    }
}

fn join(names: &[&str]) -> String {
    const SHOWN: usize = 20;
    let mut sorted = names.to_vec();
    sorted.sort_unstable();
    let more = sorted.len().saturating_sub(SHOWN);
    let mut text = sorted.into_iter().take(SHOWN).collect::<Vec<_>>().join(", ");
    if more > 0 {
        text.push_str(&format!(", and {more} more"));
    }
    text
}

/// Checks a name that becomes part of addresses and collection names.
pub(super) fn usable_name(name: &Spot<String>, what: &str, out: &mut Diagnostics) -> Option<()> {
    let usable = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let starts = name.value.chars().next().is_some_and(|c| c.is_ascii_alphanumeric() || c == '_');
    if starts && name.value.len() <= 128 && name.value.chars().all(usable) {
        return Some(());
    }
    let detail = format!("\"{}\" cannot be the name of {what}", name.value.chars().take(128).collect::<String>());
    let hint = "use up to 128 of the letters a to z, digits, _, - and ., and begin with a letter, a digit or _";
    out.push(Diagnostic::error(codes::BAD_NAME, detail).at(&name.place).hint(hint));
    None
}

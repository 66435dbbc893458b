//! Loads a binding and checks that it can mean something.
//!
//! Checked here is what needs no database: every template parses and names only what exists at its place, transitions
//! go between states of the list, keys are among the values, the default scheme exists. Whether tables, columns and
//! functions exist is checked against the live catalog.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::binding_check::check;
use super::codes;
use super::load::read_text;
use super::sources::Sources;
use super::tree::{Entry, Kind, Node};
use super::walk::{json, suggest};
use crate::model::{Binding, BindingRef, Diagnostic, Diagnostics, Place, Spot};

/// The shipped bindings by name.
const SHIPPED: &[(&str, &str)] = &[
    ("iu-core", include_str!("../../schemas/bindings/iu-core.yaml")),
    ("documents", include_str!("../../schemas/bindings/documents.yaml")),
];

/// Checks that a shipped binding has this name.
pub(super) fn check_shipped(name: &Spot<String>, out: &mut Diagnostics) -> Option<()> {
    if SHIPPED.iter().any(|(known, _)| *known == name.value) {
        return Some(());
    }
    out.push(unknown(&name.value).at(&name.place));
    None
}

fn unknown(name: &str) -> Diagnostic {
    let known: Vec<&str> = SHIPPED.iter().map(|(name, _)| *name).collect();
    let hint = format!("{} (a file is named by its path, such as ./binding.yaml)", suggest(name, &known));
    Diagnostic::error(codes::UNKNOWN_BINDING, format!("no shipped binding is called \"{name}\"")).hint(hint)
}

/// Loads a binding.
///
/// # Errors
/// When it is not there, does not parse or contradicts itself, with the text to show that in.
pub fn load_binding(reference: &BindingRef) -> Result<Binding, (Diagnostics, Sources)> {
    let (mut out, mut sources) = (Diagnostics::default(), Sources::default());
    let binding = match reference {
        BindingRef::Shipped(name) => match SHIPPED.iter().find(|(known, _)| known == name) {
            None => {
                out.push(unknown(name));
                None
            }
            Some((_, text)) => parse_binding(&format!("{name}.yaml (shipped)"), text, &mut sources, &mut out),
        },
        BindingRef::File { path, place } => from_file(path, place, &mut sources, &mut out),
    };
    match binding {
        Some(binding) if !out.has_errors() => Ok(binding),
        Some(_) | None => Err((out, sources)),
    }
}

fn from_file(path: &Path, place: &Place, sources: &mut Sources, out: &mut Diagnostics) -> Option<Binding> {
    let name = path.display().to_string();
    if !path.is_file() {
        let diagnostic = Diagnostic::error(codes::UNKNOWN_BINDING, format!("there is no binding file \"{name}\""));
        out.push(diagnostic.at(place).hint("the path is relative to enact.yaml"));
        return None;
    }
    let text = read_text(path, &name, sources, out)?;
    parse_binding(&name, &text, sources, out)
}

/// Reads a binding's text: first as any other file, for its limits and the places of duplicate keys, then by type.
fn parse_binding(name: &str, text: &str, sources: &mut Sources, out: &mut Diagnostics) -> Option<Binding> {
    sources.insert(name, text);
    let file: Arc<str> = Arc::from(name);
    let before = out.0.len();
    let tree = super::yaml::parse_document(&file, text, out);
    if out.0.len() > before {
        return None;
    }
    let Some(tree) = tree else {
        out.push(Diagnostic::error(codes::EMPTY, format!("empty binding: \"{name}\" says nothing")));
        return None;
    };
    json(&tree, out)?;
    match serde_saphyr::from_str::<Binding>(text) {
        Ok(mut binding) => {
            check(&binding, &tree, out);
            places_of(&tree, &mut binding.places.0);
            Some(binding)
        }
        Err(error) => {
            let place = place_of(&error, &file, text);
            let detail = first_line(&error.without_snippet().to_string());
            out.push(Diagnostic::error(codes::BAD_BINDING, detail).at(&place));
            None
        }
    }
}

/// Every text with the place where it stands first.
fn places_of(node: &Node, out: &mut BTreeMap<String, Place>) {
    match &node.kind {
        Kind::Plain(text) | Kind::Text(text) => {
            out.entry(text.clone()).or_insert_with(|| node.place.clone());
        }
        Kind::List(items) => items.iter().for_each(|item| places_of(item, out)),
        Kind::Map(entries) => {
            for Entry { key, value } in entries {
                out.entry(key.value.clone()).or_insert_with(|| key.place.clone());
                places_of(value, out);
            }
        }
        Kind::Null | Kind::Json(_) => {}
    }
}

fn first_line(message: &str) -> String {
    message.lines().next().unwrap_or_default().to_owned()
}

fn place_of(error: &serde_saphyr::Error, file: &Arc<str>, text: &str) -> Place {
    let number = |value: u64| u32::try_from(value).unwrap_or(u32::MAX);
    let (line, column) = error.location().map_or((1, 1), |at| (number(at.line()).max(1), number(at.column()).max(1)));
    let skip = |count: u32| usize::try_from(count.saturating_sub(1)).unwrap_or(usize::MAX);
    let line_start: usize = text.split_inclusive('\n').take(skip(line)).map(str::len).sum();
    let rest = text.get(line_start..).unwrap_or_default();
    let within: usize = rest.chars().take(skip(column)).map(char::len_utf8).sum();
    let start = number((line_start + within) as u64);
    Place { file: file.clone(), line, column, start, end: start.saturating_add(1) }
}

/// Every text inside a value.
pub(super) fn texts_of(value: &Value) -> Vec<&str> {
    match value {
        Value::String(text) => vec![text],
        Value::Array(items) => items.iter().flat_map(texts_of).collect(),
        Value::Object(map) => map.values().flat_map(texts_of).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

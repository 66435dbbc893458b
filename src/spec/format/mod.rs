//! The layout of plan files: sections and known keys in one order, two spaces for each level, comments where they belong.
//!
//! ```text
//! text ── shape (parser events) ──▶ what stands on which line ── build (lines) ──▶ blocks with comments ── print ──▶ text
//! ```
//!
//! - Only block mappings and block lists are laid out anew. Keys, scalars, flow collections, anchors and aliases are copied
//!   as they are written; lines of a value that goes on are moved with its first.
//! - Sections and the keys that Enact knows are put in the documented order; names that the author chose, `where`, `key` and
//!   `values` keep theirs.
//! - A comment above a key, or behind it, stays with it. Comments before the first key stay at the head of the file, those
//!   after the last at its end.
//! - At most one empty line stays between entries; one is put between sections.
//! - **The value is the same before and after.** Both texts are read and compared before anything is given back; a text for
//!   which that fails is refused and left as it is. Formatting twice is formatting once.

mod build;
mod order;
mod print;
mod shape;

use std::sync::Arc;

use super::codes;
use super::tree::{Kind, Node};
use super::yaml::parse_document;
use crate::model::{Diagnostic, Diagnostics};

/// Whether entries may change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sorting {
    Known,
    AsWritten,
}

/// Lays out a plan file's text.
///
/// # Errors
/// What is wrong with a text that is not YAML as Enact reads it; [`codes::FORMAT`] for one that cannot be laid out without
/// a change of its value.
pub fn format_plan(file: &str, text: &str) -> Result<String, Diagnostics> {
    let name: Arc<str> = file.into();
    let mut found = Diagnostics::default();
    let before = parse_document(&name, text, &mut found);
    let (before, _) = found.into_result(before)?;
    let flow = |root: &Node| text.get(root.place.start as usize..).is_some_and(|rest| rest.starts_with('{'));
    let Some(before) = before.filter(|root| matches!(root.kind, Kind::Map(_)) && !flow(root)) else {
        return Ok(text.to_owned());
    };
    // An anchor that another order would put behind its alias keeps the file's own order.
    for sorting in [Sorting::Known, Sorting::AsWritten] {
        let Some(done) = lay_out(text, sorting) else { break };
        let mut found = Diagnostics::default();
        let after = parse_document(&name, &done, &mut found);
        if !found.has_errors() && after.is_some_and(|after| is_same(&before, &after)) {
            return Ok(done);
        }
    }
    let detail = format!("\"{file}\" holds YAML that cannot be moved without a change of what it says");
    Err(Diagnostic::error(codes::FORMAT, detail)
        .hint("write keys and the values under them on lines of their own, without tags or anchors before a key")
        .into())
}

fn lay_out(text: &str, sorting: Sorting) -> Option<String> {
    let (mark, body) = match text.strip_prefix('\u{feff}') {
        Some(body) => ("\u{feff}", body),
        None => ("", text),
    };
    let shape = shape::read(body)?;
    let lines: Vec<&str> = body.lines().collect();
    let mut document = build::build(shape, &lines)?;
    if sorting == Sorting::Known {
        order::sort(&mut document.root, &mut Vec::new());
    }
    Some(format!("{mark}{}", print::print(&document)))
}

/// Whether two trees say the same: places and the order of keys do not matter.
fn is_same(a: &Node, b: &Node) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Map(a), Kind::Map(b)) => {
            a.len() == b.len()
                && a.iter().all(|entry| {
                    let other = b.iter().find(|other| other.key.value == entry.key.value);
                    other.is_some_and(|other| is_same(&entry.value, &other.value))
                })
        }
        (Kind::List(a), Kind::List(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b)),
        (a, b) => a == b,
    }
}

#[cfg(test)]
mod tests;

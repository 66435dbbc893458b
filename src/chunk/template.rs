//! The text that is embedded for a chunk: `{title}\n\n{chunk}`.
//!
//! - `{chunk}` must be there. `{title}` and `{address}` are the unit's; any other name is a field of the unit.
//! - `{{` and `}}` are braces. Names are exact: no spaces, no formats.
//! - Offsets in errors are bytes from the start of the template.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::split::{ChunkError, ChunkInput};

/// A parsed template. Serialised as its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ChunkTemplate {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Title,
    Chunk,
    Address,
    Field { name: String, offset: usize },
}

/// Why a template is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    #[error("\"{{\" at byte {offset} is never closed; write \"{{{{\" for a brace")]
    Unclosed { offset: usize },
    #[error("\"}}\" at byte {offset} closes nothing; write \"}}}}\" for a brace")]
    Unopened { offset: usize },
    #[error("the placeholder at byte {offset} has no name")]
    NoName { offset: usize },
    #[error("unknown placeholder \"{{{name}}}\" at byte {offset}; known: {}", list(known))]
    Unknown { name: String, offset: usize, known: Vec<String> },
    #[error("\"{{chunk}}\" is missing: every chunk would have the same text")]
    NoChunk { offset: usize },
}

impl TemplateError {
    /// The byte of the template at which the mistake is.
    pub fn offset(&self) -> usize {
        match self {
            Self::Unclosed { offset }
            | Self::Unopened { offset }
            | Self::NoName { offset }
            | Self::Unknown { offset, .. }
            | Self::NoChunk { offset } => *offset,
        }
    }
}

fn list(known: &[String]) -> String {
    known.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ")
}

impl ChunkTemplate {
    /// Parses what an author wrote; `fields` are the names the unit's binding offers.
    pub fn parse(source: &str, fields: &BTreeSet<String>) -> Result<Self, TemplateError> {
        let template = Self::parse_syntax(source)?;
        for part in &template.parts {
            if let Part::Field { name, offset } = part
                && !fields.contains(name)
            {
                let built_in = ["title", "chunk", "address"].map(str::to_owned);
                let known = built_in.into_iter().chain(fields.iter().cloned()).collect();
                return Err(TemplateError::Unknown { name: name.clone(), offset: *offset, known });
            }
        }
        Ok(template)
    }

    /// The template as written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The unit's fields that filling it in reads, beside title and address.
    pub fn fields<'a>(&'a self) -> BTreeSet<&'a str> {
        let name = |part: &'a Part| match part {
            Part::Field { name, .. } => Some(name.as_str()),
            Part::Literal(_) | Part::Title | Part::Chunk | Part::Address => None,
        };
        self.parts.iter().filter_map(name).collect()
    }

    /// Fills in one chunk.
    pub(super) fn fill(&self, input: &ChunkInput<'_>, chunk: &str) -> Result<String, ChunkError> {
        let mut out = String::with_capacity(self.source.len() + input.title.len() + chunk.len());
        for part in &self.parts {
            out.push_str(match part {
                Part::Literal(text) => text,
                Part::Title => input.title,
                Part::Chunk => chunk,
                Part::Address => input.address,
                Part::Field { name, .. } => field(input.fields, name)?,
            });
        }
        Ok(out)
    }

    /// Parses without knowing the fields: for a saved plan, whose template was checked when it was planned.
    fn parse_syntax(source: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(next) = source[at..].chars().next() {
            let rest = &source[at..];
            if rest.starts_with("{{") || rest.starts_with("}}") {
                literal.push(next);
                at += 2;
            } else if next == '{' {
                let (part, length) = placeholder(rest, at)?;
                push_literal(&mut parts, &mut literal);
                parts.push(part);
                at += length;
            } else if next == '}' {
                return Err(TemplateError::Unopened { offset: at });
            } else {
                literal.push(next);
                at += next.len_utf8();
            }
        }
        push_literal(&mut parts, &mut literal);
        if !parts.contains(&Part::Chunk) {
            return Err(TemplateError::NoChunk { offset: source.len() });
        }
        Ok(Self { source: source.to_owned(), parts })
    }
}

impl TryFrom<String> for ChunkTemplate {
    type Error = TemplateError;

    fn try_from(source: String) -> Result<Self, TemplateError> {
        Self::parse_syntax(&source)
    }
}

impl From<ChunkTemplate> for String {
    fn from(template: ChunkTemplate) -> Self {
        template.source
    }
}

fn field<'a>(fields: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str, ChunkError> {
    fields.get(name).map(String::as_str).ok_or_else(|| ChunkError::MissingField { name: name.to_owned() })
}

/// Reads `{name}` at the start of `rest`; returns it with its length in bytes.
fn placeholder(rest: &str, offset: usize) -> Result<(Part, usize), TemplateError> {
    let inside = &rest[1..];
    let name = match inside.find(['{', '}']) {
        Some(end) if inside[end..].starts_with('}') => &inside[..end],
        Some(_) | None => return Err(TemplateError::Unclosed { offset }),
    };
    let part = match name {
        "" => return Err(TemplateError::NoName { offset }),
        "title" => Part::Title,
        "chunk" => Part::Chunk,
        "address" => Part::Address,
        name => Part::Field { name: name.to_owned(), offset },
    };
    Ok((part, name.len() + 2))
}

fn push_literal(parts: &mut Vec<Part>, literal: &mut String) {
    if !literal.is_empty() {
        parts.push(Part::Literal(std::mem::take(literal)));
    }
}

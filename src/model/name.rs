//! Names: resource addresses and table names.
//!
//! An address is stable across plans and readable: `promotion.iu-core-8000x`, `lifecycle["D38-DIEU28-ROOT"]`,
//! `row.cms.articles[slug=travel,locale=en]`, `vector_set.iu_core_iu_chunks`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rows::RowKey;

/// The stable name of one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Address(String);

impl Address {
    /// Names a promotion.
    pub fn promotion(name: &str) -> Address {
        Address(format!("promotion.{name}"))
    }

    /// Names the lifecycle state of one unit.
    pub fn lifecycle(unit_address: &str) -> Address {
        Address(format!("lifecycle[{}]", quoted(unit_address)))
    }

    /// Names one row: `row.cms.articles[slug=travel,locale=en]`.
    pub fn row(table: &TableName, key: &RowKey) -> Address {
        Address(format!("row.{table}[{key}]"))
    }

    /// Names a vector set.
    pub fn vector_set(name: &str) -> Address {
        Address(format!("vector_set.{name}"))
    }

    /// Names the cache refresh that follows lifecycle changes.
    pub fn refresh(name: &str) -> Address {
        Address(format!("refresh.{name}"))
    }

    /// Names a protection.
    pub fn protect(name: &str) -> Address {
        Address(format!("protect.{name}"))
    }

    /// Names a check.
    pub fn check(name: &str) -> Address {
        Address(format!("check.{name}"))
    }

    /// Names a gate.
    pub fn gate(name: &str) -> Address {
        Address(format!("gate.{name}"))
    }

    /// Names a retention.
    pub fn retention(name: &str) -> Address {
        Address(format!("retention.{name}"))
    }

    /// Takes an address as it was written by Enact.
    pub fn from_text(text: impl Into<String>) -> Address {
        Address(text.into())
    }

    /// The text of the address.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A word of a row's address: as it is where it holds nothing that an address is made of, else as a JSON string.
pub(super) fn address_word(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-.:/@+~*%$&".contains(c);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

/// Quotes as a JSON string does, so that a hostile name cannot end its own bracket. What shows nothing is spelled out: an
/// address is the same wherever it is printed.
fn quoted(text: &str) -> String {
    let mut out = String::new();
    for c in serde_json::Value::from(text).to_string().chars() {
        if is_hidden(c) {
            let mut units = [0; 2];
            c.encode_utf16(&mut units).iter().for_each(|unit| out.push_str(&format!("\\u{unit:04x}")));
        } else {
            out.push(c);
        }
    }
    out
}

/// Whether a character is obeyed by a terminal or shows nothing. The zero-width joiner and non-joiner stay: scripts
/// need them.
pub fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A table's schema and name. Written `schema.table`; a part that holds a dot or a quote is written in double quotes, and a
/// double quote inside as two: `"v1.2".t`. Names are taken as they are written, in capitals too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct TableName {
    schema: String,
    name: String,
}

/// Why a text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The text is not of the form `schema.table`.
    #[error("\"{0}\" is not of the form schema.table")]
    NotQualified(String),
}

impl TableName {
    /// Names a table.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> TableName {
        TableName { schema: schema.into(), name: name.into() }
    }

    /// Parses `schema.table`.
    ///
    /// # Errors
    /// When there are not exactly two parts with a dot between them.
    pub fn parse(text: &str) -> Result<TableName, NameError> {
        let parsed = name_part(text).and_then(|(schema, rest)| {
            let (name, rest) = name_part(rest.strip_prefix('.')?)?;
            rest.is_empty().then(|| TableName::new(schema, name))
        });
        parsed.ok_or_else(|| NameError::NotQualified(text.to_owned()))
    }

    /// The schema.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The table's own name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", written_part(&self.schema), written_part(&self.name))
    }
}

/// The first part of a name and what follows it.
fn name_part(text: &str) -> Option<(String, &str)> {
    let Some(mut rest) = text.strip_prefix('"') else {
        let end = text.find(['.', '"']).unwrap_or(text.len());
        let (part, rest) = text.split_at(end);
        return (!part.is_empty()).then(|| (part.to_owned(), rest));
    };
    let mut part = String::new();
    loop {
        let (before, after) = rest.split_once('"')?;
        part.push_str(before);
        match after.strip_prefix('"') {
            Some(more) => {
                part.push('"');
                rest = more;
            }
            None => return (!part.is_empty()).then_some((part, after)),
        }
    }
}

fn written_part(part: &str) -> String {
    let quotes = part.contains(['.', '"', '[', ']', '=', ',']) || part.contains(char::is_whitespace);
    if quotes { format!("\"{}\"", part.replace('"', "\"\"")) } else { part.to_owned() }
}

impl TryFrom<String> for TableName {
    type Error = NameError;
    fn try_from(text: String) -> Result<TableName, NameError> {
        TableName::parse(&text)
    }
}

impl From<TableName> for String {
    fn from(name: TableName) -> String {
        name.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_name_reads_back_whatever_its_parts_hold() {
        for (text, schema, name) in [
            ("public.t", "public", "t"),
            ("Cms.Articles", "Cms", "Articles"),
            ("\"v1.2\".t", "v1.2", "t"),
            ("\"a\"\"b\".\"c d\"", "a\"b", "c d"),
        ] {
            let parsed = TableName::parse(text);
            assert_eq!(parsed, Ok(TableName::new(schema, name)), "{text}");
            assert_eq!(TableName::new(schema, name).to_string(), text);
        }
        for text in ["t", "a.b.c", ".t", "a.", "\"a.t", "\"\".t", "a\"b.t", "", "."] {
            assert!(TableName::parse(text).is_err(), "{text}");
        }
    }
}

//! Rows as text: by hand, because a serialiser would spell numbers its own way and knows no tag.
//!
//! | value | text |
//! | --- | --- |
//! | `Plain("1.10")` | `1.10` |
//! | `Text("1.10")` | `"1.10"` |
//! | a word, plain or in quotes | without quotes where YAML allows it: no column tells the two apart |
//! | `Json` | `!json '…'` |
//! | `Spelled` | as a text: the reader cannot tell the two apart, so that JSON of a store must come as `Json` |
//!
//! A table that is declared in several modes has an entry for each, under another spelling of its name.

use serde_json::json;

use super::{Entry, yaml};
use crate::model::{DeclaredRow, PlainScalar, RowSet, RowState, SyncedTable, TableName, Written};
use crate::spec::rows::DEFAULT_MAX_DELETE;

/// One entry for each table and mode.
pub(super) fn tables(sets: &[RowSet], synced: &[SyncedTable]) -> Vec<Entry> {
    let mut names: Vec<&TableName> =
        sets.iter().map(|set| &set.table.value).chain(synced.iter().map(|synced| &synced.table.value)).collect();
    names.sort();
    names.dedup();
    names.into_iter().flat_map(|name| entries(name, sets, synced)).collect()
}

/// What one entry holds.
enum Part<'d> {
    Upsert,
    Insert,
    Sync(&'d SyncedTable),
}

fn entries(name: &TableName, sets: &[RowSet], synced: &[SyncedTable]) -> Vec<Entry> {
    let synced: Vec<&SyncedTable> = synced.iter().filter(|synced| synced.table.value == *name).collect();
    let owner = |set: &RowSet| synced.iter().position(|synced| set.state == RowState::Present && synced.key == set.key);
    let sets: Vec<&RowSet> = sets.iter().filter(|set| set.table.value == *name).collect();
    let of = |part: &dyn Fn(&RowSet) -> bool| sets.iter().copied().filter(|set| part(set)).collect::<Vec<_>>();
    let inserted = |set: &RowSet| set.state == RowState::Inserted;
    let mut parts =
        vec![(Part::Upsert, of(&|set| !inserted(set) && owner(set).is_none())), (Part::Insert, of(&inserted))];
    parts.retain(|(_, sets)| !sets.is_empty());
    parts.extend(synced.iter().enumerate().map(|(at, synced)| (Part::Sync(synced), of(&|set| owner(set) == Some(at)))));
    let texts = parts.iter().zip(spellings(name)).map(|((part, sets), name)| {
        let mut printer = Printer { out: format!("{}:\n", key(&name)) };
        printer.part(part, sets);
        Entry { address: None, text: printer.out }
    });
    texts.collect()
}

/// The name, and then as often as needed in other words.
fn spellings(name: &TableName) -> impl Iterator<Item = String> {
    let quoted = |part: &str| format!("\"{}\"", part.replace('"', "\"\""));
    let (schema, table) = (quoted(name.schema()), quoted(name.name()));
    let mut all = vec![name.to_string()];
    for spelling in
        [format!("{schema}.{table}"), format!("{schema}.{}", name.name()), format!("{}.{table}", name.schema())]
    {
        if !all.contains(&spelling) && TableName::parse(&spelling).as_ref() == Ok(name) {
            all.push(spelling);
        }
    }
    all.into_iter().cycle()
}

struct Printer {
    out: String,
}

impl Printer {
    fn line(&mut self, indent: usize, text: &str) {
        self.out.push_str(&" ".repeat(indent));
        self.out.push_str(text);
        self.out.push('\n');
    }

    fn part(&mut self, part: &Part<'_>, sets: &[&RowSet]) {
        let indent = match part {
            Part::Upsert => 2,
            Part::Insert => {
                self.line(2, "mode: insert");
                self.line(2, "rows:");
                4
            }
            Part::Sync(SyncedTable { table: _, key, within, max_delete, place: _ }) => {
                self.line(2, "mode: sync");
                self.line(2, &format!("key: {}", names(key)));
                if !within.is_empty() {
                    self.line(2, "where:");
                }
                for (column, values) in within {
                    match values.value.as_slice() {
                        [one] => self.entry(4, column, one),
                        many => self.entry(4, column, &Written::List(many.to_vec())),
                    }
                }
                if *max_delete != DEFAULT_MAX_DELETE {
                    self.line(2, &format!("max_delete: {max_delete}"));
                }
                self.line(2, if sets.is_empty() { "rows: []" } else { "rows:" });
                4
            }
        };
        for set in sets {
            set.rows.iter().for_each(|row| self.row(indent, set, row));
        }
    }

    fn row(&mut self, indent: usize, set: &RowSet, row: &DeclaredRow) {
        let RowSet { table: _, key, columns, state, origin: _, computed, rows: _ } = set;
        let (keys, values) = row.cells.split_at(key.len().min(row.cells.len()));
        self.line(indent, "-");
        self.line(indent + 2, "key:");
        for (column, cell) in key.iter().zip(keys) {
            self.entry(indent + 4, column, &cell.value);
        }
        match state {
            RowState::Absent => self.line(indent + 2, "absent: true"),
            RowState::Present | RowState::Inserted if columns.is_empty() => self.line(indent + 2, "values: {}"),
            RowState::Present | RowState::Inserted => self.line(indent + 2, "values:"),
        }
        for (column, cell) in columns.iter().zip(values) {
            self.entry(indent + 4, column, &cell.value);
        }
        if !computed.is_empty() {
            self.line(indent + 2, &format!("computed: {}", names(computed.iter().map(|spot| &spot.value))));
        }
    }

    fn entry(&mut self, indent: usize, column: &str, value: &Written) {
        self.value(indent, &format!("{}:", key(column)), value);
    }

    /// Writes a value behind `key:` or `-`.
    fn value(&mut self, indent: usize, head: &str, value: &Written) {
        match value {
            Written::Null => self.line(indent, &format!("{head} null")),
            Written::Plain(text) if !is_word(text) => self.line(indent, &format!("{head} {text}")),
            Written::Plain(text) | Written::Text(text) | Written::Spelled(text) => self.text(indent, head, text),
            Written::Json(text) => self.line(indent, &format!("{head} !json {}", single_quoted(text))),
            Written::ApplyTime => self.line(indent, &format!("{head} \"{{apply.time}}\"")),
            Written::List(items) if items.is_empty() => self.line(indent, &format!("{head} []")),
            Written::Map(entries) if entries.is_empty() => self.line(indent, &format!("{head} {{}}")),
            Written::List(items) => {
                self.line(indent, head);
                items.iter().for_each(|item| self.value(indent + 2, "-", item));
            }
            Written::Map(entries) => {
                self.line(indent, head);
                entries.iter().for_each(|(column, value)| self.entry(indent + 2, column, value));
            }
        }
    }

    /// A text as the library writes it, in a block where it has lines, unless it would be read as something else or has
    /// lines of blanks, which a layout may take for empty ones.
    fn text(&mut self, indent: usize, head: &str, text: &str) {
        let is_blank = |line: &str| !line.is_empty() && line.trim().is_empty();
        if !is_word(text) || (text.contains('\n') && text.lines().any(is_blank)) {
            return self.line(indent, &format!("{head} {}", double_quoted(text)));
        }
        let written = yaml(&json!({ "k": text }));
        let written = written.strip_prefix("k:").unwrap_or(&written);
        for (at, line) in written.lines().enumerate() {
            if at == 0 {
                self.line(indent, &format!("{head}{line}"));
            } else {
                self.line(indent, line);
            }
        }
    }
}

/// Whether a text without quotes would be read as these characters and nothing else.
fn is_word(text: &str) -> bool {
    PlainScalar::of(text) == PlainScalar::Word && !PlainScalar::is_null(text)
}

fn key(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let starts = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && text.chars().all(plain) && is_word(text) { text.to_owned() } else { double_quoted(text) }
}

fn names<'n>(names: impl IntoIterator<Item = &'n String>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| key(name)).collect();
    format!("[{}]", names.join(", "))
}

/// Whether YAML takes a character as it is in quotes, on the same line.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

fn single_quoted(text: &str) -> String {
    if text.chars().all(is_printable) { format!("'{}'", text.replace('\'', "''")) } else { double_quoted(text) }
}

fn double_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            c if is_printable(c) => out.push(c),
            c => out.push_str(&format!("\\U{:08x}", u32::from(c))),
        }
    }
    out.push('"');
    out
}
